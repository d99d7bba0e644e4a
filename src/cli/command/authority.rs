//! `strongroom ca`

use std::io::{self, IsTerminal};

use hyper::Method;
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::bytes_of;
use super::csr::query_of;
use super::key::confirm;
use crate::api;
use crate::cli::args::{Ca, IssueFrom, NewCa, Target};
use crate::cli::client::{Call, Client, escape};
use crate::cli::report::{Failure, Report, facts, say, table};

pub fn run(target: &Target, ca: Ca, report: &Report) -> Result<(), Failure> {
    let client = Client::new(target)?;
    match ca {
        Ca::New(new) => report.print(&made(&client, *new)?, |made| match made.status.as_str() {
            "pending-certificate" => {
                format!(
                    "made {} ({}); have its CSR signed: strongroom ca csr {}\n",
                    made.name, made.handle, made.name
                )
            }
            _ => format!("made {} ({})\n", made.name, made.handle),
        }),
        Ca::List => report.print(&all(&client)?, |all| rows(&all.items)),
        Ca::Show { authority, pem: true } => {
            let path = format!("{}/certificate", path_of(&client, &authority)?);
            let mut call = Call::new(Method::GET, path);
            call.headers.push(("accept", "application/x-pem-file".to_owned()));
            report.raw(&client.bytes(call)?.1)
        }
        Ca::Show { authority, pem: false } => {
            let found: api::Authority = get(&client, path_of(&client, &authority)?)?;
            report.print(&found, text)
        }
        Ca::Csr { authority } => {
            let call = Call::new(Method::GET, format!("{}/csr", path_of(&client, &authority)?));
            report.raw(&client.bytes(call)?.1)
        }
        Ca::Import { authority, file } => {
            let mut call = Call::new(Method::PUT, format!("{}/certificate", path_of(&client, &authority)?));
            call.body = Some(("application/octet-stream", bytes_of(&file)?));
            let (_, imported): (_, api::Authority) = client.json(call)?;
            report.print(&imported, |imported| format!("{} is {}\n", imported.name, imported.status))
        }
        Ca::Issue(issue) => {
            let issued = issue_from(&client, issue)?;
            report.print(&issued, |issued| {
                format!("{}{}", issued.certificate.clone().unwrap_or_default(), issued.chain.concat())
            })
        }
        Ca::Issued { authority, limit, cursor } => {
            let query = query_of(&[("limit", Some(limit.to_string())), ("cursor", cursor)]);
            issued(&client, &format!("{}/certificates{query}", path_of(&client, &authority)?), report)
        }
        Ca::Revoke { authority, serial, reason } => {
            let path = format!("{}/certificates/{}/revoke", path_of(&client, &authority)?, escape(&serial));
            let revoked: api::IssuedCertificate = post(&client, path, &api::RevokeCertificate { reason })?;
            report.print(&revoked, |revoked| format!("revoked {}\n", revoked.serial))
        }
        Ca::Crl { authority } => {
            let call = Call::new(Method::GET, format!("{}/crl", path_of(&client, &authority)?));
            report.raw(&client.bytes(call)?.1)
        }
        Ca::Renew { authority, days } => {
            let path = format!("{}/renew", path_of(&client, &authority)?);
            let renewed: api::Authority =
                post(&client, path, &api::RenewAuthority { validity_days: days, ..Default::default() })?;
            report.print(&renewed, |renewed| {
                let until = renewed.certificates.last().map(|own| own.not_after.as_str()).unwrap_or_default();
                format!("{} is valid until {until}\n", renewed.name)
            })
        }
        Ca::Disable { authority } => change(&client, Method::POST, &authority, "/disable", report),
        Ca::Enable { authority } => change(&client, Method::POST, &authority, "/enable", report),
        Ca::Delete { authority, yes } => {
            if !yes {
                if !io::stdin().is_terminal() {
                    let hint = "hint: nobody can be asked here; say --yes to delete it";
                    return Err(Failure::Refused(format!("authority {authority} is not deleted\n{hint}")));
                }
                confirm(&format!("Delete the authority {authority}? It will never issue again. [y/N] "))?;
            }
            change(&client, Method::DELETE, &authority, "", report)
        }
    }
}

fn made(client: &Client, new: NewCa) -> Result<api::Authority, Failure> {
    let constraints = api::NameConstraints { permitted: new.permit, excluded: new.exclude };
    let is_bound = !constraints.permitted.is_empty() || !constraints.excluded.is_empty();
    let body = api::CreateAuthority {
        name: new.name,
        kind: if new.intermediate { "intermediate" } else { "root" }.to_owned(),
        subject: api::Subject::Text(new.subject),
        path_length: new.path_length,
        name_constraints: is_bound.then_some(constraints),
        key_kind: new.kind,
        token: new.token,
        digest: new.digest,
        padding: new.padding,
        validity_days: new.days,
        not_before: None,
        not_after: None,
    };
    post(client, "/authorities".to_owned(), &body)
}

fn issue_from(client: &Client, issue: IssueFrom) -> Result<api::IssuedCertificate, Failure> {
    let path = path_of(client, &issue.authority)?;
    let csr = issue.file.as_deref().map(bytes_of).transpose()?;
    let csr = csr.map(|bytes| String::from_utf8_lossy(&bytes).into_owned());
    if issue.intermediate {
        let body = api::SignIntermediate {
            csr: csr.unwrap_or_default(),
            path_length: issue.path_length,
            name_constraints: None,
            validity_days: issue.days,
            not_before: None,
            not_after: None,
        };
        return post(client, format!("{path}/intermediates"), &body);
    }
    let body = api::IssueCertificate {
        csr,
        request: issue.request,
        template: issue.template,
        validity_days: issue.days,
        ..Default::default()
    };
    post(client, format!("{path}/issue"), &body)
}

fn issued(client: &Client, path: &str, report: &Report) -> Result<(), Failure> {
    let page: api::IssuedPage = get(client, path.to_owned())?;
    report.print(&page, |page| {
        table(
            ["SERIAL", "STATUS", "NOT AFTER", "SUBJECT"],
            page.items.iter().map(|item| {
                [item.serial.clone(), item.status.clone(), item.not_after.clone(), item.subject.clone()]
            }),
        )
    })?;
    if let Some(cursor) = page.next_cursor {
        say(format!("more with --cursor {cursor}"));
    }
    Ok(())
}

fn change(
    client: &Client,
    method: Method,
    authority: &str,
    verb: &str,
    report: &Report,
) -> Result<(), Failure> {
    let call = Call::new(method, format!("{}{verb}", path_of(client, authority)?));
    let (_, changed): (_, api::Authority) = client.json(call)?;
    report.print(&changed, |changed| format!("{} is {}\n", changed.name, changed.status))
}

fn all(client: &Client) -> Result<api::Authorities, Failure> {
    get(client, "/authorities".to_owned())
}

/// The path of an authority that is given by its handle or by its name, which is never shaped like one.
fn path_of(client: &Client, given: &str) -> Result<String, Failure> {
    let named = all(client)?.items.into_iter().find(|authority| authority.name == given);
    let handle = named.map_or_else(|| given.to_owned(), |authority| authority.handle);
    if handle.len() != 36 {
        return Err(Failure::Refused(format!("there is no authority `{given}`; see `strongroom ca list`")));
    }
    Ok(format!("/authorities/{}", escape(&handle)))
}

fn get<T: DeserializeOwned>(client: &Client, path: String) -> Result<T, Failure> {
    client.json(Call::new(Method::GET, path)).map(|(_, answer)| answer)
}

fn post<T: DeserializeOwned>(client: &Client, path: String, body: &impl Serialize) -> Result<T, Failure> {
    let mut call = Call::new(Method::POST, path);
    call.body = Some(("application/json", serde_json::to_vec(body).map_err(Failure::broken)?));
    client.json(call).map(|(_, answer)| answer)
}

fn rows(authorities: &[api::Authority]) -> String {
    table(
        ["NAME", "KIND", "STATUS", "KEY", "NOT AFTER", "SUBJECT", "HANDLE"],
        authorities.iter().map(|authority| {
            let until = authority.certificates.last().map(|own| own.not_after.clone()).unwrap_or_default();
            [
                authority.name.clone(),
                authority.kind.clone(),
                authority.status.clone(),
                authority.key_kind.clone(),
                until,
                authority.subject.clone(),
                authority.handle.clone(),
            ]
        }),
    )
}

fn text(authority: &api::Authority) -> String {
    let own = authority.certificates.last();
    let list = authority.crl.as_ref();
    let facts = facts([
        ("name", Some(authority.name.clone())),
        ("handle", Some(authority.handle.clone())),
        ("kind", Some(authority.kind.clone())),
        ("status", Some(authority.status.clone())),
        ("subject", Some(authority.subject.clone())),
        ("path length", authority.path_length.map(|length| length.to_string())),
        ("key", authority.key.as_ref().map(|key| format!("{} {key}", authority.key_kind))),
        ("token", Some(authority.token.clone())),
        ("signs with", Some(authority.signature.clone())),
        ("parent", authority.parent.clone()),
        ("not before", own.map(|own| own.not_before.clone())),
        ("not after", own.map(|own| own.not_after.clone())),
        ("sha256", own.map(|own| own.sha256.clone())),
        (
            "crl",
            list.map(|crl| {
                format!("number {}, {} revoked, until {}", crl.number, crl.entries, crl.next_update)
            }),
        ),
        ("crl url", authority.crl_url.clone()),
        ("failure", authority.failure.clone()),
    ]);
    let pem = own.map(|own| format!("{}{}", own.certificate, own.chain.concat()));
    format!("{facts}{}", pem.unwrap_or_default())
}
