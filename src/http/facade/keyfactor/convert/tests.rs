use serde_json::json;

use super::*;
use crate::domain::algorithm::KeyKind;

fn settings(templates: &[(&str, &str)]) -> Settings {
    let pair = |(name, template): &(&str, &str)| ((*name).to_owned(), (*template).to_owned());
    Settings {
        tenants: vec!["default".to_owned()],
        templates: templates.iter().map(pair).collect(),
        enrollment_patterns: [(7, "by-pattern".to_owned())].into(),
    }
}

fn asked(body: serde_json::Value, settings: &Settings) -> Result<Wanted, String> {
    let told = |wrong: Vec<Invalid>| wrong.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ");
    wanted(wire::document(body).unwrap(), settings).map_err(told)
}

#[test]
fn a_body_becomes_a_wish_that_is_answered_at_once() {
    let body = json!({
        "Subject": "CN=gw.lab.example,O=Lab\\, Inc.,C=NL", "KeyType": "ECC", "KeyLength": 384,
        "SANs": { "dns": ["gw.lab.example"], "ip4": ["10.1.2.3"] }, "AlternativeKeyType": "", "AlternativeKeyLength": 0,
    });
    let Wanted { wish, places } = asked(body, &settings(&[])).unwrap();
    assert_eq!(wish.spec.subject.to_string(), "CN=gw.lab.example,O=Lab\\, Inc.,C=NL");
    assert_eq!(wish.spec.sans, ["DNS:gw.lab.example".parse().unwrap(), "IP:10.1.2.3".parse().unwrap()]);
    assert!(matches!(wish.key, KeyWish::New { kind: Some(kind), token: None } if kind.name() == "ec-p384"));
    assert!(wish.at_once && wish.template.is_none());
    assert_eq!(places.of("sans[1]"), "SANs.ip4[0]");
    assert_eq!(places.of("subject"), "Subject");
    assert_eq!(places.of("sans[9]"), "sans[9]");
}

#[test]
fn every_wrong_field_is_told_at_once() {
    let body = json!({
        "Subject": "CN=a,nonsense", "KeyType": "RSA", "SANs": { "x400": ["a"], "ip6": ["10.0.0.1"] },
        "AlternativeKeyType": "ML-DSA-44", "AlternativeKeyLength": 1, "AlternativeCurve": "1.2", "Template": "T",
    });
    let told = asked(body, &settings(&[("Known", "known")])).unwrap_err();
    for field in [
        "Subject: at position ",
        "KeyLength: is required for RSA",
        "AlternativeKeyType: a CSR has one key here",
        "AlternativeKeyLength: ",
        "AlternativeCurve: ",
        "SANs.x400[0]: ",
        "SANs.ip6[0]: ",
        "Template: is not known; known are Known",
    ] {
        assert!(told.contains(field), "{field}: {told}");
    }
    assert!(
        asked(json!({ "KeyType": "ECC" }), &settings(&[])).unwrap_err().starts_with("Subject: is required")
    );
}

#[test]
fn a_pattern_wins_over_a_template_and_a_template_is_one_of_the_map_or_ours() {
    let template = |body: serde_json::Value, map: &[(&str, &str)]| {
        let mut all = json!({ "Subject": "CN=a", "KeyType": "ECC" });
        all.as_object_mut().unwrap().extend(body.as_object().unwrap().clone());
        asked(all, &settings(map)).map(|wanted| (wanted.wish.template, wanted.places.of("template")))
    };
    let found = |name: &str, field: &str| Ok((Some(name.to_owned()), field.to_owned()));
    let map = [("WebServer", "tls-server")];
    assert_eq!(template(json!({ "Template": "WebServer" }), &map), found("tls-server", "Template"));
    assert!(template(json!({ "Template": "tls-server" }), &map).is_err());
    assert_eq!(template(json!({ "Template": "tls-server" }), &[]), found("tls-server", "Template"));
    let both = json!({ "Template": "Unknown", "EnrollmentPatternId": 7 });
    assert_eq!(template(both, &map), found("by-pattern", "EnrollmentPatternId"));
    let unknown = template(json!({ "Template": "WebServer", "EnrollmentPatternId": 8 }), &map).unwrap_err();
    assert!(unknown.starts_with("EnrollmentPatternId: there is no pattern 8"), "{unknown}");
    assert_eq!(template(json!({ "EnrollmentPatternId": 0 }), &map).unwrap().0, None);
}

#[test]
fn what_a_use_case_refuses_is_told_by_the_vendors_fields() {
    let places = Places { sans: vec!["SANs.dns[0]".to_owned()], template: "EnrollmentPatternId" };
    let broken = ["sans[0]", "subject", "key.kind", "template"].map(|field| Invalid::new(field, "no"));
    let failure = in_vendor_words(app::Error::refused("policy.refused", broken.to_vec()), &places);
    assert_eq!(failure.detail(), "SANs.dns[0]: no; Subject: no; KeyType: no; EnrollmentPatternId: no");
    let kind = app::Error::new(app::Kind::Refused, "key.kind-not-offered", "the token does not offer it");
    assert_eq!(in_vendor_words(kind, &places).detail(), "KeyType: the token does not offer it");
    let other = app::Error::new(app::Kind::Unavailable, "hsm.unavailable", "later");
    assert!(in_vendor_words(other, &places).retry_after().is_some());
}

#[test]
fn lengths_are_as_the_vendor_counts_them() {
    let lengths: Vec<_> = KeyKind::all().map(key::length).collect();
    assert_eq!(lengths, [2048, 3072, 4096, 6144, 8192, 256, 384, 521, 255]);
}
