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
