//! The HTTP surface: the router, who may pass, and how errors look.
//!
//! - [`listen`]: the accept loop over TCP, TLS and the Unix socket; [`peer`]: who is at the other end
//! - [`tls`]: what the HTTPS listener shows and asks for, from files
//! - [`limits`]: how often
//! - [`permit`]: authorised before the body is read
//! - [`uninterrupted`]: what a client who hangs up does not interrupt
//! - [`error`]: the only table from kinds to statuses
//! - [`refusals`]: what is refused goes on record
//! - [`rest`]: the native API; [`facade`]: the APIs of other products
//! - [`ops`]: `/livez` and `/readyz`; `public`: revocation lists and certificates of authorities: with status and
//!   login of [`facade::infisical`] the only routes without a credential; `metrics`: for Prometheus

pub mod error;
pub mod facade;
mod handshake;
pub mod limits;
pub mod listen;
mod metrics;
mod ops;
pub mod peer;
pub mod permit;
mod public;
mod refusals;
mod request_id;
pub mod rest;
pub mod tls;
pub mod uninterrupted;
mod write_timeout;

use std::sync::Arc;

use axum::Router;

use crate::app::App;
use crate::auth::Authenticator;
use crate::telemetry::metrics::Metrics;
use facade::Facades;
use limits::Limits;

/// Largest body in bytes; a larger one is answered 413.
pub const BODY_LIMIT: usize = 64 * 1024;

/// What handlers share.
#[derive(Clone)]
pub struct Context {
    /// The use cases.
    pub app: App,
    /// Who may pass.
    pub authenticator: Authenticator,
    /// How often.
    pub limits: Arc<Limits>,
    /// What was answered so far.
    pub metrics: Arc<Metrics>,
}

/// Every route.
pub fn router(context: Context, facades: Facades) -> Router {
    let app = context.app.clone();
    let metrics = Arc::clone(&context.metrics);
    let has_keyfactor = facades.keyfactor.is_some();
    let router = rest::router(context.clone())
        .merge(facade::router(&context, facades))
        .layer(axum::middleware::from_fn_with_state(app, refusals::layer))
        .layer(axum::middleware::from_fn_with_state(metrics, request_id::layer));
    facade::respelled(router, has_keyfactor)
}
