//! The API key beside the database: what the CLI on the machine shows, so that an installation works
//! before there are principals. It belongs to the principal `operator`, who looks, asks for CSRs and
//! runs tokens, and who neither approves nor manages access.

use std::path::Path;

use serde_json::json;
use zeroize::Zeroizing;

use super::{Error, private_file};
use crate::domain::access::{CredentialKind, FILE_PRINCIPAL, Grant, PrincipalKind, Role, secret};
use crate::domain::audit::{Actor, Event};
use crate::domain::clock::{Clock, Timestamp};
use crate::domain::id::Handle;
use crate::store::{self, Credential, Principal, Store, Tx};

/// What it may do when it is made, in the whole appliance; an admin may change that.
const ROLES: [Role; 4] = [Role::Reader, Role::Requester, Role::Operator, Role::Auditor];

/// Reads the key file, or makes one where there is none, and sees to it that its key counts and one
/// that it held before does not. A key that was revoked stays so.
///
/// # Errors
/// The file is malformed or open to others, or the index cannot be written.
pub async fn register(store: &Store, path: &Path, clock: &dyn Clock) -> Result<(), Error> {
    let secret = match read(path)? {
        Some(secret) => secret,
        None => make(path)?,
    };
    let (verifier, hint) = (secret::verifier(&secret).to_vec(), secret::hint(&secret));
    let now = clock.now();
    let mut random = [[0; 10]; 2];
    for bytes in &mut random {
        getrandom::fill(bytes).map_err(|error| Error::Random(error.to_string()))?;
    }
    let [for_principal, for_key] = random.map(|bytes| Handle::new(now, bytes));
    let known: Result<bool, store::Error> = store
        .write(move |tx| {
            let principal = operator(tx, for_principal, now)?;
            let ours = |credential: &Credential| credential.from_file && credential.verifier == verifier;
            revoke_others(tx, now, ours)?;
            if let Some(known) = tx.credentials(Some(principal))?.into_iter().find(ours) {
                return Ok(known.revoked_at.is_none());
            }
            tx.insert_credential(&Credential {
                handle: for_key,
                principal,
                kind: CredentialKind::ApiKey,
                verifier,
                hint: Some(hint),
                from_file: true,
                created_at: now,
                expires_at: None,
                revoked_at: None,
                last_used_at: None,
            })?;
            tx.append_audit(&Actor::System, now, &event("api-key.registered", for_key))?;
            Ok(true)
        })
        .await;
    if !known? {
        tracing::warn!(file = %path.display(), "the API key in this file was revoked and stays so");
    }
    Ok(())
}

/// Lets no key of a file count: the configuration has switched it off.
///
/// # Errors
/// The index cannot be written.
pub async fn revoke(store: &Store, clock: &dyn Clock) -> Result<(), Error> {
    let now = clock.now();
    let revoked: Result<(), store::Error> = store.write(move |tx| revoke_others(tx, now, |_| false)).await;
    Ok(revoked?)
}

fn operator(tx: &Tx, new: Handle, now: Timestamp) -> Result<Handle, store::Error> {
    if let Some(principal) = tx.principal_by_name(FILE_PRINCIPAL)? {
        return Ok(principal.handle);
    }
    let (name, kind) = (FILE_PRINCIPAL.to_owned(), PrincipalKind::Service);
    tx.insert_principal(&Principal { handle: new, name, kind, created_at: now, disabled_at: None })?;
    for role in ROLES {
        tx.insert_grant(new, Grant { tenant: None, role }, now)?;
    }
    let created = Event {
        action: "principal.created",
        subject: new.to_string(),
        detail: json!({ "name": FILE_PRINCIPAL, "kind": kind.as_str(), "roles": ROLES.map(Role::as_str) }),
    };
    tx.append_audit(&Actor::System, now, &created)?;
    Ok(new)
}

fn revoke_others(tx: &Tx, now: Timestamp, stays: impl Fn(&Credential) -> bool) -> Result<(), store::Error> {
    let of_files = tx.unrevoked_credentials()?.into_iter().filter(|credential| credential.from_file);
    for other in of_files.filter(|credential| !stays(credential)) {
        tx.revoke_credential(other.handle, now)?;
        tx.append_audit(&Actor::System, now, &event("api-key.revoked", other.handle))?;
    }
    Ok(())
}

/// Reads an API key file; `None` when there is no such file.
fn read(path: &Path) -> Result<Option<Zeroizing<String>>, Error> {
    let Some(bytes) = private_file::read(path)? else { return Ok(None) };
    let key = std::str::from_utf8(&bytes).unwrap_or_default().trim();
    if !secret::is_api_key(key) {
        return Err(Error::Malformed { path: path.to_owned() });
    }
    Ok(Some(Zeroizing::new(key.to_owned())))
}

fn make(path: &Path) -> Result<Zeroizing<String>, Error> {
    let mut bytes = Zeroizing::new([0; 32]);
    getrandom::fill(bytes.as_mut()).map_err(|error| Error::Random(error.to_string()))?;
    let prefix = secret::prefix(CredentialKind::ApiKey).unwrap_or_default();
    let secret = secret::text(prefix, &bytes);
    let line = Zeroizing::new(format!("{}\n", secret.as_str()));
    private_file::make(path, line.as_bytes())?;
    Ok(secret)
}

fn event(action: &'static str, key: Handle) -> Event {
    Event { action, subject: key.to_string(), detail: json!({}) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::{MetadataExt, PermissionsExt};

    #[test]
    fn a_made_key_file_is_private_and_reads_back() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("api-key");
        assert!(read(&path).unwrap().is_none());
        let secret = make(&path).unwrap();
        assert_eq!(std::fs::metadata(&path).unwrap().mode() & 0o777, 0o600);
        assert_eq!(read(&path).unwrap().unwrap(), secret);
    }

    #[test]
    fn an_open_or_malformed_key_file_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("api-key");
        make(&path).unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o640)).unwrap();
        assert!(matches!(read(&path), Err(Error::Open { .. })));
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600)).unwrap();
        std::fs::write(&path, "srk_short").unwrap();
        assert!(matches!(read(&path), Err(Error::Malformed { .. })));
    }
}
