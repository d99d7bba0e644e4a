//! `/livez`: the process runs. `/readyz`: every token's sentinel signed and its journal is
//! reconciled. Both without a credential, for load balancers and service managers; neither tells
//! more than they need: how many tokens are how far, not which.

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
    let status = if ready { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    let mut counts: BTreeMap<_, usize> = BTreeMap::new();
    for (name, health) in &tokens {
        let up = context.app.configured_token(name).is_some_and(|token| is_up(&token));
        *counts.entry(waits_for(up, health)).or_default() += 1;
    }
    (status, Json(json!({ "ready": ready, "tokens": counts }))).into_response()
}

fn is_up(token: &Token) -> bool {
    matches!(token.status(), TokenStatus::Up { .. })
}

fn waits_for(up: bool, health: &TokenHealth) -> &'static str {
    if up && health.is_ready() {
        "ready"
    } else if up && health.signed() {
        "waiting-for-reconciliation"
    } else {
        "waiting-for-token"
    }
}
