//! The audit log.

use rusqlite::{Row, named_params};

use crate::domain::audit::{Actor, Event, GENESIS, Record};
use crate::domain::clock::Timestamp;

use super::columns::saturated;
use super::error::Error;
use super::view::{Tx, View};

/// The end of the chain, which the next record continues.
#[derive(Clone, Copy)]
pub(super) struct ChainHead {
    seq: u64,
    hash: [u8; 32],
}

impl View {
    /// Up to `limit` records that follow the one at `after`, in the order of the chain; the first is
    /// at 1.
    pub fn audit_records(&self, after: u64, limit: usize) -> Result<Vec<Record>, Error> {
        self.all(
            "SELECT * FROM audit WHERE seq > ?1 ORDER BY seq LIMIT ?2",
            (saturated(after), saturated(limit)),
            record,
        )
    }

    fn read_chain_head(&self) -> Result<ChainHead, Error> {
        let sql = "SELECT seq, hash FROM audit ORDER BY seq DESC LIMIT 1";
        let last = self.optional(sql, [], |row| Ok(ChainHead { seq: seq(row)?, hash: row.get("hash")? }))?;
        Ok(last.unwrap_or(ChainHead { seq: 0, hash: GENESIS }))
    }
}

impl Tx {
    /// Records an event at the end of the chain, in the transaction of the change it tells of.
    pub fn append_audit(&self, actor: &Actor, now: Timestamp, event: &Event) -> Result<(), Error> {
        let head = match self.chain_head.get() {
            Some(head) => head,
            None => self.read_chain_head()?,
        };
        let record = Record::following(head.seq + 1, head.hash, now, actor, event);
        self.execute(
            "INSERT INTO audit (seq, at, actor, action, subject, detail, previous, hash)
             VALUES (:seq, :at, :actor, :action, :subject, :detail, :previous, :hash)",
            named_params! {
                ":seq": saturated(record.seq),
                ":at": record.at,
                ":actor": record.actor,
                ":action": record.action,
                ":subject": record.subject,
                ":detail": record.detail,
                ":previous": record.previous,
                ":hash": record.hash,
            },
        )?;
        self.chain_head.set(Some(ChainHead { seq: record.seq, hash: record.hash }));
        Ok(())
    }
}

/// A record as its row has it.
pub(super) fn record(row: &Row<'_>) -> rusqlite::Result<Record> {
    Ok(Record {
        seq: seq(row)?,
        at: row.get("at")?,
        actor: row.get("actor")?,
        action: row.get("action")?,
        subject: row.get("subject")?,
        detail: row.get("detail")?,
        previous: row.get("previous")?,
        hash: row.get("hash")?,
    })
}

fn seq(row: &Row<'_>) -> rusqlite::Result<u64> {
    let seq: i64 = row.get("seq")?;
    // No column index is at hand; the audit's first column is seq in every query.
    u64::try_from(seq).map_err(|_| rusqlite::Error::IntegralValueOutOfRange(0, seq))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::audit::verify_chain;
    use crate::domain::id::InstallationId;
    use crate::store::testing::{TestStore, at, event, handle};
    use crate::store::{Kind, Store};

    async fn append(store: &Store, subject: &'static str) {
        let appended: Result<(), Error> =
            store.write(move |tx| tx.append_audit(&Actor::System, at(1), &event(subject))).await;
        appended.unwrap();
    }

    async fn subjects(store: &TestStore) -> Vec<String> {
        let records = store.read(|view| view.audit_records(0, 1000)).await.unwrap();
        verify_chain(records.clone()).unwrap();
        records.into_iter().map(|record| record.subject).collect()
    }

    #[tokio::test]
    async fn records_come_back_as_they_were_hashed_in_pages() {
        let store = TestStore::new();
        store
            .write(|tx| {
                let actors = [
                    Actor::Principal { handle: handle(7), from: "here".into() },
                    Actor::System,
                    Actor::System,
                ];
                (1..).zip(&actors).try_for_each(|(n, actor)| tx.append_audit(actor, at(n), &event("it")))
            })
            .await
            .unwrap();
        let first = Record::following(
            1,
            GENESIS,
            at(1),
            &Actor::Principal { handle: handle(7), from: "here".into() },
            &event("it"),
        );
        let second = Record::following(2, first.hash, at(2), &Actor::System, &event("it"));
        let third = Record::following(3, second.hash, at(3), &Actor::System, &event("it"));
        let pages = store.read(|view| {
            Ok([view.audit_records(0, 2)?, view.audit_records(2, 2)?, view.audit_records(u64::MAX, 2)?])
        });
        assert_eq!(pages.await.unwrap(), [vec![first, second], vec![third], vec![]]);
    }

    #[tokio::test]
    async fn the_chain_continues_after_a_failed_closure_and_after_reopening() {
        let store = TestStore::new();
        append(&store, "a").await;
        let failed = store.write(|tx| -> Result<(), Error> {
            tx.append_audit(&Actor::System, at(2), &event("undone"))?;
            Err(Error::new(Kind::Busy, "on purpose"))
        });
        assert_eq!(failed.await.unwrap_err().to_string(), "on purpose");
        append(&store, "b").await;
        let store = store.reopened();
        append(&store, "c").await;
        assert_eq!(subjects(&store).await, ["a", "b", "c"]);
    }

    #[tokio::test]
    async fn the_chain_continues_what_another_process_wrote() {
        let store = TestStore::new();
        let other = Store::open(&store.path(), InstallationId([0; 4]), [0; 32]).unwrap();
        append(&store, "a").await;
        append(&other, "b").await;
        append(&store, "c").await;
        assert_eq!(subjects(&store).await, ["a", "b", "c"]);
    }

    #[tokio::test]
    async fn records_can_be_neither_changed_nor_deleted() {
        let store = TestStore::new();
        append(&store, "a").await;
        let connection = store.connection();
        for sql in ["UPDATE audit SET subject = 'b'", "DELETE FROM audit"] {
            let error = connection.execute(sql, []).unwrap_err();
            assert_eq!(error.to_string(), "the audit log is append-only");
        }
        assert_eq!(subjects(&store).await, ["a"]);
    }
}
