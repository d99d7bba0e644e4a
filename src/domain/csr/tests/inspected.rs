//! CSRs of ours explained, damaged ones, and one with a single fault for each rule.

use super::super::inspect::{Content, Inspection, Severity, Verdict, inspect};
use super::*;

const SEQUENCE: u8 = 0x30;

fn tlv(tag: u8, parts: &[&[u8]]) -> Vec<u8> {
    let contents = parts.concat();
    let length = u16::try_from(contents.len()).unwrap().to_be_bytes();
    let length = match length {
        [0, short @ 0..=0x7f] => vec![short],
        [0, long] => vec![0x81, long],
        long => [&[0x82], &long[..]].concat(),
    };
    [&[tag], length.as_slice(), &contents].concat()
}

fn oid(dotted: &str) -> Vec<u8> {
    const_oid::ObjectIdentifier::new(dotted).unwrap().to_der().unwrap()
}

fn common_name(value: &[u8]) -> Vec<u8> {
    attribute("2.5.4.3", value)
}

fn attribute(kind: &str, value: &[u8]) -> Vec<u8> {
    tlv(SEQUENCE, &[&tlv(0x31, &[&tlv(SEQUENCE, &[&oid(kind), value])])])
}

fn extension(kind: &str, value: &[u8]) -> Vec<u8> {
    tlv(SEQUENCE, &[&oid(kind), &tlv(0x04, &[value])])
}

/// An attribute extensionRequest.
fn request(extensions: &[Vec<u8>]) -> Vec<u8> {
    let extensions: Vec<&[u8]> = extensions.iter().map(Vec::as_slice).collect();
    tlv(SEQUENCE, &[&oid("1.2.840.113549.1.9.14"), &tlv(0x31, &[&tlv(SEQUENCE, &extensions)])])
}

/// A CSR with these fields, signed by the key.
fn signed_by(key: &SoftwareKey, version: u8, subject: &[u8], attributes: &[Vec<u8>]) -> Vec<u8> {
    let attributes: Vec<&[u8]> = attributes.iter().map(Vec::as_slice).collect();
    let version = [0x02, 0x01, version];
    let info = tlv(SEQUENCE, &[&version, subject, &key.spki, &tlv(0xa0, &attributes)]);
    let scheme = key.kind.default_scheme();
    assemble(&info, scheme, &key.sign(scheme, &info)).unwrap()
}

fn signed(subject: &[u8], attributes: &[Vec<u8>]) -> Vec<u8> {
    signed_by(p256(), 0, subject, attributes)
}

fn with_extension(kind: &str, value: &[u8]) -> Vec<u8> {
    signed(&common_name(b"\x0c\x01a"), &[request(&[extension(kind, value)])])
}

fn with_san(name: &[u8]) -> Vec<u8> {
    with_extension("2.5.29.17", &tlv(SEQUENCE, &[name]))
}

fn of_severity(inspection: &Inspection, severity: Severity) -> Vec<String> {
    let found = inspection.findings.iter().filter(|finding| finding.severity == severity);
    found.map(|finding| format!("{}: {}", finding.place, finding.problem)).collect()
}

#[track_caller]
fn finds(csr: &[u8], severity: Severity, expected: &str) {
    let found = of_severity(&inspect(csr).unwrap(), severity);
    assert!(found.iter().any(|found| found.starts_with(expected)), "no `{expected}` in {found:#?}");
}

#[test]
fn a_good_csr_has_no_finding() {
    let subject = common_name(b"\x0c\x0dwww.example.c");
    let san = extension("2.5.29.17", &tlv(SEQUENCE, &[b"\x82\x0dwww.example.c"]));
    let inspection = inspect(&signed(&subject, &[request(&[san])])).unwrap();
    assert_eq!(inspection.findings, []);
    assert_eq!(inspection.signature.verdict, Verdict::Good);
    assert_eq!(inspection.sans[0].text(), "DNS:www.example.c");
}

#[test]
fn each_error_is_found() {
    let anyone = common_name(b"\x0c\x01a");
    let good = signed(&anyone, &[]);
    let expect = |csr: &[u8], expected| finds(csr, Severity::Error, expected);
    let changed = {
        let mut changed = good.clone();
        let at = changed.windows(3).position(|window| window == b"\x0c\x01a").unwrap() + 2;
        changed[at] = b'b';
        changed
    };
    expect(&changed, "signature: the signature is not by the key");
    expect(&[good.as_slice(), b"x"].concat(), "csr: there are 1 byte(s) behind");
    expect(&signed_by(p256(), 1, &anyone, &[]), "version: the version is not 0");
    expect(&signed(&[SEQUENCE, 0], &[]), "subject: is empty, and there is no SAN");
    expect(&signed(&anyone, &[request(&[])]), "attributes[0]: asks for an empty list");
    let twice = extension("1.2.3", b"\x05\x00");
    expect(
        &signed(&anyone, &[request(&[twice.clone(), twice.clone()])]),
        "extensions[1]: 1.2.3 is there twice",
    );
    let requests = [request(std::slice::from_ref(&twice)), request(&[twice])];
    expect(&signed(&anyone, &requests), "attributes[1]: extensionRequest is there twice");
    expect(
        &signed(&attribute("2.5.4.6", b"\x13\x03NLD"), &[]),
        "subject[0][0]: C: the value has 3 characters",
    );
    expect(
        &signed(&attribute("2.5.4.6", b"\x0c\x02NL"), &[]),
        "subject[0][0]: C: a country is a PrintableString",
    );
    expect(&signed(&common_name(&tlv(0x0c, &[&[b'a'; 65]])), &[]), "subject[0][0]: CN: the value has 65");
    expect(&signed(&common_name(b"\x0c\x00"), &[]), "subject[0][0]: CN: the value is empty");
    expect(
        &signed(&common_name(b"\x13\x03*.a"), &[]),
        "subject[0][0]: CN: the value is a malformed PrintableString",
    );
    expect(
        &signed(&common_name(b"\x0c\x01\xff"), &[]),
        "subject[0][0]: CN: the value is a malformed UTF8String",
    );
    expect(
        &signed(&common_name(b"\x2c\x03\x0c\x01a"), &[]),
        "subject[0][0]: CN: the value is no string in one",
    );
    expect(
        &signed(&common_name("\x0c\x05a\u{202e}b".as_bytes()), &[]),
        "subject[0][0]: CN: the value has the character U+202E",
    );
    for (name, expected) in [
        (b"\x82\x05a_b.c".as_slice(), "sans[0]: a_b.c: `_` is not allowed"),
        (b"\x82\x05*.com", "sans[0]: *.com: a wildcard needs at least two labels"),
        (b"\x82\x07a*.b.cd", "sans[0]: a*.b.cd: `*` is allowed as the whole left-most label"),
        (b"\x82\x091.2.3.4.5", "sans[0]: 1.2.3.4.5: the last label has digits only"),
        (b"\x82\x071.2.3.4", "sans[0]: 1.2.3.4: is an IP address"),
        (b"\x82\x00", "sans[0]: : the host name is empty"),
        (b"\x82\x06\xc3\xbc.exa", "sans[0]: DNS is an IA5String, but has other"),
        (b"\x87\x03abc", "sans[0]: an iPAddress has 4 or 16 bytes; this has 3"),
        (b"\x89\x00", "extensions[0]: subjectAltName cannot be read"),
    ] {
        expect(&with_san(name), expected);
    }
    for (usage, expected) in [
        (b"\x03\x02\x05\x20", "extensions[0]: an EC key cannot be used for keyEncipherment"),
        (b"\x03\x02\x04\x10", "extensions[0]: an EC key cannot be used for dataEncipherment"),
        (b"\x03\x02\x02\x04", "extensions: keyCertSign needs basic_constraints"),
        (b"\x03\x02\x00\x01", "extensions: encipherOnly and decipherOnly need keyAgreement"),
    ] {
        expect(&with_extension("2.5.29.15", usage), expected);
    }
    expect(
        &with_extension("2.5.29.19", b"\x30\x03\x02\x01\x00"),
        "extensions: a path length needs ca = true",
    );
    expect(&with_extension("2.5.29.19", b"\x30\x03\x01\x01\x01"), "extensions[0]: is not DER: a BOOLEAN");
    expect(
        &with_extension("2.5.29.37", b"\x30\x00"),
        "extensions[0]: extendedKeyUsage cannot be read: it has no",
    );
}

#[test]
fn each_warning_and_note_is_found() {
    let anyone = common_name(b"\x0c\x01a");
    let host = common_name(b"\x0c\x0bexample.com");
    let warned = |csr: &[u8], expected| finds(csr, Severity::Warning, expected);
    warned(&signed(&host, &[]), "sans: there is no SAN");
    warned(
        &with_extension("2.5.29.37", b"\x30\x0a\x06\x08+\x06\x01\x05\x05\x07\x03\x01"),
        "sans: there is no SAN",
    );
    let other = request(&[extension("2.5.29.17", b"\x30\x0d\x82\x0bexample.org")]);
    warned(
        &signed(&host, std::slice::from_ref(&other)),
        "subject: the common name example.com is not among the SANs",
    );
    warned(&signed(&[SEQUENCE, 0], &[other]), "extensions[0]: the subject is empty, so its SANs have to be");
    warned(&signed(&common_name(b"\x14\x01a"), &[]), "subject[0][0]: CN is a TeletexString");
    warned(&with_san(b"\x82\x03a.b\x82\x03A.b"), "sans[1]: DNS:A.b is there twice");
    warned(
        &with_extension("2.5.29.14", b"\x04\x01a"),
        "extensions[0]: the subject key identifier is no digest",
    );
    warned(
        &with_extension("2.5.29.19", b"\x30\x03\x01\x01\x00"),
        "extensions[0]: basicConstraints: the default",
    );
    warned(&with_extension("2.5.29.15", b"\x03\x02\x00\x80"), "extensions[0]: keyUsage: bits that are 0");
    let unsorted = [
        tlv(SEQUENCE, &[&oid("1.2.4"), b"\x31\x02\x05\x00"]),
        tlv(SEQUENCE, &[&oid("1.2.3"), b"\x31\x02\x05\x00"]),
    ];
    warned(&signed(&anyone, &unsorted), "attributes: the attributes are not in the order");

    let noted = |csr: &[u8], expected| finds(csr, Severity::Note, expected);
    noted(&with_san(b"\x82\x07a.local"), "sans[0]: DNS:a.local is an internal name");
    noted(&with_san(b"\x82\x01a"), "sans[0]: DNS:a is an internal name");
    noted(&with_san(b"\x87\x04\x0a\x00\x00\x01"), "sans[0]: IP:10.0.0.1 is an internal name");
    noted(&with_extension("2.5.29.19", b"\x30\x03\x01\x01\xff"), "extensions[0]: asks for a CA certificate");
}

#[test]
fn weak_rsa_keys_are_found() {
    let spki = |modulus: &[u8], exponent: &[u8]| {
        let numbers = vec![UintRef::new(modulus).unwrap(), UintRef::new(exponent).unwrap()];
        let algorithm = AlgorithmIdentifierOwned { oid: RSA_ENCRYPTION, parameters: Some(Any::null()) };
        let subject_public_key = der::asn1::BitString::from_bytes(&numbers.to_der().unwrap()).unwrap();
        SubjectPublicKeyInfoOwned { algorithm, subject_public_key }.to_der().unwrap()
    };
    let key = rsa_2048();
    let sound = match PublicKey::from_spki(&key.spki, key.kind).unwrap() {
        PublicKey::Rsa { modulus, .. } => modulus,
        other => panic!("{other:?}"),
    };
    let found = |modulus: &[u8], exponent: &[u8], expected: &str| {
        let info = tlv(
            SEQUENCE,
            &[b"\x02\x01\x00", &common_name(b"\x0c\x01a"), &spki(modulus, exponent), b"\xa0\x00"],
        );
        let csr = assemble(&info, key.kind.default_scheme(), b"none").unwrap();
        let found = of_severity(&inspect(&csr).unwrap(), Severity::Error);
        assert!(found.iter().any(|found| found.starts_with(expected)), "no `{expected}` in {found:#?}");
    };
    found(&[0xff; 128], &[1, 0, 1], "key: RSA with 1024 bits can be broken");
    found(&sound, &[1], "key: no RSA key has this public exponent");
    found(&sound, &[1, 0, 0], "key: no RSA key has this public exponent");
    found(&[0xff; 256], &[1, 0, 1], "key: the key is weak: its modulus has the small factor 3");
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, max_local_rejects: 1_000_000, ..ProptestConfig::default() })]

    /// What is asked for may not fit the key, or be no good at all; the encoding is good always.
    #[test]
    fn our_csrs_are_read_whole_and_have_good_signatures(spec in any_spec(), (key, scheme) in key_and_scheme()) {
        let inspection = inspect(&key.csr(&spec, scheme)).unwrap();
        prop_assert_eq!(&inspection.signature.verdict, &Verdict::Good);
        prop_assert_eq!(inspection.sans.len(), spec.sans.len());
        prop_assert_eq!(inspection.key.kind, Some(key.kind.name()));
        for error in of_severity(&inspection, Severity::Error) {
            let asked_for = ["cannot be used for", "C is a UTF8String"].iter().any(|part| error.contains(part));
            prop_assert!(asked_for, "{}", error);
        }
    }

    #[test]
    fn no_damage_makes_it_panic(
        spec in any_spec(),
        (key, scheme) in key_and_scheme(),
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..8),
        cut in prop::option::weighted(0.1, any::<prop::sample::Index>()),
    ) {
        let mut csr = key.csr(&spec, scheme);
        for (at, byte) in changes {
            let at = at.index(csr.len());
            csr[at] = byte;
        }
        if let Some(cut) = cut {
            csr.truncate(cut.index(csr.len()));
        }
        if let Ok(inspection) = inspect(&csr) {
            serde_json::to_string(&inspection).unwrap();
        }
        drop(inspect(pem(&csr).as_bytes()));
    }

    #[test]
    fn no_bytes_make_it_panic(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        drop(inspect(&bytes));
        drop(inspect(pem(&bytes).as_bytes()));
    }
}

#[test]
fn a_subject_is_shown_as_text_whatever_strings_it_has() {
    for (value, shown, kind) in [
        (b"\x13\x03*.a".as_slice(), "CN=*.a", "PrintableString"),
        (b"\x14\x02M\xfc", "CN=Mü", "TeletexString"),
        (b"\x1e\x04\x00M\x00\xfc", "CN=Mü", "BMPString"),
        (b"\x1c\x08\x00\x00\x00M\x00\x00\x00\xfc", "CN=Mü", "UniversalString"),
    ] {
        let subject = inspect(&signed(&common_name(value), &[])).unwrap().subject;
        assert_eq!((subject.text.as_str(), subject.rdns[0][0].string_type.as_str()), (shown, kind));
    }
}

#[test]
fn a_network_is_shown_with_the_length_of_its_prefix() {
    let constraints = |octets: &[u8]| {
        let permitted = tlv(0xa0, &[&tlv(SEQUENCE, &[&tlv(0x87, &[octets])])]);
        let csr = with_extension("2.5.29.30", &tlv(SEQUENCE, &[&permitted]));
        match inspect(&csr).unwrap().extensions.remove(0).content {
            Content::NameConstraints { mut permitted, .. } => permitted.remove(0),
            other => panic!("{other:?}"),
        }
    };
    assert_eq!(constraints(&[10, 0, 0, 0, 255, 128, 0, 0]), "IP:10.0.0.0/9");
    assert_eq!(constraints(&[0; 32]), "IP:::/0");
    assert_eq!(constraints(&[10, 0, 0, 0, 255, 0, 255, 0]), "IP:10.0.0.0/255.0.255.0");
}
