//! What is wrong with a request is told by status, code, field and position, in words that help.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpStream};

use serde_json::{Value, json};

use crate::harness::{Appliance, LONG, Service, p256};

const UNKNOWN: &str = "019aa5b2-5c3e-7c61-9d3f-0a4a6f2f8e11";

#[test]
fn a_bad_name_is_told_with_its_position() {
    assert_refused_fields(&[
        (json!({ "subject": "CN=a,O" }), "subject", Some(6), "`=` is missing after the attribute type O"),
        (
            json!({ "subject": "CN=a,XX=b" }),
            "subject",
            Some(5),
            "`XX` is no known attribute type; known are CN",
        ),
        (json!({ "subject": "CN=a,C=Netherlands" }), "subject", Some(7), "two letters"),
        (json!({ "subject": format!("CN={}", "a".repeat(65)) }), "subject", Some(3), "at most 64"),
        (json!({ "subject": "CN=a\\xyz" }), "subject", Some(4), "two hexadecimal digits"),
        (json!({ "subject": "/CN=a/b" }), "subject", Some(6), "`b` is no known attribute type"),
        (json!({ "subject": "O=Example, Inc." }), "subject", Some(11), "`Inc.` is no known attribute type"),
        (json!({ "subject": [[{ "type": "CN", "value": "" }]] }), "subject[0][0]", None, "empty"),
        (json!({}), "subject", None, "so is sans"),
    ]);
}

#[test]
fn a_bad_alternative_name_is_told_with_its_place_and_position() {
    let good = "DNS:a.example.com";
    assert_refused_fields(&[
        (sans(&[good, "a.example.com"]), "sans[1]", Some(0), "begins with DNS:, IP:, email:, URI:, UPN:"),
        (sans(&["DNS:under_score.example"]), "sans[0]", Some(9), "`_` is not allowed in a host name"),
        (sans(&["DNS:b\u{fc}_cher.example"]), "sans[0]", Some(4), "international domain name"),
        (sans(&["DNS:192.0.2.1"]), "sans[0]", Some(4), "write it as IP:"),
        (sans(&["IP:192.0.2.256"]), "sans[0]", Some(3), "such as 192.0.2.1"),
        (sans(&["email:ops.example.com"]), "sans[0]", Some(6), "has an `@`"),
        (sans(&["URI:/relative"]), "sans[0]", Some(4), "begins with a scheme"),
        (sans(&[good, good]), "sans[1]", None, "twice"),
    ]);
}

#[test]
fn a_wildcard_is_the_whole_left_most_label_or_refused() {
    assert_refused_fields(&[
        (sans(&["DNS:www.*.example.com"]), "sans[0]", Some(8), "whole left-most label only"),
        (sans(&["DNS:w*.example.com"]), "sans[0]", Some(5), "whole left-most label only"),
        (sans(&["DNS:*.com"]), "sans[0]", Some(4), "at least two labels"),
        (sans(&["DNS:*"]), "sans[0]", Some(4), "whole left-most label only"),
    ]);
}

#[test]
fn a_key_that_is_not_offered_is_told_with_what_is() {
    let body = |key: Value| json!({ "subject": "CN=a", "key": key });
    assert_refused_fields(&[
        (
            body(json!({ "kind": "rsa-1024" })),
            "key.kind",
            None,
            "known are rsa-2048, rsa-3072, rsa-4096, rsa-6144, rsa-8192, ec-p256, ec-p384, ec-p521, ed25519",
        ),
        (body(json!({ "token": "spare" })), "key.token", None, "there is no token `spare`; there are main"),
        (
            body(json!({ "handle": UNKNOWN, "kind": "ec-p256" })),
            "key.kind",
            None,
            "goes without `key.handle`",
        ),
        (body(json!({ "handle": "no-handle" })), "key.handle", None, "handle"),
        (json!({ "subject": "CN=a", "digest": "sha1" }), "digest", None, "sha256, sha384 or sha512"),
        (json!({ "subject": "CN=a", "digest": "sha512" }), "digest", None, "ec-p256 keys sign with sha256"),
        (json!({ "subject": "CN=a", "padding": "pss" }), "padding", None, "ec-p256 keys have no padding"),
        (json!({ "subject": "CN=a", "padding": "oaep" }), "padding", None, "must be pkcs1 or pss"),
        (
            json!({ "subject": "CN=a", "key": { "kind": "ed25519" }, "digest": "sha512" }),
            "digest",
            None,
            "ed25519 keys sign the message itself; leave the digest out",
        ),
    ]);
}

#[test]
fn names_that_deceive_their_reader_are_refused() {
    assert_refused_fields(&[
        (json!({ "subject": "CN=a\u{202e}b" }), "subject", None, "CN: the value has the character U+202E"),
        (json!({ "subject": "C=#0c024e4c,CN=a" }), "subject", None, "C: a country is a PrintableString"),
        (json!({ "sans": ["DNS:a", "UPN:a\u{200b}@b"] }), "sans[1]", None, "has the character U+200B"),
        (
            json!({ "subject": "CN=a", "unstructured_name": "a\u{202e}" }),
            "unstructured_name",
            None,
            "has the character U+202E",
        ),
    ]);
}

#[test]
fn bad_extensions_are_told_by_their_path() {
    let body = |extensions: Value| json!({ "subject": "CN=a", "extensions": extensions });
    assert_refused_fields(&[
        (
            body(json!({ "key_usage": ["digitalSignature", "sign"] })),
            "extensions.key_usage[1]",
            None,
            "one of digitalSignature",
        ),
        (
            body(json!({ "extended_key_usage": ["server"] })),
            "extensions.extended_key_usage[0]",
            None,
            "or a dotted OID",
        ),
        (
            body(json!({ "key_usage": ["keyCertSign"] })),
            "extensions.key_usage",
            None,
            "needs basic_constraints with ca = true",
        ),
        (
            body(json!({ "key_usage": ["digitalSignature", "keyEncipherment"] })),
            "extensions.key_usage[1]",
            None,
            "an EC key cannot be used for keyEncipherment (RFC 8813 section 3)",
        ),
    ]);
}

#[test]
fn every_broken_rule_is_told_at_once() {
    let appliance = Appliance::new();
    let service = appliance.start_ready();
    let body = json!({
        "subject": "CN=a,O",
        "sans": ["DNS:*.com", "a", "DNS:good.example"],
        "key": { "kind": "dsa" },
        "digest": "md5",
        "extensions": { "key_usage": ["x"] },
    });
    let mut problem = service.post("/csrs", &body).problem(400, "input.invalid");
    problem["request_id"] = json!("...");
    insta::assert_json_snapshot!(problem);
}

#[test]
fn an_algorithm_that_the_token_lacks_is_refused_with_the_list() {
    let appliance = Appliance::new();
    let shipped = include_str!("../../hsm-profiles/softhsm2.toml");
    let all = r#"keys = ["rsa-2048", "rsa-3072", "rsa-4096", "ec-p256", "ec-p384", "ec-p521", "ed25519"]"#;
    assert!(shipped.contains(all));
    appliance.write_private("profile.toml", &shipped.replace(all, r#"keys = ["rsa-2048", "ec-p256"]"#));
    let config = appliance.config_text().replace("\"softhsm2\"", "\"profile.toml\"");
    appliance.write_private("strongroom.toml", &config);

    let service = appliance.start_ready();
    let body = json!({ "subject": "CN=a", "key": { "kind": "ec-p384" } });
    let problem = service.post("/csrs", &body).problem(422, "key.kind-not-offered");
    assert_eq!(problem["detail"], "token `main` does not offer ec-p384; it offers rsa-2048, ec-p256");
    service.create("a.example.com");
}

#[test]
fn a_body_that_is_no_such_document_is_told_with_its_line() {
    let appliance = Appliance::new();
    let service = appliance.start_ready();
    let deep = format!("{{\"subject\": {}", "[".repeat(5000));
    let syntax = None;
    let cases: [(&str, Option<&str>, &str); 12] = [
        (
            "{\n  \"subjct\": \"CN=a\"\n}",
            Some("subjct"),
            "unknown field `subjct`, expected one of `subject`, `sans`",
        ),
        (
            r#"{"key": {"size": 2048}}"#,
            Some("key.size"),
            "unknown field `size`, expected one of `kind`, `token`, `handle`",
        ),
        ("{\n\"subject\": \"CN=a\",\n}", syntax, "line 3 column 1"),
        ("{", syntax, "EOF while parsing an object at line 1 column 1"),
        ("", syntax, "EOF while parsing"),
        ("{} {}", syntax, "trailing characters at line 1 column 4"),
        ("5", syntax, "invalid type: integer `5`, expected struct"),
        (
            r#"{"sans": "DNS:a"}"#,
            Some("sans"),
            "invalid type: string \"DNS:a\", expected a sequence at line 1 column 16",
        ),
        (r#"{"sans": ["DNS:a", 5]}"#, Some("sans[1]"), "invalid type: integer `5`, expected a string"),
        (r#"{"subject": 5}"#, Some("subject"), "a subject is a text such as CN=www.example.com, or a list"),
        (r#"["CN=a"]"#, syntax, "an object is expected, not a list"),
        (&deep, syntax, "recursion limit"),
    ];
    for (body, field, expected) in cases {
        let reply = service.request("POST", "/csrs", &JSON, Some(body.as_bytes()));
        let problem = reply.problem(400, "body.invalid");
        let detail = problem["detail"].as_str().unwrap();
        assert!(detail.contains(expected), "no `{expected}` in `{detail}`");
        assert!(detail.len() < 1000, "{detail}");
        assert_eq!(problem["errors"][0]["field"].as_str(), field, "{problem:#}");
        if let Some(field) = field {
            let reason = problem["errors"][0]["reason"].as_str().unwrap();
            assert!(detail.starts_with(&format!("the body: {field}: {reason} at line ")), "{problem:#}");
        }
    }
}

#[test]
fn a_body_of_another_type_is_refused() {
    let appliance = Appliance::new();
    let service = appliance.start_ready();
    let body = p256("a.example.com").to_string();
    for other in ["text/plain", "application/x-www-form-urlencoded", "application/json-seq"] {
        let headers = [("content-type", other)];
        let reply = service.request("POST", "/csrs", &headers, Some(body.as_bytes()));
        let problem = reply.problem(415, "body.content-type");
        assert_eq!(problem["detail"], format!("the body must be application/json, not {other}"));
    }
    let headers = [("content-type", "Application/JSON; charset=utf-8")];
    service.request("POST", "/csrs", &headers, Some(body.as_bytes())).expect(201);
}

#[test]
fn a_body_over_the_limit_is_refused_declared_or_not() {
    let appliance = Appliance::new();
    let service = appliance.start_ready();
    let padded = |length: usize| {
        let body = p256("a.example.com").to_string();
        " ".repeat(length - body.len()) + &body
    };
    let send = |length: usize| service.request("POST", "/csrs", &JSON, Some(padded(length).as_bytes()));
    send(64 * 1024).expect(201);
    let problem = send(64 * 1024 + 1).problem(413, "body.too-large");
    assert_eq!(problem["detail"], "the body is larger than 65536 bytes");

    let chunk = padded(0x4000);
    let mut chunked = head(&service, "POST", "/csrs", &["Transfer-Encoding: chunked"]);
    for _ in 0..5 {
        chunked += &format!("4000\r\n{chunk}\r\n");
    }
    let answer = exchange(&service, chunked.as_bytes());
    assert!(answer.starts_with("HTTP/1.1 413 ") && answer.contains("body.too-large"), "{answer}");
    let small = format!("{}4000\r\n{chunk}\r\n0\r\n\r\n", head(&service, "POST", "/csrs", &CHUNKED));
    assert!(exchange(&service, small.as_bytes()).starts_with("HTTP/1.1 201 "), "a chunked body is taken");
}

#[test]
fn a_body_that_ends_early_is_refused() {
    let appliance = Appliance::new();
    let service = appliance.start_ready();
    let mut stream = connect(&service);
    let request = head(&service, "POST", "/csrs", &["Content-Length: 100"]) + "{\"subject\"";
    stream.write_all(request.as_bytes()).unwrap();
    stream.shutdown(Shutdown::Write).unwrap();
    let mut answer = String::new();
    let _ = stream.read_to_string(&mut answer);
    assert!(answer.is_empty() || answer.starts_with("HTTP/1.1 400 "), "{answer}");
    assert_eq!(service.get("/csrs").json()["items"].as_array().unwrap().len(), 0);
}

#[test]
fn nothing_is_read_of_a_body_before_the_caller_is_known() {
    let appliance = Appliance::new();
    let service = appliance.start_ready();
    for key in ["", "Authorization: Bearer srk_wrong\r\n", "Authorization: Basic c3JrOg==\r\n"] {
        // The body is announced and never sent: an answer shows that nobody waited for it.
        let request = format!(
            "POST /strongroom/v1/csrs HTTP/1.1\r\nHost: a\r\n{key}Content-Type: application/json\r\n\
             Content-Length: 50000\r\nExpect: 100-continue\r\n\r\n"
        );
        let mut stream = connect(&service);
        stream.write_all(request.as_bytes()).unwrap();
        let mut answer = [0; 512];
        let length = stream.read(&mut answer).unwrap();
        let answer = String::from_utf8_lossy(&answer[..length]).to_lowercase();
        assert!(answer.starts_with("http/1.1 401 "), "{answer}");
        assert!(answer.contains("www-authenticate: bearer realm=\"strongroom\""), "{answer}");
    }
    let mut stream = connect(&service);
    let request = head(&service, "POST", "/csrs", &["Content-Length: 50000", "Expect: 100-continue"]);
    stream.write_all(request.as_bytes()).unwrap();
    let mut answer = [0; 512];
    let length = stream.read(&mut answer).unwrap();
    assert!(answer[..length].starts_with(b"HTTP/1.1 100 Continue"), "a known caller is asked to go on");
}

#[test]
fn a_wrong_api_key_is_refused_like_none() {
    let appliance = Appliance::new();
    let service = appliance.start_ready();
    let cut = &service.api_key()[..service.api_key().len() - 1];
    let mut details = Vec::new();
    for wrong in ["", "Bearer", "Bearer ", &format!("Bearer {cut}"), &format!("Basic {}", service.api_key())]
    {
        let reply = service.request("GET", "/csrs", &[("authorization", wrong)], None);
        let problem = reply.problem(401, "auth.unauthenticated");
        details.push(problem["detail"].clone());
    }
    details.dedup();
    assert_eq!(details, ["a known API key is needed, as `Authorization: Bearer srk_...`"]);
    let any_case = format!("bearer {}", service.api_key());
    service.request("GET", "/csrs", &[("authorization", &any_case)], None).expect(200);
}

#[test]
fn too_many_or_too_large_headers_are_refused() {
    let appliance = Appliance::new();
    let service = appliance.start_ready();
    let many: String = (0..100).map(|n| format!("X-Filler-{n}: x\r\n")).collect();
    let large = format!("X-Filler: {}\r\n", "x".repeat(20 * 1024));
    let long_path = format!("/csrs?name={}", "x".repeat(20 * 1024));
    for (path, more) in [("/csrs", many.as_str()), ("/csrs", &large), (&long_path, "")] {
        let request = head(&service, "GET", path, &[]).replace("\r\n\r\n", &format!("\r\n{more}\r\n"));
        let answer = exchange(&service, request.as_bytes());
        let status = answer.split(' ').nth(1).unwrap_or_default();
        assert!(["431", "414"].contains(&status), "{answer}");
    }
    service.get("/csrs").expect(200);
}

#[test]
fn what_does_not_exist_is_a_problem_too() {
    let appliance = Appliance::new();
    let service = appliance.start_ready();
    for path in ["/nothing", "//", "//strongroom/v2/csrs", "/csrs/", "/csrs/a/b", "//../etc/passwd"] {
        let problem = service.get(path).problem(404, "route.unknown");
        assert!(problem["detail"].as_str().unwrap().contains("/strongroom/v1/openapi.json"), "{path}");
    }
    for (method, path, allowed) in [
        ("PATCH", "/csrs", "GET"),
        ("PUT", "/csrs/x", "DELETE"),
        ("POST", "/keys", "GET"),
        ("DELETE", "/tokens", "GET"),
        ("POST", "//livez", "GET"),
    ] {
        let reply = service.request(method, path, &[], Some(b""));
        let allow = reply.header("allow").unwrap_or_default().to_owned();
        assert!(allow.split(',').any(|one| one == allowed), "{method} {path}: Allow: {allow}");
        reply.problem(405, "route.method");
    }
    for (method, path) in [
        ("GET", format!("/csrs/{UNKNOWN}")),
        ("DELETE", format!("/csrs/{UNKNOWN}")),
        ("POST", format!("/csrs/{UNKNOWN}/retire")),
        ("GET", format!("/csrs/{UNKNOWN}/certificate")),
        ("GET", format!("/keys/{UNKNOWN}")),
        ("DELETE", format!("/keys/{UNKNOWN}")),
    ] {
        let problem = service.request(method, &path, &[], None).problem(404, "not-found");
        assert!(problem["detail"].as_str().unwrap().contains(UNKNOWN), "{method} {path}: {problem}");
    }
}

#[test]
fn a_malformed_handle_is_told() {
    let appliance = Appliance::new();
    let service = appliance.start_ready();
    for handle in
        ["x", "019aa5b2", "019aa5b2-5c3e-7c61-9d3f-0a4a6f2f8e1g", "%00", "019aa5b25c3e7c619d3f0a4a6f2f8e11"]
    {
        for path in
            [format!("/csrs/{handle}"), format!("/csrs/{handle}/certificate"), format!("/keys/{handle}")]
        {
            let problem = service.get(&path).problem(400, "input.invalid");
            assert_eq!(problem["errors"][0]["field"], "handle", "{path}");
        }
    }
    service.get("/csrs/%FF").problem(400, "request.malformed");
    for (method, path) in [
        ("GET", "/csrs/%FF"),
        ("DELETE", "/csrs/%FF"),
        ("POST", "/csrs/%FF/retire"),
        ("PUT", "/csrs/%FF/certificate"),
        ("GET", "/csrs/%FF/certificate"),
        ("GET", "/keys/%FF"),
        ("DELETE", "/keys/%FF"),
        ("GET", "/tokens/%FF/slots"),
        ("GET", "/principals/%FF"),
        ("PATCH", "/principals/%FF"),
        ("PUT", "/principals/%FF/grants/reader"),
        ("DELETE", "/principals/%FF/grants/reader"),
        ("DELETE", "/credentials/%FF"),
    ] {
        let anonymous = service.request(method, path, &[("authorization", "")], None);
        anonymous.problem(401, "auth.unauthenticated");
    }
}

#[test]
fn a_request_id_is_in_the_header_and_in_the_problem() {
    let appliance = Appliance::new();
    let service = appliance.start_ready();
    let reply = service.get(&format!("/csrs/{UNKNOWN}"));
    let id = reply.header("x-request-id").unwrap().to_owned();
    assert_eq!(reply.problem(404, "not-found")["request_id"], id);
    assert_ne!(service.get("/csrs").header("x-request-id").unwrap(), id);
}

const JSON: [(&str, &str); 1] = [("content-type", "application/json")];
const CHUNKED: [&str; 1] = ["Transfer-Encoding: chunked"];

/// Posts each body and compares the one broken rule: its field, position and a part of the reason.
#[track_caller]
fn assert_refused_fields(cases: &[(Value, &str, Option<usize>, &str)]) {
    let appliance = Appliance::new();
    let service = appliance.start_ready();
    for (body, field, position, reason) in cases {
        let problem = service.post("/csrs", body).problem(400, "input.invalid");
        let errors = problem["errors"].as_array().unwrap();
        assert_eq!(errors.len(), 1, "{problem:#}");
        assert_eq!(errors[0]["field"], *field, "{body}: {problem:#}");
        assert_eq!(errors[0]["position"], position.map_or(Value::Null, Value::from), "{body}: {problem:#}");
        let told = errors[0]["reason"].as_str().unwrap();
        assert!(told.contains(reason), "no `{reason}` in `{told}`");
        assert!(problem["detail"].as_str().unwrap().contains(told), "{problem:#}");
    }
    assert_eq!(service.get("/csrs").json()["items"].as_array().unwrap().len(), 0, "nothing was recorded");
    assert_eq!(appliance.private_keys(), 1, "only the sentinel is on the token");
}

fn sans(sans: &[&str]) -> Value {
    json!({ "subject": "CN=a", "sans": sans })
}

/// The head of a request with a good API key, for what a well-behaved client would not send.
fn head(service: &Service<'_>, method: &str, path: &str, more: &[&str]) -> String {
    let more: String = more.iter().map(|line| format!("{line}\r\n")).collect();
    format!(
        "{method} /strongroom/v1{path} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\
         Authorization: Bearer {}\r\nContent-Type: application/json\r\n{more}\r\n",
        service.api_key()
    )
}

/// What the service answers until it closes the connection.
fn exchange(service: &Service<'_>, request: &[u8]) -> String {
    let mut stream = connect(service);
    // The service may answer and close before it has read everything.
    let _ = stream.write_all(request);
    let mut answer = Vec::new();
    let _ = stream.read_to_end(&mut answer);
    String::from_utf8_lossy(&answer).into_owned()
}

fn connect(service: &Service<'_>) -> TcpStream {
    let stream = TcpStream::connect(service.address()).unwrap();
    stream.set_read_timeout(Some(LONG)).unwrap();
    stream
}
