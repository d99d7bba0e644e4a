//! Revocations, and the list of them: made anew when something changes and before it runs out, kept in the index,
//! and served from there.

use serde_json::json;

use super::sign::{builder_failed, certificate_event, issuing};
use super::{authority_of, issued_of};
use crate::app::{App, Caller, Error, Kind, failpoint};
use crate::domain::audit::{Actor, Event};
use crate::domain::authority::State;
use crate::domain::certificate::{Issued, IssuedState, Serial};
use crate::domain::clock::Timestamp;
use crate::domain::crl::{self, CrlSpec, Reason};
use crate::domain::csr;
use crate::domain::id::Handle;
use crate::store::CrlFacts;

/// A revocation list as it is served.
#[derive(Clone, Debug)]
pub struct ServedCrl {
    /// What is known of it.
    pub facts: CrlFacts,
    /// Milliseconds until its next update.
    pub fresh_for: i64,
    /// Its DER; `None` when the caller has it already.
    pub der: Option<Vec<u8>>,
}

impl App {
    /// Revokes a certificate and makes a new list. The revocation stands even when the list cannot be signed now:
    /// then it is made as soon as the token can.
    ///
    /// # Errors
    /// [`Kind::NotFound`]; [`Kind::Conflict`] when it was never issued, or is revoked already.
    pub async fn revoke_certificate(
        &self,
        caller: &Caller,
        authority: Handle,
        serial: Serial,
        reason: Reason,
    ) -> Result<Issued, Error> {
        let (caller, now) = (caller.clone(), self.now());
        let revoked: Result<Issued, Error> = self
            .0
            .store
            .write(move |tx| {
                let issued = issued_of(tx, caller.tenant, authority, serial)?;
                if issued.state != IssuedState::Issued {
                    let message = format!("certificate {serial} is {} and cannot be revoked", issued.state);
                    return Err(Error::new(Kind::Conflict, "certificate.state", message));
                }
                tx.revoke_issued(&issued, now, reason)?;
                let detail = json!({ "reason": reason });
                let event = certificate_event("certificate.revoked", &issued, detail);
                tx.append_audit(&caller.actor(), now, &event)?;
                Ok(Issued { state: IssuedState::Revoked, revoked: Some((now, reason)), ..issued })
            })
            .await;
        failpoint::reached("revoke-after");
        let revoked = revoked?;
        self.refresh_crl_soon(authority).await;
        Ok(revoked)
    }

    /// The newest list of an authority, for everybody. `known`: the SHA-256 of the one that the caller has.
    ///
    /// # Errors
    /// [`Kind::NotFound`] when there is none, or the index cannot be read.
    pub async fn crl(&self, authority: Handle, known: &[[u8; 32]]) -> Result<ServedCrl, Error> {
        let (known, now) = (known.to_vec(), self.now());
        self.0
            .store
            .read(move |view| {
                let none = || Error::not_found("revocation list of authority", authority);
                let facts = view.crl_facts(authority)?.ok_or_else(none)?;
                let fresh_for = facts.next_update.as_millis().saturating_sub(now.as_millis()).max(0);
                let der = match known.contains(&facts.sha256) {
                    true => None,
                    false => Some(view.crl(authority)?.ok_or_else(none)?),
                };
                Ok(ServedCrl { facts, fresh_for, der })
            })
            .await
    }

    /// The newest list of an authority of the caller's tenant.
    ///
    /// # Errors
    /// As for [`App::crl`].
    pub async fn own_crl(&self, caller: &Caller, authority: Handle) -> Result<ServedCrl, Error> {
        let tenant = caller.tenant;
        self.0.store.read(move |view| authority_of(view, tenant, authority)).await?;
        self.crl(authority, &[]).await
    }

    /// Makes a list if one is due; what stands in the way is told in the log.
    pub(super) async fn refresh_crl_soon(&self, authority: Handle) {
        if let Err(error) = self.refresh_crl(authority).await {
            tracing::warn!(%authority, %error, "the revocation list cannot be made now");
        }
    }

    /// Makes a list if there is none, if there were revocations since, or if a quarter of its time is left.
    pub(super) async fn refresh_crl(&self, authority: Handle) -> Result<(), Error> {
        let turn = self.0.work.crl_turn(authority);
        // Whoever waits here finds the list of the one before him, which has his revocation on it.
        let _turn = turn.lock().await;
        let (now, lifetime) = (self.now(), self.0.authorities.crl_lifetime);
        let due: Result<bool, Error> = self
            .0
            .store
            .read(move |view| {
                let issues = view.authority(authority)?.is_some_and(|authority| {
                    matches!(authority.state, State::Active | State::Disabled) && authority.version.is_some()
                });
                let revocations = view.revocations(authority)?;
                let is_fresh = view.crl_facts(authority)?.is_some_and(|facts| {
                    facts.revocations == revocations && now.plus_millis(lifetime / 4) < facts.next_update
                });
                Ok(issues && !is_fresh)
            })
            .await;
        if due? { self.make_crl(authority).await } else { Ok(()) }
    }

    async fn make_crl(&self, authority: Handle) -> Result<(), Error> {
        let (now, lifetime) = (self.now().whole_second(), self.0.authorities.crl_lifetime);
        // Given out before the token is asked: no two lists ever have one number, though one may be missing.
        let number: u64 =
            self.0.store.write(move |tx| Ok::<_, Error>(tx.next_crl_number(authority)?)).await?;
        failpoint::reached("crl-number-after");
        let gathered: Result<_, Error> = self
            .0
            .store
            .read(move |view| {
                let issuing = issuing(view, authority)?;
                let before = view.crl_facts(authority)?.map(|facts| facts.this_update);
                Ok((issuing, view.revocations(authority)?, view.revoked(authority, before)?))
            })
            .await;
        let (issuing, revocations, revoked) = gathered?;
        let spec = CrlSpec {
            issuer: issuing.issuer.name.clone(),
            authority_key_id: issuing.issuer.key_id.clone(),
            number,
            this_update: now,
            next_update: now.plus_millis(lifetime).whole_second(),
            revoked,
        };
        let scheme = issuing.authority.scheme;
        let token = self.token(&issuing.key.token)?;
        // A long list is worked on for a while: not in a thread that serves others.
        let (spec, tbs) = blocking(move || {
            let tbs = crl::to_be_signed(&spec, scheme).map_err(builder_failed);
            (spec, tbs)
        })
        .await?;
        let tbs = tbs?;
        let signature = token.sign(issuing.key.id, scheme, tbs.clone()).await?;
        let spki = issuing.key.spki.clone();
        let (spec, der, checked) = blocking(move || {
            let der = csr::assemble(&tbs, scheme, &signature);
            let checked = match &der {
                Ok(der) => crl::check(der, &spec, scheme, &spki),
                Err(_) => Ok(()),
            };
            (spec, der, checked)
        })
        .await?;
        let der = der.map_err(builder_failed)?;
        self.released(&issuing.key, checked).await?;
        failpoint::reached("crl-sign-after");
        self.record_crl(authority, &spec, revocations, der).await
    }

    async fn record_crl(
        &self,
        authority: Handle,
        spec: &CrlSpec,
        revocations: i64,
        der: Vec<u8>,
    ) -> Result<(), Error> {
        let facts = CrlFacts {
            authority,
            number: spec.number,
            this_update: spec.this_update,
            next_update: spec.next_update,
            entries: spec.revoked.len(),
            revocations,
            sha256: [0; 32],
        };
        let event = crl_event(&facts);
        let now: Timestamp = self.now();
        self.0
            .store
            .write(move |tx| {
                if tx.put_crl(&facts, &der)? {
                    tx.append_audit(&Actor::System, now, &event)?;
                }
                Ok(())
            })
            .await
    }
}

fn crl_event(facts: &CrlFacts) -> Event {
    Event {
        action: "authority.crl-made",
        subject: facts.authority.to_string(),
        detail: json!({
            "number": facts.number,
            "entries": facts.entries,
            "next_update": facts.next_update,
        }),
    }
}

async fn blocking<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Result<T, Error> {
    tokio::task::spawn_blocking(work)
        .await
        .map_err(|error| Error::bug(format!("making a revocation list failed: {error}")))
}
