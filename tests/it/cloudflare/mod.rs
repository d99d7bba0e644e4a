//! The Cloudflare surface, as the vendor's own client and as others see it.

mod access;
mod certificates;
mod document;
mod refusals;
mod retries;
mod sdk;
mod transcripts;

use serde_json::{Value, json};

use crate::access::Office;
use crate::harness::{Appliance, Reply, Service};

pub const ACCOUNT: &str = "023e105f4ecef8ad9ca31a8372d0c353";
pub const ZONE: &str = "c2547eb745079dac9320b638f5e225cf";
pub const OTHER_ACCOUNT: &str = "9a7806061c88ada191ed06f989cc3dac";

/// With the surface switched on, and more lines of the configuration behind it.
pub fn switch_on(appliance: &Appliance, more: &str) {
    let text = format!(
        "{}\n[limits]\nfailed_logins_per_minute = 100000\n[facades.cloudflare]\nenabled = true\n\
         [facades.cloudflare.accounts]\n{ACCOUNT} = \"lab\"\n{OTHER_ACCOUNT} = \"other\"\n\
         [facades.cloudflare.zones]\n{ZONE} = \"lab-zone\"\n{more}\n",
        appliance.config_text()
    );
    appliance.write_private("strongroom.toml", &text);
}

/// People of a laboratory that has an account and a zone, and of somebody else.
pub struct People {
    /// Asks for CSRs in account and zone.
    pub requester: String,
    /// Looks at the account.
    pub reader: String,
    /// Asks for CSRs in another account.
    pub stranger: String,
    /// Password of `ops@lab.internal`, who may do what the requester may.
    pub password: String,
    pub admin: String,
}

pub fn hire(appliance: &Appliance, service: &Service<'_>) -> People {
    let office = Office::open(appliance, service);
    for tenant in ["lab", "lab-zone", "other"] {
        office.manage("POST", "/tenants", Some(&json!({ "name": tenant }))).expect(201);
    }
    let both = [("requester", Some("lab")), ("requester", Some("lab-zone"))];
    let requester = office.hire("requester", &both);
    let reader = office.hire("reader", &[("reader", Some("lab"))]);
    let stranger = office.hire("stranger", &[("requester", Some("other"))]);
    office.hire("ops@lab.internal", &both);
    let wanted = json!({ "principal": "ops@lab.internal", "kind": "basic" });
    let issued = office.manage("POST", "/credentials", Some(&wanted)).expect(201).json();
    let password = issued["secret"].as_str().unwrap().to_owned();
    People { requester, reader, stranger, password, admin: office.admin }
}

/// A body that is taken.
pub fn body(common_name: &str) -> Value {
    json!({
        "common_name": common_name, "country": "NL", "state": "Utrecht", "locality": "Amersfoort",
        "organization": "Lab B.V.", "sans": [common_name], "key_type": "p256v1",
    })
}

/// A call as whoever has the key; the path is below the vendor's prefix.
#[track_caller]
pub fn call(
    service: &Service<'_>,
    key: &str,
    method: &str,
    path: &str,
    headers: &[(&str, &str)],
    body: Option<&Value>,
) -> Reply {
    let bearer = format!("Bearer {key}");
    let mut all = vec![("authorization", bearer.as_str())];
    all.extend(headers);
    let body = body.map(ToString::to_string);
    service.request(method, &format!("//client/v4{path}"), &all, body.as_deref().map(str::as_bytes))
}

/// The numbers of a refusal, whose envelope must be the vendor's.
#[track_caller]
pub fn refused(reply: Reply, status: u16) -> Vec<u64> {
    let reply = reply.expect(status);
    assert_eq!(reply.header("content-type"), Some("application/json"), "{reply:?}");
    assert!(reply.header("x-should-retry").is_some(), "{reply:?}");
    let envelope = reply.json();
    let rest = json!({ "success": false, "errors": envelope["errors"], "messages": [], "result": null });
    assert_eq!(envelope, rest);
    let errors = envelope["errors"].as_array().unwrap();
    assert!(errors.iter().all(|error| error["message"].as_str().is_some_and(|text| !text.is_empty())));
    errors.iter().map(|error| error["code"].as_u64().unwrap()).collect()
}

/// How many of the private keys on the token are usable and cannot be taken out.
pub fn sealed_keys(appliance: &Appliance) -> usize {
    let sealed = |access: &str| {
        ["sensitive", "always sensitive", "never extractable", "local"]
            .iter()
            .all(|word| access.contains(word))
    };
    let private = appliance.objects().into_iter().filter(|object| object.private);
    let keys: Vec<_> = private.collect();
    assert!(keys.iter().all(|key| sealed(&key.access)), "{keys:?}");
    keys.len()
}
