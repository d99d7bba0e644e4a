//! The signing request and its state machine.

use serde::{Deserialize, Serialize};
use serde_json::json;

use super::access::TenantId;
use super::algorithm::{KeyKind, Scheme};
use super::audit::Event;
use super::clock::Timestamp;
use super::csr::CsrSpec;
use super::id::Handle;
use super::named::named;

/// One wish for a CSR, from the intent until its certificate is retired.
#[derive(Clone, Debug, PartialEq)]
pub struct SigningRequest {
    /// Public id.
    pub handle: Handle,
    /// Whose it is.
    pub tenant: TenantId,
    /// Its place among the signing requests of its tenant, from 1 on, in the order in which they were made. Some
    /// numbers are left out. For surfaces whose ids are small integers or whose lists have page numbers.
    pub number: u32,
    /// Who asked.
    pub principal: Handle,
    /// The configured name of the token that holds, or will hold, the key; empty where it is a client's.
    pub token: String,
    /// The kind of the key.
    pub kind: KeyKind,
    /// How the CSR is signed.
    pub scheme: Scheme,
    /// What was asked for.
    pub spec: CsrSpec,
    /// Whether the key was made for this request or was there before.
    pub key_source: KeySource,
    /// The signing request whose wish it repeats.
    pub renews: Option<Handle>,
    /// The issuing template that it was judged by.
    pub template: Option<TemplateUse>,
    /// The authority that issues its certificate as soon as there is a CSR.
    pub authority: Option<Handle>,
    /// How many days its certificate shall be valid, where wish or template say.
    pub validity_days: Option<u32>,
    /// What another surface than the native one was sent.
    pub submission: Option<Submission>,
    /// Whether somebody will come back for it (it was answered 202 or has an idempotency key): then
    /// work that a crash or an outage interrupted is continued, else it is undone.
    pub continues: bool,
    /// Where it is in its life.
    pub state: State,
    /// Its key, once there is one.
    pub key: Option<Handle>,
    /// DER of the CSR, once there is one.
    pub csr: Option<Vec<u8>>,
    /// Why it failed, is quarantined or was rejected.
    pub failure: Option<String>,
    /// When the intent was recorded.
    pub created_at: Timestamp,
    /// When the state changed last.
    pub updated_at: Timestamp,
}

/// The issuing template that a signing request was judged by, in the state that it had then.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct TemplateUse {
    /// Its name.
    pub name: String,
    /// SHA-256 of its file, in hexadecimal.
    pub sha256: String,
}

/// A create as the surface of another product took it in, kept to be shown unchanged: its clients compare.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Submission {
    /// Which surface, such as `cloudflare`.
    pub surface: String,
    /// What its users call the request.
    pub name: Option<String>,
    /// What only that surface reads.
    pub document: String,
}

/// Where the key of a signing request comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum KeySource {
    /// Made for this request.
    New,
    /// Made for an earlier one: a renewal with the same key.
    Existing,
    /// A client's: he brought the CSR, and the key is none of ours.
    Client,
}

named!(KeySource { New = "new", Existing = "existing", Client = "client" });

impl KeySource {
    /// Where the key was made: `token` or `client`.
    pub fn origin(self) -> &'static str {
        match self {
            Self::New | Self::Existing => "token",
            Self::Client => "client",
        }
    }
}

/// Where a signing request is in its life.
///
/// ```text
///   awaiting_approval -> intent | pending   | rejected | cancelled
///   intent ------------> generated | cancelled | failed | quarantined
///   generated ---------> pending   | cancelled | failed | quarantined
///   pending -----------> issued    | cancelled
///   issued ------------> retired
///   quarantined -------> cancelled
/// ```
///
/// One with a client's CSR is `pending` with its approval, or from the beginning.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum State {
    /// Recorded; somebody else has to approve it before anything is made.
    AwaitingApproval,
    /// Recorded; no key yet.
    Intent,
    /// The key is made and checked; no CSR yet.
    Generated,
    /// The CSR is made; no certificate yet.
    Pending,
    /// The certificate is married to the key.
    Issued,
    /// The certificate is no longer used; the key may be destroyed.
    Retired,
    /// Not approved, or not in time; `failure` says why.
    Rejected,
    /// Called off before a certificate came.
    Cancelled,
    /// Could not be fulfilled; its key is destroyed.
    Failed,
    /// Something on the token is not as the journal says; an operator has to look.
    Quarantined,
}

named!(State {
    AwaitingApproval = "awaiting_approval",
    Intent = "intent",
    Generated = "generated",
    Pending = "pending",
    Issued = "issued",
    Retired = "retired",
    Rejected = "rejected",
    Cancelled = "cancelled",
    Failed = "failed",
    Quarantined = "quarantined",
});

impl State {
    /// Every state, in the order of the drawing.
    pub const ALL: [Self; 10] = [
        Self::AwaitingApproval,
        Self::Intent,
        Self::Generated,
        Self::Pending,
        Self::Issued,
        Self::Retired,
        Self::Rejected,
        Self::Cancelled,
        Self::Failed,
        Self::Quarantined,
    ];

    /// Whether a request in this state needs its key: such a key is not destroyed.
    pub fn is_live(self) -> bool {
        match self {
            Self::AwaitingApproval | Self::Intent | Self::Generated | Self::Pending | Self::Issued => true,
            // A quarantined request keeps its key for whoever looks into it.
            Self::Quarantined => true,
            Self::Retired | Self::Rejected | Self::Cancelled | Self::Failed => false,
        }
    }

    /// Whether the CSR is still being made.
    pub fn is_unfinished(self) -> bool {
        matches!(self, Self::Intent | Self::Generated)
    }
}

/// What can happen to a signing request.
#[derive(Clone, Debug, PartialEq)]
pub enum Command {
    /// Somebody else approved it.
    Approve,
    /// Somebody else rejected it, or nobody approved it in time.
    Reject {
        /// Why, for its owner.
        reason: String,
    },
    /// Its key was made, read back and found good; or an existing key is used.
    Generated {
        /// The key.
        key: Handle,
    },
    /// Its CSR was signed and verified.
    Signed {
        /// DER of the CSR.
        csr: Vec<u8>,
    },
    /// A certificate for its key came back.
    Married {
        /// SHA-256 of the certificate's DER, in hexadecimal.
        fingerprint: String,
    },
    /// The certificate is out of use.
    Retire,
    /// The requester no longer wants it.
    Cancel,
    /// It cannot be fulfilled.
    Fail {
        /// Why, for its owner.
        reason: String,
    },
    /// The token contradicts the journal.
    Quarantine {
        /// Why, for the operator.
        reason: String,
    },
}

impl Command {
    /// The verb, for messages.
    pub fn verb(&self) -> &'static str {
        match self {
            Self::Approve => "approved",
            Self::Reject { .. } => "rejected",
            Self::Generated { .. } => "given a key",
            Self::Signed { .. } => "given a CSR",
            Self::Married { .. } => "married to a certificate",
            Self::Retire => "retired",
            Self::Cancel => "cancelled",
            Self::Fail { .. } => "failed",
            Self::Quarantine { .. } => "quarantined",
        }
    }
}

/// The command does not fit the state.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("signing request {handle} is {state} and cannot be {verb}")]
pub struct Conflict {
    /// The signing request.
    pub handle: Handle,
    /// Its state, unchanged.
    pub state: State,
    /// What was tried.
    pub verb: &'static str,
}

impl SigningRequest {
    /// The event that records what was asked for: the intent, that it waits for an approval, or that a client
    /// brought his CSR.
    pub fn intent_event(&self) -> Event {
        let action = match self.state {
            State::AwaitingApproval => "signing-request.awaiting_approval",
            State::Pending => "signing-request.pending",
            _ => "signing-request.intent",
        };
        Event {
            action,
            subject: self.handle.to_string(),
            detail: json!({
                "asked_sha256": hex::encode(super::approval::asked_sha256(self)),
                "template": self.template,
                "token": self.token,
                "kind": self.kind,
                "scheme": self.scheme,
                "key_source": self.key_source,
                "renews": self.renews,
                "authority": self.authority,
            }),
        }
    }

    /// Applies a command: the request as it is then, and the event that records the change.
    ///
    /// # Errors
    /// [`Conflict`] when the drawing of [`State`] has no such arrow; nothing is changed.
    pub fn apply(mut self, command: Command, now: Timestamp) -> Result<(Self, Event), Conflict> {
        let next = match (self.state, &command) {
            (State::AwaitingApproval, Command::Approve) if self.key_source == KeySource::Client => {
                State::Pending
            }
            (State::AwaitingApproval, Command::Approve) => State::Intent,
            (State::AwaitingApproval, Command::Reject { .. }) => State::Rejected,
            (State::Intent, Command::Generated { .. }) => State::Generated,
            (State::Generated, Command::Signed { .. }) => State::Pending,
            (State::Pending, Command::Married { .. }) => State::Issued,
            (State::Issued, Command::Retire) => State::Retired,
            (
                State::AwaitingApproval
                | State::Intent
                | State::Generated
                | State::Pending
                | State::Quarantined,
                Command::Cancel,
            ) => State::Cancelled,
            (State::Intent | State::Generated, Command::Fail { .. }) => State::Failed,
            (State::Intent | State::Generated, Command::Quarantine { .. }) => State::Quarantined,
            _ => {
                return Err(Conflict { handle: self.handle, state: self.state, verb: command.verb() });
            }
        };
        let (action, detail) = match command {
            Command::Approve => {
                // Whoever asked was told that it waits: he comes back for it.
                self.continues = true;
                let asked = hex::encode(super::approval::asked_sha256(&self));
                ("signing-request.approved", json!({ "asked_sha256": asked, "requester": self.principal }))
            }
            Command::Reject { reason } => {
                let detail = json!({ "reason": reason });
                self.failure = Some(reason);
                ("signing-request.rejected", detail)
            }
            Command::Generated { key } => {
                self.key = Some(key);
                ("signing-request.generated", json!({ "key": key }))
            }
            Command::Signed { csr } => {
                let detail = json!({ "key": self.key, "csr_sha256": sha256_hex(&csr) });
                self.csr = Some(csr);
                ("signing-request.pending", detail)
            }
            Command::Married { fingerprint } => {
                ("signing-request.issued", json!({ "key": self.key, "certificate_sha256": fingerprint }))
            }
            Command::Retire => ("signing-request.retired", json!({ "key": self.key })),
            Command::Cancel => ("signing-request.cancelled", json!({ "was": self.state, "key": self.key })),
            Command::Fail { reason } => {
                let detail = json!({ "was": self.state, "reason": reason });
                self.failure = Some(reason);
                ("signing-request.failed", detail)
            }
            Command::Quarantine { reason } => {
                let detail = json!({ "was": self.state, "reason": reason });
                self.failure = Some(reason);
                ("signing-request.quarantined", detail)
            }
        };
        self.state = next;
        self.updated_at = now;
        let event = Event { action, subject: self.handle.to_string(), detail };
        Ok((self, event))
    }
}

fn sha256_hex(bytes: &[u8]) -> String {
    use sha2::Digest as _;
    hex::encode(sha2::Sha256::digest(bytes))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    const NOW: Timestamp = Timestamp::from_millis(2);

    fn request(state: State) -> SigningRequest {
        let kind: KeyKind = "ec-p256".parse().unwrap();
        let handle = Handle::new(Timestamp::from_millis(1), [1; 10]);
        SigningRequest {
            handle,
            tenant: TenantId::DEFAULT,
            number: 1,
            principal: handle,
            token: "main".into(),
            kind,
            scheme: kind.default_scheme(),
            spec: CsrSpec::default(),
            key_source: KeySource::New,
            renews: None,
            template: None,
            authority: None,
            validity_days: None,
            submission: None,
            continues: false,
            state,
            key: None,
            csr: None,
            failure: None,
            created_at: Timestamp::from_millis(1),
            updated_at: Timestamp::from_millis(1),
        }
    }

    fn commands() -> [Command; 9] {
        [
            Command::Approve,
            Command::Reject { reason: "r".into() },
            Command::Generated { key: Handle::new(NOW, [2; 10]) },
            Command::Signed { csr: vec![1] },
            Command::Married { fingerprint: "f".into() },
            Command::Retire,
            Command::Cancel,
            Command::Fail { reason: "r".into() },
            Command::Quarantine { reason: "r".into() },
        ]
    }

    /// The arrows of the drawing in the doc comment of [`State`].
    fn drawn() -> BTreeSet<(String, String)> {
        let lines = include_str!("signing_request.rs").lines();
        let drawing =
            lines.skip_while(|line| !line.contains("```text")).skip(1).take_while(|l| !l.contains("```"));
        let arrows = drawing.flat_map(|line| {
            let (from, to) = line.trim_start_matches("///").split_once("->").unwrap();
            let from = from.trim_end_matches('-').trim().to_owned();
            to.split('|').map(move |to| (from.clone(), to.trim().to_owned()))
        });
        arrows.collect()
    }

    #[test]
    fn the_drawing_is_what_apply_does() {
        let mut done = BTreeSet::new();
        for state in State::ALL {
            for command in commands() {
                for key_source in [KeySource::New, KeySource::Client] {
                    let request = SigningRequest { key_source, ..request(state) };
                    if let Ok((after, _)) = request.apply(command.clone(), NOW) {
                        done.insert((state.to_string(), after.state.to_string()));
                    }
                }
            }
        }
        assert_eq!(done, drawn());
        assert_eq!(done.len(), 16);
    }

    #[test]
    fn a_change_is_dated_and_recorded_and_a_refused_one_names_the_state() {
        let (after, event) = request(State::Pending).apply(Command::Cancel, NOW).unwrap();
        assert_eq!((after.state, after.updated_at), (State::Cancelled, NOW));
        assert_eq!(event.action, "signing-request.cancelled");
        assert_eq!(event.detail["was"], "pending");
        let conflict = request(State::Issued).apply(Command::Cancel, NOW).unwrap_err();
        assert!(conflict.to_string().ends_with("is issued and cannot be cancelled"), "{conflict}");
    }

    proptest! {
        #[test]
        fn whatever_happens_a_state_has_what_its_name_promises(
            happened in prop::collection::vec(prop::sample::select(commands().to_vec()), 0..12),
        ) {
            let mut request = request(State::AwaitingApproval);
            for (nth, command) in happened.into_iter().enumerate() {
                let now = Timestamp::from_millis(10 + nth as i64);
                let before = request.clone();
                match request.clone().apply(command, now) {
                    Ok((after, event)) => {
                        prop_assert!(drawn().contains(&(before.state.to_string(), after.state.to_string())));
                        prop_assert_eq!(after.updated_at, now);
                        prop_assert_eq!(event.subject, after.handle.to_string());
                        // What it has it keeps.
                        prop_assert!(before.key.is_none() || after.key == before.key);
                        prop_assert!(before.csr.is_none() || after.csr == before.csr);
                        request = after;
                    }
                    Err(conflict) => prop_assert_eq!(conflict.state, before.state),
                }
                let SigningRequest { state, key, csr, failure, .. } = &request;
                match state {
                    State::AwaitingApproval | State::Intent => prop_assert!(key.is_none() && csr.is_none()),
                    State::Generated => prop_assert!(key.is_some() && csr.is_none()),
                    State::Pending | State::Issued | State::Retired => prop_assert!(key.is_some() && csr.is_some()),
                    State::Failed | State::Quarantined | State::Rejected => prop_assert!(failure.is_some() && csr.is_none()),
                    State::Cancelled => {}
                }
                prop_assert_eq!(state.is_unfinished(), matches!(state, State::Intent | State::Generated));
            }
        }
    }
}
