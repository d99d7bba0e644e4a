//! Signing requests; how they are made is in `create`.

use axum::Json;
use axum::extract::{self, Path, Query};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};

use super::accept::{self, Form, Offer, VARY};
use super::convert;
use super::problem::{ByHandle, EveryCall, PROBLEM};
use crate::api;
use crate::app::keys::KeyFate;
use crate::app::{Error, Kind, Order, RequestFilter};
use crate::domain::csr;
use crate::domain::invalid::Invalid;
use crate::domain::key::Key;
use crate::domain::signing_request::{SigningRequest, State};
use crate::http::Context;
use crate::http::error::Failure;
use crate::http::permit::{Permit, needs};
use crate::http::uninterrupted::uninterrupted;

/// How a CSR is shown.
const OFFERS: &[Offer] = &[
    ("application/json", Form::Json),
    ("application/pkcs10", Form::Der),
    ("application/octet-stream", Form::Der),
    ("application/x-pem-file", Form::Pem),
    ("text/plain", Form::Pem),
];
/// Items on a page when the client does not say.
pub(super) const DEFAULT_LIMIT: usize = 50;
/// Most items on a page.
pub(super) const MOST_LIMIT: usize = 200;

/// List signing requests.
#[utoipa::path(
    get, path = "/csrs", tag = "csrs", operation_id = "listCsrs",
    params(api::ListCsrs),
    responses(
        (status = 200, description = "A page", body = api::CsrPage),
        (status = 400, description = "A parameter breaks a rule", body = api::Problem, content_type = PROBLEM),
        EveryCall,
    )
)]
pub(super) async fn list(
    extract::State(context): extract::State<Context>,
    permit: Permit<needs::CsrRead>,
    query: Result<Query<api::ListCsrs>, axum::extract::rejection::QueryRejection>,
) -> Result<Json<api::CsrPage>, Failure> {
    let query = query_of(query)?;
    let filter = RequestFilter {
        tenant: permit.caller.tenant,
        states: query.status.as_deref().map(convert::states).transpose()?.unwrap_or_default(),
        kind: query
            .kind
            .map(|kind| kind.parse().map_err(|error| Invalid::new("kind", format!("{error}"))))
            .transpose()?,
        name_prefix: query.name.filter(|name| !name.is_empty()),
    };
    let order = match query.order.as_deref() {
        None | Some("newest") => Order::NewestFirst,
        Some("oldest") => Order::OldestFirst,
        Some(_) => return Err(Invalid::new("order", "must be `newest` or `oldest`").into()),
    };
    let after = query.cursor.map(|cursor| convert::handle("cursor", &cursor)).transpose()?;
    let page = context.app.signing_requests(filter, order, after, limit(query.limit)?).await?;
    let items = page.items.iter().map(|(request, evidence)| convert::summary(request, evidence)).collect();
    Ok(Json(api::CsrPage { items, next_cursor: page.next.map(|handle| handle.to_string()) }))
}

/// Show a signing request, or give its CSR.
#[utoipa::path(
    get, path = "/csrs/{handle}", tag = "csrs", operation_id = "getCsr",
    params(("handle" = String, Path, description = "The signing request")),
    responses(
        (status = 200, description = "By Accept: JSON, the CSR as DER, or as PEM", content(
            (api::Csr = "application/json"),
            (Vec<u8> = "application/pkcs10"),
            (Vec<u8> = "application/octet-stream"),
            (String = "application/x-pem-file"),
            (String = "text/plain"),
        )),
        (status = 406, description = "None of the types in Accept is offered", body = api::Problem, content_type = PROBLEM),
        (status = 409, description = "The CSR is not made yet, and only JSON can say so", body = api::Problem, content_type = PROBLEM),
        ByHandle,
        EveryCall,
    )
)]
pub(super) async fn show(
    extract::State(context): extract::State<Context>,
    permit: Permit<needs::CsrRead>,
    Path(handle): Path<String>,
    headers: HeaderMap,
) -> Result<Response, Failure> {
    let request = context.app.signing_request(&permit.caller, convert::handle("handle", &handle)?).await?;
    let (media_type, form) = accept::wanted(&headers, OFFERS)?;
    if form == Form::Json {
        return Ok(([VARY], Json(view(&context, &request).await?)).into_response());
    }
    let Some(der) = request.csr else {
        let message = format!("signing request {handle} is {}: it has no CSR", request.state);
        return Err(Error::new(Kind::Conflict, "signing-request.no-csr", message).into());
    };
    let bytes = if form == Form::Pem { csr::pem(&der).into_bytes() } else { der };
    Ok(([VARY, (header::CONTENT_TYPE, media_type)], bytes).into_response())
}

/// Call a signing request off. The answer says what becomes of its key.
#[utoipa::path(
    delete, path = "/csrs/{handle}", tag = "csrs", operation_id = "cancelCsr",
    params(("handle" = String, Path, description = "The signing request")),
    responses(
        (status = 200, description = "Cancelled", body = api::Cancelled),
        (status = 409, description = "It is past that; `state` says where it is", body = api::Problem, content_type = PROBLEM),
        ByHandle,
        EveryCall,
    )
)]
pub(super) async fn cancel(
    extract::State(context): extract::State<Context>,
    permit: Permit<needs::CsrCancel>,
    Path(handle): Path<String>,
) -> Result<Json<api::Cancelled>, Failure> {
    let handle = convert::handle("handle", &handle)?;
    uninterrupted(async move {
        let (request, fate) = context.app.cancel(&permit.caller, handle).await?;
        let key_fate = match fate {
            KeyFate::NoKey => "no-key",
            KeyFate::Destroyed => "destroyed",
            KeyFate::WillBeDestroyed => "will-be-destroyed",
            KeyFate::Kept => "kept",
        };
        Ok(Json(api::Cancelled { csr: view(&context, &request).await?, key_fate: key_fate.to_owned() }))
    })
    .await
}

/// Take an issued signing request out of use, and with it its key, unless a live one uses that.
#[utoipa::path(
    post, path = "/csrs/{handle}/retire", tag = "csrs", operation_id = "retireCsr",
    params(("handle" = String, Path, description = "The signing request")),
    responses(
        (status = 200, description = "Retired", body = api::Csr),
        (status = 409, description = "It is not issued; `state` says where it is", body = api::Problem, content_type = PROBLEM),
        ByHandle,
        EveryCall,
    )
)]
pub(super) async fn retire(
    extract::State(context): extract::State<Context>,
    permit: Permit<needs::CsrCancel>,
    Path(handle): Path<String>,
) -> Result<Json<api::Csr>, Failure> {
    let handle = convert::handle("handle", &handle)?;
    uninterrupted(async move {
        let request = context.app.retire(&permit.caller, handle).await?;
        Ok(Json(view(&context, &request).await?))
    })
    .await
}

/// A query, with its rejection as a problem that names the parameter.
pub(super) fn query_of<T>(
    query: Result<Query<T>, axum::extract::rejection::QueryRejection>,
) -> Result<T, Failure> {
    let Query(query) = query
        .map_err(|rejection| Failure::new(StatusCode::BAD_REQUEST, "query.invalid", rejection.body_text()))?;
    Ok(query)
}

/// The page size that a client asked for, held to the bounds.
pub(super) fn limit(asked: Option<usize>) -> Result<usize, Invalid> {
    match asked.unwrap_or(DEFAULT_LIMIT) {
        limit @ 1..=MOST_LIMIT => Ok(limit),
        _ => Err(Invalid::new("limit", format!("must be 1 to {MOST_LIMIT}"))),
    }
}

pub(super) async fn view(context: &Context, request: &SigningRequest) -> Result<api::Csr, Failure> {
    let key = context.app.key_of(request).await?;
    view_with(context, request, key.as_ref()).await
}

pub(super) async fn view_with(
    context: &Context,
    request: &SigningRequest,
    key: Option<&Key>,
) -> Result<api::Csr, Failure> {
    let certificate = match request.state {
        State::Issued | State::Retired => Some(context.app.certificate_of(request).await?.sha256),
        State::AwaitingApproval
        | State::Intent
        | State::Generated
        | State::Pending
        | State::Rejected
        | State::Cancelled
        | State::Failed
        | State::Quarantined => None,
    };
    let token = context.app.configured_token(&request.token);
    let evidence = match key {
        Some(key) => context.app.evidence_of_key(key),
        None => context.app.evidence_without_key(request),
    };
    // Without a template nobody is asked.
    let approval = match request.template {
        Some(_) => context.app.approval_of(request.handle).await?,
        None => None,
    };
    let renewals = context.app.renewals_of(request).await?;
    Ok(convert::csr(request, key, token.as_ref(), certificate, approval.as_ref(), evidence, &renewals))
}
