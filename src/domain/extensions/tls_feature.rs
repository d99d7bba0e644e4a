//! The TLS feature extension (RFC 7633): what the server promises to do in a handshake.

use std::fmt;
use std::str::FromStr;

/// A TLS extension by its name or its number in IANA's registry.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct TlsFeature(u16);

const NAMES: [(&str, TlsFeature); 2] =
    [("status_request", TlsFeature::STATUS_REQUEST), ("status_request_v2", TlsFeature(17))];

impl TlsFeature {
    /// OCSP must-staple.
    pub const STATUS_REQUEST: Self = Self(5);

    /// The number in IANA's registry of TLS extensions.
    pub fn number(self) -> u16 {
        self.0
    }
}

/// The text is neither a name nor a number of a TLS extension.
#[derive(Debug, thiserror::Error)]
#[error("a TLS feature is status_request (must-staple), status_request_v2, or a number up to 65535")]
pub struct NotATlsFeature;

impl FromStr for TlsFeature {
    type Err = NotATlsFeature;

    fn from_str(text: &str) -> Result<Self, NotATlsFeature> {
        match NAMES.iter().find(|(name, _)| *name == text) {
            Some((_, feature)) => Ok(*feature),
            None => text.parse().map(Self).map_err(|_| NotATlsFeature),
        }
    }
}

impl fmt::Display for TlsFeature {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match NAMES.iter().find(|(_, feature)| feature == self) {
            Some((name, _)) => f.write_str(name),
            None => self.0.fmt(f),
        }
    }
}

serialised_as_text!(TlsFeature);
