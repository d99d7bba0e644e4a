//! The operations on custom certificates: what came back for custom CSRs. The vendor's SDKs have them for zones.

use axum::extract::rejection::QueryRejection;
use axum::extract::{Path, Query, State};
use axum::{Extension, Json};

use super::convert::{self, Collection};
use super::error::{EveryCall, Refused, WithBody};
use super::routes::{page_of, requests, shown};
use super::wire::{CreateCustomCertificate, CustomCertificate, Envelope, PageEnvelope};
use super::{Surface, document};
use crate::app::marry::Validity;
use crate::app::{Certificate, Error, NumberedPage};
use crate::domain::signing_request::State as RequestState;
use crate::http::permit::{Permit, PermittedBody, needs};
use crate::http::uninterrupted::uninterrupted;

/// List custom certificates.
#[utoipa::path(
    get, path = "/{scope}/{id}/custom_certificates", tag = "custom_certificates", operation_id = "listCustomCertificates",
    params(
        ("scope" = document::Scope, Path),
        ("id" = String, Path, description = "The account or zone"),
        ("page" = Option<f64>, Query, description = "Number of the page, from 1 on; a page past the end is empty", minimum = 1),
        ("per_page" = Option<f64>, Query, description = "Most results on it; 20 when absent", minimum = 5, maximum = 50),
    ),
    responses(
        (status = 200, description = "A page", body = PageEnvelope<CustomCertificate>),
        EveryCall,
    )
)]
pub(super) async fn list(
    State(surface): State<Surface>,
    permit: Permit<needs::CertificateRead>,
    Extension(collection): Extension<Collection>,
    query: Result<Query<Vec<(String, String)>>, QueryRejection>,
) -> Result<Json<PageEnvelope<CustomCertificate>>, Refused> {
    let page = page_of(query)?;
    let app = &surface.context.app;
    let NumberedPage { items, total } =
        requests(app, &permit.caller, vec![RequestState::Issued], page).await?;
    let mut certificates = Vec::with_capacity(items.len());
    for request in &items {
        certificates.push(view(&surface, &collection, &app.certificate_of(request).await?)?);
    }
    Ok(Json(PageEnvelope::of(certificates, page.number, page.per_page, total)))
}

/// Bring the certificate that a CA made from a custom CSR.
#[utoipa::path(
    post, path = "/{scope}/{id}/custom_certificates", tag = "custom_certificates", operation_id = "createCustomCertificate",
    params(
        ("scope" = document::Scope, Path),
        ("id" = String, Path, description = "The account or zone"),
    ),
    request_body = CreateCustomCertificate,
    responses(
        (status = 200, description = "Bound to the custom CSR; also when the same certificate was before", body = Envelope<CustomCertificate>),
        EveryCall,
        WithBody,
    )
)]
pub(super) async fn upload(
    State(surface): State<Surface>,
    Extension(collection): Extension<Collection>,
    body: PermittedBody<Permit<needs::CertificateMarry>>,
) -> Result<Json<Envelope<CustomCertificate>>, Refused> {
    let upload = convert::upload(&body.bytes)?;
    let (app, caller) = (surface.context.app.clone(), body.permit.caller.clone());
    let handle = shown(&app, &caller, &upload.csr.to_string()).await?.handle;
    let (_, certificate) = uninterrupted(async move {
        Ok(app.marry(&caller, handle, upload.certificate.into_bytes(), Validity::Now).await?)
    })
    .await?;
    Ok(Json(Envelope::of(view(&surface, &collection, &certificate)?)))
}

/// Show a custom certificate.
#[utoipa::path(
    get, path = "/{scope}/{id}/custom_certificates/{certificate_id}", tag = "custom_certificates",
    operation_id = "getCustomCertificate",
    params(
        ("scope" = document::Scope, Path),
        ("id" = String, Path, description = "The account or zone"),
        ("certificate_id" = String, Path, description = "The custom certificate"),
    ),
    responses(
        (status = 200, description = "The custom certificate", body = Envelope<CustomCertificate>),
        EveryCall,
    )
)]
pub(super) async fn show(
    State(surface): State<Surface>,
    permit: Permit<needs::CertificateRead>,
    Extension(collection): Extension<Collection>,
    path: Path<(String, String, String)>,
) -> Result<Json<Envelope<CustomCertificate>>, Refused> {
    let Path((_, _, id)) = path;
    let request = shown(&surface.context.app, &permit.caller, &id).await?;
    let certificate = surface.context.app.certificate_of(&request).await?;
    Ok(Json(Envelope::of(view(&surface, &collection, &certificate)?)))
}

fn view(
    surface: &Surface,
    collection: &Collection,
    certificate: &Certificate,
) -> Result<CustomCertificate, Error> {
    convert::custom_certificate(certificate, collection, surface.context.app.now())
        .ok_or_else(|| Error::bug("a married certificate cannot be read"))
}
