//! Certificates that a CA makes from our CSRs, judged by pkilint: those for servers by the rules of the
//! CA/Browser Forum, the others by RFC 5280.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::harness::{Appliance, Service};
use crate::python;

const OV: &str = "OV_FINAL_CERTIFICATE";
const DV: &str = "DV_FINAL_CERTIFICATE";
const EV: &str = "EV_FINAL_CERTIFICATE";
const PKIX: &str = "PKIX";

/// By the name of the CSR: severities and what was found.
type Findings = BTreeMap<String, Vec<(String, String)>>;

#[test]
fn a_certificate_from_a_csr_of_each_kind_has_no_error() {
    let appliance = Appliance::new();
    let service = appliance.start_ready();
    let rsa = make(&service, &server(json!({ "kind": "rsa-2048" })));
    let mut csrs = BTreeMap::new();
    for padding in ["pkcs1", "pss"] {
        for digest in ["sha256", "sha384", "sha512"] {
            let mut body = server(json!({ "handle": rsa["key"]["handle"] }));
            body["padding"] = json!(padding);
            body["digest"] = json!(digest);
            csrs.insert(format!("rsa-{padding}-{digest}"), (OV, make(&service, &body)));
        }
    }
    for kind in ["rsa-3072", "ec-p256", "ec-p384", "ec-p521"] {
        csrs.insert(kind.to_owned(), (OV, make(&service, &server(json!({ "kind": kind })))));
    }
    // The CA/Browser Forum has no Edwards curves (Baseline Requirements, section 6.1.5), and RFC 5280
    // no wildcards.
    let mut edwards = server(json!({ "kind": "ed25519" }));
    edwards["sans"] = json!(["DNS:www.example.com"]);
    csrs.insert("ed25519".to_owned(), (PKIX, make(&service, &edwards)));
    for (name, judge, body) in [
        ("dv", DV, domain_validated()),
        ("ev", EV, extended_validation()),
        ("mail", PKIX, mail()),
        ("ca", PKIX, authority()),
        ("no subject", PKIX, json!({ "sans": ["URI:https://www.example.com/a"] })),
    ] {
        csrs.insert(name.to_owned(), (judge, make(&service, &body)));
    }

    let findings = lint(&csrs);
    assert_eq!(findings.len(), csrs.len());
    let errors: Vec<_> =
        findings.iter().flat_map(|(name, found)| errors(found).map(move |error| (name, error))).collect();
    assert!(errors.is_empty(), "{errors:#?}");
}

#[test]
fn a_certificate_that_breaks_a_rule_has_an_error() {
    let appliance = Appliance::new();
    let service = appliance.start_ready();
    let mut csrs = BTreeMap::new();
    for (code, field, value) in [
        ("cabf.internal_domain_name", "sans", json!(["DNS:www.example.com", "DNS:www.corp"])),
        (
            "cabf.serverauth.subscriber_common_name_unknown_source",
            "subject",
            json!("CN=other.example.com,O=b,L=x,C=NL"),
        ),
    ] {
        let mut body = server(json!({ "kind": "ec-p256" }));
        body[field] = value;
        csrs.insert(code.to_owned(), (OV, make(&service, &body)));
    }
    for (code, findings) in lint(&csrs) {
        assert!(errors(&findings).any(|error| error.contains(&code)), "{code}: {findings:#?}");
    }
}

fn server(key: Value) -> Value {
    json!({
        "subject": "CN=www.example.com,O=Voorbeeld B.V.,L=De Bilt,ST=Utrecht,C=NL",
        "sans": ["DNS:www.example.com", "DNS:*.example.com", "IP:1.1.1.1"],
        "extensions": { "key_usage": ["digitalSignature"], "extended_key_usage": ["serverAuth"] },
        "key": key,
    })
}

fn domain_validated() -> Value {
    json!({
        "sans": ["DNS:bücher.example.com", "DNS:*.bücher.example.com"],
        "extensions": {
            "key_usage": ["digitalSignature"],
            "extended_key_usage": ["serverAuth"],
            "tls_features": ["status_request"],
        },
    })
}

fn extended_validation() -> Value {
    json!({
        "subject": "/jurisdictionC=NL/businessCategory=Private Organization/serialNumber=12345678\
                    /C=NL/ST=Utrecht/L=De Bilt/O=Voorbeeld B.V./organizationIdentifier=NTRNL-12345678",
        "sans": ["DNS:www.example.com"],
        "extensions": {
            "key_usage": ["digitalSignature"],
            "extended_key_usage": ["serverAuth"],
            "other": [{ "oid": "2.23.140.3.1", "value": "301313034e545213024e4c0c083132333435363738" }],
        },
    })
}

/// Of a person, with every attribute type that only persons have.
fn mail() -> Value {
    json!({
        "subject": "/C=NL/DC=com/DC=example/title=Dr/GN=Jan/SN=de Vries/initials=J/generationQualifier=III\
                    /pseudonym=jj/name=Jan de Vries/dnQualifier=q/UID=jdv/postalCode=3731 AA/street=Plein 1\
                    /CN=日本+serialNumber=1/emailAddress=jan@example.com",
        "sans": [
            "email:jan@example.com", "email:jörg@bücher.example", "UPN:jan@corp.local", "RID:1.3.6.1.4.1.32473.1",
            "dirName:CN=x+O=y,C=NL", "otherName:1.3.6.1.4.1.32473.2;UTF8:é", "IP:2001:db8::1",
        ],
        "extensions": {
            "key_usage": ["digitalSignature"],
            "extended_key_usage": ["emailProtection", "clientAuth"],
            "subject_key_identifier": true,
            "microsoft_template": { "oid": "1.3.6.1.4.1.311.21.8.1", "major": 100, "minor": 7 },
        },
    })
}

fn authority() -> Value {
    json!({
        "subject": "CN=Example Sub CA,O=Voorbeeld,C=NL",
        "extensions": {
            "key_usage": ["keyCertSign", "cRLSign"],
            "basic_constraints": { "ca": true, "path_length": 0 },
            "subject_key_identifier": true,
            "certificate_policies": [
                { "oid": "1.3.6.1.4.1.32473.3", "cps": ["https://ca.example.com/cps"], "notice": "read é" },
            ],
            "name_constraints": {
                "permitted": ["DNS:example.com", "IP:192.0.2.0/24", "email:.example.com", "dirName:O=b"],
                "excluded": ["IP:2001:db8::/32", "URI:b.example"],
            },
            "microsoft_template_name": "SubCA",
        },
    })
}

#[track_caller]
fn make(service: &Service, body: &Value) -> Value {
    service.post_with("/csrs", &[("prefer", "wait=140")], body).expect(201).json()
}

fn lint(csrs: &BTreeMap<String, (&str, Value)>) -> Findings {
    let asked: BTreeMap<_, _> =
        csrs.iter().map(|(name, (judge, csr))| (name, (judge, &csr["csr"]))).collect();
    serde_json::from_str(&python::run(include_str!("lint/lint_csrs.py"), &json!(asked).to_string())).unwrap()
}

fn errors(found: &[(String, String)]) -> impl Iterator<Item = &str> {
    let errors = found.iter().filter(|(severity, _)| matches!(severity.as_str(), "ERROR" | "FATAL"));
    errors.map(|(_, what)| what.as_str())
}
