//! The journal against the token: every object that we made is accounted for.
//!
//! Runs at start and every 5 minutes, per token, only after the sentinel signed (a token that lost
//! its storage says OK with no objects) and only through the worker that holds the token's lock.
//!
//! | found | done |
//! |---|---|
//! | open attempt, request continues | taken up by a driver, which inspects and goes on |
//! | open attempt, nobody comes back for the request | its objects destroyed, the request fails |
//! | open attempt of a request that ended | its objects destroyed |
//! | objects of a closed attempt that left no key | destroyed: they were never released |
//! | key whose destruction was decided | destroyed |
//! | key row, no object | `missing`, reported, never deleted |
//! | object with our installation's id, no row | `recovered` (an older database was restored) |
//! | object without an id | counted as nameless; only an operator may destroy it |
//! | any other object | counted as foreign; never touched |

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};
use serde_json::json;

use super::keys::key_event;
use super::produce::clear;
use super::tokens::evidence;
use super::{App, Error};
use crate::domain::audit::{Actor, Event};
use crate::domain::clock::Timestamp;
use crate::domain::csr;
use crate::domain::id::KeyId;
use crate::domain::key::{Key, KeyState, Purpose};
use crate::domain::key_quality;
use crate::domain::signing_request::State;
use crate::hsm::{self, Destroyed, GeneratedKey, ObjectClass, Token, TokenObject};
use crate::store::{Attempt, KeyBrief, TokenReport};

/// What a reconciliation found: every object on the token is in one of these counts.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Report {
    /// Objects on the token, public and private.
    pub objects: usize,
    /// Objects of keys that the index knows.
    pub owned: usize,
    /// Objects of attempts that are being worked on.
    pub in_progress: usize,
    /// Objects left by a crash, destroyed now.
    pub destroyed: usize,
    /// Objects with our id that no row explains and that make a whole key.
    pub recovered: usize,
    /// Objects with our id that no row explains and that make no whole key. Kept for an operator.
    pub quarantined: usize,
    /// Objects without an id, as a module leaves them when it is killed. Kept for an operator.
    pub nameless: usize,
    /// Objects of somebody else.
    pub foreign: usize,
    /// Keys of the index that are not on the token.
    pub missing_keys: usize,
}

/// What the token holds under one CKA_ID of ours.
#[derive(Default)]
struct Found {
    private: usize,
    public: usize,
    other: usize,
}

impl Found {
    fn objects(&self) -> usize {
        self.private + self.public + self.other
    }
}

/// How the journal explains an object.
enum Explained {
    Owned,
    InProgress,
    /// Of a key that was destroyed: the token was restored from an older backup.
    Undead,
    /// Of an attempt that ended without a key.
    Leftover(Attempt),
    Unknown,
}

impl App {
    /// Holds the journal against one token.
    ///
    /// # Errors
    /// The token or the index cannot be used now; what was done so far stands, the rest is done by
    /// the next run.
    pub async fn reconcile(&self, token: &Token) -> Result<Report, Error> {
        // Keys before objects: a key made in between then has its object. Attempts after objects:
        // an attempt is recorded before its object is made, so no object of ours is without one.
        let known = self.keys_on(token).await?;
        let objects = token.inventory().await?;
        let mut report = Report { objects: objects.len(), ..Report::default() };
        let found = self.sort(&objects, &mut report);

        self.finish_destructions(token, &known).await?;
        self.settle_attempts(token).await?;
        self.continue_generated(token).await?;
        self.account_for(token, &found, &mut report).await?;
        report.missing_keys = self.look_for_missing(token, &known, &found).await?;
        self.forget_old_idempotency().await?;
        self.keep_report(token, &report).await?;
        Ok(report)
    }

    /// What the last reconciliation of a token found, and when.
    ///
    /// # Errors
    /// The index cannot be read.
    pub async fn last_report(&self, token: &str) -> Result<Option<(Timestamp, Report)>, Error> {
        let name = token.to_owned();
        let found: Result<_, Error> = self.0.store.read(move |view| Ok(view.token_report(&name)?)).await;
        Ok(found?.and_then(|kept| Some((kept.at, serde_json::from_str(&kept.report).ok()?))))
    }

    async fn keys_on(&self, token: &Token) -> Result<Vec<KeyBrief>, Error> {
        let name = token.name().to_owned();
        self.0.store.read(move |view| Ok(view.keys_on_token(&name)?)).await
    }

    /// Objects with our installation's id, by that id; the others are counted and left alone.
    fn sort(&self, objects: &[TokenObject], report: &mut Report) -> BTreeMap<KeyId, Found> {
        let installation = self.0.store.installation();
        let mut ours: BTreeMap<KeyId, Found> = BTreeMap::new();
        for object in objects {
            match KeyId::from_slice(&object.id) {
                Some(id) if id.installation() == installation => {
                    let found = ours.entry(id).or_default();
                    match object.class {
                        ObjectClass::Private => found.private += 1,
                        ObjectClass::Public => found.public += 1,
                        ObjectClass::Other(_) | ObjectClass::Unknown => found.other += 1,
                    }
                }
                _ if object.id.is_empty() && object.label.is_empty() => report.nameless += 1,
                _ => report.foreign += 1,
            }
        }
        ours
    }

    async fn finish_destructions(&self, token: &Token, known: &[KeyBrief]) -> Result<(), Error> {
        for key in known.iter().filter(|key| key.state == KeyState::Destroying) {
            tracing::info!(token = token.name(), key = %key.handle, "finishing a destruction");
            self.finish_destruction(self.key(key.handle).await?).await?;
        }
        Ok(())
    }

    /// Attempts that no driver of this process works on.
    async fn settle_attempts(&self, token: &Token) -> Result<(), Error> {
        let name = token.name().to_owned();
        let open: Result<Vec<Attempt>, Error> =
            self.0.store.read(move |view| Ok(view.open_attempts(&name)?)).await;
        for attempt in open? {
            let Some(handle) = attempt.request else {
                // The sentinel's maker, this same task, clears its own.
                continue;
            };
            if self.0.drivers.has(handle) {
                continue;
            }
            let request = self.signing_request(handle).await?;
            if request.state.is_unfinished() && request.continues {
                self.continue_unfinished(request).await?;
                continue;
            }
            // Claimed, so that a client who resumes it meanwhile waits his turn.
            let Ok(_claim) = self.0.drivers.enlist(handle) else { continue };
            let id = attempt.id;
            let still_open: Result<_, Error> = self
                .0
                .store
                .read(move |view| Ok(view.attempt(id)?.is_some_and(|(_, closed)| closed.is_none())))
                .await;
            if !still_open? {
                continue;
            }
            let reason = Error::new(
                super::Kind::Unavailable,
                "signing-request.interrupted",
                "strongroom was interrupted while it made the key, and nobody waits for it; ask again",
            );
            if request.state.is_unfinished() {
                self.abandon(token, &request, &attempt, reason).await;
            } else {
                self.close_cleared(token, attempt).await?;
            }
        }
        Ok(())
    }

    async fn close_cleared(&self, token: &Token, attempt: Attempt) -> Result<(), Error> {
        let outcome = clear(token, &attempt).await?;
        let now = self.now();
        self.0.store.write(move |tx| tx.close_attempt(attempt.id, outcome, now).map_err(Error::from)).await
    }

    /// Requests whose key is recorded and whose CSR is not.
    async fn continue_generated(&self, token: &Token) -> Result<(), Error> {
        let name = token.name().to_owned();
        let unfinished: Result<Vec<_>, Error> =
            self.0.store.read(move |view| Ok(view.unfinished_signing_requests(&name)?)).await;
        for request in unfinished?.into_iter().filter(|request| request.state == State::Generated) {
            self.continue_unfinished(request).await?;
        }
        Ok(())
    }

    /// Every object of ours gets its explanation, and what follows from it.
    async fn account_for(
        &self,
        token: &Token,
        found: &BTreeMap<KeyId, Found>,
        report: &mut Report,
    ) -> Result<(), Error> {
        for (id, objects) in found {
            match self.explain(*id).await? {
                Explained::Owned => report.owned += objects.objects(),
                Explained::InProgress => report.in_progress += objects.objects(),
                Explained::Leftover(attempt) => {
                    // May be gone by now: settling the attempts came in between.
                    let destroyed = token.destroy(attempt.id).await?;
                    report.destroyed += objects.objects();
                    if destroyed != Destroyed::default() {
                        self.note(Event {
                            action: "token.leftover-destroyed",
                            subject: token.name().to_owned(),
                            detail: json!({ "id": id.to_string(), "request": attempt.request }),
                        })
                        .await?;
                    }
                }
                Explained::Undead => {
                    if whole_key(token, *id).await?.is_some() {
                        tracing::warn!(token = token.name(), %id, "a destroyed key is on the token again");
                        report.quarantined += objects.objects();
                    } else {
                        // Destroyed by this run, after it listed the objects; or half of it is left.
                        token.destroy(*id).await?;
                        report.destroyed += objects.objects();
                    }
                }
                Explained::Unknown => {
                    if self.recover(token, *id).await? {
                        report.recovered += objects.objects();
                    } else {
                        report.quarantined += objects.objects();
                    }
                }
            }
        }
        Ok(())
    }

    async fn explain(&self, id: KeyId) -> Result<Explained, Error> {
        let found: Result<_, Error> =
            self.0.store.read(move |view| Ok((view.key_by_id(id)?, view.attempt(id)?))).await;
        let (key, attempt) = found?;
        Ok(match (key, attempt) {
            (Some(key), _) if key.state == KeyState::Destroyed => Explained::Undead,
            (Some(_), _) => Explained::Owned,
            (None, Some((_, None))) => Explained::InProgress,
            (None, Some((attempt, Some(_)))) => Explained::Leftover(attempt),
            (None, None) => Explained::Unknown,
        })
    }

    /// Takes a whole key that no row explains into the index. Answers whether it was whole.
    async fn recover(&self, token: &Token, id: KeyId) -> Result<bool, Error> {
        let Some(made) = whole_key(token, id).await? else { return Ok(false) };
        let Some(kind) = csr::kind_of(&made.spki) else { return Ok(false) };
        if let Err(weakness) = key_quality::check(&made.spki, kind) {
            tracing::warn!(token = token.name(), %id, %weakness, "not recovered: the key is weak");
            return Ok(false);
        }
        let now = self.now();
        let key = Key {
            handle: self.new_handle()?,
            id,
            token: token.name().to_owned(),
            kind,
            purpose: Purpose::Request,
            state: KeyState::Recovered,
            spki: made.spki,
            attributes: made.attributes,
            evidence: evidence(token),
            created_at: now,
        };
        tracing::warn!(token = token.name(), key = %key.handle, %id, "recovered a key that the index did not know");
        let event =
            key_event("key.recovered", key.handle, json!({ "token": token.name(), "id": id.to_string() }));
        let recorded: Result<(), Error> = self
            .0
            .store
            .write(move |tx| {
                tx.insert_key(&key)?;
                tx.append_audit(&Actor::System, now, &event)?;
                Ok(())
            })
            .await;
        recorded.map(|()| true)
    }

    /// Marks keys that are gone, and keys that came back. Answers how many are gone.
    async fn look_for_missing(
        &self,
        token: &Token,
        known: &[KeyBrief],
        found: &BTreeMap<KeyId, Found>,
    ) -> Result<usize, Error> {
        let there: BTreeSet<_> =
            found.iter().filter(|(_, objects)| objects.private == 1).map(|(id, _)| id).collect();
        let mut missing = 0;
        for key in known {
            let is_there = there.contains(&key.id);
            let (next, action) = match (key.state, is_there) {
                (KeyState::Present | KeyState::Recovered, false) => (KeyState::Missing, "key.missing"),
                (KeyState::Missing, true) => (KeyState::Present, "key.back"),
                (KeyState::Missing, false) => {
                    missing += 1;
                    continue;
                }
                (KeyState::Present | KeyState::Recovered, true)
                | (KeyState::Destroying | KeyState::Destroyed, _) => continue,
            };
            let changed = self.change_key(token, key, next, action).await?;
            missing += usize::from(changed && next == KeyState::Missing);
        }
        Ok(missing)
    }

    /// Answers whether it was done: not if somebody decided otherwise since the key was looked at.
    async fn change_key(
        &self,
        token: &Token,
        key: &KeyBrief,
        next: KeyState,
        action: &'static str,
    ) -> Result<bool, Error> {
        let (handle, was, now) = (key.handle, key.state, self.now());
        let event = key_event(action, handle, json!({ "token": token.name(), "id": key.id.to_string() }));
        let changed: Result<bool, Error> = self
            .0
            .store
            .write(move |tx| {
                if tx.key(handle)?.is_none_or(|key| key.state != was) {
                    return Ok(false);
                }
                tx.set_key_state(handle, next)?;
                tx.append_audit(&Actor::System, now, &event)?;
                Ok(true)
            })
            .await;
        if matches!(changed, Ok(true)) {
            tracing::warn!(token = token.name(), key = %handle, state = %next, "a key's presence changed");
        }
        changed
    }

    async fn note(&self, event: Event) -> Result<(), Error> {
        let now = self.now();
        self.0.store.write(move |tx| tx.append_audit(&Actor::System, now, &event).map_err(Error::from)).await
    }

    /// Keeps the report; a change of what an operator has to look at goes to the audit.
    async fn keep_report(&self, token: &Token, report: &Report) -> Result<(), Error> {
        let worrying = |r: &Report| (r.nameless, r.quarantined, r.foreign, r.missing_keys);
        let before = self.last_report(token.name()).await?.map(|(_, report)| report).unwrap_or_default();
        let changed = worrying(&before) != worrying(report);
        let text = serde_json::to_string(report).map_err(|error| Error::bug(error.to_string()))?;
        let event = Event {
            action: "token.inventory-changed",
            subject: token.name().to_owned(),
            detail: serde_json::to_value(report).map_err(|error| Error::bug(error.to_string()))?,
        };
        let (name, now) = (token.name().to_owned(), self.now());
        self.0
            .store
            .write(move |tx| {
                tx.put_token_report(&name, &TokenReport { at: now, report: text })?;
                if changed {
                    tx.append_audit(&Actor::System, now, &event)?;
                }
                Ok(())
            })
            .await
    }
}

/// The key under an id, if it is whole.
async fn whole_key(token: &Token, id: KeyId) -> Result<Option<GeneratedKey>, Error> {
    match token.read_back(id).await {
        Ok(key) => Ok(Some(key)),
        Err(error) if matches!(error.kind(), hsm::Kind::KeyMissing | hsm::Kind::Ambiguous) => Ok(None),
        Err(error) => Err(error.into()),
    }
}
