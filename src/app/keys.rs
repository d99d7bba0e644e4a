//! What becomes of keys: looked at, destroyed, and what happens to them when a request ends.
//!
//! A destruction is decided and recorded first, then done on the token, then recorded as done; the
//! reconciler finishes one that was interrupted.

use serde_json::json;

use super::certificate_objects::intend_certificate;
use super::transition::transition;
use super::watch::TokenHealth;
use super::{App, Caller, Error, Kind};
use crate::domain::audit::{Actor, Event};
use crate::domain::id::Handle;
use crate::domain::key::{Evidence, Key, KeyState, Purpose};
use crate::domain::signing_request::{Command, KeySource, SigningRequest};
use crate::store::Tx;

/// What becomes of the key of a request that is cancelled.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeyFate {
    /// It never had one.
    NoKey,
    /// Destroyed: no other request uses it.
    Destroyed,
    /// Decided and recorded; the token could not do it now and will be asked again.
    WillBeDestroyed,
    /// Kept: it was made for an earlier request, or a live one uses it.
    Kept,
}

impl App {
    /// The key with that handle, if the caller sees it.
    ///
    /// # Errors
    /// [`Kind::NotFound`], or the index cannot be read.
    pub async fn key(&self, caller: &Caller, handle: Handle) -> Result<Key, Error> {
        let caller = caller.clone();
        self.0.store.read(move |view| caller.key(view, handle)).await
    }

    /// The key of a signing request, once it has one.
    ///
    /// # Errors
    /// The index cannot be read.
    pub async fn key_of(&self, request: &SigningRequest) -> Result<Option<Key>, Error> {
        match request.key {
            Some(key) => self.any_key(key).await.map(Some),
            None => Ok(None),
        }
    }

    /// The key with that handle, whosever it is.
    pub(super) async fn any_key(&self, handle: Handle) -> Result<Key, Error> {
        let found: Result<_, Error> = self.0.store.read(move |view| Ok(view.key(handle)?)).await;
        found?.ok_or_else(|| Error::not_found("key", handle))
    }

    /// What the evidence of a signing request's key is worth; of its token's keys, before it has one.
    ///
    /// # Errors
    /// [`Kind::NotFound`], or the index cannot be read.
    pub async fn evidence_of(&self, caller: &Caller, request: Handle) -> Result<Evidence, Error> {
        let request = self.signing_request(caller, request).await?;
        match self.key_of(&request).await? {
            Some(key) => Ok(self.evidence_of_key(&key)),
            None => Ok(self.evidence_without_key(&request)),
        }
    }

    /// Destroys a key on its token. A missing key is written off: there is nothing to destroy. So is
    /// a sentinel that the token has not, whereupon another is made.
    ///
    /// # Errors
    /// [`Kind::Conflict`] while a live request uses it, or when it is gone already.
    pub async fn destroy_key(&self, caller: &Caller, handle: Handle) -> Result<Key, Error> {
        let (app, caller, now) = (self.clone(), caller.clone(), self.now());
        let key: Result<Key, Error> = self
            .0
            .store
            .write(move |tx| {
                let key = caller.key(tx, handle)?;
                refuse_if_needed(tx, &key, &app.health(&key.token))?;
                decide_destruction(tx, &caller.actor(), now, key)
            })
            .await;
        self.finish_destruction(key?).await
    }

    /// Calls a request off, and says what becomes of its key.
    ///
    /// # Errors
    /// [`Kind::Conflict`] when it is past that.
    pub async fn cancel(&self, caller: &Caller, handle: Handle) -> Result<(SigningRequest, KeyFate), Error> {
        let (caller, now) = (caller.clone(), self.now());
        let cancelled: Result<_, Error> = self
            .0
            .store
            .write(move |tx| {
                caller.signing_request(tx, handle)?;
                let actor = caller.actor();
                let request = transition(tx, &actor, handle, [Command::Cancel], now)?;
                let Some(key) = request.key.map(|key| tx.key(key)).transpose()?.flatten() else {
                    // Its driver, or the reconciler, clears what an open attempt leaves.
                    let making = tx.open_attempt_of(handle)?.is_some();
                    let fate = if making { KeyFate::WillBeDestroyed } else { KeyFate::NoKey };
                    return Ok((request, None, fate));
                };
                let needed = !tx.live_requests_of_key(key.handle)?.is_empty();
                let doomed = matches!(key.state, KeyState::Present | KeyState::Quarantined);
                if needed || request.key_source == KeySource::Existing || !doomed {
                    return Ok((request, None, KeyFate::Kept));
                }
                let key = decide_destruction(tx, &actor, now, key)?;
                Ok((request, Some(key), KeyFate::WillBeDestroyed))
            })
            .await;
        let (request, doomed, fate) = cancelled?;
        let Some(key) = doomed else { return Ok((request, fate)) };
        match self.finish_destruction(key).await {
            Ok(_) => Ok((request, KeyFate::Destroyed)),
            Err(error) => {
                tracing::warn!(request = %handle, %error, "the key of a cancelled request is not destroyed yet");
                Ok((request, KeyFate::WillBeDestroyed))
            }
        }
    }

    /// Takes an issued request out of use, and with it its key unless a live request uses that. Its
    /// certificate leaves the token, now or when the token can.
    ///
    /// # Errors
    /// [`Kind::Conflict`] when it is not issued.
    pub async fn retire(&self, caller: &Caller, handle: Handle) -> Result<SigningRequest, Error> {
        let (app, actor, now) = (self.clone(), caller.actor(), self.now());
        let token = self.signing_request(caller, handle).await?.token;
        let write = self.rules(&token).write_certificates;
        let retired: Result<_, Error> = self
            .0
            .store
            .write(move |tx| {
                let request = transition(tx, &actor, handle, [Command::Retire], now)?;
                tx.retire_certificate(handle)?;
                let Some(key) = request.key else { return Ok((request, false)) };
                let changes = intend_certificate(tx, key, write)?;
                if let Some(key) = tx.key(key)?
                    && tx.live_requests_of_key(key.handle)?.is_empty()
                {
                    app.retire_in(tx, &actor, &key, now)?;
                }
                Ok((request, changes))
            })
            .await;
        super::failpoint::reached("retire-after");
        let (request, changes) = retired?;
        if let Some(key) = request.key.filter(|_| changes) {
            self.settle_certificate_soon(key, &token).await;
        }
        Ok(request)
    }

    /// The second half of a destruction, after the decision is recorded.
    pub(super) async fn finish_destruction(&self, mut key: Key) -> Result<Key, Error> {
        super::failpoint::reached("destroy-before");
        let token = self.token(&key.token)?;
        let destroyed = token.destroy(key.id).await?;
        super::failpoint::reached("destroy-after");
        if destroyed.private == 0 && key.purpose != Purpose::Sentinel {
            // "Not there" counts only from a token whose sentinel signs: one that lost its storage
            // says so of every key. Else the reconciler asks again.
            self.examine(&token).await?;
        }
        let (handle, now) = (key.handle, self.now());
        let detail = json!({
            "token": key.token, "id": key.id.to_string(), "private": destroyed.private, "public": destroyed.public,
            "other": destroyed.other,
        });
        let recorded: Result<(), Error> = self
            .0
            .store
            .write(move |tx| {
                tx.set_key_state(handle, KeyState::Destroyed, now)?;
                tx.forget_certificate_intent(handle)?;
                tx.append_audit(&Actor::System, now, &key_event("key.destroyed", handle, detail))?;
                Ok(())
            })
            .await;
        recorded?;
        key.state = KeyState::Destroyed;
        Ok(key)
    }
}

/// An event about a key.
pub(super) fn key_event(action: &'static str, key: Handle, detail: serde_json::Value) -> Event {
    Event { action, subject: key.to_string(), detail }
}

pub(super) fn refuse_if_needed(tx: &Tx, key: &Key, token: &TokenHealth) -> Result<(), Error> {
    let users = tx.live_requests_of_key(key.handle)?;
    if let Some(user) = users.first() {
        let message = format!(
            "key {} is used by {} live signing request(s), such as {user}; cancel or retire them first",
            key.handle,
            users.len()
        );
        return Err(Error::new(Kind::Conflict, "key.in-use", message).about(*user));
    }
    if let Some(authority) = tx.live_authority_of_key(key.handle)? {
        let message = format!(
            "key {} is that of authority `{}`; delete the authority first",
            key.handle, authority.name
        );
        return Err(Error::new(Kind::Conflict, "key.in-use", message));
    }
    if key.purpose == Purpose::Sentinel && key.state == KeyState::Present && !token.lost_its_sentinel() {
        let message = format!(
            "key {} is the sentinel of token `{}`: without it nobody knows whether the token works",
            key.handle, key.token
        );
        return Err(Error::new(Kind::Conflict, "key.sentinel", message));
    }
    Ok(())
}

/// Records that a key is to be destroyed; [`App::finish_destruction`] does it.
pub(super) fn decide_destruction(
    tx: &Tx,
    actor: &Actor,
    now: crate::domain::clock::Timestamp,
    mut key: Key,
) -> Result<Key, Error> {
    match key.state {
        KeyState::Present | KeyState::Missing | KeyState::Recovered | KeyState::Quarantined => {}
        // Asked again: the decision stands.
        KeyState::Destroying => return Ok(key),
        KeyState::Destroyed => {
            let message = format!("key {} is destroyed already", key.handle);
            return Err(Error::new(Kind::Conflict, "key.state", message));
        }
    }
    let detail = json!({ "was": key.state, "token": key.token, "id": key.id.to_string() });
    tx.set_key_state(key.handle, KeyState::Destroying, now)?;
    tx.append_audit(actor, now, &key_event("key.destroying", key.handle, detail))?;
    key.state = KeyState::Destroying;
    Ok(key)
}
