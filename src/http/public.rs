//! What everybody may fetch without a credential, because certificates say so: revocation lists
//! (RFC 5280 section 4.2.1.13) and the certificates of authorities (section 4.2.2.1).

use axum::Router;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;

use super::Context;
use super::error::Failure;
use crate::domain::id::Handle;

/// Seconds for which a certificate of an authority may be kept: a renewal should get through in a day.
const CERTIFICATE_MAX_AGE: i64 = 24 * 3600;

/// Most seconds for which a list may be kept by who fetched it: a revocation should get through in an hour,
/// though the list itself is good for days.
const CRL_MAX_AGE: i64 = 3600;

pub(super) fn router(context: Context) -> Router {
    Router::new().route("/crl/{file}", get(crl)).route("/ca/{file}", get(certificate)).with_state(context)
}

async fn crl(
    State(context): State<Context>,
    Path(file): Path<String>,
    headers: HeaderMap,
) -> Result<Response, Failure> {
    let authority = named(&file, ".crl")?;
    let list = context.app.crl(authority, &known(&headers)).await?;
    let max_age = (list.fresh_for / 1000).min(CRL_MAX_AGE);
    let cached = [
        (header::ETAG, format!("\"{}\"", hex::encode(list.facts.sha256))),
        (header::CACHE_CONTROL, format!("public, max-age={max_age}")),
    ];
    Ok(match list.der {
        Some(der) => (cached, [(header::CONTENT_TYPE, "application/pkix-crl")], der).into_response(),
        None => (StatusCode::NOT_MODIFIED, cached).into_response(),
    })
}

async fn certificate(State(context): State<Context>, Path(file): Path<String>) -> Result<Response, Failure> {
    let own = context.app.authority_certificate(named(&file, ".cer")?).await?;
    let headers = [
        (header::CONTENT_TYPE, "application/pkix-cert".to_owned()),
        (header::CACHE_CONTROL, format!("public, max-age={CERTIFICATE_MAX_AGE}")),
    ];
    Ok((headers, own.der).into_response())
}

fn named(file: &str, ending: &str) -> Result<Handle, Failure> {
    let handle = file.strip_suffix(ending).and_then(|handle| handle.parse().ok());
    handle.ok_or_else(Failure::no_such_route)
}

/// The lists that the client has (RFC 9110 section 13.1.2); weak tags count as well.
fn known(headers: &HeaderMap) -> Vec<[u8; 32]> {
    let tags = headers.get_all(header::IF_NONE_MATCH).iter().filter_map(|value| value.to_str().ok());
    let tags = tags.flat_map(|value| value.split(','));
    let tags = tags.map(|tag| tag.trim().trim_start_matches("W/").trim_matches('"'));
    tags.filter_map(|tag| hex::decode(tag).ok()?.try_into().ok()).collect()
}
