//! Opens the database file: safely for its content, and for nobody else to read.

use std::fs::{self, OpenOptions};
use std::io::ErrorKind;
use std::os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::time::Duration;

use rusqlite::config::DbConfig;
use rusqlite::{Connection, OpenFlags};

use super::error::{Error, Kind};
use super::migrations;

/// Versions before 3.51.3 can corrupt a WAL when a checkpoint and a reset of the log meet
/// (<https://sqlite.org/wal.html#walresetbug>).
const OLDEST_SAFE_SQLITE: i32 = 3_051_003;

/// How long to wait for another process (a backup, the CLI) before the answer is `Busy`: clients wait
/// with it.
const BUSY_TIMEOUT: Duration = Duration::from_secs(2);

/// Page caches in KiB. Small: the kernel caches the file as well, and the service has 40 MiB in all.
const WRITER_CACHE_KIB: i32 = 2048;
const READER_CACHE_KIB: i32 = 1024;

/// More than the requests of any moment use, so that none is compiled twice.
const STATEMENT_CACHE: usize = 64;

/// Opens or creates the database and brings it to the known schema: the connection that writes.
pub(super) fn open_writer(path: &Path) -> Result<Connection, Error> {
    check_library()?;
    keep_private(path)?;
    let open = || {
        let connection = Connection::open_with_flags(path, flags(OpenFlags::SQLITE_OPEN_READ_WRITE))?;
        migrations::check(&connection)?;
        configure(&connection, WRITER_CACHE_KIB)?;
        write_ahead(&connection)?;
        migrations::apply(&connection)?;
        Ok(connection)
    };
    open().map_err(|error: Error| error.at(path))
}

/// A connection that cannot write, to a database that [`open_writer`] opened before.
pub(super) fn open_reader(path: &Path) -> Result<Connection, Error> {
    let open = || {
        let connection = Connection::open_with_flags(path, flags(OpenFlags::SQLITE_OPEN_READ_ONLY))?;
        configure(&connection, READER_CACHE_KIB)?;
        Ok(connection)
    };
    open().map_err(|error: Error| error.at(path))
}

/// No mutex: a connection belongs to one thread. No URI: a path is taken as it is written.
fn flags(access: OpenFlags) -> OpenFlags {
    access | OpenFlags::SQLITE_OPEN_NO_MUTEX
}

fn check_library() -> Result<(), Error> {
    if rusqlite::version_number() >= OLDEST_SAFE_SQLITE {
        return Ok(());
    }
    Err(Error::new(
        Kind::Bug,
        format!(
            "strongroom was built with SQLite {}, which can corrupt the index: build it with 3.51.3 or later",
            rusqlite::version()
        ),
    ))
}

/// Creates the file readable and writable for its owner only, or refuses one that others can open.
/// SQLite gives its -wal and -shm files the mode of the database (`findCreateFileMode`, os_unix.c).
fn keep_private(path: &Path) -> Result<(), Error> {
    match OpenOptions::new().write(true).create_new(true).mode(0o600).open(path) {
        Ok(_) => return Ok(()),
        Err(error) if error.kind() == ErrorKind::AlreadyExists => {}
        Err(error) => return Err(file_error(path, error)),
    }
    for file in [path.to_owned(), beside(path, "-wal"), beside(path, "-shm")] {
        let mode = match fs::metadata(&file) {
            Ok(metadata) => metadata.permissions().mode() & 0o777,
            Err(error) if error.kind() == ErrorKind::NotFound => continue,
            Err(error) => return Err(file_error(&file, error)),
        };
        if mode & 0o077 != 0 {
            let name = file.display();
            return Err(Error::new(
                Kind::Permissions,
                format!("{name} is open to group or others (mode {mode:04o}): run `chmod 600 {name}`"),
            ));
        }
    }
    Ok(())
}

/// Another file of the same database.
pub(super) fn beside(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    name.into()
}

pub(super) fn file_error(path: &Path, error: std::io::Error) -> Error {
    let kind = match error.kind() {
        ErrorKind::PermissionDenied | ErrorKind::ReadOnlyFilesystem => Kind::Permissions,
        _ => Kind::Unavailable,
    };
    Error::new(kind, format!("the index cannot be opened ({error}): check its directory"))
        .at(path)
        .caused_by(error)
}

fn configure(connection: &Connection, cache_kib: i32) -> Result<(), Error> {
    connection.busy_timeout(BUSY_TIMEOUT)?;
    connection.set_prepared_statement_cache_capacity(STATEMENT_CACHE);
    // Or SQLite compiles statements anew for every run whose plan might depend on what is bound: 29,167 of 29,170
    // runs of `renews = ?1` in a load of renewals
    // (https://sqlite.org/c3ref/c_dbconfig_defensive.html#sqlitedbconfigenableqpsg).
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true)?;
    connection.pragma_update(None, "foreign_keys", true)?;
    // A schema that somebody tampered with must not call functions with side effects.
    connection.pragma_update(None, "trusted_schema", false)?;
    // Subjects and names stay out of temporary files beyond the data directory.
    connection.pragma_update(None, "temp_store", "MEMORY")?;
    // Negative: KiB instead of pages.
    connection.pragma_update(None, "cache_size", -cache_kib)?;
    Ok(())
}

fn write_ahead(connection: &Connection) -> Result<(), Error> {
    let mode: String = connection.pragma_update_and_check(None, "journal_mode", "WAL", |row| row.get(0))?;
    if mode != "wal" {
        return Err(Error::new(
            Kind::Unavailable,
            format!(
                "SQLite cannot keep a write-ahead log here (journal mode {mode}): \
                 use a local file system, not a network share"
            ),
        ));
    }
    // Syncs the log at every commit: what was answered survives a power cut.
    connection.pragma_update(None, "synchronous", "FULL")?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use rusqlite::StatementStatus;

    use super::*;
    use crate::domain::id::InstallationId;
    use crate::store::Store;
    use crate::store::testing::{INSTALLATION, TestStore};

    fn refused(path: &Path) -> Error {
        Store::open(path, INSTALLATION, [5; 32]).err().unwrap()
    }

    fn set_mode(path: &Path, mode: u32) {
        fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
    }

    #[test]
    fn the_files_are_for_their_owner_only() {
        let store = TestStore::with_principal();
        for file in [store.path(), beside(&store.path(), "-wal"), beside(&store.path(), "-shm")] {
            assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600, "{file:?}");
        }
    }

    #[test]
    fn a_file_that_others_can_open_is_refused() {
        let store = TestStore::new();
        for file in [store.path(), beside(&store.path(), "-wal")] {
            for mode in [0o640, 0o604, 0o620] {
                set_mode(&file, mode);
                let error = refused(&store.path());
                assert_eq!(error.kind(), Kind::Permissions);
                let name = file.display();
                assert_eq!(
                    error.to_string(),
                    format!("{name} is open to group or others (mode {mode:04o}): run `chmod 600 {name}`")
                );
            }
            set_mode(&file, 0o600);
        }
        Store::open(&store.path(), INSTALLATION, [5; 32]).unwrap();
    }

    #[test]
    fn a_later_schema_is_refused() {
        let store = TestStore::new();
        store.connection().pragma_update(None, "user_version", 700).unwrap();
        let error = refused(&store.path());
        assert_eq!(error.kind(), Kind::NewerSchema);
        assert_eq!(
            error.to_string(),
            format!(
                "{}: the index has schema version 700, this strongroom knows versions up to {}: run the \
                 strongroom that wrote it, or restore a backup from before the upgrade",
                store.path().display(),
                migrations::LATEST
            )
        );
    }

    #[test]
    fn what_is_not_our_database_is_refused_and_left_as_it_is() {
        let directory = tempfile::tempdir().unwrap();
        let text = directory.path().join("notes.txt");
        fs::write(&text, "These are my notes. ".repeat(100)).unwrap();
        let named = directory.path().join("named.db");
        Connection::open(&named).unwrap().pragma_update(None, "application_id", 0x0f05_5112).unwrap();
        let nameless = directory.path().join("nameless.db");
        Connection::open(&nameless).unwrap().execute_batch("CREATE TABLE pets (name TEXT)").unwrap();
        for path in [text, named, nameless] {
            set_mode(&path, 0o600);
            let before = fs::read(&path).unwrap();
            assert_eq!(refused(&path).kind(), Kind::NotOurs, "{path:?}");
            assert_eq!(fs::read(&path).unwrap(), before);
        }
    }

    #[test]
    fn a_directory_that_is_not_there_is_named() {
        let error = refused(Path::new("/nowhere/index.db"));
        assert_eq!(error.kind(), Kind::Unavailable);
        assert!(error.to_string().starts_with("/nowhere/index.db: "), "{error}");
    }

    #[test]
    fn an_empty_file_is_a_new_database_and_an_existing_one_keeps_what_it_is() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("index.db");
        fs::write(&path, "").unwrap();
        set_mode(&path, 0o600);
        for other in [1, 2] {
            let store = Store::open(&path, InstallationId([other; 4]), [other; 32]).unwrap();
            assert_eq!(store.installation(), InstallationId([1; 4]));
            assert_eq!(store.instance_key(), &[1; 32]);
        }
    }

    #[test]
    fn a_statement_is_compiled_once_whatever_is_bound() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("index.db");
        let writer = open_writer(&path).unwrap();
        let reader = open_reader(&path).unwrap();
        for connection in [&writer, &reader] {
            for sql in [
                "SELECT handle FROM signing_requests WHERE renews = ?1 ORDER BY handle",
                "SELECT handle FROM signing_requests WHERE tenant = 1 ORDER BY handle LIMIT ?1",
            ] {
                for bound in 10..20 {
                    let mut statement = connection.prepare_cached(sql).unwrap();
                    assert_eq!(statement.query_map([bound], |_| Ok(())).unwrap().count(), 0);
                }
                let statement = connection.prepare_cached(sql).unwrap();
                assert_eq!(statement.get_status(StatementStatus::RePrepare), 0, "{sql}");
            }
        }
    }

    #[test]
    fn connections_are_set_up_to_keep_what_was_committed() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("index.db");
        let writer = open_writer(&path).unwrap();
        let reader = open_reader(&path).unwrap();
        let pragma = |connection: &Connection, name: &str| -> i64 {
            connection.pragma_query_value(None, name, |row| row.get(0)).unwrap()
        };
        assert_eq!(pragma(&writer, "synchronous"), 2);
        for connection in [&writer, &reader] {
            let mode: String = connection.pragma_query_value(None, "journal_mode", |row| row.get(0)).unwrap();
            assert_eq!(mode, "wal");
            assert_eq!(pragma(connection, "foreign_keys"), 1);
            assert_eq!(pragma(connection, "trusted_schema"), 0);
            assert_eq!(pragma(connection, "busy_timeout"), 2000);
        }
        let refused = reader.execute("DELETE FROM principals", []).unwrap_err();
        assert_eq!(Error::from(refused).kind(), Kind::Permissions);
    }
}
