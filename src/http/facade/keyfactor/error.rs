//! Failures as the vendor words them: `{"ErrorCode":"0x...","Message":"..."}`.

use axum::Json;
use axum::extract::Request;
use axum::http::{HeaderValue, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use utoipa::IntoResponses;

use super::wire;
use crate::http::error::Failure;

/// Failure code of a list that is to be sorted by what it cannot be sorted by.
pub(super) const SORT_FIELD: &str = "query.sort-field";

/// What every call may be answered, for the OpenAPI document.
#[derive(IntoResponses)]
#[expect(dead_code, reason = "read by the derive macro")]
pub(super) enum EveryCall {
    /// A header is missing, or something breaks a rule: Message names it
    #[response(status = 400)]
    Invalid(wire::Problem),
    /// No known credential
    #[response(status = 401)]
    Unauthenticated(wire::Problem),
    /// The permission that it needs was not granted: Message names it
    #[response(status = 403)]
    Denied(wire::Problem),
    /// Too many requests, or failed logins; see Retry-After
    #[response(status = 429)]
    TooMany(wire::Problem),
    /// The token or the index cannot be used now; see Retry-After
    #[response(status = 503)]
    Unavailable(wire::Problem),
}

/// What a call with a body may be answered besides.
#[derive(IntoResponses)]
#[expect(dead_code, reason = "read by the derive macro")]
pub(super) enum WithBody {
    /// The body did not arrive in time
    #[response(status = 408)]
    TimedOut(wire::Problem),
    /// The body is larger than 64 KiB
    #[response(status = 413)]
    TooLarge(wire::Problem),
    /// The body is not JSON
    #[response(status = 415)]
    NotJson(wire::Problem),
}

/// Writes the document of a failure that a handler answered, or that axum itself did.
pub(super) async fn layer(request: Request, next: Next) -> Response {
    let response = next.run(request).await;
    let failure = match response.extensions().get::<Failure>() {
        Some(failure) => failure.clone(),
        None if response.status().is_client_error() => {
            Failure::new(response.status(), "request.malformed", "the request is malformed")
        }
        None => return response,
    };
    render(failure)
}

fn render(failure: Failure) -> Response {
    let status = status_of(&failure);
    let error_code = code_of(&failure, status);
    let problem = wire::Problem { error_code, message: failure.detail().to_owned() };
    let mut response = (status, Json(problem)).into_response();
    let headers = response.headers_mut();
    if let Some(wait) = failure.retry_after() {
        headers.insert(header::RETRY_AFTER, HeaderValue::from(wait.as_secs().max(1)));
    }
    if status == StatusCode::UNAUTHORIZED {
        for way in ["Basic realm=\"strongroom\"", "Bearer realm=\"strongroom\""] {
            headers.append(header::WWW_AUTHENTICATE, HeaderValue::from_static(way));
        }
    }
    response.extensions_mut().insert(failure);
    response
}

/// The vendor knows no 422: whatever is wrong with what was sent is 400.
fn status_of(failure: &Failure) -> StatusCode {
    match failure.status() {
        StatusCode::UNPROCESSABLE_ENTITY => StatusCode::BAD_REQUEST,
        status => status,
    }
}

/// The vendor documents two codes and no list of them. The rest is ours, outside of his range: the status in
/// decimal digits.
fn code_of(failure: &Failure, status: StatusCode) -> String {
    match (failure.code(), status) {
        (SORT_FIELD, _) => "0xA011004A".to_owned(),
        (_, StatusCode::BAD_REQUEST) => "0xA0110007".to_owned(),
        (_, status) => format!("0xA0FF0{}", status.as_str()),
    }
}
