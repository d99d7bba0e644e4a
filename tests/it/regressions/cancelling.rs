//! Signing requests that are called off, and what becomes of their keys.

use std::fs;
use std::thread;

use serde_json::json;

use super::{key_of, path_of, renew};
use crate::harness::{Appliance, p256, signal};
use crate::ledger::{Ledger, states_of};

#[test]
fn a_key_is_not_destroyed_because_another_token_has_not_got_it() {
    let appliance = Appliance::new();
    let mut service = appliance.start_ready();
    let csr = service.create("doomed.example");
    service.stop();
    let (mounted, away) = (appliance.path("softhsm"), appliance.path("away"));
    fs::rename(&mounted, &away).unwrap();
    fs::create_dir(&mounted).unwrap();
    appliance.init_token("test-token");

    let mut service = appliance.start();
    service.await_that("the token has not got the sentinel", || {
        let token = service.get("/tokens").json()["items"][0].clone();
        token["problem"].as_str().is_some_and(|problem| problem.contains("no key with CKA_ID"))
    });
    let cancelled = service.delete(&path_of(&csr)).expect(200).json();
    assert_eq!(cancelled["key_fate"], "will-be-destroyed");
    assert_eq!(key_of(&service, &csr)["state"], "destroying");
    service.stop();

    fs::remove_dir_all(&mounted).unwrap();
    fs::rename(&away, &mounted).unwrap();
    assert_eq!(appliance.private_keys(), 2);
    let service = appliance.start_ready();
    assert_eq!(key_of(&service, &csr)["state"], "destroyed");
    Ledger::default().await_agreement(&appliance, &service);
}

#[test]
fn a_quarantined_key_signs_no_renewal_and_goes_with_its_request() {
    let appliance = Appliance::with_chaos();
    let service = appliance.start_ready();
    appliance.chaos_rules("C_Sign every flip-bit");
    let problem = service.post("/csrs", &p256("wrong.example")).problem(502, "hsm.wrong-signature");
    appliance.chaos_rules("");
    service.await_ready();
    let csr = service.get(&format!("/csrs/{}", problem["csr"].as_str().unwrap())).json();
    assert_eq!((&csr["status"], &key_of(&service, &csr)["state"]), (&json!("quarantined"), &csr["status"]));

    let refused = renew(&service, &csr["key"]["handle"]).problem(409, "key.state");
    assert!(refused["detail"].as_str().unwrap().ends_with("is quarantined and cannot sign"), "{refused}");
    assert_eq!(states_of(&service, "renewal.example"), Vec::<String>::new());

    let cancelled = service.delete(&path_of(&csr)).expect(200).json();
    assert_eq!(
        (&cancelled["key_fate"], &cancelled["csr"]["status"]),
        (&json!("destroyed"), &json!("cancelled"))
    );
    assert_eq!(appliance.private_keys(), 1, "the sentinel is left");
    Ledger::default().await_agreement(&appliance, &service);
}

#[test]
fn an_idempotent_create_that_was_called_off_meanwhile_is_answered_with_its_state() {
    let appliance = Appliance::with_chaos();
    let mut service = appliance.start_ready();
    let headers = [("content-type", "application/json"), ("idempotency-key", "order-1")];
    let body = p256("off.example");
    appliance.chaos_rules("C_GenerateKeyPair nth=1 hang");
    thread::scope(|scope| {
        let client =
            scope.spawn(|| service.try_request("POST", "/csrs", &headers, Some(body.to_string().as_bytes())));
        service.await_that("the key is being made", || !appliance.chaos_log().is_empty());
        let csr = service.get("/csrs?status=intent").json()["items"][0].clone();
        let cancelled = service.delete(&path_of(&csr)).expect(200).json();
        assert_eq!(cancelled["key_fate"], "will-be-destroyed");
        signal(service.pid(), "KILL");
        client.join().unwrap().unwrap_err();
    });
    service.kill();

    let service = appliance.start_ready();
    for _ in ["a resumed create", "a replayed answer"] {
        let problem = service.post_with("/csrs", &headers[1..], &body).problem(409, "signing-request.state");
        assert_eq!(problem["state"], "cancelled", "{problem}");
    }
    assert_eq!(states_of(&service, "off.example"), ["cancelled"]);
    Ledger::default().await_agreement(&appliance, &service);
}

#[test]
fn the_cli_says_that_the_key_of_a_request_in_the_making_will_be_destroyed() {
    let appliance = Appliance::with_chaos();
    let service = appliance.start_ready();
    appliance.chaos_rules("C_GenerateKeyPair nth=1 hang-after");
    let accepted = service.post_with("/csrs", &[("prefer", "respond-async")], &p256("made.example"));
    let handle = accepted.expect(202).json()["handle"].as_str().unwrap().to_owned();
    service.await_that("the key is being made", || !appliance.chaos_log().is_empty());

    let output = appliance.cli(&["csr", "cancel", &handle]);
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{output:?}");
    assert_eq!(said, format!("cancelled {handle}; its key: will-be-destroyed\n"));

    assert_eq!(appliance.private_keys(), 2, "the sentinel, and the key that was made");
    signal(service.worker_pid(), "KILL");
    service.await_that("the key is destroyed", || appliance.private_keys() == 1);
    Ledger::default().await_agreement(&appliance, &service);
}
