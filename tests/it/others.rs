//! Programs that are not ours use the keys, by the URI that strongroom gave.

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};

use serde_json::{Value, json};

use crate::certificate_objects::{WRITE, certificate_path};
use crate::certificates::Ca;
use crate::harness::{Appliance, SOFTHSM, Service};
use crate::openssl;

const NAME: &str = "www.example.com";
const MESSAGE: &[u8] = b"what others sign";

#[test]
fn pkcs11_tool_signs_and_verifies_with_the_key_of_the_uri() {
    let appliance = Appliance::new();
    let service = appliance.start_ready();
    for (kind, mechanism, options) in [
        ("rsa-2048", "SHA256-RSA-PKCS", &[][..]),
        // SoftHSM signs a digest and has no mechanism that makes it.
        ("ec-p256", "ECDSA", &["--signature-format", "openssl"]),
    ] {
        let csr = create(&service, kind);
        let id = id_of(uri_of(&csr));
        let to_be_signed = if kind == "ec-p256" { openssl::sha256(MESSAGE) } else { MESSAGE.to_vec() };
        fs::write(appliance.path("message"), to_be_signed).unwrap();
        sign_or_verify(&appliance, "--sign", "--output-file", &id, mechanism, options);
        sign_or_verify(&appliance, "--verify", "--signature-file", &id, mechanism, options);

        // The token that signed is not the only witness.
        let public = appliance.path("public.pem");
        fs::write(&public, openssl::public_key(csr["csr"].as_str().unwrap())).unwrap();
        fs::write(appliance.path("message"), MESSAGE).unwrap();
        let verified = Command::new("openssl")
            .args(["dgst", "-sha256", "-verify"])
            .arg(&public)
            .arg("-signature")
            .arg(appliance.path("signature"))
            .arg(appliance.path("message"))
            .output()
            .unwrap();
        assert!(verified.status.success(), "{kind}: {verified:?}");
    }
}

#[test]
fn openssl_serves_tls_with_the_key_of_the_uri_and_the_married_certificate() {
    let appliance = Appliance::new();
    let service = appliance.start_ready();
    let root = Ca::new("Example Root");
    let issuing = root.subordinate("Example Issuing CA");
    fs::write(appliance.path("root.pem"), root.certificate.pem()).unwrap();
    for kind in ["rsa-2048", "ec-p256"] {
        let csr = create(&service, kind);
        let bundle =
            format!("{}{}", issuing.issue(csr["csr"].as_str().unwrap()).pem(), issuing.certificate.pem());
        let path = certificate_path(&csr);
        service.put(&path, "application/x-pem-file", bundle.as_bytes()).expect(200);
        let accept = [("accept", "application/pem-certificate-chain")];
        let returned = service.request("GET", &path, &accept, None).expect(200).bytes;
        fs::write(appliance.path("returned.pem"), returned).unwrap();

        let server = TlsServer::start(&appliance, uri_of(&csr));
        let seen = server.fetch(&appliance.path("root.pem"));
        let text = String::from_utf8_lossy(&seen.stdout).into_owned();
        assert!(seen.status.success(), "{kind}: {seen:?}");
        assert!(text.contains("Verify return code: 0 (ok)"), "{kind}: {text}");
        assert!(text.contains("HTTP/1.0 200 ok"), "{kind}: {text}");
    }
}

#[test]
fn a_handshake_fails_with_a_certificate_of_another_key() {
    let appliance = Appliance::new();
    let service = appliance.start_ready();
    let (ours, other) = (create(&service, "ec-p256"), create(&service, "ec-p256"));
    let ca = Ca::new("Example CA");
    fs::write(appliance.path("returned.pem"), ca.issue(other["csr"].as_str().unwrap()).pem()).unwrap();
    let mut server = TlsServer::command(&appliance, uri_of(&ours)).spawn().unwrap();
    assert!(!server.wait().unwrap().success(), "OpenSSL compares key and certificate");
}

#[test]
fn a_certificate_on_the_token_is_found_by_the_uri_of_its_key() {
    let mut appliance = Appliance::new();
    appliance.token_settings(WRITE);
    let service = appliance.start_ready();
    let csr = create(&service, "ec-p256");
    let certificate = Ca::new("Example CA").issue(csr["csr"].as_str().unwrap());
    service.put(&certificate_path(&csr), "application/pkix-cert", certificate.der()).expect(200);
    let uri = uri_of(&csr).replace("type=private", "type=cert");
    let exported = Command::new("p11tool")
        .args(["--provider", SOFTHSM, "--outder", "--export", &uri])
        .env("SOFTHSM2_CONF", appliance.path("softhsm2.conf"))
        .stdin(Stdio::null())
        .output()
        .expect("p11tool: apt-get install gnutls-bin");
    assert_eq!(exported.stdout, certificate.der().as_ref(), "{exported:?}");
}

#[track_caller]
fn create(service: &Service, kind: &str) -> Value {
    let body =
        json!({ "subject": format!("CN={NAME}"), "sans": [format!("DNS:{NAME}")], "key": { "kind": kind } });
    service.post("/csrs", &body).expect(201).json()
}

fn uri_of(csr: &Value) -> &str {
    csr["key"]["uri"].as_str().unwrap()
}

/// CKA_ID in hexadecimal, out of a URI.
fn id_of(uri: &str) -> String {
    let attributes = uri.strip_prefix("pkcs11:").unwrap().split(';');
    let id = attributes.filter_map(|attribute| attribute.strip_prefix("id=")).next().unwrap();
    id.replace('%', "")
}

#[track_caller]
fn sign_or_verify(
    appliance: &Appliance,
    operation: &str,
    signature_option: &str,
    id: &str,
    mechanism: &str,
    options: &[&str],
) {
    let (message, signature) = (appliance.path("message"), appliance.path("signature"));
    let mut args = vec![operation, "--id", id, "--mechanism", mechanism];
    args.extend(["--input-file", message.to_str().unwrap(), signature_option, signature.to_str().unwrap()]);
    args.extend(options);
    let output = appliance.pkcs11_tool(&args);
    assert!(output.status.success(), "{args:?}: {output:?}");
    let talk = String::from_utf8_lossy(&output.stdout) + String::from_utf8_lossy(&output.stderr);
    assert!(operation == "--sign" || talk.contains("Signature is valid"), "{talk}");
}

/// `openssl s_server` whose key is on the token.
struct TlsServer {
    process: Child,
    address: String,
}

impl TlsServer {
    fn command(appliance: &Appliance, uri: &str) -> Command {
        let certificates = appliance.path("returned.pem");
        let mut command = Command::new("openssl");
        command
            .args(["s_server", "-engine", "pkcs11", "-keyform", "engine", "-key"])
            // The PIN stays out of the arguments, which every process of the machine can see.
            .arg(format!("{uri}?pin-source=file:{}", appliance.path("pin").display()))
            .arg("-cert")
            .arg(&certificates)
            .arg("-cert_chain")
            .arg(&certificates)
            .args(["-accept", "127.0.0.1:0", "-www"])
            .env("PKCS11_MODULE_PATH", SOFTHSM)
            .env("SOFTHSM2_CONF", appliance.path("softhsm2.conf"))
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(fs::File::create(appliance.path("s_server.log")).unwrap());
        command
    }

    #[track_caller]
    fn start(appliance: &Appliance, uri: &str) -> Self {
        let mut process = Self::command(appliance, uri).spawn().expect("openssl: apt-get install openssl");
        let mut lines = BufReader::new(process.stdout.take().unwrap()).lines();
        let accepting = lines.find_map(|line| line.ok()?.strip_prefix("ACCEPT ").map(str::to_owned));
        let Some(address) = accepting else {
            let log = fs::read_to_string(appliance.path("s_server.log")).unwrap();
            panic!("openssl s_server does not start; the engine is in libengine-pkcs11-openssl: {log}");
        };
        // Somebody has to read what it goes on to say.
        std::thread::spawn(move || lines.for_each(drop));
        Self { process, address }
    }

    /// A handshake that must verify, and a page.
    fn fetch(&self, root: &Path) -> Output {
        let mut client = Command::new("openssl")
            .args(["s_client", "-connect", &self.address, "-servername", NAME, "-verify_hostname", NAME])
            .args(["-verify_return_error", "-ign_eof", "-CAfile"])
            .arg(root)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        client.stdin.take().unwrap().write_all(b"GET / HTTP/1.0\r\n\r\n").unwrap();
        client.wait_with_output().unwrap()
    }
}

impl Drop for TlsServer {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}
