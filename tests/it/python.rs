//! Python with the libraries that `scripts/test` installs: other people's readers and linters.

use std::path::{Path, PathBuf};
use std::process::Command;

/// What the script prints for the argument.
#[track_caller]
pub fn run(script: &str, argument: &str) -> String {
    run_in("venv", script, argument)
}

/// The same in another environment: some libraries cannot live together.
#[track_caller]
pub fn run_in(venv: &str, script: &str, argument: &str) -> String {
    let output = Command::new(program_in(venv, "python"))
        .args(["-c", script, argument])
        // requests prefers it to the CA that a script names.
        .env_remove("REQUESTS_CA_BUNDLE")
        .output()
        .unwrap_or_else(|error| panic!("{error}: target/{venv}: scripts/test makes it"));
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

/// A command of the environment of most libraries.
pub fn program(name: &str) -> PathBuf {
    program_in("venv", name)
}

fn program_in(venv: &str, name: &str) -> PathBuf {
    Path::new(env!("CARGO_TARGET_TMPDIR")).with_file_name(venv).join("bin").join(name)
}
