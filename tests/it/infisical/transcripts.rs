//! What goes over the wire, request by request, as kept under tests/fixtures/infisical.

use std::fmt::Write;
use std::path::Path;

use serde_json::{Value, json};

use super::chain::leaf_csr;
use super::{PROJECT, ca, call, hire, login, switch_on};
use crate::harness::{Appliance, Service};

const FIXTURES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/infisical");

/// A conversation, with what differs from run to run replaced.
struct Transcript<'a> {
    service: &'a Service<'a>,
    token: String,
    ids: Vec<String>,
    text: String,
}

impl Transcript<'_> {
    fn say(&mut self, method: &str, path: &str, body: Option<&Value>) -> Value {
        let reply = call(self.service, Some(&self.token), method, path, body);
        let answered = reply.json();
        let ids = ["/ca/id", "/id", "/certId"].map(|place| answered.pointer(place).and_then(Value::as_str));
        for id in ids.into_iter().flatten() {
            if !self.ids.iter().any(|known| known == id) {
                self.ids.push(id.to_owned());
            }
        }
        let _ = writeln!(self.text, "> {method} /api{}", self.stable(path));
        if let Some(body) = body {
            let _ = writeln!(self.text, "{:#}", self.stable_json(body.clone()));
        }
        let _ = writeln!(self.text, "< {}", reply.status);
        let _ = writeln!(self.text, "{:#}\n", self.stable_json(answered.clone()));
        answered
    }

    fn stable(&self, text: &str) -> String {
        let numbered = self.ids.iter().enumerate();
        numbered.fold(text.to_owned(), |text, (n, id)| text.replace(id, &format!("<id {}>", n + 1)))
    }

    fn stable_json(&self, mut value: Value) -> Value {
        match &mut value {
            Value::String(text) => *text = self.stable(text),
            Value::Array(items) => items.iter_mut().for_each(|item| *item = self.stable_json(item.take())),
            Value::Object(fields) => {
                for (name, field) in fields {
                    let placeholder = match name.as_str() {
                        "csr" | "certificate" | "issuingCaCertificate" | "certificateChain" | "crl" => {
                            "<PEM>"
                        }
                        "createdAt" | "updatedAt" | "notBefore" | "revokedAt" => "<time>",
                        "serialNumber" => "<serial number>",
                        "hsmKeyLabel" | "activeCaCertId" => "<label>",
                        "reqId" => "<request>",
                        "name" => "<name>",
                        _ => {
                            *field = self.stable_json(field.take());
                            continue;
                        }
                    };
                    if field.as_str().is_some_and(|text| !text.is_empty()) {
                        *field = json!(placeholder);
                    }
                }
            }
            _ => {}
        }
        value
    }

    fn compare(&self, name: &str) {
        let path = Path::new(FIXTURES).join(name);
        if std::env::var_os("UPDATE_FIXTURES").is_some() {
            std::fs::create_dir_all(FIXTURES).unwrap();
            return std::fs::write(path, &self.text).unwrap();
        }
        let kept = std::fs::read_to_string(&path).unwrap_or_default();
        let differs = self.text.lines().zip(kept.lines()).position(|(said, kept)| said != kept);
        assert!(
            self.text == kept,
            "{name} differs from line {differs:?} on; if that is meant: UPDATE_FIXTURES=1\n{}",
            self.text
        );
    }
}

#[test]
fn the_life_of_cas_goes_over_the_wire_as_it_is_kept() {
    let appliance = Appliance::new();
    switch_on(&appliance, "");
    let service = appliance.start_ready();
    let people = hire(&appliance, &service);
    let granted = login(&service, &people.operator.id, &people.operator.secret).expect(200).json();
    let token = granted["accessToken"].as_str().unwrap().to_owned();
    let mut said = Transcript { service: &service, token, ids: Vec::new(), text: String::new() };
    let mut root = ca("root", "Lab Root");
    root["notAfter"] = json!("2036-01-01T00:00:00Z");
    let root = said.say("POST", "/v1/pki/ca", Some(&root));
    let one = format!("/v1/pki/ca/{}", root["ca"]["id"].as_str().unwrap());
    let mut configuration = ca("intermediate", "Lab Issuing");
    configuration["keySource"] = json!("hsm");
    configuration["hsmConnectorId"] = json!("0b1f6f0e-0000-4000-8000-000000000001");
    configuration.as_object_mut().unwrap().remove("projectSlug");
    let new = json!({ "name": "issuing", "projectId": PROJECT, "status": "active", "configuration": configuration });
    let below = said.say("POST", "/v1/cert-manager/ca/internal", Some(&new));
    let under = format!("/v1/cert-manager/ca/internal/{}", below["id"].as_str().unwrap());
    let csr = said.say("GET", &format!("{under}/csr"), None)["csr"].clone();
    said.say("GET", &format!("{one}/csr"), None);
    let wanted = json!({ "csr": csr, "notAfter": "2030-01-01", "maxPathLength": 0 });
    let signed = said.say("POST", &format!("{one}/sign-intermediate"), Some(&wanted));
    let bring =
        json!({ "certificate": signed["certificate"], "certificateChain": signed["certificateChain"] });
    said.say("POST", &format!("{under}/import-certificate"), Some(&bring));
    said.say("GET", &under, None);
    said.say("GET", &format!("{under}/certificate"), None);
    let wanted = json!({ "csr": leaf_csr(), "notAfter": "2028-01-01T00:00:00.000Z" });
    said.say("POST", &format!("{under}/sign-certificate"), Some(&wanted));
    said.say("POST", &format!("{under}/sign-certificate"), Some(&json!({ "csr": 1 })));
    said.say("POST", &format!("{under}/issue-certificate"), Some(&json!({ "commonName": "x", "ttl": "1d" })));
    said.say("GET", &format!("{under}/crls"), None);
    said.say("PATCH", &under, Some(&json!({ "status": "disabled" })));
    said.say("DELETE", &one, None);
    said.say("GET", &one, None);
    said.token = "no.such.token".to_owned();
    said.say("GET", &under, None);
    said.compare("life.txt");
}
