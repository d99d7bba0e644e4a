//! Who calls a use case, for whom, and what he may see.

use std::sync::Arc;

use super::Error;
use crate::domain::access::{Grants, Permission, TenantId};
use crate::domain::audit::Actor;
use crate::domain::id::Handle;
use crate::domain::key::Key;
use crate::domain::signing_request::SigningRequest;
use crate::store::View;

/// An authenticated principal, at work in one tenant. That he may do what he asks for was decided
/// before; whose things he sees is decided with it.
#[derive(Clone, Debug)]
pub struct Caller {
    /// Who.
    pub principal: Handle,
    /// By which credential.
    pub credential: Handle,
    /// For whom.
    pub tenant: TenantId,
    /// From where, such as `tcp 127.0.0.1:5000` or `unix uid 1000`: for the audit.
    pub origin: String,
    /// What he was granted.
    pub grants: Arc<Grants>,
}

impl Caller {
    /// Whether he has a permission in the tenant he is at work in.
    pub fn may(&self, permission: Permission) -> bool {
        self.grants.allow(permission, self.tenant)
    }

    /// How the audit names him.
    pub fn actor(&self) -> Actor {
        Actor::Principal { handle: self.principal, from: self.origin.clone() }
    }

    /// Whether the keys that belong to no tenant are shown to him.
    pub(super) fn sees_tenantless(&self) -> bool {
        self.may(Permission::TokenRead)
    }

    /// The signing request with that handle. Another tenant's is as if there were none.
    ///
    /// # Errors
    /// Not found, or the index cannot be read.
    pub(super) fn signing_request(&self, view: &View, handle: Handle) -> Result<SigningRequest, Error> {
        view.signing_request(handle)?
            .filter(|request| request.tenant == self.tenant)
            .ok_or_else(|| Error::not_found("signing request", handle))
    }

    /// The key with that handle. Another tenant's is as if there were none.
    ///
    /// # Errors
    /// Not found, or the index cannot be read.
    pub(super) fn key(&self, view: &View, handle: Handle) -> Result<Key, Error> {
        let visible = |key: &Key| match key.tenant {
            Some(tenant) => tenant == self.tenant,
            None => self.sees_tenantless(),
        };
        view.key(handle)?.filter(visible).ok_or_else(|| Error::not_found("key", handle))
    }
}
