//! `strongroom doctor`: looks at everything that an appliance stands on and says what to do. Changes
//! nothing, and tries no PIN: a wrong one counts.

mod files;
mod index;
mod tokens;

use std::path::Path;

use serde::Serialize;
use serde_json::Value;

use crate::app::SystemClock;
use crate::cli::args::Target;
use crate::cli::client::Client;
use crate::cli::report::{Failure, Report, table};
use crate::config::{Config, TlsConfig};
use crate::domain::clock::Clock;
use crate::serve;

/// A certificate is renewed by now, whoever renews it.
const EXPIRES_SOON_MILLIS: i64 = 14 * 24 * 60 * 60 * 1000;

/// How bad it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
enum Level {
    Ok,
    Warning,
    Error,
}

/// One thing that was looked at.
#[derive(Debug, Serialize)]
struct Finding {
    check: &'static str,
    level: Level,
    found: String,
    /// What to do about it.
    advice: Option<String>,
}

/// What was found, in the order in which it was looked at.
#[derive(Debug, Default, Serialize)]
struct Findings {
    findings: Vec<Finding>,
}

impl Findings {
    fn ok(&mut self, check: &'static str, found: impl ToString) {
        self.findings.push(Finding { check, level: Level::Ok, found: found.to_string(), advice: None });
    }

    fn warning(&mut self, check: &'static str, found: impl ToString, advice: impl ToString) {
        let (found, advice) = (found.to_string(), Some(advice.to_string()));
        self.findings.push(Finding { check, level: Level::Warning, found, advice });
    }

    fn error(&mut self, check: &'static str, found: impl ToString, advice: impl ToString) {
        let (found, advice) = (found.to_string(), Some(advice.to_string()));
        self.findings.push(Finding { check, level: Level::Error, found, advice });
    }

    fn count(&self, level: Level) -> usize {
        self.findings.iter().filter(|finding| finding.level == level).count()
    }
}

pub fn run(target: &Target, report: &Report) -> Result<(), Failure> {
    let mut findings = Findings::default();
    match Config::load(&target.config) {
        Err(error) => {
            findings.error("configuration", error, "correct it; nothing else can be looked at without it");
        }
        Ok(config) => look(&config, target, &mut findings),
    }
    report.print(&findings, text)?;
    let (errors, warnings) = (findings.count(Level::Error), findings.count(Level::Warning));
    match (errors, warnings) {
        (0, 0) => Ok(()),
        (0, _) => Err(Failure::Refused(format!("{warnings} warning(s)"))),
        _ => Err(Failure::Broken(format!("{errors} error(s), {warnings} warning(s)"))),
    }
}

fn look(config: &Config, target: &Target, findings: &mut Findings) {
    match config.load_templates() {
        Ok(templates) => {
            findings.ok("configuration", format!("good, {} templates", templates.iter().count()))
        }
        Err(error) => findings.error("configuration", error, "correct the template, or take it away"),
    }
    files::look(config, &target.config, findings);
    if let Some(tls) = &config.tls {
        look_at_tls(tls, findings);
    }
    index::look(config, findings);
    // The socket of this configuration, wherever `--server` points to.
    let local = Target {
        config: target.config.clone(),
        server: None,
        ca_file: target.ca_file.clone(),
        client_cert: None,
        client_key: None,
        api_key_file: None,
        tenant: None,
    };
    let runs = look_at_service(config, &local, findings);
    tokens::look(config, &local, runs, findings);
}

fn look_at_tls(tls: &TlsConfig, findings: &mut Findings) {
    let identity = match serve::tls_files(tls).load() {
        Ok(identity) => identity,
        Err(error) => return findings.error("certificate", error, "put the right file there"),
    };
    let (now, not_after) = (SystemClock.now(), identity.certificate.not_after);
    if let Some(warning) = identity.warning(now) {
        findings.error("certificate", warning, "clients refuse it; put a valid one there");
    } else if not_after < now.plus_millis(EXPIRES_SOON_MILLIS) {
        let advice = "put its successor there; the service takes it without a restart";
        findings.warning("certificate", format!("valid until {not_after} only"), advice);
    } else {
        findings.ok("certificate", format!("valid until {not_after}"));
    }
}

/// Whether one runs.
fn look_at_service(config: &Config, local: &Target, findings: &mut Findings) -> bool {
    let answer = Client::without_api_key(local).and_then(|client| client.look("/readyz"));
    match answer {
        Ok((status, _)) if status.is_success() => findings.ok("service", "runs and is ready"),
        Ok((_, bytes)) => {
            let tokens: Value = serde_json::from_slice(&bytes).unwrap_or_default();
            let found = format!("runs and is not ready: {}", tokens["tokens"]);
            findings.error("service", found, "see the findings about the tokens, and its log");
        }
        Err(error) if is_locked(&config.lock_file()) => {
            findings.error("service", error, "it runs and does not answer: look at its log, restart it");
        }
        Err(_) => {
            let found = "no service runs with this configuration";
            findings.warning(
                "service",
                found,
                "start it: `systemctl start strongroom` or `strongroom serve`",
            );
            return false;
        }
    }
    true
}

/// Whether a service holds the data directory. Makes no file.
fn is_locked(lock: &Path) -> bool {
    lock.exists() && matches!(serve::lock(lock), Err(serve::Error::Running { .. }))
}

fn text(findings: &Findings) -> String {
    let level = |level| match level {
        Level::Ok => "ok",
        Level::Warning => "WARNING",
        Level::Error => "ERROR",
    };
    let rows = findings.findings.iter();
    let rows = rows.map(|found| [level(found.level).to_owned(), found.check.to_owned(), found.found.clone()]);
    let advice = findings.findings.iter().filter_map(|found| {
        found.advice.as_ref().map(|advice| format!("\n{} {}: {}", level(found.level), found.check, advice))
    });
    let advice: String = advice.collect();
    format!("{}{advice}\n", table(["", "CHECK", "FOUND"], rows))
}
