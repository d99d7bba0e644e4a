//! Cloudflare custom CSRs, under `/client/v4`: the vendor's SDKs and Terraform provider work as they are.
//!
//! - `wire`: the vendor's JSON; `convert`: between it and the domain, pure
//! - `names`: what the vendor asks of alternative names
//! - `terms`: whose collection a path means, and by which headers a client is known
//! - `error`: the vendor's numbers and envelope; `codes`: its numbers
//! - `routes`, `certificates`: the operations; `page`: parameters of lists

mod certificates;
mod codes;
mod convert;
mod document;
mod error;
mod names;
mod page;
mod routes;
mod terms;
mod wire;

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::Router;
use axum::extract::FromRef;

use crate::http::Context;

/// Where it lies.
const PREFIX: &str = "/client/v4";

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

/// What the handlers work with.
#[derive(Clone)]
struct Surface {
    context: Context,
    settings: Arc<Settings>,
}

impl FromRef<Surface> for Context {
    fn from_ref(surface: &Surface) -> Self {
        surface.context.clone()
    }
}

/// The routes.
pub(super) fn router(context: Context, settings: Settings) -> Router {
    routes::router(Surface { context, settings: Arc::new(settings) })
}
