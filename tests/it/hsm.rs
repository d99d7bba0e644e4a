//! The PKCS#11 ring against SoftHSM, through real worker processes.

mod rig;

use std::fs;
use std::time::Duration;

use rig::{PIN, Rig, cpu_ticks, down, eventually, key_id, renewed, runs, signal, up, verifies};
use rustix::process::Signal;
use secrecy::SecretString;
use strongroom::domain::algorithm::KeyKind;
use strongroom::domain::key::EvidenceLevel;
use strongroom::hsm::{self, Destroyed, InitToken, Kind, ObjectClass, Profile, Selector};

use crate::harness::stop;

fn kind(name: &str) -> KeyKind {
    name.parse().unwrap()
}

#[tokio::test]
async fn every_kind_is_made_read_back_and_signs_with_every_scheme() {
    let rig = Rig::with_token("all");
    let (hsm, token) = rig.start(rig.spec("all"));
    let info = up(&token).await;
    assert_eq!(info.algorithms, Profile::shipped("softhsm2").unwrap().keys);
    for (n, kind) in (1..).zip(info.algorithms.iter().copied()) {
        let made = token.generate(key_id(n), format!("key {n}"), kind).await.unwrap();
        assert_eq!(made.attributes.violations(), Vec::<String>::new(), "{kind}");
        assert_eq!(token.read_back(key_id(n)).await.unwrap(), made);
        for scheme in kind.schemes() {
            let signature = token.sign(key_id(n), scheme, b"message".to_vec()).await.unwrap();
            assert!(verifies(&made.spki, scheme, b"message", &signature), "{kind} {scheme}");
            assert!(!verifies(&made.spki, scheme, b"massage", &signature), "{kind} {scheme}");
        }
    }
    hsm.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn signatures_in_parallel_are_those_of_their_messages_and_keys() {
    let rig = Rig::with_token("parallel");
    let (_hsm, token) = rig.start(rig.spec("parallel"));
    let kind = kind("ec-p256");
    let mut keys = Vec::new();
    for n in 0..4 {
        keys.push(token.generate(key_id(n), n.to_string(), kind).await.unwrap().spki);
    }
    let mut calls = tokio::task::JoinSet::new();
    for i in 0_usize..400 {
        let token = token.clone();
        calls.spawn(async move {
            let message = i.to_string().into_bytes();
            let id = key_id((i % 4) as u8);
            (i, token.sign(id, kind.default_scheme(), message).await.unwrap())
        });
    }
    while let Some(done) = calls.join_next().await {
        let (i, signature) = done.unwrap();
        assert!(verifies(&keys[i % 4], kind.default_scheme(), i.to_string().as_bytes(), &signature));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn generations_queue_behind_each_other_and_none_is_lost() {
    let rig = Rig::with_token("many");
    let (_hsm, token) = rig.start(rig.spec("many"));
    let mut calls = tokio::task::JoinSet::new();
    for n in 0..60 {
        let token = token.clone();
        calls.spawn(async move { token.generate(key_id(n), n.to_string(), kind("ec-p256")).await.unwrap() });
    }
    let mut spkis: Vec<_> = calls.join_all().await.into_iter().map(|key| key.spki).collect();
    spkis.sort();
    spkis.dedup();
    assert_eq!(spkis.len(), 60);
    assert_eq!(token.inventory().await.unwrap().len(), 120);
}

#[tokio::test]
async fn one_lane_does_every_kind_of_call() {
    let rig = Rig::with_token("lane");
    let mut spec = rig.spec("lane");
    spec.profile.concurrent_calls = false;
    let (hsm, token) = rig.start(spec);
    let made = token.generate(key_id(1), "x".into(), kind("ec-p384")).await.unwrap();
    assert_eq!(token.read_back(key_id(1)).await.unwrap(), made);
    let scheme = kind("ec-p384").default_scheme();
    let signature = token.sign(key_id(1), scheme, b"m".to_vec()).await.unwrap();
    assert!(verifies(&made.spki, scheme, b"m", &signature));
    assert_eq!(token.inventory().await.unwrap().len(), 2);
    assert_eq!(up(&token).await.sessions, 1);
    hsm.shutdown().await;
}

#[tokio::test]
async fn a_killed_worker_is_not_noticed_by_the_next_call() {
    let rig = Rig::with_token("killed");
    let (_hsm, token) = rig.start(rig.spec("killed"));
    let kind = kind("ec-p256");
    let made = token.generate(key_id(1), "x".into(), kind).await.unwrap();
    let pid = up(&token).await.worker_pid;
    signal(pid, Signal::KILL);
    let signature = token.sign(key_id(1), kind.default_scheme(), b"m".to_vec()).await.unwrap();
    assert!(verifies(&made.spki, kind.default_scheme(), b"m", &signature));
    assert_ne!(up(&token).await.worker_pid, pid);
}

#[tokio::test]
async fn a_stopped_worker_is_replaced_and_its_calls_are_made_again() {
    let rig = Rig::with_token("stopped");
    let (_hsm, token) = rig.start(rig.spec("stopped"));
    let pid = up(&token).await.worker_pid;
    stop(pid);
    // It never read the call, so even a generation can be made again.
    token.generate(key_id(1), "x".into(), kind("ec-p256")).await.unwrap();
    assert!(!runs(pid));
}

#[tokio::test]
async fn a_generation_cut_off_in_the_module_has_an_unknown_outcome_and_is_not_made_again() {
    let rig = Rig::with_token("cut");
    let (_hsm, token) = rig.start(rig.spec("cut"));
    let pid = up(&token).await.worker_pid;
    let before = cpu_ticks(pid);
    let cut = tokio::spawn({
        let token = token.clone();
        async move { token.generate(key_id(1), "x".into(), kind("rsa-4096")).await }
    });
    eventually("the worker looks for primes", || cpu_ticks(pid) >= before + 3).await;
    signal(pid, Signal::KILL);
    assert_eq!(cut.await.unwrap().unwrap_err().kind(), Kind::OutcomeUnknown);
    assert_eq!(token.inventory().await.unwrap(), []);
}

#[tokio::test]
async fn a_call_past_its_deadline_costs_the_worker() {
    let rig = Rig::with_token("slow");
    let mut spec = rig.spec("slow");
    spec.profile.deadlines.generate_rsa = Duration::from_millis(1);
    let (_hsm, token) = rig.start(spec);
    let pid = up(&token).await.worker_pid;
    let error = token.generate(key_id(1), "x".into(), kind("rsa-4096")).await.unwrap_err();
    assert_eq!(error.kind(), Kind::OutcomeUnknown);
    assert!(!runs(pid));
}

#[tokio::test]
async fn a_wrong_pin_is_tried_once_across_starts_until_the_file_changes() {
    let rig = Rig::with_token("pin");
    rig.write_pin("654321");
    for _ in 0..2 {
        let (hsm, token) = rig.start(rig.spied("pin"));
        assert_eq!(down(&token).await.kind(), Kind::PinRefused);
        assert_eq!(token.inventory().await.unwrap_err().kind(), Kind::PinRefused);
        hsm.shutdown().await;
    }
    assert_eq!(rig.spied_calls("C_Login"), 1);
    rig.write_pin(PIN);
    let (_hsm, token) = rig.start(rig.spied("pin"));
    up(&token).await;
    assert_eq!(rig.spied_calls("C_Login"), 2);
}

#[tokio::test]
async fn an_unknown_label_lists_those_there_are() {
    let rig = Rig::with_token("this one");
    let (_hsm, token) = rig.start(rig.spec("that one"));
    let error = down(&token).await;
    assert_eq!(error.kind(), Kind::TokenNotFound);
    assert!(error.to_string().contains("`this one`"), "{error}");
    assert!(token.inventory().await.unwrap_err().retry_after().is_some());
}

#[tokio::test]
async fn two_tokens_with_one_label_need_a_serial_number() {
    let rig = Rig::with_token("twin");
    rig.init_token("twin");
    let (hsm, token) = rig.start(rig.spec("twin"));
    let error = down(&token).await;
    assert_eq!(error.kind(), Kind::Ambiguous);
    hsm.shutdown().await;

    let slots = hsm::slots(&rig.spec("twin"), &rig.options()).await.unwrap();
    let twins = slots.into_iter().filter_map(|slot| slot.token.filter(|token| token.initialized));
    let serials: Vec<_> = twins.map(|token| token.serial).collect();
    assert!(serials.iter().all(|serial| error.to_string().contains(serial)), "{error} {serials:?}");
    let mut spec = rig.spec("twin");
    spec.selector = Selector { label: Some("twin".into()), serial: Some(serials[1].clone()) };
    let (_hsm, token) = rig.start(spec);
    assert_eq!(up(&token).await.serial, serials[1]);
}

#[tokio::test]
async fn a_second_service_does_not_get_the_token() {
    let rig = Rig::with_token("locked");
    let (first, token) = rig.start(rig.spec("locked"));
    up(&token).await;
    let (_second, rival) = rig.start(rig.spec("locked"));
    assert_eq!(down(&rival).await.kind(), Kind::LockHeld);
    let error = hsm::slots(&rig.spec("locked"), &rig.options()).await.unwrap_err();
    assert_eq!(error.kind(), Kind::LockHeld);
    first.shutdown().await;
    up(&rival).await;
}

#[tokio::test]
async fn a_token_that_goes_away_and_comes_back_heals_by_itself() {
    let rig = Rig::with_token("away");
    let (_hsm, token) = rig.start(rig.spec("away"));
    let kind = kind("ec-p256");
    token.generate(key_id(1), "x".into(), kind).await.unwrap();
    let sign = || token.sign(key_id(1), kind.default_scheme(), b"m".to_vec());

    fs::rename(rig.path("tokens"), rig.path("gone")).unwrap();
    let error = sign().await.unwrap_err();
    assert!(matches!(error.kind(), Kind::Unavailable | Kind::TokenNotFound), "{error:?}");
    assert!(error.retry_after().is_some());

    fs::rename(rig.path("gone"), rig.path("tokens")).unwrap();
    up(&token).await;
    sign().await.unwrap();
}

#[tokio::test]
async fn a_restart_on_demand_brings_a_new_worker() {
    let rig = Rig::with_token("demand");
    let (_hsm, token) = rig.start(rig.spec("demand"));
    let pid = up(&token).await.worker_pid;
    renewed(&token).await;
    assert!(!runs(pid));
    token.inventory().await.unwrap();
}

#[tokio::test]
async fn destruction_takes_every_object_with_the_id_and_none_is_no_error() {
    let rig = Rig::with_token("destroy");
    let (_hsm, token) = rig.start(rig.spec("destroy"));
    let kind = kind("ec-p256");
    for n in [1, 2] {
        token.generate(key_id(n), "x".into(), kind).await.unwrap();
    }
    // A second pair under one id, which SoftHSM accepts.
    token.generate(key_id(1), "x".into(), kind).await.unwrap();
    renewed(&token).await;
    assert_eq!(token.read_back(key_id(1)).await.unwrap_err().kind(), Kind::Ambiguous);

    let destroyed = token.destroy(key_id(1)).await.unwrap();
    assert_eq!(destroyed, Destroyed { private: 2, public: 2, other: 0 });
    assert_eq!(token.destroy(key_id(1)).await.unwrap(), Destroyed::default());
    let error = token.sign(key_id(1), kind.default_scheme(), b"m".to_vec()).await.unwrap_err();
    assert_eq!(error.kind(), Kind::KeyMissing);
    token.sign(key_id(2), kind.default_scheme(), b"m".to_vec()).await.unwrap();
}

#[tokio::test]
async fn half_a_pair_is_told_as_such() {
    let rig = Rig::with_token("half");
    let (_hsm, token) = rig.start(rig.spec("half"));
    token.generate(key_id(1), "x".into(), kind("ec-p256")).await.unwrap();
    let id = hex::encode(key_id(1).as_bytes());
    let delete = ["--login", "--pin", PIN, "--delete-object", "--type", "privkey", "--id", &id];
    rig.run("pkcs11-tool", &[&["--module", rig::SOFTHSM2, "--token-label", "half"], &delete[..]].concat());
    renewed(&token).await;
    let error = token.read_back(key_id(1)).await.unwrap_err();
    assert_eq!(error.kind(), Kind::KeyMissing);
    assert!(error.to_string().contains("0 private and 1 public"), "{error}");
}

#[tokio::test]
async fn the_inventory_lists_objects_of_others_and_debris() {
    let rig = Rig::with_token("stock");
    let (hsm, token) = rig.start(rig.spec("stock"));
    token.generate(key_id(1), "ours".into(), kind("ec-p256")).await.unwrap();
    hsm.shutdown().await;

    let with_token = ["--module", rig::SOFTHSM2, "--token-label", "stock", "--login", "--pin", PIN];
    fs::write(rig.path("data"), "data").unwrap();
    let data = rig.path("data");
    let write = ["--write-object", data.to_str().unwrap(), "--type", "data", "--label", "foreign"];
    rig.run("pkcs11-tool", &[&with_token[..], &write].concat());
    // What SoftHSM leaves of a generation that was killed early.
    let dir = fs::read_dir(rig.path("tokens")).unwrap().next().unwrap().unwrap().path();
    fs::write(dir.join("00000000-0000-0000-0000-000000000000.object"), "").unwrap();
    fs::write(dir.join("00000000-0000-0000-0000-000000000000.lock"), "").unwrap();

    let (_hsm, token) = rig.start(rig.spec("stock"));
    let objects = token.inventory().await.unwrap();
    let ours = objects.iter().filter(|object| object.id == key_id(1).as_bytes());
    let ours: Vec<_> = ours.map(|object| (&object.class, object.label.as_slice())).collect();
    assert_eq!(ours.len(), 2);
    assert!(ours.contains(&(&ObjectClass::Private, b"ours".as_slice())));
    assert!(ours.contains(&(&ObjectClass::Public, b"ours".as_slice())));
    let foreign = objects.iter().find(|object| object.label == b"foreign").unwrap();
    assert!(matches!(foreign.class, ObjectClass::Other(_)), "{foreign:?}");
    token.sign(key_id(1), kind("ec-p256").default_scheme(), b"m".to_vec()).await.unwrap();
}

#[tokio::test]
async fn a_token_is_initialised_only_where_there_is_none() {
    let rig = Rig::empty();
    let new = || InitToken {
        label: "fresh".into(),
        pin: SecretString::from(PIN.to_owned()),
        so_pin: SecretString::from("87654321".to_owned()),
    };
    let slot = hsm::init_token(&rig.spec("fresh"), &rig.options(), new()).await.unwrap();
    let made = slot.token.unwrap();
    assert!(made.initialized && made.user_pin_initialized && made.label == "fresh", "{made:?}");

    let error = hsm::init_token(&rig.spec("fresh"), &rig.options(), new()).await.unwrap_err();
    assert_eq!(error.kind(), Kind::Ambiguous);

    let mut spec = rig.spec("fresh");
    spec.declared_hardware = true;
    let (_hsm, token) = rig.start(spec);
    let info = up(&token).await;
    assert_eq!(info.evidence, EvidenceLevel::E0);
    assert_eq!(info.serial, made.serial);
    let uri = info.key_uri(key_id(1), "x");
    assert!(uri.starts_with(&format!("pkcs11:token=fresh;serial={}", made.serial)), "{uri}");
    assert!(token.slots().await.unwrap().iter().any(|slot| slot.token.as_ref().is_some_and(|t| *t == made)));
}

#[tokio::test]
async fn a_pin_file_that_others_may_read_is_refused() {
    use std::os::unix::fs::PermissionsExt as _;
    let rig = Rig::with_token("open");
    fs::set_permissions(rig.path("pin"), fs::Permissions::from_mode(0o644)).unwrap();
    let (_hsm, token) = rig.start(rig.spec("open"));
    assert_eq!(down(&token).await.kind(), Kind::Misconfigured);
}

#[tokio::test]
async fn after_the_shutdown_there_is_no_worker_and_no_call() {
    let rig = Rig::with_token("end");
    let (hsm, token) = rig.start(rig.spied("end"));
    let pid = up(&token).await.worker_pid;
    hsm.shutdown().await;
    assert!(!runs(pid));
    assert_eq!(rig.spied_calls("C_Finalize"), 1);
    assert_eq!(token.inventory().await.unwrap_err().kind(), Kind::Unavailable);
}

/// Where the test below tells its child process the rig, and the child tells the worker's pid.
const ORPHANED_RIG: &str = "STRONGROOM_TEST_ORPHANED_RIG";

#[tokio::test]
async fn the_worker_of_a_killed_service_ends() {
    if std::env::var_os(ORPHANED_RIG).is_some() {
        return service_to_be_killed().await;
    }
    let rig = Rig::with_token("orphan");
    let mut service = std::process::Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "hsm::the_worker_of_a_killed_service_ends"])
        .env(ORPHANED_RIG, rig.path(""))
        .spawn()
        .unwrap();
    eventually("the service tells the worker's pid", || rig.path("pid").exists()).await;
    let pid = fs::read_to_string(rig.path("pid")).unwrap().parse().unwrap();
    assert!(runs(pid));
    service.kill().unwrap();
    service.wait().unwrap();
    eventually("the orphan ends", || !runs(pid)).await;
}

async fn service_to_be_killed() {
    let dir = std::path::PathBuf::from(std::env::var_os(ORPHANED_RIG).unwrap());
    let rig = Rig::at(dir);
    let (_hsm, token) = rig.start(rig.spec("orphan"));
    let pid = up(&token).await.worker_pid;
    fs::write(rig.path("pid.new"), pid.to_string()).unwrap();
    fs::rename(rig.path("pid.new"), rig.path("pid")).unwrap();
    std::future::pending().await
}
