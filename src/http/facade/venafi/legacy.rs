//! `/v1/certificaterequests` and what belongs to it: the documented flow, in zones.

use axum::Json;
use axum::extract::{Path, Query, State};
use axum::http::StatusCode;
use serde::Deserialize;
use utoipa::IntoParams;

use super::catalogue::Place;
use super::certificates::{Pem, pem};
use super::desk::{Order, Shown, Visit};
use super::entry::{Body, Entry};
use super::error::{EveryCall, OfOne, WithBody, no_such_place};
use super::{Venafi, wire};
use crate::app::Error;
use crate::domain::signing_request::{SigningRequest, State as RequestState};
use crate::http::error::Failure;
use crate::http::permit::needs;
use crate::http::uninterrupted::uninterrupted;

/// How a chain is written.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(rename_all = "camelCase", default)]
#[into_params(parameter_in = Query)]
pub(super) struct Form {
    /// `EE_FIRST` when absent, `ROOT_FIRST`, `EE_ONLY`
    pub(super) chain_order: Option<String>,
    /// `PEM`
    pub(super) format: Option<String>,
}

/// Ask for a certificate: with a CSR of one's own, or once more.
#[utoipa::path(
    post, path = "/certificaterequests", tag = "v1", operation_id = "certificateRequests",
    request_body = wire::LegacyAsk,
    responses(
        (status = 201, description = "The request", body = wire::Asked),
        (status = 409, description = "What is renewed cannot be, or its key cannot be used", body = wire::Problems),
        (status = 502, description = "The token refused or answered wrongly", body = wire::Problems),
        (status = 504, description = "The token was lost in the act", body = wire::Problems),
        EveryCall,
        OfOne,
        WithBody,
    )
)]
pub(super) async fn create(
    State(venafi): State<Venafi>,
    body: Body<needs::CsrCreate>,
) -> Result<(StatusCode, Json<wire::Asked>), Failure> {
    let asked: wire::LegacyAsk = body.json()?;
    uninterrupted(async move {
        let Entry { caller, tenant, .. } = &body.permit;
        let visit = Visit { caller, tenant };
        let id = asked.zone_id.as_deref().unwrap_or_default();
        let zone = venafi.catalogue.zone(tenant, id).ok_or_else(|| no_such_place("zone", id))?;
        let renews = match &asked.existing_managed_certificate_id {
            Some(id) => Some(latest(&venafi, &visit, id).await?),
            None => None,
        };
        let order = Order {
            place: Place::Zone(zone.tag.clone()),
            template: zone.template.clone(),
            csr: asked.certificate_signing_request.filter(|csr| !csr.trim().is_empty()),
            wish: None,
            renews,
            reuse: asked.reuse_csr == Some(true),
            validity_days: None,
        };
        let request = venafi.ask(caller, order).await?;
        let certificate_requests = vec![venafi.shown(&visit, &request).await?];
        Ok((StatusCode::CREATED, Json(wire::Asked { certificate_requests })))
    })
    .await
}

/// Show a request.
#[utoipa::path(
    get, path = "/certificaterequests/{id}", tag = "v1", operation_id = "certificateRequestsById",
    params(("id" = String, Path, description = "The request")),
    responses((status = 200, description = "The request", body = wire::CertificateRequest), EveryCall, OfOne)
)]
pub(super) async fn show(
    State(venafi): State<Venafi>,
    Entry { caller, tenant, .. }: Entry<needs::CsrRead>,
    Path(id): Path<String>,
) -> Result<Json<wire::CertificateRequest>, Failure> {
    let visit = Visit { caller: &caller, tenant: &tenant };
    let request = venafi.request(&visit, &id).await?;
    Ok(Json(venafi.shown(&visit, &request).await?))
}

/// The certificate of a request, with those above it.
#[utoipa::path(
    get, path = "/certificaterequests/{id}/certificate", tag = "v1", operation_id = "certificateRequestsCertificate",
    params(("id" = String, Path, description = "The request"), Form),
    responses(
        (status = 200, description = "In PEM", body = String, content_type = "text/plain"),
        (status = 409, description = "There is none yet", body = wire::Problems),
        EveryCall,
        OfOne,
    )
)]
pub(super) async fn certificate(
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

/// What the versions of a certificate have in common.
#[utoipa::path(
    get, path = "/managedcertificates/{id}", tag = "v1", operation_id = "managedCertificatesById",
    params(("id" = String, Path, description = "It, or one of its requests")),
    responses((status = 200, description = "It", body = wire::ManagedCertificate), EveryCall, OfOne)
)]
pub(super) async fn managed(
    State(venafi): State<Venafi>,
    Entry { caller, tenant, .. }: Entry<needs::CertificateRead>,
    Path(id): Path<String>,
) -> Result<Json<wire::ManagedCertificate>, Failure> {
    let visit = Visit { caller: &caller, tenant: &tenant };
    let latest = latest(&venafi, &visit, &id).await?;
    let shown = venafi.shown(&visit, &latest).await?;
    let certificates = match latest.state {
        RequestState::Issued | RequestState::Retired => vec![venafi.certificate(&visit, latest).await?.wire],
        _ => Vec::new(),
    };
    Ok(Json(wire::ManagedCertificate {
        id: shown.managed_certificate_id,
        company_id: shown.company_id,
        certificate_name: shown.certificate_name,
        latest_certificate_request_id: shown.id,
        certificates,
    }))
}

/// Find certificates by their fingerprint.
#[utoipa::path(
    post, path = "/certificatesearch", tag = "v1", operation_id = "certificateSearch",
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
    super::certificates::found(&venafi, &body).await.map(Json)
}

/// The newest request of a lineage that has a certificate; the newest of all where none has.
async fn latest(venafi: &Venafi, visit: &Visit<'_>, id: &str) -> Result<SigningRequest, Failure> {
    let given = venafi.request(visit, id).await.map_err(|failure| match failure.code() {
        "not-found" => Error::not_found("managed certificate", id).into(),
        _ => failure,
    })?;
    let app = &venafi.context.app;
    let newest = app.lineage(visit.caller, given.handle).await?.newest;
    let mut next = Some(newest);
    while let Some(handle) = next {
        let request = app.signing_request(visit.caller, handle).await?;
        if matches!(request.state, RequestState::Issued | RequestState::Retired) {
            return venafi.request(visit, &handle.to_string()).await;
        }
        next = request.renews;
    }
    venafi.request(visit, &newest.to_string()).await
}
