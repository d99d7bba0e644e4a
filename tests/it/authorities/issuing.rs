//! Who issues what, under which template, and when not.

use serde_json::{Value, json};

use super::{Pki, path_of, printed};
use crate::access::Office;
use crate::harness::{Appliance, p256};

const WEB: &str = "version = 1\nname = \"web\"\nauthority = \"root\"\nkeys.kinds = [\"ec-p256\"]\n[subject]\nCN = {}\n\
                   O = { fixed = \"Shop\" }\n[sans.DNS]\npatterns = ['.*\\.shop\\.example']\n\
                   [validity]\ndefault = 30\nmax = 60\n";
const FREE: &str =
    "version = 1\nname = \"free\"\nkeys.kinds = [\"ec-p256\"]\n[subject]\nCN = {}\n[sans.DNS]\n";
const ASKED: &str = "version = 1\nname = \"asked\"\nauthority = \"root\"\nkeys.kinds = [\"ec-p256\"]\n\
                     keys.reuse = \"allowed\"\n[subject]\nCN = {}\n[sans.DNS]\n[approval]\nrequired = true\n";

pub fn appliance() -> Appliance {
    let appliance = Appliance::new();
    std::fs::create_dir(appliance.path("templates")).unwrap();
    for (name, text) in [("web", WEB), ("free", FREE), ("asked", ASKED)] {
        std::fs::write(appliance.path(&format!("templates/{name}.toml")), text).unwrap();
    }
    let more = "[templates]\ndir = \"templates\"\nready_made = []\n[authorities]\npublic_url = \"http://pki.example\"\n";
    appliance.write_private("strongroom.toml", &format!("{}\n{more}", appliance.config_text()));
    appliance
}

#[test]
fn a_request_under_a_template_with_an_authority_is_issued_at_once() {
    let appliance = appliance();
    let pki = Pki::start(&appliance);
    let mut body = p256("www.shop.example");
    body["template"] = json!("web");
    pki.service.post("/csrs", &body).problem(422, "template.authority");
    let root = pki.authority("root", json!({}));
    let made = pki.service.post("/csrs", &body).expect(201).json();
    assert_eq!((&made["status"], &made["origin"]), (&json!("issued"), &json!("token")), "{made:#}");
    let path = format!("/csrs/{}/certificate", made["handle"].as_str().unwrap());
    let certificate = pki.service.get(&path).expect(200).json();
    let said = printed(&pki, certificate["certificate"].as_str().unwrap());
    let handle = root["handle"].as_str().unwrap();
    for part in [
        "Subject: O = Shop, CN = www.shop.example".to_owned(),
        format!("URI:http://pki.example/crl/{handle}.crl"),
        format!("CA Issuers - URI:http://pki.example/ca/{handle}.cer"),
        "X509v3 Key Usage: critical".to_owned(),
        "X509v3 Authority Key Identifier".to_owned(),
        "X509v3 Subject Key Identifier".to_owned(),
    ] {
        assert!(said.contains(&part), "{part}: {said}");
    }
    let fetched =
        pki.service.request("GET", &format!("//ca/{handle}.cer"), &[("authorization", "")], None).expect(200);
    assert_eq!(fetched.header("content-type"), Some("application/pkix-cert"));
    // Without an authority it stays pending, until one is told to.
    body["template"] = json!("free");
    let pending = pki.service.post("/csrs", &body).expect(201).json();
    assert_eq!(pending["status"], "pending");
    let issue = format!("{}/issue", path_of(&root));
    let by_hand = json!({ "request": pending["handle"] });
    pki.service.post(&issue, &by_hand).expect(201);
    pki.service.post(&issue, &by_hand).problem(409, "signing-request.state");
}

#[test]
fn a_renewal_of_such_a_request_is_issued_at_once_as_well() {
    let appliance = appliance();
    let pki = Pki::start(&appliance);
    pki.authority("root", json!({}));
    let mut body = p256("www.shop.example");
    body["template"] = json!("web");
    let made = pki.service.post("/csrs", &body).expect(201).json();
    let path = format!("/csrs/{}/renew", made["handle"].as_str().unwrap());
    let renewed = pki.service.post(&path, &json!({ "key": "new" })).expect(201).json();
    assert_eq!((&renewed["status"], &renewed["renews"]), (&json!("issued"), &made["handle"]));
}

#[test]
fn a_requester_issues_only_under_a_template_that_names_the_authority() {
    let appliance = appliance();
    let pki = Pki::start(&appliance);
    let root = pki.authority("root", json!({}));
    let office = Office::open(&appliance, &pki.service);
    let requester = office.hire("requester", &[("requester", None)]);
    let path = format!("{}/issue", path_of(&root));
    let asked = |template: Option<&str>, host: &str, days: Option<u32>| {
        let csr = pki.csr(&format!("/CN={host}"), &["-addext", &format!("subjectAltName=DNS:{host}")]);
        let mut body = json!({ "csr": csr });
        if let Some(template) = template {
            body["template"] = json!(template);
        }
        if let Some(days) = days {
            body["validity_days"] = json!(days);
        }
        office.call(&requester, "POST", &path, Some(&body))
    };
    asked(None, "www.shop.example", None).problem(403, "access.denied");
    asked(Some("free"), "www.shop.example", None).problem(422, "template.authority");
    let refused = asked(Some("web"), "www.example.org", Some(90)).problem(422, "policy.refused");
    let rules: Vec<_> =
        refused["errors"].as_array().unwrap().iter().map(|error| error["rule"].clone()).collect();
    assert_eq!(rules, ["san.dns.pattern", "validity.too-long"]);
    asked(Some("asked"), "www.shop.example", None).problem(422, "template.approval");
    let issued = asked(Some("web"), "www.shop.example", None).expect(201).json();
    assert_eq!((&issued["template"], &issued["status"]), (&json!("web"), &json!("issued")));
    let revoke = format!("{}/certificates/{}/revoke", path_of(&root), issued["serial"].as_str().unwrap());
    office.call(&requester, "POST", &revoke, None).problem(403, "access.denied");
}

#[test]
fn a_disabled_authority_issues_nothing_and_its_requests_wait() {
    let appliance = appliance();
    let pki = Pki::start(&appliance);
    let root = pki.authority("root", json!({}));
    let path = path_of(&root);
    pki.service.post(&format!("{path}/disable"), &json!({})).expect(200);
    let csr = pki.csr("/CN=x", &["-addext", "subjectAltName=DNS:x.example"]);
    pki.service.post(&format!("{path}/issue"), &json!({ "csr": csr })).problem(409, "authority.state");
    let mut body = p256("www.shop.example");
    body["template"] = json!("web");
    let waiting = pki.service.post("/csrs", &body).expect(201).json();
    assert_eq!(waiting["status"], "pending");
    pki.service.post(&format!("{path}/enable"), &json!({})).expect(200);
    let handle = waiting["handle"].as_str().unwrap();
    pki.service.await_that("it is issued", || {
        pki.service.get(&format!("/csrs/{handle}")).json()["status"] == "issued"
    });
}

#[test]
fn the_key_of_an_authority_signs_nothing_else_and_is_kept_while_the_authority_lives() {
    let appliance = appliance();
    let pki = Pki::start(&appliance);
    let root = pki.authority("root", json!({}));
    let key = root["key"].as_str().unwrap();
    let shown = pki.service.get(&format!("/keys/{key}")).expect(200).json();
    assert_eq!(shown["purpose"], "authority");
    pki.service.delete(&format!("/keys/{key}")).problem(409, "key.in-use");
    pki.service.post(&format!("/keys/{key}/retire"), &json!({})).problem(409, "key.in-use");
    let csr = json!({ "subject": "CN=x", "key": { "handle": key } });
    pki.service.post("/csrs", &csr).problem(422, "key.authority");
    pki.service.post("/tokens/main/wipe", &json!({ "force": true })).problem(409, "token.in-use");
    let twin = json!({ "name": "root", "kind": "root", "subject": "CN=x" });
    pki.service.post("/authorities", &twin).problem(409, "store.duplicate");
    pki.service.delete(&path_of(&root)).expect(200);
    assert_eq!(pki.service.get("/authorities").json()["items"], json!([]));
    pki.service.delete(&format!("/keys/{key}")).expect(200);
    pki.authority("root", json!({}));
}

#[test]
fn an_authority_whose_key_is_compromised_signs_nothing_more() {
    let appliance = appliance();
    let pki = Pki::start(&appliance);
    let root = pki.authority("root", json!({}));
    let path = format!("/keys/{}/compromise", root["key"].as_str().unwrap());
    pki.service.post(&path, &json!({ "reason": "found on a disk" })).expect(200);
    let csr = pki.csr("/CN=x", &["-addext", "subjectAltName=DNS:x.example"]);
    pki.service.post(&format!("{}/issue", path_of(&root)), &json!({ "csr": csr })).problem(409, "key.state");
}

#[test]
fn an_authority_of_another_tenant_is_not_there() {
    let appliance = appliance();
    let pki = Pki::start(&appliance);
    let root = pki.authority("root", json!({}));
    let leaf = pki.issue(&root, "www.example.com");
    let office = Office::open(&appliance, &pki.service);
    office.manage("POST", "/tenants", Some(&json!({ "name": "lab" }))).expect(201);
    let theirs = office.hire("theirs", &[("operator", Some("lab")), ("requester", Some("lab"))]);
    let path = path_of(&root);
    let serial = leaf["serial"].as_str().unwrap();
    assert_eq!(office.call(&theirs, "GET", "/authorities", None).expect(200).json()["items"], json!([]));
    let csr = json!({ "csr": pki.csr("/CN=x", &["-addext", "subjectAltName=DNS:x.example"]) });
    let calls: [(&str, String, Option<&Value>); 7] = [
        ("GET", path.clone(), None),
        ("DELETE", path.clone(), None),
        ("GET", format!("{path}/certificates"), None),
        ("GET", format!("{path}/crl"), None),
        ("POST", format!("{path}/certificates/{serial}/revoke"), None),
        ("POST", format!("{path}/issue"), Some(&csr)),
        ("POST", format!("{path}/intermediates"), Some(&csr)),
    ];
    for (method, path, body) in calls {
        office.call(&theirs, method, &path, body).problem(404, "not-found");
    }
}
