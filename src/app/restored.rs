//! What has to be settled in an index that was put back from a backup, before a service runs with it.
//!
//! A backup knows nothing of what came after it. Retirements were taken back and their keys are in use
//! again, credentials were revoked, CSRs were answered. So nothing is destroyed on its word, and what was
//! decided for ever since then, as far as the replaced index tells, is decided again.

use serde_json::json;

use super::keys::key_event;
use crate::domain::audit::{Actor, Event};
use crate::domain::clock::Timestamp;
use crate::domain::id::Handle;
use crate::store::{Error, ForEver, Tx};

/// What was settled.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Settled {
    /// Retired keys that would have been destroyed by themselves, and are not any more.
    pub held: Vec<Handle>,
    /// Credentials that had been revoked since the backup.
    pub revoked: Vec<Handle>,
    /// Keys that had been compromised since the backup.
    pub compromised: Vec<Handle>,
}

/// Settles it; `since` is what the replaced index says. Each change has its record.
///
/// # Errors
/// The index.
pub fn settle(tx: &Tx, actor: &Actor, now: Timestamp, since: ForEver) -> Result<Settled, Error> {
    let mut settled = Settled { held: tx.hold_destructions()?, ..Settled::default() };
    for key in &settled.held {
        tx.append_audit(actor, now, &key_event("key.destruction-held", *key, json!({ "by": "restore" })))?;
    }
    tx.continue_unfinished_signing_requests()?;
    for (credential, at) in since.revoked {
        if tx.revoke_credential(credential.handle, at)? {
            let detail =
                json!({ "credential": credential.handle, "kind": credential.kind.as_str(), "by": "restore" });
            let subject = credential.principal.to_string();
            tx.append_audit(actor, now, &Event { action: "credential.revoked", subject, detail })?;
            settled.revoked.push(credential.handle);
        }
    }
    for (key, compromise) in since.compromised {
        let was = tx.life_of_key(key)?;
        if was.is_some_and(|life| life.compromise.is_none()) {
            tx.compromise_key(key, &compromise)?;
            let detail = json!({ "reason": compromise.reason, "by": "restore" });
            tx.append_audit(actor, now, &key_event("key.compromised", key, detail))?;
            settled.compromised.push(key);
        }
    }
    Ok(settled)
}
