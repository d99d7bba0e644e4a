//! The life of keys and certificates: listed by their end, renewed, retired, compromised, destroyed in
//! their time and not before.

use std::time::{Duration, SystemTime};

use serde_json::{Value, json};

use crate::certificates::Ca;
use crate::harness::{Appliance, Service};
use crate::ledger::audit_of;

const DAY: u64 = 86_400;

#[test]
fn a_key_goes_through_the_states_of_sp_800_57() {
    let appliance = Appliance::new();
    let service = appliance.start_ready();
    let csr = service.create("www.example.com");
    let life = |state: &str, through: &[&str]| {
        let key = service.get(&key_path(&csr)).expect(200).json();
        assert_eq!(key["life"]["state"], state);
        let since: Vec<_> = key["life"]["since"].as_object().unwrap().keys().map(String::as_str).collect();
        assert_eq!(since, through, "in the order of the alphabet");
        let listed = service.get(&format!("/keys?life={state}")).expect(200).json();
        let listed: Vec<_> = listed["items"].as_array().unwrap().iter().map(|key| &key["handle"]).collect();
        assert!(listed.contains(&&csr["key"]["handle"]), "{listed:?}");
        key
    };
    life("pre-active", &["pre-active"]);
    marry(&service, &csr, 100);
    life("active", &["active", "pre-active"]);
    assert_eq!(service.get("/keys?life=deactivated").json()["items"], json!([]));
    service.post(&format!("{}/retire", csr_path(&csr)), &json!({})).expect(200);
    let key = life("deactivated", &["active", "deactivated", "pre-active"]);
    assert!(key["life"]["retired_at"].is_string(), "the last request takes its key with it: {key}");
    assert_eq!(key["life"]["destroy_after"], Value::Null, "never by itself unless that is configured");
    service.delete(&key_path(&csr)).expect(200);
    life("destroyed", &["active", "deactivated", "destroyed", "pre-active"]);
    for verb in ["retire", "unretire"] {
        let late = service.post(&format!("{}/{verb}", key_path(&csr)), &json!({})).problem(409, "key.state");
        assert!(late["detail"].as_str().unwrap().contains("is destroyed and cannot be"), "{late}");
    }
    service.get("/keys?life=alive").problem(400, "input.invalid");
}

#[test]
fn a_retired_key_signs_nothing_until_that_is_taken_back() {
    let appliance = Appliance::new();
    let service = appliance.start_ready();
    let csr = service.create("www.example.com");
    let post = |verb: &str| service.post(&format!("{}/{verb}", key_path(&csr)), &json!({}));
    assert_eq!(post("retire").problem(409, "key.in-use")["csr"], csr["handle"]);
    assert_eq!(post("unretire").problem(409, "key.state")["state"], Value::Null);
    marry(&service, &csr, 100);
    service.post(&format!("{}/retire", csr_path(&csr)), &json!({})).expect(200);
    let renew = || service.post(&format!("{}/renew", csr_path(&csr)), &json!({ "key": "same" }));
    let refused = renew().problem(409, "key.state");
    assert!(refused["detail"].as_str().unwrap().contains("is retired since"), "{refused}");
    let other = json!({ "subject": "CN=other", "key": { "handle": csr["key"]["handle"] } });
    service.post("/csrs", &other).problem(409, "key.state");
    let at = post("retire").expect(200).json()["life"]["retired_at"].clone();
    assert_eq!(post("retire").expect(200).json()["life"]["retired_at"], at, "retired again, nothing changes");
    assert_eq!(post("unretire").expect(200).json()["life"]["retired_at"], Value::Null);
    let renewal = renew().expect(201).json();
    let shown = service.get(&csr_path(&csr)).json();
    assert_eq!((&shown["renewed_by"], &renewal["renews"]), (&json!([renewal["handle"]]), &csr["handle"]));
    let next =
        service.post(&format!("{}/renew", csr_path(&renewal)), &json!({ "key": "new" })).expect(201).json();
    assert_eq!(service.get(&csr_path(&renewal)).json()["renewed_by"], json!([next["handle"]]));
    let sentinel = service.get("/keys").json()["items"].as_array().unwrap().last().unwrap().clone();
    let sentinel = format!("/keys/{}", sentinel["handle"].as_str().unwrap());
    service.post(&format!("{sentinel}/retire"), &json!({})).problem(409, "key.sentinel");
    service.post(&format!("{sentinel}/compromise"), &json!({ "reason": "x" })).problem(409, "key.sentinel");
}

#[test]
fn a_retired_key_is_destroyed_when_both_clocks_say_so_and_not_before() {
    let appliance = Appliance::new();
    let text = format!("{}\n[keys]\ndestroy_retired_after_days = 30\n", appliance.config_text());
    appliance.write_private("strongroom.toml", &text);
    let mut service = appliance.start_ready();
    let (csr, kept) = (service.create("www.example.com"), service.create("kept.example.com"));
    for csr in [&csr, &kept] {
        marry(&service, csr, 100);
        service.post(&format!("{}/retire", csr_path(csr)), &json!({})).expect(200);
    }
    let key = service.get(&key_path(&csr)).json();
    let end = key["life"]["destroy_after"].as_str().unwrap();
    let days =
        |text: &str| text.parse::<strongroom::domain::clock::Timestamp>().unwrap().as_millis() / 86_400_000;
    assert_eq!(days(end) - days(key["life"]["retired_at"].as_str().unwrap()), 30);
    service.post(&format!("{}/unretire", key_path(&kept)), &json!({})).expect(200);

    // The wall clock jumps far ahead: as far as the key is concerned, its end is long past.
    let state = |service: &Service, csr: &Value| service.get(&key_path(csr)).json()["state"].clone();
    let move_on = |column: &str| {
        let index = rusqlite::Connection::open(appliance.data("strongroom.db")).unwrap();
        let moved = index.execute(
            &format!("UPDATE keys SET {column} = {column} - 31 * 86400000 WHERE {column} IS NOT NULL"),
            [],
        );
        assert_eq!(moved.unwrap(), 1, "the other one was taken back");
    };
    service.stop();
    drop(service);
    move_on("destroy_after");
    let mut service = appliance.start_ready();
    service.post("/tokens/main/reconcile", &json!({})).expect(200);
    assert_eq!(state(&service, &csr), "present", "the service has not run for 30 days");
    service.stop();
    drop(service);
    move_on("destroy_after_lived");
    let mut service = appliance.start_ready();
    service.await_that("the key is destroyed", || state(&service, &csr) == "destroyed");
    assert_eq!(state(&service, &kept), "present");
    assert_eq!(appliance.private_keys(), 2, "the sentinel and the key that was taken back");
    service.stop();
    let by = audit_of(&appliance).into_iter().rfind(|record| record.action == "key.destroying").unwrap();
    assert_eq!((by.actor.as_str(), by.subject.as_str()), ("system", csr["key"]["handle"].as_str().unwrap()));
}

#[test]
fn a_compromised_key_signs_nothing_more_and_all_its_uses_are_named() {
    let appliance = Appliance::new();
    let mut service = appliance.start_ready();
    let csr = service.create("www.example.com");
    marry(&service, &csr, 100);
    let renewal =
        service.post(&format!("{}/renew", csr_path(&csr)), &json!({ "key": "same" })).expect(201).json();
    let path = format!("{}/compromise", key_path(&csr));
    for reason in ["", "  ", &"x".repeat(501)] {
        service.post(&path, &json!({ "reason": reason })).problem(400, "input.invalid");
    }
    service.post(&path, &json!({})).problem(400, "body.invalid");
    let said = service.post(&path, &json!({ "reason": "its backup was stolen" })).expect(200).json();
    assert_eq!(said["key"]["life"]["state"], "compromised");
    assert_eq!(said["key"]["life"]["compromise"], "its backup was stolen");
    let uses = json!([
        { "handle": csr["handle"], "status": "issued" },
        { "handle": renewal["handle"], "status": "pending" },
    ]);
    assert_eq!(said["csrs"], uses);
    service.post(&path, &json!({ "reason": "again" })).problem(409, "key.state");
    let renew = |key: &str| service.post(&format!("{}/renew", csr_path(&csr)), &json!({ "key": key }));
    let refused = renew("same").problem(409, "key.state");
    assert!(refused["detail"].as_str().unwrap().contains("is compromised since"), "{refused}");
    assert_ne!(renew("new").expect(201).json()["key"]["handle"], csr["key"]["handle"]);
    service.stop();
    let record = audit_of(&appliance).into_iter().rfind(|record| record.action == "key.compromised").unwrap();
    assert_eq!(record.reason, "its backup was stolen", "{record:?}");
}

#[test]
fn certificates_are_listed_by_their_end() {
    let appliance = Appliance::new();
    let service = appliance.start_ready();
    let mut handles = Vec::new();
    for (name, days) in [("late.example.com", 90), ("soon.example.com", 10), ("next.example.com", 20)] {
        let csr = service.create(name);
        marry(&service, &csr, days);
        handles.push(csr);
    }
    let [late, soon, next] = [0, 1, 2].map(|n: usize| handles[n]["handle"].clone());
    let list = |query: &str| {
        let page = service.get(&format!("/certificates{query}")).expect(200).json();
        page["items"].as_array().unwrap().iter().map(|item| item["handle"].clone()).collect::<Vec<_>>()
    };
    assert_eq!(list(""), [soon.clone(), next.clone(), late.clone()]);
    assert_eq!(list("?expires_before=+30d"), [soon.clone(), next.clone()]);
    assert_eq!(list("?expires_before=%2B30d&expires_after=15d"), vec![next.clone()]);
    assert_eq!(list("?expires_after=2999-01-01T00:00:00Z"), Vec::<Value>::new());
    assert_eq!(list("?name=LATE"), vec![late.clone()]);
    service.post(&format!("{}/retire", csr_path(&handles[1])), &json!({})).expect(200);
    assert_eq!(list("?status=issued&expires_before=+30d"), vec![next.clone()]);
    assert_eq!(list("?status=retired"), vec![soon.clone()]);
    let first = service.get("/certificates?limit=1").json();
    assert_eq!(first["items"][0]["subject"], "CN=soon.example.com");
    let cursor = first["next_cursor"].as_str().unwrap();
    assert_eq!(list(&format!("?limit=1&cursor={cursor}")), vec![next.clone()]);
    for wrong in ["?expires_before=soon", "?status=pending", "?limit=0", "?cursor=x"] {
        service.get(&format!("/certificates{wrong}")).problem(400, "input.invalid");
    }
    service.get("/certificates?days=30").problem(400, "query.invalid");

    let output = appliance.cli(&["certificate", "list", "--expires-before", "+30d", "--json"]);
    let page: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(page["items"][1]["handle"], next, "{output:?}");
    let output = appliance.cli(&["certificate", "show", next.as_str().unwrap(), "--pem"]);
    assert!(output.stdout.starts_with(b"-----BEGIN CERTIFICATE-----"), "{output:?}");
}

#[test]
fn the_command_line_leads_a_key_through_its_life() {
    let appliance = Appliance::new();
    let service = appliance.start_ready();
    let csr = service.create("www.example.com");
    let key = csr["key"]["handle"].as_str().unwrap();
    let say = |args: &[&str], code: i32| {
        let output = appliance.cli(args);
        assert_eq!(output.status.code(), Some(code), "{output:?}");
        String::from_utf8([output.stdout, output.stderr].concat()).unwrap()
    };
    assert!(say(&["key", "retire", key], 1).contains("cancel or retire them first"));
    marry(&service, &csr, 100);
    say(&["csr", "retire", csr["handle"].as_str().unwrap()], 0);
    assert!(say(&["key", "list", "--life", "deactivated"], 0).contains(key));
    assert!(say(&["key", "unretire", key], 0).contains("no longer retired"));
    assert!(say(&["key", "retire", key], 0).contains("retired"));
    let said = say(&["key", "compromise", key, "--reason", "lost"], 0);
    assert!(said.contains("signs nothing more") && said.contains(csr["handle"].as_str().unwrap()), "{said}");
    let shown = say(&["key", "show", key], 0);
    assert!(shown.contains("compromised since") && shown.contains("lost"), "{shown}");
}

fn marry(service: &Service, csr: &Value, days: u64) {
    let certificate = Ca::new("Example CA").issue_with(csr["csr"].as_str().unwrap(), |params| {
        params.not_after = (SystemTime::now() + Duration::from_secs(days * DAY)).into();
    });
    let path = format!("{}/certificate", csr_path(csr));
    service.put(&path, "application/x-pem-file", certificate.pem().as_bytes()).expect(200);
}

fn csr_path(csr: &Value) -> String {
    format!("/csrs/{}", csr["handle"].as_str().unwrap())
}

fn key_path(csr: &Value) -> String {
    format!("/keys/{}", csr["key"]["handle"].as_str().unwrap())
}
