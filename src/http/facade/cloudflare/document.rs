//! The OpenAPI document of this surface.

use utoipa::OpenApi as _;
use utoipa::ToSchema;
use utoipa::openapi::OpenApi;
use utoipa::openapi::security::{ApiKey, ApiKeyValue, HttpAuthScheme, HttpBuilder, SecurityScheme};

use super::PREFIX;
use super::wire::Refusal;

/// Whose collection it is.
#[derive(ToSchema)]
#[schema(rename_all = "lowercase")]
#[expect(dead_code, reason = "read by the derive macro")]
pub(super) enum Scope {
    Accounts,
    Zones,
}

/// What a list is sorted by.
#[derive(ToSchema)]
#[schema(rename_all = "snake_case")]
#[expect(dead_code, reason = "read by the derive macro")]
pub(super) enum Order {
    Name,
    AccountTag,
    CreatedAt,
}

/// Which end of a list comes first.
#[derive(ToSchema)]
#[schema(rename_all = "lowercase")]
#[expect(dead_code, reason = "read by the derive macro")]
pub(super) enum Direction {
    Asc,
    Desc,
}

#[derive(utoipa::OpenApi)]
#[openapi(
    info(
        title = "strongroom: Cloudflare custom CSRs",
        description = "The part of Cloudflare's API that strongroom serves, for the vendor's own clients",
        license(name = "Apache-2.0", identifier = "Apache-2.0"),
    ),
    components(schemas(Refusal, Scope, Order, Direction)),
    security(("api_token" = []), ("api_email" = [], "api_key" = []), ("client_certificate" = [])),
)]
struct Document;

/// The whole document, from the routes' part.
pub(super) fn of(routes: OpenApi) -> OpenApi {
    let mut document = Document::openapi().nest(PREFIX, routes);
    if let Some(components) = &mut document.components {
        let bearer = HttpBuilder::new().scheme(HttpAuthScheme::Bearer).build();
        components.add_security_scheme("api_token", SecurityScheme::Http(bearer));
        for (name, header) in [("api_email", "X-Auth-Email"), ("api_key", "X-Auth-Key")] {
            let header = ApiKey::Header(ApiKeyValue::new(header));
            components.add_security_scheme(name, SecurityScheme::ApiKey(header));
        }
        let description = Some("A certificate that is registered as a credential".to_owned());
        let mutual_tls = SecurityScheme::MutualTls { description, deprecated: None, extensions: None };
        components.add_security_scheme("client_certificate", mutual_tls);
    }
    document
}
