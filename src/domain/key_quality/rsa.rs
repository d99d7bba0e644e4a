//! Moduli that are easily factored.

use num_bigint::BigUint;

use super::Weakness;

/// NIST SP 800-89 section 5.3.3 wants no prime factor below this.
const SMALLEST_FACTOR: u32 = 752;

/// The CA/Browser Forum's TLS Baseline Requirements (section 6.1.1.3) want 100 rounds; the generator
/// behind CVE-2022-26320 needs one.
const FERMAT_ROUNDS: usize = 110;

/// The generator behind ROCA makes primes p with p = 65537^a modulo each of the first primes: these,
/// at every length of key.
const ROCA_PRIMES: [u32; 38] = [
    3, 5, 7, 11, 13, 17, 19, 23, 29, 31, 37, 41, 43, 47, 53, 59, 61, 67, 71, 73, 79, 83, 89, 97, 101, 103,
    107, 109, 113, 127, 131, 137, 139, 149, 151, 157, 163, 167,
];

/// Checks a modulus given big endian.
pub(super) fn check(modulus: &[u8]) -> Result<(), Weakness> {
    let modulus = BigUint::from_bytes_be(modulus);
    if let Some(factor) = small_factor(&modulus) {
        return Err(Weakness::SmallFactor { factor });
    }
    if has_close_factors(&modulus) {
        return Err(Weakness::ClosePrimes);
    }
    if has_roca_fingerprint(&modulus) {
        return Err(Weakness::Roca);
    }
    Ok(())
}

fn small_factor(modulus: &BigUint) -> Option<u32> {
    // The first divisor that is found is a prime.
    (2..SMALLEST_FACTOR).find(|divisor| remainder(modulus, *divisor) == 0)
}

/// Fermat: n = a^2 - b^2 = (a + b)(a - b), with a just above the root of n when the factors are close.
fn has_close_factors(modulus: &BigUint) -> bool {
    let mut a = modulus.sqrt();
    if &a * &a < *modulus {
        a += 1_u32;
    }
    let mut square = &a * &a - modulus;
    for _ in 0..FERMAT_ROUNDS {
        if is_square(&square) {
            return true;
        }
        // (a + 1)^2 - n = (a^2 - n) + 2a + 1
        square += &a * 2_u32 + 1_u32;
        a += 1_u32;
    }
    false
}

fn is_square(number: &BigUint) -> bool {
    // The cheap test leaves one in four for the dear one.
    matches!(remainder(number, 16), 0 | 1 | 4 | 9) && {
        let root = number.sqrt();
        &root * &root == *number
    }
}

/// The test of Nemec, Sys, Svenda, Klinec and Matyas, "The Return of Coppersmith's Attack": a modulus
/// of such primes is a power of 65537 modulo each of them too. Of other moduli one in 2^27 is.
fn has_roca_fingerprint(modulus: &BigUint) -> bool {
    ROCA_PRIMES.iter().all(|prime| {
        let wanted = remainder(modulus, *prime);
        let powers = std::iter::successors(Some(1), |power| Some(power * 65537 % prime));
        powers.take(*prime as usize).any(|power| power == wanted)
    })
}

fn remainder(number: &BigUint, divisor: u32) -> u32 {
    // Smaller than the divisor: one digit, or none for zero.
    (number % divisor).iter_u32_digits().next().unwrap_or(0)
}
