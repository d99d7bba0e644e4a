//! The operations on custom CSRs.

use std::time::Duration;

use axum::extract::rejection::QueryRejection;
use axum::extract::{Path, Query, State};
use axum::http::{HeaderMap, StatusCode};
use axum::routing::get;
use axum::{Extension, Json, Router, middleware};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::convert::{self, Collection};
use super::error::{EveryCall, OnToken, Refused, WithBody};
use super::page::Page;
use super::wire::{CreateCustomCsr, CustomCsr, Deleted, Envelope, PageEnvelope, Problem, Refusal};
use super::{PREFIX, Surface, certificates, codes, document, error, terms};
use crate::app::idempotency::{Begun, Retry};
use crate::app::produce::{Produced, Wait};
use crate::app::{App, Caller, Error, Kind, NumberedFilter, NumberedPage};
use crate::domain::signing_request::{SigningRequest, State as RequestState};
use crate::http::error::Failure;
use crate::http::permit::{Permit, PermittedBody, needs};
use crate::http::uninterrupted::uninterrupted;

/// How long a create waits for its CSR: less than the SDKs wait for the answer, which is 60 s.
const PATIENCE: Duration = Duration::from_secs(45);

/// How long the SDKs wait for an answer when they do not say (`DEFAULT_TIMEOUT`).
const USUAL_READ_TIMEOUT: Duration = Duration::from_secs(60);

/// Longest read timeout that is believed.
const LONGEST_READ_TIMEOUT: Duration = Duration::from_secs(60 * 60);

/// The SDKs obey a Retry-After of at most a minute, and wait less by themselves (`_calculate_retry_timeout`).
const LONGEST_RETRY_AFTER: Duration = Duration::from_secs(60);

/// For the way there and back.
const ALLOWANCE: Duration = Duration::from_secs(10);

/// Every route, described.
pub(super) fn router(surface: Surface) -> Router {
    let (router, described) = OpenApiRouter::new()
        .routes(routes!(list, create))
        .routes(routes!(show, delete))
        .routes(routes!(certificates::list, certificates::upload))
        .routes(routes!(certificates::show))
        .split_for_parts();
    let document = document::of(described);
    let router = router
        .route("/openapi.json", get(async move |_: Permit<needs::AnyPrincipal>| Json(document)))
        .fallback(async || Failure::no_such_route())
        .method_not_allowed_fallback(async || Failure::method_not_allowed())
        .layer(middleware::from_fn_with_state(surface.clone(), terms::layer))
        .layer(middleware::from_fn(error::layer))
        .with_state(surface);
    Router::new().nest(PREFIX, router)
}

/// List custom CSRs.
#[utoipa::path(
    get, path = "/{scope}/{id}/custom_csrs", tag = "custom_csrs", operation_id = "listCustomCsrs",
    params(
        ("scope" = document::Scope, Path),
        ("id" = String, Path, description = "The account or zone"),
        ("page" = Option<f64>, Query, description = "Number of the page, from 1 on; a page past the end is empty", minimum = 1),
        ("per_page" = Option<f64>, Query, description = "Most results on it; 20 when absent", minimum = 5, maximum = 50),
        ("order" = Option<document::Order>, Query, description = "`created_at` when absent"),
        ("direction" = Option<document::Direction>, Query, description = "`asc` when absent"),
    ),
    responses(
        (status = 200, description = "A page", body = PageEnvelope<CustomCsr>),
        EveryCall,
    )
)]
async fn list(
    State(surface): State<Surface>,
    permit: Permit<needs::CsrRead>,
    Extension(collection): Extension<Collection>,
    query: Result<Query<Vec<(String, String)>>, QueryRejection>,
) -> Result<Json<PageEnvelope<CustomCsr>>, Refused> {
    let page = page_of(query)?;
    let states = vec![RequestState::Pending, RequestState::Issued];
    let NumberedPage { items, total } = requests(&surface.context.app, &permit.caller, states, page).await?;
    let items = items.iter().filter_map(|request| convert::custom_csr(request, &collection)).collect();
    Ok(Json(PageEnvelope::of(items, page.number, page.per_page, total)))
}

/// Make a custom CSR: the key is made in the HSM and stays there.
#[utoipa::path(
    post, path = "/{scope}/{id}/custom_csrs", tag = "custom_csrs", operation_id = "createCustomCsr",
    params(
        ("scope" = document::Scope, Path),
        ("id" = String, Path, description = "The account or zone"),
        ("x-stainless-retry-count" = Option<u32>, Header, description = "How often the SDK sent the same before: such a create leads to what an earlier try made"),
        ("x-stainless-read-timeout" = Option<String>, Header, description = "Seconds that the SDK waits for an answer"),
    ),
    request_body = CreateCustomCsr,
    responses(
        (status = 201, description = "Made", body = Envelope<CustomCsr>),
        EveryCall,
        WithBody,
        OnToken,
    )
)]
async fn create(
    State(surface): State<Surface>,
    Extension(collection): Extension<Collection>,
    headers: HeaderMap,
    body: PermittedBody<Permit<needs::CsrCreate>>,
) -> Result<(StatusCode, Json<Envelope<CustomCsr>>), Refused> {
    let wish = convert::wish(&body.bytes, surface.settings.public_suffix_rules)?;
    let retry = retry_of(&headers);
    let route = format!("POST {PREFIX}{}/custom_csrs", collection.path());
    let made = uninterrupted(async move {
        let (app, caller) = (&surface.context.app, &body.permit.caller);
        let wait = Wait::UpTo(PATIENCE);
        let Some(retry) = retry else { return Ok(app.produce(caller, wish, None, wait).await?) };
        Ok(match app.begin_retryable(caller, &route, &body.bytes, retry).await? {
            Begun::Begun(_claim, earlier) => app.resume(earlier, wait).await?,
            Begun::Fresh(claim) => app.produce(caller, wish, Some(claim.key()), wait).await?,
            Begun::Answered(_) => {
                return Err(Error::bug("a create without an idempotency key has a kept answer").into());
            }
        })
    });
    let request = match made.await? {
        Produced::Done(made) => made.request,
        Produced::Accepted(request) => {
            let message = "the CSR is still being made; the same create, marked as a retry, leads to it";
            return Err(Error::new(Kind::Unavailable, "hsm.busy", message).about(request.handle).into());
        }
    };
    let custom_csr = convert::custom_csr(&request, &collection)
        .ok_or_else(|| Error::bug("a custom CSR that was made cannot be shown"))?;
    Ok((StatusCode::CREATED, Json(Envelope::of(custom_csr))))
}

/// Show a custom CSR.
#[utoipa::path(
    get, path = "/{scope}/{id}/custom_csrs/{csr_id}", tag = "custom_csrs", operation_id = "getCustomCsr",
    params(
        ("scope" = document::Scope, Path),
        ("id" = String, Path, description = "The account or zone"),
        ("csr_id" = String, Path, description = "The custom CSR"),
    ),
    responses(
        (status = 200, description = "The custom CSR", body = Envelope<CustomCsr>),
        EveryCall,
    )
)]
async fn show(
    State(surface): State<Surface>,
    permit: Permit<needs::CsrRead>,
    Extension(collection): Extension<Collection>,
    path: Path<(String, String, String)>,
) -> Result<Json<Envelope<CustomCsr>>, Refused> {
    let Path((_, _, id)) = path;
    let request = shown(&surface.context.app, &permit.caller, &id).await?;
    let custom_csr = convert::custom_csr(&request, &collection).ok_or_else(|| not_found(&id))?;
    Ok(Json(Envelope::of(custom_csr)))
}

/// Delete a custom CSR that no certificate came back for, and its key.
#[utoipa::path(
    delete, path = "/{scope}/{id}/custom_csrs/{csr_id}", tag = "custom_csrs", operation_id = "deleteCustomCsr",
    params(
        ("scope" = document::Scope, Path),
        ("id" = String, Path, description = "The account or zone"),
        ("csr_id" = String, Path, description = "The custom CSR"),
    ),
    responses(
        (status = 200, description = "Deleted; its key is destroyed, unless another request uses it", body = Envelope<Deleted>),
        (status = 409, description = "1420: a certificate is bound to it", body = Refusal),
        EveryCall,
    )
)]
async fn delete(
    State(surface): State<Surface>,
    permit: Permit<needs::CsrCancel>,
    path: Path<(String, String, String)>,
) -> Result<Json<Envelope<Deleted>>, Refused> {
    let Path((_, _, id)) = path;
    let app = surface.context.app;
    let handle = shown(&app, &permit.caller, &id).await?.handle;
    uninterrupted(async move { Ok(app.cancel(&permit.caller, handle).await?) }).await?;
    Ok(Json(Envelope::of(Deleted { id: handle.to_string() })))
}

/// The part of the caller's collection that is on a page.
pub(super) async fn requests(
    app: &App,
    caller: &Caller,
    states: Vec<RequestState>,
    page: Page,
) -> Result<NumberedPage, Error> {
    let filter = NumberedFilter { tenant: caller.tenant, states, kinds: convert::kinds() };
    let per_page = usize::try_from(page.per_page).unwrap_or(usize::MAX);
    app.numbered_requests(filter, page.sorting, page.descending, page.offset(), per_page).await
}

/// The signing request with that identifier, if this surface shows it.
pub(super) async fn shown(app: &App, caller: &Caller, id: &str) -> Result<SigningRequest, Refused> {
    // A UUID in its simple form is what the vendor's own identifiers look like: well-formed, and unknown.
    let is_simple = id.len() == 32 && id.bytes().all(|byte| byte.is_ascii_hexdigit());
    let handle = match id.parse() {
        Ok(handle) => handle,
        Err(_) if is_simple => return Err(not_found(id).into()),
        Err(_) => {
            return Err(
                vec![Problem::new(codes::MALFORMED_ID, "the identifier in the path is malformed")].into()
            );
        }
    };
    let request = app.signing_request(caller, handle).await?;
    let is_shown = matches!(request.state, RequestState::Pending | RequestState::Issued)
        && convert::key_type(request.kind).is_some();
    if is_shown { Ok(request) } else { Err(not_found(id).into()) }
}

pub(super) fn page_of(query: Result<Query<Vec<(String, String)>>, QueryRejection>) -> Result<Page, Refused> {
    let Query(query) =
        query.map_err(|rejection| vec![Problem::new(codes::UNDECODABLE, rejection.body_text())])?;
    Ok(Page::read(&query)?)
}

fn not_found(id: &str) -> Error {
    Error::not_found("custom CSR", id)
}

/// What an SDK says of its tries; nothing when it does not count them.
fn retry_of(headers: &HeaderMap) -> Option<Retry> {
    let text = |name: &str| headers.get(name)?.to_str().ok();
    let count = text("x-stainless-retry-count")?.trim().parse().ok()?;
    // Those for Python say the one, those for Go and JavaScript the other.
    let read_timeout = text("x-stainless-read-timeout")
        .or_else(|| text("x-stainless-timeout"))
        .and_then(|seconds| Duration::try_from_secs_f64(seconds.trim().parse().ok()?).ok())
        .unwrap_or(USUAL_READ_TIMEOUT)
        .min(LONGEST_READ_TIMEOUT);
    let within = read_timeout + LONGEST_RETRY_AFTER + ALLOWANCE;
    Some(Retry { count, within: i64::try_from(within.as_millis()).unwrap_or(i64::MAX) })
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderValue;

    use super::*;

    #[test]
    fn only_what_counts_its_tries_can_be_a_retry() {
        let retry_by = |name: &'static str, count: Option<&'static str>, timeout: Option<&'static str>| {
            let mut headers = HeaderMap::new();
            for (name, value) in [("x-stainless-retry-count", count), (name, timeout)] {
                if let Some(value) = value {
                    headers.insert(name, HeaderValue::from_static(value));
                }
            }
            retry_of(&headers)
        };
        let retry = |count, timeout| retry_by("x-stainless-read-timeout", count, timeout);
        assert_eq!(
            retry_by("x-stainless-timeout", Some("1"), Some("5")),
            Some(Retry { count: 1, within: 75_000 })
        );
        assert_eq!(retry(None, Some("60")), None);
        assert_eq!(retry(Some("x"), None), None);
        assert_eq!(retry(Some("-1"), None), None);
        assert_eq!(retry(Some("0"), None), Some(Retry { count: 0, within: 130_000 }));
        assert_eq!(retry(Some("2"), Some("2.5")), Some(Retry { count: 2, within: 72_500 }));
        for odd in ["x", "-1", "NaN"] {
            assert_eq!(retry(Some("1"), Some(odd)), Some(Retry { count: 1, within: 130_000 }), "{odd}");
        }
        assert_eq!(retry(Some("1"), Some("1e9")), Some(Retry { count: 1, within: 3_670_000 }));
    }
}
