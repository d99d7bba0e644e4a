//! Three levels, verified by OpenSSL; revoked, refused by it.

use serde_json::{Value, json};

use super::{Pki, openssl, own_pem, path_of, printed, text};
use crate::harness::Appliance;

#[test]
fn a_leaf_under_an_intermediate_under_a_root_is_verified_by_openssl_until_it_is_revoked() {
    let appliance = Appliance::new();
    let pki = Pki::start(&appliance);
    let root = pki.authority("root", json!({}));
    assert_eq!(root["status"], "active");
    let issuing = pki.below(&root, "issuing", json!({}), json!({ "path_length": 0 }));
    let leaf = pki.issue(&issuing, "www.example.com");
    assert_eq!(leaf["chain"].as_array().unwrap().len(), 2);
    let verified = pki.verify(&root, &leaf, &[]);
    assert!(verified.status.success(), "{}", text(&verified.stderr));

    let lists = pki.crl(&issuing) + &pki.crl(&root);
    let lists = pki.file("lists.pem", lists);
    let checked = ["-crl_check_all", "-CRLfile", lists.to_str().unwrap()];
    let good = pki.verify(&root, &leaf, &checked);
    assert!(good.status.success(), "{}", text(&good.stderr));

    revoke(&pki, &issuing, &leaf, "keyCompromise");
    let lists = pki.file("lists.pem", pki.crl(&issuing) + &pki.crl(&root));
    let refused = pki.verify(&root, &leaf, &["-crl_check_all", "-CRLfile", lists.to_str().unwrap()]);
    assert!(!refused.status.success());
    assert!(text(&refused.stderr).contains("certificate revoked"), "{}", text(&refused.stderr));
    let other = pki.issue(&issuing, "other.example.com");
    let good = pki.verify(&root, &other, &["-crl_check_all", "-CRLfile", lists.to_str().unwrap()]);
    assert!(good.status.success(), "{}", text(&good.stderr));
}

#[test]
fn an_authority_of_each_key_kind_makes_certificates_and_lists_that_openssl_verifies() {
    let appliance = Appliance::new();
    let pki = Pki::start(&appliance);
    for (kind, padding) in [
        ("rsa-2048", "pkcs1"),
        ("rsa-3072", "pss"),
        ("ec-p256", ""),
        ("ec-p384", ""),
        ("ec-p521", ""),
        ("ed25519", ""),
    ] {
        let mut body = json!({ "key_kind": kind });
        if !padding.is_empty() {
            body["padding"] = json!(padding);
        }
        let root = pki.authority(&format!("root-{kind}"), body);
        let leaf = pki.issue(&root, "www.example.com");
        revoke(&pki, &root, &pki.issue(&root, "old.example.com"), "superseded");
        let list = pki.file("lists.pem", pki.crl(&root));
        let verified = pki.verify(&root, &leaf, &["-crl_check", "-CRLfile", list.to_str().unwrap()]);
        assert!(verified.status.success(), "{kind}: {}", text(&verified.stderr));
    }
}

#[test]
fn a_path_that_is_too_long_is_refused_and_one_that_fits_is_cut() {
    let appliance = Appliance::new();
    let pki = Pki::start(&appliance);
    let root = pki.authority("root", json!({ "path_length": 1 }));
    let middle = pki.below(&root, "middle", json!({}), json!({}));
    assert!(printed(&pki, &own_pem(&middle)).contains("CA:TRUE, pathlen:0"), "cut to what the root allows");
    let lowest = pki.authority("lowest", json!({ "kind": "intermediate" }));
    let csr = text(&pki.service.get(&format!("{}/csr", path_of(&lowest))).expect(200).bytes);
    let signed = pki.service.post(&format!("{}/intermediates", path_of(&middle)), &json!({ "csr": csr }));
    let problem = signed.problem(422, "authority.refused");
    assert_eq!(problem["errors"][0]["field"], "path_length", "{problem:#}");
    let wish = json!({ "csr": csr, "path_length": 1 });
    let signed = pki.service.post(&format!("{}/intermediates", path_of(&root)), &wish);
    assert_eq!(signed.problem(422, "authority.refused")["errors"][0]["field"], "path_length");
}

#[test]
fn name_constraints_bind_what_the_authority_and_those_below_it_issue() {
    let appliance = Appliance::new();
    let pki = Pki::start(&appliance);
    let root = pki.authority("root", json!({}));
    let constraints = json!({ "permitted": ["DNS:example.com"], "excluded": ["DNS:secret.example.com"] });
    let bound = pki.below(&root, "bound", json!({}), json!({ "name_constraints": constraints }));
    let below = pki.below(&bound, "below", json!({}), json!({}));
    let good = pki.issue(&below, "www.example.com");
    let verified = pki.verify(&root, &good, &[]);
    assert!(verified.status.success(), "{}", text(&verified.stderr));
    for host in ["www.example.org", "a.secret.example.com"] {
        let csr = pki.csr("/CN=x", &["-addext", &format!("subjectAltName=DNS:{host}")]);
        let refused = pki.service.post(&format!("{}/issue", path_of(&below)), &json!({ "csr": csr }));
        assert_eq!(refused.problem(422, "authority.refused")["errors"][0]["field"], "sans[0]", "{host}");
    }
}

#[test]
fn a_certificate_ends_with_its_issuers_at_the_latest() {
    let appliance = Appliance::new();
    let pki = Pki::start(&appliance);
    let root = pki.authority("root", json!({ "validity_days": 10 }));
    let csr = pki.csr("/CN=x", &["-addext", "subjectAltName=DNS:x.example.com"]);
    let wish = json!({ "csr": csr, "validity_days": 365 });
    let leaf = pki.service.post(&format!("{}/issue", path_of(&root)), &wish).expect(201).json();
    assert_eq!(leaf["not_after"], root["certificates"][0]["not_after"]);
    let until = "2020-01-01T00:00:00Z";
    let wish = json!({ "csr": csr, "not_after": until });
    let past = pki.service.post(&format!("{}/issue", path_of(&root)), &wish).problem(400, "input.invalid");
    assert_eq!(past["errors"][0]["field"], "validity");
}

#[test]
fn a_certificate_that_ends_after_2049_says_so_in_generalized_time() {
    let appliance = Appliance::new();
    let pki = Pki::start(&appliance);
    let root = pki.authority("root", json!({ "not_after": "2060-06-01T00:00:00Z" }));
    assert!(printed(&pki, &own_pem(&root)).contains("Not After : Jun  1 00:00:00 2060 GMT"));
    let file = pki.file("own.pem", own_pem(&root));
    let parsed = text(&openssl(&["asn1parse", "-in", file.to_str().unwrap()]).stdout);
    assert!(parsed.contains("GENERALIZEDTIME   :20600601000000Z"), "{parsed}");
    assert!(parsed.contains("UTCTIME"), "{parsed}");
}

#[test]
fn a_renewed_authority_has_another_certificate_with_the_same_key() {
    let appliance = Appliance::new();
    let pki = Pki::start(&appliance);
    let root = pki.authority("root", json!({ "validity_days": 30 }));
    let issuing = pki.below(&root, "issuing", json!({}), json!({}));
    let before = pki.issue(&issuing, "before.example.com");
    let renewed = |authority: &Value| {
        let path = format!("{}/renew", path_of(authority));
        pki.service.post(&path, &json!({ "validity_days": 3650 })).expect(200).json()
    };
    let new_root = renewed(&root);
    assert_eq!(new_root["certificates"].as_array().unwrap().len(), 2);
    assert_ne!(own_pem(&root), own_pem(&new_root));
    let new_issuing = renewed(&issuing);
    assert_eq!((&new_issuing["status"], &new_issuing["key"]), (&json!("active"), &issuing["key"]));
    let after = pki.issue(&new_issuing, "after.example.com");
    for (root, leaf) in [(&root, &before), (&new_root, &before), (&new_root, &after)] {
        let verified = pki.verify(root, leaf, &[]);
        assert!(verified.status.success(), "{}", text(&verified.stderr));
    }
}

#[track_caller]
pub fn revoke(pki: &Pki<'_>, authority: &Value, issued: &Value, reason: &str) {
    let path = format!("{}/certificates/{}/revoke", path_of(authority), issued["serial"].as_str().unwrap());
    let revoked = pki.service.post(&path, &json!({ "reason": reason })).expect(200).json();
    assert_eq!((&revoked["status"], &revoked["reason"]), (&json!("revoked"), &json!(reason)));
}
