//! Married certificates as objects on the token, beside their keys, where the configuration wants them.

use serde_json::{Value, json};

use crate::certificates::Ca;
use crate::harness::{Appliance, Service, signal};
use crate::ledger::{Ledger, audit_of, handle_of, inventory};

pub const WRITE: &str = "write_certificates = true";

#[test]
fn a_married_certificate_is_beside_its_key_with_its_names() {
    let appliance = writing();
    let mut service = appliance.start_ready();
    let csr = service.create("www.example.com");
    let certificate = Ca::new("Example CA").issue(csr["csr"].as_str().unwrap());
    assert_eq!(marry(&service, &csr, certificate.der())["on_token"], "written");

    let key = service.get(&key_path(&csr)).json();
    let id = key["id"].as_str().unwrap();
    let objects = appliance.objects();
    let found: Vec<_> = objects.iter().filter(|object| object.certificate).collect();
    assert_eq!(found.len(), 1, "{objects:?}");
    assert_eq!((found[0].id.as_str(), &json!(found[0].label)), (id, &key["handle"]));
    assert_eq!(on_token(&appliance, id), [certificate.der().to_vec()]);
    let listed = appliance.pkcs11_tool(&["--list-objects", "--type", "cert"]);
    let listed = String::from_utf8(listed.stdout).unwrap();
    assert!(listed.contains("subject:    DN: CN=www.example.com"), "{listed}");
    assert!(listed.contains("type = X.509 cert"), "{listed}");

    let report = reconcile(&service);
    assert_eq!((&report["owned"], &report["foreign"]), (&json!(5), &json!(0)), "{report}");
    Ledger::default().await_agreement(&appliance, &service);
    service.stop();
    assert_eq!(actions(&appliance), ["key.certificate-written"]);
}

#[test]
fn nothing_is_written_unless_the_configuration_says_so() {
    let appliance = Appliance::new();
    let mut service = appliance.start_ready();
    let csr = married(&service, "www.example.com");
    assert_eq!(service.get(&certificate_path(&csr)).json()["on_token"], Value::Null);
    reconcile(&service);
    assert_eq!(certificates(&appliance), 0);
    service.stop();
    assert_eq!(actions(&appliance), Vec::<String>::new());
}

#[test]
fn of_two_certificates_for_one_key_the_token_has_the_newer_one_in_use() {
    let appliance = writing();
    let mut service = appliance.start_ready();
    let ca = Ca::new("Example CA");
    let first = service.create("www.example.com");
    let renewal = service.post(&renew_path(&first), &json!({})).expect(201).json();
    let id = service.get(&key_path(&first)).json()["id"].as_str().unwrap().to_owned();
    let [old, new] = [(&first, 2020), (&renewal, 2024)].map(|(csr, year)| {
        ca.issue_with(csr["csr"].as_str().unwrap(), |params| {
            params.not_before = rcgen::date_time_ymd(year, 1, 1);
            params.not_after = rcgen::date_time_ymd(2040, 1, 1);
        })
    });
    marry(&service, &renewal, new.der());
    assert_eq!(on_token(&appliance, &id), [new.der().to_vec()]);
    // The order of the marriages is not that of the certificates.
    assert_eq!(marry(&service, &first, old.der())["on_token"], Value::Null);
    assert_eq!(on_token(&appliance, &id), [new.der().to_vec()]);

    retire(&service, &renewal);
    assert_eq!(on_token(&appliance, &id), [old.der().to_vec()]);
    assert_eq!(service.get(&certificate_path(&first)).json()["on_token"], "written");
    retire(&service, &first);
    assert_eq!(on_token(&appliance, &id), Vec::<Vec<u8>>::new());
    service.delete(&key_path(&first)).expect(200);
    assert_eq!(appliance.objects().len(), 2, "the sentinel is left");
    Ledger::default().await_agreement(&appliance, &service);
    service.stop();
    let (written, removed) = ("key.certificate-written", "key.certificate-removed");
    assert_eq!(actions(&appliance).iter().filter(|action| *action == written).count(), 2);
    assert!(actions(&appliance).iter().any(|action| action == removed));
}

#[test]
fn a_marriage_does_not_need_the_token() {
    let mut appliance = Appliance::with_chaos();
    appliance.token_settings(WRITE);
    let service = appliance.start_ready();
    let csr = service.create("www.example.com");
    let retired = married(&service, "old.example.com");
    appliance.chaos_rules("C_Initialize every return-before=CKR_GENERAL_ERROR");
    signal(service.worker_pid(), "KILL");
    service.await_that("the token is down", || service.get("/tokens").json()["items"][0]["status"] == "down");

    let certificate = Ca::new("Example CA").issue(csr["csr"].as_str().unwrap());
    assert_eq!(marry(&service, &csr, certificate.der())["on_token"], "pending");
    assert_eq!(service.get(&csr_path(&csr)).json()["status"], "issued");
    retire(&service, &retired);
    assert_eq!(appliance.objects().iter().filter(|object| object.certificate).count(), 1);

    appliance.chaos_rules("");
    service.await_ready();
    service.await_that("the certificate is written", || {
        service.get(&certificate_path(&csr)).json()["on_token"] == "written"
    });
    let id = service.get(&key_path(&csr)).json()["id"].as_str().unwrap().to_owned();
    assert_eq!(on_token(&appliance, &id), [certificate.der().to_vec()]);
    assert_eq!(certificates(&appliance), 1, "that of the retired request is removed");
    Ledger::default().await_agreement(&appliance, &service);
}

#[test]
fn a_certificate_that_somebody_removed_is_written_again() {
    let appliance = writing();
    let service = appliance.start_ready();
    let csr = married(&service, "www.example.com");
    let id = service.get(&key_path(&csr)).json()["id"].as_str().unwrap().to_owned();
    let there = on_token(&appliance, &id);
    let removed = appliance.pkcs11_tool(&["--delete-object", "--type", "cert", "--id", &id]);
    assert!(removed.status.success(), "{removed:?}");
    assert_eq!(certificates(&appliance), 0);
    assert_eq!(reconcile(&service)["pending_certificates"], 0);
    assert_eq!(on_token(&appliance, &id), there);
    let before = appliance.objects();
    reconcile(&service);
    assert_eq!(appliance.objects(), before, "what is there is not written twice");
}

#[test]
fn the_setting_may_be_changed_later() {
    let mut appliance = Appliance::new();
    let mut service = appliance.start_ready();
    let csr = married(&service, "www.example.com");
    service.stop();
    drop(service);
    appliance.token_settings(WRITE);
    let mut service = appliance.start_ready();
    assert_eq!(certificates(&appliance), 1, "what was married before is written, too");
    service.stop();
    drop(service);
    appliance.token_settings("");
    let service = appliance.start_ready();
    married(&service, "another.example.com");
    assert_eq!(certificates(&appliance), 1, "what is in use stays, and nothing is added");
    retire(&service, &csr);
    assert_eq!(certificates(&appliance), 0);
}

#[test]
fn a_certificate_of_somebody_else_is_left_alone_until_its_key_goes() {
    let appliance = writing();
    let service = appliance.start_ready();
    let csr = service.create("www.example.com");
    let id = service.get(&key_path(&csr)).json()["id"].as_str().unwrap().to_owned();
    let theirs = appliance.path("theirs.der");
    std::fs::write(&theirs, Ca::new("Theirs").issue(csr["csr"].as_str().unwrap()).der()).unwrap();
    let file = theirs.to_str().unwrap();
    let written = appliance.pkcs11_tool(&["--write-object", file, "--type", "cert", "--id", &id]);
    assert!(written.status.success(), "{written:?}");

    let ours = Ca::new("Ours").issue(csr["csr"].as_str().unwrap());
    marry(&service, &csr, ours.der());
    assert_eq!(certificates(&appliance), 2);
    retire(&service, &csr);
    assert_eq!(reconcile(&service)["owned"], 5);
    assert_eq!(on_token(&appliance, &id), [std::fs::read(&theirs).unwrap()]);
    service.delete(&key_path(&csr)).expect(200);
    assert_eq!(certificates(&appliance), 0);
}

#[test]
fn a_token_without_room_for_a_certificate_still_signs() {
    let mut appliance = Appliance::with_chaos();
    appliance.token_settings(WRITE);
    let service = appliance.start_ready();
    let csr = service.create("www.example.com");
    let worker = service.worker_pid();
    let certificate = Ca::new("Example CA").issue(csr["csr"].as_str().unwrap());
    appliance.chaos_rules("C_CreateObject every return-before=CKR_DEVICE_MEMORY");
    assert_eq!(marry(&service, &csr, certificate.der())["on_token"], "pending");
    assert_eq!(reconcile(&service)["pending_certificates"], 1);
    service.request("GET", "//readyz", &[], None).expect(200);
    service.post(&renew_path(&csr), &json!({})).expect(201);
    appliance.chaos_rules("");
    assert_eq!(reconcile(&service)["pending_certificates"], 0);
    assert_eq!(certificates(&appliance), 1);
    assert_eq!(service.worker_pid(), worker);
    assert_eq!(inventory(&service)["pending_certificates"], 0);
}

#[test]
fn a_module_that_dies_of_certificates_still_signs() {
    let mut appliance = Appliance::with_chaos();
    appliance.token_settings(WRITE);
    let service = appliance.start_ready();
    let csr = service.create("www.example.com");
    let certificate = Ca::new("Example CA").issue(csr["csr"].as_str().unwrap());
    appliance.chaos_rules("C_CreateObject every kill-before");
    assert_eq!(marry(&service, &csr, certificate.der())["on_token"], "pending");
    service
        .await_that("the reconciliation has given up", || inventory(&service)["pending_certificates"] == 1);
    service.await_ready();
    let worker = service.worker_pid();
    for _ in 0..3 {
        service.post(&renew_path(&csr), &json!({})).expect(201);
    }
    assert_eq!(appliance.chaos_log().len(), 2, "it is not asked again");
    assert_eq!(service.worker_pid(), worker);
    appliance.chaos_rules("");
    assert_eq!(reconcile(&service)["pending_certificates"], 0);
    assert_eq!(certificates(&appliance), 1);
}

/// An appliance that writes certificates.
fn writing() -> Appliance {
    let mut appliance = Appliance::new();
    appliance.token_settings(WRITE);
    appliance
}

/// A request whose certificate is married.
#[track_caller]
pub fn married(service: &Service, common_name: &str) -> Value {
    let csr = service.create(common_name);
    marry(service, &csr, Ca::new("Example CA").issue(csr["csr"].as_str().unwrap()).der());
    csr
}

#[track_caller]
fn marry(service: &Service, csr: &Value, der: &[u8]) -> Value {
    service.put(&certificate_path(csr), "application/pkix-cert", der).expect(200).json()
}

#[track_caller]
fn retire(service: &Service, csr: &Value) {
    service.post(&format!("{}/retire", csr_path(csr)), &json!({})).expect(200);
}

#[track_caller]
pub fn reconcile(service: &Service) -> Value {
    service.post("/tokens/main/reconcile", &json!({})).expect(200).json()
}

/// How many certificates are on the token.
pub fn certificates(appliance: &Appliance) -> usize {
    appliance.objects().iter().filter(|object| object.certificate).count()
}

/// The certificate under a CKA_ID, as another program reads it; at most one is asked for.
#[track_caller]
fn on_token(appliance: &Appliance, id: &str) -> Vec<Vec<u8>> {
    let there = appliance.objects().iter().filter(|object| object.certificate && object.id == id).count();
    assert!(there <= 1, "{there} certificates with CKA_ID {id}");
    (0..there)
        .map(|_| {
            let file = appliance.path("read.der");
            let file = file.to_str().unwrap();
            let read = appliance.pkcs11_tool(&[
                "--read-object",
                "--type",
                "cert",
                "--id",
                id,
                "--output-file",
                file,
            ]);
            assert!(read.status.success(), "{read:?}");
            std::fs::read(file).unwrap()
        })
        .collect()
}

/// What the audit says of certificates on the token.
fn actions(appliance: &Appliance) -> Vec<String> {
    let records = audit_of(appliance).into_iter().map(|record| record.action);
    records.filter(|action| action.starts_with("key.certificate")).collect()
}

fn csr_path(csr: &Value) -> String {
    format!("/csrs/{}", handle_of(csr))
}

fn renew_path(csr: &Value) -> String {
    format!("{}/renew", csr_path(csr))
}

pub fn certificate_path(csr: &Value) -> String {
    format!("{}/certificate", csr_path(csr))
}

fn key_path(csr: &Value) -> String {
    format!("/keys/{}", csr["key"]["handle"].as_str().unwrap())
}
