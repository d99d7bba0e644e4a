//! Clients' own CSRs as signing requests: we have no key of them.

use serde_json::{Value, json};

use super::issuing::appliance;
use super::{Pki, path_of, text};
use crate::access::Office;

fn submitted(pki: &Pki<'_>, csr: &str, template: Option<&str>) -> crate::harness::Reply {
    let mut body = json!({ "csr": csr });
    if let Some(template) = template {
        body["template"] = json!(template);
    }
    pki.service.post("/csrs/submit", &body)
}

fn csr(pki: &Pki<'_>, host: &str) -> String {
    pki.csr(&format!("/CN={host}"), &["-addext", &format!("subjectAltName=DNS:{host}")])
}

#[test]
fn a_clients_csr_is_pending_without_a_key_of_ours_until_its_certificate_comes() {
    let appliance = appliance();
    let pki = Pki::start(&appliance);
    let root = pki.authority("root", json!({}));
    let csr = csr(&pki, "www.example.com");
    let taken = submitted(&pki, &csr, None).expect(201).json();
    assert_eq!((&taken["status"], &taken["origin"]), (&json!("pending"), &json!("client")));
    assert_eq!((&taken["key"]["handle"], &taken["key"]["source"]), (&Value::Null, &json!("client")));
    assert_eq!((&taken["evidence"]["level"], &taken["csr"]), (&json!("none"), &json!(csr)));
    let listed = pki.service.get("/csrs").expect(200).json();
    assert_eq!(
        (&listed["items"][0]["origin"], &listed["items"][0]["evidence"]),
        (&json!("client"), &json!("none"))
    );
    let handle = taken["handle"].as_str().unwrap();
    pki.service.post(&format!("/csrs/{handle}/renew"), &json!({})).problem(422, "key.client");

    // Issued elsewhere, from the same CSR, and married by the public key.
    let issued =
        pki.service.post(&format!("{}/issue", path_of(&root)), &json!({ "csr": csr })).expect(201).json();
    let pem = issued["certificate"].as_str().unwrap();
    let path = format!("/csrs/{handle}/certificate");
    let stranger = pki.issue(&root, "other.example.com");
    let wrong = stranger["certificate"].as_str().unwrap().as_bytes();
    pki.service.put(&path, "application/x-pem-file", wrong).problem(422, "certificate.key-mismatch");
    let married = pki.service.put(&path, "application/x-pem-file", pem.as_bytes()).expect(200).json();
    assert_eq!(married["evidence"]["level"], "none");
    assert_eq!(pki.service.get(&format!("/csrs/{handle}")).json()["status"], "issued");
    pki.service.post(&format!("/csrs/{handle}/retire"), &json!({})).expect(200);
    let second = submitted(&pki, &csr, None).expect(201).json();
    let cancelled =
        pki.service.delete(&format!("/csrs/{}", second["handle"].as_str().unwrap())).expect(200).json();
    assert_eq!(cancelled["key_fate"], "no-key");
}

#[test]
fn a_clients_csr_under_a_template_is_judged_and_issued_at_once() {
    let appliance = appliance();
    let pki = Pki::start(&appliance);
    pki.authority("root", json!({}));
    let refused = submitted(&pki, &csr(&pki, "www.example.org"), Some("web")).problem(422, "policy.refused");
    assert_eq!(refused["errors"][0]["rule"], "san.dns.pattern");
    let good = csr(&pki, "www.shop.example");
    let issued = submitted(&pki, &good, Some("web")).expect(201).json();
    assert_eq!(
        (&issued["status"], &issued["subject"]),
        (&json!("issued"), &json!("CN=www.shop.example,O=Shop"))
    );
    let again = submitted(&pki, &good, Some("web")).problem(422, "policy.refused");
    assert_eq!(again["errors"][0]["rule"], "key.reuse", "the template refuses a key that was there before");
}

#[test]
fn a_clients_csr_waits_for_an_approval_and_is_issued_with_it() {
    let appliance = appliance();
    let pki = Pki::start(&appliance);
    pki.authority("root", json!({}));
    let waiting = submitted(&pki, &csr(&pki, "www.shop.example"), Some("asked")).expect(202).json();
    assert_eq!((&waiting["status"], &waiting["origin"]), (&json!("awaiting_approval"), &json!("client")));
    let office = Office::open(&appliance, &pki.service);
    let bob = office.hire("bob", &[("approver", None)]);
    let path = format!("/csrs/{}/approve", waiting["handle"].as_str().unwrap());
    pki.service.post(&path, &json!({})).problem(403, "access.denied");
    let approved = office.call(&bob, "POST", &path, None);
    assert!(approved.status < 300, "{approved:?}");
    assert_eq!(approved.json()["status"], "issued");
}

#[test]
fn what_is_no_good_csr_is_told_why() {
    let appliance = appliance();
    let pki = Pki::start(&appliance);
    let good = csr(&pki, "www.example.com");
    let mut der = pem_body(&good);
    let last = der.len() - 1;
    der[last] ^= 1;
    let forged = pem("CERTIFICATE REQUEST", &der);
    let weak_key = pki.file("weak.key", super::openssl(&["genrsa", "1024"]).stdout);
    let weak = super::openssl(&["req", "-new", "-key", weak_key.to_str().unwrap(), "-subj", "/CN=x"]);
    let key = text(&super::openssl(&["genrsa", "2048"]).stdout);
    for (csr, told) in [
        (forged, "proof of possession"),
        (text(&weak.stdout), "of no kind that is taken"),
        (key, "private key"),
        ("nothing".to_owned(), "no CSR"),
        (format!("{good}{good}"), "must be one CERTIFICATE REQUEST"),
    ] {
        let problem = submitted(&pki, &csr, None).problem(400, "input.invalid");
        assert!(problem["detail"].as_str().unwrap().contains(told), "{told}: {problem:#}");
    }
    let nameless = pki.csr("/", &[]);
    let problem = submitted(&pki, &nameless, None).problem(400, "input.invalid");
    assert_eq!(problem["errors"][0]["field"], "subject");
}

fn pem_body(pem: &str) -> Vec<u8> {
    use base64::Engine as _;
    let lines: String = pem.lines().filter(|line| !line.starts_with('-')).collect();
    base64::engine::general_purpose::STANDARD.decode(lines).unwrap()
}

fn pem(label: &str, der: &[u8]) -> String {
    use base64::Engine as _;
    let body = base64::engine::general_purpose::STANDARD.encode(der);
    format!("-----BEGIN {label}-----\n{body}\n-----END {label}-----\n")
}
