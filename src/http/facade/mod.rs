//! The APIs of other products, so that their own clients work as they are. Each translates between its vendor's
//! wire and the use cases, under the vendor's own path; none knows of another.
//!
//! In each: `wire`, the vendor's JSON, lenient with what comes in; `convert`, pure; `error`, the vendor's envelope;
//! `routes`.

pub mod cloudflare;
pub mod infisical;
pub mod keyfactor;
pub mod venafi;

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
    /// Venafi, both generations.
    pub venafi: Option<venafi::Settings>,
}

/// Has paths that a vendor writes in several ways routed as one.
pub(super) fn respelled(router: Router, keyfactor: bool) -> Router {
    if !keyfactor {
        return router;
    }
    let respell = axum::middleware::from_fn(keyfactor::as_documented);
    // The router knows the route before its layers run; only one around it can change the path.
    Router::new().fallback_service(router).layer(respell)
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
    if let Some(settings) = facades.venafi {
        router = router.merge(venafi::router(context.clone(), settings));
    }
    router
}
