//! The journalled path of one signing request with a new key: generate, read back, sign, verify,
//! record. Every way out leaves the journal in a state that the reconciler can finish.

use super::Made;
use super::drivers::{Driver, Outcome};
use super::sign::WRONG_SIGNATURE;
use crate::app::key_life::must_be_usable;
use crate::app::keys::decide_destruction;
use crate::app::transition::transition;
use crate::app::watch::wait_until_admitted;
use crate::app::{App, Error, Kind, failpoint};
use crate::domain::audit::Actor;
use crate::domain::id::Handle;
use crate::domain::key::{Key, KeyState, Purpose};
use crate::domain::key_quality;
use crate::domain::signing_request::{Command, SigningRequest};
use crate::hsm::{self, GeneratedKey, Token};
use crate::store::{Attempt, Outcome as AttemptOutcome};

/// Keys made for one signing request before it fails: the first, and one after a fault that leaves
/// no good key behind.
const MOST_ATTEMPTS: usize = 2;

/// Where the driver takes up an attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Start {
    /// The token was not asked yet.
    Generate,
    /// It may have been asked: look what is there.
    Inspect,
}

/// Why an attempt has no usable key.
enum NoKey {
    /// Nothing complete is on the token; another attempt may do better.
    TryAgain(Error),
    /// The token does not want or cannot.
    GiveUp(Error),
}

impl App {
    /// Runs the driver in a task of its own.
    pub(super) fn spawn_driver(
        &self,
        driver: Driver,
        actor: Actor,
        request: SigningRequest,
        attempt: Attempt,
        start: Start,
    ) {
        let app = self.clone();
        tokio::spawn(async move {
            let made = app.drive(actor.clone(), request, attempt, start).await;
            driver.finish(app.certified(&actor, made).await);
        });
    }

    /// Takes up a request that was left unfinished, unless it has a driver already.
    pub(in crate::app) async fn continue_unfinished(&self, request: SigningRequest) -> Result<(), Error> {
        let handle = request.handle;
        let Ok(driver) = self.0.drivers.enlist(handle) else { return Ok(()) };
        // Read again under the claim: another driver may have finished in between.
        let found: Result<_, Error> = self
            .0
            .store
            .read(move |view| {
                let request = view.signing_request(handle)?;
                let key = request.as_ref().and_then(|request| request.key);
                let key = key.map(|key| view.key(key)).transpose()?.flatten();
                Ok((request, view.open_attempt_of(handle)?, key))
            })
            .await;
        match found? {
            (Some(request), Some(attempt), _) if request.state.is_unfinished() => {
                self.spawn_driver(driver, Actor::System, request, attempt, Start::Inspect);
            }
            (Some(request), None, Some(key)) if request.state.is_unfinished() => {
                let app = self.clone();
                tokio::spawn(async move {
                    let made = app.finish_with_key(request, key).await;
                    driver.finish(app.certified(&Actor::System, made).await);
                });
            }
            _ => {}
        }
        Ok(())
    }

    /// What was made, with its certificate where an authority issues it at once.
    async fn certified(&self, actor: &Actor, made: Outcome) -> Outcome {
        let made = made?;
        Ok(Made { request: self.issued_at_once(actor, made.request).await, ..made })
    }

    async fn drive(&self, actor: Actor, request: SigningRequest, attempt: Attempt, start: Start) -> Outcome {
        let token = self.token(&request.token)?;
        let (mut key, attempt) = self.obtain_key(&token, &request, attempt, start).await?;
        key.tenant = Some(request.tenant);
        let signed = match self.signed_csr(&token, &key, &request.spec, request.scheme).await {
            // A worker that came up meanwhile may have loaded another module, and made the key with it.
            Ok(csr) => wait_until_admitted(&self.0.health, &token).await.map(|()| csr),
            failed => failed,
        };
        match signed {
            Ok(csr) => self.record_csr(&token, actor, request, key, attempt, csr).await,
            Err(error) if error.code() == WRONG_SIGNATURE => {
                self.quarantine(request.handle, key, attempt, error).await
            }
            Err(error) if error.kind() == Kind::Unavailable && self.continues(&request).await => self
                .record_generated(request.handle, key, attempt)
                .await
                .and(Err(error.about(request.handle))),
            Err(error) => Err(self.abandon(&token, &request, &attempt, error).await),
        }
    }

    /// A good key for the request, in this attempt or in another one.
    async fn obtain_key(
        &self,
        token: &Token,
        request: &SigningRequest,
        mut attempt: Attempt,
        mut start: Start,
    ) -> Result<(Key, Attempt), Error> {
        let mut attempts = 1;
        loop {
            match self.attempt_key(token, &attempt, start).await {
                Ok(key) => return Ok((key, attempt)),
                Err(NoKey::TryAgain(error)) if attempts < MOST_ATTEMPTS => {
                    tracing::warn!(request = %request.handle, %error, "attempt left no key; starting another");
                    attempt = self.restart(token, request, attempt, error).await?;
                    start = Start::Generate;
                    attempts += 1;
                }
                Err(NoKey::TryAgain(error) | NoKey::GiveUp(error)) => {
                    return Err(self.abandon(token, request, &attempt, error).await);
                }
            }
        }
    }

    async fn attempt_key(&self, token: &Token, attempt: &Attempt, start: Start) -> Result<Key, NoKey> {
        failpoint::reached("generate-before");
        let made = match start {
            Start::Generate => token.generate(attempt.id, attempt.key.to_string(), attempt.kind).await,
            Start::Inspect => return self.inspect(token, attempt).await,
        };
        failpoint::reached("generate-after");
        match made {
            Ok(made) => self.judge(token, attempt, Purpose::Request, made).map_err(NoKey::GiveUp),
            // The worker died in the act. The next one can see what is there.
            Err(unknown) if unknown.kind() == hsm::Kind::OutcomeUnknown => {
                match self.inspect(token, attempt).await {
                    // Still nobody to ask: it stays unknown.
                    Err(NoKey::GiveUp(_)) => Err(NoKey::GiveUp(unknown.into())),
                    known => known,
                }
            }
            Err(error) if error.kind() == hsm::Kind::Interrupted => Err(NoKey::TryAgain(error.into())),
            Err(error) => Err(NoKey::GiveUp(error.into())),
        }
    }

    /// What a generation left that was interrupted: a good key, or nothing that is worth keeping.
    async fn inspect(&self, token: &Token, attempt: &Attempt) -> Result<Key, NoKey> {
        use hsm::Kind as Hsm;
        let nothing_good = |cause: Error| {
            let message = "the token was lost before it had made the key; try again";
            NoKey::TryAgain(Error::new(Kind::Unavailable, "hsm.interrupted", message).caused_by(cause))
        };
        match token.read_back(attempt.id).await {
            // A killed module leaves keys without some of their attributes, too.
            Ok(made) => self.judge(token, attempt, Purpose::Request, made).map_err(nothing_good),
            Err(error) => match error.kind() {
                Hsm::KeyMissing | Hsm::Ambiguous | Hsm::Unsupported | Hsm::Refused | Hsm::Bug => {
                    Err(nothing_good(error.into()))
                }
                Hsm::OutcomeUnknown
                | Hsm::Interrupted
                | Hsm::Unavailable
                | Hsm::Busy
                | Hsm::Capacity
                | Hsm::TokenNotFound
                | Hsm::LockHeld
                | Hsm::Misconfigured
                | Hsm::PinRefused => Err(NoKey::GiveUp(error.into())),
            },
        }
    }

    /// A key that was made is only taken when it is what we asked for.
    pub(in crate::app) fn judge(
        &self,
        token: &Token,
        attempt: &Attempt,
        purpose: Purpose,
        made: GeneratedKey,
    ) -> Result<Key, Error> {
        let violations = made.attributes.violations();
        if !violations.is_empty() {
            let message = format!(
                "token `{}` made a key that is not as asked for and was destroyed: {}",
                token.name(),
                violations.join("; ")
            );
            return Err(Error::new(Kind::HsmRefused, "key.attributes", message));
        }
        key_quality::check(&made.spki, attempt.kind).map_err(|error| {
            let message = format!("token `{}` made a bad key, which was destroyed: {error}", token.name());
            Error::new(Kind::HsmRefused, "key.bad", message).caused_by(error)
        })?;
        Ok(Key {
            handle: attempt.key,
            id: attempt.id,
            tenant: None,
            token: attempt.token.clone(),
            kind: attempt.kind,
            purpose,
            state: KeyState::Present,
            spki: made.spki,
            attributes: made.attributes,
            evidence: self.evidence_on(token.name()),
            created_at: self.now(),
        })
    }

    async fn record_csr(
        &self,
        token: &Token,
        actor: Actor,
        request: SigningRequest,
        key: Key,
        attempt: Attempt,
        csr: Vec<u8>,
    ) -> Outcome {
        failpoint::reached("record-before");
        let (handle, now) = (request.handle, self.now());
        let id = attempt.id;
        let recorded: Outcome = self
            .0
            .store
            .write(move |tx| {
                tx.insert_key(&key)?;
                tx.close_attempt(id, AttemptOutcome::Succeeded, now)?;
                let commands = [Command::Generated { key: key.handle }, Command::Signed { csr }];
                let request = transition(tx, &actor, handle, commands, now)?;
                Ok(Made { request, key: Some(key) })
            })
            .await;
        failpoint::reached("record-after");
        match recorded {
            // Cancelled meanwhile, or the token repeated a key that it had made before.
            Err(error) if error.kind() == Kind::Conflict => {
                Err(self.abandon(token, &request, &attempt, error).await)
            }
            recorded => recorded,
        }
    }

    /// Keeps a good key whose CSR cannot be signed now, for a request that will be continued.
    async fn record_generated(
        &self,
        handle: Handle,
        key: Key,
        attempt: Attempt,
    ) -> Result<SigningRequest, Error> {
        let now = self.now();
        self.0
            .store
            .write(move |tx| {
                tx.insert_key(&key)?;
                tx.close_attempt(attempt.id, AttemptOutcome::Succeeded, now)?;
                transition(tx, &Actor::System, handle, [Command::Generated { key: key.handle }], now)
            })
            .await
    }

    /// The second half, for a request whose key was recorded before.
    async fn finish_with_key(&self, request: SigningRequest, key: Key) -> Outcome {
        let token = self.token(&request.token)?;
        let (handle, key_handle, now) = (request.handle, key.handle, self.now());
        let usable: Result<(), Error> = self.0.store.read(move |view| must_be_usable(view, key_handle)).await;
        let signed = match usable {
            Ok(()) => self.signed_csr(&token, &key, &request.spec, request.scheme).await,
            Err(error) => Err(error),
        };
        let error = match signed {
            Ok(csr) => {
                let command = Command::Signed { csr };
                return self
                    .0
                    .store
                    .write(move |tx| {
                        must_be_usable(tx, key_handle)?;
                        let request = transition(tx, &Actor::System, handle, [command], now)?;
                        Ok(Made { request, key: Some(key) })
                    })
                    .await;
            }
            Err(error) => error.about(handle),
        };
        let reason = error.to_string();
        match error.kind() {
            Kind::Unavailable | Kind::OutcomeUnknown => {}
            _ if error.code() == WRONG_SIGNATURE => {
                let recorded: Result<SigningRequest, Error> = self
                    .0
                    .store
                    .write(move |tx| {
                        tx.set_key_state(key.handle, KeyState::Quarantined, now)?;
                        transition(tx, &Actor::System, handle, [Command::Quarantine { reason }], now)
                    })
                    .await;
                recorded?;
            }
            _ => {
                // Before it is taken for lost: a token whose storage vanished has no keys, either.
                self.examine(&token).await?;
                let doomed: Result<Key, Error> = self
                    .0
                    .store
                    .write(move |tx| {
                        transition(tx, &Actor::System, handle, [Command::Fail { reason }], now)?;
                        decide_destruction(tx, &Actor::System, now, key)
                    })
                    .await;
                self.finish_destruction(doomed?).await?;
            }
        }
        Err(error)
    }

    /// The token contradicts itself: the key is kept for whoever looks into it, nothing is released.
    async fn quarantine(&self, handle: Handle, mut key: Key, attempt: Attempt, error: Error) -> Outcome {
        let (now, reason) = (self.now(), error.to_string());
        key.state = KeyState::Quarantined;
        let recorded: Result<SigningRequest, Error> = self
            .0
            .store
            .write(move |tx| {
                tx.insert_key(&key)?;
                tx.close_attempt(attempt.id, AttemptOutcome::Quarantined, now)?;
                let commands = [Command::Generated { key: key.handle }, Command::Quarantine { reason }];
                transition(tx, &Actor::System, handle, commands, now)
            })
            .await;
        recorded.and(Err(error.about(handle)))
    }

    /// Clears what an attempt left on the token and opens the next one, under another CKA_ID: a
    /// generation is never repeated under the same.
    async fn restart(
        &self,
        token: &Token,
        request: &SigningRequest,
        attempt: Attempt,
        error: Error,
    ) -> Result<Attempt, Error> {
        let outcome = match clear(token, &attempt).await {
            Ok(outcome) => outcome,
            // Still open: the reconciler clears it when the token is back.
            Err(_) => return Err(error.about(request.handle)),
        };
        let next = self.new_attempt(&attempt.token, attempt.kind, attempt.request)?;
        let (opened, now) = (next.clone(), self.now());
        let recorded: Result<(), Error> = self
            .0
            .store
            .write(move |tx| {
                tx.close_attempt(attempt.id, outcome, now)?;
                tx.open_attempt(&opened)?;
                Ok(())
            })
            .await;
        recorded.map(|()| next)
    }

    /// Whether somebody will come back for it: that may have been promised since its driver started.
    async fn continues(&self, request: &SigningRequest) -> bool {
        self.any_signing_request(request.handle).await.map_or(request.continues, |now| now.continues)
    }

    /// Ends a request that cannot be fulfilled, unless somebody will come back for it and the fault
    /// passes: then the journal keeps it open. First the decision is recorded, then its attempt is
    /// cleared from the token, now or by the reconciler. Answers the error for the caller.
    pub(in crate::app) async fn abandon(
        &self,
        token: &Token,
        request: &SigningRequest,
        attempt: &Attempt,
        error: Error,
    ) -> Error {
        let passes = matches!(error.kind(), Kind::Unavailable | Kind::OutcomeUnknown);
        let (handle, now, reason) = (request.handle, self.now(), error.to_string());
        let abandoned: Result<bool, Error> = self
            .0
            .store
            .write(move |tx| {
                let request =
                    tx.signing_request(handle)?.ok_or_else(|| Error::not_found("signing request", handle))?;
                match request.state.is_unfinished() {
                    true if request.continues && passes => return Ok(false),
                    true => drop(transition(tx, &Actor::System, handle, [Command::Fail { reason }], now)?),
                    // It was cancelled meanwhile, and stays so.
                    false => {}
                }
                Ok(true)
            })
            .await;
        let cleared = match abandoned {
            Ok(true) => self.close_cleared(token, attempt).await,
            Ok(false) => Ok(()),
            Err(error) => Err(error),
        };
        if let Err(cause) = cleared {
            tracing::warn!(request = %handle, %cause, "the attempt stays open until the token is reconciled");
        }
        error.about(handle)
    }

    /// Destroys what an attempt left on the token, and closes it.
    pub(in crate::app) async fn close_cleared(&self, token: &Token, attempt: &Attempt) -> Result<(), Error> {
        let outcome = clear(token, attempt).await?;
        let (id, now) = (attempt.id, self.now());
        self.0.store.write(move |tx| tx.close_attempt(id, outcome, now).map_err(Error::from)).await
    }
}

/// Destroys whatever the token holds under an attempt's CKA_ID.
async fn clear(token: &Token, attempt: &Attempt) -> Result<AttemptOutcome, hsm::Error> {
    let destroyed = token.destroy(attempt.id).await?;
    Ok(match destroyed.private + destroyed.public + destroyed.other {
        0 => AttemptOutcome::Absent,
        _ => AttemptOutcome::Destroyed,
    })
}
