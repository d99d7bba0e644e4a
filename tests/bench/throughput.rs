//! CSRs per second through HTTP beside what the bare token does, and the memory that they take.

use std::path::Path;
use std::thread;
use std::time::Duration;

use serde_json::{Value, json};

use crate::appliance::{Appliance, Service};
use crate::bare::{self, Done, Kind, Work};
use crate::load::{self, Outcome, Until};
use crate::report::{Goal, Report, Row, rate};
use crate::{Extent, median, note, process};

const CLIENTS: [usize; 3] = [1, 8, 32];

/// The clients whose rate has a goal: enough to keep every session busy.
const GOAL_CLIENTS: usize = 8;

/// Keys that renewals are spread over.
const RENEWED_KEYS: usize = 16;

/// After a load, until what it left to be done is done.
const SETTLING: Duration = Duration::from_secs(2);

/// What one round gives.
struct Round {
    bare_create: f64,
    /// With one key, and with all of them.
    bare_memory: [u64; 2],
    bare_rsa: f64,
    bare_ec: f64,
    create: Vec<Outcome>,
    renew_rsa: Vec<Outcome>,
    renew_ec: Vec<Outcome>,
    memory: [Memory; 3],
}

/// PSS of service and worker, in KiB.
#[derive(Clone, Copy, PartialEq, PartialOrd)]
struct Memory {
    service: u64,
    worker: u64,
}

pub fn measure(data: &Path, extent: &Extent, report: &mut Report) {
    let rounds: Vec<_> = (1..=extent.rounds)
        .map(|round| {
            note(&format!("throughput, round {round} of {}", extent.rounds));
            Round::run(data, extent)
        })
        .collect();
    let sessions = bare::sessions();
    let bare_create = median(&each(&rounds, |round| round.bare_create));
    let bare_rsa = median(&each(&rounds, |round| round.bare_rsa));
    let bare_ec = median(&each(&rounds, |round| round.bare_ec));
    report.add(Row::new("bare token: P-256 key and signature, 1 lane", rate(bare_create)));
    report.add(Row::new(format!("bare token: RSA-2048 signature, {sessions} sessions"), rate(bare_rsa)));
    report.add(Row::new(format!("bare token: P-256 signature, {sessions} sessions"), rate(bare_ec)));
    for (n, clients) in CLIENTS.into_iter().enumerate() {
        let outcome = median(&each(&rounds, |round| round.create[n]));
        let row = compared("P-256 create", clients, outcome, bare_create);
        report.add(with_goal(row, clients, Goal::AtLeast(0.8), outcome.rate / bare_create, ""));
    }
    for (n, clients) in CLIENTS.into_iter().enumerate() {
        let outcome = median(&each(&rounds, |round| round.renew_rsa[n]));
        let row = compared("RSA-2048 renewal", clients, outcome, bare_rsa);
        report.add(with_goal(row, clients, Goal::AtLeast(0.5), outcome.rate / bare_rsa, ""));
    }
    for (n, clients) in CLIENTS.into_iter().enumerate() {
        let outcome = median(&each(&rounds, |round| round.renew_ec[n]));
        let row = compared("P-256 renewal", clients, outcome, bare_ec);
        report.add(with_goal(row, clients, Goal::AtLeast(1000.0), outcome.rate, " /s"));
    }
    let keys_made = extent.keys + 2 * RENEWED_KEYS as u64;
    let whens = [
        "after the start".to_owned(),
        format!("after the renewals, {} keys", 2 * RENEWED_KEYS),
        format!("after creates, {keys_made} keys"),
    ];
    for (n, when) in whens.into_iter().enumerate() {
        let Memory { service, worker } = median(&each(&rounds, |round| round.memory[n]));
        let [service, worker] = [service, worker].map(mib);
        let what = format!("idle PSS {when}: service {service:.1}, worker {worker:.1}");
        let total = service + worker;
        let row = Row::new(what, format!("{total:.1} MiB")).goal(Goal::AtMost(40.0), total, " MiB");
        report.add(row);
    }
    let [empty, full] = [0, 1].map(|n| mib(median(&each(&rounds, |round| round.bare_memory[n]))));
    let what = format!("bare token: PSS of its process, {} keys to 1", extent.keys);
    report.add(Row::new(what, format!("{full:.1} MiB")).compared(format!("{empty:.1} MiB"), full / empty));
    let Memory { service, worker } = median(&each(&rounds, |round| round.memory[2]));
    let own = mib(service) + mib(worker) - (full - empty);
    let row =
        Row::new("idle PSS after creates, without what the bare token grew by", format!("{own:.1} MiB"));
    report.add(row.goal(Goal::AtMost(40.0), own, " MiB"));
}

fn mib(kib: u64) -> f64 {
    kib as f64 / 1024.0
}

fn each<T>(rounds: &[Round], value: impl Fn(&Round) -> T) -> Vec<T> {
    rounds.iter().map(value).collect()
}

fn compared(what: &str, clients: usize, outcome: Outcome, bare: f64) -> Row {
    let plural = if clients == 1 { "" } else { "s" };
    Row::load(format!("{what}, {clients} client{plural}"), outcome).compared(rate(bare), outcome.rate / bare)
}

fn with_goal(row: Row, clients: usize, goal: Goal, number: f64, unit: &str) -> Row {
    if clients == GOAL_CLIENTS { row.goal(goal, number, unit) } else { row }
}

impl Round {
    /// Bare and through HTTP in turn, so that both meet the same machine.
    fn run(data: &Path, extent: &Extent) -> Self {
        let signing = |kind| Work::Sign { kind, seconds: extent.signing.as_secs_f64() }.done().rate;
        let with_one_key = Work::GenerateAndSign { keys: 1 }.done().pss;
        let Done { rate: bare_create, pss } = Work::GenerateAndSign { keys: extent.keys }.done();
        let bare_memory = [with_one_key, pss];
        let create = CLIENTS
            .map(|clients| {
                let appliance = Appliance::new(data);
                make_keys(&appliance.start(), clients, extent.keys)
            })
            .to_vec();
        let appliance = Appliance::new(data);
        let service = appliance.start();
        let after_start = idle_memory(&service);
        let bare_rsa = signing(Kind::Rsa2048);
        let renew_rsa = renew(&service, "rsa-2048", extent.signing);
        let bare_ec = signing(Kind::EcP256);
        let renew_ec = renew(&service, "ec-p256", extent.signing);
        let after_renewals = idle_memory(&service);
        make_keys(&service, GOAL_CLIENTS, extent.keys);
        let after_creates = idle_memory(&service);
        service.stop();
        let memory = [after_start, after_renewals, after_creates];
        Self { bare_create, bare_memory, bare_rsa, bare_ec, create, renew_rsa, renew_ec, memory }
    }
}

fn make_keys(service: &Service, clients: usize, keys: u64) -> Outcome {
    load::run(service, clients, Until::Sent(keys), 201, |n| {
        service.post_csr(&wish(n, &json!({ "kind": "ec-p256" })))
    })
}

fn renew(service: &Service, kind: &str, time: Duration) -> Vec<Outcome> {
    let mut connection = service.connect();
    let keys: Vec<Value> = (0..RENEWED_KEYS)
        .map(|_| {
            let reply = connection.send(&service.post_csr(&wish(0, &json!({ "kind": kind }))));
            assert_eq!(reply.status, 201, "{}", String::from_utf8_lossy(&reply.body));
            json!({ "handle": reply.json()["key"]["handle"] })
        })
        .collect();
    CLIENTS
        .map(|clients| {
            load::run(service, clients, Until::Passed(time), 201, |n| {
                service.post_csr(&wish(n, &keys[n as usize % keys.len()]))
            })
        })
        .to_vec()
}

fn wish(number: u64, key: &Value) -> Value {
    let name = format!("host-{number}.example.com");
    json!({ "subject": format!("CN={name},O=Example"), "sans": [format!("DNS:{name}")], "key": key })
}

fn idle_memory(service: &Service) -> Memory {
    thread::sleep(SETTLING);
    let [service, worker] = service.processes().map(process::pss);
    Memory { service, worker }
}
