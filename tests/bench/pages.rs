//! The first page of a list over few rows and over many: it must not slow down with their number.

use std::path::Path;
use std::time::Duration;

use crate::appliance::{Appliance, Service};
use crate::load::{self, Until};
use crate::report::{Goal, Report, Row, millis};
use crate::{Extent, index, median, note};

const FEW: u64 = 1000;
const MANY: u64 = 100_000;

/// What is listed, and how of few rows and of many: the prefix that some have fits 111 requests of
/// either.
const LISTS: [(&str, &str, &str); 4] = [
    ("first page", "/csrs", "/csrs"),
    ("first page of one status", "/csrs?status=pending", "/csrs?status=pending"),
    ("first page of a prefix that some have", "/csrs?name=host-9", "/csrs?name=host-999"),
    ("first page of a prefix that all have", "/csrs?name=host-", "/csrs?name=host-"),
];

pub fn measure(data: &Path, extent: &Extent, report: &mut Report) {
    note("pages over 100,000 rows");
    let [few, many] = [FEW, MANY].map(|rows| {
        let appliance = Appliance::new(data);
        index::fill(&appliance.database(), rows);
        appliance
    });
    let services = [few.start(), many.start()];
    for (what, of_few, of_many) in LISTS {
        let mut times = [Vec::new(), Vec::new()];
        for _ in 0..extent.rounds {
            for ((service, path), times) in services.iter().zip([of_few, of_many]).zip(&mut times) {
                times.push(fetch(service, path, extent.fetches));
            }
        }
        let [few, many] = times.map(|times| millis(median(&times)));
        let row = Row::new(format!("{what}, 100,000 rows to 1,000"), format!("{many:.2} ms"));
        let row = row.compared(format!("{few:.2} ms"), many / few);
        report.add(if what == LISTS[0].0 { row.goal(Goal::AtMost(2.0), many / few, "") } else { row });
    }
}

fn fetch(service: &Service, path: &str, times: u64) -> Duration {
    load::run(service, 1, Until::Sent(times), 200, |_| service.get(path)).median
}
