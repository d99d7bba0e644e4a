//! Authorities in the token, from the outside: what OpenSSL says of what they issue, and what they refuse.

mod chain;
mod cli;
mod client_csrs;
#[cfg(feature = "failpoints")]
mod crash;
mod crl;
mod import;
mod issuing;
mod lint;

use std::path::PathBuf;
use std::process::{Command, Output};

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::harness::{Appliance, Service};

/// A service with authorities, and a directory for what OpenSSL reads and writes.
pub struct Pki<'a> {
    pub service: Service<'a>,
    directory: TempDir,
}

impl<'a> Pki<'a> {
    pub fn start(appliance: &'a Appliance) -> Self {
        Self { service: appliance.start_ready(), directory: tempfile::tempdir().unwrap() }
    }

    pub fn file(&self, name: &str, content: impl AsRef<[u8]>) -> PathBuf {
        let path = self.directory.path().join(name);
        std::fs::write(&path, content).unwrap();
        path
    }

    /// An authority that must be made.
    #[track_caller]
    pub fn authority(&self, name: &str, body: Value) -> Value {
        let mut all =
            json!({ "name": name, "kind": "root", "subject": format!("CN={name},O=Voorbeeld,C=NL") });
        all.as_object_mut().unwrap().extend(body.as_object().unwrap().clone());
        self.service.post("/authorities", &all).expect(201).json()
    }

    /// An intermediate with the certificate that its parent gives it.
    #[track_caller]
    pub fn below(&self, parent: &Value, name: &str, body: Value, signed: Value) -> Value {
        let mut all = json!({ "kind": "intermediate" });
        all.as_object_mut().unwrap().extend(body.as_object().unwrap().clone());
        let intermediate = self.authority(name, all);
        assert_eq!(intermediate["status"], "pending-certificate");
        let path = path_of(&intermediate);
        let csr = self.service.get(&format!("{path}/csr")).expect(200);
        let mut wish = json!({ "csr": text(&csr.bytes) });
        wish.as_object_mut().unwrap().extend(signed.as_object().unwrap().clone());
        let issued =
            self.service.post(&format!("{}/intermediates", path_of(parent)), &wish).expect(201).json();
        let pem = pem_with_chain(&issued);
        let imported =
            self.service.put(&format!("{path}/certificate"), "application/x-pem-file", pem.as_bytes());
        let imported = imported.expect(200).json();
        assert_eq!((&imported["status"], &imported["parent"]), (&json!("active"), &parent["handle"]));
        imported
    }

    /// A CSR by OpenSSL, of a new P-256 key, as PEM.
    #[track_caller]
    pub fn csr(&self, subject: &str, more: &[&str]) -> String {
        let key =
            self.file("client.key", openssl(&["ecparam", "-name", "prime256v1", "-genkey", "-noout"]).stdout);
        let mut args = vec!["req", "-new", "-key", key.to_str().unwrap(), "-subj", subject];
        args.extend(more);
        text(&done(openssl(&args)).stdout)
    }

    /// Issues from such a CSR for a host.
    #[track_caller]
    pub fn issue(&self, authority: &Value, host: &str) -> Value {
        let csr = self.csr(&format!("/CN={host}"), &["-addext", &format!("subjectAltName=DNS:{host}")]);
        self.service.post(&format!("{}/issue", path_of(authority)), &json!({ "csr": csr })).expect(201).json()
    }

    /// What `openssl verify` says of a certificate under a root.
    pub fn verify(&self, root: &Value, issued: &Value, more: &[&str]) -> Output {
        let root = self.file("root.pem", own_pem(root));
        let chain: String =
            issued["chain"].as_array().unwrap().iter().map(|pem| pem.as_str().unwrap()).collect();
        let untrusted = self.file("untrusted.pem", chain);
        let leaf = self.file("leaf.pem", issued["certificate"].as_str().unwrap());
        let mut args = vec!["verify", "-x509_strict", "-CAfile", root.to_str().unwrap(), "-untrusted"];
        args.push(untrusted.to_str().unwrap());
        args.extend(more);
        args.push(leaf.to_str().unwrap());
        openssl(&args)
    }

    /// The revocation list as everybody gets it, as PEM.
    #[track_caller]
    pub fn crl(&self, authority: &Value) -> String {
        let reply =
            self.service.request("GET", &crl_path(authority), &[("authorization", "")], None).expect(200);
        let der = self.file("list.crl", reply.bytes);
        text(&done(openssl(&["crl", "-inform", "DER", "-in", der.to_str().unwrap()])).stdout)
    }
}

pub fn path_of(authority: &Value) -> String {
    format!("/authorities/{}", authority["handle"].as_str().unwrap())
}

pub fn crl_path(authority: &Value) -> String {
    format!("//crl/{}.crl", authority["handle"].as_str().unwrap())
}

/// The certificate that an authority issues with.
pub fn own_pem(authority: &Value) -> String {
    authority["certificates"].as_array().unwrap().last().unwrap()["certificate"].as_str().unwrap().to_owned()
}

pub fn pem_with_chain(issued: &Value) -> String {
    let chain = issued["chain"].as_array().unwrap().iter().map(|pem| pem.as_str().unwrap());
    std::iter::once(issued["certificate"].as_str().unwrap()).chain(chain).collect()
}

pub fn openssl(args: &[&str]) -> Output {
    Command::new("openssl").args(args).output().expect("openssl is needed: apt-get install openssl")
}

#[track_caller]
pub fn done(output: Output) -> Output {
    assert!(output.status.success(), "{}{}", text(&output.stdout), text(&output.stderr));
    output
}

pub fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// The certificate as OpenSSL prints it.
#[track_caller]
pub fn printed(pki: &Pki<'_>, pem: &str) -> String {
    let file = pki.file("printed.pem", pem);
    text(&done(openssl(&["x509", "-noout", "-text", "-in", file.to_str().unwrap()])).stdout)
}
