//! The audit record and its hash chain.
//!
//! A record is written in the transaction that makes the change it tells of. Each record carries
//! the hash of the one before it, so that an edit, an insertion or a removal in the middle breaks
//! the chain from there on. A cut at the end is only seen by somebody who kept a later hash.

use sha2::{Digest, Sha256};

use super::clock::Timestamp;

/// The hash that stands before the first record.
pub const GENESIS: [u8; 32] = [0; 32];

/// What happened, before it has a place in the chain.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Event {
    /// What was done: `signing-request.pending`, `key.destroyed` ...
    pub action: &'static str,
    /// The handle or name of what it was done to.
    pub subject: String,
    /// More about it, as a JSON object; never a secret.
    pub detail: serde_json::Value,
}

/// Who did it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Actor {
    /// An authenticated principal.
    Principal {
        /// By handle.
        handle: super::id::Handle,
        /// Where he calls from, such as `unix uid 1000`: becomes `from` in the record's detail.
        from: String,
    },
    /// A user of the machine, over the Unix socket, before there is a principal.
    Uid(u32),
    /// strongroom itself: reconciliation, the sentinel, start-up.
    System,
}

impl std::fmt::Display for Actor {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Principal { handle, .. } => write!(f, "principal:{handle}"),
            Self::Uid(uid) => write!(f, "uid:{uid}"),
            Self::System => f.write_str("system"),
        }
    }
}

/// A record in its place in the chain, with the texts exactly as they were hashed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record {
    /// Place in the chain: 1, 2, 3 ... without a gap.
    pub seq: u64,
    /// When.
    pub at: Timestamp,
    /// Who, as text.
    pub actor: String,
    /// What.
    pub action: String,
    /// To what.
    pub subject: String,
    /// More, as JSON text.
    pub detail: String,
    /// Hash of the record before it; [`GENESIS`] for the first.
    pub previous: [u8; 32],
    /// Hash of this record.
    pub hash: [u8; 32],
}

impl Record {
    /// The record that follows `previous` in the chain.
    pub fn following(seq: u64, previous: [u8; 32], at: Timestamp, actor: &Actor, event: &Event) -> Self {
        let mut detail = event.detail.clone();
        if let (Actor::Principal { from, .. }, Some(fields)) = (actor, detail.as_object_mut()) {
            fields.insert("from".to_owned(), from.as_str().into());
        }
        let mut record = Self {
            seq,
            at,
            actor: actor.to_string(),
            action: event.action.to_owned(),
            subject: event.subject.clone(),
            detail: detail.to_string(),
            previous,
            hash: [0; 32],
        };
        record.hash = record.computed_hash();
        record
    }

    /// SHA-256 over `strongroom audit v1`, the previous hash, seq and time (8 bytes each, big
    /// endian), then actor, action, subject and detail, each behind its length in bytes (8 bytes,
    /// big endian). Lengths keep two different records from having the same bytes.
    pub fn computed_hash(&self) -> [u8; 32] {
        let mut hash = Sha256::new();
        hash.update(b"strongroom audit v1");
        hash.update(self.previous);
        hash.update(self.seq.to_be_bytes());
        hash.update(self.at.as_millis().to_be_bytes());
        for text in [&self.actor, &self.action, &self.subject, &self.detail] {
            hash.update((text.len() as u64).to_be_bytes());
            hash.update(text.as_bytes());
        }
        hash.finalize().into()
    }
}

/// Where and how a chain is broken.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("audit record {seq}: {what}")]
pub struct Broken {
    /// The place where the record stands, or should stand.
    pub seq: u64,
    /// What is wrong with it.
    pub what: &'static str,
}

/// Checks a chain from its first record on; answers the last hash.
///
/// # Errors
/// The first record that is missing, out of place or changed.
pub fn verify_chain(records: impl IntoIterator<Item = Record>) -> Result<[u8; 32], Broken> {
    let mut previous = GENESIS;
    for (seq, record) in (1..).zip(records) {
        let broken = |what| Err(Broken { seq, what });
        if record.seq != seq {
            return broken("a record is missing or out of place");
        }
        if record.previous != previous {
            return broken("does not follow the record before it");
        }
        if record.hash != record.computed_hash() {
            return broken("was changed after it was written");
        }
        previous = record.hash;
    }
    Ok(previous)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chain(length: u64) -> Vec<Record> {
        let mut records: Vec<Record> = Vec::new();
        for seq in 1..=length {
            let previous = records.last().map_or(GENESIS, |record| record.hash);
            let event = Event {
                action: "key.destroyed",
                subject: format!("key {seq}"),
                detail: serde_json::json!({ "n": seq }),
            };
            let at = Timestamp::from_millis(seq as i64);
            records.push(Record::following(seq, previous, at, &Actor::System, &event));
        }
        records
    }

    #[test]
    fn an_untouched_chain_holds() {
        let records = chain(20);
        assert_eq!(verify_chain(records.clone()).unwrap(), records[19].hash);
    }

    #[test]
    fn every_edit_drop_swap_and_insertion_is_found() {
        for at in 0..19 {
            let mut edited = chain(20);
            edited[at].detail.push(' ');
            assert_eq!(verify_chain(edited).unwrap_err().seq, at as u64 + 1);

            let mut rehashed = chain(20);
            rehashed[at].subject = "another".into();
            rehashed[at].hash = rehashed[at].computed_hash();
            assert_eq!(verify_chain(rehashed).unwrap_err().seq, at as u64 + 2);

            let mut dropped = chain(20);
            dropped.remove(at);
            assert_eq!(verify_chain(dropped).unwrap_err().seq, at as u64 + 1);

            let mut swapped = chain(20);
            swapped.swap(at, at + 1);
            assert_eq!(verify_chain(swapped).unwrap_err().seq, at as u64 + 1);
        }
    }

    #[test]
    fn a_record_says_where_the_principal_called_from() {
        let handle = super::super::id::Handle::new(Timestamp::from_millis(1), [1; 10]);
        let actor = Actor::Principal { handle, from: "unix uid 1000".into() };
        let event = Event {
            action: "key.destroyed",
            subject: "key".into(),
            detail: serde_json::json!({ "was": "present" }),
        };
        let record = Record::following(1, GENESIS, Timestamp::from_millis(1), &actor, &event);
        assert_eq!(record.actor, format!("principal:{handle}"));
        assert_eq!(record.detail, r#"{"from":"unix uid 1000","was":"present"}"#);
    }

    #[test]
    fn moving_a_byte_between_fields_changes_the_hash() {
        let mut record = chain(1).remove(0);
        record.actor = "ab".into();
        record.action = "c".into();
        let one = record.computed_hash();
        record.actor = "a".into();
        record.action = "bc".into();
        assert_ne!(one, record.computed_hash());
    }
}
