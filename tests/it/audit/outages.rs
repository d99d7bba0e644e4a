//! A log that cannot be written stops changes, lets reads go on, and turns no refusal into anything else.

use std::time::{Duration, Instant};

use rusqlite::Connection;
use serde_json::json;

use super::records;
use crate::harness::{Appliance, p256};

#[test]
fn an_index_that_another_process_holds_stops_changes_and_is_told_in_time() {
    let appliance = Appliance::new();
    let mut service = appliance.start_ready();
    let kept = service.create("kept.example");
    let path = format!("/csrs/{}", kept["handle"].as_str().unwrap());
    let other = Connection::open(appliance.data("strongroom.db")).unwrap();
    other.execute_batch("BEGIN IMMEDIATE").unwrap();

    let begun = Instant::now();
    let refused = service.post("/csrs", &p256("b.example"));
    assert!(refused.header("retry-after").is_some());
    refused.problem(503, "store.busy");
    service.delete(&path).problem(503, "store.busy");
    // Each waits for the index, and once more for its record.
    assert!(begun.elapsed() < Duration::from_secs(15), "{:?}", begun.elapsed());
    let begun = Instant::now();
    service.get(&path).expect(200);
    service.get("/audit").expect(200);
    assert!(begun.elapsed() < Duration::from_secs(2), "reads wait for nobody: {:?}", begun.elapsed());
    let wrong = [("authorization", "Bearer srk_wrong")];
    service.request("GET", &path, &wrong, None).problem(401, "auth.unauthenticated");
    service.post("/csrs", &json!({ "no such field": 1 })).problem(400, "body.invalid");
    assert!(begun.elapsed() < Duration::from_secs(8), "{:?}", begun.elapsed());
    let before = records(&service, "&outcome=refused").len();

    other.execute_batch("ROLLBACK").unwrap();
    service.create("b.example");
    service.stop();
    let service = appliance.start_ready();
    let refused = records(&service, "&outcome=refused");
    let told: Vec<_> = refused.iter().skip(before).map(|record| record["reason"].as_str().unwrap()).collect();
    for code in ["store.busy", "auth.unauthenticated", "body.invalid"] {
        assert!(told.iter().any(|reason| reason.starts_with(code)), "{code} is not on record: {told:?}");
    }
}
