//! Copies of the index: made while it is in use, and examined by themselves.

use std::fs::{self, File, OpenOptions};
use std::io::{self, ErrorKind, Read, Seek};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use rusqlite::backup::{Backup, StepResult};
use rusqlite::{Connection, OpenFlags};
use sha2::{Digest, Sha256};

use super::error::{Error, Kind};
use super::{Store, audit, connection, migrations};
use crate::domain::audit::verify_chain;
use crate::domain::clock::Timestamp;
use crate::domain::id::InstallationId;

/// A copy of the index as of one moment, complete in one file that has no name any more.
pub struct Snapshot {
    /// The copy, at its beginning.
    pub file: File,
    /// Its length in bytes.
    pub length: u64,
    /// Its SHA-256.
    pub sha256: [u8; 32],
    /// What it says of itself.
    pub examined: Examined,
}

/// What a sound index says of itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Examined {
    /// The version of its schema: at most the one that this program knows.
    pub schema_version: usize,
    /// Whose index it is.
    pub installation: InstallationId,
    /// How many audit records it has.
    pub audit_records: u64,
    /// The hash of the newest one; zeros when there is none.
    pub audit_head: [u8; 32],
    /// When the newest one was written.
    pub newest_record_at: Option<Timestamp>,
}

impl Store {
    /// Copies the index while it is in use, and examines the copy. One at a time.
    ///
    /// # Errors
    /// `Busy` when another copy is being made; `Unavailable` when there is no room for it beside the
    /// index; `Corrupt` when the copy is not sound, so that the index is not either.
    pub async fn snapshot(&self) -> Result<Snapshot, Error> {
        let store = self.clone();
        let copied = tokio::task::spawn_blocking(move || {
            let Ok(_only_one) = store.0.copying.try_lock() else {
                return Err(Error::new(
                    Kind::Busy,
                    "another backup is being made: try again when it is done",
                ));
            };
            copy(&store.0.path)
        });
        copied.await.unwrap_or_else(|error| {
            Err(Error::new(Kind::Bug, "the copy of the index panicked: report it").caused_by(error))
        })
    }
}

/// Reads a database from end to end and changes nothing: it is an index of a schema that this program
/// knows, SQLite finds it sound, and its audit chain holds. It may be in use.
///
/// # Errors
/// `NotOurs`, `NewerSchema`, `Corrupt`, or what keeps it from being read.
pub fn examine(path: &Path) -> Result<Examined, Error> {
    let examine = || {
        let connection = connection::open_reader(path)?;
        migrations::check(&connection)?;
        let schema_version = migrations::version(&connection)?;
        if schema_version == 0 {
            return Err(Error::new(Kind::NotOurs, "this database is empty: check the path"));
        }
        check_integrity(&connection)?;
        let installation = connection
            .query_row("SELECT installation FROM meta", [], |row| row.get(0))
            .map(InstallationId)?;
        let (audit_records, audit_head, newest_record_at) = check_audit(&connection)?;
        Ok(Examined { schema_version, installation, audit_records, audit_head, newest_record_at })
    };
    examine().map_err(|error: Error| error.at(path))
}

fn check_integrity(connection: &Connection) -> Result<(), Error> {
    // The first finding is enough to say that it is damaged.
    let found: String = connection.query_row("PRAGMA integrity_check(1)", [], |row| row.get(0))?;
    if found == "ok" {
        return Ok(());
    }
    Err(Error::new(Kind::Corrupt, format!("the index is damaged ({found}): restore a backup")))
}

fn check_audit(connection: &Connection) -> Result<(u64, [u8; 32], Option<Timestamp>), Error> {
    let mut statement = connection.prepare("SELECT * FROM audit ORDER BY seq")?;
    let (mut count, mut newest, mut unreadable) = (0, None, None);
    let rows = statement.query_map([], audit::record)?;
    let records =
        rows.map_while(|row| row.map_err(|error| unreadable = Some(error)).ok()).inspect(|record| {
            count += 1;
            newest = Some(record.at);
        });
    let head = verify_chain(records).map_err(|broken| {
        let hint = "somebody or something changed the index beside strongroom";
        Error::new(Kind::Corrupt, format!("{broken}: {hint}"))
    })?;
    match unreadable {
        Some(error) => Err(error.into()),
        None => Ok((count, head, newest)),
    }
}

fn copy(index: &Path) -> Result<Snapshot, Error> {
    let path = connection::beside(index, "-copy");
    // Of a service that was killed while it made one.
    remove(&path).map_err(|error| connection::file_error(&path, error))?;
    let made = fill(index, &path).and_then(|()| {
        let examined = examine(&path)?;
        open(&path, examined).map_err(|error| connection::file_error(&path, error))
    });
    // The open file outlives its name; whatever happens to the reader, nothing is left lying about.
    remove(&path).map_err(|error| connection::file_error(&path, error))?;
    made
}

fn fill(index: &Path, path: &Path) -> Result<(), Error> {
    let new = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path);
    new.map_err(|error| connection::file_error(path, error))?;
    let source = connection::open_reader(index)?;
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let mut copy = Connection::open_with_flags(path, flags)?;
    // Whoever keeps the copy syncs it.
    copy.pragma_update(None, "synchronous", "OFF")?;
    // All pages in one step: it reads one state of the log beside the writer. With several steps each
    // commit in between would start the copy anew (https://sqlite.org/c3ref/backup_finish.html).
    match Backup::new(&source, &mut copy)?.step(-1)? {
        StepResult::Done => {}
        _ => return Err(Error::new(Kind::Busy, "the index is held by another process: try again shortly")),
    }
    // A file that needs none beside it.
    let mode: String = copy.pragma_update_and_check(None, "journal_mode", "DELETE", |row| row.get(0))?;
    if mode != "delete" {
        return Err(Error::new(Kind::Bug, format!("the copy keeps its journal mode {mode}: report it")));
    }
    copy.close().map_err(|(_, error)| error.into())
}

fn open(path: &Path, examined: Examined) -> io::Result<Snapshot> {
    let mut file = File::open(path)?;
    let (length, sha256) = digest(&mut file)?;
    file.rewind()?;
    Ok(Snapshot { file, length, sha256, examined })
}

/// Length and SHA-256 of what is left to read.
///
/// # Errors
/// It cannot be read.
pub fn digest(from: &mut impl Read) -> io::Result<(u64, [u8; 32])> {
    let (mut sha256, mut length, mut piece) = (Sha256::new(), 0, vec![0; 64 * 1024]);
    loop {
        match from.read(&mut piece)? {
            0 => return Ok((length, sha256.finalize().into())),
            read => {
                sha256.update(&piece[..read]);
                length += read as u64;
            }
        }
    }
}

fn remove(path: &Path) -> io::Result<()> {
    let files: [PathBuf; 2] = [path.to_owned(), connection::beside(path, "-journal")];
    for file in files {
        match fs::remove_file(&file) {
            Err(error) if error.kind() != ErrorKind::NotFound => return Err(error),
            _ => {}
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::audit::Actor;
    use crate::store::testing::{INSTALLATION, TestStore, at, event};

    async fn filled() -> TestStore {
        let store = TestStore::new();
        for n in 1..=3 {
            store.write(move |tx| tx.append_audit(&Actor::System, at(n), &event("it"))).await.unwrap();
        }
        store
    }

    fn kept(snapshot: &mut Snapshot) -> (tempfile::TempDir, PathBuf) {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("copy.db");
        io::copy(&mut snapshot.file, &mut File::create(&path).unwrap()).unwrap();
        (dir, path)
    }

    #[tokio::test]
    async fn a_snapshot_is_whole_and_leaves_nothing_beside_the_index() {
        let store = filled().await;
        let before: Vec<_> = names(&store);
        let mut snapshot = store.snapshot().await.unwrap();
        assert_eq!(names(&store), before);
        let (_dir, path) = kept(&mut snapshot);
        assert_eq!(digest(&mut File::open(&path).unwrap()).unwrap(), (snapshot.length, snapshot.sha256));
        let examined = examine(&path).unwrap();
        assert_eq!(examined, snapshot.examined);
        assert_eq!(examined.installation, INSTALLATION);
        assert_eq!((examined.audit_records, examined.newest_record_at), (3, Some(at(3))));
        assert_eq!(examined, examine(&store.path()).unwrap(), "an index in use is examined the same way");
    }

    #[tokio::test]
    async fn a_leftover_of_a_killed_service_is_no_hindrance() {
        let store = filled().await;
        let leftover = connection::beside(&store.path(), "-copy");
        fs::write(&leftover, "half a copy").unwrap();
        store.snapshot().await.unwrap();
        assert!(!leftover.exists());
    }

    #[tokio::test]
    async fn a_copy_with_a_changed_audit_record_or_damaged_pages_is_found() {
        let store = filled().await;
        let mut snapshot = store.snapshot().await.unwrap();
        let (_dir, path) = kept(&mut snapshot);
        let connection = Connection::open(&path).unwrap();
        let change = "DROP TRIGGER audit_is_never_changed; UPDATE audit SET subject = 'b' WHERE seq = 2";
        connection.execute_batch(change).unwrap();
        drop(connection);
        let error = examine(&path).unwrap_err();
        assert_eq!(error.kind(), Kind::Corrupt);
        assert!(error.to_string().contains("audit record 2"), "{error}");

        let mut bytes = fs::read(&path).unwrap();
        bytes.truncate(bytes.len() / 2);
        fs::write(&path, bytes).unwrap();
        assert_eq!(examine(&path).unwrap_err().kind(), Kind::Corrupt);
    }

    #[tokio::test]
    async fn a_copy_whose_audit_chain_holds_and_whose_other_pages_do_not_is_found() {
        let store = filled().await;
        let mut snapshot = store.snapshot().await.unwrap();
        let (_dir, path) = kept(&mut snapshot);
        let connection = Connection::open(&path).unwrap();
        let sql = "SELECT (rootpage - 1) * (SELECT page_size FROM pragma_page_size), \
                          (SELECT page_size FROM pragma_page_size)
                   FROM sqlite_schema WHERE type = 'index' AND tbl_name = 'tenants'";
        let (offset, size): (u32, u16) =
            connection.query_row(sql, [], |row| Ok((row.get(0)?, row.get(1)?))).unwrap();
        drop(connection);
        // The header of a leaf without entries (https://sqlite.org/fileformat2.html, section 1.6), while the
        // table has a row.
        let [high, low] = size.to_be_bytes();
        let mut bytes = fs::read(&path).unwrap();
        bytes[offset as usize..][..8].copy_from_slice(&[0x0a, 0, 0, 0, 0, high, low, 0]);
        fs::write(&path, bytes).unwrap();
        let error = examine(&path).unwrap_err();
        assert_eq!(error.kind(), Kind::Corrupt);
        assert!(error.to_string().contains("in index"), "{error}");
    }

    #[test]
    fn an_empty_file_is_no_index() {
        let file = tempfile::NamedTempFile::new().unwrap();
        assert_eq!(examine(file.path()).unwrap_err().kind(), Kind::NotOurs);
    }

    fn names(store: &TestStore) -> Vec<std::ffi::OsString> {
        let entries = fs::read_dir(store.path().parent().unwrap()).unwrap();
        let mut names: Vec<_> = entries.map(|entry| entry.unwrap().file_name()).collect();
        names.sort();
        names
    }
}
