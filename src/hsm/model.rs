//! What the rest of the program learns of a token: its state, its data, its objects.

use std::fmt::Write as _;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::SystemTime;

use serde::{Deserialize, Serialize};

use super::error::Error;
use crate::domain::algorithm::KeyKind;
use crate::domain::id::KeyId;
use crate::domain::key::{EvidenceLevel, KeyAttributes};
use crate::domain::probe::Binding;

/// Where a token is.
///
/// ```text
///   starting ----> up ----> starting (at once, if it had not died lately)
///       \            \
///        +-----------+----> down ----> starting (after 1 to 30 s)
/// ```
#[derive(Clone, Debug)]
pub enum TokenStatus {
    /// The worker is being started: module, token and login are on their way.
    Starting,
    /// The worker is logged in and takes calls.
    Up {
        /// What the token says of itself.
        info: Arc<TokenInfo>,
        /// When it came up.
        since: SystemTime,
    },
    /// The worker ended; the next one is started at `retry_at`.
    Down {
        /// What keeps it down.
        error: Error,
        /// When the next worker is started.
        retry_at: SystemTime,
    },
    /// The service has ended the worker for good.
    Stopped,
}

/// What a token, its slot and its module say of themselves, and what follows from it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TokenInfo {
    /// CK_TOKEN_INFO label, without padding.
    pub label: String,
    /// CK_TOKEN_INFO serialNumber.
    pub serial: String,
    /// CK_TOKEN_INFO manufacturerID.
    pub manufacturer: String,
    /// CK_TOKEN_INFO model.
    pub model: String,
    /// CK_TOKEN_INFO firmwareVersion, `major.minor`.
    pub firmware: String,
    /// The slot's number now. It may differ after the next start: never address a token by it.
    pub slot_id: u64,
    /// CK_INFO libraryDescription.
    pub library: String,
    /// CK_INFO libraryVersion, `major.minor`.
    pub library_version: String,
    /// The module that was loaded.
    pub module: PathBuf,
    /// SHA-256 of its file in hexadecimal, taken when it was loaded.
    pub module_sha256: String,
    /// SHA-256 in hexadecimal of the string that it was initialised with, if it got one.
    pub init_args_sha256: Option<String>,
    /// Key kinds it can make and sign with: the profile's that C_GetMechanismList agrees to.
    pub algorithms: Vec<KeyKind>,
    /// What the statement "keys cannot leave" rests on.
    pub evidence: EvidenceLevel,
    /// Sessions that sign and read in parallel.
    pub sessions: usize,
    /// Process id of the worker.
    pub worker_pid: u32,
}

impl TokenInfo {
    /// What a verdict of the negative probes holds for.
    pub fn binding(&self) -> Binding {
        Binding {
            module_sha256: self.module_sha256.clone(),
            library_version: self.library_version.clone(),
            firmware: self.firmware.clone(),
            serial: self.serial.clone(),
            init_args_sha256: self.init_args_sha256.clone(),
            key_types: self.algorithms.iter().map(|kind| kind.key_type()).collect(),
        }
    }

    /// The RFC 7512 URI of a private key on this token.
    pub fn key_uri(&self, id: KeyId, label: &str) -> String {
        key_uri(&self.label, &self.serial, id, label)
    }
}

/// The RFC 7512 URI of a private key: token label and serial number, CKA_ID, CKA_LABEL. All but
/// the unreserved characters of RFC 3986 is percent-encoded; every byte of the id is, as RFC 7512
/// section 2.3 recommends.
pub fn key_uri(token: &str, serial: &str, id: KeyId, label: &str) -> String {
    let id: String = id.as_bytes().iter().fold(String::new(), |mut text, byte| {
        // Writing to a String cannot fail.
        let _ = write!(text, "%{byte:02X}");
        text
    });
    format!(
        "pkcs11:token={};serial={};id={id};object={};type=private",
        percent_encoded(token),
        percent_encoded(serial),
        percent_encoded(label),
    )
}

fn percent_encoded(text: &str) -> String {
    text.bytes().fold(String::with_capacity(text.len()), |mut encoded, byte| {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            encoded.push(char::from(byte));
        } else {
            let _ = write!(encoded, "%{byte:02X}");
        }
        encoded
    })
}

/// A key pair as the token has it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct GeneratedKey {
    /// DER of SubjectPublicKeyInfo, built from the public object's attributes.
    pub spki: Vec<u8>,
    /// Attributes of the private object as read; judging them is the caller's work.
    pub attributes: KeyAttributes,
}

/// How many objects a destruction removed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Destroyed {
    /// Private keys.
    pub private: usize,
    /// Public keys.
    pub public: usize,
    /// Anything else with the same CKA_ID, such as a certificate or an object without a class.
    pub other: usize,
}

/// A certificate as an object of a token (PKCS#11 v3.0 base specification, section 4.6.3).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CertificateObject {
    /// CKA_LABEL: that of its key.
    pub label: String,
    /// CKA_SUBJECT: DER of the subject.
    pub subject: Vec<u8>,
    /// CKA_ISSUER: DER of the issuer.
    pub issuer: Vec<u8>,
    /// CKA_SERIAL_NUMBER: DER of the INTEGER.
    pub serial: Vec<u8>,
    /// CKA_VALUE: the certificate in DER.
    pub der: Vec<u8>,
}

/// What became of the certificates under one CKA_ID.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct CertificateChange {
    /// Whether one was written; it may have been there.
    pub written: bool,
    /// How many were removed.
    pub removed: usize,
}

impl Destroyed {
    /// Counts an object of that class.
    pub(super) fn count(&mut self, class: &ObjectClass) {
        match class {
            ObjectClass::Private => self.private += 1,
            ObjectClass::Public => self.public += 1,
            ObjectClass::Certificate | ObjectClass::Other(_) | ObjectClass::Unknown => self.other += 1,
        }
    }
}

/// An object on the token, ours or not. SoftHSM killed in C_GenerateKeyPair leaves objects with
/// neither id nor label, and some without a class.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TokenObject {
    /// CKA_CLASS.
    pub class: ObjectClass,
    /// CKA_ID; empty where there is none.
    pub id: Vec<u8>,
    /// CKA_LABEL; empty where there is none.
    pub label: Vec<u8>,
    /// SHA-256 of CKA_VALUE, of a certificate whose CKA_ID has the form of ours.
    pub sha256: Option<[u8; 32]>,
}

/// CKA_CLASS, as far as it matters here.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum ObjectClass {
    /// CKO_PRIVATE_KEY
    Private,
    /// CKO_PUBLIC_KEY
    Public,
    /// CKO_CERTIFICATE
    Certificate,
    /// Another class, by name.
    Other(String),
    /// The object has no class that can be read.
    Unknown,
}

/// A slot and the token in it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SlotInfo {
    /// The slot's number now. Never address a token by it.
    pub slot_id: u64,
    /// CK_SLOT_INFO slotDescription.
    pub description: String,
    /// The token in it, if there is one that answers.
    pub token: Option<SlotToken>,
}

impl SlotInfo {
    /// Whether it has an initialised token.
    pub fn is_initialized(&self) -> bool {
        self.token.as_ref().is_some_and(|token| token.initialized)
    }

    /// Label of its token, once that is initialised.
    pub fn label(&self) -> Option<&str> {
        self.token.as_ref().filter(|token| token.initialized).map(|token| token.label.as_str())
    }

    /// Serial number of its token, where that has one.
    pub fn serial(&self) -> Option<&str> {
        self.token.as_ref().map(|token| token.serial.as_str()).filter(|serial| !serial.is_empty())
    }
}

/// The token in a slot.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SlotToken {
    /// Label; empty before initialisation.
    pub label: String,
    /// Serial number.
    pub serial: String,
    /// Manufacturer.
    pub manufacturer: String,
    /// Model.
    pub model: String,
    /// CKF_TOKEN_INITIALIZED
    pub initialized: bool,
    /// CKF_USER_PIN_INITIALIZED
    pub user_pin_initialized: bool,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::id::InstallationId;

    #[test]
    fn a_uri_encodes_what_rfc_7512_reserves_and_every_byte_of_the_id() {
        let id = KeyId::new(InstallationId([0xde, 0xad, 0xbe, 0xef]), [b'A'; 12]);
        assert_eq!(
            key_uri("My token; ä/?&", "0123=", id, "019aa5b2-5c3e"),
            "pkcs11:token=My%20token%3B%20%C3%A4%2F%3F%26;serial=0123%3D;\
             id=%DE%AD%BE%EF%41%41%41%41%41%41%41%41%41%41%41%41;object=019aa5b2-5c3e;type=private"
        );
    }
}
