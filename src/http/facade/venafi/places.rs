//! Zones, applications and issuing templates: what clients look up before they ask.

use axum::Json;
use axum::extract::{Path, State};

use super::entry::Entry;
use super::error::{EveryCall, OfOne, no_such_place};
use super::{Application, Venafi, convert, wire};
use crate::app::{Caller, Kind};
use crate::http::error::Failure;
use crate::http::permit::needs;

/// A zone by its tag.
#[utoipa::path(
    get, path = "/zones/tag/{tag}", tag = "v1", operation_id = "zonesByTag",
    params(("tag" = String, Path, description = "Its tag")),
    responses((status = 200, description = "The zone", body = wire::Zone), EveryCall, OfOne)
)]
pub(super) async fn zone(
    State(venafi): State<Venafi>,
    Entry { tenant, .. }: Entry<needs::TemplateRead>,
    Path(tag): Path<String>,
) -> Result<Json<wire::Zone>, Failure> {
    let catalogue = &venafi.catalogue;
    let zone = catalogue.zone(&tenant, &tag).ok_or_else(|| no_such_place("zone", &tag))?;
    Ok(Json(wire::Zone {
        id: catalogue.zone_id(zone),
        company_id: catalogue.company_id(&tenant),
        tag: zone.tag.clone(),
        certificate_issuing_template_id: catalogue.template_id(&tenant, &zone.template),
    }))
}

/// An issuing template by its id; its RSA keys only, for the older clients break on others.
#[utoipa::path(
    get, path = "/certificateissuingtemplates/{id}", tag = "v1", operation_id = "certificateIssuingTemplatesById",
    params(("id" = String, Path, description = "Its id")),
    responses((status = 200, description = "The template", body = wire::IssuingTemplate), EveryCall, OfOne)
)]
pub(super) async fn template(
    State(venafi): State<Venafi>,
    Entry { caller, tenant, .. }: Entry<needs::TemplateRead>,
    Path(id): Path<String>,
) -> Result<Json<wire::IssuingTemplate>, Failure> {
    let name = venafi.catalogue.template(&tenant, &id);
    let name = name.ok_or_else(|| no_such_place("issuing template", &id))?;
    shown(&venafi, &caller, &tenant, name, convert::RsaOnly(true)).await
}

/// An application by its id or name.
#[utoipa::path(
    get, path = "/applications/{application}", tag = "outagedetection", operation_id = "applicationsGet",
    params(("application" = String, Path, description = "Its id or name")),
    responses((status = 200, description = "The application", body = wire::Application), EveryCall, OfOne)
)]
pub(super) async fn application(
    State(venafi): State<Venafi>,
    Entry { caller, tenant, .. }: Entry<needs::TemplateRead>,
    Path(reference): Path<String>,
) -> Result<Json<wire::Application>, Failure> {
    Ok(Json(described(&venafi, &caller, named(&venafi, &tenant, &reference)?)))
}

/// An application by its name.
#[utoipa::path(
    get, path = "/applications/name/{name}", tag = "outagedetection", operation_id = "applicationsByName",
    params(("name" = String, Path, description = "Its name")),
    responses((status = 200, description = "The application", body = wire::Application), EveryCall, OfOne)
)]
pub(super) async fn application_by_name(
    State(venafi): State<Venafi>,
    Entry { caller, tenant, .. }: Entry<needs::TemplateRead>,
    Path(name): Path<String>,
) -> Result<Json<wire::Application>, Failure> {
    Ok(Json(described(&venafi, &caller, named(&venafi, &tenant, &name)?)))
}

/// An issuing template of an application.
#[utoipa::path(
    get, path = "/applications/{application}/certificateissuingtemplates/{alias}", tag = "outagedetection",
    operation_id = "applicationsIssuingTemplate",
    params(
        ("application" = String, Path, description = "Its id or name"),
        ("alias" = String, Path, description = "What the application calls the template"),
    ),
    responses((status = 200, description = "The template", body = wire::IssuingTemplate), EveryCall, OfOne)
)]
pub(super) async fn template_of_application(
    State(venafi): State<Venafi>,
    Entry { caller, tenant, .. }: Entry<needs::TemplateRead>,
    Path((reference, alias)): Path<(String, String)>,
) -> Result<Json<wire::IssuingTemplate>, Failure> {
    let application = named(&venafi, &tenant, &reference)?;
    let name = application.templates.get(&alias);
    let name = name.ok_or_else(|| no_such_place("issuing template in this application", &alias))?;
    shown(&venafi, &caller, &tenant, name, convert::RsaOnly(false)).await
}

fn named<'a>(venafi: &'a Venafi, tenant: &str, reference: &str) -> Result<&'a Application, Failure> {
    venafi.catalogue.application(tenant, reference).ok_or_else(|| no_such_place("application", reference))
}

fn described(venafi: &Venafi, caller: &Caller, application: &Application) -> wire::Application {
    let catalogue = &venafi.catalogue;
    let tenant = &application.tenant;
    let ids = application
        .templates
        .iter()
        .map(|(alias, template)| (alias.clone(), catalogue.template_id(tenant, template)));
    wire::Application {
        id: catalogue.application_id(application),
        company_id: catalogue.company_id(tenant),
        name: application.name.clone(),
        owner_ids_and_types: vec![wire::Owner { owner_id: caller.principal.to_string(), owner_type: "USER" }],
        certificate_issuing_template_alias_id_map: ids.collect(),
    }
}

/// A template that the configuration names may be gone from the files of templates.
async fn shown(
    venafi: &Venafi,
    caller: &Caller,
    tenant: &str,
    name: &str,
    rsa_only: convert::RsaOnly,
) -> Result<Json<wire::IssuingTemplate>, Failure> {
    let found = venafi.context.app.template(caller, name).await.map_err(|error| match error.kind() {
        Kind::NotFound => no_such_place("issuing template", name),
        _ => error.into(),
    })?;
    Ok(Json(convert::template(&venafi.catalogue, tenant, &found, rsa_only)))
}
