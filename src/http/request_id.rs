//! The outermost layer: gives each HTTP request an id, writes the problem document of a failure,
//! and logs it once.

use axum::Json;
use axum::extract::{MatchedPath, Request};
use axum::http::{HeaderValue, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};

use super::error::Failure;

/// Header that carries the id back.
const HEADER: &str = "x-request-id";

pub(super) async fn name_and_render(request: Request, next: Next) -> Response {
    let id = uuid::Uuid::now_v7().to_string();
    let method = request.method().clone();
    let route = request.extensions().get::<MatchedPath>().map(|path| path.as_str().to_owned());
    let mut response = next.run(request).await;

    // axum's own rejections (a malformed query or path) carry no failure yet.
    let failure = match response.extensions_mut().remove::<Failure>() {
        Some(failure) => Some(failure),
        None if response.status().is_client_error() || response.status().is_server_error() => {
            Some(from_rejection(response.status()))
        }
        None => None,
    };
    if let Some(failure) = failure {
        log(&failure, &id, method.as_str(), route.as_deref().unwrap_or("-"));
        response = render(&failure, id.clone());
    }
    if let Ok(value) = HeaderValue::from_str(&id) {
        response.headers_mut().insert(HEADER, value);
    }
    response
}

fn from_rejection(status: StatusCode) -> Failure {
    match status {
        StatusCode::METHOD_NOT_ALLOWED => Failure::method_not_allowed(),
        StatusCode::NOT_FOUND => Failure::no_such_route(),
        status => Failure::new(status, "request.malformed", "the request is malformed"),
    }
}

fn render(failure: &Failure, id: String) -> Response {
    let mut response = (failure.status, Json(failure.document(id))).into_response();
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
    if let Some(wait) = failure.retry_after {
        headers.insert(header::RETRY_AFTER, HeaderValue::from(wait.as_secs().max(1)));
    }
    if let Some(location) = failure.location.as_deref().and_then(|text| HeaderValue::from_str(text).ok()) {
        headers.insert(header::LOCATION, location);
    }
    if failure.status == StatusCode::UNAUTHORIZED {
        headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer realm=\"strongroom\""));
    }
    response
}

fn log(failure: &Failure, id: &str, method: &str, route: &str) {
    let status = failure.status.as_u16();
    if failure.status.is_server_error() {
        let cause = failure.cause();
        tracing::error!(request.id = id, method, route, status, code = failure.code, detail = failure.detail, cause, "request failed");
    } else {
        tracing::debug!(request.id = id, method, route, status, code = failure.code, "request refused");
    }
}
