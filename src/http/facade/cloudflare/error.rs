//! Failures in the vendor's envelope, by the vendor's numbers, and whether a retry can help.

use axum::Json;
use axum::extract::Request;
use axum::http::{HeaderName, HeaderValue, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use utoipa::IntoResponses;

use super::codes;
use super::convert::place_of;
use super::wire::{Problem, Refusal};
use crate::app;
use crate::domain::invalid::Invalid;
use crate::http::error::Failure;

/// Obeyed by the SDKs above all that they would do by themselves: `_should_retry` of their base client.
const SHOULD_RETRY: HeaderName = HeaderName::from_static("x-should-retry");

/// Out of order until somebody has done something about it.
const NEEDS_AN_OPERATOR: [&str; 5] =
    ["hsm.full", "hsm.misconfigured", "hsm.token-not-configured", "audit.damaged", "audit.key"];

/// What every call may be answered, for the OpenAPI document.
#[derive(IntoResponses)]
#[expect(dead_code, reason = "read by the derive macro")]
pub(super) enum EveryCall {
    /// 1400 and what follows: something in the HTTP request breaks a rule. 1402: no credential. 6003: half of one
    #[response(status = 400)]
    Wrong(Refusal),
    /// 1000, 1003, 10000: no known credential
    #[response(status = 401)]
    Unauthenticated(Refusal),
    /// 1403: the tenant has as many keys as it may. 1404: not granted, or there is no such account or zone, or the
    /// issuing template needs an approval
    #[response(status = 403)]
    Denied(Refusal),
    /// 1419: there is no such thing. 7003: there is no such path
    #[response(status = 404)]
    NotFound(Refusal),
    /// 10429: too many requests, or failed logins; see Retry-After
    #[response(status = 429)]
    TooMany(Refusal),
    /// 1500: a bug
    #[response(status = 500)]
    Bug(Refusal),
    /// 1500: the token or the index cannot be used now; see Retry-After
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
    /// 1420: it is past that. 1500: an earlier try is still worked on; see Retry-After
    #[response(status = 409)]
    Conflict(Refusal),
    /// The body is larger than 64 KiB
    #[response(status = 413)]
    TooLarge(Refusal),
}

/// What a call that uses the token may be answered besides.
#[derive(IntoResponses)]
#[expect(dead_code, reason = "read by the derive macro")]
pub(super) enum OnToken {
    /// 1500: the token refused or answered wrongly
    #[response(status = 502)]
    Refused(Refusal),
    /// 1500: the token was lost in the act; a retry takes it up
    #[response(status = 504)]
    Unknown(Refusal),
}

/// A status and problems of the vendor's for a failure that says less. Travels beside it.
#[derive(Clone, Debug)]
pub(super) struct Told {
    pub(super) status: StatusCode,
    pub(super) problems: Vec<Problem>,
}

/// What a handler answers instead of a result.
#[derive(Debug)]
pub(super) struct Refused {
    failure: Failure,
    told: Option<Told>,
}

impl Refused {
    /// A failure with the problems that the vendor would tell.
    pub(super) fn told(failure: Failure, problems: Vec<Problem>) -> Self {
        Self { told: Some(Told { status: failure.status(), problems }), failure }
    }
}

impl From<Failure> for Refused {
    fn from(failure: Failure) -> Self {
        Self { failure, told: None }
    }
}

impl From<app::Error> for Refused {
    fn from(error: app::Error) -> Self {
        Failure::from(error).into()
    }
}

/// Everything that is wrong with a body, a query or a path.
impl From<Vec<Problem>> for Refused {
    fn from(problems: Vec<Problem>) -> Self {
        let field = |problem: &Problem| {
            let pointer = problem.source.as_ref().map_or("", |source| source.pointer.trim_start_matches('/'));
            Invalid::new(pointer, &problem.message)
        };
        let invalid = problems.iter().map(field).collect();
        Self::told(app::Error::invalid(invalid).into(), problems)
    }
}

impl IntoResponse for Refused {
    fn into_response(self) -> Response {
        let mut response = self.failure.into_response();
        if let Some(told) = self.told {
            response.extensions_mut().insert(told);
        }
        response
    }
}

/// Writes the envelope of a failure that a handler answered, or that axum itself did.
pub(super) async fn layer(request: Request, next: Next) -> Response {
    let response = next.run(request).await;
    let failure = match response.extensions().get::<Failure>() {
        Some(failure) => failure.clone(),
        None if response.status().is_client_error() => {
            // A path that is not UTF-8.
            Failure::new(response.status(), "request.malformed", "the identifier in the path is malformed")
        }
        None => return response,
    };
    let told = response.extensions().get::<Told>().cloned();
    render(failure, told)
}

fn render(failure: Failure, told: Option<Told>) -> Response {
    let Told { status, problems } = told.unwrap_or_else(|| told_of(&failure));
    let mut response = (status, Json(Refusal::of(problems))).into_response();
    let headers = response.headers_mut();
    let retry = if retry_helps(&failure) { "true" } else { "false" };
    headers.insert(SHOULD_RETRY, HeaderValue::from_static(retry));
    if let Some(wait) = failure.retry_after() {
        headers.insert(header::RETRY_AFTER, HeaderValue::from(wait.as_secs().max(1)));
    }
    if status == StatusCode::UNAUTHORIZED {
        headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer realm=\"strongroom\""));
    }
    response.extensions_mut().insert(failure);
    response
}

/// Whether the same request may go well later without anybody's doing.
fn retry_helps(failure: &Failure) -> bool {
    let code = failure.code();
    match failure.status() {
        StatusCode::CONFLICT => code == "idempotency.in-flight",
        // Of failed logins each try is one more.
        StatusCode::TOO_MANY_REQUESTS => code != "limit.logins",
        StatusCode::SERVICE_UNAVAILABLE => !NEEDS_AN_OPERATOR.contains(&code),
        status => matches!(status, StatusCode::REQUEST_TIMEOUT | StatusCode::GATEWAY_TIMEOUT),
    }
}

/// The vendor's status and numbers.
fn told_of(failure: &Failure) -> Told {
    let one = |status, code| Told { status, problems: vec![Problem::new(code, failure.detail())] };
    let status = failure.status();
    match (status, failure.code()) {
        (_, "key.quota") => one(StatusCode::FORBIDDEN, codes::QUOTA),
        (StatusCode::UNPROCESSABLE_ENTITY, "key.kind-not-offered") => {
            one(StatusCode::FORBIDDEN, codes::NOT_GRANTED)
        }
        (StatusCode::UNPROCESSABLE_ENTITY, code) if code.starts_with("template.") => {
            one(StatusCode::FORBIDDEN, codes::NOT_GRANTED)
        }
        (StatusCode::UNPROCESSABLE_ENTITY, code) if code.starts_with("certificate.") => Told {
            status: StatusCode::BAD_REQUEST,
            problems: vec![Problem::at(codes::UNDECODABLE, "/certificate", failure.detail())],
        },
        (StatusCode::BAD_REQUEST | StatusCode::UNPROCESSABLE_ENTITY, _)
            if !failure.invalid_fields().is_empty() =>
        {
            Told {
                status: StatusCode::BAD_REQUEST,
                problems: failure.invalid_fields().iter().map(placed).collect(),
            }
        }
        (StatusCode::UNPROCESSABLE_ENTITY, _) => one(StatusCode::BAD_REQUEST, codes::UNDECODABLE),
        (StatusCode::BAD_REQUEST, "request.malformed") => one(status, codes::MALFORMED_ID),
        (StatusCode::UNAUTHORIZED, _) => one(status, codes::TOKEN_NOT_VERIFIED),
        (StatusCode::FORBIDDEN, _) => one(status, codes::NOT_GRANTED),
        (StatusCode::NOT_FOUND, "route.unknown") => one(status, codes::NO_ROUTE),
        (StatusCode::NOT_FOUND, _) => one(status, codes::NOT_FOUND),
        (StatusCode::METHOD_NOT_ALLOWED, _) => one(status, codes::METHOD),
        (StatusCode::CONFLICT, "idempotency.in-flight") => one(status, codes::INTERNAL),
        (StatusCode::CONFLICT, _) => one(status, codes::IN_USE),
        (StatusCode::TOO_MANY_REQUESTS, _) => one(status, codes::TOO_MANY),
        _ if status.is_server_error() => one(status, codes::INTERNAL),
        _ => one(status, codes::UNDECODABLE),
    }
}

fn placed(invalid: &Invalid) -> Problem {
    let (code, pointer) = place_of(&invalid.field, invalid.rule.as_deref());
    let message = invalid.to_string();
    match pointer {
        Some(pointer) => Problem::at(code, pointer, message),
        None => Problem::new(code, message),
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::app::{Error, Kind};

    fn told(failure: impl Into<Failure>) -> (u16, u16, bool) {
        let failure = failure.into();
        let told = told_of(&failure);
        (told.status.as_u16(), told.problems[0].code, retry_helps(&failure))
    }

    #[test]
    fn every_kind_of_failure_has_a_number_and_says_whether_a_retry_helps() {
        let error = |kind, code| Failure::from(Error::new(kind, code, "why"));
        assert_eq!(told(error(Kind::Refused, "key.quota")), (403, 1403, false));
        assert_eq!(told(error(Kind::Refused, "template.needs-approval")), (403, 1404, false));
        assert_eq!(told(error(Kind::Refused, "key.kind-not-offered")), (403, 1404, false));
        assert_eq!(told(error(Kind::Refused, "certificate.expired")), (400, 1400, false));
        assert_eq!(told(error(Kind::NotFound, "not-found")), (404, 1419, false));
        assert_eq!(told(error(Kind::Conflict, "signing-request.state")), (409, 1420, false));
        assert_eq!(told(error(Kind::Conflict, "idempotency.in-flight")), (409, 1500, true));
        assert_eq!(told(error(Kind::Unavailable, "hsm.unavailable")), (503, 1500, true));
        assert_eq!(told(error(Kind::Unavailable, "hsm.full")), (503, 1500, false));
        assert_eq!(told(error(Kind::OutcomeUnknown, "hsm.outcome-unknown")), (504, 1500, true));
        assert_eq!(told(error(Kind::HsmRefused, "hsm.refused")), (502, 1500, false));
        assert_eq!(told(error(Kind::Bug, "bug")), (500, 1500, false));
        assert_eq!(told(Failure::unauthenticated()), (401, 1003, false));
        assert_eq!(told(Failure::no_such_route()), (404, 7003, false));
        assert_eq!(told(Failure::method_not_allowed()), (405, 10405, false));
        let too_many = |code| Failure::too_many(code, "slow down", Duration::from_secs(1));
        assert_eq!(told(too_many("limit.requests")), (429, 10429, true));
        assert_eq!(told(too_many("limit.logins")), (429, 10429, false));
    }

    #[test]
    fn broken_rules_of_a_template_are_a_bad_request_with_a_pointer_each() {
        let broken =
            |field: &str, rule: &str| Invalid { rule: Some(rule.to_owned()), ..Invalid::new(field, "why") };
        let refused = Error::refused(
            "policy.refused",
            vec![broken("subject", "subject.o.fixed"), broken("sans[1]", "sans.dns.pattern")],
        );
        let told = told_of(&refused.into());
        assert_eq!(told.status, StatusCode::BAD_REQUEST);
        let pointers: Vec<_> =
            told.problems.iter().map(|problem| problem.source.clone().unwrap().pointer).collect();
        assert_eq!(pointers, ["/organization", "/sans/1"]);
    }
}
