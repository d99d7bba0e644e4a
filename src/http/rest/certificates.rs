//! Certificates that come back.

use axum::Json;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Path, Query, State};
use axum::http::{HeaderMap, header};
use axum::response::{IntoResponse, Response};

use super::accept::{self, Form, Offer, VARY};
use super::convert;
use super::csrs::query_of;
use super::problem::{ByHandle, EveryCall, PROBLEM, WithBody};
use crate::api;
use crate::app::marry::Validity;
use crate::app::{Caller, Certificate};
use crate::domain::certificate::pem;
use crate::domain::id::Handle;
use crate::http::Context;
use crate::http::error::Failure;
use crate::http::permit::{Permit, PermittedBody, needs};
use crate::http::uninterrupted::uninterrupted;

/// How a certificate is shown; as PEM, with its chain.
const OFFERS: &[Offer] = &[
    ("application/json", Form::Json),
    ("application/pkix-cert", Form::Der),
    ("application/octet-stream", Form::Der),
    ("application/pem-certificate-chain", Form::Pem),
    ("application/x-pem-file", Form::Pem),
    ("text/plain", Form::Pem),
];

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
        (status = 422, description = "No certificate in it is for the request's key, or it or one of its chain has expired or is not valid yet", body = api::Problem, content_type = PROBLEM),
        EveryCall,
        WithBody,
    )
)]
pub(super) async fn marry(
    State(context): State<Context>,
    permit: Permit<needs::CertificateMarry>,
    Path(handle): Path<String>,
    query: Result<Query<api::MarryCertificate>, QueryRejection>,
    body: PermittedBody<Permit<needs::CertificateMarry>>,
) -> Result<Json<api::Certificate>, Failure> {
    let handle = convert::handle("handle", &handle)?;
    let validity = if query_of(query)?.allow_expired { Validity::Any } else { Validity::Now };
    uninterrupted(async move {
        let (caller, bytes) = (&permit.caller, body.bytes.to_vec());
        let (_, certificate) = context.app.marry(caller, handle, bytes, validity).await?;
        Ok(Json(view(&context, caller, handle, &certificate).await?))
    })
    .await
}

/// The certificate of a signing request.
#[utoipa::path(
    get, path = "/csrs/{handle}/certificate", tag = "certificates", operation_id = "getCertificate",
    params(("handle" = String, Path, description = "The signing request")),
    responses(
        (status = 200, description = "By Accept: JSON, the certificate as DER, or with its chain as PEM", content(
            (api::Certificate = "application/json"),
            (Vec<u8> = "application/pkix-cert"),
            (Vec<u8> = "application/octet-stream"),
            (String = "application/pem-certificate-chain"),
            (String = "application/x-pem-file"),
            (String = "text/plain"),
        )),
        (status = 404, description = "There is no such signing request, or it has no certificate yet", body = api::Problem, content_type = PROBLEM),
        (status = 406, description = "None of the types in Accept is offered", body = api::Problem, content_type = PROBLEM),
        ByHandle,
        EveryCall,
    )
)]
pub(super) async fn show(
    State(context): State<Context>,
    permit: Permit<needs::CertificateRead>,
    Path(handle): Path<String>,
    headers: HeaderMap,
) -> Result<Response, Failure> {
    let (media_type, form) = accept::wanted(&headers, OFFERS)?;
    let handle = convert::handle("handle", &handle)?;
    let certificate = context.app.certificate(&permit.caller, handle).await?;
    let bytes = match form {
        Form::Json => {
            return Ok(
                ([VARY], Json(view(&context, &permit.caller, handle, &certificate).await?)).into_response()
            );
        }
        Form::Der => certificate.leaf,
        Form::Pem => std::iter::once(&certificate.leaf)
            .chain(&certificate.chain)
            .map(|der| pem(der))
            .collect::<String>()
            .into_bytes(),
    };
    Ok(([VARY, (header::CONTENT_TYPE, media_type)], bytes).into_response())
}

async fn view(
    context: &Context,
    caller: &Caller,
    handle: Handle,
    certificate: &Certificate,
) -> Result<api::Certificate, Failure> {
    let evidence = context.app.evidence_of(caller, handle).await?;
    let on_token = context.app.certificate_on_token(caller, handle).await?;
    Ok(api::Certificate {
        handle: handle.to_string(),
        certificate: pem(&certificate.leaf),
        chain: certificate.chain.iter().map(|der| pem(der)).collect(),
        sha256: hex::encode(certificate.sha256),
        not_before: certificate.not_before.to_string(),
        not_after: certificate.not_after.to_string(),
        married_at: certificate.married_at.to_string(),
        on_token: on_token.map(|on_token| convert::on_token(on_token).to_owned()),
        evidence: convert::evidence(evidence),
    })
}
