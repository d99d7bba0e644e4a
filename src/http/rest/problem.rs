//! Failures as problem documents (RFC 9457).

use axum::Json;
use axum::extract::Request;
use axum::http::{HeaderValue, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use utoipa::IntoResponses;

use crate::api;
use crate::http::error::Failure;
use crate::http::request_id::RequestId;

/// The media type of a problem document.
pub(super) const PROBLEM: &str = "application/problem+json";

/// What every call may be answered, for the OpenAPI document.
#[derive(IntoResponses)]
#[expect(dead_code, reason = "read by the derive macro")]
pub(super) enum EveryCall {
    /// No known credential
    #[response(status = 401, content_type = PROBLEM)]
    Unauthenticated(api::Problem),
    /// The permission that it needs was not granted
    #[response(status = 403, content_type = PROBLEM)]
    Denied(api::Problem),
    /// Too many requests, or failed logins; see Retry-After
    #[response(status = 429, content_type = PROBLEM)]
    TooMany(api::Problem),
    /// The token or the index cannot be used now; see Retry-After
    #[response(status = 503, content_type = PROBLEM)]
    Unavailable(api::Problem),
}

/// What a call with a handle in its path may be answered besides.
#[derive(IntoResponses)]
#[expect(dead_code, reason = "read by the derive macro")]
pub(super) enum ByHandle {
    /// Not a handle
    #[response(status = 400, content_type = PROBLEM)]
    Malformed(api::Problem),
    /// There is no such thing
    #[response(status = 404, content_type = PROBLEM)]
    NotFound(api::Problem),
}

/// What a call with a body may be answered besides.
#[derive(IntoResponses)]
#[expect(dead_code, reason = "read by the derive macro")]
pub(super) enum WithBody {
    /// The body did not arrive in time
    #[response(status = 408, content_type = PROBLEM)]
    TimedOut(api::Problem),
    /// The body is larger than 64 KiB
    #[response(status = 413, content_type = PROBLEM)]
    TooLarge(api::Problem),
}

/// Writes the document of a failure that a handler answered, or that axum itself did.
pub(super) async fn layer(request: Request, next: Next) -> Response {
    let id = request.extensions().get::<RequestId>().map(|id| id.0.clone()).unwrap_or_default();
    let response = next.run(request).await;
    let failure = match response.extensions().get::<Failure>() {
        Some(failure) => failure.clone(),
        None if response.status().is_client_error() && !is_document(&response) => {
            from_rejection(response.status())
        }
        None => return response,
    };
    render(failure, id)
}

/// The document, for an HTTP request with that id.
pub(super) fn document(failure: &Failure, request_id: String) -> api::Problem {
    api::Problem {
        kind: format!("urn:strongroom:{}", failure.code()),
        title: failure.status().canonical_reason().unwrap_or("Error").to_owned(),
        status: failure.status().as_u16(),
        detail: failure.detail().to_owned(),
        code: failure.code().to_owned(),
        request_id,
        errors: failure
            .invalid_fields()
            .iter()
            .map(|invalid| api::FieldProblem {
                field: invalid.field.clone(),
                position: invalid.position,
                reason: invalid.reason.clone(),
            })
            .collect(),
        state: failure.state().map(|state| state.to_string()),
        csr: failure.request().map(|handle| handle.to_string()),
    }
}

/// A kept answer to an Idempotency-Key is replayed as it was written.
fn is_document(response: &Response) -> bool {
    response.headers().get(header::CONTENT_TYPE).is_some_and(|value| value == PROBLEM)
}

/// axum's own refusals, such as a path that is not UTF-8, carry no failure.
fn from_rejection(status: StatusCode) -> Failure {
    match status {
        StatusCode::METHOD_NOT_ALLOWED => Failure::method_not_allowed(),
        StatusCode::NOT_FOUND => Failure::no_such_route(),
        status => Failure::new(status, "request.malformed", "the request is malformed"),
    }
}

fn render(failure: Failure, id: String) -> Response {
    let status = failure.status();
    let mut response = (status, Json(document(&failure, id))).into_response();
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(PROBLEM));
    if let Some(wait) = failure.retry_after() {
        headers.insert(header::RETRY_AFTER, HeaderValue::from(wait.as_secs().max(1)));
    }
    // Only there the outcome is still to come.
    let location = failure.request().filter(|_| status == StatusCode::GATEWAY_TIMEOUT);
    if let Some(request) = location
        && let Ok(value) = HeaderValue::from_str(&format!("{}/csrs/{request}", api::PREFIX))
    {
        headers.insert(header::LOCATION, value);
    }
    if status == StatusCode::UNAUTHORIZED {
        headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer realm=\"strongroom\""));
    }
    response.extensions_mut().insert(failure);
    response
}
