//! The kinds of keys beyond the common ones, the schemes that sign, and the keys that are refused.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};
use strongroom::domain::algorithm::KeyKind;
use strongroom::domain::key_quality;
use x509_parser::certification_request::X509CertificationRequest;
use x509_parser::pem::Pem;
use x509_parser::prelude::FromDer;

use crate::harness::{Appliance, Service};
use crate::openssl;

#[test]
fn every_scheme_gives_a_csr_that_two_other_programs_verify() {
    let appliance = Appliance::new();
    let service = appliance.start_ready();
    let pss = |bits, digest| {
        format!("Hash Algorithm: {digest}|Mask Algorithm: mgf1 with {digest}|Salt Length: 0x{bits}")
    };
    for (kind, digest, signature, key, algorithm) in [
        ("ec-p521", None, "ecdsa-sha512", "NIST CURVE: P-521", "ecdsa-with-SHA512".to_owned()),
        (
            "ed25519",
            None,
            "ed25519",
            "Public Key Algorithm: ED25519",
            "Signature Algorithm: ED25519".to_owned(),
        ),
        ("rsa-2048", None, "rsa-pss-sha256", RSA, pss(20, "sha256")),
        ("rsa-2048", Some("sha384"), "rsa-pss-sha384", RSA, pss(30, "sha384")),
        ("rsa-3072", Some("sha512"), "rsa-pss-sha512", RSA, pss(40, "sha512")),
    ] {
        let mut body = json!({ "subject": format!("CN={kind}.example.com"), "key": { "kind": kind } });
        if signature.contains("pss") {
            body["padding"] = json!("pss");
        }
        if let Some(digest) = digest {
            body["digest"] = json!(digest);
        }
        let csr = create(&service, &body);
        assert_eq!(csr["signature"], signature);
        let pem = csr["csr"].as_str().unwrap();
        let text = openssl::verified_text(pem);
        for expected in algorithm.split('|').chain([key]) {
            assert!(text.contains(expected), "no `{expected}` in\n{text}");
        }
        let (_, pem) = x509_parser::pem::parse_x509_pem(pem.as_bytes()).unwrap();
        verify_with_x509_parser(&pem, kind);
    }
}

/// The SubjectPublicKeyInfo is that of any RSA key: PSS is a matter of the signature.
const RSA: &str = "Public Key Algorithm: rsaEncryption";

fn verify_with_x509_parser(pem: &Pem, kind: &str) {
    let (rest, csr) = X509CertificationRequest::from_der(&pem.contents).unwrap();
    assert!(rest.is_empty());
    match kind {
        // It reads P-521 and has no verifier for it.
        "ec-p521" => assert!(csr.certification_request_info.subject_pki.parsed().is_ok()),
        _ => csr.verify_signature().unwrap(),
    }
}

#[test]
fn a_renewal_may_choose_another_scheme() {
    let appliance = Appliance::new();
    let service = appliance.start_ready();
    let first = create(&service, &json!({ "subject": "CN=a", "key": { "kind": "rsa-2048" } }));
    assert_eq!(first["signature"], "rsa-pkcs1-sha256");
    let key = json!({ "handle": first["key"]["handle"] });
    let body = json!({ "subject": "CN=a", "key": key, "padding": "pss", "digest": "sha512" });
    let second = create(&service, &body);
    assert_eq!(second["signature"], "rsa-pss-sha512");
    openssl::verified_text(second["csr"].as_str().unwrap());

    let handle = first["key"]["handle"].as_str().unwrap();
    let made =
        appliance.cli(&["csr", "new", "--subject", "CN=a", "--key", handle, "--padding", "pss", "--json"]);
    let made: Value = serde_json::from_slice(&made.stdout).unwrap();
    assert_eq!(made["signature"], "rsa-pss-sha256");
}

#[test]
fn a_key_is_shown_as_jwk_with_the_values_of_its_pem() {
    let appliance = Appliance::new();
    let service = appliance.start_ready();
    for (kind, key_type, curve, members) in [
        ("rsa-2048", "RSA", None, vec![("n", 256), ("e", 3)]),
        ("ec-p256", "EC", Some("P-256"), vec![("x", 32), ("y", 32)]),
        ("ec-p384", "EC", Some("P-384"), vec![("x", 48), ("y", 48)]),
        ("ec-p521", "EC", Some("P-521"), vec![("x", 66), ("y", 66)]),
        ("ed25519", "OKP", Some("Ed25519"), vec![("x", 32)]),
    ] {
        let csr = create(&service, &json!({ "subject": "CN=a", "key": { "kind": kind } }));
        let key =
            service.get(&format!("/keys/{}", csr["key"]["handle"].as_str().unwrap())).expect(200).json();
        let jwk = &key["jwk"];
        assert_eq!(jwk["kty"], key_type);
        assert_eq!(jwk.get("crv").and_then(Value::as_str), curve);
        assert_eq!(jwk.as_object().unwrap().len(), 1 + usize::from(curve.is_some()) + members.len(), "{jwk}");
        let spki = openssl::spki(key["public_key"].as_str().unwrap());
        for (name, length) in members {
            let value = URL_SAFE_NO_PAD.decode(jwk[name].as_str().unwrap()).unwrap();
            assert_eq!(value.len(), length, "{kind} {name}");
            assert!(spki.windows(length).any(|window| window == value), "{kind} {name}");
        }
        assert!(key["uri"].as_str().unwrap().starts_with("pkcs11:"), "{key}");
    }
}

#[test]
fn long_rsa_keys_are_offered_where_the_configuration_says_so() {
    let appliance = Appliance::new();
    let body = json!({ "subject": "CN=a", "key": { "kind": "rsa-8192" } });
    let problem = appliance.start_ready().post("/csrs", &body).problem(422, "key.kind-not-offered");
    assert_eq!(
        problem["detail"],
        "token `main` does not offer rsa-8192; it offers rsa-2048, rsa-3072, rsa-4096, ec-p256, ec-p384, \
         ec-p521, ed25519"
    );

    configure_keys(&appliance, r#"["rsa-8192", "ed25519"]"#);
    let service = appliance.start_ready();
    let kinds = &service.get("/tokens").expect(200).json()["items"][0]["info"]["kinds"];
    assert_eq!(*kinds, json!(["rsa-8192", "ed25519"]));
    create(&service, &json!({ "subject": "CN=a", "key": { "kind": "ed25519" } }));
}

#[test]
#[ignore = "the token searches the primes for up to two minutes"]
fn an_rsa_key_of_8192_bits_is_made_and_signs() {
    let appliance = Appliance::new();
    configure_keys(&appliance, r#"["rsa-8192", "ec-p256"]"#);
    let service = appliance.start_ready();
    let body = json!({ "subject": "CN=a", "key": { "kind": "rsa-8192" }, "padding": "pss" });
    let csr = create(&service, &body);
    let text = openssl::verified_text(csr["csr"].as_str().unwrap());
    assert!(text.contains("(8192 bit)"), "{text}");
}

#[test]
fn a_weak_key_is_destroyed_and_refused() {
    let appliance = Appliance::with_chaos();
    let service = appliance.start_ready();
    let before = appliance.objects();
    let [divisible, even] = ["ff", "fe"].map(|last| format!("{}{last}", "ff".repeat(255)));
    let off_curve = format!("044104{}", "11".repeat(64));
    let identity = format!("042001{}", "00".repeat(31));
    for (kind, attribute, value, weakness) in [
        ("rsa-2048", "CKA_MODULUS", divisible.as_str(), "has the small factor 3"),
        ("rsa-2048", "CKA_MODULUS", even.as_str(), "its modulus is even"),
        ("rsa-2048", "CKA_MODULUS", CLOSE_PRIMES, "Fermat's method"),
        ("rsa-2048", "CKA_MODULUS", ROCA, "ROCA"),
        ("rsa-2048", "CKA_PUBLIC_EXPONENT", "000003", "public exponent is not 65537"),
        ("ec-p256", "CKA_EC_POINT", off_curve.as_str(), "the verifier refuses it"),
        ("ed25519", "CKA_EC_POINT", identity.as_str(), "small order"),
    ] {
        appliance.chaos_rules(&format!("C_GetAttributeValue every set-bytes={attribute}:{value}"));
        let body = json!({ "subject": "CN=weak.example", "key": { "kind": kind } });
        let problem = service.post("/csrs", &body).problem(502, "key.bad");
        appliance.chaos_rules("");
        assert!(problem["detail"].as_str().unwrap().contains(weakness), "no `{weakness}` in {problem}");
        let request = service.get(&format!("/csrs/{}", problem["csr"].as_str().unwrap())).json();
        assert_eq!((&request["status"], &request["csr"]), (&json!("failed"), &Value::Null), "{weakness}");
        assert_eq!(appliance.objects(), before, "{weakness}");
    }
}

#[test]
fn fifty_good_keys_of_another_generator_pass() {
    let kind: KeyKind = "rsa-2048".parse().unwrap();
    for _ in 0..50 {
        let spki = openssl::new_rsa_key(2048);
        if let Err(weakness) = key_quality::check(&spki, kind) {
            panic!("{weakness}: {}", hex::encode(spki));
        }
    }
}

/// p times the next prime.
const CLOSE_PRIMES: &str = "\
    f1a4a84a416533f0a0ce2405a85f99134824074571ddc6256b7a9524c1eaf7e30e3b027c9ad18d554e6c2f1df0fbd2e7\
    72ddb5907ed288ad7fbe6204ac774b9417411763adf9d6080e4957a527a8b1feabd94f5da6ac0793da1a195bbbadbf9c\
    d5bde4a2ef32e502cfeab4cab078278ed8be0a9be5b0dcd81934e3f2dadc37747cd6cb5d19b358f85f7e3879962528b9\
    dca5016ae9494aa388ae49509ac1896b23ae6eb4c4af6c3a20367f18fbd91a7d966e397f475331c360f4e22c396a36ab\
    39f06a9d6ef6e3819c83c91588c5c9e42b904de43e9bea6e656cc45e0067e0a3c3d2e9dc91426eaee2ba88e94e677a14\
    74b72d91106367172a491e1d2efef60b";

/// The product of two primes of the form k M + (65537^a mod M), with M the product of the first 126
/// primes.
const ROCA: &str = "\
    ccccccccccc74532ff785a7393a8a267ebe902fb7e6b8bf1abd0ee9f7caf1004f2e51b8638bf241b442856e79e69267c\
    0d13514bb59bf53366301282ff90dde99ca8f72f891c6930ee66913544fdb2924571b5190f881a74e76b8a609c6cdb3e\
    237eb393fa47d5d6f24675b6f3da04cae09c31ac9b47d08a2ca8a075bd8b14744ef4df65d0f8d9ac6c0e61f53d724eab\
    edbc4d3a52ba4219426064e0a65b8ffc446bf038f01bc59ab13ce70e6830282bb2e3e253c036149080688eba096cc92e\
    f86fb99fbdcd930d8c494c541c8685364b1ef3a15d073fbc4033bc961bf4eacb91464ae5862b36016202fee2f8c7a824\
    13c0dcf9c8e3fb77d3518b3c50b7aef9";

/// A request that must be made, however slow its key is.
#[track_caller]
fn create(service: &Service<'_>, body: &Value) -> Value {
    service.post_with("/csrs", &[("prefer", "wait=140")], body).expect(201).json()
}

fn configure_keys(appliance: &Appliance, keys: &str) {
    let own = format!("keys = {keys}\n[tokens.main.env]");
    appliance.write_private("strongroom.toml", &appliance.config_text().replace("[tokens.main.env]", &own));
}
