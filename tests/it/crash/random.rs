//! Kills at random moments, under load.

use std::process::Command;
use std::sync::RwLock;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, SystemTime};

use serde_json::Value;

use super::Victims;
use crate::harness::{Appliance, Reply, Service, signal};
use crate::ledger::{Follower, Ledger, audit_of, handle_of, states_of};

const KILLS: usize = 50;
const CLIENTS: u64 = 8;
/// Longest time between two kills, in milliseconds; a create takes some ten.
const KILL_WITHIN: u64 = 400;
/// Longest rest of a client between two requests, in milliseconds: enough work to be hit in the
/// act, few enough keys to be checked after each restart.
const REST_WITHIN: u64 = 200;
/// Repeats a run, as far as threads can be repeated.
const SEED: &str = "STRONGROOM_TEST_SEED";

#[test]
fn fifty_random_kills_under_eight_clients_lose_nothing() {
    let seed = std::env::var(SEED).map_or_else(|_| seed_of_the_clock(), |seed| seed.parse().unwrap());
    eprintln!("{SEED}={seed}");
    let appliance = Appliance::new();
    let ledger = Ledger::default();
    let service = RwLock::new(appliance.start_ready());
    let over = AtomicBool::new(false);
    let repeated: Vec<String> = thread::scope(|scope| {
        let _end = AtEnd(&over);
        let clients: Vec<_> = (1..=CLIENTS)
            .map(|number| {
                let random = Random(seed.wrapping_add(number));
                let mut client = Client { number, random, owned: Vec::new(), repeated: Vec::new() };
                let (service, ledger, over) = (&service, &ledger, &over);
                scope.spawn(move || {
                    client.work(service, ledger, over);
                    client.repeated
                })
            })
            .collect();
        kill_at_random(&appliance, &ledger, &service, Random(seed));
        over.store(true, Ordering::SeqCst);
        clients.into_iter().flat_map(|client| client.join().unwrap()).collect()
    });

    let mut service = service.into_inner().unwrap();
    ledger.await_agreement(&appliance, &service);
    for name in repeated {
        let states = states_of(&service, &name);
        assert!(states == ["pending"] || states == ["cancelled"], "{name}: {states:?}");
    }
    service.stop();
    audit_of(&appliance);
    let service = appliance.start_ready();
    ledger.await_agreement(&appliance, &service);
}

fn kill_at_random<'a>(
    appliance: &'a Appliance,
    ledger: &Ledger,
    service: &RwLock<Service<'a>>,
    mut random: Random,
) {
    for _ in 0..KILLS {
        thread::sleep(random.duration(KILL_WITHIN));
        let victims = [Victims::Service, Victims::Worker, Victims::Both][random.below(3)];
        if victims != Victims::Service {
            kill_worker(&service.read().unwrap());
        }
        if victims != Victims::Worker {
            signal(service.read().unwrap().pid(), "KILL");
            // Got when every client has seen his connection break.
            let mut service = service.write().unwrap();
            service.kill();
            audit_of(appliance);
            *service = appliance.start_ready();
            ledger.assert_kept(appliance, &service);
        }
    }
}

/// It may have died before, of the last kill.
fn kill_worker(service: &Service) {
    let info = &service.get("/tokens").json()["items"][0]["info"];
    if let Some(pid) = info["worker_pid"].as_u64() {
        Command::new("kill").args(["-KILL", &pid.to_string()]).output().unwrap();
    }
}

/// A client who makes, renews and cancels requests of his own.
struct Client {
    number: u64,
    random: Random,
    /// Handle and key of the requests that he may renew or cancel.
    owned: Vec<(String, Value)>,
    /// Names of creates that he repeated until they were answered.
    repeated: Vec<String>,
}

impl Client {
    fn work(&mut self, service: &RwLock<Service>, ledger: &Ledger, over: &AtomicBool) {
        for turn in 0.. {
            if over.load(Ordering::SeqCst) {
                return;
            }
            let name = format!("turn-{turn}.client-{}.example", self.number);
            match self.random.below(10) {
                0..=2 => {
                    let reply = ledger.create(&service.read().unwrap(), &name, Follower::Nobody);
                    self.keep(reply);
                }
                3..=4 => self.repeat(&name, service, ledger, over),
                5 => drop(ledger.create(&service.read().unwrap(), &name, Follower::Later).map(assert_sane)),
                6..=7 if !self.owned.is_empty() => {
                    let key = self.owned[self.random.below(self.owned.len())].1.clone();
                    let reply = ledger.renew(&service.read().unwrap(), &key, &name);
                    self.keep(reply);
                }
                _ if !self.owned.is_empty() => {
                    let (handle, _) = self.owned.swap_remove(self.random.below(self.owned.len()));
                    drop(ledger.cancel(&service.read().unwrap(), &handle).map(assert_sane));
                }
                _ => {}
            }
            thread::sleep(self.random.duration(REST_WITHIN));
        }
    }

    fn repeat(&mut self, name: &str, service: &RwLock<Service>, ledger: &Ledger, over: &AtomicBool) {
        while !over.load(Ordering::SeqCst) {
            let reply = ledger.create(&service.read().unwrap(), name, Follower::Repeating);
            if reply.as_ref().is_ok_and(|reply| matches!(reply.status, 201 | 202)) {
                self.repeated.push(name.to_owned());
                return self.keep(reply);
            }
            self.keep(reply);
            thread::sleep(self.random.duration(REST_WITHIN));
        }
    }

    fn keep(&mut self, reply: Result<Reply, ureq::Error>) {
        let Ok(reply) = reply else { return };
        assert_sane(&reply);
        if reply.status == 201 {
            let csr = reply.json();
            self.owned.push((handle_of(&csr), csr["key"]["handle"].clone()));
        }
    }
}

/// An outage is an outage, and never a bug or a refusal. 409: the key of a request is going whose
/// cancellation was not answered.
fn assert_sane(reply: impl std::borrow::Borrow<Reply>) {
    let reply = reply.borrow();
    let text = String::from_utf8_lossy(&reply.bytes);
    assert!(matches!(reply.status, 200..=202 | 409 | 503 | 504), "{}: {text}", reply.status);
}

/// Ends the clients also when the killer panics.
struct AtEnd<'a>(&'a AtomicBool);

impl Drop for AtEnd<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::SeqCst);
    }
}

/// SplitMix64.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    fn below(&mut self, bound: usize) -> usize {
        usize::try_from(self.next() % bound as u64).unwrap()
    }

    fn duration(&mut self, within_millis: u64) -> Duration {
        Duration::from_millis(self.next() % within_millis)
    }
}

fn seed_of_the_clock() -> u64 {
    SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap().as_secs()
}
