//! CSRs over the native API: what is made, how it is shown, how it is found again.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use crate::harness::{Appliance, Service, p256};
use crate::openssl;

#[test]
fn every_key_kind_gives_a_csr_that_openssl_verifies() {
    let appliance = Appliance::new();
    let service = appliance.start_ready();
    let cases = [
        ("rsa-2048", None, "rsa-pkcs1-sha256", "(2048 bit)", "sha256WithRSAEncryption"),
        ("rsa-2048", Some("sha384"), "rsa-pkcs1-sha384", "(2048 bit)", "sha384WithRSAEncryption"),
        ("rsa-2048", Some("sha512"), "rsa-pkcs1-sha512", "(2048 bit)", "sha512WithRSAEncryption"),
        ("rsa-3072", None, "rsa-pkcs1-sha256", "(3072 bit)", "sha256WithRSAEncryption"),
        ("rsa-4096", Some("sha256"), "rsa-pkcs1-sha256", "(4096 bit)", "sha256WithRSAEncryption"),
        ("ec-p256", None, "ecdsa-sha256", "NIST CURVE: P-256", "ecdsa-with-SHA256"),
        ("ec-p384", Some("sha384"), "ecdsa-sha384", "NIST CURVE: P-384", "ecdsa-with-SHA384"),
    ];
    for (kind, digest, signature, size, algorithm) in cases {
        let mut body = json!({
            "subject": format!("CN={kind}.example.com,O=Example,C=NL"),
            "sans": [
                format!("DNS:{kind}.example.com"), "DNS:*.example.org", "IP:192.0.2.1", "IP:2001:db8::1",
                "email:ops@example.com", "URI:https://example.com/a",
            ],
            "key": { "kind": kind },
        });
        if let Some(digest) = digest {
            body["digest"] = json!(digest);
        }
        let made = service.post_with("/csrs", &[("prefer", "wait=120")], &body).expect(201);
        let location = made.header("location").unwrap().to_owned();
        let csr = made.json();
        assert_eq!(location, format!("/strongroom/v1/csrs/{}", csr["handle"].as_str().unwrap()));
        assert_eq!(csr["status"], "pending");
        assert_eq!(csr["signature"], signature);
        assert_eq!(csr["key"]["kind"], kind);
        assert_eq!(csr["evidence"]["level"], "E0");
        assert_eq!(service.get(&format!("/{location}")).expect(200).json(), csr);

        let pem = csr["csr"].as_str().unwrap();
        let text = openssl::verified_text(pem);
        for expected in [
            size,
            algorithm,
            &format!("Subject: CN={kind}.example.com,O=Example,C=NL"),
            &format!(
                "DNS:{kind}.example.com, DNS:*.example.org, IP Address:192.0.2.1, \
                 IP Address:2001:DB8:0:0:0:0:0:1, email:ops@example.com, URI:https://example.com/a"
            ),
        ] {
            assert!(text.contains(expected), "no `{expected}` in\n{text}");
        }
        assert_eq!(key_of(&service, &csr)["public_key"], openssl::public_key(pem), "{kind}");
    }
}

#[test]
fn a_subject_is_text_with_commas_text_with_slashes_or_a_list() {
    let appliance = Appliance::new();
    let service = appliance.start_ready();
    let subjects = [
        json!("CN=www.example.com,UID=7+OU=Web,O=Example\\, Inc.,C=NL"),
        json!("/C=NL/O=Example, Inc./UID=7+OU=Web/CN=www.example.com"),
        json!([
            [{ "type": "C", "value": "NL" }],
            [{ "type": "2.5.4.10", "value": "Example, Inc." }],
            [{ "type": "UID", "value": "7" }, { "type": "organizationalUnitName", "value": "Web" }],
            [{ "type": "CN", "value": "www.example.com" }],
        ]),
    ];
    for subject in subjects {
        let csr = service.post("/csrs", &json!({ "subject": subject })).expect(201).json();
        let seen = openssl::subject(csr["csr"].as_str().unwrap());
        assert_eq!(seen, "CN=www.example.com,UID=7+OU=Web,O=Example\\, Inc.,C=NL", "{subject}");
        // RFC 4514 leaves open in which order an RDN of several attributes is written.
        assert_eq!(csr["subject"], "CN=www.example.com,OU=Web+UID=7,O=Example\\, Inc.,C=NL", "{subject}");
    }
}

#[test]
fn extensions_that_are_asked_for_are_in_the_csr() {
    let appliance = Appliance::new();
    let service = appliance.start_ready();
    let extensions = json!({
        "key_usage": ["keyCertSign", "cRLSign"],
        "extended_key_usage": ["serverAuth", "1.3.6.1.4.1.311.20.2.2"],
        "basic_constraints": { "ca": true, "path_length": 1 },
    });
    let body = json!({ "subject": "CN=Example CA", "extensions": extensions });
    let csr = service.post("/csrs", &body).expect(201).json();
    assert_eq!(csr["extensions"], extensions);
    let text = openssl::verified_text(csr["csr"].as_str().unwrap());
    for expected in [
        "X509v3 Key Usage: critical\n                    Certificate Sign, CRL Sign",
        "TLS Web Server Authentication, Microsoft Smartcard Login",
        "X509v3 Basic Constraints: critical\n                    CA:TRUE, pathlen:1",
    ] {
        assert!(text.contains(expected), "no `{expected}` in\n{text}");
    }
}

#[test]
fn what_is_not_asked_for_is_not_in_the_csr() {
    let appliance = Appliance::new();
    let service = appliance.start_ready();
    let bare = service.post("/csrs", &json!({ "subject": "CN=a" })).expect(201).json();
    let text = openssl::verified_text(bare["csr"].as_str().unwrap());
    assert!(text.contains("Attributes:\n            (none)") && !text.contains("X509v3"), "{text}");
}

#[test]
fn an_empty_subject_makes_the_alternative_names_critical() {
    let appliance = Appliance::new();
    let service = appliance.start_ready();
    let csr = service.post("/csrs", &json!({ "sans": ["DNS:a.example.com"] })).expect(201).json();
    let text = openssl::verified_text(csr["csr"].as_str().unwrap());
    assert!(text.contains("X509v3 Subject Alternative Name: critical"), "{text}");
    assert_eq!(csr["subject"], "");
}

#[test]
fn a_csr_is_shown_as_json_der_or_pem() {
    let appliance = Appliance::new();
    let service = appliance.start_ready();
    let csr = service.create("a.example.com");
    let pem = csr["csr"].as_str().unwrap();
    let path = format!("/csrs/{}", csr["handle"].as_str().unwrap());
    let show = |accept: &str| service.request("GET", &path, &[("accept", accept)], None);

    let json = show("application/json").expect(200);
    assert_eq!(json.header("content-type"), Some("application/json"));
    assert_eq!(json.json(), csr);
    let der = show("application/pkcs10").expect(200);
    assert_eq!(der.header("content-type"), Some("application/pkcs10"));
    assert_eq!(openssl::pem_of(&der.bytes), pem);
    for accept in ["application/x-pem-file", "text/plain, application/json;q=0.1"] {
        let shown = show(accept).expect(200);
        assert_eq!(shown.header("content-type"), Some("application/x-pem-file"), "{accept}");
        assert_eq!(shown.bytes, pem.as_bytes(), "{accept}");
    }
    let problem = show("image/png").problem(406, "accept.not-offered");
    assert!(problem["detail"].as_str().unwrap().contains("application/pkcs10"), "{problem}");
}

#[test]
fn a_list_is_filtered_by_status_name_and_kind() {
    let appliance = Appliance::new();
    let service = appliance.start_ready();
    let make = |body: Value| handle(&service.post("/csrs", &body).expect(201).json());
    let shop = make(json!({ "subject": "CN=Shop.example.com", "key": { "kind": "ec-p384" } }));
    let mail = make(json!({ "subject": "CN=mail", "sans": ["DNS:shop.example.org", "email:ops@b.example"] }));
    let percent = make(json!({ "subject": "CN=50% off" }));
    let gone = make(p256("shop.gone.example"));
    service.delete(&format!("/csrs/{gone}")).expect(200);

    let cases: [(&str, &[&String]); 14] = [
        ("", &[&gone, &percent, &mail, &shop]),
        ("?order=oldest", &[&shop, &mail, &percent, &gone]),
        ("?status=cancelled", &[&gone]),
        ("?status=pending,cancelled&order=oldest", &[&shop, &mail, &percent, &gone]),
        ("?status=issued", &[]),
        ("?name=shop.example", &[&mail, &shop]),
        ("?name=SHOP.EXAMPLE.C", &[&shop]),
        ("?name=ops@b", &[&mail]),
        ("?name=example", &[]),
        ("?name=50%25", &[&percent]),
        ("?name=5%25", &[]),
        ("?name=%25", &[]),
        ("?kind=ec-p384", &[&shop]),
        ("?name=shop&status=pending&kind=ec-p256", &[&mail]),
    ];
    for (query, expected) in cases {
        let page = service.get(&format!("/csrs{query}")).expect(200).json();
        let found: Vec<_> = page["items"].as_array().unwrap().iter().map(handle).collect();
        assert_eq!(found.iter().collect::<Vec<_>>(), expected, "{query}");
        assert_eq!(page["next_cursor"], Value::Null, "{query}");
    }
    let page = service.get("/csrs?name=ops@b").expect(200).json();
    let shown = service.get(&format!("/csrs/{mail}")).expect(200).json();
    for field in ["handle", "status", "created_at", "subject", "sans"] {
        assert_eq!(page["items"][0][field], shown[field], "{field}");
    }
    assert_eq!(page["items"][0]["key"], shown["key"]["handle"]);
}

#[test]
fn pages_show_every_request_exactly_once() {
    let appliance = Appliance::new();
    let service = appliance.start_ready();
    let key = service.create("n0.example.com")["key"]["handle"].clone();
    for n in 1..120 {
        let body = json!({ "subject": format!("CN=n{n}.example.com"), "key": { "handle": key } });
        service.post("/csrs", &body).expect(201);
    }
    for (query, size) in [("order=newest", 7), ("order=oldest", 50), ("name=n&status=pending", 40)] {
        let pages = pages(&service, query, size);
        let most = pages.iter().map(Vec::len).max().unwrap();
        assert_eq!(most, size, "{query}");
        let mut names: Vec<String> = pages.concat();
        if query == "order=oldest" {
            names.reverse();
        }
        let expected: Vec<_> = (0..120).rev().map(|n| format!("CN=n{n}.example.com")).collect();
        assert_eq!(names, expected, "{query}");
    }
}

#[test]
fn a_page_size_or_cursor_out_of_bounds_is_refused() {
    let appliance = Appliance::new();
    let service = appliance.start_ready();
    for (query, field) in [
        ("/csrs?limit=0", "limit"),
        ("/csrs?limit=201", "limit"),
        ("/csrs?cursor=next", "cursor"),
        ("/csrs?order=random", "order"),
        ("/csrs?status=open", "status"),
        ("/csrs?kind=dsa", "kind"),
        ("/keys?limit=201", "limit"),
        ("/keys?cursor=next", "cursor"),
    ] {
        let problem = service.get(query).problem(400, "input.invalid");
        assert_eq!(problem["errors"][0]["field"], field, "{query}");
    }
    for query in ["/csrs?limit=many", "/csrs?state=pending", "/keys?kind=ec-p256"] {
        service.get(query).problem(400, "query.invalid");
    }
}

#[test]
fn keys_are_listed_newest_first_with_the_sentinel() {
    let appliance = Appliance::new();
    let service = appliance.start_ready();
    let first = service.create("a.example.com")["key"]["handle"].clone();
    let second = service.create("b.example.com")["key"]["handle"].clone();
    let page = service.get("/keys?limit=2").expect(200).json();
    assert_eq!(page["items"][0]["handle"], second);
    assert_eq!(page["items"][1]["handle"], first);
    let rest = service.get(&format!("/keys?cursor={}", page["next_cursor"].as_str().unwrap())).expect(200);
    assert_eq!(rest.json()["items"].as_array().unwrap().len(), 1);
    assert_eq!(rest.json()["items"][0]["purpose"], "sentinel");
    assert_eq!(
        service.get(&format!("/keys/{}", first.as_str().unwrap())).expect(200).json()["state"],
        "present"
    );
}

#[test]
fn tokens_and_slots_say_what_the_module_says() {
    let appliance = Appliance::new();
    let service = appliance.start_ready();
    let token = service.get("/tokens").expect(200).json()["items"][0].clone();
    assert_eq!(token["status"], "up");
    assert_eq!(token["ready"], true);
    assert_eq!(token["info"]["manufacturer"], "SoftHSM project");
    assert_eq!(token["sentinel"]["signed"], true);
    assert_eq!(token["inventory"]["objects"], token["inventory"]["owned"]);
    assert_eq!(token["evidence"]["level"], "E0");

    let slots = service.get("/tokens/main/slots").expect(200).json();
    let slots = slots["items"].as_array().unwrap();
    assert_eq!(slots.len(), 2, "the token and the free slot that SoftHSM always shows");
    let ours = slots.iter().find(|slot| slot["initialized"] == true).unwrap();
    assert_eq!(ours["serial"], token["info"]["serial"]);
    service.get("/tokens/other/slots").problem(404, "not-found");
}

#[test]
fn a_client_that_does_not_wait_is_told_where_to_look() {
    let appliance = Appliance::with_chaos();
    let service = appliance.start_ready();
    appliance.chaos_rules("C_GenerateKeyPair every sleep-ms=700");
    for preference in ["respond-async", "wait=0"] {
        let accepted = service.post_with("/csrs", &[("prefer", preference)], &p256("slow.example.com"));
        let accepted = accepted.expect(202);
        let location = format!("/{}", accepted.header("location").unwrap());
        assert_eq!(accepted.json()["status"], "intent", "{preference}");
        assert_eq!(accepted.json()["csr"], Value::Null);
        let as_der = service.request("GET", &location, &[("accept", "application/pkcs10")], None);
        as_der.problem(409, "signing-request.no-csr");
        service.await_that("the CSR is made", || service.get(&location).json()["status"] == "pending");
        openssl::verified_text(service.get(&location).json()["csr"].as_str().unwrap());
    }
}

/// The subjects on each page of a list, following the cursor to its end.
fn pages(service: &Service<'_>, query: &str, size: usize) -> Vec<Vec<String>> {
    let mut pages = Vec::new();
    let mut cursors = BTreeSet::new();
    let mut cursor = String::new();
    loop {
        let page = service.get(&format!("/csrs?{query}&limit={size}{cursor}")).expect(200).json();
        let subjects = page["items"].as_array().unwrap().iter();
        pages.push(subjects.map(|item| item["subject"].as_str().unwrap().to_owned()).collect());
        let Some(next) = page["next_cursor"].as_str() else { return pages };
        assert!(cursors.insert(next.to_owned()), "the cursor {next} leads in a circle");
        cursor = format!("&cursor={next}");
    }
}

fn handle(of: &Value) -> String {
    of["handle"].as_str().unwrap().to_owned()
}

fn key_of(service: &Service<'_>, csr: &Value) -> Value {
    service.get(&format!("/keys/{}", csr["key"]["handle"].as_str().unwrap())).expect(200).json()
}
