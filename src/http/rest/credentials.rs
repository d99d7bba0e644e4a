//! Credentials: API keys, Basic secrets, client certificates and uids.

use axum::Json;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Path, Query, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};

use super::convert;
use super::csrs::query_of;
use super::principals::NO_STORE;
use super::problem::{ByHandle, EveryCall, PROBLEM, WithBody};
use crate::api;
use crate::app::access::Credential;
use crate::app::access::credentials::{Issued, Material};
use crate::domain::access::CredentialKind;
use crate::domain::clock::Timestamp;
use crate::domain::invalid::Invalid;
use crate::http::Context;
use crate::http::error::Failure;
use crate::http::permit::{Permit, PermittedBody, needs};
use crate::http::uninterrupted::uninterrupted;

/// Issue a credential: for anybody with `access:manage`, else a secret for oneself that expires no
/// later than the credential in use.
#[utoipa::path(
    post, path = "/credentials", tag = "access", operation_id = "createCredential",
    request_body = api::CreateCredential,
    responses(
        (status = 201, description = "Issued; its secret is shown this once", body = api::IssuedCredential),
        (status = 400, description = "A field breaks a rule", body = api::Problem, content_type = PROBLEM),
        (status = 404, description = "There is no such principal", body = api::Problem, content_type = PROBLEM),
        (status = 409, description = "The certificate or uid is registered", body = api::Problem, content_type = PROBLEM),
        (status = 422, description = "The uid is root's or the service's own", body = api::Problem, content_type = PROBLEM),
        EveryCall,
        WithBody,
    )
)]
pub(super) async fn create(
    State(context): State<Context>,
    body: PermittedBody<Permit<needs::AnyPrincipal>>,
) -> Result<Response, Failure> {
    let wanted: api::CreateCredential = body.json()?;
    let material = material(&wanted)?;
    let expires_at = wanted.expires_at.map(|text| text.parse::<Timestamp>()).transpose();
    let expires_at =
        expires_at.map_err(|_| Invalid::new("expires_at", "must be a time such as 2027-11-22T00:00:00Z"))?;
    uninterrupted(async move {
        let caller = &body.permit.caller;
        let made = context.app.issue_credential(caller, wanted.principal, material, expires_at).await?;
        Ok((StatusCode::CREATED, [NO_STORE], Json(issued(made))).into_response())
    })
    .await
}

/// List credentials, those revoked included: all with `access:read`, else one's own.
#[utoipa::path(
    get, path = "/credentials", tag = "access", operation_id = "listCredentials",
    params(api::ListCredentials),
    responses(
        (status = 200, description = "Oldest first; without secrets", body = api::Credentials),
        (status = 400, description = "There is no such parameter", body = api::Problem, content_type = PROBLEM),
        (status = 404, description = "There is no such principal", body = api::Problem, content_type = PROBLEM),
        EveryCall,
    )
)]
pub(super) async fn list(
    State(context): State<Context>,
    permit: Permit<needs::AnyPrincipal>,
    query: Result<Query<api::ListCredentials>, QueryRejection>,
) -> Result<Json<api::Credentials>, Failure> {
    let query = query_of(query)?;
    context.authenticator.note_uses().await?;
    let credentials = context.app.credentials(&permit.caller, query.principal).await?;
    Ok(Json(api::Credentials { items: credentials.iter().map(view).collect() }))
}

/// Revoke a credential: anybody's with `access:manage`, else one's own. The next request with it is
/// refused.
#[utoipa::path(
    delete, path = "/credentials/{handle}", tag = "access", operation_id = "revokeCredential",
    params(("handle" = String, Path, description = "The credential")),
    responses(
        (status = 200, description = "Revoked", body = api::Credential),
        (status = 409, description = "It is revoked already, or the last of the last admin", body = api::Problem, content_type = PROBLEM),
        ByHandle,
        EveryCall,
    )
)]
pub(super) async fn revoke(
    State(context): State<Context>,
    permit: Permit<needs::AnyPrincipal>,
    Path(handle): Path<String>,
) -> Result<Json<api::Credential>, Failure> {
    let handle = convert::handle("handle", &handle)?;
    uninterrupted(
        async move { Ok(Json(view(&context.app.revoke_credential(&permit.caller, handle).await?))) },
    )
    .await
}

/// A credential with its secret, which is shown nowhere else.
pub(super) fn issued(issued: Issued) -> api::IssuedCredential {
    api::IssuedCredential {
        credential: view(&issued.credential),
        secret: issued.secret.map(|secret| api::Secret(secret.as_str().to_owned())),
    }
}

fn material(wanted: &api::CreateCredential) -> Result<Material, Invalid> {
    let kind = wanted.kind.parse().map_err(|error| Invalid::new("kind", error))?;
    let needed = |field| Invalid::new(field, format!("is needed for a credential of the kind {kind}"));
    let foreign = |field| Invalid::new(field, format!("means nothing for the kind {kind}"));
    if wanted.uid.is_some() && kind != CredentialKind::Uid {
        return Err(foreign("uid"));
    }
    if wanted.certificate_sha256.is_some() && kind != CredentialKind::ClientCertificate {
        return Err(foreign("certificate_sha256"));
    }
    match kind {
        CredentialKind::ApiKey => Ok(Material::ApiKey),
        CredentialKind::Basic => Ok(Material::Basic),
        CredentialKind::Uid => wanted.uid.map(Material::Uid).ok_or_else(|| needed("uid")),
        CredentialKind::ClientCertificate => {
            let text = wanted.certificate_sha256.as_deref().ok_or_else(|| needed("certificate_sha256"))?;
            let mut sha256 = [0; 32];
            hex::decode_to_slice(text.replace(':', ""), &mut sha256)
                .map_err(|_| Invalid::new("certificate_sha256", "must be 64 hexadecimal digits"))?;
            Ok(Material::ClientCertificate(sha256))
        }
    }
}

fn view(of: &Credential) -> api::Credential {
    let is = |kind| of.kind == kind;
    let uid = <[u8; 4]>::try_from(of.verifier.as_slice()).ok().map(u32::from_be_bytes);
    api::Credential {
        handle: of.handle.to_string(),
        principal: of.principal.to_string(),
        kind: of.kind.to_string(),
        hint: of.hint.clone(),
        certificate_sha256: is(CredentialKind::ClientCertificate).then(|| hex::encode(&of.verifier)),
        uid: uid.filter(|_| is(CredentialKind::Uid)),
        created_at: of.created_at.to_string(),
        expires_at: of.expires_at.map(|at| at.to_string()),
        revoked_at: of.revoked_at.map(|at| at.to_string()),
        last_used_at: of.last_used_at.map(|at| at.to_string()),
    }
}
