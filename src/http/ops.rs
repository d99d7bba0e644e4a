//! `/livez`: the process runs. `/readyz`: every token's sentinel signed and its journal is
//! reconciled. Both without a credential, for load balancers and service managers; neither tells
//! more than they need.

use std::collections::BTreeMap;

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Json, Router};
use serde_json::json;

use super::Context;
use crate::app::watch::TokenHealth;

pub(super) fn router(context: Context) -> Router {
    Router::new().route("/livez", get(livez)).route("/readyz", get(readyz)).with_state(context)
}

async fn livez() -> &'static str {
    "ok\n"
}

async fn readyz(State(context): State<Context>) -> Response {
    let (ready, tokens) = context.app.readiness();
    let status = if ready { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    let tokens: BTreeMap<_, _> = tokens.iter().map(|(name, health)| (name, waits_for(health))).collect();
    (status, Json(json!({ "ready": ready, "tokens": tokens }))).into_response()
}

fn waits_for(health: &TokenHealth) -> &'static str {
    if health.is_ready() {
        "ready"
    } else if health.signed() {
        "waiting for the reconciliation"
    } else {
        "waiting for the token"
    }
}
