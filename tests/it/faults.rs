//! What a broken token, module or worker costs: the chaos module and signals break them.

use std::thread;

use serde_json::{Value, json};

use crate::harness::{Appliance, PIN, Reply, SOFTHSM, Service, p256, signal, stop};
use crate::ledger::{Ledger, audit_of, handle_of, inventory, pages, states_of};

const CREATE: &[(&str, &str)] = &[("prefer", "wait=60")];

/// A create that is waited for, as long as a new worker may take.
#[track_caller]
fn create(service: &Service, common_name: &str) -> Reply {
    service.post_with("/csrs", CREATE, &p256(common_name))
}

#[track_caller]
fn renew(service: &Service, key: &Value) -> Reply {
    let mut body = p256("renewal.example");
    body["key"] = json!({ "handle": key });
    service.post_with("/csrs", CREATE, &body)
}

/// The client knows where he is: the CSR, or when to try again, or where to look.
#[track_caller]
fn assert_clear(reply: &Reply) {
    let clear = match reply.status {
        201 => true,
        503 => reply.header("retry-after").is_some(),
        504 => reply.header("location").is_some(),
        _ => false,
    };
    assert!(clear, "{reply:?}: {}", String::from_utf8_lossy(&reply.bytes));
}

#[track_caller]
fn assert_agreement(appliance: &Appliance, service: &Service) {
    Ledger::default().await_agreement(appliance, service);
}

#[test]
fn a_lost_session_is_healed_unseen() {
    let appliance = Appliance::with_chaos();
    let service = appliance.start_ready();
    let worker = service.worker_pid();
    let mut struck = 0;
    for function in ["C_SignInit", "C_Sign", "C_GenerateKeyPair"] {
        for code in ["CKR_SESSION_HANDLE_INVALID", "CKR_SESSION_CLOSED", "CKR_USER_NOT_LOGGED_IN"] {
            appliance.chaos_rules(&format!("{function} nth=1 return-before={code}"));
            create(&service, "session.example").expect(201);
            struck += 1;
            assert_eq!(appliance.chaos_log().len(), struck, "{function} {code} did not strike");
        }
    }
    assert_eq!(service.worker_pid(), worker);
    assert_agreement(&appliance, &service);
}

#[test]
fn a_stale_key_handle_is_found_again() {
    let appliance = Appliance::with_chaos();
    let service = appliance.start_ready();
    let worker = service.worker_pid();
    appliance.chaos_rules("C_SignInit nth=1 return-before=CKR_KEY_HANDLE_INVALID");
    create(&service, "stale.example").expect(201);
    assert_eq!(appliance.chaos_log().len(), 1);
    assert_eq!(service.worker_pid(), worker);
    assert_agreement(&appliance, &service);
}

#[test]
fn a_key_that_was_made_and_answered_with_an_error_is_owned_or_destroyed() {
    for code in ["CKR_DEVICE_ERROR", "CKR_FUNCTION_FAILED", "CKR_GENERAL_ERROR", "CKR_FUNCTION_CANCELED"] {
        let appliance = Appliance::with_chaos();
        let service = appliance.start_ready();
        appliance.chaos_rules(&format!("C_GenerateKeyPair nth=1 return-after={code}"));
        assert_clear(&create(&service, "answer-lost.example"));
        assert_eq!(appliance.chaos_log().len(), 1, "{code} did not strike");
        assert_agreement(&appliance, &service);
        service.create("afterwards.example");
    }
}

#[test]
fn a_lost_connection_costs_one_worker_and_no_restart_of_the_service() {
    let appliance = Appliance::with_chaos();
    let service = appliance.start_ready();
    let worker = service.worker_pid();
    appliance.chaos_rules("C_Sign nth=1 return-before=CKR_DEVICE_ERROR");
    assert_clear(&create(&service, "connection.example"));
    service.await_ready();
    assert_ne!(service.worker_pid(), worker);
    service.create("afterwards.example");
    assert_agreement(&appliance, &service);
}

#[test]
fn workers_that_die_in_a_row_leave_nothing_behind_and_an_accepted_request_is_made() {
    let appliance = Appliance::with_chaos();
    let service = appliance.start_ready();
    let ledger = Ledger::default();
    for fatal in ["kill-before", "kill-after", "return-after=CKR_DEVICE_ERROR"] {
        appliance.chaos_rules(&format!("C_GenerateKeyPair nth=1 {fatal}\nC_GenerateKeyPair nth=2 {fatal}"));
        let accepted = service.post_with("/csrs", &[("prefer", "respond-async")], &p256("accepted.example"));
        let handle = handle_of(&accepted.expect(202).json());
        let path = format!("/csrs/{handle}");
        // A worker that dies between key and signature leaves it `generated` for a while.
        let unfinished = |status: &Value| status == "intent" || status == "generated";
        service
            .await_that("the accepted request is made", || !unfinished(&service.get(&path).json()["status"]));
        assert_eq!(service.get(&path).json()["status"], "pending", "{fatal}");
        appliance.chaos_rules("");
        ledger.await_agreement(&appliance, &service);
    }
}

#[test]
fn a_call_that_hangs_costs_one_worker_and_no_caller_of_another_key() {
    for (function, hang) in [
        ("C_Sign", "hang"),
        ("C_Sign", "hang-after"),
        ("C_GenerateKeyPair", "hang"),
        ("C_GenerateKeyPair", "hang-after"),
    ] {
        let appliance = Appliance::with_chaos().with_deadlines(4000, 4000);
        let service = appliance.start_ready();
        let worker = service.worker_pid();
        let key = service.create("bystander.example")["key"]["handle"].clone();
        appliance.chaos_rules(&format!("{function} nth=1 {hang}"));
        thread::scope(|scope| {
            let hanging = scope.spawn(|| create(&service, "hanging.example"));
            service.await_that("the call hangs", || !appliance.chaos_log().is_empty());
            let bystanders: Vec<_> = (0..3)
                .map(|_| {
                    scope.spawn(|| {
                        while service.worker_pid() == worker {
                            renew(&service, &key).expect(201);
                        }
                    })
                })
                .collect();
            bystanders.into_iter().for_each(|bystander| bystander.join().unwrap());
            let reply = hanging.join().unwrap();
            assert_clear(&reply);
            assert!(function == "C_Sign" || reply.status == 201, "a generation is begun anew: {reply:?}");
        });
        assert_agreement(&appliance, &service);
        service.create("afterwards.example");
    }
}

#[test]
fn a_worker_that_dies_while_it_makes_a_key_costs_the_client_nothing() {
    for fatal in ["kill-before", "kill-after"] {
        let appliance = Appliance::with_chaos();
        let service = appliance.start_ready();
        let worker = service.worker_pid();
        appliance.chaos_rules(&format!("C_GenerateKeyPair nth=1 {fatal}"));
        create(&service, "killed.example").expect(201);
        assert_ne!(service.worker_pid(), worker);
        assert_eq!(states_of(&service, "killed.example"), ["pending"]);
        assert_agreement(&appliance, &service);
    }
}

#[test]
fn a_stopped_worker_is_replaced() {
    let appliance = Appliance::new();
    let service = appliance.start_ready();
    let worker = service.worker_pid();
    stop(worker);
    assert_clear(&create(&service, "stopped.example"));
    service.await_ready();
    assert_ne!(service.worker_pid(), worker);
    assert_agreement(&appliance, &service);
}

#[test]
fn a_key_whose_attributes_are_not_as_asked_for_is_destroyed_and_refused() {
    let appliance = Appliance::with_chaos();
    let service = appliance.start_ready();
    let before = appliance.objects();
    for lie in ["set-bool=CKA_EXTRACTABLE:true", "set-bool=CKA_LOCAL:false", "drop=CKA_LOCAL"] {
        appliance.chaos_rules(&format!("C_GetAttributeValue every {lie}"));
        let problem = create(&service, "attributes.example").expect(502).json();
        appliance.chaos_rules("");
        assert_eq!(problem["code"], "key.attributes", "{problem}");
        let request = service.get(&format!("/csrs/{}", problem["csr"].as_str().unwrap())).json();
        assert_eq!((&request["status"], &request["csr"]), (&json!("failed"), &Value::Null), "{lie}");
        assert_eq!(appliance.objects(), before, "{lie}");
    }
    assert_agreement(&appliance, &service);
}

#[test]
fn a_wrong_signature_is_never_released() {
    let appliance = Appliance::with_chaos();
    let mut service = appliance.start_ready();
    let key = service.create("bystander.example")["key"]["handle"].clone();
    appliance.chaos_rules("C_Sign every flip-bit");
    let made = create(&service, "wrong.example").expect(502).json();
    let renewed = renew(&service, &key).expect(502).json();
    appliance.chaos_rules("");
    assert_eq!(
        (&made["code"], &renewed["code"]),
        (&json!("hsm.wrong-signature"), &json!("hsm.wrong-signature"))
    );

    let path = format!("/csrs/{}", made["csr"].as_str().unwrap());
    let request = service.get(&path).json();
    assert_eq!((&request["status"], &request["csr"]), (&json!("quarantined"), &Value::Null));
    service.request("GET", &path, &[("accept", "application/pkcs10")], None).expect(409);
    assert_eq!(states_of(&service, "renewal.example"), Vec::<String>::new());
    service.await_ready();
    assert_agreement(&appliance, &service);

    service.stop();
    let reported = audit_of(&appliance).into_iter().filter(|record| record.action == "token.wrong-signature");
    assert_eq!(reported.count(), 2);
}

#[test]
fn a_token_that_says_it_is_empty_has_lost_no_key() {
    let appliance = Appliance::with_chaos();
    let mut service = appliance.start_ready();
    let key = service.create("kept.example")["key"]["handle"].clone();
    service.stop();
    appliance.chaos_rules("C_FindObjects every none");
    let service = appliance.start();
    service.await_that("the sentinel was asked", || {
        service.get("/tokens").json()["items"][0]["sentinel"]["checked_at"].is_string()
    });
    service.request("GET", "//readyz", &[], None).expect(503);
    assert_clear(&create(&service, "refused.example"));
    assert!(pages(&service, "/keys?limit=200").iter().all(|key| key["state"] == "present"));

    appliance.chaos_rules("");
    service.await_ready();
    renew(&service, &key).expect(201);
    assert_agreement(&appliance, &service);
}

#[test]
fn a_key_that_was_deleted_behind_our_back_is_reported_and_not_forgotten() {
    for kinds in [&["privkey", "pubkey"][..], &["privkey"]] {
        let appliance = Appliance::new();
        let mut service = appliance.start_ready();
        let created = service.create("deleted.example");
        let key = format!("/keys/{}", created["key"]["handle"].as_str().unwrap());
        let id = service.get(&key).json()["id"].as_str().unwrap().to_owned();
        service.stop();
        kinds
            .iter()
            .for_each(|kind| pkcs11_tool(&appliance, &["--delete-object", "--type", kind, "--id", &id]));

        let mut service = appliance.start_ready();
        assert_eq!(service.get(&key).json()["state"], "missing", "{kinds:?}");
        assert_eq!(inventory(&service)["missing_keys"], 1);
        let request = service.get(&format!("/csrs/{}", handle_of(&created))).json();
        assert_eq!(request["csr"], created["csr"]);
        renew(&service, &created["key"]["handle"]).expect(409);
        service.stop();
        assert!(audit_of(&appliance).iter().any(|record| record.action == "key.missing"));
    }
}

#[test]
fn a_key_that_is_destroyed_while_the_token_is_listed_is_not_missing() {
    let appliance = Appliance::with_chaos();
    let service = appliance.start_ready();
    let handle = handle_of(&service.create("cancelled.example"));
    let before = inventory(&service);
    // A new worker searches twice for the sentinel's halves, and then lists the token.
    appliance.chaos_rules("C_FindObjectsInit nth=3 sleep-ms=1000");
    signal(service.worker_pid(), "KILL");
    service.await_that("the token is being listed", || !appliance.chaos_log().is_empty());
    let cancelled = service.delete(&format!("/csrs/{handle}")).expect(200).json();
    assert_eq!(cancelled["key_fate"], "destroyed");
    service.await_that("the token was listed", || inventory(&service)["at"] != before["at"]);
    assert_eq!(inventory(&service)["missing_keys"], 0);
    assert_agreement(&appliance, &service);
}

#[test]
fn an_object_of_somebody_else_is_counted_and_never_touched() {
    let appliance = Appliance::new();
    pkcs11_tool(
        &appliance,
        &["--keypairgen", "--key-type", "EC:prime256v1", "--id", "aabbcc", "--label", "theirs"],
    );
    let theirs = appliance.objects();
    assert_eq!(theirs.len(), 2);
    let mut service = appliance.start_ready();
    service.create("ours.example");
    service.stop();
    let service = appliance.start_ready();
    let now = inventory(&service);
    assert_eq!((&now["foreign"], &now["owned"], &now["objects"]), (&json!(2), &json!(4), &json!(6)), "{now}");
    assert!(theirs.iter().all(|object| appliance.objects().contains(object)));
}

#[test]
fn keys_that_an_older_database_does_not_know_are_recovered() {
    let appliance = Appliance::new();
    let mut service = appliance.start_ready();
    service.create("backed-up.example");
    service.stop();
    let (database, backup) = (appliance.data("strongroom.db"), appliance.path("backup.db"));
    std::fs::copy(&database, &backup).unwrap();
    let mut service = appliance.start_ready();
    let created = service.create("forgotten.example");
    let id =
        service.get(&format!("/keys/{}", created["key"]["handle"].as_str().unwrap())).json()["id"].clone();
    service.stop();
    std::fs::copy(&backup, &database).unwrap();

    let mut service = appliance.start_ready();
    assert_eq!(inventory(&service)["recovered"], 2);
    let keys = pages(&service, "/keys?limit=200");
    let recovered: Vec<_> = keys.iter().filter(|key| key["state"] == "recovered").collect();
    assert_eq!(recovered.iter().map(|key| &key["id"]).collect::<Vec<_>>(), [&id]);
    renew(&service, &recovered[0]["handle"]).expect(201);
    assert_agreement(&appliance, &service);
    service.stop();
    assert!(audit_of(&appliance).iter().any(|record| record.action == "key.recovered"));
    assert_eq!(inventory(&appliance.start_ready())["owned"], 6);
}

#[test]
fn half_a_pair_is_destroyed_and_made_anew_for_a_client_who_comes_back() {
    for (headers, state) in [(&[][..], "failed"), (&[("idempotency-key", "half")][..], "pending")] {
        let appliance = Appliance::with_chaos();
        let mut service = appliance.start_ready();
        let before = appliance.objects();
        appliance.chaos_rules("C_GenerateKeyPair nth=1 hang-after");
        thread::scope(|scope| {
            let body = p256("half.example").to_string();
            let headers = [&[("content-type", "application/json")], headers].concat();
            let client = scope.spawn({
                let service = &service;
                move || service.try_request("POST", "/csrs", &headers, Some(body.as_bytes()))
            });
            service.await_that("the pair is made", || !appliance.chaos_log().is_empty());
            signal(service.pid(), "KILL");
            client.join().unwrap().unwrap_err();
        });
        service.kill();
        let pair: Vec<_> =
            appliance.objects().into_iter().filter(|object| !before.contains(object)).collect();
        assert_eq!(pair.len(), 2, "{pair:?}");
        pkcs11_tool(&appliance, &["--delete-object", "--type", "privkey", "--id", &pair[0].id]);

        let service = appliance.start_ready();
        assert_agreement(&appliance, &service);
        assert_eq!(states_of(&service, "half.example"), [state]);
        assert!(appliance.objects().iter().all(|object| object.id != pair[0].id));
    }
}

fn pkcs11_tool(appliance: &Appliance, args: &[&str]) {
    let output = std::process::Command::new("pkcs11-tool")
        .args(["--module", SOFTHSM, "--token-label", "test-token", "--login", "--pin", PIN])
        .args(args)
        .env("SOFTHSM2_CONF", appliance.path("softhsm2.conf"))
        .output()
        .unwrap();
    assert!(output.status.success(), "{output:?}");
}
