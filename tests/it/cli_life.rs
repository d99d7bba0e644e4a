//! The end of a request and its key on the command line: renew, retire, destroy, reconcile.

use std::io::Write;
use std::process::{Command, Output, Stdio};

use serde_json::Value;

use crate::certificates::Ca;
use crate::harness::{Appliance, BINARY, Service};
use crate::openssl;
use crate::redact::redacted;

#[test]
fn a_request_is_renewed_and_retired_and_its_key_destroyed() {
    let appliance = Appliance::new();
    let service = appliance.start_ready();
    let csr = service.create("www.example.com");
    let (handle, key) = (text(&csr["handle"]), text(&csr["key"]["handle"]));
    let certificate = Ca::new("Example CA").issue(text(&csr["csr"]));
    service
        .put(&format!("/csrs/{handle}/certificate"), "application/pkix-cert", certificate.der())
        .expect(200);
    let mut seen = String::new();
    let mut look = |args: &[&str]| {
        let output = appliance.cli(args);
        let (said, talk) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        seen += &format!("$ strongroom {}\n{said}{talk}\n", args.join(" "));
    };
    look(&["csr", "renew", handle, "--new-key"]);
    look(&["key", "destroy", key, "--yes"]);
    look(&["csr", "retire", handle]);
    look(&["csr", "retire", handle]);
    look(&["key", "destroy", key]);
    look(&["key", "destroy", key, "--yes"]);
    look(&["key", "reconcile"]);
    look(&["key", "reconcile", "--token", "other"]);
    insta::assert_snapshot!(redacted(&seen, &appliance));
    assert_eq!(appliance.private_keys(), 2, "the sentinel and the key of the renewal");
}

#[test]
fn a_renewal_takes_the_options_of_a_create() {
    let appliance = Appliance::new();
    let service = appliance.start_ready();
    let csr = service.create("www.example.com");
    let password = appliance.path("challenge");
    std::fs::write(&password, "given-anew\n").unwrap();
    let args = [
        "csr",
        "renew",
        text(&csr["handle"]),
        "--challenge-password-file",
        password.to_str().unwrap(),
        "--idempotency-key",
        "once",
        "--json",
    ];
    let renewals: Vec<Value> =
        (0..2).map(|_| serde_json::from_slice(&appliance.cli(&args).stdout).unwrap()).collect();
    assert_eq!(renewals[0], renewals[1]);
    assert_eq!(renewals[0]["renews"], csr["handle"]);
    assert_eq!(renewals[0]["key"]["handle"], csr["key"]["handle"]);
    assert!(openssl::verified_text(text(&renewals[0]["csr"])).contains("given-anew"));
}

#[test]
fn a_destruction_is_asked_about_on_a_terminal() {
    let appliance = Appliance::new();
    let service = appliance.start_ready();
    let key = retired_key(&service);
    for refusal in ["n\n", "\n", "yess\n"] {
        let output = on_a_terminal(&appliance, &key, refusal);
        let told = String::from_utf8_lossy(&output.stdout);
        assert_eq!(output.status.code(), Some(1), "{told}");
        assert!(told.contains(&format!("Destroy the ec-p256 key {key} on token main?")), "{told}");
        assert!(told.contains("nothing is destroyed"), "{told}");
    }
    assert_eq!(appliance.private_keys(), 2);
    let output = on_a_terminal(&appliance, &key, "y\n");
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    assert_eq!(appliance.private_keys(), 1);
}

#[test]
fn a_reconciliation_is_told_in_json_as_the_api_tells_it() {
    let appliance = Appliance::new();
    let service = appliance.start_ready();
    service.create("www.example.com");
    let output = appliance.cli(&["key", "reconcile", "--json"]);
    let told: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!((&told["objects"], &told["owned"]), (&4.into(), &4.into()));
    let kept = service.get("/tokens").json()["items"][0]["inventory"].clone();
    assert_eq!((&kept["objects"], &kept["owned"]), (&4.into(), &4.into()), "it is kept as the last one");
}

/// The handle of a key that no live request uses.
fn retired_key(service: &Service) -> String {
    let csr = service.create("www.example.com");
    let renewal = service.post(&format!("/csrs/{}/renew", text(&csr["handle"])), &serde_json::json!({}));
    let renewal = renewal.expect(201).json();
    // The first cancellation keeps the key for the renewal, which did not make it.
    for request in [&csr, &renewal] {
        service.delete(&format!("/csrs/{}", text(&request["handle"]))).expect(200);
    }
    text(&csr["key"]["handle"]).to_owned()
}

/// `key destroy` with a terminal for its standard streams, on which somebody types.
fn on_a_terminal(appliance: &Appliance, key: &str, typed: &str) -> Output {
    let mut terminal = Command::new("script")
        .args(["--quiet", "--return", "--command", &format!("{BINARY} key destroy {key}"), "/dev/null"])
        .env("STRONGROOM_CONFIG", appliance.path("strongroom.toml"))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("script: apt-get install bsdutils");
    terminal.stdin.take().unwrap().write_all(typed.as_bytes()).unwrap();
    terminal.wait_with_output().unwrap()
}

#[track_caller]
fn text(value: &Value) -> &str {
    value.as_str().unwrap()
}
