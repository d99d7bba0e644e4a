//! `strongroom completions` and `strongroom man`: made from the arguments themselves.

use clap::CommandFactory;
use serde_json::json;

use crate::cli::args::{Args, Completions, Man};
use crate::cli::report::{Failure, Report};

pub fn completions(asked: &Completions, report: &Report) -> Result<(), Failure> {
    let mut script = Vec::new();
    clap_complete::generate(asked.shell, &mut Args::command(), "strongroom", &mut script);
    let script = String::from_utf8(script).map_err(Failure::broken)?;
    report.print(&json!({ "shell": asked.shell.to_string(), "script": script }), |_| script.clone())
}

pub fn man(asked: &Man, report: &Report) -> Result<(), Failure> {
    let dir = asked.out.display();
    let failed = |error| Failure::Refused(format!("cannot write manual pages to {dir}: {error}"));
    std::fs::create_dir_all(&asked.out).map_err(failed)?;
    // A page for each command by its whole name, also below those that clap itself adds.
    let command = Args::command().disable_help_subcommand(true);
    clap_mangen::generate_to(command, &asked.out).map_err(failed)?;
    report.print(&json!({ "dir": asked.out }), |_| format!("the manual pages are in {dir}; see strongroom.1"))
}
