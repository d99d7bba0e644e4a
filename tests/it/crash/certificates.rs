//! `kill -9` while a certificate is written to the token, or removed from it: afterwards it is there
//! once and recorded, or gone and recorded.

use serde_json::{Value, json};

use super::{Victims, kill_during, restart_and_agree};
use crate::certificate_objects::{WRITE, certificate_path, certificates, married};
use crate::certificates::Ca;
use crate::harness::{Appliance, Service};
use crate::ledger::{Ledger, handle_of};

#[test]
fn a_certificate_is_written_once_wherever_the_service_is_killed() {
    for point in ["marry-after", "certificate-before", "certificate-after"] {
        let mut appliance = Appliance::new();
        appliance.token_settings(WRITE);
        appliance.env("STRONGROOM_KILL_AT", &format!("{point}:1"));
        let mut service = appliance.start_ready();
        let csr = service.create("www.example.com");
        assert_eq!(marry(&service, &csr), None, "{point}: answered by the dead");
        service.await_killed();
        drop(service);
        assert_written_once(&mut appliance, &csr);
    }
}

#[test]
fn a_certificate_is_removed_wherever_the_service_is_killed() {
    // The first time that such a point is reached is when it is written.
    for point in ["certificate-before:2", "certificate-after:2"] {
        let mut appliance = Appliance::new();
        appliance.token_settings(WRITE);
        appliance.env("STRONGROOM_KILL_AT", point);
        let mut service = appliance.start_ready();
        let csr = married(&service, "www.example.com");
        assert_eq!(retire(&service, &csr), None, "{point}: answered by the dead");
        service.await_killed();
        drop(service);
        assert_removed(&mut appliance, &csr);
    }
}

#[test]
fn a_certificate_is_written_once_whoever_is_killed_while_the_token_writes() {
    for victims in [Victims::Service, Victims::Worker, Victims::Both] {
        for hang in ["hang", "hang-after"] {
            let mut appliance = Appliance::with_chaos();
            appliance.token_settings(WRITE);
            let service = appliance.start_ready();
            let csr = service.create("www.example.com");
            appliance.chaos_rules(&format!("C_CreateObject nth=1 {hang}"));
            kill_during(&appliance, &service, victims, || {
                let answered = marry(&service, &csr).is_some();
                match victims {
                    Victims::Service => assert!(!answered),
                    Victims::Worker => assert!(answered),
                    // The marriage stands without the worker: who dies first decides.
                    Victims::Both => {}
                }
            });
            drop(service);
            appliance.chaos_rules("");
            assert_written_once(&mut appliance, &csr);
        }
    }
}

#[test]
fn a_worker_that_dies_while_it_writes_or_removes_costs_nothing_else() {
    for fatal in ["kill-before", "kill-after"] {
        let mut appliance = Appliance::with_chaos();
        appliance.token_settings(WRITE);
        let service = appliance.start_ready();
        let csr = service.create("www.example.com");
        appliance.chaos_rules(&format!("C_CreateObject nth=1 {fatal}"));
        assert_eq!(marry(&service, &csr), Some(200), "{fatal}");
        service.await_that("the certificate is written", || {
            service.get(&certificate_path(&csr)).json()["on_token"] == "written"
        });
        assert_eq!(certificates(&appliance), 1, "{fatal}");
        service.await_ready();
        appliance.chaos_rules(&format!("C_DestroyObject nth=1 {fatal}"));
        assert_eq!(retire(&service, &csr), Some(200), "{fatal}");
        service.await_that("the certificate is removed", || certificates(&appliance) == 0);
        drop(service);
        appliance.chaos_rules("");
        assert_removed(&mut appliance, &csr);
    }
}

/// The status of the answer; `None` when the connection broke.
fn marry(service: &Service, csr: &Value) -> Option<u16> {
    let certificate = Ca::new("Example CA").issue(csr["csr"].as_str().unwrap());
    let headers = [("content-type", "application/pkix-cert")];
    service.try_request("PUT", &certificate_path(csr), &headers, Some(certificate.der())).ok().map(status)
}

fn retire(service: &Service, csr: &Value) -> Option<u16> {
    let path = format!("/csrs/{}/retire", handle_of(csr));
    let body = json!({}).to_string();
    service.try_request("POST", &path, &[], Some(body.as_bytes())).ok().map(status)
}

fn status(reply: crate::harness::Reply) -> u16 {
    reply.status
}

fn assert_written_once(appliance: &mut Appliance, csr: &Value) {
    restart_and_agree(appliance, &Ledger::default(), |service| {
        assert_eq!(service.get(&certificate_path(csr)).expect(200).json()["on_token"], "written");
    });
    assert_eq!(certificates(appliance), 1);
}

fn assert_removed(appliance: &mut Appliance, csr: &Value) {
    restart_and_agree(appliance, &Ledger::default(), |service| {
        assert_eq!(service.get(&certificate_path(csr)).expect(200).json()["on_token"], Value::Null);
        let request = service.get(&format!("/csrs/{}", handle_of(csr))).json();
        assert_eq!(request["status"], "retired");
    });
    assert_eq!(certificates(appliance), 0);
}
