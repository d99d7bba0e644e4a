//! Names, alternative names, extensions and attributes as others write and read them: OpenSSL,
//! GnuTLS and Python's cryptography.

use std::process::{Command, Output};

use der::Encode;
use serde_json::{Value, json};
use strongroom::domain::name::Name;
use tempfile::TempDir;
use x509_parser::certification_request::X509CertificationRequest;
use x509_parser::prelude::FromDer;

use crate::harness::{Appliance, Service};
use crate::{openssl, python};

/// Relative distinguished names in the order of the encoding: types as dotted OIDs, and values.
type Rdns<'a> = &'a [&'a [(&'a str, &'a str)]];

/// The same name for everybody: in OpenSSL's slash style; in comma style, for us and for certtool;
/// and as a list, for us and for cryptography. No commas for certtool where it lacks the type, knows
/// no RDN with several attributes, or drops what is escaped.
const NAMES: &[(&str, Option<&str>, Rdns)] = &[
    ("/CN=www.example.com", Some("CN=www.example.com"), &[&[("2.5.4.3", "www.example.com")]]),
    (
        "/C=NL/ST=Utrecht/L=De Bilt/street=Plein 1/postalCode=3731 AA/O=Voorbeeld B.V./OU=PKI/CN=a",
        Some("CN=a,OU=PKI,O=Voorbeeld B.V.,postalCode=3731 AA,street=Plein 1,L=De Bilt,ST=Utrecht,C=NL"),
        &[
            &[("2.5.4.6", "NL")],
            &[("2.5.4.8", "Utrecht")],
            &[("2.5.4.7", "De Bilt")],
            &[("2.5.4.9", "Plein 1")],
            &[("2.5.4.17", "3731 AA")],
            &[("2.5.4.10", "Voorbeeld B.V.")],
            &[("2.5.4.11", "PKI")],
            &[("2.5.4.3", "a")],
        ],
    ),
    (
        "/jurisdictionC=NL/jurisdictionST=Utrecht/jurisdictionL=De Bilt/businessCategory=Private Organization\
         /serialNumber=12345678/O=Voorbeeld",
        Some(
            "O=Voorbeeld,serialNumber=12345678,businessCategory=Private Organization,\
             jurisdictionOfIncorporationLocalityName=De Bilt,\
             jurisdictionOfIncorporationStateOrProvinceName=Utrecht,\
             jurisdictionOfIncorporationCountryName=NL",
        ),
        &[
            &[("1.3.6.1.4.1.311.60.2.1.3", "NL")],
            &[("1.3.6.1.4.1.311.60.2.1.2", "Utrecht")],
            &[("1.3.6.1.4.1.311.60.2.1.1", "De Bilt")],
            &[("2.5.4.15", "Private Organization")],
            &[("2.5.4.5", "12345678")],
            &[("2.5.4.10", "Voorbeeld")],
        ],
    ),
    (
        "/title=Dr/GN=Jan/SN=de Vries/initials=J/generationQualifier=III/pseudonym=jj/name=Jan de Vries",
        Some(
            "name=Jan de Vries,pseudonym=jj,generationQualifier=III,initials=J,surname=de Vries,\
             givenName=Jan,title=Dr",
        ),
        &[
            &[("2.5.4.12", "Dr")],
            &[("2.5.4.42", "Jan")],
            &[("2.5.4.4", "de Vries")],
            &[("2.5.4.43", "J")],
            &[("2.5.4.44", "III")],
            &[("2.5.4.65", "jj")],
            &[("2.5.4.41", "Jan de Vries")],
        ],
    ),
    (
        "/DC=com/DC=example/UID=jdv/dnQualifier=q1/emailAddress=jan@example.com",
        Some("EMAIL=jan@example.com,dnQualifier=q1,UID=jdv,DC=example,DC=com"),
        &[
            &[("0.9.2342.19200300.100.1.25", "com")],
            &[("0.9.2342.19200300.100.1.25", "example")],
            &[("0.9.2342.19200300.100.1.1", "jdv")],
            &[("2.5.4.46", "q1")],
            &[("1.2.840.113549.1.9.1", "jan@example.com")],
        ],
    ),
    (
        "/O=Ærøskøbing/CN=日本語",
        Some("CN=日本語,O=Ærøskøbing"),
        &[&[("2.5.4.10", "Ærøskøbing")], &[("2.5.4.3", "日本語")]],
    ),
    (
        "/organizationIdentifier=VATNL-1/2.5.4.18=Postbus 1",
        Some("2.5.4.18=#0c09506f73746275732031,2.5.4.97=#0c075641544e4c2d31"),
        &[&[("2.5.4.97", "VATNL-1")], &[("2.5.4.18", "Postbus 1")]],
    ),
    ("/postalAddress=Plein 1$De Bilt", None, &[&[("2.5.4.16", "Plein 1$De Bilt")]]),
    (
        "/C=NL/O=b+OU=dd+CN=a/CN=x+serialNumber=1",
        None,
        &[
            &[("2.5.4.6", "NL")],
            &[("2.5.4.10", "b"), ("2.5.4.11", "dd"), ("2.5.4.3", "a")],
            &[("2.5.4.3", "x"), ("2.5.4.5", "1")],
        ],
    ),
    (
        r#"/O=a, b; "c" <d> #e=f\\g/CN= x\/y\+z "#,
        None,
        &[&[("2.5.4.10", r#"a, b; "c" <d> #e=f\g"#)], &[("2.5.4.3", " x/y+z ")]],
    ),
];

#[test]
fn every_attribute_type_that_is_known_by_name_is_among_them() {
    let unknown = "unknown=a".parse::<Name>().unwrap_err().reason;
    let (_, known) = unknown.split_once("known are ").unwrap();
    let (known, _) = known.split_once(", any other").unwrap();
    let known: Vec<&str> = known.split(", ").collect();
    assert!(known.len() > 20, "{known:?}");
    for kind in known {
        let name = Name::from_rdns(&[vec![(kind, "NL")]]).unwrap();
        let oid = name.rdns().next().unwrap()[0].oid.to_string();
        let mut types = NAMES.iter().flat_map(|(_, _, rdns)| rdns.iter().copied().flatten());
        assert!(types.any(|(other, _)| *other == oid), "{kind} ({oid}) is in no name");
    }
}

#[test]
fn names_are_encoded_as_openssl_does() {
    let dir = TempDir::new().unwrap();
    for (slash, _, rdns) in NAMES {
        let args = ["req", "-new", "-utf8", "-outform", "DER", "-key", &key_in(&dir), "-subj", slash];
        let csr = succeeded("openssl: apt-get install openssl", Command::new("openssl").args(args));
        assert_eq!(hex::encode(subject_of(&csr)), der(&from_list(rdns)), "{slash}");
        assert_eq!(slash.parse::<Name>().unwrap(), from_list(rdns), "{slash}");
    }
}

#[test]
fn names_are_encoded_as_python_cryptography_does() {
    let lists: Vec<_> = NAMES.iter().map(|(_, _, rdns)| rdns).collect();
    let names = python::run(
        "import json, sys\n\
         from cryptography import x509\n\
         for rdns in json.loads(sys.argv[1]):\n\
         \x20   rdns = [x509.RelativeDistinguishedName([\n\
         \x20       x509.NameAttribute(x509.ObjectIdentifier(oid), value) for oid, value in rdn\n\
         \x20   ]) for rdn in rdns]\n\
         \x20   print(x509.Name(rdns).public_bytes().hex())\n",
        &json!(lists).to_string(),
    );
    let ours: Vec<String> = NAMES.iter().map(|(_, _, rdns)| der(&from_list(rdns))).collect();
    assert_eq!(names.lines().collect::<Vec<_>>(), ours);
}

/// GnuTLS writes a PrintableString where it can, and we a UTF8String: the types and texts are compared.
#[test]
fn names_are_the_same_as_certtool_makes_of_them() {
    let dir = TempDir::new().unwrap();
    for (_, comma, rdns) in NAMES {
        let Some(comma) = comma else { continue };
        let template = dir.path().join("template");
        std::fs::write(&template, format!("dn = \"{comma}\"\n")).unwrap();
        let csr = succeeded(
            "certtool: apt-get install gnutls-bin",
            Command::new("certtool")
                .args(["--generate-request", "--outder", "--load-privkey", &key_in(&dir), "--template"])
                .arg(&template),
        );
        let ours = comma.parse::<Name>().unwrap();
        assert_eq!(ours, from_list(rdns), "{comma}");
        assert_eq!(readable(&subject_of(&csr)), readable(&ours.as_x509().to_der().unwrap()), "{comma}");
    }
}

fn from_list(rdns: Rdns) -> Name {
    Name::from_rdns(&rdns.iter().map(|rdn| rdn.to_vec()).collect::<Vec<_>>()).unwrap()
}

fn der(name: &Name) -> String {
    hex::encode(name.as_x509().to_der().unwrap())
}

fn subject_of(csr: &[u8]) -> Vec<u8> {
    let (_, csr) = X509CertificationRequest::from_der(csr).unwrap();
    csr.certification_request_info.subject.as_raw().to_vec()
}

/// The types and texts of a name, whatever the types of its strings.
fn readable(name: &[u8]) -> Vec<Vec<(String, String)>> {
    let (_, name) = x509_parser::x509::X509Name::from_der(name).unwrap();
    let rdns = name.iter().map(|rdn| {
        rdn.iter()
            .map(|attribute| (attribute.attr_type().to_id_string(), attribute.as_str().unwrap().to_owned()))
            .collect()
    });
    rdns.collect()
}

/// A private key in the directory, made once.
fn key_in(dir: &TempDir) -> String {
    let key = dir.path().join("key.pem");
    if !key.exists() {
        let mut openssl = Command::new("openssl");
        openssl.args(["genpkey", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256", "-out"]);
        succeeded("openssl: apt-get install openssl", openssl.arg(&key));
    }
    key.to_str().unwrap().to_owned()
}

/// What the program writes on its standard output.
#[track_caller]
fn succeeded(needed: &str, command: &mut Command) -> Vec<u8> {
    let Output { status, stdout, stderr } = command.output().expect(needed);
    assert!(status.success(), "{command:?}: {}", String::from_utf8_lossy(&stderr));
    stdout
}

// --- everything that can be asked for, through the service ---------------------------------------

const CANARY: &str = "canary-challenge-7f3a";

fn everything() -> Value {
    json!({
        "subject": [
            [{ "type": "jurisdictionC", "value": "NL" }],
            [{ "type": "O", "value": "Voorbeeld" }, { "type": "2.5.4.97", "value": "VATNL-1" }],
            [{ "type": "CN", "value": "CA, \"een\"" }],
        ],
        "sans": [
            "DNS:*.bücher.example", "IP:2001:db8::1", "email:jörg@bücher.example", "email:a@b.example",
            "URI:https://c.example/", "UPN:a@corp.local", "RID:1.2.3.4", "dirName:CN=x+O=y,C=NL",
            "otherName:1.2.3;UTF8:é", "otherName:1.2.3.5;DER:3003020101",
        ],
        "extensions": {
            "key_usage": ["keyCertSign", "cRLSign"],
            "basic_constraints": { "ca": true, "path_length": 0 },
            "certificate_policies": [
                { "oid": "2.23.140.1.2.1" },
                { "oid": "1.2.3", "cps": ["https://a.example/cps"], "notice": "read é" },
            ],
            "name_constraints": {
                "permitted": ["DNS:example.com", "IP:192.0.2.0/24", "email:.example.com", "dirName:O=b"],
                "excluded": ["IP:2001:db8::/32", "URI:b.example"],
            },
            "subject_key_identifier": true,
            "tls_features": ["status_request"],
            "microsoft_template_name": "SubCA",
            "microsoft_template": { "oid": "1.3.6.1.4.1.311.21.8.1", "major": 100, "minor": 7 },
            "other": [{ "oid": "1.2.3.4.5", "critical": true, "value": "0500" }],
        },
        "challenge_password": CANARY,
        "unstructured_name": "an unstructured name",
    })
}

/// What cryptography reads in a CSR, as JSON. It checks the signature, too.
const READ: &str = r#"
import json, sys
from cryptography import x509
csr = x509.load_pem_x509_csr(sys.argv[1].encode())
assert csr.is_signature_valid
def general(name):
    value = name.value
    if isinstance(name, x509.OtherName):
        value = [name.type_id.dotted_string, value.hex()]
    elif isinstance(name, x509.DirectoryName):
        value = value.rfc4514_string()
    elif isinstance(name, x509.RegisteredID):
        value = value.dotted_string
    return [type(name).__name__, value if isinstance(value, list) else str(value)]
def names(found):
    return found and [general(name) for name in found]
def extension(e):
    v = e.value
    if isinstance(v, x509.SubjectAlternativeName):
        v = names(v)
    elif isinstance(v, x509.KeyUsage):
        v = [bit for bit in ("key_cert_sign", "crl_sign", "digital_signature") if getattr(v, bit)]
    elif isinstance(v, x509.BasicConstraints):
        v = [v.ca, v.path_length]
    elif isinstance(v, x509.CertificatePolicies):
        v = [[p.policy_identifier.dotted_string, [
            q if isinstance(q, str) else q.explicit_text for q in p.policy_qualifiers or []]] for p in v]
    elif isinstance(v, x509.NameConstraints):
        v = [names(v.permitted_subtrees), names(v.excluded_subtrees)]
    elif isinstance(v, x509.SubjectKeyIdentifier):
        v = v == x509.SubjectKeyIdentifier.from_public_key(csr.public_key())
    elif isinstance(v, x509.TLSFeature):
        v = [feature.name for feature in v]
    elif isinstance(v, x509.MSCertificateTemplate):
        v = [v.template_id.dotted_string, v.major_version, v.minor_version]
    else:
        v = v.value.hex()
    return [e.oid.dotted_string, e.critical, v]
print(json.dumps({
    "subject": csr.subject.rfc4514_string(),
    "extensions": [extension(e) for e in csr.extensions],
    "attributes": sorted([a.oid.dotted_string, a.value.decode()] for a in csr.attributes
                         if a.oid.dotted_string != "1.2.840.113549.1.9.14"),
}))
"#;

#[test]
fn everything_that_can_be_asked_for_is_in_the_csr_for_every_reader() {
    let appliance = Appliance::new();
    let service = appliance.start_ready();
    let csr = service.post("/csrs", &everything()).expect(201).json();
    assert_eq!(csr["extensions"], everything()["extensions"]);
    assert_eq!(csr["sans"][0], "DNS:*.xn--bcher-kva.example");
    assert_eq!(
        csr["sans_in_unicode"],
        json!({
            "DNS:*.xn--bcher-kva.example": "DNS:*.bücher.example",
            "email:jörg@xn--bcher-kva.example": "email:jörg@bücher.example",
        })
    );
    assert_eq!(csr["unstructured_name"], "an unstructured name");
    assert_eq!(csr["has_challenge_password"], true);
    let pem = csr["csr"].as_str().unwrap();

    let read: Value = serde_json::from_str(&python::run(READ, pem)).unwrap();
    assert_eq!(
        read,
        json!({
            "subject": "CN=CA\\, \\\"een\\\",2.5.4.97=VATNL-1+O=Voorbeeld,1.3.6.1.4.1.311.60.2.1.3=NL",
            "extensions": [
                ["2.5.29.17", false, [
                    ["DNSName", "*.xn--bcher-kva.example"],
                    ["IPAddress", "2001:db8::1"],
                    ["OtherName", ["1.3.6.1.5.5.7.8.9", hex_utf8("jörg@xn--bcher-kva.example")]],
                    ["RFC822Name", "a@b.example"],
                    ["UniformResourceIdentifier", "https://c.example/"],
                    ["OtherName", ["1.3.6.1.4.1.311.20.2.3", hex_utf8("a@corp.local")]],
                    ["RegisteredID", "1.2.3.4"],
                    ["DirectoryName", "CN=x+O=y,C=NL"],
                    ["OtherName", ["1.2.3", hex_utf8("é")]],
                    ["OtherName", ["1.2.3.5", "3003020101"]],
                ]],
                ["2.5.29.15", true, ["key_cert_sign", "crl_sign"]],
                ["2.5.29.19", true, [true, 0]],
                ["2.5.29.32", false, [
                    ["2.23.140.1.2.1", []],
                    ["1.2.3", ["https://a.example/cps", "read é"]],
                ]],
                ["2.5.29.30", true, [
                    [
                        ["DNSName", "example.com"],
                        ["IPAddress", "192.0.2.0/24"],
                        ["RFC822Name", ".example.com"],
                        ["DirectoryName", "O=b"],
                    ],
                    [["IPAddress", "2001:db8::/32"], ["UniformResourceIdentifier", "b.example"]],
                ]],
                ["2.5.29.14", false, true],
                ["1.3.6.1.5.5.7.1.24", false, ["status_request"]],
                ["1.3.6.1.4.1.311.20.2", false, "1e0a00530075006200430041"],
                ["1.3.6.1.4.1.311.21.7", false, ["1.3.6.1.4.1.311.21.8.1", 100, 7]],
                ["1.2.3.4.5", true, "0500"],
            ],
            "attributes": [
                ["1.2.840.113549.1.9.2", "an unstructured name"],
                ["1.2.840.113549.1.9.7", CANARY],
            ],
        })
    );

    let text = openssl::verified_text(pem);
    for line in [
        "DNS:*.xn--bcher-kva.example, IP Address:2001:DB8:0:0:0:0:0:1",
        "othername: UPN::a@corp.local",
        "Registered ID:1.2.3.4",
        "CPS: https://a.example/cps",
        "IP:192.0.2.0/255.255.255.0",
        "status_request",
        "challengePassword        :canary-challenge-7f3a",
        "unstructuredName         :an unstructured name",
    ] {
        assert!(text.contains(line), "{line} is not in {text}");
    }

    let file = appliance.path("request.pem");
    std::fs::write(&file, pem).unwrap();
    let mut certtool = Command::new("certtool");
    certtool.args(["--crq-info", "--infile"]).arg(&file);
    let text = String::from_utf8(succeeded("certtool: apt-get install gnutls-bin", &mut certtool)).unwrap();
    for line in [
        "Self signature: verified",
        "DNSname: *.xn--bcher-kva.example (*.bücher.example)",
        "User Principal Name: a@corp.local",
        "directoryName: CN=x+O=y,C=NL",
        "jurisdictionOfIncorporationCountryName=NL",
        "URI: https://a.example/cps",
        "Note: read é",
        "IPAddress: 192.0.2.0/24",
        "OCSP Status Request(5)",
        "Unknown extension 1.2.3.4.5 (critical)",
        "Challenge password: canary-challenge-7f3a",
    ] {
        assert!(text.contains(line), "{line} is not in {text}");
    }
}

fn hex_utf8(text: &str) -> String {
    format!("0c{:02x}{}", text.len(), hex::encode(text))
}

#[test]
fn every_wrong_field_is_told_by_its_path() {
    let appliance = Appliance::new();
    let service = appliance.start();
    let fields = |body: Value| -> Vec<String> {
        let problem = service.post("/csrs", &body).expect(400).json();
        let errors = problem["errors"].as_array().unwrap().iter();
        errors.map(|error| error["field"].as_str().unwrap().to_owned()).collect()
    };
    // What cannot be read at all ...
    assert_eq!(
        fields(json!({
            "subject": [[{ "type": "jurisdictionC", "value": "NLD" }]],
            "sans": ["DNS:a", "UPN:a", "dirName:X=a", "otherName:1.2;DER:05"],
            "extensions": {
                "certificate_policies": [{ "oid": "1.2.3" }, { "oid": "x" }],
                "name_constraints": { "permitted": ["DNS:a"], "excluded": ["DNS:a", "IP:1.2.3.4/8"] },
                "subject_key_identifier": "0",
                "tls_features": ["staple"],
                "microsoft_template": { "oid": "" },
                "other": [{ "oid": "1.2", "value": "05" }],
            },
        })),
        [
            "subject[0][0]",
            "sans[1]",
            "sans[2]",
            "sans[3]",
            "extensions.certificate_policies[1].oid",
            "extensions.name_constraints.excluded[1]",
            "extensions.subject_key_identifier",
            "extensions.tls_features[0]",
            "extensions.microsoft_template.oid",
            "extensions.other[0].value",
        ]
    );
    // ... and what does not fit together.
    assert_eq!(
        fields(json!({
            "sans": ["DNS:xn--a.example"],
            "extensions": {
                "certificate_policies": [{ "oid": "1.2.3", "cps": ["x"], "notice": "" }],
                "name_constraints": { "permitted": ["DNS:a"] },
                "microsoft_template_name": "",
                "other": [{ "oid": "2.5.29.15", "value": "0500" }],
            },
            "challenge_password": "",
            "unstructured_name": "",
        })),
        [
            "sans[0]",
            "extensions.certificate_policies[0].cps[0]",
            "extensions.certificate_policies[0].notice",
            "extensions.name_constraints",
            "extensions.microsoft_template_name",
            "extensions.other[0].oid",
            "challenge_password",
            "unstructured_name",
        ]
    );
}

#[test]
fn a_challenge_password_is_only_in_the_csr_and_its_journalled_input() {
    let appliance = Appliance::new();
    let mut service = appliance.start_ready();
    let made = service.post("/csrs", &everything()).expect(201).json();
    for (name, wrong) in [
        ("too long", json!(CANARY.repeat(20))),
        ("a control character", json!(format!("{CANARY}\n"))),
        ("no text", json!([CANARY])),
        ("no text", json!({ CANARY: 1 })),
    ] {
        let mut body = everything();
        body["challenge_password"] = wrong;
        let refused = service.post("/csrs", &body).expect(400);
        assert!(!shows_the_canary(&refused.bytes), "{name}: {refused:?}");
    }
    let mut both_wrong = everything();
    both_wrong["sans"] = json!(["x"]);
    assert!(!shows_the_canary(&service.post("/csrs", &both_wrong).expect(400).bytes));

    // The answer has it in the CSR alone, where it is base64.
    assert!(!shows_the_canary(made.to_string().as_bytes()), "{made}");
    let list = service.get("/csrs");
    assert!(!shows_the_canary(&list.bytes), "{list:?}");
    assert!(!shows_the_canary(&service.get("//metrics").bytes));
    service.stop();

    let log = std::fs::read(appliance.path("service.log")).unwrap();
    assert!(!log.is_empty() && !shows_the_canary(&log), "{}", String::from_utf8_lossy(&log));
    assert!(!shows_the_canary(audit_of(&appliance).as_bytes()));
}

fn shows_the_canary(bytes: &[u8]) -> bool {
    bytes.windows(CANARY.len()).any(|window| window == CANARY.as_bytes())
}

fn audit_of(appliance: &Appliance) -> String {
    let index = rusqlite::Connection::open(appliance.data("strongroom.db")).unwrap();
    let mut rows = index
        .prepare("SELECT action || ' ' || subject || ' ' || reason || ' ' || detail FROM audit")
        .unwrap();
    let rows: Vec<String> = rows.query_map([], |row| row.get(0)).unwrap().map(Result::unwrap).collect();
    assert!(rows.iter().any(|row| row.starts_with("signing-request.intent")), "{rows:?}");
    rows.join("\n")
}

#[test]
fn a_request_is_found_by_its_domain_in_either_script() {
    let appliance = Appliance::new();
    let service = appliance.start_ready();
    let handle = created(&service, &json!({ "sans": ["DNS:www.bücher.example"] }));
    for prefix in ["www.xn--bch", "www.b%C3%BCch", "WWW.B%C3%9CCH"] {
        let page = service.get(&format!("/csrs?name={prefix}")).expect(200).json();
        assert_eq!(page["items"][0]["handle"], handle.as_str(), "{prefix}: {page}");
    }
}

fn created(service: &Service, body: &Value) -> String {
    service.post("/csrs", body).expect(201).json()["handle"].as_str().unwrap().to_owned()
}

#[test]
fn the_command_line_asks_for_everything() {
    let appliance = Appliance::new();
    let _service = appliance.start_ready();
    appliance.write_private("challenge", &format!("{CANARY}\n"));
    let challenge = appliance.path("challenge");
    let output = appliance.cli(&[
        "--json",
        "csr",
        "new",
        "--subject=/jurisdictionC=NL/O=b/CN=a",
        "--san=DNS:bücher.example",
        "--ca",
        "--permit=DNS:example.com",
        "--exclude=IP:192.0.2.0/24",
        "--policy=1.2.3;cps=https://a.example/cps;notice=a; b",
        "--policy=2.23.140.1.2.1",
        "--must-staple",
        "--subject-key-id",
        "--ms-template-name=SubCA",
        "--ms-template=1.2.3.4:100:7",
        "--extension=1.2.3.4.5=critical,DER:0500",
        "--unstructured-name=a name",
        "--challenge-password-file",
        challenge.to_str().unwrap(),
    ]);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let csr: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(
        csr["extensions"],
        json!({
            "basic_constraints": { "ca": true },
            "certificate_policies": [
                { "oid": "1.2.3", "cps": ["https://a.example/cps"], "notice": "a; b" },
                { "oid": "2.23.140.1.2.1" },
            ],
            "name_constraints": { "permitted": ["DNS:example.com"], "excluded": ["IP:192.0.2.0/24"] },
            "subject_key_identifier": true,
            "tls_features": ["status_request"],
            "microsoft_template_name": "SubCA",
            "microsoft_template": { "oid": "1.2.3.4", "major": 100, "minor": 7 },
            "other": [{ "oid": "1.2.3.4.5", "critical": true, "value": "0500" }],
        })
    );
    let text = openssl::verified_text(csr["csr"].as_str().unwrap());
    assert!(text.contains(&format!("challengePassword        :{CANARY}\n")), "{text}");

    let shown = appliance.cli(&["csr", "show", csr["handle"].as_str().unwrap()]);
    let shown = String::from_utf8(shown.stdout).unwrap();
    assert!(shown.contains("DNS:xn--bcher-kva.example (DNS:bücher.example)"), "{shown}");
    assert!(shown.contains("TLS feature status_request, template SubCA"), "{shown}");
    assert!(!shows_the_canary(shown.as_bytes()), "{shown}");

    let given = appliance.cli(&["--json", "csr", "new", "--subject=CN=a", "--subject-key-id=0a0b"]);
    let given: Value = serde_json::from_slice(&given.stdout).unwrap();
    assert_eq!(given["extensions"]["subject_key_identifier"], "0a0b");
}
