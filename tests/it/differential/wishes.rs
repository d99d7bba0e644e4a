//! Bodies of `POST /csrs`, drawn from a seed: names, alternative names, extensions, kinds of keys.

use std::net::IpAddr;

use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};
use serde_json::{Value, json};

/// A subject as a list, in the order of the encoding: attribute types and values.
pub type Rdns = Vec<Vec<(String, String)>>;

/// What one CSR shall say.
#[derive(Clone, Debug)]
pub struct Wish {
    pub subject: Rdns,
    pub sans: Vec<String>,
    /// The body; for a key that is there already, `key` is still to be filled in.
    pub body: Value,
}

/// Always the same, so that a failure comes again.
pub fn draw(count: usize) -> Vec<Wish> {
    let rng = TestRng::from_seed(RngAlgorithm::ChaCha, &[3; 32]);
    let mut runner = TestRunner::new_with_rng(Config::default(), rng);
    let strategy = wish();
    (0..count).map(|_| strategy.new_tree(&mut runner).unwrap().current()).collect()
}

fn wish() -> impl Strategy<Value = Wish> {
    let sans = prop::collection::vec(san(), 0..5)
        .prop_filter("each once", |sans| (1..sans.len()).all(|at| !sans[at..].contains(&sans[at - 1])));
    let names = (subject(), sans)
        .prop_filter("names something", |(subject, sans)| !subject.is_empty() || !sans.is_empty());
    (names, key(), extensions()).prop_map(|((subject, sans), mut body, extensions)| {
        let list = |rdn: &Vec<(String, String)>| {
            rdn.iter().map(|(kind, value)| json!({ "type": kind, "value": value })).collect::<Value>()
        };
        body["subject"] = subject.iter().map(list).collect();
        body["sans"] = json!(sans);
        body["extensions"] = extensions;
        Wish { subject, sans, body }
    })
}

/// RSA is slow to make: its CSRs are renewals.
fn key() -> impl Strategy<Value = Value> {
    let new = |kind| json!({ "key": { "kind": kind } });
    prop_oneof![
        5 => Just(new("ec-p256")),
        5 => Just(new("ed25519")),
        2 => Just(new("ec-p384")),
        1 => Just(new("ec-p521")),
        3 => (
            prop::sample::select(vec!["pkcs1", "pss"]),
            prop::sample::select(vec!["sha256", "sha384", "sha512"]),
        )
            .prop_map(|(padding, digest)| json!({ "key": null, "padding": padding, "digest": digest })),
    ]
}

fn subject() -> impl Strategy<Value = Rdns> {
    let rdn = prop::collection::vec(attribute(), 1..4).prop_filter("a type once in an RDN", |rdn| {
        (1..rdn.len()).all(|at| rdn[at..].iter().all(|other| other.0 != rdn[at - 1].0))
    });
    prop::collection::vec(rdn, 0..6)
}

fn attribute() -> impl Strategy<Value = (String, String)> {
    let text = vec![
        "CN",
        "SN",
        "L",
        "ST",
        "STREET",
        "O",
        "OU",
        "title",
        "name",
        "GN",
        "initials",
        "generationQualifier",
        "pseudonym",
        "UID",
        "businessCategory",
        "postalCode",
        "postalAddress",
        "organizationIdentifier",
        "jurisdictionST",
        "jurisdictionL",
        "2.5.4.18",
        "1.3.6.1.4.1.32473.7",
    ];
    prop_oneof![
        6 => (prop::sample::select(text), "[^\\p{C}\\p{Z}]{1,12}|[ -~é]{1,12}|[,+\"\\\\<>;#= ]{1,5}"),
        1 => (prop::sample::select(vec!["C", "jurisdictionC"]), "[A-Z]{2}"),
        1 => (prop::sample::select(vec!["serialNumber", "dnQualifier"]), "[A-Za-z0-9 '()+,./:=?-]{1,12}"),
        1 => (prop::sample::select(vec!["DC", "emailAddress"]), "[ -~]{1,12}"),
    ]
    .prop_map(|(kind, value)| (kind.to_owned(), value))
}

fn san() -> impl Strategy<Value = String> {
    let host = "([a-z0-9]([a-z0-9-]{0,8}[a-z0-9])?\\.){1,3}[a-z]{2,5}";
    let host = || host.prop_filter("no A-label by chance", |host| !host.contains("xn--"));
    let rdn = "(CN|OU|L)=[A-Za-z0-9 ]{0,5}[a-zé]";
    prop_oneof![
        4 => host().prop_map(|host| format!("DNS:{host}")),
        1 => host().prop_map(|host| format!("DNS:*.{host}")),
        1 => ("[a-zéß日]{1,9}ü", host()).prop_map(|(label, host)| format!("DNS:{label}.{host}")),
        2 => any::<IpAddr>().prop_map(|address| format!("IP:{address}")),
        1 => ("[a-zA-Z0-9+_-]{1,9}", host()).prop_map(|(local, host)| format!("email:{local}@{host}")),
        1 => ("[a-zé用]{1,9}ü", host()).prop_map(|(local, host)| format!("email:{local}@{host}")),
        1 => "UPN:[a-zé]{1,9}@[a-z.]{1,9}",
        1 => "RID:1\\.3\\.6\\.1\\.4\\.1\\.32473(\\.[1-9][0-9]{0,4}){1,6}",
        1 => (rdn, rdn).prop_map(|(first, second)| format!("dirName:{first},O=x+{second},C=NL"))
            .prop_filter("a type once in an RDN", |text| !text.contains("O=x+O=")),
        1 => "otherName:1\\.3\\.6\\.1\\.4\\.1\\.32473(\\.[1-9][0-9]{0,4}){1,6};UTF8:[A-Za-zé日]{1,20}",
        1 => "otherName:1\\.3\\.6\\.1\\.4\\.1\\.32473\\.7;DER:(0500|3003020101|0101ff)",
        1 => ("[a-z][a-z0-9+.-]{0,5}", host(), "(/[a-zA-Z0-9._~-]{0,5}){0,3}")
            .prop_map(|(scheme, host, path)| format!("URI:{scheme}://{host}{path}")),
    ]
}

fn extensions() -> impl Strategy<Value = Value> {
    prop::sample::select(vec![
        json!({}),
        json!({ "key_usage": ["digitalSignature"], "extended_key_usage": ["serverAuth", "clientAuth"] }),
        json!({ "tls_features": ["status_request"] }),
        json!({
            "key_usage": ["keyCertSign", "cRLSign"],
            "basic_constraints": { "ca": true, "path_length": 1 },
            "name_constraints": { "permitted": ["DNS:example.com"], "excluded": ["IP:192.0.2.0/24"] },
            "subject_key_identifier": true,
        }),
        json!({
            "certificate_policies": [{ "oid": "1.3.6.1.4.1.32473.1", "cps": ["https://a.example/"], "notice": "é" }],
            "microsoft_template_name": "Web",
            "other": [{ "oid": "1.3.6.1.4.1.32473.2", "critical": true, "value": "0500" }],
        }),
    ])
}
