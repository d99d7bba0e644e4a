//! Keys.

use axum::Json;
use axum::extract::{Path, Query, State};
use axum::response::Response;

use super::convert;
use super::csrs::{limit, query_of};
use super::key_life::view;
use super::problem::{ByHandle, EveryCall, PROBLEM};
use super::proposals::undertaken;
use crate::api;
use crate::app::proposals::Operation;
use crate::domain::invalid::Invalid;
use crate::http::Context;
use crate::http::error::Failure;
use crate::http::permit::{Permit, needs};
use crate::http::uninterrupted::uninterrupted;

/// List keys, newest first.
#[utoipa::path(
    get, path = "/keys", tag = "keys", operation_id = "listKeys",
    params(api::ListKeys),
    responses(
        (status = 200, description = "A page", body = api::KeyPage),
        (status = 400, description = "A parameter breaks a rule", body = api::Problem, content_type = PROBLEM),
        EveryCall,
    )
)]
pub(super) async fn list(
    State(context): State<Context>,
    permit: Permit<needs::KeyRead>,
    query: Result<Query<api::ListKeys>, axum::extract::rejection::QueryRejection>,
) -> Result<Json<api::KeyPage>, Failure> {
    let query = query_of(query)?;
    let after = query.cursor.map(|cursor| convert::handle("cursor", &cursor)).transpose()?;
    let life = query.life.map(|life| life.parse().map_err(|reason: String| Invalid::new("life", reason)));
    let page = context.app.living_keys(&permit.caller, life.transpose()?, after, limit(query.limit)?).await?;
    let items = page.items.iter().map(|key| view(&context, key)).collect();
    Ok(Json(api::KeyPage { items, next_cursor: page.next.map(|handle| handle.to_string()) }))
}

/// Show a key.
#[utoipa::path(
    get, path = "/keys/{handle}", tag = "keys", operation_id = "getKey",
    params(("handle" = String, Path, description = "The key")),
    responses(
        (status = 200, description = "The key", body = api::Key),
        ByHandle,
        EveryCall,
    )
)]
pub(super) async fn show(
    State(context): State<Context>,
    permit: Permit<needs::KeyRead>,
    Path(handle): Path<String>,
) -> Result<Json<api::Key>, Failure> {
    let key = context.app.living_key(&permit.caller, convert::handle("handle", &handle)?).await?;
    Ok(Json(view(&context, &key)))
}

/// Destroy a key on its token. A key that is missing there is written off.
#[utoipa::path(
    delete, path = "/keys/{handle}", tag = "keys", operation_id = "destroyKey",
    params(("handle" = String, Path, description = "The key")),
    responses(
        (status = 200, description = "Destroyed", body = api::Key),
        (status = 202, description = "Proposed: somebody else has to approve it, at Location", body = api::Proposal),
        (status = 409, description = "A live signing request uses it, or it is destroyed already", body = api::Problem, content_type = PROBLEM),
        (status = 502, description = "The token refused", body = api::Problem, content_type = PROBLEM),
        (status = 504, description = "Decided and recorded; the token was lost in the act", body = api::Problem, content_type = PROBLEM),
        ByHandle,
        EveryCall,
    )
)]
pub(super) async fn destroy(
    State(context): State<Context>,
    permit: Permit<needs::KeyDestroy>,
    Path(handle): Path<String>,
) -> Result<Response, Failure> {
    let key = convert::handle("handle", &handle)?;
    uninterrupted(async move { undertaken(&context, &permit.caller, Operation::DestroyKey { key }).await })
        .await
}
