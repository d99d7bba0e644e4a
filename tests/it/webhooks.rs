//! Webhooks, as a receiver of another make sees them: Python's HTTPS server, OpenSSL's HMAC.

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::net::TcpListener;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, SystemTime};

use rcgen::{BasicConstraints, CertificateParams, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair};
use serde_json::{Value, json};

use crate::certificates::Ca;
use crate::harness::{Appliance, Service};
use crate::ledger::audit_of;

const SECRET: &str = "0123456789abcdef0123456789abcdef-canary";
const LOCAL: &str = "allow_addresses = [\"127.0.0.1\"]";

#[test]
fn what_happened_is_told_once_and_signed() {
    let mut appliance = Appliance::new();
    let receiver = Receiver::start(&appliance, "200");
    configure(&mut appliance, &receiver, "[\"signing-request.pending\", \"signing-request.issued\"]", LOCAL);
    let service = appliance.start_ready();
    let csr = service.create("www.example.com");
    receiver.await_count(&service, 1);
    let certificate = Ca::new("Example CA").issue(csr["csr"].as_str().unwrap());
    let path = format!("/csrs/{}/certificate", csr["handle"].as_str().unwrap());
    service.put(&path, "application/x-pem-file", certificate.pem().as_bytes()).expect(200);
    receiver.await_count(&service, 2);
    for (got, event) in receiver.received().iter().zip(["signing-request.pending", "signing-request.issued"])
    {
        assert_eq!(got["path"], "/in?x=1");
        assert_eq!(got["headers"]["content-type"], "application/json");
        assert_signed(got);
        let body = body_of(got);
        assert_eq!(body["id"], got["headers"]["strongroom-event-id"]);
        assert_eq!((&body["event"], &body["subject"]), (&json!(event), &csr["handle"]));
        assert_eq!(body["tenant"], "default");
        assert_eq!(body["data"]["kind"], "ec-p256");
    }
    service.await_that("nothing is left to be told", || deliveries(&appliance) == 0);
    assert_eq!(receiver.received().len(), 2, "an arrived message is not sent again");
    assert!(!appliance.log().contains(SECRET));
}

#[test]
fn a_receiver_that_is_away_or_fails_is_told_later_under_the_same_id() {
    let mut appliance = Appliance::new();
    let mut receiver = Receiver::start(&appliance, "500");
    receiver.stop();
    configure(&mut appliance, &receiver, "[\"signing-request.pending\"]", LOCAL);
    let service = appliance.start_ready();
    service.create("www.example.com");
    service.await_that("the connection was refused", || appliance.log().contains("cannot connect to"));
    receiver.restart();
    receiver.await_count(&service, 1);
    service.await_that("500 is no success", || appliance.log().contains("answered 500"));
    receiver.answer("die");
    receiver.await_count(&service, 2);
    receiver.answer("204");
    receiver.await_count(&service, 3);
    service.await_that("nothing is left to be told", || deliveries(&appliance) == 0);
    let received = receiver.received();
    received.iter().for_each(assert_signed);
    let ids: Vec<_> = received.iter().map(|got| &got["headers"]["strongroom-event-id"]).collect();
    assert!(ids.iter().all(|id| *id == ids[0]), "{ids:?}");
}

#[test]
fn what_was_not_acknowledged_before_a_kill_is_told_after_it() {
    let mut appliance = Appliance::new();
    let receiver = Receiver::start(&appliance, "die");
    configure(&mut appliance, &receiver, "[\"signing-request.pending\"]", LOCAL);
    let mut service = appliance.start_ready();
    let csr = service.create("www.example.com");
    receiver.await_count(&service, 1);
    service.kill();
    drop(service);
    let before = receiver.received().len();
    receiver.answer("200");
    let service = appliance.start_ready();
    receiver.await_count(&service, before + 1);
    service.await_that("nothing is left to be told", || deliveries(&appliance) == 0);
    let received = receiver.received();
    assert_eq!(received.len(), before + 1);
    for got in &received {
        assert_eq!(body_of(got)["id"], body_of(&received[0])["id"]);
        assert_eq!(body_of(got)["subject"], csr["handle"]);
    }
}

#[test]
fn a_redirect_is_not_followed() {
    let mut appliance = Appliance::new();
    let receiver = Receiver::start(&appliance, "");
    receiver.answer(&format!("307 https://127.0.0.1:{}/elsewhere", receiver.port));
    configure(&mut appliance, &receiver, "[\"signing-request.pending\"]", LOCAL);
    let service = appliance.start_ready();
    service.create("www.example.com");
    receiver.await_count(&service, 2);
    assert!(receiver.received().iter().all(|got| got["path"] == "/in?x=1"), "{:?}", receiver.received());
    service.await_that("it is told why", || appliance.log().contains("redirects are not followed"));
}

#[test]
fn the_pause_before_the_next_attempt_doubles() {
    let mut appliance = Appliance::new();
    let mut receiver = Receiver::start(&appliance, "200");
    receiver.stop();
    configure(&mut appliance, &receiver, "[\"signing-request.pending\"]", LOCAL);
    let service = appliance.start_ready();
    service.create("www.example.com");
    let next_after = |attempts: i64| {
        let mut next = 0;
        service.await_that("that many attempts failed", || {
            let sql = "SELECT attempts, due_at FROM webhook_deliveries";
            let (failed, due_at): (i64, i64) =
                index(&appliance).query_row(sql, [], |row| Ok((row.get(0)?, row.get(1)?))).unwrap();
            next = due_at;
            failed >= attempts
        });
        next
    };
    let (second, third) = (next_after(2), next_after(3));
    assert!(third - second >= 4_000, "{} ms", third - second);
}

#[test]
fn a_near_address_is_refused_unless_it_is_listed() {
    for host in ["127.0.0.1", "localhost", "[::ffff:127.0.0.1]"] {
        let mut appliance = Appliance::new();
        let receiver = Receiver::start(&appliance, "200");
        configure_host(&mut appliance, host, &receiver, "[\"signing-request.pending\"]", "");
        let service = appliance.start_ready();
        service.create("www.example.com");
        service.await_that("the address is refused", || {
            appliance.log().contains("list it in `allow_addresses`")
        });
        assert_eq!(receiver.received(), Vec::<Value>::new(), "{host}");
    }
}

#[test]
fn a_receiver_that_another_ca_vouches_for_is_told_nothing() {
    let mut appliance = Appliance::new();
    let receiver = Receiver::start(&appliance, "200");
    configure(&mut appliance, &receiver, "[\"signing-request.pending\"]", LOCAL);
    // The same name, another key.
    let key = KeyPair::generate().unwrap();
    let mut other = CertificateParams::default();
    other.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    fs::write(appliance.path("hook-ca.pem"), other.self_signed(&key).unwrap().pem()).unwrap();
    let service = appliance.start_ready();
    service.create("www.example.com");
    service.await_that("the handshake fails", || appliance.log().contains("invalid peer certificate"));
    assert_eq!(receiver.received(), Vec::<Value>::new());
}

#[test]
fn the_end_of_a_certificate_is_told_once_for_each_number_of_days() {
    let mut appliance = Appliance::new();
    let receiver = Receiver::start(&appliance, "200");
    configure(&mut appliance, &receiver, "[\"certificate.expiring\"]", LOCAL);
    let mut service = appliance.start_ready();
    let ca = Ca::new("Example CA");
    let mut told = Vec::new();
    for (name, days) in [
        ("five.example.com", 5),
        ("twenty.example.com", 20),
        ("hundred.example.com", 100),
        ("retired.example.com", 5),
    ] {
        let csr = service.create(name);
        let certificate = ca.issue_with(csr["csr"].as_str().unwrap(), |params| {
            params.not_after = (SystemTime::now() + Duration::from_secs(days * 86_400)).into();
        });
        let path = format!("/csrs/{}/certificate", csr["handle"].as_str().unwrap());
        service.put(&path, "application/x-pem-file", certificate.pem().as_bytes()).expect(200);
        told.push(csr["handle"].clone());
    }
    let retired = format!("/csrs/{}/retire", told[3].as_str().unwrap());
    service.post(&retired, &json!({})).expect(200);
    service.stop();
    drop(service);
    let mut service = appliance.start_ready();
    receiver.await_count(&service, 2);
    let mut received: Vec<_> = receiver.received().iter().map(body_of).collect();
    received.sort_by_key(|body| body["data"]["days"].as_u64());
    for (body, (handle, days)) in received.iter().zip(told.iter().zip([7, 30])) {
        assert_eq!((&body["event"], &body["subject"]), (&json!("certificate.expiring"), handle));
        assert_eq!(body["data"]["days"], days);
        assert_eq!(body["data"]["renewed_by"], json!([]));
    }
    service.stop();
    drop(service);
    // Two weeks later, as far as the third is concerned: it comes into the reach of 30 days.
    let month = 29 * 86_400_000_i64;
    let now = i64::try_from(SystemTime::UNIX_EPOCH.elapsed().unwrap().as_millis()).unwrap();
    index(&appliance)
        .execute("UPDATE certificates SET not_after = ?1 WHERE not_after > ?1", [now + month])
        .unwrap();
    let service = appliance.start_ready();
    receiver.await_count(&service, 3);
    assert_eq!(body_of(&receiver.received()[2])["subject"], told[2]);
    service.await_that("nothing is left to be told", || deliveries(&appliance) == 0);
    assert_eq!(receiver.received().len(), 3, "the others were told before");
}

#[test]
fn a_token_that_goes_and_comes_is_told() {
    let mut appliance = Appliance::without_token();
    let receiver = Receiver::start(&appliance, "200");
    configure(&mut appliance, &receiver, "[\"token.down\", \"token.up\"]", LOCAL);
    let service = appliance.start();
    receiver.await_count(&service, 1);
    appliance.init_token("test-token");
    receiver.await_count(&service, 2);
    let told: Vec<_> = receiver.received().iter().map(body_of).collect();
    let events: Vec<_> = told.iter().map(|body| &body["event"]).collect();
    assert_eq!(events, ["token.down", "token.up"]);
    assert!(told.iter().all(|body| body["subject"] == "main" && body["tenant"] == Value::Null), "{told:?}");
}

#[test]
fn what_cannot_be_delivered_for_a_day_is_given_up_on_record() {
    let mut appliance = Appliance::new();
    let mut receiver = Receiver::start(&appliance, "200");
    receiver.stop();
    configure(&mut appliance, &receiver, "[\"signing-request.pending\"]", LOCAL);
    let mut service = appliance.start_ready();
    let csr = service.create("www.example.com");
    service.await_that("an attempt failed", || appliance.log().contains("not delivered"));
    service.stop();
    drop(service);
    let index = index(&appliance);
    index.execute("UPDATE webhook_notices SET at = at - 25 * 3600000", []).unwrap();
    index.execute("UPDATE webhook_deliveries SET attempts = 12, due_at = 0", []).unwrap();
    drop(index);
    let mut service = appliance.start_ready();
    service.await_that("it is given up", || deliveries(&appliance) == 0);
    service.stop();
    let records = audit_of(&appliance);
    let given_up: Vec<_> = records.iter().filter(|record| record.action == "webhook.given-up").collect();
    assert_eq!(given_up.len(), 1);
    assert_eq!((given_up[0].actor.as_str(), given_up[0].subject.as_str()), ("system", "hook"));
    assert!(given_up[0].detail.contains(csr["handle"].as_str().unwrap()), "{:?}", given_up[0]);
}

#[test]
fn a_webhook_that_cannot_work_is_told_at_the_start() {
    for (secret, mode, more, expected) in [
        (SECRET, "644", "", "hook-secret: others can read it"),
        ("short", "600", "", "holds less than 32 bytes"),
        (SECRET, "600", "ca_file = \"pin\"", "holds no certificate in PEM"),
        (SECRET, "600", "url = \"http://h/\"", "must begin with https://"),
        (SECRET, "600", "events = [\"everything\"]", "`everything` is none of certificate.expiring"),
        (SECRET, "600", "allow_addresses = [\"lan\"]", "`lan` is no address"),
    ] {
        let appliance = Appliance::new();
        appliance.write_private("hook-secret", secret);
        let chmod = Command::new("chmod").arg(mode).arg(appliance.path("hook-secret")).status().unwrap();
        assert!(chmod.success());
        let mut lines = vec!["name = \"hook\"", "secret_file = \"hook-secret\""];
        for (field, usual) in
            [("url", "url = \"https://h.example/\""), ("events", "events = [\"token.up\"]"), ("ca_file", "")]
        {
            lines.push(if more.starts_with(field) { "" } else { usual });
        }
        let text = format!("{}\n[[webhooks]]\n{}\n{more}\n", appliance.config_text(), lines.join("\n"));
        appliance.write_private("strongroom.toml", &text);
        for command in ["serve", "check-config"] {
            let output = appliance.cli(&[command]);
            let said = String::from_utf8_lossy(&output.stderr);
            assert!(output.status.code() == Some(2) && said.contains(expected), "{expected}: {said}");
        }
    }
}

/// Python's HTTPS server on this machine.
struct Receiver {
    directory: PathBuf,
    port: u16,
    child: Child,
}

impl Receiver {
    fn start(appliance: &Appliance, answer: &str) -> Self {
        let directory = appliance.path("receiver");
        fs::create_dir(&directory).unwrap();
        write_certificates(appliance);
        fs::write(directory.join("answer"), answer).unwrap();
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let child = Self::spawn(&directory, port);
        Self { directory, port, child }
    }

    fn spawn(directory: &std::path::Path, port: u16) -> Child {
        let mut child = Command::new("python3")
            .arg(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/it/webhooks/receiver.py"))
            .arg(port.to_string())
            .args([directory.with_file_name("hook.pem"), directory.with_file_name("hook.key")])
            .arg(directory)
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("python3: apt-get install python3");
        let mut line = String::new();
        BufReader::new(child.stdout.as_mut().unwrap()).read_line(&mut line).unwrap();
        assert_eq!(line.trim(), port.to_string(), "the receiver does not listen");
        child
    }

    fn stop(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    fn restart(&mut self) {
        self.child = Self::spawn(&self.directory, self.port);
    }

    fn answer(&self, answer: &str) {
        let new = self.directory.join("answer.new");
        fs::write(&new, answer).unwrap();
        fs::rename(new, self.directory.join("answer")).unwrap();
    }

    fn received(&self) -> Vec<Value> {
        let text = fs::read_to_string(self.directory.join("received")).unwrap_or_default();
        text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }

    #[track_caller]
    fn await_count(&self, service: &Service, count: usize) {
        service.await_that(&format!("{count} messages arrive"), || self.received().len() >= count);
    }
}

impl Drop for Receiver {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// `hook-ca.pem`, and `hook.pem` with `hook.key` for this machine.
fn write_certificates(appliance: &Appliance) {
    let ca_key = KeyPair::generate().unwrap();
    let mut ca = CertificateParams::default();
    ca.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    fs::write(appliance.path("hook-ca.pem"), ca.self_signed(&ca_key).unwrap().pem()).unwrap();
    let key = KeyPair::generate().unwrap();
    let names = vec!["127.0.0.1".to_owned(), "localhost".to_owned()];
    let mut server = CertificateParams::new(names).unwrap();
    server.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    let certificate = server.signed_by(&key, &Issuer::new(ca, ca_key)).unwrap();
    fs::write(appliance.path("hook.pem"), certificate.pem()).unwrap();
    appliance.write_private("hook.key", &key.serialize_pem());
}

fn configure(appliance: &mut Appliance, receiver: &Receiver, events: &str, more: &str) {
    configure_host(appliance, "127.0.0.1", receiver, events, more);
}

fn configure_host(appliance: &mut Appliance, host: &str, receiver: &Receiver, events: &str, more: &str) {
    appliance.write_private("hook-secret", SECRET);
    let hook = format!(
        "[[webhooks]]\nname = \"hook\"\nurl = \"https://{host}:{}/in?x=1\"\nevents = {events}\n\
         secret_file = \"hook-secret\"\nca_file = \"hook-ca.pem\"\n{more}\n",
        receiver.port
    );
    appliance.write_private("strongroom.toml", &format!("{}\n{hook}", appliance.config_text()));
}

fn body_of(got: &Value) -> Value {
    serde_json::from_str(got["body"].as_str().unwrap()).unwrap()
}

/// By OpenSSL's HMAC, and of this hour.
#[track_caller]
fn assert_signed(got: &Value) {
    let header = got["headers"]["strongroom-signature"].as_str().unwrap();
    let (time, signature) = header.strip_prefix("t=").unwrap().split_once(",v1=").unwrap();
    let age = SystemTime::UNIX_EPOCH.elapsed().unwrap().as_secs() - time.parse::<u64>().unwrap();
    assert!(age < 3600, "{header}");
    let mut openssl = Command::new("openssl")
        .args(["dgst", "-sha256", "-hmac", SECRET])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let signed = format!("{time}.{}", got["body"].as_str().unwrap());
    openssl.stdin.take().unwrap().write_all(signed.as_bytes()).unwrap();
    let said = String::from_utf8(openssl.wait_with_output().unwrap().stdout).unwrap();
    assert_eq!(said.trim().rsplit(' ').next(), Some(signature), "{header}");
}

fn index(appliance: &Appliance) -> rusqlite::Connection {
    rusqlite::Connection::open(appliance.data("strongroom.db")).unwrap()
}

fn deliveries(appliance: &Appliance) -> i64 {
    index(appliance).query_row("SELECT count(*) FROM webhook_deliveries", [], |row| row.get(0)).unwrap()
}
