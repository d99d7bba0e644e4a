//! Families of keys: what their key usages, and the algorithms that they sign with, depend on.

use super::KeyMaterial;

/// The family of a key, also of keys that are not offered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeyFamily {
    /// rsaEncryption
    Rsa,
    /// id-RSASSA-PSS: an RSA key for this signature alone (RFC 4055 section 1.2)
    RsaPss,
    /// id-ecPublicKey
    Ec,
    /// Ed25519, Ed448
    Edwards,
    /// X25519, X448
    KeyAgreement,
    /// ML-DSA, SLH-DSA
    PostQuantumSignature,
    /// Any other
    Other,
}

impl From<KeyMaterial> for KeyFamily {
    fn from(material: KeyMaterial) -> Self {
        match material {
            KeyMaterial::Rsa { .. } => Self::Rsa,
            KeyMaterial::Ec { .. } => Self::Ec,
            KeyMaterial::Edwards { .. } => Self::Edwards,
        }
    }
}
