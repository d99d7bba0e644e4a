//! `strongroom api-key` and `strongroom credential`

use std::fs::OpenOptions;
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;

use hyper::Method;
use serde::Serialize;
use sha2::{Digest, Sha256};

use crate::api;
use crate::cli::args::{ApiKey, Credential, NewCredential, Out, Target};
use crate::cli::client::{Call, Client, escape};
use crate::cli::report::{Failure, Report, facts, say, table};

const API_KEY: &str = "api-key";

pub fn run_api_key(target: &Target, command: ApiKey, report: &Report) -> Result<(), Failure> {
    let client = Client::new(target)?;
    match command {
        ApiKey::New { principal, expires_at, out } => {
            let kind = API_KEY.to_owned();
            let wanted = api::CreateCredential { principal, kind, expires_at, ..Default::default() };
            issue(&client, &wanted, &out, report)
        }
        ApiKey::List { principal } => list(&client, principal, Some(API_KEY), report),
        ApiKey::Revoke { handle } => revoke(&client, &handle, report),
    }
}

pub fn run(target: &Target, command: Credential, report: &Report) -> Result<(), Failure> {
    let client = Client::new(target)?;
    match command {
        Credential::New(new) => {
            let out = Out { out: new.out.out.clone() };
            issue(&client, &wanted(new)?, &out, report)
        }
        Credential::List { principal } => list(&client, principal, None, report),
        Credential::Revoke { handle } => revoke(&client, &handle, report),
    }
}

/// A call with a JSON body.
pub fn json_call(
    method: Method,
    path: impl Into<String>,
    body: &impl Serialize,
) -> Result<Call<'static>, Failure> {
    let mut call = Call::new(method, path);
    call.body = Some(("application/json", serde_json::to_vec(body).map_err(Failure::broken)?));
    Ok(call)
}

/// Hands a secret over: to a new file that only its owner reads, or alone on standard output. The
/// rest is talk.
pub fn deliver<T: Serialize>(
    issued: &api::IssuedCredential,
    answer: &T,
    out: &Out,
    report: &Report,
) -> Result<(), Failure> {
    let credential = &issued.credential;
    let Some(secret) = &issued.secret else { return report.print(answer, |_| text(credential)) };
    if let Some(path) = &out.out {
        let written = OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(path)
            .and_then(|mut file| writeln!(file, "{}", secret.0));
        written.map_err(|error| {
            let (path, handle) = (path.display(), &credential.handle);
            Failure::Refused(format!(
                "cannot write {path}: {error}\nhint: the secret is lost; `credential revoke {handle}` and \
                 make another"
            ))
        })?;
        return report.print(credential, text);
    }
    say(format!("credential {}; its secret is shown this once", credential.handle));
    report.print(answer, |_| format!("{}\n", secret.0))
}

fn issue(client: &Client, wanted: &api::CreateCredential, out: &Out, report: &Report) -> Result<(), Failure> {
    if let Some(path) = out.out.as_deref().filter(|path| path.exists()) {
        return Err(Failure::Refused(format!("{} exists; name another file", path.display())));
    }
    let call = json_call(Method::POST, "/credentials", wanted)?;
    let (_, issued): (_, api::IssuedCredential) = client.json(call)?;
    deliver(&issued, &issued, out, report)
}

fn wanted(new: NewCredential) -> Result<api::CreateCredential, Failure> {
    let NewCredential { principal, kind, expires_at, .. } = new;
    let mut wanted = api::CreateCredential { principal, expires_at, ..Default::default() };
    if let Some(path) = kind.certificate {
        let bytes = std::fs::read(&path)
            .map_err(|error| Failure::Refused(format!("cannot read {}: {error}", path.display())))?;
        let der = match x509_parser::pem::parse_x509_pem(&bytes) {
            Ok((_, pem)) => pem.contents,
            Err(_) => bytes,
        };
        x509_parser::parse_x509_certificate(&der)
            .map_err(|_| Failure::Refused(format!("{} holds no certificate", path.display())))?;
        wanted.kind = "client-certificate".to_owned();
        wanted.certificate_sha256 = Some(hex::encode(Sha256::digest(&der)));
    } else if let Some(uid) = kind.uid {
        wanted.kind = "uid".to_owned();
        wanted.uid = Some(uid);
    } else {
        wanted.kind = "basic".to_owned();
    }
    Ok(wanted)
}

fn list(
    client: &Client,
    principal: Option<String>,
    kind: Option<&str>,
    report: &Report,
) -> Result<(), Failure> {
    let query = super::csr::query_of(&[("principal", principal)]);
    let call = Call::new(Method::GET, format!("/credentials{query}"));
    let (_, mut all): (_, api::Credentials) = client.json(call)?;
    all.items.retain(|credential| kind.is_none_or(|kind| credential.kind == kind));
    report.print(&all, |all| {
        table(
            ["HANDLE", "PRINCIPAL", "KIND", "BEGINS", "STATE", "LAST USED"],
            all.items.iter().map(|credential| {
                let used = credential.last_used_at.clone().unwrap_or_else(|| "never".to_owned());
                let (handle, principal) = (credential.handle.clone(), credential.principal.clone());
                [handle, principal, credential.kind.clone(), known_by(credential), state(credential), used]
            }),
        )
    })
}

fn revoke(client: &Client, handle: &str, report: &Report) -> Result<(), Failure> {
    let call = Call::new(Method::DELETE, format!("/credentials/{}", escape(handle)));
    let (_, credential): (_, api::Credential) = client.json(call)?;
    report.print(&credential, text)
}

fn text(credential: &api::Credential) -> String {
    facts([
        ("handle", Some(credential.handle.clone())),
        ("principal", Some(credential.principal.clone())),
        ("kind", Some(credential.kind.clone())),
        ("begins", Some(known_by(credential))),
        ("state", Some(state(credential))),
        ("created", Some(credential.created_at.clone())),
        ("last used", credential.last_used_at.clone()),
    ])
}

fn known_by(credential: &api::Credential) -> String {
    let uid = credential.uid.map(|uid| format!("uid {uid}"));
    let hint = credential.hint.as_ref().map(|hint| format!("{hint}..."));
    hint.or(uid).or_else(|| credential.certificate_sha256.clone()).unwrap_or_else(|| "-".to_owned())
}

fn state(credential: &api::Credential) -> String {
    match (&credential.revoked_at, &credential.expires_at) {
        (Some(at), _) => format!("revoked {at}"),
        (None, Some(at)) => format!("until {at}"),
        (None, None) => "in force".to_owned(),
    }
}
