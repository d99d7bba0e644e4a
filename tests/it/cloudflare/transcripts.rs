//! What goes over the wire, request by request, as kept under tests/fixtures/cloudflare.

use std::fmt::Write;
use std::path::Path;

use serde_json::{Value, json};

use super::{ACCOUNT, People, ZONE, hire, switch_on};
use crate::certificates::Ca;
use crate::harness::{Appliance, Service};

const FIXTURES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/cloudflare");

/// A conversation, with what differs from run to run replaced.
struct Transcript<'a> {
    service: &'a Service<'a>,
    people: &'a People,
    ids: Vec<String>,
    text: String,
}

impl Transcript<'_> {
    fn say(&mut self, method: &str, path: &str, body: Option<&Value>) -> Value {
        let bearer = format!("Bearer {}", self.people.requester);
        self.say_with(&[("authorization", &bearer)], method, path, body)
    }

    fn say_with(
        &mut self,
        headers: &[(&str, &str)],
        method: &str,
        path: &str,
        body: Option<&Value>,
    ) -> Value {
        let sent = body.map(ToString::to_string);
        let reply = self.service.request(
            method,
            &format!("//client/v4{path}"),
            headers,
            sent.as_deref().map(str::as_bytes),
        );
        let answered = reply.json();
        for id in [&answered["result"]["id"], &answered["result"]["custom_csr_id"]] {
            self.ids.extend(
                id.as_str().filter(|id| !self.ids.iter().any(|known| known == id)).map(str::to_owned),
            );
        }
        let _ = writeln!(self.text, "> {method} /client/v4{}", self.stable(path));
        if let Some(body) = body {
            let _ = writeln!(self.text, "{:#}", self.stable_json(body.clone()));
        }
        let _ = writeln!(self.text, "< {}", reply.status);
        for name in ["content-type", "retry-after", "www-authenticate", "x-should-retry"] {
            if let Some(value) = reply.header(name) {
                let _ = writeln!(self.text, "< {name}: {value}");
            }
        }
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
                        "csr" | "certificate" => Some("<PEM>"),
                        "created_at" | "modified_on" | "uploaded_on" => Some("<time>"),
                        _ => None,
                    };
                    *field = match placeholder {
                        Some(placeholder) if field.is_string() => json!(placeholder),
                        _ => self.stable_json(field.take()),
                    };
                }
            }
            Value::Null | Value::Bool(_) | Value::Number(_) => {}
        }
        value
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
fn the_life_of_a_request_is_as_in_its_transcript() {
    let appliance = Appliance::new();
    switch_on(&appliance, "");
    let service = appliance.start_ready();
    let people = hire(&appliance, &service);
    let mut life = Transcript { service: &service, people: &people, ids: Vec::new(), text: String::new() };
    let csrs = format!("/zones/{ZONE}/custom_csrs");
    let body = json!({
        "common_name": "gw.lab.internal", "country": "NL", "state": "Utrecht", "locality": "Amersfoort",
        "organization": "Lab B.V.", "organizational_unit": null, "sans": ["GW.lab.internal", "*.lab.internal"],
        "key_type": "p256v1", "name": "gateway", "description": "",
    });
    life.say("GET", &csrs, None);
    let made = life.say("POST", &csrs, Some(&body));
    let smallest = json!({
        "common_name": "a.lab.internal", "country": "NL", "state": "Utrecht", "locality": "Amersfoort",
        "organization": "Lab B.V.", "sans": ["a.lab.internal"],
    });
    let account = format!("/accounts/{ACCOUNT}/custom_csrs");
    let other = life.say("POST", &account, Some(&smallest));
    let id = made["result"]["id"].as_str().unwrap();
    life.say("GET", &format!("{csrs}/{id}"), None);
    life.say("GET", &format!("{csrs}?page=1&per_page=5.0&order=name&direction=desc"), None);
    life.say("GET", &format!("{csrs}?page=2"), None);
    let certificate = Ca::new("Lab CA").issue(made["result"]["csr"].as_str().unwrap()).pem();
    let certificates = format!("/zones/{ZONE}/custom_certificates");
    life.say("POST", &certificates, Some(&json!({ "custom_csr_id": id, "certificate": certificate })));
    life.say("GET", &certificates, None);
    life.say("DELETE", &format!("{csrs}/{id}"), None);
    let other = format!("{account}/{}", other["result"]["id"].as_str().unwrap());
    life.say("DELETE", &other, None);
    life.say("GET", &other, None);
    life.is("life");
}

#[test]
fn refusals_are_as_in_their_transcript() {
    let appliance = Appliance::new();
    switch_on(&appliance, "[keys.quotas]\nlab-zone = 0\n");
    let service = appliance.start_ready();
    let people = hire(&appliance, &service);
    let mut refusals =
        Transcript { service: &service, people: &people, ids: Vec::new(), text: String::new() };
    let csrs = format!("/accounts/{ACCOUNT}/custom_csrs");
    refusals.say("POST", &csrs, Some(&json!([])));
    refusals.say("POST", &csrs, Some(&json!({})));
    let wrong = json!({
        "common_name": "x".repeat(65), "country": "Netherlands", "state": 5, "locality": "Amersfoort",
        "organization": "Lab B.V.", "sans": ["192.0.2.1", "bücher.internal"], "key_type": "rsa4096",
    });
    refusals.say("POST", &csrs, Some(&wrong));
    refusals.say("POST", &format!("/zones/{ZONE}/custom_csrs"), Some(&super::body("gw.lab.internal")));
    refusals.say("GET", &format!("{csrs}?page=0&per_page=500&order=csr&direction=up"), None);
    refusals.say("GET", &format!("{csrs}/x"), None);
    refusals.say("GET", &format!("{csrs}/{ACCOUNT}"), None);
    refusals.say("GET", "/accounts/x/custom_csrs", None);
    refusals.say("GET", "/zones//custom_csrs", None);
    refusals.say("GET", "/user/tokens/verify", None);
    refusals.say("PATCH", &csrs, None);
    refusals.say_with(&[("authorization", "")], "GET", &csrs, None);
    refusals.say_with(&[("authorization", "Bearer srk_x")], "GET", &csrs, None);
    refusals.say_with(&[("authorization", ""), ("x-auth-email", "a@b")], "GET", &csrs, None);
    refusals.say_with(
        &[("authorization", ""), ("x-auth-email", "a@b"), ("x-auth-key", "c")],
        "GET",
        &csrs,
        None,
    );
    refusals.is("refusals");
}
