//! Operations under four eyes: what is proposed, and by whom it is approved.

use axum::Json;
use axum::extract::{Path, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};

use super::problem::{ByHandle, EveryCall, PROBLEM, WithBody};
use super::{convert, key_life};
use crate::api;
use crate::app::Caller;
use crate::app::proposals::{Done, Effect, Operation};
use crate::http::Context;
use crate::http::error::Failure;
use crate::http::permit::{Permit, PermittedBody, needs};
use crate::http::uninterrupted::uninterrupted;

/// Whoever is known; the use case looks at what the operation needs.
type Known = Permit<needs::AnyPrincipal>;

/// The newest proposals that concern the caller: he could do what they propose, or audits.
#[utoipa::path(
    get, path = "/proposals", tag = "proposals", operation_id = "listProposals",
    responses(
        (status = 200, description = "At most 200, newest first", body = api::Proposals),
        EveryCall,
    )
)]
pub(super) async fn list(
    State(context): State<Context>,
    permit: Known,
) -> Result<Json<api::Proposals>, Failure> {
    let proposals = context.app.proposals(&permit.caller).await?;
    Ok(Json(api::Proposals { items: proposals.iter().map(convert::approval::proposal).collect() }))
}

/// Approve a proposal of somebody else: it is done at once. It counts once, whatever comes of it.
#[utoipa::path(
    post, path = "/proposals/{handle}/approve", tag = "proposals", operation_id = "approveProposal",
    params(("handle" = String, Path, description = "The proposal")),
    request_body = Option<api::Approve>,
    responses(
        (status = 200, description = "Done", body = api::Proposal),
        (status = 409, description = "It was decided, it is too late, it is not what was looked at, or it cannot be done any more", body = api::Problem, content_type = PROBLEM),
        (status = 415, description = "The body is not JSON", body = api::Problem, content_type = PROBLEM),
        (status = 502, description = "The token refused", body = api::Problem, content_type = PROBLEM),
        (status = 504, description = "The token was lost in the act", body = api::Problem, content_type = PROBLEM),
        ByHandle,
        EveryCall,
        WithBody,
    )
)]
pub(super) async fn approve(
    State(context): State<Context>,
    _: Known,
    Path(handle): Path<String>,
    body: PermittedBody<Known>,
) -> Result<Json<api::Proposal>, Failure> {
    let handle = convert::handle("handle", &handle)?;
    let asked = if body.bytes.is_empty() { api::Approve::default() } else { body.json()? };
    let seen = convert::approval::seen(&asked)?;
    uninterrupted(async move {
        let proposal = context.app.approve_proposal(&body.permit.caller, handle, seen).await?;
        Ok(Json(convert::approval::proposal(&proposal)))
    })
    .await
}

/// Reject a proposal of somebody else.
#[utoipa::path(
    post, path = "/proposals/{handle}/reject", tag = "proposals", operation_id = "rejectProposal",
    params(("handle" = String, Path, description = "The proposal")),
    request_body = api::Reject,
    responses(
        (status = 200, description = "Rejected", body = api::Proposal),
        (status = 409, description = "It was decided, or it is too late", body = api::Problem, content_type = PROBLEM),
        (status = 415, description = "The body is not JSON", body = api::Problem, content_type = PROBLEM),
        ByHandle,
        EveryCall,
        WithBody,
    )
)]
pub(super) async fn reject(
    State(context): State<Context>,
    _: Known,
    Path(handle): Path<String>,
    body: PermittedBody<Known>,
) -> Result<Json<api::Proposal>, Failure> {
    let handle = convert::handle("handle", &handle)?;
    let asked: api::Reject = body.json()?;
    uninterrupted(async move {
        let proposal = context.app.reject_proposal(&body.permit.caller, handle, &asked.reason).await?;
        Ok(Json(convert::approval::proposal(&proposal)))
    })
    .await
}

/// What came of an operation: its result, or 202 when somebody else has to approve it.
pub(super) async fn undertaken(
    context: &Context,
    caller: &Caller,
    operation: Operation,
) -> Result<Response, Failure> {
    Ok(match context.app.undertake(caller, operation).await? {
        Done::Now(Effect::KeyDestroyed(key)) => {
            let key = context.app.living_key(caller, key.handle).await?;
            Json(key_life::view(context, &key)).into_response()
        }
        Done::Now(Effect::Wiped(keys)) => Json(api::Wiped { keys }).into_response(),
        Done::Now(Effect::PinTriedAgain) => StatusCode::NO_CONTENT.into_response(),
        Done::Now(Effect::ProbeOverridden(acceptance)) => {
            Json(convert::probe::acceptance(&acceptance)).into_response()
        }
        Done::Proposed(proposal) => {
            let location = format!("{}/proposals/{}", api::PREFIX, proposal.handle);
            let body = Json(convert::approval::proposal(&proposal));
            (StatusCode::ACCEPTED, [(header::LOCATION, location)], body).into_response()
        }
    })
}
