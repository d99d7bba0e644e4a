//! `/CSRGeneration/Pending`: CSRs that were generated and have no certificate yet.

use axum::Json;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Path, Query, State};
use axum::http::{HeaderName, StatusCode};

use super::entry::{self, Body, DeletesPending, Entry, SeesPending};
use super::error::{EveryCall, WithBody};
use super::paging::Paging;
use super::{Keyfactor, convert, wire};
use crate::app::{App, Caller, Error, Kind, NumberedFilter, Sorting};
use crate::domain::algorithm::KeyKind;
use crate::domain::id::Handle;
use crate::domain::invalid::Invalid;
use crate::domain::signing_request::{SigningRequest, State as RequestState};
use crate::http::error::Failure;
use crate::http::uninterrupted::uninterrupted;

/// Not documented by the vendor for this list, but for others.
const TOTAL: HeaderName = HeaderName::from_static("x-total-count");

/// How many are deleted by one call: each may cost the token a moment.
const MOST_DELETED: usize = 1000;

/// List pending CSRs, oldest first.
#[utoipa::path(
    get, path = "/CSRGeneration/Pending", tag = "CSRGeneration", operation_id = "CSRGenerationGetPending",
    params(
        ("x-keyfactor-requested-with" = String, Header, description = "`APIClient` or `XMLHttpRequest`"),
        ("x-keyfactor-api-version" = Option<String>, Header, description = "`1` or `1.0`"),
        ("PageReturned" = Option<i32>, Query, description = "From 1 on; 1 when absent", minimum = 1),
        ("ReturnLimit" = Option<i32>, Query, description = "Items on a page; 50 when absent", minimum = 1, maximum = 10_000),
        ("SortField" = Option<String>, Query, description = "`Id` or `RequestTime`, which is the same order"),
        ("SortAscending" = Option<i32>, Query, description = "0 is ascending, and so is its absence; 1 is descending", minimum = 0, maximum = 1),
    ),
    responses(
        (status = 200, description = "A page, empty past the end", body = Vec<wire::PendingCsr>, headers(
            ("x-total-count" = u64, description = "How many there are on all pages"),
        )),
        EveryCall,
    )
)]
pub(super) async fn list(
    State(keyfactor): State<Keyfactor>,
    Entry { caller, .. }: Entry<SeesPending>,
    query: Result<Query<Vec<(String, String)>>, QueryRejection>,
) -> Result<([(HeaderName, String); 1], Json<Vec<wire::PendingCsr>>), Failure> {
    let Query(pairs) = query
        .map_err(|rejection| Failure::new(StatusCode::BAD_REQUEST, "query.invalid", rejection.body_text()))?;
    let paging = Paging::from_query(&pairs)?;
    let filter = NumberedFilter {
        tenant: caller.tenant,
        states: vec![RequestState::Pending],
        kinds: KeyKind::all().collect(),
    };
    let Paging { offset, limit, descending } = paging;
    let app = &keyfactor.context.app;
    let page = app.numbered_requests(filter, Sorting::Number, descending, offset, limit).await?;
    let items = page.items.iter().filter_map(convert::pending).collect();
    Ok(([(TOTAL, page.total.to_string())], Json(items)))
}

/// Show a pending CSR.
#[utoipa::path(
    get, path = "/CSRGeneration/Pending/{id}", tag = "CSRGeneration", operation_id = "CSRGenerationGetPendingById",
    params(
        ("x-keyfactor-requested-with" = String, Header, description = "`APIClient` or `XMLHttpRequest`"),
        ("x-keyfactor-api-version" = Option<String>, Header, description = "`1` or `1.0`"),
        ("id" = i32, Path, description = "The pending CSR"),
    ),
    responses(
        (status = 200, description = "The CSR, and a name for its file", body = wire::PendingCsrFile),
        (status = 404, description = "There is no such pending CSR", body = wire::Problem),
        EveryCall,
    )
)]
pub(super) async fn show(
    State(keyfactor): State<Keyfactor>,
    Entry { caller, .. }: Entry<SeesPending>,
    Path(id): Path<String>,
) -> Result<Json<wire::PendingCsrFile>, Failure> {
    let id = id_of(&id)?;
    let request = pending_one(&keyfactor.context.app, &caller, id).await?;
    convert::file(&request).map(Json).ok_or_else(|| none(id))
}

/// Delete a pending CSR and destroy its key.
#[utoipa::path(
    delete, path = "/CSRGeneration/Pending/{id}", tag = "CSRGeneration", operation_id = "CSRGenerationDeletePending",
    params(
        ("x-keyfactor-requested-with" = String, Header, description = "`APIClient` or `XMLHttpRequest`"),
        ("x-keyfactor-api-version" = Option<String>, Header, description = "`1` or `1.0`"),
        ("id" = i32, Path, description = "The pending CSR"),
    ),
    responses(
        (status = 204, description = "Deleted"),
        (status = 404, description = "There is no such pending CSR", body = wire::Problem),
        EveryCall,
    )
)]
pub(super) async fn delete(
    State(keyfactor): State<Keyfactor>,
    Entry { caller, .. }: Entry<DeletesPending>,
    Path(id): Path<String>,
) -> Result<StatusCode, Failure> {
    delete_all(keyfactor, caller, vec![id_of(&id)?]).await
}

/// Delete pending CSRs and destroy their keys: all of them, or none when one of them is not there.
#[utoipa::path(
    delete, path = "/CSRGeneration/Pending", tag = "CSRGeneration", operation_id = "CSRGenerationDeletePendingMany",
    params(
        ("x-keyfactor-requested-with" = String, Header, description = "`APIClient` or `XMLHttpRequest`"),
        ("x-keyfactor-api-version" = Option<String>, Header, description = "`1` or `1.0`"),
    ),
    request_body(content = Vec<i32>, description = "At most 1,000 pending CSRs"),
    responses(
        (status = 204, description = "Deleted"),
        (status = 404, description = "There is no such pending CSR: nothing was deleted", body = wire::Problem),
        EveryCall,
        WithBody,
    )
)]
pub(super) async fn delete_many(
    State(keyfactor): State<Keyfactor>,
    body: Body<DeletesPending>,
) -> Result<StatusCode, Failure> {
    let mut ids = wire::ids(entry::json(&body)?)?;
    ids.sort_unstable();
    ids.dedup();
    if ids.len() > MOST_DELETED {
        return Err(wire::malformed(format!(
            "at most {MOST_DELETED} ids are taken at once, not {}",
            ids.len()
        )));
    }
    delete_all(keyfactor, body.permit.caller, ids).await
}

async fn delete_all(keyfactor: Keyfactor, caller: Caller, ids: Vec<i32>) -> Result<StatusCode, Failure> {
    uninterrupted(async move {
        let app = &keyfactor.context.app;
        let mut doomed: Vec<(i32, Handle)> = Vec::with_capacity(ids.len());
        for id in ids {
            doomed.push((id, pending_one(app, &caller, id).await?.handle));
        }
        let only = doomed.len() == 1;
        for (id, handle) in doomed {
            match app.cancel(&caller, handle).await {
                Ok(_) => {}
                // Married or deleted by somebody else in between: it is not pending, as was asked for.
                Err(error) if error.kind() == Kind::Conflict && !only => {}
                Err(error) if error.kind() == Kind::Conflict => return Err(none(id)),
                Err(error) => return Err(error.into()),
            }
        }
        Ok(StatusCode::NO_CONTENT)
    })
    .await
}

/// The pending request with that id. One in another state is not on the list, and so not there.
async fn pending_one(app: &App, caller: &Caller, id: i32) -> Result<SigningRequest, Failure> {
    let number = u32::try_from(id).map_err(|_| none(id))?;
    match app.signing_request_numbered(caller, number).await {
        Ok(request) if request.state == RequestState::Pending => Ok(request),
        Ok(_) => Err(none(id)),
        Err(error) if error.kind() == Kind::NotFound => Err(none(id)),
        Err(error) => Err(error.into()),
    }
}

fn id_of(text: &str) -> Result<i32, Invalid> {
    text.parse().map_err(|_| Invalid::new("id", "must be a whole number of 32 bits, such as 17"))
}

fn none(id: i32) -> Failure {
    Error::not_found("pending CSR", id).into()
}
