//! Credentials: each kind, its end, and what guessing costs.

use std::io::{Read, Write};
use std::os::unix::net::UnixStream;
use std::os::unix::process::CommandExt;
use std::process::Command;

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use serde_json::{Value, json};

use super::Office;
use crate::harness::{Appliance, Service, p256};

#[test]
fn a_revoked_or_expired_key_and_a_disabled_principal_end_with_the_next_request() {
    let appliance = Appliance::new();
    let service = appliance.start_ready();
    let office = Office::open(&appliance, &service);
    let bob = office.hire("bob", &[("requester", None)]);
    let keyed = [("idempotency-key", "once"), ("authorization", &format!("Bearer {bob}"))];
    let first = service.post_with("/csrs", &keyed, &p256("a")).expect(201).bytes;
    assert_eq!(service.post_with("/csrs", &keyed, &p256("a")).expect(201).bytes, first);

    office.manage("PATCH", "/principals/bob", Some(&json!({ "enabled": false }))).expect(200);
    office.call(&bob, "GET", "/csrs", None).problem(401, "auth.unauthenticated");
    office.manage("PATCH", "/principals/bob", Some(&json!({ "enabled": true }))).expect(200);
    office.call(&bob, "GET", "/csrs", None).expect(200);

    // Authorised again before a replay.
    office.manage("DELETE", "/principals/bob/grants/requester", None).expect(200);
    service.post_with("/csrs", &keyed, &p256("a")).problem(403, "access.denied");
    office.manage("PUT", "/principals/bob/grants/requester", None).expect(200);
    assert_eq!(service.post_with("/csrs", &keyed, &p256("a")).expect(201).bytes, first);

    let handle = office.key_of("bob");
    office.manage("DELETE", &format!("/credentials/{handle}"), None).expect(200);
    service.post_with("/csrs", &keyed, &p256("a")).problem(401, "auth.unauthenticated");
    office.manage("DELETE", &format!("/credentials/{handle}"), None).problem(409, "credential.revoked");

    let past = json!({ "principal": "bob", "kind": "api-key", "expires_at": "2020-01-01T00:00:00Z" });
    office.manage("POST", "/credentials", Some(&past)).problem(400, "input.invalid");
    let soon = (jiff::Timestamp::now() + jiff::SignedDuration::from_millis(1200)).to_string();
    let wanted = json!({ "principal": "bob", "kind": "api-key", "expires_at": soon });
    let issued = office.manage("POST", "/credentials", Some(&wanted)).expect(201).json();
    let expiring = issued["secret"].as_str().unwrap();
    service.await_that("the key expires", || office.call(expiring, "GET", "/csrs", None).status == 401);
}

#[test]
fn everybody_rotates_his_own_secrets_and_no_others() {
    let appliance = Appliance::new();
    let service = appliance.start();
    let office = Office::open(&appliance, &service);
    let bob = office.hire("bob", &[("reader", None)]);
    office.hire("carol", &[("reader", None)]);
    let issue = |key: &str, wanted: Value| office.call(key, "POST", "/credentials", Some(&wanted));
    let limit = (jiff::Timestamp::now() + jiff::SignedDuration::from_hours(1)).to_string();
    let later = (jiff::Timestamp::now() + jiff::SignedDuration::from_hours(2)).to_string();

    let wanted = json!({ "principal": "bob", "kind": "api-key", "expires_at": limit });
    let rotated = issue(&bob, wanted.clone()).expect(201).json()["secret"].as_str().unwrap().to_owned();
    for beyond in [json!(null), json!(later)] {
        let wanted = json!({ "principal": "bob", "kind": "api-key", "expires_at": beyond });
        issue(&rotated, wanted).problem(403, "access.denied");
    }
    issue(&rotated, wanted).expect(201);
    issue(&bob, json!({ "principal": "carol", "kind": "api-key" })).problem(403, "access.denied");
    issue(&bob, json!({ "principal": "bob", "kind": "uid", "uid": 4711 })).problem(403, "access.denied");

    let carols = office.key_of("carol");
    office.call(&bob, "DELETE", &format!("/credentials/{carols}"), None).problem(404, "not-found");
    office.call(&bob, "GET", "/credentials?principal=carol", None).problem(403, "access.denied");
    let own = office.call(&bob, "GET", "/credentials", None).expect(200).json();
    assert_eq!(own["items"].as_array().unwrap().len(), 3);
    assert!(!own.to_string().contains(&rotated), "{own}");
    let handle = own["items"][0]["handle"].as_str().unwrap();
    office.call(&rotated, "DELETE", &format!("/credentials/{handle}"), None).expect(200);
    office.call(&bob, "GET", "/credentials", None).problem(401, "auth.unauthenticated");
}

#[test]
fn a_basic_secret_goes_with_the_name_of_its_principal() {
    let appliance = Appliance::new();
    let service = appliance.start();
    let office = Office::open(&appliance, &service);
    office.hire("legacy", &[("reader", None)]);
    let wanted = json!({ "principal": "legacy", "kind": "basic" });
    let issued = office.manage("POST", "/credentials", Some(&wanted)).expect(201).json();
    let secret = issued["secret"].as_str().unwrap();
    assert!(secret.starts_with("srb_"), "{secret}");
    let with = |user: &str, secret: &str| {
        let value = format!("Basic {}", BASE64_STANDARD.encode(format!("{user}:{secret}")));
        service.request("GET", "/csrs", &[("authorization", &value)], None)
    };
    with("legacy", secret).expect(200);
    with("alice", secret).problem(401, "auth.unauthenticated");
    with("legacy", &office.admin).problem(401, "auth.unauthenticated");
    office.call(secret, "GET", "/csrs", None).problem(401, "auth.unauthenticated");
}

#[test]
fn a_uid_is_known_by_the_socket_when_it_is_mapped() {
    let appliance = Appliance::new();
    let service = appliance.start();
    let office = Office::open(&appliance, &service);
    office.hire("bob", &[("reader", None)]);
    for uid in [0, rustix::process::geteuid().as_raw()] {
        let wanted = json!({ "principal": "bob", "kind": "uid", "uid": uid });
        office.manage("POST", "/credentials", Some(&wanted)).problem(422, "credential.uid");
    }
    assert!(over_socket(&appliance).starts_with("HTTP/1.1 401 "), "root is nobody without a credential");

    open_to_all(&appliance);
    let as_bob = || over_socket_as_another(&appliance, "GET /strongroom/v1/csrs", "");
    assert!(as_bob().starts_with("HTTP/1.1 401 "), "an unmapped uid is nobody");
    let wanted = json!({ "principal": "bob", "kind": "uid", "uid": 4711 });
    office.manage("POST", "/credentials", Some(&wanted)).expect(201);
    office.manage("POST", "/credentials", Some(&wanted)).problem(409, "store.duplicate");
    assert!(as_bob().starts_with("HTTP/1.1 200 "), "{}", as_bob());
}

#[test]
fn another_user_of_the_machine_makes_no_first_admin() {
    let appliance = Appliance::new();
    let service = appliance.start();
    open_to_all(&appliance);
    let asked =
        || over_socket_as_another(&appliance, "POST /strongroom/v1/bootstrap", "{\"name\": \"mallory\"}");
    assert!(asked().starts_with("HTTP/1.1 403 "), "{}", asked());
    Office::open(&appliance, &service);
}

#[test]
fn root_and_the_services_user_stay_nobody_though_they_were_mapped_once() {
    let appliance = Appliance::new();
    let mut service = appliance.start();
    Office::open(&appliance, &service).hire("bob", &[("reader", None)]);
    service.stop();
    // As when the service ran as another user.
    let index = rusqlite::Connection::open(appliance.data("strongroom.db")).unwrap();
    let mapped = "INSERT INTO credentials (handle, principal, kind, verifier, from_file, created_at)
                  SELECT randomblob(16), handle, 'uid', ?1, 0, 0 FROM principals WHERE name = 'bob'";
    let uid = rustix::process::geteuid().as_raw().to_be_bytes();
    assert_eq!(index.execute(mapped, [uid.as_slice()]).unwrap(), 1);
    drop(index);
    let _service = appliance.start();
    assert!(over_socket(&appliance).starts_with("HTTP/1.1 401 "), "{}", over_socket(&appliance));
}

#[test]
fn a_header_that_tells_who_or_for_whom_stands_there_once() {
    let appliance = Appliance::new();
    let service = appliance.start();
    let key = format!("Bearer {}", service.api_key());
    let twice = |header: &str, values: [&str; 2]| {
        service.request("GET", "/csrs", &values.map(|value| (header, value)), None)
    };
    for values in [[key.as_str(), "Bearer srk_other"], ["", key.as_str()]] {
        twice("Authorization", values).problem(401, "auth.unauthenticated");
    }
    let problem = twice("Strongroom-Tenant", ["default", "other"]).problem(400, "input.invalid");
    assert_eq!(problem["errors"][0]["field"], "Strongroom-Tenant", "{problem:#}");
}

/// So that another user reaches the socket.
fn open_to_all(appliance: &Appliance) {
    use std::os::unix::fs::PermissionsExt;
    let mode = |path: &std::path::Path, mode| {
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).unwrap();
    };
    mode(&appliance.path(""), 0o711);
    mode(&appliance.data(""), 0o711);
    mode(&appliance.data("strongroom.sock"), 0o666);
}

/// The head of the answer that a user without any standing on this machine gets.
fn over_socket_as_another(appliance: &Appliance, request: &str, body: &str) -> String {
    let head = format!(
        "{request} HTTP/1.1\r\nHost: a\r\nConnection: close\r\nContent-Type: application/json\r\n\
         Content-Length: {}\r\n\r\n",
        body.len()
    );
    let script = "import socket, sys; s = socket.socket(socket.AF_UNIX); s.connect(sys.argv[1]); \
                  s.sendall(sys.argv[2].encode()); print(s.recv(64).decode())";
    let output = Command::new("python3")
        .args(["-c", script])
        .arg(appliance.data("strongroom.sock"))
        .arg(head + body)
        .uid(4711)
        .gid(4711)
        .output()
        .unwrap();
    String::from_utf8(output.stdout).unwrap()
}

/// The head of the answer to a list without any header, over the socket, as this process's user.
fn over_socket(appliance: &Appliance) -> String {
    let mut stream = UnixStream::connect(appliance.data("strongroom.sock")).unwrap();
    stream.write_all(b"GET /strongroom/v1/csrs HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n").unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer
}

fn with_limits<'a>(appliance: &'a Appliance, limits: &str) -> Service<'a> {
    let text = format!("{}\n[limits]\n{limits}\n", appliance.config_text());
    appliance.write_private("strongroom.toml", &text);
    appliance.start()
}

#[test]
fn guessing_is_stopped_for_an_address_and_not_for_the_socket() {
    let appliance = Appliance::new();
    let service = with_limits(&appliance, "failed_logins_per_minute = 5");
    let guess = || service.request("GET", "/csrs", &[("authorization", "Bearer srk_guess")], None);
    for _ in 0..5 {
        guess().problem(401, "auth.unauthenticated");
    }
    let refused = guess();
    let wait: u64 = refused.header("retry-after").unwrap().parse().unwrap();
    assert!((1..=12).contains(&wait), "{wait}");
    refused.problem(429, "limit.logins");
    service.get("/csrs").problem(429, "limit.logins");
    assert_eq!(appliance.cli(&["csr", "list"]).status.code(), Some(0), "the socket is exempt");
}

#[test]
fn a_principal_that_asks_too_often_is_slowed_down_alone() {
    let appliance = Appliance::new();
    let service = with_limits(&appliance, "requests_per_second = 5");
    let office = Office::open(&appliance, &service);
    let mut limited = false;
    for _ in 0..200 {
        let reply = service.get("/csrs");
        if reply.status == 429 {
            assert_eq!(reply.header("retry-after"), Some("1"));
            reply.problem(429, "limit.requests");
            limited = true;
            break;
        }
    }
    assert!(limited, "200 requests in a row were let through");
    office.manage("GET", "/principals", None).expect(200);
}

#[test]
fn a_revoked_file_key_stays_revoked_and_the_file_can_be_switched_off() {
    let appliance = Appliance::new();
    let mut service = appliance.start();
    let (file_key, office) = (service.api_key().to_owned(), Office::open(&appliance, &service));
    let admin = office.admin.clone();
    let handle = office.key_of("operator");
    office.manage("DELETE", &format!("/credentials/{handle}"), None).expect(200);
    office.call(&file_key, "GET", "/csrs", None).problem(401, "auth.unauthenticated");
    service.stop();
    let mut service = appliance.start();
    service.get("/csrs").problem(401, "auth.unauthenticated");
    service.stop();

    std::fs::remove_file(appliance.data("api-key")).unwrap();
    let mut service = appliance.start();
    service.get("/csrs").expect(200);
    service.stop();
    let text = format!("{}\n[access]\napi_key_file = false\n", appliance.config_text());
    appliance.write_private("strongroom.toml", &text);
    let service = appliance.start();
    service.get("/csrs").problem(401, "auth.unauthenticated");
    let bearer = format!("Bearer {admin}");
    service.request("GET", "/principals", &[("authorization", &bearer)], None).expect(200);
}
