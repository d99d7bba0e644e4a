//! What commands do: a file per noun.

pub mod check_config;
pub mod csr;
pub mod key;
pub mod serve;
pub mod slot;
pub mod token;

use std::path::Path;

use super::report::Failure;
use crate::config::Config;

/// The configuration, or why it cannot be used.
fn config(path: &Path) -> Result<Config, Failure> {
    Config::load(path).map_err(Failure::broken)
}
