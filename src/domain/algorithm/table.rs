//! The entries of the table.

use aws_lc_rs::signature as verifiers;
use const_oid::ObjectIdentifier;
use const_oid::db::{rfc5912, rfc8410};

use super::{Digest, KeyMaterial, Padding, SignatureAlgorithm};

/// A key kind.
pub(super) struct Entry {
    pub(super) name: &'static str,
    pub(super) material: KeyMaterial,
    /// Value of `crv` in a JSON Web Key (RFC 7518 section 6.2.1.1, RFC 8037 section 2).
    pub(super) jose_curve: Option<&'static str>,
    /// Allowed schemes, the default first.
    pub(super) schemes: &'static [SchemeEntry],
}

/// A signature scheme.
pub(super) struct SchemeEntry {
    pub(super) name: &'static str,
    pub(super) algorithm: SignatureAlgorithm,
    /// The signatureAlgorithm identifier.
    pub(super) oid: ObjectIdentifier,
    /// DER of its parameters; empty where they are absent.
    pub(super) parameters: &'static [u8],
    pub(super) verifier: &'static dyn verifiers::VerificationAlgorithm,
}

/// Every key kind.
pub(super) const KEY_KINDS: &[Entry] = &[
    rsa("rsa-2048", 2048),
    rsa("rsa-3072", 3072),
    rsa("rsa-4096", 4096),
    rsa("rsa-6144", 6144),
    rsa("rsa-8192", 8192),
    Entry {
        name: "ec-p256",
        material: KeyMaterial::Ec { curve: rfc5912::SECP_256_R_1, field_bytes: 32 },
        jose_curve: Some("P-256"),
        schemes: &[SchemeEntry {
            name: "ecdsa-sha256",
            algorithm: SignatureAlgorithm::Ecdsa(Digest::Sha256),
            oid: rfc5912::ECDSA_WITH_SHA_256,
            parameters: ABSENT,
            verifier: &verifiers::ECDSA_P256_SHA256_ASN1,
        }],
    },
    Entry {
        name: "ec-p384",
        material: KeyMaterial::Ec { curve: rfc5912::SECP_384_R_1, field_bytes: 48 },
        jose_curve: Some("P-384"),
        schemes: &[SchemeEntry {
            name: "ecdsa-sha384",
            algorithm: SignatureAlgorithm::Ecdsa(Digest::Sha384),
            oid: rfc5912::ECDSA_WITH_SHA_384,
            parameters: ABSENT,
            verifier: &verifiers::ECDSA_P384_SHA384_ASN1,
        }],
    },
    Entry {
        name: "ec-p521",
        material: KeyMaterial::Ec { curve: rfc5912::SECP_521_R_1, field_bytes: 66 },
        jose_curve: Some("P-521"),
        schemes: &[SchemeEntry {
            name: "ecdsa-sha512",
            algorithm: SignatureAlgorithm::Ecdsa(Digest::Sha512),
            oid: rfc5912::ECDSA_WITH_SHA_512,
            parameters: ABSENT,
            verifier: &verifiers::ECDSA_P521_SHA512_ASN1,
        }],
    },
    Entry {
        name: "ed25519",
        material: KeyMaterial::Edwards { curve: rfc8410::ID_ED_25519, key_bytes: 32 },
        jose_curve: Some("Ed25519"),
        schemes: &[SchemeEntry {
            name: "ed25519",
            algorithm: SignatureAlgorithm::Eddsa,
            oid: rfc8410::ID_ED_25519,
            parameters: ABSENT,
            verifier: &verifiers::ED25519,
        }],
    },
];

const fn rsa(name: &'static str, bits: u32) -> Entry {
    Entry { name, material: KeyMaterial::Rsa { bits }, jose_curve: None, schemes: RSA_SCHEMES }
}

const RSA_SCHEMES: &[SchemeEntry] = &[
    SchemeEntry {
        name: "rsa-pkcs1-sha256",
        algorithm: SignatureAlgorithm::Rsa(Padding::Pkcs1, Digest::Sha256),
        oid: rfc5912::SHA_256_WITH_RSA_ENCRYPTION,
        parameters: NULL,
        verifier: &verifiers::RSA_PKCS1_2048_8192_SHA256,
    },
    SchemeEntry {
        name: "rsa-pkcs1-sha384",
        algorithm: SignatureAlgorithm::Rsa(Padding::Pkcs1, Digest::Sha384),
        oid: rfc5912::SHA_384_WITH_RSA_ENCRYPTION,
        parameters: NULL,
        verifier: &verifiers::RSA_PKCS1_2048_8192_SHA384,
    },
    SchemeEntry {
        name: "rsa-pkcs1-sha512",
        algorithm: SignatureAlgorithm::Rsa(Padding::Pkcs1, Digest::Sha512),
        oid: rfc5912::SHA_512_WITH_RSA_ENCRYPTION,
        parameters: NULL,
        verifier: &verifiers::RSA_PKCS1_2048_8192_SHA512,
    },
    SchemeEntry {
        name: "rsa-pss-sha256",
        algorithm: SignatureAlgorithm::Rsa(Padding::Pss, Digest::Sha256),
        oid: rfc5912::ID_RSASSA_PSS,
        parameters: PSS_SHA256,
        verifier: &verifiers::RSA_PSS_2048_8192_SHA256,
    },
    SchemeEntry {
        name: "rsa-pss-sha384",
        algorithm: SignatureAlgorithm::Rsa(Padding::Pss, Digest::Sha384),
        oid: rfc5912::ID_RSASSA_PSS,
        parameters: PSS_SHA384,
        verifier: &verifiers::RSA_PSS_2048_8192_SHA384,
    },
    SchemeEntry {
        name: "rsa-pss-sha512",
        algorithm: SignatureAlgorithm::Rsa(Padding::Pss, Digest::Sha512),
        oid: rfc5912::ID_RSASSA_PSS,
        parameters: PSS_SHA512,
        verifier: &verifiers::RSA_PSS_2048_8192_SHA512,
    },
];

/// RFC 5758 section 3.2, RFC 8410 section 3.
const ABSENT: &[u8] = &[];
/// RFC 4055 section 5.
const NULL: &[u8] = &[0x05, 0x00];
const PSS_SHA256: &[u8] = &pss_parameters(1, 32);
const PSS_SHA384: &[u8] = &pss_parameters(2, 48);
const PSS_SHA512: &[u8] = &pss_parameters(3, 64);

/// RSASSA-PSS-params (RFC 4055 section 3.1) for the digest with that last arc under
/// 2.16.840.1.101.3.4.2, byte for byte as the CA/Browser Forum's TLS Baseline Requirements ask for in
/// section 7.1.3.2.1.
const fn pss_parameters(digest: u8, salt_length: u8) -> [u8; 54] {
    let mut der = *b"\x30\x34\
        \xa0\x0f\x30\x0d\x06\x09\x60\x86\x48\x01\x65\x03\x04\x02\x00\x05\x00\
        \xa1\x1c\x30\x1a\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x01\x08\
        \x30\x0d\x06\x09\x60\x86\x48\x01\x65\x03\x04\x02\x00\x05\x00\
        \xa2\x03\x02\x01\x00";
    der[16] = digest;
    der[46] = digest;
    der[53] = salt_length;
    der
}
