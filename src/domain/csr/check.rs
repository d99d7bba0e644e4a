//! Reads a finished CSR with `x509-parser` and compares it with the intent. Nothing here may use the
//! builder or its crates' encoders: a bug in those must not be shared.

use std::collections::BTreeSet;
use std::net::IpAddr;

use der::Tagged;
use x509_parser::asn1_rs;
use x509_parser::certification_request::X509CertificationRequest;
use x509_parser::cri_attributes::{ParsedCriAttribute, X509CriAttribute};
use x509_parser::extensions::{self as found, GeneralName, ParsedExtension, X509Extension};
use x509_parser::prelude::FromDer;
use x509_parser::x509::X509Version;

use super::super::algorithm::Scheme;
use super::super::extensions::{BasicConstraints, KeyUsageBit};
use super::super::name::Name;
use super::super::san::San;
use super::public_key::verify_signature;
use super::{CsrSpec, Error, Part};

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
    require(info.subject.as_raw() == encoded_name(&spec.subject), Part::Subject)?;
    require(info.subject_pki.raw == spki_der, Part::PublicKey)?;
    let extensions =
        requested_extensions(info.attributes()).ok_or(Error::Mismatch { part: Part::Attributes })?;
    check_extensions(extensions, spec)?;
    require(
        csr.signature_algorithm.algorithm.as_bytes() == scheme.oid().as_bytes(),
        Part::SignatureAlgorithm,
    )?;
    let signature = &csr.signature_value.data;
    require(csr_der == encoded_csr(info.raw, scheme, signature), Part::Csr)?;
    verify_signature(spki_der, scheme, info.raw, signature)
}

fn require(holds: bool, part: Part) -> Result<(), Error> {
    if holds { Ok(()) } else { Err(Error::Mismatch { part }) }
}

/// The extensions of the one attribute, or none when there is no attribute; `None` when the attributes
/// are anything else.
fn requested_extensions<'a>(attributes: &'a [X509CriAttribute<'a>]) -> Option<&'a [X509Extension<'a>]> {
    let attribute = match attributes {
        [] => return Some(&[]),
        [attribute] => attribute,
        _ => return None,
    };
    match attribute.parsed_attribute() {
        // RFC 5280 section 4.1: an extensionRequest has at least one extension.
        ParsedCriAttribute::ExtensionRequest(request) if has_one_value(attribute) => {
            Some(request.extensions.as_slice()).filter(|extensions| !extensions.is_empty())
        }
        _ => None,
    }
}

/// x509-parser reads the first value of an attribute and gives the SET up to its end: if there is
/// another, the SET is cut off.
fn has_one_value(attribute: &X509CriAttribute<'_>) -> bool {
    asn1_rs::Set::from_der(attribute.value).is_ok_and(|(rest, _)| rest.is_empty())
}

/// The DER of a Name, written here once more.
fn encoded_name(name: &Name) -> Vec<u8> {
    let rdns = name.rdns().flat_map(|rdn| {
        let attributes = rdn.iter().flat_map(|attribute| {
            let kind = tlv(OBJECT_IDENTIFIER, attribute.oid.as_bytes());
            // Values of a Name are universal and primitive: the tag is its number.
            let tag = attribute.value.tag().number().value() as u8;
            let value = tlv(tag, attribute.value.value());
            tlv(SEQUENCE, &[kind, value].concat())
        });
        tlv(SET, &attributes.collect::<Vec<u8>>())
    });
    tlv(SEQUENCE, &rdns.collect::<Vec<u8>>())
}

/// The DER of a CSR around its signed part, written here once more: x509-parser passes over unused
/// bits, and over whether a tag says that its value is constructed.
fn encoded_csr(signed: &[u8], scheme: Scheme, signature: &[u8]) -> Vec<u8> {
    let algorithm = [&tlv(OBJECT_IDENTIFIER, scheme.oid().as_bytes()), scheme.parameters()].concat();
    let no_unused_bits = [&[0], signature].concat();
    tlv(SEQUENCE, &[signed, &tlv(SEQUENCE, &algorithm), &tlv(BIT_STRING, &no_unused_bits)].concat())
}

const BIT_STRING: u8 = 0x03;
const OBJECT_IDENTIFIER: u8 = 0x06;
const SEQUENCE: u8 = 0x30;
const SET: u8 = 0x31;

/// Tag, length and value (X.690 section 10.1: the definite form of the length, in the fewest bytes).
fn tlv(tag: u8, value: &[u8]) -> Vec<u8> {
    let length = value.len().to_be_bytes();
    let length: Vec<u8> = length.iter().copied().skip_while(|byte| *byte == 0).collect();
    let header = match length.as_slice() {
        [] => vec![tag, 0],
        [length] if *length < 0x80 => vec![tag, *length],
        // At most 8 bytes of a usize.
        long => [&[tag, 0x80 | long.len() as u8], long].concat(),
    };
    [&header, value].concat()
}

/// Every extension of the specification, once, and no other.
fn check_extensions(extensions: &[X509Extension<'_>], spec: &CsrSpec) -> Result<(), Error> {
    let wanted = &spec.extensions;
    let expected = [
        !spec.sans.is_empty(),
        !wanted.key_usage.is_empty(),
        !wanted.extended_key_usage.is_empty(),
        wanted.basic_constraints.is_some(),
    ];
    let kinds: BTreeSet<String> = extensions.iter().map(|extension| extension.oid.to_id_string()).collect();
    let count = expected.iter().filter(|expected| **expected).count();
    require(extensions.len() == count && kinds.len() == count, Part::Extensions)?;
    for extension in extensions {
        let (holds, critical, part) = match extension.parsed_extension() {
            ParsedExtension::SubjectAlternativeName(names) => {
                (sans_match(&names.general_names, &spec.sans), spec.subject.is_empty(), Part::SubjectAltName)
            }
            ParsedExtension::KeyUsage(usage) => {
                (usage.flags == flags(&wanted.key_usage), true, Part::KeyUsage)
            }
            ParsedExtension::ExtendedKeyUsage(usage) => {
                let wanted = wanted.extended_key_usage.iter().map(|purpose| purpose.oid().to_string());
                (purposes(usage) == wanted.collect(), false, Part::ExtendedKeyUsage)
            }
            ParsedExtension::BasicConstraints(constraints) => {
                let holds = wanted.basic_constraints.is_some_and(|wanted| same(constraints, wanted));
                (holds, true, Part::BasicConstraints)
            }
            _ => return Err(Error::Mismatch { part: Part::Extensions }),
        };
        require(holds && extension.critical == critical, part)?;
    }
    Ok(())
}

fn sans_match(found: &[GeneralName<'_>], wanted: &[San]) -> bool {
    found.len() == wanted.len()
        && found.iter().zip(wanted).all(|(found, wanted)| match (wanted, found) {
            (San::Dns(wanted), GeneralName::DNSName(found)) => wanted.as_str() == *found,
            (San::Email(wanted), GeneralName::RFC822Name(found)) => wanted.as_str() == *found,
            (San::Uri(wanted), GeneralName::URI(found)) => wanted.as_str() == *found,
            (San::Ip(IpAddr::V4(wanted)), GeneralName::IPAddress(found)) => wanted.octets() == *found,
            (San::Ip(IpAddr::V6(wanted)), GeneralName::IPAddress(found)) => wanted.octets() == *found,
            (San::Dns(_) | San::Email(_) | San::Uri(_) | San::Ip(_), _) => false,
        })
}

/// KeyUsage as x509-parser has it: bit n is worth 2 to the power of n.
fn flags(bits: &[KeyUsageBit]) -> u16 {
    bits.iter().fold(0, |flags, bit| flags | (1 << bit_number(*bit)))
}

/// RFC 5280 section 4.2.1.3.
fn bit_number(bit: KeyUsageBit) -> u16 {
    match bit {
        KeyUsageBit::DigitalSignature => 0,
        KeyUsageBit::NonRepudiation => 1,
        KeyUsageBit::KeyEncipherment => 2,
        KeyUsageBit::DataEncipherment => 3,
        KeyUsageBit::KeyAgreement => 4,
        KeyUsageBit::KeyCertSign => 5,
        KeyUsageBit::CrlSign => 6,
        KeyUsageBit::EncipherOnly => 7,
        KeyUsageBit::DecipherOnly => 8,
    }
}

/// The purposes as dotted OIDs: x509-parser gives the well-known ones as flags.
fn purposes(usage: &found::ExtendedKeyUsage<'_>) -> BTreeSet<String> {
    let known = [
        (usage.any, "2.5.29.37.0"),
        (usage.server_auth, "1.3.6.1.5.5.7.3.1"),
        (usage.client_auth, "1.3.6.1.5.5.7.3.2"),
        (usage.code_signing, "1.3.6.1.5.5.7.3.3"),
        (usage.email_protection, "1.3.6.1.5.5.7.3.4"),
        (usage.time_stamping, "1.3.6.1.5.5.7.3.8"),
        (usage.ocsp_signing, "1.3.6.1.5.5.7.3.9"),
    ];
    let known = known.iter().filter(|(is_set, _)| *is_set).map(|(_, oid)| (*oid).to_owned());
    known.chain(usage.other.iter().map(|oid| oid.to_id_string())).collect()
}

fn same(found: &found::BasicConstraints, wanted: BasicConstraints) -> bool {
    found.ca == wanted.ca && found.path_len_constraint == wanted.path_length.map(u32::from)
}
