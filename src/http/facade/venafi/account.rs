//! Who calls, and the accounts at authorities.

use axum::Json;
use axum::extract::{Path, State};
use serde_json::json;

use super::convert::{AUTHORITY, ELSEWHERE, date};
use super::entry::Entry;
use super::error::{EveryCall, OfOne};
use super::{Venafi, wire};
use crate::app::{Caller, Error, Kind};
use crate::domain::access::PrincipalKind;
use crate::http::error::Failure;
use crate::http::permit::needs;

/// What vcert shows of what an account offers.
const PRODUCT: &str = "Default Product";

/// Who calls; clients try their credentials with it.
#[utoipa::path(
    get, path = "/useraccounts", tag = "v1", operation_id = "userAccounts",
    responses((status = 200, description = "The principal, its tenant, its credential", body = wire::UserAccount), EveryCall)
)]
pub(super) async fn user_accounts(
    State(venafi): State<Venafi>,
    Entry { caller, tenant, .. }: Entry<needs::TemplateRead>,
) -> Result<Json<wire::UserAccount>, Failure> {
    let user = own(&venafi, &caller, &tenant).await?;
    let company_id = user.company_id.clone();
    Ok(Json(wire::UserAccount {
        api_key: wire::ApiKey {
            id: caller.credential.to_string(),
            user_id: user.id.clone(),
            company_id: company_id.clone(),
            api_key_status: "ACTIVE",
        },
        user,
        company: wire::Company { id: company_id, name: tenant, company_type: "TPP_CUSTOMER", active: true },
    }))
}

/// Whoever calls, by his id; others are not there.
#[utoipa::path(
    get, path = "/users/{id}", tag = "v1", operation_id = "usersById",
    params(("id" = String, Path, description = "The caller's own")),
    responses((status = 200, description = "The user", body = wire::User), EveryCall, OfOne)
)]
pub(super) async fn user(
    State(venafi): State<Venafi>,
    Entry { caller, tenant, .. }: Entry<needs::TemplateRead>,
    Path(id): Path<String>,
) -> Result<Json<wire::User>, Failure> {
    let own = own(&venafi, &caller, &tenant).await?;
    if own.id == id { Ok(Json(own)) } else { Err(Error::not_found("user", id).into()) }
}

/// Whoever calls, by his name; others are not there.
#[utoipa::path(
    get, path = "/users/username/{name}", tag = "v1", operation_id = "usersByName",
    params(("name" = String, Path, description = "The caller's own")),
    responses((status = 200, description = "The user", body = wire::Users), EveryCall, OfOne)
)]
pub(super) async fn user_by_name(
    State(venafi): State<Venafi>,
    Entry { caller, tenant, .. }: Entry<needs::TemplateRead>,
    Path(name): Path<String>,
) -> Result<Json<wire::Users>, Failure> {
    let own = own(&venafi, &caller, &tenant).await?;
    if own.username == name {
        return Ok(Json(wire::Users { users: vec![own] }));
    }
    Err(Error::not_found("user", name).into())
}

/// There are no teams.
#[utoipa::path(
    get, path = "/teams", tag = "v1", operation_id = "teams",
    responses((status = 200, description = "None", body = wire::Teams), EveryCall)
)]
pub(super) async fn teams(_: Entry<needs::TemplateRead>) -> Json<wire::Teams> {
    Json(wire::Teams { teams: Vec::new() })
}

/// The accounts at authorities.
#[utoipa::path(
    get, path = "/certificateauthorities/{authority}/accounts", tag = "v1", operation_id = "certificateAuthorityAccounts",
    params(("authority" = String, Path, description = "`BUILTIN`")),
    responses((status = 200, description = "The accounts", body = wire::AuthorityAccounts), EveryCall, OfOne)
)]
pub(super) async fn authority_accounts(
    State(venafi): State<Venafi>,
    Entry { caller, tenant, .. }: Entry<needs::TemplateRead>,
    Path(authority): Path<String>,
) -> Result<Json<wire::AuthorityAccounts>, Failure> {
    must_be_built_in(&authority)?;
    let accounts = of_tenant(&venafi, &caller, &tenant).await?;
    Ok(Json(wire::AuthorityAccounts { accounts }))
}

/// An account at an authority, which a template names.
#[utoipa::path(
    get, path = "/certificateauthorities/{authority}/accounts/{account}", tag = "v1",
    operation_id = "certificateAuthorityAccount",
    params(
        ("authority" = String, Path, description = "`BUILTIN`"),
        ("account" = String, Path, description = "Its id"),
    ),
    responses((status = 200, description = "The account", body = wire::AuthorityAccount), EveryCall, OfOne)
)]
pub(super) async fn authority_account(
    State(venafi): State<Venafi>,
    Entry { caller, tenant, .. }: Entry<needs::TemplateRead>,
    Path((authority, account)): Path<(String, String)>,
) -> Result<Json<wire::AuthorityAccount>, Failure> {
    must_be_built_in(&authority)?;
    let accounts = of_tenant(&venafi, &caller, &tenant).await?;
    let found = accounts.into_iter().find(|known| known.account.id.eq_ignore_ascii_case(&account));
    found.map(Json).ok_or_else(|| Error::not_found("account", account).into())
}

fn must_be_built_in(authority: &str) -> Result<(), Failure> {
    if authority.eq_ignore_ascii_case(AUTHORITY) {
        return Ok(());
    }
    Err(Error::not_found("certificate authority", authority).into())
}

/// One account for each authority that a template of the tenant names, and one for templates that name none.
pub(super) async fn of_tenant(
    venafi: &Venafi,
    caller: &Caller,
    tenant: &str,
) -> Result<Vec<wire::AuthorityAccount>, Failure> {
    let mut authorities: Vec<Option<String>> = Vec::new();
    for name in venafi.catalogue.templates(tenant) {
        match venafi.context.app.template(caller, name).await {
            Ok(template) => authorities.push(template.authority.clone()),
            // The configuration names one that is gone: so is its account.
            Err(error) if error.kind() == Kind::NotFound => {}
            Err(error) => return Err(error.into()),
        }
    }
    authorities.sort_unstable();
    authorities.dedup();
    let account = |authority: Option<String>| wire::AuthorityAccount {
        account: wire::Account {
            id: venafi.catalogue.account_id(tenant, authority.as_deref()),
            key: authority.clone().unwrap_or_else(|| ELSEWHERE.to_owned()),
            certificate_authority: AUTHORITY,
        },
        product_options: vec![wire::ProductOption {
            id: venafi.catalogue.product_id(tenant, authority.as_deref()),
            product_name: PRODUCT,
            product_details: json!({ "productTemplate": {} }),
        }],
    };
    Ok(authorities.into_iter().map(account).collect())
}

async fn own(venafi: &Venafi, caller: &Caller, tenant: &str) -> Result<wire::User, Failure> {
    let principal = venafi.context.app.principal(caller.principal.to_string()).await?.principal;
    Ok(wire::User {
        id: principal.handle.to_string(),
        username: principal.name.clone(),
        email_address: principal.name,
        company_id: venafi.catalogue.company_id(tenant),
        user_type: "EXTERNAL",
        user_account_type: match principal.kind {
            PrincipalKind::Person => "WEB_UI",
            PrincipalKind::Service => "API",
        },
        user_status: "ACTIVE",
        creation_date: date(principal.created_at),
    })
}
