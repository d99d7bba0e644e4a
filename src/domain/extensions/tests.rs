//! Extensions: read and written by their names, every broken rule told.

use proptest::prelude::*;

use super::super::name::tests::any_name;
use super::*;

fn any_oid() -> impl Strategy<Value = String> {
    "1\\.3(\\.(0|[1-9][0-9]{0,4})){1,6}"
}

fn any_subtree() -> impl Strategy<Value = Subtree> {
    let host = "[a-z]{1,5}(\\.[a-z]{2,5}){0,2}";
    prop_oneof![
        host.prop_map(|host| format!("DNS:{host}")),
        Just("DNS:".to_owned()),
        ("(email|URI)", "\\.?", host).prop_map(|(kind, dot, host)| format!("{kind}:{dot}{host}")),
        host.prop_map(|host| format!("email:a@{host}")),
        (any::<u32>(), 0..=32_u32).prop_map(|(address, bits)| {
            let mask = u32::MAX.checked_shl(32 - bits).unwrap_or(0);
            format!("IP:{}/{bits}", std::net::Ipv4Addr::from(address & mask))
        }),
        (any::<u128>(), 0..=128_u32).prop_map(|(address, bits)| {
            let mask = u128::MAX.checked_shl(128 - bits).unwrap_or(0);
            format!("IP:{}/{bits}", std::net::Ipv6Addr::from(address & mask))
        }),
        any_name()
            .prop_filter("not empty", |name| !name.is_empty())
            .prop_map(|name| format!("dirName:{name}")),
    ]
    .prop_map(|text| text.parse().unwrap())
}

fn any_policy() -> impl Strategy<Value = CertificatePolicy> {
    let cps = prop::collection::vec("https://[a-z]{1,9}/[a-z]{0,9}", 0..3);
    (any_oid(), cps, prop::option::of("[^\\p{Cc}]{1,200}")).prop_map(|(oid, cps, notice)| CertificatePolicy {
        oid: oid.parse().unwrap(),
        cps,
        notice,
    })
}

fn any_identifier() -> impl Strategy<Value = SubjectKeyIdentifier> {
    prop_oneof![
        Just(SubjectKeyIdentifier::Sha1),
        prop::collection::vec(any::<u8>(), 1..64).prop_map(SubjectKeyIdentifier::Given),
    ]
}

fn any_template() -> impl Strategy<Value = MicrosoftTemplate> {
    let versions = prop::option::of((any::<u32>(), prop::option::of(any::<u32>())));
    (any_oid(), versions).prop_map(|(oid, versions)| MicrosoftTemplate {
        oid: oid.parse().unwrap(),
        major: versions.map(|(major, _)| major),
        minor: versions.and_then(|(_, minor)| minor),
    })
}

fn any_other() -> impl Strategy<Value = OtherExtension> {
    let value = prop::sample::select(vec!["0500", "0c0161", "3006020101020102", "a003020105", "04820000"]);
    (any_oid(), any::<bool>(), value.prop_filter_map("DER", |value| value.parse().ok()))
        .prop_map(|(oid, critical, value)| OtherExtension { oid: oid.parse().unwrap(), critical, value })
}

fn any_usage() -> impl Strategy<Value = (Vec<KeyUsageBit>, Vec<ExtendedKeyUsage>)> {
    let bits = vec![
        KeyUsageBit::DigitalSignature,
        KeyUsageBit::NonRepudiation,
        KeyUsageBit::KeyEncipherment,
        KeyUsageBit::DataEncipherment,
        KeyUsageBit::KeyAgreement,
        KeyUsageBit::KeyCertSign,
        KeyUsageBit::CrlSign,
        KeyUsageBit::EncipherOnly,
        KeyUsageBit::DecipherOnly,
    ];
    let purposes =
        ["serverAuth", "clientAuth", "codeSigning", "emailProtection", "timeStamping", "OCSPSigning"];
    let purposes = purposes.iter().chain(&["2.5.29.37.0", "1.3.6.1.4.1.311.20.2.2"]);
    let purposes: Vec<ExtendedKeyUsage> = purposes.map(|purpose| purpose.parse().unwrap()).collect();
    (prop::sample::subsequence(bits, 0..=9), prop::sample::subsequence(purposes, 0..=8))
}

/// Extensions of every kind, not all of them valid together.
pub(in crate::domain) fn any_extensions() -> impl Strategy<Value = Extensions> {
    let basic = prop::option::of((any::<bool>(), any::<Option<u8>>()));
    let subtrees = || prop::collection::vec(any_subtree(), 0..3);
    let constraints = prop::option::weighted(0.3, (subtrees(), subtrees()));
    let features = prop::collection::vec(any::<u16>().prop_map(|n| n.to_string().parse().unwrap()), 0..2);
    (
        (any_usage(), basic, constraints),
        prop::collection::vec(any_policy(), 0..3),
        prop::option::of(any_identifier()),
        features,
        prop::option::of("[a-zA-Z0-9é日]{1,64}"),
        prop::option::of(any_template()),
        prop::collection::vec(any_other(), 0..3),
    )
        .prop_map(
            |((usage, basic, constraints), policies, identifier, features, name, template, other)| {
                Extensions {
                    key_usage: usage.0,
                    extended_key_usage: usage.1,
                    basic_constraints: basic.map(|(ca, path_length)| BasicConstraints { ca, path_length }),
                    certificate_policies: policies,
                    name_constraints: constraints
                        .map(|(permitted, excluded)| NameConstraints { permitted, excluded }),
                    subject_key_identifier: identifier,
                    tls_features: features,
                    microsoft_template_name: name,
                    microsoft_template: template,
                    other,
                }
            },
        )
}

proptest! {
    #[test]
    fn what_is_printed_of_a_subtree_is_read_again(subtree in any_subtree()) {
        prop_assert_eq!(subtree.to_string().parse::<Subtree>().unwrap(), subtree);
    }

    #[test]
    fn no_text_makes_a_subtree_panic(text in "(DNS:|IP:|email:|URI:|dirName:)?([a-z]{1,3}|[0-9]{1,3}|[@:/.=,-]|\\PC){0,15}") {
        if let Ok(subtree) = text.parse::<Subtree>() {
            prop_assert_eq!(subtree.to_string().parse::<Subtree>().unwrap(), subtree);
        }
    }
}

fn read(json: serde_json::Value) -> Result<Extensions, serde_json::Error> {
    serde_json::from_value(json)
}

#[test]
fn reads_and_writes_the_names_of_rfc_5280() {
    let json = serde_json::json!({
        "key_usage": ["digitalSignature", "nonRepudiation", "keyEncipherment", "dataEncipherment",
            "keyAgreement", "keyCertSign", "cRLSign", "encipherOnly", "decipherOnly"],
        "extended_key_usage": ["serverAuth", "clientAuth", "codeSigning", "emailProtection",
            "timeStamping", "OCSPSigning", "1.3.6.1.4.1.311.20.2.2"],
        "basic_constraints": { "ca": true, "path_length": 0 },
    });
    let extensions = read(json.clone()).unwrap();
    assert_eq!(extensions.problems(), []);
    assert_eq!(serde_json::to_value(&extensions).unwrap(), json);
}

#[test]
fn other_spellings_mean_the_same() {
    let extensions = read(serde_json::json!({
        "key_usage": ["contentCommitment"],
        "extended_key_usage": ["1.3.6.1.5.5.7.3.1"],
    }))
    .unwrap();
    assert_eq!(extensions.key_usage, [KeyUsageBit::NonRepudiation]);
    assert_eq!(extensions.extended_key_usage[0].to_string(), "serverAuth");
}

#[test]
fn unknown_names_and_fields_are_refused() {
    for json in [
        serde_json::json!({ "key_usage": ["DigitalSignature"] }),
        serde_json::json!({ "extended_key_usage": ["serverauth"] }),
        serde_json::json!({ "extended_key_usage": ["1.3."] }),
        serde_json::json!({ "keyUsage": [] }),
        serde_json::json!({ "basic_constraints": { "ca": true, "pathLength": 1 } }),
        serde_json::json!({ "basic_constraints": {} }),
    ] {
        assert!(read(json.clone()).is_err(), "{json}");
    }
}

#[test]
fn every_broken_rule_is_told() {
    let extensions = read(serde_json::json!({
        "key_usage": ["keyCertSign", "encipherOnly", "keyCertSign"],
        "extended_key_usage": ["serverAuth", "1.3.6.1.5.5.7.3.1"],
        "basic_constraints": { "ca": false, "path_length": 1 },
    }))
    .unwrap();
    let problems: Vec<String> = extensions.problems().iter().map(ToString::to_string).collect();
    assert_eq!(
        problems,
        [
            "extensions.key_usage[2]: keyCertSign is there twice",
            "extensions.extended_key_usage[1]: serverAuth is there twice",
            "extensions.key_usage: keyCertSign needs basic_constraints with ca = true (RFC 5280 section \
             4.2.1.9)",
            "extensions.key_usage: encipherOnly and decipherOnly need keyAgreement (RFC 5280 section \
             4.2.1.3)",
            "extensions.basic_constraints.path_length: a path length needs ca = true (RFC 5280 section \
             4.2.1.9)",
        ]
    );
}

#[test]
fn what_an_earlier_version_stored_is_read() {
    let json = serde_json::json!({
        "key_usage": ["digitalSignature"], "extended_key_usage": [], "basic_constraints": null,
    });
    let extensions = read(json.clone()).unwrap();
    assert_eq!(extensions.key_usage, [KeyUsageBit::DigitalSignature]);
    // And a specification without the new extensions is stored as before.
    assert_eq!(serde_json::to_value(&extensions).unwrap(), json);
}

#[test]
fn the_other_extensions_are_stored_as_they_are_asked_for() {
    let json = serde_json::json!({
        "key_usage": [], "extended_key_usage": [],
        "basic_constraints": { "ca": true },
        "certificate_policies": [
            { "oid": "2.23.140.1.2.1" },
            { "oid": "1.2.3", "cps": ["https://a.example/cps"], "notice": "é" },
        ],
        "name_constraints": {
            "permitted": ["DNS:example.com", "IP:192.0.2.0/24", "dirName:O=b,C=nl"],
            "excluded": ["email:.example.com", "email:a@example.com", "URI:b.example", "IP:2001:db8::/32", "DNS:"],
        },
        "subject_key_identifier": true,
        "tls_features": ["status_request", "status_request_v2", "7"],
        "microsoft_template_name": "WebServer",
        "microsoft_template": { "oid": "1.2.3", "major": 100, "minor": 7 },
        "other": [{ "oid": "1.2.3.4", "critical": true, "value": "0500" }],
    });
    let extensions = read(json.clone()).unwrap();
    assert_eq!(extensions.problems(), []);
    assert_eq!(serde_json::to_value(&extensions).unwrap(), json);
    let given = read(serde_json::json!({ "subject_key_identifier": "0A:0b" })).unwrap();
    assert_eq!(given.subject_key_identifier, Some(SubjectKeyIdentifier::Given(vec![10, 11])));
}

#[test]
fn a_subtree_that_constrains_nothing_sensible_is_refused() {
    for (text, reason) in [
        ("example.com", "a subtree begins with"),
        ("UPN:a@b", "a subtree begins with"),
        ("DNS:.example.com", "without the dot"),
        ("DNS:a_b", "`_` is not allowed"),
        ("DNS:*.example.com", "`*` is allowed as the whole left-most label only"),
        ("IP:192.0.2.1", "is no network"),
        ("IP:192.0.2.0/33", "is no network"),
        ("IP:2001:db8::/129", "is no network"),
        ("IP:192.0.2.1/24", "has bits behind the first 24"),
        ("IP:2001:db8::1/32", "has bits behind the first 32"),
        ("email:", "the host name is empty"),
        ("email:@example.com", "before the `@`"),
        ("email:jö@example.com", "only ASCII may stand before the `@`"),
        ("URI:https://a.example", "`:` is not allowed"),
        ("dirName:", "the name is empty"),
        ("dirName:XX=a", "`XX` is no known attribute type"),
    ] {
        let error = text.parse::<Subtree>().expect_err(text);
        assert_eq!(error.field, "extensions.name_constraints", "{text}");
        assert!(error.reason.starts_with(reason), "{text}: {error}");
    }
}

#[test]
fn every_broken_rule_of_the_other_extensions_is_told() {
    let long = "x".repeat(201);
    let extensions = read(serde_json::json!({
        "certificate_policies": [
            { "oid": "1.2.3", "cps": ["https://a.example", "a.example/cps"], "notice": long },
            { "oid": "1.2.3", "notice": "" },
        ],
        "name_constraints": {},
        "subject_key_identifier": "",
        "tls_features": ["status_request", "5"],
        "microsoft_template_name": "🔑",
        "microsoft_template": { "oid": "1.2.3", "minor": 7 },
        "other": [
            { "oid": "2.5.29.17", "value": "3000" },
            { "oid": "1.2.3", "value": "0500" },
            { "oid": "1.2.3", "value": "0500" },
        ],
    }))
    .unwrap();
    let problems: Vec<String> = extensions.problems().iter().map(ToString::to_string).collect();
    assert_eq!(
        problems,
        [
            "extensions.certificate_policies[0].cps[1]: at position 0: a URI begins with a scheme, such as https:",
            "extensions.certificate_policies[0].notice: has 201 characters; at most 200 are allowed",
            "extensions.certificate_policies[1].oid: 1.2.3 is there twice",
            "extensions.certificate_policies[1].notice: is empty",
            "extensions.name_constraints: need basic_constraints with ca = true (RFC 5280 section 4.2.1.10)",
            "extensions.name_constraints: permit and exclude nothing",
            "extensions.subject_key_identifier: has 0 bytes; 1 to 64 are allowed",
            "extensions.tls_features[1]: status_request is there twice",
            "extensions.microsoft_template_name: has `🔑`, which a BMPString cannot hold",
            "extensions.microsoft_template.minor: needs a major version",
            "extensions.other[0].oid: 2.5.29.17 is asked for by `sans`",
            "extensions.other[2].oid: 1.2.3 is there twice",
        ]
    );
}

#[test]
fn malformed_parts_cannot_be_read() {
    for json in [
        serde_json::json!({ "certificate_policies": [{ "oid": "1." }] }),
        serde_json::json!({ "certificate_policies": ["1.2.3"] }),
        serde_json::json!({ "name_constraints": { "permitted": ["x"] } }),
        serde_json::json!({ "subject_key_identifier": false }),
        serde_json::json!({ "subject_key_identifier": "0" }),
        serde_json::json!({ "tls_features": ["must-staple"] }),
        serde_json::json!({ "tls_features": ["65536"] }),
        serde_json::json!({ "microsoft_template": { "oid": "1.2.3", "major": -1 } }),
        serde_json::json!({ "other": [{ "oid": "1.2.3", "value": "05" }] }),
    ] {
        assert!(read(json.clone()).is_err(), "{json}");
    }
}

#[test]
fn a_key_cannot_have_usages_that_its_algorithm_has_not() {
    use KeyUsageBit::*;
    let every = [
        DigitalSignature,
        NonRepudiation,
        KeyEncipherment,
        DataEncipherment,
        KeyAgreement,
        KeyCertSign,
        CrlSign,
        EncipherOnly,
        DecipherOnly,
    ];
    let extensions = Extensions { key_usage: every.to_vec(), ..Extensions::default() };
    for (family, unfit) in [
        (KeyFamily::Rsa, &[4, 7, 8][..]),
        (KeyFamily::RsaPss, &[2, 3, 4, 7, 8]),
        (KeyFamily::Ec, &[2, 3]),
        (KeyFamily::Edwards, &[2, 3, 4, 7, 8]),
        (KeyFamily::PostQuantumSignature, &[2, 3, 4, 7, 8]),
        (KeyFamily::KeyAgreement, &[]),
        (KeyFamily::Other, &[]),
    ] {
        let found = extensions.problems_with(family).into_iter().map(|invalid| invalid.field);
        let unfit: Vec<String> = unfit.iter().map(|at| format!("extensions.key_usage[{at}]")).collect();
        assert_eq!(found.collect::<Vec<_>>(), unfit, "{family:?}");
    }
    let reason = Extensions { key_usage: vec![KeyEncipherment], ..Extensions::default() }
        .problems_with(KeyFamily::Ec)
        .remove(0)
        .reason;
    assert_eq!(reason, "an EC key cannot be used for keyEncipherment (RFC 8813 section 3); leave it out");
}
