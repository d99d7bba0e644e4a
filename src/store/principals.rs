//! Principals and what they are granted.

use rusqlite::Row;

use crate::domain::access::{Grant, PrincipalKind, Role};
use crate::domain::clock::Timestamp;
use crate::domain::id::Handle;

use super::error::Error;
use super::view::{Tx, View};

/// A person or a service.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Principal {
    /// Public id.
    pub handle: Handle,
    /// The name people know it by; unique.
    pub name: String,
    /// What it is.
    pub kind: PrincipalKind,
    /// When it was entered.
    pub created_at: Timestamp,
    /// Since when its credentials do not count.
    pub disabled_at: Option<Timestamp>,
}

impl View {
    /// The principal of that name.
    pub fn principal_by_name(&self, name: &str) -> Result<Option<Principal>, Error> {
        self.optional("SELECT * FROM principals WHERE name = ?1", [name], principal)
    }

    /// The principal with that handle.
    pub fn principal(&self, handle: Handle) -> Result<Option<Principal>, Error> {
        self.optional("SELECT * FROM principals WHERE handle = ?1", [handle], principal)
    }

    /// Every principal, by name.
    pub fn principals(&self) -> Result<Vec<Principal>, Error> {
        self.all("SELECT * FROM principals ORDER BY name", [], principal)
    }

    /// Every grant, in the order in which they were given.
    pub fn grants(&self) -> Result<Vec<(Handle, Grant)>, Error> {
        self.all("SELECT principal, tenant, role FROM grants ORDER BY rowid", [], |row| {
            Ok((row.get("principal")?, Grant { tenant: row.get("tenant")?, role: row.get("role")? }))
        })
    }

    /// Enabled principals that hold a role in the whole appliance and a credential that is neither
    /// revoked nor expired.
    pub fn able_holders(&self, role: Role, now: Timestamp) -> Result<Vec<Handle>, Error> {
        let sql = "SELECT p.handle FROM principals p JOIN grants g ON g.principal = p.handle
             WHERE p.disabled_at IS NULL AND g.role = ?1 AND g.tenant IS NULL
               AND EXISTS (SELECT 1 FROM credentials c
                           WHERE c.principal = p.handle AND c.revoked_at IS NULL
                             AND (c.expires_at IS NULL OR c.expires_at > ?2))";
        self.all(sql, (role, now), |row| row.get("handle"))
    }
}

impl Tx {
    /// Enters a principal.
    ///
    /// # Errors
    /// `Conflict` when the name is taken.
    pub fn insert_principal(&self, principal: &Principal) -> Result<(), Error> {
        self.execute(
            "INSERT INTO principals (handle, name, kind, created_at, disabled_at)
             VALUES (?1, ?2, ?3, ?4, ?5)",
            (principal.handle, &principal.name, principal.kind, principal.created_at, principal.disabled_at),
        )?;
        Ok(())
    }

    /// Disables a principal that is there, or enables it with `None`.
    pub fn set_principal_disabled(
        &self,
        handle: Handle,
        disabled_at: Option<Timestamp>,
    ) -> Result<(), Error> {
        let sql = "UPDATE principals SET disabled_at = ?2 WHERE handle = ?1";
        self.change_row(sql, (handle, disabled_at), "principal")
    }

    /// Enters a grant; answers whether it is new.
    pub fn insert_grant(&self, principal: Handle, grant: Grant, now: Timestamp) -> Result<bool, Error> {
        let sql = "INSERT INTO grants (principal, tenant, role, granted_at) VALUES (?1, ?2, ?3, ?4)
             ON CONFLICT DO NOTHING";
        Ok(self.execute(sql, (principal, grant.tenant, grant.role, now))? == 1)
    }

    /// Removes a grant; answers whether it was there.
    pub fn delete_grant(&self, principal: Handle, grant: Grant) -> Result<bool, Error> {
        let sql = "DELETE FROM grants WHERE principal = ?1 AND tenant IS ?2 AND role = ?3";
        Ok(self.execute(sql, (principal, grant.tenant, grant.role))? == 1)
    }
}

fn principal(row: &Row<'_>) -> rusqlite::Result<Principal> {
    Ok(Principal {
        handle: row.get("handle")?,
        name: row.get("name")?,
        kind: row.get("kind")?,
        created_at: row.get("created_at")?,
        disabled_at: row.get("disabled_at")?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::access::TenantId;
    use crate::store::Unique;
    use crate::store::testing::{TestStore, at, conflict, handle, principal};

    #[tokio::test]
    async fn a_principal_is_found_by_its_name_and_handle() {
        let store = TestStore::new();
        store.write(|tx| tx.insert_principal(&principal(1))).await.unwrap();
        let (by_name, by_handle, missing) = store
            .read(|view| {
                Ok((
                    view.principal_by_name("principal 1")?,
                    view.principal(principal(1).handle)?,
                    view.principal_by_name("nobody")?,
                ))
            })
            .await
            .unwrap();
        assert_eq!(by_name, Some(principal(1)));
        assert_eq!(by_handle, Some(principal(1)));
        assert_eq!(missing, None);
    }

    #[tokio::test]
    async fn a_name_belongs_to_one_principal() {
        let store = TestStore::new();
        store.write(|tx| tx.insert_principal(&principal(1))).await.unwrap();
        let namesake = Principal { handle: handle(2), ..principal(1) };
        let error = store.write(move |tx| tx.insert_principal(&namesake)).await.unwrap_err();
        assert_eq!(conflict(&error), Unique::PrincipalName);
        assert_eq!(error.to_string(), "a principal with this name is already in the index");
    }

    #[tokio::test]
    async fn a_grant_is_given_once_in_each_place() {
        let store = TestStore::with_principal();
        let who = principal(1).handle;
        let everywhere = Grant { tenant: None, role: Role::Reader };
        let in_default = Grant { tenant: Some(TenantId::DEFAULT), ..everywhere };
        let changed = store.write(move |tx| {
            let given = [everywhere, in_default, everywhere, in_default]
                .map(|grant| tx.insert_grant(who, grant, at(1)));
            let gone = [everywhere, everywhere].map(|grant| tx.delete_grant(who, grant));
            let changed = given.into_iter().chain(gone).collect::<Result<Vec<_>, Error>>()?;
            Ok((changed, tx.grants()?))
        });
        let (changed, left) = changed.await.unwrap();
        assert_eq!(changed, [true, true, false, false, true, false]);
        assert_eq!(left, [(who, in_default)]);
    }
}
