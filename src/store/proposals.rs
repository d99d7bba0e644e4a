//! Operations that wait, or waited, for another pair of eyes.

use rusqlite::{Row, named_params};

use crate::domain::clock::Timestamp;
use crate::domain::id::Handle;
use crate::domain::proposal::Proposal;

use super::columns::{Json, saturated};
use super::error::Error;
use super::view::{Tx, View};

impl View {
    /// The proposal with that handle.
    pub fn proposal(&self, handle: Handle) -> Result<Option<Proposal>, Error> {
        self.optional("SELECT * FROM proposals WHERE handle = ?1", [handle], proposal)
    }

    /// The newest proposals.
    pub fn newest_proposals(&self, limit: usize) -> Result<Vec<Proposal>, Error> {
        let sql = "SELECT * FROM proposals ORDER BY handle DESC LIMIT ?1";
        self.all(sql, [saturated(limit)], proposal)
    }

    /// Proposals that were approved, and of which nothing more is known.
    pub fn proposals_approved(&self) -> Result<Vec<Handle>, Error> {
        self.all("SELECT handle FROM proposals WHERE state = 'approved'", [], |row| row.get("handle"))
    }

    /// Proposals that nobody decided on in time.
    pub fn proposals_expired(&self, now: Timestamp) -> Result<Vec<Proposal>, Error> {
        let sql = "SELECT * FROM proposals WHERE state = 'proposed' AND expires_at <= ?1";
        self.all(sql, [now], proposal)
    }
}

impl Tx {
    /// Enters a proposal.
    pub fn insert_proposal(&self, proposal: &Proposal) -> Result<(), Error> {
        self.execute(
            "INSERT INTO proposals (handle, tenant, principal, operation, sha256, state, created_at,
                                    expires_at, decided_by, decided_at, outcome)
             VALUES (:handle, :tenant, :principal, :operation, :sha256, :state, :created_at,
                     :expires_at, :decided_by, :decided_at, :outcome)",
            named_params! {
                ":handle": proposal.handle,
                ":tenant": proposal.tenant,
                ":principal": proposal.principal,
                ":operation": Json(&proposal.operation),
                ":sha256": proposal.sha256,
                ":state": proposal.state,
                ":created_at": proposal.created_at,
                ":expires_at": proposal.expires_at,
                ":decided_by": proposal.decided_by,
                ":decided_at": proposal.decided_at,
                ":outcome": proposal.outcome,
            },
        )?;
        Ok(())
    }

    /// Writes what may change in a proposal that is there: its state, the decision and the outcome.
    pub fn update_proposal(&self, proposal: &Proposal) -> Result<(), Error> {
        self.change_row(
            "UPDATE proposals SET state = :state, decided_by = :decided_by, decided_at = :decided_at,
                 outcome = :outcome
             WHERE handle = :handle",
            named_params! {
                ":handle": proposal.handle,
                ":state": proposal.state,
                ":decided_by": proposal.decided_by,
                ":decided_at": proposal.decided_at,
                ":outcome": proposal.outcome,
            },
            "proposal",
        )
    }
}

fn proposal(row: &Row<'_>) -> rusqlite::Result<Proposal> {
    let Json(operation) = row.get("operation")?;
    Ok(Proposal {
        handle: row.get("handle")?,
        tenant: row.get("tenant")?,
        principal: row.get("principal")?,
        operation,
        sha256: row.get("sha256")?,
        state: row.get("state")?,
        created_at: row.get("created_at")?,
        expires_at: row.get("expires_at")?,
        decided_by: row.get("decided_by")?,
        decided_at: row.get("decided_at")?,
        outcome: row.get("outcome")?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::access::TenantId;
    use crate::domain::proposal::{Command, Operation, State};
    use crate::store::testing::{TestStore, at, handle, principal};

    #[tokio::test]
    async fn a_proposal_comes_back_as_it_went_in_and_is_found_while_it_is_late() {
        let store = TestStore::with_principal();
        let proposed = |n: u64| Proposal {
            handle: handle(n),
            tenant: TenantId::DEFAULT,
            principal: principal(1).handle,
            operation: Operation::WipeSlot { token: "main".into(), force: true },
            sha256: [7; 32],
            state: State::Proposed,
            created_at: at(n),
            expires_at: at(10 + n),
            decided_by: None,
            decided_at: None,
            outcome: None,
        };
        let by = principal(1).handle;
        let (decided, _) = proposed(1).apply(Command::Approve { by }, at(5)).unwrap();
        let changed = decided.clone();
        store
            .write(move |tx| {
                (1..=3).try_for_each(|n| tx.insert_proposal(&proposed(n)))?;
                tx.update_proposal(&changed)
            })
            .await
            .unwrap();
        let (late, newest, one, approved) = store
            .read(|view| {
                let late = view.proposals_expired(at(12))?;
                let newest = view.newest_proposals(2)?;
                Ok((late, newest, view.proposal(handle(1))?, view.proposals_approved()?))
            })
            .await
            .unwrap();
        assert_eq!(late, [proposed(2)]);
        assert_eq!(newest, [proposed(3), proposed(2)]);
        assert_eq!(one, Some(decided));
        assert_eq!(approved, [handle(1)]);
    }
}
