//! CAs: made, listed, shown, enabled and disabled, deleted; by the older paths and by the newer ones.

use axum::Json;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Path, Query, State};
use axum::http::StatusCode;

use super::asked::{self, Create, NewStatus, ProjectRef};
use super::entry::{self, Body, Entry, Found, Reached};
use super::error::{EveryCall, OnToken, Refused, WithBody};
use super::{Surface, convert, wire};
use crate::app::authorities::{AuthorityView, NewAuthority};
use crate::app::{App, Error};
use crate::domain::authority::State as AuthorityState;
use crate::http::error::Failure;
use crate::http::permit::needs::{AuthorityManage, AuthorityRead};
use crate::http::uninterrupted::uninterrupted;

/// Make a CA: a root with its certificate, or an intermediate with its CSR. Its key is made in the token.
#[utoipa::path(
    post, path = "", tag = "pki", operation_id = "createCa",
    request_body = wire::CreateCa,
    responses((status = 200, description = "Made", body = wire::CaEnvelope), EveryCall, WithBody, OnToken)
)]
pub(super) async fn create(
    State(surface): State<Surface>,
    body: Body<AuthorityManage>,
) -> Result<Json<wire::CaEnvelope>, Refused> {
    let asked = asked::create(entry::json(&body)?)?;
    let (view, project) = make(surface, &body.permit, asked).await?;
    Ok(Json(wire::CaEnvelope { ca: convert::ca(&view, &project) }))
}

/// Make a CA: a root with its certificate, or an intermediate with its CSR. Its key is made in the token.
#[utoipa::path(
    post, path = "", tag = "cert-manager", operation_id = "createCa",
    request_body = wire::CreateInternal,
    responses((status = 200, description = "Made", body = wire::InternalCa), EveryCall, WithBody, OnToken)
)]
pub(super) async fn create_internal(
    State(surface): State<Surface>,
    body: Body<AuthorityManage>,
) -> Result<Json<wire::InternalCa>, Refused> {
    let asked = asked::create_internal(entry::json(&body)?)?;
    let (view, project) = make(surface, &body.permit, asked).await?;
    Ok(Json(convert::internal_ca(&view, &project)))
}

async fn make(
    surface: Surface,
    entry: &Entry<AuthorityManage>,
    asked: Create,
) -> Result<(AuthorityView, Reached), Refused> {
    let (caller, project) = entry.project(asked.project.as_ref())?;
    let new = named(asked.new)?;
    let made = uninterrupted(async move {
        let app = &surface.context.app;
        let made = app.create_authority(&caller, new).await?;
        if asked.disabled {
            return Ok(app.disable_authority(&caller, made.authority.handle).await?);
        }
        Ok(made)
    });
    let made = made.await.map_err(|failure| match failure.code() {
        "store.duplicate" => {
            let detail = "there is a CA of that name in the project";
            Failure::new(StatusCode::CONFLICT, "store.duplicate", detail)
        }
        _ => failure,
    })?;
    Ok((made, project))
}

/// The older paths give a CA no name; the vendor's server makes one of what it is called and 8 random characters.
fn named(new: NewAuthority) -> Result<NewAuthority, Error> {
    if !new.name.is_empty() {
        return Ok(new);
    }
    let called = new.subject.common_names().next().unwrap_or("ca").to_ascii_lowercase();
    let slug: String =
        called.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '-' }).take(16).collect();
    let mut random = [0; 4];
    getrandom::fill(&mut random).map_err(|error| Error::bug(format!("no random numbers: {error}")))?;
    Ok(NewAuthority { name: format!("{}-{}", slug.trim_matches('-'), hex::encode(random)), ..new })
}

/// List the CAs of a project.
#[utoipa::path(
    get, path = "", tag = "pki", operation_id = "listCas", params(wire::ListQuery),
    responses((status = 200, description = "All of them, oldest first", body = Vec<wire::Ca>), EveryCall)
)]
pub(super) async fn list(
    State(surface): State<Surface>,
    entry: Entry<AuthorityRead>,
    query: Result<Query<wire::ListQuery>, QueryRejection>,
) -> Result<Json<Vec<wire::Ca>>, Refused> {
    let (views, project) = all(&surface, &entry, query).await?;
    Ok(Json(views.iter().map(|view| convert::ca(view, &project)).collect()))
}

/// List the CAs of a project.
#[utoipa::path(
    get, path = "", tag = "cert-manager", operation_id = "listCas", params(wire::ListQuery),
    responses((status = 200, description = "All of them, oldest first", body = Vec<wire::InternalCa>), EveryCall)
)]
pub(super) async fn list_internal(
    State(surface): State<Surface>,
    entry: Entry<AuthorityRead>,
    query: Result<Query<wire::ListQuery>, QueryRejection>,
) -> Result<Json<Vec<wire::InternalCa>>, Refused> {
    let (views, project) = all(&surface, &entry, query).await?;
    Ok(Json(views.iter().map(|view| convert::internal_ca(view, &project)).collect()))
}

async fn all(
    surface: &Surface,
    entry: &Entry<AuthorityRead>,
    query: Result<Query<wire::ListQuery>, QueryRejection>,
) -> Result<(Vec<AuthorityView>, Reached), Refused> {
    let Query(query) =
        query.map_err(|rejection| Refused::bad_request("query.invalid", rejection.body_text()))?;
    let named = query.project_id.map(ProjectRef::Id).or(query.project_slug.map(ProjectRef::Slug));
    let (caller, project) = entry.project(named.as_ref())?;
    let mut views = surface.context.app.authorities(&caller).await?;
    views.retain(|view| convert::is_shown(&view.authority));
    Ok((views, project))
}

/// Show a CA.
#[utoipa::path(
    get, path = "/{caId}", tag = "pki", operation_id = "getCa",
    params(("caId" = String, Path, description = "The CA")),
    responses((status = 200, description = "The CA", body = wire::CaEnvelope), EveryCall)
)]
pub(super) async fn show(
    State(surface): State<Surface>,
    entry: Entry<AuthorityRead>,
    Path(id): Path<String>,
) -> Result<Json<wire::CaEnvelope>, Refused> {
    let found = entry.found(&surface, &id).await?;
    Ok(Json(wire::CaEnvelope { ca: convert::ca(&found.view, &found.project) }))
}

/// Show a CA.
#[utoipa::path(
    get, path = "/{caId}", tag = "cert-manager", operation_id = "getCa",
    params(("caId" = String, Path, description = "The CA")),
    responses((status = 200, description = "The CA", body = wire::InternalCa), EveryCall)
)]
pub(super) async fn show_internal(
    State(surface): State<Surface>,
    entry: Entry<AuthorityRead>,
    Path(id): Path<String>,
) -> Result<Json<wire::InternalCa>, Refused> {
    let found = entry.found(&surface, &id).await?;
    Ok(Json(convert::internal_ca(&found.view, &found.project)))
}

/// Have a CA issue nothing, or issue again.
#[utoipa::path(
    patch, path = "/{caId}", tag = "pki", operation_id = "updateCa",
    params(("caId" = String, Path, description = "The CA")),
    request_body = wire::UpdateCa,
    responses((status = 200, description = "The CA as it is now", body = wire::CaEnvelope), EveryCall, WithBody)
)]
pub(super) async fn update(
    State(surface): State<Surface>,
    Path(id): Path<String>,
    body: Body<AuthorityManage>,
) -> Result<Json<wire::CaEnvelope>, Refused> {
    let found = body.permit.found(&surface, &id).await?;
    let (view, project) = set(surface, found, &body).await?;
    Ok(Json(wire::CaEnvelope { ca: convert::ca(&view, &project) }))
}

/// Have a CA issue nothing, or issue again.
#[utoipa::path(
    patch, path = "/{caId}", tag = "cert-manager", operation_id = "updateCa",
    params(("caId" = String, Path, description = "The CA")),
    request_body = wire::UpdateCa,
    responses((status = 200, description = "The CA as it is now", body = wire::InternalCa), EveryCall, WithBody)
)]
pub(super) async fn update_internal(
    State(surface): State<Surface>,
    Path(id): Path<String>,
    body: Body<AuthorityManage>,
) -> Result<Json<wire::InternalCa>, Refused> {
    let found = body.permit.found(&surface, &id).await?;
    let (view, project) = set(surface, found, &body).await?;
    Ok(Json(convert::internal_ca(&view, &project)))
}

async fn set(
    surface: Surface,
    found: Found,
    body: &Body<AuthorityManage>,
) -> Result<(AuthorityView, Reached), Refused> {
    let status = asked::status(entry::json(body)?)?;
    let handle = found.handle();
    let Found { caller, project, view } = found;
    let changed = uninterrupted(async move {
        let app = &surface.context.app;
        Ok(match (status, view.authority.state) {
            (None, _)
            | (Some(NewStatus::Active), AuthorityState::Active)
            | (Some(NewStatus::Disabled), AuthorityState::Disabled) => view,
            (Some(NewStatus::Disabled), _) => app.disable_authority(&caller, handle).await?,
            (Some(NewStatus::Active | NewStatus::Pending), _) => {
                app.enable_authority(&caller, handle).await?
            }
        })
    });
    Ok((changed.await?, project))
}

/// Delete a CA: it issues nothing more, and its key may be destroyed.
#[utoipa::path(
    delete, path = "/{caId}", tag = "pki", operation_id = "deleteCa",
    params(("caId" = String, Path, description = "The CA")),
    responses((status = 200, description = "The CA as it was", body = wire::CaEnvelope), EveryCall)
)]
pub(super) async fn delete(
    State(surface): State<Surface>,
    entry: Entry<AuthorityManage>,
    Path(id): Path<String>,
) -> Result<Json<wire::CaEnvelope>, Refused> {
    let found = removed(&surface.context.app, entry.found(&surface, &id).await?).await?;
    Ok(Json(wire::CaEnvelope { ca: convert::ca(&found.view, &found.project) }))
}

/// Delete a CA: it issues nothing more, and its key may be destroyed.
#[utoipa::path(
    delete, path = "/{caId}", tag = "cert-manager", operation_id = "deleteCa",
    params(("caId" = String, Path, description = "The CA")),
    responses((status = 200, description = "The CA as it was", body = wire::InternalCa), EveryCall)
)]
pub(super) async fn delete_internal(
    State(surface): State<Surface>,
    entry: Entry<AuthorityManage>,
    Path(id): Path<String>,
) -> Result<Json<wire::InternalCa>, Refused> {
    let found = removed(&surface.context.app, entry.found(&surface, &id).await?).await?;
    Ok(Json(convert::internal_ca(&found.view, &found.project)))
}

async fn removed(app: &App, found: Found) -> Result<Found, Refused> {
    let (app, handle, caller) = (app.clone(), found.handle(), found.caller.clone());
    uninterrupted(async move { Ok(app.delete_authority(&caller, handle).await?) }).await?;
    Ok(found)
}
