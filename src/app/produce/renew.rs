//! A renewal: the CSR of an earlier signing request once more, for its key or for a new one.

use super::{KeyWish, Produced, Wait, Wish};
use crate::app::idempotency::IdempotencyKey;
use crate::app::{App, Caller, Error, Kind};
use crate::domain::csr::{ChallengePassword, CsrSpec};
use crate::domain::id::Handle;
use crate::domain::signing_request::{Conflict, KeySource, SigningRequest, State, Submission};

/// How a signing request is renewed.
#[derive(Clone, Debug)]
pub struct Renewal {
    /// Whose key the renewal is for.
    pub key: RenewalKey,
    /// A new challengePassword. That of the earlier request is not repeated: it authenticates one
    /// exchange with a CA (RFC 2985 section 5.4.1), and CAs that hand it out take it once.
    pub challenge_password: Option<ChallengePassword>,
    /// The issuing template to be judged by; that of the earlier request when absent.
    pub template: Option<String>,
    /// What another surface than the native one was sent.
    pub submission: Option<Submission>,
}

/// Whose key a renewal is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RenewalKey {
    /// That of the earlier request.
    Same,
    /// A new one of the same kind, on the same token.
    New,
}

impl App {
    /// Makes a CSR with the subject, the alternative names, the extensions and the signature scheme of
    /// an earlier one, and remembers which.
    ///
    /// # Errors
    /// [`Kind::NotFound`], [`Kind::Conflict`] when the earlier one never got a CSR or was called off; else as for
    /// [`App::produce`].
    pub async fn renew(
        &self,
        caller: &Caller,
        handle: Handle,
        renewal: Renewal,
        idempotency: Option<IdempotencyKey>,
        wait: Wait,
    ) -> Result<Produced, Error> {
        let earlier = self.signing_request(caller, handle).await?;
        let wish = wish(earlier, renewal)?;
        self.produce(caller, wish, idempotency, wait).await
    }

    /// The renewals of a signing request, oldest first.
    ///
    /// # Errors
    /// The index cannot be read.
    pub async fn renewals_of(&self, request: &SigningRequest) -> Result<Vec<Handle>, Error> {
        let handle = request.handle;
        self.0.store.read(move |view| Ok(view.renewals_of(handle)?)).await
    }
}

fn wish(earlier: SigningRequest, renewal: Renewal) -> Result<Wish, Error> {
    if earlier.key_source == KeySource::Client {
        let message = format!(
            "signing request {} has a client's CSR: only whoever has its key can make another; submit that one",
            earlier.handle
        );
        return Err(Error::new(Kind::Refused, "key.client", message));
    }
    let renewable = match earlier.state {
        State::Pending | State::Issued | State::Retired => earlier.key,
        State::AwaitingApproval
        | State::Intent
        | State::Generated
        | State::Rejected
        | State::Cancelled
        | State::Failed
        | State::Quarantined => None,
    };
    let Some(key) = renewable else {
        return Err(Conflict { handle: earlier.handle, state: earlier.state, verb: "renewed" }.into());
    };
    Ok(Wish {
        spec: CsrSpec { challenge_password: renewal.challenge_password, ..earlier.spec },
        key: match renewal.key {
            RenewalKey::Same => KeyWish::Existing(key),
            RenewalKey::New => KeyWish::New { kind: Some(earlier.kind), token: Some(earlier.token) },
        },
        digest: earlier.scheme.digest(),
        padding: earlier.scheme.padding(),
        renews: Some(earlier.handle),
        template: renewal.template.or_else(|| earlier.template.map(|template| template.name)),
        validity_days: earlier.validity_days,
        submission: renewal.submission,
        at_once: false,
    })
}
