//! A create that is sent twice makes one key (draft-ietf-httpapi-idempotency-key-header-07).
//!
//! An entry is unique per tenant, principal, route and key, and kept for 24 hours. It is written with the
//! intent, in one transaction, so that a crash cannot part them. What is in flight is known in
//! memory only: after a crash nothing is in flight, and the entry leads to the request that was.

use std::collections::HashSet;
use std::sync::{Arc, Mutex, PoisonError};

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

use super::{App, Caller, Error, Kind};
use crate::domain::clock::Timestamp;
use crate::domain::id::Handle;
use crate::domain::invalid::Invalid;
use crate::store::{self, Answer, IdempotencyEntry};

/// Entries are kept so long, in milliseconds.
pub const KEPT_MILLIS: i64 = 24 * 60 * 60 * 1000;

/// Longest accepted Idempotency-Key, in bytes.
const LONGEST: usize = 255;

/// One client's name for one create, and what it was sent with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IdempotencyKey {
    name: store::IdempotencyKey,
    /// HMAC of the body under the instance key: a body may hold personal data.
    body_hmac: [u8; 32],
}

/// What is known of a create with an idempotency key.
pub enum Begun {
    /// Nothing: do it.
    Fresh(Claim),
    /// It was answered: answer the same.
    Answered(Answer),
    /// It was begun and not answered: go on with that signing request.
    Begun(Claim, Handle),
}

/// The right to answer under an idempotency key. Given up when dropped.
pub struct Claim {
    key: IdempotencyKey,
    in_flight: InFlight,
}

/// Keys being worked on in this process.
#[derive(Clone, Default)]
pub struct InFlight(Arc<Mutex<HashSet<store::IdempotencyKey>>>);

impl IdempotencyKey {
    pub(super) fn entry(&self, request: Option<Handle>, now: Timestamp) -> IdempotencyEntry {
        IdempotencyEntry { key: self.name.clone(), body_hmac: self.body_hmac, request, created_at: now }
    }
}

impl Claim {
    /// The key, for the intent.
    pub fn key(&self) -> IdempotencyKey {
        self.key.clone()
    }
}

impl Drop for Claim {
    fn drop(&mut self) {
        self.in_flight.0.lock().unwrap_or_else(PoisonError::into_inner).remove(&self.key.name);
    }
}

impl App {
    /// Claims an idempotency key for a create with that body.
    ///
    /// # Errors
    /// [`Kind::Invalid`] for a malformed key; [`Kind::Conflict`] while the first create is in flight;
    /// [`Kind::Refused`] when the key was used with another body.
    pub async fn begin_idempotent(
        &self,
        caller: &Caller,
        route: &'static str,
        key: &str,
        body: &[u8],
    ) -> Result<Begun, Error> {
        if key.is_empty()
            || key.len() > LONGEST
            || !key.bytes().all(|byte| byte.is_ascii_graphic() || byte == b' ')
        {
            let reason = format!("must be 1 to {LONGEST} printable ASCII characters");
            return Err(Invalid::new("Idempotency-Key", reason).into());
        }
        let name = store::IdempotencyKey {
            tenant: caller.tenant,
            principal: caller.principal,
            route: route.to_owned(),
            key: key.to_owned(),
        };
        let key = IdempotencyKey { name, body_hmac: self.hmac(body)? };
        let claim = self.claim(key.clone())?;
        let oldest = self.now().plus_millis(-KEPT_MILLIS);
        let found: Result<_, Error> = {
            let name = key.name.clone();
            self.0.store.read(move |view| Ok(view.idempotency_entry(&name)?)).await
        };
        let Some((entry, answer)) = found? else { return Ok(Begun::Fresh(claim)) };
        if entry.created_at < oldest {
            self.forget_old_idempotency().await?;
            return Ok(Begun::Fresh(claim));
        }
        if entry.body_hmac != key.body_hmac {
            return Err(Error::new(
                Kind::Refused,
                "idempotency.body-differs",
                "this Idempotency-Key was used with another body; use a new key for a new request",
            ));
        }
        match (answer, entry.request) {
            (Some(answer), _) => Ok(Begun::Answered(answer)),
            (None, Some(request)) => Ok(Begun::Begun(claim, request)),
            (None, None) => Ok(Begun::Fresh(claim)),
        }
    }

    /// Keeps the answer of a claimed create, so that a repetition gets the same.
    ///
    /// # Errors
    /// The index cannot be written. The create itself stands.
    pub async fn keep_answer(&self, claim: &Claim, answer: Answer) -> Result<(), Error> {
        let (key, now) = (claim.key(), self.now());
        self.0
            .store
            .write(move |tx| {
                if tx.idempotency_entry(&key.name)?.is_none() {
                    tx.insert_idempotency(&key.entry(None, now))?;
                }
                tx.store_answer(&key.name, &answer)?;
                Ok(())
            })
            .await
    }

    pub(super) async fn forget_old_idempotency(&self) -> Result<(), Error> {
        let before = self.now().plus_millis(-KEPT_MILLIS);
        self.0.store.write(move |tx| tx.purge_idempotency(before).map(drop).map_err(Error::from)).await
    }

    fn claim(&self, key: IdempotencyKey) -> Result<Claim, Error> {
        let in_flight = self.0.in_flight.clone();
        let fresh = in_flight.0.lock().unwrap_or_else(PoisonError::into_inner).insert(key.name.clone());
        if !fresh {
            let message = "a request with this Idempotency-Key is in flight; wait for its answer";
            return Err(Error::new(Kind::Conflict, "idempotency.in-flight", message));
        }
        Ok(Claim { key, in_flight })
    }

    fn hmac(&self, body: &[u8]) -> Result<[u8; 32], Error> {
        let mut mac = Hmac::<Sha256>::new_from_slice(self.0.store.instance_key())
            .map_err(|error| Error::bug(format!("the instance key is unusable: {error}")))?;
        mac.update(body);
        Ok(mac.finalize().into_bytes().into())
    }
}
