//! Credentials: issued, listed, revoked. A secret is shown once, to whoever had it made.

use serde_json::json;
use zeroize::Zeroizing;

use super::{Credential, event, find, is_powerful, keeping_an_admin};
use crate::app::{App, Caller, Error, Kind, system};
use crate::domain::access::{CredentialKind, Permission, secret};
use crate::domain::clock::Timestamp;
use crate::domain::id::Handle;
use crate::domain::invalid::Invalid;

/// What a new credential is made of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Material {
    /// A generated bearer secret.
    ApiKey,
    /// A generated password for the principal's name.
    Basic,
    /// SHA-256 of the DER of a TLS client certificate.
    ClientCertificate([u8; 32]),
    /// A user of the machine.
    Uid(u32),
}

/// A credential that was just made.
pub struct Issued {
    /// As it is kept.
    pub credential: Credential,
    /// The secret, if it has one: shown now and never again.
    pub secret: Option<Zeroizing<String>>,
}

impl App {
    /// Credentials, those revoked included, oldest first; of one principal, by handle or name, if one
    /// is given. Who may not see them all sees his own.
    ///
    /// # Errors
    /// [`Kind::Denied`] for somebody else's; no such principal.
    pub async fn credentials(&self, caller: &Caller, of: Option<String>) -> Result<Vec<Credential>, Error> {
        let caller = caller.clone();
        self.0
            .store
            .read(move |view| {
                let sees_all = caller.may(Permission::AccessRead);
                let wanted = match of {
                    Some(reference) if sees_all => Some(find(view, &reference)?.handle),
                    Some(reference) => {
                        let own = view.principal(caller.principal)?;
                        let is_own = own
                            .is_some_and(|own| own.name == reference || own.handle.to_string() == reference);
                        if !is_own {
                            return Err(denied("credentials of another principal", Permission::AccessRead));
                        }
                        Some(caller.principal)
                    }
                    None if sees_all => None,
                    None => Some(caller.principal),
                };
                Ok(view.credentials(wanted)?)
            })
            .await
    }

    /// Issues a credential. Who may not manage access makes API keys and Basic secrets for himself,
    /// which expire no later than the credential that he does it with.
    ///
    /// # Errors
    /// [`Kind::Denied`] for somebody else or beyond that expiry; [`Kind::Invalid`] for an expiry in
    /// the past; [`Kind::Refused`] for a uid that may not be mapped; [`Kind::Conflict`] for a
    /// certificate or uid that is registered.
    pub async fn issue_credential(
        &self,
        caller: &Caller,
        principal: String,
        material: Material,
        expires_at: Option<Timestamp>,
    ) -> Result<Issued, Error> {
        let now = self.now();
        if expires_at.is_some_and(|at| at <= now) {
            return Err(Invalid::new("expires_at", "must be in the future").into());
        }
        if let Material::Uid(uid) = material {
            refuse_powerful(uid)?;
        }
        let (caller, handle) = (caller.clone(), self.new_handle()?);
        let (mut credential, secret) = made(material, handle, now)?;
        credential.expires_at = expires_at;
        let credential = self
            .change_access(move |tx| {
                credential.principal = find(tx, &principal)?.handle;
                if !caller.may(Permission::AccessManage) {
                    let used = tx.credential(caller.credential)?.and_then(|used| used.expires_at);
                    must_be_a_rotation(&caller, &credential, used)?;
                }
                tx.insert_credential(&credential)?;
                let detail = json!({
                    "credential": handle.to_string(), "kind": credential.kind.as_str(),
                    "hint": credential.hint, "expires_at": expires_at,
                });
                let issued = event("credential.issued", credential.principal, detail);
                tx.append_audit(&caller.actor(), now, &issued)?;
                Ok(credential)
            })
            .await?;
        Ok(Issued { credential, secret })
    }

    /// Revokes a credential, at once: the next request with it is refused. Everybody may revoke his
    /// own.
    ///
    /// # Errors
    /// [`Kind::NotFound`] also for somebody else's, without the right to manage access;
    /// [`Kind::Conflict`] when it is revoked already or the last of the last admin.
    pub async fn revoke_credential(&self, caller: &Caller, handle: Handle) -> Result<Credential, Error> {
        let (caller, now) = (caller.clone(), self.now());
        self.change_access(move |tx| {
            let visible = |credential: &Credential| {
                credential.principal == caller.principal || caller.may(Permission::AccessManage)
            };
            let mut credential = tx
                .credential(handle)?
                .filter(visible)
                .ok_or_else(|| Error::not_found("credential", handle))?;
            if !keeping_an_admin(tx, now, || Ok(tx.revoke_credential(handle, now)?))? {
                let message = format!("credential {handle} is revoked already");
                return Err(Error::new(Kind::Conflict, "credential.revoked", message));
            }
            let detail = json!({ "credential": handle.to_string(), "kind": credential.kind.as_str() });
            let revoked = event("credential.revoked", credential.principal, detail);
            tx.append_audit(&caller.actor(), now, &revoked)?;
            credential.revoked_at = Some(now);
            Ok(credential)
        })
        .await
    }
}

/// A credential of that material, with its secret if one is generated; whose it is comes later.
pub(super) fn made(
    material: Material,
    handle: Handle,
    now: Timestamp,
) -> Result<(Credential, Option<Zeroizing<String>>), Error> {
    let (kind, verifier) = match material {
        Material::ApiKey => (CredentialKind::ApiKey, Vec::new()),
        Material::Basic => (CredentialKind::Basic, Vec::new()),
        Material::ClientCertificate(sha256) => (CredentialKind::ClientCertificate, sha256.to_vec()),
        Material::Uid(uid) => (CredentialKind::Uid, uid.to_be_bytes().to_vec()),
    };
    let random = Zeroizing::new(system::random()?);
    let secret = secret::prefix(kind).map(|prefix| secret::text(prefix, &random));
    let credential = Credential {
        handle,
        principal: handle,
        kind,
        verifier: secret.as_ref().map_or(verifier, |secret| secret::verifier(secret).to_vec()),
        hint: secret.as_ref().map(|secret| secret::hint(secret)),
        from_file: false,
        created_at: now,
        expires_at: None,
        revoked_at: None,
        last_used_at: None,
    };
    Ok((credential, secret))
}

fn refuse_powerful(uid: u32) -> Result<(), Error> {
    if !is_powerful(uid) {
        return Ok(());
    }
    let message = format!("uid {uid} is root's or the service's own and stands for no principal");
    Err(Error::new(Kind::Refused, "credential.uid", message))
}

fn must_be_a_rotation(caller: &Caller, new: &Credential, used: Option<Timestamp>) -> Result<(), Error> {
    let generated = matches!(new.kind, CredentialKind::ApiKey | CredentialKind::Basic);
    if new.principal != caller.principal || !generated {
        return Err(denied("a credential other than a secret of your own", Permission::AccessManage));
    }
    match (used, new.expires_at) {
        (Some(limit), None) => Err(beyond(limit)),
        (Some(limit), Some(wanted)) if wanted > limit => Err(beyond(limit)),
        _ => Ok(()),
    }
}

fn beyond(limit: Timestamp) -> Error {
    denied(&format!("an expiry after {limit}, when the credential in use expires,"), Permission::AccessManage)
}

fn denied(what: &str, permission: Permission) -> Error {
    Error::new(Kind::Denied, "access.denied", format!("{what} needs the permission {permission}"))
}
