//! One record for each operation that changes something, done or refused.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::{records, records_of, records_so_far};
use crate::access::Office;
use crate::certificate_objects::certificate_path;
use crate::certificates::Ca;
use crate::harness::{Appliance, Reply, p256};

const METHODS: [&str; 4] = ["post", "put", "patch", "delete"];
const ANY_HANDLE: &str = "019aa5b2-5c3e-7c61-9d3f-0a4a6f2f8e11";

#[test]
fn every_operation_that_is_refused_leaves_one_record() {
    let appliance = Appliance::new();
    let service = appliance.start_ready();
    let office = Office::open(&appliance, &service);
    let idle = office.hire("idle", &[]);
    let every_role = ["requester", "operator", "admin", "approver"].map(|role| (role, None));
    let able = office.hire("able", &every_role);

    let document = service.get("/openapi.json").expect(200).json();
    let mut operations = 0;
    for (route, item) in document["paths"].as_object().unwrap() {
        for method in METHODS.iter().filter(|method| item.get(**method).is_some()) {
            let path = route
                .strip_prefix("/strongroom/v1")
                .unwrap()
                .replace("{handle}", ANY_HANDLE)
                .replace("{serial}", &"a".repeat(40))
                .replace("{name}", "nowhere")
                .replace("{principal}", "nobody-there")
                .replace("{role}", "no-such-role");
            let method = method.to_uppercase();
            let body = json!({ "no such field": "secret-canary" });
            let body = (method != "DELETE").then_some(&body);
            // Nobody is known there, so that a second call is a repetition.
            let anonymous = route.ends_with("/bootstrap");
            // It takes no body, so that nothing is wrong with one.
            let done_for_the_able = route.ends_with("/backup");
            for (name, key) in [("idle", &idle), ("able", &able)]
                .into_iter()
                .take(if anonymous || done_for_the_able { 1 } else { 2 })
            {
                let reply = office.call(key, &method, &path, body);
                assert!(reply.status >= 400, "{method} {path}: {reply:?}");
                let of = records_of(&service, &reply);
                assert_eq!(of.len(), 1, "{method} {path} by {name}: {reply:?} {of:?}");
                assert_eq!(of[0]["outcome"], "refused");
                assert_eq!(of[0]["action"], format!("{method} {route}"));
                let reason = of[0]["reason"].as_str().unwrap();
                if anonymous {
                    assert_eq!((&of[0]["actor"], reply.status), (&json!("unknown"), 401));
                } else {
                    assert_eq!(of[0]["name"], name);
                    assert!(reason.starts_with(reply.json()["code"].as_str().unwrap()), "{reason}");
                }
                assert!(!of[0].to_string().contains("secret-canary"), "{of:?}");
            }
            operations += 1;
        }
    }
    assert!(operations > 15, "{operations}");

    let denied = office.call(&idle, "GET", "/keys", None).expect(403);
    assert_eq!(records_of(&service, &denied).len(), 1, "a read is on record for want of a right");
    let missing = service.get(&format!("/keys/{ANY_HANDLE}")).expect(404);
    assert_eq!(records_so_far(&service, &missing).len(), 0, "and not for want of a thing");
}

#[test]
fn every_operation_that_is_done_leaves_its_records_in_the_name_of_who_asked() {
    let appliance = Appliance::new();
    let service = appliance.start_ready();
    let office = Office::open(&appliance, &service);
    let admin = |method: &str, path: &str, body: Option<Value>| {
        let reply = office.manage(method, path, body.as_ref());
        (format!("{method} {path}"), "alice", reply)
    };
    let mut done: Vec<(String, &str, Reply)> = vec![
        admin("POST", "/tenants", Some(json!({ "name": "pki" }))),
        admin("POST", "/principals", Some(json!({ "name": "bob", "kind": "person" }))),
        admin("PUT", "/principals/bob/grants/reader", None),
        admin("DELETE", "/principals/bob/grants/reader", None),
        admin("PATCH", "/principals/bob", Some(json!({ "enabled": false }))),
        admin("PATCH", "/principals/bob", Some(json!({ "enabled": true }))),
        admin("POST", "/credentials", Some(json!({ "principal": "alice", "kind": "api-key" }))),
    ];
    let issued = done.last().unwrap().2.json()["credential"]["handle"].as_str().unwrap().to_owned();
    done.push(admin("DELETE", &format!("/credentials/{issued}"), None));

    let operator = |method: &str, path: &str, body: Option<Value>| {
        let headers = [("content-type", "application/json")];
        let body = body.map(|body| body.to_string());
        let reply = service.request(method, path, &headers, body.as_deref().map(str::as_bytes));
        (format!("{method} {path}"), "operator", reply)
    };
    let made = operator("POST", "/csrs", Some(p256("a.example.com")));
    let csr = made.2.json();
    done.push(made);
    let certificate = Ca::new("Example CA").issue(csr["csr"].as_str().unwrap());
    let married = service.put(&certificate_path(&csr), "application/pkix-cert", certificate.der());
    done.push(("PUT certificate".to_owned(), "operator", married));
    let path = format!("/csrs/{}", csr["handle"].as_str().unwrap());
    let renewed = operator("POST", &format!("{path}/renew"), Some(json!({})));
    let renewal = format!("/csrs/{}", renewed.2.json()["handle"].as_str().unwrap());
    done.push(renewed);
    done.push(operator("POST", &format!("{path}/retire"), None));
    done.push(operator("DELETE", &renewal, None));
    done.push(operator("POST", "/tokens/main/probe", None));
    done.push(operator("POST", "/audit/forget-key", Some(json!({ "yes": true }))));

    let log = records(&service, "");
    let mut counts = BTreeMap::new();
    for (call, name, reply) in &done {
        assert!(reply.status < 300, "{call}: {reply:?}");
        let id = reply.header("x-request-id").unwrap();
        let of: Vec<_> = log.iter().filter(|record| record["request_id"] == id).collect();
        assert!(!of.is_empty(), "{call} left no record");
        for record in &of {
            assert_eq!((record["outcome"].as_str(), record["name"].as_str()), (Some("done"), Some(*name)));
            assert!(record["origin"].as_str().unwrap().starts_with("tcp 127.0.0.1:"), "{record}");
            assert_eq!(record["tenant"], "default");
        }
        counts.insert(of.last().unwrap()["action"].as_str().unwrap().to_owned(), of.len());
    }
    // A create says of each state that it reached.
    assert_eq!(counts["signing-request.pending"], 3);
    assert!(
        counts.iter().all(|(action, count)| action == "signing-request.pending" || *count == 1),
        "{counts:?}"
    );
    assert_eq!(log.len(), records(&service, "").len(), "reading leaves no record");
}

#[test]
fn a_flood_of_unknown_credentials_is_two_records() {
    let appliance = Appliance::new();
    let text = format!("{}\n[limits]\nfailed_logins_per_minute = 1000\n", appliance.config_text());
    appliance.write_private("strongroom.toml", &text);
    let mut service = appliance.start_ready();
    for n in 0..60 {
        let bearer = format!("Bearer srk_wrong-{n}");
        let method = if n % 2 == 0 { "GET" } else { "DELETE" };
        let path = format!("/keys/{n}");
        service.request(method, &path, &[("authorization", &bearer)], None).expect(401);
    }
    service.await_that("the first is on record", || !records(&service, "&actor=unknown").is_empty());
    assert_eq!(records(&service, "&actor=unknown").len(), 1);
    service.stop();
    let service = appliance.start_ready();
    let unknown = records(&service, "&actor=unknown&outcome=refused");
    assert_eq!(unknown.len(), 2);
    assert_eq!(unknown[1]["detail"], r#"{"repeated":59,"status":401}"#);
    assert_eq!(unknown[1]["subject"], "", "nothing that he says is believed");
}
