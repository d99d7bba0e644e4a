//! Certificates of a small test CA: read from PEM and DER, married, and put in order.

use proptest::prelude::*;
use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DistinguishedName, DnType, IsCa, KeyPair,
    PKCS_ECDSA_P256_SHA256, PKCS_ECDSA_P521_SHA512, PublicKeyData, SignatureAlgorithm, date_time_ymd,
};

use super::*;

type Issuer = CertifiedIssuer<'static, KeyPair>;

fn params(common_name: &str) -> CertificateParams {
    let mut params = CertificateParams::default();
    params.distinguished_name = DistinguishedName::new();
    params.distinguished_name.push(DnType::OrganizationName, "Example, Inc.");
    params.distinguished_name.push(DnType::CommonName, common_name);
    params.not_before = date_time_ymd(2026, 1, 2);
    params.not_after = date_time_ymd(2027, 3, 4);
    params.serial_number = Some(vec![0x0a, 0xbc].into());
    params.use_authority_key_identifier_extension = true;
    params
}

fn ca_params(common_name: &str) -> CertificateParams {
    let mut params = params(common_name);
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params
}

fn key(algorithm: &'static SignatureAlgorithm) -> KeyPair {
    KeyPair::generate_for(algorithm).unwrap()
}

/// A root, an intermediate below it, and a leaf below that.
struct TestCa {
    root: Issuer,
    intermediate: Issuer,
    leaf: ReadCertificate,
}

impl TestCa {
    fn new(algorithm: &'static SignatureAlgorithm) -> Self {
        let root = CertifiedIssuer::self_signed(ca_params("root"), key(algorithm)).unwrap();
        let intermediate =
            CertifiedIssuer::signed_by(ca_params("intermediate"), key(algorithm), &root).unwrap();
        let leaf_key = key(&PKCS_ECDSA_P256_SHA256);
        let leaf = params("leaf").signed_by(&leaf_key, &intermediate).unwrap();
        let leaf = one(leaf.der());
        assert_eq!(leaf.spki, leaf_key.subject_public_key_info());
        Self { root, intermediate, leaf }
    }

    fn root(&self) -> ReadCertificate {
        one(self.root.der())
    }

    fn intermediate(&self) -> ReadCertificate {
        one(self.intermediate.der())
    }
}

fn one(der: &[u8]) -> ReadCertificate {
    read(der).unwrap().remove(0)
}

#[test]
fn tells_what_a_certificate_says() {
    let ca = TestCa::new(&PKCS_ECDSA_P256_SHA256);
    assert_eq!(ca.leaf.subject, r"CN=leaf,O=Example\, Inc.");
    assert_eq!(ca.leaf.issuer, r"CN=intermediate,O=Example\, Inc.");
    assert_eq!(ca.leaf.serial, "0abc");
    assert_eq!(ca.leaf.not_before.to_string(), "2026-01-02T00:00:00.000Z");
    assert_eq!(ca.leaf.not_after.to_string(), "2027-03-04T00:00:00.000Z");
    assert_eq!(ca.leaf.fingerprint.len(), 64);
}

#[test]
fn reads_pem_with_text_around_it_and_windows_line_ends() {
    let ca = TestCa::new(&PKCS_ECDSA_P256_SHA256);
    let all = [ca.leaf.clone(), ca.intermediate(), ca.root()];
    let text: String = all.iter().map(|one| pem(&one.der)).collect();
    assert_eq!(read(text.as_bytes()).unwrap(), all);
    let text = format!("subject=é\r\n{}\r\nend", text.replace('\n', "\r\n"));
    assert_eq!(read(text.as_bytes()).unwrap(), all);
}

#[test]
fn other_input_is_refused_by_what_it_is() {
    let ca = TestCa::new(&PKCS_ECDSA_P256_SHA256);
    let good = pem(&ca.leaf.der);
    let block = |label: &str| format!("x\n{}", super::super::pem::encode(label, b"\x30\x00"));
    for (input, error) in [
        (String::new(), "certificate: is not a certificate: neither DER nor PEM"),
        ("-----BEGIN?".into(), "certificate: is not a certificate: neither DER nor PEM"),
        ("hello".into(), "certificate: is not a certificate: neither DER nor PEM"),
        (
            block("PRIVATE KEY"),
            "certificate: at position 2: this is a private key. A private key must never be sent",
        ),
        (block("RSA PRIVATE KEY"), "certificate: at position 2: this is a private key."),
        (block("ENCRYPTED PRIVATE KEY"), "certificate: at position 2: this is a private key."),
        (block("CERTIFICATE REQUEST"), "certificate: at position 2: this is a CSR"),
        (block("PKCS7"), "certificate: at position 2: this is PKCS #7"),
        (block("X509 CRL"), "certificate: at position 2: this is `X509 CRL`; only CERTIFICATE is taken"),
        (block("CERTIFICATE"), "certificate: at position 2: is not a certificate"),
        (good[..good.len() - 20].to_owned(), "certificate: at position 0: the block has no END line"),
        (good.replace("MII", "M*I"), "certificate: at position 0: the block is not base64"),
        (good.repeat(11), "certificate: has 11 certificates; at most 10 are taken"),
        ("a".repeat(MAX_BYTES + 1), "certificate: is 65537 bytes long; at most 65536 are taken"),
    ] {
        let refused = read(input.as_bytes()).unwrap_err().to_string();
        assert!(refused.starts_with(error), "{refused}");
    }
    let mut trailing = ca.leaf.der.clone();
    trailing.push(0);
    let refused = read(&trailing).unwrap_err().to_string();
    assert_eq!(refused, "certificate: has 1 bytes behind the end of the certificate");
}

#[test]
fn a_chain_is_put_in_order_whatever_the_order_it_came_in() {
    // P-521 has no verifier here: there the key identifiers decide.
    for algorithm in [&PKCS_ECDSA_P256_SHA256, &PKCS_ECDSA_P521_SHA512] {
        let ca = TestCa::new(algorithm);
        let (leaf, intermediate, root) = (ca.leaf.clone(), ca.intermediate(), ca.root());
        for sent in [
            vec![leaf.clone(), intermediate.clone(), root.clone()],
            vec![root.clone(), intermediate.clone(), leaf.clone()],
            vec![intermediate.clone(), leaf.clone(), root.clone(), leaf.clone(), root.clone()],
        ] {
            let married = marry(sent, &leaf.spki).unwrap();
            assert_eq!(married.leaf, leaf);
            assert_eq!(married.chain, [intermediate.clone(), root.clone()]);
        }
        assert_eq!(marry(vec![leaf.clone()], &leaf.spki).unwrap().chain, []);
    }
}

#[test]
fn certificates_for_another_key_are_refused() {
    let ca = TestCa::new(&PKCS_ECDSA_P256_SHA256);
    let other = key(&PKCS_ECDSA_P256_SHA256).subject_public_key_info();
    let error = marry(vec![ca.leaf.clone(), ca.root()], &other).unwrap_err();
    assert_eq!(
        error.to_string(),
        "no certificate is for the key of this signing request; those sent are for: \
         CN=leaf,O=Example\\, Inc.; CN=root,O=Example\\, Inc."
    );
    assert_eq!(marry(vec![], &other), Err(MarryError::PublicKeyMismatch { subjects: vec![] }));
}

#[test]
fn two_certificates_for_the_key_are_refused() {
    let ca = TestCa::new(&PKCS_ECDSA_P256_SHA256);
    let leaf_key = key(&PKCS_ECDSA_P256_SHA256);
    let sent: Vec<_> = ["a", "b"]
        .iter()
        .map(|name| one(params(name).signed_by(&leaf_key, &ca.intermediate).unwrap().der()))
        .collect();
    let error = marry(sent, &leaf_key.subject_public_key_info()).unwrap_err();
    assert_eq!(error, MarryError::SeveralForTheKey { count: 2 });
}

#[test]
fn a_certificate_outside_the_chain_is_named() {
    for algorithm in [&PKCS_ECDSA_P256_SHA256, &PKCS_ECDSA_P521_SHA512] {
        let ca = TestCa::new(algorithm);
        // The same names, other keys: told apart by signature or key identifier.
        let impostor = TestCa::new(algorithm);
        let stray =
            |subject: &str| MarryError::NotInChain { subject: format!("CN={subject},O=Example\\, Inc.") };
        let sent = vec![ca.leaf.clone(), impostor.intermediate(), ca.root()];
        assert_eq!(marry(sent, &ca.leaf.spki), Err(stray("intermediate")));
        let sent = vec![ca.leaf.clone(), ca.intermediate(), impostor.leaf.clone()];
        assert_eq!(marry(sent, &ca.leaf.spki), Err(stray("leaf")));
        // A hole: the root without the intermediate.
        let sent = vec![ca.leaf.clone(), ca.root()];
        assert_eq!(marry(sent, &ca.leaf.spki), Err(stray("root")));
    }
}

proptest! {
    #[test]
    fn no_bytes_make_it_panic(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        prop_assert!(read(&bytes).is_err());
    }

    #[test]
    fn no_changed_certificate_makes_it_panic(at in any::<prop::sample::Index>(), value: u8) {
        static LEAF: std::sync::LazyLock<ReadCertificate> =
            std::sync::LazyLock::new(|| TestCa::new(&PKCS_ECDSA_P256_SHA256).leaf);
        let mut der = LEAF.der.clone();
        let at = at.index(der.len());
        der[at] = value;
        if let Ok(certificates) = read(&der) {
            drop(marry(certificates, &LEAF.spki));
        }
    }
}
