//! From exec to ready, with keys on the token.

use std::path::Path;

use serde_json::json;

use crate::appliance::Appliance;
use crate::report::{Goal, Report, Row};
use crate::{Extent, median, note};

const KEYS: usize = 100;

/// Starts in a round.
const STARTS: usize = 3;

pub fn measure(data: &Path, extent: &Extent, report: &mut Report) {
    note(&format!("start with {KEYS} keys"));
    let appliance = Appliance::new(data);
    let service = appliance.start();
    let mut connection = service.connect();
    for number in 0..KEYS {
        let body =
            json!({ "subject": format!("CN=host-{number}.example.com"), "key": { "kind": "ec-p256" } });
        assert_eq!(connection.send(&service.post_csr(&body)).status, 201);
    }
    service.stop();
    let times: Vec<_> = (0..STARTS * extent.rounds)
        .map(|_| {
            let service = appliance.start();
            let ready_after = service.ready_after.as_secs_f64();
            service.stop();
            ready_after
        })
        .collect();
    let seconds = median(&times);
    let row = Row::new(format!("from exec to ready, {KEYS} keys on the token"), format!("{seconds:.2} s"));
    report.add(row.goal(Goal::AtMost(1.0), seconds, " s"));
}
