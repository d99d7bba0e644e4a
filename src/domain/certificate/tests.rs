//! Certificates of a small test CA: read from PEM and DER, married, and put in order.

use proptest::prelude::*;
use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DistinguishedName, DnType, IsCa, KeyPair,
    PKCS_ECDSA_P256_SHA256, PKCS_ECDSA_P521_SHA256, PKCS_ECDSA_P521_SHA512, PublicKeyData,
    SignatureAlgorithm, date_time_ymd,
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

/// Who issued whom is told by x509-parser's verifier, by our own, or, with P-521 and SHA-256, which
/// neither has, by the key identifiers.
const EVERY_WAY_TO_TELL: [&SignatureAlgorithm; 3] =
    [&PKCS_ECDSA_P256_SHA256, &PKCS_ECDSA_P521_SHA512, &PKCS_ECDSA_P521_SHA256];

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
        (block("PKCS7"), "certificate: at position 2: is not a certificate"),
        (
            block("X509 CRL"),
            "certificate: at position 2: this is `X509 CRL`; only CERTIFICATE and PKCS7 are taken",
        ),
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

/// Tag, length and contents in DER.
fn tlv(tag: u8, contents: &[u8]) -> Vec<u8> {
    let length = u16::try_from(contents.len()).unwrap().to_be_bytes();
    [&[tag, 0x82], length.as_slice(), contents].concat()
}

/// The same with its length in the indefinite form of BER.
fn indefinite(tag: u8, contents: &[u8]) -> Vec<u8> {
    [&[tag, 0x80], contents, &[0, 0]].concat()
}

type Write = fn(u8, &[u8]) -> Vec<u8>;

/// A SignedData without content and signers, with these certificates (RFC 5652 section 5.1).
fn pkcs7(certificates: &[u8], write: Write) -> Vec<u8> {
    let data = b"\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x07\x01";
    let signed_data = b"\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x07\x02";
    let fields = [
        b"\x02\x01\x01\x31\x00".to_vec(),
        write(0x30, data),
        write(0xa0, certificates),
        b"\x31\x00".to_vec(),
    ];
    let explicit = write(0xa0, &write(0x30, &fields.concat()));
    write(0x30, &[signed_data.as_slice(), &explicit].concat())
}

/// `x509-parser` takes a tag of any class for a universal one; nobody else does.
#[test]
fn a_certificate_that_only_one_parser_takes_is_refused() {
    let mut der = TestCa::new(&PKCS_ECDSA_P256_SHA256).leaf.der;
    let ecdsa_with_sha256 = [0x30, 10, 6, 8, 0x2a, 0x86, 0x48, 0xce, 0x3d, 4, 3, 2];
    let at = der.windows(12).position(|window| window == ecdsa_with_sha256).unwrap();
    der[at] = 0xd0;
    assert!(x509_parser::parse_x509_certificate(&der).is_ok());
    let refused = read(&der).unwrap_err();
    assert!(refused.reason.starts_with("is a certificate that is not DER"), "{refused}");
}

#[test]
fn reads_pkcs7_whatever_its_form_and_label() {
    let ca = TestCa::new(&PKCS_ECDSA_P256_SHA256);
    let all = [ca.root(), ca.leaf.clone(), ca.intermediate()];
    let set: Vec<u8> = all.iter().flat_map(|one| one.der.clone()).collect();
    for write in [tlv, indefinite] as [Write; 2] {
        let message = pkcs7(&set, write);
        assert_eq!(read(&message).unwrap(), all);
        for label in ["PKCS7", "CMS", "PKCS #7 SIGNED DATA", "CERTIFICATE"] {
            assert_eq!(read(super::super::pem::encode(label, &message).as_bytes()).unwrap(), all);
        }
    }
    let married = marry(read(&pkcs7(&set, tlv)).unwrap(), &ca.leaf.spki).unwrap();
    assert_eq!((married.leaf, married.chain), (ca.leaf.clone(), vec![ca.intermediate(), ca.root()]));
}

#[test]
fn pkcs7_without_readable_certificates_is_refused_by_what_it_is() {
    let ca = TestCa::new(&PKCS_ECDSA_P256_SHA256);
    let good = pkcs7(&ca.leaf.der, tlv);
    let attribute_certificate = [0xa2, 2, 0x30, 0];
    let enveloped = [&good[..14], &[3], &good[15..]].concat();
    for (message, error) in [
        (pkcs7(&[], tlv), "has no certificates in its PKCS #7 message"),
        (enveloped, "is a PKCS #7 message of another kind; only SignedData has certificates"),
        (
            pkcs7(&attribute_certificate, tlv),
            "has something other than X.509 certificates in its PKCS #7 message",
        ),
        (pkcs7(&[0x30, 0], tlv), "is not a certificate: neither DER nor PEM"),
        ([good.as_slice(), &[0]].concat(), "has 1 bytes behind the end of the PKCS #7 message"),
        (pkcs7(&ca.leaf.der.repeat(11), tlv), "has 11 certificates; at most 10 are taken"),
    ] {
        let refused = read(&message).unwrap_err().to_string();
        assert!(refused.starts_with(&format!("certificate: {error}")), "{refused}");
    }
}

#[test]
fn a_certificate_is_valid_from_its_start_to_its_end() {
    let ca = TestCa::new(&PKCS_ECDSA_P256_SHA256);
    let (not_before, not_after) = (ca.leaf.not_before, ca.leaf.not_after);
    let married = marry(vec![ca.leaf.clone()], &ca.leaf.spki).unwrap();
    let minutes = 60 * 1000;
    for good in [not_before, not_after, not_before.plus_millis(-5 * minutes)] {
        assert_eq!(married.check_validity(good), Ok(()), "{good}");
    }
    let late = married.check_validity(not_after.plus_millis(1));
    let subject = ca.leaf.subject.clone();
    assert_eq!(late, Err(MarryError::Expired { subject: subject.clone(), not_after }));
    let early = married.check_validity(not_before.plus_millis(-6 * minutes));
    assert_eq!(early, Err(MarryError::NotYetValid { subject, not_before }));
}

#[test]
fn a_chain_is_valid_as_long_as_every_certificate_in_it() {
    let ca = TestCa::new(&PKCS_ECDSA_P256_SHA256);
    let mut short = ca_params("intermediate");
    short.not_after = date_time_ymd(2026, 2, 3);
    let short = CertifiedIssuer::signed_by(short, key(&PKCS_ECDSA_P256_SHA256), &ca.root).unwrap();
    let leaf = one(params("leaf").signed_by(&key(&PKCS_ECDSA_P256_SHA256), &short).unwrap().der());
    let intermediate = one(short.der());
    let married = marry(vec![leaf.clone(), intermediate.clone(), ca.root()], &leaf.spki).unwrap();
    assert_eq!(married.check_validity(intermediate.not_after), Ok(()));
    let late = married.check_validity(intermediate.not_after.plus_millis(1));
    let ReadCertificate { subject, not_after, .. } = intermediate;
    assert_eq!(late, Err(MarryError::Expired { subject, not_after }));
}

#[test]
fn of_a_root_and_its_cross_certificate_only_one_is_taken_in_whichever_order() {
    let ca = TestCa::new(&PKCS_ECDSA_P256_SHA256);
    let old = CertifiedIssuer::self_signed(ca_params("old"), key(&PKCS_ECDSA_P256_SHA256)).unwrap();
    let cross = one(ca_params("root").signed_by(ca.root.key(), &old).unwrap().der());
    let (leaf, intermediate) = (ca.leaf.clone(), ca.intermediate());
    let subject = ca.root().subject;
    for both in [[cross.clone(), ca.root()], [ca.root(), cross.clone()]] {
        let sent = [&[leaf.clone(), intermediate.clone(), one(old.der())], &both[..]].concat();
        assert_eq!(marry(sent, &leaf.spki), Err(MarryError::SeveralOfOneCa { subject: subject.clone() }));
    }
    let married = marry(vec![leaf.clone(), intermediate, cross, one(old.der())], &leaf.spki).unwrap();
    assert_eq!(married.chain.len(), 3);
}

#[test]
fn text_around_a_block_may_be_in_any_encoding() {
    let ca = TestCa::new(&PKCS_ECDSA_P256_SHA256);
    let latin1 = [b"friendlyName: M\xfcller\n", pem(&ca.leaf.der).as_bytes()].concat();
    assert_eq!(read(&latin1), Ok(vec![ca.leaf]));
}

#[test]
fn a_certificate_that_signed_another_must_be_one_of_a_ca() {
    let end_entity = || CertifiedIssuer::self_signed(params("root"), key(&PKCS_ECDSA_P256_SHA256)).unwrap();
    let crl_only = || {
        let mut params = ca_params("root");
        params.key_usages = vec![rcgen::KeyUsagePurpose::CrlSign];
        CertifiedIssuer::self_signed(params, key(&PKCS_ECDSA_P256_SHA256)).unwrap()
    };
    for root in [end_entity(), crl_only()] {
        let leaf = params("leaf").signed_by(&key(&PKCS_ECDSA_P256_SHA256), &root).unwrap();
        let leaf = one(leaf.der());
        let refused = marry(vec![leaf.clone(), one(root.der())], &leaf.spki);
        assert_eq!(refused, Err(MarryError::NotOfACa { subject: r"CN=root,O=Example\, Inc.".into() }));
        assert!(marry(vec![leaf.clone()], &leaf.spki).is_ok());
    }
}

#[test]
fn a_chain_is_put_in_order_whatever_the_order_it_came_in() {
    for algorithm in EVERY_WAY_TO_TELL {
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
    for algorithm in EVERY_WAY_TO_TELL {
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

fn any_form() -> impl Strategy<Value = Write> {
    prop::sample::select(vec![tlv as Write, indefinite])
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
        for der in [pkcs7(&der, tlv), pkcs7(&der, indefinite), der] {
            if let Ok(certificates) = read(&der) {
                drop(marry(certificates, &LEAF.spki));
            }
        }
    }

    #[test]
    fn no_changed_pkcs7_makes_it_panic(at in any::<prop::sample::Index>(), value: u8, write in any_form()) {
        let mut message = pkcs7(&[0x30, 3, 2, 1, 0], write);
        let at = at.index(message.len());
        message[at] = value;
        prop_assert!(read(&message).is_err());
    }
}
