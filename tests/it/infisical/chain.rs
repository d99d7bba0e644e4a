//! What CAs of this surface issue, as OpenSSL sees it.

use std::fs;
use std::process::Command;

use serde_json::json;

use super::{SLUG, ca, call, hire, made, switch_on, token};
use crate::harness::Appliance;
use crate::python;

/// A client's own CSR for `gw.lab.internal`, whose key nobody keeps.
pub fn leaf_csr() -> String {
    let key = rcgen::KeyPair::generate().unwrap();
    let mut params = rcgen::CertificateParams::new(["gw.lab.internal".to_owned()]).unwrap();
    params.distinguished_name = rcgen::DistinguishedName::new();
    params.distinguished_name.push(rcgen::DnType::CommonName, "gw.lab.internal");
    params.serialize_request(&key).unwrap().pem().unwrap()
}

/// Has OpenSSL verify a chain; `trusted` may have CRLs among them.
pub fn verify(trusted: &[&str], between: &[&str], leaf: &str, with_crl: bool) -> Result<(), String> {
    let dir = tempfile::tempdir().unwrap();
    let file = |name: &str, texts: &[&str]| {
        let path = dir.path().join(name);
        fs::write(&path, texts.join("\n")).unwrap();
        path
    };
    let (trusted, leaf) = (file("trusted", trusted), file("leaf", &[leaf]));
    let mut openssl = Command::new("openssl");
    openssl.arg("verify").arg("-x509_strict").arg("-CAfile").arg(trusted);
    if !between.is_empty() {
        openssl.arg("-untrusted").arg(file("between", between));
    }
    if with_crl {
        openssl.arg("-crl_check");
    }
    let output = openssl.arg(leaf).output().unwrap();
    match output.status.success() {
        true => Ok(()),
        false => Err(String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned()),
    }
}

#[test]
fn openssl_refuses_a_leaf_that_was_revoked_and_takes_its_twin() {
    let appliance = Appliance::new();
    switch_on(&appliance, "");
    let service = appliance.start_ready();
    let people = hire(&appliance, &service);
    let token = token(&service, &people.operator);
    let send = |path: &str, body: serde_json::Value| {
        call(&service, Some(&token), "POST", path, Some(&body)).expect(200).json()
    };
    let get = |path: &str| call(&service, Some(&token), "GET", path, None).expect(200).json();
    let root = made(&service, &token, &ca("root", "Lab Root"));
    let below = made(&service, &token, &ca("intermediate", "Lab Issuing"));
    let path = |ca: &serde_json::Value, end: &str| format!("/v1/pki/ca/{}/{end}", ca["id"].as_str().unwrap());
    let csr = get(&path(&below, "csr"))["csr"].clone();
    let signed = send(&path(&root, "sign-intermediate"), json!({ "csr": csr, "notAfter": "2030-01-01" }));
    let chain = &signed["certificateChain"];
    let bring = json!({ "certificate": signed["certificate"], "certificateChain": chain });
    send(&path(&below, "import-certificate"), bring);
    let leaf = || send(&path(&below, "sign-certificate"), json!({ "csr": leaf_csr(), "ttl": "90d" }));
    let (revoked, twin) = (leaf(), leaf());
    let serial = revoked["serialNumber"].as_str().unwrap();
    let why = json!({ "revocationReason": "KEY_COMPROMISE" });
    send(&format!("/v1/pki/certificates/{serial}/revoke"), why);
    let crls = get(&path(&below, "crls"));
    let text = |value: &serde_json::Value| value.as_str().unwrap().to_owned();
    let (root, issuing) = (text(chain), text(&signed["certificate"]));
    let crl = text(&crls[0]["crl"]);
    let trusted = [root.as_str(), crl.as_str()];
    let refused = verify(&trusted, &[&issuing], &text(&revoked["certificate"]), true).unwrap_err();
    assert!(refused.contains("certificate revoked"), "{refused}");
    assert_eq!(verify(&trusted, &[&issuing], &text(&twin["certificate"]), true), Ok(()));
    // Another code base reads what is in the list.
    let script = "import sys\nfrom cryptography import x509\ncrl = x509.load_pem_x509_crl(sys.argv[1].encode())\n\
                  print(*(f'{r.serial_number:040x}' for r in crl))";
    assert_eq!(python::run(script, &crl).trim(), serial);
}

#[test]
fn a_requester_has_certificates_issued_under_a_template_that_names_the_ca() {
    let appliance = Appliance::new();
    let template = "version = 1\nname = \"web\"\nauthority = \"issuing\"\n[subject]\nCN = { in_sans = true }\n\
                    [sans.DNS]\n[keys]\nkinds = [\"ec-p256\"]\n";
    fs::create_dir(appliance.path("templates")).unwrap();
    appliance.write_private("templates/web.toml", template);
    switch_on(&appliance, "[templates]\ndir = \"templates\"");
    let service = appliance.start_ready();
    let people = hire(&appliance, &service);
    let operator = token(&service, &people.operator);
    let mut asked = ca("root", "Lab Root");
    asked.as_object_mut().unwrap().remove("projectSlug");
    let body = json!({ "name": "issuing", "configuration": asked });
    call(&service, Some(&operator), "POST", "/v1/cert-manager/ca/internal", Some(&body)).expect(200);
    let requester = token(&service, &people.requester);
    let body = json!({ "certificateTemplateId": "web", "csr": leaf_csr(), "ttl": "1h", "projectSlug": SLUG });
    let path = "/v1/pki/certificates/sign-certificate";
    let signed = call(&service, Some(&requester), "POST", path, Some(&body)).expect(200).json();
    let text = |field: &str| signed[field].as_str().unwrap().to_owned();
    assert_eq!(verify(&[&text("certificateChain")], &[], &text("certificate"), false), Ok(()));
    let stranger = token(&service, &people.stranger);
    call(&service, Some(&stranger), "POST", path, Some(&body)).expect(404);
}
