//! Venafi, both generations: `/v1/certificaterequests` with its zones, as documented for DevOpsACCELERATE, and
//! `/outagedetection/v1` with its applications, as the clients of today speak. docs/facades.md says what of it there is.
//!
//! - `catalogue`: zones, applications and issuing templates of the configuration, and their ids
//! - `entry`: credentials and permissions
//! - `wire`: the vendor's JSON; `convert`: between it and the use cases; `error`: the vendor's envelope
//! - `account`, `places`: what clients look up first; `requests`, `legacy`: both ways to ask for a certificate;
//!   `certificates`, `import`, `graphql`: what becomes of it

mod account;
mod catalogue;
mod certificates;
mod convert;
mod desk;
mod entry;
mod error;
mod graphql;
mod import;
mod legacy;
mod places;
mod requests;
mod wire;

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::Router;
use axum::extract::FromRef;
use axum::routing::get;
use utoipa::OpenApi as _;
use utoipa::openapi::OpenApi;
use utoipa::openapi::security::{ApiKey, ApiKeyValue, HttpAuthScheme, HttpBuilder, SecurityScheme};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::http::Context;
use crate::http::error::Failure;
use crate::http::permit::needs;
use catalogue::Catalogue;
use entry::Entry;

/// What both generations share, and what only the older one has.
const V1: &str = "/v1";
/// What only the current one has.
const OUTAGE_DETECTION: &str = "/outagedetection/v1";
/// Where certificates are revoked.
const GRAPHQL: &str = "/graphql";

/// How it is served.
#[derive(Clone, Debug)]
pub struct Settings {
    /// What `application\alias` leads to.
    pub applications: Vec<Application>,
    /// What a zone's tag leads to.
    pub zones: Vec<Zone>,
}

/// An application of the vendor's.
#[derive(Clone, Debug)]
pub struct Application {
    /// Its name.
    pub name: String,
    /// Name of the tenant whose requests are its own.
    pub tenant: String,
    /// Alias to the name of an issuing template.
    pub templates: BTreeMap<String, String>,
}

/// A zone of the vendor's older product.
#[derive(Clone, Debug)]
pub struct Zone {
    /// What clients call it.
    pub tag: String,
    /// Name of the tenant whose requests are its own.
    pub tenant: String,
    /// Name of its issuing template.
    pub template: String,
}

/// What the handlers need.
#[derive(Clone)]
struct Venafi {
    context: Context,
    catalogue: Arc<Catalogue>,
}

impl FromRef<Venafi> for Context {
    fn from_ref(venafi: &Venafi) -> Self {
        venafi.context.clone()
    }
}

#[derive(utoipa::OpenApi)]
#[openapi(
    info(
        title = "strongroom, as Venafi",
        description = "Certificate requests with the wire format of Venafi as a Service, and of DevOpsACCELERATE before it",
        license(name = "Apache-2.0", identifier = "Apache-2.0"),
    ),
    components(schemas(wire::Problems)),
    security(("tppl-api-key" = []), ("bearer" = [])),
)]
struct Document;

/// The routes.
pub(super) fn router(context: Context, settings: Settings) -> Router {
    let (shared, shared_routes) = OpenApiRouter::new()
        .routes(routes!(account::user_accounts))
        .routes(routes!(account::user))
        .routes(routes!(account::user_by_name))
        .routes(routes!(account::teams))
        .routes(routes!(account::authority_accounts))
        .routes(routes!(account::authority_account))
        .routes(routes!(places::zone))
        .routes(routes!(places::template))
        .routes(routes!(legacy::create))
        .routes(routes!(legacy::show))
        .routes(routes!(legacy::certificate))
        .routes(routes!(legacy::managed))
        .routes(routes!(legacy::search))
        .routes(routes!(certificates::encryption_key))
        .split_for_parts();
    let (current, current_routes) = OpenApiRouter::new()
        .routes(routes!(places::application))
        .routes(routes!(places::application_by_name))
        .routes(routes!(places::template_of_application))
        .routes(routes!(requests::create))
        .routes(routes!(requests::show))
        .routes(routes!(import::import))
        .routes(routes!(certificates::show))
        .routes(routes!(certificates::contents))
        .routes(routes!(certificates::keystore))
        .routes(routes!(certificates::retire))
        .routes(routes!(certificates::search))
        .split_for_parts();
    let (graphql, graphql_routes) = OpenApiRouter::new().routes(routes!(graphql::run)).split_for_parts();
    let document = document(shared_routes, current_routes, graphql_routes);
    let catalogue = Arc::new(Catalogue::new(context.app.installation(), settings));
    let state = Venafi { context, catalogue };
    let published = get(async move |_: Entry<needs::TemplateRead>| axum::Json(document));
    let within = |router: Router<Venafi>| {
        router
            .with_state(state.clone())
            .fallback(async || Failure::no_such_route())
            .method_not_allowed_fallback(async || Failure::method_not_allowed())
            .layer(axum::middleware::from_fn(error::layer))
    };
    Router::new()
        .nest(V1, within(shared))
        .nest(OUTAGE_DETECTION, within(current.route("/openapi.json", published)))
        .nest(GRAPHQL, within(graphql))
}

fn document(shared: OpenApi, current: OpenApi, graphql: OpenApi) -> OpenApi {
    let mut document = Document::openapi().nest(V1, shared).nest(OUTAGE_DETECTION, current);
    document = document.nest(GRAPHQL, graphql);
    if let Some(components) = &mut document.components {
        let header = ApiKey::Header(ApiKeyValue::new(entry::API_KEY));
        components.add_security_scheme(entry::API_KEY, SecurityScheme::ApiKey(header));
        let bearer = HttpBuilder::new().scheme(HttpAuthScheme::Bearer).build();
        components.add_security_scheme("bearer", SecurityScheme::Http(bearer));
    }
    document
}
