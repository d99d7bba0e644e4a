//! Keys: their life, the attributes that the token reports, and what the evidence is worth.

use serde::{Deserialize, Serialize};

use super::access::TenantId;
use super::algorithm::KeyKind;
use super::clock::Timestamp;
use super::id::{Handle, KeyId};
use super::named::named;

/// A key pair on a token, as the index knows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Key {
    /// Public id; also CKA_LABEL on the token.
    pub handle: Handle,
    /// CKA_ID, chosen before the key was made.
    pub id: KeyId,
    /// Whose it is; `None`: no tenant's, as a sentinel, or a recovered key whose row is lost.
    pub tenant: Option<TenantId>,
    /// The configured name of the token that holds it.
    pub token: String,
    /// What kind of key it is.
    pub kind: KeyKind,
    /// What it is for.
    pub purpose: Purpose,
    /// Where it is in its life.
    pub state: KeyState,
    /// DER of SubjectPublicKeyInfo, read when the key was made: private EC objects carry no point.
    pub spki: Vec<u8>,
    /// Attributes of the private key, read back when the key was made.
    pub attributes: KeyAttributes,
    /// What the evidence was worth when the key was made.
    pub evidence: Evidence,
    /// When the index learned of it.
    pub created_at: Timestamp,
}

/// What a key is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Purpose {
    /// Signs CSRs of signing requests.
    Request,
    /// Signs what an authority issues.
    Authority,
    /// Signs challenges, to show that the token works. One per token.
    Sentinel,
}

/// Where a key is in its life.
///
/// ```text
///   present ----> destroying ----> destroyed ----> recovered
///    ^   |         from every other state
///    |   v
///   missing          quarantined, recovered: entered as such
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum KeyState {
    /// On the token when last looked for.
    Present,
    /// Looked for on the working token and not found. Reported, never deleted.
    Missing,
    /// Found on the token against what the index knew: an older database was restored, or an older
    /// state of the token. Kept.
    Recovered,
    /// The token gave a wrong signature with it. Kept for whoever looks into it; signs nothing.
    Quarantined,
    /// Its destruction is decided and recorded, and may not be finished.
    Destroying,
    /// Gone from the token on purpose.
    Destroyed,
}

/// Attributes of a private key as its token reports them. `None`: the token does not say, which is
/// not the same as false.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeyAttributes {
    /// CKA_TOKEN: kept on the token, not in a session.
    pub token: Option<bool>,
    /// CKA_PRIVATE: needs a login.
    pub private: Option<bool>,
    /// CKA_SENSITIVE: the value cannot be read in clear.
    pub sensitive: Option<bool>,
    /// CKA_EXTRACTABLE: the value can be wrapped.
    pub extractable: Option<bool>,
    /// CKA_MODIFIABLE: attributes can be changed.
    pub modifiable: Option<bool>,
    /// CKA_COPYABLE: the object can be copied.
    pub copyable: Option<bool>,
    /// CKA_LOCAL: made on this token.
    pub local: Option<bool>,
    /// CKA_ALWAYS_SENSITIVE: was sensitive all its life.
    pub always_sensitive: Option<bool>,
    /// CKA_NEVER_EXTRACTABLE: was never extractable.
    pub never_extractable: Option<bool>,
    /// CKA_SIGN: may sign.
    pub sign: Option<bool>,
    /// CKA_DECRYPT: may decrypt.
    pub decrypt: Option<bool>,
    /// CKA_UNWRAP: may unwrap.
    pub unwrap: Option<bool>,
    /// CKA_DERIVE: may derive.
    pub derive: Option<bool>,
    /// CKA_SIGN_RECOVER: may sign with recovery.
    pub sign_recover: Option<bool>,
}

impl KeyAttributes {
    /// Every attribute by its PKCS#11 name, with what a key of ours must have.
    fn table(&self) -> [(&'static str, Option<bool>, bool); 14] {
        [
            ("CKA_TOKEN", self.token, true),
            ("CKA_PRIVATE", self.private, true),
            ("CKA_SENSITIVE", self.sensitive, true),
            ("CKA_EXTRACTABLE", self.extractable, false),
            ("CKA_MODIFIABLE", self.modifiable, false),
            ("CKA_COPYABLE", self.copyable, false),
            ("CKA_LOCAL", self.local, true),
            ("CKA_ALWAYS_SENSITIVE", self.always_sensitive, true),
            ("CKA_NEVER_EXTRACTABLE", self.never_extractable, true),
            ("CKA_SIGN", self.sign, true),
            ("CKA_DECRYPT", self.decrypt, false),
            ("CKA_UNWRAP", self.unwrap, false),
            ("CKA_DERIVE", self.derive, false),
            ("CKA_SIGN_RECOVER", self.sign_recover, false),
        ]
    }

    /// Every attribute by its PKCS#11 name.
    pub fn named(&self) -> impl Iterator<Item = (&'static str, Option<bool>)> {
        self.table().into_iter().map(|(name, value, _)| (name, value))
    }

    /// Every attribute that is not as a key of ours must have it; empty when the key may be used.
    /// Those of [`PROOFS`] must be known; another one that the token leaves out is not held against
    /// it.
    pub fn violations(&self) -> Vec<String> {
        self.table()
            .into_iter()
            .filter_map(|(name, value, must)| match value {
                Some(value) if value == must => None,
                Some(value) => Some(format!("{name} is {value}, must be {must}")),
                None if PROOFS.contains(&name) => Some(format!("{name} is unknown, must be {must}")),
                None => None,
            })
            .collect()
    }
}

/// The token's word that the key was made there and never left.
const PROOFS: [&str; 3] = ["CKA_LOCAL", "CKA_ALWAYS_SENSITIVE", "CKA_NEVER_EXTRACTABLE"];

/// What the statement "this key cannot leave" rests on. The levels above E1 need a verified
/// attestation by the vendor.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum EvidenceLevel {
    /// The key is somebody else's: nothing is known of it.
    None,
    /// A software token, or one that nobody declared: its interface refuses to export the key, but
    /// root on its host may copy the files.
    E0,
    /// The operator declares that it is hardware. Nothing proves it.
    E1,
}

/// What is said of a key in every answer: the level, and what speaks against it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Evidence {
    /// What "this key cannot leave" rests on.
    pub level: EvidenceLevel,
    /// The token lets keys out, and somebody accepted that: what, who, when, why.
    pub warning: Option<String>,
}

impl From<EvidenceLevel> for Evidence {
    fn from(level: EvidenceLevel) -> Self {
        Self { level, warning: None }
    }
}

impl EvidenceLevel {
    /// What the level means, in a sentence.
    pub fn meaning(self) -> &'static str {
        match self {
            Self::None => "the key was made elsewhere: nothing is known of it",
            Self::E0 => {
                "software token or undeclared: the API refuses export, the host's root may copy the files"
            }
            Self::E1 => "the operator declares hardware; attributes were read back, nothing is attested",
        }
    }
}

named!(Purpose { Request = "request", Authority = "authority", Sentinel = "sentinel" });
named!(KeyState {
    Present = "present",
    Missing = "missing",
    Recovered = "recovered",
    Quarantined = "quarantined",
    Destroying = "destroying",
    Destroyed = "destroyed",
});
named!(EvidenceLevel { None = "none", E0 = "E0", E1 = "E1" });

#[cfg(test)]
mod tests {
    use super::*;

    fn good() -> KeyAttributes {
        KeyAttributes {
            token: Some(true),
            private: Some(true),
            sensitive: Some(true),
            extractable: Some(false),
            local: Some(true),
            always_sensitive: Some(true),
            never_extractable: Some(true),
            sign: Some(true),
            ..KeyAttributes::default()
        }
    }

    #[test]
    fn a_key_as_we_ask_for_it_has_no_violation() {
        assert_eq!(good().violations(), Vec::<String>::new());
    }

    #[test]
    fn an_extractable_key_is_told_by_name() {
        let key = KeyAttributes { extractable: Some(true), never_extractable: Some(false), ..good() };
        assert_eq!(
            key.violations(),
            ["CKA_EXTRACTABLE is true, must be false", "CKA_NEVER_EXTRACTABLE is false, must be true"]
        );
    }

    #[test]
    fn an_unknown_proof_is_not_a_proof() {
        let key = KeyAttributes { local: None, ..good() };
        assert_eq!(key.violations(), ["CKA_LOCAL is unknown, must be true"]);
    }
}
