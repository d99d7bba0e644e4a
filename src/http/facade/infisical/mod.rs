//! Infisical's internal CAs, under `/api`: login of machine identities, and CAs whose keys are in the token.
//! docs/facades.md says what of it there is, and what is decided where the vendor's documentation is silent.
//!
//! - `login`: the only routes without a credential
//! - `entry`: access tokens, and the projects that a caller has a role in
//! - `issues`: the fields of a body, with every issue that they have; `asked`: what bodies ask for
//! - `wire`: the vendor's JSON; `convert`: from the domain to it
//! - `authorities`: CAs by both generations of paths; `life`: what is done with one; `certificates`: what they issue
//! - `error`: the vendor's envelope; `document`: the OpenAPI document

mod asked;
mod authorities;
mod certificates;
mod convert;
mod document;
mod entry;
mod error;
mod issues;
mod life;
mod login;
mod wire;

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::extract::FromRef;
use axum::routing::get;
use axum::{Json, Router, middleware};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::auth::access_token::AccessTokens;
use crate::http::Context;
use crate::http::error::Failure;
use crate::http::permit::needs;
use entry::Entry;

/// Where it lies.
const PREFIX: &str = "/api";

/// Names this surface in what is kept.
const SURFACE: &str = "infisical";

/// How it is served.
#[derive(Clone)]
pub struct Settings {
    /// By the id that clients name.
    pub projects: BTreeMap<String, Project>,
    /// What logins are answered with.
    pub tokens: Arc<AccessTokens>,
}

/// Whose CAs are a project's.
#[derive(Clone, Debug)]
pub struct Project {
    /// Name of the tenant.
    pub tenant: String,
    /// What older clients name the project by.
    pub slug: String,
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
    let surface = Surface { context, settings: Arc::new(settings) };
    let pki = OpenApiRouter::new()
        .routes(routes!(authorities::create, authorities::list))
        .routes(routes!(authorities::show, authorities::update, authorities::delete))
        .merge(of_one());
    let internal = OpenApiRouter::new()
        .routes(routes!(authorities::create_internal, authorities::list_internal))
        .routes(routes!(
            authorities::show_internal,
            authorities::update_internal,
            authorities::delete_internal
        ))
        .merge(of_one());
    let certificates = OpenApiRouter::new()
        .routes(routes!(certificates::sign))
        .routes(routes!(certificates::issue))
        .routes(routes!(certificates::revoke));
    let (router, described) = OpenApiRouter::new()
        .routes(routes!(login::status))
        .routes(routes!(login::login))
        .nest("/v1/pki/ca", pki)
        .nest("/v1/cert-manager/ca/internal", internal)
        .nest("/v1/pki/certificates", certificates)
        .split_for_parts();
    let document = document::of(described);
    let router = router
        .route("/openapi.json", get(async move |_: Entry<needs::AnyPrincipal>| Json(document)))
        .with_state(surface)
        .fallback(async || Failure::no_such_route())
        .method_not_allowed_fallback(async || Failure::method_not_allowed())
        .layer(middleware::from_fn(error::layer));
    Router::new().nest(PREFIX, router)
}

/// What both generations of paths have below a CA.
fn of_one() -> OpenApiRouter<Surface> {
    OpenApiRouter::new()
        .routes(routes!(life::csr))
        .routes(routes!(life::import))
        .routes(routes!(life::certificate, life::certify))
        .routes(routes!(life::certificates))
        .routes(routes!(life::certificate_der))
        .routes(routes!(life::renew))
        .routes(routes!(life::crls))
        .routes(routes!(certificates::sign_intermediate))
        .routes(routes!(certificates::sign_by))
        .routes(routes!(certificates::issue_by))
}
