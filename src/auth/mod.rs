//! From a credential to a principal. Today one bearer API key, kept in a file beside the database
//! for the CLI and stored hashed.

use std::fs::OpenOptions;
use std::io::{Read, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

use crate::domain::audit::{Actor, Event};
use crate::domain::clock::Clock;
use crate::domain::id::Handle;
use crate::store::{self, Store};

/// Marks our API keys, so that secret scanners can find one that got lost.
const PREFIX: &str = "srk_";
/// Name of the principal that the installation's own API key belongs to.
const OPERATOR: &str = "operator";

/// Who is behind an HTTP request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Principal {
    /// His handle.
    pub handle: Handle,
}

/// Checks credentials. Cheap to clone.
#[derive(Clone)]
pub struct Authenticator(Arc<Vec<([u8; 32], Principal)>>);

impl Authenticator {
    /// Reads the installation's API key, or makes one where there is none, and sees to it that it
    /// is the one active API key of the index.
    ///
    /// # Errors
    /// The file is malformed or open to others, or the index cannot be written.
    pub async fn open(store: &Store, key_file: &Path, clock: &dyn Clock) -> Result<Self, Error> {
        let secret = match read_key_file(key_file)? {
            Some(secret) => secret,
            None => make_key_file(key_file)?,
        };
        let hash = hash(&secret);
        let now = clock.now();
        let mut random = [[0; 10]; 2];
        for bytes in &mut random {
            getrandom::fill(bytes).map_err(|error| Error::Random(error.to_string()))?;
        }
        let [for_principal, for_key] = random.map(|bytes| Handle::new(now, bytes));
        let active: Result<_, store::Error> = store
            .write(move |tx| {
                let principal = match tx.principal_by_name(OPERATOR)? {
                    Some(principal) => principal.handle,
                    None => {
                        let name = OPERATOR.to_owned();
                        tx.insert_principal(&store::Principal {
                            handle: for_principal,
                            name,
                            created_at: now,
                        })?;
                        for_principal
                    }
                };
                let (mine, others): (Vec<_>, Vec<_>) =
                    tx.active_api_keys()?.into_iter().partition(|key| key.sha256 == hash);
                for key in others {
                    tx.revoke_api_key(key.handle, now)?;
                    tx.append_audit(&Actor::System, now, &event("api-key.revoked", key.handle))?;
                }
                if mine.is_empty() {
                    tx.insert_api_key(&store::ApiKey {
                        handle: for_key,
                        principal,
                        sha256: hash,
                        created_at: now,
                    })?;
                    tx.append_audit(&Actor::System, now, &event("api-key.registered", for_key))?;
                }
                tx.active_api_keys()
            })
            .await;
        let known =
            active?.into_iter().map(|key| (key.sha256, Principal { handle: key.principal })).collect();
        Ok(Self(Arc::new(known)))
    }

    /// The principal behind a bearer API key. Every known hash is compared, each in constant time.
    pub fn bearer(&self, secret: &str) -> Option<Principal> {
        let given = hash(secret);
        let mut found = None;
        for (known, principal) in self.0.iter() {
            if bool::from(known.ct_eq(&given)) {
                found = Some(*principal);
            }
        }
        found
    }
}

/// Reads an API key file; `None` when there is no such file.
///
/// # Errors
/// It is open to group or others, or holds no API key.
pub fn read_key_file(path: &Path) -> Result<Option<Zeroizing<String>>, Error> {
    let io = |source| Error::Io { path: path.to_owned(), source };
    let mut file = match std::fs::File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(io(error)),
    };
    if file.metadata().map_err(io)?.mode() & 0o077 != 0 {
        return Err(Error::Open { path: path.to_owned() });
    }
    let mut text = Zeroizing::new(String::new());
    file.read_to_string(&mut text).map_err(io)?;
    let key = text.trim();
    let body = key.strip_prefix(PREFIX).and_then(|body| BASE64_URL_SAFE_NO_PAD.decode(body).ok());
    if body.is_none_or(|bytes| bytes.len() != 32) {
        return Err(Error::Malformed { path: path.to_owned() });
    }
    Ok(Some(Zeroizing::new(key.to_owned())))
}

fn make_key_file(path: &Path) -> Result<Zeroizing<String>, Error> {
    let mut bytes = Zeroizing::new([0; 32]);
    getrandom::fill(bytes.as_mut()).map_err(|error| Error::Random(error.to_string()))?;
    let secret = Zeroizing::new(format!("{PREFIX}{}", BASE64_URL_SAFE_NO_PAD.encode(bytes.as_ref())));
    let io = |source| Error::Io { path: path.to_owned(), source };
    // Under another name until it is whole: a crash must not leave a key file without a key.
    let new = path.with_extension("new");
    let mut file =
        OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&new).map_err(io)?;
    file.write_all(secret.as_bytes())
        .and_then(|()| file.write_all(b"\n"))
        .and_then(|()| file.sync_all())
        .map_err(io)?;
    std::fs::rename(&new, path).map_err(io)?;
    let dir = path.parent().unwrap_or(Path::new("."));
    std::fs::File::open(dir).and_then(|dir| dir.sync_all()).map_err(io)?;
    Ok(secret)
}

/// 256 random bits need no slow hash.
fn hash(secret: &str) -> [u8; 32] {
    Sha256::digest(secret.as_bytes()).into()
}

fn event(action: &'static str, key: Handle) -> Event {
    Event { action, subject: key.to_string(), detail: serde_json::json!({}) }
}

/// Why credentials cannot be set up.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The file cannot be read or written.
    #[error("API key file {}: {source}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// Others can read the file.
    #[error("API key file {} is open to group or others; run `chmod 600` on it", path.display())]
    Open {
        /// The file.
        path: PathBuf,
    },
    /// The file holds something else.
    #[error("API key file {} does not hold an API key (`srk_` and 43 characters); remove it to get a new one", path.display())]
    Malformed {
        /// The file.
        path: PathBuf,
    },
    /// No random numbers.
    #[error("the operating system gives no random numbers: {0}")]
    Random(String),
    /// The index.
    #[error(transparent)]
    Store(#[from] store::Error),
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    #[test]
    fn a_made_key_file_is_private_and_reads_back() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("api-key");
        assert!(read_key_file(&path).unwrap().is_none());
        let secret = make_key_file(&path).unwrap();
        assert_eq!(std::fs::metadata(&path).unwrap().mode() & 0o777, 0o600);
        assert_eq!(read_key_file(&path).unwrap().unwrap(), secret);
    }

    #[test]
    fn an_open_or_malformed_key_file_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("api-key");
        make_key_file(&path).unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o640)).unwrap();
        assert!(matches!(read_key_file(&path), Err(Error::Open { .. })));
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600)).unwrap();
        std::fs::write(&path, "srk_short").unwrap();
        assert!(matches!(read_key_file(&path), Err(Error::Malformed { .. })));
    }

    #[test]
    fn only_a_known_key_has_a_principal() {
        let principal =
            Principal { handle: Handle::new(crate::domain::clock::Timestamp::from_millis(1), [1; 10]) };
        let authenticator = Authenticator(Arc::new(vec![(hash("srk_right"), principal)]));
        assert_eq!(authenticator.bearer("srk_right"), Some(principal));
        assert_eq!(authenticator.bearer("srk_wrong"), None);
        assert_eq!(authenticator.bearer(""), None);
    }
}
