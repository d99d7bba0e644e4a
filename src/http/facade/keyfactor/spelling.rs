//! The vendor's server compares paths without regard to case, and its documentation writes `/KeyfactorAPI` and
//! `/KeyfactorApi`; our router compares bytes.

use axum::extract::Request;
use axum::http::Uri;
use axum::http::uri::PathAndQuery;
use axum::middleware::Next;
use axum::response::Response;

use super::PREFIX;

/// Every word of the routes, as they are documented.
const WORDS: [&str; 10] = [
    "KeyfactorAPI",
    "CSRGeneration",
    "Generate",
    "Pending",
    "Status",
    "Endpoints",
    "Enrollment",
    "CSR",
    "Certificates",
    "Recover",
];

/// Spells a path of this surface as its route is spelled. To be called before routing.
pub(in crate::http) async fn as_documented(mut request: Request, next: Next) -> Response {
    if let Some(path) = documented(request.uri().path()) {
        let uri = request.uri().clone();
        let query = uri.query().map(|query| format!("?{query}")).unwrap_or_default();
        let mut parts = uri.into_parts();
        if let Ok(respelled) = PathAndQuery::try_from(path + &query) {
            parts.path_and_query = Some(respelled);
            if let Ok(uri) = Uri::from_parts(parts) {
                *request.uri_mut() = uri;
            }
        }
    }
    next.run(request).await
}

/// The path with each word in its documented case and without slashes at its end; `None` when it is of another
/// surface.
fn documented(path: &str) -> Option<String> {
    let mut segments = path.trim_end_matches('/').split('/').skip(1);
    let first = segments.next()?;
    if !first.eq_ignore_ascii_case(&PREFIX[1..]) {
        return None;
    }
    let rest = segments.map(|segment| {
        let word = WORDS.into_iter().find(|word| word.eq_ignore_ascii_case(segment));
        format!("/{}", word.unwrap_or(segment))
    });
    Some(std::iter::once(PREFIX.to_owned()).chain(rest).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_known_in_any_case_and_nothing_else_is_touched() {
        let cases = [
            ("/keyfactorapi/csrgeneration/GENERATE", Some("/KeyfactorAPI/CSRGeneration/Generate")),
            ("/KeyfactorApi/CSRGeneration/Pending/17/", Some("/KeyfactorAPI/CSRGeneration/Pending/17")),
            ("/KEYFACTORAPI/Nothing/Here", Some("/KeyfactorAPI/Nothing/Here")),
            ("/KeyfactorAPI", Some("/KeyfactorAPI")),
            ("/keyfactorapi//", Some("/KeyfactorAPI")),
            ("/keyfactorapis/csrgeneration", None),
            ("/strongroom/v1/keyfactorapi", None),
            ("/", None),
            ("", None),
        ];
        for (path, expected) in cases {
            assert_eq!(documented(path).as_deref(), expected, "{path}");
        }
    }
}
