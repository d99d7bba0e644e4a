//! `strongroom audit`

use std::fs::{File, OpenOptions};
use std::io::{BufRead, BufReader, BufWriter, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use hyper::Method;

use super::credential::json_call;
use super::csr::query_of;
use crate::api;
use crate::cli::args::{Audit, ShowAudit, Target, VerifyAudit};
use crate::cli::client::{Call, Client};
use crate::cli::report::{Failure, Report, say, table};
use crate::domain::audit::{Checkpoint, Record, Verifier};

/// Most records on a page of the service.
const PAGE: usize = 200;

pub fn run(target: &Target, command: Audit, report: &Report) -> Result<(), Failure> {
    let client = || Client::new(target);
    match command {
        Audit::Show(wanted) => show(&client()?, wanted, report),
        Audit::Verify(wanted) => verify(target, wanted, report),
        Audit::Checkpoint => {
            let verdict = verdict_of(&client()?, None)?;
            must_be_sound(&verdict)?;
            let text = verdict.checkpoint.clone();
            let text = text.ok_or_else(|| Failure::Refused("the audit log has no record yet".to_owned()))?;
            report.print(&verdict, |_| text)
        }
        Audit::Export { out } => export(&client()?, &out, report),
        Audit::ForgetKey { yes } => {
            client()?.bytes(json_call(Method::POST, "/audit/forget-key", &api::ForgetAuditKey { yes })?)?;
            report.print(&serde_json::json!({ "forgotten": true }), |_| "the key is destroyed\n".to_owned())
        }
        Audit::RestartChain { reason } => {
            let call = json_call(Method::POST, "/audit/restart-chain", &api::RestartAuditChain { reason })?;
            let (_, damage): (_, api::AuditDamage) = client()?.json(call)?;
            report.print(&damage, |damage| {
                format!("started anew behind record {}: {}\n", damage.seq, damage.what)
            })
        }
    }
}

fn show(client: &Client, wanted: ShowAudit, report: &Report) -> Result<(), Failure> {
    let query = query_of(&[
        ("since", wanted.since),
        ("until", wanted.until),
        ("actor", wanted.actor),
        ("action", wanted.action),
        ("subject", wanted.subject),
        ("tenant", wanted.tenant),
        ("outcome", wanted.outcome),
        ("match", wanted.value),
        ("limit", Some(wanted.limit.to_string())),
        ("cursor", wanted.cursor.map(|cursor| cursor.to_string())),
    ]);
    let (_, page): (_, api::AuditPage) = client.json(Call::new(Method::GET, format!("/audit{query}")))?;
    if let Some(cursor) = page.next_cursor {
        say(format!("more: --cursor {cursor}"));
    }
    report.print(&page, |page| {
        table(
            ["SEQ", "AT", "WHO", "FROM", "ACTION", "OUTCOME", "SUBJECT", "WHY"],
            page.items.iter().cloned().map(|record| {
                let who = if record.name.is_empty() { record.actor } else { record.name };
                let (from, why) = (record.origin, record.reason);
                let seq = record.seq.to_string();
                [seq, record.at, who, from, record.action, record.outcome, record.subject, why]
            }),
        )
    })
}

fn verify(target: &Target, wanted: VerifyAudit, report: &Report) -> Result<(), Failure> {
    let kept = match (&wanted.checkpoint, wanted.seq, wanted.hash) {
        (Some(file), ..) => {
            let text = String::from_utf8_lossy(&super::bytes_of(file)?).into_owned();
            let checkpoint: Checkpoint = text.parse().map_err(Failure::Refused)?;
            Some((checkpoint.seq, hex::encode(checkpoint.hash)))
        }
        (None, Some(seq), Some(hash)) => Some((seq, hash)),
        _ => None,
    };
    let verdict = match &wanted.file {
        Some(file) => verdict_of_export(file, kept)?,
        None => verdict_of(&Client::new(target)?, kept)?,
    };
    must_be_sound(&verdict)?;
    for damage in &verdict.damage {
        let by = damage.acknowledged_by.unwrap_or_default();
        say(format!("record {} {}; record {by} acknowledges it", damage.seq, damage.what));
    }
    report.print(&verdict, |verdict| format!("{} records, sound\n", verdict.records))
}

fn verdict_of(client: &Client, kept: Option<(u64, String)>) -> Result<api::AuditVerdict, Failure> {
    let (seq, hash) = kept.unzip();
    let query = query_of(&[("seq", seq.map(|seq| seq.to_string())), ("hash", hash)]);
    Ok(client.json(Call::new(Method::GET, format!("/audit/verify{query}")))?.1)
}

fn must_be_sound(verdict: &api::AuditVerdict) -> Result<(), Failure> {
    let Some(damage) = verdict.damage.iter().find(|damage| damage.acknowledged_by.is_none()) else {
        return Ok(());
    };
    let text = format!("the audit log is damaged: record {} {}", damage.seq, damage.what);
    let document = serde_json::to_value(verdict).map_err(Failure::broken)?;
    Err(Failure::RefusedWith { text, document })
}

fn export(client: &Client, out: &Path, report: &Report) -> Result<(), Failure> {
    let lost = |error: std::io::Error| Failure::Refused(format!("cannot write {}: {error}", out.display()));
    let file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(out).map_err(lost)?;
    let mut file = BufWriter::new(file);
    let (mut cursor, mut records) = (None, 0_u64);
    loop {
        let after = cursor.map(|cursor: u64| cursor.to_string());
        let (order, limit) = (Some("oldest".to_owned()), Some(PAGE.to_string()));
        let query = query_of(&[("order", order), ("limit", limit), ("cursor", after)]);
        let (_, page): (_, api::AuditPage) = client.json(Call::new(Method::GET, format!("/audit{query}")))?;
        for record in &page.items {
            serde_json::to_writer(&mut file, record).map_err(Failure::broken)?;
            file.write_all(b"\n").map_err(lost)?;
            records += 1;
        }
        cursor = page.next_cursor;
        if cursor.is_none() {
            break;
        }
    }
    file.into_inner().map_err(|error| lost(error.into_error()))?.sync_all().map_err(lost)?;
    let result = serde_json::json!({ "records": records, "file": out });
    report.print(&result, |_| format!("{records} records in {}\n", out.display()))
}

/// Line by line: an export may be larger than memory.
fn verdict_of_export(path: &Path, kept: Option<(u64, String)>) -> Result<api::AuditVerdict, Failure> {
    let refused = |what: String| Failure::Refused(format!("{}: {what}", path.display()));
    let kept = kept
        .map(|(seq, hash)| Some((seq, digest(&hash)?)))
        .map(|kept| kept.ok_or_else(|| Failure::Refused("--hash must be 32 bytes in hexadecimal".to_owned())))
        .transpose()?;
    let file = File::open(path).map_err(|error| refused(error.to_string()))?;
    let mut verifier = Verifier::new(kept);
    for (number, line) in (1..).zip(BufReader::new(file).lines()) {
        let line = line.map_err(|error| refused(format!("line {number}: {error}")))?;
        let wire = serde_json::from_str(&line).map_err(|error| refused(format!("line {number}: {error}")))?;
        let record = record(wire).ok_or_else(|| refused(format!("line {number} is no record")))?;
        verifier.check(&record);
    }
    let verdict = verifier.verdict();
    let damage = verdict.damage.iter().map(|found| api::AuditDamage {
        seq: found.broken.seq,
        what: found.broken.what.to_owned(),
        acknowledged_by: found.acknowledged,
    });
    Ok(api::AuditVerdict {
        sound: verdict.broken().is_none(),
        records: verdict.records,
        checkpoint: verdict.head.map(|head| head.to_string()),
        damage: damage.collect(),
    })
}

/// `None` for what was never written by an export: a hash that is none, a time in another form.
fn record(wire: api::AuditRecord) -> Option<Record> {
    let at = wire.at.parse::<crate::domain::clock::Timestamp>().ok()?;
    if at.to_string() != wire.at {
        return None;
    }
    Some(Record {
        seq: wire.seq,
        at,
        version: wire.version,
        actor: wire.actor,
        name: wire.name,
        origin: wire.origin,
        tenant: wire.tenant,
        action: wire.action,
        outcome: wire.outcome,
        subject: wire.subject,
        reason: wire.reason,
        request_id: wire.request_id,
        detail: wire.detail,
        previous: digest(&wire.previous)?,
        hash: digest(&wire.hash)?,
    })
}

fn digest(text: &str) -> Option<[u8; 32]> {
    let mut bytes = [0; 32];
    hex::decode_to_slice(text, &mut bytes).ok()?;
    Some(bytes)
}
