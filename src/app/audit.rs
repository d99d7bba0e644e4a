//! The audit log: read, checked, started anew; refusals; pseudonyms of personal values.

mod key;
mod refusals;

use std::collections::BTreeSet;

use serde_json::json;

pub use key::{AuditKey, KeyError};
pub(super) use refusals::Refusals;

use super::{App, Caller, Error, Kind};
use crate::domain::audit::{Broken, Event, RESTARTED, Record, Verdict, Verifier};
use crate::domain::invalid::Invalid;
use crate::domain::signing_request::SigningRequest;
use crate::store::{AuditFilter, Order};

/// Records that are checked between two turns of other readers.
const AT_ONCE: usize = 1000;

/// Longest reason for a new start, in bytes.
const LONGEST_REASON: usize = 1000;

impl App {
    /// Up to `limit` records that fit, behind the one at `after` in that order. `value` stands for the
    /// pseudonym of a common name or SAN value.
    ///
    /// # Errors
    /// The index cannot be read.
    pub async fn audit_records(
        &self,
        mut filter: AuditFilter,
        value: Option<&str>,
        order: Order,
        after: Option<u64>,
        limit: usize,
    ) -> Result<Vec<Record>, Error> {
        if let Some(value) = value {
            filter.mentions = Some(self.0.audit_key.pseudonym(value)?);
        }
        self.0.store.read(move |view| Ok(view.audit_page(&filter, order, after, limit)?)).await
    }

    /// Checks the whole log, and against the number and hash of a record that somebody kept. What it
    /// finds stops changes from then on.
    ///
    /// # Errors
    /// The index cannot be read.
    pub async fn verify_audit(&self, kept: Option<(u64, [u8; 32])>) -> Result<Verdict, Error> {
        let mut verifier = Verifier::new(kept);
        let mut after = 0;
        loop {
            let records: Result<_, Error> =
                self.0.store.read(move |view| Ok(view.audit_records(after, AT_ONCE)?)).await;
            let records = records?;
            records.iter().for_each(|record| verifier.check(record));
            match records.last() {
                Some(last) if last.seq > after => after = last.seq,
                _ => break,
            }
        }
        let verdict = verifier.verdict();
        // A checkpoint that does not fit may be another appliance's.
        if kept.is_none() {
            self.audit_is(verdict.broken().cloned());
        }
        Ok(verdict)
    }

    /// What is known to be wrong with the audit log.
    pub fn audit_damage(&self) -> Option<Broken> {
        self.0.store.audit_damage()
    }

    fn audit_is(&self, damage: Option<Broken>) {
        if let Some(broken) = &damage {
            tracing::error!(%broken, "the audit log is damaged: changes are refused until `strongroom audit verify`");
        }
        self.0.store.set_audit_damage(damage);
    }

    /// Starts the chain anew behind a damaged one. What is damaged stays as it is, for whoever looks
    /// into it; the first record of the new chain says what was wrong, who decided, and why.
    ///
    /// # Errors
    /// [`Kind::Invalid`] without a reason; [`Kind::Conflict`] when nothing is damaged.
    pub async fn restart_audit_chain(&self, caller: &Caller, reason: &str) -> Result<Broken, Error> {
        let reason = reason.trim().to_owned();
        if reason.is_empty() || reason.len() > LONGEST_REASON {
            let rule = format!("must say why, in 1 to {LONGEST_REASON} bytes");
            return Err(Invalid::new("reason", rule).into());
        }
        let Some(broken) = self.verify_audit(None).await?.broken().cloned() else {
            let message = "the audit log is sound: there is nothing to start anew behind";
            return Err(Error::new(Kind::Conflict, "audit.sound", message));
        };
        let event = Event {
            action: RESTARTED,
            subject: "audit".to_owned(),
            detail: json!({ "reason": reason, "damaged": broken.seq, "what": broken.what }),
        };
        let (actor, now) = (caller.actor(), self.now());
        let restarted: Result<(), Error> =
            self.0.store.write(move |tx| Ok(tx.restart_audit(&actor, now, &event)?)).await;
        restarted?;
        self.audit_is(None);
        Ok(broken)
    }

    /// Destroys the key of the pseudonyms, so that nobody can confirm any more whose names the records
    /// so far are about, and makes another for those to come. The chain holds.
    ///
    /// # Errors
    /// The index or the file cannot be written.
    pub async fn forget_audit_key(&self, caller: &Caller) -> Result<(), Error> {
        let event = Event { action: "audit.key-forgotten", subject: "audit".to_owned(), detail: json!({}) };
        let (actor, now) = (caller.actor(), self.now());
        let recorded: Result<(), Error> =
            self.0.store.write(move |tx| Ok(tx.append_audit(&actor, now, &event)?)).await;
        recorded?;
        self.0.audit_key.replace().map_err(|error| {
            Error::new(Kind::Unavailable, "audit.key", format!("{error}; the key lives on, try again"))
                .caused_by(error)
        })
    }

    /// What a new signing request puts into the log: its names only as pseudonyms.
    pub(super) fn intent_event(&self, request: &SigningRequest) -> Result<Event, Error> {
        let mut event = request.intent_event();
        let names: BTreeSet<_> = request.spec.index_names().into_iter().collect();
        let names = names.iter().map(|name| self.0.audit_key.pseudonym(name));
        event.detail["names"] = json!(names.collect::<Result<Vec<_>, Error>>()?);
        Ok(event)
    }
}
