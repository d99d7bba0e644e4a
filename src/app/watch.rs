//! Watching the tokens: a sentinel key on each signs a fresh challenge every 15 s, because only a
//! real signature shows that a token works. A token whose storage vanished may answer OK with no
//! objects; so the journal is held against a token only after its sentinel signed.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use super::probe::{LEAKS, Standing, leaks};
use super::reconcile::Report;
use super::{App, Error, Kind, failpoint};
use crate::domain::algorithm::KeyKind;
use crate::domain::audit::Actor;
use crate::domain::clock::Timestamp;
use crate::domain::csr;
use crate::domain::key::{Key, Purpose};
use crate::hsm::{Token, TokenInfo, TokenStatus};
use crate::store::{Attempt, Outcome as AttemptOutcome};

/// How often it is looked for what nobody decided on in time. A decision itself looks at the clock.
const EXPIRE_EVERY: Duration = Duration::from_secs(1);
/// A sentinel that signed is asked again after so long.
const SENTINEL_EVERY: Duration = Duration::from_secs(15);
/// One that did not, sooner: an outage ends for us when a sentinel signs.
const SENTINEL_RETRY: Duration = Duration::from_secs(1);
/// One whose key the token refuses to make, or that signs wrongly, less often.
const SENTINEL_REFUSED: Duration = Duration::from_secs(30);
/// Code of the error that a token which works answers about a key that it has not.
const KEY_MISSING: &str = "key.missing";
/// A reconciliation that failed is tried again after so long.
const RECONCILE_RETRY: Duration = Duration::from_secs(5);
/// The journal is held against the token so often.
const RECONCILE_EVERY: Duration = Duration::from_secs(300);
/// A token that is up without its sentinel gets a new worker at most so often.
const RESTART_EVERY: Duration = Duration::from_secs(30);
/// A caller waits so long for a token that is just starting or healing.
const PATIENCE: Duration = Duration::from_secs(5);

/// What the sentinels last said, by token.
#[derive(Default)]
pub struct Health(Mutex<BTreeMap<String, TokenHealth>>);

/// What the sentinel of one token last said.
#[derive(Clone, Debug, Default)]
pub struct TokenHealth {
    /// When it was asked last.
    pub checked_at: Option<Timestamp>,
    /// Why it did not sign; `None` when it did.
    pub failure: Option<Error>,
    /// When the journal was last held against the token, since the program started.
    pub reconciled_at: Option<Timestamp>,
    /// When the token last did not take a certificate, unless it has taken one since.
    pub certificate_refused_at: Option<Timestamp>,
    /// What the negative probes found; `None` until the token was seen.
    pub standing: Option<Standing>,
}

impl TokenHealth {
    /// Whether the sentinel signed when it was last asked.
    pub fn signed(&self) -> bool {
        self.checked_at.is_some() && self.failure.is_none()
    }

    /// Whether the token works and has not its sentinel: it was wiped, or is another one.
    pub fn lost_its_sentinel(&self) -> bool {
        self.failure.as_ref().is_some_and(|failure| failure.code() == KEY_MISSING)
    }

    /// Whether the token, as it is now, may be worked with: it withstood the probes, the sentinel signed
    /// and the journal was reconciled.
    pub fn is_ready(&self, info: &TokenInfo) -> bool {
        self.signed()
            && self.reconciled_at.is_some()
            && self.standing.as_ref().is_some_and(|standing| standing.admits(info))
    }

    /// Why the token is refused, if it lets keys out.
    pub fn refusal(&self) -> Option<&Error> {
        self.failure.as_ref().filter(|failure| failure.code() == LEAKS)
    }
}

impl Health {
    /// What is known of a token.
    pub fn of(&self, token: &str) -> TokenHealth {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).get(token).cloned().unwrap_or_default()
    }

    /// Notes what is known of a token's probes.
    pub(super) fn stands(&self, token: &str, standing: Standing) {
        self.update(token, |health| health.standing = Some(standing));
    }

    pub(super) fn update(&self, token: &str, change: impl FnOnce(&mut TokenHealth)) {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        change(all.entry(token.to_owned()).or_default());
    }
}

/// Waits a little for a token that is starting or healing.
///
/// # Errors
/// [`Kind::Unavailable`] with the reason when it does not get ready.
pub(super) async fn wait_until_usable(health: &Health, token: &Token) -> Result<Arc<TokenInfo>, Error> {
    let give_up = Instant::now() + PATIENCE;
    loop {
        let (status, health) = (token.status(), health.of(token.name()));
        if let TokenStatus::Up { info, .. } = &status
            && health.is_ready(info)
        {
            return Ok(Arc::clone(info));
        }
        // A token that is known to be down is not worth waiting for.
        if let TokenStatus::Down { error, .. } = status {
            return Err(error.into());
        }
        if let Some(refusal) = health.refusal() {
            return Err(refusal.clone());
        }
        if Instant::now() >= give_up {
            let reason = health.failure.map_or("it is still being checked".to_owned(), |f| f.to_string());
            let message = format!("token `{}` is not ready: {reason}", token.name());
            return Err(Error::new(Kind::Unavailable, "hsm.not-ready", message));
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// Waits a little until a token that is up was probed with the module that it has now.
///
/// # Errors
/// [`LEAKS`] when it is refused; [`Kind::Unavailable`] when that is still not known.
pub(super) async fn wait_until_admitted(health: &Health, token: &Token) -> Result<(), Error> {
    let give_up = Instant::now() + PATIENCE;
    loop {
        // One that is not up refuses by itself.
        let TokenStatus::Up { info, .. } = token.status() else { return Ok(()) };
        match health.of(token.name()).standing {
            Some(standing) if standing.admits(&info) => return Ok(()),
            Some(standing) if standing.verdict.binding == info.binding() => {
                return Err(leaks(token.name(), &standing.verdict));
            }
            Some(_) | None if Instant::now() >= give_up => {
                let message = format!("token `{}` is not ready: it is still being checked", token.name());
                return Err(Error::new(Kind::Unavailable, "hsm.not-ready", message));
            }
            Some(_) | None => tokio::time::sleep(Duration::from_millis(20)).await,
        }
    }
}

impl App {
    /// Starts the watch over every token, over the ends of certificates, and over what waits for
    /// somebody; ends with the runtime.
    pub fn watch_tokens(&self) {
        let app = self.clone();
        tokio::spawn(async move { app.watch_the_waiting().await });
        let app = self.clone();
        tokio::spawn(async move { app.watch_certificates().await });
        for token in self.0.hsm.tokens() {
            let (app, token) = (self.clone(), token.clone());
            tokio::spawn(async move { app.watch_token(token).await });
        }
    }

    /// Holds the journal against a token now, because an operator asks for it.
    ///
    /// # Errors
    /// There is no such token, its sentinel does not sign, or as for [`App::reconcile`].
    pub async fn reconcile_now(&self, token: &str) -> Result<(Timestamp, Report), Error> {
        let token = self.0.hsm.token(token).ok_or_else(|| Error::not_found("token", token))?;
        // The watch alone makes sentinels; where one has signed there is one.
        if !self.health(token.name()).signed() {
            wait_until_usable(&self.0.health, &token).await?;
        }
        self.examine(&token).await?;
        self.0.health.update(token.name(), |health| health.certificate_refused_at = None);
        let report = self.reconcile(&token).await?;
        let now = self.now();
        self.0.health.update(token.name(), |health| health.reconciled_at = Some(now));
        Ok((now, report))
    }

    /// Whether every token is ready, and what each sentinel last said.
    pub fn readiness(&self) -> (bool, BTreeMap<String, TokenHealth>) {
        let all: BTreeMap<_, _> = self
            .0
            .hsm
            .tokens()
            .map(|token| (token.name().to_owned(), self.0.health.of(token.name())))
            .collect();
        let ready = self.0.hsm.tokens().all(|token| match token.status() {
            TokenStatus::Up { info, .. } => self.0.health.of(token.name()).is_ready(&info),
            TokenStatus::Starting | TokenStatus::Down { .. } | TokenStatus::Stopped => false,
        });
        (ready, all)
    }

    /// What the sentinel of a token last said.
    pub fn health(&self, token: &str) -> TokenHealth {
        self.0.health.of(token)
    }

    async fn watch_the_waiting(&self) {
        loop {
            let expired = async {
                self.expire_approvals().await?;
                self.expire_proposals().await
            };
            if let Err(error) = expired.await {
                tracing::warn!(%error, "what nobody approved in time cannot be ended now");
            }
            tokio::time::sleep(EXPIRE_EVERY).await;
        }
    }

    async fn watch_token(&self, token: Token) {
        let mut status = token.watch_status();
        let mut attention = self.0.attention.subscribe();
        // When, and through which worker: a new one may have found the token changed, and attempts
        // that the old one left unfinished should not wait.
        let mut reconciled: Option<(Instant, u32)> = None;
        let mut restarted: Option<Instant> = None;
        loop {
            let now = status.borrow_and_update().clone();
            match now {
                TokenStatus::Stopped => return,
                // There is nobody to ask yet.
                TokenStatus::Starting => match status.changed().await {
                    Ok(()) => continue,
                    Err(_) => return,
                },
                TokenStatus::Up { .. } | TokenStatus::Down { .. } => {}
            }
            attention.mark_unchanged();
            let pause = match self.examine(&token).await {
                Ok(()) => {
                    if !self.0.health.of(token.name()).signed() {
                        tracing::info!(token = token.name(), "the sentinel signed: the token works");
                    }
                    self.note_sentinel(&token, None).await;
                    let worker = worker_of(&token);
                    if reconciled.is_none_or(|(at, by)| by != worker || at.elapsed() >= RECONCILE_EVERY) {
                        reconciled = self.reconcile_noting(&token).await.then(|| (Instant::now(), worker));
                    }
                    if reconciled.is_some() { SENTINEL_EVERY } else { RECONCILE_RETRY }
                }
                // Our own load or index: no word about the token.
                Err(error) if error.code() == "hsm.busy" || error.code().starts_with("store.") => {
                    tracing::warn!(token = token.name(), %error, "the sentinel could not be asked");
                    SENTINEL_RETRY
                }
                Err(error) => {
                    // What an outage interrupts is taken up when it ends, not up to 5 minutes later.
                    reconciled = None;
                    if self.0.health.of(token.name()).failure.is_none() {
                        tracing::warn!(token = token.name(), %error, "the token does not work");
                    }
                    let up_without_it = error.code() == KEY_MISSING && is_up(&token);
                    if up_without_it && restarted.is_none_or(|at| at.elapsed() >= RESTART_EVERY) {
                        // SoftHSM whose directory vanished and came back stays broken until its
                        // module is initialised anew, which only a new process does.
                        restarted = Some(Instant::now());
                        token.restart("the sentinel key is not found");
                    }
                    // What the token refuses it will refuse again; keys made in vain wear an HSM.
                    let passes = error.kind() == Kind::Unavailable || error.code() == KEY_MISSING;
                    self.note_sentinel(&token, Some(error)).await;
                    if passes { SENTINEL_RETRY } else { SENTINEL_REFUSED }
                }
            };
            tokio::select! {
                () = tokio::time::sleep(pause) => {}
                changed = status.changed() => if changed.is_err() { return },
                // The sender lives as long as this.
                _ = attention.changed() => {}
            }
        }
    }

    async fn note_sentinel(&self, token: &Token, failure: Option<Error>) {
        let (now, works) = (self.now(), failure.is_none());
        let before = self.0.health.of(token.name());
        self.0.health.update(token.name(), |health| {
            health.checked_at = Some(now);
            health.failure = failure;
        });
        let worked = before.checked_at.map(|_| before.failure.is_none());
        if worked != Some(works) {
            self.tell_of_token(token.name(), works).await;
        }
    }

    async fn reconcile_noting(&self, token: &Token) -> bool {
        match self.reconcile(token).await {
            Ok(report) => {
                tracing::info!(token = token.name(), ?report, "reconciled");
                let now = self.now();
                self.0.health.update(token.name(), |health| health.reconciled_at = Some(now));
                true
            }
            Err(error) => {
                tracing::warn!(token = token.name(), %error, "cannot reconcile now");
                false
            }
        }
    }

    /// The probes first, if they are due: what leaks is not used, not even for a sentinel.
    pub(super) async fn examine(&self, token: &Token) -> Result<(), Error> {
        self.admit(token).await?;
        self.challenge(token).await
    }

    /// A fresh challenge for the sentinel; makes the sentinel first where there is none.
    async fn challenge(&self, token: &Token) -> Result<(), Error> {
        let name = token.name().to_owned();
        let found: Result<_, Error> = self.0.store.read(move |view| Ok(view.sentinel_of(&name)?)).await;
        let key = match found? {
            Some(key) => key,
            None => self.make_sentinel(token).await?,
        };
        let challenge: [u8; 32] = super::system::random()?;
        let scheme = key.kind.default_scheme();
        let signature = token.sign(key.id, scheme, challenge.to_vec()).await?;
        csr::verify_signature(&key.spki, scheme, &challenge, &signature).map_err(|error| {
            let message = format!("the sentinel of token `{}` gave a wrong signature", token.name());
            Error::new(Kind::HsmRefused, "hsm.wrong-signature", message).caused_by(error)
        })
    }

    /// Makes the sentinel through the journal, like every key. Attempts that a crash left open are
    /// cleared first: this task is the only one that makes sentinels of this token.
    async fn make_sentinel(&self, token: &Token) -> Result<Key, Error> {
        self.clear_sentinel_attempts(token).await?;
        let TokenStatus::Up { info, .. } = token.status() else {
            let message = format!("token `{}` is not up", token.name());
            return Err(Error::new(Kind::Unavailable, "hsm.unavailable", message));
        };
        let kind = sentinel_kind(&info).ok_or_else(|| {
            let message = format!("token `{}` offers no key kind that strongroom knows", token.name());
            Error::new(Kind::Refused, "key.kind-not-offered", message)
        })?;
        let attempt = self.new_attempt(token.name(), kind, None)?;
        let (opened, now) = (attempt.clone(), self.now());
        failpoint::reached("sentinel-before");
        let recorded: Result<(), Error> =
            self.0.store.write(move |tx| tx.open_attempt(&opened).map_err(Error::from)).await;
        recorded?;
        failpoint::reached("sentinel-after");
        let made = token.generate(attempt.id, attempt.key.to_string(), kind).await?;
        let key = match self.judge(token, &attempt, Purpose::Sentinel, made) {
            Ok(key) => key,
            Err(error) => {
                self.close_cleared(token, &attempt).await?;
                return Err(error);
            }
        };
        let recorded = key.clone();
        let event = super::keys::key_event(
            "key.sentinel-made",
            key.handle,
            serde_json::json!({ "token": token.name(), "kind": kind }),
        );
        let stored: Result<(), Error> = self
            .0
            .store
            .write(move |tx| {
                tx.insert_key(&recorded)?;
                tx.close_attempt(attempt.id, AttemptOutcome::Succeeded, now)?;
                tx.append_audit(&Actor::System, now, &event)?;
                Ok(())
            })
            .await;
        stored.map(|()| key)
    }

    async fn clear_sentinel_attempts(&self, token: &Token) -> Result<(), Error> {
        let name = token.name().to_owned();
        let open: Result<Vec<Attempt>, Error> =
            self.0.store.read(move |view| Ok(view.open_attempts(&name)?)).await;
        for attempt in
            open?.into_iter().filter(|attempt| attempt.request.is_none() && attempt.authority.is_none())
        {
            self.close_cleared(token, &attempt).await?;
        }
        Ok(())
    }
}

fn is_up(token: &Token) -> bool {
    matches!(token.status(), TokenStatus::Up { .. })
}

/// Process id of the worker; 0 while there is none.
fn worker_of(token: &Token) -> u32 {
    match token.status() {
        TokenStatus::Up { info, .. } => info.worker_pid,
        TokenStatus::Starting | TokenStatus::Down { .. } | TokenStatus::Stopped => 0,
    }
}

/// The cheapest kind to sign with that the token offers.
fn sentinel_kind(info: &TokenInfo) -> Option<KeyKind> {
    let preferred = "ec-p256".parse().ok().filter(|kind| info.algorithms.contains(kind));
    preferred.or_else(|| info.algorithms.first().copied())
}
