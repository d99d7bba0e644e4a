//! What every call passes: who it is, for which tenant, and what he may.

use std::marker::PhantomData;

use axum::extract::FromRequestParts;
use axum::http::HeaderMap;
use axum::http::request::Parts;
use zeroize::Zeroizing;

use super::Venafi;
use crate::app::Caller;
use crate::http::error::Failure;
use crate::http::permit::{Needed, Permit, PermittedBody, Shown, Terms};

/// The header of the vendor's clients.
pub(super) const API_KEY: &str = "tppl-api-key";

/// The right to call a handler.
#[derive(Debug)]
pub(super) struct Entry<N> {
    /// Who calls.
    pub(super) caller: Caller,
    /// Name of the tenant that he calls for.
    pub(super) tenant: String,
    needed: PhantomData<N>,
}

/// The body of such a call.
pub(super) type Body<N> = PermittedBody<Entry<N>>;

impl<N: Needed> FromRequestParts<Venafi> for Entry<N> {
    type Rejection = Failure;

    async fn from_request_parts(parts: &mut Parts, venafi: &Venafi) -> Result<Self, Failure> {
        let tenants = venafi.catalogue.tenants();
        parts.extensions.insert(Terms { shown: shown(&parts.headers), tenants });
        let permit = Permit::<N>::from_request_parts(parts, venafi).await.map_err(in_vendor_words)?;
        let tenant = venafi.context.app.tenant_name(permit.caller.tenant).await?;
        Ok(Self { caller: permit.caller, tenant, needed: PhantomData })
    }
}

fn shown(headers: &HeaderMap) -> Option<Shown> {
    let Some(key) = headers.get(API_KEY).filter(|key| !key.is_empty()) else {
        return Shown::authorization(headers);
    };
    let key = key.to_str().map(|key| Shown::Bearer(Zeroizing::new(key.trim().to_owned())));
    Some(key.unwrap_or(Shown::Unknown))
}

fn in_vendor_words(failure: Failure) -> Failure {
    match failure.code() {
        "auth.unauthenticated" => {
            let detail = "a known API key is needed, as `tppl-api-key: srk_...`";
            Failure::new(failure.status(), "auth.unauthenticated", detail)
        }
        _ => failure,
    }
}

#[cfg(test)]
mod tests {
    use axum::http::{HeaderName, HeaderValue};

    use super::*;

    fn read(pairs: &[(&'static str, &str)]) -> Option<Shown> {
        let pair = |(name, value): &(&'static str, &str)| {
            (HeaderName::from_static(name), HeaderValue::from_str(value).unwrap())
        };
        shown(&pairs.iter().map(pair).collect())
    }

    #[test]
    fn the_vendors_header_wins_over_authorization() {
        let bearer = ("authorization", "Bearer b");
        for (pairs, key) in [
            (&[(API_KEY, "a")][..], "a"),
            (&[(API_KEY, " a "), bearer][..], "a"),
            (&[(API_KEY, ""), bearer][..], "b"),
            (&[bearer][..], "b"),
        ] {
            let Some(Shown::Bearer(found)) = read(pairs) else { panic!("{pairs:?}") };
            assert_eq!(found.as_str(), key);
        }
        assert!(read(&[]).is_none());
    }
}
