//! Credentials of principals: what they are recognised by, never a secret.

use rusqlite::{Row, named_params};

use crate::domain::access::CredentialKind;
use crate::domain::clock::Timestamp;
use crate::domain::id::Handle;

use super::error::Error;
use super::view::{Tx, View};

/// A credential as it is kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Credential {
    /// Public id.
    pub handle: Handle,
    /// Whose it is.
    pub principal: Handle,
    /// What it is.
    pub kind: CredentialKind,
    /// What it is recognised by: SHA-256 of the secret (256 random bits, so no slow hash) or of a
    /// certificate's DER, 32 bytes; or a uid, 4 bytes in network order.
    pub verifier: Vec<u8>,
    /// The beginning of a secret, for people to tell one from another.
    pub hint: Option<String>,
    /// Whether it is the key of the file beside the database.
    pub from_file: bool,
    /// When it was issued.
    pub created_at: Timestamp,
    /// From when on it does not count.
    pub expires_at: Option<Timestamp>,
    /// Since when it does not count.
    pub revoked_at: Option<Timestamp>,
    /// When it was used last, to the minute.
    pub last_used_at: Option<Timestamp>,
}

impl View {
    /// Every credential that was not revoked.
    pub fn unrevoked_credentials(&self) -> Result<Vec<Credential>, Error> {
        self.all("SELECT * FROM credentials WHERE revoked_at IS NULL ORDER BY handle", [], credential)
    }

    /// Every credential, also those revoked, oldest first; of one principal if one is given.
    pub fn credentials(&self, principal: Option<Handle>) -> Result<Vec<Credential>, Error> {
        match principal {
            Some(principal) => {
                let sql = "SELECT * FROM credentials WHERE principal = ?1 ORDER BY handle";
                self.all(sql, [principal], credential)
            }
            None => self.all("SELECT * FROM credentials ORDER BY handle", [], credential),
        }
    }

    /// The credential with that handle.
    pub fn credential(&self, handle: Handle) -> Result<Option<Credential>, Error> {
        self.optional("SELECT * FROM credentials WHERE handle = ?1", [handle], credential)
    }
}

impl Tx {
    /// Enters a credential of a principal that is there.
    ///
    /// # Errors
    /// `Conflict` when one in force is recognised by the same.
    pub fn insert_credential(&self, credential: &Credential) -> Result<(), Error> {
        self.execute(
            "INSERT INTO credentials (handle, principal, kind, verifier, hint, from_file, created_at,
                                      expires_at, revoked_at, last_used_at)
             VALUES (:handle, :principal, :kind, :verifier, :hint, :from_file, :created_at,
                     :expires_at, :revoked_at, :last_used_at)",
            named_params! {
                ":handle": credential.handle,
                ":principal": credential.principal,
                ":kind": credential.kind,
                ":verifier": credential.verifier,
                ":hint": credential.hint,
                ":from_file": credential.from_file,
                ":created_at": credential.created_at,
                ":expires_at": credential.expires_at,
                ":revoked_at": credential.revoked_at,
                ":last_used_at": credential.last_used_at,
            },
        )?;
        Ok(())
    }

    /// Revokes a credential; answers whether there was one in force with this handle.
    pub fn revoke_credential(&self, handle: Handle, now: Timestamp) -> Result<bool, Error> {
        let sql = "UPDATE credentials SET revoked_at = ?2 WHERE handle = ?1 AND revoked_at IS NULL";
        Ok(self.execute(sql, (handle, now))? == 1)
    }

    /// Notes that a credential was used. No audit record: it changes nothing.
    pub fn note_credential_use(&self, handle: Handle, at: Timestamp) -> Result<(), Error> {
        self.execute("UPDATE credentials SET last_used_at = ?2 WHERE handle = ?1", (handle, at))?;
        Ok(())
    }
}

pub(super) fn credential(row: &Row<'_>) -> rusqlite::Result<Credential> {
    Ok(Credential {
        handle: row.get("handle")?,
        principal: row.get("principal")?,
        kind: row.get("kind")?,
        verifier: row.get("verifier")?,
        hint: row.get("hint")?,
        from_file: row.get("from_file")?,
        created_at: row.get("created_at")?,
        expires_at: row.get("expires_at")?,
        revoked_at: row.get("revoked_at")?,
        last_used_at: row.get("last_used_at")?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::access::{Grant, Role};
    use crate::store::Unique;
    use crate::store::testing::{TestStore, at, conflict, handle, principal};

    fn key(n: u8) -> Credential {
        Credential {
            handle: handle(n.into()),
            principal: principal(1).handle,
            kind: CredentialKind::ApiKey,
            verifier: vec![n; 32],
            hint: Some("srk_abcd".into()),
            from_file: false,
            created_at: at(1),
            expires_at: Some(at(100)),
            revoked_at: None,
            last_used_at: None,
        }
    }

    #[tokio::test]
    async fn a_credential_comes_back_as_it_went_in_until_it_is_revoked() {
        let store = TestStore::with_principal();
        let seen = store.write(|tx| {
            tx.insert_credential(&key(11))?;
            tx.insert_credential(&key(12))?;
            tx.note_credential_use(handle(11), at(5))?;
            let revoked =
                [tx.revoke_credential(handle(11), at(6))?, tx.revoke_credential(handle(11), at(7))?];
            Ok((
                revoked,
                tx.unrevoked_credentials()?,
                tx.credential(handle(11))?,
                tx.credentials(None)?.len(),
            ))
        });
        let (revoked, left, gone, all) = seen.await.unwrap();
        assert_eq!(revoked, [true, false]);
        assert_eq!(left, [key(12)]);
        assert_eq!(gone, Some(Credential { revoked_at: Some(at(6)), last_used_at: Some(at(5)), ..key(11) }));
        assert_eq!(all, 2);
    }

    #[tokio::test]
    async fn what_one_is_recognised_by_belongs_to_one_in_force() {
        let store = TestStore::with_principal();
        store.write(|tx| tx.insert_credential(&key(11))).await.unwrap();
        let twin = Credential { handle: handle(13), ..key(11) };
        let again = twin.clone();
        let error = store.write(move |tx| tx.insert_credential(&twin)).await.unwrap_err();
        assert_eq!(conflict(&error), Unique::Credential);
        store
            .write(move |tx| {
                tx.revoke_credential(handle(11), at(2))?;
                tx.insert_credential(&again)
            })
            .await
            .unwrap();
    }

    #[tokio::test]
    async fn an_able_holder_is_enabled_and_has_a_credential_in_force() {
        let store = TestStore::with_principal();
        let who = principal(1).handle;
        let held = store.write(move |tx| {
            let able = |now| tx.able_holders(Role::Admin, at(now));
            let mut held = vec![able(2)?];
            tx.insert_grant(who, Grant { tenant: None, role: Role::Admin }, at(1))?;
            held.push(able(2)?);
            tx.insert_credential(&key(11))?;
            held.extend([able(2)?, able(100)?]);
            tx.set_principal_disabled(who, Some(at(3)))?;
            held.push(able(4)?);
            Ok(held)
        });
        assert_eq!(held.await.unwrap(), [vec![], vec![], vec![who], vec![], vec![]]);
    }
}
