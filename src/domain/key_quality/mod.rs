//! Key quality: what a public key by itself tells of a bad generator. Even an HSM has made such keys
//! (ROCA), so every key is checked before it is used.
//!
//! That no other row has the same public key is the index's part.

mod edwards;
mod rsa;
#[cfg(test)]
mod tests;

use super::algorithm::KeyKind;
use super::csr::{self, PublicKey};

/// Checks that the public key is a sound one of that kind.
///
/// # Errors
/// The first weakness that was found; such a key must not be used.
pub fn check(spki_der: &[u8], kind: KeyKind) -> Result<(), Weakness> {
    check_values(&PublicKey::from_spki(spki_der, kind)?)
}

/// Checks the values of a public key, which may be of a length or have an exponent that no kind has.
///
/// # Errors
/// The first weakness that was found.
pub(super) fn check_values(key: &PublicKey) -> Result<(), Weakness> {
    match key {
        PublicKey::Rsa { modulus, .. } => rsa::check(modulus),
        // That its point is on the curve and not at infinity was part of reading it.
        PublicKey::Ec { .. } => Ok(()),
        PublicKey::Edwards { point } => edwards::check(point),
    }
}

/// Why a key must not be used.
#[derive(Debug, thiserror::Error)]
pub enum Weakness {
    /// It is malformed or of another kind; for RSA: another length, an even modulus, an exponent other
    /// than 65537; for EC: not a point of the curve.
    #[error(transparent)]
    NotOfItsKind(#[from] csr::Error),
    /// Its modulus is divisible by a small prime (NIST SP 800-89 section 5.3.3).
    #[error("its modulus has the small factor {factor}")]
    SmallFactor {
        /// The prime.
        factor: u32,
    },
    /// Fermat's method factors its modulus at once (CVE-2022-26320).
    #[error("the primes of its modulus are so close to each other that Fermat's method finds them")]
    ClosePrimes,
    /// Its primes are of the form that Coppersmith's method finds (CVE-2017-15361).
    #[error("its modulus has the ROCA fingerprint")]
    Roca,
    /// Its point is not on the curve, or not in its only valid encoding.
    #[error("its point is not on the curve")]
    OffCurve,
    /// Its point has a small order: signatures are valid for other messages as well.
    #[error("its point has a small order")]
    SmallOrder,
}
