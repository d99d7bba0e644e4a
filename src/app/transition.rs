//! Changes of state of a signing request, each with its audit record.

use super::Error;
use super::notices::tell_of_request;
use crate::domain::audit::Actor;
use crate::domain::clock::Timestamp;
use crate::domain::id::Handle;
use crate::domain::signing_request::{Command, SigningRequest};
use crate::store::Tx;

/// Applies `commands` in their order to the request as it is in this transaction.
///
/// # Errors
/// There is no such request, its state does not allow a command, or the index.
pub(super) fn transition(
    tx: &Tx,
    actor: &Actor,
    handle: Handle,
    commands: impl IntoIterator<Item = Command>,
    now: Timestamp,
) -> Result<SigningRequest, Error> {
    let mut request =
        tx.signing_request(handle)?.ok_or_else(|| Error::not_found("signing request", handle))?;
    for command in commands {
        let event;
        (request, event) = request.apply(command, now)?;
        tx.append_audit(actor, now, &event)?;
    }
    tx.update_signing_request(&request)?;
    tell_of_request(tx, &request, now)?;
    Ok(request)
}
