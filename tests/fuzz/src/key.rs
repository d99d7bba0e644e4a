//! A key whose CSRs are always the same: Ed25519, from a fixed seed.

use std::sync::LazyLock;

use aws_lc_rs::encoding::AsDer;
use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair};
use strongroom::domain::algorithm::Scheme;
use strongroom::domain::csr::{CsrSpec, assemble, to_be_signed};

static PAIR: LazyLock<Ed25519KeyPair> =
    LazyLock::new(|| Ed25519KeyPair::from_seed_unchecked(&[7; 32]).unwrap());
static SPKI: LazyLock<Vec<u8>> = LazyLock::new(|| PAIR.public_key().as_der().unwrap().as_ref().to_vec());

/// Its SubjectPublicKeyInfo.
pub fn spki() -> &'static [u8] {
    &SPKI
}

/// How it signs.
pub fn scheme() -> Scheme {
    "ed25519".parse().unwrap()
}

/// The CSR of a valid specification.
pub fn csr(spec: &CsrSpec) -> Vec<u8> {
    let info = to_be_signed(spec, spki()).unwrap();
    assemble(&info, scheme(), PAIR.sign(&info).as_ref()).unwrap()
}
