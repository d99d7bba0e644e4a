//! The table of key kinds and signature schemes. A key kind that is not in it is not offered; the
//! next one is one entry.
//!
//! An entry carries all that the rest of the program needs to know: the name users write, the
//! material that the token has to make, the schemes with their identifiers in X.509, and the
//! independent verifier. A scheme without an independent verifier cannot be entered: Ed448 is not
//! here, for `aws-lc-rs` has none and no other crate's verifier is released as stable.

mod family;
mod table;

use std::fmt;
use std::str::FromStr;

use aws_lc_rs::signature as verifiers;
use const_oid::ObjectIdentifier;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use self::table::{Entry, KEY_KINDS, SchemeEntry};
use super::invalid::Invalid;
pub use family::KeyFamily;

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
    /// A key on a twisted Edwards curve (RFC 8032, RFC 8410).
    Edwards {
        /// The algorithm's object identifier, which also names the curve: the value of
        /// CKA_EC_PARAMS.
        curve: ObjectIdentifier,
        /// Length of the public key in bytes.
        key_bytes: usize,
    },
}

/// A type of key: what its private part consists of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum KeyType {
    /// On a named curve over a prime field.
    Ec,
    /// On a twisted Edwards curve.
    Edwards,
    /// RSA.
    Rsa,
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

/// How a digest is padded to the length of an RSA modulus.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Padding {
    /// RSASSA-PKCS1-v1_5 (RFC 8017 section 8.2).
    Pkcs1,
    /// RSASSA-PSS (RFC 8017 section 8.1), MGF1 with the same digest, a salt as long as the digest.
    Pss,
}

/// What a scheme computes: it decides the PKCS#11 mechanism.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SignatureAlgorithm {
    /// RSA over a padded digest.
    Rsa(Padding, Digest),
    /// ECDSA. The token answers r and s at fixed width, X.509 wants them as a DER SEQUENCE.
    Ecdsa(Digest),
    /// EdDSA in its pure form, over the message itself (RFC 8032).
    Eddsa,
}

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

    /// Of which type a key of the kind is.
    pub fn key_type(self) -> KeyType {
        match self.material() {
            KeyMaterial::Rsa { .. } => KeyType::Rsa,
            KeyMaterial::Ec { .. } => KeyType::Ec,
            KeyMaterial::Edwards { .. } => KeyType::Edwards,
        }
    }

    /// The curve's name in a JSON Web Key; an RSA key has none.
    pub fn jose_curve(self) -> Option<&'static str> {
        self.0.jose_curve
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

    /// The scheme of this kind with that digest and that padding; where one of them is not given, the
    /// first in the table.
    ///
    /// # Errors
    /// The field, `digest` or `padding`, that leaves none.
    pub fn scheme_with(self, digest: Option<Digest>, padding: Option<Padding>) -> Result<Scheme, Invalid> {
        let padded = |scheme: &Scheme| padding.is_none() || scheme.padding() == padding;
        let digested = |scheme: &Scheme| digest.is_none() || scheme.digest() == digest;
        if !self.schemes().any(|scheme| padded(&scheme)) {
            let reason = format!("{self} keys have no padding to choose; leave it out");
            return Err(Invalid::new("padding", reason));
        }
        self.schemes().filter(padded).find(digested).ok_or_else(|| {
            let allowed: Vec<_> = self.schemes().filter_map(Scheme::digest).collect();
            let reason = match allowed.as_slice() {
                [] => format!("{self} keys sign the message itself; leave the digest out"),
                allowed => format!("{self} keys sign with {}", listed(allowed)),
            };
            Invalid::new("digest", reason)
        })
    }
}

impl Scheme {
    /// The scheme's name, such as `ecdsa-sha256`.
    pub fn name(self) -> &'static str {
        self.0.name
    }

    /// What it computes.
    pub fn algorithm(self) -> SignatureAlgorithm {
        self.0.algorithm
    }

    /// The digest under the signature, where there is one to choose.
    pub fn digest(self) -> Option<Digest> {
        match self.0.algorithm {
            SignatureAlgorithm::Rsa(_, digest) | SignatureAlgorithm::Ecdsa(digest) => Some(digest),
            SignatureAlgorithm::Eddsa => None,
        }
    }

    /// The padding under the signature, where there is one.
    pub fn padding(self) -> Option<Padding> {
        match self.0.algorithm {
            SignatureAlgorithm::Rsa(padding, _) => Some(padding),
            SignatureAlgorithm::Ecdsa(_) | SignatureAlgorithm::Eddsa => None,
        }
    }

    /// The object identifier of signatureAlgorithm.
    pub fn oid(self) -> ObjectIdentifier {
        self.0.oid
    }

    /// DER of the parameters of signatureAlgorithm; empty where they are absent.
    pub fn parameters(self) -> &'static [u8] {
        self.0.parameters
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
            known: listed(&Self::all().collect::<Vec<_>>()),
        })
    }
}

impl FromStr for Scheme {
    type Err = UnknownName;

    fn from_str(text: &str) -> Result<Self, UnknownName> {
        let all: Vec<Self> = KeyKind::all().flat_map(KeyKind::schemes).collect();
        all.iter().copied().find(|scheme| scheme.name() == text).ok_or_else(|| UnknownName {
            what: "signature scheme",
            given: shortened(text),
            known: listed(&all),
        })
    }
}

/// Each once, in their order.
fn listed<T: PartialEq + fmt::Display>(all: &[T]) -> String {
    let first = |(n, one): &(usize, &T)| !all.iter().take(*n).any(|earlier| earlier == *one);
    all.iter().enumerate().filter(first).map(|(_, one)| one.to_string()).collect::<Vec<_>>().join(", ")
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

impl fmt::Display for Padding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Pkcs1 => "pkcs1",
            Self::Pss => "pss",
        })
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Sha256 => "sha256",
            Self::Sha384 => "sha384",
            Self::Sha512 => "sha512",
        })
    }
}

impl FromStr for Digest {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        [Self::Sha256, Self::Sha384, Self::Sha512]
            .into_iter()
            .find(|digest| digest.to_string() == text)
            .ok_or("must be sha256, sha384 or sha512")
    }
}

impl FromStr for Padding {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        [Self::Pkcs1, Self::Pss]
            .into_iter()
            .find(|padding| padding.to_string() == text)
            .ok_or("must be pkcs1 or pss")
    }
}

#[cfg(test)]
mod tests {
    use x509_parser::prelude::FromDer;
    use x509_parser::signature_algorithm::SignatureAlgorithm as Parsed;
    use x509_parser::x509::AlgorithmIdentifier;

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
    fn an_unknown_name_is_told_with_the_known_ones_each_once() {
        assert_eq!(
            "rsa-1024".parse::<KeyKind>().unwrap_err().to_string(),
            "`rsa-1024` is not a known key kind; known are rsa-2048, rsa-3072, rsa-4096, rsa-6144, \
             rsa-8192, ec-p256, ec-p384, ec-p521, ed25519"
        );
        assert_eq!(
            "rsa".parse::<Scheme>().unwrap_err().to_string(),
            "`rsa` is not a known signature scheme; known are rsa-pkcs1-sha256, rsa-pkcs1-sha384, \
             rsa-pkcs1-sha512, rsa-pss-sha256, rsa-pss-sha384, rsa-pss-sha512, ecdsa-sha256, \
             ecdsa-sha384, ecdsa-sha512, ed25519"
        );
    }

    /// The signatureAlgorithm of a scheme, as the second parser reads it.
    fn identifier(scheme: Scheme) -> Vec<u8> {
        let oid = scheme.oid();
        let length = |bytes: &[u8]| u8::try_from(bytes.len()).unwrap();
        let oid = [&[0x06, length(oid.as_bytes())], oid.as_bytes()].concat();
        let body = [&oid, scheme.parameters()].concat();
        [&[0x30, length(&body)], body.as_slice()].concat()
    }

    #[test]
    fn the_second_parser_reads_every_identifier_as_what_the_scheme_computes() {
        for scheme in KeyKind::all().flat_map(KeyKind::schemes) {
            let der = identifier(scheme);
            let (rest, read) = AlgorithmIdentifier::from_der(&der).unwrap();
            assert!(rest.is_empty(), "{scheme}");
            match (scheme.algorithm(), Parsed::try_from(&read).unwrap()) {
                (SignatureAlgorithm::Rsa(Padding::Pss, digest), Parsed::RSASSA_PSS(parameters)) => {
                    let (oid, bytes) = match digest {
                        Digest::Sha256 => ("2.16.840.1.101.3.4.2.1", 32),
                        Digest::Sha384 => ("2.16.840.1.101.3.4.2.2", 48),
                        Digest::Sha512 => ("2.16.840.1.101.3.4.2.3", 64),
                    };
                    assert_eq!(parameters.hash_algorithm_oid().to_id_string(), oid);
                    let mgf = parameters.mask_gen_algorithm().unwrap();
                    assert_eq!(mgf.mgf.to_id_string(), "1.2.840.113549.1.1.8");
                    assert_eq!(mgf.hash.to_id_string(), oid);
                    assert_eq!(parameters.salt_length(), bytes);
                    assert_eq!(parameters.trailer_field(), 1);
                }
                (SignatureAlgorithm::Rsa(Padding::Pkcs1, _), Parsed::RSA)
                | (SignatureAlgorithm::Ecdsa(_), Parsed::ECDSA)
                | (SignatureAlgorithm::Eddsa, Parsed::ED25519) => {}
                (_, other) => panic!("{scheme} is read as {other:?}"),
            }
        }
    }

    #[test]
    fn a_scheme_is_chosen_by_digest_and_padding() {
        let choose = |kind: &str, digest, padding| {
            let kind: KeyKind = kind.parse().unwrap();
            kind.scheme_with(digest, padding).map_err(|invalid| invalid.to_string())
        };
        for (kind, digest, padding, chosen) in [
            ("rsa-2048", None, None, Ok("rsa-pkcs1-sha256")),
            ("rsa-2048", Some(Digest::Sha384), None, Ok("rsa-pkcs1-sha384")),
            ("rsa-2048", None, Some(Padding::Pss), Ok("rsa-pss-sha256")),
            ("rsa-8192", Some(Digest::Sha512), Some(Padding::Pss), Ok("rsa-pss-sha512")),
            ("ec-p521", None, None, Ok("ecdsa-sha512")),
            ("ed25519", None, None, Ok("ed25519")),
            ("ec-p521", Some(Digest::Sha256), None, Err("digest: ec-p521 keys sign with sha512")),
            (
                "ec-p256",
                None,
                Some(Padding::Pss),
                Err("padding: ec-p256 keys have no padding to choose; leave it out"),
            ),
            (
                "ed25519",
                Some(Digest::Sha512),
                None,
                Err("digest: ed25519 keys sign the message itself; leave the digest out"),
            ),
        ] {
            let chosen = chosen.map(|name| name.parse().unwrap()).map_err(str::to_owned);
            assert_eq!(choose(kind, digest, padding), chosen, "{kind} {digest:?} {padding:?}");
        }
    }
}
