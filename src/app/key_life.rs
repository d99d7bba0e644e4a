//! The life of keys: retired and taken back, compromised, destroyed when their time has come.
//!
//! A retired key signs nothing more. When the configuration says so, it is destroyed by itself, and
//! two clocks must agree on that: the wall clock, which can jump, and the time that the service has
//! run since, which only grows. So a key is destroyed later than promised when the service was
//! stopped or the clock set back, and never earlier.

use std::sync::{Mutex, PoisonError};
use std::time::Instant;

use serde_json::json;

use super::keys::{decide_destruction, key_event, refuse_if_needed};
use super::{App, Caller, Error, Kind, failpoint};
use crate::domain::audit::Actor;
use crate::domain::clock::Timestamp;
use crate::domain::id::Handle;
use crate::domain::invalid::Invalid;
use crate::domain::key::{Key, KeyState, Purpose};
use crate::domain::key_life::{Compromise, KeyLife, LifeFacts, LifeState};
use crate::domain::signing_request::State;
use crate::store::{Deadline, Page, Tx, View};

/// The longest reason, in characters.
const LONGEST_REASON: usize = 500;
/// Keys looked at for one page by state; a page with fewer of that state is short, not the last.
const MOST_LOOKED_AT: usize = 2_000;

/// What the configuration says of lives.
#[derive(Clone, Debug, Default)]
pub struct LifeRules {
    /// A retired key is destroyed after so many milliseconds; `None`: never by itself.
    pub destroy_retired_after: Option<i64>,
    /// Days before its end at which it is told of a certificate, ascending.
    pub expiry_notice_days: Vec<u32>,
}

/// Time that the service has run and that the index does not know of yet.
pub(super) struct Unrecorded(Mutex<Instant>);

impl Default for Unrecorded {
    fn default() -> Self {
        Self(Mutex::new(Instant::now()))
    }
}

impl Unrecorded {
    /// Milliseconds since this was asked last. Lost when it cannot be recorded: the time counts as
    /// shorter than it was.
    fn take(&self) -> i64 {
        let mut last = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let now = Instant::now();
        let passed = now.duration_since(*last);
        *last = now;
        i64::try_from(passed.as_millis()).unwrap_or_default()
    }
}

/// A key with its life.
pub struct LivingKey {
    /// The key.
    pub key: Key,
    /// What is known of its life.
    pub facts: LifeFacts,
    /// What follows from that now.
    pub life: KeyLife,
}

impl App {
    /// A key with its life, if the caller sees it.
    ///
    /// # Errors
    /// [`Kind::NotFound`], or the index cannot be read.
    pub async fn living_key(&self, caller: &Caller, handle: Handle) -> Result<LivingKey, Error> {
        let (caller, now) = (caller.clone(), self.now());
        self.0.store.read(move |view| living(view, caller.key(view, handle)?, now)).await
    }

    /// A page of the keys that the caller sees, newest first; those in one state, if wanted.
    ///
    /// # Errors
    /// The index cannot be read.
    pub async fn living_keys(
        &self,
        caller: &Caller,
        wanted: Option<LifeState>,
        after: Option<Handle>,
        limit: usize,
    ) -> Result<Page<LivingKey>, Error> {
        let (tenant, with_tenantless, now) = (caller.tenant, caller.sees_tenantless(), self.now());
        self.0
            .store
            .read(move |view| {
                let (mut items, mut next, mut looked_at) = (Vec::new(), after, 0);
                loop {
                    let page = view.page_of_keys(tenant, with_tenantless, next, limit)?;
                    looked_at += page.items.len();
                    for key in page.items {
                        let handle = key.handle;
                        let key = living(view, key, now)?;
                        if wanted.is_some_and(|wanted| wanted != key.life.state) {
                            continue;
                        }
                        items.push(key);
                        if items.len() == limit {
                            // Behind the last one there may be none: then the next page is empty.
                            let more = view.page_of_keys(tenant, with_tenantless, Some(handle), 1)?;
                            let next = (!more.items.is_empty()).then_some(handle);
                            return Ok(Page { items, next });
                        }
                    }
                    next = page.next;
                    if next.is_none() || looked_at >= MOST_LOOKED_AT {
                        return Ok(Page { items, next });
                    }
                }
            })
            .await
    }

    /// Retires a key that no live request uses: the first step of its deletion. Retired again, it stays as
    /// it is.
    ///
    /// # Errors
    /// [`Kind::Conflict`] while a live request uses it, when it is a sentinel, or on its way out.
    pub async fn retire_key(&self, caller: &Caller, handle: Handle) -> Result<LivingKey, Error> {
        let (app, caller, now) = (self.clone(), caller.clone(), self.now());
        let retired = self
            .0
            .store
            .write(move |tx| {
                let key = caller.key(tx, handle)?;
                if key.purpose == Purpose::Sentinel {
                    return Err(sentinel(&key));
                }
                refuse_if_needed(tx, &key, &app.health(&key.token))?;
                refuse_if_gone(&key, "retired")?;
                app.retire_in(tx, &caller.actor(), &key, now)?;
                living(tx, key, now)
            })
            .await;
        failpoint::reached("retire-key-after");
        retired
    }

    /// Takes a key's retirement back, as long as it is not destroyed.
    ///
    /// # Errors
    /// [`Kind::Conflict`] when it is not retired, or on its way out.
    pub async fn unretire_key(&self, caller: &Caller, handle: Handle) -> Result<LivingKey, Error> {
        let (caller, now) = (caller.clone(), self.now());
        self.0
            .store
            .write(move |tx| {
                let key = caller.key(tx, handle)?;
                refuse_if_gone(&key, "taken back")?;
                if life_of(tx, handle)?.retired_at.is_none() {
                    return Err(conflict(format!("key {handle} is not retired")));
                }
                tx.unretire_key(handle)?;
                tx.append_audit(&caller.actor(), now, &key_event("key.unretired", handle, json!({})))?;
                living(tx, key, now)
            })
            .await
    }

    /// Enters that somebody else may have a key: it signs nothing more. Answers every signing request that
    /// uses it, since their certificates are to be revoked. For ever.
    ///
    /// # Errors
    /// [`Kind::Invalid`] without a reason; [`Kind::Conflict`] when it is a sentinel, or compromised already.
    pub async fn compromise_key(
        &self,
        caller: &Caller,
        handle: Handle,
        reason: String,
    ) -> Result<(LivingKey, Vec<(Handle, State)>), Error> {
        let reason = reason.trim().to_owned();
        if reason.is_empty() || reason.chars().count() > LONGEST_REASON {
            let rule = format!("must be 1 to {LONGEST_REASON} characters");
            return Err(Error::invalid(vec![Invalid::new("reason", rule)]));
        }
        let (caller, now) = (caller.clone(), self.now());
        let compromised = self
            .0
            .store
            .write(move |tx| {
                let key = caller.key(tx, handle)?;
                if key.purpose == Purpose::Sentinel {
                    return Err(sentinel(&key));
                }
                if life_of(tx, handle)?.compromise.is_some() {
                    return Err(conflict(format!("key {handle} is compromised already")));
                }
                let detail = json!({ "reason": reason });
                tx.compromise_key(handle, &Compromise { at: now, reason })?;
                tx.append_audit(&caller.actor(), now, &key_event("key.compromised", handle, detail))?;
                Ok((living(tx, key, now)?, tx.requests_of_key(handle)?))
            })
            .await;
        failpoint::reached("compromise-after");
        compromised
    }

    /// Retires a key in the transaction that ends its use; does nothing when it is retired already.
    pub(super) fn retire_in(&self, tx: &Tx, actor: &Actor, key: &Key, now: Timestamp) -> Result<(), Error> {
        if life_of(tx, key.handle)?.retired_at.is_some() {
            return Ok(());
        }
        let lived = tx.add_lived(self.0.unrecorded.take())?;
        let deadline = self.0.life.destroy_retired_after.map(|millis| Deadline {
            after: now.plus_millis(millis),
            after_lived: lived.saturating_add(millis),
        });
        tx.retire_key(key.handle, now, deadline)?;
        let detail = json!({ "destroy_after": deadline.map(|deadline| deadline.after) });
        tx.append_audit(actor, now, &key_event("key.retired", key.handle, detail))?;
        Ok(())
    }

    /// Decides the destruction of the retired keys on a token whose time has come; the reconciliation that
    /// asks for this carries it out.
    pub(super) async fn doom_due_keys(&self, token: &str) -> Result<(), Error> {
        let (name, now, passed) = (token.to_owned(), self.now(), self.0.unrecorded.take());
        failpoint::reached("due-before");
        let doomed: Result<usize, Error> = self
            .0
            .store
            .write(move |tx| {
                let lived = tx.add_lived(passed)?;
                let due = tx.keys_due(&name, now, lived)?;
                let count = due.len();
                for key in due {
                    decide_destruction(tx, &Actor::System, now, key)?;
                }
                Ok(count)
            })
            .await;
        failpoint::reached("due-after");
        let count = doomed?;
        if count > 0 {
            tracing::info!(token, count, "retired keys have reached their end");
        }
        Ok(())
    }
}

/// Refuses to sign with a key that is retired or compromised.
pub(super) fn must_be_usable(view: &View, handle: Handle) -> Result<(), Error> {
    let decided = view.decided_on_key(handle)?.ok_or_else(|| Error::not_found("key", handle))?;
    if let Some(Compromise { at, .. }) = decided.compromise {
        return Err(conflict(format!(
            "key {handle} is compromised since {at} and signs nothing; use a new one"
        )));
    }
    if let Some(at) = decided.retired_at {
        return Err(conflict(format!(
            "key {handle} is retired since {at} and signs nothing; use a new one, or take the retirement back"
        )));
    }
    Ok(())
}

fn living(view: &View, key: Key, now: Timestamp) -> Result<LivingKey, Error> {
    let facts = life_of(view, key.handle)?;
    let life = facts.at(now);
    Ok(LivingKey { key, facts, life })
}

fn life_of(view: &View, handle: Handle) -> Result<LifeFacts, Error> {
    view.life_of_key(handle)?.ok_or_else(|| Error::not_found("key", handle))
}

fn refuse_if_gone(key: &Key, verb: &str) -> Result<(), Error> {
    match key.state {
        KeyState::Present | KeyState::Missing | KeyState::Recovered | KeyState::Quarantined => Ok(()),
        KeyState::Destroying | KeyState::Destroyed => {
            Err(conflict(format!("key {} is {} and cannot be {verb}", key.handle, key.state)))
        }
    }
}

fn conflict(message: String) -> Error {
    Error::new(Kind::Conflict, "key.state", message)
}

fn sentinel(key: &Key) -> Error {
    let message = format!(
        "key {} is the sentinel of token `{}`: without it nobody knows whether the token works",
        key.handle, key.token
    );
    Error::new(Kind::Conflict, "key.sentinel", message)
}
