//! `/graphql`: the two operations that the vendor's clients use, which have no other place.

use axum::Json;
use axum::extract::State;
use serde_json::{Value, json};

use super::desk::Visit;
use super::entry::{Body, Entry};
use super::error::{EveryCall, OfOne, WithBody};
use super::{Venafi, account, convert, wire};
use crate::app::Error;
use crate::domain::access::Permission;
use crate::domain::crl::Reason;
use crate::domain::invalid::Invalid;
use crate::http::error::Failure;
use crate::http::permit::needs;
use crate::http::uninterrupted::uninterrupted;

/// The vendor's enumeration RevocationReason.
const REASONS: [(&str, Reason); 5] = [
    ("UNSPECIFIED", Reason::Unspecified),
    ("KEY_COMPROMISE", Reason::KeyCompromise),
    ("AFFILIATION_CHANGED", Reason::AffiliationChanged),
    ("SUPERSEDED", Reason::Superseded),
    ("CESSATION_OF_OPERATION", Reason::CessationOfOperation),
];

/// Revoke a certificate that an authority of this appliance issued, or list the accounts at authorities.
#[utoipa::path(
    post, path = "", tag = "graphql", operation_id = "graphql",
    request_body = wire::GraphQl,
    responses(
        (status = 200, description = "`data`, in the vendor's shape", body = Object),
        (status = 409, description = "It is revoked already", body = wire::Problems),
        EveryCall,
        OfOne,
        WithBody,
    )
)]
pub(super) async fn run(
    State(venafi): State<Venafi>,
    body: Body<needs::CertificateRead>,
) -> Result<Json<Value>, Failure> {
    let asked: wire::GraphQl = body.json()?;
    let query = asked.query.unwrap_or_default();
    let variables = asked.variables.unwrap_or_default();
    if query.contains("revokeCertificate") {
        if !body.permit.caller.may(Permission::CertificateRevoke) {
            return Err(Failure::denied(Permission::CertificateRevoke, false));
        }
        return uninterrupted(async move { revoke(&venafi, &body.permit, variables).await }).await;
    }
    if query.contains("certificateAuthorityAccounts") {
        let accounts = account::of_tenant(&venafi, &body.permit.caller, &body.permit.tenant).await?;
        let node = |account: &wire::AuthorityAccount| {
            let wire::Account { id, key, certificate_authority } = &account.account;
            json!({ "id": id, "name": key, "certificateAuthorityType": certificate_authority })
        };
        let nodes: Vec<_> = accounts.iter().map(node).collect();
        return Ok(Json(json!({ "data": { "certificateAuthorityAccounts": { "nodes": nodes } } })));
    }
    let reason = "must name revokeCertificate or certificateAuthorityAccounts: there is nothing else";
    Err(Invalid::new("query", reason).into())
}

async fn revoke<N>(
    venafi: &Venafi,
    entry: &Entry<N>,
    asked: wire::Revocation,
) -> Result<Json<Value>, Failure> {
    let Entry { caller, tenant, .. } = entry;
    let fingerprint = asked.fingerprint.unwrap_or_default();
    let sha1 = convert::sha1("variables.fingerprint", &fingerprint)?;
    let name = asked.revocation_reason.unwrap_or_else(|| "UNSPECIFIED".to_owned());
    let reason = REASONS.iter().find(|(known, _)| *known == name).map(|(_, reason)| *reason);
    let reason = reason.ok_or_else(|| {
        let known = REASONS.map(|(known, _)| known).join(", ");
        Invalid::new("variables.revocationReason", format!("must be one of {known}"))
    })?;
    let visit = Visit { caller, tenant };
    let found = venafi.certificates_with(&visit, sha1).await?;
    let none = || Error::not_found("certificate", &fingerprint);
    let shown = found.into_iter().next_back().ok_or_else(none)?;
    if let Some(account) = &asked.certificate_authority_account_id {
        let own = shown.request.authority.map(|authority| authority.to_string());
        let accounts = account::of_tenant(venafi, caller, tenant).await?;
        let is_known = accounts.iter().any(|known| {
            known.account.id.eq_ignore_ascii_case(account) && known.account.key != convert::ELSEWHERE
        });
        if own.is_none() || !is_known {
            return Err(none().into());
        }
    }
    venafi.context.app.revoke_certificate_of(caller, shown.request.handle, reason).await?;
    let wire = shown.wire;
    Ok(Json(json!({ "data": { "revokeCertificate": {
        "id": wire.id,
        "fingerprint": wire.fingerprint,
        "serialNumber": wire.serial_number,
        "revocation": { "status": "SUBMITTED", "error": null, "approvalDetails": null },
    } } })))
}
