//! Issuing templates.

use axum::Json;
use axum::extract::{Path, State};

use super::convert;
use super::problem::{EveryCall, PROBLEM};
use crate::api;
use crate::http::Context;
use crate::http::error::Failure;
use crate::http::permit::{Permit, needs};

/// The issuing templates that the tenant may use.
#[utoipa::path(
    get, path = "/templates", tag = "templates", operation_id = "listTemplates",
    responses(
        (status = 200, description = "The templates", body = api::Templates),
        EveryCall,
    )
)]
pub(super) async fn list(
    State(context): State<Context>,
    permit: Permit<needs::TemplateRead>,
) -> Result<Json<api::Templates>, Failure> {
    let templates = context.app.templates(&permit.caller).await?;
    let items = templates.iter().map(|template| convert::approval::template_summary(template)).collect();
    Ok(Json(api::Templates { items }))
}

/// Show an issuing template.
#[utoipa::path(
    get, path = "/templates/{name}", tag = "templates", operation_id = "getTemplate",
    params(("name" = String, Path, description = "The template")),
    responses(
        (status = 200, description = "The template", body = api::Template),
        (status = 404, description = "There is no such template for the tenant", body = api::Problem, content_type = PROBLEM),
        EveryCall,
    )
)]
pub(super) async fn show(
    State(context): State<Context>,
    permit: Permit<needs::TemplateRead>,
    Path(name): Path<String>,
) -> Result<Json<api::Template>, Failure> {
    let template = context.app.template(&permit.caller, &name).await?;
    Ok(Json(convert::approval::template(&template)?))
}
