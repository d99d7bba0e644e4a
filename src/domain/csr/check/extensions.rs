//! Compares the extensions of a CSR with the specification: the common ones as x509-parser reads
//! them, the others byte by byte with what is written here once more.

use std::collections::BTreeSet;
use std::net::IpAddr;

use aws_lc_rs::digest;
use x509_parser::extensions::{self as found, ParsedExtension, X509Extension};

use super::super::super::extensions::{
    BasicConstraints, CertificatePolicy, Extensions, KeyUsageBit, MicrosoftTemplate, NameConstraints,
    SubjectKeyIdentifier, Subtree,
};
use super::super::{CsrSpec, Error, Part};
use super::der::{
    self, BMP_STRING, IA5_STRING, OBJECT_IDENTIFIER, OCTET_STRING, UTF8_STRING, context, context_constructed,
    integer, sequence, tlv,
};
use super::{require, sans};

/// 2.5.29.32
const CERTIFICATE_POLICIES: &[u8] = &[0x55, 0x1d, 32];
/// 2.5.29.30
const NAME_CONSTRAINTS: &[u8] = &[0x55, 0x1d, 30];
/// 2.5.29.14
const SUBJECT_KEY_IDENTIFIER: &[u8] = &[0x55, 0x1d, 14];
/// 1.3.6.1.5.5.7.1.24
const TLS_FEATURE: &[u8] = &[0x2b, 6, 1, 5, 5, 7, 1, 24];
/// 1.3.6.1.4.1.311.20.2
const TEMPLATE_NAME: &[u8] = &[0x2b, 6, 1, 4, 1, 0x82, 0x37, 20, 2];
/// 1.3.6.1.4.1.311.21.7
const TEMPLATE: &[u8] = &[0x2b, 6, 1, 4, 1, 0x82, 0x37, 21, 7];
/// 1.3.6.1.5.5.7.2.1
const CPS: &[u8] = &[0x2b, 6, 1, 5, 5, 7, 2, 1];
/// 1.3.6.1.5.5.7.2.2
const USER_NOTICE: &[u8] = &[0x2b, 6, 1, 5, 5, 7, 2, 2];

/// Every extension of the specification, once, and no other. `public_key` is what the BIT STRING
/// subjectPublicKey holds.
pub(in crate::domain) fn check(
    extensions: &[X509Extension<'_>],
    spec: &CsrSpec,
    public_key: &[u8],
) -> Result<(), Error> {
    let wanted = &spec.extensions;
    let parsed = [
        !spec.sans.is_empty(),
        !wanted.key_usage.is_empty(),
        !wanted.extended_key_usage.is_empty(),
        wanted.basic_constraints.is_some(),
    ];
    let written = written(wanted, public_key);
    let kinds: BTreeSet<&[u8]> = extensions.iter().map(|extension| extension.oid.as_bytes()).collect();
    let count = parsed.iter().filter(|expected| **expected).count() + written.len();
    require(extensions.len() == count && kinds.len() == count, Part::Extensions)?;
    for extension in extensions {
        let (holds, critical, part) = match extension.parsed_extension() {
            ParsedExtension::SubjectAlternativeName(names) => {
                let holds = sans::match_all(&names.general_names, &spec.sans);
                (holds, spec.subject.is_empty(), Part::SubjectAltName)
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
            _ => {
                let written = written.iter().find(|written| written.oid == extension.oid.as_bytes());
                let written = written.ok_or(Error::Mismatch { part: Part::Extensions })?;
                (written.value == extension.value, written.critical, written.part)
            }
        };
        require(holds && extension.critical == critical, part)?;
    }
    Ok(())
}

/// An extension as it has to be, byte by byte.
struct Written<'a> {
    oid: &'a [u8],
    critical: bool,
    value: Vec<u8>,
    part: Part,
}

fn written<'a>(wanted: &'a Extensions, public_key: &[u8]) -> Vec<Written<'a>> {
    let mut all: Vec<Written<'a>> = Vec::new();
    let mut add = |oid, critical, value, part| all.push(Written { oid, critical, value, part });
    if !wanted.certificate_policies.is_empty() {
        let policies: Vec<Vec<u8>> = wanted.certificate_policies.iter().map(policy).collect();
        add(CERTIFICATE_POLICIES, false, sequence(&policies), Part::CertificatePolicies);
    }
    if let Some(constraints) = &wanted.name_constraints {
        add(NAME_CONSTRAINTS, true, name_constraints(constraints), Part::NameConstraints);
    }
    if let Some(identifier) = &wanted.subject_key_identifier {
        let bytes = match identifier {
            SubjectKeyIdentifier::Sha1 => {
                digest::digest(&digest::SHA1_FOR_LEGACY_USE_ONLY, public_key).as_ref().to_vec()
            }
            SubjectKeyIdentifier::Given(bytes) => bytes.clone(),
        };
        let value = tlv(OCTET_STRING, &bytes);
        add(SUBJECT_KEY_IDENTIFIER, false, value, Part::SubjectKeyIdentifier);
    }
    if !wanted.tls_features.is_empty() {
        let numbers: Vec<Vec<u8>> =
            wanted.tls_features.iter().map(|feature| integer(feature.number().into())).collect();
        add(TLS_FEATURE, false, sequence(&numbers), Part::TlsFeatures);
    }
    if let Some(name) = &wanted.microsoft_template_name {
        let utf16: Vec<u8> = name.encode_utf16().flat_map(u16::to_be_bytes).collect();
        add(TEMPLATE_NAME, false, tlv(BMP_STRING, &utf16), Part::MicrosoftTemplate);
    }
    if let Some(MicrosoftTemplate { oid, major, minor }) = &wanted.microsoft_template {
        let versions = major.iter().chain(minor).map(|version| integer(*version));
        let oid = tlv(OBJECT_IDENTIFIER, oid.as_bytes());
        let value = sequence(&[vec![oid], versions.collect()].concat());
        add(TEMPLATE, false, value, Part::MicrosoftTemplate);
    }
    for other in &wanted.other {
        add(other.oid.as_bytes(), other.critical, other.value.as_bytes().to_vec(), Part::OtherExtension);
    }
    all
}

fn policy(policy: &CertificatePolicy) -> Vec<u8> {
    let qualifier = |kind, value| sequence(&[tlv(OBJECT_IDENTIFIER, kind), value]);
    let cps = policy.cps.iter().map(|cps| qualifier(CPS, tlv(IA5_STRING, cps.as_bytes())));
    let notice = policy.notice.iter().map(|notice| {
        let explicit_text = tlv(UTF8_STRING, notice.as_bytes());
        qualifier(USER_NOTICE, sequence(&[explicit_text]))
    });
    let qualifiers: Vec<Vec<u8>> = cps.chain(notice).collect();
    let oid = tlv(OBJECT_IDENTIFIER, policy.oid.as_bytes());
    if qualifiers.is_empty() { sequence(&[oid]) } else { sequence(&[oid, sequence(&qualifiers)]) }
}

fn name_constraints(constraints: &NameConstraints) -> Vec<u8> {
    let lists = [(0, &constraints.permitted), (1, &constraints.excluded)];
    let lists = lists.into_iter().filter(|(_, subtrees)| !subtrees.is_empty()).map(|(number, subtrees)| {
        let subtrees: Vec<Vec<u8>> = subtrees.iter().map(|subtree| sequence(&[base(subtree)])).collect();
        tlv(context_constructed(number), &subtrees.concat())
    });
    sequence(&lists.collect::<Vec<_>>())
}

fn base(subtree: &Subtree) -> Vec<u8> {
    match subtree {
        Subtree::Email(text) => tlv(context(1), text.as_bytes()),
        Subtree::Dns(text) => tlv(context(2), text.as_bytes()),
        Subtree::DirectoryName(name) => tlv(context_constructed(4), &der::name(name)),
        Subtree::Uri(text) => tlv(context(6), text.as_bytes()),
        Subtree::Ip(address, bits) => tlv(context(7), &network(*address, *bits)),
    }
}

/// The address and its mask, written bit by bit.
fn network(address: IpAddr, bits: u8) -> Vec<u8> {
    let address = match address {
        IpAddr::V4(v4) => v4.octets().to_vec(),
        IpAddr::V6(v6) => v6.octets().to_vec(),
    };
    let bit = |at: usize| if at < usize::from(bits) { 0x80_u8 >> (at % 8) } else { 0 };
    let mask = (0..address.len()).map(|octet| (octet * 8..octet * 8 + 8).map(bit).sum());
    address.iter().copied().chain(mask).collect()
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
