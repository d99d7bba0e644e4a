//! Modules and tokens: by the service while one runs, else by a worker that loads the module, lists its
//! slots and ends, without a login.

use std::fs::{self, DirBuilder};
use std::os::unix::fs::DirBuilderExt;
use std::path::PathBuf;

use hyper::Method;

use super::Findings;
use crate::api;
use crate::cli::args::Target;
use crate::cli::client::{Call, Client};
use crate::cli::report::Failure;
use crate::config::{Config, TokenConfig};
use crate::hsm::{self, SlotInfo, StartOptions};
use crate::serve;

pub(super) fn look(config: &Config, local: &Target, runs: bool, findings: &mut Findings) {
    if runs {
        match tokens_of_service(local) {
            Ok(tokens) => tokens.items.iter().for_each(|token| told_by_service(token, findings)),
            Err(error) => {
                let advice = "run doctor as the service's user or root, or show the service an API key";
                findings.warning("token", format!("the service does not say: {error}"), advice);
            }
        }
        return;
    }
    match Locks::new() {
        Err(error) => findings.warning("module", error, "make room in the directory for temporary files"),
        Ok(locks) => config.tokens.iter().for_each(|(name, token)| by_worker(name, token, &locks, findings)),
    }
}

fn tokens_of_service(local: &Target) -> Result<api::Tokens, Failure> {
    Ok(Client::new(local)?.json(Call::new(Method::GET, "/tokens"))?.1)
}

fn told_by_service(token: &api::Token, findings: &mut Findings) {
    let name = &token.name;
    match (&token.problem, token.ready) {
        (None, true) => findings.ok("token", format!("`{name}` is {} and signs", token.status)),
        (Some(problem), _) => {
            findings.error(
                "token",
                format!("`{name}`: {problem}"),
                "see docs/operations.md, What to do when",
            );
        }
        (None, false) => {
            let found = format!("`{name}` is {} and not ready yet", token.status);
            findings.warning("token", found, "look again in a minute, then at the log");
        }
    }
}

fn by_worker(name: &str, token: &TokenConfig, locks: &Locks, findings: &mut Findings) {
    let spec = serve::token_spec(name, token);
    let options = StartOptions::new(locks.0.clone());
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let slots = match runtime {
        Ok(runtime) => runtime.block_on(hsm::slots(&spec, &options)),
        Err(error) => return findings.warning("module", error, "try again"),
    };
    match slots {
        Err(error) => {
            let advice = "check `module` and `env` of the token, and the packages that the module needs";
            findings.error("module", format!("token `{name}`: {error}"), advice);
        }
        Ok(slots) => {
            findings.ok("module", format!("token `{name}`: loads, {} slot(s)", slots.len()));
            is_there(name, token, &slots, findings);
        }
    }
}

fn is_there(name: &str, token: &TokenConfig, slots: &[SlotInfo], findings: &mut Findings) {
    let fits = |slot: &&SlotInfo| {
        token.label.as_deref().is_none_or(|label| slot.label() == Some(label))
            && token.serial.as_deref().is_none_or(|serial| slot.serial() == Some(serial))
    };
    match slots.iter().filter(|slot| slot.is_initialized()).filter(fits).count() {
        1 => findings.ok("token", format!("`{name}` is there; its PIN is not tried")),
        0 => {
            let labels: Vec<_> = slots.iter().filter_map(SlotInfo::label).collect();
            let found = format!("`{name}` is not there; there are {labels:?}");
            let advice = "correct `label` or `serial`, or make the token: `strongroom slot init`";
            findings.error("token", found, advice);
        }
        n => {
            let found = format!("`{name}` could be any of {n} tokens");
            findings.error("token", found, "say which with `serial`");
        }
    }
}

/// A directory for the locks of our workers: those of the service would belong to whoever runs doctor, and
/// the service could not open them any more.
struct Locks(PathBuf);

impl Locks {
    fn new() -> std::io::Result<Self> {
        let path = std::env::temp_dir().join(format!("strongroom-doctor-{}", std::process::id()));
        // Fails if it is there: then it is somebody else's.
        DirBuilder::new().mode(0o700).create(&path)?;
        Ok(Self(path))
    }
}

impl Drop for Locks {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}
