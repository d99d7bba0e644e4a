//! `kill -9` at every point of the create path: nothing that was promised is lost, and nothing on
//! the token is left unaccounted for.

mod certificates;
mod key_life;
mod random;

use std::thread;

use serde_json::Value;

use crate::harness::{Appliance, Service, p256, signal};
use crate::ledger::{Follower, Ledger, audit_of, handle_of, pages, states_of};

/// Who is killed while the token is in the middle of a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Victims {
    Service,
    Worker,
    Both,
}

#[test]
fn a_service_killed_before_its_intent_has_promised_nothing() {
    assert_survives_kill_at("intent-before", |_| None);
}

#[test]
fn a_service_killed_after_its_intent_continues_what_somebody_comes_back_for() {
    assert_survives_kill_at("intent-after", continued);
}

#[test]
fn a_service_killed_before_the_key_is_made_continues_what_somebody_comes_back_for() {
    assert_survives_kill_at("generate-before", continued);
}

#[test]
fn a_service_killed_after_the_key_is_made_continues_what_somebody_comes_back_for() {
    assert_survives_kill_at("generate-after", continued);
}

#[test]
fn a_service_killed_before_it_signs_continues_what_somebody_comes_back_for() {
    assert_survives_kill_at("sign-before", continued);
}

#[test]
fn a_service_killed_after_it_signed_continues_what_somebody_comes_back_for() {
    assert_survives_kill_at("sign-after", continued);
}

#[test]
fn a_service_killed_before_it_records_the_csr_continues_what_somebody_comes_back_for() {
    assert_survives_kill_at("record-before", continued);
}

#[test]
fn a_service_killed_after_it_recorded_the_csr_has_it() {
    assert_survives_kill_at("record-after", |_| Some("pending"));
}

#[test]
fn a_service_killed_while_the_token_makes_a_key_keeps_its_promises() {
    assert_survives_kill_in("C_GenerateKeyPair", Victims::Service);
}

#[test]
fn a_worker_killed_while_the_token_makes_a_key_keeps_its_promises() {
    assert_survives_kill_in("C_GenerateKeyPair", Victims::Worker);
}

#[test]
fn service_and_worker_killed_while_the_token_makes_a_key_keep_their_promises() {
    assert_survives_kill_in("C_GenerateKeyPair", Victims::Both);
}

#[test]
fn a_service_killed_while_the_token_signs_keeps_its_promises() {
    assert_survives_kill_in("C_Sign", Victims::Service);
}

#[test]
fn a_worker_killed_while_the_token_signs_keeps_its_promises() {
    assert_survives_kill_in("C_Sign", Victims::Worker);
}

#[test]
fn service_and_worker_killed_while_the_token_signs_keep_their_promises() {
    assert_survives_kill_in("C_Sign", Victims::Both);
}

#[test]
fn a_request_that_outlasted_its_clients_patience_is_made_after_a_crash() {
    let mut appliance = Appliance::with_chaos();
    let mut service = appliance.start_ready();
    appliance.chaos_rules("C_GenerateKeyPair nth=1 hang");
    let reply = service.post_with("/csrs", &[("prefer", "wait=0")], &p256("impatient.example"));
    reply.expect(202);
    service.await_that("the call hangs", || !appliance.chaos_log().is_empty());
    service.kill();
    drop(service);
    restart_and_agree(&mut appliance, &Ledger::default(), |service| {
        assert_eq!(states_of(service, "impatient.example"), ["pending"]);
    });
}

#[test]
fn a_destruction_that_was_killed_is_finished() {
    let mut appliance = Appliance::new();
    let ledger = Ledger::default();
    for point in ["destroy-before", "destroy-after"] {
        appliance.env("STRONGROOM_KILL_AT", &format!("{point}:1"));
        let mut service = appliance.start_ready();
        let doomed = ledger.create(&service, "doomed.example", Follower::Nobody).unwrap().json();
        ledger.cancel(&service, &handle_of(&doomed)).unwrap_err();
        service.await_killed();
        drop(service);
        restart_and_agree(&mut appliance, &ledger, |service| assert_destroyed(service, &doomed));
    }
}

#[test]
fn a_destruction_is_finished_whoever_is_killed_while_the_token_destroys() {
    for victims in [Victims::Service, Victims::Worker, Victims::Both] {
        for hang in ["hang", "hang-after"] {
            let mut appliance = Appliance::with_chaos();
            let ledger = Ledger::default();
            let service = appliance.start_ready();
            let doomed = ledger.create(&service, "doomed.example", Follower::Nobody).unwrap().json();
            appliance.chaos_rules(&format!("C_DestroyObject nth=1 {hang}"));
            kill_during(&appliance, &service, victims, || {
                // Whether it is answered depends on who is killed; the decision stands.
                let _ = ledger.cancel(&service, &handle_of(&doomed));
            });
            if victims == Victims::Worker {
                ledger.await_agreement(&appliance, &service);
                assert_destroyed(&service, &doomed);
            }
            drop(service);
            restart_and_agree(&mut appliance, &ledger, |service| assert_destroyed(service, &doomed));
        }
    }
}

#[test]
fn a_token_has_one_sentinel_even_if_its_making_was_killed() {
    for point in ["sentinel-before", "sentinel-after"] {
        let mut appliance = Appliance::new();
        appliance.env("STRONGROOM_KILL_AT", &format!("{point}:1"));
        appliance.start_to_be_killed();
        restart_and_agree(&mut appliance, &Ledger::default(), assert_one_sentinel);
    }
    for fatal in ["kill-before", "kill-after"] {
        let mut appliance = Appliance::with_chaos();
        appliance.chaos_rules(&format!("C_GenerateKeyPair nth=1 {fatal}"));
        restart_and_agree(&mut appliance, &Ledger::default(), assert_one_sentinel);
    }
}

/// What becomes of a request whose intent was recorded, but not its CSR.
fn continued(follower: Follower) -> Option<&'static str> {
    Some(match follower {
        Follower::Nobody => "failed",
        Follower::Repeating | Follower::Later => "pending",
    })
}

/// Kills the service at a point, once per kind of client; afterwards the request is in the state
/// that is expected, or was never recorded.
fn assert_survives_kill_at(point: &str, expected: fn(Follower) -> Option<&'static str>) {
    let mut appliance = Appliance::new();
    let ledger = Ledger::default();
    for follower in Follower::ALL {
        appliance.env("STRONGROOM_KILL_AT", &format!("{point}:2"));
        let mut service = appliance.start_ready();
        ledger.create(&service, "kept.example", Follower::Nobody).unwrap().expect(201);
        let name = format!("{follower:?}.example").to_lowercase();
        if let Ok(reply) = ledger.create(&service, &name, follower) {
            assert_eq!((reply.status, follower), (202, Follower::Later), "{point}: answered by the dead");
        }
        service.await_killed();
        drop(service);
        restart_and_agree(&mut appliance, &ledger, |service| {
            assert_eq!(
                states_of(service, &name),
                Vec::from_iter(expected(follower)),
                "{point}: {follower:?}"
            );
            assert_repetition_makes_one_key(service, &ledger, &name, follower);
        });
    }
}

/// Kills while the token is in a call, before and after its effect, once per kind of client.
fn assert_survives_kill_in(function: &str, victims: Victims) {
    for hang in ["hang", "hang-after"] {
        let mut appliance = Appliance::with_chaos();
        let ledger = Ledger::default();
        for follower in Follower::ALL {
            let name = format!("{follower:?}.example").to_lowercase();
            let service = appliance.start_ready();
            ledger.create(&service, "kept.example", Follower::Nobody).unwrap().expect(201);
            // Another comment is another rule, which strikes again.
            appliance.chaos_rules(&format!("{function} nth=1 {hang} # {follower:?}"));
            kill_during(&appliance, &service, victims, || {
                let answered = ledger.create(&service, &name, follower);
                if victims == Victims::Worker {
                    let made = if follower == Follower::Later { 202 } else { 201 };
                    answered.unwrap().expect(made);
                }
            });
            appliance.chaos_rules("");
            if victims == Victims::Worker {
                ledger.await_agreement(&appliance, &service);
            }
            drop(service);
            restart_and_agree(&mut appliance, &ledger, |service| {
                let survives = victims == Victims::Worker || follower != Follower::Nobody;
                assert_eq!(states_of(service, &name), [if survives { "pending" } else { "failed" }]);
                assert_repetition_makes_one_key(service, &ledger, &name, follower);
            });
        }
    }
}

/// Lets a client act, and kills when the chaos module has struck once more.
fn kill_during(appliance: &Appliance, service: &Service, victims: Victims, client: impl FnOnce() + Send) {
    let struck = appliance.chaos_log().len();
    let worker = service.worker_pid();
    thread::scope(|scope| {
        let client = scope.spawn(client);
        service.await_that("the call hangs", || appliance.chaos_log().len() > struck);
        if victims != Victims::Service {
            signal(worker, "KILL");
        }
        if victims != Victims::Worker {
            signal(service.pid(), "KILL");
        }
        client.join().unwrap();
    });
}

/// After a kill: the audit chain holds, the next start puts everything in order, and so it stays.
fn restart_and_agree(appliance: &mut Appliance, ledger: &Ledger, check: impl FnOnce(&Service)) {
    if appliance.data("strongroom.db").exists() {
        audit_of(appliance);
    }
    appliance.clear_env();
    let mut service = appliance.start_ready();
    ledger.await_agreement(appliance, &service);
    check(&service);
    ledger.await_agreement(appliance, &service);
    service.stop();
    audit_of(appliance);
}

/// The client repeats his create, as one does who got no answer.
fn assert_repetition_makes_one_key(service: &Service, ledger: &Ledger, name: &str, follower: Follower) {
    if follower == Follower::Repeating {
        ledger.create(service, name, follower).unwrap().expect(201);
        assert_eq!(states_of(service, name), ["pending"]);
    }
}

fn assert_destroyed(service: &Service, csr: &Value) {
    let csr = service.get(&format!("/csrs/{}", handle_of(csr))).json();
    let key = service.get(&format!("/keys/{}", csr["key"]["handle"].as_str().unwrap())).json();
    assert_eq!((&csr["status"], &key["state"]), (&"cancelled".into(), &"destroyed".into()));
}

fn assert_one_sentinel(service: &Service) {
    let sentinels = pages(service, "/keys?limit=200").into_iter().filter(|key| key["purpose"] == "sentinel");
    assert_eq!(sentinels.count(), 1);
}
