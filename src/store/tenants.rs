//! Tenants: who owns signing requests.

use rusqlite::Row;

use crate::domain::access::TenantId;
use crate::domain::clock::Timestamp;

use super::error::Error;
use super::view::{Tx, View};

/// A tenant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tenant {
    /// Inside the program.
    pub id: TenantId,
    /// The name people know it by; unique.
    pub name: String,
    /// When it was entered.
    pub created_at: Timestamp,
}

impl View {
    /// Every tenant, by name.
    pub fn tenants(&self) -> Result<Vec<Tenant>, Error> {
        self.all("SELECT * FROM tenants ORDER BY name", [], tenant)
    }

    /// The tenant of that name.
    pub fn tenant_by_name(&self, name: &str) -> Result<Option<Tenant>, Error> {
        self.optional("SELECT * FROM tenants WHERE name = ?1", [name], tenant)
    }
}

impl Tx {
    /// Enters a tenant.
    ///
    /// # Errors
    /// `Conflict` when the name is taken.
    pub fn insert_tenant(&self, name: &str, now: Timestamp) -> Result<(), Error> {
        self.execute("INSERT INTO tenants (name, created_at) VALUES (?1, ?2)", (name, now))?;
        Ok(())
    }
}

fn tenant(row: &Row<'_>) -> rusqlite::Result<Tenant> {
    Ok(Tenant { id: row.get("id")?, name: row.get("name")?, created_at: row.get("created_at")? })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::Unique;
    use crate::store::testing::{TestStore, at, conflict};

    #[tokio::test]
    async fn there_is_a_default_tenant_and_names_belong_to_one() {
        let store = TestStore::new();
        let tenants = store
            .write(|tx| {
                tx.insert_tenant("pki", at(2))?;
                tx.tenants()
            })
            .await
            .unwrap();
        let names: Vec<_> = tenants.iter().map(|tenant| (tenant.id, tenant.name.as_str())).collect();
        assert_eq!(names, [(TenantId::DEFAULT, "default"), (TenantId(2), "pki")]);
        let error = store.write(|tx| tx.insert_tenant("pki", at(3))).await.unwrap_err();
        assert_eq!(conflict(&error), Unique::TenantName);
    }
}
