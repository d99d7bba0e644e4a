//! The outermost layer: gives each HTTP request an id, logs it, logs its failure once, and counts it.

use std::sync::{Arc, OnceLock};
use std::time::Instant;

use axum::extract::{MatchedPath, Request, State};
use axum::http::{HeaderValue, Method};
use axum::middleware::Next;
use axum::response::Response;

use super::error::Failure;
use crate::domain::id::Handle;
use crate::telemetry::metrics::{Answered, Metrics};

/// Header that carries the id back.
const HEADER: &str = "x-request-id";

/// Asked every few seconds by machines: in the log only at `debug`.
const POLLED: [&str; 3] = ["/livez", "/readyz", "/metrics"];

/// Names an HTTP request: in the log, in the answer's header and in a failure's body.
#[derive(Clone, Debug)]
pub struct RequestId(pub String);

/// Who it turned out to be, told by the permit to the layer around it.
#[derive(Clone, Debug, Default)]
pub(super) struct KnownPrincipal(Arc<OnceLock<Handle>>);

impl KnownPrincipal {
    /// One HTTP request has one principal: a second telling changes nothing.
    pub(super) fn tell(&self, principal: Handle) {
        let _ = self.0.set(principal);
    }
}

pub(super) async fn layer(State(metrics): State<Arc<Metrics>>, mut request: Request, next: Next) -> Response {
    let begun = Instant::now();
    let id = uuid::Uuid::now_v7().to_string();
    let method = method_of(request.method());
    let route = request.extensions().get::<MatchedPath>().map(|path| path.as_str().to_owned());
    let route = route.as_deref().unwrap_or("-");
    let known = KnownPrincipal::default();
    request.extensions_mut().insert(RequestId(id.clone()));
    request.extensions_mut().insert(known.clone());
    let mut response = next.run(request).await;
    let failure = response.extensions().get::<Failure>();
    let answered = Answered {
        method,
        status: response.status().as_u16(),
        code: failure.map(Failure::code),
        took: begun.elapsed(),
    };
    metrics.answered(route, answered);
    if let Some(failure) = failure {
        log_failure(failure, &id, method, route);
    }
    log_access(&id, route, known.0.get(), answered);
    if let Ok(value) = HeaderValue::from_str(&id) {
        response.headers_mut().insert(HEADER, value);
    }
    response
}

/// Method, template of the path, status, time and who: no path, no query, nothing of a body.
fn log_access(id: &str, route: &str, principal: Option<&Handle>, answered: Answered) {
    let Answered { method, status, code, took } = answered;
    let principal = principal.map(tracing::field::display);
    let ms = took.as_secs_f64() * 1000.0;
    if POLLED.iter().any(|polled| route.ends_with(polled)) {
        tracing::debug!(request.id = id, method, route, status, code, ms, principal, "answered");
    } else {
        tracing::info!(request.id = id, method, route, status, code, ms, principal, "answered");
    }
}

fn log_failure(failure: &Failure, id: &str, method: &str, route: &str) {
    let (status, code) = (failure.status().as_u16(), failure.code());
    if failure.status().is_server_error() {
        let (detail, cause) = (failure.detail(), failure.cause());
        tracing::error!(request.id = id, method, route, status, code, detail, cause, "request failed");
    } else {
        tracing::debug!(request.id = id, method, route, status, code, "request refused");
    }
}

/// A client can make up methods; a label and a log cannot have them all.
fn method_of(method: &Method) -> &'static str {
    match method.as_str() {
        "GET" => "GET",
        "HEAD" => "HEAD",
        "POST" => "POST",
        "PUT" => "PUT",
        "DELETE" => "DELETE",
        "PATCH" => "PATCH",
        "OPTIONS" => "OPTIONS",
        _ => "OTHER",
    }
}
