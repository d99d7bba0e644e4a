//! The first admin, made by whoever owns the machine while nobody manages access.

use serde_json::json;

use super::credentials::{Issued, Material, made};
use super::{Principal, PrincipalView, event, is_powerful, with_grants};
use crate::app::{App, Error, Kind};
use crate::domain::access::{self, Grant, PrincipalKind, Role};
use crate::domain::audit::Actor;

impl App {
    /// Makes a person with the role admin in the whole appliance and an API key; only while no
    /// enabled principal with a credential in force has that role. `uid` is whom the Unix socket
    /// tells: root's or the service's own.
    ///
    /// # Errors
    /// [`Kind::Denied`] for another uid; [`Kind::Conflict`] when there is an admin, or the name is
    /// taken.
    pub async fn bootstrap(&self, uid: u32, name: String) -> Result<(PrincipalView, Issued), Error> {
        if !is_powerful(uid) {
            let message = "only root and the service's own user make the first admin";
            return Err(Error::new(Kind::Denied, "access.denied", message));
        }
        access::check_principal_name(&name)?;
        let (actor, now, handle) = (Actor::Uid(uid), self.now(), self.new_handle()?);
        let kind = PrincipalKind::Person;
        let principal = Principal { handle, name, kind, created_at: now, disabled_at: None };
        let (mut credential, secret) = made(Material::ApiKey, self.new_handle()?, now)?;
        credential.principal = handle;
        let (principal, credential) = self
            .change_access(move |tx| {
                if !tx.able_holders(Role::Admin, now)?.is_empty() {
                    let message = "there is an admin, who can make others";
                    return Err(Error::new(Kind::Conflict, "access.admin-exists", message));
                }
                tx.insert_principal(&principal)?;
                tx.insert_grant(handle, Grant { tenant: None, role: Role::Admin }, now)?;
                tx.insert_credential(&credential)?;
                let detail = json!({
                    "name": principal.name, "role": Role::Admin.as_str(),
                    "credential": credential.handle.to_string(), "hint": credential.hint,
                });
                tx.append_audit(&actor, now, &event("principal.bootstrapped", handle, detail))?;
                Ok((with_grants(tx, principal)?, credential))
            })
            .await?;
        Ok((principal, Issued { credential, secret }))
    }
}
