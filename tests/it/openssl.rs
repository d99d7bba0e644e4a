//! OpenSSL's opinion of a CSR or a key: a reader and verifier that shares nothing with ours.

use std::io::Write;
use std::process::{Command, Output, Stdio};

/// The text of a CSR whose signature OpenSSL verified.
#[track_caller]
pub fn verified_text(csr: &str) -> String {
    let output = req(&["-verify", "-text", "-noout", "-nameopt", "RFC2253"], csr);
    let talk = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && talk.contains("verify OK"), "{talk}");
    String::from_utf8(output.stdout).unwrap()
}

/// The subject as RFC 2253 text.
#[track_caller]
pub fn subject(csr: &str) -> String {
    let text = stdout(&req(&["-subject", "-noout", "-nameopt", "RFC2253,utf8"], csr));
    text.trim().strip_prefix("subject=").unwrap().to_owned()
}

/// The public key as PEM.
#[track_caller]
pub fn public_key(csr: &str) -> String {
    stdout(&req(&["-pubkey", "-noout"], csr))
}

/// The CSR as PEM, from DER.
#[track_caller]
pub fn pem_of(der: &[u8]) -> String {
    stdout(&run(&["req", "-inform", "DER"], der))
}

/// The certificates as PKCS #7, `PEM` or `DER`.
#[track_caller]
pub fn pkcs7(certificates: &str, form: &str) -> Vec<u8> {
    let args = ["crl2pkcs7", "-nocrl", "-certfile", "/dev/stdin", "-outform", form];
    let output = run(&args, certificates.as_bytes());
    assert!(output.status.success(), "{output:?}");
    output.stdout
}

/// The SubjectPublicKeyInfo in DER, from PEM.
#[track_caller]
pub fn spki(public_key: &str) -> Vec<u8> {
    let output = run(&["pkey", "-pubin", "-outform", "DER"], public_key.as_bytes());
    assert!(output.status.success(), "{output:?}");
    output.stdout
}

/// The SubjectPublicKeyInfo of a new RSA key.
#[track_caller]
pub fn new_rsa_key(bits: u32) -> Vec<u8> {
    let pair = run(&["genrsa", &bits.to_string()], b"");
    let output = run(&["rsa", "-pubout", "-outform", "DER"], &pair.stdout);
    assert!(output.status.success(), "{output:?}");
    output.stdout
}

/// SHA-256 of some bytes.
#[track_caller]
pub fn sha256(bytes: &[u8]) -> Vec<u8> {
    let output = run(&["dgst", "-sha256", "-binary"], bytes);
    assert!(output.status.success(), "{output:?}");
    output.stdout
}

fn req(args: &[&str], csr: &str) -> Output {
    run(&[&["req"], args].concat(), csr.as_bytes())
}

#[track_caller]
fn stdout(output: &Output) -> String {
    assert!(output.status.success(), "{output:?}");
    String::from_utf8(output.stdout.clone()).unwrap()
}

fn run(args: &[&str], input: &[u8]) -> Output {
    let mut child = Command::new("openssl")
        .args(args)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("openssl: apt-get install openssl");
    child.stdin.take().unwrap().write_all(input).unwrap();
    child.wait_with_output().unwrap()
}

/// SHA-1 of a certificate, in upper-case hexadecimal.
#[track_caller]
pub fn fingerprint_sha1(certificate_der: &[u8]) -> String {
    let output = run(&["x509", "-inform", "DER", "-noout", "-fingerprint", "-sha1"], certificate_der);
    let text = stdout(&output);
    text.trim().rsplit_once('=').unwrap().1.replace(':', "")
}

/// The serial number of a certificate, in upper-case hexadecimal.
#[track_caller]
pub fn serial(certificate_der: &[u8]) -> String {
    let text = stdout(&run(&["x509", "-inform", "DER", "-noout", "-serial"], certificate_der));
    text.trim().rsplit_once('=').unwrap().1.to_owned()
}

/// What OpenSSL says of a certificate in PEM.
pub fn certificate_text(certificate: &str) -> String {
    stdout(&run(&["x509", "-noout", "-text"], certificate.as_bytes()))
}

/// Has OpenSSL verify a certificate under a root, both in PEM.
#[track_caller]
pub fn verify_chain(root: &str, certificate: &str) {
    let directory = tempfile::tempdir().unwrap();
    let trusted = directory.path().join("root.pem");
    std::fs::write(&trusted, root).unwrap();
    let args = ["verify", "-x509_strict", "-CAfile", trusted.to_str().unwrap()];
    let output = run(&args, certificate.as_bytes());
    assert!(output.status.success(), "{output:?}");
}

/// A CSR for a host of the laboratory, with a new RSA key.
pub fn new_csr(host: &str) -> String {
    let subject = format!("/C=NL/O=Lab B.V./CN={host}");
    let sans = format!("subjectAltName=DNS:{host}");
    let args = [
        "req",
        "-new",
        "-newkey",
        "rsa:2048",
        "-nodes",
        "-keyout",
        "/dev/null",
        "-subj",
        &subject,
        "-addext",
        &sans,
    ];
    stdout(&run(&args, b""))
}
