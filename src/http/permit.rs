//! Authorised before the body is read: [`Permit`] comes from the headers alone, and the only way to
//! a body is [`PermittedBody`], which has passed it.

use std::time::Duration;

use axum::body::Bytes;
use axum::extract::{FromRequest, FromRequestParts, Request};
use axum::http::request::Parts;
use axum::http::{HeaderMap, StatusCode, header};
use http_body_util::{BodyExt, LengthLimitError, Limited};
use serde::de::DeserializeOwned;

use super::error::Failure;
use super::{BODY_LIMIT, Context};
use crate::auth::Principal;

/// A body must have arrived after so long: a client that trickles holds a connection, not a handler.
const BODY_TIMEOUT: Duration = Duration::from_secs(15);

/// The right to call a handler: the principal is known.
#[derive(Clone, Copy, Debug)]
pub struct Permit {
    /// Who calls.
    pub principal: Principal,
}

impl FromRequestParts<Context> for Permit {
    type Rejection = Failure;

    async fn from_request_parts(parts: &mut Parts, context: &Context) -> Result<Self, Failure> {
        let principal = bearer(&parts.headers)
            .and_then(|secret| context.authenticator.bearer(secret))
            .ok_or_else(Failure::unauthenticated)?;
        Ok(Self { principal })
    }
}

/// The body of a permitted request, whole and within the limit.
#[derive(Debug)]
pub struct PermittedBody {
    /// Who sent it.
    pub permit: Permit,
    /// The bytes.
    pub bytes: Bytes,
    content_type: Option<String>,
}

impl FromRequest<Context> for PermittedBody {
    type Rejection = Failure;

    async fn from_request(request: Request, context: &Context) -> Result<Self, Failure> {
        let (mut parts, body) = request.into_parts();
        let permit = Permit::from_request_parts(&mut parts, context).await?;
        let content_type =
            parts.headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).map(str::to_owned);
        let declared =
            parts.headers.get(header::CONTENT_LENGTH).and_then(|value| value.to_str().ok()?.parse().ok());
        if declared.is_some_and(|length: u64| length > BODY_LIMIT as u64) {
            return Err(too_large());
        }
        let collected = tokio::time::timeout(BODY_TIMEOUT, Limited::new(body, BODY_LIMIT).collect()).await;
        let bytes = match collected {
            Ok(Ok(collected)) => collected.to_bytes(),
            Ok(Err(error)) if error.is::<LengthLimitError>() => return Err(too_large()),
            Ok(Err(_)) => {
                return Err(Failure::new(
                    StatusCode::BAD_REQUEST,
                    "body.cut",
                    "the body ended before its length",
                ));
            }
            Err(_) => {
                let detail = format!("the body did not arrive within {} s", BODY_TIMEOUT.as_secs());
                return Err(Failure::new(StatusCode::REQUEST_TIMEOUT, "body.timeout", detail));
            }
        };
        Ok(Self { permit, bytes, content_type })
    }
}

impl PermittedBody {
    /// The body as JSON.
    ///
    /// # Errors
    /// 415 for another content type; 400 with line and column for what is not such a document.
    pub fn json<T: DeserializeOwned>(&self) -> Result<T, Failure> {
        if let Some(given) = &self.content_type {
            let essence = given.split(';').next().unwrap_or_default().trim();
            if !essence.eq_ignore_ascii_case("application/json") {
                let detail = format!("the body must be application/json, not {essence}");
                return Err(Failure::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, "body.content-type", detail));
            }
        }
        // serde reads a struct from a list of its fields, too; no client means that.
        if self.bytes.trim_ascii_start().first() == Some(&b'[') {
            let detail = "the body: an object is expected, not a list";
            return Err(Failure::new(StatusCode::BAD_REQUEST, "body.invalid", detail));
        }
        serde_json::from_slice(&self.bytes).map_err(|error| {
            Failure::new(StatusCode::BAD_REQUEST, "body.invalid", format!("the body: {error}"))
        })
    }
}

fn bearer(headers: &HeaderMap) -> Option<&str> {
    let value = headers.get(header::AUTHORIZATION)?.to_str().ok()?;
    let (scheme, secret) = value.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| secret.trim())
}

fn too_large() -> Failure {
    let detail = format!("the body is larger than {BODY_LIMIT} bytes");
    Failure::new(StatusCode::PAYLOAD_TOO_LARGE, "body.too-large", detail)
}
