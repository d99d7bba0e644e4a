//! The lives of keys: retired, compromised, due to be destroyed.

use rusqlite::Row;

use crate::domain::clock::Timestamp;
use crate::domain::id::Handle;
use crate::domain::key::{Key, Purpose};
use crate::domain::key_life::{Compromise, InUse, LifeFacts};

use super::error::Error;
use super::keys::key;
use super::view::{Tx, View};

/// When a retired key is destroyed by itself: when both are past.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Deadline {
    /// By the wall clock.
    pub after: Timestamp,
    /// By the time that the service has run, in milliseconds; see [`Tx::add_lived`].
    pub after_lived: i64,
}

/// What operators decided on a key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Decided {
    /// When it was retired.
    pub retired_at: Option<Timestamp>,
    /// That somebody else may have it.
    pub compromise: Option<Compromise>,
}

impl View {
    /// What was decided on a key. Asked before every signature: it takes as long for a key with
    /// thousands of requests as for a new one, unlike [`View::life_of_key`].
    pub fn decided_on_key(&self, handle: Handle) -> Result<Option<Decided>, Error> {
        self.optional(
            "SELECT retired_at, compromised_at, compromise FROM keys WHERE handle = ?1",
            [handle],
            |row| Ok(Decided { retired_at: row.get("retired_at")?, compromise: compromise(row)? }),
        )
    }

    /// What is known of a key's life.
    pub fn life_of_key(&self, handle: Handle) -> Result<Option<LifeFacts>, Error> {
        let mut certificates = self.all(USES, [handle], |row| {
            let from: Timestamp = row.get("not_before")?;
            let until: Timestamp = row.get("not_after")?;
            let retired_at: Option<Timestamp> = row.get("retired_at")?;
            Ok(InUse {
                from: from.max(row.get("married_at")?),
                until: retired_at.map_or(until, |retired_at| retired_at.min(until)),
            })
        })?;
        self.optional("SELECT * FROM keys WHERE handle = ?1", [handle], |row| {
            let created_at = row.get("created_at")?;
            if row.get::<_, Purpose>("purpose")? == Purpose::Sentinel {
                // It signs challenges, without a certificate and until it is replaced.
                certificates.push(InUse { from: created_at, until: Timestamp::from_millis(i64::MAX) });
            }
            Ok(LifeFacts {
                created_at,
                state: row.get("state")?,
                state_since: row.get("state_since")?,
                retired_at: row.get("retired_at")?,
                destroy_after: row.get("destroy_after")?,
                compromise: compromise(row)?,
                certificates,
            })
        })
    }

    /// Retired keys on a token that are present and past both of their deadlines.
    pub fn keys_due(&self, token: &str, now: Timestamp, lived: i64) -> Result<Vec<Key>, Error> {
        self.all(DUE, (token, now, lived), key)
    }
}

fn compromise(row: &Row<'_>) -> rusqlite::Result<Option<Compromise>> {
    let at: Option<Timestamp> = row.get("compromised_at")?;
    let reason: Option<String> = row.get("compromise")?;
    Ok(at.zip(reason).map(|(at, reason)| Compromise { at, reason }))
}

// A request is retired last of all: its time of change is that.
const USES: &str = "SELECT c.not_before, c.not_after, c.married_at,
                           iif(c.retired, r.updated_at, NULL) AS retired_at
                    FROM signing_requests r JOIN certificates c ON c.request = r.handle
                    WHERE r.key = ?1";

// The state is written as in the index, which SQLite takes only for the same words. Only `present`:
// a key that came back from a backup, or that is missing, waits for somebody.
const DUE: &str = "SELECT * FROM keys
                   WHERE token = ?1 AND destroy_after IS NOT NULL AND state = 'present'
                     AND destroy_after <= ?2 AND destroy_after_lived <= ?3";

impl Tx {
    /// Adds to the time that services have run on this database; answers all of it, in milliseconds.
    pub fn add_lived(&self, millis: i64) -> Result<i64, Error> {
        self.execute("UPDATE meta SET lived = lived + ?1", [millis])?;
        let lived = self.optional("SELECT lived FROM meta", [], |row| row.get(0))?;
        Ok(lived.unwrap_or_default())
    }

    /// Retires a key that is there, for ever or until its deadline.
    pub fn retire_key(
        &self,
        handle: Handle,
        now: Timestamp,
        deadline: Option<Deadline>,
    ) -> Result<(), Error> {
        self.change_row(
            "UPDATE keys SET retired_at = ?2, destroy_after = ?3, destroy_after_lived = ?4 WHERE handle = ?1",
            (
                handle,
                now,
                deadline.map(|deadline| deadline.after),
                deadline.map(|deadline| deadline.after_lived),
            ),
            "key",
        )
    }

    /// Takes a retirement back.
    pub fn unretire_key(&self, handle: Handle) -> Result<(), Error> {
        self.change_row(
            "UPDATE keys SET retired_at = NULL, destroy_after = NULL, destroy_after_lived = NULL
             WHERE handle = ?1",
            [handle],
            "key",
        )
    }

    /// Enters that somebody else may have a key.
    pub fn compromise_key(&self, handle: Handle, compromise: &Compromise) -> Result<(), Error> {
        self.change_row(
            "UPDATE keys SET compromised_at = ?2, compromise = ?3 WHERE handle = ?1",
            (handle, compromise.at, &compromise.reason),
            "key",
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::key::KeyState;
    use crate::domain::signing_request::SigningRequest;
    use crate::store::Certificate;
    use crate::store::testing::{TestStore, at, handle, key, request};

    fn deadline(after: i64, after_lived: i64) -> Option<Deadline> {
        Some(Deadline { after: at(after), after_lived })
    }

    #[tokio::test]
    async fn a_key_is_due_when_both_clocks_say_so() {
        let store = TestStore::new();
        store
            .write(|tx| {
                for n in 1..=4 {
                    tx.insert_key(&key(n))?;
                }
                tx.retire_key(handle(1), at(1), deadline(100, 50))?;
                tx.retire_key(handle(2), at(1), None)?;
                tx.retire_key(handle(3), at(1), deadline(100, 50))?;
                tx.set_key_state(handle(3), KeyState::Recovered, at(2))?;
                tx.retire_key(handle(4), at(1), deadline(100, 50))?;
                tx.unretire_key(handle(4))
            })
            .await
            .unwrap();
        let due = |now: i64, lived: i64| {
            let store = &store;
            async move {
                let due = store.read(move |view| view.keys_due("token", at(now), lived)).await.unwrap();
                due.into_iter().map(|key| key.handle).collect::<Vec<_>>()
            }
        };
        assert_eq!(due(99, 1_000).await, []);
        assert_eq!(due(1_000_000, 49).await, [], "the wall clock jumped");
        assert_eq!(due(100, 50).await, [handle(1)]);
    }

    #[tokio::test]
    async fn the_time_that_services_ran_adds_up() {
        let store = TestStore::new();
        store.write(|tx| tx.add_lived(5)).await.unwrap();
        let store = store.reopened();
        assert_eq!(store.write(|tx| tx.add_lived(7)).await.unwrap(), 12);
    }

    #[tokio::test]
    async fn a_life_tells_of_certificates_and_decisions() {
        let store = TestStore::with_principal();
        let compromise = Compromise { at: at(70), reason: "found in a backup".into() };
        let said = compromise.clone();
        store
            .write(move |tx| {
                tx.insert_key(&key(9))?;
                for (n, retired) in [(1, false), (2, true)] {
                    let of_key = SigningRequest { key: Some(handle(9)), updated_at: at(60), ..request(n) };
                    tx.insert_signing_request(&of_key, &[])?;
                    tx.insert_certificate(&Certificate {
                        request: handle(n),
                        leaf: vec![1],
                        chain: Vec::new(),
                        sha256: [1; 32],
                        not_before: at(10),
                        not_after: at(90),
                        married_at: at(20),
                    })?;
                    if retired {
                        tx.retire_certificate(handle(n))?;
                    }
                }
                tx.retire_key(handle(9), at(65), deadline(100, 50))?;
                tx.compromise_key(handle(9), &said)
            })
            .await
            .unwrap();
        let life = store.read(|view| view.life_of_key(handle(9))).await.unwrap().unwrap();
        let in_use = |from: i64, until: i64| InUse { from: at(from), until: at(until) };
        assert_eq!(life.certificates, [in_use(20, 90), in_use(20, 60)]);
        assert_eq!((life.retired_at, life.destroy_after), (Some(at(65)), Some(at(100))));
        assert_eq!(life.compromise, Some(compromise));
        assert_eq!(store.read(|view| view.life_of_key(handle(8))).await.unwrap(), None);
    }

    #[test]
    fn what_is_due_is_found_by_an_index() {
        let plan = TestStore::new().plan(DUE);
        assert!(
            plan[0].contains("keys_to_be_destroyed (token=? AND destroy_after>? AND destroy_after<?"),
            "{plan:?}"
        );
    }
}
