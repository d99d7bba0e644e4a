//! Keyfactor Command's CSR generation, by plain HTTP as its generated clients send it.

mod access;
mod enrollment;
mod generate;
mod life;
mod list;
mod matrix;
mod refusals;
mod transcripts;

use serde_json::{Value, json};

use crate::access::Office;
use crate::harness::{Appliance, Reply, Service};

/// What the vendor's generated Go client sends with every call.
const GO: [(&str, &str); 4] = [
    ("accept", "application/json"),
    ("content-type", "application/json"),
    ("x-keyfactor-api-version", "1"),
    ("x-keyfactor-requested-with", "APIClient"),
];

/// With the facade switched on for the tenant `default`, and more lines of its section and others.
pub fn appliance_with(more: &str) -> Appliance {
    switched_on(Appliance::new(), "[\"default\"]", more)
}

fn switched_on(appliance: Appliance, tenants: &str, more: &str) -> Appliance {
    let settings = format!("\n[facades.keyfactor]\nenabled = true\ntenants = {tenants}\n{more}");
    appliance.write_private("strongroom.toml", &(appliance.config_text() + &settings));
    appliance
}

/// Somebody who speaks the vendor's language.
pub struct Client<'a> {
    pub service: &'a Service<'a>,
    pub authorization: String,
}

impl<'a> Client<'a> {
    pub fn bearer(service: &'a Service<'a>, key: &str) -> Self {
        Self { service, authorization: format!("Bearer {key}") }
    }

    /// A new requester in the tenant `default`.
    pub fn hired(appliance: &Appliance, service: &'a Service<'a>) -> Self {
        let office = Office::open(appliance, service);
        Self::bearer(service, &office.hire("keyfactor", &[("requester", Some("default"))]))
    }

    /// A call below `/KeyfactorAPI`.
    #[track_caller]
    pub fn call(&self, method: &str, path: &str, body: Option<&Value>) -> Reply {
        self.call_with(method, &format!("/KeyfactorAPI{path}"), &GO, body)
    }

    #[track_caller]
    pub fn call_with(
        &self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: Option<&Value>,
    ) -> Reply {
        let mut all = vec![("authorization", self.authorization.as_str())];
        all.extend_from_slice(headers);
        let body = body.map(ToString::to_string);
        self.service.request(method, &format!("/{path}"), &all, body.as_deref().map(str::as_bytes))
    }

    #[track_caller]
    pub fn get(&self, path: &str) -> Reply {
        self.call("GET", path, None)
    }

    #[track_caller]
    pub fn generate(&self, body: &Value) -> Reply {
        self.call("POST", "/CSRGeneration/Generate", Some(body))
    }

    /// A P-256 CSR that must be generated, in PEM.
    #[track_caller]
    pub fn generated(&self, common_name: &str) -> String {
        let answer = self.generate(&p256(common_name)).expect(200).json();
        answer["CSR"].as_str().unwrap().to_owned()
    }

    /// The pending list.
    #[track_caller]
    pub fn pending(&self, query: &str) -> Vec<Value> {
        let reply = self.get(&format!("/CSRGeneration/Pending{query}")).expect(200);
        reply.json().as_array().unwrap().clone()
    }

    #[track_caller]
    pub fn pending_ids(&self, query: &str) -> Vec<i64> {
        self.pending(query).iter().map(|item| item["Id"].as_i64().unwrap()).collect()
    }
}

/// A body for a P-256 CSR.
pub fn p256(common_name: &str) -> Value {
    json!({ "Subject": format!("CN={common_name}"), "KeyType": "ECC", "KeyLength": 256 })
}

/// The message of a refusal in the vendor's shape, which must have this status and code.
#[track_caller]
pub fn refused(reply: Reply, status: u16, code: &str) -> String {
    let reply = reply.expect(status);
    assert_eq!(reply.header("content-type"), Some("application/json"), "{reply:?}");
    let problem = reply.json();
    assert_eq!(problem.as_object().unwrap().len(), 2, "{problem}");
    assert_eq!(problem["ErrorCode"], code, "{problem}");
    problem["Message"].as_str().unwrap().to_owned()
}

/// As [`refused`], of something wrong with what was sent: its message.
#[track_caller]
pub fn invalid(reply: Reply) -> String {
    refused(reply, 400, "0xA0110007")
}
