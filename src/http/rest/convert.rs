//! Between the wire and the domain: pure, every wrong field told by its path.

pub(super) mod approval;
pub(super) mod authority;
mod extensions;
pub(super) mod probe;

use crate::api;
use crate::app::certificate_objects::OnToken;
use crate::app::key_life::LivingKey;
use crate::app::produce::{KeyWish, Renewal, RenewalKey, Wish};
use crate::app::reconcile::Report;
use crate::app::tokens::TokenView;
use crate::app::{Approval, Certificate, SlotInfo, Token, TokenStatus};
use crate::domain::algorithm::{Digest, KeyKind, Padding};
use crate::domain::clock::Timestamp;
use crate::domain::csr::{self, ChallengePassword, CsrSpec};
use crate::domain::id::Handle;
use crate::domain::invalid::Invalid;
use crate::domain::jwk;
use crate::domain::key::{Evidence, Key, KeyAttributes};
use crate::domain::name::Name;
use crate::domain::san::San;
use crate::domain::signing_request::{SigningRequest, State};

/// A handle out of a path, a query or a body.
pub(super) fn handle(field: &str, text: &str) -> Result<Handle, Invalid> {
    text.parse().map_err(|error| Invalid::new(field, format!("{error}")))
}

/// A create body as a wish; every wrong field at once.
pub(super) fn wish(body: api::CreateCsr) -> Result<Wish, Vec<Invalid>> {
    let mut wrong = Vec::new();
    let subject = keep(&mut wrong, name(body.subject));
    let sans = keep_all(&mut wrong, San::parse_list(&body.sans));
    let extensions = keep_all(&mut wrong, extensions::read(&body.extensions));
    let key = keep(&mut wrong, key_wish(body.key));
    let digest = keep(&mut wrong, body.digest.as_deref().map(digest).transpose());
    let padding = keep(&mut wrong, body.padding.as_deref().map(padding).transpose());
    match (subject, sans, extensions, key, digest, padding) {
        (Some(subject), Some(sans), Some(extensions), Some(key), Some(digest), Some(padding)) => {
            let challenge_password =
                body.challenge_password.map(|api::Secret(password)| ChallengePassword::new(password));
            let unstructured_name = body.unstructured_name;
            let spec = CsrSpec { subject, sans, extensions, challenge_password, unstructured_name };
            let (template, validity_days) = (body.template, body.validity_days);
            Ok(Wish {
                spec,
                key,
                digest,
                padding,
                renews: None,
                template,
                validity_days,
                submission: None,
                at_once: false,
            })
        }
        _ => Err(wrong),
    }
}

/// The body of a renewal.
pub(super) fn renewal(body: api::RenewCsr) -> Renewal {
    Renewal {
        key: match body.key {
            api::RenewalKey::Same => RenewalKey::Same,
            api::RenewalKey::New => RenewalKey::New,
        },
        challenge_password: body
            .challenge_password
            .map(|api::Secret(password)| ChallengePassword::new(password)),
        template: body.template,
        submission: None,
    }
}

fn keep<T>(wrong: &mut Vec<Invalid>, result: Result<T, Invalid>) -> Option<T> {
    result.map_err(|invalid| wrong.push(invalid)).ok()
}

fn keep_all<T>(wrong: &mut Vec<Invalid>, result: Result<T, Vec<Invalid>>) -> Option<T> {
    result.map_err(|invalid| wrong.extend(invalid)).ok()
}

fn name(subject: api::Subject) -> Result<Name, Invalid> {
    match subject {
        api::Subject::Text(text) => text.parse(),
        api::Subject::Rdns(rdns) => {
            let rdns: Vec<Vec<_>> = rdns
                .iter()
                .map(|rdn| rdn.iter().map(|attribute| (&attribute.kind, &attribute.value)).collect())
                .collect();
            Name::from_rdns(&rdns)
        }
    }
}

fn key_wish(wire: api::KeyChoice) -> Result<KeyWish, Invalid> {
    match wire.handle {
        Some(text) => {
            for (given, field) in [(wire.kind.is_some(), "key.kind"), (wire.token.is_some(), "key.token")] {
                if given {
                    return Err(Invalid::new(
                        field,
                        "goes without `key.handle`, which names a key that is there",
                    ));
                }
            }
            Ok(KeyWish::Existing(handle("key.handle", &text)?))
        }
        None => {
            let kind = wire.kind.as_deref().map(str::parse::<KeyKind>).transpose();
            let kind = kind.map_err(|error| Invalid::new("key.kind", format!("{error}")))?;
            Ok(KeyWish::New { kind, token: wire.token })
        }
    }
}

fn digest(text: &str) -> Result<Digest, Invalid> {
    text.parse().map_err(|reason| Invalid::new("digest", reason))
}

fn padding(text: &str) -> Result<Padding, Invalid> {
    text.parse().map_err(|reason| Invalid::new("padding", reason))
}

/// Statuses separated by commas.
pub(super) fn states(text: &str) -> Result<Vec<State>, Invalid> {
    text.split(',')
        .map(|name| name.trim().parse().map_err(|error: String| Invalid::new("status", error)))
        .collect()
}

/// A signing request, its key once there is one, and the token it names if that is configured.
pub(super) fn csr(
    request: &SigningRequest,
    key: Option<&Key>,
    token: Option<&Token>,
    certificate_sha256: Option<[u8; 32]>,
    approval: Option<&Approval>,
    evidence: Evidence,
    renewals: &[Handle],
) -> api::Csr {
    api::Csr {
        handle: request.handle.to_string(),
        status: request.state.to_string(),
        origin: request.key_source.origin().to_owned(),
        created_at: request.created_at.to_string(),
        updated_at: request.updated_at.to_string(),
        subject: request.spec.subject.to_string(),
        sans: request.spec.sans.iter().map(ToString::to_string).collect(),
        sans_in_unicode: (request.spec.sans.iter())
            .filter_map(|san| Some((san.to_string(), san.in_unicode()?)))
            .collect(),
        extensions: extensions::write(&request.spec.extensions),
        unstructured_name: request.spec.unstructured_name.clone(),
        has_challenge_password: request.spec.challenge_password.is_some(),
        signature: request.scheme.to_string(),
        renews: request.renews.map(|handle| handle.to_string()),
        renewed_by: renewals.iter().map(ToString::to_string).collect(),
        template: request.template.as_ref().map(|template| api::TemplateUse {
            name: template.name.clone(),
            sha256: template.sha256.clone(),
        }),
        authority: request.authority.map(|handle| handle.to_string()),
        validity_days: request.validity_days,
        approval: approval.map(self::approval::approval),
        key: api::KeyReference {
            handle: request.key.map(|key| key.to_string()),
            source: request.key_source.to_string(),
            kind: request.kind.to_string(),
            token: request.token.clone(),
            uri: key.and_then(|key| key_uri(key, token)),
        },
        csr: request.csr.as_deref().map(csr::pem),
        certificate_sha256: certificate_sha256.map(hex::encode),
        failure: request.failure.clone(),
        evidence: self::evidence(evidence),
    }
}

/// A signing request in a list.
pub(super) fn summary(request: &SigningRequest, evidence: &Evidence) -> api::CsrSummary {
    api::CsrSummary {
        handle: request.handle.to_string(),
        status: request.state.to_string(),
        created_at: request.created_at.to_string(),
        subject: request.spec.subject.to_string(),
        sans: request.spec.sans.iter().map(ToString::to_string).collect(),
        origin: request.key_source.origin().to_owned(),
        kind: request.kind.to_string(),
        token: request.token.clone(),
        key: request.key.map(|key| key.to_string()),
        evidence: evidence.level.to_string(),
        evidence_warning: evidence.warning.clone(),
    }
}

/// A key, with the token it is on if that is configured.
pub(super) fn key(living: &LivingKey, token: Option<&Token>, evidence: Evidence) -> api::Key {
    let key = &living.key;
    api::Key {
        handle: key.handle.to_string(),
        state: key.state.to_string(),
        purpose: key.purpose.to_string(),
        kind: key.kind.to_string(),
        token: key.token.clone(),
        id: key.id.to_string(),
        uri: key_uri(key, token),
        created_at: key.created_at.to_string(),
        public_key: csr::public_key_pem(&key.spki),
        jwk: jwk(key),
        spki_sha256: hex::encode(csr::spki_sha256(&key.spki)),
        attributes: attributes(&key.attributes),
        life: life(living),
        evidence: self::evidence(evidence),
    }
}

fn life(living: &LivingKey) -> api::KeyLife {
    let LivingKey { facts, life, .. } = living;
    api::KeyLife {
        state: life.state.to_string(),
        since: life.dates.iter().map(|(state, at)| (state.to_string(), at.to_string())).collect(),
        retired_at: facts.retired_at.map(|at| at.to_string()),
        destroy_after: facts.destroy_after.map(|at| at.to_string()),
        compromise: facts.compromise.as_ref().map(|compromise| compromise.reason.clone()),
    }
}

/// A certificate in a list.
pub(super) fn certificate_summary(
    request: &SigningRequest,
    certificate: &Certificate,
) -> api::CertificateSummary {
    api::CertificateSummary {
        handle: request.handle.to_string(),
        status: request.state.to_string(),
        subject: request.spec.subject.to_string(),
        sans: request.spec.sans.iter().map(ToString::to_string).collect(),
        sha256: hex::encode(certificate.sha256),
        not_before: certificate.not_before.to_string(),
        not_after: certificate.not_after.to_string(),
        key: request.key.map(|key| key.to_string()),
        token: request.token.clone(),
    }
}

/// The token's label and serial number are only known while it is up.
fn key_uri(key: &Key, token: Option<&Token>) -> Option<String> {
    match token?.status() {
        TokenStatus::Up { info, .. } => Some(info.key_uri(key.id, &key.handle.to_string())),
        TokenStatus::Starting | TokenStatus::Down { .. } | TokenStatus::Stopped => None,
    }
}

/// Every key of the index was read as one of its kind before it got there.
fn jwk(key: &Key) -> std::collections::BTreeMap<String, String> {
    let members = jwk::members(&key.spki, key.kind).unwrap_or_default();
    members.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
}

fn attributes(read: &KeyAttributes) -> std::collections::BTreeMap<String, bool> {
    read.named().filter_map(|(name, value)| Some((name.to_owned(), value?))).collect()
}

/// An evidence level with its meaning.
pub(super) fn evidence(evidence: Evidence) -> api::Evidence {
    let Evidence { level, warning } = evidence;
    api::Evidence { level: level.to_string(), meaning: level.meaning().to_owned(), warning }
}

/// A token.
pub(super) fn token(view: &TokenView) -> api::Token {
    let (status, info, problem) = match &view.status {
        TokenStatus::Starting => ("starting", None, None),
        TokenStatus::Up { info, .. } => ("up", Some(info), None),
        TokenStatus::Down { error, .. } => ("down", None, Some(error.to_string())),
        TokenStatus::Stopped => ("stopped", None, None),
    };
    api::Token {
        name: view.name.clone(),
        status: status.to_owned(),
        ready: info.is_some_and(|info| view.health.is_ready(info)),
        problem: problem.or_else(|| view.health.failure.as_ref().map(ToString::to_string)),
        info: info.map(|info| api::TokenInfo {
            label: info.label.clone(),
            serial: info.serial.clone(),
            manufacturer: info.manufacturer.clone(),
            model: info.model.clone(),
            firmware: info.firmware.clone(),
            library: format!("{} {}", info.library, info.library_version),
            module: info.module.display().to_string(),
            module_sha256: info.module_sha256.clone(),
            kinds: info.algorithms.iter().map(ToString::to_string).collect(),
            sessions: info.sessions,
            worker_pid: info.worker_pid,
        }),
        sentinel: api::Sentinel {
            signed: view.health.signed(),
            checked_at: view.health.checked_at.map(|at| at.to_string()),
        },
        inventory: view.report.as_ref().map(|(at, report)| inventory(*at, report)),
        used: view.used,
        capacity: view.capacity,
        probe: view.standing.as_ref().map(probe::standing),
        evidence: evidence(view.evidence.clone()),
    }
}

/// What a reconciliation found.
pub(super) fn inventory(at: Timestamp, report: &Report) -> api::Inventory {
    api::Inventory {
        at: at.to_string(),
        objects: report.objects,
        owned: report.owned,
        in_progress: report.in_progress,
        destroyed: report.destroyed,
        recovered: report.recovered,
        quarantined: report.quarantined,
        nameless: report.nameless,
        foreign: report.foreign,
        missing_keys: report.missing_keys,
        pending_certificates: report.pending_certificates,
    }
}

/// Where a married certificate is on its token.
pub(super) fn on_token(on_token: OnToken) -> &'static str {
    match on_token {
        OnToken::Written => "written",
        OnToken::Pending => "pending",
    }
}

/// A slot.
pub(super) fn slot(info: &SlotInfo) -> api::Slot {
    api::Slot {
        number: info.slot_id,
        description: info.description.clone(),
        label: info.label().map(str::to_owned),
        serial: info.serial().map(str::to_owned),
        initialized: info.is_initialized(),
    }
}
