//! Approving and rejecting signing requests that wait for somebody else.

use axum::Json;
use axum::extract::{Path, State};
use axum::response::Response;

use super::convert;
use super::create::{made_answer, response};
use super::csrs::view;
use super::problem::{ByHandle, EveryCall, PROBLEM, WithBody};
use crate::api;
use crate::app::produce::Produced;
use crate::http::Context;
use crate::http::error::Failure;
use crate::http::permit::{Permit, PermittedBody, needs};
use crate::http::uninterrupted::uninterrupted;

/// The right to approve.
type Approving = Permit<needs::CsrApprove>;

/// Approve a signing request that waits. Its key is made from then on, whatever happens.
#[utoipa::path(
    post, path = "/csrs/{handle}/approve", tag = "csrs", operation_id = "approveCsr",
    params(("handle" = String, Path, description = "The signing request")),
    request_body = Option<api::Approve>,
    responses(
        (status = 200, description = "Approved, and the CSR for the key that is there is made", body = api::Csr),
        (status = 202, description = "Approved; the key is being made", body = api::Csr, headers(
            ("Location" = String, description = "The signing request"),
        )),
        (status = 409, description = "It does not wait, it is too late, it is not what was asked for any more, or the requester may not ask any more", body = api::Problem, content_type = PROBLEM),
        (status = 415, description = "The body is not JSON", body = api::Problem, content_type = PROBLEM),
        (status = 422, description = "The token has no such key kind", body = api::Problem, content_type = PROBLEM),
        (status = 502, description = "The token refused", body = api::Problem, content_type = PROBLEM),
        (status = 504, description = "The token was lost in the act", body = api::Problem, content_type = PROBLEM),
        ByHandle,
        EveryCall,
        WithBody,
    )
)]
pub(super) async fn approve(
    State(context): State<Context>,
    _: Approving,
    Path(handle): Path<String>,
    body: PermittedBody<Approving>,
) -> Result<Response, Failure> {
    let handle = convert::handle("handle", &handle)?;
    let asked = if body.bytes.is_empty() { api::Approve::default() } else { body.json()? };
    let seen = convert::approval::seen(&asked)?;
    uninterrupted(async move {
        let produced = context.app.approve(&body.permit.caller, handle, seen).await?;
        let is_made = matches!(produced, Produced::Done(_));
        let mut answer = made_answer(&context, produced).await?;
        if is_made {
            // Nothing new has come into being under another address.
            (answer.status, answer.location) = (200, None);
        }
        Ok(response(answer))
    })
    .await
}

/// Reject a signing request that waits.
#[utoipa::path(
    post, path = "/csrs/{handle}/reject", tag = "csrs", operation_id = "rejectCsr",
    params(("handle" = String, Path, description = "The signing request")),
    request_body = api::Reject,
    responses(
        (status = 200, description = "Rejected", body = api::Csr),
        (status = 409, description = "It does not wait, or it is too late", body = api::Problem, content_type = PROBLEM),
        (status = 415, description = "The body is not JSON", body = api::Problem, content_type = PROBLEM),
        ByHandle,
        EveryCall,
        WithBody,
    )
)]
pub(super) async fn reject(
    State(context): State<Context>,
    _: Approving,
    Path(handle): Path<String>,
    body: PermittedBody<Approving>,
) -> Result<Json<api::Csr>, Failure> {
    let handle = convert::handle("handle", &handle)?;
    let asked: api::Reject = body.json()?;
    uninterrupted(async move {
        let request = context.app.reject(&body.permit.caller, handle, &asked.reason).await?;
        Ok(Json(view(&context, &request).await?))
    })
    .await
}
