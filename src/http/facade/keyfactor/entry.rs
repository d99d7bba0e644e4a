//! What every call passes: who it is and what he may, the vendor's own headers; then the body.

use std::marker::PhantomData;

use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use axum::http::{HeaderMap, StatusCode};
use serde_json::Value;
use zeroize::Zeroizing;

use super::{Keyfactor, wire};
use crate::app::Caller;
use crate::domain::invalid::Invalid;
use crate::http::error::Failure;
use crate::http::permit::{Needed, Permit, PermittedBody, Shown, Terms, needs};

/// Keeps web pages of others from calling with a browser's credentials: they cannot set it.
const MARKER: &str = "x-keyfactor-requested-with";
const MARKS: [&str; 2] = ["APIClient", "XMLHttpRequest"];
const VERSION: &str = "x-keyfactor-api-version";
const VERSIONS: [&str; 2] = ["1", "1.0"];

/// A right by the vendor's name, and the permission that it is here.
pub(super) trait Right: Send + Sync + 'static {
    /// The permission.
    type Here: Needed;
    /// The vendor's name.
    const NAME: &'static str;
}

macro_rules! rights {
    ($($(#[$doc:meta])* $right:ident = $name:literal, $here:ident;)+) => {$(
        $(#[$doc])*
        #[derive(Debug)]
        pub(super) struct $right;

        impl Right for $right {
            type Here = needs::$here;
            const NAME: &'static str = $name;
        }
    )+};
}

rights! {
    /// To be known.
    AnyRight = "", AnyPrincipal;
    /// To generate CSRs.
    Generates = "/certificates/enrollment/csr_generation/", CsrCreate;
    /// To enroll with a CSR.
    Enrolls = "/certificates/enrollment/csr/", CsrCreate;
    /// To see pending CSRs.
    SeesPending = "/certificates/requests/manage/", CsrRead;
    /// To delete pending CSRs.
    DeletesPending = "/certificates/requests/manage/", CsrCancel;
}

/// The right to call a handler.
#[derive(Debug)]
pub(super) struct Entry<R> {
    /// Who calls, for which tenant.
    pub(super) caller: Caller,
    right: PhantomData<R>,
}

/// The body of such a call.
pub(super) type Body<R> = PermittedBody<Entry<R>>;

impl<R: Right> FromRequestParts<Keyfactor> for Entry<R> {
    type Rejection = Failure;

    async fn from_request_parts(parts: &mut Parts, state: &Keyfactor) -> Result<Self, Failure> {
        let terms = Terms { shown: shown(&parts.headers), tenants: state.settings.tenants.clone() };
        parts.extensions.insert(terms);
        let permit =
            Permit::<R::Here>::from_request_parts(parts, state).await.map_err(in_vendor_words::<R>)?;
        check_headers(&parts.headers)?;
        Ok(Self { caller: permit.caller, right: PhantomData })
    }
}

/// `DOMAIN\user` is `user`: there is one directory here.
fn shown(headers: &HeaderMap) -> Option<Shown> {
    Some(match Shown::authorization(headers)? {
        Shown::Basic(user, password) => {
            let name = user.rsplit('\\').next().unwrap_or_default().to_owned();
            Shown::Basic(Zeroizing::new(name), password)
        }
        other => other,
    })
}

fn in_vendor_words<R: Right>(failure: Failure) -> Failure {
    match failure.code() {
        "access.denied" => {
            let detail = format!("the permission {} is missing: {}", R::NAME, failure.detail());
            Failure::new(failure.status(), "access.denied", detail)
        }
        "auth.unauthenticated" => {
            let detail = "known credentials are needed: `Authorization: Basic` with the name of a principal, with or \
                          without a domain before it, and its secret, or `Authorization: Bearer` with an API key";
            Failure::new(failure.status(), "auth.unauthenticated", detail)
        }
        _ => failure,
    }
}

fn check_headers(headers: &HeaderMap) -> Result<(), Invalid> {
    let value = |name| headers.get(name).map(|value| value.to_str().unwrap_or_default().trim());
    let is_one_of =
        |given: &str, known: [&str; 2]| known.iter().any(|known| given.eq_ignore_ascii_case(known));
    match value(MARKER) {
        Some(mark) if is_one_of(mark, MARKS) => {}
        _ => return Err(Invalid::new(MARKER, "this header is mandatory; send APIClient or XMLHttpRequest")),
    }
    match value(VERSION) {
        Some(version) if !version.is_empty() && !is_one_of(version, VERSIONS) => {
            Err(Invalid::new(VERSION, "only version 1 of this API is served; send 1 or leave the header out"))
        }
        _ => Ok(()),
    }
}

/// The body as JSON.
///
/// # Errors
/// 415 for a media type that is no JSON, 400 for what is no JSON.
pub(super) fn json<R>(body: &Body<R>) -> Result<Value, Failure> {
    if let Some(given) = body.media_type()
        && !is_json(&given)
    {
        let detail =
            format!("the body must be application/json, text/json or application/*+json, not {given}");
        return Err(Failure::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, "body.content-type", detail));
    }
    serde_json::from_slice(&body.bytes).map_err(|error| wire::malformed(format!("is no JSON: {error}")))
}

fn is_json(media_type: &str) -> bool {
    matches!(media_type, "application/json" | "text/json")
        || (media_type.starts_with("application/") && media_type.ends_with("+json"))
}

#[cfg(test)]
mod tests {
    use axum::http::{HeaderName, HeaderValue};
    use base64::Engine as _;
    use base64::prelude::BASE64_STANDARD;

    use super::*;

    fn headers(pairs: &[(&'static str, &str)]) -> HeaderMap {
        let pair = |(name, value): &(&'static str, &str)| {
            (HeaderName::from_static(name), HeaderValue::from_str(value).unwrap())
        };
        pairs.iter().map(pair).collect()
    }

    #[test]
    fn the_domain_before_a_user_name_is_passed_over() {
        for (sent, name) in
            [("LAB\\bob", "bob"), ("bob", "bob"), ("a\\b\\bob", "bob"), ("bob@lab", "bob@lab")]
        {
            let value = format!("Basic {}", BASE64_STANDARD.encode(format!("{sent}:se:cr\\et")));
            let Some(Shown::Basic(user, secret)) = shown(&headers(&[("authorization", &value)])) else {
                panic!("{sent}")
            };
            assert_eq!((user.as_str(), secret.as_str()), (name, "se:cr\\et"));
        }
        assert!(matches!(shown(&headers(&[("authorization", "Bearer x")])), Some(Shown::Bearer(_))));
        assert!(shown(&headers(&[])).is_none());
    }

    #[test]
    fn the_mark_is_mandatory_and_the_version_is_1() {
        let check =
            |pairs: &[(&'static str, &str)]| check_headers(&headers(pairs)).map_err(|invalid| invalid.field);
        for mark in ["APIClient", "XMLHttpRequest", "apiclient", "XMLHTTPREQUEST"] {
            for version in ["1", "1.0", ""] {
                check(&[(MARKER, mark), (VERSION, version)]).unwrap();
            }
            check(&[(MARKER, mark)]).unwrap();
            for version in ["2", "2.0", "one"] {
                assert_eq!(check(&[(MARKER, mark), (VERSION, version)]).unwrap_err(), VERSION);
            }
        }
        for wrong in [&[][..], &[(MARKER, "")], &[(MARKER, "browser")]] {
            assert_eq!(check(wrong).unwrap_err(), MARKER);
        }
    }

    #[test]
    fn json_has_several_names() {
        for good in ["application/json", "text/json", "application/json-patch+json", "application/x+json"] {
            assert!(is_json(good), "{good}");
        }
        for bad in ["text/plain", "application/xml", "text/x+json", "json", ""] {
            assert!(!is_json(bad), "{bad}");
        }
    }
}
