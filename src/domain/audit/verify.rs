//! Finds where a chain was touched.

use super::{Checkpoint, GENESIS, Record};

/// Where and how a chain is broken.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("audit record {seq}: {what}")]
pub struct Broken {
    /// The place where the record stands, or should stand.
    pub seq: u64,
    /// What is wrong with it.
    pub what: &'static str,
}

/// The first thing wrong in one run of the chain.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Damage {
    /// What.
    pub broken: Broken,
    /// The record with which somebody started the chain anew behind it.
    pub acknowledged: Option<u64>,
}

/// What a whole log turned out to be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verdict {
    /// How many records there are.
    pub records: u64,
    /// The newest record, if it is sound.
    pub head: Option<Checkpoint>,
    /// Everything wrong, oldest first.
    pub damage: Vec<Damage>,
}

impl Verdict {
    /// What is wrong and was not acknowledged by a new start of the chain.
    pub fn broken(&self) -> Option<&Broken> {
        self.damage.iter().find(|damage| damage.acknowledged.is_none()).map(|damage| &damage.broken)
    }
}

/// Takes records in their order, and says in the end what is wrong with them.
pub struct Verifier {
    next: u64,
    previous: [u8; 32],
    records: u64,
    head: Option<Checkpoint>,
    damage: Vec<Damage>,
    checkpoint: Option<(u64, [u8; 32])>,
    checkpoint_seen: bool,
}

impl Verifier {
    /// For a whole log, with the number and hash of a record that somebody kept.
    pub fn new(checkpoint: Option<(u64, [u8; 32])>) -> Self {
        Self::behind(0, GENESIS, checkpoint)
    }

    /// For the end of a log, behind the record with that number and hash.
    pub fn resuming(seq: u64, hash: [u8; 32]) -> Self {
        Self::behind(seq, hash, None)
    }

    fn behind(seq: u64, previous: [u8; 32], checkpoint: Option<(u64, [u8; 32])>) -> Self {
        let (next, head, damage) = (seq.saturating_add(1), None, Vec::new());
        Self { next, previous, records: 0, head, damage, checkpoint, checkpoint_seen: false }
    }

    /// Looks at the next record.
    pub fn check(&mut self, record: &Record) {
        self.records += 1;
        let is_checkpoint = self.checkpoint.is_some_and(|(seq, _)| seq == record.seq);
        self.checkpoint_seen |= is_checkpoint;
        if let Some(open) = self.damage.last_mut().filter(|damage| damage.acknowledged.is_none()) {
            if !record.restarts() {
                return;
            }
            open.acknowledged = Some(record.seq);
        } else if let Some(what) = self.fault(record) {
            self.found(what);
            return;
        }
        if is_checkpoint && self.checkpoint.is_some_and(|(_, hash)| hash != record.hash) {
            self.next = record.seq;
            self.found("is not the record that the checkpoint was taken of");
            return;
        }
        self.next = record.seq.saturating_add(1);
        self.previous = record.hash;
        self.head = Some(Checkpoint { seq: record.seq, hash: record.hash, at: record.at });
    }

    fn fault(&self, record: &Record) -> Option<&'static str> {
        if record.seq != self.next {
            Some("a record is missing or out of place")
        } else if record.previous != self.previous {
            Some("does not follow the record before it")
        } else if !record.is_whole() {
            Some("was changed after it was written")
        } else {
            None
        }
    }

    fn found(&mut self, what: &'static str) {
        self.head = None;
        self.damage.push(Damage { broken: Broken { seq: self.next, what }, acknowledged: None });
    }

    /// What they are, when there are no more.
    pub fn verdict(mut self) -> Verdict {
        if let Some((kept, _)) = self.checkpoint {
            // Whoever kept a record vouches for all before it: no later start of the chain excuses that.
            for damage in &mut self.damage {
                if damage.broken.seq <= kept && damage.acknowledged.is_some_and(|by| by > kept) {
                    damage.acknowledged = None;
                }
            }
            if !self.checkpoint_seen {
                let what = "is missing, and the checkpoint was taken of it: the end of the log was cut off";
                self.head = None;
                self.damage.push(Damage { broken: Broken { seq: kept, what }, acknowledged: None });
            }
        }
        Verdict { records: self.records, head: self.head, damage: self.damage }
    }
}

/// Checks a chain from its first record on; answers the last hash.
///
/// # Errors
/// The first record that is missing, out of place or changed.
pub fn verify_chain(records: impl IntoIterator<Item = Record>) -> Result<[u8; 32], Broken> {
    let mut verifier = Verifier::new(None);
    for record in records {
        verifier.check(&record);
    }
    let verdict = verifier.verdict();
    match verdict.broken() {
        Some(broken) => Err(broken.clone()),
        None => Ok(verdict.head.map_or(GENESIS, |head| head.hash)),
    }
}
