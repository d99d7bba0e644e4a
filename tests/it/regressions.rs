//! What a review found broken and was put right, each by the behaviour that was missing.

mod accounting;
mod cancelling;
mod outages;
mod sentinel;

use std::fs;
use std::process::Command;

use serde_json::{Value, json};

use crate::harness::{Appliance, Reply, Service};

#[test]
fn an_api_key_file_that_a_crash_left_unfinished_does_not_prevent_the_next_start() {
    for left in ["", "srk_half-writ"] {
        let appliance = Appliance::new();
        fs::create_dir(appliance.path("data")).unwrap();
        appliance.write_private("data/api-key.new", left);
        let service = appliance.start();
        service.get("/csrs").expect(200);
        assert!(!appliance.data("api-key.new").exists());
    }
}

#[track_caller]
fn pkcs11_tool(appliance: &Appliance, args: &[&str]) {
    let output = appliance.pkcs11_tool(args);
    assert!(output.status.success(), "{args:?}: {output:?}");
}

/// Puts a P-256 key pair on the token that was made outside of it.
#[track_caller]
fn import_pair(appliance: &Appliance, ids: &[&str], label: &str) {
    let (private, public) = (appliance.path("imported.der"), appliance.path("imported.pub.der"));
    let (private, public) = (private.to_str().unwrap(), public.to_str().unwrap());
    let curve = "ec_paramgen_curve:P-256";
    openssl(&["genpkey", "-algorithm", "EC", "-pkeyopt", curve, "-outform", "DER", "-out", private]);
    openssl(&["pkey", "-inform", "DER", "-in", private, "-pubout", "-outform", "DER", "-out", public]);
    for id in ids {
        for (file, kind) in [(private, "privkey"), (public, "pubkey")] {
            let object = ["--write-object", file, "--type", kind, "--id", id, "--label", label];
            pkcs11_tool(appliance, &[&object[..], &["--usage-sign"]].concat());
        }
    }
}

#[track_caller]
fn openssl(args: &[&str]) {
    let output = Command::new("openssl").args(args).output().expect("openssl: apt-get install openssl");
    assert!(output.status.success(), "{args:?}: {output:?}");
}

/// The key of a signing request, as it is now.
#[track_caller]
fn key_of(service: &Service, csr: &Value) -> Value {
    service.get(&format!("/keys/{}", csr["key"]["handle"].as_str().unwrap())).expect(200).json()
}

#[track_caller]
fn renew(service: &Service, key: &Value) -> Reply {
    service.post("/csrs", &json!({ "subject": "CN=renewal.example", "key": { "handle": key } }))
}

/// Path of a signing request.
fn path_of(csr: &Value) -> String {
    format!("/csrs/{}", csr["handle"].as_str().unwrap())
}
