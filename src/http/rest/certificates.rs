//! Certificates that come back.

use axum::Json;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, header};
use axum::response::{IntoResponse, Response};

use super::accept::Form;
use super::convert;
use super::problem::{ByHandle, EveryCall, PROBLEM, WithBody};
use crate::api;
use crate::app::Certificate;
use crate::domain::certificate::pem;
use crate::domain::id::Handle;
use crate::http::Context;
use crate::http::error::Failure;
use crate::http::permit::{Permit, PermittedBody};
use crate::http::uninterrupted::uninterrupted;

/// Marry a certificate to a pending signing request: PEM or DER, its chain in any order.
#[utoipa::path(
    put, path = "/csrs/{handle}/certificate", tag = "certificates", operation_id = "marryCertificate",
    params(("handle" = String, Path, description = "The signing request")),
    request_body(description = "The certificate: PEM, with its chain in any order, or DER", content(
        (String = "application/x-pem-file"),
        (Vec<u8> = "application/pkix-cert"),
    )),
    responses(
        (status = 200, description = "Married; also when the same certificate was married before", body = api::Certificate),
        (status = 400, description = "Not a handle, or no certificate", body = api::Problem, content_type = PROBLEM),
        (status = 404, description = "There is no such signing request", body = api::Problem, content_type = PROBLEM),
        (status = 409, description = "It is not pending; `state` says where it is", body = api::Problem, content_type = PROBLEM),
        (status = 422, description = "No certificate in it is for the request's key", body = api::Problem, content_type = PROBLEM),
        EveryCall,
        WithBody,
    )
)]
pub(super) async fn marry(
    State(context): State<Context>,
    permit: Permit,
    Path(handle): Path<String>,
    body: PermittedBody,
) -> Result<Json<api::Certificate>, Failure> {
    let handle = convert::handle("handle", &handle)?;
    uninterrupted(async move {
        let bytes = body.bytes.to_vec();
        let (_, certificate) = context.app.marry(permit.principal.handle, handle, bytes).await?;
        Ok(Json(view(&context, handle, &certificate).await?))
    })
    .await
}

/// The certificate of a signing request.
#[utoipa::path(
    get, path = "/csrs/{handle}/certificate", tag = "certificates", operation_id = "getCertificate",
    params(("handle" = String, Path, description = "The signing request")),
    responses(
        (status = 200, description = "By Accept: JSON, the certificate as DER (`application/pkix-cert`), or with its chain as PEM (`application/pem-certificate-chain`, `application/x-pem-file`, `text/plain`)", content(
            (api::Certificate = "application/json"),
            (Vec<u8> = "application/pkix-cert"),
            (String = "application/pem-certificate-chain"),
        )),
        (status = 404, description = "There is no such signing request, or it has no certificate yet", body = api::Problem, content_type = PROBLEM),
        (status = 406, description = "None of the types in Accept is offered", body = api::Problem, content_type = PROBLEM),
        ByHandle,
        EveryCall,
    )
)]
pub(super) async fn show(
    State(context): State<Context>,
    _: Permit,
    Path(handle): Path<String>,
    headers: HeaderMap,
) -> Result<Response, Failure> {
    let form = Form::wanted(&headers, "application/pkix-cert")?;
    let handle = convert::handle("handle", &handle)?;
    let certificate = context.app.certificate(handle).await?;
    Ok(match form {
        Form::Json => Json(view(&context, handle, &certificate).await?).into_response(),
        Form::Der => ([(header::CONTENT_TYPE, "application/pkix-cert")], certificate.leaf).into_response(),
        Form::Pem => {
            let text: String =
                std::iter::once(&certificate.leaf).chain(&certificate.chain).map(|der| pem(der)).collect();
            ([(header::CONTENT_TYPE, "application/pem-certificate-chain")], text).into_response()
        }
    })
}

async fn view(
    context: &Context,
    handle: Handle,
    certificate: &Certificate,
) -> Result<api::Certificate, Failure> {
    let evidence = context.app.evidence_of(handle).await?;
    Ok(api::Certificate {
        handle: handle.to_string(),
        certificate: pem(&certificate.leaf),
        chain: certificate.chain.iter().map(|der| pem(der)).collect(),
        sha256: hex::encode(certificate.sha256),
        not_before: certificate.not_before.to_string(),
        not_after: certificate.not_after.to_string(),
        married_at: certificate.married_at.to_string(),
        evidence: convert::evidence(evidence),
    })
}
