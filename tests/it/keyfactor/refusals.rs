//! What is refused: with which status, code and message.

use serde_json::{Value, json};

use super::{Client, GO, appliance_with, invalid, p256, refused, switched_on};
use crate::harness::Appliance;
use crate::ledger::audit_of;

#[test]
fn what_cannot_be_made_is_refused_by_the_name_of_its_field() {
    let appliance = appliance_with("");
    let service = appliance.start_ready();
    let client = Client::hired(&appliance, &service);
    let keys = appliance.private_keys();
    let ask = |more: Value| {
        let mut body = p256("a.example");
        body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        invalid(client.generate(&body))
    };
    for (more, told) in [
        (json!({ "Subject": null }), "Subject: is required"),
        (json!({ "Subject": " " }), "Subject: is required"),
        (json!({ "Subject": "gw.lab.example" }), "Subject: at position "),
        (json!({ "Subject": "CN=a,C=Netherlands" }), "Subject: "),
        (json!({ "KeyType": null }), "KeyType: is required"),
        (json!({ "KeyType": "DSA" }), "KeyType: must be RSA, ECC or ED25519"),
        (json!({ "KeyType": "ED448", "KeyLength": 448 }), "KeyType: ED448 is not offered here"),
        (json!({ "KeyType": "ML-DSA-65" }), "KeyType: ML-DSA-65 is not offered here"),
        (json!({ "KeyType": "RSA", "KeyLength": 1024 }), "KeyLength: must be at least 2048"),
        (json!({ "KeyType": "RSA", "KeyLength": null }), "KeyLength: is required for RSA"),
        (json!({ "KeyType": "RSA", "KeyLength": 6144 }), "KeyType: token `main` does not offer rsa-6144"),
        (json!({ "KeyLength": 255 }), "KeyLength: must be one of 256, 384, 521"),
        (json!({ "KeyLength": "long" }), "KeyLength: must be a whole number of 32 bits"),
        (json!({ "KeyLength": 4_294_967_552_u64 }), "KeyLength: must be a whole number of 32 bits"),
        (json!({ "Curve": "1.3.132.0.34" }), "Curve: contradicts KeyLength, which is 256"),
        (json!({ "Curve": "P-256" }), "Curve: must be the OID"),
        (json!({ "AlternativeKeyType": "ML-DSA-44" }), "AlternativeKeyType: a CSR has one key here"),
        (json!({ "AlternativeKeyLength": 5 }), "AlternativeKeyLength: a CSR has one key here"),
        (json!({ "AlternativeCurve": "1.2" }), "AlternativeCurve: a CSR has one key here"),
        (json!({ "SANs": { "x400": ["/C=NL/"] } }), "SANs.x400[0]: names of this kind cannot"),
        (json!({ "SANs": { "ediparty": ["a"] } }), "SANs.ediparty[0]: names of this kind cannot"),
        (json!({ "SANs": { "netbios": ["A"] } }), "SANs: `netbios` is no kind of name"),
        (json!({ "SANs": { "ip4": ["2001:db8::1"] } }), "SANs.ip4[0]: is no IP address of version 4"),
        (json!({ "SANs": { "dns": ["a.example", "a b"] } }), "SANs.dns[1]: at position 1"),
        (json!({ "SANs": { "dns": ["a.example", "a.example"] } }), "SANs.dns[1]: "),
        (json!({ "SANs": { "dns": "a.example" } }), "SANs.dns: invalid type"),
        (json!({ "SANs": [] }), "SANs: invalid type"),
        (json!({ "Template": "no-such" }), "Template: there is no template `no-such`"),
        (json!({ "EnrollmentPatternId": 3 }), "EnrollmentPatternId: there is no pattern 3"),
        (json!({ "keytype": "RSA" }), "KeyType: stands twice"),
    ] {
        let message = ask(more.clone());
        assert!(message.contains(told), "{more}: {message}");
    }
    let both = ask(json!({ "Subject": "", "AlternativeCurve": "1.2", "SANs": { "ip": ["x"] } }));
    assert!(
        both.contains("Subject: ") && both.contains("AlternativeCurve: ") && both.contains("SANs.ip[0]: "),
        "{both}"
    );
    assert_eq!(appliance.private_keys(), keys, "a refusal leaves no key");
    assert!(client.pending("").is_empty());

    ask(json!({ "SANs": { "canary": ["canary"] } }));
    ask(json!({ "SANs": { "canary": "canary" } }));
    ask(json!({ "Template": "canary", "KeyType": "canary", "Curve": "canary" }));
    let records = audit_of(&appliance);
    let action = "POST /KeyfactorAPI/CSRGeneration/Generate";
    let refusals: Vec<_> = records.iter().filter(|record| record.action == action).collect();
    assert!(
        !refusals.is_empty() && refusals.iter().all(|record| record.outcome == "refused"),
        "{refusals:?}"
    );
    assert!(!format!("{records:?}").contains("canary"), "what the client sent is not on record");
}

#[test]
fn what_is_no_json_is_refused() {
    let appliance = appliance_with("");
    let service = appliance.start();
    let client = Client::hired(&appliance, &service);
    let mut headers = vec![("authorization", client.authorization.as_str())];
    headers.extend(GO);
    let send = |method: &str, path: &str, body: &[u8]| {
        service.request(method, &format!("//KeyfactorAPI{path}"), &headers, Some(body))
    };
    for (body, told) in [
        (b"{".as_slice(), "the body: is no JSON: EOF"),
        (b"", "the body: is no JSON: EOF"),
        (b"[]", "the body: an object is expected"),
        (b"\xff", "the body: is no JSON"),
    ] {
        let message = invalid(send("POST", "/CSRGeneration/Generate", body));
        assert!(message.starts_with(told), "{message}");
    }
    for body in ["{}", "17", "\"17\"", "null"] {
        let message = invalid(send("DELETE", "/CSRGeneration/Pending", body.as_bytes()));
        assert_eq!(message, "the body: a list of ids is expected, such as [17, 18]");
    }
    for body in ["[\"1\"]", "[1.5]", "[2147483648]", "[null]"] {
        let message = invalid(send("DELETE", "/CSRGeneration/Pending", body.as_bytes()));
        assert_eq!(message, "[0]: an id is a whole number of 32 bits, such as 17");
    }
    let many = json!((1..=1001).collect::<Vec<_>>()).to_string();
    assert!(invalid(send("DELETE", "/CSRGeneration/Pending", many.as_bytes())).contains("at most 1000 ids"));
    send("DELETE", "/CSRGeneration/Pending", b"[]").expect(204);
    let large = "x".repeat(100_000);
    refused(send("POST", "/CSRGeneration/Generate", large.as_bytes()), 413, "0xA0FF0413");
}

#[test]
fn ids_that_cannot_be_are_refused_and_those_that_are_not_there_are_not_found() {
    let appliance = appliance_with("");
    let service = appliance.start();
    let client = Client::hired(&appliance, &service);
    for method in ["GET", "DELETE"] {
        for id in ["x", "2147483648", "99999999999999999999", "1.5", "-2147483649", "%31%00"] {
            let told = invalid(client.call(method, &format!("/CSRGeneration/Pending/{id}"), None));
            assert_eq!(told, "id: must be a whole number of 32 bits, such as 17");
        }
        for id in ["0", "-1", "1", "2147483647", "-2147483648"] {
            let told = refused(
                client.call(method, &format!("/CSRGeneration/Pending/{id}"), None),
                404,
                "0xA0FF0404",
            );
            assert_eq!(told, format!("there is no pending CSR {id}"));
        }
        invalid(client.call(method, "/CSRGeneration/Pending/%ff", None));
    }
}

#[test]
fn the_mandatory_header_is_mandatory_and_the_version_is_1() {
    let appliance = appliance_with("");
    let service = appliance.start();
    let client = Client::hired(&appliance, &service);
    let get = |headers: &[(&str, &str)]| {
        client.call_with("GET", "/KeyfactorAPI/CSRGeneration/Pending", headers, None)
    };
    for mark in ["APIClient", "XMLHttpRequest", "apiclient", "xmlhttprequest"] {
        for version in ["1", "1.0"] {
            get(&[("X-Keyfactor-Requested-With", mark), ("X-Keyfactor-Api-Version", version)]).expect(200);
        }
        get(&[("x-keyfactor-requested-with", mark)]).expect(200);
        let told = invalid(get(&[("x-keyfactor-requested-with", mark), ("x-keyfactor-api-version", "2")]));
        assert!(told.starts_with("x-keyfactor-api-version: only version 1"), "{told}");
    }
    for wrong in [&[][..], &[("x-keyfactor-requested-with", "curl")]] {
        let told = invalid(get(wrong));
        assert!(told.starts_with("x-keyfactor-requested-with: this header is mandatory"), "{told}");
    }
}

#[test]
fn unknown_paths_and_methods_are_told_in_the_vendors_words() {
    let appliance = appliance_with("");
    let service = appliance.start();
    let client = Client::hired(&appliance, &service);
    for path in ["", "/", "/Agents", "/CSRGeneration", "/CSRGeneration/Pending/1/2", "/Certificates/1"] {
        refused(client.get(path), 404, "0xA0FF0404");
    }
    for (method, path) in
        [("GET", "/CSRGeneration/Generate"), ("POST", "/CSRGeneration/Pending"), ("PUT", "/Status/Endpoints")]
    {
        let reply = client.call(method, path, None);
        assert!(reply.header("allow").is_some(), "{reply:?}");
        refused(reply, 405, "0xA0FF0405");
    }
    // The native surface keeps its own words.
    service.request("GET", "//nowhere", &[], None).problem(404, "route.unknown");
}

#[test]
fn a_private_key_is_never_recovered() {
    let appliance = appliance_with("");
    let service = appliance.start();
    let client = Client::hired(&appliance, &service);
    let body = json!({ "CertID": 1, "Password": "x", "IncludeChain": true });
    let told = refused(client.call("POST", "/Certificates/Recover", Some(&body)), 403, "0xA0FF0403");
    assert_eq!(told, "private keys are made in the token and never leave it: there is nothing to recover");
}

#[test]
fn an_outage_of_the_token_is_told_with_a_time_to_wait() {
    let appliance = switched_on(Appliance::without_token(), "[\"default\"]", "");
    let service = appliance.start();
    let client = Client::hired(&appliance, &service);
    let reply = client.generate(&p256("a.example"));
    assert!(reply.header("retry-after").is_some(), "{reply:?}");
    refused(reply, 503, "0xA0FF0503");
    assert!(client.pending("").is_empty());
}

#[test]
fn a_token_that_refuses_is_told() {
    let appliance = appliance_with("");
    appliance.write_private("pin", "wrong-pin");
    let service = appliance.start();
    let client = Client::hired(&appliance, &service);
    service.await_that("the PIN is refused", || client.generate(&p256("a.example")).status == 502);
    let told = refused(client.generate(&p256("a.example")), 502, "0xA0FF0502");
    assert!(!told.contains("wrong-pin"), "{told}");
}

#[test]
fn the_number_of_keys_has_an_end_where_the_configuration_says_so() {
    let appliance = appliance_with("[keys]\nquotas = { default = 2 }\n");
    let service = appliance.start_ready();
    let client = Client::hired(&appliance, &service);
    client.generated("a.example");
    client.generated("b.example");
    let told = invalid(client.generate(&p256("c.example")));
    assert!(told.starts_with("this tenant has 2 keys and may have 2"), "{told}");
    client.call("DELETE", "/CSRGeneration/Pending/1", None).expect(204);
    client.generated("c.example");
}

#[test]
fn nothing_is_served_where_it_is_not_switched_on() {
    let appliance = Appliance::new();
    let service = appliance.start();
    for path in ["//KeyfactorAPI/Status/Endpoints", "//keyfactorapi/CSRGeneration/Pending"] {
        service.request("GET", path, &GO, None).problem(404, "route.unknown");
    }
}
