//! Whether a token may be used at all: before the first use, and whenever module or token is another
//! one, throw-away keys must withstand the negative probes. A token that fails is refused; only an
//! operator's named acceptance lets it in, and every answer then says so.

use serde_json::json;

use super::{App, Caller, Error, Kind, Token, TokenInfo, TokenStatus};
use crate::domain::algorithm::KeyKind;
use crate::domain::audit::{Actor, Event};
use crate::domain::invalid::Invalid;
use crate::domain::key::{Evidence, EvidenceLevel, Key};
use crate::domain::probe::{Acceptance, Leak, Verdict};
use crate::domain::signing_request::{KeySource, SigningRequest};
use crate::hsm::{KindProbe, Outcome, cheapest_first_by_type};
use crate::store::Tx;

/// Code of the error that a token which lets keys out is refused with.
pub const LEAKS: &str = "hsm.leaks";

/// Longest reason for an acceptance, in bytes.
const LONGEST_REASON: usize = 1000;

/// What is known of a token's probes.
#[derive(Clone, Debug)]
pub struct Standing {
    /// The last verdict.
    pub verdict: Verdict,
    /// Who accepted it, if it leaks.
    pub acceptance: Option<Acceptance>,
}

impl Standing {
    fn new(verdict: Verdict, acceptance: Option<Acceptance>) -> Self {
        let acceptance = acceptance.filter(|acceptance| !verdict.passed() && acceptance.covers(&verdict));
        Self { verdict, acceptance }
    }

    /// What every answer about a key on the token says, if the token leaks.
    pub fn warning(&self) -> Option<String> {
        match &self.acceptance {
            Some(acceptance) => Some(acceptance.warning()),
            None => self.verdict.warning(),
        }
    }

    /// Whether the token may be used with the module that it has now.
    pub fn admits(&self, info: &TokenInfo) -> bool {
        self.verdict.binding == info.binding() && (self.verdict.passed() || self.acceptance.is_some())
    }
}

impl App {
    /// Makes sure that the token as it is now has withstood the probes, probing it if need be.
    ///
    /// # Errors
    /// [`LEAKS`] for a token that is refused. Otherwise why it cannot be told now.
    pub(super) async fn admit(&self, token: &Token) -> Result<(), Error> {
        let info = match token.status() {
            TokenStatus::Up { info, .. } => info,
            TokenStatus::Down { error, .. } => return Err(error.into()),
            TokenStatus::Starting | TokenStatus::Stopped => return Err(not_up(token)),
        };
        let standing = match self.standing(token.name()).await? {
            Some(known) if known.verdict.binding == info.binding() => known,
            Some(_) | None => self.probe_before_use(token, &info).await?,
        };
        self.0.health.stands(token.name(), standing.clone());
        if standing.admits(&info) { Ok(()) } else { Err(leaks(token.name(), &standing.verdict)) }
    }

    /// Probes key kinds of a token, each as far as it gets. What is found about a kind takes the place of
    /// what was known of it: a leak counts against the token from then on, whoever asked for the probe.
    ///
    /// # Errors
    /// No such token, or it is not up, or it was lost in the act.
    pub async fn probe(
        &self,
        caller: &Caller,
        token: &str,
        kinds: Option<Vec<KeyKind>>,
    ) -> Result<(TokenInfo, Vec<KindProbe>), Error> {
        let token = self.0.hsm.token(token).ok_or_else(|| Error::not_found("token", token))?;
        let _turn = match self.0.probing.get(token.name()) {
            Some(turn) => Some(turn.lock().await),
            None => None,
        };
        // So that there is a verdict on what the token has to withstand, whatever is asked for here.
        match self.admit(&token).await {
            Err(error) if error.code() != LEAKS => return Err(error),
            Ok(()) | Err(_) => {}
        }
        let TokenStatus::Up { info, .. } = token.status() else { return Err(not_up(&token)) };
        let standing = self.health(token.name()).standing;
        if standing.is_none_or(|standing| standing.verdict.binding != info.binding()) {
            // Another module came up since: the kinds asked for here are no verdict on it.
            return Err(not_up(&token));
        }
        let kinds = kinds.unwrap_or_else(|| token.kinds().to_vec());
        let mut probes = Vec::new();
        for kind in kinds {
            probes.push(token.probe(kind).await?);
        }
        let standing = self.conclude(caller.actor(), &token, &info, &probes).await?;
        self.0.health.stands(token.name(), standing);
        self.look_again();
        Ok(((*info).clone(), probes))
    }

    /// Lets a token in although it leaks, on the word of a principal.
    ///
    /// # Errors
    /// [`Kind::Invalid`] without a reason; [`Kind::Conflict`] when the token has nothing to accept.
    pub async fn accept_leaks(
        &self,
        caller: &Caller,
        token: &str,
        reason: &str,
    ) -> Result<Acceptance, Error> {
        let name = self.0.hsm.token(token).ok_or_else(|| Error::not_found("token", token))?.name().to_owned();
        let reason = reason.trim().to_owned();
        if reason.is_empty() || reason.len() > LONGEST_REASON {
            let rule = format!("say in 1 to {LONGEST_REASON} bytes why keys that can leave are good enough");
            return Err(Invalid::new("reason", rule).into());
        }
        let (by, actor, now) = (caller.principal, caller.actor(), self.now());
        let accepted: Result<Standing, Error> = self
            .0
            .store
            .write(move |tx| {
                let verdict = tx.token_verdict(&name)?.filter(|verdict| !verdict.passed());
                let Some(verdict) = verdict else {
                    let message = format!("token `{name}` has failed no probe: there is nothing to accept");
                    return Err(Error::new(Kind::Conflict, "token.does-not-leak", message));
                };
                let acceptance = Acceptance {
                    by,
                    at: now,
                    reason,
                    binding: verdict.binding.clone(),
                    leaks: verdict.leaks.clone(),
                };
                tx.put_token_acceptance(&name, &acceptance)?;
                let detail = json!({
                    "reason": acceptance.reason, "binding": acceptance.binding, "leaks": acceptance.leaks,
                });
                audit(tx, &actor, now, "token.leaks-accepted", &name, detail)?;
                Ok(Standing::new(verdict, Some(acceptance)))
            })
            .await;
        let standing = accepted?;
        self.0.health.stands(token, standing.clone());
        self.look_again();
        standing.acceptance.ok_or_else(|| Error::bug("an acceptance does not cover what it was made for"))
    }

    /// Takes an acceptance back. The token is refused from then on; its keys stay as they are.
    ///
    /// # Errors
    /// [`Kind::Conflict`] when there is none.
    pub async fn withdraw_acceptance(&self, caller: &Caller, token: &str) -> Result<(), Error> {
        let name = self.0.hsm.token(token).ok_or_else(|| Error::not_found("token", token))?.name().to_owned();
        let (actor, now) = (caller.actor(), self.now());
        let withdrawn: Result<Option<Verdict>, Error> = self
            .0
            .store
            .write(move |tx| {
                if !tx.remove_token_acceptance(&name)? {
                    let message = format!("nobody has accepted that token `{name}` leaks");
                    return Err(Error::new(Kind::Conflict, "token.nothing-accepted", message));
                }
                audit(tx, &actor, now, "token.acceptance-withdrawn", &name, json!({}))?;
                Ok(tx.token_verdict(&name)?)
            })
            .await;
        if let Some(verdict) = withdrawn? {
            self.0.health.stands(token, Standing::new(verdict, None));
        }
        self.look_again();
        Ok(())
    }

    /// What is known of a token's probes, for whatever module it was.
    ///
    /// # Errors
    /// The index cannot be read.
    pub async fn standing(&self, token: &str) -> Result<Option<Standing>, Error> {
        let name = token.to_owned();
        let found: Result<_, Error> = self
            .0
            .store
            .read(move |view| Ok((view.token_verdict(&name)?, view.token_acceptance(&name)?)))
            .await;
        let (verdict, acceptance) = found?;
        Ok(verdict.map(|verdict| Standing::new(verdict, acceptance)))
    }

    /// What the evidence of keys on a token is worth now; while it is down, nothing is claimed.
    pub fn evidence_on(&self, token: &str) -> Evidence {
        let level = match self.configured_token(token).map(|token| token.status()) {
            Some(TokenStatus::Up { info, .. }) => info.evidence,
            Some(TokenStatus::Starting | TokenStatus::Down { .. } | TokenStatus::Stopped) | None => {
                EvidenceLevel::E0
            }
        };
        Evidence { level, warning: self.warning_on(token) }
    }

    /// What the evidence of a signing request is worth that has no key yet, or never will: a client's is nothing
    /// that anything is known of.
    pub fn evidence_without_key(&self, request: &SigningRequest) -> Evidence {
        match request.key_source {
            KeySource::New | KeySource::Existing => self.evidence_on(&request.token),
            KeySource::Client => EvidenceLevel::None.into(),
        }
    }

    /// What the evidence of a key is worth: as when it was made, and what was learned of its token since.
    pub fn evidence_of_key(&self, key: &Key) -> Evidence {
        self.with_warning_on(&key.token, key.evidence.clone())
    }

    pub(super) fn with_warning_on(&self, token: &str, evidence: Evidence) -> Evidence {
        Evidence { warning: evidence.warning.or_else(|| self.warning_on(token)), ..evidence }
    }

    fn warning_on(&self, token: &str) -> Option<String> {
        self.health(token).standing?.warning()
    }

    async fn probe_before_use(&self, token: &Token, info: &TokenInfo) -> Result<Standing, Error> {
        tracing::info!(token = token.name(), "probing the token with throw-away keys before it is used");
        let mut probes = Vec::new();
        for kinds in cheapest_first_by_type(&info.algorithms) {
            // One that cannot be made says nothing of the others of its type, which can.
            for kind in kinds {
                let probe = token.probe(kind).await?;
                let made = probe.failure.is_none();
                probes.push(probe);
                if made {
                    break;
                }
            }
        }
        if probes.iter().all(|probe| probe.failure.is_some()) {
            let reasons: Vec<_> = probes.iter().filter_map(|probe| probe.failure.as_deref()).collect();
            let message = format!(
                "token `{}` makes no key that it could be probed with: {}",
                token.name(),
                reasons.join("; ")
            );
            return Err(Error::new(Kind::HsmRefused, "hsm.refused", message));
        }
        self.conclude(Actor::System, token, info, &probes).await
    }

    /// Records what the probes of a token found, and what becomes of an acceptance that does not cover it.
    async fn conclude(
        &self,
        actor: Actor,
        token: &Token,
        info: &TokenInfo,
        probes: &[KindProbe],
    ) -> Result<Standing, Error> {
        let (name, now) = (token.name().to_owned(), self.now());
        let (binding, found, attacks) = (info.binding(), leaks_of(probes), summary(probes));
        let probed: Vec<_> =
            probes.iter().filter(|probe| probe.failure.is_none()).map(|probe| probe.kind).collect();
        let concluded: Result<Standing, Error> = self
            .0
            .store
            .write(move |tx| {
                let known = tx.token_verdict(&name)?.filter(|known| known.binding == binding);
                let mut leaks = known.map_or_else(Vec::new, |known| known.leaks);
                leaks.retain(|leak| !probed.contains(&leak.kind));
                leaks.extend(found);
                let verdict = Verdict { at: now, binding, leaks };
                let action = if verdict.passed() { "token.probes-passed" } else { "token.probes-failed" };
                let detail =
                    json!({ "binding": verdict.binding, "leaks": verdict.leaks, "attacks": attacks });
                tx.put_token_verdict(&name, &verdict)?;
                audit(tx, &actor, now, action, &name, detail)?;
                let acceptance = tx.token_acceptance(&name)?;
                if acceptance.as_ref().is_some_and(|acceptance| !acceptance.covers(&verdict)) {
                    tx.remove_token_acceptance(&name)?;
                    audit(tx, &Actor::System, now, "token.acceptance-void", &name, json!({}))?;
                }
                Ok(Standing::new(verdict, acceptance))
            })
            .await;
        let standing = concluded?;
        if !standing.verdict.passed() {
            tracing::error!(token = token.name(), leaks = standing.verdict.told(), "the token lets keys out");
        }
        Ok(standing)
    }
}

/// The error that a token which lets keys out is refused with.
pub(super) fn leaks(token: &str, verdict: &Verdict) -> Error {
    let message = format!(
        "token `{token}` gives keys out and is not used: {}. Use another token or module; \
         `strongroom token accept` lets it in on your word",
        verdict.told()
    );
    Error::new(Kind::HsmRefused, LEAKS, message)
}

fn not_up(token: &Token) -> Error {
    let message = format!("token `{}` is not up", token.name());
    Error::new(Kind::Unavailable, "hsm.unavailable", message)
}

fn leaks_of(probes: &[KindProbe]) -> Vec<Leak> {
    let leak = |probe: &KindProbe, call: &str, what: &str| Leak {
        kind: probe.kind,
        call: call.to_owned(),
        what: what.to_owned(),
    };
    probes.iter().flat_map(|probe| probe.leaks().map(move |(call, what)| leak(probe, call, what))).collect()
}

/// Every attack with its outcome in a few words, by key kind.
fn summary(probes: &[KindProbe]) -> serde_json::Value {
    let of_kind = |probe: &KindProbe| {
        let attacks = probe.attacks.iter().map(|attack| {
            let outcome = match &attack.outcome {
                Outcome::Refused(code) => code.clone(),
                Outcome::NoEffect(what) => format!("no effect: {what}"),
                Outcome::Leaked(what) => format!("LEAKED: {what}"),
                Outcome::NotTried(why) => format!("not tried: {why}"),
            };
            (attack.call.clone(), json!(outcome))
        });
        let attacks: serde_json::Map<_, _> = attacks.collect();
        (probe.kind.to_string(), json!(attacks))
    };
    probes.iter().map(of_kind).collect::<serde_json::Map<_, _>>().into()
}

fn audit(
    tx: &Tx,
    actor: &Actor,
    now: crate::domain::clock::Timestamp,
    action: &'static str,
    token: &str,
    detail: serde_json::Value,
) -> Result<(), Error> {
    let event = Event { action, subject: token.to_owned(), detail };
    Ok(tx.append_audit(actor, now, &event)?)
}
