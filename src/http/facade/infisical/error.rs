//! Failures as the vendor words them (`error-handler.ts` of its server): a request id, a status, the name of an
//! error, and a message; the message of 422 is a list of issues.

use axum::Json;
use axum::extract::Request;
use axum::http::{HeaderValue, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use utoipa::IntoResponses;

use super::issues::Issue;
use super::wire::{Message, Refusal};
use crate::app;
use crate::domain::invalid::Invalid;
use crate::http::error::Failure;
use crate::http::request_id::RequestId;

/// Failure code of an access token that is not taken.
pub(super) const TOKEN: &str = "auth.token";

/// What every call may be answered, for the OpenAPI document.
#[derive(IntoResponses)]
#[expect(dead_code, reason = "read by the derive macro")]
pub(super) enum EveryCall {
    /// BadRequest: something in the HTTP request breaks a rule, or does not fit the state
    #[response(status = 400)]
    BadRequest(Refusal),
    /// UnauthorizedError: no access token, or one for a credential that was revoked
    #[response(status = 401)]
    Unauthorized(Refusal),
    /// TokenError: the access token is not taken. PermissionDenied: not granted
    #[response(status = 403)]
    Forbidden(Refusal),
    /// NotFound
    #[response(status = 404)]
    NotFound(Refusal),
    /// RateLimitExceeded: too many requests, or failed logins; see Retry-After
    #[response(status = 429)]
    TooMany(Refusal),
    /// InternalServerError: a bug
    #[response(status = 500)]
    Bug(Refusal),
    /// ServiceUnavailable: the token or the index cannot be used now; see Retry-After
    #[response(status = 503)]
    Unavailable(Refusal),
}

/// What a call with a body may be answered besides.
#[derive(IntoResponses)]
#[expect(dead_code, reason = "read by the derive macro")]
pub(super) enum WithBody {
    /// The body did not arrive in time
    #[response(status = 408)]
    TimedOut(Refusal),
    /// The body is larger than 64 KiB
    #[response(status = 413)]
    TooLarge(Refusal),
    /// The body is not JSON
    #[response(status = 415)]
    NotJson(Refusal),
    /// ValidationFailure: each issue of the body
    #[response(status = 422)]
    Issues(Refusal),
}

/// What a call that uses the token may be answered besides.
#[derive(IntoResponses)]
#[expect(dead_code, reason = "read by the derive macro")]
pub(super) enum OnToken {
    /// The token refused or answered wrongly
    #[response(status = 502)]
    Refused(Refusal),
    /// The token was lost in the act
    #[response(status = 504)]
    Unknown(Refusal),
}

/// What a handler answers instead of a result.
#[derive(Debug)]
pub(super) struct Refused {
    failure: Failure,
    issues: Option<Issues>,
    details: Option<Details>,
}

/// Every issue of a body; travels beside the failure.
#[derive(Clone, Debug)]
struct Issues(Vec<Issue>);

/// What there is to know beyond the vendor's message; travels beside the failure.
#[derive(Clone, Debug)]
struct Details(String);

impl Refused {
    /// 400 with the vendor's message.
    pub(super) fn bad_request(code: &'static str, message: impl Into<String>) -> Self {
        Failure::new(StatusCode::BAD_REQUEST, code, message).into()
    }

    /// 404 with the vendor's message.
    pub(super) fn not_found(message: impl Into<String>) -> Self {
        Failure::new(StatusCode::NOT_FOUND, "not-found", message).into()
    }

    /// The same, with our own reason beside the vendor's message.
    pub(super) fn because(self, reason: impl ToString) -> Self {
        Self { details: Some(Details(reason.to_string())), ..self }
    }
}

impl From<Failure> for Refused {
    fn from(failure: Failure) -> Self {
        Self { failure, issues: None, details: None }
    }
}

impl From<app::Error> for Refused {
    fn from(error: app::Error) -> Self {
        Failure::from(error).into()
    }
}

impl From<Vec<Issue>> for Refused {
    fn from(issues: Vec<Issue>) -> Self {
        let mut failure =
            Failure::new(StatusCode::UNPROCESSABLE_ENTITY, "body.issues", "the body has issues");
        for issue in &issues {
            failure = failure.with_field(Invalid::new(issue.path.join("."), &issue.message));
        }
        Self { issues: Some(Issues(issues)), ..failure.into() }
    }
}

impl IntoResponse for Refused {
    fn into_response(self) -> Response {
        let mut response = self.failure.into_response();
        if let Some(issues) = self.issues {
            response.extensions_mut().insert(issues);
        }
        if let Some(details) = self.details {
            response.extensions_mut().insert(details);
        }
        response
    }
}

/// Writes the document of a failure that a handler answered, or that axum itself did.
pub(super) async fn layer(request: Request, next: Next) -> Response {
    let id = request.extensions().get::<RequestId>().map(|id| id.0.clone()).unwrap_or_default();
    let response = next.run(request).await;
    let failure = match response.extensions().get::<Failure>() {
        Some(failure) => failure.clone(),
        None if response.status().is_client_error() => {
            // A path that is not UTF-8, or a query that is none.
            Failure::new(response.status(), "request.malformed", "the path or the query is malformed")
        }
        None => return response,
    };
    let issues = response.extensions().get::<Issues>().cloned();
    let details = response.extensions().get::<Details>().cloned();
    render(failure, id, issues, details)
}

fn render(failure: Failure, req_id: String, issues: Option<Issues>, details: Option<Details>) -> Response {
    let status = status_of(&failure, issues.is_some());
    let refusal = Refusal {
        req_id,
        status_code: status.as_u16(),
        error: name_of(&failure, status).to_owned(),
        message: match issues {
            Some(Issues(issues)) => Message::Issues(issues),
            None => Message::Text(failure.detail().to_owned()),
        },
        details: match details {
            Some(Details(reason)) => Some(vec![reason]),
            // The vendor's clients read a list there.
            None if failure.code() == "access.denied" => Some(Vec::new()),
            None => None,
        },
    };
    let mut response = (status, Json(refusal)).into_response();
    let headers = response.headers_mut();
    if let Some(wait) = failure.retry_after() {
        headers.insert(header::RETRY_AFTER, HeaderValue::from(wait.as_secs().max(1)));
    }
    if status == StatusCode::UNAUTHORIZED {
        headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer realm=\"strongroom\""));
    }
    response.extensions_mut().insert(failure);
    response
}

/// The vendor knows no 409, and its Terraform provider takes 422 for "gone": what does not fit is 400, and 422 is for
/// the issues of a body.
fn status_of(failure: &Failure, has_issues: bool) -> StatusCode {
    match failure.status() {
        StatusCode::CONFLICT => StatusCode::BAD_REQUEST,
        StatusCode::UNPROCESSABLE_ENTITY if !has_issues => StatusCode::BAD_REQUEST,
        status => status,
    }
}

fn name_of(failure: &Failure, status: StatusCode) -> &'static str {
    match status {
        StatusCode::UNAUTHORIZED => "UnauthorizedError",
        StatusCode::FORBIDDEN if failure.code() == TOKEN => "TokenError",
        StatusCode::FORBIDDEN if failure.code() == "access.denied" => "PermissionDenied",
        StatusCode::FORBIDDEN => "ForbiddenError",
        StatusCode::NOT_FOUND => "NotFound",
        StatusCode::METHOD_NOT_ALLOWED => "MethodNotAllowed",
        StatusCode::PAYLOAD_TOO_LARGE => "PayloadTooLarge",
        StatusCode::UNSUPPORTED_MEDIA_TYPE => "UnsupportedMediaType",
        StatusCode::REQUEST_TIMEOUT => "RequestTimeout",
        StatusCode::UNPROCESSABLE_ENTITY => "ValidationFailure",
        StatusCode::TOO_MANY_REQUESTS => "RateLimitExceeded",
        StatusCode::SERVICE_UNAVAILABLE => "ServiceUnavailable",
        StatusCode::BAD_GATEWAY => "BadGateway",
        StatusCode::GATEWAY_TIMEOUT => "GatewayTimeoutError",
        status if status.is_server_error() => "InternalServerError",
        _ => "BadRequest",
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::super::issues::Fields;
    use super::*;
    use crate::app::{Error, Kind};
    use crate::domain::access::Permission;

    fn told(refused: impl Into<Refused>) -> (u16, &'static str) {
        let refused = refused.into();
        let status = status_of(&refused.failure, refused.issues.is_some());
        (status.as_u16(), name_of(&refused.failure, status))
    }

    #[test]
    fn every_kind_of_failure_has_the_name_that_the_vendor_gives_it() {
        let error = |kind, code| Error::new(kind, code, "why");
        assert_eq!(told(error(Kind::Invalid, "input.invalid")), (400, "BadRequest"));
        assert_eq!(told(error(Kind::NotFound, "not-found")), (404, "NotFound"));
        assert_eq!(told(error(Kind::Denied, "access.denied")), (403, "PermissionDenied"));
        assert_eq!(told(error(Kind::Conflict, "authority.state")), (400, "BadRequest"));
        assert_eq!(told(error(Kind::Refused, "key.kind-not-offered")), (400, "BadRequest"));
        assert_eq!(told(error(Kind::Unavailable, "hsm.unavailable")), (503, "ServiceUnavailable"));
        assert_eq!(told(error(Kind::OutcomeUnknown, "hsm.outcome-unknown")), (504, "GatewayTimeoutError"));
        assert_eq!(told(error(Kind::HsmRefused, "hsm.refused")), (502, "BadGateway"));
        assert_eq!(told(error(Kind::Bug, "bug")), (500, "InternalServerError"));
        assert_eq!(told(Failure::unauthenticated()), (401, "UnauthorizedError"));
        assert_eq!(told(Failure::denied(Permission::AuthorityRead, false)), (403, "PermissionDenied"));
        assert_eq!(told(Failure::new(StatusCode::FORBIDDEN, TOKEN, "")), (403, "TokenError"));
        let handed_out = Failure::new(StatusCode::FORBIDDEN, "key.not-exportable", "");
        assert_eq!(told(handed_out), (403, "ForbiddenError"));
        assert_eq!(told(Failure::no_such_route()), (404, "NotFound"));
        assert_eq!(told(Failure::method_not_allowed()), (405, "MethodNotAllowed"));
        let too_many = Failure::too_many("limit.logins", "slow down", Duration::from_secs(1));
        assert_eq!(told(too_many), (429, "RateLimitExceeded"));
        let issues = Fields::of(serde_json::Value::Null).err().unwrap();
        assert_eq!(told(issues), (422, "ValidationFailure"));
    }
}
