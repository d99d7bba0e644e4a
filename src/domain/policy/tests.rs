//! Wishes and what they get: tables, one rule at a time and all at once.

mod properties;

use super::super::csr::ChallengePassword;
use super::super::extensions::Extensions;
use super::super::name::Name;
use super::super::san::San;
use super::*;

/// With a rule of every kind; [`wish`] follows them all.
const RULES: &str = r#"
version = 1
name = "t"
token = "main"
[approval]
required = true
[subject]
CN = { required = true, in_sans = true }
O = { fixed = "Example" }
OU = { patterns = ['[a-z]+'], max = 2 }
C = { default = "NL" }
L = { max = 0 }
"1.2.3.5" = { patterns = ['.*'] }
[sans]
min = 1
max = 3
[sans.DNS]
required = true
max = 2
domains = [{ name = "a.example", subdomains = true }]
patterns = ['b[0-9]\.example']
[sans.IP]
networks = ["192.0.2.0/24"]
[sans.URI]
max = 0
[keys]
kinds = ["ec-p256", "rsa-3072"]
schemes = ["ecdsa-sha256", "rsa-pss-sha256", "rsa-pkcs1-sha384"]
[extensions]
allowed = ["tls_features", "1.2.3"]
[extensions.set]
extended_key_usage = ["serverAuth", "clientAuth"]
basic_constraints = { ca = false }
[attributes]
challenge_password = "required"
[validity]
default = 90
min = 7
max = 100
"#;

fn template(text: &str) -> Template {
    Template::from_toml(text).unwrap_or_else(|error| panic!("{text}\n{error}"))
}

fn sans(texts: &[&str]) -> Vec<San> {
    San::parse_list(texts).unwrap()
}

fn wish() -> Wish {
    let spec = CsrSpec {
        subject: "CN=www.a.example".parse().unwrap(),
        sans: sans(&["DNS:www.a.example"]),
        challenge_password: Some(ChallengePassword::new("canary".to_owned())),
        ..CsrSpec::default()
    };
    Wish { spec, ..Wish::default() }
}

fn extensions(json: serde_json::Value) -> Extensions {
    serde_json::from_value(json).unwrap()
}

fn rules(template: &Template, wish: Wish) -> Vec<String> {
    evaluate(template, wish).unwrap_err().into_iter().map(|broken| broken.rule).collect()
}

#[test]
fn a_wish_gets_what_the_template_gives() {
    let mut wish = wish();
    wish.spec.extensions = extensions(serde_json::json!({
        "extended_key_usage": ["clientAuth"], "tls_features": ["status_request"],
    }));
    let got = evaluate(&template(RULES), wish).unwrap();
    assert_eq!(got.spec.subject.to_string(), "CN=www.a.example,O=Example,C=NL");
    let purposes: Vec<String> =
        got.spec.extensions.extended_key_usage.iter().map(ToString::to_string).collect();
    assert_eq!(purposes, ["serverAuth", "clientAuth"]);
    assert!(got.spec.extensions.basic_constraints.is_some());
    assert_eq!(got.spec.extensions.tls_features.len(), 1);
    assert_eq!((got.kind.name(), got.scheme.name()), ("ec-p256", "ecdsa-sha256"));
    assert_eq!((got.token.as_deref(), got.validity_days), (Some("main"), Some(90)));
    assert_eq!(got.approval, Some(Approval { by: Vec::new() }));
}

#[test]
fn what_is_given_stands_where_names_have_it() {
    let template = template(
        "version = 1\nname = \"t\"\nkeys.kinds = [\"ec-p256\"]\n[subject]\nunlisted = \"allowed\"\n\
         C = { fixed = \"NL\" }\nOU = { default = \"u\" }\nemailAddress = { default = \"a@a.example\" }\n",
    );
    for (asked, got) in [
        ("CN=a", "emailAddress=a@a.example,CN=a,OU=u,C=NL"),
        ("CN=a,O=o,DC=x", "emailAddress=a@a.example,CN=a,OU=u,O=o,C=NL,DC=x"),
        ("CN=a+serialNumber=1,OU=v", "emailAddress=a@a.example,CN=a+serialNumber=1,OU=v,C=NL"),
    ] {
        let spec = CsrSpec { subject: asked.parse().unwrap(), ..CsrSpec::default() };
        let got_subject = evaluate(&template, Wish { spec, ..Wish::default() }).unwrap().spec.subject;
        assert_eq!(got_subject.to_string(), got, "{asked}");
    }
}

#[test]
fn a_scheme_is_the_first_allowed_one_that_fits() {
    let template = template(RULES);
    for (kind, digest, padding, chosen) in [
        ("rsa-3072", None, None, Ok("rsa-pss-sha256")),
        ("rsa-3072", None, Some(Padding::Pkcs1), Ok("rsa-pkcs1-sha384")),
        ("rsa-3072", Some(Digest::Sha384), None, Ok("rsa-pkcs1-sha384")),
        ("rsa-3072", Some(Digest::Sha256), Some(Padding::Pkcs1), Err("digest")),
        ("ec-p256", None, Some(Padding::Pss), Err("padding")),
        ("ec-p256", Some(Digest::Sha512), None, Err("digest")),
    ] {
        let key = KeyChoice::New { kind: Some(kind.parse().unwrap()), token: None };
        let got = evaluate(&template, Wish { key, digest, padding, ..wish() });
        match (got, chosen) {
            (Ok(got), Ok(chosen)) => assert_eq!(got.scheme.name(), chosen),
            (Err(broken), Err(field)) => {
                assert_eq!(broken.len(), 1, "{broken:?}");
                assert_eq!((broken[0].rule.as_str(), broken[0].field.as_str()), ("key.scheme", field));
            }
            (got, chosen) => panic!("{kind} {digest:?} {padding:?}: {got:?}, not {chosen:?}"),
        }
    }
}

type Change = fn(&mut Wish);

/// Each breaks one rule; the name of the rule and the field with it.
const ONE_EACH: &[(&str, &str, Change)] = &[
    ("subject.cn.required", "subject", |wish| wish.spec.subject = Name::default()),
    ("subject.cn.in-sans", "subject", |wish| wish.spec.subject = "CN=a.example".parse().unwrap()),
    ("subject.cn.max", "subject", |wish| {
        wish.spec.subject = "CN=www.a.example,CN=www.a.example".parse().unwrap();
    }),
    ("subject.o.fixed", "subject", |wish| wish.spec.subject = "CN=www.a.example,O=o".parse().unwrap()),
    ("subject.ou.pattern", "subject", |wish| wish.spec.subject = "CN=www.a.example,OU=u1".parse().unwrap()),
    ("subject.ou.pattern", "subject", |wish| {
        wish.spec.subject = "CN=www.a.example,OU=u\\ ".parse().unwrap();
    }),
    ("subject.l.refused", "subject", |wish| wish.spec.subject = "CN=www.a.example,L=l".parse().unwrap()),
    ("subject.1.2.3.5.pattern", "subject", |wish| {
        wish.spec.subject = "CN=www.a.example,1.2.3.5=#040100".parse().unwrap();
    }),
    ("subject.1.2.3.4.refused", "subject", |wish| {
        wish.spec.subject = "CN=www.a.example,1.2.3.4=#040100".parse().unwrap();
    }),
    ("san.dns.pattern", "sans[1]", |wish| wish.spec.sans.extend(sans(&["DNS:c.example"]))),
    ("san.dns.pattern", "sans[1]", |wish| wish.spec.sans.extend(sans(&["DNS:xb1.example"]))),
    ("san.dns.max", "sans", |wish| wish.spec.sans.extend(sans(&["DNS:b1.example", "DNS:b2.example"]))),
    ("san.ip.pattern", "sans[1]", |wish| wish.spec.sans.extend(sans(&["IP:192.0.3.1"]))),
    ("san.ip.pattern", "sans[1]", |wish| wish.spec.sans.extend(sans(&["IP:::ffff:192.0.2.1"]))),
    ("san.email.refused", "sans[1]", |wish| wish.spec.sans.extend(sans(&["email:a@a.example"]))),
    ("san.uri.refused", "sans[1]", |wish| wish.spec.sans.extend(sans(&["URI:https://a.example/"]))),
    ("san.count", "sans", |wish| {
        wish.spec.sans.extend(sans(&["IP:192.0.2.1", "IP:192.0.2.2", "IP:192.0.2.3"]));
    }),
    ("extension.set", "extensions.extended_key_usage", |wish| {
        wish.spec.extensions = extensions(serde_json::json!({ "extended_key_usage": ["codeSigning"] }));
    }),
    ("extension.set", "extensions.basic_constraints", |wish| {
        wish.spec.extensions = extensions(serde_json::json!({ "basic_constraints": { "ca": true } }));
    }),
    ("extension.refused", "extensions.key_usage", |wish| {
        wish.spec.extensions = extensions(serde_json::json!({ "key_usage": ["digitalSignature"] }));
    }),
    ("extension.refused", "extensions.other", |wish| {
        wish.spec.extensions =
            extensions(serde_json::json!({ "other": [{ "oid": "1.2.4", "value": "0500" }] }));
    }),
    ("challenge-password.required", "challenge_password", |wish| wish.spec.challenge_password = None),
    ("unstructured-name.refused", "unstructured_name", |wish| wish.spec.unstructured_name = Some("a".into())),
    ("key.kind", "key.kind", |wish| {
        wish.key = KeyChoice::New { kind: Some("ec-p384".parse().unwrap()), token: None };
    }),
    ("key.token", "key.token", |wish| {
        wish.key = KeyChoice::New { kind: None, token: Some("other".to_owned()) };
    }),
    ("key.reuse", "key.handle", |wish| {
        wish.key = KeyChoice::Existing { kind: "ec-p256".parse().unwrap(), token: "main".to_owned() };
    }),
    ("key.scheme", "digest", |wish| wish.digest = Some(Digest::Sha512)),
    ("validity.too-short", "validity_days", |wish| wish.validity_days = Some(6)),
    ("validity.too-long", "validity_days", |wish| wish.validity_days = Some(101)),
    ("csr.invalid", "sans[1]", |wish| wish.spec.sans.extend(sans(&["DNS:www.a.example"]))),
];

#[test]
fn a_broken_rule_is_told_by_its_name_and_field() {
    let template = template(RULES);
    evaluate(&template, wish()).unwrap();
    for (rule, field, change) in ONE_EACH {
        let mut wish = wish();
        change(&mut wish);
        let broken = evaluate(&template, wish).unwrap_err();
        assert_eq!(broken.len(), 1, "{rule}: {broken:?}");
        assert_eq!((broken[0].rule.as_str(), broken[0].field.as_str()), (*rule, *field), "{broken:?}");
    }
}

#[test]
fn the_bounds_themselves_are_allowed() {
    let template = template(RULES);
    let mut most = wish();
    most.spec.subject = "CN=WWW.a.example,OU=u,OU=v,O=Example,C=BE".parse().unwrap();
    most.spec.sans = sans(&["DNS:www.a.example", "DNS:b1.example", "IP:192.0.2.255"]);
    for days in [7, 100] {
        evaluate(&template, Wish { validity_days: Some(days), ..most.clone() }).unwrap();
    }
}

#[test]
fn every_broken_rule_is_told_at_once() {
    let mut wish = wish();
    wish.spec.subject = "O=o,OU=1,OU=2,L=l,UID=u".parse().unwrap();
    wish.spec.sans = sans(&["email:a@a.example", "IP:10.0.0.1", "IP:192.0.2.1", "IP:192.0.2.2"]);
    wish.spec.extensions =
        extensions(serde_json::json!({ "key_usage": ["cRLSign"], "extended_key_usage": ["1.2.3"] }));
    wish.spec.challenge_password = None;
    wish.spec.unstructured_name = Some("a".to_owned());
    wish.key = KeyChoice::Existing { kind: "ed25519".parse().unwrap(), token: "other".to_owned() };
    wish.validity_days = Some(1000);
    assert_eq!(
        rules(&template(RULES), wish),
        [
            "subject.cn.required",
            "subject.l.refused",
            "subject.o.fixed",
            "subject.ou.pattern",
            "subject.ou.pattern",
            "subject.uid.refused",
            "san.email.refused",
            "san.ip.pattern",
            "san.dns.required",
            "san.count",
            "extension.refused",
            "extension.set",
            "challenge-password.required",
            "unstructured-name.refused",
            "key.reuse",
            "key.kind",
            "key.token",
            "validity.too-long",
        ]
    );
}

#[test]
fn the_rules_that_rest_on_another_template_are_told_too() {
    let text = RULES.replace("challenge_password = \"required\"", "unstructured_name = \"required\"");
    assert_eq!(rules(&template(&text), wish()), ["challenge-password.refused", "unstructured-name.required"]);
    assert_eq!(rules(&template(&RULES.replace("min = 1\n", "min = 2\n")), wish()), ["san.count"]);
    let open = RULES
        .replace("allowed = [\"tls_features\", \"1.2.3\"]", "unlisted = \"allowed\"\nrefused = [\"1.2.3\"]");
    let mut asked = wish();
    asked.spec.extensions = extensions(serde_json::json!({
        "key_usage": ["digitalSignature"], "other": [{ "oid": "1.2.3", "value": "0500" }],
    }));
    assert_eq!(rules(&template(&open), asked), ["extension.refused"]);
}

#[test]
fn what_the_key_cannot_do_is_refused_for_this_kind_of_key_only() {
    let open = RULES.replace("allowed = [\"tls_features\", \"1.2.3\"]", "unlisted = \"allowed\"");
    let mut asked = wish();
    asked.spec.extensions = extensions(serde_json::json!({ "key_usage": ["keyEncipherment"] }));
    assert_eq!(rules(&template(&open), asked.clone()), ["csr.invalid"]);
    asked.key = KeyChoice::New { kind: Some("rsa-3072".parse().unwrap()), token: None };
    evaluate(&template(&open), asked).unwrap();
}

#[test]
fn a_secret_is_in_no_message() {
    let text = RULES.replace("\"required\"", "\"refused\"");
    let mut long = wish();
    long.spec.challenge_password = Some(ChallengePassword::new("canary".repeat(100)));
    for wish in [wish(), long] {
        let broken = evaluate(&template(&text), wish).unwrap_err();
        assert!(!broken.is_empty() && !format!("{broken:?}").contains("canary"), "{broken:?}");
    }
}

/// Every name of a rule stands in the documentation.
#[test]
fn every_rule_is_documented() {
    let documented = include_str!("../../../docs/templates.md");
    for (rule, ..) in ONE_EACH {
        let general: String = match rule.split('.').collect::<Vec<_>>().as_slice() {
            ["subject", .., last] => format!("subject.TYPE.{last}"),
            ["san", _, last] => format!("san.KIND.{last}"),
            _ => (*rule).to_owned(),
        };
        assert!(documented.contains(&format!("`{general}`")), "{general}");
    }
}
