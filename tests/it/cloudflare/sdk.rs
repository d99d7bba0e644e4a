//! The vendor's own client for Python, strict about what it is answered.

use serde_json::{Value, json};

use super::{ACCOUNT, OTHER_ACCOUNT, People, ZONE, hire, sealed_keys, switch_on};
use crate::certificates::Ca;
use crate::harness::{Appliance, Service, TokenObject};
use crate::{openssl, python};

/// Runs a script; what it prints is JSON.
fn run(script: &str, service: &Service<'_>, people: &People, more: &Value) -> Value {
    let mut argument = json!({
        "base_url": service.url("/client/v4"), "account": ACCOUNT, "zone": ZONE, "other_account": OTHER_ACCOUNT,
        "requester": people.requester, "reader": people.reader, "stranger": people.stranger,
        "email": "ops@lab.internal", "password": people.password,
    });
    argument.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    let script = format!("{}\n{script}", include_str!("lab.py"));
    let printed = python::run(&script, &argument.to_string());
    serde_json::from_str(&printed).unwrap_or_else(|error| panic!("{error}: {printed}"))
}

#[test]
fn the_vendors_client_lives_the_whole_life_of_a_request() {
    let appliance = Appliance::new();
    switch_on(&appliance, "");
    let service = appliance.start_ready();
    let people = hire(&appliance, &service);
    let keys = sealed_keys(&appliance);
    let made = run(include_str!("life.py"), &service, &people, &json!({}));
    let made = made.as_array().unwrap();
    assert_eq!(made.len(), 4, "an RSA and a P-256 key in account and zone");
    for csr in made {
        let csr = csr["csr"].as_str().unwrap();
        let text = openssl::verified_text(csr);
        assert!(text.contains("DNS:gw.lab.internal, DNS:alt.lab.internal"), "{text}");
        let subject = "CN=gw.lab.internal,OU=Gateways,O=Lab B.V.,L=Amersfoort,ST=Utrecht,C=NL";
        assert_eq!(openssl::subject(csr), subject);
    }
    assert_eq!(sealed_keys(&appliance), keys + 4);
    let objects = appliance.objects();
    for csr in made {
        let tenant = if csr["zone"] == true { "lab-zone" } else { "lab" };
        let bearer = format!("Bearer {}", people.requester);
        let headers = [("authorization", bearer.as_str()), ("strongroom-tenant", tenant)];
        let path = format!("/csrs/{}", csr["id"].as_str().unwrap());
        let native = service.request("GET", &path, &headers, None).expect(200).json();
        assert_eq!(native["csr"], csr["csr"]);
        let of_csr = |object: &&TokenObject| object.private && object.label == native["key"]["handle"];
        assert_eq!(objects.iter().filter(of_csr).count(), 1, "{native:#}");
    }

    let ca = Ca::new("Lab CA");
    let zoned = made.iter().find(|csr| csr["zone"] == true).unwrap();
    let certificate = ca.issue(zoned["csr"].as_str().unwrap()).pem();
    let more = json!({ "made": made, "issued": zoned["id"], "certificate": certificate });
    assert_eq!(run(include_str!("after.py"), &service, &people, &more), json!("done"));
    assert_eq!(sealed_keys(&appliance), keys + 1, "deletion destroys, save what a certificate came back for");
}

#[test]
fn the_vendors_client_iterates_over_every_page_in_either_order() {
    let appliance = Appliance::new();
    switch_on(&appliance, "");
    let service = appliance.start_ready();
    let people = hire(&appliance, &service);
    let listed = run(include_str!("pages.py"), &service, &people, &json!({ "count": 120 }));
    assert_eq!(listed, json!(120));
}

#[test]
fn the_vendors_client_raises_the_class_of_every_refusal() {
    let appliance = Appliance::new();
    switch_on(&appliance, "[keys.quotas]\nlab-zone = 1\n");
    let service = appliance.start_ready();
    let people = hire(&appliance, &service);
    let keys = sealed_keys(&appliance);
    let refusals = run(include_str!("refusals.py"), &service, &people, &json!({}));
    assert_eq!(refusals, json!("done"));
    assert_eq!(sealed_keys(&appliance), keys + 2, "one in the account, one within the quota of the zone");
}
