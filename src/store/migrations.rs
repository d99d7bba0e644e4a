//! Brings a database to the schema that this program knows. Forwards only.

use rusqlite::functions::FunctionFlags;
use rusqlite::{Connection, Transaction, TransactionBehavior};

use super::certificates::sha1;
use super::error::{Error, Kind};

/// What each version of the schema adds to the one before it. Published ones are never edited.
const MIGRATIONS: &[&str] = &[
    include_str!("migrations/0001_initial.sql"),
    include_str!("migrations/0002_renewals_and_certificate_objects.sql"),
    include_str!("migrations/0003_token_probes.sql"),
    include_str!("migrations/0004_access.sql"),
    include_str!("migrations/0005_audit.sql"),
    include_str!("migrations/0006_approvals.sql"),
    include_str!("migrations/0007_key_life.sql"),
    include_str!("migrations/0008_numbers.sql"),
    include_str!("migrations/0009_authorities.sql"),
    include_str!("migrations/0010_enrollments.sql"),
    include_str!("migrations/0011_certificate_fingerprints.sql"),
    include_str!("migrations/0012_authority_submissions.sql"),
];

/// The version that this program knows.
pub(super) const LATEST: usize = MIGRATIONS.len();

/// `PRAGMA application_id`: what `file` and we know our databases by. Spells "srom".
const APPLICATION_ID: i32 = i32::from_be_bytes(*b"srom");

/// Refuses what is not ours or too new for us; changes nothing.
///
/// # Errors
/// `NotOurs` for another application's database, `NewerSchema` for one of a later strongroom.
pub(super) fn check(connection: &Connection) -> Result<(), Error> {
    let application_id: i32 = connection.pragma_query_value(None, "application_id", |row| row.get(0))?;
    let version = schema_version(connection)?;
    let objects: i64 = connection.query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0))?;
    let empty = application_id == 0 && version == 0 && objects == 0;
    if application_id != APPLICATION_ID && !empty {
        return Err(Error::new(
            Kind::NotOurs,
            format!(
                "this is the database of another application (application_id {application_id:#010x}): \
                 check the configured path"
            ),
        ));
    }
    if usize::try_from(version).is_ok_and(|version| version <= LATEST) {
        return Ok(());
    }
    Err(Error::new(
        Kind::NewerSchema,
        format!(
            "the index has schema version {version}, this strongroom knows versions up to {LATEST}: \
             run the strongroom that wrote it, or restore a backup from before the upgrade"
        ),
    ))
}

/// Applies the migrations that are missing, each in a transaction of its own.
pub(super) fn apply(connection: &Connection) -> Result<(), Error> {
    let flags = FunctionFlags::SQLITE_DETERMINISTIC | FunctionFlags::SQLITE_DIRECTONLY;
    connection
        .create_scalar_function("sha1", 1, flags, |call| Ok(sha1(call.get_raw(0).as_blob()?).to_vec()))?;
    for (version, sql) in (1_i64..).zip(MIGRATIONS) {
        // The version is read under the write lock: two processes may start at the same time.
        let transaction = Transaction::new_unchecked(connection, TransactionBehavior::Immediate)?;
        if schema_version(&transaction)? < version {
            transaction.execute_batch(sql)?;
            transaction.pragma_update(None, "user_version", version)?;
            transaction.pragma_update(None, "application_id", APPLICATION_ID)?;
        }
        transaction.commit()?;
    }
    connection.remove_function("sha1", 1)?;
    Ok(())
}

/// The version of a database that passed [`check`]; 0 when it is empty.
pub(super) fn version(connection: &Connection) -> Result<usize, Error> {
    Ok(usize::try_from(schema_version(connection)?).unwrap_or_default())
}

fn schema_version(connection: &Connection) -> Result<i64, Error> {
    Ok(connection.pragma_query_value(None, "user_version", |row| row.get(0))?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::access::{Grant, Role, TenantId};
    use crate::domain::id::InstallationId;
    use crate::store::testing::{at, handle, key, principal, request};
    use crate::store::{Order, RequestFilter, Store};

    /// The last version of the schema without tenants.
    const WITHOUT_TENANTS: usize = 3;

    /// An index without tenants, with a principal, its API key, a key, a sentinel, a signing request that
    /// is found by a name, a renewal of it, a certificate that its token shall have, a leak that was
    /// accepted, and the answer to an idempotency key.
    fn index_without_tenants(path: &std::path::Path) {
        let connection = Connection::open(path).unwrap();
        connection.execute_batch(&MIGRATIONS[..WITHOUT_TENANTS].concat()).unwrap();
        connection.pragma_update(None, "user_version", WITHOUT_TENANTS as i64).unwrap();
        connection.pragma_update(None, "application_id", APPLICATION_ID).unwrap();
        let blob = |handle: crate::domain::id::Handle| format!("X'{}'", hex::encode(handle.as_bytes()));
        let (who, made, kept) = (blob(principal(1).handle), blob(handle(1)), blob(handle(2)));
        let renewal = blob(handle(4));
        let key_row = |row: u64, purpose: &str| {
            let key = key(row);
            format!(
                "INSERT INTO keys VALUES ({}, X'{}', 'token', '{}', '{purpose}', 'present', X'{row:02}',
                     X'{row:064}', '{}', 'E0', 1, NULL);",
                blob(key.handle),
                hex::encode(key.id.as_bytes()),
                key.kind,
                serde_json::to_string(&key.attributes).unwrap(),
            )
        };
        let ours = request(1);
        connection
            .execute_batch(&format!(
                "INSERT INTO meta VALUES (1, X'01020304', zeroblob(32));
                 INSERT INTO principals VALUES ({who}, 'operator', 1);
                 INSERT INTO api_keys VALUES ({made}, {who}, zeroblob(32), 1, NULL);
                 {} {}
                 INSERT INTO signing_requests VALUES ({made}, {who}, 'token', '{kind}', '{scheme}', '{spec}',
                     'new', 0, 'pending', {kept}, X'00', NULL, 1, 1, NULL);
                 INSERT INTO signing_requests VALUES ({renewal}, {who}, 'token', '{kind}', '{scheme}', '{spec}',
                     'existing', 0, 'issued', {kept}, X'00', NULL, 1, 1, {made});
                 INSERT INTO certificates VALUES ({renewal}, X'00', zeroblob(32), 1, 2, 1);
                 INSERT INTO certificate_objects VALUES ({kept}, {renewal}, NULL);
                 INSERT INTO token_acceptances VALUES ('token', {who}, 1, 'a lab', '{binding}', '[]');
                 INSERT INTO signing_request_names VALUES (CAST('www' AS BLOB), {made});
                 INSERT INTO idempotency VALUES ({who}, 'POST', 'k', zeroblob(32), {made}, 1, 201, NULL,
                     NULL, X'00');",
                key_row(2, "request"),
                key_row(3, "sentinel"),
                kind = ours.kind,
                scheme = ours.scheme,
                spec = serde_json::to_string(&ours.spec).unwrap(),
                binding = r#"{"module_sha256":"00","library_version":"1.0","firmware":"2.0","serial":"3"}"#,
            ))
            .unwrap();
    }

    #[tokio::test]
    async fn what_there_was_before_tenants_is_the_default_ones() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("index.db");
        index_without_tenants(&path);
        std::fs::set_permissions(&path, std::os::unix::fs::PermissionsExt::from_mode(0o600)).unwrap();
        let store = Store::open(&path, InstallationId([9; 4]), [9; 32]).unwrap();
        let read = store.read(|view| {
            let named =
                RequestFilter { name_prefix: Some("w".into()), ..RequestFilter::of(TenantId::DEFAULT) };
            let found = view.page_of_signing_requests(&named, Order::NewestFirst, None, 10)?;
            assert_eq!(found.items.len(), 1, "found by its name");
            assert_eq!(found.items[0].tenant, TenantId::DEFAULT);
            assert_eq!(view.key(handle(2))?.unwrap().tenant, Some(TenantId::DEFAULT));
            assert_eq!(view.key(handle(3))?.unwrap().tenant, None, "the sentinel's");
            let renewal = view.signing_request(handle(4))?.unwrap();
            assert_eq!((renewal.tenant, renewal.renews), (TenantId::DEFAULT, Some(handle(1))));
            assert_eq!(view.certificate_intent(handle(2))?.unwrap().request, Some(handle(4)));
            assert_eq!(view.token_acceptance("token")?.unwrap().by, principal(1).handle);
            let held = view.credentials(Some(principal(1).handle))?;
            assert!(held[0].from_file && held[0].verifier == [0; 32]);
            let entry = view.idempotency_entry(&crate::store::IdempotencyKey {
                tenant: TenantId::DEFAULT,
                principal: principal(1).handle,
                route: "POST".into(),
                key: "k".into(),
            })?;
            assert_eq!(entry.unwrap().1.unwrap().status, 201);
            assert_eq!(view.principal_by_name("operator")?.unwrap().created_at, at(1));
            view.grants()
        });
        let granted = |role| (principal(1).handle, Grant { tenant: None, role });
        let roles = [Role::Reader, Role::Requester, Role::Operator, Role::Auditor];
        assert_eq!(read.await.unwrap(), roles.map(granted));
    }
}
