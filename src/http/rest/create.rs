//! Making signing requests: creates and renewals, and what an Idempotency-Key means for both.

use axum::Extension;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};

use super::convert;
use super::csrs::{view, view_with};
use super::prefer::{PREFERENCE_APPLIED, Preferences};
use super::problem::{self, ByHandle, EveryCall, PROBLEM, WithBody};
use crate::api;
use crate::app::idempotency::{Begun, IdempotencyKey};
use crate::app::produce::{Produced, Wait};
use crate::app::{Answer, Caller, Error};
use crate::domain::id::Handle;
use crate::domain::invalid::Invalid;
use crate::http::Context;
use crate::http::error::Failure;
use crate::http::permit::{Permit, PermittedBody, needs};
use crate::http::request_id::RequestId;
use crate::http::uninterrupted::uninterrupted;

/// The body of whoever may ask for CSRs.
type Body = PermittedBody<Permit<needs::CsrCreate>>;

/// What is asked for, with the body that says it.
enum Asked {
    /// A CSR.
    New(Body),
    /// Another CSR for what an earlier signing request asked for.
    Renewal(Handle, Body),
}

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
        (status = 202, description = "The CSR is being made, or waits for an approval; look at Location", body = api::Csr, headers(
            ("Location" = String, description = "The signing request"),
            ("Preference-Applied" = Option<String>, description = "What of Prefer was honoured"),
        )),
        (status = 400, description = "Malformed, or a field breaks a rule", body = api::Problem, content_type = PROBLEM),
        (status = 404, description = "There is no such key", body = api::Problem, content_type = PROBLEM),
        (status = 409, description = "The key cannot sign, or the Idempotency-Key is in flight", body = api::Problem, content_type = PROBLEM),
        (status = 415, description = "The body is not JSON", body = api::Problem, content_type = PROBLEM),
        (status = 422, description = "It breaks rules of the issuing template, each in `errors`; there is no such template; the token has no such key kind; or the Idempotency-Key was used with another body", body = api::Problem, content_type = PROBLEM),
        (status = 502, description = "The token refused or answered wrongly", body = api::Problem, content_type = PROBLEM),
        (status = 504, description = "The token was lost in the act; look at Location", body = api::Problem, content_type = PROBLEM),
        EveryCall,
        WithBody,
    )
)]
pub(super) async fn create(
    State(context): State<Context>,
    Extension(RequestId(request_id)): Extension<RequestId>,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, Failure> {
    answer(context, request_id, &headers, Asked::New(body)).await
}

/// Renew a signing request: a new CSR with the same subject, alternative names, extensions and signature
/// scheme, for the same key or for a new one of its kind.
#[utoipa::path(
    post, path = "/csrs/{handle}/renew", tag = "csrs", operation_id = "renewCsr",
    params(
        ("handle" = String, Path, description = "The signing request to renew: pending, issued or retired"),
        ("Idempotency-Key" = Option<String>, Header, description = "Names this renewal, as for a create"),
        ("Prefer" = Option<String>, Header, description = "As for a create"),
    ),
    request_body = api::RenewCsr,
    responses(
        (status = 201, description = "The CSR is made", body = api::Csr, headers(
            ("Location" = String, description = "The new signing request"),
            ("Preference-Applied" = Option<String>, description = "What of Prefer was honoured"),
        )),
        (status = 202, description = "The CSR is being made, or waits for an approval; look at Location", body = api::Csr, headers(
            ("Location" = String, description = "The new signing request"),
            ("Preference-Applied" = Option<String>, description = "What of Prefer was honoured"),
        )),
        (status = 409, description = "The signing request has no CSR or was called off, its key cannot sign, or the Idempotency-Key is in flight", body = api::Problem, content_type = PROBLEM),
        (status = 415, description = "The body is not JSON", body = api::Problem, content_type = PROBLEM),
        (status = 422, description = "As for a create: rules of a template, no such template or key kind, or the Idempotency-Key was used with another body", body = api::Problem, content_type = PROBLEM),
        (status = 502, description = "The token refused or answered wrongly", body = api::Problem, content_type = PROBLEM),
        (status = 504, description = "The token was lost in the act; look at Location", body = api::Problem, content_type = PROBLEM),
        ByHandle,
        EveryCall,
        WithBody,
    )
)]
pub(super) async fn renew(
    State(context): State<Context>,
    Extension(RequestId(request_id)): Extension<RequestId>,
    _: Permit<needs::CsrCreate>,
    Path(handle): Path<String>,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, Failure> {
    let handle = convert::handle("handle", &handle)?;
    answer(context, request_id, &headers, Asked::Renewal(handle, body)).await
}

impl Asked {
    /// Names the route in the idempotency table.
    fn route(&self) -> &'static str {
        match self {
            Self::New(_) => "POST /strongroom/v1/csrs",
            Self::Renewal(..) => "POST /strongroom/v1/csrs/{handle}/renew",
        }
    }

    /// All that an Idempotency-Key stands for on its route.
    fn wording(&self) -> Vec<u8> {
        match self {
            Self::New(body) => body.bytes.to_vec(),
            Self::Renewal(handle, body) => [handle.as_bytes().as_slice(), &body.bytes].concat(),
        }
    }

    fn caller(&self) -> &Caller {
        let (Self::New(body) | Self::Renewal(_, body)) = self;
        &body.permit.caller
    }

    async fn make(
        &self,
        context: &Context,
        idempotency: Option<IdempotencyKey>,
        wait: Wait,
    ) -> Result<Produced, Failure> {
        Ok(match self {
            Self::New(body) => {
                let wish = convert::wish(body.json()?).map_err(Error::invalid)?;
                context.app.produce(self.caller(), wish, idempotency, wait).await?
            }
            Self::Renewal(handle, body) => {
                let renewal = convert::renewal(body.json()?);
                context.app.renew(self.caller(), *handle, renewal, idempotency, wait).await?
            }
        })
    }
}

async fn answer(
    context: Context,
    request_id: String,
    headers: &HeaderMap,
    asked: Asked,
) -> Result<Response, Failure> {
    let preferences = Preferences::of(headers);
    let wait = preferences.wait();
    let key = headers.get("idempotency-key").map(|key| key.to_str().map(str::to_owned)).transpose();
    let key = key.map_err(|_| Invalid::new("Idempotency-Key", "must be printable ASCII"))?;
    let answer = uninterrupted(async move {
        match key {
            Some(key) => made_under_key(&context, &asked, &key, wait, request_id).await,
            None => made_answer(&context, asked.make(&context, None, wait).await?).await,
        }
    });
    let mut response = response(answer.await?);
    if let Some(applied) = preferences.applied(response.status()) {
        response.headers_mut().insert(PREFERENCE_APPLIED, applied);
    }
    Ok(response)
}

/// What was sent before is answered as it was then, or taken up where it was left.
async fn made_under_key(
    context: &Context,
    asked: &Asked,
    key: &str,
    wait: Wait,
    request_id: String,
) -> Result<Answer, Failure> {
    let begun = context.app.begin_idempotent(asked.caller(), asked.route(), key, &asked.wording()).await?;
    let (claim, produced) = match begun {
        Begun::Answered(answer) => return Ok(answer),
        Begun::Begun(claim, handle) => {
            let produced = context.app.resume(handle, wait).await.map_err(Failure::from);
            (claim, produced)
        }
        Begun::Fresh(claim) => {
            let produced = asked.make(context, Some(claim.key()), wait).await;
            (claim, produced)
        }
    };
    let (kept, outcome) = match produced {
        Ok(produced) => {
            let answer = made_answer(context, produced).await?;
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

pub(super) async fn made_answer(context: &Context, produced: Produced) -> Result<Answer, Failure> {
    let (status, csr) = match &produced {
        Produced::Done(made) => {
            (StatusCode::CREATED, view_with(context, &made.request, made.key.as_ref()).await?)
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

pub(super) fn response(answer: Answer) -> Response {
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
