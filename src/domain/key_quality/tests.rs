//! Keys that are known to be bad, and good ones that must pass.

use aws_lc_rs::encoding::AsDer as _;
use aws_lc_rs::rsa::KeySize;
use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair as _, RsaKeyPair};
use const_oid::db::rfc5912::RSA_ENCRYPTION;
use der::Encode as _;
use der::asn1::{Any, BitString, UintRef};
use num_bigint::BigUint;
use spki::{AlgorithmIdentifierOwned, SubjectPublicKeyInfoOwned};

use super::*;
use crate::domain::csr::KeyFault;

const F4: &[u8] = &[1, 0, 1];

/// A prime of 1024 bits.
const PRIME: &str = "\
    f8b7d0ac84773ce0ce4cda11b43c589bb120a366f0bbe9cf42f2dc05873f9bd066080f174c96d8e25cbd0ba3a1a6bcde\
    3a124c647e02ff05b7c1dce27f7695f56fced11d2bd8a1e6047a8387cdde8d516301bbfca0c5154e0ff9bb510944fe0c\
    9dfb369bab13dfae627655daa05f11193ceaaf308142c8ea91d93080f9b43c0d";

/// Added to it: a prime that Fermat's method finds in its round 110, and one that it finds in 111.
const FOUND_IN_ROUND_110: &str = "\
    1d3ce6210b337c42cbb67e53c5a989abcf3a1cfe6c5055940e591f59f75dea88737f4688800500c895d75527c59c69fd\
    51b167ae0da13b559bef3acec07db92414";
const FOUND_IN_ROUND_111: &str = "\
    1d5f58b471b2fd60fd65af1ffb3b7b092a0e8e09a9ef862c9f4c3472034fae165b145c60c46b4cfaf69691b6b9b02935\
    4b7bd55a8aeceb221b44ae0075a927a32a";

fn number(hexadecimal: &str) -> BigUint {
    BigUint::parse_bytes(hexadecimal.as_bytes(), 16).unwrap()
}

fn rsa_spki(modulus: &BigUint, exponent: &[u8]) -> Vec<u8> {
    let modulus = modulus.to_bytes_be();
    let numbers = vec![UintRef::new(&modulus).unwrap(), UintRef::new(exponent).unwrap()];
    let algorithm = AlgorithmIdentifierOwned { oid: RSA_ENCRYPTION, parameters: Some(Any::null()) };
    let subject_public_key = BitString::from_bytes(&numbers.to_der().unwrap()).unwrap();
    SubjectPublicKeyInfoOwned { algorithm, subject_public_key }.to_der().unwrap()
}

fn check_rsa(modulus: &BigUint) -> Result<(), Weakness> {
    check(&rsa_spki(modulus, F4), format!("rsa-{}", modulus.bits()).parse().unwrap())
}

#[test]
fn good_rsa_keys_pass() {
    for (size, kind) in [(KeySize::Rsa2048, "rsa-2048"), (KeySize::Rsa3072, "rsa-3072")] {
        let pair = RsaKeyPair::generate(size).unwrap();
        check(pair.public_key().as_der().unwrap().as_ref(), kind.parse().unwrap()).unwrap();
    }
}

/// The first odd number from there on that no prime below 752 divides.
fn without_small_factors(from: &BigUint) -> BigUint {
    let odd = from | BigUint::from(1_u32);
    let sound = |candidate: &BigUint| (3_u32..752).all(|divisor| candidate % divisor != BigUint::ZERO);
    (0_u32..).map(|n| &odd + 2 * n).find(sound).unwrap()
}

/// Three quarters of the way to 2^bits.
fn number_of(bits: u32) -> BigUint {
    BigUint::from(3_u32) << (bits - 2)
}

#[test]
fn a_modulus_with_a_prime_factor_below_752_is_refused() {
    for factor in [3_u32, 5, 743, 751] {
        let modulus = without_small_factors(&(number_of(2048) / factor)) * factor;
        match check_rsa(&modulus) {
            Err(Weakness::SmallFactor { factor: found }) => assert_eq!(found, factor),
            other => panic!("{factor}: {other:?}"),
        }
    }
    check_rsa(&(without_small_factors(&(number_of(2048) / 757_u32)) * 757_u32)).unwrap();
}

#[test]
fn an_even_modulus_and_an_exponent_of_3_are_refused() {
    let good = number(PRIME) * (number(PRIME) + number(FOUND_IN_ROUND_111));
    let kind = "rsa-2048".parse().unwrap();
    let fault = |spki: &[u8]| match check(spki, kind) {
        Err(Weakness::NotOfItsKind(csr::Error::BadPublicKey { fault, .. })) => fault,
        other => panic!("{other:?}"),
    };
    assert_eq!(fault(&rsa_spki(&(&good + 1_u32), F4)), KeyFault::EvenModulus);
    assert_eq!(fault(&rsa_spki(&good, &[3])), KeyFault::Exponent);
    assert_eq!(fault(&rsa_spki(&(&good >> 1), F4)), KeyFault::ModulusLength);
}

#[test]
fn primes_that_fermat_finds_in_110_rounds_are_refused() {
    let p = number(PRIME);
    let next_prime = &p + 106_u32;
    let within = &p + number(FOUND_IN_ROUND_110);
    for q in [&p, &next_prime, &within] {
        assert!(matches!(check_rsa(&(&p * q)), Err(Weakness::ClosePrimes)), "{q:x}");
    }
    check_rsa(&(&p * (&p + number(FOUND_IN_ROUND_111)))).unwrap();
}

#[test]
fn a_modulus_of_the_form_of_roca_is_refused() {
    // p = k M + (65537^a mod M), M the product of the first 126 primes: Infineon's at 2048 bits.
    let mut primes: Vec<u32> = Vec::new();
    for candidate in 2..=701 {
        if primes.iter().all(|prime| candidate % prime != 0) {
            primes.push(candidate);
        }
    }
    assert_eq!(primes.len(), 126);
    let m: BigUint = primes.into_iter().map(BigUint::from).product();
    let prime = |k: u64, a: u64| &m * k + BigUint::from(65537_u32).modpow(&BigUint::from(a), &m);
    let p = prime(9_234_200_174_758_995, 789_391_734_371);
    let q = prime(7_387_360_139_807_319, 43_147_415_181);
    assert!(matches!(check_rsa(&(&p * &q)), Err(Weakness::Roca)));
    // Another modulus beside it is none.
    check_rsa(&(&p * &number(PRIME))).unwrap();
}

#[test]
fn moduli_of_every_length_in_the_table_can_be_checked() {
    for bits in [2048, 3072, 4096, 6144, 8192] {
        check_rsa(&without_small_factors(&number_of(bits))).unwrap();
    }
}

fn ed25519_spki(point: &[u8]) -> Vec<u8> {
    [&hex::decode("302a300506032b6570032100").unwrap()[..], point].concat()
}

fn check_ed25519(point: &str) -> Result<(), Weakness> {
    check(&ed25519_spki(&hex::decode(point).unwrap()), "ed25519".parse().unwrap())
}

#[test]
fn good_ed25519_keys_pass() {
    // RFC 8032 section 7.1, tests 1 to 3.
    for point in [
        "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a",
        "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c",
        "fc51cd8e6218a1a38da47ed00230f0580816ed13ba3303ac5deb911548908025",
    ] {
        check_ed25519(point).unwrap();
    }
    for _ in 0..20 {
        let pair = Ed25519KeyPair::generate().unwrap();
        check_ed25519(&hex::encode(pair.public_key())).unwrap();
    }
}

#[test]
fn ed25519_points_of_small_order_are_refused() {
    for point in [
        "0100000000000000000000000000000000000000000000000000000000000000",
        "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
        "0000000000000000000000000000000000000000000000000000000000000000",
        "0000000000000000000000000000000000000000000000000000000000000080",
        "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05",
        "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc85",
        "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a",
        "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac03fa",
    ] {
        assert!(matches!(check_ed25519(point), Err(Weakness::SmallOrder)), "{point}");
    }
}

#[test]
fn ed25519_points_off_the_curve_or_in_another_encoding_are_refused() {
    for point in [
        // y = 2: x^2 is not a square.
        "0200000000000000000000000000000000000000000000000000000000000000",
        // p + 1, which is 1 once more.
        "eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
    ] {
        assert!(matches!(check_ed25519(point), Err(Weakness::OffCurve)), "{point}");
    }
}

#[test]
fn an_ec_point_must_be_on_its_curve() {
    let generator = "046b17d1f2e12c4247f8bce6e563a440f277037d812deb33a0f4a13945d898c296\
                     4fe342e2fe1a7f9b8ee7eb4a7c0f9e162bce33576b315ececbb6406837bf51f5";
    let spki =
        |point: &str| hex::decode(format!("3059301306072a8648ce3d020106082a8648ce3d030107034200{point}"));
    let kind = "ec-p256".parse().unwrap();
    check(&spki(generator).unwrap(), kind).unwrap();
    let off_curve = generator.replace("51f5", "51f4");
    let zeros = format!("04{}", "00".repeat(64));
    for bad in [off_curve, zeros] {
        let weakness = check(&spki(&bad).unwrap(), kind).unwrap_err();
        let refused = csr::Error::BadPublicKey { kind, fault: KeyFault::Refused }.to_string();
        assert_eq!(weakness.to_string(), refused);
    }
    // The point at infinity is the byte 0 alone.
    let infinity = hex::decode("3019301306072a8648ce3d020106082a8648ce3d03010703020000").unwrap();
    let weakness = check(&infinity, kind).unwrap_err();
    assert!(matches!(
        weakness,
        Weakness::NotOfItsKind(csr::Error::BadPublicKey { fault: KeyFault::PointForm, .. })
    ));
}
