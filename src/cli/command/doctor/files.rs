//! Who can read and write what.

use std::fs;
use std::io::ErrorKind;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use super::Findings;
use crate::config::Config;

/// What others than the owner may not do to a file.
#[derive(Clone, Copy)]
enum Kept {
    /// Read, write or enter.
    Private,
    /// Write.
    Unchanged,
}

/// A PIN that systemd hands over is there only while the unit runs, and only for it.
const CREDENTIALS: &str = "/run/credentials";

pub(super) fn look(config: &Config, file: &Path, findings: &mut Findings) {
    let check = "permissions";
    let before = findings.findings.len();
    kept(file, Kept::Unchanged, findings);
    for dir in [&config.data_dir, &config.tokens_dir()] {
        kept(dir, Kept::Unchanged, findings);
    }
    let database = config.database();
    kept(&database, Kept::Private, findings);
    if config.use_api_key_file {
        kept(&config.api_key_file(), Kept::Private, findings);
    }
    if config.facades.infisical.is_some() {
        kept(&config.access_token_key_file(), Kept::Private, findings);
    }
    if findings.findings.len() == before {
        findings.ok(check, "of configuration, data directory, index and API key are good");
    }
    if !config.data_dir.exists() {
        let found = format!("{} is not there", config.data_dir.display());
        findings.warning("data directory", found, "the service makes it when it starts, if it may");
    }
    for (name, token) in &config.tokens {
        look_at_pin(name, &token.pin_file, findings);
    }
}

fn kept(path: &Path, kept: Kept, findings: &mut Findings) {
    let Ok(metadata) = fs::metadata(path) else { return };
    let mode = metadata.permissions().mode() & 0o777;
    let (forbidden, advice) = match kept {
        Kept::Private => (0o077, "go="),
        Kept::Unchanged => (0o022, "go-w"),
    };
    if mode & forbidden != 0 {
        let found = format!("{} has mode {mode:04o}: others than its owner can use it", path.display());
        findings.error("permissions", found, format!("chmod {advice} {}", path.display()));
    }
}

/// Its length and mode; never what is in it.
fn look_at_pin(token: &str, path: &Path, findings: &mut Findings) {
    let check = "PIN file";
    let name = path.display();
    match fs::metadata(path) {
        Err(_) if path.starts_with(CREDENTIALS) => {
            let advice = "nothing, if the service runs under systemd and its token is up";
            findings.warning(
                check,
                format!("token `{token}`: {name} is systemd's; not seen from here"),
                advice,
            );
        }
        Err(error) if error.kind() == ErrorKind::NotFound => {
            let advice = format!("write the user PIN to it, mode 0600: `install -m 600 /dev/stdin {name}`");
            findings.error(check, format!("token `{token}`: {name} is not there"), advice);
        }
        Err(error) => {
            let advice = "run doctor as the service's user, or root";
            findings.warning(check, format!("token `{token}`: {name}: {error}"), advice);
        }
        Ok(metadata) if metadata.permissions().mode() & 0o077 != 0 => {
            let found = format!("token `{token}`: {name} is open to group or others");
            findings.error(check, found, format!("chmod 600 {name}; others may know the PIN by now"));
        }
        Ok(metadata) if metadata.len() == 0 => {
            findings.error(check, format!("token `{token}`: {name} is empty"), "write the user PIN to it");
        }
        Ok(_) => findings.ok(check, format!("token `{token}`: there, for its owner only; not tried")),
    }
}
