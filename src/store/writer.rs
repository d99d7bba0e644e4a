//! The thread that writes: group commit.
//!
//! A commit costs one sync of the disk, however much is in it. So all closures that wait when a
//! transaction begins, and those that come while it runs, share one commit. Each has a savepoint of
//! its own: one that fails is undone alone.

use crossbeam_channel::Receiver;
use rusqlite::{Transaction, TransactionBehavior};

use super::error::{Error, Kind};
use super::jobs::{Ran, Work};
use super::view::Tx;

/// The most closures in one commit: keeps the first of them from waiting for an endless stream.
const LARGEST_BATCH: usize = 64;

/// Runs `first` and what waits behind it in one transaction. Nobody is answered before its commit.
pub(super) fn serve(tx: &Tx, first: Work<Tx>, queue: &Receiver<Work<Tx>>) {
    let mut batch = Vec::new();
    let committed = commit(tx, first, queue, &mut batch);
    for ran in batch {
        ran.answer(committed.clone());
    }
}

fn commit(tx: &Tx, first: Work<Tx>, queue: &Receiver<Work<Tx>>, batch: &mut Vec<Ran>) -> Result<(), Error> {
    let transaction = match Transaction::new_unchecked(tx.connection(), TransactionBehavior::Immediate) {
        Ok(transaction) => transaction,
        Err(error) => {
            let error = Error::from(error);
            first.refuse(error.clone());
            // Those behind it have waited as long, and would wait as long again, one after the other.
            queue.try_iter().for_each(|work| work.refuse(error.clone()));
            return Ok(());
        }
    };
    // Another process may have written since the last transaction.
    tx.chain_head.set(None);
    let mut next = Some(first);
    while let Some(work) = next {
        run_in_savepoint(tx, work, batch)?;
        next = if batch.len() < LARGEST_BATCH { queue.try_recv().ok() } else { None };
    }
    transaction.commit().map_err(|error| {
        Error::new(
            Kind::Unavailable,
            "the index could not commit, nothing was kept: check the disk, then retry",
        )
        .caused_by(error)
    })
}

/// # Errors
/// The transaction is of no more use, so that the others in it have to be told.
fn run_in_savepoint(tx: &Tx, work: Work<Tx>, batch: &mut Vec<Ran>) -> Result<(), Error> {
    let connection = tx.connection();
    if let Err(error) = tx.execute("SAVEPOINT caller", []) {
        work.refuse(error.clone());
        return Err(error);
    }
    let ran = work.run(tx);
    let succeeded = ran.succeeded;
    batch.push(ran);
    // On a full or failing disk SQLite may roll the whole transaction back by itself
    // (https://sqlite.org/lang_transaction.html, section 3).
    if connection.is_autocommit() {
        return Err(Error::new(
            Kind::Unavailable,
            "the index gave up a transaction, nothing was kept: check the disk, then retry",
        ));
    }
    if !succeeded {
        connection.execute_batch("ROLLBACK TO caller")?;
        tx.chain_head.set(None);
    }
    tx.execute("RELEASE caller", []).map(drop)
}

#[cfg(test)]
mod tests {
    use crossbeam_channel::{Sender, unbounded};
    use rusqlite::Connection;
    use std::path::PathBuf;
    use tempfile::TempDir;
    use tokio::sync::oneshot;

    use super::*;
    use crate::domain::audit::{Actor, verify_chain};
    use crate::store::connection::open_writer;
    use crate::store::jobs;
    use crate::store::testing::{at, event};

    type Caller<T> = oneshot::Receiver<Result<T, Error>>;

    /// The writer without its thread: what waits is known when `serve` is called.
    struct Writer {
        tx: Tx,
        callers: Sender<Work<Tx>>,
        queue: Receiver<Work<Tx>>,
        directory: TempDir,
    }

    impl Writer {
        fn new() -> Self {
            let directory = tempfile::tempdir().unwrap();
            let tx = Tx::new(open_writer(&directory.path().join("index.db")).unwrap());
            let (callers, queue) = unbounded();
            Self { tx, callers, queue, directory }
        }

        fn submit<T: Send + 'static>(
            &self,
            closure: impl FnOnce(&Tx) -> Result<T, Error> + Send + 'static,
        ) -> Caller<T> {
            let (work, caller) = jobs::work(closure);
            self.callers.send(work).unwrap();
            caller
        }

        fn serve(&self) {
            serve(&self.tx, self.queue.recv().unwrap(), &self.queue);
        }

        fn path(&self) -> PathBuf {
            self.directory.path().join("index.db")
        }

        /// What somebody else sees: only what is committed.
        fn committed_subjects(&self) -> Vec<String> {
            committed_subjects(&self.path())
        }
    }

    fn committed_subjects(path: &std::path::Path) -> Vec<String> {
        let view = crate::store::View::new(Connection::open(path).unwrap());
        let records = view.audit_records(0, 1000).unwrap();
        verify_chain(records.clone()).unwrap();
        records.into_iter().map(|record| record.subject).collect()
    }

    fn append(subject: &str) -> impl FnOnce(&Tx) -> Result<(), Error> + Send + 'static {
        let event = event(subject);
        move |tx| tx.append_audit(&Actor::System, at(1), &event)
    }

    fn answer<T>(mut caller: Caller<T>) -> Result<T, Error> {
        caller.try_recv().unwrap()
    }

    #[test]
    fn what_waits_is_committed_together_up_to_the_largest_batch() {
        let writer = Writer::new();
        let path = writer.path();
        let callers: Vec<_> = (1..=LARGEST_BATCH + 10)
            .map(|n| {
                let path = path.clone();
                writer.submit(move |tx| {
                    append("together")(tx)?;
                    Ok((n, committed_subjects(&path).len()))
                })
            })
            .collect();
        writer.serve();
        assert_eq!(writer.committed_subjects().len(), LARGEST_BATCH);
        assert_eq!(writer.queue.len(), 10);
        writer.serve();
        assert_eq!(writer.committed_subjects().len(), LARGEST_BATCH + 10);
        for (n, caller) in (1..).zip(callers) {
            // Each has its own result, and saw nothing of its own batch committed before it.
            let committed_before = if n <= LARGEST_BATCH { 0 } else { LARGEST_BATCH };
            assert_eq!(answer(caller).unwrap(), (n, committed_before));
        }
    }

    #[test]
    fn a_closure_that_fails_or_panics_undoes_only_itself() {
        let writer = Writer::new();
        let good = writer.submit(append("good"));
        let failing = writer.submit(|tx| -> Result<(), Error> {
            append("failing")(tx)?;
            Err(Error::new(Kind::Busy, "on purpose"))
        });
        let panicking = writer.submit(|tx| -> Result<(), Error> {
            append("panicking")(tx)?;
            panic!("on purpose");
        });
        let better = writer.submit(append("better"));
        writer.serve();
        answer(good).unwrap();
        assert_eq!(answer(failing).unwrap_err().to_string(), "on purpose");
        assert_eq!(answer(panicking).unwrap_err().kind(), Kind::Bug);
        answer(better).unwrap();
        assert_eq!(writer.committed_subjects(), ["good", "better"]);
    }

    #[test]
    fn a_failed_commit_is_told_to_all_whose_work_was_in_it() {
        let writer = Writer::new();
        let good = writer.submit(append("good"));
        // Found only by the commit: a key of a principal that there is not.
        let poison = writer.submit(|tx| {
            tx.connection().execute_batch(
                "PRAGMA defer_foreign_keys = ON;
                 INSERT INTO credentials (handle, principal, kind, verifier, from_file, created_at)
                 VALUES (randomblob(16), randomblob(16), 'api-key', randomblob(32), 0, 1)",
            )?;
            Ok(())
        });
        let failing = writer.submit(|_| -> Result<(), Error> { Err(Error::new(Kind::Bug, "its own")) });
        writer.serve();
        for caller in [good, poison] {
            let error = answer(caller).unwrap_err();
            assert_eq!(error.kind(), Kind::Unavailable);
            assert!(std::error::Error::source(&error).is_some());
        }
        assert_eq!(answer(failing).unwrap_err().to_string(), "its own");
        assert_eq!(writer.committed_subjects(), [""; 0]);

        let after = writer.submit(append("after"));
        writer.serve();
        answer(after).unwrap();
        assert_eq!(writer.committed_subjects(), ["after"]);
    }

    #[test]
    fn a_transaction_that_sqlite_rolled_back_is_told_to_all_whose_work_was_in_it() {
        let writer = Writer::new();
        let good = writer.submit(append("good"));
        let unlucky = writer.submit(|tx| -> Result<(), Error> {
            tx.connection().execute_batch("ROLLBACK")?;
            Err(Error::new(Kind::Unavailable, "disk full"))
        });
        let next = writer.submit(append("next"));
        writer.serve();
        assert_eq!(answer(good).unwrap_err().kind(), Kind::Unavailable);
        assert_eq!(answer(unlucky).unwrap_err().to_string(), "disk full");
        writer.serve();
        answer(next).unwrap();
        assert_eq!(writer.committed_subjects(), ["next"]);
    }

    #[test]
    fn while_another_process_writes_the_answer_is_busy() {
        let writer = Writer::new();
        writer.tx.connection().busy_timeout(std::time::Duration::ZERO).unwrap();
        let other = Connection::open(writer.path()).unwrap();
        other.execute_batch("BEGIN IMMEDIATE").unwrap();
        let caller = writer.submit(append("late"));
        writer.serve();
        assert_eq!(answer(caller).unwrap_err().kind(), Kind::Busy);
    }
}
