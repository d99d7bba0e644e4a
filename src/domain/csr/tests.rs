//! CSRs: made from specifications with software keys of every kind, and checked; changed ones
//! refused.

mod inspected;
mod issued;
mod read;
mod requested;

use std::sync::LazyLock;

use aws_lc_rs::encoding::AsDer;
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::KeySize;
use aws_lc_rs::signature as signers;
use aws_lc_rs::signature::{EcdsaKeyPair, EcdsaSigningAlgorithm, Ed25519KeyPair, KeyPair as _, RsaKeyPair};
use const_oid::db::rfc5912::RSA_ENCRYPTION;
use der::asn1::{Any, BitString, SetOfVec, UintRef};
use der::{Decode, Encode, Tag};
use proptest::prelude::*;
use serde_json::json;
use spki::{AlgorithmIdentifierOwned, SubjectPublicKeyInfoOwned};
use x509_cert::request::CertReq;

use super::super::algorithm::{KeyMaterial, Scheme};
use super::super::extensions::tests::any_extensions;
use super::super::extensions::{BasicConstraints, KeyUsageBit};
use super::super::name::tests::any_name;
use super::super::san::tests::any_san;
use super::*;

/// A software key of a kind of the table.
struct SoftwareKey {
    kind: KeyKind,
    spki: Vec<u8>,
    pair: Pair,
}

enum Pair {
    Rsa(RsaKeyPair),
    Ecdsa(EcdsaKeyPair),
    Ed25519(Ed25519KeyPair),
}

impl SoftwareKey {
    fn generate(kind: KeyKind) -> Self {
        let rsa = |size| Pair::Rsa(RsaKeyPair::generate(size).unwrap());
        let ecdsa = |algorithm: &'static EcdsaSigningAlgorithm| {
            Pair::Ecdsa(EcdsaKeyPair::generate(algorithm).unwrap())
        };
        let pair = match kind.name() {
            "rsa-2048" => rsa(KeySize::Rsa2048),
            "rsa-3072" => rsa(KeySize::Rsa3072),
            "rsa-4096" => rsa(KeySize::Rsa4096),
            "ec-p256" => ecdsa(&signers::ECDSA_P256_SHA256_ASN1_SIGNING),
            "ec-p384" => ecdsa(&signers::ECDSA_P384_SHA384_ASN1_SIGNING),
            "ec-p521" => ecdsa(&signers::ECDSA_P521_SHA512_ASN1_SIGNING),
            "ed25519" => Pair::Ed25519(Ed25519KeyPair::generate().unwrap()),
            other => panic!("no software key for {other}: add one"),
        };
        let spki = match &pair {
            Pair::Rsa(pair) => pair.public_key().as_der().unwrap().as_ref().to_vec(),
            Pair::Ecdsa(pair) => pair.public_key().as_der().unwrap().as_ref().to_vec(),
            Pair::Ed25519(pair) => pair.public_key().as_der().unwrap().as_ref().to_vec(),
        };
        Self { kind, spki, pair }
    }

    /// The signature in the form of X.509.
    fn sign(&self, scheme: Scheme, message: &[u8]) -> Vec<u8> {
        let rng = SystemRandom::new();
        match &self.pair {
            Pair::Rsa(pair) => {
                let padding: &dyn signers::RsaEncoding = match scheme.name() {
                    "rsa-pkcs1-sha256" => &signers::RSA_PKCS1_SHA256,
                    "rsa-pkcs1-sha384" => &signers::RSA_PKCS1_SHA384,
                    "rsa-pkcs1-sha512" => &signers::RSA_PKCS1_SHA512,
                    "rsa-pss-sha256" => &signers::RSA_PSS_SHA256,
                    "rsa-pss-sha384" => &signers::RSA_PSS_SHA384,
                    "rsa-pss-sha512" => &signers::RSA_PSS_SHA512,
                    other => panic!("no software signature for {other}: add one"),
                };
                let mut signature = vec![0; pair.public_modulus_len()];
                pair.sign(padding, &rng, message, &mut signature).unwrap();
                signature
            }
            Pair::Ecdsa(pair) => pair.sign(&rng, message).unwrap().as_ref().to_vec(),
            Pair::Ed25519(pair) => pair.sign(message).as_ref().to_vec(),
        }
    }

    fn csr(&self, spec: &CsrSpec, scheme: Scheme) -> Vec<u8> {
        let tbs = to_be_signed(spec, &self.spki).unwrap();
        assemble(&tbs, scheme, &self.sign(scheme, &tbs)).unwrap()
    }
}

/// One key of each kind, made once: RSA-4096 takes a while, and anything longer too long.
static KEYS: LazyLock<Vec<SoftwareKey>> = LazyLock::new(|| {
    let short = |kind: &KeyKind| !matches!(kind.material(), KeyMaterial::Rsa { bits } if bits > 4096);
    KeyKind::all().filter(short).map(SoftwareKey::generate).collect()
});

/// A key and a scheme that it may sign with.
fn key_and_scheme() -> impl Strategy<Value = (&'static SoftwareKey, Scheme)> {
    let all: Vec<_> =
        KEYS.iter().flat_map(|key| key.kind.schemes().map(move |scheme| (key, scheme))).collect();
    prop::sample::select(all)
}

impl std::fmt::Debug for SoftwareKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}", self.kind)
    }
}

fn p256() -> &'static SoftwareKey {
    KEYS.iter().find(|key| key.kind.name() == "ec-p256").unwrap()
}

fn rsa_2048() -> &'static SoftwareKey {
    KEYS.iter().find(|key| key.kind.name() == "rsa-2048").unwrap()
}

fn spec(json: serde_json::Value) -> CsrSpec {
    serde_json::from_value(json).unwrap()
}

fn full_spec() -> CsrSpec {
    spec(json!({
        "subject": "/C=nl/O=b/OU=x+CN=a",
        "sans": ["DNS:a.example", "IP:192.0.2.1", "IP:2001:db8::1", "email:a@b.example", "URI:https://c.example/"],
        "extensions": {
            "key_usage": ["digitalSignature", "keyCertSign"],
            "extended_key_usage": ["serverAuth", "1.2.3.4"],
            "basic_constraints": { "ca": true, "path_length": 1 },
        },
    }))
}

fn any_spec() -> impl Strategy<Value = CsrSpec> {
    let attribute = || prop::option::weighted(0.3, "[^\\p{Cc}]{1,20}|[ -~]{1,20}|[a-z]{1,200}");
    let sans = prop::collection::vec(any_san(), 0..5);
    (any_name(), sans, any_extensions(), attribute(), attribute())
        .prop_map(|(subject, sans, extensions, password, unstructured_name)| {
            let challenge_password = password.map(ChallengePassword::new);
            CsrSpec { subject, sans, extensions, challenge_password, unstructured_name }
        })
        .prop_filter("valid", |spec| spec.validate().is_ok())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, max_local_rejects: 1_000_000, ..ProptestConfig::default() })]

    #[test]
    fn every_csr_that_is_made_passes_the_check(spec in any_spec(), (key, scheme) in key_and_scheme()) {
        let csr = key.csr(&spec, scheme);
        check(&csr, &spec, &key.spki, scheme).unwrap();
        // x509-cert reads it as well, and writes the same bytes.
        prop_assert_eq!(CertReq::from_der(&csr).unwrap().to_der().unwrap(), csr);
        // And so it is after a crash: the specification comes out of the journal as it went in.
        let stored = serde_json::to_string(&spec).unwrap();
        prop_assert_eq!(serde_json::from_str::<CsrSpec>(&stored).unwrap(), spec);
    }

    #[test]
    fn a_csr_for_another_specification_is_refused(made in any_spec(), wanted in any_spec()) {
        let scheme = p256().kind.default_scheme();
        let csr = p256().csr(&made, scheme);
        prop_assert_eq!(check(&csr, &wanted, &p256().spki, scheme).is_ok(), made == wanted);
    }

    #[test]
    fn a_specification_is_stored_as_json(spec in any_spec()) {
        let text = serde_json::to_string(&spec).unwrap();
        prop_assert_eq!(serde_json::from_str::<CsrSpec>(&text).unwrap(), spec);
    }

    #[test]
    fn no_bytes_make_it_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        let scheme = p256().kind.default_scheme();
        prop_assert!(check(&bytes, &full_spec(), &p256().spki, scheme).is_err());
        prop_assert!(PublicKey::from_spki(&bytes, p256().kind).is_err());
        prop_assert!(to_be_signed(&full_spec(), &bytes).is_err());
        drop(assemble(&bytes, scheme, &bytes));
        drop(verify_signature(&bytes, scheme, &bytes, &bytes));
        drop(verify_signature(&p256().spki, scheme, &bytes, &bytes));
    }
}

#[test]
fn every_flipped_bit_is_found() {
    let ed25519 = KEYS.iter().find(|key| key.kind.name() == "ed25519").unwrap();
    let pss: Scheme = "rsa-pss-sha256".parse().unwrap();
    for (key, scheme) in [p256(), rsa_2048(), ed25519]
        .map(|key| (key, key.kind.default_scheme()))
        .into_iter()
        .chain([(rsa_2048(), pss)])
    {
        let csr = key.csr(&full_spec(), scheme);
        for bit in 0..8 * csr.len() {
            let mut flipped = csr.clone();
            flipped[bit / 8] ^= 1 << (bit % 8);
            assert!(check(&flipped, &full_spec(), &key.spki, scheme).is_err(), "bit {bit} of {}", key.kind);
        }
    }
}

#[test]
fn each_part_that_differs_is_named() {
    let scheme = p256().kind.default_scheme();
    type Change = fn(&mut CsrSpec);
    let changes: [(Change, Part); 11] = [
        (|spec| spec.subject = "/C=nl/O=b/OU=x+CN=b".parse().unwrap(), Part::Subject),
        (|spec| spec.subject = "/O=b/C=nl/OU=x+CN=a".parse().unwrap(), Part::Subject),
        (|spec| spec.subject = "/C=nl/O=b/OU=x/CN=a".parse().unwrap(), Part::Subject),
        (|spec| spec.sans.truncate(1), Part::SubjectAltName),
        (|spec| spec.sans.swap(1, 2), Part::SubjectAltName),
        (|spec| spec.sans.clear(), Part::Extensions),
        (|spec| spec.extensions.key_usage.push(KeyUsageBit::CrlSign), Part::KeyUsage),
        (|spec| spec.extensions.extended_key_usage.truncate(1), Part::ExtendedKeyUsage),
        (|spec| spec.extensions.basic_constraints = None, Part::Extensions),
        (
            |spec| spec.extensions.basic_constraints = Some(BasicConstraints { ca: true, path_length: None }),
            Part::BasicConstraints,
        ),
        (
            |spec| {
                spec.sans.clear();
                spec.extensions = Extensions::default();
            },
            Part::Extensions,
        ),
    ];
    for (change, part) in changes {
        let mut changed = full_spec();
        change(&mut changed);
        let csr = p256().csr(&changed, scheme);
        let error = check(&csr, &full_spec(), &p256().spki, scheme).unwrap_err();
        assert!(matches!(error, Error::Mismatch { part: found } if found == part), "{changed:?}: {error}");
    }
}

#[test]
fn another_key_another_signature_and_trailing_bytes_are_refused() {
    let spec = full_spec();
    let scheme = p256().kind.default_scheme();
    let other = SoftwareKey::generate(p256().kind);
    let csr = p256().csr(&spec, scheme);
    check(&csr, &spec, &p256().spki, scheme).unwrap();

    let error = check(&csr, &spec, &other.spki, scheme).unwrap_err();
    assert!(matches!(error, Error::Mismatch { part: Part::PublicKey }), "{error}");

    let tbs = to_be_signed(&spec, &p256().spki).unwrap();
    let forged = assemble(&tbs, scheme, &other.sign(scheme, &tbs)).unwrap();
    let error = check(&forged, &spec, &p256().spki, scheme).unwrap_err();
    assert!(matches!(error, Error::BadSignature), "{error}");

    let mut flipped = csr.clone();
    *flipped.last_mut().unwrap() ^= 1;
    let error = check(&flipped, &spec, &p256().spki, scheme).unwrap_err();
    assert!(matches!(error, Error::BadSignature), "{error}");

    let mut trailing = csr.clone();
    trailing.push(0);
    let error = check(&trailing, &spec, &p256().spki, scheme).unwrap_err();
    assert!(matches!(error, Error::TrailingBytes { part: Part::Csr }), "{error}");

    let sha384: Scheme = "ecdsa-sha384".parse().unwrap();
    let error = check(&csr, &spec, &p256().spki, sha384).unwrap_err();
    assert!(matches!(error, Error::Mismatch { part: Part::SignatureAlgorithm }), "{error}");
}

#[test]
fn a_hidden_second_value_of_the_extension_request_is_refused() {
    let spec = full_spec();
    let scheme = p256().kind.default_scheme();
    let mut info = CertReq::from_der(&p256().csr(&spec, scheme)).unwrap().info;
    let mut attribute = info.attributes.get(0).unwrap().clone();
    // Sorts behind the first value: x509-parser reads only that one.
    let second = Any::new(Tag::Set, [0; 9]).unwrap();
    attribute.values.insert(second).unwrap();
    info.attributes = SetOfVec::try_from([attribute]).unwrap();
    let tbs = info.to_der().unwrap();
    let csr = assemble(&tbs, scheme, &p256().sign(scheme, &tbs)).unwrap();
    let error = check(&csr, &spec, &p256().spki, scheme).unwrap_err();
    assert!(matches!(error, Error::Mismatch { part: Part::Attributes }), "{error}");
}

#[test]
fn without_extensions_the_list_of_attributes_is_there_and_empty() {
    let tbs = to_be_signed(&spec(json!({ "subject": "CN=a" })), &p256().spki).unwrap();
    assert!(tbs.ends_with(&[0xa0, 0x00]));
}

#[test]
fn the_alternative_names_are_critical_only_with_an_empty_subject() {
    // extnID subjectAltName; then critical TRUE, or the OCTET STRING at once.
    let oid = [0x06, 0x03, 0x55, 0x1d, 0x11];
    for (subject, next) in [("", 0x01), ("CN=a", 0x04)] {
        let tbs =
            to_be_signed(&spec(json!({ "subject": subject, "sans": ["DNS:a"] })), &p256().spki).unwrap();
        let at = tbs.windows(5).position(|window| window == oid).unwrap();
        assert_eq!(tbs[at + 5], next, "{subject}");
    }
}

#[test]
fn every_problem_of_a_specification_is_told() {
    let problems = |json| {
        let refused = spec(json).validate().unwrap_err();
        refused.iter().map(ToString::to_string).collect::<Vec<_>>()
    };
    assert_eq!(
        problems(json!({ "extensions": { "key_usage": ["keyCertSign"] } })),
        [
            "subject: is empty, and so is sans: a certificate has to name something",
            "extensions.key_usage: keyCertSign needs basic_constraints with ca = true (RFC 5280 section 4.2.1.9)",
        ]
    );
    assert_eq!(
        problems(json!({ "sans": ["DNS:a.example", "IP:::1", "dns:A.example"] })),
        ["sans[2]: DNS:a.example is there twice"]
    );
    let many: Vec<String> = (0..=MAX_SANS).map(|n| format!("DNS:h{n}.example")).collect();
    assert_eq!(problems(json!({ "sans": many })), ["sans: has 101 names; at most 100 are taken"]);
    full_spec().validate().unwrap();
}

#[test]
fn a_specification_that_cannot_be_read_says_where() {
    let error = serde_json::from_value::<CsrSpec>(json!({ "sans": ["DNS:a", "DNS:b_"] })).unwrap_err();
    assert!(error.to_string().starts_with("sans[1]: at position 5: `_` is not allowed"), "{error}");
    assert!(serde_json::from_value::<CsrSpec>(json!({ "subjekt": "" })).is_err());
}

#[test]
fn a_public_key_is_of_its_own_kind_and_no_other() {
    for key in KEYS.iter() {
        for kind in KeyKind::all() {
            let read = PublicKey::from_spki(&key.spki, kind);
            assert_eq!(read.is_ok(), key.kind == kind, "{} as {kind}", key.kind);
        }
    }
}

fn rsa_spki(modulus: &[u8], exponent: &[u8]) -> Vec<u8> {
    let numbers = vec![UintRef::new(modulus).unwrap(), UintRef::new(exponent).unwrap()];
    let algorithm = AlgorithmIdentifierOwned { oid: RSA_ENCRYPTION, parameters: Some(Any::null()) };
    let subject_public_key = BitString::from_bytes(&numbers.to_der().unwrap()).unwrap();
    SubjectPublicKeyInfoOwned { algorithm, subject_public_key }.to_der().unwrap()
}

#[test]
fn bad_public_keys_are_refused() {
    let fault = |spki: &[u8], kind: &str| match PublicKey::from_spki(spki, kind.parse().unwrap()) {
        Err(Error::BadPublicKey { fault, .. }) => fault,
        other => panic!("{other:?}"),
    };
    // RSA keys made up from their numbers; 256 bytes are 2048 bits when the first bit is set.
    let modulus = [0x81; 256];
    let f4 = [1, 0, 1];
    let even = [[0x81; 255].as_slice(), &[0x80]].concat();
    let bit_too_short = [&[0x7f], [0x81; 255].as_slice()].concat();
    let bit_too_long = [&[1], [0x81; 256].as_slice()].concat();
    assert_eq!(fault(&rsa_spki(&modulus, &[3]), "rsa-2048"), KeyFault::Exponent);
    assert_eq!(fault(&rsa_spki(&even, &f4), "rsa-2048"), KeyFault::EvenModulus);
    assert_eq!(fault(&rsa_spki(&bit_too_short, &f4), "rsa-2048"), KeyFault::ModulusLength);
    assert_eq!(fault(&rsa_spki(&bit_too_long, &f4), "rsa-2048"), KeyFault::ModulusLength);
    PublicKey::from_spki(&rsa_spki(&modulus, &f4), "rsa-2048".parse().unwrap()).unwrap();
    let rsa = &rsa_2048().spki;
    assert_eq!(fault(rsa, "rsa-3072"), KeyFault::ModulusLength);
    assert_eq!(fault(rsa, "ec-p256"), KeyFault::Algorithm);
    // The high bit cleared behind the leading zero byte: no longer the shortest form of the INTEGER.
    let mut longer_form = rsa.clone();
    let first = longer_form.len() - 5 - 256;
    longer_form[first] &= 0x7f;
    assert_eq!(fault(&longer_form, "rsa-2048"), KeyFault::Malformed);

    let ec = &p256().spki;
    assert_eq!(fault(ec, "rsa-2048"), KeyFault::Algorithm);
    assert_eq!(fault(ec, "ec-p384"), KeyFault::Curve);
    let point_at = ec.len() - 65;
    let mut off_curve = ec.clone();
    off_curve[point_at + 64] ^= 1;
    assert_eq!(fault(&off_curve, "ec-p256"), KeyFault::Refused);
    let mut hybrid = ec.clone();
    hybrid[point_at] = 0x06;
    assert_eq!(fault(&hybrid, "ec-p256"), KeyFault::PointForm);

    let ed25519 = hex::decode(format!("302a300506032b6570032100{}", "5a".repeat(32))).unwrap();
    assert_eq!(fault(&ed25519, "ec-p256"), KeyFault::Algorithm);
    assert_eq!(fault(ec, "ed25519"), KeyFault::Algorithm);
    let with_null = hex::decode(format!("302c300706032b65700500032100{}", "5a".repeat(32))).unwrap();
    assert_eq!(fault(&with_null, "ed25519"), KeyFault::Algorithm);
    let short = hex::decode(format!("3029300506032b6570032000{}", "5a".repeat(31))).unwrap();
    assert_eq!(fault(&short, "ed25519"), KeyFault::PointForm);

    let mut trailing = ec.clone();
    trailing.push(0);
    let error = PublicKey::from_spki(&trailing, p256().kind).unwrap_err();
    assert!(matches!(error, Error::TrailingBytes { part: Part::PublicKey }), "{error}");
}

#[test]
fn pem_has_64_columns_and_its_label() {
    let csr = p256().csr(&full_spec(), p256().kind.default_scheme());
    let text = pem(&csr);
    let lines: Vec<&str> = text.lines().collect();
    assert_eq!(lines.first(), Some(&"-----BEGIN CERTIFICATE REQUEST-----"));
    assert_eq!(lines.last(), Some(&"-----END CERTIFICATE REQUEST-----"));
    assert!(lines[1..lines.len() - 2].iter().all(|line| line.len() == 64));
    let (label, read) = der::pem::decode_vec(text.as_bytes()).unwrap();
    assert_eq!((label, read), ("CERTIFICATE REQUEST", csr));
}

#[test]
fn the_digest_of_a_public_key_is_sha_256() {
    assert_eq!(
        hex::encode(spki_sha256(b"abc")),
        "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
    );
}
