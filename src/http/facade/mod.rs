//! The APIs of other products, so that their own clients work as they are. Each translates between its vendor's
//! wire and the use cases, under the vendor's own path; none knows of another.
//!
//! In each: `wire`, the vendor's JSON, lenient with what comes in; `convert`, pure; `error`, the vendor's envelope;
//! `routes`.

pub mod cloudflare;
pub mod infisical;
pub mod keyfactor;

use axum::Router;

use super::Context;

/// Which of them are served, and how.
#[derive(Clone, Default)]
pub struct Facades {
    /// Cloudflare custom CSRs.
    pub cloudflare: Option<cloudflare::Settings>,
    /// Infisical's internal CAs.
    pub infisical: Option<infisical::Settings>,
    /// Keyfactor Command CSR generation.
    pub keyfactor: Option<keyfactor::Settings>,
}

/// The routes of those that are switched on.
pub(super) fn router(context: &Context, facades: Facades) -> Router {
    let mut router = Router::new();
    if let Some(settings) = facades.cloudflare {
        router = router.merge(cloudflare::router(context.clone(), settings));
    }
    if let Some(settings) = facades.infisical {
        router = router.merge(infisical::router(context.clone(), settings));
    }
    if let Some(settings) = facades.keyfactor {
        router = router.merge(keyfactor::router(context.clone(), settings));
    }
    router
}
