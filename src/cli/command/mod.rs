//! What commands do: a file per noun.

pub mod audit;
pub mod authority;
pub mod backup;
pub mod certificate;
pub mod check_config;
pub mod credential;
pub mod csr;
pub mod doctor;
pub mod inspect;
pub mod key;
pub mod principal;
pub mod proposal;
pub mod restore;
pub mod serve;
pub mod shell;
pub mod slot;
pub mod template;
pub mod tenant;
pub mod token;

use std::io::Read;
use std::path::Path;

use super::report::Failure;
use crate::config::Config;

/// The configuration, or why it cannot be used.
pub(super) fn config(path: &Path) -> Result<Config, Failure> {
    Config::load(path).map_err(Failure::broken)
}

/// More than any command takes of a file, so that one without an end is refused, too.
const MAX_FILE: u64 = 1024 * 1024;

/// The contents of a file, cut off behind [`MAX_FILE`]; `-` is standard input.
fn bytes_of(file: &Path) -> Result<Vec<u8>, Failure> {
    let mut bytes = Vec::new();
    let read = if file == Path::new("-") {
        std::io::stdin().lock().take(MAX_FILE).read_to_end(&mut bytes)
    } else {
        std::fs::File::open(file).and_then(|file| file.take(MAX_FILE).read_to_end(&mut bytes))
    };
    read.map_err(|error| Failure::Refused(format!("cannot read {}: {error}", file.display())))?;
    Ok(bytes)
}
