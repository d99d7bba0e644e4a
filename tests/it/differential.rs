//! Differential reading: 500 CSRs that the service made on the token, each read by OpenSSL, GnuTLS,
//! Python's cryptography and x509-parser. All find what was asked for.

mod found;
mod readers;
mod wishes;

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Mutex;

use serde_json::{Value, json};
use strongroom::domain::name::Name;
use strongroom::domain::san::San;

use self::found::{Found, general_name, subject_der};
use self::wishes::Wish;
use crate::harness::{Appliance, Service};
use crate::openssl;

const CSRS: usize = 500;

/// What a reader cannot do, and in how many of the CSRs at most: the others are read in full.
const EXCEPTIONS: &[(&str, usize)] = &[
    // OpenSSL 3.0, crypto/x509/v3_san.c, i2v_GENERAL_NAME.
    ("OpenSSL prints an otherName whose value is no string as <unsupported>", 60),
    // x509-parser 0.18, src/verify.rs: no entry for ecdsa-with-SHA512.
    ("x509-parser has no verifier for P-521", 50),
];

#[test]
fn five_hundred_csrs_say_the_same_to_four_readers() {
    let appliance = Appliance::new();
    let service = appliance.start_ready();
    let directory = appliance.path("csrs");
    std::fs::create_dir(&directory).unwrap();
    let wishes = wishes::draw(CSRS);
    let expected = make(&service, &wishes, &directory);

    let exceptions = Mutex::new(BTreeMap::new());
    for (reader, found) in readers::read_all(&directory, CSRS) {
        assert_eq!(found.len(), CSRS, "{reader}");
        for (at, found) in found {
            let excused = compare(&found, &expected[&at])
                .unwrap_or_else(|reason| panic!("{reader}, {reason}\nwish: {:?}", wishes[at]));
            for exception in excused {
                *exceptions.lock().unwrap().entry(exception).or_insert(0) += 1;
            }
        }
    }
    let exceptions = exceptions.into_inner().unwrap();
    for (exception, most) in EXCEPTIONS {
        let count = exceptions.get(exception).copied().unwrap_or(0);
        assert!((1..=*most).contains(&count), "{exception}: {count} times");
    }
    assert_eq!(exceptions.len(), EXCEPTIONS.len(), "{exceptions:?}");
}

/// Makes every CSR, and writes it as DER and PEM, by its number. Returns what a reader has to find.
fn make(service: &Service, wishes: &[Wish], directory: &Path) -> BTreeMap<usize, Found> {
    let rsa = ["rsa-2048", "rsa-3072"].map(|kind| {
        let body = json!({ "subject": "CN=a", "key": { "kind": kind } });
        let csr = service.post_with("/csrs", &[("prefer", "wait=140")], &body).expect(201).json();
        json!({ "handle": csr["key"]["handle"] })
    });
    readers::in_parallel(wishes.len(), |at| {
        let mut body = wishes[at].body.clone();
        if body["key"].is_null() {
            body["key"] = rsa[at % rsa.len()].clone();
        }
        let reply = service.post("/csrs", &body);
        assert_eq!(reply.status, 201, "{}\n{body}", String::from_utf8_lossy(&reply.bytes));
        let csr = reply.json();
        write(&csr, &directory.join(at.to_string()));
        expected(service, &wishes[at], &csr)
    })
    .into_iter()
    .collect()
}

fn write(csr: &Value, path: &Path) {
    let pem = csr["csr"].as_str().unwrap();
    let (_, der) = x509_parser::pem::parse_x509_pem(pem.as_bytes()).unwrap();
    std::fs::write(path.with_extension("pem"), pem).unwrap();
    std::fs::write(path.with_extension("der"), der.contents).unwrap();
}

/// The public key is the one of the key's own page, which the token gave.
fn expected(service: &Service, wish: &Wish, csr: &Value) -> Found {
    let key = service.get(&format!("/keys/{}", csr["key"]["handle"].as_str().unwrap())).expect(200).json();
    let sans = wish.sans.iter().map(|text| Some(general_name(&text.parse::<San>().unwrap())));
    Found {
        subject: subject_der(&Name::from_rdns(&wish.subject).unwrap()),
        sans: sans.collect(),
        spki_sha256: found::sha256(&openssl::spki(key["public_key"].as_str().unwrap())),
        signature_is_good: Some(true),
    }
}

/// The exceptions that had to be made; otherwise what differs.
fn compare(found: &Found, expected: &Found) -> Result<Vec<&'static str>, String> {
    let mut exceptions = Vec::new();
    let differ = |what: &str| Err(format!("{what}\nfound:    {found:?}\nexpected: {expected:?}"));
    if found.subject != expected.subject {
        return differ("the subject");
    }
    if found.spki_sha256 != expected.spki_sha256 {
        return differ("the public key");
    }
    match found.signature_is_good {
        Some(true) => {}
        Some(false) => return differ("the signature"),
        None => exceptions.push(EXCEPTIONS[1].0),
    }
    if found.sans.len() != expected.sans.len() {
        return differ("the number of alternative names");
    }
    for (found, expected) in found.sans.iter().zip(&expected.sans) {
        match found {
            None => exceptions.push(EXCEPTIONS[0].0),
            Some(_) if found != expected => return differ("an alternative name"),
            Some(_) => {}
        }
    }
    Ok(exceptions)
}

#[test]
fn a_reader_that_finds_something_else_is_noticed() {
    let expected = Found {
        subject: "3000".into(),
        sans: vec![Some(general_name(&"DNS:a.example".parse().unwrap()))],
        spki_sha256: found::sha256(b"key"),
        signature_is_good: Some(true),
    };
    let changes: [fn(&mut Found); 5] = [
        |found| found.subject.push('0'),
        |found| found.sans.clear(),
        |found| found.sans[0] = Some(general_name(&"DNS:b.example".parse().unwrap())),
        |found| found.spki_sha256 = found::sha256(b"another"),
        |found| found.signature_is_good = Some(false),
    ];
    assert_eq!(compare(&expected, &expected), Ok(Vec::new()));
    for change in changes {
        let mut found = expected.clone();
        change(&mut found);
        assert!(compare(&found, &expected).is_err(), "{found:?}");
    }
}
