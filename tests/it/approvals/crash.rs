//! `kill -9` between an approval and what follows from it.

use serde_json::json;

use super::{ASKED, Staff, appliance_with, under};
use crate::access::Office;
use crate::harness::Appliance;

/// Before the commit it still waits; after it, the key is made, once, by the next start.
#[test]
fn an_approval_is_neither_lost_nor_done_twice_by_a_crash() {
    for (point, survives) in [
        ("approve-before", "awaiting_approval"),
        ("approve-after", "pending"),
        ("generate-after", "pending"),
        ("record-before", "pending"),
    ] {
        let mut appliance = appliance_with(&[("asked", ASKED)], "");
        appliance.env("STRONGROOM_KILL_AT", &format!("{point}:1"));
        let (handle, bob, carol, admin);
        {
            let mut service = appliance.start_ready();
            {
                let staff = Staff::of(&appliance, &service);
                handle = staff.ask("asked");
                (bob, carol, admin) = (staff.bob.clone(), staff.carol.clone(), staff.office.admin.clone());
            }
            let bearer = format!("Bearer {carol}");
            let headers = [("authorization", bearer.as_str()), ("content-type", "application/json")];
            // The answer may or may not come before the kill.
            let _ = service.try_request("POST", &format!("/csrs/{handle}/approve"), &headers, Some(b"{}"));
            service.await_killed();
        }
        appliance.clear_env();
        let service = appliance.start_ready();
        let staff = Staff { office: Office { service: &service, admin }, bob, carol };
        staff.await_status(&handle, survives);
        if survives == "awaiting_approval" {
            assert_eq!(appliance.private_keys(), 1, "{point}: the sentinel alone");
            staff.decide(&staff.carol, &handle, "approve", &json!({})).expect(202);
            staff.await_status(&handle, "pending");
        } else {
            staff.decide(&staff.carol, &handle, "approve", &json!({})).problem(409, "signing-request.state");
        }
        service.post("/tokens/main/reconcile", &json!({})).expect(200);
        assert_eq!(appliance.private_keys(), 2, "{point}: the sentinel and one key");
        // And everything works on.
        staff.office.call(&staff.bob, "POST", "/csrs", Some(&under("asked"))).expect(202);
    }
}

/// A key is destroyed in any case, since that was decided; the proposal is not done a second time.
#[test]
fn a_proposal_interrupted_by_a_crash_counts_once() {
    let mut appliance = Appliance::new();
    let text = format!("{}\n[four_eyes]\ndestroy_key = true\n", appliance.config_text());
    appliance.write_private("strongroom.toml", &text);
    appliance.env("STRONGROOM_KILL_AT", "destroy-before:1");
    let (admin, otto, path, key);
    {
        let mut service = appliance.start_ready();
        {
            let office = Office::open(&appliance, &service);
            let made = service.create("a.example");
            key = made["key"]["handle"].as_str().unwrap().to_owned();
            let request = made["handle"].as_str().unwrap();
            // A renewal keeps the key when what it renews is cancelled, and is not the one that made it.
            let renewal = service.post(&format!("/csrs/{request}/renew"), &json!({})).expect(201).json();
            service.delete(&format!("/csrs/{request}")).expect(200);
            service.delete(&format!("/csrs/{}", renewal["handle"].as_str().unwrap())).expect(200);
            otto = office.hire("otto", &[("operator", None)]);
            let proposal = service.delete(&format!("/keys/{key}")).expect(202).json();
            path = format!("/proposals/{}/approve", proposal["handle"].as_str().unwrap());
            admin = office.admin;
        }
        let bearer = format!("Bearer {otto}");
        let headers = [("authorization", bearer.as_str()), ("content-type", "application/json")];
        let _ = service.try_request("POST", &path, &headers, Some(b"{}"));
        service.await_killed();
    }
    appliance.clear_env();
    let service = appliance.start_ready();
    let office = Office { service: &service, admin };
    let listed = office.call(&otto, "GET", "/proposals", None).expect(200).json();
    assert_eq!(listed["items"][0]["status"], "failed", "{listed:#}");
    office.call(&otto, "POST", &path, Some(&json!({}))).problem(409, "proposal.state");
    service.await_that("the decision is carried out", || {
        service.get(&format!("/keys/{key}")).json()["state"] == "destroyed"
    });
}
