//! Brings a database to the schema that this program knows. Forwards only.

use rusqlite::{Connection, Transaction, TransactionBehavior};

use super::error::{Error, Kind};

/// What each version of the schema adds to the one before it. Published ones are never edited.
const MIGRATIONS: &[&str] = &[
    include_str!("migrations/0001_initial.sql"),
    include_str!("migrations/0002_renewals_and_certificate_objects.sql"),
    include_str!("migrations/0003_token_probes.sql"),
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
    Ok(())
}

fn schema_version(connection: &Connection) -> Result<i64, Error> {
    Ok(connection.pragma_query_value(None, "user_version", |row| row.get(0))?)
}
