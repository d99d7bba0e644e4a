//! The four readers, each from its own output to the one form.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::path::Path;
use std::process::{Command, Output};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use serde_json::Value;
use strongroom::domain::name::Name;
use strongroom::domain::san::San;
use x509_parser::asn1_rs::Any;
use x509_parser::certification_request::X509CertificationRequest;
use x509_parser::error::X509Error;
use x509_parser::extensions::{GeneralName as Parsed, ParsedExtension};
use x509_parser::prelude::FromDer;

use super::found::{Found, GeneralName, general_name, sha256, subject_der};
use crate::python;

/// What each reader finds in the CSRs of the directory, which are `0.der`, `0.pem`, `1.der` ...
pub fn read_all(directory: &Path, count: usize) -> [(&'static str, BTreeMap<usize, Found>); 4] {
    let each = |read: fn(&Path) -> Found| in_parallel(count, |at| read(&directory.join(at.to_string())));
    [
        ("cryptography", cryptography(directory)),
        ("x509-parser", each(x509_parser)),
        ("OpenSSL", each(openssl)),
        ("GnuTLS", each(gnutls)),
    ]
}

/// Does it for every number below `count`, several at a time.
pub fn in_parallel<T: Send>(count: usize, work: impl Fn(usize) -> T + Sync) -> BTreeMap<usize, T> {
    let next = AtomicUsize::new(0);
    let done = Mutex::new(BTreeMap::new());
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                loop {
                    let at = next.fetch_add(1, Ordering::Relaxed);
                    if at >= count {
                        break;
                    }
                    let result = work(at);
                    done.lock().unwrap().insert(at, result);
                }
            });
        }
    });
    done.into_inner().unwrap()
}

fn cryptography(directory: &Path) -> BTreeMap<usize, Found> {
    let printed = python::run(include_str!("read_csrs.py"), directory.to_str().unwrap());
    let read: BTreeMap<usize, Value> = serde_json::from_str(&printed).unwrap();
    let found = |read: Value| Found {
        subject: read["subject"].as_str().unwrap().to_owned(),
        sans: read["sans"].as_array().unwrap().iter().map(|name| Some(of_cryptography(name))).collect(),
        spki_sha256: sha256(&hex::decode(read["spki"].as_str().unwrap()).unwrap()),
        signature_is_good: read["signature_is_good"].as_bool(),
    };
    read.into_iter().map(|(at, read)| (at, found(read))).collect()
}

fn of_cryptography(name: &Value) -> GeneralName {
    let [kind, value] = [0, 1].map(|part| name[part].as_str().unwrap().to_owned());
    // Python writes an IPv4 address within an IPv6 address in another way.
    if kind == "IP" { of_ip(&value) } else { (kind, value) }
}

fn of_ip(text: &str) -> GeneralName {
    ("IP".to_owned(), text.parse::<IpAddr>().unwrap().to_string())
}

fn x509_parser(path: &Path) -> Found {
    let der = std::fs::read(path.with_extension("der")).unwrap();
    let (rest, csr) = X509CertificationRequest::from_der(&der).unwrap();
    assert!(rest.is_empty());
    let info = &csr.certification_request_info;
    let names = csr.requested_extensions().into_iter().flatten().find_map(|extension| match extension {
        ParsedExtension::SubjectAlternativeName(san) => Some(&san.general_names),
        _ => None,
    });
    Found {
        subject: hex::encode(info.subject.as_raw()),
        sans: names.into_iter().flatten().map(|name| Some(of_x509_parser(name))).collect(),
        spki_sha256: sha256(info.subject_pki.raw),
        signature_is_good: match csr.verify_signature() {
            Err(X509Error::SignatureUnsupportedAlgorithm) => None,
            verified => Some(verified.is_ok()),
        },
    }
}

fn of_x509_parser(name: &Parsed<'_>) -> GeneralName {
    let (kind, value) = match name {
        Parsed::DNSName(text) => ("DNS", (*text).to_owned()),
        Parsed::RFC822Name(text) => ("email", (*text).to_owned()),
        Parsed::URI(text) => ("URI", (*text).to_owned()),
        Parsed::RegisteredID(oid) => ("RID", oid.to_id_string()),
        Parsed::DirectoryName(name) => ("dirName", hex::encode(name.as_raw())),
        Parsed::OtherName(kind, explicit) => {
            let (_, explicit) = Any::from_der(explicit).unwrap();
            ("otherName", format!("{};{}", kind.to_id_string(), hex::encode(explicit.data)))
        }
        Parsed::IPAddress(bytes) => {
            let v4 = <[u8; 4]>::try_from(*bytes).map(IpAddr::from);
            let v6 = || <[u8; 16]>::try_from(*bytes).map(IpAddr::from);
            ("IP", v4.or_else(|_| v6()).unwrap().to_string())
        }
        other => panic!("{other:?}"),
    };
    (kind.to_owned(), value)
}

fn openssl(path: &Path) -> Found {
    let output = Command::new("openssl")
        .args(["req", "-verify", "-noout", "-text", "-pubkey", "-nameopt", "RFC2253,dump_all,oid", "-in"])
        .arg(path.with_extension("pem"))
        .output()
        .expect("openssl: apt-get install openssl");
    let text = text_of(&output);
    let sans = text.lines().skip_while(|line| !line.contains("X509v3 Subject Alternative Name:")).nth(1);
    let (_, pem) = x509_parser::pem::parse_x509_pem(text.as_bytes()).unwrap();
    Found {
        subject: subject(after("Subject:", &text)),
        sans: sans.into_iter().flat_map(|line| line.trim().split(", ")).map(of_openssl).collect(),
        spki_sha256: sha256(&pem.contents),
        signature_is_good: Some(String::from_utf8_lossy(&output.stderr).contains("verify OK")),
    }
}

fn of_openssl(text: &str) -> Option<GeneralName> {
    let (kind, value) = text.split_once(':').unwrap();
    Some(match kind {
        "DNS" | "email" | "URI" => (kind.to_owned(), value.to_owned()),
        "IP Address" => of_ip(value),
        "Registered ID" => ("RID".to_owned(), value.to_owned()),
        // Its bytes that are not ASCII are written as \xC3, in a name in slash style.
        "DirName" => ("dirName".to_owned(), subject(&value.replace("\\x", "\\"))),
        "othername" => {
            let (kind, text) = value.trim().split_once("::").unwrap();
            if text == "<unsupported>" {
                return None;
            }
            let kind = match kind {
                "UPN" => "1.3.6.1.4.1.311.20.2.3",
                "SmtpUTF8Mailbox" => "1.3.6.1.5.5.7.8.9",
                oid => oid,
            };
            of_text(&format!("otherName:{kind};UTF8:{text}"))
        }
        other => panic!("{other}"),
    })
}

fn gnutls(path: &Path) -> Found {
    let output = Command::new("certtool")
        .args(["--crq-info", "--infile"])
        .arg(path.with_extension("pem"))
        .output()
        .expect("certtool: apt-get install gnutls-bin");
    let text = text_of(&output);
    let subject_text = text.lines().find_map(|line| line.strip_prefix("\tSubject: ")).unwrap_or_default();
    let lines = text.lines().skip_while(|line| !line.contains("Subject Alternative Name")).skip(1);
    // The names are one step further in than the head line of the extension.
    let lines: Vec<_> = lines.map_while(|line| line.strip_prefix("\t\t\t\t")).collect();
    Found {
        subject: subject(subject_text),
        sans: lines
            .iter()
            .enumerate()
            .filter_map(|(at, line)| of_gnutls(line, &lines[at..]))
            .map(Some)
            .collect(),
        spki_sha256: after("sha256:", &text).to_owned(),
        signature_is_good: Some(text.contains("Self signature: verified")),
    }
}

/// `None` for a line that belongs to the name of a line before.
fn of_gnutls(line: &str, following: &[&str]) -> Option<GeneralName> {
    let (kind, value) = line.split_once(": ").unwrap();
    // Behind a domain in A-labels it shows the U-labels in brackets.
    let ascii = value.split(" (").next().unwrap();
    Some(match kind {
        "DNSname" => of_text(&format!("DNS:{ascii}")),
        "RFC822Name" => of_text(&format!("email:{ascii}")),
        "URI" => of_text(&format!("URI:{value}")),
        "IPAddress" => of_ip(value),
        "Registered ID" => of_text(&format!("RID:{value}")),
        "User Principal Name" => of_text(&format!("UPN:{value}")),
        "directoryName" => ("dirName".to_owned(), subject(value)),
        "otherName OID" => {
            let der = following[1].strip_prefix("otherName DER: ").unwrap();
            ("otherName".to_owned(), format!("{value};{der}"))
        }
        "otherName DER" | "otherName ASCII" => return None,
        other => panic!("{other}"),
    })
}

fn of_text(san: &str) -> GeneralName {
    general_name(&san.parse::<San>().unwrap_or_else(|error| panic!("{san}: {error}")))
}

fn subject(text: &str) -> String {
    subject_der(&text.parse::<Name>().unwrap_or_else(|error| panic!("{text}: {error}")))
}

/// What follows the first occurrence of the word in a line.
fn after<'a>(word: &str, text: &'a str) -> &'a str {
    text.lines()
        .find_map(|line| line.split_once(word))
        .unwrap_or_else(|| panic!("no {word} in {text}"))
        .1
        .trim()
}

#[track_caller]
fn text_of(output: &Output) -> String {
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout.clone()).unwrap()
}
