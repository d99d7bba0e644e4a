//! `/livez`: the process runs. `/readyz`: every token's sentinel signed and its journal is
//! reconciled. Both without a credential, for load balancers and service managers; neither tells
//! more than they need: how many tokens are how far, not which, and whether the audit log is damaged.

use std::collections::BTreeMap;

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Json, Router};
use serde_json::json;

use super::Context;
use crate::app::watch::TokenHealth;
use crate::app::{Token, TokenStatus};

pub(super) fn router(context: Context) -> Router {
    Router::new().route("/livez", get(livez)).route("/readyz", get(readyz)).with_state(context)
}

async fn livez() -> &'static str {
    "ok\n"
}

async fn readyz(State(context): State<Context>) -> Response {
    let (ready, tokens) = context.app.readiness();
    let damaged = context.app.audit_damage().is_some();
    let ready = ready && !damaged;
    let status = if ready { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    let mut counts: BTreeMap<_, usize> = BTreeMap::new();
    for (name, health) in &tokens {
        let token = context.app.configured_token(name);
        *counts.entry(waits_for(token.as_ref(), health)).or_default() += 1;
    }
    let mut document = json!({ "ready": ready, "tokens": counts });
    if damaged {
        document["audit"] = json!("damaged");
    }
    if context.app.templates_refused().is_some() {
        // Still ready: the former ones are in force.
        document["templates"] = json!("new-files-refused");
    }
    (status, Json(document)).into_response()
}

/// What a token waits for, as one of few words.
pub(super) fn waits_for(token: Option<&Token>, health: &TokenHealth) -> &'static str {
    let Some(TokenStatus::Up { info, .. }) = token.map(Token::status) else { return "waiting-for-token" };
    if health.is_ready(&info) {
        "ready"
    } else if health.refusal().is_some() {
        "refused"
    } else if health.signed() {
        "waiting-for-reconciliation"
    } else {
        "waiting-for-token"
    }
}
