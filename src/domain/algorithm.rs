//! The table of key kinds and signature schemes. A key kind that is not in it is not offered; the
//! next one is one entry.
//!
//! An entry carries all that the rest of the program needs to know: the name users write, the
//! material that the token has to make, the schemes with their identifiers in X.509, and the
//! independent verifier. A scheme without an independent verifier cannot be entered.

use std::fmt;
use std::str::FromStr;

use aws_lc_rs::signature as verifiers;
use const_oid::ObjectIdentifier;
use const_oid::db::rfc5912;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// A key kind: an entry of the table. Compared and stored by name.
#[derive(Clone, Copy)]
pub struct KeyKind(&'static Entry);

/// What the token has to make.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeyMaterial {
    /// RSA with the public exponent 65537.
    Rsa {
        /// Length of the modulus in bits.
        bits: u32,
    },
    /// A key on a named curve over a prime field (RFC 5480).
    Ec {
        /// The curve's object identifier: the value of CKA_EC_PARAMS.
        curve: ObjectIdentifier,
        /// Length of a coordinate in bytes; a raw signature is twice as long.
        field_bytes: usize,
    },
}

/// A signature scheme: how a CSR is signed with keys of a kind.
#[derive(Clone, Copy)]
pub struct Scheme(&'static SchemeEntry);

/// The digest under a signature.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Digest {
    /// SHA-256
    Sha256,
    /// SHA-384
    Sha384,
    /// SHA-512
    Sha512,
}

/// The family of a scheme: what decides the PKCS#11 mechanism, together with the digest.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Family {
    /// RSASSA-PKCS1-v1_5 (RFC 8017 section 8.2).
    RsaPkcs1,
    /// ECDSA. The token answers r and s at fixed width, X.509 wants them as a DER SEQUENCE.
    Ecdsa,
}

struct Entry {
    name: &'static str,
    material: KeyMaterial,
    /// Allowed schemes, the default first.
    schemes: &'static [SchemeEntry],
}

struct SchemeEntry {
    name: &'static str,
    family: Family,
    digest: Digest,
    /// The signatureAlgorithm identifier.
    oid: ObjectIdentifier,
    /// Parameters are NULL (RFC 4055 section 5) or absent (RFC 5758 section 3.2).
    null_parameters: bool,
    verifier: &'static dyn verifiers::VerificationAlgorithm,
}

const RSA_SCHEMES: &[SchemeEntry] = &[
    SchemeEntry {
        name: "rsa-pkcs1-sha256",
        family: Family::RsaPkcs1,
        digest: Digest::Sha256,
        oid: rfc5912::SHA_256_WITH_RSA_ENCRYPTION,
        null_parameters: true,
        verifier: &verifiers::RSA_PKCS1_2048_8192_SHA256,
    },
    SchemeEntry {
        name: "rsa-pkcs1-sha384",
        family: Family::RsaPkcs1,
        digest: Digest::Sha384,
        oid: rfc5912::SHA_384_WITH_RSA_ENCRYPTION,
        null_parameters: true,
        verifier: &verifiers::RSA_PKCS1_2048_8192_SHA384,
    },
    SchemeEntry {
        name: "rsa-pkcs1-sha512",
        family: Family::RsaPkcs1,
        digest: Digest::Sha512,
        oid: rfc5912::SHA_512_WITH_RSA_ENCRYPTION,
        null_parameters: true,
        verifier: &verifiers::RSA_PKCS1_2048_8192_SHA512,
    },
];

const KEY_KINDS: &[Entry] = &[
    Entry { name: "rsa-2048", material: KeyMaterial::Rsa { bits: 2048 }, schemes: RSA_SCHEMES },
    Entry { name: "rsa-3072", material: KeyMaterial::Rsa { bits: 3072 }, schemes: RSA_SCHEMES },
    Entry { name: "rsa-4096", material: KeyMaterial::Rsa { bits: 4096 }, schemes: RSA_SCHEMES },
    Entry {
        name: "ec-p256",
        material: KeyMaterial::Ec { curve: rfc5912::SECP_256_R_1, field_bytes: 32 },
        schemes: &[SchemeEntry {
            name: "ecdsa-sha256",
            family: Family::Ecdsa,
            digest: Digest::Sha256,
            oid: rfc5912::ECDSA_WITH_SHA_256,
            null_parameters: false,
            verifier: &verifiers::ECDSA_P256_SHA256_ASN1,
        }],
    },
    Entry {
        name: "ec-p384",
        material: KeyMaterial::Ec { curve: rfc5912::SECP_384_R_1, field_bytes: 48 },
        schemes: &[SchemeEntry {
            name: "ecdsa-sha384",
            family: Family::Ecdsa,
            digest: Digest::Sha384,
            oid: rfc5912::ECDSA_WITH_SHA_384,
            null_parameters: false,
            verifier: &verifiers::ECDSA_P384_SHA384_ASN1,
        }],
    },
];

impl KeyKind {
    /// Every kind of the table, in its order.
    pub fn all() -> impl Iterator<Item = Self> {
        KEY_KINDS.iter().map(Self)
    }

    /// The name users write, such as `ec-p256`.
    pub fn name(self) -> &'static str {
        self.0.name
    }

    /// What the token has to make.
    pub fn material(self) -> KeyMaterial {
        self.0.material
    }

    /// The schemes a key of this kind may sign with, the default first.
    pub fn schemes(self) -> impl Iterator<Item = Scheme> {
        self.0.schemes.iter().map(Scheme)
    }

    /// The scheme used when none is asked for.
    pub fn default_scheme(self) -> Scheme {
        // Every entry of the table has a scheme; the test below holds the table to it.
        Scheme(&self.0.schemes[0])
    }

    /// The scheme of this kind with that digest, if it is allowed.
    pub fn scheme_with(self, digest: Digest) -> Option<Scheme> {
        self.schemes().find(|scheme| scheme.digest() == digest)
    }
}

impl Scheme {
    /// The scheme's name, such as `ecdsa-sha256`.
    pub fn name(self) -> &'static str {
        self.0.name
    }

    /// The family, which with the digest decides the PKCS#11 mechanism.
    pub fn family(self) -> Family {
        self.0.family
    }

    /// The digest under the signature.
    pub fn digest(self) -> Digest {
        self.0.digest
    }

    /// The object identifier of signatureAlgorithm.
    pub fn oid(self) -> ObjectIdentifier {
        self.0.oid
    }

    /// Whether the parameters of signatureAlgorithm are NULL (RSA) or absent.
    pub fn null_parameters(self) -> bool {
        self.0.null_parameters
    }

    /// The verifier, which shares no code with the token or the encoder.
    pub fn verifier(self) -> &'static dyn verifiers::VerificationAlgorithm {
        self.0.verifier
    }
}

/// A name that is not in the table.
#[derive(Debug, thiserror::Error)]
#[error("`{given}` is not a known {what}; known are {known}")]
pub struct UnknownName {
    what: &'static str,
    given: String,
    known: String,
}

impl FromStr for KeyKind {
    type Err = UnknownName;

    fn from_str(text: &str) -> Result<Self, UnknownName> {
        Self::all().find(|kind| kind.name() == text).ok_or_else(|| UnknownName {
            what: "key kind",
            given: shortened(text),
            known: listed(Self::all().map(Self::name)),
        })
    }
}

impl FromStr for Scheme {
    type Err = UnknownName;

    fn from_str(text: &str) -> Result<Self, UnknownName> {
        let mut all = KEY_KINDS.iter().flat_map(|kind| kind.schemes).map(Self);
        all.find(|scheme| scheme.name() == text).ok_or_else(|| UnknownName {
            what: "signature scheme",
            given: shortened(text),
            known: listed(KEY_KINDS.iter().flat_map(|kind| kind.schemes).map(|scheme| scheme.name)),
        })
    }
}

fn listed(names: impl Iterator<Item = &'static str>) -> String {
    let mut names: Vec<_> = names.collect();
    names.dedup();
    names.join(", ")
}

/// What a user sent may be long; an error need not repeat all of it.
fn shortened(text: &str) -> String {
    text.chars().take(40).collect()
}

/// Compare, print and serialise by name: the name is the identity of an entry.
macro_rules! by_name {
    ($type:ty) => {
        impl PartialEq for $type {
            fn eq(&self, other: &Self) -> bool {
                self.name() == other.name()
            }
        }

        impl Eq for $type {}

        impl std::hash::Hash for $type {
            fn hash<H: std::hash::Hasher>(&self, state: &mut H) {
                self.name().hash(state);
            }
        }

        impl fmt::Debug for $type {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(self.name())
            }
        }

        impl fmt::Display for $type {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(self.name())
            }
        }

        impl Serialize for $type {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_str(self.name())
            }
        }

        impl<'de> Deserialize<'de> for $type {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let text = std::borrow::Cow::<str>::deserialize(deserializer)?;
                text.parse().map_err(serde::de::Error::custom)
            }
        }
    };
}

by_name!(KeyKind);
by_name!(Scheme);

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Sha256 => "sha256",
            Self::Sha384 => "sha384",
            Self::Sha512 => "sha512",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_has_a_name_of_its_own_and_a_scheme() {
        let mut names: Vec<_> = KeyKind::all().map(KeyKind::name).collect();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), KEY_KINDS.len());
        for kind in KeyKind::all() {
            assert!(kind.schemes().count() > 0, "{kind}");
            assert_eq!(kind.name().parse::<KeyKind>().unwrap(), kind);
            for scheme in kind.schemes() {
                assert_eq!(scheme.name().parse::<Scheme>().unwrap(), scheme);
            }
        }
    }

    #[test]
    fn an_unknown_kind_is_told_with_the_known_ones() {
        let error = "rsa-1024".parse::<KeyKind>().unwrap_err();
        assert_eq!(
            error.to_string(),
            "`rsa-1024` is not a known key kind; known are rsa-2048, rsa-3072, rsa-4096, ec-p256, ec-p384"
        );
    }
}
