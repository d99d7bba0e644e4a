//! Operations under four eyes: one principal proposes, another one with the same right approves, and
//! only then it is done, once.

use serde::{Deserialize, Serialize};
use serde_json::json;

use super::access::{Permission, TenantId};
use super::approval::sha256_of;
use super::audit::Event;
use super::clock::Timestamp;
use super::id::Handle;
use super::named::named;

/// An operation that the configuration may put under four eyes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "operation", rename_all = "snake_case")]
pub enum Operation {
    /// Destroy a key.
    DestroyKey {
        /// Which.
        key: Handle,
    },
    /// Destroy every key of ours on a token.
    WipeSlot {
        /// The configured name of the token.
        token: String,
        /// Also those that live signing requests use.
        force: bool,
    },
    /// Try the PIN of a token once more, which was refused or not answered.
    ResetPinBreaker {
        /// The configured name of the token.
        token: String,
    },
    /// Let a token in although it lets keys out.
    OverrideProbe {
        /// The configured name of the token.
        token: String,
        /// Why that is good enough.
        reason: String,
        /// SHA-256 of the verdict that is overridden, in hexadecimal.
        verdict: String,
    },
}

impl Operation {
    /// What proposing it, approving it and doing it need.
    pub fn permission(&self) -> Permission {
        match self {
            Self::DestroyKey { .. } => Permission::KeyDestroy,
            Self::WipeSlot { .. } | Self::ResetPinBreaker { .. } | Self::OverrideProbe { .. } => {
                Permission::TokenOperate
            }
        }
    }
}

/// Where a proposal is in its life.
///
/// ```text
///   proposed -> approved | rejected
///   approved -> executed | failed
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// Waits for somebody else.
    Proposed,
    /// Approved, and being done: it counts once, whatever comes of it.
    Approved,
    /// Rejected, or too late.
    Rejected,
    /// Done.
    Executed,
    /// Approved, and not done, or it is not known.
    Failed,
}

named!(State {
    Proposed = "proposed",
    Approved = "approved",
    Rejected = "rejected",
    Executed = "executed",
    Failed = "failed",
});

/// What can happen to a proposal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Command {
    /// Somebody else approved it.
    Approve {
        /// Who.
        by: Handle,
    },
    /// Somebody else rejected it, or nobody approved it in time.
    Reject {
        /// Who; nobody when it came too late.
        by: Option<Handle>,
        /// Why.
        reason: String,
    },
    /// It was done.
    Executed,
    /// It could not be done.
    Failed {
        /// Why.
        reason: String,
    },
}

/// An operation that was proposed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Proposal {
    /// Public id.
    pub handle: Handle,
    /// The tenant that the proposer was at work in.
    pub tenant: TenantId,
    /// Who proposed it.
    pub principal: Handle,
    /// What.
    pub operation: Operation,
    /// SHA-256 of exactly that, as it was recorded.
    pub sha256: [u8; 32],
    /// Where it is.
    pub state: State,
    /// When it was proposed.
    pub created_at: Timestamp,
    /// When it is too late.
    pub expires_at: Timestamp,
    /// Who approved or rejected it.
    pub decided_by: Option<Handle>,
    /// When that was.
    pub decided_at: Option<Timestamp>,
    /// Why it was rejected, or failed.
    pub outcome: Option<String>,
}

/// The command does not fit the state.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("proposal {handle} is {state}: that was decided already")]
pub struct Conflict {
    /// The proposal.
    pub handle: Handle,
    /// Its state, unchanged.
    pub state: State,
}

impl Proposal {
    /// SHA-256 of who proposes what, where and under which handle.
    pub fn computed_sha256(&self) -> [u8; 32] {
        sha256_of(&json!({
            "proposal": self.handle, "tenant": self.tenant, "principal": self.principal,
            "operation": self.operation,
        }))
    }

    /// The event that records the proposal.
    pub fn proposed_event(&self) -> Event {
        self.event("proposal.proposed", json!({ "expires_at": self.expires_at }))
    }

    /// Applies a command: the proposal as it is then, and the event that records the change.
    ///
    /// # Errors
    /// [`Conflict`] when the drawing of [`State`] has no such arrow; nothing is changed.
    pub fn apply(mut self, command: Command, now: Timestamp) -> Result<(Self, Event), Conflict> {
        let conflict = Conflict { handle: self.handle, state: self.state };
        let action = match (self.state, command) {
            (State::Proposed, Command::Approve { by }) => {
                (self.state, self.decided_by, self.decided_at) = (State::Approved, Some(by), Some(now));
                "proposal.approved"
            }
            (State::Proposed, Command::Reject { by, reason }) => {
                (self.state, self.decided_by, self.decided_at) = (State::Rejected, by, Some(now));
                self.outcome = Some(reason);
                "proposal.rejected"
            }
            (State::Approved, Command::Executed) => {
                self.state = State::Executed;
                "proposal.executed"
            }
            (State::Approved, Command::Failed { reason }) => {
                (self.state, self.outcome) = (State::Failed, Some(reason));
                "proposal.failed"
            }
            _ => return Err(conflict),
        };
        let event = self.event(action, json!({ "outcome": self.outcome }));
        Ok((self, event))
    }

    fn event(&self, action: &'static str, mut detail: serde_json::Value) -> Event {
        detail["operation"] = json!(self.operation);
        detail["proposer"] = json!(self.principal);
        detail["sha256"] = json!(hex::encode(self.sha256));
        Event { action, subject: self.handle.to_string(), detail }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    const NOW: Timestamp = Timestamp::from_millis(2);
    const ALL: [State; 5] =
        [State::Proposed, State::Approved, State::Rejected, State::Executed, State::Failed];

    fn handle(n: u8) -> Handle {
        Handle::new(NOW, [n; 10])
    }

    fn proposal(state: State) -> Proposal {
        Proposal {
            handle: handle(1),
            tenant: TenantId::DEFAULT,
            principal: handle(2),
            operation: Operation::DestroyKey { key: handle(3) },
            sha256: [0; 32],
            state,
            created_at: NOW,
            expires_at: NOW,
            decided_by: None,
            decided_at: None,
            outcome: None,
        }
    }

    fn drawn() -> BTreeSet<(String, String)> {
        let lines = include_str!("proposal.rs").lines();
        let drawing =
            lines.skip_while(|line| !line.contains("```text")).skip(1).take_while(|l| !l.contains("```"));
        let arrows = drawing.flat_map(|line| {
            let (from, to) = line.trim_start_matches("///").split_once("->").unwrap();
            let from = from.trim().to_owned();
            to.split('|').map(move |to| (from.clone(), to.trim().to_owned()))
        });
        arrows.collect()
    }

    #[test]
    fn the_drawing_is_what_apply_does() {
        let reason = || "r".to_owned();
        let commands = [
            Command::Approve { by: handle(4) },
            Command::Reject { by: None, reason: reason() },
            Command::Executed,
            Command::Failed { reason: reason() },
        ];
        let mut done = BTreeSet::new();
        for state in ALL {
            for command in &commands {
                match proposal(state).apply(command.clone(), NOW) {
                    Ok((after, event)) => {
                        assert_eq!(event.action, format!("proposal.{}", after.state));
                        done.insert((state.to_string(), after.state.to_string()));
                    }
                    Err(conflict) => assert_eq!(conflict.state, state),
                }
            }
        }
        assert_eq!(done, drawn());
        assert_eq!(done.len(), 4);
    }

    #[test]
    fn the_hash_is_of_the_exact_operation() {
        let destroy = |key| Operation::DestroyKey { key: handle(key) };
        let wipe = |force| Operation::WipeSlot { token: "a".into(), force };
        let of = |operation| Proposal { operation, ..proposal(State::Proposed) }.computed_sha256();
        let hashes = BTreeSet::from([of(destroy(1)), of(destroy(2)), of(wipe(true)), of(wipe(false))]);
        assert_eq!(hashes.len(), 4);
        assert_eq!(of(destroy(1)), of(destroy(1)));
    }
}
