//! `strongroom certificate`

use hyper::Method;

use super::csr::query_of;
use crate::api;
use crate::cli::args::{Certificate, Target};
use crate::cli::client::{Call, Client, escape};
use crate::cli::report::{Failure, Report, facts, say, table};

pub fn run(target: &Target, certificate: Certificate, report: &Report) -> Result<(), Failure> {
    let client = Client::new(target)?;
    match certificate {
        Certificate::List { expires_before, expires_after, name, status, limit, cursor } => {
            let query = [
                ("expires_before", expires_before),
                ("expires_after", expires_after),
                ("name", name),
                ("status", status),
                ("limit", Some(limit.to_string())),
                ("cursor", cursor),
            ];
            list(&client, &query, report)
        }
        Certificate::Show { handle, pem: true } => {
            let mut call = Call::new(Method::GET, path_of(&handle));
            call.headers.push(("accept", "application/x-pem-file".to_owned()));
            report.raw(&client.bytes(call)?.1)
        }
        Certificate::Show { handle, pem: false } => {
            let (_, certificate): (_, api::Certificate) =
                client.json(Call::new(Method::GET, path_of(&handle)))?;
            report.print(&certificate, text)
        }
    }
}

fn path_of(handle: &str) -> String {
    format!("/csrs/{}/certificate", escape(handle))
}

fn list(client: &Client, query: &[(&str, Option<String>)], report: &Report) -> Result<(), Failure> {
    let call = Call::new(Method::GET, format!("/certificates{}", query_of(query)));
    let (_, page): (_, api::CertificatePage) = client.json(call)?;
    report.print(&page, |page| {
        table(
            ["HANDLE", "STATUS", "NOT AFTER", "SUBJECT"],
            page.items.iter().map(|item| {
                let name = if item.subject.is_empty() { item.sans.join(" ") } else { item.subject.clone() };
                [item.handle.clone(), item.status.clone(), item.not_after.clone(), name]
            }),
        )
    })?;
    if let Some(cursor) = page.next_cursor {
        say(format!("more with --cursor {cursor}"));
    }
    Ok(())
}

fn text(certificate: &api::Certificate) -> String {
    let facts = facts([
        ("of", Some(certificate.handle.clone())),
        ("sha256", Some(certificate.sha256.clone())),
        ("not before", Some(certificate.not_before.clone())),
        ("not after", Some(certificate.not_after.clone())),
        ("married", Some(certificate.married_at.clone())),
        ("on the token", certificate.on_token.clone()),
        ("evidence", Some(format!("{}: {}", certificate.evidence.level, certificate.evidence.meaning))),
        ("WARNING", certificate.evidence.warning.clone()),
    ]);
    format!("{facts}{}{}", certificate.certificate, certificate.chain.concat())
}
