//! Probes of tokens, and what an operator lets pass.

use axum::Json;
use axum::extract::{Path, State};
use axum::http::StatusCode;

use super::convert;
use super::problem::{EveryCall, PROBLEM, WithBody};
use crate::api;
use crate::app::Error;
use crate::http::Context;
use crate::http::error::Failure;
use crate::http::permit::{Permit, PermittedBody, needs};
use crate::http::uninterrupted::uninterrupted;

/// The right to run tokens.
type Operating = Permit<needs::TokenOperate>;

/// Try what a token can do: make a throw-away key of each kind, sign with it, try to get it out, destroy
/// it. A leak counts against the token from then on.
#[utoipa::path(
    post, path = "/tokens/{name}/probe", tag = "tokens", operation_id = "probeToken",
    params(("name" = String, Path, description = "The configured name of the token")),
    request_body = Option<api::ProbeKinds>,
    responses(
        (status = 200, description = "What was found, leak or not", body = api::Probe),
        (status = 400, description = "No such key kind", body = api::Problem, content_type = PROBLEM),
        (status = 404, description = "There is no such token", body = api::Problem, content_type = PROBLEM),
        (status = 415, description = "The body is not JSON", body = api::Problem, content_type = PROBLEM),
        (status = 502, description = "The token refused", body = api::Problem, content_type = PROBLEM),
        (status = 504, description = "The token was lost in the act", body = api::Problem, content_type = PROBLEM),
        EveryCall,
        WithBody,
    )
)]
pub(super) async fn probe(
    State(context): State<Context>,
    _: Operating,
    Path(name): Path<String>,
    body: PermittedBody<Operating>,
) -> Result<Json<api::Probe>, Failure> {
    let asked = if body.bytes.is_empty() { api::ProbeKinds::default() } else { body.json()? };
    let kinds = convert::probe::kinds(asked).map_err(Error::invalid)?;
    uninterrupted(async move {
        let (info, probes) = context.app.probe(&body.permit.caller, &name, kinds).await?;
        Ok(Json(convert::probe::probe(&name, &info, &probes)))
    })
    .await
}

/// Let a token in although it lets keys out. Holds for this module and for the leaks that are known now;
/// every answer about a key on the token says so from then on.
#[utoipa::path(
    post, path = "/tokens/{name}/probe-override", tag = "tokens", operation_id = "acceptLeaks",
    params(("name" = String, Path, description = "The configured name of the token")),
    request_body = api::AcceptLeaks,
    responses(
        (status = 200, description = "Accepted, and recorded in the audit log", body = api::Acceptance),
        (status = 400, description = "Without a reason", body = api::Problem, content_type = PROBLEM),
        (status = 404, description = "There is no such token", body = api::Problem, content_type = PROBLEM),
        (status = 409, description = "The token has failed no probe", body = api::Problem, content_type = PROBLEM),
        (status = 415, description = "The body is not JSON", body = api::Problem, content_type = PROBLEM),
        EveryCall,
        WithBody,
    )
)]
pub(super) async fn accept(
    State(context): State<Context>,
    _: Operating,
    Path(name): Path<String>,
    body: PermittedBody<Operating>,
) -> Result<Json<api::Acceptance>, Failure> {
    let asked: api::AcceptLeaks = body.json()?;
    uninterrupted(async move {
        let acceptance = context.app.accept_leaks(&body.permit.caller, &name, &asked.reason).await?;
        Ok(Json(convert::probe::acceptance(&acceptance)))
    })
    .await
}

/// Take back what was accepted. The token is refused from then on; keys that were made keep their warning.
#[utoipa::path(
    delete, path = "/tokens/{name}/probe-override", tag = "tokens", operation_id = "withdrawAcceptance",
    params(("name" = String, Path, description = "The configured name of the token")),
    responses(
        (status = 204, description = "Withdrawn"),
        (status = 404, description = "There is no such token", body = api::Problem, content_type = PROBLEM),
        (status = 409, description = "Nothing is accepted", body = api::Problem, content_type = PROBLEM),
        EveryCall,
    )
)]
pub(super) async fn withdraw(
    State(context): State<Context>,
    permit: Operating,
    Path(name): Path<String>,
) -> Result<StatusCode, Failure> {
    uninterrupted(async move {
        context.app.withdraw_acceptance(&permit.caller, &name).await?;
        Ok(StatusCode::NO_CONTENT)
    })
    .await
}
