//! `strongroom doctor`: with and without a service, well and ill. It never tries a PIN.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::time::{Duration, SystemTime};

use rcgen::{CertificateParams, KeyPair};
use serde_json::Value;
use strongroom::domain::audit::{Actor, Event};
use strongroom::domain::clock::Timestamp;
use strongroom::domain::id::InstallationId;
use strongroom::store::Store;

use crate::full::Disk;
use crate::harness::{Appliance, PIN};

#[test]
fn a_running_appliance_is_well_and_a_stopped_one_has_a_warning() {
    let appliance = Appliance::new();
    let mut service = appliance.start_ready();
    service.create("a.example.com");
    let (code, found) = examined(&appliance);
    assert_eq!(code, 0, "{found:#}");
    for check in ["configuration", "permissions", "PIN file", "index", "clock", "disk", "service", "token"] {
        assert_eq!(level(&found, check), "ok", "{found:#}");
    }
    service.stop();
    let (code, found) = examined(&appliance);
    assert_eq!(code, 1, "{found:#}");
    assert_eq!(level(&found, "service"), "warning");
    for check in ["module", "token", "index"] {
        assert_eq!(level(&found, check), "ok", "{found:#}");
    }
    let text = appliance.cli(&["doctor"]);
    let text = String::from_utf8(text.stdout).unwrap();
    assert!(text.contains("WARNING service: start it"), "{text}");
}

#[test]
fn each_thing_that_is_wrong_is_found_with_what_to_do() {
    let mut appliance = Appliance::new();
    appliance.start_ready().stop();
    let mode = |name: &str, mode| {
        fs::set_permissions(appliance.path(name), fs::Permissions::from_mode(mode)).unwrap();
    };
    let is_error = |check: &str, what: &str| {
        let (code, found) = examined(&appliance);
        assert_eq!(code, 2, "{found:#}");
        let finding = of(&found, check, "error").unwrap_or_else(|| panic!("no error of {check}: {found:#}"));
        assert!(finding["found"].as_str().unwrap().contains(what), "{finding:#}");
        assert!(!finding["advice"].as_str().unwrap().is_empty());
    };
    for (name, was) in [("data/strongroom.db", 0o600), ("data/api-key", 0o600), ("data", 0o700)] {
        mode(name, 0o777);
        is_error("permissions", name);
        mode(name, was);
    }
    mode("pin", 0o644);
    is_error("PIN file", "open to group or others");
    fs::remove_file(appliance.path("pin")).unwrap();
    is_error("PIN file", "is not there");
    appliance.write_private("pin", "");
    is_error("PIN file", "is empty");
    appliance.write_private("pin", PIN);

    fs::write(appliance.path("softhsm2.conf"), "directories.tokendir = /nowhere\n").unwrap();
    is_error("module", "token `main`");

    let index = fs::read(appliance.data("strongroom.db")).unwrap();
    let mut damaged = index.clone();
    damaged.truncate(index.len() - 8192);
    fs::write(appliance.data("strongroom.db"), damaged).unwrap();
    is_error("index", "");
    fs::write(appliance.data("strongroom.db"), index).unwrap();

    appliance.write_private("strongroom.toml", "version = 1\nno_such = 1\n");
    is_error("configuration", "no_such");
    appliance.token_settings("module = \"/nowhere/module.so\"");
    let (code, found) = examined(&appliance);
    assert_eq!(code, 2);
    let finding = of(&found, "module", "error").unwrap();
    assert!(finding["found"].as_str().unwrap().contains("/nowhere/module.so"), "{finding:#}");
}

#[test]
fn what_is_not_there_yet_is_a_warning() {
    let appliance = Appliance::new();
    let is_warning = |appliance: &Appliance, check: &str, what: &str| {
        let (code, found) = examined(appliance);
        assert_eq!(code, 1, "{found:#}");
        let finding = of(&found, check, "warning").unwrap_or_else(|| panic!("{check}: {found:#}"));
        assert!(finding["found"].as_str().unwrap().contains(what), "{finding:#}");
        assert!(!finding["advice"].as_str().unwrap().is_empty());
    };
    is_warning(&appliance, "data directory", "is not there");
    is_warning(&appliance, "index", "is not there");
    let mut service = appliance.start_ready();
    fs::rename(appliance.data("api-key"), appliance.path("kept")).unwrap();
    is_warning(&appliance, "token", "the service does not say");
    fs::rename(appliance.path("kept"), appliance.data("api-key")).unwrap();
    service.stop();
    let log = fs::File::create(appliance.data("strongroom.db-wal")).unwrap();
    log.set_len(65 * 1024 * 1024).unwrap();
    is_warning(&appliance, "index", "write-ahead log has 65 MiB");
    let text = appliance.config_text().replace("\"pin\"", "\"/run/credentials/strongroom.service/pin\"");
    appliance.write_private("strongroom.toml", &text);
    is_warning(&appliance, "PIN file", "is systemd's");
}

#[test]
fn files_that_others_can_write_are_found_wherever_they_are() {
    let appliance = Appliance::new();
    appliance.start_ready().stop();
    for name in ["strongroom.toml", "data/tokens"] {
        let was = fs::metadata(appliance.path(name)).unwrap().permissions();
        fs::set_permissions(appliance.path(name), fs::Permissions::from_mode(0o722)).unwrap();
        let (code, found) = examined(&appliance);
        assert_eq!(code, 2, "{found:#}");
        let finding = of(&found, "permissions", "error").unwrap();
        assert!(finding["found"].as_str().unwrap().contains(name), "{finding:#}");
        fs::set_permissions(appliance.path(name), was).unwrap();
    }
}

#[test]
fn a_certificate_that_ends_soon_is_a_warning_and_one_that_ended_an_error() {
    let appliance = Appliance::new();
    appliance.start_ready().stop();
    let tls = "[tls]\nlisten = \"127.0.0.1:0\"\ncertificate = \"server.pem\"\nkey = \"server.key\"\n";
    appliance.write_private("strongroom.toml", &(appliance.config_text() + tls));
    let day = Duration::from_secs(86_400);
    let now = SystemTime::now();
    for (not_after, level) in [(now + 60 * day, "ok"), (now + 5 * day, "warning"), (now - day, "error")] {
        let key = KeyPair::generate().unwrap();
        let mut certificate = CertificateParams::new(vec!["localhost".to_owned()]).unwrap();
        certificate.not_after = not_after.into();
        fs::write(appliance.path("server.pem"), certificate.self_signed(&key).unwrap().pem()).unwrap();
        appliance.write_private("server.key", &key.serialize_pem());
        let (_, found) = examined(&appliance);
        assert!(of(&found, "certificate", level).is_some(), "{level}: {found:#}");
    }
}

#[test]
fn a_clock_that_was_set_back_is_found() {
    let appliance = Appliance::new();
    appliance.start_ready().stop();
    let hour = 3_600_000;
    let now = i64::try_from(SystemTime::UNIX_EPOCH.elapsed().unwrap().as_millis()).unwrap();
    let store = Store::open(&appliance.data("strongroom.db"), InstallationId([0; 4]), [0; 32]).unwrap();
    let event = Event { action: "test", subject: "clock".to_owned(), detail: serde_json::json!({}) };
    let later = Timestamp::from_millis(now + hour);
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let written: Result<(), strongroom::store::Error> =
        runtime.block_on(store.write(move |tx| tx.append_audit(&Actor::System, later, &event)));
    written.unwrap();
    drop(store);
    let (code, found) = examined(&appliance);
    assert_eq!((code, level(&found, "clock")), (2, "error"), "{found:#}");
}

#[test]
fn a_disk_that_is_nearly_full_is_told_before_it_is() {
    for (size, level) in [("32m", "error"), ("300m", "warning")] {
        let appliance = Appliance::new();
        fs::create_dir(appliance.path("data")).unwrap();
        let Some(_disk) = Disk::mount(&appliance.path("data"), size) else { return };
        let (_, found) = examined(&appliance);
        assert!(of(&found, "disk", level).is_some(), "{found:#}");
    }
}

#[test]
fn a_token_that_is_not_there_is_told_with_those_that_are() {
    let appliance = Appliance::without_token();
    appliance.init_token("another");
    let (code, found) = examined(&appliance);
    assert_eq!(code, 2, "{found:#}");
    let finding = of(&found, "token", "error").unwrap();
    assert!(finding["found"].as_str().unwrap().contains("another"), "{finding:#}");
}

#[test]
fn a_service_that_is_not_ready_is_an_error() {
    let appliance = Appliance::new();
    appliance.write_private("pin", "wrong-pin");
    let service = appliance.start();
    service.await_that("the token is down", || service.get("/tokens").json()["items"][0]["status"] == "down");
    let (code, found) = examined(&appliance);
    assert_eq!(code, 2, "{found:#}");
    assert_eq!(level(&found, "service"), "error");
    assert!(of(&found, "token", "error").unwrap()["found"].as_str().unwrap().contains("PIN"), "{found:#}");
}

#[test]
fn no_pin_is_tried() {
    let mut appliance = Appliance::with_chaos();
    appliance.start_ready().stop();
    appliance.write_private("pin", "wrong-pin");
    appliance.chaos_rules("C_Login every return-before=CKR_PIN_INCORRECT");
    let (_, found) = examined(&appliance);
    assert_eq!(level(&found, "token"), "ok", "{found:#}");
    assert_eq!(appliance.chaos_log(), Vec::<String>::new());
    appliance.clear_env();
}

fn examined(appliance: &Appliance) -> (i32, Value) {
    let output = appliance.cli(&["doctor", "--json"]);
    let found: Value =
        serde_json::from_slice(&output.stdout).unwrap_or_else(|error| panic!("{error}: {output:?}"));
    assert!(!String::from_utf8_lossy(&output.stdout).contains(PIN));
    (output.status.code().unwrap(), found)
}

fn level<'a>(found: &'a Value, check: &str) -> &'a str {
    let findings = found["findings"].as_array().unwrap();
    let finding = findings.iter().find(|finding| finding["check"] == check);
    finding.unwrap_or_else(|| panic!("{check}: {found:#}"))["level"].as_str().unwrap()
}

fn of<'a>(found: &'a Value, check: &str, level: &str) -> Option<&'a Value> {
    let findings = found["findings"].as_array().unwrap();
    findings.iter().find(|finding| finding["check"] == check && finding["level"] == level)
}
