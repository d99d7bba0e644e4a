//! Runs the command line and returns its exit code; nothing else.

fn main() -> std::process::ExitCode {
    strongroom::cli::run()
}
