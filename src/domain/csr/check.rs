//! Reads a finished CSR with `x509-parser` and compares it with the intent. Nothing here may use the
//! builder or its crates' encoders: a bug in those must not be shared.

pub(in crate::domain) mod der;
pub(in crate::domain) mod extensions;
mod sans;

use x509_parser::asn1_rs;
use x509_parser::certification_request::X509CertificationRequest;
use x509_parser::cri_attributes::{ParsedCriAttribute, X509CriAttribute};
use x509_parser::extensions::X509Extension;
use x509_parser::prelude::FromDer;
use x509_parser::x509::X509Version;

use super::super::algorithm::Scheme;
use super::public_key::verify_signature;
use super::{CsrSpec, Error, Part};
use der::{
    BIT_STRING, IA5_STRING, OBJECT_IDENTIFIER, PRINTABLE_STRING, SEQUENCE, SET, UTF8_STRING,
    context_constructed, integer, sequence, tlv,
};

/// 1.2.840.113549.1.9.14
const EXTENSION_REQUEST: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 9, 14];
/// 1.2.840.113549.1.9.7
const CHALLENGE_PASSWORD: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 9, 7];
/// 1.2.840.113549.1.9.2
const UNSTRUCTURED_NAME: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 9, 2];

/// Checks that the CSR says what `spec` says, all of it and nothing else; that it carries the public
/// key `spki_der`; and that its signature is by that key under `scheme`.
///
/// # Errors
/// The first part that differs. Such a CSR must not leave.
pub fn check(csr_der: &[u8], spec: &CsrSpec, spki_der: &[u8], scheme: Scheme) -> Result<(), Error> {
    let (rest, csr) =
        X509CertificationRequest::from_der(csr_der).map_err(|_| Error::Unreadable { part: Part::Csr })?;
    if !rest.is_empty() {
        return Err(Error::TrailingBytes { part: Part::Csr });
    }
    let info = &csr.certification_request_info;
    // PKCS #10 is version 1, written as 0 (RFC 2986 section 4.1).
    require(info.version == X509Version::V1, Part::Version)?;
    require(info.subject.as_raw() == der::name(&spec.subject), Part::Subject)?;
    require(info.subject_pki.raw == spki_der, Part::PublicKey)?;
    let request = extension_request(info.attributes()).ok_or(Error::Mismatch { part: Part::Attributes })?;
    let public_key = &info.subject_pki.subject_public_key.data;
    extensions::check(request.map_or(&[], |request| request.extensions), spec, public_key)?;
    let set = request.map(|request| request.set);
    require(info.raw == encoded_info(spec, spki_der, set), Part::Attributes)?;
    require(
        csr.signature_algorithm.algorithm.as_bytes() == scheme.oid().as_bytes(),
        Part::SignatureAlgorithm,
    )?;
    let signature = &csr.signature_value.data;
    require(csr_der == encoded_signed(info.raw, scheme, signature), Part::Csr)?;
    verify_signature(spki_der, scheme, info.raw, signature)
}

pub(in crate::domain) fn require(holds: bool, part: Part) -> Result<(), Error> {
    if holds { Ok(()) } else { Err(Error::Mismatch { part }) }
}

/// The attribute extensionRequest.
#[derive(Clone, Copy)]
struct ExtensionRequest<'a> {
    extensions: &'a [X509Extension<'a>],
    /// Its values, as they stand in the CSR.
    set: &'a [u8],
}

/// The one extensionRequest, if there is any; `None` when it is malformed or there are two.
fn extension_request<'a>(attributes: &'a [X509CriAttribute<'a>]) -> Option<Option<ExtensionRequest<'a>>> {
    let mut found = None;
    for attribute in attributes {
        let ParsedCriAttribute::ExtensionRequest(request) = attribute.parsed_attribute() else { continue };
        // RFC 5280 section 4.1: an extensionRequest has at least one extension.
        if found.is_some() || request.extensions.is_empty() || !has_one_value(attribute) {
            return None;
        }
        found = Some(ExtensionRequest { extensions: &request.extensions, set: attribute.value });
    }
    Some(found)
}

/// x509-parser reads the first value of an attribute and gives the SET up to its end: if there is
/// another, the SET is cut off.
fn has_one_value(attribute: &X509CriAttribute<'_>) -> bool {
    asn1_rs::Set::from_der(attribute.value).is_ok_and(|(rest, _)| rest.is_empty())
}

/// The DER of CertificationRequestInfo, written here once more: x509-parser does not read every
/// attribute. `extension_request` is the SET of the values of that attribute.
fn encoded_info(spec: &CsrSpec, spki_der: &[u8], extension_request: Option<&[u8]>) -> Vec<u8> {
    let text = |tag, text: &str| tlv(SET, &tlv(tag, text.as_bytes()));
    let password = spec.challenge_password.as_ref().map(|password| password.expose());
    let values = [
        (EXTENSION_REQUEST, extension_request.map(<[u8]>::to_vec)),
        (CHALLENGE_PASSWORD, password.map(|password| text(password_tag(password), password))),
        (UNSTRUCTURED_NAME, spec.unstructured_name.as_deref().map(|name| text(name_tag(name), name))),
    ];
    let mut attributes: Vec<Vec<u8>> = values
        .into_iter()
        .filter_map(|(kind, values)| Some(sequence(&[tlv(OBJECT_IDENTIFIER, kind), values?])))
        .collect();
    // X.690 section 11.6: a SET OF is in the order of its encodings.
    attributes.sort();
    sequence(&[
        integer(0),
        der::name(&spec.subject),
        spki_der.to_vec(),
        tlv(context_constructed(0), &attributes.concat()),
    ])
}

/// RFC 2985 section 5.4.1 prefers a PrintableString (X.680 section 41.4).
fn password_tag(text: &str) -> u8 {
    let printable = |byte: u8| byte.is_ascii_alphanumeric() || b" '()+,-./:=?".contains(&byte);
    if text.bytes().all(printable) { PRINTABLE_STRING } else { UTF8_STRING }
}

/// RFC 2985 section 5.4.3 prefers an IA5String.
fn name_tag(text: &str) -> u8 {
    if text.is_ascii() { IA5_STRING } else { UTF8_STRING }
}

/// The DER of what is signed, a CSR, a certificate or a CRL, around its signed part, written here once
/// more: x509-parser passes over unused bits, and over whether a tag says that its value is constructed.
pub(in crate::domain) fn encoded_signed(signed: &[u8], scheme: Scheme, signature: &[u8]) -> Vec<u8> {
    let no_unused_bits = [&[0], signature].concat();
    tlv(SEQUENCE, &[signed, &encoded_algorithm(scheme), &tlv(BIT_STRING, &no_unused_bits)].concat())
}

/// The AlgorithmIdentifier of a signature.
pub(in crate::domain) fn encoded_algorithm(scheme: Scheme) -> Vec<u8> {
    tlv(SEQUENCE, &[&tlv(OBJECT_IDENTIFIER, scheme.oid().as_bytes()), scheme.parameters()].concat())
}
