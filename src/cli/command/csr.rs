//! `strongroom csr`

use std::path::Path;
use std::time::{Duration, Instant};

use hyper::{Method, StatusCode};
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use serde::Serialize;

use crate::api;
use crate::cli::args::{Asking, Csr, Extensions, NewCsr, Target};
use crate::cli::client::{Call, Client, escape};
use crate::cli::report::{Failure, Report, facts, say, table};

/// Between two looks at a key that is being made.
const POLL: Duration = Duration::from_millis(500);
/// No key takes longer, even on a small HSM; a token that is away for longer needs its operator.
const PATIENCE: Duration = Duration::from_secs(15 * 60);

pub fn run(target: &Target, csr: Csr, report: &Report) -> Result<(), Failure> {
    let client = || Client::new(target);
    match csr {
        Csr::New(new) => {
            let (asking, body) = body_of(*new)?;
            create(&client()?, "/csrs", &asking, &body, report)
        }
        Csr::Renew { handle, template, new_key, asking } => {
            let key = if new_key { api::RenewalKey::New } else { api::RenewalKey::Same };
            let challenge_password = challenge_password(&asking)?;
            let body = api::RenewCsr { key, template, challenge_password };
            create(&client()?, &format!("{}/renew", path_of(&handle)), &asking, &body, report)
        }
        Csr::Approve { handle, hash } => {
            let csr = decide(&client()?, &handle, "approve", &api::Approve { hash })?;
            report.print(&csr, |csr| format!("approved {}; it is {}\n", csr.handle, csr.status))
        }
        Csr::Reject { handle, reason } => {
            let csr = decide(&client()?, &handle, "reject", &api::Reject { reason })?;
            report.print(&csr, |csr| format!("rejected {}\n", csr.handle))
        }
        Csr::Retire { handle } => {
            let call = Call::new(Method::POST, format!("{}/retire", path_of(&handle)));
            let (_, retired): (_, api::Csr) = client()?.json(call)?;
            report.print(&retired, |retired| format!("retired {}\n", retired.handle))
        }
        Csr::List { status, name, kind, limit, cursor } => {
            let limit = Some(limit.to_string());
            let query =
                [("status", status), ("name", name), ("kind", kind), ("limit", limit), ("cursor", cursor)];
            list(&client()?, &query, report)
        }
        Csr::Show { handle, pem: true } => {
            let mut call = Call::new(Method::GET, path_of(&handle));
            call.headers.push(("accept", "application/x-pem-file".to_owned()));
            report.raw(&client()?.bytes(call)?.1)
        }
        Csr::Show { handle, pem: false } => report.print(&show(&client()?, &handle)?, text),
        Csr::Cancel { handle } => {
            let (_, cancelled): (_, api::Cancelled) =
                client()?.json(Call::new(Method::DELETE, path_of(&handle)))?;
            report.print(&cancelled, |cancelled| {
                format!("cancelled {}; its key: {}\n", cancelled.csr.handle, cancelled.key_fate)
            })
        }
        Csr::Marry { handle, file, allow_expired } => {
            marry(&client()?, &handle, &file, allow_expired, report)
        }
        Csr::Inspect { file, strict } => super::inspect::run(&file, strict, report),
    }
}

fn decide(client: &Client, handle: &str, decision: &str, body: &impl Serialize) -> Result<api::Csr, Failure> {
    let body = serde_json::to_vec(body).map_err(Failure::broken)?;
    let path = format!("{}/{decision}", path_of(handle));
    let call = Call { body: Some(("application/json", body)), ..Call::new(Method::POST, path) };
    client.json(call).map(|(_, csr)| csr)
}

fn create(
    client: &Client,
    path: &str,
    asking: &Asking,
    body: &impl Serialize,
    report: &Report,
) -> Result<(), Failure> {
    let no_wait = asking.no_wait;
    let mut call = Call::new(Method::POST, path);
    if let Some(key) = &asking.idempotency_key {
        call.headers.push(("idempotency-key", key.clone()));
    }
    if no_wait {
        call.headers.push(("prefer", "respond-async".to_owned()));
    }
    let body = serde_json::to_vec(body).map_err(Failure::broken)?;
    call.body = Some(("application/json", body));

    let spinner = spinner();
    let (status, mut csr): (_, api::Csr) = client.json(call)?;
    if status == StatusCode::ACCEPTED && !no_wait {
        csr = await_made(csr, PATIENCE, |handle| show(client, handle))?;
    }
    spinner.finish_and_clear();
    match csr.status.as_str() {
        "cancelled" | "rejected" => Err(Failure::Refused(ended(&csr))),
        "failed" | "quarantined" => Err(Failure::Broken(ended(&csr))),
        "awaiting_approval" => {
            say(format!(
                "it waits for an approval: `strongroom csr approve {}` by somebody else",
                csr.handle
            ));
            report.print(&csr, text)
        }
        _ => report.print(&csr, text),
    }
}

/// Looks again until the signing request is past its making, however that ended.
fn await_made(
    mut csr: api::Csr,
    patience: Duration,
    look: impl Fn(&str) -> Result<api::Csr, Failure>,
) -> Result<api::Csr, Failure> {
    let begun = Instant::now();
    while matches!(csr.status.as_str(), "intent" | "generated") {
        if begun.elapsed() >= patience {
            let (handle, minutes) = (&csr.handle, patience.as_secs() / 60);
            return Err(Failure::Unavailable(format!(
                "signing request {handle} is still {} after {minutes} min\n\
                 hint: it goes on; look later with `strongroom csr show {handle}`",
                csr.status
            )));
        }
        std::thread::sleep(POLL);
        csr = look(&csr.handle)?;
    }
    Ok(csr)
}

fn ended(csr: &api::Csr) -> String {
    let reason = csr.failure.as_ref().map(|failure| format!(": {failure}"));
    format!("signing request {} is {}{}", csr.handle, csr.status, reason.unwrap_or_default())
}

fn challenge_password(asking: &Asking) -> Result<Option<api::Secret>, Failure> {
    asking.challenge_password_file.as_deref().map(secret).transpose()
}

fn body_of(new: NewCsr) -> Result<(Asking, api::CreateCsr), Failure> {
    let password = challenge_password(&new.asking)?;
    let body = api::CreateCsr {
        subject: api::Subject::Text(new.subject),
        sans: new.sans,
        template: new.template,
        validity_days: new.days,
        key: api::KeyChoice { kind: new.kind, token: new.token, handle: new.key },
        digest: new.digest,
        padding: new.padding,
        extensions: extensions_of(new.extensions),
        challenge_password: password,
        unstructured_name: new.unstructured_name,
    };
    Ok((new.asking, body))
}

pub(super) fn extensions_of(args: Extensions) -> api::Extensions {
    let constrained = !args.permit.is_empty() || !args.exclude.is_empty();
    api::Extensions {
        key_usage: args.key_usage,
        extended_key_usage: args.extended_key_usage,
        basic_constraints: args
            .ca
            .then_some(api::BasicConstraints { ca: true, path_length: args.path_length }),
        certificate_policies: args.policies,
        name_constraints: constrained
            .then_some(api::NameConstraints { permitted: args.permit, excluded: args.exclude }),
        subject_key_identifier: args.subject_key_identifier,
        tls_features: if args.must_staple { vec!["status_request".to_owned()] } else { Vec::new() },
        microsoft_template_name: args.microsoft_template_name,
        microsoft_template: args.microsoft_template,
        other: args.other,
    }
}

/// The first line of a file.
fn secret(file: &Path) -> Result<api::Secret, Failure> {
    let text = String::from_utf8(super::bytes_of(file)?)
        .map_err(|_| Failure::Refused(format!("{} is not UTF-8", file.display())))?;
    Ok(api::Secret(text.lines().next().unwrap_or_default().to_owned()))
}

fn list(client: &Client, query: &[(&str, Option<String>)], report: &Report) -> Result<(), Failure> {
    let query = query_of(query);
    let (_, page): (_, api::CsrPage) = client.json(Call::new(Method::GET, format!("/csrs{query}")))?;
    report.print(&page, |page| {
        table(
            ["HANDLE", "STATUS", "KIND", "CREATED", "SUBJECT"],
            page.items.iter().map(|csr| {
                let name = if csr.subject.is_empty() { csr.sans.join(" ") } else { csr.subject.clone() };
                [csr.handle.clone(), csr.status.clone(), csr.kind.clone(), csr.created_at.clone(), name]
            }),
        )
    })?;
    if let Some(cursor) = page.next_cursor {
        say(format!("more with --cursor {cursor}"));
    }
    Ok(())
}

/// `?a=1&b=2` of what is given.
pub(super) fn query_of(query: &[(&str, Option<String>)]) -> String {
    let pairs: Vec<_> = query
        .iter()
        .filter_map(|(name, value)| Some(format!("{name}={}", escape(value.as_deref()?))))
        .collect();
    if pairs.is_empty() { String::new() } else { format!("?{}", pairs.join("&")) }
}

fn show(client: &Client, handle: &str) -> Result<api::Csr, Failure> {
    client.json(Call::new(Method::GET, path_of(handle))).map(|(_, csr)| csr)
}

fn marry(
    client: &Client,
    handle: &str,
    file: &Path,
    allow_expired: bool,
    report: &Report,
) -> Result<(), Failure> {
    let query = query_of(&[("allow_expired", allow_expired.then(|| "true".to_owned()))]);
    let mut call = Call::new(Method::PUT, format!("{}/certificate{query}", path_of(handle)));
    call.body = Some(("application/octet-stream", super::bytes_of(file)?));
    let (_, certificate): (_, api::Certificate) = client.json(call)?;
    report.print(&certificate, |certificate| {
        facts([
            ("married to", Some(certificate.handle.clone())),
            ("sha256", Some(certificate.sha256.clone())),
            ("not before", Some(certificate.not_before.clone())),
            ("not after", Some(certificate.not_after.clone())),
            ("chain", Some(format!("{} certificate(s)", certificate.chain.len()))),
            ("on the token", certificate.on_token.clone()),
        ])
    })
}

fn path_of(handle: &str) -> String {
    format!("/csrs/{}", escape(handle))
}

fn text(csr: &api::Csr) -> String {
    let list = |items: &[String]| (!items.is_empty()).then(|| items.join(", "));
    let sans: Vec<String> = csr.sans.iter().map(|san| with_unicode(san, csr)).collect();
    let facts = facts([
        ("handle", Some(csr.handle.clone())),
        ("status", Some(csr.status.clone())),
        ("subject", Some(csr.subject.clone()).filter(|subject| !subject.is_empty())),
        ("sans", list(&sans)),
        ("key usage", list(&csr.extensions.key_usage)),
        ("extended key usage", list(&csr.extensions.extended_key_usage)),
        ("other extensions", list(&other_extensions(&csr.extensions))),
        ("unstructured name", csr.unstructured_name.clone()),
        ("challenge password", csr.has_challenge_password.then(|| "not shown".to_owned())),
        ("renews", csr.renews.clone()),
        ("template", csr.template.as_ref().map(|template| template.name.clone())),
        ("validity", csr.validity_days.map(|days| format!("{days} days"))),
        ("approval until", csr.approval.as_ref().map(|approval| approval.expires_at.clone())),
        ("approval hash", csr.approval.as_ref().map(|approval| approval.hash.clone())),
        ("decided by", csr.approval.as_ref().and_then(|approval| approval.decided_by.clone())),
        ("key", csr.key.handle.clone()),
        ("kind", Some(csr.key.kind.clone())),
        ("uri", csr.key.uri.clone()),
        ("signature", Some(csr.signature.clone())),
        ("created", Some(csr.created_at.clone())),
        ("certificate", csr.certificate_sha256.clone()),
        ("failure", csr.failure.clone()),
        ("evidence", Some(format!("{}: {}", csr.evidence.level, csr.evidence.meaning))),
        ("WARNING", csr.evidence.warning.clone()),
    ]);
    format!("{facts}{}", csr.csr.as_deref().unwrap_or_default())
}

/// A SAN, with the form that people read behind it where that is another.
fn with_unicode(san: &str, csr: &api::Csr) -> String {
    match csr.sans_in_unicode.get(san) {
        Some(unicode) => format!("{san} ({unicode})"),
        None => san.to_owned(),
    }
}

/// What is asked for besides the usages; `--json` has all of it.
fn other_extensions(extensions: &api::Extensions) -> Vec<String> {
    let mut named = Vec::new();
    let constraints = extensions.basic_constraints.as_ref();
    named.extend(constraints.map(|constraints| format!("CA {}", constraints.ca)));
    named.extend(extensions.certificate_policies.iter().map(|policy| format!("policy {}", policy.oid)));
    named.extend(extensions.name_constraints.as_ref().map(|_| "name constraints".to_owned()));
    named.extend(extensions.subject_key_identifier.as_ref().map(|_| "subject key identifier".to_owned()));
    named.extend(extensions.tls_features.iter().map(|feature| format!("TLS feature {feature}")));
    named.extend(extensions.microsoft_template_name.iter().map(|name| format!("template {name}")));
    named.extend(extensions.microsoft_template.iter().map(|template| format!("template {}", template.oid)));
    named.extend(extensions.other.iter().map(|other| other.oid.clone()));
    named
}

/// For slow keys: an RSA-4096 key takes a software token seconds and a small HSM minutes. Hidden
/// where stderr is no terminal.
fn spinner() -> ProgressBar {
    let spinner = ProgressBar::with_draw_target(None, ProgressDrawTarget::stderr());
    spinner.set_style(ProgressStyle::default_spinner());
    spinner.set_message("the token is making the key");
    spinner.enable_steady_tick(Duration::from_millis(120));
    spinner
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patience_has_an_end_that_is_told() {
        let csr: api::Csr = serde_json::from_value(serde_json::json!({
            "handle": "019aa5b2-5c3e-7c61-9d3f-0a4a6f2f8e11", "status": "intent", "origin": "token", "created_at": "",
            "updated_at": "", "subject": "CN=a", "sans": [], "extensions": {}, "signature": "ecdsa-sha256",
            "key": { "source": "new", "kind": "ec-p256", "token": "main" },
            "evidence": { "level": "E0", "meaning": "" },
        }))
        .unwrap();
        let patience = Duration::from_millis(1);
        let failure = await_made(csr.clone(), patience, |_| Ok(csr.clone())).unwrap_err();
        let told = "signing request 019aa5b2-5c3e-7c61-9d3f-0a4a6f2f8e11 is still intent after 0 min";
        assert!(matches!(&failure, Failure::Unavailable(text) if text.starts_with(told)), "{failure}");
    }
}
