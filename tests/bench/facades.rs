//! Other products' APIs beside the native one, for the same work: both in turn, on one service.

use std::path::Path;

use serde_json::{Value, json};

use crate::appliance::{Appliance, Service};
use crate::load::{self, Outcome, Until};
use crate::report::{Goal, Report, Row, millis, rate};
use crate::{Extent, index, median, note};

/// Signing requests of the tenant whose list is fetched, and of each of 49 others.
const LISTED: u64 = 51_000;
const OTHERS: [u64; 49] = [1000; 49];

const PER_PAGE: u64 = 50;

/// Pages of one way in one turn.
const PAGES: u64 = 20;

/// Creates of a client in one turn.
const CREATES: u64 = 10;

/// Turns for creates: SoftHSM is slower the more it holds.
const MOST_CREATE_TURNS: usize = 20;

const CONFIGURATION: &str = r#"
[facades.cloudflare]
enabled = true

[facades.cloudflare.accounts]
bench = "default"

[facades.keyfactor]
enabled = true
tenants = ["default"]
"#;

pub fn measure(data: &Path, extent: &Extent, report: &mut Report) {
    note("Cloudflare's list among 100,000 requests of 50 tenants");
    let appliance = Appliance::with(data, CONFIGURATION);
    index::fill_custom_csrs(&appliance.database(), &[&[LISTED][..], &OTHERS].concat());
    let service = appliance.start();
    for page in [1, 1000] {
        compare_lists(&service, page, extent, report);
    }
    service.stop();
    note("Keyfactor's Generate");
    for clients in [8, 1] {
        compare_creates(&Appliance::with(data, CONFIGURATION).start(), clients, extent, report);
    }
}

fn compare_lists(service: &Service, page: u64, extent: &Extent, report: &mut Report) {
    let path = format!("/client/v4/accounts/bench/custom_csrs?page={page}&per_page={PER_PAGE}");
    let cloudflare = service.get_elsewhere(&path);
    let before = (page - 1) * PER_PAGE;
    let cursor = if before == 0 { String::new() } else { format!("&cursor={}", index::handle_of(before)) };
    let native = service.get(&format!("/csrs?order=oldest&limit={PER_PAGE}{cursor}"));
    must_be_the_same(service, &cloudflare, &native);
    let fetch = |request: &[u8]| load::run(service, 1, Until::Sent(PAGES), 200, |_| request.to_vec()).median;
    let (mut theirs, mut ours) = (Vec::new(), Vec::new());
    for _ in 0..extent.turns {
        theirs.push(millis(fetch(&cloudflare)));
        ours.push(millis(fetch(&native)));
    }
    let [theirs, ours] = [theirs, ours].map(|times| median(&times));
    let row =
        Row::new(format!("Cloudflare list, page {page} of 50, to the native one"), format!("{theirs:.2} ms"));
    let row = row.compared(format!("{ours:.2} ms"), theirs / ours);
    report.add(row.goal(Goal::AtMost(1.1), theirs / ours, ""));
}

fn must_be_the_same(service: &Service, cloudflare: &[u8], native: &[u8]) {
    let ids = |request: &[u8], items: &str, id: &str| -> Vec<Value> {
        let mut page = service.connect().send(request).json();
        page[items].as_array_mut().expect("a page").iter_mut().map(|item| item[id].take()).collect()
    };
    let theirs = ids(cloudflare, "result", "id");
    assert_eq!(theirs.len() as u64, PER_PAGE);
    assert_eq!(theirs, ids(native, "items", "handle"));
}

fn compare_creates(service: &Service, clients: usize, extent: &Extent, report: &mut Report) {
    let generate = |n: u64| {
        let name = format!("host-{n}.example.com");
        let body = json!({
            "Subject": format!("CN={name},O=Example"), "KeyType": "ECC", "KeyLength": 256, "SANs": { "dns": [name] },
        });
        service.post_elsewhere(
            "/KeyfactorAPI/CSRGeneration/Generate",
            "x-keyfactor-requested-with: APIClient",
            &body,
        )
    };
    let create = |n: u64| {
        let name = format!("host-{n}.example.com");
        service.post_csr(&json!({
            "subject": format!("CN={name},O=Example"), "sans": [format!("DNS:{name}")], "key": { "kind": "ec-p256" },
        }))
    };
    let sent = Until::Sent(CREATES * clients as u64);
    let (mut theirs, mut ours) = (Vec::new(), Vec::new());
    for _ in 0..extent.turns.min(MOST_CREATE_TURNS) {
        theirs.push(load::run(service, clients, sent, 200, generate));
        ours.push(load::run(service, clients, sent, 201, create));
    }
    let [theirs, ours] = [theirs, ours].map(|outcomes| median_of_each(&outcomes));
    let plural = if clients == 1 { "" } else { "s" };
    let what = format!("Keyfactor Generate, P-256, {clients} client{plural}, to the native create");
    let ratio = theirs.rate / ours.rate;
    report.add(Row::load(what, theirs).compared(rate(ours.rate), ratio).goal(Goal::AtLeast(0.9), ratio, ""));
}

fn median_of_each(outcomes: &[Outcome]) -> Outcome {
    let each = |value: fn(&Outcome) -> _| median(&outcomes.iter().map(value).collect::<Vec<_>>());
    Outcome {
        rate: median(&outcomes.iter().map(|outcome| outcome.rate).collect::<Vec<_>>()),
        median: each(|outcome| outcome.median),
        p99: each(|outcome| outcome.p99),
    }
}
