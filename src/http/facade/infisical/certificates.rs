//! What CAs issue: certificates from CSRs, for CAs below; revocations. A key is never handed out.

use axum::Json;
use axum::extract::{Path, State};
use axum::http::StatusCode;

use super::asked::{self, Sign};
use super::entry::{self, Body, Entry, Found};
use super::error::{EveryCall, OnToken, Refused, WithBody};
use super::life::not_beyond;
use super::{Surface, convert, wire};
use crate::app::authorities::{FromCsr, IntermediateWish, IssueUnder};
use crate::app::{App, Caller, Error, Kind};
use crate::domain::certificate::Serial;
use crate::domain::csr;
use crate::domain::id::Handle;
use crate::http::error::Failure;
use crate::http::permit::needs::{AuthorityManage, CertificateIssue, CertificateRevoke};
use crate::http::uninterrupted::uninterrupted;

/// Sign the CSR of a CA below.
#[utoipa::path(
    post, path = "/{caId}/sign-intermediate", tag = "ca", operation_id = "signIntermediateCa",
    params(("caId" = String, Path, description = "The CA that signs")),
    request_body = wire::SignIntermediate,
    responses((status = 200, description = "Signed", body = wire::Signed), EveryCall, WithBody, OnToken)
)]
pub(super) async fn sign_intermediate(
    State(surface): State<Surface>,
    Path(id): Path<String>,
    body: Body<AuthorityManage>,
) -> Result<Json<wire::Signed>, Refused> {
    let found = body.permit.found(&surface, &id).await?;
    let (csr, lifetime, path_length) = asked::intermediate(entry::json(&body)?)?;
    not_beyond(convert::must_issue(&found)?.not_after, lifetime)?;
    let wish =
        IntermediateWish { csr: csr.into_bytes(), path_length, constraints: None, lifetime: Some(lifetime) };
    let signed = uninterrupted(async move {
        Ok(surface.context.app.sign_intermediate(&found.caller, found.handle(), wish).await?)
    });
    Ok(Json(convert::signed(&signed.await?)))
}

/// Issue a certificate from a CSR.
#[utoipa::path(
    post, path = "/{caId}/sign-certificate", tag = "ca", operation_id = "signCaCertificate",
    params(("caId" = String, Path, description = "The CA that signs")),
    request_body = wire::SignCertificate,
    responses((status = 200, description = "Issued", body = wire::Signed), EveryCall, WithBody, OnToken)
)]
pub(super) async fn sign_by(
    State(surface): State<Surface>,
    Path(id): Path<String>,
    body: Body<CertificateIssue>,
) -> Result<Json<wire::Signed>, Refused> {
    let found = body.permit.found(&surface, &id).await?;
    let sign = asked::sign(entry::json(&body)?, surface.context.authenticator.now(), true)?;
    signed(surface, found, sign).await
}

/// Issue a certificate from a CSR, by a CA or by the one that an issuing template names.
#[utoipa::path(
    post, path = "/sign-certificate", tag = "pki", operation_id = "signCertificate",
    request_body = wire::SignCertificate,
    responses((status = 200, description = "Issued", body = wire::Signed), EveryCall, WithBody, OnToken)
)]
pub(super) async fn sign(
    State(surface): State<Surface>,
    body: Body<CertificateIssue>,
) -> Result<Json<wire::Signed>, Refused> {
    let sign = asked::sign(entry::json(&body)?, surface.context.authenticator.now(), false)?;
    let entry = &body.permit;
    let found = match (&sign.ca_id, &sign.template) {
        (Some(id), _) => entry.found(&surface, id).await?,
        (None, template) => {
            let template = template.as_deref().unwrap_or_default();
            let authority = authority_of(&surface.context.app, entry.callers(), template).await?;
            entry.found(&surface, &authority.to_string()).await?
        }
    };
    signed(surface, found, sign).await
}

/// The authority that a template names, in the first project that has such a template.
async fn authority_of(
    app: &App,
    callers: impl Iterator<Item = Caller>,
    template: &str,
) -> Result<Handle, Refused> {
    for caller in callers {
        let found = match app.template(&caller, template).await {
            Err(error) if error.kind() == Kind::NotFound => continue,
            found => found?,
        };
        let Some(authority) = &found.authority else {
            let message = format!("certificate template '{template}' names no CA; say which as caId");
            return Err(Refused::bad_request("template.authority", message));
        };
        match app.authority_named(&caller, authority).await {
            Err(error) if error.kind() == Kind::NotFound => continue,
            authority => return Ok(authority?.handle),
        }
    }
    Err(Refused::not_found(format!("Certificate template with ID '{template}' not found")))
}

async fn signed(surface: Surface, found: Found, sign: Sign) -> Result<Json<wire::Signed>, Refused> {
    let own = convert::must_issue(&found)?;
    not_beyond(own.not_after, sign.lifetime)?;
    must_be_its_own(&sign)?;
    let wish = FromCsr {
        csr: sign.csr.into_bytes(),
        under: sign.template.map_or(IssueUnder::Default, IssueUnder::Template),
        lifetime: Some(sign.lifetime),
    };
    let issued = uninterrupted(async move {
        Ok(surface.context.app.issue_from_csr(&found.caller, found.handle(), wish).await?)
    });
    Ok(Json(convert::signed(&issued.await?)))
}

/// The vendor puts other names into a certificate than its CSR has; this CSR is signed as it is.
fn must_be_its_own(sign: &Sign) -> Result<(), Refused> {
    if sign.common_name.is_none() && sign.alt_names.is_empty() {
        return Ok(());
    }
    let asked = csr::read(sign.csr.as_bytes()).map_err(Error::invalid)?.spec;
    if let Some(name) = &sign.common_name
        && !asked.subject.common_names().any(|own| own == name)
    {
        let message = "commonName is not that of the CSR, which is signed as it is; leave it out";
        return Err(Refused::bad_request("csr.common-name", message));
    }
    let own: Vec<_> = asked.sans.iter().map(|san| san.value()).collect();
    let same = own.len() == sign.alt_names.len() && sign.alt_names.iter().all(|name| own.contains(name));
    if sign.alt_names.is_empty() || same {
        return Ok(());
    }
    let message = "altNames are not those of the CSR, which is signed as it is; leave them out";
    Err(Refused::bad_request("csr.alt-names", message))
}

/// Refused to everybody: it would hand out a private key.
#[utoipa::path(
    post, path = "/{caId}/issue-certificate", tag = "ca", operation_id = "issueCaCertificate",
    params(("caId" = String, Path, description = "The CA")),
    responses(EveryCall)
)]
pub(super) async fn issue_by(
    State(surface): State<Surface>,
    entry: Entry<CertificateIssue>,
    Path(id): Path<String>,
) -> Result<(), Refused> {
    entry.found(&surface, &id).await?;
    Err(handed_out())
}

/// Refused to everybody: it would hand out a private key.
#[utoipa::path(
    post,
    path = "/issue-certificate",
    tag = "pki",
    operation_id = "issueCertificate",
    responses(EveryCall)
)]
pub(super) async fn issue(_: Entry<CertificateIssue>) -> Result<(), Refused> {
    Err(handed_out())
}

fn handed_out() -> Refused {
    let message = "a private key is not handed out: make it where it is used, and have its CSR signed by sign-certificate";
    Failure::new(StatusCode::FORBIDDEN, "key.not-exportable", message).into()
}

/// Revoke a certificate.
#[utoipa::path(
    post, path = "/{serialNumber}/revoke", tag = "pki", operation_id = "revokeCertificate",
    params(("serialNumber" = String, Path, description = "Serial number in hexadecimal")),
    request_body = wire::Revoke,
    responses((status = 200, description = "Revoked", body = wire::Revoked), EveryCall, WithBody)
)]
pub(super) async fn revoke(
    State(surface): State<Surface>,
    Path(number): Path<String>,
    body: Body<CertificateRevoke>,
) -> Result<Json<wire::Revoked>, Refused> {
    let unknown = || Refused::not_found(format!("Certificate with serial number '{number}' not found"));
    let serial: Serial = number.parse().map_err(|_| unknown())?;
    let app = &surface.context.app;
    let mut found = None;
    for caller in body.permit.callers() {
        for view in app.authorities(&caller).await? {
            let authority = view.authority.handle;
            match app.issued_certificate(&caller, authority, serial).await {
                Ok(_) => found = Some((caller.clone(), authority)),
                Err(error) if error.kind() == Kind::NotFound => {}
                Err(error) => return Err(error.into()),
            }
        }
    }
    let (caller, authority) = found.ok_or_else(unknown)?;
    let Some(reason) = asked::revocation(entry::json(&body)?)? else {
        let message = "CERTIFICATE_HOLD is not offered: what is revoked stays so";
        return Err(Refused::bad_request("certificate.hold", message));
    };
    let app = app.clone();
    let revoked =
        uninterrupted(async move { Ok(app.revoke_certificate(&caller, authority, serial, reason).await?) });
    let revoked_at = revoked.await?.revoked.map(|(at, _)| at.to_string()).unwrap_or_default();
    Ok(Json(wire::Revoked {
        message: "Successfully revoked certificate",
        serial_number: serial.to_string(),
        revoked_at,
    }))
}
