//! Keyfactor Command CSR generation, under `/KeyfactorAPI`.

use std::collections::BTreeMap;

use axum::Router;

use crate::http::Context;

/// How it is served.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Names of the tenants that it serves.
    pub tenants: Vec<String>,
    /// `Template` to the name of an issuing template.
    pub templates: BTreeMap<String, String>,
    /// `EnrollmentPatternId` to the name of an issuing template.
    pub enrollment_patterns: BTreeMap<i32, String>,
}

/// The routes.
pub(super) fn router(_: Context, _: Settings) -> Router {
    Router::new()
}
