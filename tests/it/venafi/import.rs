//! Certificates that come back over the vendor's own endpoint, and find their requests by the key.

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use serde_json::{Value, json};

use super::{People, asked, call, hire, id_at, refused, switched_on};
use crate::certificates::Ca;
use crate::harness::{Reply, Service};

const CERTIFICATES: &str = "/outagedetection/v1/certificates";

fn import(service: &Service<'_>, people: &People, certificate: &[u8], issuers: &[&[u8]]) -> Reply {
    let issuers: Vec<_> = issuers.iter().map(|der| BASE64_STANDARD.encode(der)).collect();
    let application = id_at(service, &people.requester, "/outagedetection/v1/applications/Shop");
    let body = json!({ "certificates": [{
        "certificate": BASE64_STANDARD.encode(certificate), "issuerCertificates": issuers,
        "applicationIds": [application], "apiClientInformation": { "type": "a test", "identifier": "127.0.0.1" },
    }] });
    call(service, &people.requester, "POST", CERTIFICATES, Some(&body))
}

#[test]
fn an_imported_certificate_finds_its_request_by_the_key() {
    let appliance = switched_on();
    let service = appliance.start_ready();
    let people = hire(&appliance, &service);
    let ca = Ca::new("Somebody's CA");
    let [first, second] =
        ["a.lab.example", "b.lab.example"].map(|host| asked(&service, &people, "Manual", host));
    assert_eq!(first["status"], "PENDING");
    let certificate = ca.issue(first["certificateSigningRequest"].as_str().unwrap());
    let answer = import(&service, &people, certificate.der(), &[ca.certificate.der()]).expect(201).json();
    let information = &answer["certificateInformations"][0];
    assert_eq!(answer["certificateInformations"].as_array().unwrap().len(), 1);
    assert_eq!(information["id"], first["id"]);
    // Sent again, it changes nothing.
    import(&service, &people, certificate.der(), &[]).expect(201);

    let search = json!({ "expression": { "operands": [
        { "field": "fingerprint", "operator": "MATCH", "value": information["fingerprint"] },
    ] } });
    let found =
        call(&service, &people.reader, "POST", "/outagedetection/v1/certificatesearch", Some(&search));
    let found = found.expect(200).json();
    assert_eq!((&found["count"], &found["certificates"][0]["id"]), (&json!(1), &first["id"]));
    let show = |id: &Value| {
        let path = format!("/outagedetection/v1/certificaterequests/{}", id.as_str().unwrap());
        call(&service, &people.reader, "GET", &path, None).expect(200).json()
    };
    assert_eq!(show(&first["id"])["status"], "ISSUED");
    assert_eq!(show(&second["id"])["status"], "PENDING");
    let contents = |order: &str| {
        let path = format!(
            "{CERTIFICATES}/{}/contents?chainOrder={order}&format=PEM",
            first["id"].as_str().unwrap()
        );
        let reply = call(&service, &people.reader, "GET", &path, None).expect(200);
        assert_eq!(reply.header("content-type"), Some("text/plain"));
        String::from_utf8(reply.bytes).unwrap().replace("\r\n", "\n")
    };
    let [leaf, root] = [certificate.pem(), ca.certificate.pem()].map(|pem| pem.replace("\r\n", "\n"));
    assert_eq!(contents("EE_FIRST"), format!("{leaf}{root}"));
    assert_eq!(contents("ROOT_FIRST"), format!("{root}{leaf}"));
    assert_eq!(contents("EE_ONLY"), leaf);
    let pending = format!("{CERTIFICATES}/{}/contents", second["id"].as_str().unwrap());
    refused(call(&service, &people.reader, "GET", &pending, None), 409);
}

#[test]
fn a_certificate_that_belongs_to_nothing_is_refused() {
    let appliance = switched_on();
    let service = appliance.start_ready();
    let people = hire(&appliance, &service);
    let ca = Ca::new("Somebody's CA");
    let told = refused(import(&service, &people, ca.certificate.der(), &[]), 400);
    assert!(told[0].1.contains("is for the key of no signing request"), "{told:?}");
    refused(import(&service, &people, b"no certificate", &[]), 400);

    let made = asked(&service, &people, "Auto", "a.lab.example");
    assert_eq!(made["status"], "ISSUED");
    let other = ca.issue(made["certificateSigningRequest"].as_str().unwrap());
    refused(import(&service, &people, other.der(), &[]), 409);

    let pending = asked(&service, &people, "Manual", "b.lab.example");
    let certificate = ca.issue(pending["certificateSigningRequest"].as_str().unwrap());
    let body = json!({ "certificates": [{ "certificate": certificate.pem() }] });
    refused(call(&service, &people.reader, "POST", CERTIFICATES, Some(&body)), 403);
    let told = refused(call(&service, &people.stranger, "POST", CERTIFICATES, Some(&body)), 400);
    assert!(told[0].1.contains("no signing request of this tenant"), "{told:?}");
    let elsewhere =
        json!({ "certificates": [{ "certificate": certificate.pem(), "applicationIds": ["nowhere"] }] });
    let told = refused(call(&service, &people.requester, "POST", CERTIFICATES, Some(&elsewhere)), 404);
    assert_eq!(told[0].0, 10_051);
    call(&service, &people.requester, "POST", CERTIFICATES, Some(&body)).expect(201);

    let doomed = asked(&service, &people, "Manual", "c.lab.example");
    let revoke = json!({
        "query": "mutation R { revokeCertificate { id } }",
        "variables": { "fingerprint": fingerprint(&service, &people, &pending), "revocationReason": "SUPERSEDED" },
    });
    let told = refused(call(&service, &people.operator, "POST", "/graphql", Some(&revoke)), 400);
    assert!(told[0].1.contains("no authority of this appliance issued this certificate"), "{told:?}");
    let retire = json!({ "certificateIds": [pending["id"], doomed["id"]] });
    refused(
        call(&service, &people.requester, "POST", &format!("{CERTIFICATES}/retirement"), Some(&retire)),
        409,
    );
    let path = format!("{CERTIFICATES}/{}", pending["id"].as_str().unwrap());
    let kept = call(&service, &people.reader, "GET", &path, None).expect(200).json();
    assert_eq!(kept["certificateStatus"], "ACTIVE", "all of them, or none");
}

fn fingerprint(service: &Service<'_>, people: &People, request: &Value) -> Value {
    let path = format!("{CERTIFICATES}/{}", request["id"].as_str().unwrap());
    call(service, &people.reader, "GET", &path, None).expect(200).json()["fingerprint"].clone()
}

#[test]
fn what_was_asked_for_elsewhere_is_shown_where_its_template_is_offered() {
    let appliance = switched_on();
    let service = appliance.start_ready();
    let people = hire(&appliance, &service);
    let office = crate::access::Office { service: &service, admin: people.admin.clone() };
    let body = |template: Option<&str>, kind: &str| {
        let mut body = json!({ "subject": "CN=a.lab.example,O=Lab B.V.", "sans": ["DNS:a.lab.example"],
                               "key": { "kind": kind } });
        if let Some(template) = template {
            body["template"] = json!(template);
        }
        body
    };
    let show = |made: &Value| {
        let path = format!("/v1/certificaterequests/{}", made["handle"].as_str().unwrap());
        call(&service, &people.reader, "GET", &path, None)
    };
    let made = office.call(&people.requester, "POST", "/csrs", Some(&body(Some("manual"), "ec-p256")));
    let shown = show(&made.expect(201).json()).expect(200).json();
    assert_eq!(shown["zoneId"], id_at(&service, &people.reader, "/v1/zones/tag/shop-manual"));
    assert_eq!(
        shown["applicationId"],
        id_at(&service, &people.reader, "/outagedetection/v1/applications/Shop")
    );
    let made = office.call(&people.requester, "POST", "/csrs", Some(&body(None, "ec-p256")));
    refused(show(&made.expect(201).json()), 404);
}
