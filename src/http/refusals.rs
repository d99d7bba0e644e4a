//! The one place where what is refused goes on record: what a caller without a credential or permission
//! asked for, and whatever was to change something and was not done.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use axum::extract::{MatchedPath, Request, State};
use axum::http::{Method, StatusCode};
use axum::middleware::Next;
use axum::response::Response;
use serde_json::json;

use super::error::Failure;
use super::peer::Peer;
use super::request_id::RequestId;
use crate::app::App;
use crate::domain::access::secret;
use crate::domain::audit::{Actor, Refusal};

/// How long an answer waits for its record, which takes some milliseconds. Where the index is held up,
/// the record is written when it comes back.
const PATIENCE: Duration = Duration::from_millis(500);

/// Longest value of a path that goes on record.
const LONGEST_SUBJECT: usize = 64;

/// Who a request was found to be of: told by its permit, read when it was refused.
#[derive(Clone, Debug, Default)]
pub struct FoundOut(Arc<Mutex<Option<Actor>>>);

impl FoundOut {
    /// It is of this one.
    pub fn is(&self, actor: Actor) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(actor);
    }

    fn take(&self) -> Option<Actor> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}

pub(super) async fn layer(State(app): State<App>, mut request: Request, next: Next) -> Response {
    let found = FoundOut::default();
    request.extensions_mut().insert(found.clone());
    let Some(route) = request.extensions().get::<MatchedPath>().map(|route| route.as_str().to_owned()) else {
        return next.run(request).await;
    };
    let (method, path) = (request.method().clone(), request.uri().path().to_owned());
    let from = request.extensions().get::<Peer>().map(ToString::to_string).unwrap_or_default();
    let id = request.extensions().get::<RequestId>().map(|id| id.0.clone()).unwrap_or_default();
    let response = next.run(request).await;
    if !goes_on_record(&method, response.status()) {
        return response;
    }
    let actor = found.take();
    let refusal = Refusal {
        action: format!("{method} {route}"),
        subject: actor.as_ref().map(|_| subject(&route, &path)).unwrap_or_default(),
        reason: reason(response.extensions().get::<Failure>()),
        detail: json!({ "status": response.status().as_u16() }),
    };
    let actor = actor.unwrap_or(Actor::Unknown { from, request: id });
    // In a task of its own: a client that hangs up does not keep his refusal off the record.
    let recorded = tokio::spawn(async move {
        if let Err(error) = app.refused(actor, refusal).await {
            tracing::error!(%error, "a refusal is not on record yet");
        }
    });
    let _ = tokio::time::timeout(PATIENCE, recorded).await;
    response
}

fn goes_on_record(method: &Method, status: StatusCode) -> bool {
    match status {
        StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => true,
        // No route has that method.
        StatusCode::METHOD_NOT_ALLOWED => false,
        _ => !method.is_safe() && (status.is_client_error() || status.is_server_error()),
    }
}

/// The code, and the message where none repeats what the client sent: that may be a name, or a secret
/// in the wrong place. Otherwise the fields that break a rule, which are our own words.
fn reason(failure: Option<&Failure>) -> String {
    let Some(failure) = failure else { return "idempotency.replayed".to_owned() };
    let (code, status) = (failure.code(), failure.status());
    let is_ours = status.is_server_error()
        || matches!(
            status,
            StatusCode::UNAUTHORIZED
                | StatusCode::FORBIDDEN
                | StatusCode::CONFLICT
                | StatusCode::TOO_MANY_REQUESTS
        );
    if is_ours {
        return format!("{code}: {}", failure.detail());
    }
    // The name of a field that a body should not have is the client's word.
    if code == "body.invalid" || failure.invalid_fields().is_empty() {
        return code.to_owned();
    }
    let fields: Vec<_> = failure.invalid_fields().iter().map(|invalid| invalid.field.as_str()).collect();
    format!("{code}: {}", fields.join(", "))
}

/// What stands in a path where its route has a parameter, if it looks like a handle or a name, and not
/// like an API key that somebody wants to revoke by itself.
fn subject(route: &str, path: &str) -> String {
    let parameters = route.split('/').zip(path.split('/')).filter(|(segment, _)| segment.starts_with('{'));
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.@".contains(&byte);
    let is_name =
        |text: &&str| text.len() <= LONGEST_SUBJECT && text.bytes().all(plain) && !secret::may_be_one(text);
    parameters.map(|(_, value)| value).filter(is_name).collect::<Vec<_>>().join("/")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::invalid::Invalid;

    #[test]
    fn what_changes_nothing_is_on_record_only_for_want_of_a_right() {
        let on_record =
            |method: Method, status| goes_on_record(&method, StatusCode::from_u16(status).unwrap());
        for status in [400, 404, 409, 422, 429, 500, 503] {
            assert!(on_record(Method::DELETE, status) && !on_record(Method::GET, status), "{status}");
        }
        for status in [401, 403] {
            assert!(on_record(Method::GET, status) && on_record(Method::POST, status));
        }
        assert!(!on_record(Method::POST, 201) && !on_record(Method::POST, 405));
    }

    #[test]
    fn a_reason_repeats_nothing_that_the_client_sent() {
        let sent = Invalid::new("sans[0]", "`www.example.com` is not allowed");
        assert_eq!(reason(Some(&sent.into())), "input.invalid: sans[0]");
        let detail = "the body: unknown field `hunter2`";
        let body = Failure::new(StatusCode::BAD_REQUEST, "body.invalid", detail);
        assert_eq!(reason(Some(&body.with_field(Invalid::new("hunter2", "unknown")))), "body.invalid");
        let denied = reason(Some(&Failure::unauthenticated()));
        assert!(denied.starts_with("auth.unauthenticated: a known API key"), "{denied}");
    }

    #[test]
    fn the_subject_is_what_the_route_names() {
        assert_eq!(subject("/keys/{handle}", "/keys/019aa5b2"), "019aa5b2");
        assert_eq!(subject("/p/{principal}/grants/{role}", "/p/alice/grants/admin"), "alice/admin");
        assert_eq!(subject("/keys/{handle}", "/keys/%00secret"), "");
        assert_eq!(subject("/credentials/{handle}", "/credentials/srk_secret"), "");
        assert_eq!(subject("/csrs", "/csrs"), "");
    }
}
