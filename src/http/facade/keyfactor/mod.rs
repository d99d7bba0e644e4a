//! Keyfactor Command CSR generation, under `/KeyfactorAPI`. docs/facades.md says what of it there is, and what is
//! decided where the vendor's documentation is silent.
//!
//! - `spelling`: the vendor's paths in any case
//! - `entry`: credentials, rights and the headers that every call needs; bodies
//! - `wire`, `paging`: the vendor's JSON and query; `convert`: between these and the use cases
//! - `pending`, `generate`, `enrollment`, `others`: the routes; `error`: the vendor's envelope

mod convert;
mod enrollment;
mod entry;
mod error;
mod generate;
mod others;
mod paging;
mod pending;
mod spelling;
mod wire;

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::Router;
use axum::extract::FromRef;
use axum::http::StatusCode;
use axum::routing::get;
use utoipa::OpenApi as _;
use utoipa::openapi::OpenApi;
use utoipa::openapi::security::{HttpAuthScheme, HttpBuilder, SecurityScheme};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::http::Context;
use crate::http::error::Failure;
use entry::{AnyRight, Entry};
pub(in crate::http) use spelling::as_documented;

/// Where the vendor's installer puts the API.
const PREFIX: &str = "/KeyfactorAPI";

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

/// What the handlers need.
#[derive(Clone)]
struct Keyfactor {
    context: Context,
    settings: Arc<Settings>,
    /// Method and path of each operation.
    operations: Arc<Vec<String>>,
}

impl FromRef<Keyfactor> for Context {
    fn from_ref(keyfactor: &Keyfactor) -> Self {
        keyfactor.context.clone()
    }
}

#[derive(utoipa::OpenApi)]
#[openapi(
    info(
        title = "strongroom, as Keyfactor Command",
        description = "CSR generation with the wire format of Keyfactor Command; paths in any case. The names of fields in bodies and of parameters in queries count without regard to case; the parameters also with `sq.` before them.",
        license(name = "Apache-2.0", identifier = "Apache-2.0"),
    ),
    components(schemas(wire::Problem)),
    security(("basic" = []), ("api_key" = [])),
)]
struct Document;

/// The routes.
pub(super) fn router(context: Context, settings: Settings) -> Router {
    let (router, routes) = OpenApiRouter::new()
        .routes(routes!(generate::generate))
        .routes(routes!(pending::list, pending::delete_many))
        .routes(routes!(pending::show, pending::delete))
        .routes(routes!(enrollment::enroll))
        .routes(routes!(others::endpoints))
        .routes(routes!(others::recover))
        .split_for_parts();
    let document = document(routes);
    let operations = operations(&document);
    let state = Keyfactor { context, settings: Arc::new(settings), operations: Arc::new(operations) };
    let router = router
        .route("/openapi.json", get(async move |_: Entry<AnyRight>| axum::Json(document)))
        .with_state(state)
        .fallback(no_such_route)
        .method_not_allowed_fallback(async || Failure::method_not_allowed())
        .layer(axum::middleware::from_fn(error::layer));
    Router::new().nest(PREFIX, router)
}

async fn no_such_route() -> Failure {
    let detail =
        format!("there is nothing at this path; what there is is described at {PREFIX}/openapi.json");
    Failure::new(StatusCode::NOT_FOUND, "route.unknown", detail)
}

fn document(routes: OpenApi) -> OpenApi {
    let mut document = Document::openapi().nest(PREFIX, routes);
    if let Some(components) = &mut document.components {
        for (name, scheme) in [("basic", HttpAuthScheme::Basic), ("api_key", HttpAuthScheme::Bearer)] {
            let scheme = HttpBuilder::new().scheme(scheme).build();
            components.add_security_scheme(name, SecurityScheme::Http(scheme));
        }
    }
    document
}

fn operations(document: &OpenApi) -> Vec<String> {
    let paths = document.paths.paths.iter();
    let operations = paths.flat_map(|(path, item)| {
        let methods = [("GET", &item.get), ("POST", &item.post), ("DELETE", &item.delete)];
        let path = path.strip_prefix(PREFIX).unwrap_or(path);
        methods
            .into_iter()
            .filter_map(move |(method, operation)| operation.as_ref().map(|_| format!("{method} {path}")))
    });
    operations.collect()
}
