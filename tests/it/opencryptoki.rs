//! openCryptoki's soft token: a second, unrelated module, and one that really locks its PIN with the
//! third wrong one.

mod token;

use std::process::Output;

use serde_json::json;

use crate::openssl;
use token::{Guarded, PIN, SO_PIN, Tries, WRONG, WRONG_TOO};

#[test]
fn a_csr_of_each_kind_of_the_soft_token_verifies() {
    let guarded = Guarded::start();
    let service = guarded.appliance.start_ready();
    let token = service.get("/tokens").json()["items"][0].take();
    assert_eq!(token["info"]["kinds"], json!(["rsa-2048", "rsa-3072", "rsa-4096"]));
    for (kind, padding, digest) in [
        ("rsa-2048", "pkcs1", "sha256"),
        ("rsa-2048", "pkcs1", "sha512"),
        ("rsa-2048", "pss", "sha256"),
        ("rsa-3072", "pkcs1", "sha384"),
        ("rsa-3072", "pss", "sha384"),
        ("rsa-4096", "pss", "sha512"),
    ] {
        let body = json!({
            "subject": format!("CN={kind}.example.com"), "sans": ["DNS:a.example.com"],
            "key": { "kind": kind }, "padding": padding, "digest": digest,
        });
        let made = service.post_with("/csrs", &[("prefer", "wait=60")], &body).expect(201).json();
        openssl::verified_text(made["csr"].as_str().unwrap());
        assert_eq!(made["signature"], format!("rsa-{padding}-{digest}"));
        assert_eq!(made["evidence"]["level"], "E0", "declared to be hardware, but known as software");
    }
}

#[test]
fn a_wrong_pin_is_tried_once_through_restarts_and_the_right_one_heals() {
    let guarded = Guarded::start();
    guarded.write_pin(WRONG);
    let service = guarded.appliance.start();
    guarded.await_problem(&service, "refused the PIN");
    service.await_that("more workers have ended", || guarded.worker_ends() >= 4);
    drop(service);
    for _ in 0..10 {
        let mut service = guarded.appliance.start();
        guarded.await_problem(&service, "refused the PIN");
        service.kill();
    }
    guarded.assert_spent(1, Tries::CountLow);

    let service = guarded.appliance.start();
    guarded.write_pin(PIN);
    service.await_ready();
    guarded.assert_spent(2, Tries::All);
    guarded.assert_opens();
}

#[test]
fn a_second_wrong_pin_is_the_last_that_is_tried() {
    let guarded = Guarded::start();
    guarded.write_pin(WRONG);
    let service = guarded.appliance.start();
    guarded.await_problem(&service, "refused the PIN");
    guarded.write_pin(WRONG_TOO);
    guarded.await_problem(&service, "one more wrong PIN would lock the token");
    drop(service);

    // Also a PIN that was right before is not tried on the last try: it may have been changed.
    guarded.write_pin(PIN);
    let service = guarded.appliance.start();
    let problem = guarded.await_problem(&service, "one more wrong PIN would lock the token");
    assert!(problem.contains("slot set-pin"), "{problem}");
    let ends = guarded.worker_ends();
    service.await_that("more workers have ended", || guarded.worker_ends() >= ends + 2);
    guarded.assert_spent(2, Tries::Last);

    // An operator clears the count, with a login of his own; and says that the file is right.
    guarded.assert_opens();
    let record = guarded.appliance.data("tokens/soft-token@123.pin");
    std::fs::remove_file(record).unwrap();
    service.await_ready();
    guarded.assert_spent(3, Tries::All);
}

#[test]
fn a_kill_at_any_moment_of_a_login_with_a_wrong_pin_spends_one_try_at_the_most() {
    for (rule, spent) in [
        ("C_GetTokenInfo nth=2 kill-before", true),
        ("C_Login nth=1 kill-before", false),
        ("C_Login nth=1 kill-after", true),
        ("C_Login nth=1 return-after=CKR_FUNCTION_FAILED", true),
    ] {
        let guarded = Guarded::start();
        guarded.write_pin(WRONG);
        guarded.count_logins(rule);
        for _ in 0..3 {
            let mut service = guarded.appliance.start();
            guarded.await_problem(&service, "PIN");
            service.kill();
        }
        let tries = guarded.tries();
        let wanted = if spent { Tries::CountLow } else { Tries::All };
        assert_eq!(tries, wanted, "{rule}: {:?}", guarded.appliance.chaos_log());
        guarded.assert_opens();
    }
}

#[test]
fn random_kills_of_worker_and_service_never_spend_a_second_try() {
    let guarded = Guarded::start();
    guarded.write_pin(WRONG);
    // Wide enough for a kill to fall into it.
    guarded.count_logins("C_Login every sleep-ms=20");
    for round in 0..25_u64 {
        let mut service = guarded.appliance.spawn();
        // Over the start of the service, that of its worker, the login and the time after it.
        std::thread::sleep(std::time::Duration::from_millis(round * 7));
        if round % 2 == 0 {
            for worker in children(service.pid()) {
                kill_if_there(worker);
            }
        }
        service.kill();
        let tries = guarded.tries();
        assert!([Tries::All, Tries::CountLow].contains(&tries), "{tries:?} after round {round}");
    }
    let service = guarded.appliance.start();
    guarded.await_problem(&service, "PIN");
    assert!(guarded.logins() <= 1, "{:?}", guarded.appliance.chaos_log());
    guarded.assert_opens();
    guarded.write_pin(PIN);
    service.await_ready();
}

#[test]
fn a_right_pin_whose_login_was_killed_comes_back_without_an_operator() {
    let guarded = Guarded::start();
    guarded.appliance.start_ready().stop();
    for kill in ["kill-before", "kill-after"] {
        guarded.count_logins(&format!("C_Login nth=1 {kill}"));
        guarded.appliance.start_ready().stop();
        let log = guarded.appliance.chaos_log();
        assert!(log.iter().any(|line| line.ends_with(kill)), "it did not strike: {log:?}");
    }
    assert_eq!(guarded.tries(), Tries::All);
}

#[test]
fn a_pin_changed_by_another_program_costs_one_try() {
    let guarded = Guarded::start();
    let service = guarded.appliance.start_ready();
    let changed = guarded.tool(&["--login", "--pin", PIN, "--change-pin", "--new-pin", "4321-pin"]);
    assert!(changed.status.success(), "{changed:?}");
    service.post("/csrs", &json!({ "subject": "CN=a", "key": { "kind": "rsa-2048" } })).expect(201);
    let logins = guarded.logins();
    kill_if_there(service.worker_pid());
    guarded.await_problem(&service, "refused the PIN");
    let ends = guarded.worker_ends();
    service.await_that("more workers have ended", || guarded.worker_ends() >= ends + 2);
    assert_eq!(guarded.logins(), logins + 1);
    assert_eq!(guarded.tries(), Tries::CountLow);
    guarded.write_pin("4321-pin");
    service.await_ready();
}

/// Processes that a process has started.
fn children(pid: u32) -> Vec<u32> {
    let listed = std::fs::read_to_string(format!("/proc/{pid}/task/{pid}/children")).unwrap_or_default();
    listed.split_whitespace().filter_map(|child| child.parse().ok()).collect()
}

/// It may have ended by itself.
fn kill_if_there(pid: u32) {
    let pid = i32::try_from(pid).ok().and_then(rustix::process::Pid::from_raw).unwrap();
    let _ = rustix::process::kill_process(pid, rustix::process::Signal::KILL);
}

#[test]
fn a_locked_pin_is_told_and_not_tried_until_the_security_officer_sets_it() {
    let guarded = Guarded::start();
    for _ in 0..3 {
        assert!(!guarded.opens_with(WRONG));
    }
    guarded.assert_spent(0, Tries::Locked);
    let service = guarded.appliance.start();
    guarded.await_problem(&service, "the token has locked the user PIN");
    drop(service);
    guarded.assert_spent(0, Tries::Locked);

    guarded.appliance.write_private("so-pin", SO_PIN);
    let so_pin = guarded.appliance.path("so-pin");
    assert_done(&guarded.appliance.cli(&["slot", "set-pin", "--so-pin-file", so_pin.to_str().unwrap()]));
    guarded.appliance.start_ready();
    assert_eq!(guarded.tries(), Tries::All);
}

#[test]
fn keys_stay_when_the_security_officer_sets_the_pin_and_when_the_user_changes_it() {
    let guarded = Guarded::start();
    let service = guarded.appliance.start_ready();
    let made =
        service.post("/csrs", &json!({ "subject": "CN=a", "key": { "kind": "rsa-2048" } })).expect(201);
    let renewal = json!({ "subject": "CN=a", "key": { "handle": made.json()["key"]["handle"] } });
    drop(service);
    guarded.write_pin("5678-set");
    let service = guarded.appliance.start();
    guarded.await_problem(&service, "refused the PIN");
    drop(service);
    guarded.appliance.write_private("so-pin", "12344321");
    let so_pin = guarded.appliance.path("so-pin");
    let set_pin = ["slot", "set-pin", "--so-pin-file", so_pin.to_str().unwrap()];

    let refused = guarded.appliance.cli(&set_pin);
    let said = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert_eq!(refused.status.code(), Some(2), "{said}");
    assert!(said.contains("refused the security officer's PIN; it was tried once"), "{said}");

    // The PIN that was refused is the token's from now on: the record of its refusal is void.
    guarded.appliance.write_private("so-pin", SO_PIN);
    assert_done(&guarded.appliance.cli(&set_pin));
    let service = guarded.appliance.start_ready();
    service.post("/csrs", &renewal).expect(201);
    drop(service);

    guarded.appliance.write_private("new", "8765-new");
    let new = guarded.appliance.path("new");
    let change_pin = ["slot", "change-pin", "--write-pin-file", "--new-pin-file", new.to_str().unwrap()];
    assert_done(&guarded.appliance.cli(&change_pin));
    let service = guarded.appliance.start_ready();
    service.post("/csrs", &renewal).expect(201);
    assert!(guarded.opens_with("8765-new"));
}

#[track_caller]
fn assert_done(output: &Output) {
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}
