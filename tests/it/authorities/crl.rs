//! Revocation lists: their numbers, how they are served, and that a long one is made once.

use serde_json::{Value, json};

use super::chain::revoke;
use super::{Pki, crl_path, done, openssl, path_of, text};
use crate::harness::{Appliance, Reply};

const LONG: usize = 100_000;

fn fetched(pki: &Pki<'_>, authority: &Value, headers: &[(&str, &str)]) -> Reply {
    let anonymous = [&[("authorization", "")], headers].concat();
    pki.service.request("GET", &crl_path(authority), &anonymous, None)
}

fn number(pki: &Pki<'_>, authority: &Value) -> u64 {
    let shown = pki.service.get(&path_of(authority)).expect(200).json();
    shown["crl"]["number"].as_u64().unwrap()
}

#[test]
fn each_list_has_a_higher_number_and_says_why_each_certificate_is_revoked() {
    let appliance = Appliance::new();
    let pki = Pki::start(&appliance);
    let root = pki.authority("root", json!({}));
    let mut numbers = vec![number(&pki, &root)];
    let reasons = [("keyCompromise", "Key Compromise"), ("superseded", "Superseded"), ("unspecified", "")];
    let mut serials = Vec::new();
    for (reason, _) in reasons {
        let leaf = pki.issue(&root, "www.example.com");
        revoke(&pki, &root, &leaf, reason);
        numbers.push(number(&pki, &root));
        serials.push(leaf["serial"].as_str().unwrap().to_uppercase());
    }
    assert!(numbers.is_sorted_by(|a, b| a < b), "{numbers:?}");
    let list = pki.file("list.pem", pki.crl(&root));
    let said = text(&done(openssl(&["crl", "-noout", "-text", "-in", list.to_str().unwrap()])).stdout);
    let places: Vec<_> = serials.iter().map(|serial| said.find(serial.as_str()).unwrap()).collect();
    assert!(places.is_sorted(), "in the order of revocation: {said}");
    for (_, shown) in reasons {
        assert!(said.contains(shown), "{shown}: {said}");
    }
    assert_eq!(said.matches("CRL Reason Code").count(), 2, "unspecified is left out");
    let path = format!("{}/certificates/{}/revoke", path_of(&root), serials[0]);
    pki.service.post(&path, &json!({})).problem(409, "certificate.state");
    let unknown = format!("{}/certificates/{}/revoke", path_of(&root), "4".repeat(40));
    pki.service.post(&unknown, &json!({})).problem(404, "not-found");
    pki.service.post(&path, &json!({ "reason": "certificateHold" })).problem(400, "input.invalid");
}

#[test]
fn everybody_gets_a_list_once() {
    let appliance = Appliance::new();
    let pki = Pki::start(&appliance);
    let root = pki.authority("root", json!({}));
    let first = fetched(&pki, &root, &[]).expect(200);
    assert_eq!(first.header("content-type"), Some("application/pkix-crl"));
    assert_eq!(first.header("cache-control"), Some("public, max-age=3600"));
    let tag = first.header("etag").unwrap().to_owned();
    let same = fetched(&pki, &root, &[("if-none-match", &tag)]).expect(304);
    assert_eq!((same.bytes.len(), same.header("etag")), (0, Some(tag.as_str())));
    fetched(&pki, &root, &[("if-none-match", &format!("\"00\", W/{tag}"))]).expect(304);
    revoke(&pki, &root, &pki.issue(&root, "www.example.com"), "superseded");
    let second = fetched(&pki, &root, &[("if-none-match", &tag)]).expect(200);
    assert_ne!(second.header("etag"), Some(tag.as_str()));
    for nothing in ["//crl/x.crl", "//crl/019aa5b2-5c3e-7c61-9d3f-0a4a6f2f8e11.crl", "//ca/x.cer"] {
        let reply = pki.service.request("GET", nothing, &[("authorization", "")], None);
        assert_eq!(reply.status, 404, "{nothing}: {reply:?}");
    }
}

#[test]
fn a_list_of_100_000_is_made_once_and_not_sent_twice() {
    let appliance = Appliance::new();
    let pki = Pki::start(&appliance);
    let root = pki.authority("root", json!({}));
    let leaf = pki.issue(&root, "www.example.com");
    let before = number(&pki, &root);
    // As many revoked certificates as would take an hour to issue here.
    let database = rusqlite::Connection::open(appliance.data("strongroom.db")).unwrap();
    database.busy_timeout(std::time::Duration::from_secs(10)).unwrap();
    let inserted = database
        .execute(
            "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ?1)
             INSERT INTO issued_certificates (handle, authority, serial, state, purpose, subject, tbs_sha256,
                 principal, not_before, not_after, created_at, revoked_at, reason)
             SELECT randomblob(16), authority, unhex('41' || hex(randomblob(19))), 'revoked', purpose, subject, tbs_sha256,
                 principal, not_before, not_after, created_at, created_at, 'superseded'
             FROM issued_certificates CROSS JOIN n WHERE purpose = 'end-entity'",
            [LONG as i64 - 1],
        )
        .unwrap();
    assert_eq!(inserted, LONG - 1);
    drop(database);
    revoke(&pki, &root, &leaf, "keyCompromise");
    let list = fetched(&pki, &root, &[]).expect(200);
    let shown = pki.service.get(&path_of(&root)).expect(200).json();
    assert_eq!((&shown["crl"]["entries"], &shown["crl"]["number"]), (&json!(LONG), &json!(before + 1)));
    fetched(&pki, &root, &[("if-none-match", list.header("etag").unwrap())]).expect(304);
    assert_eq!(number(&pki, &root), before + 1, "fetching makes no list");
    let file = pki.file("long.crl", &list.bytes);
    let said = text(
        &done(openssl(&["crl", "-inform", "DER", "-noout", "-text", "-in", file.to_str().unwrap()])).stdout,
    );
    assert_eq!(said.matches("Serial Number:").count(), LONG);
}
