//! `/metrics`, as Prometheus would read it, and the line that the log has of each request.

use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::os::unix::net::UnixStream;

use rusqlite::Connection;
use serde_json::{Value, json};

use crate::access::Office;
use crate::harness::{Appliance, Service, p256};

#[test]
fn the_metrics_tell_what_was_done_and_how_the_appliance_is() {
    let appliance = Appliance::new();
    let service = appliance.start_ready();
    for name in ["a.example.com", "b.example.com"] {
        service.create(name);
    }
    service.post("/csrs", &json!({ "subject": "no name", "key": { "kind": "ec-p256" } })).expect(400);
    service.request("GET", "/csrs", &[("authorization", "Bearer srk_wrong")], None).expect(401);
    let mut odd = TcpStream::connect(service.address()).unwrap();
    odd.write_all(b"BREW /coffee HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n").unwrap();
    odd.read_to_string(&mut String::new()).unwrap();

    let metrics = scrape(&service);
    let created = "strongroom_http_request_duration_seconds_count{method=\"POST\",\
                   route=\"/strongroom/v1/csrs\",outcome=\"done\"}";
    assert_eq!(metrics[created], 2.0);
    assert_eq!(metrics[&created.replace("done", "refused")], 1.0);
    assert!(metrics[&created.replace("_count", "_sum")] > 0.0);
    assert_eq!(metrics["strongroom_failures_total{code=\"input.invalid\"}"], 1.0);
    assert_eq!(metrics["strongroom_failures_total{code=\"auth.unauthenticated\"}"], 1.0);
    assert_eq!(metrics["strongroom_keys{state=\"present\"}"], 3.0, "with the sentinel");
    assert_eq!(metrics["strongroom_signing_requests{state=\"pending\"}"], 2.0);
    assert_eq!(metrics["strongroom_pending_requests{younger_than=\"1h\"}"], 2.0);
    assert_eq!(metrics["strongroom_token_state{token=\"main\",state=\"ready\"}"], 1.0);
    assert_eq!(metrics["strongroom_token_state{token=\"main\",state=\"refused\"}"], 0.0);
    assert!(metrics["strongroom_token_sessions{token=\"main\"}"] >= 1.0);
    assert_eq!(metrics["strongroom_queue_length{queue=\"index-writer\"}"], 0.0);
    assert!(metrics["strongroom_audit_records"] > 4.0);
    assert!(metrics["strongroom_audit_newest_record_age_seconds"] < 60.0);
    assert!(metrics.keys().any(|line| line.contains("method=\"OTHER\"")), "made-up methods are one");
    assert!(!metrics.keys().any(|line| line.contains("BREW") || line.contains("coffee")));
}

#[test]
fn what_is_under_way_is_counted() {
    let mut appliance = Appliance::with_chaos();
    appliance.token_settings("sessions = 3");
    let service = appliance.start_ready();
    assert!(scrape(&service)["strongroom_token_sessions{token=\"main\"}"] >= 3.0);
    appliance.chaos_rules("C_GenerateKeyPair nth=1 sleep-ms=2000");
    std::thread::scope(|scope| {
        let making = scope.spawn(|| service.create("slow.example.com"));
        service.await_that("a key is being made", || {
            let metrics = scrape(&service);
            metrics["strongroom_keys_being_made"] == 1.0
                && metrics["strongroom_token_calls{token=\"main\",lane=\"mutation\"}"] == 1.0
        });
        making.join().unwrap();
    });
    assert_eq!(scrape(&service)["strongroom_keys_being_made"], 0.0);
    let other = Connection::open(appliance.data("strongroom.db")).unwrap();
    other.execute_batch("BEGIN IMMEDIATE").unwrap();
    std::thread::scope(|scope| {
        for n in 0..6 {
            let name = format!("waiting-{n}.example.com");
            let service = &service;
            scope.spawn(move || service.post("/csrs", &p256(&name)));
        }
        service.await_that("work waits for the index", || {
            scrape(&service)["strongroom_queue_length{queue=\"index-writer\"}"] >= 1.0
        });
        other.execute_batch("ROLLBACK").unwrap();
    });
}

#[test]
fn the_age_of_the_newest_audit_record_is_told() {
    let appliance = Appliance::new();
    let service = appliance.start_ready();
    service.create("a.example.com");
    let index = Connection::open(appliance.data("strongroom.db")).unwrap();
    let sql = "DROP TRIGGER audit_is_never_changed;
               UPDATE audit SET at = at - 3600000 WHERE seq = (SELECT max(seq) FROM audit)";
    index.execute_batch(sql).unwrap();
    let age = scrape(&service)["strongroom_audit_newest_record_age_seconds"];
    assert!((3_600.0..3_900.0).contains(&age), "{age}");
}

#[test]
fn what_waits_for_a_webhook_that_is_away_is_counted() {
    let appliance = Appliance::new();
    appliance.write_private("hook-secret", "0123456789abcdef0123456789abcdef");
    let hook = "[[webhooks]]\nname = \"hook\"\nurl = \"https://127.0.0.1:1/\"\nsecret_file = \"hook-secret\"\n\
                events = [\"signing-request.pending\"]\n";
    appliance.write_private("strongroom.toml", &format!("{}\n{hook}", appliance.config_text()));
    let service = appliance.start_ready();
    for name in ["a.example.com", "b.example.com"] {
        service.create(name);
    }
    assert_eq!(scrape(&service)["strongroom_webhook_backlog{webhook=\"hook\"}"], 2.0);
}

#[test]
fn labels_stay_few_whatever_is_asked_for_and_name_nobody() {
    let appliance = Appliance::new();
    let service = appliance.start_ready();
    let made = service.create("secret-name.example.com");
    let before = scrape(&service).len();
    for n in 0..50 {
        service.get(&format!("/csrs/{n}"));
        service.get(&format!("//nothing/{n}?q=secret-name.example.com"));
    }
    let metrics = scrape(&service);
    assert!(metrics.len() < before + 50, "{before} series became {}", metrics.len());
    let handle = made["handle"].as_str().unwrap();
    for secret in ["secret-name", handle, service.api_key(), "operator"] {
        assert!(!metrics.keys().any(|line| line.contains(secret)), "{secret}");
    }
}

#[test]
fn the_metrics_are_for_those_who_may_see_the_system_also_over_the_socket() {
    let appliance = Appliance::new();
    let service = appliance.start_ready();
    service.request("GET", "//metrics", &[("authorization", "")], None).problem(401, "auth.unauthenticated");
    let office = Office::open(&appliance, &service);
    let requester = office.hire("robot", &[("requester", None)]);
    office.call(&requester, "GET", "//metrics", None).problem(403, "access.denied");
    let reader = office.hire("prometheus", &[("reader", None)]);
    let reply = office.call(&reader, "GET", "//metrics", None).expect(200);
    assert!(reply.header("content-type").unwrap().starts_with("application/openmetrics-text"), "{reply:?}");

    let mut socket = UnixStream::connect(appliance.data("strongroom.sock")).unwrap();
    let head = "GET /metrics HTTP/1.1\r\nHost: a\r\nConnection: close\r\nAuthorization: Bearer";
    socket.write_all(format!("{head} {reader}\r\n\r\n").as_bytes()).unwrap();
    let mut answer = String::new();
    socket.read_to_string(&mut answer).unwrap();
    assert!(answer.starts_with("HTTP/1.1 200") && answer.contains("strongroom_keys"), "{answer}");
}

#[test]
fn each_request_has_a_line_in_the_log_with_who_and_what_and_no_secret() {
    let appliance = Appliance::new();
    let service = appliance.start_ready();
    let reply = service.post("/csrs", &p256("logged.example.com")).expect(201);
    let id = reply.header("x-request-id").unwrap().to_owned();
    service.get("/csrs?name=queried.example.com").expect(200);
    let lines = || -> Vec<Value> {
        let log = appliance.log();
        let entries = log.lines().filter_map(|line| serde_json::from_str(line).ok());
        entries.map(|entry: Value| entry["fields"].clone()).filter(|f| f["message"] == "answered").collect()
    };
    service.await_that("both are logged", || lines().len() >= 2);
    let lines = lines();
    let line = lines.iter().find(|line| line["request.id"] == id.as_str()).expect("its line");
    assert_eq!((&line["method"], &line["route"]), (&json!("POST"), &json!("/strongroom/v1/csrs")));
    assert_eq!(line["status"], 201);
    assert!(line["ms"].as_f64().unwrap() > 0.0);
    assert_eq!(line["principal"].as_str().unwrap().len(), 36);
    let log = appliance.log();
    for secret in ["logged.example.com", "queried.example.com", service.api_key()] {
        assert!(!log.contains(secret), "{secret}");
    }
    assert!(!lines.iter().any(|line| line["route"] == "/readyz"), "what is polled is not logged");
}

/// Every line by its name and labels. The text has to be complete.
fn scrape(service: &Service) -> BTreeMap<String, f64> {
    let reply = service.get("//metrics").expect(200);
    let text = String::from_utf8(reply.bytes).unwrap();
    assert!(text.ends_with("# EOF\n"), "{text}");
    assert_eq!(text.matches("# EOF").count(), 1);
    let lines = text.lines().filter(|line| !line.starts_with('#'));
    let lines = lines.map(|line| line.rsplit_once(' ').unwrap());
    lines.map(|(name, value)| (name.to_owned(), value.parse().unwrap())).collect()
}
