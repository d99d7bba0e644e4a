//! What a CSR can ask for besides the common extensions: its DER, and that each difference is found.

use serde_json::{Value, json};

use super::*;

/// Everything that can be asked for.
fn rich_spec() -> CsrSpec {
    spec(json!({
        "subject": "/jurisdictionC=NL/businessCategory=Private Organization/O=b/CN=a",
        "sans": [
            "DNS:bücher.example", "email:jörg@a.example", "UPN:a@corp.local", "RID:1.2.3.4",
            "dirName:CN=x,O=y", "otherName:1.2.3;UTF8:é", "otherName:1.2.3.5;DER:3003020101",
        ],
        "extensions": {
            "key_usage": ["keyCertSign"],
            "basic_constraints": { "ca": true },
            "certificate_policies": [
                { "oid": "2.23.140.1.2.1" },
                { "oid": "1.2.3", "cps": ["https://a.example/cps"], "notice": "read é" },
            ],
            "name_constraints": {
                "permitted": ["DNS:example.com", "IP:192.0.2.0/23", "email:.example.com", "dirName:O=b"],
                "excluded": ["IP:2001:db8::/33", "URI:b.example", "DNS:"],
            },
            "subject_key_identifier": true,
            "tls_features": ["status_request", "255", "256"],
            "microsoft_template_name": "WebServer",
            "microsoft_template": { "oid": "1.2.3.4", "major": 100, "minor": 4294967295_u32 },
            "other": [{ "oid": "1.2.3.4.5", "critical": true, "value": "0500" }],
        },
        "challenge_password": "swordfish",
        "unstructured_name": "a name",
    }))
}

#[test]
fn everything_that_can_be_asked_for_is_made_and_checked() {
    let scheme = p256().kind.default_scheme();
    rich_spec().validate().unwrap();
    check(&p256().csr(&rich_spec(), scheme), &rich_spec(), &p256().spki, scheme).unwrap();
}

#[test]
fn every_difference_in_what_is_asked_for_is_found() {
    type Change = (&'static str, Value, Part);
    let scheme = p256().kind.default_scheme();
    let changes: &[Change] = &[
        ("/sans/0", json!("DNS:xn--bcher-kvb.example"), Part::SubjectAltName),
        ("/sans/1", json!("email:jorg@a.example"), Part::SubjectAltName),
        ("/sans/1", json!("email:jürg@a.example"), Part::SubjectAltName),
        ("/sans/2", json!("UPN:b@corp.local"), Part::SubjectAltName),
        ("/sans/2", json!("otherName:1.3.6.1.4.1.311.20.2.4;UTF8:a@corp.local"), Part::SubjectAltName),
        ("/sans/3", json!("RID:1.2.3.5"), Part::SubjectAltName),
        ("/sans/4", json!("dirName:CN=x,O=z"), Part::SubjectAltName),
        ("/sans/5", json!("otherName:1.2.3;UTF8:e"), Part::SubjectAltName),
        ("/sans/5", json!("otherName:1.2.4;UTF8:é"), Part::SubjectAltName),
        ("/sans/6", json!("otherName:1.2.3.5;DER:3003020102"), Part::SubjectAltName),
        ("/extensions/certificate_policies/0/oid", json!("2.23.140.1.2.2"), Part::CertificatePolicies),
        ("/extensions/certificate_policies/1/cps/0", json!("https://b.example"), Part::CertificatePolicies),
        ("/extensions/certificate_policies/1/notice", json!("read e"), Part::CertificatePolicies),
        ("/extensions/certificate_policies/1/notice", Value::Null, Part::CertificatePolicies),
        ("/extensions/certificate_policies", json!([]), Part::Extensions),
        ("/extensions/name_constraints/permitted/0", json!("DNS:example.org"), Part::NameConstraints),
        ("/extensions/name_constraints/permitted/1", json!("IP:192.0.2.0/24"), Part::NameConstraints),
        ("/extensions/name_constraints/excluded/0", json!("IP:2001:db8::/32"), Part::NameConstraints),
        ("/extensions/name_constraints/excluded", json!([]), Part::NameConstraints),
        ("/extensions/subject_key_identifier", json!("00"), Part::SubjectKeyIdentifier),
        ("/extensions/tls_features", json!(["status_request"]), Part::TlsFeatures),
        ("/extensions/microsoft_template_name", json!("Webserver"), Part::MicrosoftTemplate),
        ("/extensions/microsoft_template/minor", Value::Null, Part::MicrosoftTemplate),
        ("/extensions/microsoft_template/major", json!(101), Part::MicrosoftTemplate),
        ("/extensions/other/0/value", json!("0101ff"), Part::OtherExtension),
        ("/extensions/other/0/critical", json!(false), Part::OtherExtension),
        ("/extensions/other/0/oid", json!("1.2.3.4.6"), Part::Extensions),
        ("/challenge_password", json!("swordfisch"), Part::Attributes),
        ("/challenge_password", Value::Null, Part::Attributes),
        ("/unstructured_name", json!("another"), Part::Attributes),
        ("/unstructured_name", Value::Null, Part::Attributes),
    ];
    for (path, value, part) in changes {
        let mut changed = serde_json::to_value(rich_spec()).unwrap();
        // An optional part that was left out cannot be pointed at.
        *changed.pointer_mut(path).unwrap_or_else(|| panic!("{path}")) = value.clone();
        let changed = spec(changed);
        assert_ne!(changed, rich_spec(), "{path}");
        let csr = p256().csr(&changed, scheme);
        check(&csr, &changed, &p256().spki, scheme).unwrap();
        let error = check(&csr, &rich_spec(), &p256().spki, scheme).unwrap_err();
        assert!(matches!(error, Error::Mismatch { part: found } if found == *part), "{path}: {error}");
    }
}

/// The DER of the extension with that OID, from its extnID on.
#[track_caller]
fn assert_has(csr: &[u8], wanted: &str) {
    assert!(hex::encode(csr).contains(wanted), "{wanted} is not in {}", hex::encode(csr));
}

#[test]
fn the_encodings_are_those_of_the_specifications() {
    let tbs = to_be_signed(&rich_spec(), &p256().spki).unwrap();
    // RFC 7633: SEQUENCE OF INTEGER with 5, 255 and 256, not critical.
    assert_has(&tbs, "06082b06010505070118040d300b020105020200ff02020100");
    // [MS-WCCE]: a BMPString; then OID and two versions.
    assert_has(&tbs, "06092b060104018237140204141e12005700650062005300650072007600650072");
    assert_has(&tbs, "06092b06010401823715070411300f06032a0304020164020500ffffffff");
    // Critical NULL.
    assert_has(&tbs, "06042a0304050101ff04020500");
    // RFC 9598: the domain in A-labels, the type 1.3.6.1.5.5.7.8.9.
    assert_has(&tbs, "a01d06082b06010505070809a0110c0f6ac3b67267");
    // A network is its address and its mask.
    assert_has(&tbs, "8708c0000200fffffe00");
    // RFC 2985: a PrintableString and an IA5String.
    assert_has(&tbs, "06092a864886f70d010907310b1309");
    assert_has(&tbs, "06092a864886f70d01090231081606");
}

#[test]
fn the_subject_key_identifier_is_sha_1_of_the_bit_string() {
    let asked = spec(json!({ "subject": "CN=a", "extensions": { "subject_key_identifier": true } }));
    let tbs = to_be_signed(&asked, &p256().spki).unwrap();
    // The last 65 bytes of this SubjectPublicKeyInfo are the point.
    let point = &p256().spki[p256().spki.len() - 65..];
    let sha1 = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA1_FOR_LEGACY_USE_ONLY, point);
    assert_has(&tbs, &format!("0603551d0e04160414{}", hex::encode(sha1.as_ref())));
}

#[test]
fn texts_that_are_not_ascii_are_utf8_strings() {
    let spec =
        spec(json!({ "subject": "CN=a", "challenge_password": "pass_wörd", "unstructured_name": "ö" }));
    let tbs = to_be_signed(&spec, &p256().spki).unwrap();
    assert_has(&tbs, "06092a864886f70d010907310c0c0a");
    assert_has(&tbs, "06092a864886f70d01090231040c02c3b6");
    let scheme = p256().kind.default_scheme();
    check(&p256().csr(&spec, scheme), &spec, &p256().spki, scheme).unwrap();
}

#[test]
fn the_challenge_password_is_never_shown() {
    let mut spec = rich_spec();
    assert!(!format!("{spec:?}").contains("swordfish"), "{spec:?}");
    spec.challenge_password = Some(ChallengePassword::new("canary".repeat(50)));
    spec.unstructured_name = Some(String::new());
    let problems: Vec<String> = spec.validate().unwrap_err().iter().map(ToString::to_string).collect();
    assert_eq!(
        problems,
        ["challenge_password: has 300 characters; at most 255 are allowed", "unstructured_name: is empty",]
    );
}

#[test]
fn a_false_a_label_is_refused_by_its_place() {
    let spec = spec(json!({ "sans": ["DNS:a.example", "DNS:xn--a.example"] }));
    let problems: Vec<String> = spec.validate().unwrap_err().iter().map(ToString::to_string).collect();
    assert_eq!(problems, ["sans[1]: `xn--a` begins with xn--, but is no A-label (IDNA 2008, UTS 46)"]);
}

#[test]
fn a_request_is_found_by_both_forms_of_a_domain() {
    let spec = spec(json!({ "subject": "CN=a", "sans": ["DNS:bücher.example"] }));
    assert_eq!(spec.index_names(), ["a", "xn--bcher-kva.example", "bücher.example"]);
}

#[test]
fn what_an_earlier_version_stored_is_read() {
    let json = json!({
        "subject": "CN=a", "sans": ["DNS:xn--a.example"],
        "extensions": { "key_usage": [], "extended_key_usage": [], "basic_constraints": null },
    });
    let stored = spec(json.clone());
    assert_eq!(serde_json::to_value(stored).unwrap(), json);
}
