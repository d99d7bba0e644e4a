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
use report::Report;

/// Runs the command line of this process.
pub fn run() -> ExitCode {
    let args = Args::parse();
    let report = Report::new(args.json);
    let outcome = match args.command {
        Command::Worker => return command::serve::worker(),
        Command::Serve => command::serve::run(&args.config),
        Command::CheckConfig => command::check_config::run(&args.config, &report),
        Command::Slot(slot) => command::slot::run(&args.config, slot, &report),
        Command::Token(token) => command::token::run(&args.config, token, &report),
        Command::Csr(csr) => command::csr::run(&args.config, csr, &report),
        Command::Key(key) => command::key::run(&args.config, key, &report),
        Command::Template(template) => command::template::run(template, &report),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => report.failure(&failure),
    }
}
