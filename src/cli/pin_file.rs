//! Replacing the configured PIN file.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use super::report::Failure;

/// A new PIN file beside the present one, written and on the disk, not yet in its place. So it is known
/// that it can be written before the token changes, and a crash loses no PIN.
pub struct NewPinFile {
    new: PathBuf,
    target: PathBuf,
}

impl NewPinFile {
    /// Writes the file, mode 0600.
    ///
    /// # Errors
    /// It cannot be written, or one is there: of a change that was cut off.
    pub fn write(target: &Path, pin: &str) -> Result<Self, Failure> {
        // A symbolic link stays one.
        let target = fs::canonicalize(target).unwrap_or_else(|_| target.to_owned());
        let mut new = target.clone().into_os_string();
        new.push(".new");
        let new = PathBuf::from(new);
        write(&new, pin).map_err(|error| match error.kind() {
            io::ErrorKind::AlreadyExists => Failure::Refused(format!(
                "there is {}, left by a change that was cut off: its PIN may be the valid one; \
                 find out, put the right PIN into {} and remove it",
                new.display(),
                target.display()
            )),
            _ => Failure::Broken(format!("cannot write {}: {error}; nothing was changed", new.display())),
        })?;
        Ok(Self { new, target })
    }

    /// Puts it in the place of the present one.
    ///
    /// # Errors
    /// It cannot be renamed; the message says where the PIN is.
    pub fn put_in_place(self) -> Result<(), Failure> {
        let put = fs::rename(&self.new, &self.target).and_then(|()| sync_parent(&self.target));
        put.map_err(|error| {
            Failure::Broken(format!(
                "the token has the new PIN, which is in {}; it cannot be renamed to {}: {error}",
                self.new.display(),
                self.target.display()
            ))
        })
    }

    /// Removes it: the token was not changed.
    pub fn remove(self) {
        // It holds a PIN that is not in use.
        let _ = fs::remove_file(&self.new);
    }

    /// Where it is until it is in its place.
    pub fn path(&self) -> &Path {
        &self.new
    }
}

fn write(path: &Path, pin: &str) -> io::Result<()> {
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?;
    file.write_all(pin.as_bytes())?;
    file.write_all(b"\n")?;
    file.sync_all()?;
    sync_parent(path)
}

fn sync_parent(path: &Path) -> io::Result<()> {
    match path.parent() {
        Some(dir) => File::open(dir)?.sync_all(),
        None => Ok(()),
    }
}
