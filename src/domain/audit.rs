//! The audit record and its hash chain.
//!
//! A record is written in the transaction that makes the change it tells of, or after a refusal. Each
//! record carries the hash of the one before it, so that an edit, an insertion or a removal in the
//! middle breaks the chain from there on. A cut at the end is only seen by somebody who kept a later
//! hash: a [`Checkpoint`].

mod checkpoint;
mod verify;

use sha2::{Digest, Sha256};

use super::access::TenantId;
use super::clock::Timestamp;
use super::id::Handle;
use super::named::named;

pub use checkpoint::Checkpoint;
pub use verify::{Broken, Damage, Verdict, Verifier, verify_chain};

/// The hash that stands before the first record of a chain.
pub const GENESIS: [u8; 32] = [0; 32];

/// The action of the record with which somebody starts the chain anew behind a damaged one.
pub const RESTARTED: &str = "audit.chain-restarted";

/// The version that new records have.
const VERSION: i64 = 2;

/// What happened, before it has a place in the chain.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Event {
    /// What was done: `signing-request.pending`, `key.destroyed` ...
    pub action: &'static str,
    /// The handle or name of what it was done to.
    pub subject: String,
    /// More about it, as a JSON object; never a secret. A text `reason` is a person's comment or a
    /// failure's cause: it becomes the record's reason.
    pub detail: serde_json::Value,
}

/// What was asked for and not done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// Method and route: `DELETE /strongroom/v1/keys/{handle}`.
    pub action: String,
    /// What the route names; empty when it names nothing, or nobody known asked.
    pub subject: String,
    /// The error's code, and its message where that repeats nothing of what the client sent.
    pub reason: String,
    /// More about it, as a JSON object.
    pub detail: serde_json::Value,
}

/// Whether it was done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It was.
    Done,
    /// It was not.
    Refused,
}

named!(Outcome { Done = "done", Refused = "refused" });

/// Who did it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Actor {
    /// An authenticated principal.
    Principal {
        /// By handle.
        handle: Handle,
        /// Where he calls from, such as `unix uid 1000`.
        from: String,
        /// For whom he works.
        tenant: Option<TenantId>,
        /// Id of his HTTP request.
        request: String,
    },
    /// A user of the machine, over the Unix socket, before there is a principal.
    Uid(u32),
    /// Whoever showed no known credential.
    Unknown {
        /// Where he calls from.
        from: String,
        /// Id of his HTTP request.
        request: String,
    },
    /// strongroom itself: reconciliation, the sentinel, start-up.
    System,
}

impl std::fmt::Display for Actor {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Principal { handle, .. } => write!(f, "principal:{handle}"),
            Self::Uid(uid) => write!(f, "uid:{uid}"),
            Self::Unknown { .. } => f.write_str("unknown"),
            Self::System => f.write_str("system"),
        }
    }
}

/// Names as they are at the time of a record; empty where there is none.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Names {
    /// The principal's.
    pub principal: String,
    /// The tenant's.
    pub tenant: String,
}

/// A record in its place in the chain, with the texts exactly as they were hashed; a text that does
/// not apply is empty.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record {
    /// Place in the chain: 1, 2, 3 ... without a gap.
    pub seq: u64,
    /// When.
    pub at: Timestamp,
    /// Which fields there are and how they are hashed: 1 or 2.
    pub version: i64,
    /// Who: `principal:<handle>`, `uid:<number>`, `unknown` or `system`.
    pub actor: String,
    /// The principal's name at that time; since version 2.
    pub name: String,
    /// From where: `tcp 192.0.2.1:5000`, `tls ...`, `unix uid 1000`; since version 2.
    pub origin: String,
    /// The name of the tenant for which it was done; since version 2.
    pub tenant: String,
    /// What.
    pub action: String,
    /// `done` or `refused`; since version 2.
    pub outcome: String,
    /// To what.
    pub subject: String,
    /// Why: the code and message of a refusal, the comment of a person; since version 2.
    pub reason: String,
    /// Id of the HTTP request; since version 2.
    pub request_id: String,
    /// More, as JSON text.
    pub detail: String,
    /// Hash of the record before it; [`GENESIS`] for the first of a chain.
    pub previous: [u8; 32],
    /// Hash of this record.
    pub hash: [u8; 32],
}

/// Where a record stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place {
    /// Its own number.
    pub seq: u64,
    /// Hash of the record before it.
    pub previous: [u8; 32],
    /// When.
    pub at: Timestamp,
}

impl Record {
    /// The record of something that was done.
    pub fn done(place: Place, actor: &Actor, names: Names, event: &Event) -> Self {
        let mut detail = event.detail.clone();
        let reason = detail.as_object_mut().and_then(|fields| match fields.get("reason") {
            Some(serde_json::Value::String(_)) => fields.remove("reason"),
            _ => None,
        });
        Self::new(place, actor, names, |record| {
            record.action = event.action.to_owned();
            record.outcome = Outcome::Done.to_string();
            record.subject.clone_from(&event.subject);
            record.reason = reason.as_ref().and_then(|reason| reason.as_str()).unwrap_or_default().to_owned();
            record.detail = detail.to_string();
        })
    }

    /// The record of something that was refused.
    pub fn refused(place: Place, actor: &Actor, names: Names, refusal: &Refusal) -> Self {
        Self::new(place, actor, names, |record| {
            record.action.clone_from(&refusal.action);
            record.outcome = Outcome::Refused.to_string();
            record.subject.clone_from(&refusal.subject);
            record.reason.clone_from(&refusal.reason);
            record.detail = refusal.detail.to_string();
        })
    }

    fn new(place: Place, actor: &Actor, names: Names, fill: impl FnOnce(&mut Self)) -> Self {
        let (origin, request_id) = match actor {
            Actor::Principal { from, request, .. } | Actor::Unknown { from, request } => {
                (from.clone(), request.clone())
            }
            Actor::Uid(uid) => (format!("unix uid {uid}"), String::new()),
            Actor::System => (String::new(), String::new()),
        };
        let mut record = Self {
            seq: place.seq,
            at: place.at,
            version: VERSION,
            actor: actor.to_string(),
            name: names.principal,
            origin,
            tenant: names.tenant,
            action: String::new(),
            outcome: String::new(),
            subject: String::new(),
            reason: String::new(),
            request_id,
            detail: String::new(),
            previous: place.previous,
            hash: GENESIS,
        };
        fill(&mut record);
        record.hash = record.computed_hash().unwrap_or(GENESIS);
        record
    }

    /// SHA-256 over `strongroom audit v2`, the previous hash, seq and time (8 bytes each, big endian),
    /// then actor, name, origin, tenant, action, outcome, subject, reason, request id and detail, each
    /// behind its length in bytes (8 bytes, big endian). Lengths keep two different records from having
    /// the same bytes. Version 1 says so in the first text, and has actor, action, subject and detail
    /// alone. `None` for what is no record of its version.
    pub fn computed_hash(&self) -> Option<[u8; 32]> {
        let since_2 = [&self.name, &self.origin, &self.tenant, &self.reason, &self.request_id];
        match self.version {
            1 if self.outcome == Outcome::Done.as_str() && since_2.iter().all(|text| text.is_empty()) => {
                let texts = [&self.actor, &self.action, &self.subject, &self.detail];
                Some(self.hash_of(b"strongroom audit v1", &texts))
            }
            2 => {
                let texts = [
                    &self.actor,
                    &self.name,
                    &self.origin,
                    &self.tenant,
                    &self.action,
                    &self.outcome,
                    &self.subject,
                    &self.reason,
                    &self.request_id,
                    &self.detail,
                ];
                Some(self.hash_of(b"strongroom audit v2", &texts))
            }
            _ => None,
        }
    }

    fn hash_of(&self, version: &[u8], texts: &[&String]) -> [u8; 32] {
        let mut hash = Sha256::new();
        hash.update(version);
        hash.update(self.previous);
        hash.update(self.seq.to_be_bytes());
        hash.update(self.at.as_millis().to_be_bytes());
        for text in texts {
            hash.update((text.len() as u64).to_be_bytes());
            hash.update(text.as_bytes());
        }
        hash.finalize().into()
    }

    /// Whether it was changed after it was written.
    pub fn is_whole(&self) -> bool {
        self.computed_hash() == Some(self.hash)
    }

    /// Whether it starts the chain anew behind a damaged one.
    pub fn restarts(&self) -> bool {
        self.action == RESTARTED && self.previous == GENESIS && self.is_whole()
    }
}

#[cfg(test)]
mod tests;
