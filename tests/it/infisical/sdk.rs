//! The vendor's own client for Python.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::chain::{leaf_csr, verify};
use super::{Identity, PROJECT, People, SLUG, hire, switch_on};
use crate::certificates::Ca;
use crate::harness::{Appliance, Service};
use crate::python;

/// Runs a script; what it prints is JSON.
fn run(script: &str, service: &Service<'_>, people: &People) -> Value {
    let of = |identity: &Identity| json!({ "id": identity.id, "secret": identity.secret });
    let argument = json!({
        "host": format!("http://{}", service.address()), "project": PROJECT, "slug": SLUG,
        "operator": of(&people.operator), "requester": of(&people.requester), "reader": of(&people.reader),
        "stranger": of(&people.stranger), "both": of(&people.both), "leaf_csr": leaf_csr(),
        "foreign_root": Ca::new("Foreign root").certificate.pem(),
    });
    let script = format!("{}\n{script}", include_str!("lab.py"));
    let printed = python::run(&script, &argument.to_string());
    serde_json::from_str(&printed).unwrap_or_else(|error| panic!("{error}: {printed}"))
}

#[test]
fn the_vendors_client_lives_the_whole_life_of_cas_by_both_generations_of_paths() {
    let appliance = Appliance::new();
    switch_on(&appliance, "");
    let service = appliance.start_ready();
    let people = hire(&appliance, &service);
    let lives = run(include_str!("life.py"), &service, &people);
    let text = |life: &Value, path: &str| life.pointer(path).unwrap().as_str().unwrap().to_owned();
    for life in lives.as_array().unwrap() {
        let (root, issuing) = (text(life, "/root/certificate"), text(life, "/issuing/certificate"));
        let leaf = text(life, "/leaf/certificate");
        assert_eq!(verify(&[&root], &[&issuing], &leaf, false), Ok(()));
        assert!(verify(&[&root], &[], &leaf, false).is_err(), "not without the CA between");
    }
    for object in appliance.objects().iter().filter(|object| object.private) {
        for word in ["sensitive", "always sensitive", "never extractable", "local"] {
            assert!(object.access.contains(word), "{object:?}");
        }
    }
}

#[test]
fn the_vendors_client_raises_the_status_and_the_name_of_every_refusal() {
    let appliance = Appliance::new();
    switch_on(&appliance, "");
    let service = appliance.start_ready();
    let people = hire(&appliance, &service);
    assert_eq!(run(include_str!("refusals.py"), &service, &people), json!("done"));
}

#[test]
fn eight_of_the_vendors_clients_at_once_make_chains_with_serial_numbers_of_their_own() {
    let appliance = Appliance::new();
    switch_on(&appliance, "");
    let service = appliance.start_ready();
    let people = hire(&appliance, &service);
    let serials = run(include_str!("concurrency.py"), &service, &people);
    let serials: BTreeSet<_> =
        serials.as_array().unwrap().iter().map(|serial| serial.as_str().unwrap()).collect();
    assert_eq!(serials.len(), 8 * 6);
}
