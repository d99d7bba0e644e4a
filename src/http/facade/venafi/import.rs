//! `POST /outagedetection/v1/certificates`: a certificate comes back, to the request whose key it is for.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;

use super::desk::Visit;
use super::entry::{Body, Entry};
use super::error::{EveryCall, OfOne, WithBody, no_such_place};
use super::{Venafi, convert, wire};
use crate::app::marry::Validity;
use crate::domain::invalid::Invalid;
use crate::http::error::Failure;
use crate::http::permit::needs;
use crate::http::uninterrupted::uninterrupted;

/// How many are imported by one call.
const MOST: usize = 100;

/// Bring certificates back. Each is married to the newest pending request whose key it is for.
#[utoipa::path(
    post, path = "/certificates", tag = "outagedetection", operation_id = "certificatesImport",
    request_body = wire::Import,
    responses(
        (status = 201, description = "They are with their requests", body = wire::ImportedAll),
        (status = 409, description = "The request whose key it is for takes no certificate", body = wire::Problems),
        EveryCall,
        OfOne,
        WithBody,
    )
)]
pub(super) async fn import(
    State(venafi): State<Venafi>,
    body: Body<needs::CertificateMarry>,
) -> Result<(StatusCode, Json<wire::ImportedAll>), Failure> {
    let asked: wire::Import = body.json()?;
    let all = asked.certificates.unwrap_or_default();
    if all.is_empty() || all.len() > MOST {
        return Err(Invalid::new("certificates", format!("must have 1 to {MOST} certificates")).into());
    }
    uninterrupted(async move {
        let Entry { caller, tenant, .. } = &body.permit;
        let visit = Visit { caller, tenant };
        let mut read = Vec::with_capacity(all.len());
        for (at, one) in all.into_iter().enumerate() {
            for id in one.application_ids.iter().flatten() {
                venafi.catalogue.application(tenant, id).ok_or_else(|| no_such_place("application", id))?;
            }
            let field = format!("certificates[{at}].certificate");
            let mut ders = vec![convert::der(&field, &one.certificate.unwrap_or_default())?];
            for (nth, issuer) in one.issuer_certificates.iter().flatten().enumerate() {
                ders.push(convert::der(&format!("certificates[{at}].issuerCertificates[{nth}]"), issuer)?);
            }
            read.push(ders);
        }
        let mut certificate_informations = Vec::with_capacity(read.len());
        for ders in read {
            let app = &venafi.context.app;
            let (request, _) = app.marry_by_key(caller, &ders, Validity::Now).await?;
            certificate_informations.push(information(&venafi, &visit, request).await?);
        }
        Ok((StatusCode::CREATED, Json(wire::ImportedAll { certificate_informations })))
    })
    .await
}

async fn information(
    venafi: &Venafi,
    visit: &Visit<'_>,
    request: crate::domain::signing_request::SigningRequest,
) -> Result<wire::CertificateInformation, Failure> {
    let zone = venafi.catalogue.places(visit.tenant, &request).and_then(|places| places.zone);
    let issuance_zone_id = zone.map(|zone| venafi.catalogue.zone_id(zone));
    let owner_user_id = request.principal.to_string();
    let shown = venafi.certificate(visit, request).await?.wire;
    Ok(wire::CertificateInformation {
        id: shown.id,
        managed_certificate_id: shown.managed_certificate_id,
        company_id: shown.company_id,
        fingerprint: shown.fingerprint,
        certificate_source: "USER_PROVIDED",
        owner_user_id,
        issuance_zone_id,
        validity_start_date: shown.validity_start,
        validity_end_date: shown.validity_end,
    })
}
