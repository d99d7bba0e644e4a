//! Cloudflare custom CSRs, under `/client/v4`.

use std::collections::BTreeMap;

use axum::Router;

use crate::http::Context;

/// How it is served.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Account id to the name of a tenant.
    pub accounts: BTreeMap<String, String>,
    /// Zone id to the name of a tenant.
    pub zones: BTreeMap<String, String>,
    /// Whether names that no public CA would certify are refused (errors 1414 to 1416).
    pub public_suffix_rules: bool,
}

/// The routes.
pub(super) fn router(_: Context, _: Settings) -> Router {
    Router::new()
}
