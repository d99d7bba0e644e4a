//! What a use case can answer instead of a result: a kind for programs, a message for users, a
//! source chain for the log.

use std::error::Error as StdError;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use crate::domain::id::Handle;
use crate::domain::invalid::Invalid;
use crate::domain::signing_request::{Conflict, State};
use crate::{hsm, store};

/// The class of an error: decides the HTTP status and the exit code.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// The input breaks a rule.
    Invalid,
    /// There is no such thing.
    NotFound,
    /// The caller may not do it.
    Denied,
    /// The thing's state does not allow it.
    Conflict,
    /// Well-formed, and refused by what is offered here.
    Refused,
    /// The token or the index cannot be used now; trying later may help.
    Unavailable,
    /// The token may or may not have done it; the journal will find out.
    OutcomeUnknown,
    /// The token refused or answered wrongly.
    HsmRefused,
    /// A bug in strongroom.
    Bug,
}

/// An error of a use case. Cheap to clone: several callers may wait for one outcome.
#[derive(Clone, Debug)]
pub struct Error(Arc<Body>);

#[derive(Debug)]
struct Body {
    kind: Kind,
    code: &'static str,
    message: String,
    invalid: Vec<Invalid>,
    retry_after: Option<Duration>,
    request: Option<Handle>,
    state: Option<State>,
    source: Option<Box<dyn StdError + Send + Sync>>,
}

/// How long to wait before trying again when nothing better is known.
const RETRY_AFTER: Duration = Duration::from_secs(5);

impl Error {
    /// An error with a stable `code` and a message for users.
    pub fn new(kind: Kind, code: &'static str, message: impl Into<String>) -> Self {
        let retry_after = (kind == Kind::Unavailable).then_some(RETRY_AFTER);
        Self(Arc::new(Body {
            kind,
            code,
            message: message.into(),
            invalid: Vec::new(),
            retry_after,
            request: None,
            state: None,
            source: None,
        }))
    }

    /// Input that breaks one or more rules.
    pub fn invalid(invalid: Vec<Invalid>) -> Self {
        let message = invalid.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ");
        Self::new(Kind::Invalid, "input.invalid", message).with(|body| body.invalid = invalid)
    }

    /// Well-formed, and refused: each rule that is broken.
    pub fn refused(code: &'static str, invalid: Vec<Invalid>) -> Self {
        let told = |broken: &Invalid| match &broken.rule {
            Some(rule) => format!("{rule}: {broken}"),
            None => broken.to_string(),
        };
        let message = invalid.iter().map(told).collect::<Vec<_>>().join("; ");
        Self::new(Kind::Refused, code, message).with(|body| body.invalid = invalid)
    }

    /// There is no `what` with that handle.
    pub fn not_found(what: &str, handle: impl fmt::Display) -> Self {
        Self::new(Kind::NotFound, "not-found", format!("there is no {what} {handle}"))
    }

    /// A bug: the message goes to the log, the user learns only that there is one.
    pub fn bug(message: impl Into<String>) -> Self {
        Self::new(Kind::Bug, "bug", message)
    }

    /// The same, naming the signing request that it is about.
    #[must_use]
    pub fn about(self, request: Handle) -> Self {
        self.with(|body| body.request = Some(request))
    }

    /// The same, where trying again after so long makes sense.
    #[must_use]
    pub fn retry_in(self, wait: Duration) -> Self {
        self.with(|body| body.retry_after = Some(wait))
    }

    /// The same with the error that caused it.
    #[must_use]
    pub fn caused_by(self, source: impl StdError + Send + Sync + 'static) -> Self {
        self.with(|body| body.source = Some(Box::new(source)))
    }

    /// The class.
    pub fn kind(&self) -> Kind {
        self.0.kind
    }

    /// The stable code, such as `hsm.unavailable`.
    pub fn code(&self) -> &'static str {
        self.0.code
    }

    /// Every broken rule, for [`Kind::Invalid`] and [`Kind::Refused`].
    pub fn invalid_fields(&self) -> &[Invalid] {
        &self.0.invalid
    }

    /// When trying again makes sense.
    pub fn retry_after(&self) -> Option<Duration> {
        self.0.retry_after
    }

    /// The signing request it is about.
    pub fn request(&self) -> Option<Handle> {
        self.0.request
    }

    /// The state that stood in the way.
    pub fn state(&self) -> Option<State> {
        self.0.state
    }

    /// An error is built before it is shared, so the body has one owner here.
    fn with(mut self, change: impl FnOnce(&mut Body)) -> Self {
        if let Some(body) = Arc::get_mut(&mut self.0) {
            change(body);
            return self;
        }
        let mut body = Body {
            kind: self.0.kind,
            code: self.0.code,
            message: self.0.message.clone(),
            invalid: self.0.invalid.clone(),
            retry_after: self.0.retry_after,
            request: self.0.request,
            state: self.0.state,
            source: Some(Box::new(self.clone())),
        };
        change(&mut body);
        Self(Arc::new(body))
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.message)
    }
}

impl StdError for Error {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        self.0.source.as_deref().map(|source| source as &(dyn StdError + 'static))
    }
}

impl From<Conflict> for Error {
    fn from(conflict: Conflict) -> Self {
        Self::new(Kind::Conflict, "signing-request.state", conflict.to_string()).with(|body| {
            body.request = Some(conflict.handle);
            body.state = Some(conflict.state);
        })
    }
}

impl From<Invalid> for Error {
    fn from(invalid: Invalid) -> Self {
        Self::invalid(vec![invalid])
    }
}

impl From<store::Error> for Error {
    fn from(error: store::Error) -> Self {
        use store::Kind as Store;
        let (kind, code) = match error.kind() {
            Store::Unavailable => (Kind::Unavailable, "store.unavailable"),
            Store::Busy => (Kind::Unavailable, "store.busy"),
            Store::AuditDamaged => (Kind::Unavailable, "audit.damaged"),
            Store::Conflict(_) => (Kind::Conflict, "store.duplicate"),
            Store::NewerSchema | Store::NotOurs | Store::Permissions | Store::Corrupt | Store::Bug => {
                (Kind::Bug, "store.broken")
            }
        };
        Self::new(kind, code, error.to_string()).caused_by(error)
    }
}

impl From<hsm::Error> for Error {
    fn from(error: hsm::Error) -> Self {
        use hsm::Kind as Hsm;
        let (kind, code) = match error.kind() {
            Hsm::Unavailable => (Kind::Unavailable, "hsm.unavailable"),
            Hsm::Interrupted => (Kind::Unavailable, "hsm.interrupted"),
            Hsm::Busy => (Kind::Unavailable, "hsm.busy"),
            Hsm::Capacity => (Kind::Unavailable, "hsm.full"),
            Hsm::TokenNotFound => (Kind::Unavailable, "hsm.token-not-found"),
            Hsm::LockHeld => (Kind::Unavailable, "hsm.in-use"),
            Hsm::Misconfigured => (Kind::Unavailable, "hsm.misconfigured"),
            Hsm::OutcomeUnknown => (Kind::OutcomeUnknown, "hsm.outcome-unknown"),
            Hsm::Refused => (Kind::HsmRefused, "hsm.refused"),
            Hsm::PinRefused => (Kind::HsmRefused, "hsm.pin"),
            Hsm::KeyMissing => (Kind::Conflict, "key.missing"),
            Hsm::Ambiguous => (Kind::HsmRefused, "hsm.ambiguous"),
            Hsm::Unsupported => (Kind::Refused, "key.kind-not-offered"),
            Hsm::Bug => (Kind::Bug, "hsm.bug"),
        };
        let retry_after = error.retry_after();
        Self::new(kind, code, error.to_string()).with(|body| {
            body.retry_after = retry_after.or(body.retry_after);
            body.source = Some(Box::new(error));
        })
    }
}
