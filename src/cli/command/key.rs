//! `strongroom key`

use std::path::Path;

use hyper::Method;

use super::csr::query_of;
use crate::api;
use crate::cli::args::Key;
use crate::cli::client::{Call, Client, escape};
use crate::cli::report::{Failure, Report, facts, say, table};

pub fn run(config: &Path, key: Key, report: &Report) -> Result<(), Failure> {
    let client = Client::new(&super::config(config)?)?;
    match key {
        Key::List { limit, cursor } => list(&client, limit, cursor, report),
        Key::Show { handle } => {
            let call = Call::new(Method::GET, format!("/keys/{}", escape(&handle)));
            let (_, key): (_, api::Key) = client.json(call)?;
            report.print(&key, text)
        }
    }
}

fn list(client: &Client, limit: usize, cursor: Option<String>, report: &Report) -> Result<(), Failure> {
    let query = query_of(&[("limit", Some(limit.to_string())), ("cursor", cursor)]);
    let (_, page): (_, api::KeyPage) = client.json(Call::new(Method::GET, format!("/keys{query}")))?;
    report.print(&page, |page| {
        table(
            ["HANDLE", "STATE", "PURPOSE", "KIND", "TOKEN", "CREATED"],
            page.items.iter().map(|key| {
                [&key.handle, &key.state, &key.purpose, &key.kind, &key.token, &key.created_at]
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
    let attributes: Vec<_> = key.attributes.iter().map(|(name, value)| format!("{name}={value}")).collect();
    let facts = facts([
        ("handle", Some(key.handle.clone())),
        ("state", Some(key.state.clone())),
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
