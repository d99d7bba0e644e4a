//! KeyUsage (RFC 5280 section 4.2.1.3).

use std::fmt;
use std::str::FromStr;

use serde::de::IntoDeserializer as _;
use serde::de::value::{self, StrDeserializer};
use serde::{Deserialize, Serialize};

use super::super::algorithm::KeyFamily;

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

/// Why keys of a family cannot be used so.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Unfit {
    /// The family, such as `an EC key`.
    pub key: &'static str,
    /// The rule and its source.
    pub rule: &'static str,
}

impl KeyUsageBit {
    /// Why a key of that family cannot be used so; `None` when it can.
    pub fn unfit_for(self, family: KeyFamily) -> Option<Unfit> {
        let (key, rule) = match family {
            KeyFamily::Rsa => ("an RSA key", "RFC 3279 section 2.3.1"),
            KeyFamily::RsaPss => ("a key for RSASSA-PSS only", "RFC 4055 section 1.2"),
            KeyFamily::Ec => ("an EC key", "RFC 8813 section 3"),
            KeyFamily::Edwards => ("an Edwards key", "RFC 9295 section 3"),
            KeyFamily::PostQuantumSignature => ("a key for signatures only", "RFC 9881, RFC 9909"),
            KeyFamily::KeyAgreement | KeyFamily::Other => return None,
        };
        let enciphers = matches!(self, Self::KeyEncipherment | Self::DataEncipherment);
        let agrees = matches!(self, Self::KeyAgreement | Self::EncipherOnly | Self::DecipherOnly);
        let fits = match family {
            KeyFamily::Rsa => !agrees,
            KeyFamily::Ec => !enciphers,
            _ => !enciphers && !agrees,
        };
        (!fits).then_some(Unfit { key, rule })
    }
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
