//! Reads a finished certificate with `x509-parser` and compares it with its specification. Nothing here
//! may use the builder or its crates' encoders.

use x509_parser::certificate::X509Certificate;
use x509_parser::extensions::X509Extension;
use x509_parser::prelude::FromDer;

use super::super::algorithm::Scheme;
use super::super::csr::check::der::{
    self, INTEGER, OBJECT_IDENTIFIER, context, context_constructed, integer, sequence, tlv,
};
use super::super::csr::check::{encoded_algorithm, encoded_signed, extensions, require};
use super::super::csr::{Error, Part, verify_signature};
use super::{CertificateSpec, IssuerUrls};

/// 2.5.29.35
const AUTHORITY_KEY_IDENTIFIER: &[u8] = &[0x55, 0x1d, 35];
/// 2.5.29.31
const CRL_DISTRIBUTION_POINTS: &[u8] = &[0x55, 0x1d, 31];
/// 1.3.6.1.5.5.7.1.1
const AUTHORITY_INFO_ACCESS: &[u8] = &[0x2b, 6, 1, 5, 5, 7, 1, 1];
/// 1.3.6.1.5.5.7.48.2
const CA_ISSUERS: &[u8] = &[0x2b, 6, 1, 5, 5, 7, 48, 2];

/// Checks that the certificate says what `spec` says, all of it and nothing else, and that its signature is
/// by the key `issuer_spki` under `scheme`.
///
/// # Errors
/// The first part that differs. Such a certificate must not leave.
pub fn check(
    certificate_der: &[u8],
    spec: &CertificateSpec,
    scheme: Scheme,
    issuer_spki: &[u8],
) -> Result<(), Error> {
    let (rest, certificate) = X509Certificate::from_der(certificate_der)
        .map_err(|_| Error::Unreadable { part: Part::Certificate })?;
    if !rest.is_empty() {
        return Err(Error::TrailingBytes { part: Part::Certificate });
    }
    require(certificate.subject().as_raw() == der::name(&spec.content.subject), Part::Subject)?;
    require(certificate.public_key().raw == spec.spki, Part::PublicKey)?;
    let (about_issuer, about_subject): (Vec<_>, Vec<_>) =
        certificate.extensions().iter().cloned().partition(is_about_issuer);
    let public_key = &certificate.public_key().subject_public_key.data;
    extensions::check(&about_subject, &spec.content, public_key)?;
    check_issuer_extensions(&about_issuer, spec)?;
    let signed = certificate.tbs_certificate.as_ref();
    require(signed == encoded_tbs(spec, scheme, certificate.extensions()), Part::TbsCertificate)?;
    let signature = &certificate.signature_value.data;
    require(certificate_der == encoded_signed(signed, scheme, signature), Part::Certificate)?;
    verify_signature(issuer_spki, scheme, signed, signature)
}

fn is_about_issuer(extension: &X509Extension<'_>) -> bool {
    [AUTHORITY_KEY_IDENTIFIER, CRL_DISTRIBUTION_POINTS, AUTHORITY_INFO_ACCESS]
        .contains(&extension.oid.as_bytes())
}

fn check_issuer_extensions(found: &[X509Extension<'_>], spec: &CertificateSpec) -> Result<(), Error> {
    let IssuerUrls { crl, certificate } = &spec.urls;
    let url = |url: &String| tlv(context(6), url.as_bytes());
    let key = authority_key_identifier(&spec.authority_key_id);
    let points = crl.as_ref().map(|crl| {
        let full_name = tlv(context_constructed(0), &url(crl));
        sequence(&[sequence(&[tlv(context_constructed(0), &full_name)])])
    });
    let access = certificate
        .as_ref()
        .map(|certificate| sequence(&[sequence(&[tlv(OBJECT_IDENTIFIER, CA_ISSUERS), url(certificate)])]));
    let wanted = [
        (AUTHORITY_KEY_IDENTIFIER, Some(key)),
        (CRL_DISTRIBUTION_POINTS, points),
        (AUTHORITY_INFO_ACCESS, access),
    ];
    let wanted: Vec<_> = wanted.into_iter().filter_map(|(oid, value)| Some((oid, value?))).collect();
    let found: Vec<_> = found
        .iter()
        .map(|extension| (extension.oid.as_bytes(), extension.value.to_vec(), extension.critical))
        .collect();
    let wanted: Vec<_> = wanted.into_iter().map(|(oid, value)| (oid, value, false)).collect();
    require(found == wanted, Part::IssuerExtension)
}

/// The value of AuthorityKeyIdentifier.
pub(in crate::domain) fn authority_key_identifier(key: &[u8]) -> Vec<u8> {
    sequence(&[tlv(context(0), key)])
}

/// TBSCertificate, written here once more around the extensions, which were compared one by one.
fn encoded_tbs(spec: &CertificateSpec, scheme: Scheme, extensions: &[X509Extension<'_>]) -> Vec<u8> {
    let extensions: Vec<Vec<u8>> = extensions
        .iter()
        .map(|extension| der::extension(extension.oid.as_bytes(), extension.critical, extension.value))
        .collect();
    sequence(&[
        tlv(context_constructed(0), &integer(2)),
        tlv(INTEGER, spec.serial.as_bytes()),
        encoded_algorithm(scheme),
        spec.issuer.clone(),
        sequence(&[der::time(spec.period.not_before), der::time(spec.period.not_after)]),
        der::name(&spec.content.subject),
        spec.spki.clone(),
        tlv(context_constructed(3), &sequence(&extensions)),
    ])
}
