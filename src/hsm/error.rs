//! What can go wrong with a token: a kind for programs, a message for users, a cause for the log.
//!
//! The same type travels from the worker to the service, so it is plain data.

use std::fmt;
use std::time::Duration;

use serde::{Deserialize, Serialize};

/// A failure of a token, its worker, or a call to it.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Error {
    kind: Kind,
    message: String,
    cause: Option<Cause>,
    retry_after: Option<Duration>,
}

/// What kind of failure it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Kind {
    /// The worker or its connection to the HSM is down. The call had no effect.
    Unavailable,
    /// Too many calls are waiting. The call had no effect.
    Busy,
    /// The worker died, or its deadline passed, while the token was making or destroying keys: look
    /// on the token for what became of it.
    OutcomeUnknown,
    /// The session was lost as a generation entered the module. Try again under a new CKA_ID.
    Interrupted,
    /// The HSM refused: its policy, an attribute of the key, or the template.
    Refused,
    /// The PIN is wrong, locked or expired, or was so before and the PIN file has not changed since.
    PinRefused,
    /// The working token has no such key, or only half of it.
    KeyMissing,
    /// More than one object or token matches where exactly one must.
    Ambiguous,
    /// The token lacks the algorithm.
    Unsupported,
    /// The token or its host has no room left, or no free session.
    Capacity,
    /// No token has the label or serial number.
    TokenNotFound,
    /// Another process works with this token.
    LockHeld,
    /// The configuration of the token cannot work: a path, a file mode, a name.
    Misconfigured,
    /// A defect of strongroom, or an answer of the module that PKCS#11 does not allow.
    Bug,
}

impl Error {
    pub(super) fn new(kind: Kind, message: impl Into<String>) -> Self {
        Self { kind, message: message.into(), cause: None, retry_after: None }
    }

    /// The same with the lower-level failure behind it.
    pub(super) fn because(mut self, cause: impl fmt::Display) -> Self {
        self.cause = Some(Cause(cause.to_string()));
        self
    }

    /// The same with another of these behind it, and what is behind that.
    pub(super) fn because_of(self, error: &Self) -> Self {
        match &error.cause {
            Some(cause) => self.because(format!("{error}: {cause}")),
            None => self.because(error),
        }
    }

    /// The same with a hint when a retry may succeed.
    pub(super) fn retry_in(mut self, delay: Duration) -> Self {
        self.retry_after = Some(delay);
        self
    }

    /// What kind of failure it is.
    pub fn kind(&self) -> Kind {
        self.kind
    }

    /// When a retry may succeed, where that is known.
    pub fn retry_after(&self) -> Option<Duration> {
        self.retry_after
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.cause.as_ref().map(|cause| cause as _)
    }
}

/// The failure below, as text: it may have happened in the other process.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Cause(String);

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Cause {}
