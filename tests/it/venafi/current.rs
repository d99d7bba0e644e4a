//! The client of today.

use serde_json::{Value, json};

use super::{CURRENT, asked, call, hire, run, switched_on};
use crate::access::Office;
use crate::certificates::Ca;
use crate::openssl;

#[test]
fn the_current_client_lives_the_whole_life_of_its_requests() {
    let appliance = switched_on();
    let service = appliance.start_ready();
    let people = hire(&appliance, &service);
    let keys = appliance.private_keys();
    let issued = run(CURRENT, include_str!("current.py"), &appliance, &people, &json!({}));
    let issued = issued.as_object().unwrap();
    assert_eq!(issued.len(), 6);
    for (name, one) in issued {
        openssl::verify_chain(one["chain"][0].as_str().unwrap(), one["cert"].as_str().unwrap());
        let text = openssl::certificate_text(one["cert"].as_str().unwrap());
        assert!(text.contains("DNS:gw.lab.example"), "{name}: {text}");
        assert!(text.contains("TLS Web Server Authentication"), "{name}: {text}");
    }
    let service_made = issued["service"]["cert"].as_str().unwrap();
    assert!(openssl::certificate_text(service_made).contains("IP Address:10.20.30.40"));
    // One of the service's and twelve of the many; a renewal with the same key made none.
    assert_eq!(appliance.private_keys(), keys + 13);
    assert!(
        appliance.objects().iter().filter(|object| object.private).all(|key| {
            ["sensitive", "never extractable", "local"].iter().all(|word| key.access.contains(word))
        }),
        "{:?}",
        appliance.objects()
    );
    let office = Office { service: &service, admin: people.admin.clone() };
    for (name, origin) in [("service", "token"), ("service again", "token"), ("rsa", "client")] {
        let path = format!("/csrs/{}", issued[name]["id"].as_str().unwrap());
        let native = office.call(&people.reader, "GET", &path, None).expect(200).json();
        assert_eq!(native["origin"], origin, "{name}: {native:#}");
    }
}

#[test]
fn the_current_client_raises_what_it_raises_for_every_refusal() {
    let appliance = switched_on();
    let service = appliance.start_ready();
    let people = hire(&appliance, &service);
    let pending = asked(&service, &people, "Manual", "gw.lab.example");
    let keys = appliance.private_keys();
    let more = json!({ "pending": pending["id"] });
    let told = run(CURRENT, include_str!("refusals.py"), &appliance, &people, &more);
    for (name, class, text) in [
        ("no key", "VenafiConnectionError", "Server status: 401"),
        ("an application that is not there", "AttributeError", ""),
        ("a template that is not there", "VenafiConnectionError", "10051"),
        ("an application of another tenant", "VenafiConnectionError", "10051"),
        ("a reader who asks", "VenafiConnectionError", "csr:create"),
        ("a name that is not allowed", "VenafiConnectionError", "san.dns."),
        ("an own key that is not allowed", "VenafiConnectionError", "key.kind"),
        ("a service key that is not allowed", "ClientBadData", ""),
        ("an organisation that is not allowed", "VenafiConnectionError", "subject.o.pattern"),
        ("too long", "VenafiConnectionError", "validity.too-long"),
        ("no proof of possession", "VenafiConnectionError", "signature"),
        ("a key that may not be used again", "VenafiConnectionError", "key.reuse"),
        ("a request that is not there", "VenafiConnectionError", "Server status: 404"),
        ("another tenant's request", "VenafiConnectionError", "Server status: 404"),
        ("another tenant's renewal", "VenafiConnectionError", "Server status: 404"),
        ("another tenant's retirement", "VenafiConnectionError", "Server status: 404"),
        ("a revocation without the permission", "CertificateRevokeError", "certificate:revoke"),
        ("a revocation of nothing", "CertificateRevokeError", "Server status: 404"),
        ("a search for nothing", "RetrieveCertificateTimeoutError", ""),
        ("a key for export", "VenafiConnectionError", "Server status: 403"),
        ("a key store", "VenafiConnectionError", "Server status: 403"),
        ("a certificate that is not there yet", "ServerUnexptedBehavior", ""),
    ] {
        let [raised, said] = [0, 1].map(|at| told[name][at].as_str().unwrap().to_owned());
        assert!(raised == class && said.contains(text), "{name}: {raised}: {said}");
    }
    assert_eq!(told.as_object().unwrap().len(), 22);
    assert_eq!(appliance.private_keys(), keys, "a refusal leaves no key");
}

#[test]
fn a_request_without_an_authority_waits_for_a_certificate_from_any_surface() {
    let appliance = switched_on();
    let service = appliance.start_ready();
    let people = hire(&appliance, &service);
    let ids = run(CURRENT, include_str!("pending.py"), &appliance, &people, &json!({}));
    let office = Office { service: &service, admin: people.admin.clone() };
    let ca = Ca::new("Somebody's CA");
    let mut issued = serde_json::Map::new();
    for name in ["own", "service"] {
        let path = format!("/csrs/{}", ids[name].as_str().unwrap());
        let native = office.call(&people.requester, "GET", &path, None).expect(200).json();
        assert_eq!(native["status"], "pending");
        let certificate = ca.issue(native["csr"].as_str().unwrap());
        let bearer = format!("Bearer {}", people.requester);
        let headers = [("authorization", bearer.as_str()), ("content-type", "application/x-pem-file")];
        let pem = certificate.pem() + &ca.certificate.pem();
        let married = service.request("PUT", &format!("{path}/certificate"), &headers, Some(pem.as_bytes()));
        married.expect(200);
        issued.insert(name.to_owned(), json!(certificate.pem()));
    }
    let reject = format!("/csrs/{}/reject", ids["approved"].as_str().unwrap());
    let reason = json!({ "reason": "too many gateways" });
    office.call(&people.approver, "POST", &reject, Some(&reason)).expect(200);
    let more = json!({ "ids": ids, "issued": Value::Object(issued) });
    assert_eq!(run(CURRENT, include_str!("after.py"), &appliance, &people, &more), json!("done"));
}

#[test]
fn an_approved_request_is_issued() {
    let appliance = switched_on();
    let service = appliance.start_ready();
    let people = hire(&appliance, &service);
    let made = asked(&service, &people, "AsksAuto", "gw.lab.example");
    assert_eq!(made["status"], "REQUESTED");
    assert_eq!(made["certificateSigningRequest"], Value::Null);
    let office = Office { service: &service, admin: people.admin.clone() };
    let id = made["id"].as_str().unwrap();
    let approve = format!("/csrs/{id}/approve");
    assert!(office.call(&people.approver, "POST", &approve, None).status < 300);
    let path = format!("/outagedetection/v1/certificaterequests/{id}");
    service.await_that("the approved request is issued", || {
        call(&service, &people.requester, "GET", &path, None).json()["status"] == "ISSUED"
    });
}
