//! KeyUsage (RFC 5280 section 4.2.1.3).

use std::fmt;
use std::str::FromStr;

use serde::de::IntoDeserializer as _;
use serde::de::value::{self, StrDeserializer};
use serde::{Deserialize, Serialize};

/// A bit of KeyUsage, by its name in RFC 5280.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum KeyUsageBit {
    /// Bit 0
    DigitalSignature,
    /// Bit 1; recent editions of X.509 call it contentCommitment.
    #[serde(alias = "contentCommitment")]
    NonRepudiation,
    /// Bit 2
    KeyEncipherment,
    /// Bit 3
    DataEncipherment,
    /// Bit 4
    KeyAgreement,
    /// Bit 5
    KeyCertSign,
    /// Bit 6
    #[serde(rename = "cRLSign")]
    CrlSign,
    /// Bit 7; only means something beside keyAgreement.
    EncipherOnly,
    /// Bit 8; only means something beside keyAgreement.
    DecipherOnly,
}

impl fmt::Display for KeyUsageBit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.serialize(f)
    }
}

/// The text is not a bit of KeyUsage.
#[derive(Debug, thiserror::Error)]
#[error(
    "a key usage is one of digitalSignature, nonRepudiation, keyEncipherment, dataEncipherment, keyAgreement, \
     keyCertSign, cRLSign, encipherOnly, decipherOnly"
)]
pub struct NotAKeyUsage;

impl FromStr for KeyUsageBit {
    type Err = NotAKeyUsage;

    fn from_str(text: &str) -> Result<Self, NotAKeyUsage> {
        let text: StrDeserializer<'_, value::Error> = text.into_deserializer();
        Self::deserialize(text).map_err(|_| NotAKeyUsage)
    }
}
