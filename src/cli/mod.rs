//! The command line. [`args`] says what can be written, [`command`] does it (a file per noun),
//! [`report`] says how it ends: results on stdout, talk on stderr, few exit codes.

mod args;
mod client;
mod command;
mod pin;
mod pin_file;
mod report;

use std::process::ExitCode;

use clap::Parser;

use args::{Args, Command};
use report::{Failure, Report};

/// Runs the command line of this process.
pub fn run() -> ExitCode {
    // Not a command of people's: it is in no help, no completion and no manual page.
    if command::serve::is_worker() {
        return command::serve::worker();
    }
    let args = match Args::try_parse() {
        Ok(args) => args,
        Err(error) => return usage(&error),
    };
    let report = Report::new(args.json);
    let outcome = match args.command {
        Command::Serve => command::serve::run(&args.target.config),
        Command::CheckConfig => command::check_config::run(&args.target.config, &report),
        Command::Slot(slot) => command::slot::run(&args.target, slot, &report),
        Command::Token(token) => command::token::run(&args.target, token, &report),
        Command::Csr(csr) => command::csr::run(&args.target, csr, &report),
        Command::Key(key) => command::key::run(&args.target, key, &report),
        Command::Proposal(proposal) => command::proposal::run(&args.target, proposal, &report),
        Command::Certificate(certificate) => command::certificate::run(&args.target, certificate, &report),
        Command::Ca(ca) => command::authority::run(&args.target, ca, &report),
        Command::Principal(principal) => command::principal::run(&args.target, principal, &report),
        Command::ApiKey(key) => command::credential::run_api_key(&args.target, key, &report),
        Command::Credential(credential) => command::credential::run(&args.target, credential, &report),
        Command::Tenant(tenant) => command::tenant::run(&args.target, tenant, &report),
        Command::Audit(audit) => command::audit::run(&args.target, audit, &report),
        Command::Template(template) => command::template::run(&args.target, template, &report),
        Command::Backup(backup) => command::backup::run(&args.target, backup, &report),
        Command::Restore(restore) => command::restore::run(&args.target.config, &restore, &report),
        Command::Doctor => command::doctor::run(&args.target, &report),
        Command::Completions(asked) => command::shell::completions(&asked, &report),
        Command::Man(asked) => command::shell::man(&asked, &report),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => report.failure(&failure),
    }
}

/// Help and version, which were asked for; or how the command line is wrong.
fn usage(error: &clap::Error) -> ExitCode {
    if !error.use_stderr() || !std::env::args_os().any(|argument| argument == "--json") {
        error.exit();
    }
    let text = error.to_string();
    let text = text.trim_end().trim_start_matches("error: ").to_owned();
    Report::new(true).failure(&Failure::Broken(text))
}
