//! `kill -9` while authorities are made, while they issue and while they revoke: nothing is signed and forgotten.

use serde_json::{Value, json};

use super::{Pki, path_of, text};
use crate::harness::Appliance;

const SENTINEL: usize = 1;

/// Kills the service at a point, during a call.
fn killed_at<'a>(appliance: &'a mut Appliance, point: &str, call: impl FnOnce(&Pki<'_>)) -> Pki<'a> {
    appliance.env("STRONGROOM_KILL_AT", &format!("{point}:1"));
    let mut pki = Pki::start(appliance);
    call(&pki);
    pki.service.await_killed();
    drop(pki);
    appliance.clear_env();
    Pki::start(appliance)
}

/// Sends a call that is not answered.
fn lost(pki: &Pki<'_>, path: &str, body: &Value) {
    let headers = [("content-type", "application/json")];
    pki.service.try_request("POST", path, &headers, Some(body.to_string().as_bytes())).unwrap_err();
}

fn the_only_authority(pki: &Pki<'_>) -> Option<Value> {
    let all = pki.service.get("/authorities").expect(200).json();
    let all = all["items"].as_array().unwrap().clone();
    assert!(all.len() <= 1, "{all:#?}");
    all.into_iter().next()
}

fn new(kind: &str) -> Value {
    json!({ "name": "ca", "kind": kind, "subject": "CN=ca" })
}

#[test]
fn an_authority_whose_key_was_not_recorded_is_gone_and_leaves_nothing_on_the_token() {
    for point in [
        "authority-intent-before",
        "authority-intent-after",
        "authority-generate-before",
        "authority-generate-after",
    ] {
        let mut appliance = Appliance::new();
        let pki = killed_at(&mut appliance, point, |pki| lost(pki, "/authorities", &new("root")));
        assert_eq!(the_only_authority(&pki), None, "{point}");
        assert_eq!(appliance_keys(&pki), SENTINEL, "{point}");
        pki.authority("ca", json!({}));
    }
}

#[test]
fn a_root_whose_key_was_recorded_gets_its_certificate() {
    for point in [
        "authority-key-after",
        "certificate-sign-before",
        "certificate-sign-after",
        "certificate-record-before",
        "certificate-record-after",
    ] {
        let mut appliance = Appliance::new();
        let pki = killed_at(&mut appliance, point, |pki| lost(pki, "/authorities", &new("root")));
        let root = the_only_authority(&pki).unwrap();
        assert_eq!(root["status"], "active", "{point}");
        assert_eq!(issued_of(&pki, &root), ["issued"], "{point}: its own");
        let leaf = pki.issue(&root, "www.example.com");
        let verified = pki.verify(&root, &leaf, &[]);
        assert!(verified.status.success(), "{point}: {}", text(&verified.stderr));
        assert_eq!(appliance_keys(&pki), SENTINEL + 1, "{point}");
    }
}

#[test]
fn an_intermediate_whose_key_was_recorded_gets_its_csr() {
    for point in ["authority-key-after", "authority-csr-before", "authority-csr-after"] {
        let mut appliance = Appliance::new();
        let pki = killed_at(&mut appliance, point, |pki| lost(pki, "/authorities", &new("intermediate")));
        let made = the_only_authority(&pki).unwrap();
        assert_eq!(made["status"], "pending-certificate", "{point}");
        let csr = pki.service.get(&format!("{}/csr", path_of(&made))).expect(200);
        crate::openssl::verified_text(&text(&csr.bytes));
    }
}

#[test]
fn a_certificate_that_was_recorded_is_signed_and_none_is_forgotten() {
    for (point, left) in [
        ("certificate-intent-before", 0),
        ("certificate-intent-after", 1),
        ("certificate-sign-before", 1),
        ("certificate-sign-after", 1),
        ("certificate-record-before", 1),
        ("certificate-record-after", 1),
    ] {
        let mut appliance = Appliance::new();
        let root = Pki::start(&appliance).authority("ca", json!({}));
        let pki = killed_at(&mut appliance, point, |pki| {
            let csr = pki.csr("/CN=x", &["-addext", "subjectAltName=DNS:x.example"]);
            lost(pki, &format!("{}/issue", path_of(&root)), &json!({ "csr": csr }));
        });
        let mut states = issued_of(&pki, &root);
        states.pop();
        assert_eq!(states, vec!["issued"; left], "{point}");
        let page = pki.service.get(&format!("{}/certificates", path_of(&root))).json();
        if left == 1 {
            let serial = page["items"][0]["serial"].as_str().unwrap().to_owned();
            let leaf =
                pki.service.get(&format!("{}/certificates/{serial}", path_of(&root))).expect(200).json();
            let verified = pki.verify(&root, &leaf, &[]);
            assert!(verified.status.success(), "{point}: {}", text(&verified.stderr));
        }
    }
}

#[test]
fn a_request_that_was_about_to_be_issued_is_issued() {
    for point in
        ["record-after", "certificate-intent-after", "certificate-sign-after", "certificate-record-before"]
    {
        let mut appliance = super::issuing::appliance();
        Pki::start(&appliance).authority("root", json!({}));
        let pki = killed_at(&mut appliance, point, |pki| {
            let mut body = crate::harness::p256("www.shop.example");
            body["template"] = json!("web");
            lost(pki, "/csrs", &body);
        });
        pki.service.await_that("it is issued", || {
            let listed = pki.service.get("/csrs").json();
            listed["items"][0]["status"] == "issued"
        });
        let root = the_only_authority(&pki).unwrap();
        let states = issued_of(&pki, &root);
        assert_eq!(states.iter().filter(|state| *state == "issued").count(), 2, "{point}: {states:?}");
        assert!(!states.contains(&"intent".to_owned()), "{point}: {states:?}");
    }
}

#[test]
fn a_revocation_that_was_recorded_gets_onto_a_list_with_a_higher_number() {
    for point in ["revoke-after", "crl-number-after", "crl-sign-after"] {
        let mut appliance = Appliance::new();
        let (root, leaf, before) = {
            let pki = Pki::start(&appliance);
            let root = pki.authority("ca", json!({}));
            let leaf = pki.issue(&root, "www.example.com");
            let before = pki.service.get(&path_of(&root)).json()["crl"]["number"].as_u64().unwrap();
            (root, leaf, before)
        };
        let path = format!("{}/certificates/{}/revoke", path_of(&root), leaf["serial"].as_str().unwrap());
        let pki = killed_at(&mut appliance, point, |pki| lost(pki, &path, &json!({})));
        pki.service
            .await_that("the list has it", || pki.service.get(&path_of(&root)).json()["crl"]["entries"] == 1);
        let after = pki.service.get(&path_of(&root)).json()["crl"]["number"].as_u64().unwrap();
        assert!(after > before, "{point}: {before} {after}");
    }
}

/// The states of what an authority issued, newest first; its own certificate is the last.
fn issued_of(pki: &Pki<'_>, authority: &Value) -> Vec<String> {
    let page = pki.service.get(&format!("{}/certificates", path_of(authority))).expect(200).json();
    page["items"].as_array().unwrap().iter().map(|item| item["status"].as_str().unwrap().to_owned()).collect()
}

/// Private keys on the token, by the last reconciliation: each has a public half beside it.
fn appliance_keys(pki: &Pki<'_>) -> usize {
    let report = pki.service.post("/tokens/main/reconcile", &json!({})).expect(200).json();
    assert_eq!(
        (&report["quarantined"], &report["nameless"], &report["missing_keys"]),
        (&json!(0), &json!(0), &json!(0))
    );
    usize::try_from(report["objects"].as_u64().unwrap()).unwrap() / 2
}
