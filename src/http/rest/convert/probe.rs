//! Probes as the wire has them.

use std::time::Duration;

use crate::api;
use crate::app::probe::Standing;
use crate::app::{KindProbe, Outcome, TokenInfo};
use crate::domain::algorithm::KeyKind;
use crate::domain::invalid::Invalid;
use crate::domain::probe::Acceptance;

/// The kinds that a body names; `None` for all.
pub(in crate::http::rest) fn kinds(body: api::ProbeKinds) -> Result<Option<Vec<KeyKind>>, Vec<Invalid>> {
    let Some(names) = body.kinds else { return Ok(None) };
    if names.is_empty() {
        return Err(vec![Invalid::new("kinds", "name a key kind, or leave it out for all")]);
    }
    let (mut kinds, mut wrong) = (Vec::new(), Vec::new());
    for (place, name) in names.iter().enumerate() {
        match name.parse() {
            Ok(kind) if kinds.contains(&kind) => {}
            Ok(kind) => kinds.push(kind),
            Err(error) => wrong.push(Invalid::new(format!("kinds[{place}]"), format!("{error}"))),
        }
    }
    if wrong.is_empty() { Ok(Some(kinds)) } else { Err(wrong) }
}

/// What a probe found.
pub fn probe(token: &str, info: &TokenInfo, kinds: &[KindProbe]) -> api::Probe {
    api::Probe {
        token: token.to_owned(),
        module_sha256: info.module_sha256.clone(),
        library_version: info.library_version.clone(),
        firmware: info.firmware.clone(),
        serial: info.serial.clone(),
        leaks: kinds.iter().any(|kind| kind.leaks().next().is_some()),
        kinds: kinds.iter().map(kind).collect(),
    }
}

fn kind(probe: &KindProbe) -> api::ProbedKind {
    let was_made = probe.failure.is_none();
    api::ProbedKind {
        kind: probe.kind.to_string(),
        failure: probe.failure.clone(),
        generate_ms: was_made.then(|| millis(probe.generated_in)),
        signatures: (probe.signatures.iter())
            .map(|signature| api::ProbedSignature {
                scheme: signature.scheme.to_string(),
                verified: signature.failure.is_none(),
                sign_ms: millis(signature.signed_in),
                failure: signature.failure.clone(),
            })
            .collect(),
        violations: probe.violations.clone(),
        negative: (probe.attacks.iter())
            .map(|attack| {
                let (outcome, detail) = outcome(&attack.outcome);
                api::NegativeProbe { call: attack.call.clone(), outcome: outcome.to_owned(), detail }
            })
            .collect(),
        destroy_ms: was_made.then(|| millis(probe.destroyed_in)),
    }
}

fn outcome(outcome: &Outcome) -> (&'static str, String) {
    match outcome {
        Outcome::Refused(detail) => ("refused", detail.clone()),
        Outcome::NoEffect(detail) => ("no-effect", detail.clone()),
        Outcome::Leaked(detail) => ("leaked", detail.clone()),
        Outcome::NotTried(detail) => ("not-tried", detail.clone()),
    }
}

/// To the microsecond: more is noise.
fn millis(duration: Duration) -> f64 {
    (duration.as_secs_f64() * 1e6).round() / 1e3
}

/// Whether a token lets keys out, as last found.
pub(super) fn standing(standing: &Standing) -> api::Standing {
    let verdict = &standing.verdict;
    api::Standing {
        at: verdict.at.to_string(),
        module_sha256: verdict.binding.module_sha256.clone(),
        passed: verdict.passed(),
        leaks: (verdict.leaks.iter())
            .map(|leak| api::Leak {
                kind: leak.kind.to_string(),
                call: leak.call.clone(),
                what: leak.what.clone(),
            })
            .collect(),
        accepted: standing.acceptance.as_ref().map(acceptance),
    }
}

/// Who let a token in.
pub(in crate::http::rest) fn acceptance(acceptance: &Acceptance) -> api::Acceptance {
    api::Acceptance {
        by: acceptance.by.to_string(),
        at: acceptance.at.to_string(),
        reason: acceptance.reason.clone(),
    }
}
