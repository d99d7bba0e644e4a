//! Principals, their grants, tenants, and the first admin.

use axum::Json;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Path, Query, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};

use super::credentials;
use super::csrs::query_of;
use super::problem::{EveryCall, PROBLEM, WithBody};
use crate::api;
use crate::app::access::{PrincipalView, Tenant};
use crate::domain::access::Role;
use crate::domain::invalid::Invalid;
use crate::http::Context;
use crate::http::error::Failure;
use crate::http::permit::{LocalUser, Permit, PermittedBody, needs};
use crate::http::uninterrupted::uninterrupted;

type Reading = Permit<needs::AccessRead>;
type Managing = Permit<needs::AccessManage>;

/// Make the first admin. Over the Unix socket only, by root or the service's own user, without a
/// credential; only while there is no enabled admin with a credential in force.
#[utoipa::path(
    post, path = "/bootstrap", tag = "access", operation_id = "bootstrap",
    request_body = api::Bootstrap,
    responses(
        (status = 201, description = "The admin and his API key, which is shown this once", body = api::Bootstrapped),
        (status = 400, description = "A bad name", body = api::Problem, content_type = PROBLEM),
        (status = 409, description = "There is an admin, or the name is taken", body = api::Problem, content_type = PROBLEM),
        EveryCall,
        WithBody,
    )
)]
pub(super) async fn bootstrap(
    State(context): State<Context>,
    body: PermittedBody<LocalUser>,
) -> Result<Response, Failure> {
    let api::Bootstrap { name } = body.json()?;
    uninterrupted(async move {
        let (principal, issued) = context.app.bootstrap(body.permit.uid, name).await?;
        let body = api::Bootstrapped { principal: view(&principal), issued: credentials::issued(issued) };
        Ok((StatusCode::CREATED, [NO_STORE], Json(body)).into_response())
    })
    .await
}

/// An answer with a secret is kept by no cache (RFC 9111 section 5.2.2.5).
pub(super) const NO_STORE: (header::HeaderName, &str) = (header::CACHE_CONTROL, "no-store");

/// Enter a principal. It may do nothing until it is granted a role.
#[utoipa::path(
    post, path = "/principals", tag = "access", operation_id = "createPrincipal",
    request_body = api::CreatePrincipal,
    responses(
        (status = 201, description = "Entered", body = api::Principal),
        (status = 400, description = "A field breaks a rule", body = api::Problem, content_type = PROBLEM),
        (status = 409, description = "The name is taken", body = api::Problem, content_type = PROBLEM),
        EveryCall,
        WithBody,
    )
)]
pub(super) async fn create(
    State(context): State<Context>,
    body: PermittedBody<Managing>,
) -> Result<(StatusCode, Json<api::Principal>), Failure> {
    let api::CreatePrincipal { name, kind } = body.json()?;
    let kind = kind.parse().map_err(|error| Invalid::new("kind", error))?;
    uninterrupted(async move {
        let principal = context.app.create_principal(&body.permit.caller, name, kind).await?;
        Ok((StatusCode::CREATED, Json(view(&principal))))
    })
    .await
}

/// List principals with their grants.
#[utoipa::path(
    get, path = "/principals", tag = "access", operation_id = "listPrincipals",
    responses((status = 200, description = "By name", body = api::Principals), EveryCall)
)]
pub(super) async fn list(
    State(context): State<Context>,
    _: Reading,
) -> Result<Json<api::Principals>, Failure> {
    let principals = context.app.principals().await?;
    Ok(Json(api::Principals { items: principals.iter().map(view).collect() }))
}

/// Show a principal.
#[utoipa::path(
    get, path = "/principals/{principal}", tag = "access", operation_id = "getPrincipal",
    params(("principal" = String, Path, description = "Its handle or name")),
    responses(
        (status = 200, description = "The principal", body = api::Principal),
        (status = 404, description = "There is no such principal", body = api::Problem, content_type = PROBLEM),
        EveryCall,
    )
)]
pub(super) async fn show(
    State(context): State<Context>,
    _: Reading,
    Path(principal): Path<String>,
) -> Result<Json<api::Principal>, Failure> {
    Ok(Json(view(&context.app.principal(principal).await?)))
}

/// Enable or disable a principal. The next request with one of its credentials sees it.
#[utoipa::path(
    patch, path = "/principals/{principal}", tag = "access", operation_id = "changePrincipal",
    params(("principal" = String, Path, description = "Its handle or name")),
    request_body = api::ChangePrincipal,
    responses(
        (status = 200, description = "As it is now", body = api::Principal),
        (status = 400, description = "Not such a document", body = api::Problem, content_type = PROBLEM),
        (status = 404, description = "There is no such principal", body = api::Problem, content_type = PROBLEM),
        (status = 409, description = "It is the last admin", body = api::Problem, content_type = PROBLEM),
        EveryCall,
        WithBody,
    )
)]
pub(super) async fn change(
    State(context): State<Context>,
    permit: Managing,
    Path(principal): Path<String>,
    body: PermittedBody<Managing>,
) -> Result<Json<api::Principal>, Failure> {
    let api::ChangePrincipal { enabled } = body.json()?;
    uninterrupted(async move {
        let changed = context.app.set_principal_enabled(&permit.caller, principal, enabled).await?;
        Ok(Json(view(&changed)))
    })
    .await
}

/// Grant a role in a tenant or in the whole appliance. Nobody grants to himself.
#[utoipa::path(
    put, path = "/principals/{principal}/grants/{role}", tag = "access", operation_id = "addGrant",
    params(
        ("principal" = String, Path, description = "Its handle or name"),
        ("role" = String, Path, description = "`reader`, `requester`, `approver`, `operator`, `auditor` or `admin`"),
        api::InTenant,
    ),
    responses(
        (status = 200, description = "Granted, also when it was before", body = api::Principal),
        (status = 400, description = "No such role", body = api::Problem, content_type = PROBLEM),
        (status = 404, description = "There is no such principal or tenant", body = api::Problem, content_type = PROBLEM),
        EveryCall,
    )
)]
pub(super) async fn grant(
    State(context): State<Context>,
    permit: Managing,
    Path((principal, role)): Path<(String, String)>,
    query: Result<Query<api::InTenant>, QueryRejection>,
) -> Result<Json<api::Principal>, Failure> {
    let (role, tenant) = (role_of(&role)?, query_of(query)?.tenant);
    uninterrupted(async move {
        Ok(Json(view(&context.app.grant(&permit.caller, principal, role, tenant).await?)))
    })
    .await
}

/// Take a role back.
#[utoipa::path(
    delete, path = "/principals/{principal}/grants/{role}", tag = "access", operation_id = "removeGrant",
    params(
        ("principal" = String, Path, description = "Its handle or name"),
        ("role" = String, Path, description = "The role"),
        api::InTenant,
    ),
    responses(
        (status = 200, description = "As it is now", body = api::Principal),
        (status = 400, description = "No such role", body = api::Problem, content_type = PROBLEM),
        (status = 404, description = "There is no such principal, tenant or grant", body = api::Problem, content_type = PROBLEM),
        (status = 409, description = "It makes the last admin", body = api::Problem, content_type = PROBLEM),
        EveryCall,
    )
)]
pub(super) async fn revoke(
    State(context): State<Context>,
    permit: Managing,
    Path((principal, role)): Path<(String, String)>,
    query: Result<Query<api::InTenant>, QueryRejection>,
) -> Result<Json<api::Principal>, Failure> {
    let (role, tenant) = (role_of(&role)?, query_of(query)?.tenant);
    uninterrupted(async move {
        Ok(Json(view(&context.app.revoke_grant(&permit.caller, principal, role, tenant).await?)))
    })
    .await
}

/// Enter a tenant.
#[utoipa::path(
    post, path = "/tenants", tag = "access", operation_id = "createTenant",
    request_body = api::CreateTenant,
    responses(
        (status = 201, description = "Entered", body = api::Tenant),
        (status = 400, description = "A bad name", body = api::Problem, content_type = PROBLEM),
        (status = 409, description = "The name is taken", body = api::Problem, content_type = PROBLEM),
        EveryCall,
        WithBody,
    )
)]
pub(super) async fn create_tenant(
    State(context): State<Context>,
    body: PermittedBody<Managing>,
) -> Result<(StatusCode, Json<api::Tenant>), Failure> {
    let api::CreateTenant { name } = body.json()?;
    uninterrupted(async move {
        let tenant = context.app.create_tenant(&body.permit.caller, name).await?;
        Ok((StatusCode::CREATED, Json(tenant_view(&tenant))))
    })
    .await
}

/// List tenants.
#[utoipa::path(
    get, path = "/tenants", tag = "access", operation_id = "listTenants",
    responses((status = 200, description = "By name", body = api::Tenants), EveryCall)
)]
pub(super) async fn list_tenants(
    State(context): State<Context>,
    _: Reading,
) -> Result<Json<api::Tenants>, Failure> {
    let tenants = context.app.tenants().await?;
    Ok(Json(api::Tenants { items: tenants.iter().map(tenant_view).collect() }))
}

fn role_of(text: &str) -> Result<Role, Invalid> {
    text.parse().map_err(|error| Invalid::new("role", error))
}

fn view(of: &PrincipalView) -> api::Principal {
    let grants = of.grants.iter();
    api::Principal {
        handle: of.principal.handle.to_string(),
        name: of.principal.name.clone(),
        kind: of.principal.kind.to_string(),
        enabled: of.principal.disabled_at.is_none(),
        created_at: of.principal.created_at.to_string(),
        grants: grants
            .map(|(role, tenant)| api::Grant { role: role.to_string(), tenant: tenant.clone() })
            .collect(),
    }
}

fn tenant_view(of: &Tenant) -> api::Tenant {
    api::Tenant { name: of.name.clone(), created_at: of.created_at.to_string() }
}
