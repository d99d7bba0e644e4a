//! Tokens and slots.

use axum::Json;
use axum::extract::{Path, State};

use super::convert;
use super::problem::{EveryCall, PROBLEM};
use crate::api;
use crate::http::Context;
use crate::http::error::Failure;
use crate::http::permit::{Permit, needs};
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
