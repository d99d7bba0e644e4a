//! Errors as HTTP answers: the only table from kinds to statuses, and the problem document of
//! RFC 9457.
//!
//! A handler answers a [`Failure`]; it travels in the response's extensions to the outermost layer,
//! which knows the request's id, writes the document and logs, once.

use std::time::Duration;

use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};

use crate::api;
use crate::app;
use crate::domain::invalid::Invalid;

/// An answer that is an error.
#[derive(Clone, Debug)]
pub struct Failure {
    /// The status.
    pub status: StatusCode,
    /// Stable code for programs.
    pub code: &'static str,
    /// For users.
    pub detail: String,
    /// Value of the Retry-After header.
    pub retry_after: Option<Duration>,
    /// Value of the Location header: where the outcome will be.
    pub location: Option<String>,
    invalid: Vec<Invalid>,
    state: Option<String>,
    csr: Option<String>,
    /// For the log: what the user is not told.
    cause: Option<String>,
}

impl Failure {
    /// A failure of the HTTP layer itself.
    pub fn new(status: StatusCode, code: &'static str, detail: impl Into<String>) -> Self {
        Self {
            status,
            code,
            detail: detail.into(),
            retry_after: None,
            location: None,
            invalid: Vec::new(),
            state: None,
            csr: None,
            cause: None,
        }
    }

    /// 401: no credential, or an unknown one. One answer for both: it helps nobody to guess.
    pub fn unauthenticated() -> Self {
        let detail = "a known API key is needed, as `Authorization: Bearer srk_...`";
        Self::new(StatusCode::UNAUTHORIZED, "auth.unauthenticated", detail)
    }

    /// 404 for a path that does not exist.
    pub fn no_such_route() -> Self {
        let detail = "there is nothing at this path; the API is described at /strongroom/v1/openapi.json";
        Self::new(StatusCode::NOT_FOUND, "route.unknown", detail)
    }

    /// 405
    pub fn method_not_allowed() -> Self {
        Self::new(StatusCode::METHOD_NOT_ALLOWED, "route.method", "this path does not take that method")
    }

    /// The document, for a request with that id.
    pub fn document(&self, request_id: String) -> api::Problem {
        api::Problem {
            kind: format!("urn:strongroom:{}", self.code),
            title: self.status.canonical_reason().unwrap_or("Error").to_owned(),
            status: self.status.as_u16(),
            detail: self.detail.clone(),
            code: self.code.to_owned(),
            request_id,
            errors: self
                .invalid
                .iter()
                .map(|invalid| api::FieldProblem {
                    field: invalid.field.clone(),
                    position: invalid.position,
                    reason: invalid.reason.clone(),
                })
                .collect(),
            state: self.state.clone(),
            csr: self.csr.clone(),
        }
    }

    /// What the log needs beyond the document.
    pub fn cause(&self) -> Option<&str> {
        self.cause.as_deref()
    }
}

/// The status of a kind. No catch-all: a new kind does not compile until it has one.
fn status_of(kind: app::Kind) -> StatusCode {
    match kind {
        app::Kind::Invalid => StatusCode::BAD_REQUEST,
        app::Kind::NotFound => StatusCode::NOT_FOUND,
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
        let status = status_of(error.kind());
        let is_bug = error.kind() == app::Kind::Bug;
        let detail = if is_bug {
            "a bug in strongroom; the log has more under this request id".to_owned()
        } else {
            error.to_string()
        };
        Self {
            retry_after: error.retry_after(),
            location: error
                .request()
                .filter(|_| error.kind() == app::Kind::OutcomeUnknown)
                .map(|handle| format!("{}/csrs/{handle}", api::PREFIX)),
            invalid: error.invalid_fields().to_vec(),
            state: error.state().map(|state| state.to_string()),
            csr: error.request().map(|handle| handle.to_string()),
            cause: Some(chain(&error)).filter(|chain| is_bug || *chain != error.to_string()),
            ..Self::new(status, error.code(), detail)
        }
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
        let mut response = self.status.into_response();
        response.extensions_mut().insert(self);
        response
    }
}
