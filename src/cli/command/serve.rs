//! `strongroom serve`, and the worker process that it starts.

use std::path::Path;
use std::process::ExitCode;

use crate::cli::report::Failure;
use crate::{hsm, serve, telemetry};

pub fn run(config: &Path) -> Result<(), Failure> {
    let config = super::config(config)?;
    telemetry::init();
    let runtime = tokio::runtime::Runtime::new().map_err(Failure::broken)?;
    runtime.block_on(serve::run(config)).map_err(Failure::broken)
}

/// Whether the service started this process to load a module.
pub fn is_worker() -> bool {
    std::env::args_os().skip(1).eq([hsm::WORKER])
}

pub fn worker() -> ExitCode {
    telemetry::init();
    hsm::worker::run()
}
