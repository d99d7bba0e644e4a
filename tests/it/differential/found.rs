//! What a reader finds in a CSR, in one form for all of them.

use der::Encode;
use sha2::{Digest, Sha256};
use strongroom::domain::name::Name;
use strongroom::domain::san::{SMTP_UTF8_MAILBOX, San, USER_PRINCIPAL_NAME};

/// A CSR as it was read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Found {
    /// DER in hexadecimal.
    pub subject: String,
    /// `None` where the reader does not show the value.
    pub sans: Vec<Option<GeneralName>>,
    /// Of the SubjectPublicKeyInfo, in hexadecimal.
    pub spki_sha256: String,
    /// `None` where the reader cannot verify.
    pub signature_is_good: Option<bool>,
}

/// The kind, and its value: text, or the DER of a name or of an otherName behind its type.
pub type GeneralName = (String, String);

pub fn general_name(san: &San) -> GeneralName {
    let other = |kind: String, der: &[u8]| ("otherName".to_owned(), format!("{kind};{}", hex::encode(der)));
    let utf8 = |text: &str| der::asn1::Utf8StringRef::new(text).unwrap().to_der().unwrap();
    match san {
        San::Email(address) if !address.as_str().is_ascii() => {
            other(SMTP_UTF8_MAILBOX.to_string(), &utf8(address.as_str()))
        }
        San::UserPrincipalName(name) => other(USER_PRINCIPAL_NAME.to_string(), &utf8(name.as_str())),
        San::OtherName(name) => other(name.type_id().to_string(), name.value().as_bytes()),
        San::DirectoryName(name) => ("dirName".to_owned(), subject_der(name)),
        San::Dns(_) | San::Ip(_) | San::Email(_) | San::Uri(_) | San::RegisteredId(_) => {
            let text = san.to_string();
            let (kind, value) = text.split_once(':').unwrap();
            (kind.to_owned(), value.to_owned())
        }
    }
}

pub fn subject_der(name: &Name) -> String {
    hex::encode(name.as_x509().to_der().unwrap())
}

pub fn sha256(bytes: &[u8]) -> String {
    hex::encode(Sha256::digest(bytes))
}
