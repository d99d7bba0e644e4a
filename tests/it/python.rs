//! Python with the libraries that `scripts/test` installs: other people's readers and linters.

use std::path::{Path, PathBuf};
use std::process::Command;

/// What the script prints for the argument.
#[track_caller]
pub fn run(script: &str, argument: &str) -> String {
    let output = Command::new(program("python"))
        .args(["-c", script, argument])
        .output()
        .expect("target/venv with Python's cryptography and pkilint: scripts/test makes it");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

/// A command of the same environment.
pub fn program(name: &str) -> PathBuf {
    Path::new(env!("CARGO_TARGET_TMPDIR")).with_file_name("venv").join("bin").join(name)
}
