//! Attempts: the journal of keys that we set out to make. An attempt is written before the token is
//! asked, so that whatever a crash leaves on the token is known by its CKA_ID.

use std::fmt;
use std::str::FromStr;

use rusqlite::{Row, named_params};

use crate::domain::algorithm::KeyKind;
use crate::domain::clock::Timestamp;
use crate::domain::id::{Handle, KeyId};

use super::error::Error;
use super::view::{Tx, View};

/// One try to make a key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Attempt {
    /// The CKA_ID that was chosen for the key.
    pub id: KeyId,
    /// The handle that was chosen for the key: CKA_LABEL.
    pub key: Handle,
    /// The signing request it is made for; `None` for a sentinel and for an authority's.
    pub request: Option<Handle>,
    /// The authority it is made for.
    pub authority: Option<Handle>,
    /// The configured name of the token.
    pub token: String,
    /// The kind of the key.
    pub kind: KeyKind,
    /// When it was written.
    pub opened_at: Timestamp,
}

/// How and when an attempt ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Closed {
    /// How.
    pub outcome: Outcome,
    /// When.
    pub at: Timestamp,
}

/// How an attempt ended: what is on the token now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// A key, which has a row of its own.
    Succeeded,
    /// Nothing: what was there was destroyed.
    Destroyed,
    /// Nothing: there never was anything.
    Absent,
    /// Something that an operator has to look at.
    Quarantined,
}

impl Outcome {
    const ALL: [Self; 4] = [Self::Succeeded, Self::Destroyed, Self::Absent, Self::Quarantined];
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Succeeded => "succeeded",
            Self::Destroyed => "destroyed",
            Self::Absent => "absent",
            Self::Quarantined => "quarantined",
        })
    }
}

impl FromStr for Outcome {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let mut all = Self::ALL.into_iter();
        all.find(|outcome| outcome.to_string() == text)
            .ok_or_else(|| format!("`{text}` is no outcome of an attempt"))
    }
}

impl View {
    /// The attempt with that CKA_ID, and how it ended if it has.
    pub fn attempt(&self, id: KeyId) -> Result<Option<(Attempt, Option<Closed>)>, Error> {
        self.optional("SELECT * FROM attempts WHERE id = ?1", [id], |row| Ok((attempt(row)?, closed(row)?)))
    }

    /// The attempts on a token that did not end, or whose end is not known.
    pub fn open_attempts(&self, token: &str) -> Result<Vec<Attempt>, Error> {
        self.all(OPEN_ON_TOKEN, [token], attempt)
    }

    /// The attempt of a signing request that did not end, or whose end is not known.
    pub fn open_attempt_of(&self, request: Handle) -> Result<Option<Attempt>, Error> {
        self.optional(OPEN_OF_REQUEST, [request], attempt)
    }
}

const OPEN_ON_TOKEN: &str = "SELECT * FROM attempts WHERE token = ?1 AND outcome IS NULL";
const OPEN_OF_REQUEST: &str = "SELECT * FROM attempts WHERE request = ?1 AND outcome IS NULL";

impl Tx {
    /// Journals that a key is about to be made.
    ///
    /// # Errors
    /// `Conflict` when the CKA_ID or the key's handle was used before, or the signing request has an
    /// open attempt.
    pub fn open_attempt(&self, attempt: &Attempt) -> Result<(), Error> {
        self.execute(
            "INSERT INTO attempts (id, key, request, authority, token, kind, opened_at)
             VALUES (:id, :key, :request, :authority, :token, :kind, :opened_at)",
            named_params! {
                ":id": attempt.id,
                ":key": attempt.key,
                ":request": attempt.request,
                ":authority": attempt.authority,
                ":token": attempt.token,
                ":kind": attempt.kind,
                ":opened_at": attempt.opened_at,
            },
        )?;
        Ok(())
    }

    /// Journals how an open attempt ended.
    pub fn close_attempt(&self, id: KeyId, outcome: Outcome, now: Timestamp) -> Result<(), Error> {
        self.change_row(
            "UPDATE attempts SET outcome = ?2, closed_at = ?3 WHERE id = ?1 AND outcome IS NULL",
            (id, outcome, now),
            "open attempt",
        )
    }
}

fn attempt(row: &Row<'_>) -> rusqlite::Result<Attempt> {
    Ok(Attempt {
        id: row.get("id")?,
        key: row.get("key")?,
        request: row.get("request")?,
        authority: row.get("authority")?,
        token: row.get("token")?,
        kind: row.get("kind")?,
        opened_at: row.get("opened_at")?,
    })
}

fn closed(row: &Row<'_>) -> rusqlite::Result<Option<Closed>> {
    let outcome: Option<Outcome> = row.get("outcome")?;
    outcome.map(|outcome| Ok(Closed { outcome, at: row.get("closed_at")? })).transpose()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::testing::{TestStore, at, conflict, handle, key_id, request};
    use crate::store::{Kind, Unique};

    fn attempt(n: u64, request: Option<u64>) -> Attempt {
        Attempt {
            id: key_id(n),
            key: handle(n),
            request: request.map(handle),
            authority: None,
            token: "token".into(),
            kind: KeyKind::all().next().unwrap(),
            opened_at: at(n),
        }
    }

    #[tokio::test]
    async fn an_attempt_is_open_until_it_is_closed_once() {
        for outcome in Outcome::ALL {
            let store = TestStore::with_principal();
            store
                .write(|tx| {
                    tx.insert_signing_request(&request(1), &[])?;
                    tx.open_attempt(&attempt(10, Some(1)))
                })
                .await
                .unwrap();
            let open = store.read(|view| {
                Ok((
                    view.attempt(key_id(10))?,
                    view.open_attempts("token")?,
                    view.open_attempt_of(handle(1))?,
                ))
            });
            let ours = attempt(10, Some(1));
            assert_eq!(
                open.await.unwrap(),
                (Some((ours.clone(), None)), vec![ours.clone()], Some(ours.clone()))
            );

            store.write(move |tx| tx.close_attempt(key_id(10), outcome, at(20))).await.unwrap();
            let after = store.read(|view| {
                Ok((
                    view.attempt(key_id(10))?,
                    view.open_attempts("token")?,
                    view.open_attempt_of(handle(1))?,
                ))
            });
            let closed = Closed { outcome, at: at(20) };
            assert_eq!(after.await.unwrap(), (Some((ours, Some(closed))), vec![], None));

            let again = store.write(move |tx| tx.close_attempt(key_id(10), outcome, at(21))).await;
            assert_eq!(again.unwrap_err().kind(), Kind::Bug);
        }
    }

    #[tokio::test]
    async fn a_signing_request_has_one_open_attempt_and_sentinels_as_many_as_they_need() {
        let store = TestStore::with_principal();
        store
            .write(|tx| {
                tx.insert_signing_request(&request(1), &[])?;
                tx.open_attempt(&attempt(10, Some(1)))?;
                tx.open_attempt(&attempt(11, None))?;
                tx.open_attempt(&attempt(12, None))
            })
            .await
            .unwrap();
        let refused = [
            (attempt(13, Some(1)), Unique::OpenAttempt),
            (Attempt { id: key_id(10), ..attempt(13, None) }, Unique::KeyId),
            (Attempt { key: handle(10), ..attempt(13, None) }, Unique::AttemptedKey),
        ];
        for (second, unique) in refused {
            let error = store.write(move |tx| tx.open_attempt(&second)).await.unwrap_err();
            assert_eq!(conflict(&error), unique);
        }
        store
            .write(|tx| {
                tx.close_attempt(key_id(10), Outcome::Absent, at(20))?;
                tx.open_attempt(&attempt(13, Some(1)))
            })
            .await
            .unwrap();
        let open = store.read(|view| view.open_attempt_of(handle(1))).await.unwrap();
        assert_eq!(open, Some(attempt(13, Some(1))));
    }

    #[test]
    fn open_attempts_are_indexed() {
        let store = TestStore::new();
        assert_eq!(
            store.plan(OPEN_ON_TOKEN),
            ["SEARCH attempts USING INDEX attempts_open_by_token (token=?)"]
        );
        assert_eq!(
            store.plan(OPEN_OF_REQUEST),
            ["SEARCH attempts USING INDEX attempts_open_by_request (request=?)"]
        );
    }
}
