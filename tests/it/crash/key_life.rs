//! `kill -9` while a key is retired, compromised or destroyed because its time has come: what was decided
//! stands, and is done once.

use serde_json::{Value, json};

use super::restart_and_agree;
use crate::certificate_objects::married;
use crate::harness::{Appliance, Service};
use crate::ledger::{Ledger, audit_of, handle_of};

#[test]
fn a_key_that_is_due_is_destroyed_wherever_the_service_is_killed() {
    for point in ["due-before:2", "due-after:2", "destroy-before:1", "destroy-after:1"] {
        let mut appliance = Appliance::new();
        let text = format!("{}\n[keys]\ndestroy_retired_after_days = 1\n", appliance.config_text());
        appliance.write_private("strongroom.toml", &text);
        let mut service = appliance.start_ready();
        let csr = married(&service, "www.example.com");
        service.post(&retire(&csr), &json!({})).expect(200);
        service.stop();
        drop(service);
        let index = rusqlite::Connection::open(appliance.data("strongroom.db")).unwrap();
        let due =
            "UPDATE keys SET destroy_after = 0, destroy_after_lived = 0 WHERE destroy_after IS NOT NULL";
        // At the first of two reconciliations it is not due yet, where the point is the second one.
        let at_once = point.ends_with(":1");
        if at_once {
            assert_eq!(index.execute(due, []).unwrap(), 1);
        }
        appliance.env("STRONGROOM_KILL_AT", point);
        if at_once {
            appliance.start_to_be_killed();
        } else {
            let mut service = appliance.start_ready();
            assert_eq!(index.execute(due, []).unwrap(), 1);
            let _ = service.try_request("POST", "/tokens/main/reconcile", &[], Some(b"{}"));
            service.await_killed();
        }
        drop(index);
        restart_and_agree(&mut appliance, &Ledger::default(), |service| {
            service.await_that("the key is destroyed", || key(service, &csr)["state"] == "destroyed");
        });
        assert_eq!(appliance.private_keys(), 1, "{point}: the sentinel");
        for action in ["key.destroying", "key.destroyed"] {
            let records = audit_of(&appliance);
            assert_eq!(records.iter().filter(|record| record.action == action).count(), 1, "{point}");
        }
    }
}

#[test]
fn a_retirement_or_a_compromise_that_was_killed_behind_its_record_stands() {
    for (point, verb, body, state) in [
        ("retire-after", None, json!({}), "deactivated"),
        ("retire-key-after", Some("retire"), json!({}), "deactivated"),
        ("compromise-after", Some("compromise"), json!({ "reason": "lost" }), "compromised"),
    ] {
        let mut appliance = Appliance::new();
        let mut service = appliance.start_ready();
        let csr = married(&service, "www.example.com");
        if verb == Some("retire") {
            service.post(&retire(&csr), &json!({})).expect(200);
            let unretire = format!("{}/unretire", key_path(&csr));
            service.post(&unretire, &json!({})).expect(200);
        }
        service.stop();
        drop(service);
        appliance.env("STRONGROOM_KILL_AT", &format!("{point}:1"));
        let mut service = appliance.start_ready();
        let path = verb.map_or(retire(&csr), |verb| format!("{}/{verb}", key_path(&csr)));
        let headers = [("content-type", "application/json")];
        let answered = service.try_request("POST", &path, &headers, Some(body.to_string().as_bytes()));
        assert!(answered.is_err(), "{point}: answered by the dead");
        service.await_killed();
        drop(service);
        restart_and_agree(&mut appliance, &Ledger::default(), |service| {
            assert_eq!(key(service, &csr)["life"]["state"], state, "{point}");
            assert_eq!(key(service, &csr)["state"], "present");
        });
    }
}

fn key(service: &Service, csr: &Value) -> Value {
    service.get(&key_path(csr)).expect(200).json()
}

fn retire(csr: &Value) -> String {
    format!("/csrs/{}/retire", handle_of(csr))
}

fn key_path(csr: &Value) -> String {
    format!("/keys/{}", csr["key"]["handle"].as_str().unwrap())
}
