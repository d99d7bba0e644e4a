//! Public keys and signatures, read with `x509-parser` and verified with `aws-lc-rs`: neither shares
//! code with the token or the encoder.

use aws_lc_rs::digest;
use aws_lc_rs::signature::{ParsedPublicKey, UnparsedPublicKey};
use x509_parser::prelude::FromDer;
use x509_parser::public_key as found;
use x509_parser::x509::SubjectPublicKeyInfo;

use super::super::algorithm::{KeyKind, KeyMaterial, Scheme};
use super::{Error, KeyFault, Part};

/// The values of a public key, unsigned and big endian except where its curve wants otherwise.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PublicKey {
    /// An RSA key.
    Rsa {
        /// n, without leading zeros.
        modulus: Vec<u8>,
        /// e, without leading zeros.
        exponent: Vec<u8>,
    },
    /// A point on a curve over a prime field.
    Ec {
        /// As long as the field.
        x: Vec<u8>,
        /// As long as the field.
        y: Vec<u8>,
    },
    /// A point on an Edwards curve.
    Edwards {
        /// As RFC 8032 encodes it.
        point: Vec<u8>,
    },
}

impl PublicKey {
    /// Reads a SubjectPublicKeyInfo of that kind: RSA with a modulus of exactly that length and the
    /// exponent 65537, an uncompressed point on the named curve, or a key on the Edwards curve.
    ///
    /// # Errors
    /// [`Error::BadPublicKey`], or that `spki_der` is not a SubjectPublicKeyInfo.
    pub fn from_spki(spki_der: &[u8], kind: KeyKind) -> Result<Self, Error> {
        let spki = read_spki(spki_der)?;
        let bad = |fault| Error::BadPublicKey { kind, fault };
        let key = match kind.material() {
            KeyMaterial::Rsa { bits } => read_rsa(&spki, bits),
            KeyMaterial::Ec { curve, field_bytes } => read_ec(&spki, &curve.to_string(), field_bytes),
            KeyMaterial::Edwards { curve, key_bytes } => read_edwards(&spki, &curve.to_string(), key_bytes),
        };
        let key = key.map_err(bad)?;
        // The verifier's own checks: for EC that the point is on the curve and not at infinity.
        ParsedPublicKey::new(kind.default_scheme().verifier(), &spki.subject_public_key.data)
            .map_err(|_| bad(KeyFault::Refused))?;
        Ok(key)
    }
}

/// Verifies a signature in the form of X.509 over `message`, with the public key in `spki_der`.
///
/// # Errors
/// [`Error::BadSignature`], or that `spki_der` is not a SubjectPublicKeyInfo.
pub fn verify_signature(
    spki_der: &[u8],
    scheme: Scheme,
    message: &[u8],
    signature: &[u8],
) -> Result<(), Error> {
    let spki = read_spki(spki_der)?;
    UnparsedPublicKey::new(scheme.verifier(), &spki.subject_public_key.data)
        .verify(message, signature)
        .map_err(|_| Error::BadSignature)
}

/// The kind of key that the public key is one of; `None` when it is of none in the table.
pub fn kind_of(spki_der: &[u8]) -> Option<KeyKind> {
    KeyKind::all().find(|kind| PublicKey::from_spki(spki_der, *kind).is_ok())
}

/// What a key is known by: SHA-1 of the BIT STRING subjectPublicKey (RFC 5280 section 4.2.1.2, method 1).
/// Nothing rests on the strength of the digest.
///
/// # Errors
/// `spki_der` is not a SubjectPublicKeyInfo.
pub fn key_identifier(spki_der: &[u8]) -> Result<Vec<u8>, Error> {
    let spki = read_spki(spki_der)?;
    let digest = digest::digest(&digest::SHA1_FOR_LEGACY_USE_ONLY, &spki.subject_public_key.data);
    Ok(digest.as_ref().to_vec())
}

/// SHA-256 of the DER of a SubjectPublicKeyInfo: what binds a key on the token to its row.
pub fn spki_sha256(spki_der: &[u8]) -> [u8; 32] {
    use sha2::Digest as _;
    sha2::Sha256::digest(spki_der).into()
}

fn read_spki(spki_der: &[u8]) -> Result<SubjectPublicKeyInfo<'_>, Error> {
    let (rest, spki) =
        SubjectPublicKeyInfo::from_der(spki_der).map_err(|_| Error::Unreadable { part: Part::PublicKey })?;
    if !rest.is_empty() {
        return Err(Error::TrailingBytes { part: Part::PublicKey });
    }
    if spki.subject_public_key.unused_bits != 0 {
        return Err(Error::Unreadable { part: Part::PublicKey });
    }
    Ok(spki)
}

fn read_rsa(spki: &SubjectPublicKeyInfo<'_>, bits: u32) -> Result<PublicKey, KeyFault> {
    let key = match spki.parsed() {
        Ok(found::PublicKey::RSA(key)) => key,
        Ok(_) => return Err(KeyFault::Algorithm),
        Err(_) => return Err(KeyFault::Malformed),
    };
    // rsaEncryption has parameters NULL (RFC 3279 section 2.3.1).
    if spki.algorithm.parameters.as_ref().is_none_or(|parameters| parameters.as_null().is_err()) {
        return Err(KeyFault::Algorithm);
    }
    // A positive INTEGER with the high bit set begins with one byte 0.
    let modulus = key.modulus.strip_prefix(&[0]).unwrap_or(key.modulus);
    let leading = modulus.first().map_or(0, |byte| byte.leading_zeros());
    if u32::try_from(modulus.len() * 8).ok().and_then(|all| all.checked_sub(leading)) != Some(bits) {
        return Err(KeyFault::ModulusLength);
    }
    if modulus.last().is_none_or(|byte| byte % 2 == 0) {
        return Err(KeyFault::EvenModulus);
    }
    if key.exponent != [1, 0, 1] {
        return Err(KeyFault::Exponent);
    }
    Ok(PublicKey::Rsa { modulus: modulus.to_vec(), exponent: key.exponent.to_vec() })
}

fn read_ec(spki: &SubjectPublicKeyInfo<'_>, curve: &str, field_bytes: usize) -> Result<PublicKey, KeyFault> {
    let Ok(found::PublicKey::EC(point)) = spki.parsed() else {
        return Err(KeyFault::Algorithm);
    };
    let named = spki.algorithm.parameters.as_ref().and_then(|parameters| parameters.as_oid().ok());
    if named.map(|oid| oid.to_id_string()).as_deref() != Some(curve) {
        return Err(KeyFault::Curve);
    }
    match point.data() {
        [0x04, coordinates @ ..] if coordinates.len() == 2 * field_bytes => {
            let (x, y) = coordinates.split_at(field_bytes);
            Ok(PublicKey::Ec { x: x.to_vec(), y: y.to_vec() })
        }
        _ => Err(KeyFault::PointForm),
    }
}

fn read_edwards(
    spki: &SubjectPublicKeyInfo<'_>,
    curve: &str,
    key_bytes: usize,
) -> Result<PublicKey, KeyFault> {
    // The identifier stands alone: parameters are absent (RFC 8410 section 3).
    if spki.algorithm.algorithm.to_id_string() != curve || spki.algorithm.parameters.is_some() {
        return Err(KeyFault::Algorithm);
    }
    let point = spki.subject_public_key.data.to_vec();
    if point.len() == key_bytes { Ok(PublicKey::Edwards { point }) } else { Err(KeyFault::PointForm) }
}
