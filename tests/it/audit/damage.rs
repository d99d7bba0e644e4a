//! A damaged log stops changes, lets reads go on, and there is a recorded way out.

use rusqlite::Connection;
use serde_json::json;

use super::{records, says, script_says};
use crate::harness::{Appliance, p256};

/// Changes a record as somebody would who owns the file.
fn tamper(appliance: &Appliance, with: &str) {
    let index = Connection::open(appliance.data("strongroom.db")).unwrap();
    index.execute_batch("DROP TRIGGER audit_is_never_changed; DROP TRIGGER audit_is_never_deleted").unwrap();
    assert!(index.execute(with, []).unwrap() > 0, "{with}");
}

#[test]
fn a_damaged_log_stops_changes_until_the_chain_is_started_anew() {
    let appliance = Appliance::new();
    let mut service = appliance.start_ready();
    let kept = service.create("kept.example");
    let (_, checkpoint) = says(&appliance, &["audit", "checkpoint"]);
    appliance.write_private("kept.txt", &checkpoint);
    let kept_checkpoint = appliance.path("kept.txt");
    let kept_checkpoint = kept_checkpoint.to_str().unwrap();
    assert_eq!(says(&appliance, &["audit", "restart-chain", "--reason", "none"]).0, 1, "nothing is damaged");
    service.stop();
    tamper(&appliance, "UPDATE audit SET subject = 'somebody else''s' WHERE seq = 3");

    let mut service = appliance.start();
    let refused = service.post("/csrs", &p256("b.example"));
    assert!(refused.header("retry-after").is_some());
    let problem = refused.problem(503, "audit.damaged");
    let detail = problem["detail"].as_str().unwrap();
    assert!(detail.contains("audit record 3: was changed") && detail.contains("audit verify"), "{detail}");
    let path = format!("/csrs/{}", kept["handle"].as_str().unwrap());
    service.delete(&path).problem(503, "audit.damaged");
    assert_eq!(service.get(&path).expect(200).json()["status"], "pending", "reading goes on");
    service.get("/audit").expect(200);
    service.await_that("the token is ready", || {
        service.request("GET", "//readyz", &[], None).json()["tokens"] == json!({ "ready": 1 })
    });
    let ready = service.request("GET", "//readyz", &[], None).expect(503).json();
    assert_eq!(ready, json!({ "ready": false, "tokens": { "ready": 1 }, "audit": "damaged" }));
    service.request("DELETE", &path, &[("authorization", "Bearer srk_wrong")], None).expect(401);

    let (code, said) = says(&appliance, &["audit", "verify"]);
    assert!(code == 1 && said.contains("record 3 was changed"), "{said}");
    assert_eq!(says(&appliance, &["audit", "checkpoint"]).0, 1, "none is taken of it");
    assert_eq!(says(&appliance, &["audit", "restart-chain", "--reason", " "]).0, 1);
    let (code, said) = says(&appliance, &["audit", "restart-chain", "--reason", "disk repaired, ticket 17"]);
    assert_eq!(code, 0, "{said}");

    service.await_ready();
    service.create("c.example");
    let restarted = &records(&service, "&action=audit.chain-restarted")[0];
    assert_eq!(restarted["reason"], "disk repaired, ticket 17");
    assert_eq!(restarted["name"], "operator");
    assert_eq!(restarted["detail"], r#"{"damaged":3,"what":"was changed after it was written"}"#);
    let (code, said) = says(&appliance, &["audit", "verify"]);
    assert!(code == 0 && said.contains("record 3 was changed") && said.contains("acknowledges"), "{said}");
    let (code, said) = says(&appliance, &["audit", "verify", "--checkpoint", kept_checkpoint]);
    assert!(code == 1 && said.contains("record 3 "), "who kept a checkpoint is not put off: {said}");
    service.stop();

    let index = appliance.data("strongroom.db");
    let (code, said) = script_says(&[index.to_str().unwrap()]);
    assert!(code == 0 && said.contains("acknowledged by record"), "{said}");
    assert_eq!(script_says(&[index.to_str().unwrap(), kept_checkpoint]).0, 1);
    appliance.start_ready().create("d.example");
}

#[test]
fn damage_that_comes_while_the_service_runs_is_found_by_the_next_change_or_verification() {
    let appliance = Appliance::new();
    let service = appliance.start_ready();
    service.create("a.example");
    tamper(&appliance, "UPDATE audit SET actor = 'nobody' WHERE seq = (SELECT max(seq) FROM audit)");
    service.post("/csrs", &p256("b.example")).problem(503, "audit.damaged");
    assert_eq!(says(&appliance, &["audit", "restart-chain", "--reason", "a test"]).0, 0);
    service.create("b.example");

    let index = Connection::open(appliance.data("strongroom.db")).unwrap();
    index.execute("DELETE FROM audit WHERE seq = (SELECT max(seq) - 1 FROM audit)", []).unwrap();
    assert_eq!(says(&appliance, &["audit", "verify"]).0, 1);
    service.post("/csrs", &p256("c.example")).problem(503, "audit.damaged");
}
