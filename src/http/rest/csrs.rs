//! Signing requests.

use axum::extract::{self, Path, Query};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::{Extension, Json};

use super::accept::{self, Form, Offer, VARY};
use super::convert;
use super::prefer::{PREFERENCE_APPLIED, Preferences};
use super::problem::{self, ByHandle, EveryCall, PROBLEM, WithBody};
use crate::api;
use crate::app::idempotency::{Begun, Claim};
use crate::app::keys::KeyFate;
use crate::app::produce::{Produced, Wait};
use crate::app::{Answer, Error, Kind, Order, RequestFilter};
use crate::domain::csr;
use crate::domain::invalid::Invalid;
use crate::domain::key::Key;
use crate::domain::signing_request::{SigningRequest, State};
use crate::http::Context;
use crate::http::error::Failure;
use crate::http::permit::{Permit, PermittedBody};
use crate::http::request_id::RequestId;
use crate::http::uninterrupted::uninterrupted;

/// Names the create route in the idempotency table.
const CREATE: &str = "POST /strongroom/v1/csrs";
/// How a CSR is shown.
const OFFERS: &[Offer] = &[
    ("application/json", Form::Json),
    ("application/pkcs10", Form::Der),
    ("application/octet-stream", Form::Der),
    ("application/x-pem-file", Form::Pem),
    ("text/plain", Form::Pem),
];
/// Items on a page when the client does not say.
pub(super) const DEFAULT_LIMIT: usize = 50;
/// Most items on a page.
pub(super) const MOST_LIMIT: usize = 200;

/// Make a CSR: with a new key on the token, or for a key that is there (a renewal).
#[utoipa::path(
    post, path = "/csrs", tag = "csrs", operation_id = "createCsr",
    params(
        ("Idempotency-Key" = Option<String>, Header, description = "Names this create: sent again within 24 hours it makes no second key and gets the same answer, if that was 2xx, 400 or 422"),
        ("Prefer" = Option<String>, Header, description = "`respond-async` answers 202 at once; `wait=N`, with it or alone, answers 202 when the CSR is not made within N seconds (10 when absent, at most 120)"),
    ),
    request_body = api::CreateCsr,
    responses(
        (status = 201, description = "The CSR is made", body = api::Csr, headers(
            ("Location" = String, description = "The signing request"),
            ("Preference-Applied" = Option<String>, description = "What of Prefer was honoured"),
        )),
        (status = 202, description = "The CSR is being made; look at Location", body = api::Csr, headers(
            ("Location" = String, description = "The signing request"),
            ("Preference-Applied" = Option<String>, description = "What of Prefer was honoured"),
        )),
        (status = 400, description = "Malformed, or a field breaks a rule", body = api::Problem, content_type = PROBLEM),
        (status = 404, description = "There is no such key", body = api::Problem, content_type = PROBLEM),
        (status = 409, description = "The key cannot sign, or the Idempotency-Key is in flight", body = api::Problem, content_type = PROBLEM),
        (status = 415, description = "The body is not JSON", body = api::Problem, content_type = PROBLEM),
        (status = 422, description = "The token has no such key kind, or the Idempotency-Key was used with another body", body = api::Problem, content_type = PROBLEM),
        (status = 502, description = "The token refused or answered wrongly", body = api::Problem, content_type = PROBLEM),
        (status = 504, description = "The token was lost in the act; look at Location", body = api::Problem, content_type = PROBLEM),
        EveryCall,
        WithBody,
    )
)]
pub(super) async fn create(
    extract::State(context): extract::State<Context>,
    Extension(RequestId(request_id)): Extension<RequestId>,
    headers: HeaderMap,
    body: PermittedBody,
) -> Result<Response, Failure> {
    let preferences = Preferences::of(&headers);
    let wait = preferences.wait();
    let key = headers.get("idempotency-key").map(|key| key.to_str().map(str::to_owned)).transpose();
    let key = key.map_err(|_| Invalid::new("Idempotency-Key", "must be printable ASCII"))?;
    let answer = uninterrupted(async move {
        match key {
            Some(key) => create_under_key(&context, &body, &key, wait, request_id).await,
            None => created_answer(&context, create_once(&context, &body, None, wait).await?).await,
        }
    });
    let mut response = response(answer.await?);
    if let Some(applied) = preferences.applied(response.status()) {
        response.headers_mut().insert(PREFERENCE_APPLIED, applied);
    }
    Ok(response)
}

/// List signing requests.
#[utoipa::path(
    get, path = "/csrs", tag = "csrs", operation_id = "listCsrs",
    params(api::ListCsrs),
    responses(
        (status = 200, description = "A page", body = api::CsrPage),
        (status = 400, description = "A parameter breaks a rule", body = api::Problem, content_type = PROBLEM),
        EveryCall,
    )
)]
pub(super) async fn list(
    extract::State(context): extract::State<Context>,
    _: Permit,
    query: Result<Query<api::ListCsrs>, axum::extract::rejection::QueryRejection>,
) -> Result<Json<api::CsrPage>, Failure> {
    let query = query_of(query)?;
    let filter = RequestFilter {
        states: query.status.as_deref().map(convert::states).transpose()?.unwrap_or_default(),
        kind: query
            .kind
            .map(|kind| kind.parse().map_err(|error| Invalid::new("kind", format!("{error}"))))
            .transpose()?,
        name_prefix: query.name.filter(|name| !name.is_empty()),
    };
    let order = match query.order.as_deref() {
        None | Some("newest") => Order::NewestFirst,
        Some("oldest") => Order::OldestFirst,
        Some(_) => return Err(Invalid::new("order", "must be `newest` or `oldest`").into()),
    };
    let after = query.cursor.map(|cursor| convert::handle("cursor", &cursor)).transpose()?;
    let page = context.app.signing_requests(filter, order, after, limit(query.limit)?).await?;
    let items = page.items.iter().map(|(request, evidence)| convert::summary(request, evidence)).collect();
    Ok(Json(api::CsrPage { items, next_cursor: page.next.map(|handle| handle.to_string()) }))
}

/// Show a signing request, or give its CSR.
#[utoipa::path(
    get, path = "/csrs/{handle}", tag = "csrs", operation_id = "getCsr",
    params(("handle" = String, Path, description = "The signing request")),
    responses(
        (status = 200, description = "By Accept: JSON, the CSR as DER, or as PEM", content(
            (api::Csr = "application/json"),
            (Vec<u8> = "application/pkcs10"),
            (Vec<u8> = "application/octet-stream"),
            (String = "application/x-pem-file"),
            (String = "text/plain"),
        )),
        (status = 406, description = "None of the types in Accept is offered", body = api::Problem, content_type = PROBLEM),
        (status = 409, description = "The CSR is not made yet, and only JSON can say so", body = api::Problem, content_type = PROBLEM),
        ByHandle,
        EveryCall,
    )
)]
pub(super) async fn show(
    extract::State(context): extract::State<Context>,
    _: Permit,
    Path(handle): Path<String>,
    headers: HeaderMap,
) -> Result<Response, Failure> {
    let request = context.app.signing_request(convert::handle("handle", &handle)?).await?;
    let (media_type, form) = accept::wanted(&headers, OFFERS)?;
    if form == Form::Json {
        return Ok(([VARY], Json(view(&context, &request).await?)).into_response());
    }
    let Some(der) = request.csr else {
        let message = format!("signing request {handle} is {}: it has no CSR", request.state);
        return Err(Error::new(Kind::Conflict, "signing-request.no-csr", message).into());
    };
    let bytes = if form == Form::Pem { csr::pem(&der).into_bytes() } else { der };
    Ok(([VARY, (header::CONTENT_TYPE, media_type)], bytes).into_response())
}

/// Call a signing request off. The answer says what becomes of its key.
#[utoipa::path(
    delete, path = "/csrs/{handle}", tag = "csrs", operation_id = "cancelCsr",
    params(("handle" = String, Path, description = "The signing request")),
    responses(
        (status = 200, description = "Cancelled", body = api::Cancelled),
        (status = 409, description = "It is past that; `state` says where it is", body = api::Problem, content_type = PROBLEM),
        ByHandle,
        EveryCall,
    )
)]
pub(super) async fn cancel(
    extract::State(context): extract::State<Context>,
    permit: Permit,
    Path(handle): Path<String>,
) -> Result<Json<api::Cancelled>, Failure> {
    let handle = convert::handle("handle", &handle)?;
    uninterrupted(async move {
        let (request, fate) = context.app.cancel(permit.principal.handle, handle).await?;
        let key_fate = match fate {
            KeyFate::NoKey => "no-key",
            KeyFate::Destroyed => "destroyed",
            KeyFate::WillBeDestroyed => "will-be-destroyed",
            KeyFate::Kept => "kept",
        };
        Ok(Json(api::Cancelled { csr: view(&context, &request).await?, key_fate: key_fate.to_owned() }))
    })
    .await
}

/// Take an issued signing request out of use, so that its key may be destroyed.
#[utoipa::path(
    post, path = "/csrs/{handle}/retire", tag = "csrs", operation_id = "retireCsr",
    params(("handle" = String, Path, description = "The signing request")),
    responses(
        (status = 200, description = "Retired", body = api::Csr),
        (status = 409, description = "It is not issued; `state` says where it is", body = api::Problem, content_type = PROBLEM),
        ByHandle,
        EveryCall,
    )
)]
pub(super) async fn retire(
    extract::State(context): extract::State<Context>,
    permit: Permit,
    Path(handle): Path<String>,
) -> Result<Json<api::Csr>, Failure> {
    let handle = convert::handle("handle", &handle)?;
    uninterrupted(async move {
        let request = context.app.retire(permit.principal.handle, handle).await?;
        Ok(Json(view(&context, &request).await?))
    })
    .await
}

/// A query, with its rejection as a problem that names the parameter.
pub(super) fn query_of<T>(
    query: Result<Query<T>, axum::extract::rejection::QueryRejection>,
) -> Result<T, Failure> {
    let Query(query) = query
        .map_err(|rejection| Failure::new(StatusCode::BAD_REQUEST, "query.invalid", rejection.body_text()))?;
    Ok(query)
}

/// The page size that a client asked for, held to the bounds.
pub(super) fn limit(asked: Option<usize>) -> Result<usize, Invalid> {
    match asked.unwrap_or(DEFAULT_LIMIT) {
        limit @ 1..=MOST_LIMIT => Ok(limit),
        _ => Err(Invalid::new("limit", format!("must be 1 to {MOST_LIMIT}"))),
    }
}

/// A create that was sent before is answered as it was then, or taken up where it was left.
async fn create_under_key(
    context: &Context,
    body: &PermittedBody,
    key: &str,
    wait: Wait,
    request_id: String,
) -> Result<Answer, Failure> {
    let principal = body.permit.principal.handle;
    let (claim, produced) = match context.app.begin_idempotent(principal, CREATE, key, &body.bytes).await? {
        Begun::Answered(answer) => return Ok(answer),
        Begun::Begun(claim, handle) => {
            let produced = context.app.resume(handle, wait).await.map_err(Failure::from);
            (claim, produced)
        }
        Begun::Fresh(claim) => {
            let produced = create_once(context, body, Some(&claim), wait).await;
            (claim, produced)
        }
    };
    let (kept, outcome) = match produced {
        Ok(produced) => {
            let answer = created_answer(context, produced).await?;
            (answer.clone(), Ok(answer))
        }
        Err(failure) if stays_wrong(failure.status()) => {
            (problem_answer(&failure, request_id)?, Err(failure))
        }
        Err(failure) => return Err(failure),
    };
    context.app.keep_answer(&claim, kept).await?;
    outcome
}

/// Whether the body that the key belongs to is what was refused. The other refusals are of the
/// moment (404, 409: a key may come back to its token, 5xx) or of what is not compared when the key
/// comes again (415: the content type), and may go well then.
fn stays_wrong(status: StatusCode) -> bool {
    matches!(status, StatusCode::BAD_REQUEST | StatusCode::UNPROCESSABLE_ENTITY)
}

async fn create_once(
    context: &Context,
    body: &PermittedBody,
    claim: Option<&Claim>,
    wait: Wait,
) -> Result<Produced, Failure> {
    let wish = convert::wish(body.json()?).map_err(Error::invalid)?;
    let idempotency = claim.map(Claim::key);
    Ok(context.app.produce(body.permit.principal.handle, wish, idempotency, wait).await?)
}

async fn view(context: &Context, request: &SigningRequest) -> Result<api::Csr, Failure> {
    let key = match request.key {
        Some(key) => Some(context.app.key(key).await?),
        None => None,
    };
    view_with(context, request, key.as_ref()).await
}

async fn view_with(
    context: &Context,
    request: &SigningRequest,
    key: Option<&Key>,
) -> Result<api::Csr, Failure> {
    let certificate = match request.state {
        State::Issued | State::Retired => Some(context.app.certificate(request.handle).await?.sha256),
        State::Intent
        | State::Generated
        | State::Pending
        | State::Cancelled
        | State::Failed
        | State::Quarantined => None,
    };
    let token = context.app.configured_token(&request.token);
    let evidence = match key {
        Some(key) => context.app.evidence_of_key(key),
        None => context.app.evidence_on(&request.token),
    };
    Ok(convert::csr(request, key, token.as_ref(), certificate, evidence))
}

async fn created_answer(context: &Context, produced: Produced) -> Result<Answer, Failure> {
    let (status, csr) = match &produced {
        Produced::Done(made) => {
            (StatusCode::CREATED, view_with(context, &made.request, Some(&made.key)).await?)
        }
        Produced::Accepted(request) => (StatusCode::ACCEPTED, view(context, request).await?),
    };
    Ok(Answer {
        status: status.as_u16(),
        location: Some(format!("{}/csrs/{}", api::PREFIX, csr.handle)),
        content_type: Some("application/json".to_owned()),
        body: json_bytes(&csr)?,
    })
}

/// The replayed document keeps the id of the HTTP request that broke the rule.
fn problem_answer(failure: &Failure, request_id: String) -> Result<Answer, Failure> {
    Ok(Answer {
        status: failure.status().as_u16(),
        location: None,
        content_type: Some(PROBLEM.to_owned()),
        body: json_bytes(&problem::document(failure, request_id))?,
    })
}

fn json_bytes(value: &impl serde::Serialize) -> Result<Vec<u8>, Failure> {
    serde_json::to_vec(value)
        .map_err(|error| Error::bug(format!("an answer cannot be written: {error}")).into())
}

fn response(answer: Answer) -> Response {
    let status = StatusCode::from_u16(answer.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let mut response = (status, answer.body).into_response();
    let headers = response.headers_mut();
    if let Some(value) = answer.content_type.and_then(|text| HeaderValue::from_str(&text).ok()) {
        headers.insert(header::CONTENT_TYPE, value);
    }
    if let Some(location) = answer.location.and_then(|location| HeaderValue::from_str(&location).ok()) {
        headers.insert(header::LOCATION, location);
    }
    response
}
