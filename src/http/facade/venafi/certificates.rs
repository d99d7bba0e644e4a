//! `/outagedetection/v1/certificates`: looked at, searched for, retired; private keys are refused.

use axum::Json;
use axum::extract::{Path, Query, State};
use axum::http::{HeaderName, StatusCode, header};

use super::desk::{Shown, Visit};
use super::entry::{Body, Entry};
use super::error::{EveryCall, OfOne, WithBody};
use super::legacy::Form;
use super::{Venafi, convert, wire};
use crate::app::Certificate;
use crate::domain::invalid::Invalid;
use crate::domain::signing_request::{SigningRequest, State as RequestState};
use crate::http::error::Failure;
use crate::http::permit::needs;
use crate::http::uninterrupted::uninterrupted;

/// How many are retired by one call.
const MOST_RETIRED: usize = 1000;

/// A chain in PEM, of the type that vcert asks for.
pub(super) type Pem = ([(HeaderName, &'static str); 1], String);

/// Show a certificate.
#[utoipa::path(
    get, path = "/certificates/{id}", tag = "outagedetection", operation_id = "certificatesGet",
    params(("id" = String, Path, description = "The certificate")),
    responses(
        (status = 200, description = "It", body = wire::Certificate),
        (status = 409, description = "There is none yet", body = wire::Problems),
        EveryCall,
        OfOne,
    )
)]
pub(super) async fn show(
    State(venafi): State<Venafi>,
    Entry { caller, tenant, .. }: Entry<needs::CertificateRead>,
    Path(id): Path<String>,
) -> Result<Json<wire::Certificate>, Failure> {
    let visit = Visit { caller: &caller, tenant: &tenant };
    let request = venafi.request(&visit, &id).await?;
    Ok(Json(venafi.certificate(&visit, request).await?.wire))
}

/// A certificate, with those above it.
#[utoipa::path(
    get, path = "/certificates/{id}/contents", tag = "outagedetection", operation_id = "certificatesContents",
    params(("id" = String, Path, description = "The certificate"), Form),
    responses(
        (status = 200, description = "In PEM", body = String, content_type = "text/plain"),
        (status = 409, description = "There is none yet", body = wire::Problems),
        EveryCall,
        OfOne,
    )
)]
pub(super) async fn contents(
    State(venafi): State<Venafi>,
    Entry { caller, tenant, .. }: Entry<needs::CertificateRead>,
    Path(id): Path<String>,
    Query(form): Query<Form>,
) -> Result<Pem, Failure> {
    let visit = Visit { caller: &caller, tenant: &tenant };
    let request = venafi.request(&visit, &id).await?;
    let Shown { own, .. } = venafi.certificate(&visit, request).await?;
    pem(&own, &form)
}

/// Find certificates by their fingerprint.
#[utoipa::path(
    post, path = "/certificatesearch", tag = "outagedetection", operation_id = "certificatesSearch",
    request_body = wire::Search,
    responses(
        (status = 200, description = "They, or none", body = wire::Certificates),
        EveryCall,
        WithBody,
    )
)]
pub(super) async fn search(
    State(venafi): State<Venafi>,
    body: Body<needs::CertificateRead>,
) -> Result<Json<wire::Certificates>, Failure> {
    found(&venafi, &body).await.map(Json)
}

/// Take certificates out of use, all of them, or none when one of them is not there.
#[utoipa::path(
    post, path = "/certificates/retirement", tag = "outagedetection", operation_id = "certificatesRetirement",
    request_body = wire::Retire,
    responses(
        (status = 200, description = "They are retired", body = wire::Certificates),
        (status = 409, description = "One has no certificate yet: nothing was retired", body = wire::Problems),
        EveryCall,
        OfOne,
        WithBody,
    )
)]
pub(super) async fn retire(
    State(venafi): State<Venafi>,
    body: Body<needs::CsrCancel>,
) -> Result<Json<wire::Certificates>, Failure> {
    let asked: wire::Retire = body.json()?;
    let ids = asked.certificate_ids.unwrap_or_default();
    if ids.is_empty() || ids.len() > MOST_RETIRED {
        let reason = format!("must name 1 to {MOST_RETIRED} certificates");
        return Err(Invalid::new("certificateIds", reason).into());
    }
    uninterrupted(async move {
        let Entry { caller, tenant, .. } = &body.permit;
        let visit = Visit { caller, tenant };
        let mut doomed: Vec<SigningRequest> = Vec::with_capacity(ids.len());
        for id in ids {
            let request = venafi.request(&visit, &id).await?;
            if doomed.iter().all(|known| known.handle != request.handle) {
                doomed.push(venafi.certificate(&visit, request).await?.request);
            }
        }
        let mut certificates = Vec::with_capacity(doomed.len());
        for mut request in doomed {
            if request.state == RequestState::Issued {
                request = venafi.context.app.retire(caller, request.handle).await?;
            }
            certificates.push(venafi.certificate(&visit, request).await?.wire);
        }
        Ok(Json(wire::Certificates { count: certificates.len(), certificates }))
    })
    .await
}

/// Refused to everybody: no private key leaves the token.
#[utoipa::path(
    post, path = "/certificates/{id}/keystore", tag = "outagedetection", operation_id = "certificatesKeystore",
    params(("id" = String, Path, description = "The certificate")),
    responses((status = 403, description = "Always: there is no private key to hand out", body = wire::Problems), EveryCall)
)]
pub(super) async fn keystore(_: Entry<needs::CertificateRead>) -> Failure {
    no_key()
}

/// Refused to everybody: with this key private keys would be handed out encrypted.
#[utoipa::path(
    get, path = "/edgeencryptionkeys/{hash}", tag = "v1", operation_id = "edgeEncryptionKeysGet",
    params(("hash" = String, Path, description = "Of a key")),
    responses((status = 403, description = "Always: there is no private key to hand out", body = wire::Problems), EveryCall)
)]
pub(super) async fn encryption_key(_: Entry<needs::CertificateRead>) -> Failure {
    no_key()
}

fn no_key() -> Failure {
    let detail = "private keys are made in the token and never leave it; fetch the certificate alone";
    Failure::new(StatusCode::FORBIDDEN, "key.not-exportable", detail)
}

/// What a search finds.
pub(super) async fn found(
    venafi: &Venafi,
    body: &Body<needs::CertificateRead>,
) -> Result<wire::Certificates, Failure> {
    let sha1 = convert::fingerprint(body.json()?)?;
    let Entry { caller, tenant, .. } = &body.permit;
    let found = venafi.certificates_with(&Visit { caller, tenant }, sha1).await?;
    let certificates: Vec<_> = found.into_iter().map(|shown| shown.wire).collect();
    Ok(wire::Certificates { count: certificates.len(), certificates })
}

/// The chain as it is asked for.
pub(super) fn pem(own: &Certificate, form: &Form) -> Result<Pem, Failure> {
    if form.format.as_deref().is_some_and(|format| !format.eq_ignore_ascii_case("PEM")) {
        return Err(Invalid::new("format", "must be PEM").into());
    }
    let text = convert::chain(own, form.chain_order.as_deref())?;
    Ok(([(header::CONTENT_TYPE, "text/plain")], text))
}
