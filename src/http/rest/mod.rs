//! The native API under `/strongroom/v1`. Handlers translate between the wire and the use cases;
//! what they mean is in `app`.

mod accept;
mod approvals;
mod audit;
mod authorities;
mod certificates;
mod convert;
mod create;
mod credentials;
mod csrs;
mod issued;
mod key_life;
mod keys;
mod prefer;
mod principals;
mod probes;
mod problem;
mod proposals;
mod system;
mod templates;
mod tokens;

// The command line shows a probe of its own as the service would.
pub use convert::probe::probe;

use std::sync::Arc;

use axum::Router;
use axum::response::IntoResponse;
use axum::routing::get;
use utoipa::OpenApi as _;
use utoipa::openapi::security::{HttpAuthScheme, HttpBuilder, SecurityScheme};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::error::Failure;
use super::permit::{Permit, needs};
use super::{Context, metrics, ops, public};
use crate::api;

#[derive(utoipa::OpenApi)]
#[openapi(
    info(
        title = "strongroom",
        description = "Certificate signing requests whose keys never leave the PKCS#11 token",
        license(name = "Apache-2.0", identifier = "Apache-2.0"),
    ),
    components(schemas(api::Problem)),
    security(("api_key" = []), ("basic" = []), ("client_certificate" = [])),
)]
struct Document;

/// Every route that is not a facade's, with the document of the native ones. What no surface knows
/// is answered as a native problem.
pub(super) fn router(context: Context) -> Router {
    let (router, routes) = OpenApiRouter::new()
        .routes(routes!(create::create, csrs::list))
        .routes(routes!(issued::submit))
        .routes(routes!(csrs::show, csrs::cancel))
        .routes(routes!(csrs::retire))
        .routes(routes!(create::renew))
        .routes(routes!(approvals::approve))
        .routes(routes!(approvals::reject))
        .routes(routes!(templates::list))
        .routes(routes!(templates::show))
        .routes(routes!(certificates::marry, certificates::show))
        .routes(routes!(certificates::list))
        .routes(routes!(authorities::create, authorities::list))
        .routes(routes!(authorities::show, authorities::delete))
        .routes(routes!(authorities::disable))
        .routes(routes!(authorities::enable))
        .routes(routes!(authorities::renew))
        .routes(routes!(authorities::csr))
        .routes(routes!(authorities::import, authorities::certificate))
        .routes(routes!(issued::issue))
        .routes(routes!(issued::sign_intermediate))
        .routes(routes!(issued::list))
        .routes(routes!(issued::show))
        .routes(routes!(issued::revoke))
        .routes(routes!(issued::crl))
        .routes(routes!(keys::list))
        .routes(routes!(keys::show, keys::destroy))
        .routes(routes!(key_life::retire))
        .routes(routes!(key_life::unretire))
        .routes(routes!(key_life::compromise))
        .routes(routes!(tokens::list))
        .routes(routes!(tokens::slots))
        .routes(routes!(tokens::reconcile))
        .routes(routes!(tokens::wipe))
        .routes(routes!(tokens::reset_breaker))
        .routes(routes!(proposals::list))
        .routes(routes!(proposals::approve))
        .routes(routes!(proposals::reject))
        .routes(routes!(probes::probe))
        .routes(routes!(probes::accept, probes::withdraw))
        .routes(routes!(principals::create, principals::list))
        .routes(routes!(principals::show, principals::change))
        .routes(routes!(principals::grant, principals::revoke))
        .routes(routes!(principals::create_tenant, principals::list_tenants))
        .routes(routes!(principals::bootstrap))
        .routes(routes!(credentials::create, credentials::list))
        .routes(routes!(credentials::revoke))
        .routes(routes!(audit::list))
        .routes(routes!(audit::verify))
        .routes(routes!(audit::restart_chain))
        .routes(routes!(audit::forget_key))
        .routes(routes!(system::back_up))
        .split_for_parts();
    let mut document = Document::openapi().nest(api::PREFIX, routes);
    if let Some(components) = &mut document.components {
        let bearer = HttpBuilder::new().scheme(HttpAuthScheme::Bearer).build();
        components.add_security_scheme("api_key", SecurityScheme::Http(bearer));
        let basic = HttpBuilder::new().scheme(HttpAuthScheme::Basic).build();
        components.add_security_scheme("basic", SecurityScheme::Http(basic));
        let description = Some("A certificate that is registered as a credential".to_owned());
        let mutual_tls = SecurityScheme::MutualTls { description, deprecated: None, extensions: None };
        components.add_security_scheme("client_certificate", mutual_tls);
    }
    // Shared: axum keeps a dozen clones of a handler, and each would have a megabyte of its own.
    let document = Arc::new(document);
    let native = router
        .route(
            "/openapi.json",
            get(async move |_: Permit<needs::AnyPrincipal>| axum::Json(document.as_ref()).into_response()),
        )
        .with_state(context.clone())
        .merge(ops::router(context.clone()));
    Router::new()
        .nest(api::PREFIX, native)
        .merge(ops::router(context.clone()))
        .merge(public::router(context.clone()))
        .merge(metrics::router(context))
        .fallback(async || Failure::no_such_route())
        .method_not_allowed_fallback(async || Failure::method_not_allowed())
        .layer(axum::middleware::from_fn(problem::layer))
}
