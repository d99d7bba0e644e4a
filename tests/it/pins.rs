//! `slot set-pin` and `slot change-pin`, and two entries of the configuration that mean one token.

use std::os::unix::fs::PermissionsExt as _;
use std::process::{Command, Output};

use crate::harness::{Appliance, BINARY, PIN};

/// That of the harness's tokens.
const SO_PIN: &str = "so-pin-1234";

#[test]
fn a_user_changes_the_pin_and_the_pin_file_with_it_when_asked() {
    let appliance = Appliance::new();
    appliance.write_private("new", "changed-pin\n");
    let new = appliance.path("new");
    let change = ["slot", "change-pin", "--new-pin-file", new.to_str().unwrap(), "--write-pin-file"];
    let told = said(&appliance.cli(&change), 0);
    assert!(told.contains("the user PIN is changed, and is in"), "{told}");
    assert_eq!(std::fs::read_to_string(appliance.path("pin")).unwrap(), "changed-pin\n");
    let mode = std::fs::metadata(appliance.path("pin")).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    assert!(!appliance.path("pin.new").exists());
    appliance.start_ready();

    // From descriptors, and the file is left alone.
    appliance.write_private("old", "changed-pin");
    appliance.write_private("new", PIN);
    let script = r#"exec 3<"$1" 4<"$2"; exec "$0" slot change-pin --pin-fd 3 --new-pin-fd 4"#;
    let output = Command::new("sh")
        .args(["-c", script, BINARY])
        .args([appliance.path("old"), appliance.path("new")])
        .env("STRONGROOM_CONFIG", appliance.path("strongroom.toml"))
        .output()
        .unwrap();
    let told = said(&output, 0);
    assert!(told.contains("before the service starts"), "{told}");
    assert_eq!(std::fs::read_to_string(appliance.path("pin")).unwrap(), "changed-pin\n");
    appliance.write_private("pin", PIN);
    appliance.start_ready();
}

#[test]
fn a_wrong_present_pin_is_not_tried_again_by_the_service_nor_by_the_command() {
    let appliance = Appliance::with_chaos();
    appliance.chaos_rules("C_Login every sleep-ms=1");
    appliance.write_private("pin", "not-the-pin");
    appliance.write_private("new", "changed-pin");
    let new = appliance.path("new");
    let change = ["slot", "change-pin", "--new-pin-file", new.to_str().unwrap(), "--write-pin-file"];
    for _ in 0..3 {
        let told = said(&appliance.cli(&change), 2);
        assert!(told.contains("the token refused the PIN in"), "{told}");
        assert!(!appliance.path("pin.new").exists(), "a PIN that is not in use stays behind");
    }
    let service = appliance.start();
    service.await_that("the PIN is not tried", || {
        service.get("/tokens").json()["items"][0]["problem"].to_string().contains("not tried again")
    });
    assert_eq!(appliance.chaos_log().len(), 1, "{:?}", appliance.chaos_log());
}

#[test]
fn a_reset_of_the_breaker_is_one_more_try_for_all_workers_to_come() {
    let appliance = Appliance::with_chaos();
    appliance.chaos_rules("C_Login every sleep-ms=1");
    appliance.write_private("pin", "not-the-pin");
    let service = appliance.start();
    let problem = || service.get("/tokens").json()["items"][0]["problem"].to_string();
    service.await_that("the PIN is refused", || problem().contains("refused the PIN"));
    service.post("/tokens/main/breaker/reset", &serde_json::json!({})).expect(204);
    service.await_that("it is tried once more", || appliance.chaos_log().len() > 1);
    let ended = || appliance.log().matches("the token's worker ended").count();
    service.await_that("another worker has come and gone", || ended() > 2);
    assert_eq!(appliance.chaos_log().len(), 2, "{:?}", appliance.chaos_log());
}

#[test]
fn the_new_pin_is_kept_when_the_token_took_it_and_said_otherwise() {
    let appliance = Appliance::with_chaos();
    appliance.chaos_rules("C_SetPIN nth=1 return-after=CKR_HOST_MEMORY");
    appliance.write_private("new", "changed-pin");
    let new = appliance.path("new");
    let change = ["slot", "change-pin", "--new-pin-file", new.to_str().unwrap(), "--write-pin-file"];
    let told = said(&appliance.cli(&change), 3);
    assert!(told.contains("the token may have the new PIN all the same; it is kept in"), "{told}");
    std::fs::rename(appliance.path("pin.new"), appliance.path("pin")).unwrap();
    appliance.start_ready();
}

#[test]
fn a_new_pin_that_the_token_refuses_leaves_the_present_one_and_its_file() {
    let appliance = Appliance::new();
    let before = std::fs::read_to_string(appliance.path("pin")).unwrap();
    for refused in ["123".to_owned(), "1".repeat(1000)] {
        appliance.write_private("new", &refused);
        let new = appliance.path("new");
        let change = ["slot", "change-pin", "--new-pin-file", new.to_str().unwrap(), "--write-pin-file"];
        let told = said(&appliance.cli(&change), 2);
        assert!(told.contains("the token refused the new PIN"), "{told}");
        assert!(!appliance.path("pin.new").exists());
        assert_eq!(std::fs::read_to_string(appliance.path("pin")).unwrap(), before);
    }
    appliance.start_ready();
}

#[test]
fn the_security_officer_sets_a_pin_once_the_service_is_stopped() {
    let appliance = Appliance::new();
    appliance.write_private("so-pin", SO_PIN);
    let so_pin = appliance.path("so-pin");
    let set = ["slot", "set-pin", "--so-pin-file", so_pin.to_str().unwrap()];
    let mut service = appliance.start_ready();
    appliance.write_private("pin", "forgotten-pin");
    let told = said(&appliance.cli(&set), 1);
    assert!(
        told.contains("the service works with token `main`; stop it, run this again, and start it"),
        "{told}"
    );
    service.stop();
    drop(service);

    appliance.write_private("so-pin", "not-the-so-pin");
    let told = said(&appliance.cli(&set), 2);
    assert!(told.contains("the token refused the security officer's PIN; it was tried once"), "{told}");
    appliance.write_private("so-pin", SO_PIN);
    said(&appliance.cli(&set), 0);
    appliance.start_ready();
}

#[test]
fn two_entries_that_mean_one_token_share_its_lock_and_its_breaker() {
    let appliance = Appliance::with_chaos();
    appliance.chaos_rules("C_Login every sleep-ms=1");
    appliance.write_private("pin", "not-the-pin");
    let config = appliance.config_text();
    let (head, entry) = config.split_once("[tokens.main]").unwrap();
    let second = entry.replace("[tokens.main.env]", "[tokens.second.env]");
    appliance
        .write_private("strongroom.toml", &format!("{head}[tokens.main]{entry}\n[tokens.second]{second}"));
    let service = appliance.start();
    let problems = || {
        let tokens = service.get("/tokens").json();
        [0, 1].map(|n| tokens["items"][n]["problem"].to_string())
    };
    service.await_that("neither entry tries the PIN again", || {
        problems().iter().all(|problem| problem.contains("the token refused the PIN"))
    });
    assert_eq!(appliance.chaos_log().len(), 1, "{:?}", appliance.chaos_log());

    appliance.write_private("pin", PIN);
    service.await_that("one entry works, and the other says why it does not", || {
        let problems = problems();
        let held = problems.iter().filter(|problem| problem.contains("another process works with the token"));
        held.count() == 1 && problems.contains(&"null".to_owned())
    });
}

/// What a command said on stderr, which must have ended so.
#[track_caller]
fn said(output: &Output, code: i32) -> String {
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(code), "{said}");
    said
}
