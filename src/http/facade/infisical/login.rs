//! The routes without a credential: whether the service is there, and universal auth, by which a machine identity
//! gets an access token.

use std::net::IpAddr;

use axum::Json;
use axum::extract::{FromRequestParts, State};
use axum::http::request::Parts;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde_json::Value;

use super::entry::{self, Pair};
use super::error::{EveryCall, Refused, WithBody};
use super::issues::{Fields, Issue};
use super::{Surface, wire};
use crate::auth::Presented;
use crate::auth::access_token;
use crate::http::error::Failure;
use crate::http::peer::Peer;
use crate::http::permit::PermittedBody;

const FORM: &str = "application/x-www-form-urlencoded";

/// A login that may be tried: not too many failed from there.
pub(super) struct Attempt {
    from: Option<IpAddr>,
}

impl FromRequestParts<Surface> for Attempt {
    type Rejection = Failure;

    async fn from_request_parts(parts: &mut Parts, surface: &Surface) -> Result<Self, Failure> {
        let from = parts.extensions.get::<Peer>().and_then(Peer::ip);
        if let Some(Err(wait)) = from.map(|from| surface.context.limits.may_log_in(from)) {
            let detail = "too many logins failed from this address; credentials are not looked at";
            return Err(Failure::too_many("limit.logins", detail, wait));
        }
        Ok(Self { from })
    }
}

/// Whether the service is there.
#[utoipa::path(
    get, path = "/status", tag = "status", operation_id = "getStatus", security(()),
    responses((status = 200, description = "It is", body = wire::Status))
)]
pub(super) async fn status(State(surface): State<Surface>) -> Json<wire::Status> {
    Json(wire::Status { date: surface.context.authenticator.now().to_string(), message: "Ok" })
}

/// Log in with universal auth: the client id is the name of a principal or the handle of a Basic credential of his,
/// the client secret is that credential's generated secret.
#[utoipa::path(
    post, path = "/v1/auth/universal-auth/login", tag = "auth", operation_id = "loginWithUniversalAuth", security(()),
    request_body(content((wire::Login = "application/json"), (wire::Login = "application/x-www-form-urlencoded"))),
    responses(
        (status = 200, description = "An access token for an hour", body = wire::Granted),
        EveryCall,
        WithBody,
    )
)]
pub(super) async fn login(
    State(surface): State<Surface>,
    body: PermittedBody<Attempt>,
) -> Result<Response, Refused> {
    let context = &surface.context;
    let Pair { id, secret } = pair(&body)?;
    let version = context.app.access_version();
    let known = context.authenticator.identify(version, Presented::Client(&id, &secret)).await;
    let Some(identity) = known.map_err(Failure::from)? else {
        if let Some(from) = body.permit.from {
            context.limits.failed_login(from);
        }
        let failure = Failure::new(StatusCode::UNAUTHORIZED, "auth.unauthenticated", "Invalid credentials");
        return Err(failure.into());
    };
    context.limits.request(identity.principal).map_err(|wait| {
        Failure::too_many("limit.requests", "this principal sends too many requests; slow down", wait)
    })?;
    let now = context.authenticator.now();
    let token = surface.settings.tokens.issue(identity.credential, now).map_err(Failure::from)?;
    let granted = wire::Granted {
        access_token: token.as_str(),
        expires_in: access_token::LIFETIME,
        access_token_max_ttl: access_token::LIFETIME,
        token_type: "Bearer",
    };
    let mut response = Json(granted).into_response();
    response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    Ok(response)
}

/// The SDKs send JSON, the vendor's issuer for Kubernetes a form.
fn pair(body: &PermittedBody<Attempt>) -> Result<Pair, Refused> {
    let mut fields = if body.media_type().as_deref() == Some(FORM) {
        let pairs = form_urlencoded::parse(&body.bytes);
        Fields::of(
            pairs.map(|(name, value)| (name.into_owned(), Value::String(value.into_owned()))).collect(),
        )?
    } else {
        Fields::of(entry::json(body)?)?
    };
    let pair =
        Pair { id: fields.required_text("clientId"), secret: fields.required_text("clientSecret").into() };
    fields.finish(pair).map_err(|issues: Vec<Issue>| issues.into())
}
