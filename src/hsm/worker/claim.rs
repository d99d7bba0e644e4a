//! One worker per token, ever: by its configured name before the module is loaded, and by what the
//! token calls itself once it is found. Two entries of the configuration may mean one token; they must
//! share its PIN breaker and not work with it at once.

use std::fmt::Write as _;
use std::fs::{File, OpenOptions};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use cryptoki::slot::Slot;
use rustix::fs::{FlockOperation, flock};

use super::fault::Fault;
use super::module::Module;
use crate::hsm::error::{Error, Kind};
use crate::hsm::model::SlotToken;

/// Takes the lock of a configured token. It is held as long as the file is open.
///
/// # Errors
/// [`Kind::LockHeld`]; [`Kind::Misconfigured`]: a name that names no file, or the file cannot be
/// opened.
pub(super) fn by_name(dir: &Path, name: &str) -> Result<File, Error> {
    if name.is_empty() || !name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte)) {
        let message = format!("the token's name `{name}` must consist of letters, digits, - and _");
        return Err(Error::new(Kind::Misconfigured, message));
    }
    lock(&dir.join(format!("{name}.lock")), &format!("the token `{name}`"))
}

/// A physical token that nobody else works with from this data directory.
pub(super) struct Claim {
    _lock: File,
    /// Where the breaker keeps its record of the user PIN.
    pub(super) pin_record: PathBuf,
}

impl Claim {
    /// Takes the lock of the token in the slot.
    ///
    /// # Errors
    /// [`Kind::LockHeld`]; or the token does not answer.
    pub(super) fn of(module: &Module, slot: Slot, dir: &Path) -> Result<Self, Error> {
        let token = module.slot_info(slot).map_err(Fault::into_error)?.token;
        let Some(token) = token else {
            return Err(Error::new(Kind::Unavailable, "the token does not answer any more; try again"));
        };
        let file = file_name(&token);
        let whose =
            format!("the token with the label `{}` and serial number `{}`", token.label, token.serial);
        let lock = lock(&dir.join(format!("{file}.lock")), &whose)?;
        Ok(Self { _lock: lock, pin_record: dir.join(format!("{file}.pin")) })
    }
}

/// `label@serial`. No configured name has an @.
fn file_name(token: &SlotToken) -> String {
    format!("{}@{}", plain(&token.label), plain(&token.serial))
}

/// With `%` and two hexadecimal digits for each byte that is no letter, digit, - or _.
fn plain(text: &str) -> String {
    let mut plain = String::new();
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-_".contains(&byte) {
            plain.push(char::from(byte));
        } else {
            // Writing to a string does not fail.
            let _ = write!(plain, "%{byte:02x}");
        }
    }
    plain
}

fn lock(path: &Path, whose: &str) -> Result<File, Error> {
    let open = OpenOptions::new().create(true).truncate(false).write(true).mode(0o600).open(path);
    let file = open.map_err(|cause| {
        Error::new(Kind::Misconfigured, format!("cannot open the token's lock {}", path.display()))
            .because(cause)
    })?;
    match flock(&file, FlockOperation::NonBlockingLockExclusive) {
        Ok(()) => Ok(file),
        Err(cause) => {
            let message = format!(
                "another process works with {whose} (it holds {}); use that one, or stop it",
                path.display()
            );
            Err(Error::new(Kind::LockHeld, message).because(cause))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_label_names_one_file_whatever_is_in_it() {
        assert_eq!(plain("my-HSM_1"), "my-HSM_1");
        assert_eq!(plain("../IBM @\u{e9}"), "%2e%2e%2fIBM%20%40%c3%a9");
    }
}
