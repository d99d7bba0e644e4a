//! One change of state of a signing request, with its audit record.

use super::Error;
use crate::domain::audit::Actor;
use crate::domain::clock::Timestamp;
use crate::domain::id::Handle;
use crate::domain::signing_request::{Command, SigningRequest};
use crate::store::Tx;

/// Applies `command` to the request as it is in this transaction.
///
/// # Errors
/// There is no such request, its state does not allow the command, or the index.
pub(super) fn transition(
    tx: &Tx,
    actor: &Actor,
    handle: Handle,
    command: Command,
    now: Timestamp,
) -> Result<SigningRequest, Error> {
    let request = tx.signing_request(handle)?.ok_or_else(|| Error::not_found("signing request", handle))?;
    let (request, event) = request.apply(command, now)?;
    tx.append_audit(actor, now, &event)?;
    tx.update_signing_request(&request)?;
    Ok(request)
}
