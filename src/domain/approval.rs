//! Four eyes: what was asked for, as a hash, and who may decide on it.

use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use super::clock::Timestamp;
use super::csr::CsrSpec;
use super::id::Handle;
use super::signing_request::{KeySource, SigningRequest};

/// SHA-256 of all that a signing request asked for, as JSON with sorted names: what an approval is
/// bound to. Of a challengePassword only that there is one: who approves could guess it from a hash.
pub fn asked_sha256(request: &SigningRequest) -> [u8; 32] {
    let spec = CsrSpec { challenge_password: None, ..request.spec.clone() };
    let mut asked = json!({
        "request": request.handle,
        "tenant": request.tenant,
        "principal": request.principal,
        "token": request.token,
        "kind": request.kind,
        "scheme": request.scheme,
        "spec": spec,
        "challenge_password": request.spec.challenge_password.is_some(),
        "key_source": request.key_source,
        "key": request.key,
        "renews": request.renews,
        "template": request.template,
        "validity_days": request.validity_days,
    });
    // Only where they say something: what waits since before there were these fields keeps its hash.
    if let Some(authority) = request.authority {
        asked["authority"] = json!(authority);
    }
    if let Some(csr) = request.csr.as_ref().filter(|_| request.key_source == KeySource::Client) {
        asked["csr_sha256"] = json!(hex::encode(Sha256::digest(csr)));
    }
    sha256_of(&asked)
}

/// SHA-256 of a JSON document, whose objects are kept sorted by name.
pub fn sha256_of(document: &Value) -> [u8; 32] {
    Sha256::digest(document.to_string().as_bytes()).into()
}

/// Something that waits for another pair of eyes.
#[derive(Clone, Copy, Debug)]
pub struct Asked<'a> {
    /// Who asked.
    pub requester: Handle,
    /// What was asked for, as it was recorded then.
    pub recorded: [u8; 32],
    /// What it is now; `None`: it cannot be had any more, such as under a template that is another one.
    pub now: Option<[u8; 32]>,
    /// Names of those who may approve; empty: everyone with the permission.
    pub by: &'a [String],
    /// When it is too late.
    pub expires_at: Timestamp,
}

/// Whoever decides. That he has the permission was looked at before.
#[derive(Clone, Copy, Debug)]
pub struct Decider<'a> {
    /// Who.
    pub principal: Handle,
    /// By name.
    pub name: &'a str,
    /// Whether he is known by what the owner of the machine can read: then it may be anybody there.
    pub is_local: bool,
}

/// Why a decision does not count.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// He asked for it himself.
    Own,
    /// He is known only by what the owner of the machine can read.
    Local,
    /// Others are named.
    NotNamed,
    /// It is too late.
    Expired,
    /// It is not what was asked for, or not what he has seen.
    Changed,
}

/// Whether an approval counts. `seen` is the hash of what the approver has looked at, where he says so.
///
/// # Errors
/// Why not: first who he is, then when, then what.
pub fn approve(
    asked: &Asked<'_>,
    who: &Decider<'_>,
    seen: Option<[u8; 32]>,
    now: Timestamp,
) -> Result<(), Refusal> {
    reject(asked, who, now)?;
    let is_what_was_asked = asked.now == Some(asked.recorded);
    let is_what_was_seen = seen.is_none_or(|seen| seen == asked.recorded);
    if is_what_was_asked && is_what_was_seen { Ok(()) } else { Err(Refusal::Changed) }
}

/// Whether a rejection counts: of whatever it has become.
///
/// # Errors
/// Why not.
pub fn reject(asked: &Asked<'_>, who: &Decider<'_>, now: Timestamp) -> Result<(), Refusal> {
    if who.principal == asked.requester {
        Err(Refusal::Own)
    } else if who.is_local {
        Err(Refusal::Local)
    } else if !asked.by.is_empty() && !asked.by.iter().any(|name| name == who.name) {
        Err(Refusal::NotNamed)
    } else if now >= asked.expires_at {
        Err(Refusal::Expired)
    } else {
        Ok(())
    }
}

#[cfg(test)]
mod tests;
