//! The OpenAPI document: as committed, and true about who may call what.

use std::fs;
use std::path::Path;

use serde_json::Value;

use crate::harness::Appliance;

const COMMITTED: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/openapi.json");
const METHODS: [&str; 7] = ["get", "put", "post", "delete", "options", "head", "patch"];
const ANY_HANDLE: &str = "019aa5b2-5c3e-7c61-9d3f-0a4a6f2f8e11";

#[test]
fn the_document_that_is_served_is_the_committed_one() {
    let appliance = Appliance::new();
    let served = appliance.start().get("/openapi.json").expect(200).json();
    let text = format!("{served:#}\n");
    if std::env::var_os("UPDATE_OPENAPI").is_some() {
        fs::create_dir_all(Path::new(COMMITTED).parent().unwrap()).unwrap();
        return fs::write(COMMITTED, text).unwrap();
    }
    let committed = fs::read_to_string(COMMITTED).unwrap_or_default();
    let differs = text.lines().zip(committed.lines()).position(|(served, committed)| served != committed);
    assert!(
        text == committed,
        "docs/openapi.json is not what the program serves (first at line {}); if the change is meant: \
         UPDATE_OPENAPI=1 cargo test --test it openapi",
        1 + differs.unwrap_or_else(|| text.lines().count().min(committed.lines().count()))
    );
}

#[test]
fn every_operation_needs_an_api_key() {
    let appliance = Appliance::new();
    let text = format!("{}\n[limits]\nfailed_logins_per_minute = 1000\n", appliance.config_text());
    appliance.write_private("strongroom.toml", &text);
    let service = appliance.start();
    let document = service.get("/openapi.json").expect(200).json();
    let ways = serde_json::json!([{ "api_key": [] }, { "basic": [] }, { "client_certificate": [] }]);
    assert_eq!(document["security"], ways);
    assert_eq!(document["components"]["securitySchemes"]["api_key"]["scheme"], "bearer");
    let mut operations = 0;
    for (path, item) in document["paths"].as_object().unwrap() {
        let path = path
            .replace("{handle}", ANY_HANDLE)
            .replace("{serial}", &"a".repeat(40))
            .replace("{name}", "main");
        let path = path.replace("{principal}", "nobody").replace("{role}", "reader");
        assert!(!path.contains('{'), "{path}: a parameter that this test does not know");
        for method in METHODS.iter().filter(|method| item.get(**method).is_some()) {
            assert_eq!(item[method]["security"], Value::Null, "{method} {path} departs from the rule");
            for wrong in ["", "Bearer", "Bearer srk_wrong", "Basic c3JrOg=="] {
                let headers = [("authorization", wrong), ("content-type", "application/json")];
                let body: Option<&[u8]> = matches!(*method, "put" | "post" | "patch").then_some(b"{}");
                let refused = service.request(&method.to_uppercase(), &format!("/{path}"), &headers, body);
                assert_eq!(refused.header("www-authenticate"), Some("Bearer realm=\"strongroom\""));
                refused.problem(401, "auth.unauthenticated");
            }
            operations += 1;
        }
    }
    assert_eq!(operations, 64, "the operations that this test walked");
    let refused = service.request("GET", "/openapi.json", &[("authorization", "")], None);
    refused.problem(401, "auth.unauthenticated");
}

#[test]
fn only_the_probes_answer_without_an_api_key() {
    let appliance = Appliance::new();
    let service = appliance.start_ready();
    let anonymous = [("authorization", "")];
    for path in ["//livez", "//readyz", "/livez", "/readyz"] {
        service.request("GET", path, &anonymous, None).expect(200);
    }
    assert_eq!(service.request("GET", "//livez", &anonymous, None).bytes, b"ok\n");
    let ready = service.request("GET", "//readyz", &anonymous, None).json();
    assert_eq!(ready, serde_json::json!({ "ready": true, "tokens": { "ready": 1 } }));
}
