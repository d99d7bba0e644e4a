//! The Infisical surface, as the vendor's own client and as others see it.

mod access;
mod chain;
mod document;
mod login;
mod sdk;
mod transcripts;

use serde_json::{Value, json};

use crate::access::Office;
use crate::harness::{Appliance, Reply, Service};

pub const PROJECT: &str = "7c1e0c9e-6f0b-4d3f-9a55-0f2f4c1f9b11";
pub const OTHER_PROJECT: &str = "1d6cf7a2-3a59-4a3a-8a2c-5f1f0f7d0a22";
pub const SLUG: &str = "lab-pki";

/// With the surface switched on, and more lines of the configuration behind it.
pub fn switch_on(appliance: &Appliance, more: &str) {
    let text = format!(
        "{}\n[limits]\nfailed_logins_per_minute = 100000\n[facades.infisical]\nenabled = true\n\
         [facades.infisical.projects]\n{PROJECT} = {{ tenant = \"lab\", slug = \"{SLUG}\" }}\n\
         {OTHER_PROJECT} = {{ tenant = \"other\", slug = \"other-pki\" }}\n{more}\n",
        appliance.config_text()
    );
    appliance.write_private("strongroom.toml", &text);
}

/// A machine identity: what it logs in with.
pub struct Identity {
    pub id: String,
    pub secret: String,
    pub credential: String,
}

/// Identities of a laboratory that has a project, and of somebody else.
pub struct People {
    /// Runs the CAs.
    pub operator: Identity,
    /// Has certificates issued.
    pub requester: Identity,
    /// Looks.
    pub reader: Identity,
    /// Runs the CAs of another project.
    pub stranger: Identity,
    /// Runs the CAs of both.
    pub both: Identity,
    pub admin: String,
}

pub fn hire(appliance: &Appliance, service: &Service<'_>) -> People {
    let office = Office::open(appliance, service);
    for tenant in ["lab", "other"] {
        office.manage("POST", "/tenants", Some(&json!({ "name": tenant }))).expect(201);
    }
    let identity = |name: &str, roles: &[(&str, Option<&str>)]| {
        office.hire(name, roles);
        let wanted = json!({ "principal": name, "kind": "basic" });
        let issued = office.manage("POST", "/credentials", Some(&wanted)).expect(201).json();
        let text = |field: &str| issued[field].as_str().unwrap().to_owned();
        Identity {
            id: name.to_owned(),
            secret: text("secret"),
            credential: issued["credential"]["handle"].as_str().unwrap().to_owned(),
        }
    };
    People {
        operator: identity("ca-operator", &[("operator", Some("lab"))]),
        requester: identity("ca-requester", &[("requester", Some("lab"))]),
        reader: identity("ca-reader", &[("reader", Some("lab"))]),
        stranger: identity("ca-stranger", &[("operator", Some("other"))]),
        both: identity("ca-both", &[("operator", Some("lab")), ("operator", Some("other"))]),
        admin: office.admin,
    }
}

/// What a login is answered with.
pub fn login(service: &Service<'_>, id: &str, secret: &str) -> Reply {
    let body = json!({ "clientId": id, "clientSecret": secret });
    call(service, None, "POST", "/v1/auth/universal-auth/login", Some(&body))
}

/// The access token of an identity.
#[track_caller]
pub fn token(service: &Service<'_>, identity: &Identity) -> String {
    let granted = login(service, &identity.id, &identity.secret).expect(200).json();
    granted["accessToken"].as_str().unwrap().to_owned()
}

/// A call with an access token; the path is below the vendor's prefix.
pub fn call(
    service: &Service<'_>,
    token: Option<&str>,
    method: &str,
    path: &str,
    body: Option<&Value>,
) -> Reply {
    // Without a token the header is empty: the harness would show its own API key.
    let bearer = token.map(|token| format!("Bearer {token}")).unwrap_or_default();
    let headers = [("content-type", "application/json"), ("authorization", bearer.as_str())];
    let body = body.map(ToString::to_string);
    service.request(method, &format!("//api{path}"), &headers, body.as_deref().map(str::as_bytes))
}

/// The name and the message of a refusal, whose envelope must be the vendor's.
#[track_caller]
pub fn refused(reply: Reply, status: u16) -> (String, Value) {
    let reply = reply.expect(status);
    assert_eq!(reply.header("content-type"), Some("application/json"), "{reply:?}");
    let envelope = reply.json();
    assert_eq!(envelope["reqId"].as_str(), reply.header("x-request-id"), "{envelope}");
    assert_eq!(envelope["statusCode"], status, "{envelope}");
    (envelope["error"].as_str().unwrap().to_owned(), envelope["message"].clone())
}

/// A body that is taken by the older paths.
pub fn ca(kind: &str, common_name: &str) -> Value {
    json!({
        "projectSlug": SLUG, "type": kind, "commonName": common_name, "organization": "Lab B.V.", "ou": "",
        "country": "NL", "province": "Utrecht", "locality": "", "maxPathLength": -1,
        "keyAlgorithm": "EC_prime256v1",
    })
}

/// A CA that was made, by the older paths.
#[track_caller]
pub fn made(service: &Service<'_>, token: &str, body: &Value) -> Value {
    call(service, Some(token), "POST", "/v1/pki/ca", Some(body)).expect(200).json()["ca"].clone()
}
