//! Who may decide on what somebody else asked for.

use super::{Caller, Error, Kind};
use crate::domain::access::{FILE_PRINCIPAL, Grants, Permission, TenantId};
use crate::domain::approval::{Decider, Refusal};
use crate::domain::id::Handle;
use crate::domain::invalid::Invalid;
use crate::store::View;

/// Longest reason for a rejection, in bytes.
const LONGEST_REASON: usize = 1000;

/// Answers what `decide` says of the caller. That he has the permission was looked at when his HTTP
/// request came; it is looked at again, since the token may have worked for long since.
pub(super) fn as_decider<T>(
    view: &View,
    caller: &Caller,
    permission: Permission,
    decide: impl FnOnce(&Decider<'_>) -> T,
) -> Result<T, Error> {
    let principal = view
        .principal(caller.principal)?
        .ok_or_else(|| Error::bug("the calling principal is not in the index"))?;
    if !still_may(view, caller.principal, permission, caller.tenant)? {
        let message = format!("you were disabled, or the permission {permission} was taken from you");
        return Err(Error::new(Kind::Denied, "access.denied", message));
    }
    let name = principal.name.as_str();
    // Whoever owns the machine reads that file, and may be the requester.
    Ok(decide(&Decider { principal: caller.principal, name, is_local: name == FILE_PRINCIPAL }))
}

/// Whether a principal still may do something: it is enabled, and has the permission.
pub(super) fn still_may(
    view: &View,
    principal: Handle,
    permission: Permission,
    tenant: TenantId,
) -> Result<bool, Error> {
    let enabled = view.principal(principal)?.is_some_and(|principal| principal.disabled_at.is_none());
    let grants = view.grants()?.into_iter().filter(|(holder, _)| *holder == principal);
    Ok(enabled && Grants(grants.map(|(_, grant)| grant).collect()).allow(permission, tenant))
}

/// A reason that says something.
pub(super) fn reason(text: &str) -> Result<String, Error> {
    let text = text.trim();
    if (1..=LONGEST_REASON).contains(&text.len()) {
        return Ok(text.to_owned());
    }
    Err(Invalid::new("reason", format!("say why in 1 to {LONGEST_REASON} bytes")).into())
}

pub(super) fn refused(refusal: Refusal) -> Error {
    let (kind, code, message) = match refusal {
        Refusal::Own => (
            Kind::Denied,
            "approval.own",
            "whoever asked does not decide; somebody else has to, or cancel it",
        ),
        Refusal::Local => (
            Kind::Denied,
            "approval.local",
            "the API key beside the database does not decide: who reads it may be anybody on the machine; \
             use a credential of your own",
        ),
        Refusal::NotNamed => {
            (Kind::Denied, "approval.not-named", "the template names who decides, and you are not among them")
        }
        Refusal::Expired => (Kind::Conflict, "approval.expired", "it is too late; ask again"),
        Refusal::Changed => (
            Kind::Conflict,
            "approval.changed",
            "it is not, or no longer, what was asked for: the hash is another one, or the template was changed \
             since; look again, or reject it and have it asked for anew",
        ),
    };
    Error::new(kind, code, message)
}

/// The error for an approval of what its requester may not do any more.
pub(super) fn requester_lost_rights() -> Error {
    let message = "whoever asked for it was disabled or lost the permission since; reject it";
    Error::new(Kind::Conflict, "approval.requester", message)
}
