//! Names are in the log as pseudonyms, while the key of these lives.

use std::fs;

use serde_json::json;

use super::{records, says};
use crate::harness::Appliance;

#[test]
fn a_name_is_in_the_log_only_as_a_pseudonym_that_can_be_forgotten() {
    let appliance = Appliance::new();
    let mut service = appliance.start_ready();
    let names = ["person-canary", "host-canary.example", "mail-canary@example.com", "192.0.2.77"];
    let body = json!({
        "subject": "CN=person-canary,EMAILADDRESS=mail-canary@example.com",
        "sans": ["DNS:host-canary.example", "email:mail-canary@example.com", "IP:192.0.2.77"],
    });
    service.post("/csrs", &body).expect(201);
    // Names in the wrong place are refused, and may not slip in with the reason.
    for wrong in [
        json!({ "subject": "CN=person-canary", "sans": ["DNS:host-canary.example/x"] }),
        json!({ "subject": "person-canary" }),
        json!({ "subject": "CN=a", "host-canary.example": true }),
        json!({ "subject": { "CN": "person-canary" } }),
        json!({ "subject": "CN=a", "template": "mail-canary@example.com" }),
    ] {
        let refused = service.post("/csrs", &wrong);
        assert!(refused.status >= 400, "{refused:?}");
    }
    for name in names {
        let (code, shown) = says(&appliance, &["audit", "show", "--match", &name.to_uppercase()]);
        assert_eq!((code, shown.matches("signing-request.intent").count()), (0, 1), "{name}: {shown}");
    }
    let (_, shown) = says(&appliance, &["audit", "show", "--match", "another.example"]);
    assert!(!shown.contains("signing-request"), "{shown}");
    let old_key = fs::read(appliance.data("audit-key")).unwrap();

    assert_eq!(says(&appliance, &["audit", "forget-key"]).0, 2, "not without --yes");
    assert_eq!(says(&appliance, &["audit", "forget-key", "--yes"]).0, 0);
    let (code, shown) = says(&appliance, &["audit", "show", "--match", names[0]]);
    assert!(code == 0 && !shown.contains("signing-request"), "{shown}");
    assert_eq!(says(&appliance, &["audit", "verify"]).0, 0, "the chain holds");
    let forgotten = records(&service, "&action=audit.key-forgotten");
    assert_eq!((forgotten.len(), &forgotten[0]["name"]), (1, &json!("operator")));
    service.post("/csrs", &body).expect(201);
    let (_, shown) = says(&appliance, &["audit", "show", "--match", names[0]]);
    assert_eq!(shown.matches("signing-request.intent").count(), 1, "records to come have a key: {shown}");
    service.stop();

    assert_ne!(fs::read(appliance.data("audit-key")).unwrap(), old_key);
    let index = rusqlite::Connection::open(appliance.data("strongroom.db")).unwrap();
    let mut rows = index.prepare("SELECT * FROM audit").unwrap();
    let columns = rows.column_count();
    let mut rows = rows.query([]).unwrap();
    let mut seen = 0;
    while let Some(row) = rows.next().unwrap() {
        for column in 0..columns {
            let text = format!("{:?}", row.get::<_, rusqlite::types::Value>(column).unwrap());
            for name in names {
                assert!(!text.contains(name), "{name}: {text}");
            }
        }
        seen += 1;
    }
    assert!(seen > 10);
}

#[test]
fn a_secret_in_the_place_of_a_handle_or_a_tenant_is_not_on_record() {
    let appliance = Appliance::new();
    let service = appliance.start();
    // As whoever revokes an API key by itself and not by its handle.
    let key = service.api_key();
    service.delete(&format!("/credentials/{key}")).expect(400);
    service.request("GET", "/csrs", &[("strongroom-tenant", key)], None).problem(403, "access.denied");
    service.await_that("both are on record", || records(&service, "").len() >= 2);
    let told = format!("{:?}", records(&service, ""));
    assert!(told.contains("DELETE /strongroom/v1/credentials/{handle}"), "{told}");
    assert!(told.contains("access.denied: this needs the permission csr:read"), "{told}");
    assert!(!told.contains(key), "{told}");
}
