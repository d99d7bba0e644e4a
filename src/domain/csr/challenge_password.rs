//! challengePassword (RFC 2985 section 5.4.1): what the CA will ask for when it shall revoke.

use std::fmt;

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use zeroize::Zeroizing;

/// A secret between subject and CA. It goes into the CSR, and into the journal to be there after a
/// crash; never into a log, the audit or an error: `Debug` does not show it.
#[derive(Clone, PartialEq, Eq)]
pub struct ChallengePassword(Zeroizing<String>);

impl ChallengePassword {
    /// A password as the client gave it.
    pub fn new(text: String) -> Self {
        Self(Zeroizing::new(text))
    }

    /// The password.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for ChallengePassword {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ChallengePassword([redacted])")
    }
}

impl Serialize for ChallengePassword {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.expose())
    }
}

impl<'de> Deserialize<'de> for ChallengePassword {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer).map(Self::new)
    }
}
