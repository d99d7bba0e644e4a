//! Certificates.

use std::collections::BTreeMap;

use aws_lc_rs::digest::{SHA1_FOR_LEGACY_USE_ONLY, digest};
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;

use super::super::catalogue::Catalogue;
use super::super::wire;
use super::{Found, date, key};
use crate::app::Certificate;
use crate::domain::certificate::{self, CertificateNames};
use crate::domain::invalid::Invalid;
use crate::domain::name::Name;
use crate::domain::signing_request::State;

/// The certificate of a request; `None` when its key is of a kind that the vendor has no word for.
pub(in super::super) fn certificate(
    catalogue: &Catalogue,
    found: &Found<'_>,
    own: &Certificate,
) -> Option<wire::Certificate> {
    let Found { request, places, lineage, tenant } = found;
    let (key, strength) = key(request.kind)?;
    let read = certificate::read_one(&own.leaf).ok()?;
    let CertificateNames { subject, dns, ip, email, uri } = certificate::names(&own.leaf);
    let addresses: Vec<_> = ip.iter().map(ToString::to_string).collect();
    let first = [&dns, &addresses, &email, &uri].into_iter().flatten().next().cloned();
    let by_type = [
        ("dnsNames", dns.clone()),
        ("ipAddresses", addresses),
        ("rfc822Names", email),
        ("uniformResourceIdentifiers", uri),
    ];
    let mut common_names = values(&subject, "CN");
    if common_names.is_empty() {
        common_names.push(first.unwrap_or_default());
    }
    let one = |kind| values(&subject, kind).into_iter().next();
    Some(wire::Certificate {
        id: request.handle.to_string(),
        company_id: catalogue.company_id(tenant),
        certificate_request_id: request.handle.to_string(),
        managed_certificate_id: lineage.first.to_string(),
        application_ids: places.application.map(|one| catalogue.application_id(one)).into_iter().collect(),
        certificate_status: if request.state == State::Retired { "RETIRED" } else { "ACTIVE" },
        fingerprint: thumbprint(&own.leaf),
        serial_number: read.serial.to_uppercase(),
        subject_cn: common_names,
        subject_o: one("O"),
        subject_ou: values(&subject, "OU"),
        subject_l: one("L"),
        subject_st: one("ST"),
        subject_c: one("C"),
        subject_alternative_name_dns: dns,
        subject_alternative_names_by_type: BTreeMap::from(by_type),
        issuer_dn: read.issuer,
        encryption_type: key.key_type,
        key_strength: strength,
        key_curve: key.key_curve,
        validity_start: date(own.not_before),
        validity_end: date(own.not_after),
        creation_date: date(own.married_at),
    })
}

fn values(subject: &Name, kind: &str) -> Vec<String> {
    let of_kind = subject.attributes().filter(|(known, _)| known.to_string() == kind);
    of_kind.filter_map(|(_, value)| value.map(str::to_owned)).collect()
}

/// What clients know a certificate by.
fn thumbprint(certificate_der: &[u8]) -> String {
    hex::encode_upper(digest(&SHA1_FOR_LEGACY_USE_ONLY, certificate_der))
}

/// The certificates in the order that is asked for, in PEM.
///
/// # Errors
/// An order that there is not.
pub(in super::super) fn chain(own: &Certificate, order: Option<&str>) -> Result<String, Invalid> {
    let mut all: Vec<&Vec<u8>> = std::iter::once(&own.leaf).chain(&own.chain).collect();
    match order.unwrap_or("EE_FIRST") {
        "EE_FIRST" => {}
        "ROOT_FIRST" => all.reverse(),
        "EE_ONLY" => all.truncate(1),
        _ => return Err(Invalid::new("chainOrder", "must be EE_FIRST, ROOT_FIRST or EE_ONLY")),
    }
    Ok(all.into_iter().map(|der| certificate::pem(der)).collect())
}

/// The DER of a certificate that was sent.
///
/// # Errors
/// What is neither base64 nor PEM.
pub(in super::super) fn der(field: &str, text: &str) -> Result<Vec<u8>, Invalid> {
    let wrong = || Invalid::new(field, "must be the base64 of one certificate's DER");
    if text.contains("-----BEGIN") {
        let mut read = certificate::read(text.as_bytes())
            .map_err(|invalid| Invalid { field: field.to_owned(), ..invalid })?;
        let only = read.pop().filter(|_| read.is_empty());
        return only.map(|certificate| certificate.der).ok_or_else(wrong);
    }
    let text: String = text.split_ascii_whitespace().collect();
    BASE64_STANDARD.decode(text).map_err(|_| wrong())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::clock::Timestamp;
    use crate::domain::id::Handle;

    #[test]
    fn a_chain_comes_in_either_order() {
        let at = Timestamp::from_millis(0);
        let own = Certificate {
            request: Handle::from_bytes([0; 16]),
            leaf: vec![1],
            chain: vec![vec![2], vec![3]],
            sha256: [0; 32],
            not_before: at,
            not_after: at,
            married_at: at,
        };
        let order = |order| {
            let pem = chain(&own, order).unwrap();
            let lines = pem.lines().filter(|line| !line.starts_with('-'));
            lines.map(|line| BASE64_STANDARD.decode(line).unwrap()[0]).collect::<Vec<_>>()
        };
        assert_eq!(order(None), [1, 2, 3]);
        assert_eq!(order(Some("EE_FIRST")), [1, 2, 3]);
        assert_eq!(order(Some("ROOT_FIRST")), [3, 2, 1]);
        assert_eq!(order(Some("EE_ONLY")), [1]);
        assert!(chain(&own, Some("ANY")).is_err());
    }

    #[test]
    fn a_certificate_comes_in_base64_or_pem() {
        let der_of = |text: &str| der("certificate", text).map_err(|invalid| invalid.field);
        assert_eq!(der_of("AQ\r\nID").unwrap(), [1, 2, 3]);
        let key = rcgen::KeyPair::generate().unwrap();
        let made = rcgen::CertificateParams::default().self_signed(&key).unwrap();
        assert_eq!(der_of(&made.pem()).unwrap(), made.der().to_vec());
        for text in ["%", &made.pem().repeat(2)] {
            assert_eq!(der_of(text).unwrap_err(), "certificate");
        }
    }
}
