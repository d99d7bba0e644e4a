//! What is refused, as other clients than the vendor's would run into it.

use serde_json::{Value, json};

use super::{ACCOUNT, ZONE, body, call, hire, refused, switch_on};
use crate::harness::{Appliance, Service};
use crate::ledger::audit_of;

const CSRS: &str = "/accounts/023e105f4ecef8ad9ca31a8372d0c353/custom_csrs";

#[test]
fn a_body_that_cannot_be_read_is_refused_in_the_vendors_envelope() {
    let appliance = Appliance::new();
    switch_on(&appliance, "");
    let service = appliance.start_ready();
    let people = hire(&appliance, &service);
    let bearer = format!("Bearer {}", people.requester);
    let send = |bytes: &[u8]| {
        let headers = [("authorization", bearer.as_str()), ("content-type", "application/json")];
        service.request("POST", &format!("//client/v4{CSRS}"), &headers, Some(bytes))
    };
    for bytes in [&b""[..], b"{", b"[]", b"null", b"\"x\"", b"{} {}", b"\xff\xfe", &b"[".repeat(500)] {
        assert_eq!(refused(send(bytes), 400), [1400], "{}", String::from_utf8_lossy(bytes));
    }
    assert_eq!(refused(send(b"{}"), 400), [1405, 1406, 1407, 1408, 1409, 1411]);
    let large = format!("{{\"name\":\"{}\"}}", "x".repeat(70_000));
    assert_eq!(refused(send(large.as_bytes()), 413), [1400]);

    // Whatever its type is said to be, and whatever else stands in it.
    let mut more = body("a.lab.internal");
    more["certificate_authority"] = json!({ "new": ["field"] });
    let headers = [("content-type", "text/plain"), ("idempotency-key", "same"), ("strongroom-tenant", "lab")];
    for _ in 0..2 {
        let made = call(&service, &people.requester, "POST", CSRS, &headers, Some(&more)).expect(201).json();
        assert_eq!(made["result"].get("certificate_authority"), None);
    }
    let listed = call(&service, &people.requester, "GET", CSRS, &[], None).expect(200).json();
    assert_eq!(listed["result_info"]["total_count"], 2, "Idempotency-Key means nothing here");
}

#[test]
fn paths_and_methods_that_are_not_there_are_refused_in_the_vendors_envelope() {
    let appliance = Appliance::new();
    switch_on(&appliance, "");
    let service = appliance.start();
    let people = hire(&appliance, &service);
    let ask = |method: &str, path: &str| call(&service, &people.requester, method, path, &[], None);
    for path in
        ["/user", "/users/1/custom_csrs", "/accounts", "/accounts/1/custom_hostnames", "/openapi.json/x"]
    {
        assert_eq!(refused(ask("GET", path), 404), [7003], "{path}");
    }
    assert_eq!(refused(ask("GET", &format!("{CSRS}/")), 404), [7003]);
    for scope in ["accounts", "zones"] {
        assert_eq!(refused(ask("GET", &format!("/{scope}//custom_csrs")), 400), [1401]);
    }
    for method in ["PUT", "PATCH", "DELETE", "OPTIONS"] {
        assert_eq!(refused(ask(method, CSRS), 405), [10405], "{method}");
    }
    for method in ["PUT", "PATCH", "POST"] {
        assert_eq!(refused(ask(method, &format!("{CSRS}/x")), 405), [10405], "{method}");
    }
    for id in ["x", "%FF", "..", "%2e%2e%2f", &"a".repeat(300)] {
        let refusal = ask("GET", &format!("{CSRS}/{id}"));
        assert!(refusal.status == 400 || refusal.status == 404, "{id}: {refusal:?}");
    }
    assert_eq!(refused(ask("GET", &format!("{CSRS}/%FF")), 400), [1418]);
    let head = ask("HEAD", CSRS).expect(200);
    assert!(head.bytes.is_empty() && head.header("content-type") == Some("application/json"), "{head:?}");
    // What is not the vendor's stays native.
    service.get("//client/v3/accounts").problem(404, "route.unknown");
}

#[test]
fn a_surface_that_is_off_is_not_there() {
    let appliance = Appliance::new();
    let service = appliance.start();
    service.get(&format!("//client/v4{CSRS}")).problem(404, "route.unknown");
}

#[test]
fn missing_and_wrong_credentials_are_told_apart_and_are_on_record() {
    let appliance = Appliance::new();
    switch_on(&appliance, "");
    let service = appliance.start();
    hire(&appliance, &service);
    let path = format!("//client/v4{CSRS}");
    let ask = |headers: &[(&str, &str)]| service.request("GET", &path, headers, None);
    let nothing = ("authorization", "");
    assert_eq!(refused(ask(&[nothing]), 400), [1402]);
    assert_eq!(refused(ask(&[nothing, ("x-auth-key", "k")]), 400), [6003]);
    let half = ask(&[nothing, ("x-auth-email", "a@b")]).json();
    assert_eq!(half["errors"][0]["error_chain"][0]["code"], 6103, "{half:#}");
    assert_eq!(refused(ask(&[nothing, ("x-auth-email", "a@b"), ("x-auth-key", "k")]), 401), [10000]);
    assert_eq!(refused(ask(&[("authorization", "Basic YTpi")]), 401), [1000]);
    let wrong = ask(&[("authorization", "Bearer srk_wrong")]);
    assert!(wrong.header("www-authenticate").is_some());
    assert_eq!(refused(wrong, 401), [1003]);
    let actions: Vec<_> = audit_of(&appliance).into_iter().map(|record| format!("{record:?}")).collect();
    let refused = actions.iter().filter(|record| record.contains("GET /client/v4/{scope}/{id}/custom_csrs"));
    assert!(refused.count() >= 1, "{actions:#?}");
}

#[test]
fn names_that_no_public_ca_certifies_are_refused_where_the_switch_says_so() {
    let appliance = Appliance::new();
    let more = "[facades.cloudflare]";
    switch_on(&appliance, "");
    let text = std::fs::read_to_string(appliance.path("strongroom.toml")).unwrap();
    appliance.write_private(
        "strongroom.toml",
        &text.replace(more, &format!("{more}\npublic_suffix_rules = true")),
    );
    let service = appliance.start_ready();
    let people = hire(&appliance, &service);
    let mut asked = body("gw.lab.internal");
    asked["sans"] = json!(["a.test", "co.uk", "gw.lab.internal", "www.example.com", "www.cloudflare.com"]);
    let reply = call(&service, &people.requester, "POST", CSRS, &[], Some(&asked)).expect(400).json();
    let told: Vec<_> = reply["errors"]
        .as_array()
        .unwrap()
        .iter()
        .map(|error| (&error["code"], &error["source"]["pointer"]))
        .collect();
    let expected = [(1414, "/sans/0"), (1415, "/sans/1"), (1415, "/sans/2"), (1416, "/sans/3")];
    let expected: Vec<_> = expected.map(|(code, at)| (json!(code), json!(at))).into();
    assert_eq!(told, expected.iter().map(|(code, at)| (code, at)).collect::<Vec<_>>());
    asked["sans"] = json!(["www.cloudflare.com"]);
    call(&service, &people.requester, "POST", CSRS, &[], Some(&asked)).expect(201);
}

#[test]
fn a_template_that_needs_an_approval_or_allows_less_is_told_at_once() {
    let appliance = Appliance::new();
    std::fs::create_dir(appliance.path("templates")).unwrap();
    let strict = "version = 1\nname = \"strict\"\nkeys.kinds = [\"ec-p256\"]\n[subject]\nO = { fixed = \"Shop\" }\n\
                  C = {}\nST = {}\nL = {}\nCN = {}\n[sans.DNS]\npatterns = ['.*\\.shop\\.internal']\n";
    let approved = "version = 1\nname = \"approved\"\nkeys.kinds = [\"ec-p256\"]\n[subject]\n\
                    O = {}\nC = {}\nST = {}\nL = {}\nCN = {}\n[sans.DNS]\n[approval]\nrequired = true\n";
    appliance.write_private("templates/strict.toml", strict);
    appliance.write_private("templates/approved.toml", approved);
    let more = "[templates]\ndir = \"templates\"\n[templates.default_template]\nlab = \"strict\"\nlab-zone = \"approved\"\n";
    switch_on(&appliance, more);
    let service = appliance.start_ready();
    let people = hire(&appliance, &service);
    let keys = appliance.private_keys();
    let mut asked = body("gw.lab.internal");
    asked["key_type"] = json!("rsa2048");
    let reply = call(&service, &people.requester, "POST", CSRS, &[], Some(&asked)).expect(400).json();
    let pointers: Vec<&Value> =
        reply["errors"].as_array().unwrap().iter().map(|error| &error["source"]["pointer"]).collect();
    assert_eq!(pointers, ["/organization", "/sans/0", "/key_type"], "{reply:#}");
    let zone = format!("/zones/{ZONE}/custom_csrs");
    let reply = call(&service, &people.requester, "POST", &zone, &[], Some(&body("a.internal"))).expect(403);
    assert_eq!(reply.header("x-should-retry"), Some("false"));
    let reply = reply.json();
    assert_eq!(reply["errors"][0]["code"], 1404, "{reply:#}");
    assert!(
        reply["errors"][0]["message"].as_str().unwrap().contains("`approved` needs somebody's approval"),
        "{reply:#}"
    );
    assert_eq!(appliance.private_keys(), keys);
    assert_eq!(ACCOUNT.len(), 32);
}

#[test]
fn a_token_that_is_away_is_told_as_worth_another_try() {
    let appliance = Appliance::with_chaos();
    switch_on(&appliance, "");
    let service = appliance.start_ready();
    let people = hire(&appliance, &service);
    let (here, away) = (appliance.path("softhsm"), appliance.path("away"));
    std::fs::rename(&here, &away).unwrap();
    service.await_that("the token is seen to be away", || not_ready(&service));
    let reply = call(&service, &people.requester, "POST", CSRS, &[], Some(&body("a.lab.internal")));
    assert_eq!(reply.header("x-should-retry"), Some("true"), "{reply:?}");
    assert!(reply.header("retry-after").is_some(), "{reply:?}");
    assert_eq!(refused(reply, 503), [1500]);
    call(&service, &people.requester, "GET", CSRS, &[], None).expect(200);
    std::fs::rename(&away, &here).unwrap();
    service.await_ready();
    call(&service, &people.requester, "POST", CSRS, &[], Some(&body("a.lab.internal"))).expect(201);
}

fn not_ready(service: &Service<'_>) -> bool {
    service.get("//readyz").status == 503
}
