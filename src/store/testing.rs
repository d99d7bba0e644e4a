//! What the tests of this module share.

use std::ops::Deref;
use std::path::PathBuf;

use rusqlite::Connection;
use tempfile::TempDir;

use crate::domain::access::{PrincipalKind, TenantId};
use crate::domain::algorithm::KeyKind;
use crate::domain::audit::Event;
use crate::domain::clock::Timestamp;
use crate::domain::csr::CsrSpec;
use crate::domain::id::{Handle, InstallationId, KeyId};
use crate::domain::key::{Evidence, EvidenceLevel, Key, KeyAttributes, KeyState, Purpose};
use crate::domain::signing_request::{KeySource, SigningRequest, State, Submission, TemplateUse};

use super::{Error, Kind, Principal, Store, Tx, Unique, View};

pub(super) const INSTALLATION: InstallationId = InstallationId([1, 2, 3, 4]);

/// A store in a directory of its own. Its `read` and `write` fix the error's type, which a closure
/// in a test cannot tell.
pub(super) struct TestStore {
    store: Store,
    directory: TempDir,
}

impl TestStore {
    pub(super) fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let store = Store::open(&directory.path().join("index.db"), INSTALLATION, [5; 32]).unwrap();
        Self { store, directory }
    }

    /// With the principal of [`request`].
    pub(super) fn with_principal() -> Self {
        let store = Self::new();
        store
            .connection()
            .execute_batch(&format!(
                "INSERT INTO principals (handle, name, created_at) VALUES (X'{}', 'principal 1', 1)",
                hex::encode(principal(1).handle.as_bytes())
            ))
            .unwrap();
        store
    }

    pub(super) fn path(&self) -> PathBuf {
        self.directory.path().join("index.db")
    }

    /// A connection beside the store's own.
    pub(super) fn connection(&self) -> Connection {
        Connection::open(self.path()).unwrap()
    }

    /// Closes the store and opens it again.
    pub(super) fn reopened(self) -> Self {
        let Self { store, directory } = self;
        drop(store);
        let path = directory.path().join("index.db");
        let store = Store::open(&path, InstallationId([9; 4]), [9; 32]).unwrap();
        Self { store, directory }
    }

    pub(super) async fn write<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Tx) -> Result<T, Error> + Send + 'static,
    ) -> Result<T, Error> {
        self.store.write(work).await
    }

    pub(super) async fn read<T: Send + 'static>(
        &self,
        work: impl FnOnce(&View) -> Result<T, Error> + Send + 'static,
    ) -> Result<T, Error> {
        self.store.read(work).await
    }

    /// How SQLite would run a statement: the lines of EXPLAIN QUERY PLAN.
    pub(super) fn plan(&self, sql: &str) -> Vec<String> {
        let connection = self.connection();
        let mut statement = connection.prepare(&format!("EXPLAIN QUERY PLAN {sql}")).unwrap();
        let mut rows = statement.raw_query();
        let mut lines = Vec::new();
        while let Some(row) = rows.next().unwrap() {
            lines.push(row.get("detail").unwrap());
        }
        lines
    }
}

impl Deref for TestStore {
    type Target = Store;

    fn deref(&self) -> &Store {
        &self.store
    }
}

pub(super) fn conflict(error: &Error) -> Unique {
    match error.kind() {
        Kind::Conflict(unique) => unique,
        other => panic!("{other:?}: {error}"),
    }
}

pub(super) fn at(millis: impl TryInto<i64>) -> Timestamp {
    Timestamp::from_millis(millis.try_into().ok().unwrap())
}

/// The n-th handle: later ones sort behind earlier ones.
pub(super) fn handle(n: u64) -> Handle {
    Handle::new(at(n), [0; 10])
}

pub(super) fn key_id(n: u64) -> KeyId {
    let mut random = [0; 12];
    random[..8].copy_from_slice(&n.to_be_bytes());
    KeyId::new(INSTALLATION, random)
}

pub(super) fn principal(n: u64) -> Principal {
    Principal {
        handle: handle(1_000_000 + n),
        name: format!("principal {n}"),
        kind: PrincipalKind::Service,
        created_at: at(n),
        disabled_at: None,
    }
}

pub(super) fn key(n: u64) -> Key {
    Key {
        handle: handle(n),
        id: key_id(n),
        tenant: Some(TenantId::DEFAULT),
        token: "token".into(),
        kind: KeyKind::all().last().unwrap(),
        purpose: Purpose::Request,
        state: KeyState::Present,
        spki: n.to_be_bytes().to_vec(),
        attributes: KeyAttributes { sensitive: Some(true), extractable: Some(false), ..Default::default() },
        evidence: Evidence {
            level: EvidenceLevel::E0,
            warning: n.is_multiple_of(2).then(|| "it leaks".into()),
        },
        created_at: at(n),
    }
}

pub(super) fn request(n: u64) -> SigningRequest {
    let kind = KeyKind::all().next().unwrap();
    SigningRequest {
        handle: handle(n),
        tenant: TenantId::DEFAULT,
        number: u32::try_from(n).unwrap(),
        principal: principal(1).handle,
        token: "token".into(),
        kind,
        scheme: kind.default_scheme(),
        spec: CsrSpec::default(),
        key_source: KeySource::New,
        renews: None,
        template: Some(TemplateUse { name: "web".into(), sha256: "00".into() }),
        authority: None,
        validity_days: Some(90),
        submission: n.is_multiple_of(2).then(|| Submission {
            surface: "vendor".into(),
            name: Some(format!("name {}", n % 7)),
            document: "{}".into(),
        }),
        continues: n.is_multiple_of(2),
        state: State::Intent,
        key: None,
        csr: None,
        failure: None,
        created_at: at(n),
        updated_at: at(n),
    }
}

pub(super) fn event(subject: &str) -> Event {
    Event { action: "test.done", subject: subject.into(), detail: serde_json::json!({ "subject": subject }) }
}
