//! Encodes a certificate from its specification, with the encoder of CSRs.

use std::time::Duration;

use const_oid::db::rfc5280::ID_AD_CA_ISSUERS;
use der::asn1::{Any, AnyRef, Ia5String, OctetString, UintRef};
use der::{DateTime, Decode, Encode, Sequence};
use spki::{AlgorithmIdentifierOwned, SubjectPublicKeyInfoOwned};
use x509_cert::ext::Extension;
use x509_cert::ext::pkix::crl::dp::DistributionPoint;
use x509_cert::ext::pkix::name::{DistributionPointName, GeneralName};
use x509_cert::ext::pkix::{
    AccessDescription, AuthorityInfoAccessSyntax, AuthorityKeyIdentifier, CrlDistributionPoints,
};
use x509_cert::time::Time;

use super::super::algorithm::Scheme;
use super::super::clock::Timestamp;
use super::super::csr::Error;
use super::super::csr::build::extensions::{extensions, typed};
use super::CertificateSpec;

/// X.509 version 3, as it is encoded.
const V3: u8 = 2;

/// The DER of TBSCertificate (RFC 5280 section 4.1): the bytes that the token signs. They are put into a
/// certificate by [`csr::assemble`](super::super::csr::assemble), which all signed types share.
///
/// # Errors
/// [`Error::Encoding`] when a part that is given as DER is none, or a value does not fit its type.
pub fn to_be_signed(spec: &CertificateSpec, scheme: Scheme) -> Result<Vec<u8>, Error> {
    let public_key = SubjectPublicKeyInfoOwned::from_der(&spec.spki)?;
    let mut extensions = extensions(&spec.content, &public_key)?;
    extensions.extend(about_the_issuer(spec)?);
    let tbs = TbsCertificate {
        version: V3,
        serial: UintRef::new(spec.serial.as_bytes())?,
        signature: algorithm(scheme)?,
        issuer: AnyRef::from_der(&spec.issuer)?,
        validity: Validity {
            not_before: time(spec.period.not_before)?,
            not_after: time(spec.period.not_after)?,
        },
        subject: spec.content.subject.as_x509().clone(),
        public_key,
        extensions,
    };
    Ok(tbs.to_der()?)
}

/// As `x509_cert::TbsCertificate`, whose fields are closed; the issuer as it stands in its certificate.
#[derive(Sequence)]
struct TbsCertificate<'a> {
    #[asn1(context_specific = "0", tag_mode = "EXPLICIT")]
    version: u8,
    serial: UintRef<'a>,
    signature: AlgorithmIdentifierOwned,
    issuer: AnyRef<'a>,
    validity: Validity,
    subject: x509_cert::name::Name,
    public_key: SubjectPublicKeyInfoOwned,
    #[asn1(context_specific = "3", tag_mode = "EXPLICIT")]
    extensions: Vec<Extension>,
}

#[derive(Sequence)]
struct Validity {
    not_before: Time,
    not_after: Time,
}

/// The identifier of the algorithm that the certificate or CRL is signed with.
pub(in crate::domain) fn algorithm(scheme: Scheme) -> der::Result<AlgorithmIdentifierOwned> {
    let parameters = match scheme.parameters() {
        [] => None,
        der => Some(Any::from_der(der)?),
    };
    Ok(AlgorithmIdentifierOwned { oid: scheme.oid(), parameters })
}

/// UTCTime up to 2049, then GeneralizedTime (RFC 5280 section 4.1.2.5).
pub(in crate::domain) fn time(at: Timestamp) -> der::Result<Time> {
    let seconds = u64::try_from(at.as_millis().div_euclid(1000)).map_err(|_| der::ErrorKind::DateTime)?;
    DateTime::from_unix_duration(Duration::from_secs(seconds)).map(Time::from)
}

/// AuthorityKeyIdentifier, of which only the key's identifier is given (RFC 5280 section 4.2.1.1).
pub(in crate::domain) fn authority_key_identifier(key: &[u8]) -> der::Result<Extension> {
    let identifier = AuthorityKeyIdentifier {
        key_identifier: Some(OctetString::new(key)?),
        authority_cert_issuer: None,
        authority_cert_serial_number: None,
    };
    typed(false, &identifier)
}

fn about_the_issuer(spec: &CertificateSpec) -> der::Result<Vec<Extension>> {
    let mut extensions = vec![authority_key_identifier(&spec.authority_key_id)?];
    if let Some(url) = &spec.urls.crl {
        let point = DistributionPoint {
            distribution_point: Some(DistributionPointName::FullName(vec![uri(url)?])),
            reasons: None,
            crl_issuer: None,
        };
        extensions.push(typed(false, &CrlDistributionPoints(vec![point]))?);
    }
    if let Some(url) = &spec.urls.certificate {
        let access = AccessDescription { access_method: ID_AD_CA_ISSUERS, access_location: uri(url)? };
        extensions.push(typed(false, &AuthorityInfoAccessSyntax(vec![access]))?);
    }
    Ok(extensions)
}

fn uri(url: &str) -> der::Result<GeneralName> {
    Ok(GeneralName::UniformResourceIdentifier(Ia5String::new(url)?))
}
