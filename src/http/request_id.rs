//! The outermost layer: gives each HTTP request an id, and logs its failure once.

use axum::extract::{MatchedPath, Request};
use axum::http::HeaderValue;
use axum::middleware::Next;
use axum::response::Response;

use super::error::Failure;

/// Header that carries the id back.
const HEADER: &str = "x-request-id";

/// Names an HTTP request: in the log, in the answer's header and in a failure's body.
#[derive(Clone, Debug)]
pub struct RequestId(pub String);

pub(super) async fn layer(mut request: Request, next: Next) -> Response {
    let id = uuid::Uuid::now_v7().to_string();
    let method = request.method().clone();
    let route = request.extensions().get::<MatchedPath>().map(|path| path.as_str().to_owned());
    request.extensions_mut().insert(RequestId(id.clone()));
    let mut response = next.run(request).await;
    if let Some(failure) = response.extensions().get::<Failure>() {
        log(failure, &id, method.as_str(), route.as_deref().unwrap_or("-"));
    }
    if let Ok(value) = HeaderValue::from_str(&id) {
        response.headers_mut().insert(HEADER, value);
    }
    response
}

fn log(failure: &Failure, id: &str, method: &str, route: &str) {
    let (status, code) = (failure.status().as_u16(), failure.code());
    if failure.status().is_server_error() {
        let (detail, cause) = (failure.detail(), failure.cause());
        tracing::error!(request.id = id, method, route, status, code, detail, cause, "request failed");
    } else {
        tracing::debug!(request.id = id, method, route, status, code, "request refused");
    }
}
