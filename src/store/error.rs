//! What can go wrong with the index.

use std::error::Error as StdError;
use std::fmt;
use std::path::Path;
use std::sync::Arc;

use rusqlite::ErrorCode;
use rusqlite::ffi;

/// A failure of the index: a kind for programs, a message for users, a chain of sources for the log.
///
/// It can be cloned, since one failed commit is told to all whose work was in it.
#[derive(Clone, Debug)]
pub struct Error {
    kind: Kind,
    message: String,
    source: Option<Arc<dyn StdError + Send + Sync>>,
}

/// What kind of failure it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// The disk or the file system does not do its work. May pass; nothing was kept.
    Unavailable,
    /// Too much is waiting, or another process holds the database. Passes; nothing was kept.
    Busy,
    /// The database was written by a later strongroom than this one.
    NewerSchema,
    /// The file is no database, or another application's.
    NotOurs,
    /// The file can be read by too many, or not written by us.
    Permissions,
    /// The database is damaged, or a row in it does not say what it must.
    Corrupt,
    /// The audit log is damaged, so that nothing is added to it.
    AuditDamaged,
    /// Something that exists once was about to exist twice.
    Conflict(Unique),
    /// strongroom made a mistake.
    Bug,
}

/// What exists only once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unique {
    /// The handle of a row.
    Handle,
    /// The name of a principal.
    PrincipalName,
    /// The name of a tenant.
    TenantName,
    /// What a credential in force is recognised by.
    Credential,
    /// The CKA_ID of a key or of an attempt.
    KeyId,
    /// The public key of a key, by the SHA-256 of its SPKI.
    PublicKey,
    /// The handle that an attempt's key will have.
    AttemptedKey,
    /// The open attempt of a signing request.
    OpenAttempt,
    /// The name of an authority that is in use.
    AuthorityName,
    /// A certificate of an authority, by its number.
    AuthorityVersion,
    /// A serial number of an authority.
    Serial,
    /// The certificate of a signing request.
    Certificate,
    /// An idempotency key of a principal on a route.
    IdempotencyKey,
}

impl Error {
    pub(super) fn new(kind: Kind, message: impl Into<String>) -> Self {
        Self { kind, message: message.into(), source: None }
    }

    pub(super) fn caused_by(mut self, source: impl StdError + Send + Sync + 'static) -> Self {
        self.source = Some(Arc::new(source));
        self
    }

    /// The same error, saying which database it is about.
    pub(super) fn at(mut self, path: &Path) -> Self {
        self.message = format!("{}: {}", path.display(), self.message);
        self
    }

    /// What kind of failure it is.
    pub fn kind(&self) -> Kind {
        self.kind
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl StdError for Error {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        self.source.as_deref().map(|source| source as _)
    }
}

impl Unique {
    /// From what SQLite says of a violated constraint:
    /// `UNIQUE constraint failed: keys.spki_sha256`. `None` when it is not in the list.
    fn from_sqlite(message: &str) -> Option<Self> {
        match message.strip_prefix("UNIQUE constraint failed: ")? {
            "principals.handle"
            | "credentials.handle"
            | "keys.handle"
            | "signing_requests.handle"
            | "authorities.handle"
            | "issued_certificates.handle" => Some(Self::Handle),
            "principals.name" => Some(Self::PrincipalName),
            "tenants.name" => Some(Self::TenantName),
            "credentials.kind, credentials.verifier" => Some(Self::Credential),
            "keys.id" | "attempts.id" => Some(Self::KeyId),
            "keys.spki_sha256" => Some(Self::PublicKey),
            "attempts.key" => Some(Self::AttemptedKey),
            "attempts.request" | "attempts.authority" => Some(Self::OpenAttempt),
            "authorities.tenant, authorities.name" => Some(Self::AuthorityName),
            "authority_certificates.authority, authority_certificates.version" => {
                Some(Self::AuthorityVersion)
            }
            "issued_certificates.authority, issued_certificates.serial" => Some(Self::Serial),
            "certificates.request" => Some(Self::Certificate),
            "idempotency.tenant, idempotency.principal, idempotency.route, idempotency.key" => {
                Some(Self::IdempotencyKey)
            }
            _ => None,
        }
    }
}

impl fmt::Display for Unique {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Handle => "this handle",
            Self::PrincipalName => "a principal with this name",
            Self::TenantName => "a tenant with this name",
            Self::Credential => "this credential",
            Self::KeyId => "this CKA_ID",
            Self::PublicKey => "this public key",
            Self::AttemptedKey => "an attempt to make this key",
            Self::OpenAttempt => "an open attempt of this signing request or authority",
            Self::AuthorityName => "an authority with this name",
            Self::AuthorityVersion => "this certificate of the authority",
            Self::Serial => "this serial number of the authority",
            Self::Certificate => "a certificate of this signing request",
            Self::IdempotencyKey => "this idempotency key",
        })
    }
}

impl From<rusqlite::Error> for Error {
    fn from(source: rusqlite::Error) -> Self {
        let kind = kind_of(&source);
        let message = match kind {
            Kind::Unavailable => {
                "the index cannot be read or written: check the disk's space and health".into()
            }
            Kind::Busy => "the index is held by another process: try again shortly".into(),
            Kind::NewerSchema => "the index was written by a later strongroom: use that one".into(),
            Kind::NotOurs => "the file is not an index of strongroom: check the configured path".into(),
            Kind::Permissions => "the index may not be written: check the owner and mode of its files".into(),
            Kind::Corrupt | Kind::AuditDamaged => "the index is damaged: restore a backup".into(),
            Kind::Conflict(unique) => format!("{unique} is already in the index"),
            Kind::Bug => "the index refused a statement: this is a bug of strongroom, report it".into(),
        };
        Self::new(kind, message).caused_by(source)
    }
}

fn kind_of(error: &rusqlite::Error) -> Kind {
    match error {
        rusqlite::Error::SqliteFailure(failure, message) => kind_of_failure(failure, message.as_deref()),
        // A value in a row that is not what its column must hold.
        rusqlite::Error::FromSqlConversionFailure(..)
        | rusqlite::Error::IntegralValueOutOfRange(..)
        | rusqlite::Error::Utf8Error(..)
        | rusqlite::Error::InvalidColumnType(..) => Kind::Corrupt,
        // The rest are wrong uses of the library; the enum is non-exhaustive.
        _ => Kind::Bug,
    }
}

fn kind_of_failure(failure: &ffi::Error, message: Option<&str>) -> Kind {
    match failure.code {
        ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked => Kind::Busy,
        ErrorCode::DatabaseCorrupt => Kind::Corrupt,
        ErrorCode::NotADatabase => Kind::NotOurs,
        ErrorCode::PermissionDenied | ErrorCode::ReadOnly => Kind::Permissions,
        ErrorCode::CannotOpen
        | ErrorCode::DiskFull
        | ErrorCode::FileLockingProtocolFailed
        | ErrorCode::NoLargeFileSupport
        | ErrorCode::OperationInterrupted
        | ErrorCode::OutOfMemory
        | ErrorCode::SystemIoFailure => Kind::Unavailable,
        ErrorCode::ConstraintViolation => {
            message.and_then(Unique::from_sqlite).map_or(Kind::Bug, Kind::Conflict)
        }
        // Wrong SQL or a wrong use of the library; the enum is non-exhaustive.
        _ => Kind::Bug,
    }
}
