//! What waits, or waited, for another pair of eyes: approvals of signing requests.

use rusqlite::Row;

use crate::domain::clock::Timestamp;
use crate::domain::id::Handle;

use super::error::Error;
use super::view::{Tx, View};

/// That a signing request has to be approved, and what came of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Approval {
    /// The signing request.
    pub request: Handle,
    /// SHA-256 of what was asked for.
    pub asked_sha256: [u8; 32],
    /// When it is too late.
    pub expires_at: Timestamp,
    /// Who approved or rejected it.
    pub decided_by: Option<Handle>,
    /// When it was approved, rejected or too late.
    pub decided_at: Option<Timestamp>,
}

impl View {
    /// The approval of a signing request that needs, or needed, one.
    pub fn approval(&self, request: Handle) -> Result<Option<Approval>, Error> {
        self.optional("SELECT * FROM approvals WHERE request = ?1", [request], approval)
    }

    /// Signing requests whose approval is undecided and too late.
    pub fn approvals_expired(&self, now: Timestamp) -> Result<Vec<Handle>, Error> {
        self.all(EXPIRED, [now], |row| row.get("request"))
    }
}

const EXPIRED: &str = "SELECT request FROM approvals WHERE decided_at IS NULL AND expires_at <= ?1";

impl Tx {
    /// Enters that a signing request has to be approved.
    pub fn insert_approval(&self, approval: &Approval) -> Result<(), Error> {
        self.execute(
            "INSERT INTO approvals (request, asked_sha256, expires_at, decided_by, decided_at)
             VALUES (?1, ?2, ?3, ?4, ?5)",
            (
                approval.request,
                approval.asked_sha256,
                approval.expires_at,
                approval.decided_by,
                approval.decided_at,
            ),
        )?;
        Ok(())
    }

    /// Settles an undecided approval; `by` nobody: it came too late, or does not matter any more.
    pub fn settle_approval(&self, request: Handle, by: Option<Handle>, now: Timestamp) -> Result<(), Error> {
        self.change_row(
            "UPDATE approvals SET decided_by = ?2, decided_at = ?3 WHERE request = ?1 AND decided_at IS NULL",
            (request, by, now),
            "undecided approval",
        )
    }
}

fn approval(row: &Row<'_>) -> rusqlite::Result<Approval> {
    Ok(Approval {
        request: row.get("request")?,
        asked_sha256: row.get("asked_sha256")?,
        expires_at: row.get("expires_at")?,
        decided_by: row.get("decided_by")?,
        decided_at: row.get("decided_at")?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::Kind;
    use crate::store::testing::{TestStore, at, handle, principal, request};

    #[tokio::test]
    async fn an_approval_is_settled_once_and_found_while_it_is_late() {
        let store = TestStore::with_principal();
        let asked = |n: u64| Approval {
            request: handle(n),
            asked_sha256: [7; 32],
            expires_at: at(10 + n),
            decided_by: None,
            decided_at: None,
        };
        store
            .write(move |tx| {
                for n in 1..=3 {
                    tx.insert_signing_request(&request(n), &[])?;
                    tx.insert_approval(&asked(n))?;
                }
                tx.settle_approval(handle(1), Some(principal(1).handle), at(5))
            })
            .await
            .unwrap();
        assert_eq!(store.read(|view| view.approvals_expired(at(12))).await.unwrap(), [handle(2)]);
        let settled = store.read(|view| view.approval(handle(1))).await.unwrap().unwrap();
        assert_eq!((settled.decided_by, settled.decided_at), (Some(principal(1).handle), Some(at(5))));
        let twice = store.write(|tx| tx.settle_approval(handle(1), None, at(6))).await.unwrap_err();
        assert_eq!(twice.kind(), Kind::Bug);
        assert_eq!(store.plan(EXPIRED), ["SEARCH approvals USING INDEX approvals_undecided (expires_at<?)"]);
    }
}
