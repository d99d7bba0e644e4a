//! Renewals, and what becomes of keys when requests end.

use serde_json::{Value, json};

use crate::certificates::Ca;
use crate::harness::{Appliance, Service, p256};
use crate::openssl;

#[test]
fn a_renewal_is_a_new_csr_with_the_same_key() {
    let appliance = Appliance::new();
    let service = appliance.start_ready();
    for kind in ["ec-p256", "rsa-2048"] {
        let body = json!({ "subject": "CN=old.example.com", "key": { "kind": kind } });
        let first = service.post("/csrs", &body).expect(201).json();
        let keys = appliance.private_keys();
        let renewal = renew(&service, &first["key"]["handle"]);

        assert_ne!(renewal["handle"], first["handle"]);
        assert_eq!(renewal["key"]["handle"], first["key"]["handle"]);
        assert_eq!((&first["key"]["source"], &renewal["key"]["source"]), (&json!("new"), &json!("existing")));
        assert_eq!(renewal["key"]["kind"], kind);
        let (old, new) = (first["csr"].as_str().unwrap(), renewal["csr"].as_str().unwrap());
        openssl::verified_text(new);
        assert_eq!(openssl::public_key(new), openssl::public_key(old));
        assert_eq!(openssl::subject(new), "CN=new.example.com");
        assert_eq!(appliance.private_keys(), keys, "a renewal makes no key");
    }
}

#[test]
fn a_renewal_may_choose_another_digest() {
    let appliance = Appliance::new();
    let service = appliance.start_ready();
    let rsa = service.post("/csrs", &json!({ "subject": "CN=a", "key": { "kind": "rsa-2048" } })).expect(201);
    let key = &rsa.json()["key"]["handle"];
    let body = json!({ "subject": "CN=a", "key": { "handle": key }, "digest": "sha512" });
    let renewal = service.post("/csrs", &body).expect(201).json();
    assert_eq!(renewal["signature"], "rsa-pkcs1-sha512");
    assert!(openssl::verified_text(renewal["csr"].as_str().unwrap()).contains("sha512WithRSAEncryption"));
}

#[test]
fn a_key_that_cannot_sign_csrs_is_not_renewed() {
    let appliance = Appliance::new();
    let service = appliance.start_ready();
    let csr = service.create("a.example.com");
    service.delete(&path(&csr)).expect(200);
    let sentinel = service.get("/keys").json()["items"].as_array().unwrap().last().unwrap().clone();
    assert_eq!(sentinel["purpose"], "sentinel");
    let unknown = json!("019aa5b2-5c3e-7c61-9d3f-0a4a6f2f8e11");

    let attempt =
        |key: &Value| service.post("/csrs", &json!({ "subject": "CN=b", "key": { "handle": key } }));
    let destroyed = attempt(&csr["key"]["handle"]).problem(409, "key.state");
    assert!(destroyed["detail"].as_str().unwrap().ends_with("is destroyed and cannot sign"), "{destroyed}");
    let sentinel = attempt(&sentinel["handle"]).problem(422, "key.sentinel");
    assert!(sentinel["detail"].as_str().unwrap().contains("sentinel of token `main`"), "{sentinel}");
    attempt(&unknown).problem(404, "not-found");
    assert_eq!(service.get("/csrs").json()["items"].as_array().unwrap().len(), 1, "nothing was recorded");
}

#[test]
fn cancelling_destroys_the_key_and_says_so() {
    let appliance = Appliance::new();
    let service = appliance.start_ready();
    let csr = service.create("a.example.com");
    let key = service.get(&key_path(&csr)).json();
    let on_token = || appliance.objects().iter().any(|object| object.id == key["id"]);
    assert!(on_token());

    let cancelled = service.delete(&path(&csr)).expect(200).json();
    assert_eq!(cancelled["key_fate"], "destroyed");
    assert_eq!(cancelled["csr"]["status"], "cancelled");
    assert!(!on_token());
    assert_eq!(service.get(&key_path(&csr)).json()["state"], "destroyed");

    let again = service.delete(&path(&csr)).problem(409, "signing-request.state");
    assert_eq!(again["state"], "cancelled");
    assert_eq!(again["csr"], csr["handle"]);
}

#[test]
fn cancelling_while_the_key_is_being_made_leaves_no_key() {
    let appliance = Appliance::with_chaos();
    let service = appliance.start_ready();
    appliance.chaos_rules("C_GenerateKeyPair every sleep-ms=700");
    let csr = service.post_with("/csrs", &[("prefer", "respond-async")], &p256("a.example.com")).expect(202);
    let csr = csr.json();
    service.await_that("the token makes the key", || !appliance.chaos_log().is_empty());
    let cancelled = service.delete(&path(&csr)).expect(200).json();
    assert_eq!(cancelled["key_fate"], "will-be-destroyed");
    // Mutations of a token go one at a time: when this key is made, the other one has been.
    service.create("b.example.com");
    service.await_that("only the sentinel and the second key are left", || appliance.private_keys() == 2);
    assert_eq!(service.get(&path(&csr)).json()["status"], "cancelled");
}

#[test]
fn cancelling_keeps_a_key_that_a_renewal_uses() {
    let appliance = Appliance::new();
    let service = appliance.start_ready();
    let first = service.create("a.example.com");
    renew(&service, &first["key"]["handle"]);
    assert_eq!(service.delete(&path(&first)).expect(200).json()["key_fate"], "kept");
    assert_eq!(service.get(&key_path(&first)).json()["state"], "present");
}

#[test]
fn cancelling_a_renewal_keeps_the_key() {
    let appliance = Appliance::new();
    let service = appliance.start_ready();
    let first = service.create("a.example.com");
    let renewal = renew(&service, &first["key"]["handle"]);
    service.delete(&path(&first)).expect(200);
    // Nobody uses the key any more, but the renewal did not make it.
    assert_eq!(service.delete(&path(&renewal)).expect(200).json()["key_fate"], "kept");
    renew(&service, &first["key"]["handle"]);
}

#[test]
fn an_issued_request_is_retired_before_its_key_is_destroyed() {
    let appliance = Appliance::new();
    let service = appliance.start_ready();
    let csr = service.create("a.example.com");
    let in_use = service.delete(&key_path(&csr)).problem(409, "key.in-use");
    assert_eq!(in_use["csr"], csr["handle"]);
    let early =
        service.post(&format!("{}/retire", path(&csr)), &json!({})).problem(409, "signing-request.state");
    assert_eq!(early["state"], "pending");

    let certificate = Ca::new("Example CA").issue(csr["csr"].as_str().unwrap());
    let married = format!("{}/certificate", path(&csr));
    service.put(&married, "application/x-pem-file", certificate.pem().as_bytes()).expect(200);
    let issued = service.delete(&path(&csr)).problem(409, "signing-request.state");
    assert_eq!(issued["state"], "issued");
    service.delete(&key_path(&csr)).problem(409, "key.in-use");

    let retired = service.post(&format!("{}/retire", path(&csr)), &json!({})).expect(200).json();
    assert_eq!(retired["status"], "retired");
    let destroyed = service.delete(&key_path(&csr)).expect(200).json();
    assert_eq!(destroyed["state"], "destroyed");
    assert!(!appliance.objects().iter().any(|object| object.id == destroyed["id"]));
    service.delete(&key_path(&csr)).problem(409, "key.state");
    service.get(&married).expect(200);
}

#[test]
fn the_sentinel_is_not_destroyed() {
    let appliance = Appliance::new();
    let service = appliance.start_ready();
    let sentinel = service.get("/keys").json()["items"][0]["handle"].as_str().unwrap().to_owned();
    service.delete(&format!("/keys/{sentinel}")).problem(409, "key.sentinel");
    assert_eq!(appliance.private_keys(), 1);
}

#[track_caller]
fn renew(service: &Service<'_>, key: &Value) -> Value {
    let body = json!({ "subject": "CN=new.example.com", "key": { "handle": key } });
    service.post("/csrs", &body).expect(201).json()
}

fn path(csr: &Value) -> String {
    format!("/csrs/{}", csr["handle"].as_str().unwrap())
}

fn key_path(csr: &Value) -> String {
    format!("/keys/{}", csr["key"]["handle"].as_str().unwrap())
}

#[test]
fn a_renewal_by_handle_repeats_the_wish_and_remembers_whose() {
    let appliance = Appliance::new();
    let service = appliance.start_ready();
    let wish = json!({
        "subject": "CN=www.example.com,O=Example", "sans": ["DNS:www.example.com", "IP:192.0.2.1"],
        "key": { "kind": "rsa-2048" }, "digest": "sha384", "padding": "pss",
        "extensions": { "key_usage": ["digitalSignature"], "extended_key_usage": ["serverAuth"] },
        "challenge_password": "once only", "unstructured_name": "rack 7",
    });
    let first = service.post("/csrs", &wish).expect(201).json();
    let text = |csr: &Value| openssl::verified_text(csr["csr"].as_str().unwrap());
    assert!(text(&first).contains("once only"));
    for (body, same_key) in
        [(json!({}), true), (json!({ "key": "same" }), true), (json!({ "key": "new" }), false)]
    {
        let renewal = service.post(&format!("{}/renew", path(&first)), &body).expect(201).json();
        assert_eq!(renewal["renews"], first["handle"]);
        assert_ne!(renewal["handle"], first["handle"]);
        for field in ["subject", "sans", "extensions", "unstructured_name", "signature"] {
            assert_eq!(renewal[field], first[field], "{field}");
        }
        assert_eq!(renewal["key"]["kind"], first["key"]["kind"]);
        assert_eq!(renewal["key"]["handle"] == first["key"]["handle"], same_key, "{body}");
        assert_eq!(renewal["key"]["source"], if same_key { "existing" } else { "new" });
        assert_eq!(renewal["has_challenge_password"], Value::Null);
        assert!(!text(&renewal).contains("challengePassword"), "it was for one exchange with the CA");
    }
    let anew = json!({ "challenge_password": "another one" });
    let renewal = service.post(&format!("{}/renew", path(&first)), &anew).expect(201).json();
    assert_eq!(renewal["has_challenge_password"], true);
    assert!(text(&renewal).contains("another one"));
    assert_eq!(first["renews"], Value::Null);
}

#[test]
fn a_renewal_that_is_sent_twice_is_made_once() {
    let appliance = Appliance::new();
    let service = appliance.start_ready();
    let (first, other) = (service.create("a.example.com"), service.create("b.example.com"));
    let renew = |csr: &Value, body: &Value| {
        service.post_with(&format!("{}/renew", path(csr)), &[("idempotency-key", "once")], body)
    };
    let body = json!({ "key": "new" });
    let made = renew(&first, &body).expect(201).json();
    assert_eq!(renew(&first, &body).expect(201).json(), made);
    assert_eq!(appliance.private_keys(), 4);
    renew(&first, &json!({ "key": "same" })).problem(422, "idempotency.body-differs");
    renew(&other, &body).problem(422, "idempotency.body-differs");
    // The same key on the route of creates is another one.
    let created = service.post_with("/csrs", &[("idempotency-key", "once")], &p256("c.example.com"));
    assert_eq!(created.expect(201).json()["renews"], Value::Null);
}

#[test]
fn what_has_no_csr_or_was_called_off_is_not_renewed() {
    let appliance = Appliance::new();
    let service = appliance.start_ready();
    let csr = service.create("a.example.com");
    let renew = |body: &Value| service.post(&format!("{}/renew", path(&csr)), body);
    renew(&json!({ "key": "other" })).expect(400);
    renew(&json!({ "subject": "CN=b" })).expect(400);
    service.delete(&path(&csr)).expect(200);
    let problem = renew(&json!({ "key": "new" })).problem(409, "signing-request.state");
    assert!(problem["detail"].as_str().unwrap().ends_with("is cancelled and cannot be renewed"), "{problem}");
    service.post("/csrs/019aa5b2-5c3e-7c61-9d3f-0a4a6f2f8e11/renew", &json!({})).problem(404, "not-found");
    assert_eq!(service.get("/csrs").json()["items"].as_array().unwrap().len(), 1, "nothing was recorded");
}

#[test]
fn a_retired_request_is_renewed_with_a_new_key_when_its_own_is_gone() {
    let appliance = Appliance::new();
    let service = appliance.start_ready();
    let csr = service.create("a.example.com");
    let certificate = Ca::new("Example CA").issue(csr["csr"].as_str().unwrap());
    let married = format!("{}/certificate", path(&csr));
    service.put(&married, "application/x-pem-file", certificate.pem().as_bytes()).expect(200);
    service.post(&format!("{}/retire", path(&csr)), &json!({})).expect(200);
    service.delete(&key_path(&csr)).expect(200);
    let renew = |key: &str| service.post(&format!("{}/renew", path(&csr)), &json!({ "key": key }));
    renew("same").problem(409, "key.state");
    assert_eq!(renew("new").expect(201).json()["renews"], csr["handle"]);
}
