//! The command line: what it prints, how it ends, and where a PIN may come from.

use std::io::{BufRead, BufReader, Read, Write};
use std::os::unix::net::UnixListener;
use std::process::{Command, Output, Stdio};
use std::thread::JoinHandle;

use serde_json::{Value, json};

use crate::certificates::Ca;
use crate::harness::{Appliance, BINARY, PIN, Service};
use crate::openssl;
use crate::redact::redacted;

mod every_command;

const UNKNOWN: &str = "019aa5b2-5c3e-7c61-9d3f-0a4a6f2f8e11";

#[test]
fn help_says_what_there_is() {
    let commands = [
        "",
        "serve",
        "check-config",
        "slot",
        "slot list",
        "slot show",
        "slot init",
        "slot set-pin",
        "slot change-pin",
        "token",
        "token list",
        "token show",
        "token probe",
        "token accept",
        "csr",
        "csr new",
        "csr list",
        "csr show",
        "csr renew",
        "csr cancel",
        "csr retire",
        "csr marry",
        "csr inspect",
        "key",
        "key list",
        "key show",
        "key destroy",
        "key reconcile",
        "ca",
        "ca new",
        "ca list",
        "ca show",
        "ca csr",
        "ca import",
        "ca issue",
        "ca issued",
        "ca revoke",
        "ca crl",
        "ca renew",
        "ca disable",
        "ca enable",
        "ca delete",
        "template",
        "template check",
        "template try",
        "principal",
        "principal bootstrap",
        "principal new",
        "principal list",
        "principal show",
        "principal grant",
        "principal revoke",
        "principal disable",
        "principal enable",
        "api-key",
        "api-key new",
        "api-key list",
        "api-key revoke",
        "credential",
        "credential new",
        "credential list",
        "credential revoke",
        "tenant",
        "tenant new",
        "tenant list",
        "audit",
        "audit show",
        "audit verify",
        "audit checkpoint",
        "audit export",
        "audit forget-key",
        "audit restart-chain",
        "backup",
        "backup verify",
        "restore",
        "doctor",
        "completions",
        "man",
    ];
    let mut help = String::new();
    for command in commands {
        let output = Command::new(BINARY).args(command.split_whitespace()).arg("--help").output().unwrap();
        assert_eq!(output.status.code(), Some(0), "{command}");
        help += &format!("$ strongroom {command} --help\n{}\n", String::from_utf8(output.stdout).unwrap());
    }
    insta::assert_snapshot!(help);
}

#[test]
fn tables_and_facts_for_people() {
    let appliance = Appliance::new();
    let service = appliance.start_ready();
    let mut seen = String::new();
    let mut look = |args: &[&str]| {
        let output = appliance.cli(args);
        seen += &format!("$ strongroom {}\n{}\n", args.join(" "), done(&output));
    };
    look(&["csr", "list"]);
    look(&[
        "csr",
        "new",
        "--subject",
        "CN=www.example.com,O=Example",
        "--san",
        "DNS:www.example.com",
        "--san",
        "IP:192.0.2.1",
        "--key-usage",
        "digitalSignature",
        "--eku",
        "serverAuth",
    ]);
    let csr = service.get("/csrs").json()["items"][0].clone();
    let (handle, key) = (csr["handle"].as_str().unwrap(), csr["key"].as_str().unwrap());
    let shown = service.get(&format!("/csrs/{handle}")).json();
    let certificate = appliance.path("certificate.pem");
    std::fs::write(&certificate, Ca::new("Example CA").issue(shown["csr"].as_str().unwrap()).pem()).unwrap();
    look(&["csr", "new", "--san", "DNS:renewed.example.com", "--key", key]);
    look(&["csr", "marry", handle, certificate.to_str().unwrap()]);
    let renewal = service.get("/csrs").json()["items"][0]["handle"].as_str().unwrap().to_owned();
    look(&["csr", "cancel", &renewal]);
    look(&["csr", "list"]);
    look(&["csr", "list", "--status", "issued", "--name", "WWW", "--kind", "ec-p256", "--limit", "1"]);
    look(&["csr", "show", handle]);
    look(&["key", "list"]);
    look(&["key", "show", key]);
    look(&["check-config"]);
    insta::assert_snapshot!(redacted(&seen, &appliance));
}

#[test]
fn json_for_machines_is_what_the_api_says() {
    let appliance = Appliance::new();
    let service = appliance.start_ready();
    let json = |args: &[&str]| -> Value {
        serde_json::from_str(&done(&appliance.cli(&[args, &["--json"]].concat()))).unwrap()
    };
    let made = json(&["csr", "new", "--subject", "/O=Example/CN=a.example.com"]);
    let handle = made["handle"].as_str().unwrap();
    let key = made["key"]["handle"].as_str().unwrap();
    assert_eq!(made, service.get(&format!("/csrs/{handle}")).json());
    assert_eq!(json(&["csr", "show", handle]), made);
    assert_eq!(json(&["csr", "list"]), service.get("/csrs").json());
    assert_eq!(json(&["key", "list"]), service.get("/keys").json());
    assert_eq!(json(&["key", "show", key]), service.get(&format!("/keys/{key}")).json());
    assert_eq!(json(&["slot", "list"]), service.get("/tokens/main/slots").json());
    assert_eq!(json(&["check-config"])["tokens"], serde_json::json!(["main"]));
    assert_eq!(json(&["csr", "cancel", handle])["key_fate"], "destroyed");
}

#[test]
fn a_list_goes_on_where_it_says() {
    let appliance = Appliance::new();
    let service = appliance.start_ready();
    for name in ["a", "b", "c"] {
        service.create(name);
    }
    for noun in ["csr", "key"] {
        let first = appliance.cli(&[noun, "list", "--limit", "2"]);
        assert_eq!(done(&first).lines().count(), 3, "a heading and two rows");
        let talk = String::from_utf8(first.stderr).unwrap();
        let cursor = talk.trim().strip_prefix("more with --cursor ").unwrap();
        let rest = appliance.cli(&[noun, "list", "--cursor", cursor]);
        let left = if noun == "csr" { 1 } else { 2 };
        assert_eq!(done(&rest).lines().count(), 1 + left, "{noun}");
        assert_eq!(rest.stderr, b"");
    }
}

#[test]
fn pem_on_standard_output_is_for_pipes() {
    let appliance = Appliance::new();
    let service = appliance.start_ready();
    let csr = service.create("a.example.com");
    let handle = csr["handle"].as_str().unwrap();
    let pem = done(&appliance.cli(&["csr", "show", handle, "--pem"]));
    assert_eq!(pem, csr["csr"].as_str().unwrap());
    openssl::verified_text(&pem);

    let certificate = Ca::new("Example CA").issue(&pem);
    let mut marry = appliance
        .command(&["csr", "marry", handle, "-"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    marry.stdin.take().unwrap().write_all(certificate.der()).unwrap();
    done(&marry.wait_with_output().unwrap());
    assert_eq!(service.get(&format!("/csrs/{handle}")).json()["status"], "issued");
}

#[test]
fn a_repetition_with_an_idempotency_key_makes_no_second_key() {
    let appliance = Appliance::new();
    let service = appliance.start_ready();
    let new = ["csr", "new", "--subject", "CN=a", "--idempotency-key", "order-1"];
    assert_eq!(done(&appliance.cli(&new)), done(&appliance.cli(&new)));
    assert_eq!(service.get("/csrs").json()["items"].as_array().unwrap().len(), 1);
}

#[test]
fn a_slow_key_is_waited_for_or_not() {
    let appliance = Appliance::with_chaos();
    let service = appliance.start_ready();
    appliance.chaos_rules("C_GenerateKeyPair every sleep-ms=1000");
    let left = done(&appliance.cli(&["csr", "new", "--subject", "CN=later", "--no-wait", "--json"]));
    let left: Value = serde_json::from_str(&left).unwrap();
    assert_eq!(left["status"], "intent");
    let waited = appliance.cli(&["csr", "new", "--subject", "CN=now", "--json"]);
    assert_eq!(waited.stderr, b"", "no spinner where nobody looks");
    let waited: Value = serde_json::from_str(&done(&waited)).unwrap();
    assert_eq!(waited["status"], "pending");
    let path = format!("/csrs/{}", left["handle"].as_str().unwrap());
    service.await_that("the other is made too", || service.get(&path).json()["status"] == "pending");
}

#[test]
fn the_exit_code_tells_what_to_do() {
    let appliance = Appliance::new();
    let mut seen = String::new();
    let mut ends = |code: i32, args: &[&str]| {
        let output = appliance.cli(args);
        let said = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(code), "{args:?}: {said}");
        assert_eq!(output.stdout, b"", "{args:?}");
        seen += &format!("$ strongroom {}\n{said}[{code}]\n\n", args.join(" "));
    };
    ends(3, &["csr", "list"]);
    let mut service = appliance.start_ready();
    ends(1, &["csr", "new", "--subject", "CN=a,O"]);
    ends(1, &["csr", "new", "--subject", "CN=a", "--san", "DNS:*.com", "--kind", "rsa-1024"]);
    ends(1, &["csr", "show", UNKNOWN]);
    ends(1, &["csr", "cancel", "../keys"]);
    ends(1, &["csr", "marry", UNKNOWN, "nowhere.pem"]);
    ends(1, &["key", "show", UNKNOWN]);
    ends(1, &["slot", "list", "--token", "other"]);
    ends(2, &["csr", "nwe"]);
    ends(2, &["csr", "new", "--key", UNKNOWN, "--kind", "ec-p256"]);
    ends(2, &["csr", "new", "--path-length", "1"]);
    ends(2, &["--config", "/nowhere.toml", "csr", "list"]);
    service.stop();
    ends(3, &["csr", "list"]);
    insta::assert_snapshot!(redacted(&seen, &appliance));
}

#[test]
fn failures_for_machines_are_json_too() {
    let appliance = Appliance::new();
    let failure = |code: i32, args: &[&str]| -> Value {
        let output = appliance.cli(&[args, &["--json"]].concat());
        assert_eq!(output.status.code(), Some(code), "{output:?}");
        assert_eq!(output.stdout, b"");
        serde_json::from_slice(&output.stderr).unwrap_or_else(|error| panic!("{error}: {output:?}"))
    };
    let not_running = failure(3, &["csr", "list"]);
    assert!(not_running["error"].as_str().unwrap().contains("cannot read the API key file"), "{not_running}");
    let service = appliance.start_ready();
    let mut problem = failure(1, &["csr", "new", "--subject", "CN=a,O"]);
    let mut told = service.post("/csrs", &json!({ "subject": "CN=a,O" })).json();
    for document in [&mut problem, &mut told] {
        assert!(document["request_id"].take().is_string());
    }
    assert_eq!(problem, told);
    assert_eq!(failure(1, &["key", "show", UNKNOWN])["code"], "not-found");
    let broken = failure(2, &["--config", "/nowhere.toml", "check-config"]);
    assert_eq!(
        broken,
        json!({ "error": "cannot read /nowhere.toml: No such file or directory (os error 2)" })
    );
}

#[test]
fn a_request_that_ends_without_a_csr_is_no_success() {
    let appliance = Appliance::new();
    let mut service = appliance.start_ready();
    let mut csr = service.create("a.example.com");
    service.stop();
    let handle = csr["handle"].as_str().unwrap().to_owned();
    csr["csr"] = Value::Null;
    let in_state = |state: &str| {
        let mut csr = csr.clone();
        csr["status"] = json!(state);
        csr
    };
    for (state, code) in [("cancelled", 1), ("failed", 2), ("quarantined", 2)] {
        let answers = vec![(202, in_state("intent")), (200, in_state("generated")), (200, in_state(state))];
        let fake = fake_service(&appliance, answers);
        let ended = appliance.cli(&["csr", "new", "--subject", "CN=a"]);
        let said = String::from_utf8_lossy(&ended.stderr).into_owned();
        assert_eq!(ended.status.code(), Some(code), "{state}: {said}");
        assert!(said.contains(&format!("signing request {handle} is {state}")), "{said}");
        assert_eq!(ended.stdout, b"", "{state}");
        fake.join().unwrap();
    }
}

#[test]
fn a_token_is_made_in_a_free_slot_and_only_once() {
    let appliance = Appliance::without_token();
    appliance.write_private("so-pin", "security-officer");
    let listed = done(&appliance.cli(&["slot", "list"]));
    let free: Vec<_> = listed.lines().skip(1).collect();
    assert!(free.len() == 1 && free[0].contains(" no ") && !free[0].contains("test-token"), "{listed}");

    let init =
        ["slot", "init", "--so-pin-file", appliance.path("so-pin").to_str().unwrap()].map(str::to_owned);
    let init: Vec<&str> = init.iter().map(String::as_str).collect();
    let made = done(&appliance.cli(&init));
    assert!(made.contains("test-token") && made.contains(" yes "), "{made}");
    let listed = done(&appliance.cli(&["slot", "list"]));
    assert_eq!(listed.lines().count(), 3, "the token and the next free slot: {listed}");

    let again = appliance.cli(&init);
    let said = String::from_utf8_lossy(&again.stderr).into_owned();
    assert_eq!(again.status.code(), Some(1), "{said}");
    assert!(said.contains("a token with the label `test-token` already"), "{said}");
    appliance.start_ready().create("a.example.com");
}

#[test]
fn slot_commands_go_through_the_service_while_it_runs() {
    let appliance = Appliance::new();
    let service = appliance.start_ready();
    appliance.write_private("so-pin", "security-officer");
    let worker = service.worker_pid();
    let listed = done(&appliance.cli(&["slot", "list"]));
    let serial = service.get("/tokens").json()["items"][0]["info"]["serial"].as_str().unwrap().to_owned();
    assert!(listed.contains("test-token") && listed.contains(&serial), "{listed}");

    let init = appliance.cli(&["slot", "init", "--so-pin-file", appliance.path("so-pin").to_str().unwrap()]);
    let said = String::from_utf8_lossy(&init.stderr).into_owned();
    assert_eq!(init.status.code(), Some(1), "{said}");
    assert!(said.contains("the service works with token `main`, so it exists already"), "{said}");
    assert_eq!(service.worker_pid(), worker, "the worker was left alone");
}

#[test]
fn a_token_that_is_made_while_the_service_runs_is_taken_into_use() {
    let appliance = Appliance::without_token();
    appliance.write_private("so-pin", "security-officer");
    let service = appliance.start();
    service.await_that("the token is missed", || {
        service.get("/tokens").json()["items"][0]["problem"].to_string().contains("test-token")
    });
    let so_pin = appliance.path("so-pin");
    // The service's worker, looking for the token, may hold its lock for a moment.
    service.await_that("the token is made", || {
        appliance.cli(&["slot", "init", "--so-pin-file", so_pin.to_str().unwrap()]).status.success()
    });
    service.await_ready();
    service.create("a.example.com");
}

#[test]
fn pins_come_from_files_and_descriptors_and_never_from_arguments() {
    let appliance = Appliance::without_token();
    std::fs::remove_file(appliance.path("pin")).unwrap();
    appliance.write_private("user", &format!("{PIN}\n"));
    appliance.write_private("officer", "security-officer\r\n");

    for argument in ["--pin", "--so-pin"] {
        let refused = appliance.cli(&["slot", "init", argument, "1234-canary"]);
        let said = String::from_utf8_lossy(&refused.stderr).into_owned();
        assert_eq!(refused.status.code(), Some(2), "{said}");
        assert!(said.contains(&format!("unexpected argument '{argument}'")), "{said}");
        assert!(!said.contains("1234-canary"), "{said}");
    }
    let nobody_to_ask = appliance.cli(&["slot", "init"]);
    let said = String::from_utf8_lossy(&nobody_to_ask.stderr).into_owned();
    assert_eq!(nobody_to_ask.status.code(), Some(2), "{said}");
    assert!(said.contains("cannot ask for the user PIN on the terminal"), "{said}");
    appliance.write_private("empty", "\n");
    let empty = appliance.cli(&["slot", "init", "--pin-file", appliance.path("empty").to_str().unwrap()]);
    assert_eq!(empty.status.code(), Some(1));
    assert_eq!(String::from_utf8_lossy(&empty.stderr), "error: the user PIN is empty\n");

    let script = r#"exec 3<"$1" 4<"$2"; exec "$0" slot init --pin-fd 3 --so-pin-fd 4"#;
    let output = Command::new("sh")
        .args(["-c", script, BINARY])
        .args([appliance.path("user"), appliance.path("officer")])
        .env("STRONGROOM_CONFIG", appliance.path("strongroom.toml"))
        .output()
        .unwrap();
    assert!(done(&output).contains("test-token"));
    assert_eq!(appliance.objects(), [], "the PIN from the descriptor opens the token");
}

#[test]
fn secrets_are_in_no_output() {
    let appliance = Appliance::new();
    appliance.write_private("so-pin", "officer-canary");
    let service = appliance.start_ready();
    let so_pin = appliance.path("so-pin");
    let handle = made(&service);
    let commands: [&[&str]; 9] = [
        &["check-config", "--json"],
        &["slot", "list"],
        &["slot", "init", "--so-pin-file", so_pin.to_str().unwrap()],
        &["csr", "new", "--subject", "CN=a", "--json"],
        &["csr", "new", "--subject", "CN=a,O"],
        &["csr", "list", "--json"],
        &["csr", "show", &handle],
        &["key", "list", "--json"],
        &["serve"],
    ];
    for args in commands {
        let output = appliance.command(args).env("RUST_LOG", "trace").output().unwrap();
        let said = [output.stdout, output.stderr].concat();
        assert!(!said.is_empty(), "{args:?}");
        let said = String::from_utf8_lossy(&said);
        for secret in [PIN, service.api_key(), "officer-canary"] {
            assert!(!said.contains(secret), "{args:?} says `{secret}`: {said}");
        }
    }
}

/// What a command printed that must have succeeded.
#[track_caller]
fn done(output: &Output) -> String {
    assert_eq!(output.status.code(), Some(0), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout.clone()).unwrap()
}

/// In place of the service: gives these answers, one per connection, whatever is asked.
fn fake_service(appliance: &Appliance, answers: Vec<(u16, Value)>) -> JoinHandle<()> {
    let socket = appliance.data("strongroom.sock");
    let _ = std::fs::remove_file(&socket);
    let listener = UnixListener::bind(&socket).unwrap();
    std::thread::spawn(move || {
        for (status, body) in answers {
            let (mut stream, _) = listener.accept().unwrap();
            let mut asked = BufReader::new(stream.try_clone().unwrap());
            let mut length = 0;
            loop {
                let mut line = String::new();
                asked.read_line(&mut line).unwrap();
                match line.trim().split_once(": ") {
                    Some(("content-length", value)) => length = value.parse().unwrap(),
                    None if line.trim().is_empty() => break,
                    _ => {}
                }
            }
            asked.read_exact(&mut vec![0; length]).unwrap();
            let body = body.to_string();
            let length = body.len();
            let head = format!("HTTP/1.1 {status} Fake\r\nContent-Length: {length}\r\n\r\n");
            stream.write_all((head + &body).as_bytes()).unwrap();
        }
    })
}

fn made(service: &Service<'_>) -> String {
    service.create("a.example.com")["handle"].as_str().unwrap().to_owned()
}
