//! Encodes a CSR from its specification.
//!
//! By hand, not with x509-cert's `RequestBuilder`: with no extensions that one still emits an
//! extensionRequest with an empty SEQUENCE, against the SIZE (1..MAX) of RFC 5280 section 4.1.

pub(in crate::domain) mod extensions;
mod general_name;

use const_oid::ObjectIdentifier;
use const_oid::db::rfc5912::ID_EXTENSION_REQ;
use der::asn1::{Any, AnyRef, BitStringRef, Ia5StringRef, PrintableStringRef, SetOfVec, Utf8StringRef};
use der::{Decode, Encode, Sequence};
use spki::{AlgorithmIdentifierOwned, SubjectPublicKeyInfoOwned};
use x509_cert::attr::{Attribute, Attributes};
use x509_cert::request::{CertReqInfo, Version};

use super::super::algorithm::Scheme;
use super::{CsrSpec, Error};

/// RFC 2985 sections 5.4.1 and 5.4.3.
const CHALLENGE_PASSWORD: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.9.7");
const UNSTRUCTURED_NAME: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.9.2");

/// The DER of CertificationRequestInfo (RFC 2986 section 4.1): the bytes that the token signs.
/// `spki_der` is the DER of a SubjectPublicKeyInfo. The specification is taken as valid; see
/// [`CsrSpec::validate`].
///
/// # Errors
/// [`Error::Encoding`] when `spki_der` is not DER, or a value does not fit its type.
pub fn to_be_signed(spec: &CsrSpec, spki_der: &[u8]) -> Result<Vec<u8>, Error> {
    let public_key = SubjectPublicKeyInfoOwned::from_der(spki_der)?;
    let attributes = attributes(spec, &public_key)?;
    let info =
        CertReqInfo { version: Version::V1, subject: spec.subject.as_x509().clone(), public_key, attributes };
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

/// The field itself is there even when it is empty.
fn attributes(spec: &CsrSpec, public_key: &SubjectPublicKeyInfoOwned) -> der::Result<Attributes> {
    let mut attributes = Attributes::default();
    let extensions = extensions::extensions(spec, public_key)?;
    if !extensions.is_empty() {
        attributes.insert(attribute(ID_EXTENSION_REQ, Any::encode_from(&extensions)?)?)?;
    }
    if let Some(password) = &spec.challenge_password {
        let text = password.expose();
        let value = match PrintableStringRef::new(text) {
            Ok(printable) => Any::encode_from(&printable)?,
            Err(_) => Any::encode_from(&Utf8StringRef::new(text)?)?,
        };
        attributes.insert(attribute(CHALLENGE_PASSWORD, value)?)?;
    }
    if let Some(name) = &spec.unstructured_name {
        let value = match Ia5StringRef::new(name) {
            Ok(ascii) => Any::encode_from(&ascii)?,
            Err(_) => Any::encode_from(&Utf8StringRef::new(name)?)?,
        };
        attributes.insert(attribute(UNSTRUCTURED_NAME, value)?)?;
    }
    Ok(attributes)
}

fn attribute(oid: ObjectIdentifier, value: Any) -> der::Result<Attribute> {
    Ok(Attribute { oid, values: SetOfVec::try_from([value])? })
}
