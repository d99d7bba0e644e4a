//! The HTTPS listener, as openssl and curl see it: versions, certificates that are replaced, clients
//! that show a certificate and whose it is, and clients that do not speak TLS or not to the end.

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::process::{Child, ChildStdin, ChildStdout, Command, Output, Stdio};
use std::time::{Duration, Instant};

use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose as Usage, IsCa, Issuer, KeyPair,
    date_time_ymd,
};
use serde_json::Value;

use crate::access::Office;
use crate::harness::{Appliance, LONG, p256, signal};
use crate::ledger::audit_of;

const VERSIONS: [&str; 2] = ["1.2", "1.3"];

#[test]
fn the_api_is_served_over_tls_1_2_and_1_3() {
    let (appliance, _ca) = with_tls("");
    let service = appliance.start_ready();
    let port = Port::of(&appliance);
    for version in VERSIONS {
        let body = p256("a.example.com").to_string();
        let create = ["--json", &body, "--header", &format!("Authorization: Bearer {}", service.api_key())];
        let made = port.curl(version, "/strongroom/v1/csrs", &create);
        assert!(made.status.success(), "{made:?}");
        assert_eq!(serde_json::from_slice::<Value>(&made.stdout).unwrap()["status"], "pending");
        let nobody = port.curl(version, "/strongroom/v1/csrs", &["--write-out", "%{http_code}"]);
        assert!(text(&nobody.stdout).ends_with("401"), "{nobody:?}");

        let seen = port.s_client(&[&format!("-tls{}", version.replace('.', "_")), "-alpn", "h2,http/1.1"]);
        let seen = text(&seen.stdout);
        assert!(seen.contains(&format!("New, TLSv{version}, Cipher is")), "{seen}");
        assert!(seen.contains("ALPN protocol: http/1.1"), "{seen}");
        assert!(seen.contains("Verify return code: 0 (ok)"), "{seen}");
    }
}

#[test]
fn older_versions_are_refused() {
    let (appliance, _ca) = with_tls("");
    let _service = appliance.start();
    let shake_hands = |version| {
        let seen = Port::of(&appliance).s_client(&[version, "-cipher", "DEFAULT:@SECLEVEL=0"]);
        (seen.status.success(), text(&seen.stderr))
    };
    for version in ["-tls1", "-tls1_1"] {
        let (success, said) = shake_hands(version);
        assert!(!success && said.contains("SSL alert number"), "{version}: {said}");
    }
    assert!(shake_hands("-tls1_2").0);
}

#[test]
fn plain_http_to_the_tls_port_is_told_so() {
    let (appliance, _ca) = with_tls("");
    let service = appliance.start();
    let port = Port::of(&appliance);
    for (method, body) in [("GET", 0), ("POST", 30_000)] {
        let mut stream = TcpStream::connect(&port.address).unwrap();
        stream.set_read_timeout(Some(LONG)).unwrap();
        let head = format!("{method} /livez HTTP/1.1\r\nHost: a\r\nContent-Length: {body}\r\n\r\n");
        stream.write_all(head.as_bytes()).unwrap();
        stream.write_all(&vec![b'x'; body]).unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        assert!(answer.starts_with("HTTP/1.1 400 Bad Request\r\n"), "{answer}");
        assert!(answer.contains("this port speaks HTTPS"), "{answer}");
    }
    assert_eq!(service.get("//livez").status, 200);
}

#[test]
fn whoever_is_turned_away_in_the_handshake_can_read_why() {
    let (appliance, _ca) = with_tls("");
    let _service = appliance.start();
    let mut stream = TcpStream::connect(&Port::of(&appliance).address).unwrap();
    stream.set_read_timeout(Some(LONG)).unwrap();
    // Application data before any handshake, and much behind it.
    stream.write_all(&[23, 3, 3, 0, 1, 0]).unwrap();
    stream.write_all(&[0; 30_000]).unwrap();
    let mut told = Vec::new();
    stream.read_to_end(&mut told).expect("a reset came in place of an end");
    assert_eq!((told[0], &told[5..]), (21, &[2, 10][..]), "no alert `unexpected_message`: {told:?}");
}

#[test]
fn a_handshake_that_does_not_end_is_ended_and_holds_up_nobody() {
    let (appliance, _ca) = with_tls("");
    let mut service = appliance.start();
    let port = Port::of(&appliance);
    let begun = Instant::now();
    let mut slow: Vec<TcpStream> = (0..20)
        .map(|nth| {
            let mut stream = TcpStream::connect(&port.address).unwrap();
            // A record of 512 bytes is announced, a few of them come; or nothing does.
            stream.write_all(&[0x16, 3, 1, 2, 0, 1, 0][..nth % 8]).unwrap();
            stream
        })
        .collect();
    assert!(port.curl("1.3", "/livez", &[]).status.success());
    assert!(begun.elapsed() < Duration::from_secs(8), "it waited for the slow ones");
    for stream in &mut slow {
        stream.set_read_timeout(Some(LONG)).unwrap();
        let ended = stream.read(&mut [0; 64]);
        assert!(!matches!(&ended, Err(error) if error.kind() == std::io::ErrorKind::WouldBlock), "held");
    }
    assert!(begun.elapsed() > Duration::from_secs(8), "a slow client has some seconds");

    let _unfinished = TcpStream::connect(&port.address).unwrap();
    let stopped = Instant::now();
    assert!(service.stop().success());
    assert!(stopped.elapsed() < Duration::from_secs(8), "the stop waited for a handshake");
}

#[test]
fn a_connection_outlives_the_certificate_that_it_began_with() {
    let (appliance, ca) = with_tls("");
    let mut service = appliance.start();
    let port = Port::of(&appliance);
    let before = port.serial();
    let mut kept = KeptAlive::open(&port);
    kept.get_livez();

    ca.write_server(&appliance);
    signal(service.pid(), "HUP");
    service.await_that("new connections see the new certificate", || port.serial() != before);
    kept.get_livez();

    let good = port.serial();
    fs::write(appliance.path("server.pem"), "not a certificate").unwrap();
    signal(service.pid(), "HUP");
    service.await_that("the broken file is logged", || appliance.log().contains("keeps its certificate"));
    assert!(appliance.log().contains("server.pem holds no certificate in PEM"));
    assert_eq!(port.serial(), good);
    kept.get_livez();

    let stopped = Instant::now();
    assert!(service.stop().success());
    assert!(stopped.elapsed() < Duration::from_secs(8), "an idle connection held up the stop");
    kept.expect_end();
}

#[test]
fn a_certificate_that_was_replaced_is_noticed_without_a_signal() {
    let (appliance, ca) = with_tls("");
    let service = appliance.start();
    let port = Port::of(&appliance);
    let before = port.serial();
    ca.write_server(&appliance);
    service.await_that("new connections see the new certificate", || port.serial() != before);
}

#[test]
fn a_hangup_without_tls_ends_nothing() {
    let appliance = Appliance::new();
    let service = appliance.start();
    signal(service.pid(), "HUP");
    service.await_that("it says so", || appliance.log().contains("reloading"));
    assert_eq!(service.get("//livez").status, 200);
}

#[test]
fn a_client_certificate_of_the_ca_comes_in_and_no_other() {
    for mode in ["optional", "required"] {
        let clients = format!("client_certificates = \"{mode}\"\nclient_ca = \"ca.pem\"\n");
        let (appliance, ca) = with_tls(&clients);
        let _service = appliance.start();
        let port = Port::of(&appliance);
        ca.write(&appliance, "good", &client());
        Ca::new("another CA").write(&appliance, "stranger", &client());
        let mut expired = client();
        (expired.not_before, expired.not_after) = (date_time_ymd(2020, 1, 1), date_time_ymd(2021, 1, 1));
        ca.write(&appliance, "expired", &expired);
        let mut server = client();
        server.extended_key_usages = vec![Usage::ServerAuth];
        ca.write(&appliance, "server-only", &server);

        for version in VERSIONS {
            let with = |name: &str| {
                let (certificate, key) = (format!("{name}.pem"), format!("{name}.key"));
                let files = [appliance.path(&certificate), appliance.path(&key)];
                let [certificate, key] = files.map(|path| path.to_str().unwrap().to_owned());
                port.curl(version, "/livez", &["--verbose", "--cert", &certificate, "--key", &key])
            };
            assert!(with("good").status.success(), "{mode} {version}: {:?}", with("good"));
            for (name, alert) in [
                ("stranger", "(IN), TLS alert, unknown CA "),
                ("expired", "(IN), TLS alert, certificate expired "),
                ("server-only", "(IN), TLS alert, unsupported certificate "),
            ] {
                let refused = with(name);
                assert!(text(&refused.stderr).contains(alert), "{mode} {version} {name}: {refused:?}");
            }
            let without = port.curl(version, "/livez", &[]);
            assert_eq!(without.status.success(), mode == "optional", "{mode} {version}: {without:?}");
        }
    }
}

#[test]
fn a_client_is_verified_with_every_connection() {
    let reused = |clients: &str| {
        let (appliance, _ca) = with_tls(clients);
        let _service = appliance.start();
        let seen = Port::of(&appliance).s_client(&["-tls1_2", "-reconnect"]);
        text(&seen.stdout).matches("Reused, TLSv1.2").count()
    };
    assert!(reused("") > 0);
    assert_eq!(reused("client_certificates = \"optional\"\nclient_ca = \"ca.pem\"\n"), 0);
}

#[test]
fn a_client_certificate_is_its_principals_while_it_is_registered() {
    let (appliance, ca) = with_tls("client_certificates = \"optional\"\nclient_ca = \"ca.pem\"\n");
    let mut service = appliance.start_ready();
    let office = Office::open(&appliance, &service);
    let api_key = office.hire("robot", &[("requester", None)]);
    ca.write(&appliance, "robot", &client());
    ca.write(&appliance, "stranger", &client());
    let port = Port::of(&appliance);
    let call = |version: &str, path: &str, certificate: Option<&str>, more: &[&str]| {
        let files = certificate.map(|name| [format!("{name}.pem"), format!("{name}.key")]);
        let files = files.map(|names| names.map(|name| appliance.path(&name).to_str().unwrap().to_owned()));
        let mut arguments = vec!["--output", "/dev/null", "--write-out", "%{http_code}"];
        if let Some([certificate, key]) = &files {
            arguments.extend(["--cert", certificate, "--key", key]);
        }
        arguments.extend(more);
        text(&port.curl(version, &format!("/strongroom/v1{path}"), &arguments).stdout)
    };
    let bearer = |key: &str| format!("Authorization: Bearer {key}");

    assert_eq!(call("1.3", "/csrs", Some("robot"), &[]), "401", "not registered yet");
    appliance.write_private("admin.key", &office.admin);
    let [admin, certificate] =
        ["admin.key", "robot.pem"].map(|name| appliance.path(name).to_str().unwrap().to_owned());
    let registering = ["credential", "new", "robot", "--certificate", &certificate, "--json"];
    let registered = appliance.cli(&[&registering[..], &["--api-key-file", &admin]].concat());
    let registered = serde_json::from_slice::<Value>(&registered.stdout).unwrap()["credential"].clone();
    for version in VERSIONS {
        assert_eq!(call(version, "/csrs", Some("robot"), &[]), "200", "TLS {version}");
        assert_eq!(call(version, "/csrs", Some("stranger"), &[]), "401", "TLS {version}");
        assert_eq!(call(version, "/csrs", None, &[]), "401", "TLS {version}");
    }
    assert_eq!(call("1.3", "/principals", Some("robot"), &[]), "403", "no more than its roles");
    // A credential that is shown in the request is the one that counts.
    assert_eq!(call("1.3", "/csrs", Some("stranger"), &["--header", &bearer(&api_key)]), "200");
    assert_eq!(call("1.3", "/csrs", Some("robot"), &["--header", &bearer("srk_wrong")]), "401");

    let body = p256("a.example.com").to_string();
    assert_eq!(call("1.3", "/csrs", Some("robot"), &["--json", &body]), "201");
    let handle = registered["handle"].as_str().unwrap();
    office.manage("DELETE", &format!("/credentials/{handle}"), None).expect(200);
    for version in VERSIONS {
        assert_eq!(call(version, "/csrs", Some("robot"), &[]), "401", "revoked; TLS {version}");
    }

    assert!(service.stop().success());
    let records = audit_of(&appliance);
    let asked = records.iter().find(|record| record.action == "signing-request.intent").unwrap();
    assert_eq!(asked.actor, format!("principal:{}", registered["principal"].as_str().unwrap()));
    assert!(asked.origin.starts_with("tls 127.0.0.1:"), "{}", asked.origin);
}

#[test]
fn files_that_do_not_go_together_are_told_before_the_start() {
    let (appliance, ca) = with_tls("");
    let check = || appliance.cli(&["check-config"]);
    assert!(check().status.success(), "{:?}", check());
    let assert_refused = |expected: &str| {
        for command in ["check-config", "serve"] {
            let said = appliance.cli(&[command]);
            assert_eq!(said.status.code(), Some(2), "{said:?}");
            assert!(text(&said.stderr).contains(expected), "no `{expected}` in {said:?}");
        }
    };
    let key = fs::read_to_string(appliance.path("server.key")).unwrap();
    let chmod = |mode: &str| {
        assert!(
            Command::new("chmod").arg(mode).arg(appliance.path("server.key")).status().unwrap().success()
        );
    };
    chmod("640");
    assert_refused("server.key can be read by others than its owner; run chmod 600 on it");
    chmod("400");
    assert!(check().status.success());
    appliance.write_private("server.key", &KeyPair::generate().unwrap().serialize_pem());
    assert_refused("server.key is not the key of the certificate in");
    appliance.write_private("server.key", &key.replace("PRIVATE", "ENCRYPTED PRIVATE"));
    assert_refused("server.key holds no private key");
    fs::remove_file(appliance.path("server.key")).unwrap();
    assert_refused("server.key cannot be read");

    let mut expired = server();
    (expired.not_before, expired.not_after) = (date_time_ymd(2020, 1, 1), date_time_ymd(2021, 1, 1));
    ca.write(&appliance, "server", &expired);
    let warned = check();
    assert!(warned.status.success(), "{warned:?}");
    assert!(text(&warned.stderr).contains("expired at 2021-01-01"), "{warned:?}");
}

/// An appliance with an HTTPS listener on any port, and the CA of its certificates.
fn with_tls(more: &str) -> (Appliance, Ca) {
    let appliance = Appliance::new();
    let ca = Ca::new("the CA");
    fs::write(appliance.path("ca.pem"), &ca.pem).unwrap();
    ca.write_server(&appliance);
    let files = "certificate = \"server.pem\"\nkey = \"server.key\"\n";
    let tls = format!("[tls]\nlisten = \"127.0.0.1:0\"\n{files}{more}");
    appliance.write_private("strongroom.toml", &(appliance.config_text() + &tls));
    (appliance, ca)
}

struct Ca {
    pem: String,
    issuer: Issuer<'static, KeyPair>,
}

impl Ca {
    fn new(name: &str) -> Self {
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::default();
        params.distinguished_name.push(DnType::CommonName, name);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let pem = params.self_signed(&key).unwrap().pem();
        Self { pem, issuer: Issuer::new(params, key) }
    }

    /// Writes `NAME.pem` and `NAME.key`.
    fn write(&self, appliance: &Appliance, name: &str, params: &CertificateParams) {
        let key = KeyPair::generate().unwrap();
        let certificate = params.signed_by(&key, &self.issuer).unwrap();
        appliance.write_private(&format!("{name}.key"), &key.serialize_pem());
        fs::write(appliance.path(&format!("{name}.pem")), certificate.pem()).unwrap();
    }

    fn write_server(&self, appliance: &Appliance) {
        self.write(appliance, "server", &server());
    }
}

fn server() -> CertificateParams {
    let mut params = CertificateParams::new(vec!["127.0.0.1".to_owned()]).unwrap();
    params.extended_key_usages = vec![Usage::ServerAuth];
    params
}

fn client() -> CertificateParams {
    let mut params = CertificateParams::default();
    params.distinguished_name.push(DnType::CommonName, "robot");
    params.extended_key_usages = vec![Usage::ClientAuth];
    params
}

/// The HTTPS port of the service that was started last.
struct Port {
    address: String,
    ca: String,
}

impl Port {
    fn of(appliance: &Appliance) -> Self {
        let log = appliance.log();
        let mut entries = log.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
        let serving = entries.rfind(|entry| entry["fields"]["message"] == "serving").unwrap();
        let address = serving["fields"]["tls"].as_str().expect("no HTTPS listener").to_owned();
        Self { address, ca: appliance.path("ca.pem").to_str().unwrap().to_owned() }
    }

    fn curl(&self, version: &str, path: &str, more: &[&str]) -> Output {
        Command::new("curl")
            .args(["--silent", "--show-error", "--fail-with-body", "--max-time", "150", "--cacert", &self.ca])
            .args([&format!("--tlsv{version}"), "--tls-max", version])
            .args(more)
            .arg(format!("https://{}{path}", self.address))
            .output()
            .expect("curl: apt-get install curl")
    }

    /// A handshake and nothing else.
    fn s_client(&self, more: &[&str]) -> Output {
        let mut command = self.s_client_command();
        command.args(more).stdin(Stdio::null()).output().unwrap()
    }

    fn s_client_command(&self) -> Command {
        let mut command = Command::new("openssl");
        command.args(["s_client", "-connect", &self.address, "-CAfile", &self.ca, "-verify_return_error"]);
        command
    }

    /// The serial number of the certificate that a new connection is shown.
    fn serial(&self) -> String {
        let shown = self.s_client(&["-tls1_3"]).stdout;
        let mut reader = Command::new("openssl")
            .args(["x509", "-noout", "-serial"])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        reader.stdin.take().unwrap().write_all(&shown).unwrap();
        let serial = text(&reader.wait_with_output().unwrap().stdout);
        assert!(serial.starts_with("serial="), "{serial}: {}", text(&shown));
        serial
    }
}

/// A connection that more than one request goes over.
struct KeptAlive {
    process: Child,
    requests: ChildStdin,
    answers: BufReader<ChildStdout>,
}

impl KeptAlive {
    fn open(port: &Port) -> Self {
        let mut process = port
            .s_client_command()
            .arg("-quiet")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let (requests, answers) = (process.stdin.take().unwrap(), process.stdout.take().unwrap());
        Self { process, requests, answers: BufReader::new(answers) }
    }

    fn get_livez(&mut self) {
        self.requests.write_all(b"GET /livez HTTP/1.1\r\nHost: a\r\n\r\n").unwrap();
        let mut line = String::new();
        self.answers.read_line(&mut line).unwrap();
        assert_eq!(line, "HTTP/1.1 200 OK\r\n");
        while line != "ok\n" {
            line.clear();
            assert_ne!(self.answers.read_line(&mut line).unwrap(), 0, "the answer was cut");
        }
    }

    fn expect_end(mut self) {
        let mut rest = String::new();
        self.answers.read_to_string(&mut rest).unwrap();
        assert_eq!(rest, "");
    }
}

impl Drop for KeptAlive {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}
