//! `/outagedetection/v1/certificaterequests`: asked for in an application, under one of its issuing templates.

use axum::Json;
use axum::extract::{Path, State};
use axum::http::StatusCode;

use super::catalogue::Place;
use super::desk::{Order, Visit};
use super::entry::{Body, Entry};
use super::error::{EveryCall, OfOne, WithBody, no_such_place};
use super::{Venafi, convert, wire};
use crate::app::Error;
use crate::domain::invalid::Invalid;
use crate::domain::signing_request::SigningRequest;
use crate::http::error::Failure;
use crate::http::permit::needs;
use crate::http::uninterrupted::uninterrupted;

/// Ask for a certificate: with a CSR of one's own, with a key that is made in the token, or once more.
#[utoipa::path(
    post, path = "/certificaterequests", tag = "outagedetection", operation_id = "certificateRequestsCreate",
    request_body = wire::Ask,
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
    let asked: wire::Ask = body.json()?;
    uninterrupted(async move {
        let Entry { caller, tenant, .. } = &body.permit;
        let visit = Visit { caller, tenant };
        let (place, template) = place(&venafi, tenant, &asked)?;
        let renews = match &asked.existing_certificate_id {
            Some(id) => Some(venafi.request(&visit, id).await?),
            None => None,
        };
        let order = Order {
            place,
            template,
            csr: asked.certificate_signing_request.filter(|csr| !csr.trim().is_empty()),
            wish: wish(asked.is_vaas_generated, asked.csr_attributes, renews.as_ref())?,
            renews,
            reuse: asked.reuse_csr == Some(true),
            validity_days: asked.validity_period.as_deref().map(convert::days).transpose()?,
        };
        let request = venafi.ask(caller, order).await?;
        let certificate_requests = vec![venafi.shown(&visit, &request).await?];
        Ok((StatusCode::CREATED, Json(wire::Asked { certificate_requests })))
    })
    .await
}

/// Show a request.
#[utoipa::path(
    get, path = "/certificaterequests/{id}", tag = "outagedetection", operation_id = "certificateRequestsGet",
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

/// The application, and the name of the template, which has to be one of its own.
fn place(venafi: &Venafi, tenant: &str, asked: &wire::Ask) -> Result<(Place, String), Failure> {
    let catalogue = &venafi.catalogue;
    let id = asked.application_id.as_deref().unwrap_or_default();
    let application = catalogue.application(tenant, id).ok_or_else(|| no_such_place("application", id))?;
    let id = asked.certificate_issuing_template_id.as_deref().unwrap_or_default();
    let template = catalogue
        .template(tenant, id)
        .filter(|name| application.templates.values().any(|own| own == name))
        .ok_or_else(|| no_such_place("issuing template in this application", id))?;
    Ok((Place::Application(application.name.clone()), template.to_owned()))
}

fn wish(
    here: Option<bool>,
    attributes: Option<wire::CsrAttributes>,
    renews: Option<&SigningRequest>,
) -> Result<Option<crate::app::produce::Wish>, Failure> {
    match (here, attributes) {
        (Some(true), Some(attributes)) => Ok(Some(convert::wish(attributes).map_err(Error::invalid)?)),
        (Some(true), None) if renews.is_none() => {
            Err(Invalid::new("csrAttributes", "is required with `isVaaSGenerated`").into())
        }
        _ => Ok(None),
    }
}
