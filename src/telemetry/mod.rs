//! Logging, and the [`metrics`]. A failure is logged once, at the boundary where it is answered or given up; never a
//! PIN, a credential or a request body.

pub mod metrics;

use tracing_subscriber::EnvFilter;

/// Starts logging to stderr: lines for people on a terminal, JSON otherwise. `RUST_LOG` filters,
/// the default is `info`.
pub fn init() {
    use std::io::IsTerminal;

    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new("info"));
    let builder = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr);
    // A second call, as by two services in one test process, changes nothing.
    let _ = if std::io::stderr().is_terminal() { builder.try_init() } else { builder.json().try_init() };
}
