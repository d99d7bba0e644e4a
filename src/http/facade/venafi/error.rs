//! Failures as the vendor words them: `{"errors":[{"code":10051,"message":"...","args":["..."]}]}`.

use axum::Json;
use axum::extract::Request;
use axum::http::{HeaderValue, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use utoipa::IntoResponses;

use super::wire;
use crate::domain::invalid::Invalid;
use crate::http::error::Failure;

/// There is no such application, zone or issuing template.
pub(super) const NO_SUCH_PLACE: &str = "venafi.no-such-place";

/// What vcert for Go takes for [`NO_SUCH_PLACE`]; the only number that a client goes by.
const PLACE_NOT_FOUND: u32 = 10051;

/// The vendor's numbers have five digits and no list; ours are the status behind this.
const OURS: u32 = 90_000;

/// What every call may be answered, for the OpenAPI document.
#[derive(IntoResponses)]
#[expect(dead_code, reason = "read by the derive macro")]
pub(super) enum EveryCall {
    /// Something breaks a rule: each error names it
    #[response(status = 400)]
    Invalid(wire::Problems),
    /// No known credential
    #[response(status = 401)]
    Unauthenticated(wire::Problems),
    /// The permission that it needs was not granted
    #[response(status = 403)]
    Denied(wire::Problems),
    /// Too many requests, or failed logins; see Retry-After
    #[response(status = 429)]
    TooMany(wire::Problems),
    /// The token or the index cannot be used now; see Retry-After
    #[response(status = 503)]
    Unavailable(wire::Problems),
}

/// What a call with a body may be answered besides.
#[derive(IntoResponses)]
#[expect(dead_code, reason = "read by the derive macro")]
pub(super) enum WithBody {
    /// The body did not arrive in time
    #[response(status = 408)]
    TimedOut(wire::Problems),
    /// The body is larger than 64 KiB
    #[response(status = 413)]
    TooLarge(wire::Problems),
    /// The body is not JSON
    #[response(status = 415)]
    NotJson(wire::Problems),
}

/// What a call about one thing may be answered besides.
#[derive(IntoResponses)]
#[expect(dead_code, reason = "read by the derive macro")]
pub(super) enum OfOne {
    /// There is no such thing in this tenant
    #[response(status = 404)]
    NotFound(wire::Problems),
}

/// 404 for a place that the configuration does not have for this tenant.
pub(super) fn no_such_place(what: &str, reference: &str) -> Failure {
    let detail = format!("there is no {what} {reference}");
    Failure::new(StatusCode::NOT_FOUND, NO_SUCH_PLACE, detail)
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
    let code = match failure.code() {
        NO_SUCH_PLACE => PLACE_NOT_FOUND,
        _ => OURS + u32::from(status.as_u16()),
    };
    let errors = match failure.invalid_fields() {
        [] => vec![problem(code, failure.detail().to_owned(), Vec::new())],
        broken => broken.iter().map(|broken| broken_rule(code, broken)).collect(),
    };
    let mut response = (status, Json(wire::Problems { errors })).into_response();
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

/// The vendor's clients know no 422: whatever is wrong with what was sent is 400.
fn status_of(failure: &Failure) -> StatusCode {
    match failure.status() {
        StatusCode::UNPROCESSABLE_ENTITY => StatusCode::BAD_REQUEST,
        status => status,
    }
}

/// Names the rule and the field in the vendor's words.
fn broken_rule(code: u32, broken: &Invalid) -> wire::Problem {
    let field = match broken.field.as_str() {
        "csr" => "certificateSigningRequest",
        "validity_days" => "validityPeriod",
        "template" => "certificateIssuingTemplateId",
        "key" | "key.kind" => "keyTypeParameters",
        other => other,
    };
    let named = Invalid { field: field.to_owned(), ..broken.clone() };
    let message = match &broken.rule {
        Some(rule) => format!("{rule}: {named}"),
        None => named.to_string(),
    };
    let args = [Some(named.field), broken.rule.clone()].into_iter().flatten().collect();
    problem(code, message, args)
}

fn problem(code: u32, message: String, args: Vec<String>) -> wire::Problem {
    wire::Problem { code, message, args }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::app;

    async fn body(failure: Failure) -> (u16, serde_json::Value) {
        let response = render(failure);
        let status = response.status().as_u16();
        let bytes = axum::body::to_bytes(response.into_body(), 10_000).await.unwrap();
        (status, serde_json::from_slice(&bytes).unwrap())
    }

    #[tokio::test]
    async fn each_broken_rule_is_an_error_with_its_name() {
        let rule = |field: &str, rule: &str| Invalid {
            rule: Some(rule.to_owned()),
            ..Invalid::new(field, "is not allowed")
        };
        let broken = vec![rule("subject", "subject.cn.pattern"), rule("validity_days", "validity.too-long")];
        let (status, told) = body(app::Error::refused("policy.refused", broken).into()).await;
        assert_eq!(status, 400);
        assert_eq!(
            told["errors"],
            serde_json::json!([
                { "code": 90_400, "message": "subject.cn.pattern: subject: is not allowed",
                  "args": ["subject", "subject.cn.pattern"] },
                { "code": 90_400, "message": "validity.too-long: validityPeriod: is not allowed",
                  "args": ["validityPeriod", "validity.too-long"] },
            ])
        );
    }

    #[tokio::test]
    async fn a_place_that_is_not_there_has_the_number_that_clients_know() {
        let (status, told) = body(no_such_place("application", "Shop")).await;
        let error =
            serde_json::json!({ "code": 10_051, "message": "there is no application Shop", "args": [] });
        assert_eq!((status, &told["errors"][0]), (404, &error));
        assert_eq!(body(Failure::unauthenticated()).await.1["errors"][0]["code"], 90_401);
    }
}
