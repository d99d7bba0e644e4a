//! `GET /metrics`: the text that Prometheus reads (OpenMetrics 1.0).

use axum::Router;
use axum::extract::State;
use axum::http::header;
use axum::response::{IntoResponse, Response};
use axum::routing::get;

use super::Context;
use super::error::Failure;
use super::ops::waits_for;
use super::permit::{Permit, needs};
use crate::app::measure::{AGES, Measurements};
use crate::app::{Error, Token, TokenStatus};
use crate::telemetry::metrics::Reading;

const CONTENT_TYPE: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// What a token waits for: the whole list, so that each of them always has a line.
const TOKEN_STATES: [&str; 4] = ["waiting-for-token", "waiting-for-reconciliation", "refused", "ready"];

pub(super) fn router(context: Context) -> Router {
    Router::new().route("/metrics", get(metrics)).with_state(context)
}

async fn metrics(State(context): State<Context>, _: Permit<needs::SystemRead>) -> Result<Response, Failure> {
    let measured = context.app.measure().await?;
    let mut readings = of_the_index(&measured);
    readings.extend(of_the_tokens(&context, &measured.tokens));
    let text = context.metrics.text(readings);
    let text = text.map_err(|error| Error::bug("metrics cannot be written").caused_by(error))?;
    Ok(([(header::CONTENT_TYPE, CONTENT_TYPE)], text).into_response())
}

fn of_the_tokens(context: &Context, tokens: &[Token]) -> Vec<Reading> {
    let (mut states, mut sessions, mut calls) = (Vec::new(), Vec::new(), Vec::new());
    for token in tokens {
        let name = || ("token", token.name().to_owned());
        let state = waits_for(Some(token), &context.app.health(token.name()));
        for known in TOKEN_STATES {
            states.push((vec![name(), ("state", known.to_owned())], f64::from(u8::from(known == state))));
        }
        if let TokenStatus::Up { info, .. } = token.status() {
            sessions.push((vec![name()], count(info.sessions)));
        }
        let (reads, mutations) = token.open_calls();
        calls.push((vec![name(), ("lane", "read".to_owned())], count(reads)));
        calls.push((vec![name(), ("lane", "mutation".to_owned())], count(mutations)));
    }
    vec![
        reading("token_state", "1 for the state that the token is in", states),
        reading("token_sessions", "Sessions that the worker of the token holds open", sessions),
        reading("token_calls", "Calls to the token that are not answered", calls),
    ]
}

fn of_the_index(measured: &Measurements) -> Vec<Reading> {
    let counts = &measured.counts;
    let one = |value| vec![(Vec::new(), value)];
    let keys = counts.keys.iter().map(|(state, n)| (vec![("state", state.to_string())], *n as f64));
    let requests = counts.requests.iter().map(|(state, n)| (vec![("state", state.to_string())], *n as f64));
    let ages = AGES.iter().map(|(_, name)| *name);
    let pending =
        ages.zip(&counts.pending_since).map(|(age, n)| (vec![("younger_than", age.to_owned())], *n as f64));
    let (records, at) = counts.newest_record.unwrap_or((0, measured.now));
    let age = measured.now.as_millis().saturating_sub(at.as_millis()) as f64 / 1000.0;
    let backlog = counts.webhook_backlog.iter();
    let backlog = backlog.map(|(webhook, n)| (vec![("webhook", webhook.clone())], *n as f64));
    let queues = measured.index_queues;
    let waiting = [("index-writer", queues.writer), ("index-readers", queues.readers)];
    let waiting = waiting.map(|(queue, n)| (vec![("queue", queue.to_owned())], count(n)));
    vec![
        reading("keys", "Keys of the index by state", keys.collect()),
        reading("signing_requests", "Signing requests by state", requests.collect()),
        reading("pending_requests", "Pending signing requests younger than that", pending.collect()),
        reading(
            "keys_being_made",
            "Signing requests whose key or CSR is being made",
            one(count(measured.being_made)),
        ),
        reading("webhook_backlog", "Messages that the webhook has still to be sent", backlog.collect()),
        reading("queue_length", "Pieces of work that wait for the index", waiting.to_vec()),
        reading("audit_records", "Number of the newest audit record", one(records as f64)),
        reading("audit_newest_record_age_seconds", "Age of the newest audit record", one(age)),
    ]
}

fn reading(
    name: &'static str,
    help: &'static str,
    values: Vec<(Vec<(&'static str, String)>, f64)>,
) -> Reading {
    Reading { name, help, values }
}

fn count(n: usize) -> f64 {
    n as f64
}
