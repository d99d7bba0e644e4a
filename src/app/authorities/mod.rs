//! Certification authorities whose keys are in the token.
//!
//! What an authority signs is recorded before the token is asked ([`sign`]), so that no certificate is signed
//! and then forgotten; what an interruption leaves is settled by the reconciliation ([`settle`]).
//!
//! - [`make`]: a root, or an intermediate and its CSR
//! - [`certify`]: the certificate of an intermediate comes back; renewals
//! - [`issue`]: from a client's CSR, for a signing request, for a CA below
//! - [`revoke`]: revocations and the list of them

mod certify;
mod issue;
mod make;
mod revoke;
mod settle;
mod sign;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, PoisonError};

pub use certify::Renewal;
pub use issue::{FromCsr, IntermediateWish, IssueUnder, IssuedChain};
pub use make::NewAuthority;
pub use revoke::ServedCrl;

use super::{App, Caller, Error, Kind};
use crate::domain::access::TenantId;
use crate::domain::audit::Actor;
use crate::domain::authority::{Authority, Command, Conflict, State};
use crate::domain::certificate::{Issued, IssuedPurpose, IssuerUrls, Serial};
use crate::domain::clock::Timestamp;
use crate::domain::id::Handle;
use crate::store::{AuthorityCertificate, CrlFacts, Page, Tx, View};

/// What the configuration says of authorities.
#[derive(Clone, Debug)]
pub struct AuthorityRules {
    /// Where revocation lists and the certificates of authorities are fetched over HTTP, without a slash at the
    /// end; `None`: certificates say nothing of it.
    pub public_url: Option<String>,
    /// Milliseconds from a revocation list to the next one at the latest.
    pub crl_lifetime: i64,
}

/// What this process is working on of authorities: the reconciliation leaves it alone.
#[derive(Default)]
pub(super) struct Work {
    claimed: Mutex<BTreeSet<Handle>>,
    crl_turns: Mutex<BTreeMap<Handle, Arc<tokio::sync::Mutex<()>>>>,
}

/// The right to work on an authority that is being made, or on a certificate. Given up when dropped.
struct Claim<'a> {
    work: &'a Work,
    handle: Handle,
}

impl Work {
    /// `None` when somebody works on it.
    fn claim(&self, handle: Handle) -> Option<Claim<'_>> {
        let mut claimed = self.claimed.lock().unwrap_or_else(PoisonError::into_inner);
        claimed.insert(handle).then_some(Claim { work: self, handle })
    }

    /// One list of an authority is made at a time.
    fn crl_turn(&self, authority: Handle) -> Arc<tokio::sync::Mutex<()>> {
        let mut turns = self.crl_turns.lock().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(turns.entry(authority).or_default())
    }
}

impl Drop for Claim<'_> {
    fn drop(&mut self) {
        self.work.claimed.lock().unwrap_or_else(PoisonError::into_inner).remove(&self.handle);
    }
}

/// An authority as it is shown.
#[derive(Clone, Debug)]
pub struct AuthorityView {
    /// The authority.
    pub authority: Authority,
    /// All certificates that it has, or had, of its own, oldest first.
    pub certificates: Vec<AuthorityCertificate>,
    /// Its newest revocation list.
    pub crl: Option<CrlFacts>,
    /// Where its revocation list and its certificate are fetched.
    pub urls: IssuerUrls,
}

impl App {
    /// The authority with that handle, if it is of the caller's tenant.
    ///
    /// # Errors
    /// [`Kind::NotFound`], or the index cannot be read.
    pub async fn authority(&self, caller: &Caller, handle: Handle) -> Result<AuthorityView, Error> {
        let (app, tenant) = (self.clone(), caller.tenant);
        self.0.store.read(move |view| app.view_of(view, authority_of(view, tenant, handle)?)).await
    }

    /// Of some tenants, the one whose authority it is.
    ///
    /// # Errors
    /// [`Kind::NotFound`] when it is none of theirs, or the index cannot be read.
    pub async fn tenant_of_authority(&self, handle: Handle, among: &[TenantId]) -> Result<TenantId, Error> {
        let found: Result<_, Error> = self.0.store.read(move |view| Ok(view.authority(handle)?)).await;
        let tenant = found?.map(|authority| authority.tenant).filter(|tenant| among.contains(tenant));
        tenant.ok_or_else(|| Error::not_found("authority", handle))
    }

    /// The authority of the caller's tenant with that name, in whatever state but failed and deleted.
    ///
    /// # Errors
    /// [`Kind::NotFound`], or the index cannot be read.
    pub async fn authority_named(&self, caller: &Caller, name: &str) -> Result<Authority, Error> {
        let (tenant, name) = (caller.tenant, name.to_owned());
        let found: Result<_, Error> = {
            let name = name.clone();
            self.0.store.read(move |view| Ok(view.authority_by_name(tenant, &name)?)).await
        };
        found?.ok_or_else(|| Error::not_found("authority", name))
    }

    /// The authorities of the caller's tenant, oldest first; those that failed or were deleted are left out.
    ///
    /// # Errors
    /// The index cannot be read.
    pub async fn authorities(&self, caller: &Caller) -> Result<Vec<AuthorityView>, Error> {
        let (app, tenant) = (self.clone(), caller.tenant);
        self.0
            .store
            .read(move |view| {
                let all = view.authorities(tenant)?.into_iter().filter(|one| one.state.is_live());
                all.map(|authority| app.view_of(view, authority)).collect()
            })
            .await
    }

    /// A page of the certificates that an authority issued, newest first.
    ///
    /// # Errors
    /// [`Kind::NotFound`], or the index cannot be read.
    pub async fn issued_certificates(
        &self,
        caller: &Caller,
        authority: Handle,
        after: Option<Handle>,
        limit: usize,
    ) -> Result<Page<Issued>, Error> {
        let tenant = caller.tenant;
        self.0
            .store
            .read(move |view| {
                authority_of(view, tenant, authority)?;
                Ok(view.page_of_issued(authority, after, limit)?)
            })
            .await
    }

    /// A certificate that an authority issued, with the certificates above it.
    ///
    /// # Errors
    /// [`Kind::NotFound`], or the index cannot be read.
    pub async fn issued_certificate(
        &self,
        caller: &Caller,
        authority: Handle,
        serial: Serial,
    ) -> Result<IssuedChain, Error> {
        let tenant = caller.tenant;
        self.0
            .store
            .read(move |view| {
                let issued = issued_of(view, tenant, authority, serial)?;
                let chain = above(view, &issued)?;
                Ok(IssuedChain { issued, chain })
            })
            .await
    }

    /// The certificate of an authority that it issues with now, and those above it; for everybody.
    ///
    /// # Errors
    /// [`Kind::NotFound`] when there is none, or the index cannot be read.
    pub async fn authority_certificate(&self, handle: Handle) -> Result<AuthorityCertificate, Error> {
        self.0
            .store
            .read(move |view| {
                let authority = view.authority(handle)?.filter(|authority| authority.state != State::Failed);
                let version = authority.and_then(|authority| authority.version);
                let found = version.map(|version| view.authority_certificate(handle, version)).transpose()?;
                found.flatten().ok_or_else(|| Error::not_found("certificate of authority", handle))
            })
            .await
    }

    /// Has an authority issue nothing until it is enabled again.
    ///
    /// # Errors
    /// [`Kind::Conflict`] when it is not active.
    pub async fn disable_authority(&self, caller: &Caller, handle: Handle) -> Result<AuthorityView, Error> {
        self.change_authority(caller, handle, Command::Disable).await
    }

    /// Has a disabled authority issue again, what waited for it first.
    ///
    /// # Errors
    /// [`Kind::Conflict`] when it is not disabled.
    pub async fn enable_authority(&self, caller: &Caller, handle: Handle) -> Result<AuthorityView, Error> {
        let enabled = self.change_authority(caller, handle, Command::Enable).await?;
        self.issue_waiting_soon(handle);
        Ok(enabled)
    }

    /// Deletes an authority: it issues nothing more, its name is free, and its key may be destroyed. What it
    /// issued stays on record.
    ///
    /// # Errors
    /// [`Kind::Conflict`] while it is being made, or when it is deleted already.
    pub async fn delete_authority(&self, caller: &Caller, handle: Handle) -> Result<AuthorityView, Error> {
        self.change_authority(caller, handle, Command::Delete).await
    }

    async fn change_authority(
        &self,
        caller: &Caller,
        handle: Handle,
        command: Command,
    ) -> Result<AuthorityView, Error> {
        let (app, caller, now) = (self.clone(), caller.clone(), self.now());
        self.0
            .store
            .write(move |tx| {
                authority_of(tx, caller.tenant, handle)?;
                let authority = transition(tx, &caller.actor(), handle, [command], now)?;
                app.view_of(tx, authority)
            })
            .await
    }

    fn view_of(&self, view: &View, authority: Authority) -> Result<AuthorityView, Error> {
        let mut certificates = Vec::new();
        for version in 1..=view.newest_authority_version(authority.handle)? {
            certificates.extend(view.authority_certificate(authority.handle, version)?);
        }
        let crl = view.crl_facts(authority.handle)?;
        let urls = self.urls_of(authority.handle);
        Ok(AuthorityView { authority, certificates, crl, urls })
    }

    /// Where the revocation list and the certificate of an authority are fetched.
    pub(super) fn urls_of(&self, authority: Handle) -> IssuerUrls {
        let url = |kind: &str, ending: &str| {
            self.0.authorities.public_url.as_ref().map(|base| format!("{base}/{kind}/{authority}.{ending}"))
        };
        IssuerUrls { crl: url("crl", "crl"), certificate: url("ca", "cer") }
    }
}

/// A tenant's authority. Another tenant's is as if there were none.
fn authority_of(view: &View, tenant: TenantId, handle: Handle) -> Result<Authority, Error> {
    view.authority(handle)?
        .filter(|authority| authority.tenant == tenant)
        .ok_or_else(|| Error::not_found("authority", handle))
}

fn issued_of(view: &View, tenant: TenantId, authority: Handle, serial: Serial) -> Result<Issued, Error> {
    authority_of(view, tenant, authority)?;
    view.issued(authority, serial)?.ok_or_else(|| Error::not_found("certificate", serial))
}

/// The certificates above one that was issued: of the authority's own, that with which it was.
fn above(view: &View, issued: &Issued) -> Result<Vec<Vec<u8>>, Error> {
    if issued.purpose == IssuedPurpose::SelfSigned {
        return Ok(Vec::new());
    }
    let mut then = None;
    for version in 1..=view.newest_authority_version(issued.authority)? {
        let own = view.authority_certificate(issued.authority, version)?;
        then = own.filter(|own| own.at <= issued.created_at).or(then);
    }
    Ok(then.map(|own| std::iter::once(own.der).chain(own.chain).collect()).unwrap_or_default())
}

/// Applies `commands` to the authority as it is in this transaction, each with its audit record.
fn transition(
    tx: &Tx,
    actor: &Actor,
    handle: Handle,
    commands: impl IntoIterator<Item = Command>,
    now: Timestamp,
) -> Result<Authority, Error> {
    let mut authority = tx.authority(handle)?.ok_or_else(|| Error::not_found("authority", handle))?;
    for command in commands {
        let event;
        (authority, event) = authority.apply(command, now)?;
        tx.append_audit(actor, now, &event)?;
    }
    tx.update_authority(&authority)?;
    Ok(authority)
}

impl From<Conflict> for Error {
    fn from(conflict: Conflict) -> Self {
        Self::new(Kind::Conflict, "authority.state", conflict.to_string())
    }
}
