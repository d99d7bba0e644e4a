//! Whose collection a path means, and by which headers the vendor's clients are known.

use axum::extract::{Request, State};
use axum::http::{HeaderMap, StatusCode};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use zeroize::Zeroizing;

use super::convert::Collection;
use super::error::{Refused, Told};
use super::wire::{Cause, Problem};
use super::{Settings, Surface, codes};
use crate::http::error::Failure;
use crate::http::permit::{Shown, Terms};

const EMAIL: &str = "x-auth-email";
const KEY: &str = "x-auth-key";
const SERVICE_KEY: &str = "x-auth-user-service-key";

/// Puts the terms and the collection among the request's extensions; tells by the vendor's numbers why nobody is known.
pub(super) async fn layer(State(surface): State<Surface>, mut request: Request, next: Next) -> Response {
    let collection = match collection(request.uri().path()) {
        Ok(collection) => collection,
        Err(refused) => return refused.into_response(),
    };
    let credential = Credential::of(request.headers());
    let tenant = collection.as_ref().and_then(|collection| tenant(&surface.settings, collection));
    request
        .extensions_mut()
        .insert(Terms { shown: credential.shown.clone(), tenants: tenant.into_iter().cloned().collect() });
    if let Some(collection) = collection {
        request.extensions_mut().insert(collection);
    }
    let mut response = next.run(request).await;
    if response.status() == StatusCode::UNAUTHORIZED {
        response.extensions_mut().insert(credential.unknown);
    }
    response
}

/// The collection that a path below the prefix names; none for a path of another kind.
fn collection(path: &str) -> Result<Option<Collection>, Refused> {
    let mut segments = path.trim_start_matches('/').split('/');
    let (scope, id) = (segments.next().unwrap_or_default(), segments.next());
    let collection = match (scope, id) {
        ("accounts" | "zones", Some("")) => {
            let failure =
                Failure::new(StatusCode::BAD_REQUEST, "input.invalid", "the path names no account or zone");
            return Err(Refused::told(
                failure,
                vec![Problem::new(codes::NO_ZONE, "the path names no account or zone")],
            ));
        }
        ("accounts", Some(id)) => Collection::Account(id.to_owned()),
        ("zones", Some(id)) => Collection::Zone(id.to_owned()),
        ("openapi.json", None) => return Ok(None),
        _ => return Err(Failure::no_such_route().into()),
    };
    Ok(Some(collection))
}

/// The name of the tenant whose requests are the collection.
fn tenant<'a>(settings: &'a Settings, collection: &Collection) -> Option<&'a String> {
    match collection {
        Collection::Account(id) => settings.accounts.get(id),
        Collection::Zone(id) => settings.zones.get(id),
    }
}

/// What a client shows, and what it is told when nobody is known by that.
struct Credential {
    shown: Option<Shown>,
    unknown: Told,
}

impl Credential {
    /// The Python SDK 5.9.0 sends `X-Auth-Email` and `X-Auth-Key` in the place of `Authorization` where it has all three.
    fn of(headers: &HeaderMap) -> Self {
        if let Some(shown) = Shown::authorization(headers) {
            let (shown, code, message) = match shown {
                Shown::Bearer(secret) if !secret.is_empty() => {
                    (Shown::Bearer(secret), codes::TOKEN_NOT_VERIFIED, "the API token is not a known one")
                }
                _ => {
                    let message = "no API token in the header Authorization; it is written `Bearer srk_...`";
                    (Shown::Unknown, codes::TOKEN_NOT_EXTRACTED, message)
                }
            };
            return Self::unknown(Some(shown), StatusCode::UNAUTHORIZED, Problem::new(code, message));
        }
        let text = |name: &str| {
            let value = headers.get(name).filter(|value| !value.is_empty())?;
            Some(value.to_str().unwrap_or_default().to_owned())
        };
        match (text(EMAIL), text(KEY).map(Zeroizing::new)) {
            (Some(email), Some(key)) => {
                let message = "X-Auth-Email and X-Auth-Key are not those of a known principal";
                let problem = Problem::new(codes::AUTHENTICATION, message);
                Self::unknown(
                    Some(Shown::Basic(Zeroizing::new(email), key)),
                    StatusCode::UNAUTHORIZED,
                    problem,
                )
            }
            (None, None) if headers.contains_key(SERVICE_KEY) => {
                let message = "X-Auth-User-Service-Key is not taken; send an API token";
                let problem = Problem::new(codes::AUTHENTICATION, message);
                Self::unknown(Some(Shown::Unknown), StatusCode::UNAUTHORIZED, problem)
            }
            (None, None) => {
                let message = "no credential: send `Authorization: Bearer`, or X-Auth-Email and X-Auth-Key";
                Self::unknown(None, StatusCode::BAD_REQUEST, Problem::new(codes::NO_CREDENTIAL, message))
            }
            (None, Some(_)) => Self::half(codes::INVALID_X_AUTH_EMAIL, "X-Auth-Email"),
            (Some(_), None) => Self::half(codes::INVALID_X_AUTH_KEY, "X-Auth-Key"),
        }
    }

    fn half(code: u16, missing: &str) -> Self {
        let problem = Problem {
            error_chain: vec![Cause { code, message: format!("Invalid format for {missing} header") }],
            ..Problem::new(codes::INVALID_HEADERS, "Invalid request headers")
        };
        Self::unknown(Some(Shown::Unknown), StatusCode::BAD_REQUEST, problem)
    }

    fn unknown(shown: Option<Shown>, status: StatusCode, problem: Problem) -> Self {
        Self { shown, unknown: Told { status, problems: vec![problem] } }
    }
}

#[cfg(test)]
mod tests {
    use axum::http::{HeaderName, HeaderValue};

    use super::*;

    fn told(headers: &[(&'static str, &str)]) -> (u16, u16) {
        let headers = headers
            .iter()
            .map(|(name, value)| (HeaderName::from_static(name), HeaderValue::from_str(value).unwrap()));
        let unknown = Credential::of(&headers.collect()).unknown;
        (unknown.status.as_u16(), unknown.problems[0].code)
    }

    #[test]
    fn who_is_not_known_is_told_why() {
        let bearer = ("authorization", "Bearer srk_x");
        assert_eq!(told(&[bearer]), (401, 1003));
        assert_eq!(told(&[bearer, ("x-auth-key", "k")]), (401, 1003));
        assert_eq!(told(&[("authorization", "Bearer")]), (401, 1000));
        assert_eq!(told(&[("authorization", "Basic YTpi")]), (401, 1000));
        assert_eq!(told(&[("x-auth-email", "a@b"), ("x-auth-key", "k")]), (401, 10000));
        assert_eq!(told(&[("x-auth-email", "a@b")]), (400, 6003));
        assert_eq!(told(&[("x-auth-key", "k")]), (400, 6003));
        assert_eq!(told(&[("x-auth-user-service-key", "k")]), (401, 10000));
        assert_eq!(told(&[]), (400, 1402));
        assert_eq!(told(&[("authorization", "")]), (400, 1402));
    }

    #[test]
    fn a_path_names_a_collection_or_is_none() {
        let account = Collection::Account("1".to_owned());
        assert_eq!(collection("/accounts/1/custom_csrs").ok().flatten(), Some(account));
        assert_eq!(collection("/zones/1").ok().flatten(), Some(Collection::Zone("1".to_owned())));
        assert_eq!(collection("/openapi.json").ok(), Some(None));
        for wrong in ["/", "/users/1/custom_csrs", "/accounts", "/zones//custom_csrs", "/openapi.json/x"] {
            assert!(collection(wrong).is_err(), "{wrong}");
        }
    }
}
