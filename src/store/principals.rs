//! Principals and their API keys.

use rusqlite::Row;

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
    /// When it was entered.
    pub created_at: Timestamp,
}

/// An API key as it is kept: never the key itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ApiKey {
    /// Public id.
    pub handle: Handle,
    /// Whose it is.
    pub principal: Handle,
    /// SHA-256 of the key, which has 256 random bits and so needs no slow hash.
    pub sha256: [u8; 32],
    /// When it was issued.
    pub created_at: Timestamp,
}

/// What is needed to recognise an API key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ActiveApiKey {
    /// SHA-256 of the key.
    pub sha256: [u8; 32],
    /// Whose it is.
    pub principal: Handle,
    /// Public id of the key.
    pub handle: Handle,
}

impl View {
    /// The principal of that name.
    pub fn principal_by_name(&self, name: &str) -> Result<Option<Principal>, Error> {
        self.optional("SELECT handle, name, created_at FROM principals WHERE name = ?1", [name], |row| {
            Ok(Principal {
                handle: row.get("handle")?,
                name: row.get("name")?,
                created_at: row.get("created_at")?,
            })
        })
    }

    /// Every API key that was not revoked.
    pub fn active_api_keys(&self) -> Result<Vec<ActiveApiKey>, Error> {
        let sql = "SELECT sha256, principal, handle FROM api_keys WHERE revoked_at IS NULL";
        self.all(sql, [], |row: &Row<'_>| {
            Ok(ActiveApiKey {
                sha256: row.get("sha256")?,
                principal: row.get("principal")?,
                handle: row.get("handle")?,
            })
        })
    }
}

impl Tx {
    /// Enters a principal.
    ///
    /// # Errors
    /// `Conflict` when the name is taken.
    pub fn insert_principal(&self, principal: &Principal) -> Result<(), Error> {
        self.execute(
            "INSERT INTO principals (handle, name, created_at) VALUES (?1, ?2, ?3)",
            (principal.handle, &principal.name, principal.created_at),
        )?;
        Ok(())
    }

    /// Enters an API key of a principal that is there.
    ///
    /// # Errors
    /// `Conflict` when the key is there already.
    pub fn insert_api_key(&self, key: &ApiKey) -> Result<(), Error> {
        self.execute(
            "INSERT INTO api_keys (handle, principal, sha256, created_at) VALUES (?1, ?2, ?3, ?4)",
            (key.handle, key.principal, key.sha256, key.created_at),
        )?;
        Ok(())
    }

    /// Revokes an API key; answers whether there was an active one with this handle.
    pub fn revoke_api_key(&self, handle: Handle, now: Timestamp) -> Result<bool, Error> {
        let sql = "UPDATE api_keys SET revoked_at = ?2 WHERE handle = ?1 AND revoked_at IS NULL";
        Ok(self.execute(sql, (handle, now))? == 1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::Unique;
    use crate::store::testing::{TestStore, at, conflict, handle, principal};

    #[tokio::test]
    async fn a_principal_is_found_by_its_name() {
        let store = TestStore::new();
        store.write(|tx| tx.insert_principal(&principal(1))).await.unwrap();
        let (found, missing) = store
            .read(|view| Ok((view.principal_by_name("principal 1")?, view.principal_by_name("nobody")?)))
            .await
            .unwrap();
        assert_eq!(found, Some(principal(1)));
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
    async fn a_revoked_api_key_is_no_longer_active() {
        let store = TestStore::new();
        let key = |n: u8| ApiKey {
            handle: handle(n.into()),
            principal: principal(1).handle,
            sha256: [n; 32],
            created_at: at(1),
        };
        store
            .write(move |tx| {
                tx.insert_principal(&principal(1))?;
                tx.insert_api_key(&key(11))?;
                tx.insert_api_key(&key(12))
            })
            .await
            .unwrap();
        let revoked = store
            .write(|tx| Ok([tx.revoke_api_key(handle(11), at(2))?, tx.revoke_api_key(handle(11), at(3))?]));
        assert_eq!(revoked.await.unwrap(), [true, false]);
        let active = store.read(|view| view.active_api_keys()).await.unwrap();
        assert_eq!(
            active,
            [ActiveApiKey { sha256: [12; 32], principal: principal(1).handle, handle: handle(12) }]
        );

        let again = ApiKey { handle: handle(13), ..key(11) };
        let error = store.write(move |tx| tx.insert_api_key(&again)).await.unwrap_err();
        assert_eq!(conflict(&error), Unique::ApiKey);
    }
}
