//! What authorities issue: certificates from CSRs, for signing requests, for CAs below; revocations; and clients'
//! own CSRs as signing requests.

use axum::Json;
use axum::extract::{Path, Query, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};

use super::convert;
use super::convert::authority::{self as wire, Issue};
use super::create::{made_answer, response};
use super::csrs::{limit, query_of};
use super::problem::{ByHandle, EveryCall, PROBLEM, WithBody};
use crate::api;
use crate::app::Error;
use crate::app::produce::ClientCsr;
use crate::domain::certificate::Serial;
use crate::domain::invalid::Invalid;
use crate::http::Context;
use crate::http::error::Failure;
use crate::http::permit::{Permit, PermittedBody, needs};
use crate::http::uninterrupted::uninterrupted;

/// Issue a certificate from a client's CSR, or for a pending signing request.
#[utoipa::path(
    post, path = "/authorities/{handle}/issue", tag = "authorities", operation_id = "issueCertificate",
    params(("handle" = String, Path, description = "The authority")),
    request_body = api::IssueCertificate,
    responses(
        (status = 201, description = "Issued", body = api::IssuedCertificate),
        (status = 409, description = "The authority issues nothing now, or the signing request is not pending", body = api::Problem, content_type = PROBLEM),
        (status = 415, description = "The body is not JSON", body = api::Problem, content_type = PROBLEM),
        (status = 422, description = "It breaks rules of the issuing template or of the authority, each in `errors`", body = api::Problem, content_type = PROBLEM),
        (status = 502, description = "The token refused or answered wrongly", body = api::Problem, content_type = PROBLEM),
        (status = 504, description = "The token was lost in the act", body = api::Problem, content_type = PROBLEM),
        ByHandle,
        EveryCall,
        WithBody,
    )
)]
pub(super) async fn issue(
    State(context): State<Context>,
    permit: Permit<needs::CertificateIssue>,
    Path(handle): Path<String>,
    body: PermittedBody<Permit<needs::CertificateIssue>>,
) -> Result<Response, Failure> {
    let authority = convert::handle("handle", &handle)?;
    let asked = wire::issue(body.json()?).map_err(Error::invalid)?;
    uninterrupted(async move {
        let (app, caller) = (&context.app, &permit.caller);
        let issued = match asked {
            Issue::FromCsr(wish) => app.issue_from_csr(caller, authority, wish).await?,
            Issue::ForRequest(request) => app.issue_for(caller, authority, request).await?,
        };
        Ok((StatusCode::CREATED, Json(wire::issued_with(&issued))).into_response())
    })
    .await
}

/// Sign the CSR of a CA below.
#[utoipa::path(
    post, path = "/authorities/{handle}/intermediates", tag = "authorities", operation_id = "signIntermediate",
    params(("handle" = String, Path, description = "The authority that signs")),
    request_body = api::SignIntermediate,
    responses(
        (status = 201, description = "Signed", body = api::IssuedCertificate),
        (status = 409, description = "The authority issues nothing now", body = api::Problem, content_type = PROBLEM),
        (status = 415, description = "The body is not JSON", body = api::Problem, content_type = PROBLEM),
        (status = 422, description = "The authority's path length or name constraints do not allow it", body = api::Problem, content_type = PROBLEM),
        (status = 502, description = "The token refused or answered wrongly", body = api::Problem, content_type = PROBLEM),
        (status = 504, description = "The token was lost in the act", body = api::Problem, content_type = PROBLEM),
        ByHandle,
        EveryCall,
        WithBody,
    )
)]
pub(super) async fn sign_intermediate(
    State(context): State<Context>,
    permit: Permit<needs::AuthorityManage>,
    Path(handle): Path<String>,
    body: PermittedBody<Permit<needs::AuthorityManage>>,
) -> Result<Response, Failure> {
    let authority = convert::handle("handle", &handle)?;
    let wish = wire::intermediate(body.json()?).map_err(Error::invalid)?;
    uninterrupted(async move {
        let issued = context.app.sign_intermediate(&permit.caller, authority, wish).await?;
        Ok((StatusCode::CREATED, Json(wire::issued_with(&issued))).into_response())
    })
    .await
}

/// List what an authority issued, newest first.
#[utoipa::path(
    get, path = "/authorities/{handle}/certificates", tag = "authorities", operation_id = "listIssuedCertificates",
    params(("handle" = String, Path, description = "The authority"), api::ListIssued),
    responses((status = 200, description = "A page", body = api::IssuedPage), ByHandle, EveryCall)
)]
pub(super) async fn list(
    State(context): State<Context>,
    permit: Permit<needs::AuthorityRead>,
    Path(handle): Path<String>,
    query: Result<Query<api::ListIssued>, axum::extract::rejection::QueryRejection>,
) -> Result<Json<api::IssuedPage>, Failure> {
    let authority = convert::handle("handle", &handle)?;
    let query = query_of(query)?;
    let after = query.cursor.map(|cursor| convert::handle("cursor", &cursor)).transpose()?;
    let page = context.app.issued_certificates(&permit.caller, authority, after, limit(query.limit)?).await?;
    let items = page.items.iter().map(wire::issued).collect();
    Ok(Json(api::IssuedPage { items, next_cursor: page.next.map(|handle| handle.to_string()) }))
}

/// Show a certificate that an authority issued.
#[utoipa::path(
    get, path = "/authorities/{handle}/certificates/{serial}", tag = "authorities", operation_id = "getIssuedCertificate",
    params(("handle" = String, Path, description = "The authority"), ("serial" = String, Path, description = "Serial number: 40 hexadecimal digits")),
    responses((status = 200, description = "The certificate", body = api::IssuedCertificate), ByHandle, EveryCall)
)]
pub(super) async fn show(
    State(context): State<Context>,
    permit: Permit<needs::AuthorityRead>,
    Path((handle, serial)): Path<(String, String)>,
) -> Result<Json<api::IssuedCertificate>, Failure> {
    let (authority, serial) = (convert::handle("handle", &handle)?, serial_of(&serial)?);
    let issued = context.app.issued_certificate(&permit.caller, authority, serial).await?;
    Ok(Json(wire::issued_with(&issued)))
}

/// Revoke a certificate. A new revocation list is made at once; while the token cannot sign, as soon as it can.
#[utoipa::path(
    post, path = "/authorities/{handle}/certificates/{serial}/revoke", tag = "authorities", operation_id = "revokeCertificate",
    params(("handle" = String, Path, description = "The authority"), ("serial" = String, Path, description = "Serial number: 40 hexadecimal digits")),
    request_body = Option<api::RevokeCertificate>,
    responses(
        (status = 200, description = "Revoked", body = api::IssuedCertificate),
        (status = 409, description = "It was never issued, or is revoked already", body = api::Problem, content_type = PROBLEM),
        (status = 415, description = "The body is not JSON", body = api::Problem, content_type = PROBLEM),
        ByHandle,
        EveryCall,
        WithBody,
    )
)]
pub(super) async fn revoke(
    State(context): State<Context>,
    permit: Permit<needs::CertificateRevoke>,
    Path((handle, serial)): Path<(String, String)>,
    body: PermittedBody<Permit<needs::CertificateRevoke>>,
) -> Result<Json<api::IssuedCertificate>, Failure> {
    let (authority, serial) = (convert::handle("handle", &handle)?, serial_of(&serial)?);
    let asked: api::RevokeCertificate = if body.bytes.is_empty() { Default::default() } else { body.json()? };
    let reason = asked.reason.as_deref().unwrap_or("unspecified");
    let reason = reason.parse().map_err(|error: String| Invalid::new("reason", error))?;
    uninterrupted(async move {
        let revoked = context.app.revoke_certificate(&permit.caller, authority, serial, reason).await?;
        Ok(Json(wire::issued(&revoked)))
    })
    .await
}

/// The newest revocation list of an authority, as DER. Everybody gets the same at `/crl/{handle}.crl`.
#[utoipa::path(
    get, path = "/authorities/{handle}/crl", tag = "authorities", operation_id = "getCrl",
    params(("handle" = String, Path, description = "The authority")),
    responses(
        (status = 200, description = "The list", content((Vec<u8> = "application/pkix-crl"))),
        ByHandle,
        EveryCall,
    )
)]
pub(super) async fn crl(
    State(context): State<Context>,
    permit: Permit<needs::AuthorityRead>,
    Path(handle): Path<String>,
) -> Result<Response, Failure> {
    let authority = convert::handle("handle", &handle)?;
    let list = context.app.own_crl(&permit.caller, authority).await?;
    Ok(([(header::CONTENT_TYPE, "application/pkix-crl")], list.der.unwrap_or_default()).into_response())
}

/// Take a client's own CSR as a signing request: its key stays with the client. It is pending until a certificate
/// is married to it, or issued at once where its issuing template names an authority.
#[utoipa::path(
    post, path = "/csrs/submit", tag = "csrs", operation_id = "submitCsr",
    request_body = api::SubmitCsr,
    responses(
        (status = 201, description = "Taken", body = api::Csr, headers(("Location" = String, description = "The signing request"))),
        (status = 202, description = "It waits for an approval; look at Location", body = api::Csr, headers(("Location" = String, description = "The signing request"))),
        (status = 400, description = "Not a CSR whose signature verifies, or a field breaks a rule", body = api::Problem, content_type = PROBLEM),
        (status = 404, description = "There is no such signing request to renew", body = api::Problem, content_type = PROBLEM),
        (status = 415, description = "The body is not JSON", body = api::Problem, content_type = PROBLEM),
        (status = 422, description = "It breaks rules of the issuing template, each in `errors`, or there is no such template", body = api::Problem, content_type = PROBLEM),
        EveryCall,
        WithBody,
    )
)]
pub(super) async fn submit(
    State(context): State<Context>,
    body: PermittedBody<Permit<needs::CsrCreate>>,
) -> Result<Response, Failure> {
    let asked: api::SubmitCsr = body.json()?;
    let renews = asked.renews.map(|text| convert::handle("renews", &text)).transpose()?;
    let submission = ClientCsr {
        csr: asked.csr.into_bytes(),
        template: asked.template,
        validity_days: asked.validity_days,
        renews,
        submission: None,
    };
    uninterrupted(async move {
        let produced = context.app.submit(&body.permit.caller, submission).await?;
        Ok(response(made_answer(&context, produced).await?))
    })
    .await
}

fn serial_of(text: &str) -> Result<Serial, Invalid> {
    text.parse().map_err(|reason| Invalid::new("serial", reason))
}
