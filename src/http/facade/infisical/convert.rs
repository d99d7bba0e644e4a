//! CAs and certificates as the vendor writes them.

use uuid::Builder;
use x509_parser::certificate::X509Certificate;
use x509_parser::prelude::FromDer;

use super::asked::Kept;
use super::entry::{Found, Reached};
use super::error::Refused;
use super::{SURFACE, wire};
use crate::app::AuthorityCertificate;
use crate::app::authorities::{AuthorityView, IssuedChain};
use crate::domain::algorithm::KeyKind;
use crate::domain::authority::{Authority, AuthorityKind, State};
use crate::domain::certificate;

/// The vendor's key algorithms (`certificate-types.ts`), the default first, and the key kinds that they are.
pub(super) const ALGORITHMS: [(&str, Option<&str>); 21] = [
    ("RSA_2048", Some("rsa-2048")),
    ("RSA_3072", Some("rsa-3072")),
    ("RSA_4096", Some("rsa-4096")),
    ("EC_prime256v1", Some("ec-p256")),
    ("EC_secp384r1", Some("ec-p384")),
    ("EC_secp521r1", Some("ec-p521")),
    ("ML-DSA-44", None),
    ("ML-DSA-65", None),
    ("ML-DSA-87", None),
    ("SLH-DSA-SHA2-128f", None),
    ("SLH-DSA-SHA2-128s", None),
    ("SLH-DSA-SHA2-192f", None),
    ("SLH-DSA-SHA2-192s", None),
    ("SLH-DSA-SHA2-256f", None),
    ("SLH-DSA-SHA2-256s", None),
    ("SLH-DSA-SHAKE-128f", None),
    ("SLH-DSA-SHAKE-128s", None),
    ("SLH-DSA-SHAKE-192f", None),
    ("SLH-DSA-SHAKE-192s", None),
    ("SLH-DSA-SHAKE-256f", None),
    ("SLH-DSA-SHAKE-256s", None),
];

/// The fields of a subject and their attribute types, from the widest to the narrowest.
pub(super) const SUBJECT: [(&str, &str); 6] = [
    ("country", "C"),
    ("province", "ST"),
    ("locality", "L"),
    ("organization", "O"),
    ("ou", "OU"),
    ("commonName", "CN"),
];

/// Whether this surface can show a CA: it is there, and its key is of a kind that the vendor has a name for.
pub(super) fn is_shown(authority: &Authority) -> bool {
    authority.state.is_live() && algorithm(authority.key_kind).is_some()
}

fn algorithm(kind: KeyKind) -> Option<&'static str> {
    ALGORITHMS.iter().find(|(_, here)| *here == Some(kind.name())).map(|(name, _)| *name)
}

/// A CA by the older paths.
pub(super) fn ca(view: &AuthorityView, project: &Reached) -> wire::Ca {
    let authority = &view.authority;
    wire::Ca {
        id: authority.handle.to_string(),
        created_at: authority.created_at.to_string(),
        updated_at: authority.updated_at.to_string(),
        project_id: project.id.clone(),
        name: authority.name.clone(),
        status: status(authority.state),
        enable_direct_issuance: kept(authority).enable_direct_issuance,
        active_ca_cert_version: active(view).map(|own| own.version),
        configuration: configuration(view),
    }
}

/// A CA by the newer paths.
pub(super) fn internal_ca(view: &AuthorityView, project: &Reached) -> wire::InternalCa {
    let authority = &view.authority;
    wire::InternalCa {
        id: authority.handle.to_string(),
        project_id: project.id.clone(),
        name: authority.name.clone(),
        status: status(authority.state),
        r#type: "internal",
        enable_direct_issuance: kept(authority).enable_direct_issuance,
        created_at: authority.created_at.to_string(),
        updated_at: authority.updated_at.to_string(),
        configuration: configuration(view),
    }
}

fn configuration(view: &AuthorityView) -> wire::Configuration {
    let authority = &view.authority;
    let (kept, active) = (kept(authority), active(view));
    let subject = &authority.spec.subject;
    let dn = subject.to_string();
    let part = |short: &str| {
        let mut values = subject.attributes().filter(|(kind, _)| kind.to_string() == short);
        values.next().and_then(|(_, value)| value).unwrap_or_default().to_owned()
    };
    let asked = authority.spec.extensions.basic_constraints.and_then(|constraints| constraints.path_length);
    let path_length = match active {
        Some(own) => path_length(&own.der),
        None => asked.map(i32::from),
    };
    wire::Configuration {
        r#type: match authority.kind {
            AuthorityKind::Root => "root",
            AuthorityKind::Intermediate => "intermediate",
        },
        friendly_name: kept.friendly_name.unwrap_or_else(|| dn.clone()),
        common_name: part("CN"),
        organization: part("O"),
        ou: part("OU"),
        country: part("C"),
        province: part("ST"),
        locality: part("L"),
        dn,
        key_algorithm: algorithm(authority.key_kind).unwrap_or_default(),
        max_path_length: path_length.unwrap_or(-1),
        parent_ca_id: authority.parent.map(|parent| parent.to_string()),
        serial_number: active.map(serial),
        not_before: active.map(|own| own.not_before.to_string()),
        not_after: active.map(|own| own.not_after.to_string()),
        active_ca_cert_id: active.map(cert_id),
        key_source: "hsm",
        hsm_connector_id: kept.hsm_connector_id.unwrap_or_else(|| authority.token.clone()),
        // CKA_LABEL of a key is its handle.
        hsm_key_label: kept.hsm_key_label.or_else(|| authority.key.map(|key| key.to_string())),
    }
}

/// What was sent of a CA that was made by this surface.
fn kept(authority: &Authority) -> Kept {
    let submission = authority.submission.as_ref().filter(|submission| submission.surface == SURFACE);
    submission.and_then(|kept| serde_json::from_str(&kept.document).ok()).unwrap_or_default()
}

fn status(state: State) -> &'static str {
    match state {
        State::Making | State::PendingCertificate | State::Failed => "pending-certificate",
        State::Active => "active",
        State::Disabled | State::Deleted => "disabled",
    }
}

/// The certificate that a CA issues with.
pub(super) fn active(view: &AuthorityView) -> Option<&AuthorityCertificate> {
    view.certificates.iter().find(|own| Some(own.version) == view.authority.version)
}

/// The same, for a call that needs it.
///
/// # Errors
/// There is none.
pub(super) fn installed(view: &AuthorityView) -> Result<&AuthorityCertificate, Refused> {
    active(view)
        .ok_or_else(|| Refused::bad_request("authority.state", "CA does not have a certificate installed"))
}

/// # Errors
/// The CA issues nothing now.
pub(super) fn must_issue(found: &Found) -> Result<&AuthorityCertificate, Refused> {
    let own = installed(&found.view)?;
    match found.view.authority.state {
        State::Disabled => Err(Refused::bad_request("authority.state", "CA is disabled")),
        _ => Ok(own),
    }
}

/// One of a CA's own certificates.
pub(super) fn ca_certificate(own: &AuthorityCertificate) -> wire::CaCertificate {
    wire::CaCertificate {
        certificate: pem(&own.der),
        certificate_chain: pem_chain(&own.chain),
        serial_number: serial(own),
        cert_id: cert_id(own),
        version: own.version,
    }
}

/// A certificate that was issued.
pub(super) fn signed(issued: &IssuedChain) -> wire::Signed {
    wire::Signed {
        certificate: issued.issued.der.as_deref().map(pem).unwrap_or_default(),
        issuing_ca_certificate: issued.chain.first().map(|der| pem(der)).unwrap_or_default(),
        certificate_chain: pem_chain(&issued.chain),
        serial_number: issued.issued.serial.to_string(),
    }
}

/// The id of a CA's certificate: a UUID of version 8 (RFC 9562) from the hash of its DER.
pub(super) fn cert_id(own: &AuthorityCertificate) -> String {
    use sha2::Digest as _;
    let hash: [u8; 32] = sha2::Sha256::digest(&own.der).into();
    let mut bytes = [0; 16];
    bytes.copy_from_slice(&hash[..16]);
    Builder::from_custom_bytes(bytes).into_uuid().to_string()
}

fn serial(own: &AuthorityCertificate) -> String {
    certificate::read_one(&own.der).map(|read| read.serial).unwrap_or_default()
}

fn path_length(der: &[u8]) -> Option<i32> {
    let (_, certificate) = X509Certificate::from_der(der).ok()?;
    let constraints = certificate.basic_constraints().ok()??;
    constraints.value.path_len_constraint.and_then(|length| i32::try_from(length).ok())
}

/// Without the line feed at its end, as the vendor writes it.
pub(super) fn pem(der: &[u8]) -> String {
    certificate::pem(der).trim_end().to_owned()
}

fn pem_chain(chain: &[Vec<u8>]) -> String {
    chain.iter().map(|der| pem(der)).collect::<Vec<_>>().join("\n")
}
