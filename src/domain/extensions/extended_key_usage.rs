//! ExtendedKeyUsage (RFC 5280 section 4.2.1.12).

use std::fmt;
use std::str::FromStr;

use const_oid::ObjectIdentifier;
use const_oid::db::rfc5280;

/// A purpose of ExtendedKeyUsage (KeyPurposeId): written by its name in RFC 5280, such as
/// `serverAuth`, or as a dotted OID.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct ExtendedKeyUsage(ObjectIdentifier);

/// The purposes that have a name: RFC 5280 section 4.2.1.12.
const PURPOSES: [(&str, ObjectIdentifier); 6] = [
    ("serverAuth", rfc5280::ID_KP_SERVER_AUTH),
    ("clientAuth", rfc5280::ID_KP_CLIENT_AUTH),
    ("codeSigning", rfc5280::ID_KP_CODE_SIGNING),
    ("emailProtection", rfc5280::ID_KP_EMAIL_PROTECTION),
    ("timeStamping", rfc5280::ID_KP_TIME_STAMPING),
    ("OCSPSigning", rfc5280::ID_KP_OCSP_SIGNING),
];

impl ExtendedKeyUsage {
    /// The purpose's object identifier.
    pub fn oid(self) -> ObjectIdentifier {
        self.0
    }
}

/// The text is neither a purpose of RFC 5280 nor a dotted OID.
#[derive(Debug, thiserror::Error)]
#[error(
    "an extended key usage is one of serverAuth, clientAuth, codeSigning, emailProtection, timeStamping, \
     OCSPSigning, or a dotted OID"
)]
pub struct NotAPurpose;

impl FromStr for ExtendedKeyUsage {
    type Err = NotAPurpose;

    fn from_str(text: &str) -> Result<Self, NotAPurpose> {
        match PURPOSES.iter().find(|(name, _)| *name == text) {
            Some((_, oid)) => Ok(Self(*oid)),
            None => ObjectIdentifier::new(text).map(Self).map_err(|_| NotAPurpose),
        }
    }
}

impl fmt::Display for ExtendedKeyUsage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match PURPOSES.iter().find(|(_, oid)| *oid == self.0) {
            Some((name, _)) => f.write_str(name),
            None => self.0.fmt(f),
        }
    }
}

serialised_as_text!(ExtendedKeyUsage);
