//! Encodes the extensions that a CSR asks for.

use aws_lc_rs::digest;
use const_oid::{AssociatedOid, ObjectIdentifier};
use der::asn1::{Any, BmpString, Ia5String, OctetString};
use der::{Encode, Sequence};
use spki::SubjectPublicKeyInfoOwned;
use x509_cert::ext::Extension;
use x509_cert::ext::pkix::certpolicy::{
    CertificatePolicies, DisplayText, PolicyInformation, PolicyQualifierInfo, UserNotice,
};
use x509_cert::ext::pkix::constraints::name::{GeneralSubtree, GeneralSubtrees};
use x509_cert::ext::pkix::{
    BasicConstraints, ExtendedKeyUsage, KeyUsage, KeyUsages, NameConstraints, SubjectAltName,
    SubjectKeyIdentifier,
};

use super::super::super::extensions::{
    self as wanted, CertificatePolicy, KeyUsageBit, MicrosoftTemplate, Subtree,
};
use super::super::CsrSpec;
use super::general_name::{general_name, subtree};

/// RFC 5280 section 4.2.1.4: id-qt-cps and id-qt-unotice.
pub(in crate::domain::csr) const CPS: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.6.1.5.5.7.2.1");
pub(in crate::domain::csr) const USER_NOTICE: ObjectIdentifier =
    ObjectIdentifier::new_unwrap("1.3.6.1.5.5.7.2.2");
/// RFC 7633 section 6: id-pe-tlsfeature.
pub(in crate::domain::csr) const TLS_FEATURE: ObjectIdentifier =
    ObjectIdentifier::new_unwrap("1.3.6.1.5.5.7.1.24");
/// [MS-WCCE]: szOID_ENROLL_CERTTYPE_EXTENSION and szOID_CERTIFICATE_TEMPLATE.
const TEMPLATE_NAME: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.6.1.4.1.311.20.2");
const TEMPLATE: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.6.1.4.1.311.21.7");

/// The extensions that `spec` asks for, for a certificate request as for a certificate.
pub(in crate::domain) fn extensions(
    spec: &CsrSpec,
    public_key: &SubjectPublicKeyInfoOwned,
) -> der::Result<Vec<Extension>> {
    let mut extensions = Vec::new();
    if !spec.sans.is_empty() {
        let names = spec.sans.iter().map(general_name).collect::<der::Result<_>>()?;
        // RFC 5280 section 4.2.1.6: critical when it alone names the subject.
        extensions.push(typed(spec.subject.is_empty(), &SubjectAltName(names))?);
    }
    let wanted = &spec.extensions;
    extensions.extend(usage(wanted)?);
    if !wanted.certificate_policies.is_empty() {
        let policies = wanted.certificate_policies.iter().map(policy).collect::<der::Result<_>>()?;
        extensions.push(typed(false, &CertificatePolicies(policies))?);
    }
    if let Some(constraints) = &wanted.name_constraints {
        let constraints = NameConstraints {
            permitted_subtrees: subtrees(&constraints.permitted)?,
            excluded_subtrees: subtrees(&constraints.excluded)?,
        };
        extensions.push(typed(true, &constraints)?);
    }
    if let Some(identifier) = &wanted.subject_key_identifier {
        let identifier = match identifier {
            wanted::SubjectKeyIdentifier::Sha1 => sha1(public_key.subject_public_key.raw_bytes()),
            wanted::SubjectKeyIdentifier::Given(bytes) => bytes.clone(),
        };
        extensions.push(typed(false, &SubjectKeyIdentifier(OctetString::new(identifier)?))?);
    }
    if !wanted.tls_features.is_empty() {
        let numbers: Vec<u16> = wanted.tls_features.iter().map(|feature| feature.number()).collect();
        extensions.push(extension(TLS_FEATURE, false, numbers.to_der()?)?);
    }
    if let Some(name) = &wanted.microsoft_template_name {
        extensions.push(extension(TEMPLATE_NAME, false, BmpString::from_utf8(name)?.to_der()?)?);
    }
    if let Some(MicrosoftTemplate { oid, major, minor }) = wanted.microsoft_template {
        extensions.push(extension(TEMPLATE, false, Template { oid, major, minor }.to_der()?)?);
    }
    for other in &wanted.other {
        extensions.push(extension(other.oid, other.critical, other.value.as_bytes())?);
    }
    Ok(extensions)
}

fn usage(wanted: &wanted::Extensions) -> der::Result<Vec<Extension>> {
    let mut extensions = Vec::new();
    if !wanted.key_usage.is_empty() {
        let bits = wanted.key_usage.iter().map(|bit| key_usage_flag(*bit));
        let usage = bits.fold(Default::default(), |usage, bit| usage | bit);
        extensions.push(typed(true, &KeyUsage(usage))?);
    }
    if !wanted.extended_key_usage.is_empty() {
        let purposes = wanted.extended_key_usage.iter().map(|purpose| purpose.oid()).collect();
        extensions.push(typed(false, &ExtendedKeyUsage(purposes))?);
    }
    if let Some(constraints) = wanted.basic_constraints {
        let constraints =
            BasicConstraints { ca: constraints.ca, path_len_constraint: constraints.path_length };
        extensions.push(typed(true, &constraints)?);
    }
    Ok(extensions)
}

pub(in crate::domain) fn typed<T: AssociatedOid + Encode>(
    critical: bool,
    value: &T,
) -> der::Result<Extension> {
    extension(T::OID, critical, value.to_der()?)
}

fn extension(extn_id: ObjectIdentifier, critical: bool, der: impl Into<Box<[u8]>>) -> der::Result<Extension> {
    Ok(Extension { extn_id, critical, extn_value: OctetString::new(der)? })
}

/// CertificateTemplateOID of [MS-WCCE] section 2.2.2.7.7.2.
#[derive(Sequence)]
struct Template {
    oid: ObjectIdentifier,
    major: Option<u32>,
    minor: Option<u32>,
}

fn policy(policy: &CertificatePolicy) -> der::Result<PolicyInformation> {
    let mut qualifiers = Vec::new();
    for cps in &policy.cps {
        qualifiers.push(qualifier(CPS, &Ia5String::new(cps)?)?);
    }
    if let Some(notice) = &policy.notice {
        let explicit_text = Some(DisplayText::Utf8String(notice.clone()));
        qualifiers.push(qualifier(USER_NOTICE, &UserNotice { notice_ref: None, explicit_text })?);
    }
    Ok(PolicyInformation {
        policy_identifier: policy.oid,
        policy_qualifiers: (!qualifiers.is_empty()).then_some(qualifiers),
    })
}

fn qualifier<T: der::Tagged + der::EncodeValue>(
    policy_qualifier_id: ObjectIdentifier,
    value: &T,
) -> der::Result<PolicyQualifierInfo> {
    Ok(PolicyQualifierInfo { policy_qualifier_id, qualifier: Some(Any::encode_from(value)?) })
}

fn subtrees(wanted: &[Subtree]) -> der::Result<Option<GeneralSubtrees>> {
    if wanted.is_empty() {
        return Ok(None);
    }
    let subtrees =
        wanted.iter().map(|wanted| Ok(GeneralSubtree { base: subtree(wanted)?, minimum: 0, maximum: None }));
    subtrees.collect::<der::Result<_>>().map(Some)
}

/// Only a name for the key here: nothing rests on its strength.
fn sha1(bytes: &[u8]) -> Vec<u8> {
    digest::digest(&digest::SHA1_FOR_LEGACY_USE_ONLY, bytes).as_ref().to_vec()
}

fn key_usage_flag(bit: KeyUsageBit) -> KeyUsages {
    match bit {
        KeyUsageBit::DigitalSignature => KeyUsages::DigitalSignature,
        KeyUsageBit::NonRepudiation => KeyUsages::NonRepudiation,
        KeyUsageBit::KeyEncipherment => KeyUsages::KeyEncipherment,
        KeyUsageBit::DataEncipherment => KeyUsages::DataEncipherment,
        KeyUsageBit::KeyAgreement => KeyUsages::KeyAgreement,
        KeyUsageBit::KeyCertSign => KeyUsages::KeyCertSign,
        KeyUsageBit::CrlSign => KeyUsages::CRLSign,
        KeyUsageBit::EncipherOnly => KeyUsages::EncipherOnly,
        KeyUsageBit::DecipherOnly => KeyUsages::DecipherOnly,
    }
}
