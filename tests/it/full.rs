//! No room: the token's configured capacity, a full token, a full or read-only disk under token or
//! index. Creates are answered 503 with a clear code, all else goes on, nothing is lost, and what was
//! refused works again when there is room, without a restart.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::{Value, json};

use crate::certificate_objects::{WRITE, certificate_path, certificates, reconcile};
use crate::certificates::Ca;
use crate::harness::{Appliance, Reply, Service, p256};
use crate::ledger::{Follower, Ledger, handle_of};

#[test]
fn creates_beyond_the_configured_capacity_are_refused_before_anything_is_tried() {
    let mut appliance = Appliance::new();
    appliance.token_settings("capacity = 3");
    let service = appliance.start_ready();
    let ledger = Ledger::default();
    assert_eq!(used_of(&service), (1, json!(3)), "the sentinel takes room, too");
    let first = ledger.create(&service, "first.example", Follower::Nobody).unwrap().expect(201).json();
    ledger.create(&service, "second.example", Follower::Nobody).unwrap().expect(201);
    for follower in Follower::ALL {
        let refused = ledger.create(&service, "third.example", follower).unwrap();
        let detail = assert_refused(refused, "hsm.full");
        assert!(detail.contains("`main` has 3 keys and may have 3"), "{detail}");
    }
    assert_eq!(requests(&service), 2, "nothing is recorded of what was refused");
    // What makes no key goes on.
    ledger.renew(&service, &first["key"]["handle"], "renewal.example").unwrap().expect(201);
    ledger.await_agreement(&appliance, &service);

    let second = service.get("/csrs?name=second.example").json()["items"][0].clone();
    ledger.cancel(&service, &handle_of(&second)).unwrap().expect(200);
    assert_eq!(used_of(&service), (2, json!(3)));
    ledger.create(&service, "third.example", Follower::Repeating).unwrap().expect(201);
    ledger.await_agreement(&appliance, &service);
}

#[test]
fn many_creates_at_once_do_not_share_the_last_place() {
    let mut appliance = Appliance::new();
    appliance.token_settings("capacity = 4");
    let service = appliance.start_ready();
    let mut statuses: Vec<u16> = std::thread::scope(|scope| {
        let creates: Vec<_> = (0..8)
            .map(|n| {
                scope.spawn({
                    let service = &service;
                    move || service.post("/csrs", &p256(&format!("n{n}.example"))).status
                })
            })
            .collect();
        creates.into_iter().map(|create| create.join().unwrap()).collect()
    });
    statuses.sort_unstable();
    assert_eq!(statuses, [201, 201, 201, 503, 503, 503, 503, 503]);
    assert_eq!(appliance.private_keys(), 4);
}

#[test]
fn a_token_that_says_it_is_full_refuses_keys_and_loses_none() {
    let appliance = Appliance::with_chaos();
    let service = appliance.start_ready();
    let worker = service.worker_pid();
    let ledger = Ledger::default();
    let kept = ledger.create(&service, "kept.example", Follower::Nobody).unwrap().expect(201).json();
    appliance.chaos_rules("C_GenerateKeyPair every return-before=CKR_DEVICE_MEMORY");
    assert_refused(ledger.create(&service, "refused.example", Follower::Nobody).unwrap(), "hsm.full");
    assert_refused(ledger.create(&service, "repeated.example", Follower::Repeating).unwrap(), "hsm.full");
    ledger.renew(&service, &kept["key"]["handle"], "renewal.example").unwrap().expect(201);
    assert_ready(&service);
    assert_eq!(service.worker_pid(), worker, "a full token is no broken one");
    appliance.chaos_rules("");
    ledger.create(&service, "repeated.example", Follower::Repeating).unwrap().expect(201);
    ledger.await_agreement(&appliance, &service);
}

#[test]
fn a_token_on_a_full_disk_refuses_keys_and_certificates_and_loses_none() {
    let mut appliance = Appliance::without_token();
    let Some(disk) = Disk::mount(&appliance.path("softhsm"), "256k") else { return };
    appliance.init_token("test-token");
    appliance.token_settings(WRITE);
    let service = appliance.start_ready();
    let worker = service.worker_pid();
    let ledger = Ledger::default();
    let kept = ledger.create(&service, "kept.example", Follower::Nobody).unwrap().expect(201).json();
    let issued = service.create("issued.example");
    disk.fill();
    for follower in Follower::ALL {
        let refused = ledger.create(&service, "refused.example", follower).unwrap();
        match follower {
            // Accepted before the token was asked: it is made when there is room.
            Follower::Later => drop(refused.expect(202)),
            Follower::Nobody | Follower::Repeating => drop(assert_refused(refused, "hsm.full")),
        }
    }
    let certificate = Ca::new("Example CA").issue(issued["csr"].as_str().unwrap());
    let married = service.put(&certificate_path(&issued), "application/pkix-cert", certificate.der());
    assert_eq!(married.expect(200).json()["on_token"], "pending");
    assert_eq!(reconcile(&service)["pending_certificates"], 1);
    assert_eq!(certificates(&appliance), 0);

    ledger.renew(&service, &kept["key"]["handle"], "renewal.example").unwrap().expect(201);
    assert_ready(&service);
    assert_eq!(service.worker_pid(), worker, "a full token is no broken one");
    ledger.assert_kept(&appliance, &service);

    disk.make_room();
    ledger.create(&service, "refused.example", Follower::Repeating).unwrap().expect(201);
    assert_eq!(reconcile(&service)["pending_certificates"], 0);
    assert_eq!(certificates(&appliance), 1);
    reconcile(&service);
    ledger.await_agreement(&appliance, &service);
}

#[test]
fn an_index_on_a_full_disk_refuses_changes_and_loses_none() {
    let appliance = Appliance::new();
    fs::create_dir(appliance.path("data")).unwrap();
    let Some(disk) = Disk::mount(&appliance.path("data"), "8m") else { return };
    let service = appliance.start_ready();
    let ledger = Ledger::default();
    let kept = ledger.create(&service, "kept.example", Follower::Nobody).unwrap().expect(201).json();
    disk.fill();
    // What the write-ahead log has room for is still taken.
    let refused = (0..200)
        .map(|n| ledger.create(&service, &format!("n{n}.example"), Follower::Nobody).unwrap())
        .find(|reply| reply.status != 201)
        .expect("the disk is full");
    assert_refused(refused, "store.unavailable");
    assert_refused(
        ledger.create(&service, "repeated.example", Follower::Repeating).unwrap(),
        "store.unavailable",
    );
    assert_refused(service.delete(&format!("/csrs/{}", handle_of(&kept))), "store.unavailable");
    // A refusal that cannot go on record is a refusal all the same.
    service.post("/csrs", &json!({ "no such field": 1 })).problem(400, "body.invalid");
    let wrong = [("authorization", "Bearer srk_wrong")];
    service.request("GET", "/csrs", &wrong, None).problem(401, "auth.unauthenticated");
    service.get("/audit").expect(200);
    ledger.assert_kept(&appliance, &service);

    disk.make_room();
    ledger.create(&service, "repeated.example", Follower::Repeating).unwrap().expect(201);
    // What a refused create left on the token is cleared by the next reconciliation.
    reconcile(&service);
    ledger.await_agreement(&appliance, &service);
    ledger.cancel(&service, &handle_of(&kept)).unwrap().expect(200);
    ledger.await_agreement(&appliance, &service);
}

#[test]
fn a_token_whose_disk_became_read_only_is_down_until_it_can_be_written() {
    let appliance = Appliance::without_token();
    let Some(disk) = Disk::mount(&appliance.path("softhsm"), "1m") else { return };
    appliance.init_token("test-token");
    let service = appliance.start_ready();
    let ledger = Ledger::default();
    let kept = ledger.create(&service, "kept.example", Follower::Nobody).unwrap().expect(201).json();
    disk.remount("ro");
    // SoftHSM answers CKR_GENERAL_ERROR, which may mean anything: whether a key was made is told only
    // when a new worker comes up to look. Soon none does.
    service.await_that("the token is down", || {
        let refused = ledger.create(&service, "refused.example", Follower::Nobody).unwrap();
        let clear = match refused.status {
            503 => refused.header("retry-after").is_some(),
            504 => refused.header("location").is_some(),
            _ => false,
        };
        assert!(clear, "{refused:?}: {}", String::from_utf8_lossy(&refused.bytes));
        refused.json()["code"] == "hsm.unavailable"
    });
    let shown = service.get(&format!("/csrs/{}", handle_of(&kept))).expect(200).json();
    assert_eq!(shown["csr"], kept["csr"], "what the index has is read without the token");
    disk.remount("rw");
    service.await_ready();
    ledger.create(&service, "again.example", Follower::Nobody).unwrap().expect(201);
    ledger.await_agreement(&appliance, &service);
}

#[test]
fn a_service_whose_index_is_on_a_read_only_disk_does_not_start_and_says_why() {
    let appliance = Appliance::new();
    fs::create_dir(appliance.path("data")).unwrap();
    let Some(disk) = Disk::mount(&appliance.path("data"), "8m") else { return };
    let mut service = appliance.start_ready();
    let kept = service.create("kept.example");
    service.stop();
    drop(service);
    disk.remount("ro");
    let refused = appliance.cli(&["serve"]);
    let told = String::from_utf8_lossy(&refused.stderr);
    assert_eq!(refused.status.code(), Some(2), "{told}");
    assert!(told.contains("data") && told.contains("Read-only file system"), "{told}");
    disk.remount("rw");
    let service = appliance.start_ready();
    assert_eq!(service.get(&format!("/csrs/{}", handle_of(&kept))).json()["status"], "pending");
}

/// The reply says that it is not possible now, why, and when to come back.
#[track_caller]
fn assert_refused(reply: Reply, code: &str) -> String {
    assert!(reply.header("retry-after").is_some(), "{reply:?}");
    reply.problem(503, code)["detail"].as_str().unwrap().to_owned()
}

#[track_caller]
fn assert_ready(service: &Service) {
    service.request("GET", "//readyz", &[], None).expect(200);
}

fn requests(service: &Service) -> usize {
    service.get("/csrs?limit=200").json()["items"].as_array().unwrap().len()
}

/// Keys that take room on the token, and how many may.
fn used_of(service: &Service) -> (u64, Value) {
    let token = service.get("/tokens").json()["items"][0].clone();
    (token["used"].as_u64().unwrap(), token["capacity"].clone())
}

/// A small file system of its own, under a directory of an appliance.
pub struct Disk {
    at: PathBuf,
}

impl Disk {
    /// `None`, and says so, without the right to mount.
    pub fn mount(at: &Path, size: &str) -> Option<Self> {
        let options = format!("size={size},mode=0700");
        let mounted = Command::new("mount").args(["-t", "tmpfs", "-o", &options, "tmpfs"]).arg(at).output();
        match mounted {
            Ok(output) if output.status.success() => Some(Self { at: at.to_owned() }),
            outcome => {
                assert!(!rustix::process::geteuid().is_root(), "root cannot mount: {outcome:?}");
                eprintln!("NOT RUN: a full disk needs a small file system, and only root may mount one");
                None
            }
        }
    }

    /// Leaves no byte free.
    fn fill(&self) {
        let mut ballast = fs::File::create(self.at.join("ballast")).unwrap();
        for block in [&[0_u8; 4096][..], &[0]] {
            while std::io::Write::write_all(&mut ballast, block).is_ok() {}
        }
    }

    fn make_room(&self) {
        fs::remove_file(self.at.join("ballast")).unwrap();
    }

    #[track_caller]
    fn remount(&self, mode: &str) {
        let options = format!("remount,{mode}");
        let output = Command::new("mount").args(["-o", &options]).arg(&self.at).output().unwrap();
        assert!(output.status.success(), "{output:?}");
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        // Detached, for a service that still runs has files open there.
        let _ = Command::new("umount").arg("--lazy").arg(&self.at).status();
    }
}
