//! `kill -9` between an approval and what follows from it.

use serde_json::json;

use super::{ASKED, Staff, appliance_with, under};
use crate::access::Office;

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
