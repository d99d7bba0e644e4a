//! Golden transcripts: what goes over the wire, call by call, with what differs from run to run taken out.

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use super::{Client, GO, appliance_with};
use crate::certificates::Ca;

/// Header fields of an answer that are part of the wire format.
const SHOWN: [&str; 4] = ["content-type", "x-total-count", "www-authenticate", "retry-after"];

struct Transcript<'a> {
    client: Client<'a>,
    calls: Vec<Value>,
}

impl Transcript<'_> {
    #[track_caller]
    fn call(&mut self, method: &str, path: &str, body: Option<Value>) -> Value {
        self.call_with(method, path, &GO, body)
    }

    #[track_caller]
    fn call_with(
        &mut self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: Option<Value>,
    ) -> Value {
        let reply = self.client.call_with(method, path, headers, body.as_ref());
        let shown = SHOWN.iter().filter_map(|name| Some(((*name).to_owned(), json!(reply.header(name)?))));
        let shown: serde_json::Map<_, _> = shown.collect();
        let answer = if reply.bytes.is_empty() { Value::Null } else { reply.json() };
        let sent: serde_json::Map<_, _> =
            headers.iter().map(|(name, value)| ((*name).to_owned(), json!(value))).collect();
        self.calls.push(json!({
            "request": { "method": method, "path": path, "headers": sent, "body": body.map(normal) },
            "response": { "status": reply.status, "headers": shown, "body": normal(answer.clone()) },
        }));
        answer
    }

    /// Compares with the committed one, or writes that when it is told to.
    #[track_caller]
    fn must_be(&self, name: &str) {
        let path = fixture(name);
        let text = format!("{:#}\n", Value::Array(self.calls.clone()));
        if std::env::var_os("UPDATE_TRANSCRIPTS").is_some() {
            return fs::write(path, text).unwrap();
        }
        let committed = fs::read_to_string(&path).unwrap_or_default();
        let differs = text.lines().zip(committed.lines()).find(|(is, was)| is != was);
        assert!(
            text == committed,
            "{} is not what goes over the wire, first at {differs:?}; if the change is meant: UPDATE_TRANSCRIPTS=1",
            path.display()
        );
    }
}

fn fixture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/keyfactor").join(format!("{name}.json"))
}

/// Without keys, signatures, times, serial numbers and handles.
fn normal(value: Value) -> Value {
    match value {
        Value::String(text) if text.starts_with("-----BEGIN CERTIFICATE REQUEST-----\n") => json!("<CSR>"),
        Value::Array(items) => items.into_iter().map(normal).collect(),
        Value::Object(fields) => {
            let fields = fields.into_iter().map(|(name, value)| {
                let value = match (name.as_str(), &value) {
                    ("RequestTime", Value::String(time)) => {
                        let (shape, digits) =
                            ("0000-00-00T00:00:00.000Z", |c: char| if c.is_ascii_digit() { '0' } else { c });
                        assert_eq!(time.chars().map(digits).collect::<String>(), shape);
                        json!("<TIME>")
                    }
                    ("SerialNumber" | "Thumbprint", Value::String(text)) => {
                        assert!(
                            text.bytes().all(|byte| byte.is_ascii_digit() || (b'A'..=b'F').contains(&byte))
                        );
                        json!("<HEX>")
                    }
                    ("Certificates", Value::Array(all)) => json!(vec!["<BASE64>"; all.len()]),
                    _ => normal(value),
                };
                (name, value)
            });
            Value::Object(fields.collect())
        }
        other => other,
    }
}

#[test]
fn a_life_is_as_it_was_written_down() {
    let appliance = appliance_with("");
    let service = appliance.start_ready();
    let mut wire = Transcript { client: Client::hired(&appliance, &service), calls: Vec::new() };
    let pending = "/KeyfactorAPI/CSRGeneration/Pending";
    let generate = "/KeyfactorAPI/CSRGeneration/Generate";
    wire.call("GET", "/KeyfactorAPI/Status/Endpoints", None);
    let body = json!({
        "Subject": "CN=gw.lab.example,O=Lab B.V.,C=NL", "KeyType": "ECC", "KeyLength": 384,
        "SANs": { "dns": ["gw.lab.example"], "ip4": ["10.1.2.3"], "ip6": ["2001:db8::1"],
                  "rfc822": ["ops@lab.example"], "ms_ntprincipalname": ["svc@lab.example"] },
    });
    let csr = wire.call("POST", generate, Some(body))["CSR"].as_str().unwrap().to_owned();
    wire.call("POST", generate, Some(json!({ "Subject": "CN=b", "KeyType": "RSA", "KeyLength": 2048 })));
    wire.call("POST", generate, Some(json!({ "Subject": "CN=c", "KeyType": "ED25519", "KeyLength": 255 })));
    wire.call("GET", pending, None);
    wire.call(
        "GET",
        &format!("{pending}?sq.pageReturned=2&sq.returnLimit=2&sq.sortField=Id&sq.sortAscending=1"),
        None,
    );
    wire.call("GET", &format!("{pending}?PageReturned=9"), None);
    wire.call("GET", &format!("{pending}/1"), None);
    wire.call("DELETE", &format!("{pending}/2"), None);
    wire.call("DELETE", pending, Some(json!([3])));
    let enroll = json!({ "CSR": csr, "CertificateAuthority": "ca.lab.example\\Lab CA", "IncludeChain": true,
                         "Metadata": { "Owner": "ops" }, "Template": "WebServer", "Timestamp": "2026-11-22T09:30:00Z" });
    wire.call("POST", "/KeyfactorAPI/Enrollment/CSR", Some(enroll.clone()));
    let native =
        service.get("/csrs?status=pending").json()["items"][0]["handle"].as_str().unwrap().to_owned();
    let headers =
        [("authorization", wire.client.authorization.as_str()), ("content-type", "application/x-pem-file")];
    let certificate = Ca::new("Lab CA").issue(&csr).pem();
    service
        .request("PUT", &format!("/csrs/{native}/certificate"), &headers, Some(certificate.as_bytes()))
        .expect(200);
    wire.call("POST", "/KeyfactorAPI/Enrollment/CSR", Some(enroll));
    wire.call("GET", pending, None);
    wire.must_be("life");
}

#[test]
fn refusals_are_as_they_were_written_down() {
    let appliance = appliance_with("");
    let service = appliance.start_ready();
    let mut wire = Transcript { client: Client::hired(&appliance, &service), calls: Vec::new() };
    let pending = "/KeyfactorAPI/CSRGeneration/Pending";
    let generate = "/KeyfactorAPI/CSRGeneration/Generate";
    wire.call_with("GET", pending, &[], None);
    wire.call_with("GET", pending, &[GO[3], ("x-keyfactor-api-version", "2")], None);
    wire.call("POST", generate, Some(json!({})));
    wire.call("POST", generate, Some(json!({ "Subject": "CN=a", "KeyType": "ML-DSA-65" })));
    wire.call(
        "POST",
        generate,
        Some(json!({ "Subject": "CN=a", "KeyType": "ECC", "AlternativeKeyType": "ML-DSA-44" })),
    );
    wire.call(
        "POST",
        generate,
        Some(json!({ "Subject": "CN=a", "KeyType": "ECC", "SANs": { "x400": ["a"] } })),
    );
    wire.call(
        "POST",
        generate,
        Some(json!({ "Subject": "CN=a", "KeyType": "ECC", "EnrollmentPatternId": 3 })),
    );
    wire.call("GET", &format!("{pending}?SortField=Nothing"), None);
    wire.call("GET", &format!("{pending}/17"), None);
    wire.call("GET", &format!("{pending}/x"), None);
    wire.call("DELETE", pending, Some(json!({ "ids": [1] })));
    wire.call("POST", "/KeyfactorAPI/Certificates/Recover", Some(json!({ "CertID": 1 })));
    wire.call("GET", "/KeyfactorAPI/Agents", None);
    wire.call("PUT", pending, None);
    wire.client.authorization = "Bearer srk_wrong".to_owned();
    wire.call("GET", pending, None);
    wire.must_be("refusals");
}
