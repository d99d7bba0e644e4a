//! What clients call besides: the probe of their login, and what is never given out.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;

use super::entry::{AnyRight, Entry};
use super::error::EveryCall;
use super::{Keyfactor, wire};
use crate::http::error::Failure;

/// List the operations of this API; the vendor's Go library tries its credentials with this call.
#[utoipa::path(
    get, path = "/Status/Endpoints", tag = "Status", operation_id = "StatusGetEndpoints",
    params(
        ("x-keyfactor-requested-with" = String, Header, description = "`APIClient` or `XMLHttpRequest`"),
        ("x-keyfactor-api-version" = Option<String>, Header, description = "`1` or `1.0`"),
    ),
    responses(
        (status = 200, description = "Method and path of each", body = Vec<String>),
        EveryCall,
    )
)]
pub(super) async fn endpoints(State(keyfactor): State<Keyfactor>, _: Entry<AnyRight>) -> Json<Vec<String>> {
    Json(keyfactor.operations.to_vec())
}

/// Refused to everybody: no private key leaves the token.
#[utoipa::path(
    post, path = "/Certificates/Recover", tag = "Certificates", operation_id = "CertificatesRecover",
    params(
        ("x-keyfactor-requested-with" = String, Header, description = "`APIClient` or `XMLHttpRequest`"),
        ("x-keyfactor-api-version" = Option<String>, Header, description = "`1` or `1.0`"),
    ),
    responses(
        (status = 403, description = "Always: private keys are not recoverable", body = wire::Problem),
        EveryCall,
    )
)]
pub(super) async fn recover(_: Entry<AnyRight>) -> Failure {
    let detail = "private keys are made in the token and never leave it: there is nothing to recover";
    Failure::new(StatusCode::FORBIDDEN, "key.not-recoverable", detail)
}
