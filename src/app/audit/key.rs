//! The key under which personal values become pseudonyms. In a file of its own: what is erased from a
//! database lives on in its log, its free pages and its backups.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;
use zeroize::Zeroizing;

use crate::app::Error;

/// See the module.
pub struct AuditKey {
    path: PathBuf,
    key: Mutex<Zeroizing<[u8; 32]>>,
}

impl AuditKey {
    /// Reads the key, or makes one where there is none.
    ///
    /// # Errors
    /// The file is malformed or open to others, or cannot be read or made.
    pub fn open(path: &Path) -> Result<Self, KeyError> {
        let key = match read(path) {
            Err(KeyError::Io { source, .. }) if source.kind() == io::ErrorKind::NotFound => make(path)?,
            read => read?,
        };
        Ok(Self { path: path.to_owned(), key: Mutex::new(key) })
    }

    /// What stands for a value: `hmac-sha256:` and the HMAC of the value in lower case, in hexadecimal.
    pub(super) fn pseudonym(&self, value: &str) -> Result<String, Error> {
        let key = self.key.lock().unwrap_or_else(PoisonError::into_inner);
        let mut mac = Hmac::<Sha256>::new_from_slice(key.as_slice())
            .map_err(|error| Error::bug(format!("the audit key is no HMAC key: {error}")))?;
        mac.update(value.to_lowercase().as_bytes());
        Ok(format!("hmac-sha256:{}", hex::encode(mac.finalize().into_bytes())))
    }

    /// Overwrites the key and makes another.
    pub(super) fn replace(&self) -> Result<(), KeyError> {
        let mut key = self.key.lock().unwrap_or_else(PoisonError::into_inner);
        let erased = OpenOptions::new()
            .write(true)
            .open(&self.path)
            .and_then(|mut file| file.write_all(&[0; 32]).and_then(|()| file.sync_all()));
        erased.map_err(|source| KeyError::io(&self.path, source))?;
        *key = make(&self.path)?;
        Ok(())
    }
}

fn read(path: &Path) -> Result<Zeroizing<[u8; 32]>, KeyError> {
    let io = |source| KeyError::io(path, source);
    let mut file = File::open(path).map_err(io)?;
    if file.metadata().map_err(io)?.mode() & 0o077 != 0 {
        return Err(KeyError::Open { path: path.to_owned() });
    }
    let mut bytes = Zeroizing::new(Vec::new());
    file.read_to_end(&mut bytes).map_err(io)?;
    let key = <[u8; 32]>::try_from(bytes.as_slice());
    key.map(Zeroizing::new).map_err(|_| KeyError::Malformed { path: path.to_owned() })
}

fn make(path: &Path) -> Result<Zeroizing<[u8; 32]>, KeyError> {
    let mut key = Zeroizing::new([0; 32]);
    getrandom::fill(key.as_mut()).map_err(|error| KeyError::Random(error.to_string()))?;
    // Under another name until it is whole: a crash must not leave half a key.
    let new = path.with_extension("new");
    let written = OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o600)
        .open(&new)
        .and_then(|mut file| file.write_all(key.as_slice()).and_then(|()| file.sync_all()))
        .and_then(|()| fs::rename(&new, path))
        .and_then(|()| File::open(path.parent().unwrap_or(Path::new(".")))?.sync_all());
    written.map_err(|source| KeyError::io(path, source))?;
    Ok(key)
}

/// Why there is no key.
#[derive(Debug, thiserror::Error)]
pub enum KeyError {
    /// The file cannot be read or written.
    #[error("audit key file {}: {source}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// Others can read the file.
    #[error("audit key file {} is open to group or others; run `chmod 600` on it", path.display())]
    Open {
        /// The file.
        path: PathBuf,
    },
    /// The file holds something else.
    #[error("audit key file {} does not hold 32 bytes; restore it, or remove it to get a new one", path.display())]
    Malformed {
        /// The file.
        path: PathBuf,
    },
    /// No random numbers.
    #[error("the operating system gives no random numbers: {0}")]
    Random(String),
}

impl KeyError {
    fn io(path: &Path, source: io::Error) -> Self {
        Self::Io { path: path.to_owned(), source }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    #[test]
    fn a_value_is_confirmed_while_the_key_lives() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("audit-key");
        let key = AuditKey::open(&path).unwrap();
        let pseudonym = key.pseudonym("www.Example.com").unwrap();
        assert_eq!(AuditKey::open(&path).unwrap().pseudonym("WWW.example.com").unwrap(), pseudonym);
        assert_ne!(key.pseudonym("www.example.org").unwrap(), pseudonym);
        let old = fs::read(&path).unwrap();
        let same_file = dir.path().join("kept");
        fs::hard_link(&path, &same_file).unwrap();
        key.replace().unwrap();
        assert_ne!(fs::read(&path).unwrap(), old);
        assert_eq!(fs::read(&same_file).unwrap(), [0; 32], "it is overwritten, not only replaced");
        assert_ne!(key.pseudonym("www.example.com").unwrap(), pseudonym);
        assert_eq!(fs::metadata(&path).unwrap().mode() & 0o777, 0o600);
    }

    #[test]
    fn a_key_that_others_read_or_that_is_none_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("audit-key");
        AuditKey::open(&path).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o640)).unwrap();
        assert!(matches!(AuditKey::open(&path), Err(KeyError::Open { .. })));
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
        fs::write(&path, "short").unwrap();
        assert!(matches!(AuditKey::open(&path), Err(KeyError::Malformed { .. })));
    }
}
