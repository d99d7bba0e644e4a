//! `POST /Enrollment/CSR`: noted, and answered with the certificate once there is one.

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use serde_json::{Value, json};

use super::{Client, GO, appliance_with, invalid, refused};
use crate::certificates::Ca;
use crate::ledger::audit_of;
use crate::openssl;

fn enrolments(appliance: &crate::harness::Appliance) -> usize {
    audit_of(appliance).iter().filter(|record| record.action == "signing-request.enrolled").count()
}

#[test]
fn a_csr_is_enrolled_and_its_certificate_comes_with_its_chain() {
    let appliance = appliance_with("");
    let service = appliance.start_ready();
    let client = Client::hired(&appliance, &service);
    let mut wish = super::p256("gw.example");
    wish["SANs"] = json!({ "dns": ["gw.example"] });
    let csr = client.generate(&wish).expect(200).json()["CSR"].as_str().unwrap().to_owned();
    let metadata = json!({ "Owner": "canary@lab.example" });
    let body = |timestamp: &str| {
        json!({ "CSR": csr, "CertificateAuthority": "ca.lab.example\\Lab CA", "IncludeChain": true, "Metadata": metadata,
                "Template": "WebServer", "SANs": { "DNS": ["gw.example"] }, "Timestamp": timestamp })
    };
    let enroll = |body: &Value| client.call("POST", "/Enrollment/CSR", Some(body)).expect(200).json();
    let answer = enroll(&body("2026-11-21T09:30:00Z"));
    assert_eq!(answer["Metadata"], metadata);
    let information = &answer["CertificateInformation"];
    let expected = json!({
        "SerialNumber": null, "IssuerDN": null, "Thumbprint": null, "KeyfactorID": 0, "Certificates": [],
        "KeyfactorRequestId": 1, "RequestDisposition": "PENDING",
        "DispositionMessage": "the CSR is with the CA; the certificate has not come back yet", "EnrollmentContext": null,
    });
    assert_eq!(information, &expected);
    assert_eq!(client.pending_ids(""), [1], "pending until a certificate is married");
    enroll(&body("2026-11-21T09:31:00Z"));
    assert_eq!(enrolments(&appliance), 1, "said again, it is recorded once");
    let bare: String = csr.lines().filter(|line| !line.starts_with('-')).collect();
    enroll(&json!({ "csr": bare }));
    assert_eq!(enrolments(&appliance), 2);
    let kept = service.request("GET", "/audit?action=signing-request.enrolled", &[], None);
    assert!(!String::from_utf8_lossy(&kept.bytes).contains("canary"), "{kept:?}");

    let root = Ca::new("Root CA");
    let issuing = root.subordinate("Issuing CA");
    let certificate = issuing.issue(&csr);
    let bundle = certificate.pem() + &issuing.certificate.pem() + &root.certificate.pem();
    let native = service.get("/csrs").json()["items"][0]["handle"].as_str().unwrap().to_owned();
    let headers =
        [("authorization", client.authorization.as_str()), ("content-type", "application/x-pem-file")];
    service
        .request("PUT", &format!("/csrs/{native}/certificate"), &headers, Some(bundle.as_bytes()))
        .expect(200);
    let answer = enroll(&json!({ "CSR": csr, "IncludeChain": true }));
    let information = &answer["CertificateInformation"];
    let encoded =
        [&certificate, &issuing.certificate, &root.certificate].map(|one| BASE64_STANDARD.encode(one.der()));
    assert_eq!(information["Certificates"], json!(encoded));
    assert_eq!(information["RequestDisposition"], "ISSUED");
    assert_eq!(information["IssuerDN"], "CN=Issuing CA");
    assert_eq!((&information["KeyfactorID"], &information["KeyfactorRequestId"]), (&json!(1), &json!(1)));
    assert_eq!(information["Thumbprint"], openssl::fingerprint_sha1(certificate.der()));
    assert_eq!(information["SerialNumber"], openssl::serial(certificate.der()));

    let mut headers = GO.to_vec();
    headers.push(("X-CertificateFormat", "PEM"));
    let path = "/KeyfactorAPI/Enrollment/CSR";
    let answer = client.call_with("POST", path, &headers, Some(&json!({ "CSR": csr }))).expect(200).json();
    let pem = answer["CertificateInformation"]["Certificates"][0].as_str().unwrap();
    assert_eq!(answer["CertificateInformation"]["Certificates"].as_array().unwrap().len(), 1);
    assert_eq!(pem.replace('\n', ""), certificate.pem().replace("\r\n", "").replace('\n', ""));
    headers.pop();
    headers.push(("X-CertificateFormat", "STORE"));
    let told = invalid(client.call_with("POST", path, &headers, Some(&json!({ "CSR": csr }))));
    assert_eq!(told, "x-certificateformat: must be DER or PEM");
}

#[test]
fn a_csr_that_is_not_ours_or_not_as_it_was_is_refused() {
    let appliance = appliance_with("");
    let service = appliance.start_ready();
    let client = Client::hired(&appliance, &service);
    let csr = client.generated("a.example");
    let enroll = |body: Value| client.call("POST", "/Enrollment/CSR", Some(&body));
    let foreign = include_str!("../inspect/pss.pem");
    for (body, told) in [
        (json!({}), "CSR: is required"),
        (json!({ "CSR": "" }), "CSR: is required"),
        (json!({ "CSR": "x" }), "CSR: is neither PEM nor base64"),
        (json!({ "CSR": "AAAA" }), "CSR: is no CSR (PKCS #10) in DER"),
        (json!({ "CSR": foreign }), "CSR: was not made here, or not for this tenant"),
        (
            json!({ "CSR": csr, "SANs": { "dns": ["b.example"] } }),
            "SANs: are not those of the CSR, which cannot be changed; leave them out",
        ),
        (
            json!({ "CSR": csr, "SANs": { "x400": ["b"] } }),
            "SANs.x400[0]: names of this kind cannot be put into a CSR here; leave it out",
        ),
    ] {
        assert_eq!(invalid(enroll(body)), told);
    }
    assert_eq!(enrolments(&appliance), 0);
    client.call("DELETE", "/CSRGeneration/Pending/1", None).expect(204);
    let told = refused(enroll(json!({ "CSR": csr })), 409, "0xA0FF0409");
    assert!(told.ends_with("is cancelled and cannot be enrolled"), "{told}");
}
