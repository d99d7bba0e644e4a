//! SubjectKeyIdentifier (RFC 5280 section 4.2.1.2).

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::super::invalid::Invalid;

const FIELD: &str = "extensions.subject_key_identifier";

/// Longest identifier, in bytes: that of the longest digest in use. RFC 5280 sets no bound.
const MAX_BYTES: usize = 64;

/// What the key is known by. Stored as `true` or in hexadecimal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SubjectKeyIdentifier {
    /// SHA-1 of the public key: method 1 of RFC 5280.
    Sha1,
    /// What the client says.
    Given(Vec<u8>),
}

impl SubjectKeyIdentifier {
    /// From hexadecimal digits; colons are passed over.
    ///
    /// # Errors
    /// Other characters, or half a byte.
    pub fn from_hex(text: &str) -> Result<Self, Invalid> {
        hex::decode(text.replace(':', ""))
            .map(Self::Given)
            .map_err(|_| Invalid::new(FIELD, "must be true or bytes in hexadecimal"))
    }

    pub(super) fn problem(&self) -> Option<Invalid> {
        let length = match self {
            Self::Sha1 => return None,
            Self::Given(bytes) => bytes.len(),
        };
        let reason = format!("has {length} bytes; 1 to {MAX_BYTES} are allowed");
        (length == 0 || length > MAX_BYTES).then(|| Invalid::new(FIELD, reason))
    }
}

impl Serialize for SubjectKeyIdentifier {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Sha1 => serializer.serialize_bool(true),
            Self::Given(bytes) => serializer.serialize_str(&hex::encode(bytes)),
        }
    }
}

impl<'de> Deserialize<'de> for SubjectKeyIdentifier {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        #[serde(untagged)]
        enum Stored {
            OfKey(bool),
            Given(String),
        }
        match Stored::deserialize(deserializer)? {
            Stored::OfKey(true) => Ok(Self::Sha1),
            Stored::OfKey(false) => Err(serde::de::Error::custom("false is written by leaving it out")),
            Stored::Given(text) => Self::from_hex(&text).map_err(serde::de::Error::custom),
        }
    }
}
