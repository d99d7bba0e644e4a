//! The OpenAPI documents against the service: `schemathesis` calls every operation with what the document allows and
//! with what it forbids. No answer is a 5xx, and every answer is declared.

use std::fs;
use std::path::Path;
use std::process::Command;

use serde_json::Value;

use crate::access::Office;
use crate::cloudflare;
use crate::harness::{Appliance, Service};
use crate::keyfactor;
use crate::python;

/// Would end what the calls are made with: its credential, its grants, the principal itself.
const NOT_CALLED: [&str; 3] = ["revokeCredential", "removeGrant", "changePrincipal"];

const ROLES: [&str; 6] = ["reader", "requester", "approver", "operator", "auditor", "admin"];

const CHECKS: &str = "not_a_server_error,status_code_conformance,content_type_conformance,\
                      response_schema_conformance,response_headers_conformance";

#[test]
fn the_native_api_answers_as_its_document_says() {
    let appliance = quiet(Appliance::new());
    // Calls without a credential are part of what is tried.
    let text = format!("{}\n[limits]\nfailed_logins_per_minute = 100000\n", appliance.config_text());
    appliance.write_private("strongroom.toml", &text);
    let service = appliance.start_ready();
    let office = Office::open(&appliance, &service);
    let everything: Vec<_> = ROLES.iter().map(|role| (*role, None)).collect();
    let key = office.hire("schemathesis", &everything);
    let headers = [("Authorization", format!("Bearer {key}"))];
    answers_as_declared(&appliance, &service, &committed("openapi.json"), &headers);
}

#[test]
fn the_cloudflare_api_answers_as_its_document_says() {
    let appliance = quiet(Appliance::new());
    cloudflare::switch_on(&appliance, "");
    let service = appliance.start_ready();
    let people = cloudflare::hire(&appliance, &service);
    for number in 0..3 {
        let body = cloudflare::body(&format!("host-{number}.lab.internal"));
        let path = format!("/accounts/{}/custom_csrs", cloudflare::ACCOUNT);
        cloudflare::call(&service, &people.requester, "POST", &path, &[], Some(&body)).expect(201);
    }
    // Of an account that there is: others are refused before anything is looked at.
    let document = committed("openapi/cloudflare.json").to_string();
    let account = format!("/accounts/{}/", cloudflare::ACCOUNT);
    let mut document: Value = serde_json::from_str(&document.replace("/{scope}/{id}/", &account)).unwrap();
    for operation in operations(&mut document) {
        let parameters = operation["parameters"].as_array_mut().unwrap();
        parameters.retain(|parameter| parameter["name"] != "scope" && parameter["name"] != "id");
    }
    let headers = [("Authorization", format!("Bearer {}", people.requester))];
    answers_as_declared(&appliance, &service, &document, &headers);
}

#[test]
fn the_keyfactor_api_answers_as_its_document_says() {
    let appliance = quiet(keyfactor::appliance_with("[limits]\nfailed_logins_per_minute = 100000\n"));
    let service = appliance.start_ready();
    let client = keyfactor::Client::hired(&appliance, &service);
    (0..3).for_each(|number| drop(client.generated(&format!("host-{number}.lab.internal"))));
    let headers = [
        ("Authorization", client.authorization.clone()),
        ("x-keyfactor-requested-with", "APIClient".to_owned()),
    ];
    answers_as_declared(&appliance, &service, &committed("openapi/keyfactor.json"), &headers);
}

/// Logs no calls: thousands of them are not to be read when one fails. Where the service listens, the harness reads in
/// the log.
pub fn quiet(mut appliance: Appliance) -> Appliance {
    appliance.env("RUST_LOG", "error,strongroom::serve=info");
    appliance
}

/// A document as committed, by its path below `docs`.
pub fn committed(name: &str) -> Value {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs").join(name);
    serde_json::from_str(&fs::read_to_string(path).unwrap()).unwrap()
}

fn operations(document: &mut Value) -> impl Iterator<Item = &mut Value> {
    let paths = document["paths"].as_object_mut().unwrap();
    paths.values_mut().flat_map(|path| path.as_object_mut().unwrap().values_mut())
}

/// Runs `schemathesis` on a document; the same calls every time, up to a limit of time.
#[track_caller]
pub fn answers_as_declared(
    appliance: &Appliance,
    service: &Service<'_>,
    document: &Value,
    headers: &[(&str, String)],
) {
    appliance.write_private("openapi.json", &document.to_string());
    let mut command = Command::new(python::program("schemathesis"));
    command
        .arg("run")
        .arg(appliance.path("openapi.json"))
        .args(["--url", &format!("http://{}", service.address())])
        .args(["--checks", CHECKS, "--phases", "examples,coverage,fuzzing", "--generation-deterministic"])
        // One at a time: CPython 3.11 cannot read source in two threads (https://github.com/python/cpython/issues/106905).
        .args(["--max-time", "60", "--workers", "1", "--request-timeout", "60", "--continue-on-failure"])
        .args(["--no-color", "--warnings", "off"])
        .args(NOT_CALLED.iter().flat_map(|operation| ["--exclude-operation-id", operation]))
        .args(headers.iter().flat_map(|(name, value)| ["--header".to_owned(), format!("{name}: {value}")]))
        .env("SCHEMATHESIS_HOOKS", concat!(env!("CARGO_MANIFEST_DIR"), "/tests/it/schemathesis/hooks.py"))
        // It writes a cache of examples where it runs.
        .current_dir(appliance.path(""));
    let output = command.output().expect("target/venv with schemathesis: scripts/test makes it");
    let report = String::from_utf8_lossy(&output.stdout);
    let failures = report.find("= FAILURES =").map_or(&*report, |at| &report[at..]);
    assert!(output.status.success(), "{}", failures.chars().take(20_000).collect::<String>());
    assert!(report.contains("Test cases:"), "nothing was tried: {report}");
}
