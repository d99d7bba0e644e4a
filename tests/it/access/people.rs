//! The first admin, grants, and the last admin.

use serde_json::json;

use super::Office;
use crate::harness::{Appliance, p256};

#[test]
fn the_first_admin_is_made_once_over_the_socket_and_makes_others() {
    let appliance = Appliance::new();
    let service = appliance.start_ready();
    // Neither over TCP nor with another credential than the socket's.
    service.post("/bootstrap", &json!({ "name": "mallory" })).problem(401, "auth.unauthenticated");
    let office = Office::open(&appliance, &service);
    let again = appliance.cli(&["principal", "bootstrap", "mallory"]);
    assert_eq!(again.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&again.stderr).contains("access.admin-exists"), "{again:?}");

    let bob = office.hire("bob", &[("requester", None)]);
    office.call(&bob, "POST", "/csrs", Some(&p256("a"))).expect(201);
    let denied = office.manage("POST", "/csrs", Some(&p256("a"))).problem(403, "access.denied");
    assert!(denied["detail"].as_str().unwrap().contains("csr:create"), "{denied}");
    office.call(&bob, "GET", "/principals", None).problem(403, "access.denied");
}

#[test]
fn nobody_grants_to_himself() {
    let appliance = Appliance::new();
    let service = appliance.start();
    let office = Office::open(&appliance, &service);
    for role in ["approver", "auditor", "admin"] {
        let path = format!("/principals/alice/grants/{role}");
        office.manage("PUT", &path, None).problem(403, "access.self-grant");
        office.manage("PUT", &format!("{path}?tenant=default"), None).problem(403, "access.self-grant");
    }
    // Nor by another principal of his that has no right to grant.
    let other = office.hire("alice-2", &[("requester", None)]);
    office.call(&other, "PUT", "/principals/alice/grants/approver", None).problem(403, "access.denied");
    let granted = office.manage("GET", "/principals/alice", None).expect(200).json();
    assert_eq!(granted["grants"], json!([{ "role": "admin" }]));
}

#[test]
fn the_last_admin_stays_one() {
    let appliance = Appliance::new();
    let service = appliance.start();
    let office = Office::open(&appliance, &service);
    let key = office.key_of("alice");
    let disable = json!({ "enabled": false });
    office.hire("keyless", &[("admin", None)]);
    let keyless = office.key_of("keyless");
    office.manage("DELETE", &format!("/credentials/{keyless}"), None).expect(200);
    let tries = [
        ("DELETE", "/principals/alice/grants/admin".to_owned(), None),
        ("PATCH", "/principals/alice".to_owned(), Some(&disable)),
        ("DELETE", format!("/credentials/{key}"), None),
    ];
    for (method, path, body) in &tries {
        office.manage(method, path, *body).problem(409, "access.last-admin");
    }
    // With a second one who can act, the first may go.
    let second = office.hire("second", &[("admin", None)]);
    office.call(&second, "PATCH", "/principals/alice", Some(&disable)).expect(200);
    office.manage("GET", "/principals", None).problem(401, "auth.unauthenticated");
    // Now the second is the last.
    office.call(&second, "DELETE", "/principals/second/grants/admin", None).problem(409, "access.last-admin");
    office.call(&second, "PATCH", "/principals/alice", Some(&json!({ "enabled": true }))).expect(200);
    office.manage("GET", "/principals", None).expect(200);
}

#[test]
fn when_the_only_admin_has_expired_there_may_be_a_first_one_again() {
    let appliance = Appliance::new();
    let service = appliance.start();
    let office = Office::open(&appliance, &service);
    let key = office.key_of("alice");
    let short = (jiff::Timestamp::now() + jiff::SignedDuration::from_millis(1500)).to_string();
    let wanted = json!({ "principal": "alice", "kind": "api-key", "expires_at": short });
    let expiring = office.manage("POST", "/credentials", Some(&wanted)).expect(201).json();
    let expiring = expiring["secret"].as_str().unwrap();
    office.call(expiring, "DELETE", &format!("/credentials/{key}"), None).expect(200);
    service.await_that("the key has expired", || {
        office.call(expiring, "GET", "/principals", None).status == 401
    });
    let second = appliance.cli(&["principal", "bootstrap", "bob"]);
    assert_eq!(second.status.code(), Some(0), "{second:?}");
}

#[test]
fn names_are_checked_and_unique() {
    let appliance = Appliance::new();
    let service = appliance.start();
    let office = Office::open(&appliance, &service);
    let principal = |name: &str, kind: &str| {
        office.manage("POST", "/principals", Some(&json!({ "name": name, "kind": kind })))
    };
    principal("bob", "person").expect(201);
    principal("bob", "service").problem(409, "store.duplicate");
    for (name, kind) in [("", "person"), ("a b", "person"), ("a:b", "person"), ("carol", "robot")] {
        principal(name, kind).problem(400, "input.invalid");
    }
    principal("operator", "person").problem(400, "input.invalid");
    office.manage("PUT", "/principals/bob/grants/king", None).problem(400, "input.invalid");
    office.manage("PUT", "/principals/nobody/grants/reader", None).problem(404, "not-found");
    office.manage("PUT", "/principals/bob/grants/reader?tenant=nowhere", None).problem(404, "not-found");
    office.manage("DELETE", "/principals/bob/grants/reader", None).problem(404, "not-found");
    let tenant = |name: &str| office.manage("POST", "/tenants", Some(&json!({ "name": name })));
    tenant("pki").expect(201);
    tenant("pki").problem(409, "store.duplicate");
    tenant("a b").problem(400, "input.invalid");
}

#[test]
fn the_command_line_manages_access() {
    let appliance = Appliance::new();
    let service = appliance.start_ready();
    let office = Office::open(&appliance, &service);
    appliance.write_private("alice.key", &office.admin);
    let key_file = appliance.path("alice.key");
    let alice = |args: &[&str]| {
        let output = appliance.cli(&[args, &["--api-key-file", key_file.to_str().unwrap()]].concat());
        assert_eq!(output.status.code(), Some(0), "{args:?}: {output:?}");
        String::from_utf8(output.stdout).unwrap()
    };
    alice(&["tenant", "new", "pki"]);
    assert!(alice(&["tenant", "list"]).contains("pki"));
    alice(&["principal", "new", "ci", "--kind", "service"]);
    assert!(alice(&["principal", "grant", "ci", "requester", "--in", "pki"]).contains("requester in pki"));
    let out = appliance.path("ci.key");
    let told = alice(&["api-key", "new", "ci", "--out", out.to_str().unwrap()]);
    let secret = std::fs::read_to_string(&out).unwrap();
    assert!(!told.contains(secret.trim()), "{told}");
    use std::os::unix::fs::PermissionsExt;
    assert_eq!(std::fs::metadata(&out).unwrap().permissions().mode() & 0o777, 0o600);

    let ci = ["--api-key-file", out.to_str().unwrap()];
    let made = appliance.cli(&[&["csr", "new", "--subject", "CN=a", "--json"], &ci[..]].concat());
    assert_eq!(made.status.code(), Some(0), "{made:?}");
    let wrong = appliance.cli(&[&["csr", "list", "--tenant", "default"], &ci[..]].concat());
    assert_eq!(wrong.status.code(), Some(1), "{wrong:?}");
    assert!(String::from_utf8_lossy(&wrong.stderr).contains("access.denied"), "{wrong:?}");
    assert_eq!(appliance.cli(&["principal", "list"]).status.code(), Some(0), "an auditor may look");
    assert_eq!(appliance.cli(&["principal", "new", "mallory"]).status.code(), Some(1));

    let keys: serde_json::Value = serde_json::from_str(&alice(&["api-key", "list", "ci", "--json"])).unwrap();
    let handle = keys["items"][0]["handle"].as_str().unwrap();
    assert!(keys["items"][0]["last_used_at"].is_string(), "{keys:#}");
    alice(&["api-key", "revoke", handle]);
    let revoked = appliance.cli(&[&["csr", "list"], &ci[..]].concat());
    assert_eq!(revoked.status.code(), Some(1), "{revoked:?}");
    alice(&["principal", "disable", "ci"]);
    assert!(alice(&["principal", "show", "ci"]).contains("disabled"));
    alice(&["principal", "enable", "ci"]);
    alice(&["principal", "revoke", "ci", "requester", "--in", "pki"]);
    alice(&["credential", "new", "ci", "--uid", "4711"]);
    assert!(alice(&["credential", "list", "ci"]).contains("uid 4711"));
    assert!(alice(&["principal", "list"]).contains("alice"));
}
