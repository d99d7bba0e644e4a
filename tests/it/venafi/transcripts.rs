//! What goes over the wire, request by request, as kept under tests/fixtures/venafi.

use std::fmt::Write;
use std::path::Path;

use serde_json::{Value, json};

use super::{call, hire, switched_on};
use crate::harness::Service;

const FIXTURES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/venafi");

/// A conversation, with what differs from run to run replaced.
struct Transcript<'a> {
    service: &'a Service<'a>,
    ids: Vec<String>,
    text: String,
}

impl Transcript<'_> {
    fn say(&mut self, key: &str, method: &str, path: &str, body: Option<&Value>) -> Value {
        let reply = call(self.service, key, method, path, body);
        let is_json = reply.header("content-type") == Some("application/json");
        let answered = if is_json { reply.json() } else { json!("<PEM>") };
        self.note(&answered);
        let _ = writeln!(self.text, "> {method} {}", self.stable(path));
        if let Some(body) = body {
            let _ = writeln!(self.text, "{:#}", self.stable_json(None, body.clone()));
        }
        let _ = writeln!(self.text, "< {}", reply.status);
        for name in ["content-type", "retry-after", "www-authenticate"] {
            if let Some(value) = reply.header(name) {
                let _ = writeln!(self.text, "< {name}: {value}");
            }
        }
        let _ = writeln!(self.text, "{:#}\n", self.stable_json(None, answered.clone()));
        answered
    }

    /// Every UUID is the same from here on.
    fn note(&mut self, value: &Value) {
        match value {
            Value::String(text) if text.len() == 36 && text.matches('-').count() == 4 => {
                let known = self.ids.contains(text);
                self.ids.extend((!known).then(|| text.clone()));
            }
            Value::Array(items) => items.iter().for_each(|item| self.note(item)),
            Value::Object(fields) => fields.values().for_each(|field| self.note(field)),
            _ => {}
        }
    }

    fn stable(&self, text: &str) -> String {
        let numbered = self.ids.iter().enumerate();
        numbered.fold(text.to_owned(), |text, (n, id)| text.replace(id, &format!("<id {}>", n + 1)))
    }

    fn stable_json(&self, name: Option<&str>, value: Value) -> Value {
        let varies = match name.unwrap_or_default() {
            "certificateSigningRequest" | "certificate" => Some("<PEM>"),
            "fingerprint" | "serialNumber" | "value" => Some("<hex>"),
            name if name.ends_with("Date") || name == "validityStart" || name == "validityEnd" => {
                Some("<time>")
            }
            _ => None,
        };
        match (varies, value) {
            (Some(placeholder), Value::String(_)) => json!(placeholder),
            (_, Value::String(text)) => json!(self.stable(&text)),
            (_, Value::Array(items)) => items.into_iter().map(|item| self.stable_json(None, item)).collect(),
            (_, Value::Object(fields)) => {
                let fields = fields.into_iter();
                fields.map(|(name, field)| (name.clone(), self.stable_json(Some(&name), field))).collect()
            }
            (_, other) => other,
        }
    }

    /// Compared with the file, or written to it with INSTA_UPDATE=always.
    #[track_caller]
    fn is(self, name: &str) {
        insta::with_settings!({ snapshot_path => Path::new(FIXTURES), prepend_module_to_snapshot => false, omit_expression => true }, {
            insta::assert_snapshot!(name, self.text);
        });
    }
}

#[test]
fn the_current_flow_is_as_in_its_transcript() {
    let appliance = switched_on();
    let service = appliance.start_ready();
    let people = hire(&appliance, &service);
    let mut flow = Transcript { service: &service, ids: Vec::new(), text: String::new() };
    let (key, root) = (people.requester.as_str(), "/outagedetection/v1");
    flow.say(key, "GET", "/v1/useraccounts", None);
    let application = flow.say(key, "GET", &format!("{root}/applications/name/Shop"), None);
    let template = format!("{root}/applications/Shop/certificateissuingtemplates/Auto");
    let template = flow.say(key, "GET", &template, None);
    let account = format!(
        "/v1/certificateauthorities/BUILTIN/accounts/{}",
        template["certificateAuthorityAccountId"].as_str().unwrap()
    );
    flow.say(key, "GET", &account, None);
    flow.say(key, "GET", "/v1/teams", None);
    let ask = json!({
        "applicationId": application["id"], "certificateIssuingTemplateId": template["id"], "isVaaSGenerated": true,
        "applicationServerTypeId": "784938d1-ef0d-11eb-9461-7bb533ba575b", "validityPeriod": "PT48H",
        "csrAttributes": { "commonName": "gw.lab.example", "organization": "Lab B.V.", "organizationalUnits": ["Ops"],
            "subjectAlternativeNamesByType": { "dnsNames": ["gw.lab.example"], "ipAddresses": ["10.20.30.40"] },
            "keyTypeParameters": { "keyType": "RSA", "keyLength": 3072 } },
    });
    let requests = format!("{root}/certificaterequests");
    let made = flow.say(key, "POST", &requests, Some(&ask));
    let id = made["certificateRequests"][0]["id"].as_str().unwrap();
    flow.say(key, "GET", &format!("{requests}/{id}"), None);
    let shown = flow.say(key, "GET", &format!("{root}/certificates/{id}"), None);
    flow.say(key, "GET", &format!("{root}/certificates/{id}/contents?chainOrder=EE_FIRST&format=PEM"), None);
    let search = json!({ "expression": { "operands": [
        { "field": "fingerprint", "operator": "MATCH", "value": shown["fingerprint"] },
    ] } });
    flow.say(key, "POST", &format!("{root}/certificatesearch"), Some(&search));
    let renew = json!({
        "existingCertificateId": id, "applicationId": application["id"],
        "certificateIssuingTemplateId": template["id"], "reuseCSR": true,
    });
    flow.say(key, "POST", &requests, Some(&renew));
    flow.say(
        key,
        "POST",
        &format!("{root}/certificates/retirement"),
        Some(&json!({ "certificateIds": [id] })),
    );
    let revoke = json!({
        "operationName": "RevokeCertificateRequest",
        "query": "mutation RevokeCertificateRequest($fingerprint: ID!) { revokeCertificate(fingerprint: $fingerprint) { id } }",
        "variables": { "fingerprint": shown["fingerprint"], "revocationReason": "SUPERSEDED", "revocationComment": null },
    });
    flow.say(&people.operator, "POST", "/graphql", Some(&revoke));
    flow.is("current");
}

#[test]
fn the_documented_flow_and_its_refusals_are_as_in_their_transcript() {
    let appliance = switched_on();
    let service = appliance.start_ready();
    let people = hire(&appliance, &service);
    let mut flow = Transcript { service: &service, ids: Vec::new(), text: String::new() };
    let key = people.requester.as_str();
    let zone = flow.say(key, "GET", "/v1/zones/tag/shop-manual", None);
    let template = zone["certificateIssuingTemplateId"].as_str().unwrap();
    flow.say(key, "GET", &format!("/v1/certificateissuingtemplates/{template}"), None);
    let csr = crate::openssl::new_csr("gw.lab.example");
    let ask = json!({ "zoneId": zone["id"], "certificateSigningRequest": csr });
    let made = flow.say(key, "POST", "/v1/certificaterequests", Some(&ask));
    let id = made["certificateRequests"][0]["id"].as_str().unwrap();
    flow.say(key, "GET", &format!("/v1/certificaterequests/{id}"), None);
    flow.say(key, "GET", &format!("/v1/managedcertificates/{id}"), None);
    flow.say(
        key,
        "GET",
        &format!("/v1/certificaterequests/{id}/certificate?chainOrder=ROOT_FIRST&format=PEM"),
        None,
    );
    let wrong = json!({ "zoneId": zone["id"], "certificateSigningRequest": crate::openssl::new_csr("gw.elsewhere.example") });
    flow.say(key, "POST", "/v1/certificaterequests", Some(&wrong));
    flow.say(key, "POST", "/v1/certificaterequests", Some(&json!({ "zoneId": zone["id"] })));
    flow.say(key, "POST", "/v1/certificatesearch", Some(&json!({})));
    flow.say(key, "GET", "/v1/edgeencryptionkeys/abc", None);
    flow.say(key, "GET", "/v1/zones/tag/nothing", None);
    flow.say("srk_wrong", "GET", "/v1/useraccounts", None);
    flow.say(&people.reader, "POST", "/v1/certificaterequests", Some(&ask));
    flow.is("documented");
}
