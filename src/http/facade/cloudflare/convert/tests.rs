use serde_json::json;

use super::*;

fn body() -> Value {
    json!({
        "common_name": "gw.lab.internal", "country": "NL", "state": "Utrecht", "locality": "Amersfoort",
        "organization": "Lab B.V.", "sans": ["gw.lab.internal"],
    })
}

/// Numbers and pointers of what is wrong with the body when these fields are changed; null removes one.
fn wrong(changes: &Value, public_suffix_rules: bool) -> Vec<(u16, String)> {
    let mut body = body();
    for (field, value) in changes.as_object().unwrap() {
        body[field] = value.clone();
    }
    let wrong = wish(body.to_string().as_bytes(), public_suffix_rules).err().unwrap_or_default();
    wrong
        .into_iter()
        .map(|problem| (problem.code, problem.source.map(|at| at.pointer).unwrap_or_default()))
        .collect()
}

#[test]
fn every_field_that_is_wrong_is_told_by_the_vendors_number() {
    let long = "x".repeat(65);
    for (changes, code, pointer) in [
        (json!({ "country": null }), 1405, "/country"),
        (json!({ "country": "" }), 1405, "/country"),
        (json!({ "country": "NLD" }), 1405, "/country"),
        (json!({ "country": 31 }), 1405, "/country"),
        (json!({ "state": null }), 1406, "/state"),
        (json!({ "state": "x".repeat(129) }), 1406, "/state"),
        (json!({ "locality": " " }), 1407, "/locality"),
        (json!({ "organization": null }), 1408, "/organization"),
        (json!({ "organization": long }), 1408, "/organization"),
        (json!({ "organizational_unit": long }), 1400, "/organizational_unit"),
        (json!({ "organizational_unit": ["x"] }), 1400, "/organizational_unit"),
        (json!({ "common_name": null }), 1409, "/common_name"),
        (json!({ "common_name": long }), 1410, "/common_name"),
        (json!({ "sans": null }), 1411, "/sans"),
        (json!({ "sans": [] }), 1411, "/sans"),
        (json!({ "sans": "gw.lab.internal" }), 1411, "/sans"),
        (json!({ "sans": ["a.internal", 5] }), 1412, "/sans/1"),
        (json!({ "sans": ["192.0.2.1"] }), 1412, "/sans/0"),
        (json!({ "sans": ["a.internal", "bücher.internal"] }), 1413, "/sans/1"),
        (json!({ "key_type": "rsa4096" }), 1417, "/key_type"),
        (json!({ "key_type": 5 }), 1417, "/key_type"),
        (json!({ "name": 5 }), 1400, "/name"),
        (json!({ "description": {} }), 1400, "/description"),
    ] {
        assert_eq!(wrong(&changes, false), [(code, pointer.to_owned())], "{changes}");
    }
    let many: Vec<_> = (0..101).map(|n| format!("a{n}.internal")).collect();
    assert_eq!(wrong(&json!({ "sans": many }), false), [(1412, "/sans".to_owned())]);
}

#[test]
fn all_that_is_wrong_is_told_at_once() {
    let problems = wish(b"{\"sans\":[\"a.test\",\"x y\"]}", true).unwrap_err();
    let told: Vec<_> = problems.iter().map(|problem| problem.code).collect();
    assert_eq!(told, [1405, 1406, 1407, 1408, 1409, 1414, 1412]);
}

#[test]
fn what_is_no_object_is_undecodable() {
    for body in ["", "{", "[]", "null", "\"x\"", "{\"a\":1} x"] {
        let problems = wish(body.as_bytes(), false).unwrap_err();
        assert_eq!((problems.len(), problems[0].code), (1, 1400), "{body}");
    }
}

#[test]
fn a_wish_has_the_vendors_order_of_names_and_each_alternative_name_once() {
    let mut body = body();
    body["organizational_unit"] = "Gateways".into();
    body["sans"] = json!(["B.internal", "a.internal", "b.INTERNAL", "B.internal"]);
    body["surprise"] = json!({ "passed": "over" });
    let wish = wish(body.to_string().as_bytes(), false).unwrap();
    assert_eq!(
        wish.spec.subject.to_string(),
        "CN=gw.lab.internal,OU=Gateways,O=Lab B.V.,L=Amersfoort,ST=Utrecht,C=NL"
    );
    assert_eq!(wish.spec.sans.iter().map(San::value).collect::<Vec<_>>(), ["b.internal", "a.internal"]);
    let KeyWish::New { kind, token: None } = wish.key else { panic!("{:?}", wish.key) };
    assert_eq!(kind.unwrap().name(), "rsa-2048");
    assert!(wish.at_once);
    let submitted: Value = serde_json::from_str(&wish.submission.unwrap().document).unwrap();
    assert_eq!(submitted["sans"], body["sans"]);
}

#[test]
fn what_was_submitted_is_kept_as_it_came_null_and_absence_told_apart() {
    let mut body = body();
    body["name"] = "gateway".into();
    body["description"] = Value::Null;
    let submission = wish(body.to_string().as_bytes(), false).unwrap().submission.unwrap();
    assert_eq!(submission.name.as_deref(), Some("gateway"));
    let read: Submitted = serde_json::from_str(&submission.document).unwrap();
    assert_eq!((read.description.clone(), read.organizational_unit.clone()), (Some(None), None));
    assert_eq!(serde_json::to_value(read).unwrap(), body);
}

#[test]
fn an_upload_brings_no_private_key() {
    let id = "019aa5b2-5c3e-7c61-9d3f-0a4a6f2f8e11";
    let told = |body: Value| {
        let problems = upload(body.to_string().as_bytes()).err().unwrap_or_default();
        problems
            .into_iter()
            .map(|problem| (problem.code, problem.source.unwrap().pointer))
            .collect::<Vec<_>>()
    };
    let at = |code, pointer: &str| (code, pointer.to_owned());
    assert_eq!(told(json!({ "certificate": "x", "custom_csr_id": id, "private_key": null })), []);
    assert_eq!(
        told(json!({ "certificate": "x", "custom_csr_id": id, "private_key": "-----BEGIN" })),
        [at(1400, "/private_key")]
    );
    assert_eq!(told(json!({ "custom_csr_id": id })), [at(1400, "/certificate")]);
    assert_eq!(told(json!({ "certificate": "x" })), [at(1400, "/custom_csr_id")]);
    assert_eq!(told(json!({ "certificate": "x", "custom_csr_id": "x" })), [at(1418, "/custom_csr_id")]);
}

#[test]
fn rules_of_templates_are_told_at_the_vendors_fields() {
    let place = |field: &str, rule: &str| {
        let (code, pointer) = place_of(field, Some(rule));
        (code, pointer.unwrap_or_default())
    };
    assert_eq!(place("subject", "subject.c.fixed"), (1405, "/country".to_owned()));
    assert_eq!(place("subject", "subject.cn.pattern"), (1409, "/common_name".to_owned()));
    assert_eq!(place("sans[3]", "sans.dns.pattern"), (1412, "/sans/3".to_owned()));
    assert_eq!(place("key.kind", "key.kinds"), (1417, "/key_type".to_owned()));
    assert_eq!(place("validity_days", "validity.max"), (1400, String::new()));
}
