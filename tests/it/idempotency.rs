//! A create that is sent twice makes one key.

use std::thread;

use serde_json::{Value, json};

use crate::harness::{Appliance, Reply, Service, p256};

#[test]
fn the_same_create_sent_again_gets_the_same_answer() {
    let appliance = Appliance::new();
    let mut service = appliance.start_ready();
    let first = create(&service, "order-1", &p256("a.example.com")).expect(201);
    let keys = appliance.private_keys();

    let again = create(&service, "order-1", &p256("a.example.com")).expect(201);
    assert_same(&first, &again);
    service.kill();
    let service = appliance.start_ready();
    let after_restart = create(&service, "order-1", &p256("a.example.com")).expect(201);
    assert_same(&first, &after_restart);
    assert_eq!(appliance.private_keys(), keys);

    let other = create(&service, "order-2", &p256("a.example.com")).expect(201);
    assert_ne!(other.json()["handle"], first.json()["handle"]);
    assert_eq!(appliance.private_keys(), keys + 1);
}

#[test]
fn a_renewal_sent_again_gets_the_same_answer() {
    let appliance = Appliance::new();
    let service = appliance.start_ready();
    let key = service.create("a.example.com")["key"]["handle"].clone();
    let body = json!({ "subject": "CN=a.example.com", "key": { "handle": key } });
    let first = create(&service, "renewal", &body).expect(201);
    assert_same(&first, &create(&service, "renewal", &body).expect(201));
    assert_eq!(service.get("/csrs").json()["items"].as_array().unwrap().len(), 2);
}

#[test]
fn an_idempotency_key_belongs_to_one_body() {
    let appliance = Appliance::new();
    let service = appliance.start_ready();
    create(&service, "order", &p256("a.example.com")).expect(201);
    let keys = appliance.private_keys();
    let refused = create(&service, "order", &p256("b.example.com"));
    let problem = refused.problem(422, "idempotency.body-differs");
    assert!(problem["detail"].as_str().unwrap().contains("use a new key"), "{problem}");
    assert_eq!(appliance.private_keys(), keys);
    create(&service, "order", &p256("a.example.com")).expect(201);
}

#[test]
fn a_create_in_flight_is_not_begun_twice() {
    let appliance = Appliance::with_chaos();
    let service = appliance.start_ready();
    let keys = appliance.private_keys();
    appliance.chaos_rules("C_GenerateKeyPair every sleep-ms=1500");
    thread::scope(|scope| {
        let first = scope.spawn(|| create(&service, "slow", &p256("a.example.com")));
        service.await_that("the first is in flight", || {
            service.get("/csrs?status=intent").json()["items"][0].is_object()
        });
        let problem = create(&service, "slow", &p256("a.example.com")).problem(409, "idempotency.in-flight");
        assert!(problem["detail"].as_str().unwrap().contains("wait for its answer"), "{problem}");
        let first = first.join().unwrap().expect(201);
        assert_same(&first, &create(&service, "slow", &p256("a.example.com")).expect(201));
    });
    assert_eq!(appliance.private_keys(), keys + 1);
}

#[test]
fn a_create_that_was_accepted_stays_accepted() {
    let appliance = Appliance::with_chaos();
    let service = appliance.start_ready();
    appliance.chaos_rules("C_GenerateKeyPair every sleep-ms=500");
    let headers = [("idempotency-key", "later"), ("prefer", "respond-async")];
    let accepted = service.post_with("/csrs", &headers, &p256("a.example.com")).expect(202);
    let location = format!("/{}", accepted.header("location").unwrap());
    service.await_that("the CSR is made", || service.get(&location).json()["status"] == "pending");
    assert_same(&accepted, &service.post_with("/csrs", &headers, &p256("a.example.com")).expect(202));
}

#[test]
fn what_a_client_did_wrong_stays_wrong() {
    let appliance = Appliance::new();
    let service = appliance.start_ready();
    for (key, body, status) in [
        ("bad-name", json!({ "subject": "CN=a,O" }), 400),
        ("bad-field", json!({ "subjct": "CN=a" }), 400),
        (
            "bad-key",
            json!({ "subject": "CN=a", "key": { "handle": "019aa5b2-5c3e-7c61-9d3f-0a4a6f2f8e11" } }),
            404,
        ),
    ] {
        let first = create(&service, key, &body).expect(status);
        assert_eq!(first.json()["request_id"], first.header("x-request-id").unwrap());
        let again = create(&service, key, &body).expect(status);
        assert_same(&first, &again);
    }
}

#[test]
fn a_malformed_idempotency_key_is_refused() {
    let appliance = Appliance::new();
    let service = appliance.start_ready();
    for key in ["", &"k".repeat(256), "caf\u{e9}"] {
        let problem = create(&service, key, &p256("a.example.com")).problem(400, "input.invalid");
        assert_eq!(problem["errors"][0]["field"], "Idempotency-Key", "{key:?}");
    }
    create(&service, &"k".repeat(255), &p256("a.example.com")).expect(201);
}

fn create(service: &Service<'_>, key: &str, body: &Value) -> Reply {
    service.post_with("/csrs", &[("idempotency-key", key)], body)
}

#[track_caller]
fn assert_same(first: &Reply, again: &Reply) {
    assert_eq!(again.status, first.status);
    assert_eq!(String::from_utf8_lossy(&again.bytes), String::from_utf8_lossy(&first.bytes));
    for header in ["location", "content-type"] {
        assert_eq!(again.header(header), first.header(header));
    }
}
