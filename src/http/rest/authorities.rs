//! Authorities; what they issue is in `issued`.

use axum::Json;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};

use super::accept::{self, Form, Offer, VARY};
use super::convert;
use super::convert::authority as wire;
use super::problem::{ByHandle, EveryCall, PROBLEM, WithBody};
use crate::api;
use crate::app::authorities::{AuthorityView, Renewal};
use crate::app::{Error, Kind};
use crate::domain::certificate::pem;
use crate::domain::csr;
use crate::http::Context;
use crate::http::error::Failure;
use crate::http::permit::{Permit, PermittedBody, needs};
use crate::http::uninterrupted::uninterrupted;

type ManageBody = PermittedBody<Permit<needs::AuthorityManage>>;

/// How the CSR of an authority is shown.
const CSR_OFFERS: &[Offer] =
    &[("application/x-pem-file", Form::Pem), ("text/plain", Form::Pem), ("application/pkcs10", Form::Der)];

/// How its certificate is shown; as PEM, with its chain.
const CERTIFICATE_OFFERS: &[Offer] = &[
    ("application/json", Form::Json),
    ("application/pkix-cert", Form::Der),
    ("application/pem-certificate-chain", Form::Pem),
    ("application/x-pem-file", Form::Pem),
    ("text/plain", Form::Pem),
];

/// Make an authority: a root with its certificate, or an intermediate with its CSR. Its key is made in the token.
#[utoipa::path(
    post, path = "/authorities", tag = "authorities", operation_id = "createAuthority",
    request_body = api::CreateAuthority,
    responses(
        (status = 201, description = "Made", body = api::Authority, headers(("Location" = String, description = "The authority"))),
        (status = 400, description = "Malformed, or a field breaks a rule", body = api::Problem, content_type = PROBLEM),
        (status = 409, description = "There is an authority of that name", body = api::Problem, content_type = PROBLEM),
        (status = 415, description = "The body is not JSON", body = api::Problem, content_type = PROBLEM),
        (status = 422, description = "The token has no such key kind", body = api::Problem, content_type = PROBLEM),
        (status = 502, description = "The token refused or answered wrongly", body = api::Problem, content_type = PROBLEM),
        (status = 504, description = "The token was lost in the act", body = api::Problem, content_type = PROBLEM),
        EveryCall,
        WithBody,
    )
)]
pub(super) async fn create(State(context): State<Context>, body: ManageBody) -> Result<Response, Failure> {
    let new = wire::new_authority(body.json()?).map_err(Error::invalid)?;
    uninterrupted(async move {
        let made = context.app.create_authority(&body.permit.caller, new).await?;
        let location = format!("{}/authorities/{}", api::PREFIX, made.authority.handle);
        Ok((StatusCode::CREATED, [(header::LOCATION, location)], Json(wire::authority(&made)))
            .into_response())
    })
    .await
}

/// List authorities, oldest first. Those that failed or were deleted are left out.
#[utoipa::path(
    get, path = "/authorities", tag = "authorities", operation_id = "listAuthorities",
    responses((status = 200, description = "All of them", body = api::Authorities), EveryCall)
)]
pub(super) async fn list(
    State(context): State<Context>,
    permit: Permit<needs::AuthorityRead>,
) -> Result<Json<api::Authorities>, Failure> {
    let all = context.app.authorities(&permit.caller).await?;
    Ok(Json(api::Authorities { items: all.iter().map(wire::authority).collect() }))
}

/// Show an authority.
#[utoipa::path(
    get, path = "/authorities/{handle}", tag = "authorities", operation_id = "getAuthority",
    params(("handle" = String, Path, description = "The authority")),
    responses((status = 200, description = "The authority", body = api::Authority), ByHandle, EveryCall)
)]
pub(super) async fn show(
    State(context): State<Context>,
    permit: Permit<needs::AuthorityRead>,
    Path(handle): Path<String>,
) -> Result<Json<api::Authority>, Failure> {
    let found = context.app.authority(&permit.caller, convert::handle("handle", &handle)?).await?;
    Ok(Json(wire::authority(&found)))
}

/// Delete an authority: it issues nothing more, and its key may be destroyed. What it issued stays on record, and
/// its last revocation list is served on.
#[utoipa::path(
    delete, path = "/authorities/{handle}", tag = "authorities", operation_id = "deleteAuthority",
    params(("handle" = String, Path, description = "The authority")),
    responses(
        (status = 200, description = "Deleted", body = api::Authority),
        (status = 409, description = "It is being made, or deleted already", body = api::Problem, content_type = PROBLEM),
        ByHandle,
        EveryCall,
    )
)]
pub(super) async fn delete(
    State(context): State<Context>,
    permit: Permit<needs::AuthorityManage>,
    Path(handle): Path<String>,
) -> Result<Json<api::Authority>, Failure> {
    let handle = convert::handle("handle", &handle)?;
    changed(async move { context.app.delete_authority(&permit.caller, handle).await }).await
}

/// Have an authority issue nothing until it is enabled again. Its revocation list goes on.
#[utoipa::path(
    post, path = "/authorities/{handle}/disable", tag = "authorities", operation_id = "disableAuthority",
    params(("handle" = String, Path, description = "The authority")),
    responses(
        (status = 200, description = "Disabled", body = api::Authority),
        (status = 409, description = "It is not active", body = api::Problem, content_type = PROBLEM),
        ByHandle,
        EveryCall,
    )
)]
pub(super) async fn disable(
    State(context): State<Context>,
    permit: Permit<needs::AuthorityManage>,
    Path(handle): Path<String>,
) -> Result<Json<api::Authority>, Failure> {
    let handle = convert::handle("handle", &handle)?;
    changed(async move { context.app.disable_authority(&permit.caller, handle).await }).await
}

/// Have a disabled authority issue again.
#[utoipa::path(
    post, path = "/authorities/{handle}/enable", tag = "authorities", operation_id = "enableAuthority",
    params(("handle" = String, Path, description = "The authority")),
    responses(
        (status = 200, description = "Enabled", body = api::Authority),
        (status = 409, description = "It is not disabled", body = api::Problem, content_type = PROBLEM),
        ByHandle,
        EveryCall,
    )
)]
pub(super) async fn enable(
    State(context): State<Context>,
    permit: Permit<needs::AuthorityManage>,
    Path(handle): Path<String>,
) -> Result<Json<api::Authority>, Failure> {
    let handle = convert::handle("handle", &handle)?;
    changed(async move { context.app.enable_authority(&permit.caller, handle).await }).await
}

/// Give an authority a new certificate with the same key: a root by itself, an intermediate by the authority here
/// that issued its present one.
#[utoipa::path(
    post, path = "/authorities/{handle}/renew", tag = "authorities", operation_id = "renewAuthority",
    params(("handle" = String, Path, description = "The authority")),
    request_body = Option<api::RenewAuthority>,
    responses(
        (status = 200, description = "Renewed: the new certificate is the last one", body = api::Authority),
        (status = 409, description = "It is not active, or another CA than those here issued its certificate", body = api::Problem, content_type = PROBLEM),
        (status = 415, description = "The body is not JSON", body = api::Problem, content_type = PROBLEM),
        (status = 422, description = "The authority above does not allow it", body = api::Problem, content_type = PROBLEM),
        (status = 502, description = "The token refused or answered wrongly", body = api::Problem, content_type = PROBLEM),
        (status = 504, description = "The token was lost in the act", body = api::Problem, content_type = PROBLEM),
        ByHandle,
        EveryCall,
        WithBody,
    )
)]
pub(super) async fn renew(
    State(context): State<Context>,
    permit: Permit<needs::AuthorityManage>,
    Path(handle): Path<String>,
    body: ManageBody,
) -> Result<Json<api::Authority>, Failure> {
    let handle = convert::handle("handle", &handle)?;
    let asked: api::RenewAuthority = if body.bytes.is_empty() { Default::default() } else { body.json()? };
    let lifetime =
        wire::lifetime(asked.validity_days, asked.not_before.as_deref(), asked.not_after.as_deref());
    let renewal = Renewal { lifetime: lifetime.map_err(Error::invalid)? };
    changed(async move { context.app.renew_authority(&permit.caller, handle, renewal).await }).await
}

/// The CSR of an intermediate: signed once, when it was made.
#[utoipa::path(
    get, path = "/authorities/{handle}/csr", tag = "authorities", operation_id = "getAuthorityCsr",
    params(("handle" = String, Path, description = "The authority")),
    responses(
        (status = 200, description = "By Accept: as PEM, or as DER", content(
            (String = "application/x-pem-file"),
            (String = "text/plain"),
            (Vec<u8> = "application/pkcs10"),
        )),
        (status = 406, description = "None of the types in Accept is offered", body = api::Problem, content_type = PROBLEM),
        (status = 409, description = "It is not made yet", body = api::Problem, content_type = PROBLEM),
        (status = 422, description = "A root has none", body = api::Problem, content_type = PROBLEM),
        ByHandle,
        EveryCall,
    )
)]
pub(super) async fn csr(
    State(context): State<Context>,
    permit: Permit<needs::AuthorityRead>,
    Path(handle): Path<String>,
    headers: HeaderMap,
) -> Result<Response, Failure> {
    let (media_type, form) = accept::wanted(&headers, CSR_OFFERS)?;
    let der = context.app.authority_csr(&permit.caller, convert::handle("handle", &handle)?).await?;
    let bytes = if form == Form::Der { der } else { csr::pem(&der).into_bytes() };
    Ok(([VARY, (header::CONTENT_TYPE, media_type)], bytes).into_response())
}

/// Take the certificate of an intermediate from whoever signed its CSR: PEM, DER or PKCS #7, its chain in any order.
#[utoipa::path(
    put, path = "/authorities/{handle}/certificate", tag = "authorities", operation_id = "importAuthorityCertificate",
    params(("handle" = String, Path, description = "The authority")),
    request_body(description = "The certificate: PEM or PKCS #7, with its chain in any order, or DER", content(
        (String = "application/x-pem-file"),
        (Vec<u8> = "application/pkix-cert"),
        (Vec<u8> = "application/pkcs7-mime"),
    )),
    responses(
        (status = 200, description = "It issues with this certificate; also when it was taken before", body = api::Authority),
        (status = 400, description = "Not a handle, no certificate, or its chain does not hold", body = api::Problem, content_type = PROBLEM),
        (status = 404, description = "There is no such authority", body = api::Problem, content_type = PROBLEM),
        (status = 409, description = "It is disabled or being made", body = api::Problem, content_type = PROBLEM),
        (status = 422, description = "No certificate in it is for the authority's key, it is not one of a CA, one has expired or is not valid yet, or the authority is a root", body = api::Problem, content_type = PROBLEM),
        EveryCall,
        WithBody,
    )
)]
pub(super) async fn import(
    State(context): State<Context>,
    permit: Permit<needs::AuthorityManage>,
    Path(handle): Path<String>,
    body: ManageBody,
) -> Result<Json<api::Authority>, Failure> {
    let handle = convert::handle("handle", &handle)?;
    let bytes = body.bytes.to_vec();
    changed(async move { context.app.import_authority_certificate(&permit.caller, handle, bytes).await })
        .await
}

/// The certificate that an authority issues with.
#[utoipa::path(
    get, path = "/authorities/{handle}/certificate", tag = "authorities", operation_id = "getAuthorityCertificate",
    params(("handle" = String, Path, description = "The authority")),
    responses(
        (status = 200, description = "By Accept: JSON, the certificate as DER, or with its chain as PEM", content(
            (api::AuthorityCertificate = "application/json"),
            (Vec<u8> = "application/pkix-cert"),
            (String = "application/pem-certificate-chain"),
            (String = "application/x-pem-file"),
            (String = "text/plain"),
        )),
        (status = 406, description = "None of the types in Accept is offered", body = api::Problem, content_type = PROBLEM),
        ByHandle,
        EveryCall,
    )
)]
pub(super) async fn certificate(
    State(context): State<Context>,
    permit: Permit<needs::AuthorityRead>,
    Path(handle): Path<String>,
    headers: HeaderMap,
) -> Result<Response, Failure> {
    let (media_type, form) = accept::wanted(&headers, CERTIFICATE_OFFERS)?;
    let found = context.app.authority(&permit.caller, convert::handle("handle", &handle)?).await?;
    let Some(own) = found.certificates.last() else {
        let message = format!("authority {handle} is {}: it has no certificate yet", found.authority.state);
        return Err(Error::new(Kind::NotFound, "certificate.none", message).into());
    };
    let bytes = match form {
        Form::Json => return Ok(([VARY], Json(wire::own_certificate(own))).into_response()),
        Form::Der => own.der.clone(),
        Form::Pem => {
            std::iter::once(&own.der).chain(&own.chain).map(|der| pem(der)).collect::<String>().into_bytes()
        }
    };
    Ok(([VARY, (header::CONTENT_TYPE, media_type)], bytes).into_response())
}

/// Changes go on when the client hangs up.
async fn changed(
    change: impl Future<Output = Result<AuthorityView, Error>> + Send + 'static,
) -> Result<Json<api::Authority>, Failure> {
    uninterrupted(async move { Ok(Json(wire::authority(&change.await?))) }).await
}
