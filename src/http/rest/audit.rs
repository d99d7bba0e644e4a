//! The audit log.

use axum::Json;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Query, State};
use axum::http::StatusCode;

use super::csrs::{limit, query_of};
use super::problem::{EveryCall, PROBLEM, WithBody};
use crate::api;
use crate::app::{AuditFilter, Order};
use crate::domain::audit::{Broken, Record, Verdict};
use crate::domain::clock::Timestamp;
use crate::domain::invalid::Invalid;
use crate::http::Context;
use crate::http::error::Failure;
use crate::http::permit::{Permit, PermittedBody, needs};
use crate::http::uninterrupted::uninterrupted;

type Reading = Permit<needs::AuditRead>;
type Operating = Permit<needs::SystemOperate>;

/// List audit records.
#[utoipa::path(
    get, path = "/audit", tag = "audit", operation_id = "listAudit",
    params(api::ListAudit),
    responses(
        (status = 200, description = "A page", body = api::AuditPage),
        (status = 400, description = "A parameter breaks a rule", body = api::Problem, content_type = PROBLEM),
        EveryCall,
    )
)]
pub(super) async fn list(
    State(context): State<Context>,
    _: Reading,
    query: Result<Query<api::ListAudit>, QueryRejection>,
) -> Result<Json<api::AuditPage>, Failure> {
    let query = query_of(query)?;
    let order = match query.order.as_deref() {
        None | Some("newest") => Order::NewestFirst,
        Some("oldest") => Order::OldestFirst,
        Some(_) => return Err(Invalid::new("order", "must be `newest` or `oldest`").into()),
    };
    let outcome = query.outcome.map(|text| text.parse()).transpose();
    let filter = AuditFilter {
        since: time("since", query.since)?,
        until: time("until", query.until)?,
        actor: query.actor,
        action: query.action,
        subject: query.subject,
        tenant: query.tenant,
        outcome: outcome.map_err(|error| Invalid::new("outcome", error))?,
        mentions: None,
    };
    let limit = limit(query.limit)?;
    let value = query.value.as_deref();
    let mut records = context.app.audit_records(filter, value, order, query.cursor, limit + 1).await?;
    let more = records.len() > limit;
    records.truncate(limit);
    let next_cursor = records.last().filter(|_| more).map(|record| record.seq);
    Ok(Json(api::AuditPage { items: records.into_iter().map(view).collect(), next_cursor }))
}

/// Check the whole audit log, and that a record that was kept elsewhere is in it.
#[utoipa::path(
    get, path = "/audit/verify", tag = "audit", operation_id = "verifyAudit",
    params(api::VerifyAudit),
    responses(
        (status = 200, description = "What it is, sound or not", body = api::AuditVerdict),
        (status = 400, description = "A parameter breaks a rule", body = api::Problem, content_type = PROBLEM),
        EveryCall,
    )
)]
pub(super) async fn verify(
    State(context): State<Context>,
    _: Reading,
    query: Result<Query<api::VerifyAudit>, QueryRejection>,
) -> Result<Json<api::AuditVerdict>, Failure> {
    let kept = match query_of(query)? {
        api::VerifyAudit { seq: None, hash: None } => None,
        api::VerifyAudit { seq: Some(seq), hash: Some(hash) } => {
            let mut bytes = [0; 32];
            hex::decode_to_slice(hash, &mut bytes)
                .map_err(|_| Invalid::new("hash", "must be 32 bytes in hexadecimal"))?;
            Some((seq, bytes))
        }
        _ => return Err(Invalid::new("seq", "must come with `hash`, and `hash` with it").into()),
    };
    Ok(Json(verdict(context.app.verify_audit(kept).await?)))
}

/// Start the chain anew behind a damaged one, so that changes are possible again. The damaged records stay.
#[utoipa::path(
    post, path = "/audit/restart-chain", tag = "audit", operation_id = "restartAuditChain",
    request_body = api::RestartAuditChain,
    responses(
        (status = 200, description = "Started anew behind this damage", body = api::AuditDamage),
        (status = 400, description = "Without a reason", body = api::Problem, content_type = PROBLEM),
        (status = 409, description = "Nothing is damaged", body = api::Problem, content_type = PROBLEM),
        (status = 415, description = "The body is not JSON", body = api::Problem, content_type = PROBLEM),
        EveryCall,
        WithBody,
    )
)]
pub(super) async fn restart_chain(
    State(context): State<Context>,
    body: PermittedBody<Operating>,
) -> Result<Json<api::AuditDamage>, Failure> {
    let asked: api::RestartAuditChain = body.json()?;
    uninterrupted(async move {
        let broken = context.app.restart_audit_chain(&body.permit.caller, &asked.reason).await?;
        Ok(Json(damage(&broken, None)))
    })
    .await
}

/// Destroy the key under which the log's personal values are HMACed. Nobody can confirm from then on
/// whose names the records so far are about; those to come get another key.
#[utoipa::path(
    post, path = "/audit/forget-key", tag = "audit", operation_id = "forgetAuditKey",
    request_body = api::ForgetAuditKey,
    responses(
        (status = 204, description = "Destroyed"),
        (status = 400, description = "Without `yes`", body = api::Problem, content_type = PROBLEM),
        (status = 415, description = "The body is not JSON", body = api::Problem, content_type = PROBLEM),
        EveryCall,
        WithBody,
    )
)]
pub(super) async fn forget_key(
    State(context): State<Context>,
    body: PermittedBody<Operating>,
) -> Result<StatusCode, Failure> {
    let api::ForgetAuditKey { yes } = body.json()?;
    if !yes {
        return Err(Invalid::new("yes", "must be true: it cannot be taken back").into());
    }
    uninterrupted(async move {
        context.app.forget_audit_key(&body.permit.caller).await?;
        Ok(StatusCode::NO_CONTENT)
    })
    .await
}

fn time(field: &str, text: Option<String>) -> Result<Option<Timestamp>, Invalid> {
    let read = |text: String| text.parse().map_err(|error| Invalid::new(field, format!("{error}")));
    text.map(read).transpose()
}

fn view(record: Record) -> api::AuditRecord {
    api::AuditRecord {
        seq: record.seq,
        at: record.at.to_string(),
        version: record.version,
        actor: record.actor,
        name: record.name,
        origin: record.origin,
        tenant: record.tenant,
        action: record.action,
        outcome: record.outcome,
        subject: record.subject,
        reason: record.reason,
        request_id: record.request_id,
        detail: record.detail,
        previous: hex::encode(record.previous),
        hash: hex::encode(record.hash),
    }
}

fn verdict(verdict: Verdict) -> api::AuditVerdict {
    api::AuditVerdict {
        sound: verdict.broken().is_none(),
        records: verdict.records,
        checkpoint: verdict.head.map(|head| head.to_string()),
        damage: verdict.damage.iter().map(|found| damage(&found.broken, found.acknowledged)).collect(),
    }
}

fn damage(broken: &Broken, acknowledged_by: Option<u64>) -> api::AuditDamage {
    api::AuditDamage { seq: broken.seq, what: broken.what.to_owned(), acknowledged_by }
}
