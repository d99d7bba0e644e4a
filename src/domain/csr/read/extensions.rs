//! Extensions as others encode them, as those of a specification.

use std::net::IpAddr;

use const_oid::AssociatedOid as _;
use der::{Decode, Encode};
use x509_cert::ext::Extension;
use x509_cert::ext::pkix::certpolicy::{
    CertificatePolicies, DisplayText, PolicyInformation, PolicyQualifierInfo, UserNotice,
};
use x509_cert::ext::pkix::constraints::name::GeneralSubtree;
use x509_cert::ext::pkix::name::GeneralName;
use x509_cert::ext::pkix::{
    BasicConstraints, ExtendedKeyUsage, KeyUsage, KeyUsages, NameConstraints, SubjectAltName,
    SubjectKeyIdentifier,
};

use super::super::super::extensions::{self as wanted, CertificatePolicy, Extensions, KeyUsageBit, Subtree};
use super::super::super::invalid::Invalid;
use super::super::super::name::Name;
use super::super::super::san::San;
use super::super::build::extensions::{CPS, TLS_FEATURE, USER_NOTICE};

/// The extensions of a CSR or a certificate, as far as they are understood.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(in crate::domain) struct ReadExtensions {
    /// Alternative names.
    pub(in crate::domain) sans: Vec<San>,
    /// The others. Those that are not understood and not critical are passed over, as RFC 2986 lets a CA do.
    pub(in crate::domain) extensions: Extensions,
}

/// # Errors
/// Extensions that are malformed, there twice, or critical and not understood.
pub(in crate::domain) fn read_extensions(found: &[Extension]) -> Result<ReadExtensions, Vec<Invalid>> {
    let mut read = ReadExtensions::default();
    let mut problems = Vec::new();
    for (at, extension) in found.iter().enumerate() {
        let oid = extension.extn_id;
        let result = if found.iter().take(at).any(|earlier| earlier.extn_id == oid) {
            Err(vec![Invalid::new("extensions", format!("{oid} is there twice"))])
        } else {
            take(&mut read, extension)
        };
        problems.extend(result.err().into_iter().flatten());
    }
    if problems.is_empty() { Ok(read) } else { Err(problems) }
}

fn take(read: &mut ReadExtensions, extension: &Extension) -> Result<(), Vec<Invalid>> {
    let der = extension.extn_value.as_bytes();
    let malformed = |_| vec![Invalid::new("extensions", format!("{} is malformed", extension.extn_id))];
    let wrong = |invalid| vec![invalid];
    let into = &mut read.extensions;
    match extension.extn_id {
        SubjectAltName::OID => {
            let SubjectAltName(names) = SubjectAltName::from_der(der).map_err(malformed)?;
            read.sans = sans(&names)?;
        }
        KeyUsage::OID => into.key_usage = bits(KeyUsage::from_der(der).map_err(malformed)?),
        ExtendedKeyUsage::OID => {
            let ExtendedKeyUsage(purposes) = ExtendedKeyUsage::from_der(der).map_err(malformed)?;
            let purposes = purposes.iter().filter_map(|oid| oid.to_string().parse().ok());
            into.extended_key_usage = purposes.collect();
        }
        BasicConstraints::OID => {
            let found = BasicConstraints::from_der(der).map_err(malformed)?;
            into.basic_constraints =
                Some(wanted::BasicConstraints { ca: found.ca, path_length: found.path_len_constraint });
        }
        SubjectKeyIdentifier::OID => {
            let SubjectKeyIdentifier(octets) = SubjectKeyIdentifier::from_der(der).map_err(malformed)?;
            let given = wanted::SubjectKeyIdentifier::Given(octets.as_bytes().to_vec());
            into.subject_key_identifier = Some(given);
        }
        NameConstraints::OID => {
            let found = NameConstraints::from_der(der).map_err(malformed)?;
            let list = |subtrees: Option<Vec<GeneralSubtree>>| {
                subtrees.into_iter().flatten().map(|subtree| read_subtree(&subtree)).collect::<Result<_, _>>()
            };
            into.name_constraints = Some(wanted::NameConstraints {
                permitted: list(found.permitted_subtrees).map_err(wrong)?,
                excluded: list(found.excluded_subtrees).map_err(wrong)?,
            });
        }
        CertificatePolicies::OID => {
            let CertificatePolicies(policies) = CertificatePolicies::from_der(der).map_err(malformed)?;
            into.certificate_policies = policies.iter().map(policy).collect();
        }
        TLS_FEATURE => {
            let numbers = Vec::<u16>::from_der(der).map_err(malformed)?;
            into.tls_features = numbers.iter().filter_map(|number| number.to_string().parse().ok()).collect();
        }
        oid if extension.critical => {
            let reason = format!("{oid} is critical and not understood; leave it out");
            return Err(vec![Invalid::new("extensions", reason)]);
        }
        _ => {}
    }
    Ok(())
}

fn bits(KeyUsage(flags): KeyUsage) -> Vec<KeyUsageBit> {
    let table = [
        (KeyUsages::DigitalSignature, KeyUsageBit::DigitalSignature),
        (KeyUsages::NonRepudiation, KeyUsageBit::NonRepudiation),
        (KeyUsages::KeyEncipherment, KeyUsageBit::KeyEncipherment),
        (KeyUsages::DataEncipherment, KeyUsageBit::DataEncipherment),
        (KeyUsages::KeyAgreement, KeyUsageBit::KeyAgreement),
        (KeyUsages::KeyCertSign, KeyUsageBit::KeyCertSign),
        (KeyUsages::CRLSign, KeyUsageBit::CrlSign),
        (KeyUsages::EncipherOnly, KeyUsageBit::EncipherOnly),
        (KeyUsages::DecipherOnly, KeyUsageBit::DecipherOnly),
    ];
    table.into_iter().filter(|(flag, _)| flags.contains(*flag)).map(|(_, bit)| bit).collect()
}

fn sans(names: &[GeneralName]) -> Result<Vec<San>, Vec<Invalid>> {
    let read = names
        .iter()
        .enumerate()
        .map(|(at, name)| san(name).map_err(|invalid| Invalid::new(format!("sans[{at}]"), invalid.reason)));
    let (good, wrong): (Vec<_>, Vec<_>) = read.partition(Result::is_ok);
    let wrong: Vec<Invalid> = wrong.into_iter().filter_map(Result::err).collect();
    if wrong.is_empty() { Ok(good.into_iter().flatten().collect()) } else { Err(wrong) }
}

/// By way of the text, so that the rules for names are those of every other name.
fn san(name: &GeneralName) -> Result<San, Invalid> {
    match name {
        GeneralName::DnsName(text) => format!("DNS:{text}").parse(),
        GeneralName::Rfc822Name(text) => format!("email:{text}").parse(),
        GeneralName::UniformResourceIdentifier(text) => format!("URI:{text}").parse(),
        GeneralName::IpAddress(octets) => match address(octets.as_bytes()) {
            Some(address) => Ok(San::Ip(address)),
            None => Err(Invalid::new("sans", "is an IP address of another length than 4 or 16 bytes")),
        },
        GeneralName::RegisteredId(oid) => Ok(San::RegisteredId(*oid)),
        GeneralName::DirectoryName(name) => Name::from_elsewhere(name).map(San::DirectoryName),
        GeneralName::OtherName(other) => {
            let value = other.value.to_der().map(hex::encode).unwrap_or_default();
            format!("otherName:{};DER:{value}", other.type_id).parse()
        }
        GeneralName::EdiPartyName(_) => Err(Invalid::new("sans", "is an ediPartyName, which is not taken")),
    }
}

fn address(octets: &[u8]) -> Option<IpAddr> {
    match octets.len() {
        4 => <[u8; 4]>::try_from(octets).ok().map(IpAddr::from),
        _ => <[u8; 16]>::try_from(octets).ok().map(IpAddr::from),
    }
}

fn read_subtree(subtree: &GeneralSubtree) -> Result<Subtree, Invalid> {
    const FIELD: &str = "extensions.name_constraints";
    // RFC 5280 section 4.2.1.10: minimum is 0, maximum is absent.
    if subtree.minimum != 0 || subtree.maximum.is_some() {
        return Err(Invalid::new(FIELD, "have a minimum or maximum, against RFC 5280 section 4.2.1.10"));
    }
    match &subtree.base {
        // A leading dot is against RFC 5280, common, and taken by verifiers for the hosts below.
        GeneralName::DnsName(text) => format!("DNS:{}", text.as_str().trim_start_matches('.')).parse(),
        GeneralName::Rfc822Name(text) => format!("email:{text}").parse(),
        GeneralName::UniformResourceIdentifier(text) => format!("URI:{text}").parse(),
        GeneralName::IpAddress(octets) => network(octets.as_bytes())
            .ok_or_else(|| Invalid::new(FIELD, "have a network that is no address with its mask")),
        GeneralName::DirectoryName(name) => Name::from_elsewhere(name).map(Subtree::DirectoryName),
        GeneralName::OtherName(_) | GeneralName::EdiPartyName(_) | GeneralName::RegisteredId(_) => {
            Err(Invalid::new(FIELD, "are about a kind of name that is not understood"))
        }
    }
}

fn network(octets: &[u8]) -> Option<Subtree> {
    let (base, mask) = octets.split_at_checked(octets.len() / 2)?;
    let bits: u32 = mask.iter().map(|octet| octet.leading_ones()).sum();
    let contiguous = mask.iter().map(|octet| octet.count_ones()).sum::<u32>() == bits
        && mask.windows(2).all(|pair| pair[0] == 0xff || pair[1] == 0);
    let base = address(base).filter(|_| contiguous && mask.len() == base.len())?;
    format!("IP:{base}/{bits}").parse().ok()
}

/// Qualifiers of other shapes are passed over: they tell people something, and verifiers nothing.
fn policy(found: &PolicyInformation) -> CertificatePolicy {
    let qualifiers = found.policy_qualifiers.as_deref().unwrap_or_default();
    CertificatePolicy {
        oid: found.policy_identifier,
        cps: qualifiers.iter().filter_map(cps).collect(),
        notice: qualifiers.iter().find_map(notice),
    }
}

fn cps(found: &PolicyQualifierInfo) -> Option<String> {
    let value = found.qualifier.as_ref().filter(|_| found.policy_qualifier_id == CPS)?;
    std::str::from_utf8(value.value()).ok().map(str::to_owned)
}

fn notice(found: &PolicyQualifierInfo) -> Option<String> {
    let value = found.qualifier.as_ref().filter(|_| found.policy_qualifier_id == USER_NOTICE)?;
    match UserNotice::from_der(&value.to_der().ok()?).ok()?.explicit_text? {
        DisplayText::Utf8String(text) => Some(text),
        DisplayText::Ia5String(text) => Some(text.as_str().to_owned()),
    }
}
