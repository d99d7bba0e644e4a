//! `csr inspect`: what it prints of CSRs of all sorts, and how it ends. The files are made by
//! inspect/make.py.

use std::io::Write;
use std::process::{Command, Output, Stdio};

use serde_json::{Value, json};

use crate::harness::{Appliance, BINARY};

macro_rules! file {
    ($name:literal) => {
        concat!(env!("CARGO_MANIFEST_DIR"), "/tests/it/inspect/", $name)
    };
}

const EVERYTHING: &str = file!("everything.pem");
const WRONG: &str = file!("wrong.pem");

/// Without a configuration, a service, a token.
fn inspect(args: &[&str], input: &[u8]) -> Output {
    let mut child = Command::new(BINARY)
        .args(["--config", "/nowhere.toml", "csr", "inspect"])
        .args(args)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(input).unwrap();
    child.wait_with_output().unwrap()
}

#[track_caller]
fn read(args: &[&str], input: &[u8]) -> String {
    let output = inspect(args, input);
    assert_eq!(output.status.code(), Some(0), "{}", String::from_utf8_lossy(&output.stderr));
    assert_eq!(output.stderr, b"");
    String::from_utf8(output.stdout).unwrap()
}

/// What it says instead of an explanation.
#[track_caller]
fn refused(input: &[u8]) -> String {
    let output = inspect(&["-"], input);
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    assert_eq!(output.stdout, b"");
    String::from_utf8(output.stderr).unwrap()
}

fn openssl(args: &[&str]) -> Vec<u8> {
    let output = Command::new("openssl").args(args).output().unwrap();
    assert!(output.status.success(), "{output:?}");
    output.stdout
}

#[test]
fn csrs_are_explained_to_people() {
    for (name, file) in [
        ("everything", EVERYTHING),
        ("microsoft", file!("microsoft.pem")),
        ("weak", file!("weak.der")),
        ("pss", file!("pss.pem")),
        ("ed448", file!("ed448.pem")),
        ("ml-dsa", file!("ml-dsa.der")),
        ("ber", file!("ber.der")),
        ("wrong", WRONG),
    ] {
        insta::assert_snapshot!(format!("text_{name}"), read(&[file], b""));
    }
}

#[test]
fn csrs_are_explained_to_machines() {
    for (name, file) in [("everything", EVERYTHING), ("microsoft", file!("microsoft.pem")), ("wrong", WRONG)]
    {
        insta::assert_snapshot!(format!("json_{name}"), read(&[file, "--json"], b""));
    }
}

#[test]
fn neither_secrets_nor_escape_sequences_are_printed() {
    for args in [&[EVERYTHING][..], &[EVERYTHING, "--json"]] {
        assert!(!read(args, b"").contains("canary"));
        assert!(!read(args, b"").contains(&hex::encode("canary")));
    }
    assert!(!read(&[WRONG], b"").contains('\u{1b}'));
}

#[test]
fn standard_input_is_read_in_either_form_as_the_file_is() {
    let pem = std::fs::read(EVERYTHING).unwrap();
    assert_eq!(read(&["-"], &pem), read(&[EVERYTHING], b""));
    let der = openssl(&["req", "-in", EVERYTHING, "-outform", "DER"]);
    let told = |text: String| text.lines().skip(1).map(str::to_owned).collect::<Vec<_>>();
    assert_eq!(told(read(&["-"], &der)), told(read(&[EVERYTHING], b"")));
}

#[test]
fn an_error_finding_fails_only_when_it_is_strict() {
    assert_eq!(inspect(&[WRONG], b"").status.code(), Some(0));
    let strict = inspect(&[WRONG, "--strict"], b"");
    assert_eq!(strict.status.code(), Some(1));
    let errors = String::from_utf8(strict.stdout).unwrap().matches("\nerror: ").count();
    let said = String::from_utf8(strict.stderr).unwrap();
    assert!(errors > 20 && said.ends_with(&format!("wrong.pem has {errors} error(s)\n")), "{said}");
    assert_eq!(inspect(&[EVERYTHING, "--strict"], b"").status.code(), Some(0));
}

#[test]
fn of_a_private_key_nothing_is_printed_but_a_warning() {
    let ec = ["genpkey", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256"];
    let pem = openssl(&ec);
    let pkcs8 = openssl(&[&ec[..], &["-outform", "DER"]].concat());
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("key");
    std::fs::write(&path, &pem).unwrap();
    let path = path.to_str().unwrap();
    let sec1 = openssl(&["ec", "-in", path, "-outform", "DER"]);
    let encrypted = openssl(&["pkcs8", "-topk8", "-in", path, "-passout", "pass:a", "-outform", "DER"]);
    let pkcs1 = openssl(&["genrsa", "-traditional", "2048"]);
    let cut_off = &pem[..pem.len() / 2];
    for key in [&pem[..], &pkcs8, &sec1, &encrypted, &pkcs1, cut_off] {
        let said = refused(key);
        assert!(said.starts_with("error: - is no CSR: this is a PRIVATE KEY, not a CSR"), "{said}");
        assert_eq!(said.lines().count(), 1, "{said}");
    }
    let beside = [pem.as_slice(), &std::fs::read(EVERYTHING).unwrap()].concat();
    let said = read(&["-"], &beside);
    assert!(said.contains("error: file: a PRIVATE KEY stands beside the CSR"), "{said}");
    let body = String::from_utf8(pem).unwrap();
    assert!(!said.contains(body.lines().nth(1).unwrap()), "{said}");
}

#[test]
fn what_is_no_csr_is_told_for_what_it_is() {
    let pem = std::fs::read_to_string(EVERYTHING).unwrap();
    let key = openssl(&["genpkey", "-algorithm", "ED25519"]);
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("key");
    std::fs::write(&path, key).unwrap();
    let path = path.to_str().unwrap();
    let certificate = |form| openssl(&["req", "-x509", "-key", path, "-subj", "/CN=a", "-outform", form]);
    let utf16: Vec<u8> = [0xfeff].into_iter().chain(pem.encode_utf16()).flat_map(u16::to_le_bytes).collect();
    for (input, expected) in [
        (certificate("PEM"), "this is a certificate, not the CSR that it was made from"),
        (certificate("DER"), "it is a certificate, or another signed structure"),
        (openssl(&["pkey", "-in", path, "-pubout"]), "its PEM block is `PUBLIC KEY`"),
        (openssl(&["pkey", "-in", path, "-pubout", "-outform", "DER"]), "it is a public key"),
        (b" \n".to_vec(), "it is empty"),
        (b"hello".to_vec(), "it is neither DER nor PEM"),
        (utf16, "it is a text in UTF-16"),
        (vec![b'a'; 300_000], "it has more than 262144 bytes"),
        (
            pem.replace("-----END", "----END").into_bytes(),
            "its PEM is broken at byte 21: the block has no END",
        ),
        (
            pem.replacen("\nMII", "\n?II", 1).into_bytes(),
            "its PEM is broken at byte 21: the block is not base64",
        ),
    ] {
        let said = refused(&input);
        assert!(said.starts_with(&format!("error: - is no CSR: {expected}")), "no `{expected}`: {said}");
    }
    let missing = inspect(&["/nowhere.pem"], b"");
    assert_eq!(missing.status.code(), Some(1));
}

#[test]
fn every_kind_of_csr_that_is_made_here_has_no_error() {
    let appliance = Appliance::new();
    let service = appliance.start_ready();
    for (kind, padding, digest) in [
        ("ec-p256", None, None),
        ("ec-p384", None, None),
        ("ec-p521", None, None),
        ("ed25519", None, None),
        ("rsa-2048", None, None),
        ("rsa-2048", None, Some("sha384")),
        ("rsa-2048", None, Some("sha512")),
        ("rsa-2048", Some("pss"), None),
        ("rsa-2048", Some("pss"), Some("sha384")),
        ("rsa-2048", Some("pss"), Some("sha512")),
        ("rsa-3072", None, None),
    ] {
        let mut body = json!({
            "subject": "C=NL,O=Example,CN=www.example.com",
            "sans": ["DNS:www.example.com", "DNS:bücher.example.com", "IP:192.0.2.1", "email:ü@example.com",
                     "URI:https://example.com/", "UPN:a@example.com", "RID:1.2.3", "dirName:CN=a,C=NL"],
            "key": { "kind": kind },
            "extensions": {
                "key_usage": ["digitalSignature", "keyCertSign"],
                "extended_key_usage": ["serverAuth"],
                "basic_constraints": { "ca": true },
                "subject_key_identifier": true,
                "certificate_policies": [{ "oid": "1.2.3", "cps": ["https://example.com/"], "notice": "a" }],
                "name_constraints": { "permitted": ["DNS:example.com"], "excluded": ["IP:192.0.2.0/24"] },
                "tls_features": ["status_request"],
                "microsoft_template_name": "WebServer",
                "microsoft_template": { "oid": "1.2.3", "major": 1 },
            },
            "challenge_password": "abc",
            "unstructured_name": "a",
        });
        for (field, value) in [("padding", padding), ("digest", digest)] {
            if let Some(value) = value {
                body[field] = json!(value);
            }
        }
        let csr = service.post("/csrs", &body).expect(201).json();
        let read: Value = serde_json::from_str(&read(
            &["-", "--json", "--strict"],
            csr["csr"].as_str().unwrap().as_bytes(),
        ))
        .unwrap();
        assert_eq!(read["signature"]["status"], "good", "{kind}: {read}");
        assert_eq!(read["key"]["kind"], kind);
        let worst = read["findings"].as_array().unwrap().iter().find(|finding| finding["severity"] != "note");
        assert_eq!(worst, None, "{kind} {padding:?} {digest:?}");
    }
}
