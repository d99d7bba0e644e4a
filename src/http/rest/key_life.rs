//! The life of keys: retired, taken back, compromised.

use axum::Json;
use axum::extract::{Path, State};

use super::convert;
use super::problem::{ByHandle, EveryCall, PROBLEM, WithBody};
use crate::api;
use crate::app::key_life::LivingKey;
use crate::http::Context;
use crate::http::error::Failure;
use crate::http::permit::{Permit, PermittedBody, needs};
use crate::http::uninterrupted::uninterrupted;

/// Retire a key: it signs nothing more and, where the configuration says so, is destroyed later.
#[utoipa::path(
    post, path = "/keys/{handle}/retire", tag = "keys", operation_id = "retireKey",
    params(("handle" = String, Path, description = "The key")),
    responses(
        (status = 200, description = "Retired; also when it was before", body = api::Key),
        (status = 409, description = "A live signing request uses it, it is a sentinel, or on its way out", body = api::Problem, content_type = PROBLEM),
        ByHandle,
        EveryCall,
    )
)]
pub(super) async fn retire(
    State(context): State<Context>,
    permit: Permit<needs::KeyDestroy>,
    Path(handle): Path<String>,
) -> Result<Json<api::Key>, Failure> {
    let handle = convert::handle("handle", &handle)?;
    uninterrupted(async move {
        let key = context.app.retire_key(&permit.caller, handle).await?;
        Ok(Json(view(&context, &key)))
    })
    .await
}

/// Take a key's retirement back, as long as it is not destroyed.
#[utoipa::path(
    post, path = "/keys/{handle}/unretire", tag = "keys", operation_id = "unretireKey",
    params(("handle" = String, Path, description = "The key")),
    responses(
        (status = 200, description = "As if it had not been retired", body = api::Key),
        (status = 409, description = "It is not retired, or on its way out", body = api::Problem, content_type = PROBLEM),
        ByHandle,
        EveryCall,
    )
)]
pub(super) async fn unretire(
    State(context): State<Context>,
    permit: Permit<needs::KeyDestroy>,
    Path(handle): Path<String>,
) -> Result<Json<api::Key>, Failure> {
    let handle = convert::handle("handle", &handle)?;
    uninterrupted(async move {
        let key = context.app.unretire_key(&permit.caller, handle).await?;
        Ok(Json(view(&context, &key)))
    })
    .await
}

/// Say that somebody else may have a key: it signs nothing more, for ever. The answer names every signing
/// request whose certificate is to be revoked.
#[utoipa::path(
    post, path = "/keys/{handle}/compromise", tag = "keys", operation_id = "compromiseKey",
    params(("handle" = String, Path, description = "The key")),
    request_body = api::CompromiseKey,
    responses(
        (status = 200, description = "On record", body = api::CompromisedKey),
        (status = 409, description = "It is on record already, or it is a sentinel", body = api::Problem, content_type = PROBLEM),
        ByHandle,
        EveryCall,
        WithBody,
    )
)]
pub(super) async fn compromise(
    State(context): State<Context>,
    permit: Permit<needs::KeyDestroy>,
    Path(handle): Path<String>,
    body: PermittedBody<Permit<needs::KeyDestroy>>,
) -> Result<Json<api::CompromisedKey>, Failure> {
    let handle = convert::handle("handle", &handle)?;
    let api::CompromiseKey { reason } = body.json()?;
    uninterrupted(async move {
        let (key, requests) = context.app.compromise_key(&permit.caller, handle, reason).await?;
        let csrs = requests
            .into_iter()
            .map(|(handle, state)| api::UseOfKey { handle: handle.to_string(), status: state.to_string() });
        Ok(Json(api::CompromisedKey { key: view(&context, &key), csrs: csrs.collect() }))
    })
    .await
}

/// A key as it is shown.
pub(super) fn view(context: &Context, living: &LivingKey) -> api::Key {
    let token = context.app.configured_token(&living.key.token);
    let evidence = context.app.evidence_of_key(&living.key);
    convert::key(living, token.as_ref(), evidence)
}
