//! What a token has to be told of a certificate beside the certificate itself.

use der::asn1::AnyRef;
use der::{Encode, Tag};
use x509_parser::certificate::X509Certificate;
use x509_parser::prelude::FromDer;

/// The fields of a certificate that its object on a token repeats (PKCS#11 v3.0 base specification,
/// section 4.6.3), byte for byte.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ObjectFields {
    /// CKA_SUBJECT: DER of the subject.
    pub subject: Vec<u8>,
    /// CKA_ISSUER: DER of the issuer.
    pub issuer: Vec<u8>,
    /// CKA_SERIAL_NUMBER: DER of the INTEGER, not only its value.
    pub serial: Vec<u8>,
}

/// The fields of a certificate in DER; `None` when it is none.
pub fn object_fields(certificate_der: &[u8]) -> Option<ObjectFields> {
    let (_, certificate) = X509Certificate::from_der(certificate_der).ok()?;
    Some(ObjectFields {
        subject: certificate.subject().as_raw().to_vec(),
        issuer: certificate.issuer().as_raw().to_vec(),
        serial: AnyRef::new(Tag::Integer, certificate.raw_serial()).ok()?.to_der().ok()?,
    })
}
