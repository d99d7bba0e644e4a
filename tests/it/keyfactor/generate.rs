//! `POST /CSRGeneration/Generate`: every kind of key and name that it takes.

use std::thread;

use serde_json::{Value, json};

use super::{Client, GO, appliance_with, p256};
use crate::harness::{Appliance, Service};
use crate::openssl;

/// The key of a CSR must be on the token and unable to leave it.
#[track_caller]
fn must_be_on_the_token(appliance: &Appliance, service: &Service<'_>, csr: &str) {
    let list = service.get("/csrs?limit=200").expect(200).json();
    let find = |item: &&Value| {
        let handle = item["handle"].as_str().unwrap();
        service.get(&format!("/csrs/{handle}")).json()["csr"] == csr
    };
    let request = list["items"].as_array().unwrap().iter().find(find).expect("no request with this CSR");
    let key = &service.get(&format!("/csrs/{}", request["handle"].as_str().unwrap())).json()["key"]["handle"];
    let objects = appliance.objects();
    let private = objects.iter().find(|object| object.private && object.label == key.as_str().unwrap());
    let access = &private.expect("the key is not on the token").access;
    assert_eq!(access, "sensitive, always sensitive, never extractable, local");
}

#[test]
fn every_type_of_key_is_generated_on_the_token() {
    let appliance = appliance_with("");
    let service = appliance.start_ready();
    let client = Client::hired(&appliance, &service);
    for (more, algorithm) in [
        (json!({ "KeyType": "RSA", "KeyLength": 2048 }), "Public-Key: (2048 bit)"),
        (json!({ "keytype": "rsa", "KEYLENGTH": "3072", "Curve": null }), "Public-Key: (3072 bit)"),
        (json!({ "KeyType": "ECC", "KeyLength": 384 }), "ASN1 OID: secp384r1"),
        (json!({ "KeyType": "ecc", "Curve": "1.3.132.0.35", "Template": "" }), "ASN1 OID: secp521r1"),
        (
            json!({ "KeyType": "ECC", "AlternativeKeyType": null, "AlternativeKeyLength": 0 }),
            "ASN1 OID: prime256v1",
        ),
        (json!({ "KeyType": "Ed25519", "KeyLength": 255 }), "ED25519 Public-Key"),
    ] {
        let mut body = json!({ "Subject": "CN=gw.lab.example, O=Lab\\, B.V., C=NL" });
        body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        let answer = client.generate(&body).expect(200).json();
        assert_eq!(answer.as_object().unwrap().len(), 1, "{answer}");
        let csr = answer["CSR"].as_str().unwrap();
        let text = openssl::verified_text(csr);
        assert!(text.contains(algorithm), "{text}");
        assert_eq!(openssl::subject(csr), "CN=gw.lab.example,O=Lab\\, B.V.,C=NL");
        must_be_on_the_token(&appliance, &service, csr);
    }
}

#[test]
fn every_kind_of_san_that_x509_can_say_is_in_the_csr() {
    let appliance = appliance_with("");
    let service = appliance.start_ready();
    let client = Client::hired(&appliance, &service);
    let mut body = p256("dc.lab.example");
    body["sans"] = json!({
        "DNS": ["dc.lab.example", "*.lab.example"], "ip4": ["10.1.2.3"], "ip6": ["2001:db8::1"], "ip": ["10.1.2.4"],
        "rfc822": ["ops@lab.example"], "uri": ["https://lab.example/x"], "directory": ["CN=dc,O=Lab"],
        "registeredid": ["1.2.3.4"], "ms_ntprincipalname": ["svc@lab.example"], "other": ["1.2.3.5;UTF8:text"],
        "ms_ntdsreplication": ["6ba7b810-9dad-11d1-80b4-00c04fd430c8"], "x400": [], "ediparty": null,
    });
    let csr = client.generate(&body).expect(200).json()["CSR"].as_str().unwrap().to_owned();
    let text = openssl::verified_text(&csr);
    for name in [
        "DNS:dc.lab.example",
        "DNS:*.lab.example",
        "IP Address:10.1.2.3",
        "IP Address:10.1.2.4",
        "IP Address:2001:DB8:0:0:0:0:0:1",
        "email:ops@lab.example",
        "URI:https://lab.example/x",
        "DirName:/O=Lab/CN=dc",
        "Registered ID:1.2.3.4",
        "othername: UPN::svc@lab.example",
        "othername: 1.2.3.5::text",
    ] {
        assert!(text.contains(name), "{name}: {text}");
    }
    // OpenSSL does not show an OCTET STRING in an otherName: the type, [0] and the GUID in its memory order.
    let der: Vec<u8> = {
        use base64::Engine as _;
        let base64: String = csr.lines().filter(|line| !line.starts_with('-')).collect();
        base64::prelude::BASE64_STANDARD.decode(base64).unwrap()
    };
    let guid = "06092b060104018237190 1a012041010b8a76bad9dd11180b400c04fd430c8".replace(' ', "");
    assert!(hex::encode(der).contains(&guid), "{text}");
    let subject = client.pending("")[0]["Subject"].clone();
    let shown = [
        "CN=dc.lab.example",
        "Other Name=1.2.3.5;UTF8:text",
        "RFC822 Name=ops@lab.example",
        "DNS Name=dc.lab.example",
        "DNS Name=*.lab.example",
        "Directory Address=CN=dc,O=Lab",
        "URL=https://lab.example/x",
        "IP Address=10.1.2.4",
        "IP Address=10.1.2.3",
        "IP Address=2001:db8::1",
        "Registered ID=1.2.3.4",
        "Principal Name=svc@lab.example",
        "DS Object Guid=6ba7b810-9dad-11d1-80b4-00c04fd430c8",
        "Key Length: 256",
        "SHA-256",
    ];
    assert_eq!(subject, json!(shown));
}

#[test]
fn templates_and_patterns_stand_for_issuing_templates() {
    let map = "[facades.keyfactor.templates]\n\"Web Server\" = \"web\"\nGone = \"gone\"\n\
               [facades.keyfactor.enrollment_patterns]\n7 = \"pattern\"\n8 = \"asked\"\n\
               [templates]\ndir = \"templates\"\nready_made = []\n";
    let appliance = appliance_with(map);
    std::fs::create_dir(appliance.path("templates")).unwrap();
    for (name, more) in [("web", ""), ("pattern", ""), ("asked", "[approval]\nrequired = true\n")] {
        let text = format!(
            "version = 1\nname = \"{name}\"\nkeys.kinds = [\"ec-p256\"]\n[subject]\nCN = {{}}\nO = {{ fixed = \"{name}\" }}\n{more}"
        );
        std::fs::write(appliance.path(&format!("templates/{name}.toml")), text).unwrap();
    }
    let service = appliance.start_ready();
    let client = Client::hired(&appliance, &service);
    let ask = |more: Value| {
        let mut body = p256("a.example");
        body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        client.generate(&body)
    };
    let organisation = |more: Value| {
        let csr = ask(more).expect(200).json()["CSR"].as_str().unwrap().to_owned();
        openssl::subject(&csr)
    };
    assert_eq!(organisation(json!({ "Template": "Web Server" })), "CN=a.example,O=web");
    assert_eq!(organisation(json!({ "EnrollmentPatternId": 7 })), "CN=a.example,O=pattern");
    let both = json!({ "EnrollmentPatternId": 7, "Template": "Web Server" });
    assert_eq!(organisation(both), "CN=a.example,O=pattern", "the pattern wins");
    assert_eq!(organisation(json!({ "EnrollmentPatternId": 0, "Template": "" })), "CN=a.example");

    let keys = appliance.private_keys();
    for (more, told) in [
        (json!({ "EnrollmentPatternId": 9 }), "EnrollmentPatternId: there is no pattern 9"),
        (json!({ "Template": "web" }), "Template: is not known; known are Gone, Web Server"),
        (json!({ "Template": "Gone" }), "Template: there is no template `gone`"),
        (json!({ "Template": "Web Server", "SANs": { "dns": ["a.example"] } }), "SANs.dns[0]: "),
        (json!({ "Template": "Web Server", "KeyLength": 384 }), "KeyType: "),
        (
            json!({ "EnrollmentPatternId": 8 }),
            "template `asked` needs somebody's approval, for which this API cannot wait",
        ),
    ] {
        let message = super::invalid(ask(more));
        assert!(message.contains(told), "{told}: {message}");
    }
    assert_eq!(appliance.private_keys(), keys, "a refusal leaves no key");
    assert_eq!(service.get("/csrs?status=awaiting_approval").json()["items"], json!([]));
}

#[test]
fn without_a_map_a_template_is_one_of_ours() {
    let appliance = appliance_with("");
    let service = appliance.start_ready();
    let client = Client::hired(&appliance, &service);
    let mut body = p256("www.example.com");
    body["SANs"] = json!({ "dns": ["www.example.com"] });
    body["Template"] = json!("tls-server");
    client.generate(&body).expect(200);
    body["Template"] = json!("no-such");
    assert!(super::invalid(client.generate(&body)).contains("Template: there is no template `no-such`"));
}

#[test]
fn eight_clients_at_once_get_eight_keys() {
    let appliance = appliance_with("");
    let service = appliance.start_ready();
    let client = Client::hired(&appliance, &service);
    let keys = appliance.private_keys();
    let mut public: Vec<String> = thread::scope(|scope| {
        let threads: Vec<_> = (0..8)
            .map(|n| {
                let client = &client;
                scope.spawn(move || {
                    let mine = (0..3).map(|m| client.generated(&format!("c{n}-{m}.example")));
                    mine.map(|csr| openssl::public_key(&csr)).collect::<Vec<_>>()
                })
            })
            .collect();
        threads.into_iter().flat_map(|thread| thread.join().unwrap()).collect()
    });
    public.sort();
    public.dedup();
    assert_eq!((public.len(), appliance.private_keys()), (24, keys + 24));
    assert_eq!(client.pending_ids(""), (1..=24).collect::<Vec<_>>());
}

#[test]
fn every_content_type_of_the_vendors_clients_is_read() {
    let appliance = appliance_with("");
    let service = appliance.start_ready();
    let client = Client::hired(&appliance, &service);
    let send = |content_type: &str| {
        let mut headers = GO;
        headers[0].1 = "text/plain, application/json, text/json";
        headers[1].1 = content_type;
        client.call_with("POST", "/KeyfactorAPI/CSRGeneration/Generate", &headers, Some(&p256("a.example")))
    };
    for good in [
        "application/json",
        "Application/JSON; charset=utf-8",
        "application/json-patch+json",
        "text/json",
        "application/x+json",
    ] {
        let reply = send(good).expect(200);
        assert_eq!(reply.header("content-type"), Some("application/json"));
    }
    for bad in ["text/plain", "application/xml", "application/x-www-form-urlencoded"] {
        let told = super::refused(send(bad), 415, "0xA0FF0415");
        assert!(told.contains(bad), "{told}");
    }
}
