//! Starting with a configuration, a token or a data directory that is wrong, and what heals by itself.

use std::fs;
use std::process::Output;

use serde_json::Value;

use crate::harness::{Appliance, PIN, Service, p256, signal};

#[test]
fn an_unknown_token_label_is_told_with_the_labels_there_are() {
    let appliance = Appliance::new();
    let config = appliance.config_text().replace("\"test-token\"", "\"tset-token\"");
    appliance.write_private("strongroom.toml", &config);
    let service = appliance.start();
    let problem = await_problem(&service, "tset-token");
    assert!(problem.contains("test-token"), "the label there is: {problem}");
    assert_out_of_service(&service, 503, "hsm.token-not-found");
    service.get("/csrs").expect(200);
}

#[test]
fn two_tokens_with_one_label_are_told_with_their_serial_numbers() {
    let appliance = Appliance::new();
    appliance.init_token("test-token");
    let service = appliance.start();
    let problem = await_problem(&service, "test-token");
    let serials = serials(&problem);
    assert_eq!(serials.len(), 2, "{problem}");
    assert_out_of_service(&service, 502, "hsm.ambiguous");
    drop(service);

    let config =
        appliance.config_text().replace("pin_file", &format!("serial = \"{}\"\npin_file", serials[1]));
    appliance.write_private("strongroom.toml", &config);
    let service = appliance.start_ready();
    assert_eq!(service.get("/tokens").json()["items"][0]["info"]["serial"], serials[1]);
}

#[test]
fn a_wrong_pin_is_tried_once_and_heals_when_its_file_is_put_right() {
    let appliance = Appliance::with_chaos();
    appliance.write_private("pin", "not-the-pin");
    // Changes nothing: with it the log of the faults is a log of the logins.
    appliance.chaos_rules("C_Login every sleep-ms=1");
    let logins = || appliance.chaos_log().iter().filter(|line| line.starts_with("C_Login")).count();

    let mut service = appliance.start();
    let problem = await_problem(&service, "refused the PIN");
    let pin_file = appliance.path("pin");
    assert!(problem.contains(pin_file.to_str().unwrap()) && problem.contains("not tried again"), "{problem}");
    assert_out_of_service(&service, 502, "hsm.pin");
    service.await_that("two more workers have ended", || worker_ends(&appliance) >= 3);
    assert_eq!(logins(), 1);

    service.kill();
    drop(service);
    let service = appliance.start();
    await_problem(&service, "refused the PIN");
    assert_eq!(logins(), 1, "a restart tries the PIN again");

    appliance.write_private("pin", PIN);
    service.await_ready();
    service.create("a.example.com");
}

#[test]
fn a_pin_file_that_others_may_read_is_not_used() {
    let appliance = Appliance::new();
    let open = std::os::unix::fs::PermissionsExt::from_mode(0o644);
    fs::set_permissions(appliance.path("pin"), open).unwrap();
    let service = appliance.start();
    let problem = await_problem(&service, "the PIN file");
    assert!(problem.contains("chmod 600"), "{problem}");
    assert_out_of_service(&service, 503, "hsm.misconfigured");
}

#[test]
fn a_token_directory_that_vanished_is_an_outage_that_heals() {
    let appliance = Appliance::new();
    let service = appliance.start_ready();
    let csr = service.create("a.example.com");
    fs::rename(appliance.path("softhsm"), appliance.path("elsewhere")).unwrap();
    service.await_that("the service is not ready", || service.get("//readyz").status == 503);
    let refused = service.post("/csrs", &p256("b.example.com"));
    assert_eq!(refused.status, 503, "{refused:?}");
    assert!(refused.header("retry-after").is_some(), "{refused:?}");
    service.get("/csrs").expect(200);

    fs::rename(appliance.path("elsewhere"), appliance.path("softhsm")).unwrap();
    service.await_ready();
    service.create("c.example.com");
    let key = csr["key"]["handle"].as_str().unwrap();
    assert_eq!(service.get(&format!("/keys/{key}")).json()["state"], "present", "no key was given up");
}

#[test]
fn a_module_that_is_not_there_is_named() {
    let appliance = Appliance::new();
    let config = appliance.config_text().replace("label", "module = \"/nowhere/lib.so\"\nlabel");
    appliance.write_private("strongroom.toml", &config);
    let service = appliance.start();
    await_problem(&service, "/nowhere/lib.so");
    assert_out_of_service(&service, 503, "hsm.misconfigured");
}

#[test]
fn a_database_of_a_newer_program_is_refused_with_both_versions() {
    let appliance = Appliance::new();
    appliance.start_ready().stop();
    let database = appliance.data("strongroom.db");
    let connection = rusqlite::Connection::open(&database).unwrap();
    connection.pragma_update(None, "user_version", 4711).unwrap();
    drop(connection);
    let said = refused_to_start(&appliance);
    let known = "schema version 4711, this strongroom knows versions up to ";
    assert!(said.contains(known) && said.contains(database.to_str().unwrap()), "{said}");
}

#[test]
fn a_typo_in_the_configuration_is_told_with_its_line() {
    let appliance = Appliance::new();
    let config = appliance.config_text().replace("label", "lable");
    let line = 1 + config.lines().position(|line| line.starts_with("lable")).unwrap();
    appliance.write_private("strongroom.toml", &config);
    for command in ["check-config", "serve"] {
        let said = refused(&appliance.cli(&[command]));
        let path = appliance.path("strongroom.toml");
        assert!(said.contains(&format!("line {line}")), "{said}");
        assert!(said.contains("unknown field `lable`") && said.contains(path.to_str().unwrap()), "{said}");
    }
}

#[test]
fn a_configuration_that_is_wrong_is_told_what_would_be_right() {
    let appliance = Appliance::new();
    let good = appliance.config_text();
    for (from, to, expected) in [
        ("version = 1", "version = 2", "version 1 of the file; the file says version 2"),
        ("version = 1", "", "the first line must be `version = 1`"),
        ("\"softhsm2\"", "\"softhsm3\"", "softhsm3"),
        ("label = \"test-token\"", "", "needs `label` or `serial`"),
        ("127.0.0.1:0", "0.0.0.0:0", "not a loopback address"),
    ] {
        assert!(good.contains(from), "{from}");
        appliance.write_private("strongroom.toml", &good.replace(from, to));
        let said = refused(&appliance.cli(&["check-config"]));
        assert!(said.contains(expected), "no `{expected}` in `{said}`");
    }
    fs::remove_file(appliance.path("strongroom.toml")).unwrap();
    assert!(refused(&appliance.cli(&["check-config"])).contains("cannot read"));
}

#[test]
fn a_data_directory_has_one_service() {
    let appliance = Appliance::new();
    let mut service = appliance.start_ready();
    let said = refused_to_start(&appliance);
    let lock = appliance.data("strongroom.lock");
    assert!(said.contains("another strongroom serves") && said.contains(lock.to_str().unwrap()), "{said}");
    service.create("a.example.com");
    service.stop();
    drop(service);
    appliance.start_ready();
}

#[test]
fn a_port_that_is_taken_is_named() {
    let appliance = Appliance::new();
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    appliance.write_private("strongroom.toml", &appliance.config_text().replace("127.0.0.1:0", &address));
    assert!(refused_to_start(&appliance).contains(&format!("cannot listen on {address}")));
}

#[test]
fn a_stop_ends_in_good_order_and_a_start_goes_on() {
    let appliance = Appliance::new();
    let mut service = appliance.start_ready();
    let csr = service.create("a.example.com");
    assert!(service.stop().success());
    assert!(!appliance.data("strongroom.sock").exists());
    drop(service);
    let service = appliance.start_ready();
    let shown = service.get(&format!("/csrs/{}", csr["handle"].as_str().unwrap())).expect(200).json();
    assert_eq!(shown, csr);
}

#[test]
fn a_stop_waits_for_the_create_that_is_being_answered() {
    let appliance = Appliance::with_chaos();
    let mut service = appliance.start_ready();
    appliance.chaos_rules("C_GenerateKeyPair nth=1 sleep-ms=1500");
    let made = std::thread::scope(|scope| {
        let making = scope.spawn(|| service.post("/csrs", &p256("slow.example.com")));
        service.await_that("the token is at it", || {
            let reply = service.get("//metrics").expect(200);
            String::from_utf8(reply.bytes).unwrap().contains("strongroom_keys_being_made 1")
        });
        signal(service.pid(), "TERM");
        making.join().unwrap().expect(201).json()
    });
    assert!(service.await_exit().success());
    drop(service);
    let service = appliance.start_ready();
    assert_eq!(service.get(&format!("/csrs/{}", made["handle"].as_str().unwrap())).expect(200).json(), made);
}

/// Waits until the only token has a problem that says so; answers all of it.
#[track_caller]
fn await_problem(service: &Service<'_>, says: &str) -> String {
    let mut problem = String::new();
    service.await_that(&format!("the token's problem says `{says}`"), || {
        let token = service.get("/tokens").expect(200).json()["items"][0].clone();
        problem = token["problem"].as_str().unwrap_or_default().to_owned();
        token["ready"] == false && problem.contains(says)
    });
    problem
}

/// Alive, not ready, and a create is refused with the reason.
#[track_caller]
fn assert_out_of_service(service: &Service<'_>, status: u16, code: &str) {
    service.get("//livez").expect(200);
    let ready = service.get("//readyz").expect(503).json();
    assert_eq!(ready, serde_json::json!({ "ready": false, "tokens": { "waiting-for-token": 1 } }));
    let mut problem = Value::Null;
    // Between two workers the token is starting, which has a code of its own.
    service.await_that(&format!("a create is refused with {code}"), || {
        let reply = service.post("/csrs", &p256("a.example.com"));
        assert!(!(200..300).contains(&reply.status), "{reply:?}");
        problem = reply.json();
        problem["code"] == code
    });
    assert_eq!(problem["status"], status, "{problem}");
}

fn worker_ends(appliance: &Appliance) -> usize {
    appliance.log().matches("the token's worker ended").count()
}

/// The serial numbers, 16 hexadecimal digits each, that a text names.
fn serials(text: &str) -> Vec<&str> {
    let words = text.split(|c: char| !c.is_ascii_alphanumeric());
    words.filter(|word| word.len() == 16 && word.bytes().all(|b| b.is_ascii_hexdigit())).collect()
}

#[track_caller]
fn refused_to_start(appliance: &Appliance) -> String {
    refused(&appliance.cli(&["serve"]))
}

/// What a command said that ended with a usage or configuration error.
#[track_caller]
fn refused(output: &Output) -> String {
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(2), "{said}");
    assert!(said.starts_with("error: "), "{said}");
    assert_eq!(output.stdout, b"");
    said
}
