//! What an interruption left of authorities on a token, settled by its reconciliation.
//!
//! | found | done |
//! |---|---|
//! | authority being made, without a key | its attempt cleared from the token, the authority `failed` |
//! | authority being made, with a key | its certificate or CSR signed |
//! | certificate that is recorded and not signed | signed from the record; abandoned when its authority issues no more |
//! | request that its authority has not issued for | issued |
//! | revocation list that is missing, out of date or runs out | made |

use super::Kind;
use crate::app::{App, Error, Token};
use crate::domain::audit::Actor;
use crate::domain::authority::{Authority, State};
use crate::domain::certificate::IssuedPurpose;
use crate::store::{Attempt, Intended};

impl App {
    /// # Errors
    /// The token or the index cannot be used now; what was done so far stands.
    pub(in crate::app) async fn settle_authorities(&self, token: &Token) -> Result<(), Error> {
        let name = token.name().to_owned();
        let found: Result<_, Error> = self
            .0
            .store
            .read(move |view| Ok((view.authorities_on(&name)?, view.open_attempts(&name)?)))
            .await;
        let (authorities, attempts) = found?;
        for authority in authorities {
            let attempt = attempts.iter().find(|attempt| attempt.authority == Some(authority.handle));
            let handle = authority.handle;
            skip_one(&handle, self.settle_making(token, authority.clone(), attempt).await)?;
            if matches!(authority.state, State::Failed | State::Deleted) {
                continue;
            }
            skip_one(&handle, self.settle_certificates_of(token, handle).await)?;
            skip_one(&handle, self.issue_waiting(handle).await)?;
            skip_one(&handle, self.refresh_crl(handle).await)?;
        }
        Ok(())
    }

    async fn settle_making(
        &self,
        token: &Token,
        authority: Authority,
        attempt: Option<&Attempt>,
    ) -> Result<(), Error> {
        if authority.state != State::Making && attempt.is_none() {
            return Ok(());
        }
        let handle = authority.handle;
        let Some(_claim) = self.0.work.claim(handle) else { return Ok(()) };
        // Read again under the claim: whoever made it may have finished in between.
        let found: Result<_, Error> =
            self.0.store.read(move |view| Ok((view.authority(handle)?, view.intended(handle)?))).await;
        let (Some(authority), intended) = found? else { return Ok(()) };
        match (authority.state, authority.key) {
            (State::Making, Some(key)) => {
                let key = self.any_key(key).await?;
                let own = intended.into_iter().find(|one| one.issued.purpose == IssuedPurpose::SelfSigned);
                let _certificate = own.as_ref().map(|own| self.claimed(own.issued.handle)).transpose()?;
                self.finish_authority(&Actor::System, token, &authority, &key, own).await
            }
            (State::Making, None) => {
                let reason = "strongroom was interrupted while it made the key; make the authority again";
                self.fail_authority(&authority, reason).await?;
                self.clear_attempt(token, attempt).await
            }
            _ => self.clear_attempt(token, attempt).await,
        }
    }

    async fn clear_attempt(&self, token: &Token, attempt: Option<&Attempt>) -> Result<(), Error> {
        let Some(attempt) = attempt.cloned() else { return Ok(()) };
        let id = attempt.id;
        let still_open: Result<bool, Error> = self
            .0
            .store
            .read(move |view| Ok(view.attempt(id)?.is_some_and(|(_, closed)| closed.is_none())))
            .await;
        if still_open? { self.close_cleared(token, &attempt).await } else { Ok(()) }
    }

    /// Certificates that nobody is working on and that are recorded and not signed. The client that asked is gone;
    /// the certificate is on the authority's list, where he finds it, or an operator revokes it.
    async fn settle_certificates_of(
        &self,
        token: &Token,
        authority: crate::domain::id::Handle,
    ) -> Result<(), Error> {
        let intended: Result<Vec<Intended>, Error> =
            self.0.store.read(move |view| Ok(view.intended(authority)?)).await;
        for intended in intended? {
            let handle = intended.issued.handle;
            let Some(_claim) = self.0.work.claim(handle) else { continue };
            let is_open: Result<bool, Error> = self
                .0
                .store
                .read(move |view| Ok(view.intended(authority)?.iter().any(|one| one.issued.handle == handle)))
                .await;
            if !is_open? {
                continue;
            }
            let signed = match self.issuing(authority).await {
                Ok(issuing) => {
                    let scheme = issuing.authority.scheme;
                    match self.sign_intended(token, &issuing.key, scheme, &intended).await {
                        Ok(der) => self.record_issued(&Actor::System, &intended, der).await.map(drop),
                        Err(error) => Err(error),
                    }
                }
                Err(error) => Err(error),
            };
            match signed {
                Ok(()) => {
                    tracing::warn!(certificate = %handle, "finished a certificate that was interrupted")
                }
                Err(error) if matches!(error.kind(), Kind::Unavailable | Kind::OutcomeUnknown) => {
                    return Err(error);
                }
                Err(error) => self.abandon_certificate(&intended, &error.to_string()).await,
            }
        }
        Ok(())
    }
}

/// What ails one authority is told and left; the others are still to be settled. Only what ails the token or the
/// index as a whole ends the run.
fn skip_one(authority: &crate::domain::id::Handle, done: Result<(), Error>) -> Result<(), Error> {
    match done {
        Err(error) => match error.kind() {
            Kind::Unavailable | Kind::OutcomeUnknown | Kind::Bug => Err(error),
            Kind::Invalid
            | Kind::NotFound
            | Kind::Denied
            | Kind::Conflict
            | Kind::Refused
            | Kind::HsmRefused => {
                tracing::debug!(%authority, %error, "an authority cannot be settled now");
                Ok(())
            }
        },
        done => done,
    }
}
