//! HTTPS beside plain HTTP: over a kept connection, and with a new one for every request, which has a
//! whole handshake of TLS 1.3 and no resumption.

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use rustls::client::Resumption;
use rustls::crypto::aws_lc_rs;
use rustls::{ClientConfig, RootCertStore};
use serde_json::json;

use crate::appliance::{Appliance, Service};
use crate::client::Client;
use crate::report::{Report, Row, millis};
use crate::{Extent, median, note};

/// Requests of one way in one turn.
const STRETCH: u64 = 10;

const WAYS: [&str; 4] = [
    "plain HTTP, kept connection",
    "TLS, kept connection",
    "plain HTTP, new connections",
    "TLS, new connections",
];

pub fn measure(data: &Path, extent: &Extent, report: &mut Report) {
    note("TLS");
    let (appliance, config) = appliance(data);
    let service = appliance.start();
    let create = |n: u64| service.post_csr(&json!({ "subject": format!("CN=host-{n}.example.com") }));
    let page = |_| service.get("/csrs");
    // In this order: the creates fill the page.
    let created = compare(&service, &config, extent.turns, 201, &create);
    let fetched = compare(&service, &config, extent.turns, 200, &page);
    add("P-256 create", created, report);
    add("list page", fetched, report);
}

/// The median latency of each way.
fn compare(
    service: &Service,
    config: &Arc<ClientConfig>,
    turns: usize,
    status: u16,
    request: &dyn Fn(u64) -> Vec<u8>,
) -> [Duration; 4] {
    let plain = || service.connect();
    let tls = || service.connect_tls(config);
    let mut times: [Vec<Duration>; 4] = Default::default();
    for _ in 0..turns {
        times[0].extend(kept(plain(), status, request));
        times[1].extend(kept(tls(), status, request));
        times[2].extend(new(plain, status, request));
        times[3].extend(new(tls, status, request));
    }
    times.map(|times| median(&times))
}

fn kept(mut connection: Client, status: u16, request: &dyn Fn(u64) -> Vec<u8>) -> Vec<Duration> {
    // The first one connects.
    (0..=STRETCH).map(|n| timed(|| connection.send(&request(n)).status, status)).skip(1).collect()
}

fn new(connect: impl Fn() -> Client, status: u16, request: &dyn Fn(u64) -> Vec<u8>) -> Vec<Duration> {
    (0..STRETCH).map(|n| timed(|| connect().send(&request(n)).status, status)).collect()
}

fn timed(send: impl FnOnce() -> u16, status: u16) -> Duration {
    let asked = Instant::now();
    assert_eq!(send(), status);
    asked.elapsed()
}

fn add(what: &str, times: [Duration; 4], report: &mut Report) {
    let plain = millis(times[0]);
    for (way, time) in WAYS.into_iter().zip(times.map(millis)) {
        let row = Row::new(format!("{what}, {way}"), format!("{time:.2} ms"));
        report.add(row.compared(format!("{plain:.2} ms"), time / plain));
    }
}

fn appliance(data: &Path) -> (Appliance, Arc<ClientConfig>) {
    let rcgen::CertifiedKey { cert, signing_key } =
        rcgen::generate_simple_self_signed(["127.0.0.1".to_owned()]).unwrap();
    let more = "[tls]\nlisten = \"127.0.0.1:0\"\ncertificate = \"server.pem\"\nkey = \"server.key\"\n";
    let appliance = Appliance::with(data, more);
    appliance.write_private("server.pem", &cert.pem());
    appliance.write_private("server.key", &signing_key.serialize_pem());
    let mut roots = RootCertStore::empty();
    roots.add(cert.der().clone()).unwrap();
    let mut config = ClientConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    config.resumption = Resumption::disabled();
    (appliance, Arc::new(config))
}
