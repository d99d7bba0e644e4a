//! Errors as HTTP answers: the only table from kinds to statuses.
//!
//! A handler answers a [`Failure`], which travels in the response's extensions: the layer of its
//! surface writes the body that its clients expect, the outermost layer logs it, once.

use std::time::Duration;

use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};

use crate::app;
use crate::auth;
use crate::domain::access::{Permission, Scope};
use crate::domain::id::Handle;
use crate::domain::invalid::Invalid;
use crate::domain::signing_request::State;

/// An answer that is an error. In a box: it is rare, and results should stay small.
#[derive(Clone, Debug)]
pub struct Failure(Box<Parts>);

#[derive(Clone, Debug)]
struct Parts {
    status: StatusCode,
    code: &'static str,
    /// For users.
    detail: String,
    retry_after: Option<Duration>,
    invalid: Vec<Invalid>,
    state: Option<State>,
    request: Option<Handle>,
    /// For the log: what the user is not told.
    cause: Option<String>,
}

impl Failure {
    /// A failure of the HTTP layer itself: a status, a stable code, and a text for users.
    pub fn new(status: StatusCode, code: &'static str, detail: impl Into<String>) -> Self {
        Self(Box::new(Parts {
            status,
            code,
            detail: detail.into(),
            retry_after: None,
            invalid: Vec::new(),
            state: None,
            request: None,
            cause: None,
        }))
    }

    /// The same, naming a field that breaks a rule.
    #[must_use]
    pub fn with_field(mut self, invalid: Invalid) -> Self {
        self.0.invalid.push(invalid);
        self
    }

    /// The status.
    pub fn status(&self) -> StatusCode {
        self.0.status
    }

    /// Stable code for programs.
    pub fn code(&self) -> &'static str {
        self.0.code
    }

    /// For users.
    pub fn detail(&self) -> &str {
        &self.0.detail
    }

    /// Value of the Retry-After header.
    pub fn retry_after(&self) -> Option<Duration> {
        self.0.retry_after
    }

    /// Every broken rule.
    pub fn invalid_fields(&self) -> &[Invalid] {
        &self.0.invalid
    }

    /// The state that stood in the way.
    pub fn state(&self) -> Option<State> {
        self.0.state
    }

    /// The signing request that it is about.
    pub fn request(&self) -> Option<Handle> {
        self.0.request
    }

    /// What the log needs beyond the document.
    pub fn cause(&self) -> Option<&str> {
        self.0.cause.as_deref()
    }

    /// 401: no credential, or an unknown one. One answer for both: it helps nobody to guess.
    pub fn unauthenticated() -> Self {
        let detail = "a known API key is needed, as `Authorization: Bearer srk_...`";
        Self::new(StatusCode::UNAUTHORIZED, "auth.unauthenticated", detail)
    }

    /// 403: known, and not allowed to. Without the name of the tenant, since the message goes on record:
    /// a tenant that does not exist is whatever the client wrote.
    pub fn denied(permission: Permission, names_tenant: bool) -> Self {
        let place = match (permission.scope(), names_tenant) {
            (Scope::Appliance, _) => "the whole appliance",
            (Scope::Tenant, true) => "the tenant that was named",
            (Scope::Tenant, false) => "your tenant",
        };
        let detail = format!("this needs the permission {permission} in {place}; an admin can grant it");
        Self::new(StatusCode::FORBIDDEN, "access.denied", detail)
    }

    /// 429: too often; with the time to wait.
    pub fn too_many(code: &'static str, detail: &str, wait: Duration) -> Self {
        let mut failure = Self::new(StatusCode::TOO_MANY_REQUESTS, code, detail);
        failure.0.retry_after = Some(wait);
        failure
    }

    /// 404 for a path that does not exist.
    pub fn no_such_route() -> Self {
        let detail =
            "there is nothing at this path; the native API is described at /strongroom/v1/openapi.json";
        Self::new(StatusCode::NOT_FOUND, "route.unknown", detail)
    }

    /// 405
    pub fn method_not_allowed() -> Self {
        Self::new(StatusCode::METHOD_NOT_ALLOWED, "route.method", "this path does not take that method")
    }
}

/// The status of a kind. No catch-all: a new kind does not compile until it has one.
fn status_of(kind: app::Kind) -> StatusCode {
    match kind {
        app::Kind::Invalid => StatusCode::BAD_REQUEST,
        app::Kind::NotFound => StatusCode::NOT_FOUND,
        app::Kind::Denied => StatusCode::FORBIDDEN,
        app::Kind::Conflict => StatusCode::CONFLICT,
        app::Kind::Refused => StatusCode::UNPROCESSABLE_ENTITY,
        app::Kind::Unavailable => StatusCode::SERVICE_UNAVAILABLE,
        app::Kind::OutcomeUnknown => StatusCode::GATEWAY_TIMEOUT,
        app::Kind::HsmRefused => StatusCode::BAD_GATEWAY,
        app::Kind::Bug => StatusCode::INTERNAL_SERVER_ERROR,
    }
}

impl From<app::Error> for Failure {
    fn from(error: app::Error) -> Self {
        let is_bug = error.kind() == app::Kind::Bug;
        let detail = if is_bug {
            "a bug in strongroom; the log has more under this request id".to_owned()
        } else {
            error.to_string()
        };
        let mut failure = Self::new(status_of(error.kind()), error.code(), detail);
        failure.0.retry_after = error.retry_after();
        failure.0.invalid = error.invalid_fields().to_vec();
        failure.0.state = error.state();
        failure.0.request = error.request();
        failure.0.cause = Some(chain(&error)).filter(|chain| is_bug || *chain != error.to_string());
        failure
    }
}

impl From<auth::Error> for Failure {
    fn from(error: auth::Error) -> Self {
        let detail = "credentials cannot be looked up now; try again later";
        let mut failure = Self::new(StatusCode::SERVICE_UNAVAILABLE, "store.unavailable", detail);
        failure.0.retry_after = Some(Duration::from_secs(5));
        failure.0.cause = Some(chain(&error));
        failure
    }
}

impl From<Invalid> for Failure {
    fn from(invalid: Invalid) -> Self {
        app::Error::from(invalid).into()
    }
}

fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        let next = cause.to_string();
        if !text.ends_with(&next) {
            text.push_str(": ");
            text.push_str(&next);
        }
        source = cause.source();
    }
    text
}

impl IntoResponse for Failure {
    fn into_response(self) -> Response {
        let mut response = self.0.status.into_response();
        response.extensions_mut().insert(self);
        response
    }
}
