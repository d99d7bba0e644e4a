//! Operations that the configuration may put under four eyes: done at once, or proposed by one
//! principal and done when another one with the same right approves.

use serde_json::json;

use super::four_eyes::{as_decider, reason, refused, requester_lost_rights, still_may};
use super::{App, Caller, Error, Kind};
use crate::domain::access::{Permission, Scope};
use crate::domain::approval::{self, Asked, Refusal, sha256_of};
use crate::domain::audit::Actor;
use crate::domain::clock::Timestamp;
use crate::domain::id::Handle;
use crate::domain::key::Key;
use crate::domain::probe::{Acceptance, Verdict};
use crate::domain::proposal::{Command, Conflict, State};
pub use crate::domain::proposal::{Operation, Proposal};
use crate::store::{Tx, View};

/// Proposals on a list: what was decided long ago is in the audit log.
const MOST_LISTED: usize = 200;

/// Which operations need another pair of eyes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FourEyes {
    /// Destroying a key.
    pub destroy_key: bool,
    /// Wiping what is ours from a token.
    pub wipe_slot: bool,
    /// Resetting the PIN breaker of a token.
    pub reset_pin_breaker: bool,
    /// Letting in a token that leaks.
    pub override_probe: bool,
    /// A proposal that nobody approved is rejected after so long, in milliseconds.
    pub expires_after: i64,
}

impl FourEyes {
    fn watch(&self, operation: &Operation) -> bool {
        match operation {
            Operation::DestroyKey { .. } => self.destroy_key,
            Operation::WipeSlot { .. } => self.wipe_slot,
            Operation::ResetPinBreaker { .. } => self.reset_pin_breaker,
            Operation::OverrideProbe { .. } => self.override_probe,
        }
    }
}

/// What came of an operation.
#[derive(Clone, Debug)]
pub enum Effect {
    /// The key is destroyed.
    KeyDestroyed(Box<Key>),
    /// So many keys are destroyed.
    Wiped(usize),
    /// The PIN is tried once more.
    PinTriedAgain,
    /// The token is let in.
    ProbeOverridden(Box<Acceptance>),
}

/// What was asked for is done, or somebody else has to approve it.
#[derive(Clone, Debug)]
pub enum Done<T = Effect> {
    /// Done.
    Now(T),
    /// Proposed.
    Proposed(Box<Proposal>),
}

enum Decision {
    Approve { seen: Option<[u8; 32]> },
    Reject { reason: String },
}

/// A decision that counts, with the proposal as it is then, or one that came too late.
enum Decided {
    Counts(Box<Proposal>),
    TooLate,
}

impl App {
    /// Does an operation, or proposes it where the configuration asks for another pair of eyes.
    ///
    /// # Errors
    /// As the operation itself.
    pub async fn undertake(&self, caller: &Caller, operation: Operation) -> Result<Done, Error> {
        if !self.0.four_eyes.watch(&operation) {
            return self.execute(caller, operation).await.map(Done::Now);
        }
        self.check_proposed(caller, &operation).await?;
        let now = self.now();
        let mut proposal = Proposal {
            handle: self.new_handle()?,
            tenant: caller.tenant,
            principal: caller.principal,
            operation,
            sha256: [0; 32],
            state: State::Proposed,
            created_at: now,
            expires_at: now.plus_millis(self.0.four_eyes.expires_after),
            decided_by: None,
            decided_at: None,
            outcome: None,
        };
        proposal.sha256 = proposal.computed_sha256();
        let (actor, proposed) = (caller.actor(), proposal.clone());
        let recorded: Result<(), Error> = self
            .0
            .store
            .write(move |tx| {
                tx.insert_proposal(&proposed)?;
                tx.append_audit(&actor, now, &proposed.proposed_event())?;
                Ok(())
            })
            .await;
        recorded.map(|()| Done::Proposed(Box::new(proposal)))
    }

    /// The override of what the probes of a token last found.
    ///
    /// # Errors
    /// [`Kind::Invalid`] without a reason; [`Kind::Conflict`] when the token has nothing to accept.
    pub async fn probe_override(&self, token: &str, why: &str) -> Result<Operation, Error> {
        let token = self.token_called(token)?;
        let reason = reason(why)?;
        let verdict = self.verdict_of(&token).await?.map(|verdict| hash_of(&verdict));
        let Some(verdict) = verdict else {
            let message = format!("token `{token}` has failed no probe: there is nothing to accept");
            return Err(Error::new(Kind::Conflict, "token.does-not-leak", message));
        };
        Ok(Operation::OverrideProbe { token, reason, verdict })
    }

    /// The newest proposals that concern the caller.
    ///
    /// # Errors
    /// The index cannot be read.
    pub async fn proposals(&self, caller: &Caller) -> Result<Vec<Proposal>, Error> {
        let caller = caller.clone();
        let newest: Result<Vec<Proposal>, Error> =
            self.0.store.read(|view| Ok(view.newest_proposals(MOST_LISTED)?)).await;
        Ok(newest?.into_iter().filter(|proposal| concerns(&caller, proposal)).collect())
    }

    /// Does what somebody else proposed; a proposal counts once, whatever comes of it.
    ///
    /// # Errors
    /// [`Kind::NotFound`] for what does not concern the caller; [`Kind::Denied`] for the proposer
    /// himself; [`Kind::Conflict`] when it was decided, is too late, or not what was looked at; then as
    /// the operation itself.
    pub async fn approve_proposal(
        &self,
        caller: &Caller,
        handle: Handle,
        seen: Option<[u8; 32]>,
    ) -> Result<Proposal, Error> {
        let approved = self.decide(caller, handle, Decision::Approve { seen }).await?;
        let done = self.execute(caller, approved.operation.clone()).await;
        let command = match &done {
            Ok(_) => Command::Executed,
            Err(error) => Command::Failed { reason: error.to_string() },
        };
        let now = self.now();
        let settled: Result<Proposal, Error> =
            self.0.store.write(move |tx| change(tx, &Actor::System, handle, command, now)).await;
        done?;
        settled
    }

    /// Ends a proposal of somebody else.
    ///
    /// # Errors
    /// [`Kind::Invalid`] without a reason; else as for an approval.
    pub async fn reject_proposal(
        &self,
        caller: &Caller,
        handle: Handle,
        why: &str,
    ) -> Result<Proposal, Error> {
        let reason = reason(why)?;
        self.decide(caller, handle, Decision::Reject { reason }).await
    }

    /// Rejects every proposal that nobody approved in time.
    ///
    /// # Errors
    /// The index cannot be used now.
    pub(super) async fn expire_proposals(&self) -> Result<(), Error> {
        let now = self.now();
        let late: Result<Vec<Proposal>, Error> =
            self.0.store.read(move |view| Ok(view.proposals_expired(now)?)).await;
        for proposal in late? {
            let done: Result<Proposal, Error> =
                self.0.store.write(move |tx| expire(tx, proposal.handle, now)).await;
            match done {
                // Somebody decided in between, in time by his clock.
                Err(error) if error.kind() == Kind::Conflict => {}
                done => drop(done?),
            }
        }
        Ok(())
    }

    /// At the start: what was approved and not recorded as done was interrupted. It is not begun again,
    /// since it counts once.
    ///
    /// # Errors
    /// The index cannot be used now.
    pub async fn end_interrupted_proposals(&self) -> Result<(), Error> {
        let now = self.now();
        self.0
            .store
            .write(move |tx| {
                for handle in tx.proposals_approved()? {
                    let reason =
                        "strongroom was interrupted: look what was done, and propose it anew".to_owned();
                    change(tx, &Actor::System, handle, Command::Failed { reason }, now)?;
                }
                Ok(())
            })
            .await
    }

    async fn execute(&self, caller: &Caller, operation: Operation) -> Result<Effect, Error> {
        match operation {
            Operation::DestroyKey { key } => {
                Ok(Effect::KeyDestroyed(Box::new(self.destroy_key(caller, key).await?)))
            }
            Operation::WipeSlot { token, force } => {
                Ok(Effect::Wiped(self.wipe_token(caller, &token, force).await?))
            }
            Operation::ResetPinBreaker { token } => {
                self.try_pin_again(caller, &token).await?;
                Ok(Effect::PinTriedAgain)
            }
            Operation::OverrideProbe { token, reason, verdict } => {
                let found = self.verdict_of(&token).await?;
                if found.map(|found| hash_of(&found)).as_ref() != Some(&verdict) {
                    return Err(refused(Refusal::Changed));
                }
                let acceptance = self.accept_leaks(caller, &token, &reason).await?;
                Ok(Effect::ProbeOverridden(Box::new(acceptance)))
            }
        }
    }

    /// What can be told before somebody is asked to approve it.
    async fn check_proposed(&self, caller: &Caller, operation: &Operation) -> Result<(), Error> {
        match operation {
            Operation::DestroyKey { key } => self.key(caller, *key).await.map(drop),
            Operation::WipeSlot { token, .. }
            | Operation::ResetPinBreaker { token }
            | Operation::OverrideProbe { token, .. } => self.token_called(token).map(drop),
        }
    }

    async fn decide(&self, caller: &Caller, handle: Handle, decision: Decision) -> Result<Proposal, Error> {
        let (caller, now) = (caller.clone(), self.now());
        let decided: Result<Decided, Error> = self
            .0
            .store
            .write(move |tx| {
                match judged(tx, &caller, handle, &decision, now) {
                    Err(Refused::TooLate) => {
                        expire(tx, handle, now)?;
                        return Ok(Decided::TooLate);
                    }
                    Err(Refused::For(error)) => return Err(error),
                    Ok(()) => {}
                }
                let by = caller.principal;
                let command = match decision {
                    Decision::Approve { .. } => Command::Approve { by },
                    Decision::Reject { reason } => Command::Reject { by: Some(by), reason },
                };
                Ok(Decided::Counts(Box::new(change(tx, &caller.actor(), handle, command, now)?)))
            })
            .await;
        match decided? {
            Decided::Counts(proposal) => Ok(*proposal),
            Decided::TooLate => Err(refused(Refusal::Expired)),
        }
    }

    fn token_called(&self, name: &str) -> Result<String, Error> {
        let token = self.0.hsm.token(name).ok_or_else(|| Error::not_found("token", name))?;
        Ok(token.name().to_owned())
    }

    /// The verdict on a token that leaks.
    async fn verdict_of(&self, token: &str) -> Result<Option<Verdict>, Error> {
        let verdict = self.standing(token).await?.map(|standing| standing.verdict);
        Ok(verdict.filter(|verdict| !verdict.passed()))
    }
}

enum Refused {
    TooLate,
    For(Error),
}

impl<E: Into<Error>> From<E> for Refused {
    fn from(error: E) -> Self {
        Self::For(error.into())
    }
}

fn judged(
    view: &View,
    caller: &Caller,
    handle: Handle,
    decision: &Decision,
    now: Timestamp,
) -> Result<(), Refused> {
    let proposal = find(view, handle)?;
    if !concerns(caller, &proposal) || !caller.may(proposal.operation.permission()) {
        return Err(Error::not_found("proposal", handle).into());
    }
    if proposal.state != State::Proposed {
        return Err(Conflict { handle, state: proposal.state }.into());
    }
    let asked = Asked {
        requester: proposal.principal,
        recorded: proposal.sha256,
        now: Some(proposal.computed_sha256()),
        by: &[],
        expires_at: proposal.expires_at,
    };
    let permission = proposal.operation.permission();
    let decided = as_decider(view, caller, permission, |who| match decision {
        Decision::Approve { seen } => approval::approve(&asked, who, *seen, now),
        Decision::Reject { .. } => approval::reject(&asked, who, now),
    })?;
    match decided {
        Err(Refusal::Expired) => return Err(Refused::TooLate),
        Err(refusal) => return Err(refused(refusal).into()),
        Ok(()) => {}
    }
    if matches!(decision, Decision::Approve { .. })
        && !still_may(view, proposal.principal, permission, proposal.tenant)?
    {
        return Err(requester_lost_rights().into());
    }
    Ok(())
}

/// Those who could do it themselves see it, and whoever audits.
fn concerns(caller: &Caller, proposal: &Proposal) -> bool {
    let permission = proposal.operation.permission();
    let here = permission.scope() == Scope::Appliance || proposal.tenant == caller.tenant;
    here && (caller.may(permission) || caller.may(Permission::AuditRead))
}

fn find(view: &View, handle: Handle) -> Result<Proposal, Error> {
    view.proposal(handle)?.ok_or_else(|| Error::not_found("proposal", handle))
}

fn change(
    tx: &Tx,
    actor: &Actor,
    handle: Handle,
    command: Command,
    now: Timestamp,
) -> Result<Proposal, Error> {
    let (proposal, event) = find(tx, handle)?.apply(command, now)?;
    tx.update_proposal(&proposal)?;
    tx.append_audit(actor, now, &event)?;
    Ok(proposal)
}

fn expire(tx: &Tx, handle: Handle, now: Timestamp) -> Result<Proposal, Error> {
    let command = Command::Reject { by: None, reason: "expired".to_owned() };
    change(tx, &Actor::System, handle, command, now)
}

fn hash_of(verdict: &Verdict) -> String {
    hex::encode(sha256_of(&json!({ "binding": verdict.binding, "leaks": verdict.leaks })))
}

impl From<Conflict> for Error {
    fn from(conflict: Conflict) -> Self {
        Self::new(Kind::Conflict, "proposal.state", conflict.to_string())
    }
}
