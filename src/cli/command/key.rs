//! `strongroom key`

use std::io::{self, BufRead, IsTerminal, Write};

use hyper::Method;

use super::csr::query_of;
use super::proposal::undertake;
use super::slot::{configured, token_of_service};
use crate::api;
use crate::cli::args::{Key, Target};
use crate::cli::client::{Call, Client, escape};
use crate::cli::report::{Failure, Report, facts, say, table};

pub fn run(target: &Target, key: Key, report: &Report) -> Result<(), Failure> {
    let client = Client::new(target)?;
    match key {
        Key::List { life, limit, cursor } => {
            let query = [("life", life), ("limit", Some(limit.to_string())), ("cursor", cursor)];
            list(&client, &query, report)
        }
        Key::Show { handle } => report.print(&show(&client, &handle)?, text),
        Key::Retire { handle } => {
            let key: api::Key = change(&client, &handle, "retire")?;
            report.print(&key, |key| {
                let end = key.life.destroy_after.as_ref().map(|at| format!("; it is destroyed after {at}"));
                format!("retired {}{}\n", key.handle, end.unwrap_or_default())
            })
        }
        Key::Unretire { handle } => {
            let key: api::Key = change(&client, &handle, "unretire")?;
            report.print(&key, |key| format!("{} is no longer retired\n", key.handle))
        }
        Key::Compromise { handle, reason } => compromise(&client, &handle, reason, report),
        Key::Destroy { handle, yes } => destroy(&client, &handle, yes, report),
        Key::Reconcile { token } => reconcile(&client, target, token, report),
    }
}

fn path_of(handle: &str) -> String {
    format!("/keys/{}", escape(handle))
}

fn show(client: &Client, handle: &str) -> Result<api::Key, Failure> {
    client.json(Call::new(Method::GET, path_of(handle))).map(|(_, key)| key)
}

fn destroy(client: &Client, handle: &str, yes: bool, report: &Report) -> Result<(), Failure> {
    if !yes {
        let key = show(client, handle)?;
        if !io::stdin().is_terminal() {
            let hint = "hint: nobody can be asked here; say --yes to destroy it";
            return Err(Failure::Refused(format!("key {handle} is not destroyed\n{hint}")));
        }
        confirm(&format!(
            "Destroy the {} key {} on token {}? It cannot be brought back. [y/N] ",
            key.kind, key.handle, key.token
        ))?;
    }
    let call = Call::new(Method::DELETE, path_of(handle));
    undertake(client, call, report, |key: &api::Key| {
        format!("destroyed {} on token {}\n", key.handle, key.token)
    })
}

/// On standard error, for standard output is the result's.
pub(super) fn confirm(question: &str) -> Result<(), Failure> {
    let mut answer = String::new();
    write!(io::stderr(), "{question}").map_err(Failure::broken)?;
    io::stdin().lock().read_line(&mut answer).map_err(Failure::broken)?;
    match answer.trim().to_ascii_lowercase().as_str() {
        "y" | "yes" => Ok(()),
        _ => Err(Failure::Refused("nothing is destroyed".to_owned())),
    }
}

fn reconcile(
    client: &Client,
    target: &Target,
    token: Option<String>,
    report: &Report,
) -> Result<(), Failure> {
    let token = match token {
        Some(token) => token,
        None if target.server.is_some() => token_of_service(target, None)?,
        None => configured(&super::config(&target.config)?, None)?.0.to_owned(),
    };
    let call = Call::new(Method::POST, format!("/tokens/{}/reconcile", escape(&token)));
    let (_, inventory): (_, api::Inventory) = client.json(call)?;
    report.print(&inventory, |found| {
        let counts = [
            ("objects", found.objects, "on the token"),
            ("owned", found.owned, "of keys in the index"),
            ("in progress", found.in_progress, "of keys being made"),
            ("destroyed", found.destroyed, "left by an interruption, destroyed now"),
            ("recovered", found.recovered, "whole keys that the index did not know"),
            ("quarantined", found.quarantined, "with our id, and no key of ours"),
            ("nameless", found.nameless, "without id and label"),
            ("foreign", found.foreign, "of somebody else"),
            ("missing keys", found.missing_keys, "in the index, not on the token"),
            ("pending certificates", found.pending_certificates, "not written or removed yet"),
        ];
        table(
            ["FOUND", "COUNT", "MEANING"],
            counts
                .into_iter()
                .map(|(name, count, meaning)| [name.to_owned(), count.to_string(), meaning.to_owned()]),
        )
    })
}

fn change(client: &Client, handle: &str, verb: &str) -> Result<api::Key, Failure> {
    let call = Call::new(Method::POST, format!("{}/{verb}", path_of(handle)));
    client.json(call).map(|(_, key)| key)
}

fn compromise(client: &Client, handle: &str, reason: String, report: &Report) -> Result<(), Failure> {
    let mut call = Call::new(Method::POST, format!("{}/compromise", path_of(handle)));
    let body = serde_json::to_vec(&api::CompromiseKey { reason }).map_err(Failure::broken)?;
    call.body = Some(("application/json", body));
    let (_, compromised): (_, api::CompromisedKey) = client.json(call)?;
    report.print(&compromised, |compromised| {
        let uses = compromised.csrs.iter().map(|csr| [csr.handle.clone(), csr.status.clone()]);
        let uses = table(["REVOKE THE CERTIFICATE OF", "STATUS"], uses);
        format!("{} is compromised and signs nothing more\n{uses}", compromised.key.handle)
    })
}

fn list(client: &Client, query: &[(&str, Option<String>)], report: &Report) -> Result<(), Failure> {
    let query = query_of(query);
    let (_, page): (_, api::KeyPage) = client.json(Call::new(Method::GET, format!("/keys{query}")))?;
    report.print(&page, |page| {
        table(
            ["HANDLE", "STATE", "LIFE", "PURPOSE", "KIND", "TOKEN", "CREATED"],
            page.items.iter().map(|key| {
                [
                    &key.handle,
                    &key.state,
                    &key.life.state,
                    &key.purpose,
                    &key.kind,
                    &key.token,
                    &key.created_at,
                ]
                .map(String::clone)
            }),
        )
    })?;
    if let Some(cursor) = page.next_cursor {
        say(format!("more with --cursor {cursor}"));
    }
    Ok(())
}

fn text(key: &api::Key) -> String {
    let dates: Vec<_> = key.life.since.iter().map(|(state, at)| format!("{state} since {at}")).collect();
    let attributes: Vec<_> = key.attributes.iter().map(|(name, value)| format!("{name}={value}")).collect();
    let facts = facts([
        ("handle", Some(key.handle.clone())),
        ("state", Some(key.state.clone())),
        ("life", Some(key.life.state.clone())),
        ("dates", Some(dates.join(", "))),
        ("retired", key.life.retired_at.clone()),
        ("destroyed after", key.life.destroy_after.clone()),
        ("compromised", key.life.compromise.clone()),
        ("purpose", Some(key.purpose.clone())),
        ("kind", Some(key.kind.clone())),
        ("uri", key.uri.clone()),
        ("CKA_ID", Some(key.id.clone())),
        ("created", Some(key.created_at.clone())),
        ("spki sha256", Some(key.spki_sha256.clone())),
        ("attributes", Some(attributes.join(" "))),
        ("evidence", Some(format!("{}: {}", key.evidence.level, key.evidence.meaning))),
        ("WARNING", key.evidence.warning.clone()),
    ]);
    format!("{facts}{}", key.public_key)
}
