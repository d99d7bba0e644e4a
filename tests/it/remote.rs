//! The command line from another machine: over HTTPS, with a CA that openssl made.

use std::fs;
use std::path::Path;
use std::process::{Command, Output};

use serde_json::Value;

use crate::certificates::Ca;
use crate::harness::{Appliance, Service};

#[test]
fn what_goes_through_the_service_works_over_https() {
    let appliance = with_https();
    let service = appliance.start_ready();
    let remote = Remote::of(&appliance, &service);
    let made =
        remote.json(&["csr", "new", "--subject", "CN=www.example.com", "--san", "DNS:www.example.com"]);
    let handle = made["handle"].as_str().unwrap();
    assert_eq!(remote.json(&["csr", "list"])["items"][0]["handle"], handle);
    assert_eq!(remote.json(&["csr", "show", handle]), service.get(&format!("/csrs/{handle}")).json());
    let certificate = appliance.path("certificate.pem");
    fs::write(&certificate, Ca::new("Example CA").issue(made["csr"].as_str().unwrap()).pem()).unwrap();
    remote.json(&["csr", "marry", handle, certificate.to_str().unwrap()]);
    assert_eq!(remote.json(&["csr", "show", handle])["status"], "issued");
    assert_eq!(remote.json(&["token", "list"])["items"][0]["name"], "main");
    let slots = service.get("/tokens/main/slots").json();
    assert_eq!(remote.json(&["slot", "list"]), slots);
    assert_eq!(remote.json(&["slot", "show", "test-token"]), slots["items"][0]);
    assert!(remote.json(&["key", "reconcile"])["objects"].as_u64().unwrap() >= 4);
    assert_eq!(remote.json(&["token", "probe", "--kinds", "ec-p256"])["leaks"], false);
    let out = appliance.path("fetched");
    let backup = remote.json(&["backup", "--out", out.to_str().unwrap()]);
    assert_eq!(backup["bytes"], fs::metadata(out.join("strongroom.db")).unwrap().len());
    assert_eq!(remote.json(&["slot", "wipe", "--yes", "--force"])["keys"], 1);
}

#[test]
fn a_certificate_of_another_ca_is_refused_and_no_key_is_sent() {
    let appliance = with_https();
    let service = appliance.start();
    let other = appliance.path("other");
    fs::create_dir(&other).unwrap();
    make_ca(&other);
    let mut remote = Remote::of(&appliance, &service);
    remote.ca = other.join("ca.pem").to_str().unwrap().to_owned();
    let refused = remote.run(&["csr", "list"]);
    assert_eq!(refused.status.code(), Some(2), "{refused:?}");
    assert!(stderr(&refused).contains("is not to be trusted"), "{refused:?}");
    assert!(stderr(&refused).contains("--ca-file"), "{refused:?}");
}

#[test]
fn a_certificate_for_another_name_is_refused() {
    let appliance = with_https();
    let service = appliance.start();
    let mut remote = Remote::of(&appliance, &service);
    remote.server = remote.server.replace("127.0.0.1", "localhost");
    let refused = remote.run(&["csr", "list"]);
    assert_eq!(refused.status.code(), Some(2), "{refused:?}");
    assert!(stderr(&refused).contains("is not to be trusted"), "{refused:?}");
}

#[test]
fn plain_http_is_for_this_machine_only() {
    let appliance = with_https();
    let service = appliance.start_ready();
    let mut remote = Remote::of(&appliance, &service);
    remote.server = format!("http://{}", service.address());
    remote.json(&["csr", "list"]);
    for (server, why) in [
        ("http://192.0.2.1:8750", "would send the API key in clear"),
        ("http://appliance.example.com", "would send the API key in clear"),
        ("ftp://127.0.0.1", "is not an HTTPS URL"),
        ("127.0.0.1:8751", "is not an HTTPS URL"),
        ("https://user:secret@127.0.0.1", "has more than a host and a port"),
        ("https://127.0.0.1/path", "has more than a host and a port"),
    ] {
        remote.server = server.to_owned();
        let refused = remote.run(&["csr", "list"]);
        assert_eq!(refused.status.code(), Some(2), "{server}: {refused:?}");
        assert!(stderr(&refused).contains(why), "{server}: {refused:?}");
    }
}

#[test]
fn what_needs_the_token_itself_or_a_credential_says_so() {
    let appliance = with_https();
    let service = appliance.start();
    let remote = Remote::of(&appliance, &service);
    for local in [&["slot", "init"][..], &["principal", "bootstrap", "alice"]] {
        let refused = remote.run(local);
        assert_eq!(refused.status.code(), Some(2), "{refused:?}");
        assert!(stderr(&refused).contains("on the service's machine"), "{refused:?}");
    }
    let nobody = appliance.cli(&["csr", "list", "--server", &remote.server, "--ca-file", &remote.ca]);
    assert_eq!(nobody.status.code(), Some(2), "{nobody:?}");
    assert!(stderr(&nobody).contains("--api-key-file"), "{nobody:?}");
    let nowhere = Remote { server: "https://127.0.0.1:1".to_owned(), ..remote };
    let unreachable = nowhere.run(&["csr", "list"]);
    assert_eq!(unreachable.status.code(), Some(3), "{unreachable:?}");
}

#[test]
fn a_client_certificate_is_a_credential() {
    let appliance = Appliance::new();
    make_ca(&appliance.path(""));
    make_certificate(&appliance.path(""), "server", "subjectAltName=IP:127.0.0.1");
    make_certificate(&appliance.path(""), "client", "extendedKeyUsage=clientAuth");
    listen(&appliance, "client_certificates = \"optional\"\nclient_ca = \"ca.pem\"\n");
    let service = appliance.start_ready();
    let office = crate::access::Office::open(&appliance, &service);
    office.hire("robot", &[("requester", None)]);
    let admin = appliance.path("admin.key");
    appliance.write_private("admin.key", &office.admin);
    let client = appliance.path("client.pem");
    let enter = ["credential", "new", "robot", "--certificate", client.to_str().unwrap(), "--api-key-file"];
    let entered = appliance.cli(&[&enter[..], &[admin.to_str().unwrap()]].concat());
    assert_eq!(entered.status.code(), Some(0), "{entered:?}");

    let server = url(&appliance);
    let (ca, key) = (appliance.path("ca.pem"), appliance.path("client.key"));
    let run = |key: &Path| {
        let mut command = Command::new(crate::harness::BINARY);
        command.args(["csr", "list", "--json"]).env("STRONGROOM_SERVER", &server);
        command.env("STRONGROOM_CA_FILE", &ca).env("STRONGROOM_CLIENT_CERT", &client);
        command.env("STRONGROOM_CLIENT_KEY", key).output().unwrap()
    };
    let listed = run(&key);
    assert_eq!(listed.status.code(), Some(0), "{listed:?}");
    let open = appliance.path("open.key");
    fs::copy(&key, &open).unwrap();
    Command::new("chmod").arg("644").arg(&open).status().unwrap();
    let refused = run(&open);
    assert_eq!(refused.status.code(), Some(2), "{refused:?}");
    assert!(stderr(&refused).contains("chmod 600"), "{refused:?}");
}

/// Somebody else's machine: no configuration, the API key in a file.
struct Remote {
    server: String,
    ca: String,
    api_key_file: String,
}

impl Remote {
    fn of(appliance: &Appliance, service: &Service) -> Self {
        appliance.write_private("remote.key", service.api_key());
        let path = |name: &str| appliance.path(name).to_str().unwrap().to_owned();
        Self { server: url(appliance), ca: path("ca.pem"), api_key_file: path("remote.key") }
    }

    fn run(&self, args: &[&str]) -> Output {
        Command::new(crate::harness::BINARY)
            .args(args)
            .args(["--server", &self.server, "--ca-file", &self.ca, "--api-key-file", &self.api_key_file])
            .args(["--config", "/nowhere/strongroom.toml", "--json"])
            .output()
            .unwrap()
    }

    #[track_caller]
    fn json(&self, args: &[&str]) -> Value {
        let output = self.run(args);
        assert_eq!(output.status.code(), Some(0), "{args:?}: {output:?}");
        serde_json::from_slice(&output.stdout).unwrap()
    }
}

fn with_https() -> Appliance {
    let appliance = Appliance::new();
    make_ca(&appliance.path(""));
    make_certificate(&appliance.path(""), "server", "subjectAltName=IP:127.0.0.1");
    listen(&appliance, "");
    appliance
}

fn listen(appliance: &Appliance, more: &str) {
    let tls = format!(
        "[tls]\nlisten = \"127.0.0.1:0\"\ncertificate = \"server.pem\"\nkey = \"server.key\"\n{more}"
    );
    appliance.write_private("strongroom.toml", &(appliance.config_text() + &tls));
}

fn url(appliance: &Appliance) -> String {
    let log = appliance.log();
    let mut entries = log.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
    let serving = entries.rfind(|entry| entry["fields"]["message"] == "serving").unwrap();
    format!("https://{}", serving["fields"]["tls"].as_str().unwrap())
}

/// `ca.pem` and `ca.key`.
fn make_ca(dir: &Path) {
    openssl(
        dir,
        "req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj /CN=ca -days 2 -keyout ca.key -out ca.pem",
    );
}

/// `NAME.pem` and `NAME.key`, issued by the CA.
fn make_certificate(dir: &Path, name: &str, extension: &str) {
    openssl(
        dir,
        &format!(
            "req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj /CN={name} -days 2 -CA ca.pem -CAkey ca.key \
             -addext basicConstraints=critical,CA:FALSE -addext {extension} -keyout {name}.key -out {name}.pem"
        ),
    );
}

fn openssl(dir: &Path, args: &str) {
    let output = Command::new("openssl").args(args.split_whitespace()).current_dir(dir).output().unwrap();
    assert!(output.status.success(), "{output:?}");
}

fn stderr(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}
