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
//! | retired key whose time has come | destroyed |
//! | key whose destruction was decided | destroyed |
//! | key row, no object | `missing`, reported, never deleted |
//! | object with our installation's id, no row | `recovered` (an older database was restored) |
//! | certificate that is not beside its key and shall be, or is and shall not | written, removed |
//! | object of a throw-away key | destroyed: a probe was killed |
//! | object without an id | counted as nameless; only an operator may destroy it |
//! | any other object | counted as foreign; never touched |

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};
use serde_json::json;

use super::certificate_objects::FoundCertificates;
use super::keys::key_event;
use super::{App, Error, Kind};
use crate::domain::audit::{Actor, Event};
use crate::domain::clock::Timestamp;
use crate::domain::csr;
use crate::domain::id::{Handle, KeyId};
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
    /// Certificates that shall be on the token, or shall not, and could not be written or removed yet.
    #[serde(default)]
    pub pending_certificates: usize,
}

/// What the token holds under one CKA_ID of ours.
#[derive(Default)]
struct Found {
    private: usize,
    public: usize,
    other: usize,
    /// CKA_LABEL of the private key.
    label: Option<Vec<u8>>,
    /// SHA-256 of certificates.
    certificates: Vec<[u8; 32]>,
}

impl Found {
    fn add(&mut self, object: &TokenObject) {
        match object.class {
            ObjectClass::Private => {
                self.private += 1;
                self.label = Some(object.label.clone());
            }
            ObjectClass::Public => self.public += 1,
            ObjectClass::Certificate => {
                self.other += 1;
                self.certificates.extend(object.sha256);
            }
            ObjectClass::Other(_) | ObjectClass::Unknown => self.other += 1,
        }
    }

    fn count(&self) -> usize {
        self.private + self.public + self.other
    }
}

/// In which count of the report the objects under one id are.
enum Account {
    Owned,
    InProgress,
    Destroyed,
    Recovered,
    Quarantined,
}

impl App {
    /// Holds the journal against one token, one run at a time.
    ///
    /// # Errors
    /// The token or the index cannot be used now; what was done so far stands, the rest is done by
    /// the next run.
    pub async fn reconcile(&self, token: &Token) -> Result<Report, Error> {
        let _turn = match self.0.reconciling.get(token.name()) {
            Some(turn) => Some(turn.lock().await),
            None => None,
        };
        self.doom_due_keys(token.name()).await?;
        // Keys before objects: a key made in between then has its object. Attempts after objects:
        // an attempt is recorded before its object is made, so no object of ours is without one.
        let known = self.keys_on(token).await?;
        let objects = token.inventory().await?;
        let mut report = Report { objects: objects.len(), ..Report::default() };
        let found = self.sort(&objects, &mut report);

        if report.destroyed > 0 {
            self.destroy_leftover(token, hsm::PROBE_ID).await?;
        }
        self.finish_destructions(token, &known).await?;
        self.settle_attempts(token).await?;
        self.continue_generated(token).await?;
        self.settle_authorities(token).await?;
        self.account_for(token, &known, &found, &mut report).await?;
        report.missing_keys = self.look_for_missing(token, &known, &found).await?;
        let certificates: FoundCertificates =
            found.into_iter().map(|(id, found)| (id, found.certificates)).collect();
        report.pending_certificates = self.settle_certificates(token, &certificates).await?;
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
                    ours.entry(id).or_default().add(object);
                }
                // Of a probe that was killed: nothing else ever has that id.
                Some(id) if id == hsm::PROBE_ID => report.destroyed += 1,
                _ if object.id.is_empty() && object.label.is_empty() => report.nameless += 1,
                _ => report.foreign += 1,
            }
        }
        ours
    }

    async fn finish_destructions(&self, token: &Token, known: &[KeyBrief]) -> Result<(), Error> {
        for key in known.iter().filter(|key| key.state == KeyState::Destroying) {
            tracing::info!(token = token.name(), key = %key.handle, "finishing a destruction");
            let done = self.finish_destruction(self.any_key(key.handle).await?).await;
            skip_one("key", &key.id, done.map(drop))?;
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
                // An authority's has its turn below; the sentinel's maker, this same task, clears its own.
                continue;
            };
            if self.0.drivers.has(handle) {
                continue;
            }
            let request = self.any_signing_request(handle).await?;
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
                Kind::Unavailable,
                "signing-request.interrupted",
                "strongroom was interrupted while it made the key, and nobody waits for it; ask again",
            );
            if request.state.is_unfinished() {
                self.abandon(token, &request, &attempt, reason).await;
            } else {
                skip_one("attempt", &attempt.id, self.close_cleared(token, &attempt).await)?;
            }
        }
        Ok(())
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
        known: &[KeyBrief],
        found: &BTreeMap<KeyId, Found>,
        report: &mut Report,
    ) -> Result<(), Error> {
        let alive = known.iter().filter(|key| key.state != KeyState::Destroyed).map(|key| key.id);
        let alive: BTreeSet<_> = alive.collect();
        for (id, objects) in found {
            if alive.contains(id) {
                report.owned += objects.count();
                continue;
            }
            let count = match self.follow_up(token, *id, objects).await {
                Ok(Account::Owned) => &mut report.owned,
                Ok(Account::InProgress) => &mut report.in_progress,
                Ok(Account::Destroyed) => &mut report.destroyed,
                Ok(Account::Recovered) => &mut report.recovered,
                Ok(Account::Quarantined) => &mut report.quarantined,
                Err(error) => {
                    skip_one("object", id, Err(error))?;
                    &mut report.quarantined
                }
            };
            *count += objects.count();
        }
        Ok(())
    }

    /// What becomes of the objects under one id that no living key explains.
    async fn follow_up(&self, token: &Token, id: KeyId, objects: &Found) -> Result<Account, Error> {
        let found: Result<_, Error> =
            self.0.store.read(move |view| Ok((view.key_by_id(id)?, view.attempt(id)?))).await;
        match found? {
            (Some(key), _) if key.state == KeyState::Destroyed => self.follow_up_destroyed(token, key).await,
            (Some(_), _) => Ok(Account::Owned),
            (None, Some((_, None))) => Ok(Account::InProgress),
            // Of an attempt that ended without a key: never released.
            (None, Some((_, Some(_)))) => self.destroy_leftover(token, id).await,
            (None, None) if self.recover(token, id, objects).await? => Ok(Account::Recovered),
            (None, None) => Ok(Account::Quarantined),
        }
    }

    /// Objects of a key that was destroyed: this run did it after it listed the objects, half of it
    /// is left, or the token was restored from an older backup.
    async fn follow_up_destroyed(&self, token: &Token, key: Key) -> Result<Account, Error> {
        if whole_key(token, key.id).await?.is_none() {
            return self.destroy_leftover(token, key.id).await;
        }
        let brief = KeyBrief { handle: key.handle, id: key.id, state: key.state };
        self.change_key(token, &brief, KeyState::Recovered, "key.back").await?;
        Ok(Account::Recovered)
    }

    async fn destroy_leftover(&self, token: &Token, id: KeyId) -> Result<Account, Error> {
        // May be gone by now: settling the attempts came in between.
        if token.destroy(id).await? != Destroyed::default() {
            let event = Event {
                action: "token.leftover-destroyed",
                subject: token.name().to_owned(),
                detail: json!({ "id": id.to_string() }),
            };
            let now = self.now();
            let recorded: Result<(), Error> = self
                .0
                .store
                .write(move |tx| tx.append_audit(&Actor::System, now, &event).map_err(Error::from))
                .await;
            recorded?;
        }
        Ok(Account::Destroyed)
    }

    /// Takes a whole key that no row explains into the index. Answers whether it is one that we would
    /// have taken when it was made: an imported, extractable or weak key
    /// signs nothing.
    async fn recover(&self, token: &Token, id: KeyId, objects: &Found) -> Result<bool, Error> {
        let Some(made) = whole_key(token, id).await? else { return Ok(false) };
        let Some(kind) = csr::kind_of(&made.spki) else { return Ok(false) };
        if !made.attributes.violations().is_empty() || key_quality::check(&made.spki, kind).is_err() {
            return Ok(false);
        }
        let now = self.now();
        let key = Key {
            handle: self.handle_of(objects).await?,
            id,
            // Nothing on the token says whose it was.
            tenant: None,
            token: token.name().to_owned(),
            kind,
            purpose: Purpose::Request,
            state: KeyState::Recovered,
            spki: made.spki,
            attributes: made.attributes,
            evidence: self.evidence_on(token.name()),
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

    /// The handle that the key had: its label on the token. Another one if that is taken.
    async fn handle_of(&self, objects: &Found) -> Result<Handle, Error> {
        let label = objects.label.as_deref().and_then(|label| std::str::from_utf8(label).ok());
        let Some(handle) = label.and_then(|label| label.parse().ok()) else { return self.new_handle() };
        let taken: Result<bool, Error> = self.0.store.read(move |view| Ok(view.key(handle)?.is_some())).await;
        if taken? { self.new_handle() } else { Ok(handle) }
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
                | (KeyState::Quarantined | KeyState::Destroying | KeyState::Destroyed, _) => continue,
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
                tx.set_key_state(handle, next, now)?;
                tx.append_audit(&Actor::System, now, &event)?;
                Ok(true)
            })
            .await;
        if matches!(changed, Ok(true)) {
            tracing::warn!(token = token.name(), key = %handle, state = %next, "a key's presence changed");
        }
        changed
    }

    /// Keeps the report; a change of what an operator has to look at goes to the audit.
    async fn keep_report(&self, token: &Token, report: &Report) -> Result<(), Error> {
        let worrying =
            |r: &Report| (r.nameless, r.quarantined, r.foreign, r.missing_keys, r.pending_certificates);
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
        Err(error) => match error.kind() {
            hsm::Kind::KeyMissing | hsm::Kind::Ambiguous | hsm::Kind::Unsupported | hsm::Kind::Bug => {
                Ok(None)
            }
            _ => Err(error.into()),
        },
    }
}

/// What the token refuses about one object is told and left; the others are still to be accounted
/// for. Only what ails the token or the index as a whole ends the run.
fn skip_one(what: &str, id: &KeyId, done: Result<(), Error>) -> Result<(), Error> {
    match done {
        Err(error) => match error.kind() {
            Kind::Invalid
            | Kind::NotFound
            | Kind::Denied
            | Kind::Conflict
            | Kind::Refused
            | Kind::HsmRefused => {
                tracing::warn!(what, %id, %error, "cannot be settled; left as it is");
                Ok(())
            }
            Kind::Unavailable | Kind::OutcomeUnknown | Kind::Bug => Err(error),
        },
        done => done,
    }
}
