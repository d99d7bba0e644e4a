//! Parse arguments, call the command, return the exit code. (skeleton)

use std::process::ExitCode;

fn main() -> ExitCode {
    match std::env::args().nth(1).as_deref() {
        Some("worker") => strongroom::hsm::worker::run(),
        _ => ExitCode::from(2),
    }
}
