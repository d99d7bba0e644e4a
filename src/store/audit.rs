//! The audit log.

use std::sync::{Arc, Mutex, PoisonError};

use rusqlite::{Row, named_params};

use crate::domain::audit::{Actor, Broken, Event, GENESIS, Names, Outcome, Place, Record, Refusal, Verifier};
use crate::domain::clock::Timestamp;

use super::columns::saturated;
use super::error::{Error, Kind};
use super::page::Order;
use super::view::{Tx, View};

/// Records that are looked at before anything is added: more would slow the start of a large log down.
const CHECKED_AT_START: usize = 1000;

/// The end of the chain, which the next record continues.
#[derive(Clone, Copy)]
pub(super) struct ChainHead {
    seq: u64,
    hash: [u8; 32],
}

/// Which records are asked for; all that is given has to hold.
#[derive(Clone, Debug, Default)]
pub struct AuditFilter {
    /// Not before.
    pub since: Option<Timestamp>,
    /// Not after.
    pub until: Option<Timestamp>,
    /// The actor as recorded, or the principal's name at that time.
    pub actor: Option<String>,
    /// The beginning of the action.
    pub action: Option<String>,
    /// To what it was done.
    pub subject: Option<String>,
    /// The name of the tenant.
    pub tenant: Option<String>,
    /// Whether it was done.
    pub outcome: Option<Outcome>,
    /// A text in the detail.
    pub mentions: Option<String>,
}

/// What is known to be wrong with the log: nothing is added to it then. Clones are the same one.
#[derive(Clone, Default)]
pub(super) struct KnownDamage(Arc<Mutex<Option<Broken>>>);

impl KnownDamage {
    pub(super) fn get(&self) -> Option<Broken> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub(super) fn set(&self, damage: Option<Broken>) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = damage;
    }
}

impl View {
    /// Up to `limit` records that follow the one at `after`, in the order of the chain; the first is
    /// at 1, and what somebody put before it comes with those after 0.
    pub fn audit_records(&self, after: u64, limit: usize) -> Result<Vec<Record>, Error> {
        let after = if after == 0 { i64::MIN } else { saturated(after) };
        self.all(
            "SELECT * FROM audit WHERE seq > ?1 ORDER BY seq LIMIT ?2",
            (after, saturated(limit)),
            record,
        )
    }

    /// Up to `limit` records that fit, behind the one at `after` in that order.
    pub fn audit_page(
        &self,
        filter: &AuditFilter,
        order: Order,
        after: Option<u64>,
        limit: usize,
    ) -> Result<Vec<Record>, Error> {
        let (first, last, direction) = match order {
            Order::NewestFirst => (None, after.map(|seq| saturated(seq) - 1), "DESC"),
            Order::OldestFirst => (after.map(|seq| saturated(seq).saturating_add(1)), None, "ASC"),
        };
        let sql = format!(
            "SELECT * FROM audit
             WHERE seq BETWEEN :first AND :last
               AND (:since IS NULL OR at >= :since) AND (:until IS NULL OR at <= :until)
               AND (:actor IS NULL OR actor = :actor OR name = :actor)
               AND (:action IS NULL OR substr(action, 1, length(:action)) = :action)
               AND (:subject IS NULL OR subject = :subject)
               AND (:tenant IS NULL OR tenant = :tenant)
               AND (:outcome IS NULL OR outcome = :outcome)
               AND (:mentions IS NULL OR instr(detail, :mentions) > 0)
             ORDER BY seq {direction} LIMIT :limit"
        );
        let params = named_params! {
            ":first": first.unwrap_or(i64::MIN),
            ":last": last.unwrap_or(i64::MAX),
            ":since": filter.since,
            ":until": filter.until,
            ":actor": filter.actor,
            ":action": filter.action,
            ":subject": filter.subject,
            ":tenant": filter.tenant,
            ":outcome": filter.outcome.map(Outcome::as_str),
            ":mentions": filter.mentions,
            ":limit": saturated(limit),
        };
        self.all(&sql, params, record)
    }

    /// What is wrong with the end of the chain.
    pub(super) fn audit_damage_at_end(&self) -> Result<Option<Broken>, Error> {
        let sql = "SELECT * FROM audit ORDER BY seq DESC LIMIT ?1";
        let mut records = self.all(sql, [saturated(CHECKED_AT_START)], record)?;
        records.reverse();
        // What is before a new start of the chain was damaged, and is known.
        let restart = records.iter().rposition(Record::restarts);
        let records = &records[restart.unwrap_or_default()..];
        let Some(first) = records.first() else { return Ok(None) };
        let mut verifier = match restart {
            None if records.len() < CHECKED_AT_START => Verifier::new(None),
            _ => Verifier::resuming(first.seq.saturating_sub(1), first.previous),
        };
        records.iter().for_each(|record| verifier.check(record));
        Ok(verifier.verdict().broken().cloned())
    }

    fn newest_record(&self) -> Result<Option<Record>, Error> {
        self.optional("SELECT * FROM audit ORDER BY seq DESC LIMIT 1", [], record)
    }

    fn names(&self, actor: &Actor) -> Result<Names, Error> {
        let Actor::Principal { handle, tenant, .. } = actor else { return Ok(Names::default()) };
        let principal =
            self.optional("SELECT name FROM principals WHERE handle = ?1", [handle], |row| row.get(0))?;
        let tenant = self.optional("SELECT name FROM tenants WHERE id = ?1", [tenant], |row| row.get(0))?;
        Ok(Names { principal: principal.unwrap_or_default(), tenant: tenant.unwrap_or_default() })
    }
}

impl Tx {
    /// Records an event at the end of the chain, in the transaction of the change it tells of. This is
    /// what stops every change when the log is damaged: none goes without its record.
    ///
    /// # Errors
    /// `AuditDamaged`, or the index.
    pub fn append_audit(&self, actor: &Actor, now: Timestamp, event: &Event) -> Result<(), Error> {
        let place = self.end_of_chain(now)?;
        self.append_record(&Record::done(place, actor, self.names(actor)?, event))
    }

    /// Records that something was refused.
    ///
    /// # Errors
    /// As for [`Tx::append_audit`].
    pub fn append_refusal(&self, actor: &Actor, now: Timestamp, refusal: &Refusal) -> Result<(), Error> {
        let place = self.end_of_chain(now)?;
        self.append_record(&Record::refused(place, actor, self.names(actor)?, refusal))
    }

    /// Starts the chain anew behind a damaged one, with the record that says so.
    ///
    /// # Errors
    /// The index.
    pub fn restart_audit(&self, actor: &Actor, now: Timestamp, event: &Event) -> Result<(), Error> {
        let seq = self.newest_record()?.map_or(0, |newest| newest.seq).saturating_add(1);
        let place = Place { seq, previous: GENESIS, at: now };
        self.append_record(&Record::done(place, actor, self.names(actor)?, event))
    }

    fn end_of_chain(&self, now: Timestamp) -> Result<Place, Error> {
        if let Some(broken) = self.known_damage.get() {
            return Err(damaged(&broken));
        }
        let head = match self.chain_head.get() {
            Some(head) => head,
            None => match self.newest_record()? {
                Some(newest) if newest.is_whole() => ChainHead { seq: newest.seq, hash: newest.hash },
                Some(newest) => {
                    let broken = Broken { seq: newest.seq, what: "was changed after it was written" };
                    self.known_damage.set(Some(broken.clone()));
                    return Err(damaged(&broken));
                }
                None => ChainHead { seq: 0, hash: GENESIS },
            },
        };
        Ok(Place { seq: head.seq.saturating_add(1), previous: head.hash, at: now })
    }

    fn append_record(&self, record: &Record) -> Result<(), Error> {
        self.execute(
            "INSERT INTO audit (seq, at, version, actor, name, origin, tenant, action, outcome, subject, reason,
                                request_id, detail, previous, hash)
             VALUES (:seq, :at, :version, :actor, :name, :origin, :tenant, :action, :outcome, :subject, :reason,
                     :request_id, :detail, :previous, :hash)",
            named_params! {
                ":seq": saturated(record.seq),
                ":at": record.at,
                ":version": record.version,
                ":actor": record.actor,
                ":name": record.name,
                ":origin": record.origin,
                ":tenant": record.tenant,
                ":action": record.action,
                ":outcome": record.outcome,
                ":subject": record.subject,
                ":reason": record.reason,
                ":request_id": record.request_id,
                ":detail": record.detail,
                ":previous": record.previous,
                ":hash": record.hash,
            },
        )?;
        self.chain_head.set(Some(ChainHead { seq: record.seq, hash: record.hash }));
        Ok(())
    }
}

fn damaged(broken: &Broken) -> Error {
    let text =
        "nothing is changed while the audit log is damaged, reading goes on: run `strongroom audit verify`";
    Error::new(Kind::AuditDamaged, format!("{broken}; {text}"))
}

/// A row of whatever content: what was tampered with has to be read to be found.
pub(super) fn record(row: &Row<'_>) -> rusqlite::Result<Record> {
    let text = |column| -> rusqlite::Result<String> {
        let value = row.get_ref(column)?;
        Ok(String::from_utf8_lossy(value.as_bytes().unwrap_or_default()).into_owned())
    };
    // An index of a schema before version 2 of the record, such as an older backup, is read as it is.
    let has_version = row.as_ref().column_index("version").is_ok();
    let added = |column, before: &str| if has_version { text(column) } else { Ok(before.to_owned()) };
    let hash = |column| -> rusqlite::Result<[u8; 32]> {
        Ok(row.get_ref(column)?.as_bytes().ok().and_then(|bytes| bytes.try_into().ok()).unwrap_or(GENESIS))
    };
    Ok(Record {
        seq: u64::try_from(row.get::<_, i64>("seq")?).unwrap_or_default(),
        at: row.get("at")?,
        version: if has_version { row.get("version")? } else { 1 },
        actor: text("actor")?,
        name: added("name", "")?,
        origin: added("origin", "")?,
        tenant: added("tenant", "")?,
        action: text("action")?,
        outcome: added("outcome", "done")?,
        subject: text("subject")?,
        reason: added("reason", "")?,
        request_id: added("request_id", "")?,
        detail: text("detail")?,
        previous: hash("previous")?,
        hash: hash("hash")?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::access::TenantId;
    use crate::domain::audit::{RESTARTED, verify_chain};
    use crate::domain::id::InstallationId;
    use crate::store::testing::{TestStore, at, event, handle};
    use crate::store::{Kind, Store};

    fn somebody() -> Actor {
        let (from, request) = ("here".into(), "7".into());
        Actor::Principal { handle: handle(7), from, tenant: Some(TenantId::DEFAULT), request }
    }

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
                let actors = [somebody(), Actor::System, Actor::System];
                (1..).zip(&actors).try_for_each(|(n, actor)| tx.append_audit(actor, at(n), &event("it")))
            })
            .await
            .unwrap();
        let names = Names { principal: String::new(), tenant: "default".into() };
        let place = |seq, previous| Place { seq, previous, at: at(seq as i64) };
        let first = Record::done(place(1, GENESIS), &somebody(), names, &event("it"));
        let system = |seq, before: &Record| {
            Record::done(place(seq, before.hash), &Actor::System, Names::default(), &event("it"))
        };
        let second = system(2, &first);
        let third = system(3, &second);
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
    async fn the_chain_continues_records_of_the_first_version() {
        let store = TestStore::new();
        let mut old = Record::done(
            Place { seq: 1, previous: GENESIS, at: at(1) },
            &Actor::System,
            Names::default(),
            &event("old"),
        );
        old.version = 1;
        old.hash = old.computed_hash().unwrap();
        let columns = "INSERT INTO audit (seq, at, actor, action, subject, detail, previous, hash)";
        let values = (1, old.at, &old.actor, &old.action, &old.subject, &old.detail, old.previous, old.hash);
        let sql = format!("{columns} VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)");
        store.connection().execute(&sql, values).unwrap();
        append(&store, "new").await;
        assert_eq!(subjects(&store).await, ["old", "new"]);
        assert_eq!(store.read(|view| view.audit_records(0, 1)).await.unwrap(), [old]);
    }

    #[tokio::test]
    async fn nothing_follows_a_record_that_was_changed_until_the_chain_is_started_anew() {
        let store = TestStore::new();
        append(&store, "a").await;
        append(&store, "b").await;
        let connection = store.connection();
        let untouchable = "DROP TRIGGER audit_is_never_changed";
        connection
            .execute_batch(&format!("{untouchable}; UPDATE audit SET subject = 'x' WHERE seq = 2"))
            .unwrap();
        for _ in 0..2 {
            let refused: Result<(), Error> =
                store.write(|tx| tx.append_audit(&Actor::System, at(3), &event("c"))).await;
            assert_eq!(refused.unwrap_err().kind(), Kind::AuditDamaged);
        }
        let store = store.reopened();
        assert_eq!(store.audit_damage().map(|broken| broken.seq), Some(2));
        let anew = Event { action: RESTARTED, subject: "audit".into(), detail: serde_json::json!({}) };
        store.write(move |tx| tx.restart_audit(&Actor::System, at(4), &anew)).await.unwrap();
        store.set_audit_damage(None);
        append(&store, "d").await;
        let store = store.reopened();
        assert_eq!(store.audit_damage(), None, "what is before a new start is known");
        append(&store, "e").await;
        assert_eq!(subjects(&store).await, ["a", "x", "audit", "d", "e"]);
    }

    #[tokio::test]
    async fn a_page_holds_what_fits() {
        let store = TestStore::new();
        store
            .write(|tx| {
                for n in 1..=6 {
                    tx.append_audit(&Actor::System, at(n), &event(if n % 2 == 0 { "even" } else { "odd" }))?;
                }
                let refusal = Refusal {
                    action: "DELETE /keys/{handle}".into(),
                    subject: "odd".into(),
                    reason: "access.denied".into(),
                    detail: serde_json::json!({ "status": 403 }),
                };
                tx.append_refusal(&somebody(), at(7), &refusal)
            })
            .await
            .unwrap();
        let page = async |filter: AuditFilter, order, after| {
            let records = store.read(move |view| view.audit_page(&filter, order, after, 3)).await.unwrap();
            records.into_iter().map(|record| record.seq).collect::<Vec<_>>()
        };
        let all = AuditFilter::default();
        assert_eq!(page(all.clone(), Order::NewestFirst, None).await, [7, 6, 5]);
        assert_eq!(page(all.clone(), Order::NewestFirst, Some(5)).await, [4, 3, 2]);
        assert_eq!(page(all.clone(), Order::OldestFirst, None).await, [1, 2, 3]);
        assert_eq!(page(all.clone(), Order::OldestFirst, Some(6)).await, [7]);
        let some = |text: &str| Some(text.to_owned());
        for (filter, expected) in [
            (AuditFilter { since: Some(at(6)), ..all.clone() }, vec![7, 6]),
            (AuditFilter { until: Some(at(2)), ..all.clone() }, vec![2, 1]),
            (AuditFilter { actor: some("system"), since: Some(at(5)), ..all.clone() }, vec![6, 5]),
            (AuditFilter { action: some("DELETE "), ..all.clone() }, vec![7]),
            (AuditFilter { action: some("%"), ..all.clone() }, vec![]),
            (AuditFilter { subject: some("even"), ..all.clone() }, vec![6, 4, 2]),
            (AuditFilter { tenant: some("default"), ..all.clone() }, vec![7]),
            (AuditFilter { outcome: Some(Outcome::Refused), ..all.clone() }, vec![7]),
            (AuditFilter { mentions: some("403"), ..all }, vec![7]),
        ] {
            assert_eq!(page(filter.clone(), Order::NewestFirst, None).await, expected, "{filter:?}");
        }
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
