//! From a credential to a principal.
//!
//! What is needed for that is held in memory and read again after every change, so that a request
//! costs no look into the database and a revocation counts with the next one. [`mod@file`] is the API
//! key beside the database; [`access_token`]: what stands for a credential for a while.

pub mod access_token;
pub mod file;
mod known;
mod private_file;

use std::collections::HashMap;
use std::mem;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError, RwLock};

use crate::domain::access::{Grants, TenantId};
use crate::domain::clock::{Clock, Timestamp};
use crate::domain::id::Handle;
use crate::store::{self, Store};
use known::Known;

/// What a client shows to be known by.
#[derive(Clone, Copy)]
pub enum Presented<'a> {
    /// A bearer API key.
    Bearer(&'a str),
    /// A principal's name and a generated password.
    Basic(&'a str, &'a str),
    /// The same, where the handle of the credential is as good as the principal's name.
    Client(&'a str, &'a str),
    /// The handle of a credential with a generated password, on a token of ours that he was given for it.
    Granted(Handle),
    /// SHA-256 of the DER of a TLS client certificate whose key the client has.
    ClientCertificate(&'a [u8; 32]),
    /// The user at the other end of the Unix socket.
    Uid(u32),
}

/// Who is behind an HTTP request.
#[derive(Clone, Debug)]
pub struct Identity {
    /// The principal.
    pub principal: Handle,
    /// By which of his credentials.
    pub credential: Handle,
    /// What he was granted.
    pub grants: Arc<Grants>,
}

/// Checks credentials. Cheap to clone.
#[derive(Clone)]
pub struct Authenticator(Arc<Parts>);

struct Parts {
    store: Store,
    clock: Arc<dyn Clock>,
    known: RwLock<Arc<Known>>,
    /// Held over a reading: an older one must not replace a newer one.
    reading: tokio::sync::Mutex<()>,
    /// Since they were noted in the index.
    used: Mutex<HashMap<Handle, Timestamp>>,
}

impl Authenticator {
    /// Knows nobody until it is asked, and then reads the index.
    pub fn new(store: Store, clock: Arc<dyn Clock>) -> Self {
        Self(Arc::new(Parts {
            store,
            clock,
            known: RwLock::default(),
            reading: tokio::sync::Mutex::default(),
            used: Mutex::default(),
        }))
    }

    /// The principal behind a credential, as of that version of who may do what. A credential that is
    /// unknown, revoked or expired has none, nor has one of a disabled principal.
    ///
    /// # Errors
    /// There is a newer version, and the index cannot be read.
    pub async fn identify(&self, version: u64, presented: Presented<'_>) -> Result<Option<Identity>, Error> {
        let now = self.0.clock.now();
        let identity = self.known(version).await?.identify(presented, now);
        if let Some(identity) = &identity {
            let mut used = self.0.used.lock().unwrap_or_else(PoisonError::into_inner);
            used.insert(identity.credential, now);
        }
        Ok(identity)
    }

    /// The present time, by the clock that credentials expire by.
    pub fn now(&self) -> Timestamp {
        self.0.clock.now()
    }

    /// The tenant of that name.
    ///
    /// # Errors
    /// As for [`Authenticator::identify`].
    pub async fn tenant(&self, version: u64, name: &str) -> Result<Option<TenantId>, Error> {
        Ok(self.known(version).await?.tenant(name))
    }

    /// Notes in the index when credentials were used. Now and then, and not with every request: each
    /// note is a write.
    ///
    /// # Errors
    /// The index cannot be written; the notes are lost.
    pub async fn note_uses(&self) -> Result<(), Error> {
        let used = mem::take(&mut *self.0.used.lock().unwrap_or_else(PoisonError::into_inner));
        if used.is_empty() {
            return Ok(());
        }
        let noted: Result<(), store::Error> = self
            .0
            .store
            .write(move |tx| used.into_iter().try_for_each(|(handle, at)| tx.note_credential_use(handle, at)))
            .await;
        Ok(noted?)
    }

    async fn known(&self, version: u64) -> Result<Arc<Known>, Error> {
        if let Some(known) = self.known_as_of(version) {
            return Ok(known);
        }
        let _reading = self.0.reading.lock().await;
        if let Some(known) = self.known_as_of(version) {
            return Ok(known);
        }
        let read: Result<Known, store::Error> =
            self.0.store.read(move |view| Known::read(view, version)).await;
        let read = Arc::new(read?);
        *self.0.known.write().unwrap_or_else(PoisonError::into_inner) = Arc::clone(&read);
        Ok(read)
    }

    fn known_as_of(&self, version: u64) -> Option<Arc<Known>> {
        let known = Arc::clone(&self.0.known.read().unwrap_or_else(PoisonError::into_inner));
        known.is_as_of(version).then_some(known)
    }
}

/// Why credentials cannot be set up or looked at.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The file cannot be read or written.
    #[error("key file {}: {source}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// Others can read the file.
    #[error("key file {} is open to group or others; run `chmod 600` on it", path.display())]
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
    /// The file holds something else.
    #[error("key file {} does not hold 32 bytes; remove it to get a new key: tokens under the former one end", path.display())]
    NotAKey {
        /// The file.
        path: PathBuf,
    },
    /// An access token cannot be made.
    #[error("no access token could be made: {0}")]
    Token(String),
    /// No random numbers.
    #[error("the operating system gives no random numbers: {0}")]
    Random(String),
    /// The index.
    #[error(transparent)]
    Store(#[from] store::Error),
}

impl Error {
    fn io(path: &Path, source: std::io::Error) -> Self {
        Self::Io { path: path.to_owned(), source }
    }
}
