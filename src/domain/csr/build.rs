//! Encodes a CSR from its specification.
//!
//! By hand, not with x509-cert's `RequestBuilder`: with no extensions that one still emits an
//! extensionRequest with an empty SEQUENCE, against the SIZE (1..MAX) of RFC 5280 section 4.1.

use const_oid::db::rfc5912::ID_EXTENSION_REQ;
use const_oid::{AssociatedOid, ObjectIdentifier};
use der::asn1::{Any, AnyRef, BitStringRef, Ia5String, OctetString, SetOfVec};
use der::{Decode, Encode, Sequence};
use spki::{AlgorithmIdentifierOwned, SubjectPublicKeyInfoOwned};
use x509_cert::attr::{Attribute, Attributes};
use x509_cert::ext::Extension;
use x509_cert::ext::pkix::name::GeneralName;
use x509_cert::ext::pkix::{BasicConstraints, ExtendedKeyUsage, KeyUsage, KeyUsages, SubjectAltName};
use x509_cert::request::{CertReqInfo, Version};

use super::super::algorithm::Scheme;
use super::super::extensions::KeyUsageBit;
use super::super::san::San;
use super::{CsrSpec, Error};

/// The DER of CertificationRequestInfo (RFC 2986 section 4.1): the bytes that the token signs.
/// `spki_der` is the DER of a SubjectPublicKeyInfo. The specification is taken as valid; see
/// [`CsrSpec::validate`].
///
/// # Errors
/// [`Error::Encoding`] when `spki_der` is not DER, or a value does not fit its type.
pub fn to_be_signed(spec: &CsrSpec, spki_der: &[u8]) -> Result<Vec<u8>, Error> {
    let info = CertReqInfo {
        version: Version::V1,
        subject: spec.subject.as_x509().clone(),
        public_key: SubjectPublicKeyInfoOwned::from_der(spki_der)?,
        attributes: attributes(spec)?,
    };
    Ok(info.to_der()?)
}

/// The DER of the CSR (RFC 2986 section 4.2) around exactly these `to_be_signed` bytes. `signature`
/// is in the form that X.509 wants: for ECDSA the DER of a SEQUENCE of r and s.
///
/// # Errors
/// [`Error::Encoding`] when `to_be_signed` is not one DER value.
pub fn assemble(to_be_signed: &[u8], scheme: Scheme, signature: &[u8]) -> Result<Vec<u8>, Error> {
    let parameters = match scheme.parameters() {
        [] => None,
        der => Some(Any::from_der(der)?),
    };
    let request = CertificationRequest {
        info: AnyRef::from_der(to_be_signed)?,
        algorithm: AlgorithmIdentifierOwned { oid: scheme.oid(), parameters },
        signature: BitStringRef::from_bytes(signature)?,
    };
    Ok(request.to_der()?)
}

/// As `x509_cert::request::CertReq`, but with the signed part as it was signed.
#[derive(Sequence)]
struct CertificationRequest<'a> {
    info: AnyRef<'a>,
    algorithm: AlgorithmIdentifierOwned,
    signature: BitStringRef<'a>,
}

/// At most one attribute; the field itself is there even when it is empty.
fn attributes(spec: &CsrSpec) -> der::Result<Attributes> {
    let extensions = extensions(spec)?;
    if extensions.is_empty() {
        return Ok(Attributes::default());
    }
    let values = SetOfVec::try_from([Any::encode_from(&extensions)?])?;
    SetOfVec::try_from([Attribute { oid: ID_EXTENSION_REQ, values }])
}

fn extensions(spec: &CsrSpec) -> der::Result<Vec<Extension>> {
    let wanted = &spec.extensions;
    let mut extensions = Vec::new();
    if !spec.sans.is_empty() {
        let names = spec.sans.iter().map(general_name).collect::<der::Result<_>>()?;
        // RFC 5280 section 4.2.1.6: critical when it alone names the subject.
        extensions.push(extension(spec.subject.is_empty(), &SubjectAltName(names))?);
    }
    if !wanted.key_usage.is_empty() {
        let bits = wanted.key_usage.iter().map(|bit| key_usage_flag(*bit));
        let usage = bits.fold(Default::default(), |usage, bit| usage | bit);
        extensions.push(extension(true, &KeyUsage(usage))?);
    }
    if !wanted.extended_key_usage.is_empty() {
        let purposes = wanted.extended_key_usage.iter().map(|purpose| purpose.oid()).collect();
        extensions.push(extension(false, &ExtendedKeyUsage(purposes))?);
    }
    if let Some(constraints) = wanted.basic_constraints {
        let constraints =
            BasicConstraints { ca: constraints.ca, path_len_constraint: constraints.path_length };
        extensions.push(extension(true, &constraints)?);
    }
    Ok(extensions)
}

fn extension<T: AssociatedOid + Encode>(critical: bool, value: &T) -> der::Result<Extension> {
    let extn_id: ObjectIdentifier = T::OID;
    Ok(Extension { extn_id, critical, extn_value: OctetString::new(value.to_der()?)? })
}

fn general_name(san: &San) -> der::Result<GeneralName> {
    Ok(match san {
        San::Dns(name) => GeneralName::DnsName(Ia5String::new(name.as_str())?),
        San::Ip(address) => GeneralName::from(*address),
        San::Email(address) => GeneralName::Rfc822Name(Ia5String::new(address.as_str())?),
        San::Uri(uri) => GeneralName::UniformResourceIdentifier(Ia5String::new(uri.as_str())?),
    })
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
