//! What is done with one CA: its CSR, its certificates, its revocation list.

use axum::Json;
use axum::extract::{Path, State};
use axum::http::header;
use axum::response::{IntoResponse, Response};

use super::asked::{self, Certify};
use super::entry::{self, Body, Entry, Found};
use super::error::{EveryCall, OnToken, Refused, WithBody};
use super::{Surface, convert, wire};
use crate::app::authorities::{AuthorityView, IntermediateWish, Renewal};
use crate::app::{App, Caller, Kind};
use crate::domain::authority::AuthorityKind;
use crate::domain::authority::profile::Lifetime;
use crate::domain::id::Handle;
use crate::domain::{certificate as certificates_of, crl, csr as csrs};
use crate::http::permit::needs::{AuthorityManage, AuthorityRead};
use crate::http::uninterrupted::uninterrupted;

/// The CSR of an intermediate: signed once, when it was made.
#[utoipa::path(
    get, path = "/{caId}/csr", tag = "ca", operation_id = "getCaCsr",
    params(("caId" = String, Path, description = "The CA")),
    responses((status = 200, description = "The CSR", body = wire::Csr), EveryCall)
)]
pub(super) async fn csr(
    State(surface): State<Surface>,
    entry: Entry<AuthorityRead>,
    Path(id): Path<String>,
) -> Result<Json<wire::Csr>, Refused> {
    let found = entry.found(&surface, &id).await?;
    if found.view.authority.kind == AuthorityKind::Root {
        return Err(Refused::bad_request("authority.root", "Root CA cannot generate CSR"));
    }
    let der = surface.context.app.authority_csr(&found.caller, found.handle()).await?;
    Ok(Json(wire::Csr { csr: csrs::pem(&der).trim_end().to_owned() }))
}

/// Take the certificate of an intermediate from whoever signed its CSR.
#[utoipa::path(
    post, path = "/{caId}/import-certificate", tag = "ca", operation_id = "importCaCertificate",
    params(("caId" = String, Path, description = "The CA")),
    request_body = wire::ImportCertificate,
    responses((status = 200, description = "It issues with this certificate", body = wire::Imported), EveryCall, WithBody)
)]
pub(super) async fn import(
    State(surface): State<Surface>,
    Path(id): Path<String>,
    body: Body<AuthorityManage>,
) -> Result<Json<wire::Imported>, Refused> {
    let found = body.permit.found(&surface, &id).await?;
    let (certificate, chain) = asked::import(entry::json(&body)?)?;
    let readable = |text: &str, message| {
        certificates_of::read(text.as_bytes()).map_err(|invalid| {
            Refused::bad_request("certificate.unreadable", message).because(invalid.reason)
        })
    };
    readable(&certificate, "Failed to parse certificate")?;
    readable(&chain, "Failed to parse certificate chain")?;
    let bytes = format!("{certificate}\n{chain}\n").into_bytes();
    let (app, handle) = (surface.context.app, found.handle());
    let imported =
        tokio::spawn(async move { app.import_authority_certificate(&found.caller, handle, bytes).await });
    match imported.await {
        Ok(Ok(_)) => {}
        Ok(Err(error)) if error.code() == "certificate.key-mismatch" => {
            let message = "CA and certificate public key do not match";
            return Err(Refused::bad_request("certificate.key-mismatch", message).because(error));
        }
        Ok(Err(error)) if error.kind() == Kind::Invalid => {
            return Err(Refused::bad_request("certificate.chain", "Invalid certificate chain").because(error));
        }
        Ok(Err(error)) => return Err(error.into()),
        Err(error) => return Err(crate::app::Error::bug(format!("an import ended early: {error}")).into()),
    }
    Ok(Json(wire::Imported { message: "Successfully imported certificate to CA", ca_id: id }))
}

/// The certificate that a CA issues with.
#[utoipa::path(
    get, path = "/{caId}/certificate", tag = "ca", operation_id = "getCaCertificate",
    params(("caId" = String, Path, description = "The CA")),
    responses((status = 200, description = "The certificate", body = wire::CaCertificate), EveryCall)
)]
pub(super) async fn certificate(
    State(surface): State<Surface>,
    entry: Entry<AuthorityRead>,
    Path(id): Path<String>,
) -> Result<Json<wire::CaCertificate>, Refused> {
    let found = entry.found(&surface, &id).await?;
    Ok(Json(convert::ca_certificate(convert::installed(&found.view)?)))
}

/// Give a CA a certificate: a root by itself, an intermediate by another CA of the project.
#[utoipa::path(
    post, path = "/{caId}/certificate", tag = "ca", operation_id = "generateCaCertificate",
    params(("caId" = String, Path, description = "The CA")),
    request_body = wire::Certify,
    responses((status = 200, description = "The certificate", body = wire::CaCertificate), EveryCall, WithBody, OnToken)
)]
pub(super) async fn certify(
    State(surface): State<Surface>,
    Path(id): Path<String>,
    body: Body<AuthorityManage>,
) -> Result<Json<wire::CaCertificate>, Refused> {
    let found = body.permit.found(&surface, &id).await?;
    let Certify { lifetime, path_length, parent } = asked::certify(entry::json(&body)?)?;
    match (found.view.authority.kind, parent) {
        (AuthorityKind::Root, None) => {
            let constraints = found.view.authority.spec.extensions.basic_constraints;
            let fixed = constraints.and_then(|constraints| constraints.path_length);
            if path_length.is_some_and(|asked| fixed.is_none_or(|fixed| fixed > asked)) {
                let message =
                    "the path length of a root is fixed when the CA is made; leave maxPathLength out";
                return Err(Refused::bad_request("authority.path-length", message));
            }
            renewed(surface, found, lifetime).await
        }
        (AuthorityKind::Intermediate, Some(parent)) => {
            let parent = body.permit.found(&surface, &parent).await?;
            if parent.caller.tenant != found.caller.tenant {
                let message = "the parent CA is one of another project";
                return Err(Refused::bad_request("authority.parent", message));
            }
            not_beyond(convert::must_issue(&parent)?.not_after, lifetime)?;
            let app = surface.context.app;
            let view = uninterrupted(async move {
                Ok(by_parent(&app, &found.caller, found.handle(), &parent, lifetime, path_length).await?)
            });
            Ok(Json(convert::ca_certificate(convert::installed(&view.await?)?)))
        }
        (AuthorityKind::Root, Some(_)) => {
            Err(Refused::bad_request("authority.root", "a root CA has no parent; leave parentCaId out"))
        }
        (AuthorityKind::Intermediate, None) => {
            let message = "an intermediate CA is certified by a parent: name it as parentCaId, or have its CSR signed and import the certificate";
            Err(Refused::bad_request("authority.intermediate", message))
        }
    }
}

async fn by_parent(
    app: &App,
    caller: &Caller,
    below: Handle,
    parent: &Found,
    lifetime: Lifetime,
    path_length: Option<u8>,
) -> Result<AuthorityView, crate::app::Error> {
    let csr = csrs::pem(&app.authority_csr(caller, below).await?).into_bytes();
    let wish = IntermediateWish { csr, path_length, constraints: None, lifetime: Some(lifetime) };
    let signed = app.sign_intermediate(caller, parent.handle(), wish).await?;
    let ders = signed.issued.der.iter().chain(&signed.chain);
    let pem: String = ders.map(|der| certificates_of::pem(der)).collect();
    app.import_authority_certificate(caller, below, pem.into_bytes()).await
}

/// All certificates that a CA has, or had, oldest first.
#[utoipa::path(
    get, path = "/{caId}/ca-certificates", tag = "ca", operation_id = "getCaCertificates",
    params(("caId" = String, Path, description = "The CA")),
    responses((status = 200, description = "The certificates", body = Vec<wire::CaCertificate>), EveryCall)
)]
pub(super) async fn certificates(
    State(surface): State<Surface>,
    entry: Entry<AuthorityRead>,
    Path(id): Path<String>,
) -> Result<Json<Vec<wire::CaCertificate>>, Refused> {
    let found = entry.found(&surface, &id).await?;
    Ok(Json(found.view.certificates.iter().map(convert::ca_certificate).collect()))
}

/// One of them as DER.
#[utoipa::path(
    get, path = "/{caId}/certificates/{certId}/der", tag = "ca", operation_id = "getCaCertificateDer",
    params(
        ("caId" = String, Path, description = "The CA"),
        ("certId" = String, Path, description = "The certificate"),
    ),
    responses(
        (status = 200, description = "The certificate", content((Vec<u8> = "application/pkix-cert"))),
        EveryCall,
    )
)]
pub(super) async fn certificate_der(
    State(surface): State<Surface>,
    entry: Entry<AuthorityRead>,
    Path((id, cert_id)): Path<(String, String)>,
) -> Result<Response, Refused> {
    let found = entry.found(&surface, &id).await?;
    let own = found.view.certificates.iter().find(|own| convert::cert_id(own) == cert_id);
    let own = own.ok_or_else(|| {
        Refused::not_found(format!("Ca certificate with ID '{cert_id}' not found for CA with ID '{id}'"))
    })?;
    Ok(([(header::CONTENT_TYPE, "application/pkix-cert")], own.der.clone()).into_response())
}

/// Give a CA a new certificate with the same key.
#[utoipa::path(
    post, path = "/{caId}/renew", tag = "ca", operation_id = "renewCaCertificate",
    params(("caId" = String, Path, description = "The CA")),
    request_body = wire::Renew,
    responses((status = 200, description = "The new certificate", body = wire::CaCertificate), EveryCall, WithBody, OnToken)
)]
pub(super) async fn renew(
    State(surface): State<Surface>,
    Path(id): Path<String>,
    body: Body<AuthorityManage>,
) -> Result<Json<wire::CaCertificate>, Refused> {
    let found = body.permit.found(&surface, &id).await?;
    let lifetime = asked::renewal(entry::json(&body)?)?;
    convert::must_issue(&found)?;
    renewed(surface, found, lifetime).await
}

async fn renewed(
    surface: Surface,
    found: Found,
    lifetime: Lifetime,
) -> Result<Json<wire::CaCertificate>, Refused> {
    let view = uninterrupted(async move {
        let renewal = Renewal { lifetime: Some(lifetime) };
        Ok(surface.context.app.renew_authority(&found.caller, found.handle(), renewal).await?)
    });
    Ok(Json(convert::ca_certificate(convert::installed(&view.await?)?)))
}

/// The revocation list of a CA; none as long as it has no certificate.
#[utoipa::path(
    get, path = "/{caId}/crls", tag = "ca", operation_id = "getCaCrls",
    params(("caId" = String, Path, description = "The CA")),
    responses((status = 200, description = "The newest list", body = Vec<wire::Crl>), EveryCall)
)]
pub(super) async fn crls(
    State(surface): State<Surface>,
    entry: Entry<AuthorityRead>,
    Path(id): Path<String>,
) -> Result<Json<Vec<wire::Crl>>, Refused> {
    let found = entry.found(&surface, &id).await?;
    match surface.context.app.own_crl(&found.caller, found.handle()).await {
        Ok(list) => {
            let crl = crl::pem(&list.der.unwrap_or_default()).trim_end().to_owned();
            Ok(Json(vec![wire::Crl { id, crl }]))
        }
        Err(error) if error.kind() == Kind::NotFound => Ok(Json(Vec::new())),
        Err(error) => Err(error.into()),
    }
}

/// The core cuts a validity off at the end of the issuer's; the vendor refuses it.
pub(super) fn not_beyond(end: crate::domain::clock::Timestamp, lifetime: Lifetime) -> Result<(), Refused> {
    match lifetime.until {
        crate::domain::authority::profile::Until::At(until) if until > end => {
            let message = "notAfter date is after CA certificate's notAfter date";
            Err(Refused::bad_request("authority.not-after", message))
        }
        _ => Ok(()),
    }
}
