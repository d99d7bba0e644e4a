//! Parse arguments, call the command, return the exit code. (skeleton)

fn main() -> std::process::ExitCode {
    std::process::ExitCode::SUCCESS
}
