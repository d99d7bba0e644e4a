//! The OpenAPI documents against the service: `schemathesis` calls every operation with what the document allows and
//! with what it forbids. No answer is a 5xx, and every answer is declared.

use std::path::Path;
use std::process::Command;

use crate::access::Office;
use crate::harness::{Appliance, Service};
use crate::python;

/// Would end what the calls are made with: its credential, its grants, the principal itself.
const NOT_CALLED: [&str; 3] = ["revokeCredential", "removeGrant", "changePrincipal"];

const ROLES: [&str; 6] = ["reader", "requester", "approver", "operator", "auditor", "admin"];

const CHECKS: &str = "not_a_server_error,status_code_conformance,content_type_conformance,\
                      response_schema_conformance,response_headers_conformance";

#[test]
fn the_native_api_answers_as_its_document_says() {
    let appliance = Appliance::new();
    // Calls without a credential are part of what is tried.
    let text = format!("{}\n[limits]\nfailed_logins_per_minute = 100000\n", appliance.config_text());
    appliance.write_private("strongroom.toml", &text);
    let service = appliance.start_ready();
    let office = Office::open(&appliance, &service);
    let everything: Vec<_> = ROLES.iter().map(|role| (*role, None)).collect();
    let key = office.hire("schemathesis", &everything);
    let document = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/openapi.json");
    answers_as_declared(&service, &document, &[("Authorization", &format!("Bearer {key}"))]);
}

/// Runs `schemathesis` on a document; the same calls every time, up to a limit of time.
#[track_caller]
pub fn answers_as_declared(service: &Service, document: &Path, headers: &[(&str, &str)]) {
    let mut command = Command::new(python::program("schemathesis"));
    command
        .args(["run", document.to_str().unwrap(), "--url", &format!("http://{}", service.address())])
        .args(["--checks", CHECKS, "--phases", "examples,coverage,fuzzing", "--generation-deterministic"])
        .args(["--max-time", "60", "--workers", "2", "--request-timeout", "60", "--continue-on-failure"])
        .args(["--no-color", "--warnings", "off"])
        .args(NOT_CALLED.iter().flat_map(|operation| ["--exclude-operation-id", operation]))
        .args(headers.iter().flat_map(|(name, value)| ["--header".to_owned(), format!("{name}: {value}")]))
        .env("SCHEMATHESIS_HOOKS", concat!(env!("CARGO_MANIFEST_DIR"), "/tests/it/schemathesis/hooks.py"))
        // It writes a cache of examples where it runs.
        .current_dir(env!("CARGO_TARGET_TMPDIR"));
    let output = command.output().expect("target/venv with schemathesis: scripts/test makes it");
    let report = String::from_utf8_lossy(&output.stdout);
    let failures = report.find("= FAILURES =").map_or(&*report, |at| &report[at..]);
    assert!(output.status.success(), "{}", failures.chars().take(20_000).collect::<String>());
    assert!(report.contains("Test cases:"), "nothing was tried: {report}");
}
