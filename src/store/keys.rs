//! Keys on tokens.

use rusqlite::{Row, named_params};
use sha2::{Digest as _, Sha256};

use crate::domain::access::TenantId;
use crate::domain::clock::Timestamp;
use crate::domain::id::{Handle, KeyId};
use crate::domain::key::{Evidence, Key, KeyState, Purpose};

use super::columns::{Json, saturated};
use super::error::Error;
use super::page::{Order, Page};
use super::view::{Tx, View};

/// What reconciliation compares with the objects on a token.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyBrief {
    /// Public id; CKA_LABEL on the token.
    pub handle: Handle,
    /// CKA_ID on the token.
    pub id: KeyId,
    /// Where it is in its life.
    pub state: KeyState,
}

impl View {
    /// The key with that handle.
    pub fn key(&self, handle: Handle) -> Result<Option<Key>, Error> {
        self.optional("SELECT * FROM keys WHERE handle = ?1", [handle], key)
    }

    /// The key with that CKA_ID.
    pub fn key_by_id(&self, id: KeyId) -> Result<Option<Key>, Error> {
        self.optional("SELECT * FROM keys WHERE id = ?1", [id], key)
    }

    /// What the evidence of a key was worth when it was made.
    pub fn evidence_of_key(&self, handle: Handle) -> Result<Option<Evidence>, Error> {
        self.optional("SELECT evidence, evidence_warning FROM keys WHERE handle = ?1", [handle], evidence)
    }

    /// Every key that is or was on the token, in any state.
    pub fn keys_on_token(&self, token: &str) -> Result<Vec<KeyBrief>, Error> {
        self.all("SELECT handle, id, state FROM keys WHERE token = ?1", [token], |row| {
            Ok(KeyBrief { handle: row.get("handle")?, id: row.get("id")?, state: row.get("state")? })
        })
    }

    /// How many keys take room on the token: those that are there, and those that are being made.
    pub fn keys_taking_room(&self, token: &str) -> Result<usize, Error> {
        let count: Option<i64> = self.optional(TAKING_ROOM, [token], |row| row.get(0))?;
        Ok(count.and_then(|count| count.try_into().ok()).unwrap_or_default())
    }

    /// How many keys a tenant has: those that are there, and those that are being made for it.
    pub fn keys_of_tenant(&self, tenant: TenantId) -> Result<usize, Error> {
        let count: Option<i64> = self.optional(OF_TENANT, [tenant], |row| row.get(0))?;
        Ok(count.and_then(|count| count.try_into().ok()).unwrap_or_default())
    }

    /// The token's sentinel: the newest that was not destroyed, though it may be missing.
    pub fn sentinel_of(&self, token: &str) -> Result<Option<Key>, Error> {
        self.optional(
            "SELECT * FROM keys WHERE token = ?1 AND purpose = ?2 AND state NOT IN (?3, ?4)
             ORDER BY handle DESC LIMIT 1",
            (token, Purpose::Sentinel, KeyState::Destroying, KeyState::Destroyed),
            key,
        )
    }

    /// A page of a tenant's keys, with those of no tenant if wanted; newest first.
    pub fn page_of_keys(
        &self,
        tenant: TenantId,
        with_tenantless: bool,
        after: Option<Handle>,
        limit: usize,
    ) -> Result<Page<Key>, Error> {
        let after = after.unwrap_or(Order::NewestFirst.before_first());
        let mut keys = Vec::new();
        // Each walk is in the order of its index; one query over both would have to sort.
        for tenant in [Some(Some(tenant)), with_tenantless.then_some(None)].into_iter().flatten() {
            keys.extend(self.all(PAGE, (tenant, after, saturated(limit.saturating_add(1))), key)?);
        }
        keys.sort_by_key(|key| std::cmp::Reverse(key.handle));
        Ok(Page::cut(keys, limit, |key| key.handle))
    }
}

const PAGE: &str = "SELECT * FROM keys WHERE tenant IS ?1 AND handle < ?2 ORDER BY handle DESC LIMIT ?3";

// The states are written as in the index, which SQLite takes only for the same words.
const TAKING_ROOM: &str = "SELECT (SELECT count(*) FROM keys
                                   WHERE token = ?1 AND state NOT IN ('missing', 'destroyed'))
                                + (SELECT count(*) FROM attempts WHERE token = ?1 AND outcome IS NULL)";

const OF_TENANT: &str = "SELECT (SELECT count(*) FROM keys
                                 WHERE tenant = ?1 AND state NOT IN ('missing', 'destroyed'))
                              + (SELECT count(*) FROM attempts a JOIN signing_requests r ON r.handle = a.request
                                 WHERE a.outcome IS NULL AND r.tenant = ?1)";

impl Tx {
    /// Enters a key.
    ///
    /// # Errors
    /// `Conflict` when a key with this handle, CKA_ID or public key is there already.
    pub fn insert_key(&self, key: &Key) -> Result<(), Error> {
        let spki_sha256: [u8; 32] = Sha256::digest(&key.spki).into();
        self.execute(
            "INSERT INTO keys (handle, id, tenant, token, kind, purpose, state, spki, spki_sha256, attributes,
                               evidence, evidence_warning, created_at, state_since)
             VALUES (:handle, :id, :tenant, :token, :kind, :purpose, :state, :spki, :spki_sha256, :attributes,
                     :evidence, :evidence_warning, :created_at, :created_at)",
            named_params! {
                ":handle": key.handle,
                ":id": key.id,
                ":tenant": key.tenant,
                ":token": key.token,
                ":kind": key.kind,
                ":purpose": key.purpose,
                ":state": key.state,
                ":spki": key.spki,
                ":spki_sha256": spki_sha256,
                ":attributes": Json(&key.attributes),
                ":evidence": key.evidence.level,
                ":evidence_warning": key.evidence.warning,
                ":created_at": key.created_at,
            },
        )?;
        Ok(())
    }

    /// Moves a key that is there to a state.
    pub fn set_key_state(&self, handle: Handle, state: KeyState, now: Timestamp) -> Result<(), Error> {
        self.change_row(
            "UPDATE keys SET state = ?2, state_since = ?3 WHERE handle = ?1",
            (handle, state, now),
            "key",
        )
    }
}

pub(super) fn key(row: &Row<'_>) -> rusqlite::Result<Key> {
    let Json(attributes) = row.get("attributes")?;
    Ok(Key {
        handle: row.get("handle")?,
        id: row.get("id")?,
        tenant: row.get("tenant")?,
        token: row.get("token")?,
        kind: row.get("kind")?,
        purpose: row.get("purpose")?,
        state: row.get("state")?,
        spki: row.get("spki")?,
        attributes,
        evidence: evidence(row)?,
        created_at: row.get("created_at")?,
    })
}

fn evidence(row: &Row<'_>) -> rusqlite::Result<Evidence> {
    Ok(Evidence { level: row.get("evidence")?, warning: row.get("evidence_warning")? })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::algorithm::KeyKind;
    use crate::store::testing::{TestStore, at, conflict, handle, key, key_id};
    use crate::store::{Attempt, Kind, Outcome, Unique};

    #[tokio::test]
    async fn a_key_is_found_by_each_of_its_names() {
        let store = TestStore::new();
        store.write(|tx| tx.insert_key(&key(7))).await.unwrap();
        let found = store.read(|view| Ok([view.key(handle(7))?, view.key_by_id(key_id(7))?])).await.unwrap();
        assert_eq!(found, [Some(key(7)), Some(key(7))]);
        let evidence = store.read(|view| view.evidence_of_key(handle(7))).await.unwrap();
        assert_eq!(evidence, Some(key(7).evidence));
        let missing =
            store.read(|view| Ok([view.key(handle(8))?, view.key_by_id(key_id(8))?])).await.unwrap();
        assert_eq!(missing, [None, None]);
    }

    #[tokio::test]
    async fn what_a_key_is_known_by_belongs_to_one_key() {
        let store = TestStore::new();
        store.write(|tx| tx.insert_key(&key(1))).await.unwrap();
        let twins = [
            (Key { handle: key(1).handle, ..key(2) }, Unique::Handle),
            (Key { id: key(1).id, ..key(2) }, Unique::KeyId),
            (Key { spki: key(1).spki, ..key(2) }, Unique::PublicKey),
        ];
        for (twin, unique) in twins {
            let error = store.write(move |tx| tx.insert_key(&twin)).await.unwrap_err();
            assert_eq!(conflict(&error), unique);
        }
    }

    #[tokio::test]
    async fn a_state_is_set_on_a_key_that_is_there_only() {
        let store = TestStore::new();
        store
            .write(|tx| {
                tx.insert_key(&key(1))?;
                tx.set_key_state(handle(1), KeyState::Missing, at(2))
            })
            .await
            .unwrap();
        let state = store.read(|view| view.key(handle(1))).await.unwrap().unwrap().state;
        assert_eq!(state, KeyState::Missing);
        let error =
            store.write(|tx| tx.set_key_state(handle(2), KeyState::Missing, at(2))).await.unwrap_err();
        assert_eq!(error.kind(), Kind::Bug);
    }

    #[tokio::test]
    async fn a_token_has_its_keys_and_its_newest_standing_sentinel() {
        let store = TestStore::new();
        let sentinel = |n, state| Key { purpose: Purpose::Sentinel, state, ..key(n) };
        store
            .write(move |tx| {
                tx.insert_key(&key(1))?;
                tx.insert_key(&sentinel(2, KeyState::Present))?;
                tx.insert_key(&sentinel(3, KeyState::Missing))?;
                tx.insert_key(&sentinel(4, KeyState::Destroyed))?;
                tx.insert_key(&Key { token: "another".into(), ..key(5) })
            })
            .await
            .unwrap();
        let (keys, sentinel, none) = store
            .read(|view| {
                Ok((view.keys_on_token("token")?, view.sentinel_of("token")?, view.sentinel_of("another")?))
            })
            .await
            .unwrap();
        let mut handles: Vec<_> = keys.iter().map(|key| key.handle).collect();
        handles.sort_unstable();
        assert_eq!(handles, [1, 2, 3, 4].map(handle));
        assert_eq!(sentinel.unwrap().handle, handle(3));
        assert_eq!(none, None);
    }

    #[tokio::test]
    async fn keys_that_are_there_or_being_made_take_room() {
        let store = TestStore::new();
        store
            .write(|tx| {
                let states = [
                    KeyState::Present,
                    KeyState::Missing,
                    KeyState::Recovered,
                    KeyState::Quarantined,
                    KeyState::Destroying,
                    KeyState::Destroyed,
                ];
                for (n, state) in (1..).zip(states) {
                    tx.insert_key(&Key { state, ..key(n) })?;
                }
                tx.insert_key(&Key { token: "another".into(), ..key(50) })?;
                for n in [60, 61] {
                    let (id, key, kind) = (key_id(n), handle(n), KeyKind::all().next().unwrap());
                    let token = "token".to_owned();
                    tx.open_attempt(&Attempt {
                        id,
                        key,
                        request: None,
                        authority: None,
                        token,
                        kind,
                        opened_at: at(n),
                    })?;
                }
                tx.close_attempt(key_id(61), Outcome::Absent, at(1))
            })
            .await
            .unwrap();
        // Present, recovered, quarantined, destroying; and one that is being made.
        assert_eq!(store.read(|view| view.keys_taking_room("token")).await.unwrap(), 5);
        let plan = store.plan(TAKING_ROOM);
        assert!(plan.iter().any(|line| line.contains("INDEX keys_taking_room (token=?)")), "{plan:?}");
        assert!(!plan.iter().any(|line| line.starts_with("SCAN keys")), "{plan:?}");
    }

    #[tokio::test]
    async fn pages_show_each_key_once_newest_first() {
        let store = TestStore::new();
        let mixed = |n: u64| match n % 3 {
            0 => Key { purpose: Purpose::Sentinel, tenant: None, ..key(n) },
            _ => key(n),
        };
        store
            .write(move |tx| {
                (1..=100).try_for_each(|n| tx.insert_key(&mixed(n)))?;
                tx.insert_tenant("another", at(1))?;
                (101..=110).try_for_each(|n| tx.insert_key(&Key { tenant: Some(TenantId(2)), ..key(n) }))
            })
            .await
            .unwrap();
        let own = store.read(|view| view.page_of_keys(TenantId(2), false, None, 100)).await.unwrap();
        assert_eq!(own.items.len(), 10, "another tenant sees its own and no sentinel");
        let mut seen = Vec::new();
        let mut after = None;
        loop {
            let page =
                store.read(move |view| view.page_of_keys(TenantId::DEFAULT, true, after, 7)).await.unwrap();
            assert!(page.items.len() <= 7);
            seen.extend(page.items.iter().map(|key| key.handle));
            after = page.next;
            if after.is_none() {
                break;
            }
        }
        assert_eq!(seen, (1..=100).rev().map(handle).collect::<Vec<_>>());
    }

    #[test]
    fn pages_walk_an_index_in_its_order() {
        let store = TestStore::new();
        assert_eq!(store.plan(PAGE), ["SEARCH keys USING INDEX keys_by_tenant (tenant=? AND handle<?)"]);
    }
}
