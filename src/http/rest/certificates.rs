//! Certificates that come back.

use axum::Json;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Path, Query, State};
use axum::http::{HeaderMap, header};
use axum::response::{IntoResponse, Response};

use super::accept::Form;
use super::convert;
use super::csrs::query_of;
use super::problem::{ByHandle, EveryCall, PROBLEM, WithBody};
use crate::api;
use crate::app::Certificate;
use crate::app::marry::Validity;
use crate::domain::certificate::pem;
use crate::domain::id::Handle;
use crate::http::Context;
use crate::http::error::Failure;
use crate::http::permit::{Permit, PermittedBody};

/// Marry a certificate to a pending signing request: PEM, DER or PKCS #7, its chain in any order.
#[utoipa::path(
    put, path = "/csrs/{handle}/certificate", tag = "certificates", operation_id = "marryCertificate",
    params(("handle" = String, Path, description = "The signing request"), api::MarryCertificate),
    request_body(description = "The certificate: PEM or PKCS #7, with its chain in any order, or DER", content(
        (String = "application/x-pem-file"),
        (Vec<u8> = "application/pkix-cert"),
        (Vec<u8> = "application/pkcs7-mime"),
    )),
    responses(
        (status = 200, description = "Married; also when the same certificate was married before", body = api::Certificate),
        (status = 400, description = "Not a handle, no certificate, or a parameter breaks a rule", body = api::Problem, content_type = PROBLEM),
        (status = 404, description = "There is no such signing request", body = api::Problem, content_type = PROBLEM),
        (status = 409, description = "It is not pending; `state` says where it is", body = api::Problem, content_type = PROBLEM),
        (status = 422, description = "No certificate in it is for the request's key, or it has expired or is not valid yet", body = api::Problem, content_type = PROBLEM),
        EveryCall,
        WithBody,
    )
)]
pub(super) async fn marry(
    State(context): State<Context>,
    Path(handle): Path<String>,
    query: Result<Query<api::MarryCertificate>, QueryRejection>,
    body: PermittedBody,
) -> Result<Json<api::Certificate>, Failure> {
    let handle = convert::handle("handle", &handle)?;
    let validity = if query_of(query)?.allow_expired { Validity::Any } else { Validity::Now };
    let principal = body.permit.principal.handle;
    let (_, certificate) = context.app.marry(principal, handle, body.bytes.to_vec(), validity).await?;
    Ok(Json(view(&context, handle, &certificate).await?))
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
