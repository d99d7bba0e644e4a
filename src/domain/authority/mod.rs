//! Certification authorities whose keys are in the token: their life, what their certificates let them
//! issue ([`Issuer`]), and what a certificate of theirs says ([`profile`]).

mod constraints;
mod issuer;
pub mod profile;

use serde::{Deserialize, Serialize};
use serde_json::json;
use sha2::{Digest as _, Sha256};

use super::access::TenantId;
use super::algorithm::{KeyKind, Scheme};
use super::audit::Event;
use super::clock::Timestamp;
use super::csr::CsrSpec;
use super::id::Handle;
use super::invalid::Invalid;
use super::named::named;
use super::signing_request::Submission;
pub use issuer::{Issuer, NotAnIssuer};

/// An authority.
#[derive(Clone, Debug, PartialEq)]
pub struct Authority {
    /// Public id.
    pub handle: Handle,
    /// Whose it is.
    pub tenant: TenantId,
    /// Who made it.
    pub principal: Handle,
    /// What issuing templates and people call it; unique in its tenant.
    pub name: String,
    /// Who certifies it.
    pub kind: AuthorityKind,
    /// The configured name of the token that holds, or will hold, its key.
    pub token: String,
    /// The kind of its key.
    pub key_kind: KeyKind,
    /// How it signs.
    pub scheme: Scheme,
    /// What its certificate, or its CSR, says: the subject and the extensions of a CA.
    pub spec: CsrSpec,
    /// Where it is in its life.
    pub state: State,
    /// Its key, once there is one.
    pub key: Option<Handle>,
    /// DER of an intermediate's CSR, signed once.
    pub csr: Option<Vec<u8>>,
    /// Which of its certificates it issues with; they are numbered from 1.
    pub version: Option<u32>,
    /// The authority of ours that issued this certificate, if it was one.
    pub parent: Option<Handle>,
    /// What the surface was sent that it was asked for by, if that one wants to show it again.
    pub submission: Option<Submission>,
    /// Why it failed.
    pub failure: Option<String>,
    /// When it was asked for.
    pub created_at: Timestamp,
    /// When it changed last.
    pub updated_at: Timestamp,
}

/// Who certifies an authority.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum AuthorityKind {
    /// It does so itself.
    Root,
    /// Another one, ours or somebody else's, from its CSR.
    Intermediate,
}

named!(AuthorityKind { Root = "root", Intermediate = "intermediate" });

/// Where an authority is in its life.
///
/// ```text
///   making --------------> pending-certificate | active | failed
///   pending-certificate -> active   | deleted
///   active --------------> disabled | deleted
///   disabled ------------> active   | deleted
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum State {
    /// Recorded; its key, or its CSR or its own certificate, is being made.
    Making,
    /// It has a CSR and waits for its certificate.
    PendingCertificate,
    /// It issues.
    Active,
    /// It issues nothing until it is enabled again. Its revocation list goes on.
    Disabled,
    /// It could not be made; its key is destroyed.
    Failed,
    /// Nobody uses it any more; its key may be destroyed.
    Deleted,
}

named!(State {
    Making = "making",
    PendingCertificate = "pending-certificate",
    Active = "active",
    Disabled = "disabled",
    Failed = "failed",
    Deleted = "deleted",
});

impl State {
    /// Every state, in the order of the drawing.
    pub const ALL: [Self; 6] =
        [Self::Making, Self::PendingCertificate, Self::Active, Self::Disabled, Self::Failed, Self::Deleted];

    /// Whether an authority in this state needs its key: such a key is not destroyed.
    pub fn is_live(self) -> bool {
        match self {
            Self::Making | Self::PendingCertificate | Self::Active | Self::Disabled => true,
            Self::Failed | Self::Deleted => false,
        }
    }
}

/// What can happen to an authority.
#[derive(Clone, Debug, PartialEq)]
pub enum Command {
    /// Its key was made, read back and found good.
    KeyMade {
        /// The key.
        key: Handle,
    },
    /// Its CSR was signed and verified.
    Requested {
        /// DER of the CSR.
        csr: Vec<u8>,
    },
    /// It has a certificate, its first or another one.
    Certified {
        /// The number of this certificate.
        version: u32,
        /// SHA-256 of its DER, in hexadecimal.
        fingerprint: String,
        /// The authority of ours that issued it, if it was one.
        parent: Option<Handle>,
    },
    /// It shall issue nothing for now.
    Disable,
    /// It shall issue again.
    Enable,
    /// Nobody uses it any more.
    Delete,
    /// It could not be made.
    Fail {
        /// Why.
        reason: String,
    },
}

impl Command {
    fn verb(&self) -> &'static str {
        match self {
            Self::KeyMade { .. } => "given a key",
            Self::Requested { .. } => "given a CSR",
            Self::Certified { .. } => "given a certificate",
            Self::Disable => "disabled",
            Self::Enable => "enabled",
            Self::Delete => "deleted",
            Self::Fail { .. } => "failed",
        }
    }
}

/// The command does not fit the state.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("authority {handle} is {state} and cannot be {verb}")]
pub struct Conflict {
    /// The authority.
    pub handle: Handle,
    /// Its state, unchanged.
    pub state: State,
    /// What was tried.
    pub verb: &'static str,
}

impl Authority {
    /// The event that records what was asked for.
    pub fn intent_event(&self) -> Event {
        Event {
            action: "authority.making",
            subject: self.handle.to_string(),
            detail: json!({
                "name": self.name,
                "kind": self.kind,
                "token": self.token,
                "key_kind": self.key_kind,
                "scheme": self.scheme,
            }),
        }
    }

    /// Applies a command: the authority as it is then, and the event that records the change.
    ///
    /// # Errors
    /// [`Conflict`] when the drawing of [`State`] has no such arrow; nothing is changed.
    pub fn apply(mut self, command: Command, now: Timestamp) -> Result<(Self, Event), Conflict> {
        let next = match (self.state, &command) {
            (State::Making, Command::KeyMade { .. }) if self.key.is_none() => State::Making,
            (State::Making, Command::Requested { .. }) if self.key.is_some() => State::PendingCertificate,
            (State::Making, Command::Certified { .. }) if self.key.is_some() => State::Active,
            (State::PendingCertificate | State::Active, Command::Certified { .. }) => State::Active,
            (State::Active, Command::Disable) => State::Disabled,
            (State::Disabled, Command::Enable) => State::Active,
            (State::PendingCertificate | State::Active | State::Disabled, Command::Delete) => State::Deleted,
            (State::Making, Command::Fail { .. }) => State::Failed,
            _ => {
                return Err(Conflict { handle: self.handle, state: self.state, verb: command.verb() });
            }
        };
        let (action, detail) = match command {
            Command::KeyMade { key } => {
                self.key = Some(key);
                ("authority.key-made", json!({ "key": key }))
            }
            Command::Requested { csr } => {
                let detail = json!({ "key": self.key, "csr_sha256": hex::encode(Sha256::digest(&csr)) });
                self.csr = Some(csr);
                ("authority.pending-certificate", detail)
            }
            Command::Certified { version, fingerprint, parent } => {
                (self.version, self.parent) = (Some(version), parent);
                let detail =
                    json!({ "version": version, "certificate_sha256": fingerprint, "parent": parent });
                ("authority.active", detail)
            }
            Command::Disable => ("authority.disabled", json!({})),
            Command::Enable => ("authority.enabled", json!({})),
            Command::Delete => ("authority.deleted", json!({ "was": self.state, "key": self.key })),
            Command::Fail { reason } => {
                let detail = json!({ "reason": reason });
                self.failure = Some(reason);
                ("authority.failed", detail)
            }
        };
        self.state = next;
        self.updated_at = now;
        let event = Event { action, subject: self.handle.to_string(), detail };
        Ok((self, event))
    }
}

/// Longest name of an authority, in characters.
const LONGEST_NAME: usize = 64;

/// Checks an authority's name: 1 to 64 letters, digits, `-`, `_` and `.`, not shaped like a handle, since
/// either is taken where an authority is meant.
///
/// # Errors
/// The rule, naming the field `name`.
pub fn check_name(name: &str) -> Result<(), Invalid> {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
    if (1..=LONGEST_NAME).contains(&name.len()) && name.bytes().all(plain) && name.parse::<Handle>().is_err()
    {
        return Ok(());
    }
    let reason = format!("must be 1 to {LONGEST_NAME} letters, digits, `-`, `_` and `.`, and no handle");
    Err(Invalid::new("name", reason))
}

#[cfg(test)]
mod tests;
