//! `strongroom token`: asks the service; `probe` also works without one, in a worker of its own.

use std::time::Duration;

use hyper::Method;

use super::proposal::undertake;
use super::slot::{configured, failure, options, spec, token_of_service};
use crate::api;
use crate::cli::args::{Target, Token};
use crate::cli::client::{Call, Client, escape};
use crate::cli::report::{Failure, Report, facts, say, table};
use crate::domain::algorithm::{KeyKind, KeyType};
use crate::hsm::profile::Deadlines;
use crate::hsm::{self, Hsm, StartOptions, TokenInfo, TokenSpec};
use crate::http::rest;

const JSON: &str = "application/json";
/// For the keys of a probe on another machine, whose profile is not here.
const REMOTE_GENERATIONS: Duration = Duration::from_secs(30 * 60);

pub fn run(target: &Target, token: Token, report: &Report) -> Result<(), Failure> {
    match token {
        Token::List => report.print(&tokens(target)?, |tokens| rows(&tokens.items)),
        Token::Show { name } => {
            let found = tokens(target)?.items.into_iter().find(|token| token.name == name);
            let unknown =
                || Failure::Refused(format!("there is no token `{name}`; see `strongroom token list`"));
            report.print(&found.ok_or_else(unknown)?, facts_of)
        }
        Token::Probe { token, kinds } => {
            let probe = probe(target, token.as_deref(), &kinds)?;
            report.print(&probe, told)?;
            if probe.leaks {
                return Err(Failure::Broken(format!("token `{}` lets keys out", probe.token)));
            }
            Ok(())
        }
        Token::ResetBreaker { name } => {
            let path = format!("/tokens/{}/breaker/reset", escape(&name));
            let told =
                format!("the PIN of token {name} is tried once more; see `strongroom token show {name}`\n");
            undertake(&Client::new(target)?, Call::new(Method::POST, path), report, |()| told.clone())
        }
        Token::Accept { name, reason, withdraw } => accept(target, &name, reason, withdraw, report),
    }
}

fn tokens(target: &Target) -> Result<api::Tokens, Failure> {
    Ok(Client::new(target)?.json(Call::new(Method::GET, "/tokens"))?.1)
}

fn accept(
    target: &Target,
    name: &str,
    reason: Option<String>,
    withdraw: bool,
    report: &Report,
) -> Result<(), Failure> {
    let client = Client::new(target)?;
    let path = format!("/tokens/{}/probe-override", escape(name));
    if withdraw {
        client.bytes(Call::new(Method::DELETE, path))?;
        say(format!("withdrawn; token `{name}` is refused while it leaks"));
        return Ok(());
    }
    let body = api::AcceptLeaks { reason: reason.unwrap_or_default() };
    let body = serde_json::to_vec(&body).map_err(Failure::broken)?;
    let call = Call { body: Some((JSON, body)), ..Call::new(Method::POST, path) };
    undertake(&client, call, report, |acceptance: &api::Acceptance| {
        facts([
            ("accepted by", Some(acceptance.by.clone())),
            ("at", Some(acceptance.at.clone())),
            ("reason", Some(acceptance.reason.clone())),
        ])
    })
}

/// By a worker of our own, or by the service while that holds the token's lock.
fn probe(target: &Target, token: Option<&str>, kinds: &[String]) -> Result<api::Probe, Failure> {
    if target.server.is_some() {
        let token = token_of_service(target, token.map(str::to_owned))?;
        return ask_service(target, &token, kinds, REMOTE_GENERATIONS);
    }
    let config = super::config(&target.config)?;
    let (name, token) = configured(&config, token)?;
    let spec = spec(&config, name, token)?;
    let wanted = parsed(kinds)?.unwrap_or_else(|| spec.profile.keys.clone());
    let deadlines = spec.profile.deadlines;
    let runtime =
        tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(Failure::broken)?;
    match runtime.block_on(probe_alone(spec, options(&config), &wanted)) {
        Ok((info, probes)) => Ok(rest::probe(name, &info, &probes)),
        Err(error) if error.kind() == hsm::Kind::LockHeld => {
            ask_service(target, name, kinds, generations(&deadlines, &wanted))
        }
        Err(error) => Err(failure(&error)),
    }
}

fn parsed(kinds: &[String]) -> Result<Option<Vec<KeyKind>>, Failure> {
    if kinds.is_empty() {
        return Ok(None);
    }
    let parse = |kind: &String| kind.parse().map_err(|error| Failure::Refused(format!("--kinds: {error}")));
    kinds.iter().map(parse).collect::<Result<_, _>>().map(Some)
}

async fn probe_alone(
    spec: TokenSpec,
    options: StartOptions,
    kinds: &[KeyKind],
) -> Result<(TokenInfo, Vec<hsm::KindProbe>), hsm::Error> {
    let hsm = Hsm::start(vec![spec], options);
    let mut found = Vec::new();
    for token in hsm.tokens() {
        let done = async {
            let info = token.until_up().await?;
            let mut probes = Vec::new();
            for kind in kinds {
                probes.push(token.probe(*kind).await?);
            }
            Ok((info, probes))
        };
        found.push(done.await);
    }
    hsm.shutdown().await;
    found.remove(0)
}

/// How long a token may take to make a key of each kind: an RSA-4096 key alone takes some HSMs minutes.
fn generations(deadlines: &Deadlines, kinds: &[KeyKind]) -> Duration {
    let deadline = |kind: &KeyKind| match kind.key_type() {
        KeyType::Rsa => deadlines.generate_rsa,
        KeyType::Ec | KeyType::Edwards => deadlines.generate_ec,
    };
    kinds.iter().map(deadline).sum()
}

fn ask_service(
    target: &Target,
    token: &str,
    kinds: &[String],
    generations: Duration,
) -> Result<api::Probe, Failure> {
    let body = api::ProbeKinds { kinds: Some(kinds.to_vec()).filter(|kinds| !kinds.is_empty()) };
    let body = serde_json::to_vec(&body).map_err(Failure::broken)?;
    let path = format!("/tokens/{}/probe", escape(token));
    let call = Call::new(Method::POST, path);
    let call = Call { body: Some((JSON, body)), patience: call.patience + generations, ..call };
    Ok(Client::new(target)?.json(call)?.1)
}

fn rows(tokens: &[api::Token]) -> String {
    table(
        ["NAME", "STATUS", "READY", "PROBES", "EVIDENCE", "PROBLEM"],
        tokens.iter().map(|token| {
            [
                token.name.clone(),
                token.status.clone(),
                if token.ready { "yes" } else { "no" }.to_owned(),
                token.probe.as_ref().map_or("none", verdict).to_owned(),
                token.evidence.level.clone(),
                token.problem.clone().unwrap_or_default(),
            ]
        }),
    )
}

fn verdict(standing: &api::Standing) -> &'static str {
    match (standing.passed, &standing.accepted) {
        (true, _) => "passed",
        (false, Some(_)) => "LEAKS, accepted",
        (false, None) => "LEAKS",
    }
}

fn facts_of(token: &api::Token) -> String {
    let info = token.info.as_ref();
    let probe = token.probe.as_ref();
    let leaks = probe.map(|probe| {
        let leaks =
            probe.leaks.iter().map(|leak| format!("{} {} of kind {}", leak.call, leak.what, leak.kind));
        leaks.collect::<Vec<_>>().join("; ")
    });
    facts([
        ("name", Some(token.name.clone())),
        ("status", Some(token.status.clone())),
        ("ready", Some(if token.ready { "yes" } else { "no" }.to_owned())),
        ("problem", token.problem.clone()),
        ("label", info.map(|info| info.label.clone())),
        ("serial", info.map(|info| info.serial.clone())),
        ("module", info.map(|info| info.module.clone())),
        ("library", info.map(|info| info.library.clone())),
        ("kinds", info.map(|info| info.kinds.join(" "))),
        ("probes", probe.map(|probe| format!("{} on {}", verdict(probe), probe.at))),
        ("leaks", leaks.filter(|leaks| !leaks.is_empty())),
        ("evidence", Some(format!("{}: {}", token.evidence.level, token.evidence.meaning))),
        ("WARNING", token.evidence.warning.clone()),
    ])
}

fn told(probe: &api::Probe) -> String {
    let binding = facts([
        ("token", Some(probe.token.clone())),
        ("module sha256", Some(probe.module_sha256.clone())),
        ("library", Some(probe.library_version.clone())),
        ("firmware", Some(probe.firmware.clone())),
        ("serial", Some(probe.serial.clone())),
    ]);
    let signatures = table(
        ["KIND", "MADE (ms)", "SCHEME", "SIGNED (ms)", "VERIFIED", "DESTROYED (ms)"],
        probe.kinds.iter().flat_map(signature_rows),
    );
    let negative = table(
        ["KIND", "NEGATIVE PROBE", "OUTCOME", "DETAIL"],
        probe.kinds.iter().flat_map(|kind| {
            kind.negative.iter().map(|negative| {
                let outcome = if negative.outcome == "leaked" { "LEAKED" } else { &negative.outcome };
                [kind.kind.clone(), negative.call.clone(), outcome.to_owned(), negative.detail.clone()]
            })
        }),
    );
    let violations: String = (probe.kinds.iter().filter(|kind| !kind.violations.is_empty()))
        .map(|kind| {
            format!("{} is read back otherwise than asked: {}\n", kind.kind, kind.violations.join("; "))
        })
        .collect();
    let verdict = if probe.leaks { "The token LETS KEYS OUT." } else { "No key came out." };
    format!("{binding}\n{signatures}\n{negative}\n{violations}{verdict}\n")
}

fn signature_rows(kind: &api::ProbedKind) -> Vec<[String; 6]> {
    let ms = |millis: Option<f64>| millis.map(|millis| format!("{millis:.1}")).unwrap_or_default();
    if let Some(failure) = &kind.failure {
        let blank = String::new;
        return vec![[kind.kind.clone(), "no".to_owned(), failure.clone(), blank(), blank(), blank()]];
    }
    let row = |signature: &api::ProbedSignature| {
        [
            kind.kind.clone(),
            ms(kind.generate_ms),
            signature.scheme.clone(),
            ms(Some(signature.sign_ms)),
            signature.failure.clone().unwrap_or_else(|| "yes".to_owned()),
            ms(kind.destroy_ms),
        ]
    };
    kind.signatures.iter().map(row).collect()
}
