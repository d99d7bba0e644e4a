//! Who may do what: principals, what they are granted, and tenants. Their credentials are in
//! [`credentials`].
//!
//! Nobody grants to himself, and the last admin stays one: both are looked at in the transaction
//! that makes the change.

mod bootstrap;
pub mod credentials;

use std::sync::atomic::Ordering;

use serde_json::json;

use super::{App, Caller, Error, Kind};
use crate::domain::access::{self, Grant, PrincipalKind, Role, TenantId};
use crate::domain::audit::Event;
use crate::domain::clock::Timestamp;
use crate::domain::id::Handle;
pub use crate::store::{Credential, Principal, Tenant};
use crate::store::{Tx, View};

/// A principal with all that it was granted, each with the name of its tenant.
#[derive(Clone, Debug)]
pub struct PrincipalView {
    /// The principal.
    pub principal: Principal,
    /// Role and tenant; `None`: in the whole appliance.
    pub grants: Vec<(Role, Option<String>)>,
}

impl App {
    /// Counts the changes of who may do what: what was read under a lower number is out of date.
    pub fn access_version(&self) -> u64 {
        self.0.access_version.load(Ordering::Acquire)
    }

    /// Every principal, by name.
    ///
    /// # Errors
    /// The index cannot be read.
    pub async fn principals(&self) -> Result<Vec<PrincipalView>, Error> {
        let read = |view: &View| {
            let (tenants, grants) = (view.tenants()?, view.grants()?);
            let all = view.principals()?.into_iter();
            Ok(all.map(|principal| shown(principal, &tenants, &grants)).collect())
        };
        self.0.store.read(read).await
    }

    /// The principal of that handle or name.
    ///
    /// # Errors
    /// [`Kind::NotFound`], or the index cannot be read.
    pub async fn principal(&self, reference: String) -> Result<PrincipalView, Error> {
        self.0.store.read(move |view| with_grants(view, find(view, &reference)?)).await
    }

    /// Enters a principal; it may do nothing yet.
    ///
    /// # Errors
    /// [`Kind::Invalid`] for a bad name, [`Kind::Conflict`] for one that is taken.
    pub async fn create_principal(
        &self,
        caller: &Caller,
        name: String,
        kind: PrincipalKind,
    ) -> Result<PrincipalView, Error> {
        access::check_principal_name(&name)?;
        let (actor, now, handle) = (caller.actor(), self.now(), self.new_handle()?);
        let principal = Principal { handle, name, kind, created_at: now, disabled_at: None };
        self.change_access(move |tx| {
            tx.insert_principal(&principal)?;
            let detail = json!({ "name": principal.name, "kind": kind.as_str() });
            tx.append_audit(&actor, now, &event("principal.created", handle, detail))?;
            with_grants(tx, principal)
        })
        .await
    }

    /// Lets a principal's credentials count, or not. At once: with the next request.
    ///
    /// # Errors
    /// [`Kind::Conflict`] when the appliance would be left without an admin.
    pub async fn set_principal_enabled(
        &self,
        caller: &Caller,
        reference: String,
        enabled: bool,
    ) -> Result<PrincipalView, Error> {
        let (actor, now) = (caller.actor(), self.now());
        self.change_access(move |tx| {
            let mut principal = find(tx, &reference)?;
            if principal.disabled_at.is_none() != enabled {
                principal.disabled_at = (!enabled).then_some(now);
                keeping_an_admin(tx, now, || {
                    Ok(tx.set_principal_disabled(principal.handle, principal.disabled_at)?)
                })?;
                let action = if enabled { "principal.enabled" } else { "principal.disabled" };
                tx.append_audit(&actor, now, &event(action, principal.handle, json!({})))?;
            }
            with_grants(tx, principal)
        })
        .await
    }

    /// Grants a role in a tenant, or in the whole appliance. Granted already, it changes nothing.
    ///
    /// # Errors
    /// [`Kind::Denied`] when it is for the caller himself; no such principal or tenant.
    pub async fn grant(
        &self,
        caller: &Caller,
        reference: String,
        role: Role,
        tenant: Option<String>,
    ) -> Result<PrincipalView, Error> {
        let (caller, now) = (caller.clone(), self.now());
        self.change_access(move |tx| {
            let principal = find(tx, &reference)?;
            if principal.handle == caller.principal {
                let message = "nobody grants to himself; another admin can";
                return Err(Error::new(Kind::Denied, "access.self-grant", message));
            }
            let grant = Grant { tenant: tenant_id(tx, tenant.as_deref())?, role };
            if tx.insert_grant(principal.handle, grant, now)? {
                let detail = json!({ "role": role.as_str(), "tenant": tenant });
                tx.append_audit(&caller.actor(), now, &event("grant.added", principal.handle, detail))?;
            }
            with_grants(tx, principal)
        })
        .await
    }

    /// Takes a granted role back.
    ///
    /// # Errors
    /// [`Kind::NotFound`] when it was not granted; [`Kind::Conflict`] when the appliance would be
    /// left without an admin.
    pub async fn revoke_grant(
        &self,
        caller: &Caller,
        reference: String,
        role: Role,
        tenant: Option<String>,
    ) -> Result<PrincipalView, Error> {
        let (actor, now) = (caller.actor(), self.now());
        self.change_access(move |tx| {
            let principal = find(tx, &reference)?;
            let grant = Grant { tenant: tenant_id(tx, tenant.as_deref())?, role };
            let removed = keeping_an_admin(tx, now, || Ok(tx.delete_grant(principal.handle, grant)?))?;
            if !removed {
                return Err(Error::not_found("such grant:", role));
            }
            let detail = json!({ "role": role.as_str(), "tenant": tenant });
            tx.append_audit(&actor, now, &event("grant.removed", principal.handle, detail))?;
            with_grants(tx, principal)
        })
        .await
    }

    /// Every tenant, by name.
    ///
    /// # Errors
    /// The index cannot be read.
    pub async fn tenants(&self) -> Result<Vec<Tenant>, Error> {
        self.0.store.read(|view| Ok(view.tenants()?)).await
    }

    /// Enters a tenant.
    ///
    /// # Errors
    /// [`Kind::Invalid`] for a bad name, [`Kind::Conflict`] for one that is taken.
    pub async fn create_tenant(&self, caller: &Caller, name: String) -> Result<Tenant, Error> {
        access::check_tenant_name(&name)?;
        let (actor, now) = (caller.actor(), self.now());
        self.change_access(move |tx| {
            tx.insert_tenant(&name, now)?;
            let created =
                Event { action: "tenant.created", subject: name.clone(), detail: json!({ "name": name }) };
            tx.append_audit(&actor, now, &created)?;
            tx.tenant_by_name(&name)?.ok_or_else(|| Error::bug("a tenant that was entered is not there"))
        })
        .await
    }

    /// A change of who may do what. The version goes up whatever came of it: a failed commit may
    /// still have reached the disk.
    async fn change_access<T: Send + 'static>(
        &self,
        change: impl FnOnce(&Tx) -> Result<T, Error> + Send + 'static,
    ) -> Result<T, Error> {
        let changed = self.0.store.write(change).await;
        self.0.access_version.fetch_add(1, Ordering::AcqRel);
        changed
    }
}

/// Whether that is root's uid or the service's own. Both can read the database and the tokens' PINs: what
/// they do over the socket would look like a principal's act.
pub fn is_powerful(uid: u32) -> bool {
    uid == 0 || uid == rustix::process::geteuid().as_raw()
}

/// Undoes a change (by its error) after which nobody could manage access.
fn keeping_an_admin<T>(
    tx: &Tx,
    now: Timestamp,
    change: impl FnOnce() -> Result<T, Error>,
) -> Result<T, Error> {
    let before = tx.able_holders(Role::Admin, now)?;
    let changed = change()?;
    if !before.is_empty() && tx.able_holders(Role::Admin, now)?.is_empty() {
        let message = "this would leave the appliance without an admin; grant the role `admin` to another \
                       principal with a credential first";
        return Err(Error::new(Kind::Conflict, "access.last-admin", message));
    }
    Ok(changed)
}

/// By handle or name.
fn find(view: &View, reference: &str) -> Result<Principal, Error> {
    let found = match reference.parse() {
        Ok(handle) => view.principal(handle)?,
        Err(_) => view.principal_by_name(reference)?,
    };
    found.ok_or_else(|| Error::not_found("principal", reference))
}

fn tenant_id(view: &View, name: Option<&str>) -> Result<Option<TenantId>, Error> {
    let Some(name) = name else { return Ok(None) };
    let tenant = view.tenant_by_name(name)?.ok_or_else(|| Error::not_found("tenant", name))?;
    Ok(Some(tenant.id))
}

fn with_grants(view: &View, principal: Principal) -> Result<PrincipalView, Error> {
    Ok(shown(principal, &view.tenants()?, &view.grants()?))
}

fn shown(principal: Principal, tenants: &[Tenant], grants: &[(Handle, Grant)]) -> PrincipalView {
    let name = |id: TenantId| tenants.iter().find(|tenant| tenant.id == id).map(|tenant| tenant.name.clone());
    let grants = grants.iter().filter(|(holder, _)| *holder == principal.handle);
    let grants = grants.map(|(_, grant)| (grant.role, grant.tenant.and_then(name))).collect();
    PrincipalView { principal, grants }
}

fn event(action: &'static str, subject: Handle, detail: serde_json::Value) -> Event {
    Event { action, subject: subject.to_string(), detail }
}
