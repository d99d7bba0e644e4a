//! Requests that wait for somebody else. Nothing is made before; with the approval the journal begins,
//! in one transaction.

use super::order::{Order, OrderedKey};
use super::{Made, Produced, Start, existing_key::must_be_able_to_sign, insert_request, must_have_room};
use crate::app::four_eyes::{as_decider, reason, refused, requester_lost_rights, still_may};
use crate::app::idempotency::IdempotencyKey;
use crate::app::notices::tell_of_request;
use crate::app::transition::transition;
use crate::app::{App, Caller, Error, failpoint};
use crate::domain::access::Permission;
use crate::domain::approval::{self, Asked, Refusal, asked_sha256};
use crate::domain::audit::Actor;
use crate::domain::clock::Timestamp;
use crate::domain::id::Handle;
use crate::domain::invalid::Invalid;
use crate::domain::signing_request::{Command, Conflict, KeySource, SigningRequest, State};
use crate::domain::template;
use crate::store::{Approval, Tx, View};

/// Why a request that nobody approved in time is rejected.
const EXPIRED: &str = "expired";

#[derive(Clone, Copy)]
enum Decision {
    /// Of what has this hash, if the approver says so.
    Approve {
        seen: Option<[u8; 32]>,
    },
    Reject,
}

/// A decision that is allowed, or comes too late.
enum Judged {
    Counts(Box<SigningRequest>),
    TooLate,
}

impl App {
    /// The approval of a request that needs, or needed, one.
    ///
    /// # Errors
    /// The index cannot be read.
    pub async fn approval_of(&self, request: Handle) -> Result<Option<Approval>, Error> {
        self.0.store.read(move |view| Ok(view.approval(request)?)).await
    }

    /// Lets a request that waits be made. `seen` is the hash of what the caller has looked at.
    ///
    /// # Errors
    /// [`Kind::Denied`](crate::app::Kind::Denied) for the requester himself and others who may not;
    /// [`Kind::Conflict`](crate::app::Kind::Conflict) when it
    /// does not wait, it is too late, it is not what was asked for, or the requester may not ask any
    /// more; [`Kind::Unavailable`](crate::app::Kind::Unavailable) while the token cannot work.
    pub async fn approve(
        &self,
        caller: &Caller,
        handle: Handle,
        seen: Option<[u8; 32]>,
    ) -> Result<Produced, Error> {
        let decision = Decision::Approve { seen };
        let (app, by) = (self.clone(), caller.clone());
        let judged =
            self.0.store.read(move |view| app.judged(view, &by, handle, decision, app.now())).await?;
        let Judged::Counts(request) = judged else { return Err(self.too_late(handle).await) };
        let approved = match request.key_source {
            KeySource::New => self.approve_new_key(caller, *request, decision).await?,
            KeySource::Existing => {
                let approved = self.approve_existing_key(caller, *request, decision).await?;
                self.approved_and_certified(approved).await
            }
            KeySource::Client => {
                let approved = self.approve_client_key(caller, *request, decision).await?;
                self.approved_and_certified(approved).await
            }
        };
        match approved {
            Some(produced) => Ok(produced),
            None => Err(self.too_late(handle).await),
        }
    }

    /// Ends a request that waits.
    ///
    /// # Errors
    /// [`Kind::Invalid`](crate::app::Kind::Invalid) without a reason; else as for [`App::approve`].
    pub async fn reject(&self, caller: &Caller, handle: Handle, why: &str) -> Result<SigningRequest, Error> {
        let reason = reason(why)?;
        let (app, caller, now) = (self.clone(), caller.clone(), self.now());
        let rejected: Result<_, Error> = self
            .0
            .store
            .write(move |tx| {
                if let Judged::TooLate = app.judged(tx, &caller, handle, Decision::Reject, now)? {
                    return Ok(None);
                }
                tx.settle_approval(handle, Some(caller.principal), now)?;
                transition(tx, &caller.actor(), handle, [Command::Reject { reason }], now).map(Some)
            })
            .await;
        match rejected? {
            Some(request) => Ok(request),
            None => Err(self.too_late(handle).await),
        }
    }

    /// Rejects every request that nobody approved in time.
    ///
    /// # Errors
    /// The index cannot be used now.
    pub(in crate::app) async fn expire_approvals(&self) -> Result<(), Error> {
        let now = self.now();
        let late: Result<Vec<Handle>, Error> =
            self.0.store.read(move |view| Ok(view.approvals_expired(now)?)).await;
        for handle in late? {
            self.0.store.write(move |tx| expire(tx, handle, now)).await?;
        }
        Ok(())
    }

    /// Records a request that waits.
    pub(super) async fn await_approval(
        &self,
        caller: &Caller,
        order: Order,
        rules: &template::Approval,
        idempotency: Option<IdempotencyKey>,
    ) -> Result<SigningRequest, Error> {
        let key = match &order.key {
            OrderedKey::New { kind, token } if !token.kinds().contains(kind) => {
                let reason = format!("token `{}` offers no {kind} keys", token.name());
                return Err(Error::refused("key.kind-not-offered", vec![Invalid::new("key.kind", reason)]));
            }
            OrderedKey::New { .. } => None,
            // Kept from destruction while it is waited for.
            OrderedKey::Existing(key) => Some(key.handle),
        };
        let request = SigningRequest { key, ..self.begun(caller, order, State::AwaitingApproval).await? };
        let approval = Approval {
            request: request.handle,
            asked_sha256: asked_sha256(&request),
            expires_at: request.created_at.plus_millis(i64::from(rules.expires_after) * 1000),
            decided_by: None,
            decided_at: None,
        };
        let actor = caller.actor();
        self.0
            .store
            .write(move |tx| {
                if let Some(key) = request.key {
                    let key = tx.key(key)?.ok_or_else(|| Error::not_found("key", key))?;
                    must_be_able_to_sign(tx, &key)?;
                }
                insert_request(tx, &request, idempotency.as_ref())?;
                tx.insert_approval(&approval)?;
                tell_of_request(tx, &request, request.created_at)?;
                tx.append_audit(&actor, request.created_at, &request.intent_event())?;
                Ok(request)
            })
            .await
    }

    /// From here on the journal knows of it: what a crash interrupts is continued, as for every request
    /// that was answered 202.
    async fn approve_new_key(
        &self,
        caller: &Caller,
        request: SigningRequest,
        decision: Decision,
    ) -> Result<Option<Produced>, Error> {
        let (handle, now) = (request.handle, self.now());
        let token = self.token(&request.token)?;
        self.must_offer(&token, request.kind).await?;
        let attempt = self.new_attempt(&request.token, request.kind, Some(handle))?;
        // Before the commit: the reconciler must never see this attempt without its driver.
        let driver = self.0.drivers.enlist(handle)?;
        let capacity = self.rules(&request.token).capacity;
        let (app, caller, opened) = (self.clone(), caller.clone(), attempt.clone());
        failpoint::reached("approve-before");
        let approved: Result<_, Error> = self
            .0
            .store
            .write(move |tx| {
                if let Judged::TooLate = app.judged(tx, &caller, handle, decision, now)? {
                    return Ok(None);
                }
                if let Some(capacity) = capacity {
                    must_have_room(tx, &opened.token, capacity)?;
                }
                tx.settle_approval(handle, Some(caller.principal), now)?;
                tx.open_attempt(&opened)?;
                transition(tx, &caller.actor(), handle, [Command::Approve], now).map(Some)
            })
            .await;
        failpoint::reached("approve-after");
        let Some(request) = approved? else { return Ok(None) };
        self.spawn_driver(driver, Actor::System, request.clone(), attempt, Start::Generate);
        Ok(Some(Produced::Accepted(Box::new(request))))
    }

    /// As for every CSR for a key that is there: the token signs first, then one transaction.
    async fn approve_existing_key(
        &self,
        caller: &Caller,
        request: SigningRequest,
        decision: Decision,
    ) -> Result<Option<Made>, Error> {
        let handle = request.handle;
        let Some(key) = request.key else {
            return Err(Error::bug(format!("signing request {handle} waits without its key")));
        };
        let key = self.any_key(key).await?;
        let asked = key.clone();
        self.0.store.read(move |view| must_be_able_to_sign(view, &asked)).await?;
        let csr = self.csr_for(&key, &request.spec, request.scheme).await?;
        let (app, caller, now) = (self.clone(), caller.clone(), self.now());
        self.0
            .store
            .write(move |tx| {
                if let Judged::TooLate = app.judged(tx, &caller, handle, decision, now)? {
                    return Ok(None);
                }
                let key = tx.key(key.handle)?.ok_or_else(|| Error::not_found("key", key.handle))?;
                must_be_able_to_sign(tx, &key)?;
                tx.settle_approval(handle, Some(caller.principal), now)?;
                let commands =
                    [Command::Approve, Command::Generated { key: key.handle }, Command::Signed { csr }];
                let request = transition(tx, &caller.actor(), handle, commands, now)?;
                Ok(Some(Made { request, key: Some(key) }))
            })
            .await
    }

    /// The CSR is there: with the approval it is pending.
    async fn approve_client_key(
        &self,
        caller: &Caller,
        request: SigningRequest,
        decision: Decision,
    ) -> Result<Option<Made>, Error> {
        let (app, caller, handle, now) = (self.clone(), caller.clone(), request.handle, self.now());
        self.0
            .store
            .write(move |tx| {
                if let Judged::TooLate = app.judged(tx, &caller, handle, decision, now)? {
                    return Ok(None);
                }
                tx.settle_approval(handle, Some(caller.principal), now)?;
                let request = transition(tx, &caller.actor(), handle, [Command::Approve], now)?;
                Ok(Some(Made { request, key: None }))
            })
            .await
    }

    /// What was approved, with its certificate where an authority issues it at once.
    async fn approved_and_certified(&self, approved: Option<Made>) -> Option<Produced> {
        let made = approved?;
        let request = self.issued_at_once(&Actor::System, made.request).await;
        Some(Produced::done(Made { request, ..made }))
    }

    /// Whether the caller's decision counts, by all that is true at this moment.
    fn judged(
        &self,
        view: &View,
        caller: &Caller,
        handle: Handle,
        decision: Decision,
        now: Timestamp,
    ) -> Result<Judged, Error> {
        let request = caller.signing_request(view, handle)?;
        let approval = view.approval(handle)?.filter(|_| request.state == State::AwaitingApproval);
        let Some(approval) = approval else {
            let verb = match decision {
                Decision::Approve { .. } => "approved",
                Decision::Reject => "rejected",
            };
            return Err(Conflict { handle, state: request.state, verb }.into());
        };
        let template = match &request.template {
            Some(used) => self
                .template_now(view, request.tenant, &used.name)?
                .filter(|template| hex::encode(template.sha256) == used.sha256),
            None => None,
        };
        let rules = template.as_ref().and_then(|template| template.approval.as_ref());
        let asked = Asked {
            requester: request.principal,
            recorded: approval.asked_sha256,
            now: rules.map(|_| asked_sha256(&request)),
            by: rules.map_or(&[], |rules| rules.by.as_slice()),
            expires_at: approval.expires_at,
        };
        let decided = as_decider(view, caller, Permission::CsrApprove, |who| match decision {
            Decision::Approve { seen } => approval::approve(&asked, who, seen, now),
            Decision::Reject => approval::reject(&asked, who, now),
        })?;
        match decided {
            Err(Refusal::Expired) => return Ok(Judged::TooLate),
            Err(refusal) => return Err(refused(refusal).about(handle)),
            Ok(()) => {}
        }
        if matches!(decision, Decision::Approve { .. })
            && !still_may(view, request.principal, Permission::CsrCreate, request.tenant)?
        {
            return Err(requester_lost_rights().about(handle));
        }
        Ok(Judged::Counts(Box::new(request)))
    }

    /// Has the request rejected at once; answers the error for whoever decided too late.
    async fn too_late(&self, handle: Handle) -> Error {
        let now = self.now();
        match self.0.store.write(move |tx| expire(tx, handle, now)).await {
            Ok(()) => refused(Refusal::Expired).about(handle),
            Err(error) => error,
        }
    }
}

/// A request that was cancelled meanwhile stays so.
fn expire(tx: &Tx, handle: Handle, now: Timestamp) -> Result<(), Error> {
    let waits = tx.approval(handle)?.is_some_and(|approval| approval.decided_at.is_none());
    if !waits {
        return Ok(());
    }
    tx.settle_approval(handle, None, now)?;
    let state = tx.signing_request(handle)?.map(|request| request.state);
    if state == Some(State::AwaitingApproval) {
        let reason = EXPIRED.to_owned();
        transition(tx, &Actor::System, handle, [Command::Reject { reason }], now)?;
    }
    Ok(())
}
