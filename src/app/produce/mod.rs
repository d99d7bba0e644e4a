//! From a wish to a verified CSR.
//!
//! A new key goes through the journal: the intent and the CKA_ID are committed before the token is
//! asked, so that whatever a crash leaves on the token can be found and judged ([`drive`]). The
//! work runs in a task of its own: a client that goes away does not interrupt it. A CSR for an
//! existing key changes nothing on the token and is one transaction ([`existing_key`]). A renewal repeats
//! an earlier wish with either ([`renew`]). Where the template asks for it, somebody else approves
//! first ([`approve`]).

mod approve;
mod drive;
mod drivers;
mod existing_key;
mod numbering;
mod order;
mod renew;
mod sign;
mod submit;

use std::sync::Arc;
use std::time::Duration;

use super::idempotency::IdempotencyKey;
use super::watch::{wait_until_admitted, wait_until_usable};
use super::{App, Caller, Error, Kind, Token, TokenInfo};
use crate::domain::access::TenantId;
use crate::domain::algorithm::{Digest, KeyKind, Padding};
use crate::domain::audit::Actor;
use crate::domain::csr::CsrSpec;
use crate::domain::id::Handle;
use crate::domain::invalid::Invalid;
use crate::domain::key::Key;
use crate::domain::signing_request::{Conflict, KeySource, SigningRequest, State, Submission};
use crate::store::{Attempt, Tx};
pub use drive::Start;
pub use drivers::Drivers;
pub(super) use existing_key::must_be_able_to_sign;
pub(super) use numbering::Places;
pub(super) use order::default_kind;
use order::{Order, OrderedKey};
pub use renew::{Renewal, RenewalKey};
pub(super) use sign::WRONG_SIGNATURE;
pub use submit::ClientCsr;

/// What is wished for.
#[derive(Clone, Debug)]
pub struct Wish {
    /// What the CSR shall say.
    pub spec: CsrSpec,
    /// Whose key.
    pub key: KeyWish,
    /// The digest under the signature; the key kind's default when absent.
    pub digest: Option<Digest>,
    /// The padding under an RSA signature; PKCS #1 v1.5 when absent.
    pub padding: Option<Padding>,
    /// The signing request whose wish it repeats.
    pub renews: Option<Handle>,
    /// The issuing template to be judged by; the tenant's default when absent.
    pub template: Option<String>,
    /// How many days the certificate shall be valid.
    pub validity_days: Option<u32>,
    /// What another surface than the native one was sent.
    pub submission: Option<Submission>,
    /// Whether it is refused rather than left waiting for an approval: the surface has to answer with a CSR.
    pub at_once: bool,
}

/// Whose key a CSR is for.
#[derive(Clone, Debug)]
pub enum KeyWish {
    /// A key made for it.
    New {
        /// Of which kind; the template's default, or EC P-256, when absent.
        kind: Option<KeyKind>,
        /// On which token; the template's, or the default one, when absent.
        token: Option<String>,
    },
    /// A key that is there: a renewal.
    Existing(Handle),
}

/// How long the caller waits for the CSR.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wait {
    /// Not at all: he asks again later (RFC 7240 `respond-async`).
    Async,
    /// Up to so long, then as above (RFC 7240 `wait`).
    UpTo(Duration),
}

/// A signing request whose CSR is made, and its key.
#[derive(Clone, Debug)]
pub struct Made {
    /// The signing request.
    pub request: SigningRequest,
    /// Its key; none where it is a client's.
    pub key: Option<Key>,
}

/// What became of a wish in the time the caller waited.
#[derive(Clone, Debug)]
pub enum Produced {
    /// The CSR is made.
    Done(Box<Made>),
    /// It waits for an approval, or is being made and will be, even after a crash.
    Accepted(Box<SigningRequest>),
}

impl Produced {
    fn done(made: Made) -> Self {
        Self::Done(Box::new(made))
    }
}

impl App {
    /// Makes a CSR.
    ///
    /// # Errors
    /// [`Kind::Invalid`] with every broken rule; [`Kind::Refused`] with every rule of the template that
    /// is broken, or when there is no such template, or the token has no such key kind; [`Kind::Unavailable`] when it cannot work now; [`Kind::OutcomeUnknown`] with the
    /// request's handle when the token was lost in the act and did not come back in time.
    pub async fn produce(
        &self,
        caller: &Caller,
        wish: Wish,
        idempotency: Option<IdempotencyKey>,
        wait: Wait,
    ) -> Result<Produced, Error> {
        let at_once = wish.at_once;
        let order = self.order(caller, wish).await?;
        if let Some(approval) = order.approval.clone() {
            if at_once {
                return Err(needs_approval(&order));
            }
            let request = self.await_approval(caller, order, &approval, idempotency).await?;
            return Ok(Produced::Accepted(Box::new(request)));
        }
        match &order.key {
            OrderedKey::New { kind, token } => {
                let (kind, token) = (*kind, token.clone());
                self.produce_with_new_key(caller, order, kind, token, idempotency, wait).await
            }
            OrderedKey::Existing(key) => {
                let key = key.clone();
                let made = self.sign_with(caller, order, key, idempotency).await?;
                let request = self.issued_at_once(&caller.actor(), made.request).await;
                Ok(Produced::done(Made { request, ..made }))
            }
        }
    }

    /// Waits for a signing request that was accepted before, continuing its work where a crash or
    /// an outage left it.
    ///
    /// # Errors
    /// As for [`App::produce`].
    pub async fn resume(&self, handle: Handle, wait: Wait) -> Result<Produced, Error> {
        let request = self.any_signing_request(handle).await?;
        match request.state {
            State::Intent | State::Generated => {
                if let Some(token) = self.configured_token(&request.token) {
                    wait_until_admitted(&self.0.health, &token).await?;
                }
                self.continue_unfinished(request.clone()).await?;
                self.await_driver(request, wait).await
            }
            State::AwaitingApproval => Ok(Produced::Accepted(Box::new(request))),
            State::Failed | State::Quarantined => Err(failure_of(&request)),
            State::Cancelled | State::Rejected => Err(called_off(&request)),
            State::Pending | State::Issued | State::Retired => self.made(request).await.map(Produced::done),
        }
    }

    /// The signing request with that handle, if it is of the caller's tenant.
    ///
    /// # Errors
    /// [`Kind::NotFound`], or the index cannot be read.
    pub async fn signing_request(&self, caller: &Caller, handle: Handle) -> Result<SigningRequest, Error> {
        let caller = caller.clone();
        self.0.store.read(move |view| caller.signing_request(view, handle)).await
    }

    /// The signing request with that handle, whosever it is.
    pub(super) async fn any_signing_request(&self, handle: Handle) -> Result<SigningRequest, Error> {
        self.0
            .store
            .read(move |view| view.signing_request(handle).map_err(Error::from))
            .await?
            .ok_or_else(|| Error::not_found("signing request", handle))
    }

    async fn produce_with_new_key(
        &self,
        caller: &Caller,
        order: Order,
        kind: KeyKind,
        token: Token,
        idempotency: Option<IdempotencyKey>,
        wait: Wait,
    ) -> Result<Produced, Error> {
        self.must_offer(&token, kind).await?;
        let mut request = self.begun(caller, order, State::Intent).await?;
        request.continues = wait == Wait::Async || idempotency.is_some();
        let attempt = self.new_attempt(&request.token, kind, Some(request.handle))?;
        // Before the commit: the reconciler must never see this attempt without its driver.
        let driver = self.0.drivers.enlist(request.handle)?;
        self.record_intent(caller.actor(), &request, &attempt, idempotency).await?;
        self.spawn_driver(driver, caller.actor(), request.clone(), attempt, Start::Generate);
        self.await_driver(request, wait).await
    }

    async fn record_intent(
        &self,
        actor: Actor,
        request: &SigningRequest,
        attempt: &Attempt,
        idempotency: Option<IdempotencyKey>,
    ) -> Result<(), Error> {
        super::failpoint::reached("intent-before");
        let intended = self.intent_event(request)?;
        let (request, attempt) = (request.clone(), attempt.clone());
        let capacity = self.rules(&request.token).capacity;
        let quota = self.key_quota(request.tenant).await?;
        let recorded: Result<(), Error> = self
            .0
            .store
            .write(move |tx| {
                if let Some(capacity) = capacity {
                    must_have_room(tx, &request.token, capacity)?;
                }
                if let Some(quota) = quota {
                    must_be_within_quota(tx, request.tenant, quota)?;
                }
                insert_request(tx, &request, idempotency.as_ref())?;
                tx.open_attempt(&attempt)?;
                tx.append_audit(&actor, request.created_at, &intended)?;
                Ok(())
            })
            .await;
        recorded?;
        super::failpoint::reached("intent-after");
        Ok(())
    }

    /// Waits for the driver of `request`. When the time is up, the request is first marked as one
    /// that somebody will come back for, since the answer promises it.
    async fn await_driver(&self, request: SigningRequest, wait: Wait) -> Result<Produced, Error> {
        let handle = request.handle;
        let patience = match wait {
            Wait::Async => return Ok(Produced::Accepted(Box::new(request))),
            Wait::UpTo(patience) => patience,
        };
        if let Some(outcome) = self.0.drivers.outcome_within(handle, patience).await {
            return outcome.map(Produced::done);
        }
        let promised: Result<SigningRequest, Error> = self
            .0
            .store
            .write(move |tx| {
                let mut request =
                    tx.signing_request(handle)?.ok_or_else(|| Error::not_found("signing request", handle))?;
                if request.state.is_unfinished() && !request.continues {
                    request.continues = true;
                    tx.update_signing_request(&request)?;
                }
                Ok(request)
            })
            .await;
        let request = promised?;
        match request.state {
            State::AwaitingApproval | State::Intent | State::Generated => {
                Ok(Produced::Accepted(Box::new(request)))
            }
            State::Failed | State::Quarantined => Err(failure_of(&request)),
            State::Cancelled | State::Rejected => Err(called_off(&request)),
            State::Pending | State::Issued | State::Retired => self.made(request).await.map(Produced::done),
        }
    }

    /// A request whose CSR is made, with its key.
    async fn made(&self, request: SigningRequest) -> Result<Made, Error> {
        let key = self.key_of(&request).await?;
        if key.is_none() && request.key_source != KeySource::Client {
            return Err(Error::bug(format!(
                "signing request {} is {} without a key",
                request.handle, request.state
            )));
        }
        Ok(Made { key, request })
    }

    pub(super) fn token_for(&self, name: Option<String>) -> Result<Token, Error> {
        let known =
            || self.0.hsm.tokens().map(|token| token.name().to_owned()).collect::<Vec<_>>().join(", ");
        let Some(name) = name.or_else(|| self.0.default_token.clone()) else {
            return Err(Invalid::new("key.token", format!("say which; there are {}", known())).into());
        };
        self.0.hsm.token(&name).ok_or_else(|| {
            Invalid::new("key.token", format!("there is no token `{name}`; there are {}", known())).into()
        })
    }

    /// Waits for the token; it has to have the key kind.
    pub(super) async fn must_offer(&self, token: &Token, kind: KeyKind) -> Result<(), Error> {
        let info = self.usable(token).await?;
        if info.algorithms.contains(&kind) { Ok(()) } else { Err(not_offered(token, &info, kind)) }
    }

    /// The token's facts, once its sentinel key has signed.
    pub(super) async fn usable(&self, token: &Token) -> Result<Arc<TokenInfo>, Error> {
        wait_until_usable(&self.0.health, token).await
    }

    /// How many keys a tenant may have.
    async fn key_quota(&self, tenant: TenantId) -> Result<Option<usize>, Error> {
        if self.0.key_quotas.is_empty() {
            return Ok(None);
        }
        Ok(self.0.key_quotas.get(&self.tenant_name(tenant).await?).copied())
    }

    pub(super) fn new_attempt(
        &self,
        token: &str,
        kind: KeyKind,
        request: Option<Handle>,
    ) -> Result<Attempt, Error> {
        Ok(Attempt {
            id: self.new_key_id()?,
            key: self.new_handle()?,
            request,
            authority: None,
            token: token.to_owned(),
            kind,
            opened_at: self.now(),
        })
    }
}

/// Inserts a request with its index names and its idempotency entry.
fn insert_request(
    tx: &Tx,
    request: &SigningRequest,
    idempotency: Option<&IdempotencyKey>,
) -> Result<(), Error> {
    tx.insert_signing_request(request, &request.spec.index_names())?;
    if let Some(key) = idempotency {
        tx.insert_idempotency(&key.entry(Some(request.handle), request.created_at))?;
    }
    Ok(())
}

/// Counted in the transaction of the intent: two creates never share the last place.
pub(super) fn must_have_room(tx: &Tx, token: &str, capacity: usize) -> Result<(), Error> {
    let used = tx.keys_taking_room(token)?;
    if used < capacity {
        return Ok(());
    }
    let message = format!(
        "token `{token}` has {used} keys and may have {capacity}; destroy unused ones, or raise `capacity`"
    );
    Err(Error::new(Kind::Unavailable, "hsm.full", message))
}

/// Counted where [`must_have_room`] is.
fn must_be_within_quota(tx: &Tx, tenant: TenantId, quota: usize) -> Result<(), Error> {
    let used = tx.keys_of_tenant(tenant)?;
    if used < quota {
        return Ok(());
    }
    let message = format!(
        "this tenant has {used} keys and may have {quota}; destroy unused ones, or ask the operator to raise its \
         quota"
    );
    Err(Error::new(Kind::Refused, "key.quota", message))
}

fn needs_approval(order: &Order) -> Error {
    let template = order.template.as_ref().map_or("", |template| template.name.as_str());
    let message = format!(
        "template `{template}` needs somebody's approval, for which this API cannot wait; ask by the native API, or \
         under another template"
    );
    Error::new(Kind::Refused, "template.needs-approval", message)
}

fn not_offered(token: &Token, info: &TokenInfo, kind: KeyKind) -> Error {
    let offered = info.algorithms.iter().map(|kind| kind.name()).collect::<Vec<_>>().join(", ");
    Error::new(
        Kind::Refused,
        "key.kind-not-offered",
        format!("token `{}` does not offer {kind}; it offers {offered}", token.name()),
    )
}

/// The error for whoever still waits for the CSR of a cancelled request.
fn called_off(request: &SigningRequest) -> Error {
    Conflict { handle: request.handle, state: request.state, verb: "given a CSR" }.into()
}

/// The error that a failed request answers whoever asks for its outcome later.
fn failure_of(request: &SigningRequest) -> Error {
    let reason = request.failure.as_deref().unwrap_or("no reason recorded");
    let message = format!("signing request {} is {}: {reason}", request.handle, request.state);
    Error::new(Kind::HsmRefused, "signing-request.failed", message).about(request.handle)
}
