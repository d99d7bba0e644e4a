//! The Venafi surface, as both generations of the vendor's own client see it, and others.

mod access;
mod current;
mod document;
mod import;
mod legacy;
mod schemathesis;
mod transcripts;

use serde_json::{Value, json};

use crate::access::Office;
use crate::harness::{Appliance, Reply, Service};
use crate::python;
use crate::tls::{Port, with_tls};

/// The client of today.
pub const CURRENT: &str = "venv-vcert";
/// That of the documented flow.
pub const LEGACY: &str = "venv-vcert-legacy";

const CONFIG: &str = r#"
[limits]
failed_logins_per_minute = 100000
[templates]
dir = "templates"
[facades.venafi]
enabled = true
applications = [
    { name = "Shop", tenant = "lab", templates = { Auto = "auto", Once = "once", Manual = "manual", Asks = "asks", AsksAuto = "asks-auto" } },
    { name = "Depot", tenant = "other", templates = { Manual = "manual" } },
]
zones = [
    { tag = "shop-auto", tenant = "lab", template = "auto" },
    { tag = "shop-manual", tenant = "lab", template = "manual" },
    { tag = "depot", tenant = "other", template = "manual" },
]
"#;

const TEMPLATE: &str = r#"version = 1
name = "NAME"
MORE
[subject]
CN = { in_sans = true }
O = { patterns = ["Lab B\\.V\\."] }
OU = { max = 2 }
L = {}
ST = {}
C = { default = "NL", patterns = ["NL|BE"] }

[sans]
min = 1

[sans.DNS]
domains = [{ name = "lab.example", subdomains = true }]

[sans.IP]
networks = ["10.0.0.0/8"]

[keys]
kinds = ["rsa-2048", "rsa-3072", "ec-p256", "ec-p384"]
reuse = "REUSE"

[extensions.set]
key_usage = ["digitalSignature"]
extended_key_usage = ["serverAuth"]

[validity]
default = 90
max = 200
"#;

/// An appliance with the surface switched on, and HTTPS.
pub fn switched_on() -> Appliance {
    let appliance = with_tls(CONFIG).0;
    std::fs::create_dir(appliance.path("templates")).unwrap();
    for (name, more, reuse) in [
        ("auto", "authority = \"issuing\"\n", "allowed"),
        ("once", "authority = \"issuing\"\n", "refused"),
        ("manual", "", "allowed"),
        ("asks", "approval = { required = true }\n", "allowed"),
        ("asks-auto", "authority = \"issuing\"\napproval = { required = true }\n", "allowed"),
    ] {
        let text = TEMPLATE.replace("NAME", name).replace("MORE", more).replace("REUSE", reuse);
        appliance.write_private(&format!("templates/{name}.toml"), &text);
    }
    appliance
}

/// People of a laboratory, and of somebody else.
pub struct People {
    /// Asks for certificates.
    pub requester: String,
    /// Looks.
    pub reader: String,
    /// Manages the authority, and revokes.
    pub operator: String,
    /// Decides on what others ask for.
    pub approver: String,
    /// Asks for certificates in another tenant.
    pub stranger: String,
    pub admin: String,
}

pub fn hire(appliance: &Appliance, service: &Service<'_>) -> People {
    let office = Office::open(appliance, service);
    for tenant in ["lab", "other"] {
        office.manage("POST", "/tenants", Some(&json!({ "name": tenant }))).expect(201);
    }
    let lab = |role| [(role, Some("lab"))];
    let people = People {
        requester: office.hire("requester", &lab("requester")),
        reader: office.hire("reader", &lab("reader")),
        operator: office.hire("registrar", &lab("operator")),
        approver: office.hire("approver", &lab("approver")),
        stranger: office.hire("stranger", &[("requester", Some("other"))]),
        admin: office.admin.clone(),
    };
    let authority = json!({ "name": "issuing", "kind": "root", "subject": "CN=Lab Root,O=Lab B.V.,C=NL" });
    office.call(&people.operator, "POST", "/authorities", Some(&authority)).expect(201);
    people
}

/// Runs a script with a client of the vendor's; what it prints is JSON.
#[track_caller]
pub fn run(venv: &str, script: &str, appliance: &Appliance, people: &People, more: &Value) -> Value {
    let port = Port::of(appliance);
    let mut argument = json!({
        "url": format!("https://{}/", port.address), "ca": port.ca,
        "requester": people.requester, "reader": people.reader, "operator": people.operator,
        "stranger": people.stranger,
        "zone": "Shop\\Auto", "once": "Shop\\Once", "manual": "Shop\\Manual", "asks": "Shop\\Asks",
        "tag": "shop-auto", "manual_tag": "shop-manual",
    });
    argument.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    let script = format!("{}\n{script}", include_str!("lab.py"));
    let printed = python::run_in(venv, &script, &argument.to_string());
    let last = printed.lines().last().unwrap_or_default();
    serde_json::from_str(last).unwrap_or_else(|error| panic!("{error}: {printed}"))
}

/// A call as whoever has the key; the path is below the root.
#[track_caller]
pub fn call(service: &Service<'_>, key: &str, method: &str, path: &str, body: Option<&Value>) -> Reply {
    let headers = [("tppl-api-key", key), ("authorization", ""), ("content-type", "application/json")];
    let body = body.map(ToString::to_string);
    service.request(method, &format!("/{path}"), &headers, body.as_deref().map(str::as_bytes))
}

/// The errors of a refusal, whose envelope must be the vendor's.
#[track_caller]
pub fn refused(reply: Reply, status: u16) -> Vec<(u64, String)> {
    let reply = reply.expect(status);
    assert_eq!(reply.header("content-type"), Some("application/json"), "{reply:?}");
    let errors = reply.json()["errors"].as_array().unwrap().clone();
    assert!(!errors.is_empty());
    errors
        .iter()
        .map(|error| (error["code"].as_u64().unwrap(), error["message"].as_str().unwrap().to_owned()))
        .collect()
}

/// The id of what a `GET` of such a path answers.
#[track_caller]
pub fn id_at(service: &Service<'_>, key: &str, path: &str) -> String {
    call(service, key, "GET", path, None).expect(200).json()["id"].as_str().unwrap().to_owned()
}

/// A request in an application, with a key of the token.
#[track_caller]
pub fn asked(service: &Service<'_>, people: &People, alias: &str, host: &str) -> Value {
    let application = id_at(service, &people.requester, "/outagedetection/v1/applications/name/Shop");
    let template = format!("/outagedetection/v1/applications/Shop/certificateissuingtemplates/{alias}");
    let template = id_at(service, &people.requester, &template);
    let body = json!({
        "applicationId": application, "certificateIssuingTemplateId": template, "isVaaSGenerated": true,
        "csrAttributes": { "commonName": host, "organization": "Lab B.V.",
            "subjectAlternativeNamesByType": { "dnsNames": [host] },
            "keyTypeParameters": { "keyType": "EC", "keyCurve": "P256" } },
    });
    let path = "/outagedetection/v1/certificaterequests";
    let made = call(service, &people.requester, "POST", path, Some(&body)).expect(201).json();
    made["certificateRequests"][0].clone()
}
