//! The sentinel: when it may be given up, and how often a token is asked for a new one.

use serde_json::Value;

use super::pkcs11_tool;
use crate::harness::{Appliance, Service, p256, signal};
use crate::ledger::{Ledger, inventory, pages};

#[test]
fn a_sentinel_that_does_not_sign_during_an_outage_is_not_destroyed() {
    let appliance = Appliance::with_chaos();
    let service = appliance.start_ready();
    let sentinel = sentinels(&service).remove(0);
    appliance.chaos_rules("C_Sign every return-before=CKR_DEVICE_ERROR");
    // The next one asks it at once.
    signal(service.worker_pid(), "KILL");
    service.await_that("the sentinel did not sign", || {
        service.get("/tokens").json()["items"][0]["sentinel"]["signed"] == false
    });
    service.delete(&path_of(&sentinel)).problem(409, "key.sentinel");

    appliance.chaos_rules("");
    service.await_ready();
    assert_eq!(sentinels(&service), [sentinel]);
    Ledger::default().await_agreement(&appliance, &service);
}

#[test]
fn a_sentinel_that_the_working_token_has_not_is_written_off_and_made_anew() {
    let appliance = Appliance::new();
    let mut service = appliance.start_ready();
    service.create("bystander.example");
    let lost = sentinels(&service).remove(0);
    service.stop();
    for kind in ["privkey", "pubkey"] {
        pkcs11_tool(&appliance, &["--delete-object", "--type", kind, "--id", lost["id"].as_str().unwrap()]);
    }

    let service = appliance.start();
    // Refused while the token is only suspected to be away.
    service.await_that("the sentinel may be written off", || service.delete(&path_of(&lost)).status == 200);
    service.await_ready();
    let states: Vec<_> = sentinels(&service).iter().map(|key| key["state"].clone()).collect();
    assert_eq!(states, ["present", "destroyed"]);
    assert_eq!(inventory(&service)["missing_keys"], 0);
    service.create("afterwards.example");
    Ledger::default().await_agreement(&appliance, &service);
}

#[test]
fn a_token_that_refuses_to_make_a_sentinel_is_asked_rarely_and_heals() {
    // One round: a throw-away key of each of the seven kinds.
    assert_asked_rarely("C_GenerateKeyPair every return-before=CKR_TEMPLATE_INCONSISTENT", 7);
}

#[test]
fn a_token_that_makes_a_bad_sentinel_is_asked_rarely_and_heals() {
    // The second rule changes nothing: with it the log of the faults is a log of the generations.
    let rules = "C_GetAttributeValue every set-bool=CKA_EXTRACTABLE:true\nC_GenerateKeyPair every sleep-ms=1";
    // One round: a throw-away key of each type of key, and a sentinel.
    assert_asked_rarely(rules, 4);
}

fn assert_asked_rarely(rules: &str, one_round: usize) {
    let appliance = Appliance::with_chaos();
    appliance.chaos_rules(rules);
    let service = appliance.start();
    let asked = || appliance.chaos_log().iter().filter(|line| line.starts_with("C_GenerateKeyPair")).count();
    service.await_that("a sentinel was asked for", || asked() > 0);
    // A create waits 5 s for a token that is up and not ready.
    service.post("/csrs", &p256("waiting.example")).problem(503, "hsm.not-ready");
    assert!(asked() <= one_round, "asked {} times", asked());
    assert_eq!(appliance.objects(), []);

    appliance.chaos_rules("");
    service.await_ready();
    assert_eq!(sentinels(&service).len(), 1);
    service.create("afterwards.example");
    Ledger::default().await_agreement(&appliance, &service);
}

/// Newest first.
fn sentinels(service: &Service) -> Vec<Value> {
    let keys = pages(service, "/keys?limit=200");
    keys.into_iter().filter(|key| key["purpose"] == "sentinel").collect()
}

/// Path of a key.
fn path_of(key: &Value) -> String {
    format!("/keys/{}", key["handle"].as_str().unwrap())
}
