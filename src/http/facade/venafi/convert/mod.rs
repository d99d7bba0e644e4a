//! Between the vendor's words and those of the use cases. Pure.

mod asked;
mod certificate;
mod period;
mod template;

use std::collections::BTreeMap;

pub(super) use asked::{fingerprint, sha1, wish};
pub(super) use certificate::{certificate, chain, der};
pub(super) use period::days;
pub(super) use template::{RsaOnly, template};

use super::catalogue::{Catalogue, Places};
use super::wire;
use crate::app::Lineage;
use crate::domain::algorithm::{Digest, KeyKind, KeyMaterial};
use crate::domain::clock::Timestamp;
use crate::domain::csr;
use crate::domain::signing_request::{KeySource, SigningRequest, State};

/// The name of every authority: in the vendor's world that of the one that is built in.
pub(super) const AUTHORITY: &str = "BUILTIN";

/// The key of the account for certificates that no authority here issues.
pub(super) const ELSEWHERE: &str = "elsewhere";

/// As of a failed request; see `error`.
const FAILED: u32 = 90_500;

/// A signing request.
pub(super) struct Found<'a> {
    /// The request.
    pub(super) request: &'a SigningRequest,
    /// Where it is.
    pub(super) places: Places<'a>,
    /// What it is a version of.
    pub(super) lineage: Lineage,
    /// Name of its tenant.
    pub(super) tenant: &'a str,
}

/// The key of a request in the vendor's words; `None` where he has none.
pub(super) fn key(kind: KeyKind) -> Option<(wire::RequestKey, u32)> {
    let ec = |curve, strength| {
        Some((wire::RequestKey { key_type: "EC", key_length: None, key_curve: Some(curve) }, strength))
    };
    match (kind.material(), kind.name()) {
        (KeyMaterial::Rsa { bits }, _) => {
            Some((wire::RequestKey { key_type: "RSA", key_length: Some(bits), key_curve: None }, bits))
        }
        (_, "ec-p256") => ec("P256", 256),
        (_, "ec-p384") => ec("P384", 384),
        (_, "ec-p521") => ec("P521", 521),
        (_, "ed25519") => ec("ED25519", 256),
        _ => None,
    }
}

/// A request; `None` when its key is of a kind that the vendor has no word for.
pub(super) fn request(catalogue: &Catalogue, found: &Found<'_>) -> Option<wire::CertificateRequest> {
    let Found { request, places, lineage, tenant } = found;
    let (key, _) = key(request.kind)?;
    let status = status(request.state);
    let template = catalogue.template_id(tenant, places.template);
    let has_certificate = matches!(request.state, State::Issued | State::Retired);
    Some(wire::CertificateRequest {
        id: request.handle.to_string(),
        company_id: catalogue.company_id(tenant),
        application_id: places.application.map(|application| catalogue.application_id(application)),
        zone_id: places.zone.map(|zone| catalogue.zone_id(zone)),
        status,
        error_information: (status == "FAILED").then(|| why(request)),
        certificate_name: request.spec.subject.to_string(),
        subject_dn: request.spec.subject.to_string(),
        subject_cn: common_names(request),
        certificate_owner_user_id: request.principal.to_string(),
        certificate_policy_ids: BTreeMap::from([
            ("CERTIFICATE_IDENTITY", vec![template.clone()]),
            ("CERTIFICATE_USE", vec![template.clone()]),
        ]),
        certificate_issuing_template_id: template,
        certificate_provider_id: match request.authority {
            Some(authority) => authority.to_string(),
            None => catalogue.account_id(tenant, None),
        },
        product: wire::Product {
            certificate_authority: AUTHORITY,
            certificate_type: places.template.to_owned(),
            validity_period: request.validity_days.map(|days| format!("P{days}D")),
            hash_algorithm: match request.key_source {
                KeySource::Client => None,
                KeySource::New | KeySource::Existing => request.scheme.digest().map(hash),
            },
        },
        certificate_ids: has_certificate.then(|| request.handle.to_string()).into_iter().collect(),
        managed_certificate_id: lineage.first.to_string(),
        existing_certificate_id: request.renews.map(|earlier| earlier.to_string()),
        certificate_signing_request: request.csr.as_deref().map(csr::pem),
        is_vaas_generated: request.key_source != KeySource::Client,
        key,
        creation_date: date(request.created_at),
        modification_date: date(request.updated_at),
    })
}

/// Clients know these four only, and some break on any other.
fn status(state: State) -> &'static str {
    match state {
        State::AwaitingApproval => "REQUESTED",
        State::Intent | State::Generated | State::Pending => "PENDING",
        State::Issued | State::Retired => "ISSUED",
        State::Rejected | State::Cancelled | State::Failed | State::Quarantined => "FAILED",
    }
}

fn why(request: &SigningRequest) -> wire::ErrorInformation {
    let state = request.state.to_string();
    let message = match &request.failure {
        Some(reason) => format!("the request is {state}: {reason}"),
        None => format!("the request is {state}"),
    };
    wire::ErrorInformation { kind: state.to_uppercase(), code: FAILED, message, args: Vec::new() }
}

fn common_names(request: &SigningRequest) -> Vec<String> {
    let names: Vec<_> = request.spec.subject.common_names().map(str::to_owned).collect();
    let first = || request.spec.sans.first().map(|san| san.value()).unwrap_or_default();
    if names.is_empty() { vec![first()] } else { names }
}

fn hash(digest: Digest) -> &'static str {
    match digest {
        Digest::Sha256 => "SHA256",
        Digest::Sha384 => "SHA384",
        Digest::Sha512 => "SHA512",
    }
}

/// As the vendor writes a time: `2026-11-21T09:30:00.000+0000`.
pub(super) fn date(at: Timestamp) -> String {
    let text = at.to_string();
    match text.strip_suffix('Z') {
        Some(utc) => format!("{utc}+0000"),
        None => text,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_four_statuses_are_shown_that_clients_know() {
        for state in State::ALL {
            assert!(["REQUESTED", "PENDING", "ISSUED", "FAILED"].contains(&status(state)), "{state}");
        }
        assert_eq!(status(State::AwaitingApproval), "REQUESTED");
    }

    #[test]
    fn a_date_has_milliseconds_and_an_offset_without_a_colon() {
        let at = "2026-11-21T09:30:00Z".parse().unwrap();
        assert_eq!(date(at), "2026-11-21T09:30:00.000+0000");
    }

    #[test]
    fn every_kind_that_clients_have_a_word_for_has_one() {
        let word = |name: &str| {
            let (key, strength) = key(name.parse().unwrap()).unwrap();
            (key.key_type, key.key_length, key.key_curve, strength)
        };
        assert_eq!(word("rsa-3072"), ("RSA", Some(3072), None, 3072));
        assert_eq!(word("ec-p384"), ("EC", None, Some("P384"), 384));
        assert_eq!(word("ed25519"), ("EC", None, Some("ED25519"), 256));
    }
}
