//! From a key kind or a signature scheme to a PKCS#11 mechanism, and from the token's signature to
//! the one that X.509 wants.

use cryptoki::context::Pkcs11;
use cryptoki::mechanism::eddsa::{EddsaParams, EddsaSignatureScheme};
use cryptoki::mechanism::rsa::{PkcsMgfType, PkcsPssParams};
use cryptoki::mechanism::{Mechanism, MechanismType};
use cryptoki::slot::Slot;
use sha2::{Sha256, Sha384, Sha512};

use super::fault::Fault;
use super::public_key::two_integers;
use crate::domain::algorithm::{Digest, KeyKind, KeyMaterial, Padding, Scheme, SignatureAlgorithm};
use crate::hsm::error::{Error, Kind};
use crate::hsm::profile::{HashedBy, Profile};

/// What the token can do of what the profile offers.
pub(super) struct Mechanisms {
    offered: Vec<MechanismType>,
    rsa_hashed_by: HashedBy,
    rsa_pss_hashed_by: HashedBy,
    ecdsa_hashed_by: HashedBy,
    kinds: Vec<KeyKind>,
}

impl Mechanisms {
    /// Asks the token.
    pub(super) fn read(pkcs11: &Pkcs11, slot: Slot, profile: &Profile) -> Result<Self, Fault> {
        let offered = pkcs11.get_mechanism_list(slot)?;
        let longest_rsa = if offered.contains(&MechanismType::RSA_PKCS_KEY_PAIR_GEN) {
            pkcs11.get_mechanism_info(slot, MechanismType::RSA_PKCS_KEY_PAIR_GEN)?.max_key_size()
        } else {
            0
        };
        Ok(Self::new(offered, longest_rsa, profile))
    }

    fn new(offered: Vec<MechanismType>, longest_rsa: usize, profile: &Profile) -> Self {
        let Profile { rsa_hashed_by, rsa_pss_hashed_by, ecdsa_hashed_by, .. } = *profile;
        let kinds = Vec::new();
        let mut mechanisms = Self { offered, rsa_hashed_by, rsa_pss_hashed_by, ecdsa_hashed_by, kinds };
        let fits = |kind: &KeyKind| match kind.material() {
            KeyMaterial::Rsa { bits } => usize::try_from(bits).is_ok_and(|bits| bits <= longest_rsa),
            KeyMaterial::Ec { .. } | KeyMaterial::Edwards { .. } => true,
        };
        let kinds = profile.keys.iter().copied();
        mechanisms.kinds = kinds.filter(fits).filter(|kind| mechanisms.can_use(*kind)).collect();
        mechanisms
    }

    fn can_use(&self, kind: KeyKind) -> bool {
        self.offered.contains(&generation(kind).mechanism_type())
            && self.signing(kind.default_scheme()).is_ok()
    }

    /// The key kinds that the token can make and sign with.
    pub(super) fn kinds(&self) -> &[KeyKind] {
        &self.kinds
    }

    /// The mechanism that makes a key.
    ///
    /// # Errors
    /// [`Kind::Unsupported`], listing the kinds that it can make.
    pub(super) fn generating(&self, kind: KeyKind) -> Result<Mechanism<'static>, Error> {
        if self.kinds.contains(&kind) {
            return Ok(generation(kind));
        }
        let kinds: Vec<_> = self.kinds.iter().map(|kind| kind.name()).collect();
        let message = format!("the token cannot make keys of kind {kind}; it can make: {}", kinds.join(", "));
        Err(Error::new(Kind::Unsupported, message))
    }

    /// How the token signs under a scheme.
    ///
    /// # Errors
    /// [`Kind::Unsupported`] when it lacks the mechanism.
    pub(super) fn signing(&self, scheme: Scheme) -> Result<Signing, Error> {
        let hashed_by = match scheme.algorithm() {
            SignatureAlgorithm::Rsa(Padding::Pkcs1, _) => self.rsa_hashed_by,
            SignatureAlgorithm::Rsa(Padding::Pss, _) => self.rsa_pss_hashed_by,
            SignatureAlgorithm::Ecdsa(_) => self.ecdsa_hashed_by,
            SignatureAlgorithm::Eddsa => HashedBy::Token,
        };
        let mechanism = signature(scheme, hashed_by);
        if !self.offered.contains(&mechanism.mechanism_type()) {
            let message = format!(
                "the token cannot sign with {scheme}: it lacks the mechanism {}",
                mechanism.mechanism_type()
            );
            return Err(Error::new(Kind::Unsupported, message));
        }
        Ok(Signing { mechanism, scheme, hashed_by })
    }
}

/// How the token signs under a scheme.
pub(super) struct Signing {
    pub(super) mechanism: Mechanism<'static>,
    scheme: Scheme,
    hashed_by: HashedBy,
}

impl Signing {
    /// What C_Sign gets for a message.
    pub(super) fn input(&self, message: Vec<u8>) -> Vec<u8> {
        match (self.hashed_by, self.scheme.algorithm()) {
            (HashedBy::Token, _) | (HashedBy::Worker, SignatureAlgorithm::Eddsa) => message,
            (
                HashedBy::Worker,
                SignatureAlgorithm::Ecdsa(algorithm) | SignatureAlgorithm::Rsa(Padding::Pss, algorithm),
            ) => digest(algorithm, &message),
            (HashedBy::Worker, SignatureAlgorithm::Rsa(Padding::Pkcs1, algorithm)) => {
                [digest_info_prefix(algorithm), &digest(algorithm, &message)].concat()
            }
        }
    }

    /// The signature of X.509 from that of C_Sign.
    ///
    /// # Errors
    /// [`Kind::Bug`] when the token's is none.
    pub(super) fn output(&self, signature: Vec<u8>) -> Result<Vec<u8>, Error> {
        match self.scheme.algorithm() {
            SignatureAlgorithm::Rsa(..) | SignatureAlgorithm::Eddsa => Ok(signature),
            SignatureAlgorithm::Ecdsa(_) => ecdsa_der(&signature),
        }
    }
}

/// From r and s at equal widths (PKCS#11 v3.0 current mechanisms, section 2.3.1) to
/// `SEQUENCE { r INTEGER, s INTEGER }` (RFC 5480 appendix A).
fn ecdsa_der(signature: &[u8]) -> Result<Vec<u8>, Error> {
    if signature.is_empty() || !signature.len().is_multiple_of(2) {
        let message = format!("the token gave an ECDSA signature of {} bytes", signature.len());
        return Err(Error::new(Kind::Bug, message));
    }
    let (r, s) = signature.split_at(signature.len() / 2);
    two_integers(r, s)
}

fn generation(kind: KeyKind) -> Mechanism<'static> {
    match kind.material() {
        KeyMaterial::Rsa { .. } => Mechanism::RsaPkcsKeyPairGen,
        KeyMaterial::Ec { .. } => Mechanism::EccKeyPairGen,
        KeyMaterial::Edwards { .. } => Mechanism::EccEdwardsKeyPairGen,
    }
}

fn signature(scheme: Scheme, hashed_by: HashedBy) -> Mechanism<'static> {
    match (scheme.algorithm(), hashed_by) {
        (SignatureAlgorithm::Rsa(Padding::Pkcs1, _), HashedBy::Worker) => Mechanism::RsaPkcs,
        (SignatureAlgorithm::Rsa(Padding::Pkcs1, digest), HashedBy::Token) => match digest {
            Digest::Sha256 => Mechanism::Sha256RsaPkcs,
            Digest::Sha384 => Mechanism::Sha384RsaPkcs,
            Digest::Sha512 => Mechanism::Sha512RsaPkcs,
        },
        (SignatureAlgorithm::Rsa(Padding::Pss, digest), HashedBy::Worker) => {
            Mechanism::RsaPkcsPss(pss_parameters(digest))
        }
        (SignatureAlgorithm::Rsa(Padding::Pss, digest), HashedBy::Token) => {
            let parameters = pss_parameters(digest);
            match digest {
                Digest::Sha256 => Mechanism::Sha256RsaPkcsPss(parameters),
                Digest::Sha384 => Mechanism::Sha384RsaPkcsPss(parameters),
                Digest::Sha512 => Mechanism::Sha512RsaPkcsPss(parameters),
            }
        }
        (SignatureAlgorithm::Ecdsa(_), HashedBy::Worker) => Mechanism::Ecdsa,
        (SignatureAlgorithm::Ecdsa(digest), HashedBy::Token) => match digest {
            Digest::Sha256 => Mechanism::EcdsaSha256,
            Digest::Sha384 => Mechanism::EcdsaSha384,
            Digest::Sha512 => Mechanism::EcdsaSha512,
        },
        (SignatureAlgorithm::Eddsa, _) => Mechanism::Eddsa(EddsaParams::new(EddsaSignatureScheme::Ed25519)),
    }
}

/// As the signatureAlgorithm of the CSR says: MGF1 with the same digest, a salt as long as it.
fn pss_parameters(digest: Digest) -> PkcsPssParams {
    let (hash_alg, mgf, bytes) = match digest {
        Digest::Sha256 => (MechanismType::SHA256, PkcsMgfType::MGF1_SHA256, 32_u64),
        Digest::Sha384 => (MechanismType::SHA384, PkcsMgfType::MGF1_SHA384, 48),
        Digest::Sha512 => (MechanismType::SHA512, PkcsMgfType::MGF1_SHA512, 64),
    };
    PkcsPssParams { hash_alg, mgf, s_len: bytes.into() }
}

fn digest(algorithm: Digest, message: &[u8]) -> Vec<u8> {
    use sha2::Digest as _;
    match algorithm {
        Digest::Sha256 => Sha256::digest(message).to_vec(),
        Digest::Sha384 => Sha384::digest(message).to_vec(),
        Digest::Sha512 => Sha512::digest(message).to_vec(),
    }
}

/// DER of DigestInfo up to the digest: RFC 8017 section 9.2, note 1.
fn digest_info_prefix(algorithm: Digest) -> &'static [u8] {
    match algorithm {
        Digest::Sha256 => b"\x30\x31\x30\x0d\x06\x09\x60\x86\x48\x01\x65\x03\x04\x02\x01\x05\x00\x04\x20",
        Digest::Sha384 => b"\x30\x41\x30\x0d\x06\x09\x60\x86\x48\x01\x65\x03\x04\x02\x02\x05\x00\x04\x30",
        Digest::Sha512 => b"\x30\x51\x30\x0d\x06\x09\x60\x86\x48\x01\x65\x03\x04\x02\x03\x05\x00\x04\x40",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn scheme(name: &str) -> Scheme {
        name.parse().unwrap()
    }

    fn mechanisms(offered: &[MechanismType], longest_rsa: usize) -> Mechanisms {
        Mechanisms::new(offered.to_vec(), longest_rsa, &Profile::shipped("softhsm2").unwrap())
    }

    #[test]
    fn an_ecdsa_signature_loses_leading_zeros_and_keeps_its_sign() {
        let mut raw = vec![0; 64];
        raw[30..32].copy_from_slice(&[0x12, 0x34]);
        raw[32] = 0x80;
        let mut der = vec![0x30, 2 + 2 + 2 + 33, 0x02, 2, 0x12, 0x34, 0x02, 33, 0, 0x80];
        der.extend([0; 31]);
        assert_eq!(ecdsa_der(&raw).unwrap(), der);
    }

    #[test]
    fn a_p521_sized_signature_has_a_long_length() {
        let der = ecdsa_der(&[0x7f; 132]).unwrap();
        assert_eq!(der[..5], [0x30, 0x81, 2 * (2 + 66), 0x02, 66]);
    }

    #[test]
    fn what_is_no_ecdsa_signature_is_refused() {
        assert_eq!(ecdsa_der(&[]).unwrap_err().kind(), Kind::Bug);
        assert_eq!(ecdsa_der(&[1; 63]).unwrap_err().kind(), Kind::Bug);
    }

    #[test]
    fn the_worker_hashes_where_the_mechanism_is_raw() {
        let offered = [MechanismType::ECDSA, MechanismType::RSA_PKCS, MechanismType::RSA_PKCS_PSS];
        let mut mechanisms = mechanisms(&offered, 4096);
        mechanisms.rsa_hashed_by = HashedBy::Worker;
        mechanisms.rsa_pss_hashed_by = HashedBy::Worker;
        let input = |name| mechanisms.signing(scheme(name)).unwrap().input(b"abc".to_vec());
        // FIPS 180-4: SHA-256 of "abc".
        let sha256 = hex::decode("ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad").unwrap();
        assert_eq!(input("ecdsa-sha256"), sha256);
        assert_eq!(input("rsa-pss-sha256"), sha256);
        let info = input("rsa-pkcs1-sha256");
        assert_eq!(info.len(), 19 + 32);
        assert!(info.ends_with(&sha256));
    }

    #[test]
    fn the_token_hashes_where_it_can() {
        let offered =
            [MechanismType::SHA256_RSA_PKCS, MechanismType::SHA384_RSA_PKCS_PSS, MechanismType::EDDSA];
        let mechanisms = mechanisms(&offered, 4096);
        for name in ["rsa-pkcs1-sha256", "rsa-pss-sha384", "ed25519"] {
            let signing = mechanisms.signing(scheme(name)).unwrap();
            assert_eq!(signing.input(b"abc".to_vec()), b"abc");
            assert_eq!(signing.output(b"abc".to_vec()).unwrap(), b"abc");
        }
        let error = mechanisms.signing(scheme("rsa-pss-sha256")).err().unwrap();
        assert_eq!(error.kind(), Kind::Unsupported);
    }

    #[test]
    fn only_kinds_that_it_can_make_and_use_are_offered() {
        let rsa = [MechanismType::RSA_PKCS_KEY_PAIR_GEN, MechanismType::SHA256_RSA_PKCS];
        let names =
            |mechanisms: Mechanisms| mechanisms.kinds.iter().map(|kind| kind.name()).collect::<Vec<_>>();
        // A TPM makes RSA keys up to 3072 bits.
        assert_eq!(names(mechanisms(&rsa, 3072)), ["rsa-2048", "rsa-3072"]);
        assert_eq!(names(mechanisms(&[MechanismType::ECC_KEY_PAIR_GEN], 0)), Vec::<&str>::new());
        let error = mechanisms(&rsa, 2048).generating("ec-p256".parse().unwrap()).unwrap_err();
        assert_eq!(error.kind(), Kind::Unsupported);
        assert!(error.to_string().ends_with("it can make: rsa-2048"), "{error}");
    }
}
