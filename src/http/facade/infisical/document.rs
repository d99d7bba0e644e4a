//! The OpenAPI document of this surface.

use utoipa::OpenApi as _;
use utoipa::openapi::OpenApi;
use utoipa::openapi::path::PathItem;
use utoipa::openapi::security::{HttpAuthScheme, HttpBuilder, SecurityScheme};

use super::PREFIX;
use super::wire::Refusal;

#[derive(utoipa::OpenApi)]
#[openapi(
    info(
        title = "strongroom: Infisical's internal CAs",
        description = "The part of Infisical's API that strongroom serves, for the vendor's own clients",
        license(name = "Apache-2.0", identifier = "Apache-2.0"),
    ),
    components(schemas(Refusal)),
    security(("access_token" = [])),
)]
struct Document;

/// The whole document, from the routes' part.
pub(super) fn of(routes: OpenApi) -> OpenApi {
    let mut document = Document::openapi().nest(PREFIX, routes);
    if let Some(components) = &mut document.components {
        let bearer = HttpBuilder::new().scheme(HttpAuthScheme::Bearer).bearer_format("JWT").build();
        components.add_security_scheme("access_token", SecurityScheme::Http(bearer));
    }
    // What two generations of paths share has one handler, and two operations.
    for (path, item) in &mut document.paths.paths {
        if path.contains("/cert-manager/") {
            rename(item);
        }
    }
    document
}

fn rename(item: &mut PathItem) {
    let operations = [&mut item.get, &mut item.post, &mut item.patch, &mut item.delete];
    for operation in operations.into_iter().flatten() {
        if let Some(id) = &mut operation.operation_id {
            id.push_str("Internal");
        }
    }
}
