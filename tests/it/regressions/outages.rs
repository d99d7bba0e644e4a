//! Promises that outlive an outage, and answers that tell where to look.

use std::thread;

use serde_json::{Value, json};

use super::{key_of, path_of, pkcs11_tool};
use crate::harness::{Appliance, Reply, Service, p256, signal};
use crate::ledger::{Ledger, handle_of, inventory, pages, states_of};

#[test]
fn a_request_whose_recorded_key_is_gone_from_the_token_fails() {
    let appliance = Appliance::with_chaos();
    let mut service = appliance.start_ready();
    appliance.chaos_rules("C_Sign every return-before=CKR_DEVICE_ERROR");
    let accepted = service.post_with("/csrs", &[("prefer", "respond-async")], &p256("gone.example"));
    let path = path_of(&accepted.expect(202).json());
    service.await_that("the key is recorded", || service.get(&path).json()["status"] == "generated");
    let id = key_of(&service, &service.get(&path).json())["id"].as_str().unwrap().to_owned();
    service.stop();
    for kind in ["privkey", "pubkey"] {
        pkcs11_tool(&appliance, &["--delete-object", "--type", kind, "--id", &id]);
    }
    appliance.chaos_rules("");

    let service = appliance.start_ready();
    service.await_that("the request has ended", || service.get(&path).json()["status"] != "generated");
    let csr = service.get(&path).json();
    assert_eq!(csr["status"], "failed", "{csr}");
    assert!(csr["failure"].as_str().unwrap().contains("no key"), "{csr}");
    service.await_that("the key is written off", || key_of(&service, &csr)["state"] == "destroyed");
    Ledger::default().await_agreement(&appliance, &service);
}

#[test]
fn of_many_creates_at_once_the_accepted_are_all_made_and_the_others_leave_nothing() {
    const CLIENTS: usize = 16;
    const EACH: usize = 25;
    let appliance = Appliance::with_chaos();
    let service = appliance.start_ready();
    let reconciled = inventory(&service)["at"].clone();
    // Until it ends no key is made, so that all of them wait at once.
    appliance.chaos_rules("C_GenerateKeyPair nth=1 sleep-ms=6000");
    let client = || -> Vec<Reply> {
        let create = || service.post_with("/csrs", &[("prefer", "respond-async")], &p256("crowd.example"));
        (0..EACH).map(|_| create()).collect()
    };
    let replies: Vec<Reply> = thread::scope(|scope| {
        let clients: Vec<_> = (0..CLIENTS).map(|_| scope.spawn(client)).collect();
        clients.into_iter().flat_map(|client| client.join().unwrap()).collect()
    });
    let (accepted, refused): (Vec<_>, Vec<_>) = replies.into_iter().partition(|reply| reply.status == 202);
    assert!(!accepted.is_empty() && !refused.is_empty(), "{} {}", accepted.len(), refused.len());
    for reply in refused {
        assert!(reply.header("retry-after").is_some(), "{reply:?}");
        reply.expect(503);
    }

    service.await_that("all that was accepted is made", || {
        service.get("/csrs?status=intent,generated&limit=1").json()["items"] == json!([])
    });
    let mut made: Vec<_> = accepted.iter().map(|reply| handle_of(&reply.json())).collect();
    made.sort_unstable();
    let listed = pages(&service, "/csrs?order=oldest&status=pending&limit=200");
    assert_eq!(listed.iter().map(handle_of).collect::<Vec<_>>(), made);
    assert_eq!(pages(&service, "/csrs?limit=200").len(), made.len());
    assert_eq!(appliance.private_keys(), made.len() + 1, "one each, and the sentinel");
    assert_eq!(inventory(&service)["at"], reconciled, "nobody waited for the reconciliation");
}

#[test]
fn what_a_client_was_promised_while_he_waited_is_made_after_an_outage() {
    let appliance = Appliance::with_chaos();
    let service = appliance.start_ready();
    appliance.chaos_rules("C_GenerateKeyPair nth=1 hang");
    let accepted = service.post_with("/csrs", &[("prefer", "wait=1")], &p256("promised.example"));
    let path = path_of(&accepted.expect(202).json());
    lose_token(&appliance, &service);

    appliance.chaos_rules("");
    service.await_that("the request has ended", || service.get(&path).json()["status"] != "intent");
    let csr = service.get(&path).json();
    assert_eq!(csr["status"], "pending", "{csr}");
    Ledger::default().await_agreement(&appliance, &service);
}

#[test]
fn a_create_whose_outcome_nobody_can_tell_yet_is_answered_with_where_to_look() {
    for (headers, outcome) in [(&[][..], "failed"), (&[("idempotency-key", "order-1")][..], "pending")] {
        let appliance = Appliance::with_chaos();
        let service = appliance.start_ready();
        let create = || {
            let headers = [&[("prefer", "wait=60")], headers].concat();
            service.post_with("/csrs", &headers, &p256("unknown.example"))
        };
        appliance.chaos_rules("C_GenerateKeyPair nth=1 hang-after");
        let reply = thread::scope(|scope| {
            let client = scope.spawn(create);
            service.await_that("the key is made", || !appliance.chaos_log().is_empty());
            lose_token(&appliance, &service);
            client.join().unwrap()
        });
        let location = format!("/{}", reply.header("location").unwrap_or_else(|| panic!("{reply:?}")));
        let problem = reply.problem(504, "hsm.outcome-unknown");
        assert!(location.ends_with(problem["csr"].as_str().unwrap()), "{location}: {problem}");

        appliance.chaos_rules("");
        service.await_that("the outcome is known", || service.get(&location).json()["status"] == outcome);
        Ledger::default().await_agreement(&appliance, &service);
        if outcome == "pending" {
            assert_eq!(create().expect(201).json()["csr"], service.get(&location).json()["csr"]);
        }
        assert_eq!(states_of(&service, "unknown.example"), [outcome]);
    }
}

/// Kills the worker, and lets no other come up.
#[track_caller]
fn lose_token(appliance: &Appliance, service: &Service) {
    let worker = service.worker_pid();
    appliance.chaos_rules("C_Initialize every return-before=CKR_DEVICE_ERROR");
    signal(worker, "KILL");
    service.await_that("the token is down", || token(service)["status"] == "down");
}

fn token(service: &Service) -> Value {
    service.get("/tokens").json()["items"][0].clone()
}
