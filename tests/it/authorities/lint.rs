//! What pkilint says of certificates and revocation lists: no error.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::chain::revoke;
use super::{Pki, own_pem};
use crate::harness::{Appliance, Service};
use crate::python;

/// A template by its name and text, with a request that it grants.
type Granted = (&'static str, &'static str, fn() -> Value);

/// The ready-made templates. Without URIs: pkilint takes `spiffe:` and `urn:` for malformed.
const READY_MADE: [Granted; 6] = [
    ("tls-server", include_str!("../../../src/config/templates/tls-server.toml"), || {
        json!({ "subject": "CN=www.example.com,O=Voorbeeld,C=NL", "sans": ["DNS:www.example.com", "IP:192.0.2.1"],
                "extensions": { "tls_features": ["status_request"] } })
    }),
    (
        "tls-client",
        include_str!("../../../src/config/templates/tls-client.toml"),
        || json!({ "subject": "CN=backup-1", "sans": ["DNS:backup-1.example.com"] }),
    ),
    (
        "s-mime",
        include_str!("../../../src/config/templates/s-mime.toml"),
        || json!({ "subject": "emailAddress=jan@example.com", "sans": ["email:jan@example.com", "email:jörg@bücher.example"] }),
    ),
    (
        "code-signing",
        include_str!("../../../src/config/templates/code-signing.toml"),
        || json!({ "subject": "CN=Releases,O=Voorbeeld,C=NL" }),
    ),
    (
        "iot-device",
        include_str!("../../../src/config/templates/iot-device.toml"),
        || json!({ "subject": "serialNumber=AB12-7", "sans": ["otherName:1.3.6.1.4.1.32473.2;UTF8:é"] }),
    ),
    ("intermediate-ca", include_str!("../../../src/config/templates/intermediate-ca.toml"), || {
        json!({ "subject": "CN=Sub CA,O=Voorbeeld,C=NL", "extensions": {
            "name_constraints": { "permitted": ["DNS:example.com", "IP:192.0.2.0/24"], "excluded": ["email:.example.org"] },
            "certificate_policies": [{ "oid": "1.3.6.1.4.1.32473.3", "cps": ["https://ca.example.com/cps"], "notice": "read" }],
        } })
    }),
];

#[test]
fn what_is_issued_under_each_ready_made_template_has_no_error() {
    let appliance = Appliance::new();
    std::fs::create_dir(appliance.path("templates")).unwrap();
    for (name, text, _) in READY_MADE {
        // With an authority, and without the approval that some of them ask for.
        let named = format!("name = \"{name}\"");
        let text = text.replace(&named, &format!("{named}\nauthority = \"issuing\""));
        let text = text.replace("[approval]\nrequired = true\n", "[approval]\n");
        std::fs::write(appliance.path(&format!("templates/{name}.toml")), text).unwrap();
    }
    let more = "[templates]\ndir = \"templates\"\nready_made = []\n[authorities]\npublic_url = \"http://ca.example.com\"\n";
    appliance.write_private("strongroom.toml", &format!("{}\n{more}", appliance.config_text()));
    let pki = Pki::start(&appliance);
    let root = pki.authority("root", json!({}));
    let issuing = pki.below(&root, "issuing", json!({ "key_kind": "ec-p384" }), json!({}));
    let mut wanted =
        BTreeMap::from([("root".to_owned(), own_pem(&root)), ("issuing".to_owned(), own_pem(&issuing))]);
    for (name, _, body) in READY_MADE {
        let mut body = body();
        body["template"] = json!(name);
        let made = pki.service.post_with("/csrs", &[("prefer", "wait=100")], &body).expect(201).json();
        assert_eq!(
            (&made["status"], &made["authority"]),
            (&json!("issued"), &issuing["handle"]),
            "{name}: {made:#}"
        );
        wanted.insert(name.to_owned(), married(&pki.service, &made));
    }
    assert_no_error(wanted.into_iter().map(|(name, pem)| (name, ("certificate", pem))).collect());
}

#[test]
fn certificates_and_lists_of_an_authority_of_each_key_kind_have_no_error() {
    let appliance = Appliance::new();
    let pki = Pki::start(&appliance);
    let mut wanted = BTreeMap::new();
    for kind in ["rsa-2048", "rsa-3072", "ec-p256", "ec-p384", "ec-p521", "ed25519"] {
        let root = pki.authority(kind, json!({ "key_kind": kind }));
        wanted.insert(format!("{kind} empty list"), ("crl", pki.crl(&root)));
        let leaf = pki.issue(&root, "www.example.com");
        revoke(&pki, &root, &leaf, "superseded");
        revoke(&pki, &root, &pki.issue(&root, "old.example.com"), "unspecified");
        wanted.insert(kind.to_owned(), ("certificate", own_pem(&root)));
        wanted.insert(
            format!("{kind} leaf"),
            ("certificate", leaf["certificate"].as_str().unwrap().to_owned()),
        );
        wanted.insert(format!("{kind} list"), ("crl", pki.crl(&root)));
    }
    assert_no_error(wanted);
}

#[test]
fn the_linter_finds_what_is_wrong() {
    let appliance = Appliance::new();
    let pki = Pki::start(&appliance);
    let root = pki.authority("root", json!({}));
    // A country of one letter is against RFC 5280 appendix A.1.
    let key =
        pki.file("bad.key", super::openssl(&["ecparam", "-name", "prime256v1", "-genkey", "-noout"]).stdout);
    let args = ["req", "-x509", "-new", "-key", key.to_str().unwrap(), "-subj", "/C=NL/CN=x", "-days", "1"];
    let args = [&args[..], &["-addext", "basicConstraints=critical,CA:FALSE,pathlen:1"]].concat();
    let bad = super::text(&super::done(super::openssl(&args)).stdout);
    let found = lint(&BTreeMap::from([
        ("bad".to_owned(), ("certificate", bad)),
        ("good".to_owned(), ("certificate", own_pem(&root))),
    ]));
    assert!(!errors(&found["bad"]).is_empty(), "{found:#?}");
    assert!(errors(&found["good"]).is_empty(), "{found:#?}");
}

fn married(service: &Service<'_>, request: &Value) -> String {
    let path = format!("/csrs/{}/certificate", request["handle"].as_str().unwrap());
    service.get(&path).expect(200).json()["certificate"].as_str().unwrap().to_owned()
}

type Findings = BTreeMap<String, Vec<(String, String)>>;

fn lint(wanted: &BTreeMap<String, (&str, String)>) -> Findings {
    serde_json::from_str(&python::run(include_str!("lint_certificates.py"), &json!(wanted).to_string()))
        .unwrap()
}

fn errors(found: &[(String, String)]) -> Vec<&str> {
    let errors = found.iter().filter(|(severity, _)| matches!(severity.as_str(), "ERROR" | "FATAL"));
    errors.map(|(_, what)| what.as_str()).collect()
}

#[track_caller]
fn assert_no_error(wanted: BTreeMap<String, (&str, String)>) {
    let found = lint(&wanted);
    assert_eq!(found.len(), wanted.len());
    let errors: Vec<_> =
        found.iter().map(|(name, found)| (name, errors(found))).filter(|(_, e)| !e.is_empty()).collect();
    assert!(errors.is_empty(), "{errors:#?}");
}
