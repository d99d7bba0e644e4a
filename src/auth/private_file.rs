//! Files that only their owner reads.

use std::fs::{self, File, OpenOptions};
use std::io::{ErrorKind, Read, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::Path;

use zeroize::Zeroizing;

use super::Error;

/// What is in a file; `None` when there is no such file.
///
/// # Errors
/// It cannot be read, or is open to others.
pub(super) fn read(path: &Path) -> Result<Option<Zeroizing<Vec<u8>>>, Error> {
    let io = |error| Error::io(path, error);
    let mut file = match File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(io(error)),
    };
    if file.metadata().map_err(io)?.mode() & 0o077 != 0 {
        return Err(Error::Open { path: path.to_owned() });
    }
    let mut bytes = Zeroizing::new(Vec::new());
    file.read_to_end(&mut bytes).map_err(io)?;
    Ok(Some(bytes))
}

/// Makes a file with that in it, or puts it in the place of the one that is there.
///
/// # Errors
/// It cannot be written.
pub(super) fn make(path: &Path, bytes: &[u8]) -> Result<(), Error> {
    // Under another name until it is whole: a crash must not leave a file with half a secret.
    let new = path.with_extension("new");
    let written = OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o600)
        .open(&new)
        .and_then(|mut file| file.write_all(bytes).and_then(|()| file.sync_all()))
        .and_then(|()| fs::rename(&new, path))
        .and_then(|()| File::open(path.parent().unwrap_or(Path::new(".")))?.sync_all());
    written.map_err(|error| Error::io(path, error))
}
