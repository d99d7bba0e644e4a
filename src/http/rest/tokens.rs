//! Tokens and slots.

use axum::Json;
use axum::extract::{Path, State};
use axum::response::Response;

use super::convert;
use super::problem::{EveryCall, PROBLEM, WithBody};
use super::proposals::undertaken;
use crate::api;
use crate::app::proposals::Operation;
use crate::http::Context;
use crate::http::error::Failure;
use crate::http::permit::{Permit, PermittedBody, needs};
use crate::http::uninterrupted::uninterrupted;

/// Every configured token.
#[utoipa::path(
    get, path = "/tokens", tag = "tokens", operation_id = "listTokens",
    responses(
        (status = 200, description = "The tokens", body = api::Tokens),
        EveryCall,
    )
)]
pub(super) async fn list(
    State(context): State<Context>,
    _: Permit<needs::TokenRead>,
) -> Result<Json<api::Tokens>, Failure> {
    let tokens = context.app.tokens().await?;
    Ok(Json(api::Tokens { items: tokens.iter().map(convert::token).collect() }))
}

/// The slots that the module of a token shows, also those of other tokens and free ones.
#[utoipa::path(
    get, path = "/tokens/{name}/slots", tag = "tokens", operation_id = "listSlots",
    params(("name" = String, Path, description = "The configured name of the token")),
    responses(
        (status = 200, description = "The slots", body = api::Slots),
        (status = 404, description = "There is no such token", body = api::Problem, content_type = PROBLEM),
        (status = 502, description = "The token refused", body = api::Problem, content_type = PROBLEM),
        EveryCall,
    )
)]
pub(super) async fn slots(
    State(context): State<Context>,
    _: Permit<needs::TokenRead>,
    Path(name): Path<String>,
) -> Result<Json<api::Slots>, Failure> {
    let slots = context.app.slots(&name).await?;
    Ok(Json(api::Slots { items: slots.iter().map(convert::slot).collect() }))
}

/// Hold the journal against a token now, and not only at the next of its turns.
#[utoipa::path(
    post, path = "/tokens/{name}/reconcile", tag = "tokens", operation_id = "reconcileToken",
    params(("name" = String, Path, description = "The configured name of the token")),
    responses(
        (status = 200, description = "What was found", body = api::Inventory),
        (status = 404, description = "There is no such token", body = api::Problem, content_type = PROBLEM),
        (status = 502, description = "The token refused", body = api::Problem, content_type = PROBLEM),
        (status = 504, description = "The token was lost in the act", body = api::Problem, content_type = PROBLEM),
        EveryCall,
    )
)]
pub(super) async fn reconcile(
    State(context): State<Context>,
    _: Permit<needs::TokenOperate>,
    Path(name): Path<String>,
) -> Result<Json<api::Inventory>, Failure> {
    uninterrupted(async move {
        let (at, report) = context.app.reconcile_now(&name).await?;
        Ok(Json(convert::inventory(at, &report)))
    })
    .await
}

/// Destroy every key of ours on a token, but the sentinel. What is not ours is not touched.
#[utoipa::path(
    post, path = "/tokens/{name}/wipe", tag = "tokens", operation_id = "wipeToken",
    params(("name" = String, Path, description = "The configured name of the token")),
    request_body = Option<api::Wipe>,
    responses(
        (status = 200, description = "Wiped", body = api::Wiped),
        (status = 202, description = "Proposed: somebody else has to approve it, at Location", body = api::Proposal),
        (status = 400, description = "The body is not such a document", body = api::Problem, content_type = PROBLEM),
        (status = 404, description = "There is no such token", body = api::Problem, content_type = PROBLEM),
        (status = 409, description = "Live signing requests use keys there", body = api::Problem, content_type = PROBLEM),
        (status = 415, description = "The body is not JSON", body = api::Problem, content_type = PROBLEM),
        (status = 502, description = "The token refused", body = api::Problem, content_type = PROBLEM),
        (status = 504, description = "Decided and recorded; the token was lost in the act", body = api::Problem, content_type = PROBLEM),
        EveryCall,
        WithBody,
    )
)]
pub(super) async fn wipe(
    State(context): State<Context>,
    _: Permit<needs::TokenOperate>,
    Path(token): Path<String>,
    body: PermittedBody<Permit<needs::TokenOperate>>,
) -> Result<Response, Failure> {
    let api::Wipe { force } = if body.bytes.is_empty() { api::Wipe::default() } else { body.json()? };
    uninterrupted(async move {
        undertaken(&context, &body.permit.caller, Operation::WipeSlot { token, force }).await
    })
    .await
}

/// Have the PIN of a token tried once more that was refused, or not answered. A wrong one costs one of the
/// token's tries.
#[utoipa::path(
    post, path = "/tokens/{name}/breaker/reset", tag = "tokens", operation_id = "resetPinBreaker",
    params(("name" = String, Path, description = "The configured name of the token")),
    responses(
        (status = 202, description = "Proposed: somebody else has to approve it, at Location", body = api::Proposal),
        (status = 204, description = "It is tried; `GET /tokens` tells what comes of it"),
        (status = 404, description = "There is no such token", body = api::Problem, content_type = PROBLEM),
        (status = 409, description = "The PIN is not what keeps the token down", body = api::Problem, content_type = PROBLEM),
        EveryCall,
    )
)]
pub(super) async fn reset_breaker(
    State(context): State<Context>,
    permit: Permit<needs::TokenOperate>,
    Path(token): Path<String>,
) -> Result<Response, Failure> {
    uninterrupted(
        async move { undertaken(&context, &permit.caller, Operation::ResetPinBreaker { token }).await },
    )
    .await
}
