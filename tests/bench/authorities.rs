//! Certificates from clients' CSRs, and a long revocation list.

use std::path::Path;
use std::time::{Duration, Instant};

use rcgen::{CertificateParams, KeyPair};
use serde_json::{Value, json};

use crate::appliance::{Appliance, Service};
use crate::bare::{Kind, Work};
use crate::client;
use crate::load::{self, Until};
use crate::report::{Goal, Report, Row, millis, rate};
use crate::{Extent, median, note};

const CLIENTS: usize = 8;

/// CSRs of keys of their own, sent in turn.
const CSRS: usize = 16;

/// Entries of the long list.
const LONG: usize = 100_000;

/// Lists made for one time.
const LISTS: usize = 3;

pub fn measure(data: &Path, extent: &Extent, report: &mut Report) {
    note("certificates from CSRs");
    let appliance = Appliance::new(data);
    let service = appliance.start();
    let authority = authority(&service);
    let issue = format!("/authorities/{authority}/issue");
    let csrs: Vec<_> = (0..CSRS).map(csr).collect();
    let (mut bare, mut issued) = (Vec::new(), Vec::new());
    for _ in 0..extent.rounds {
        bare.push(Work::Sign { kind: Kind::EcP256, seconds: extent.signing.as_secs_f64() }.done().rate);
        issued.push(load::run(&service, CLIENTS, Until::Passed(extent.signing), 201, |n| {
            service.post(&issue, &json!({ "csr": csrs[n as usize % CSRS] }))
        }));
    }
    let (bare, issued) = (median(&bare), median(&issued));
    let row = Row::load(format!("certificate from a CSR, P-256, {CLIENTS} clients"), issued);
    let row = row.compared(rate(bare), issued.rate / bare);
    report.add(row.goal(Goal::AtLeast(500.0), issued.rate, " /s"));

    note("a revocation list of 100,000");
    let mut connection = service.connect();
    let body = json!({ "csr": csrs[0] });
    let serials: Vec<Value> =
        (0..LISTS).map(|_| connection.send(&service.post(&issue, &body)).json()["serial"].take()).collect();
    service.stop();
    revoke_many(&appliance.database());
    let service = appliance.start();
    let lists: Vec<_> = serials.iter().map(|serial| revoke_and_fetch(&service, &authority, serial)).collect();
    let seconds = median(&lists.iter().map(|list| list.made.as_secs_f64()).collect::<Vec<_>>());
    let row = Row::new(
        format!("list of {LONG} entries after a revocation: recorded, made, signed and fetched"),
        format!("{seconds:.2} s"),
    );
    report.add(row.goal(Goal::AtMost(1.0), seconds, " s"));
    let again = median(&lists.iter().map(|list| millis(list.again)).collect::<Vec<_>>());
    report.add(Row::new("the same list asked for again by its ETag: 304, no body", format!("{again:.2} ms")));
}

/// The handle of a root with a P-256 key.
fn authority(service: &Service) -> String {
    let body =
        json!({ "name": "root", "kind": "root", "subject": "CN=Root,O=Example", "key_kind": "ec-p256" });
    let reply = service.connect().send(&service.post("/authorities", &body));
    assert_eq!(reply.status, 201, "{}", String::from_utf8_lossy(&reply.body));
    reply.json()["handle"].as_str().unwrap().to_owned()
}

fn csr(number: usize) -> String {
    let key = KeyPair::generate().unwrap();
    let params = CertificateParams::new([format!("host-{number}.example.com")]).unwrap();
    params.serialize_request(&key).unwrap().pem().unwrap()
}

/// As many revoked certificates as would take minutes to issue.
fn revoke_many(database: &Path) {
    let index = rusqlite::Connection::open(database).unwrap();
    let sql = "
        WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ?1),
             one AS (SELECT * FROM issued_certificates WHERE purpose = 'end-entity' LIMIT 1)
        INSERT INTO issued_certificates (handle, authority, serial, state, purpose, subject, tbs_sha256, principal,
                                         not_before, not_after, created_at, revoked_at, reason)
        SELECT randomblob(16), authority, unhex('41' || hex(randomblob(19))), 'revoked', purpose, subject, tbs_sha256,
               principal, not_before, not_after, created_at, created_at, 'superseded'
        FROM one CROSS JOIN n";
    assert_eq!(index.execute(sql, [LONG as i64 - 1]).unwrap(), LONG - 1);
}

struct List {
    /// From the revocation to the last byte of the list.
    made: Duration,
    again: Duration,
}

fn revoke_and_fetch(service: &Service, authority: &str, serial: &Value) -> List {
    let revoke = format!("/authorities/{authority}/certificates/{}/revoke", serial.as_str().unwrap());
    let path = format!("/crl/{authority}.crl");
    let mut connection = service.connect();
    let started = Instant::now();
    let revoked = connection.send(&service.post(&revoke, &json!({ "reason": "superseded" })));
    assert_eq!(revoked.status, 200, "{}", String::from_utf8_lossy(&revoked.body));
    let list = connection.send(&client::get_unless(&path, "\"\""));
    let made = started.elapsed();
    assert!(
        list.status == 200 && list.body.len() > 20 * LONG,
        "{} with {} bytes",
        list.status,
        list.body.len()
    );
    let started = Instant::now();
    let again = connection.send(&client::get_unless(&path, list.etag.as_deref().unwrap()));
    assert_eq!(again.status, 304);
    List { made, again: started.elapsed() }
}
