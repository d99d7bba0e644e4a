//! The Prefer header (RFC 7240): `respond-async` and `wait`.

use std::time::Duration;

use axum::http::HeaderMap;

use crate::app::produce::Wait;

/// What a client waits for when it does not say.
const DEFAULT_WAIT: Duration = Duration::from_secs(10);
/// No client holds a connection longer than this.
const LONGEST_WAIT: Duration = Duration::from_secs(120);

/// How long the client wants to wait. What is malformed or unknown is ignored, as section 2 asks.
pub(super) fn wait(headers: &HeaderMap) -> Wait {
    let preferences = headers
        .get_all("prefer")
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .map(|preference| preference.split(';').next().unwrap_or_default().trim());
    let mut seconds = None;
    for preference in preferences {
        if preference.eq_ignore_ascii_case("respond-async") {
            return Wait::Async;
        }
        let (name, value) = preference.split_once('=').unwrap_or((preference, ""));
        if name.trim().eq_ignore_ascii_case("wait") {
            seconds = value.trim().trim_matches('"').parse::<u64>().ok();
        }
    }
    Wait::UpTo(seconds.map_or(DEFAULT_WAIT, Duration::from_secs).min(LONGEST_WAIT))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn preferences_are_read_as_rfc_7240_writes_them() {
        let cases: [(&[&str], Wait); 7] = [
            (&[], Wait::UpTo(DEFAULT_WAIT)),
            (&["respond-async"], Wait::Async),
            (&["wait=3"], Wait::UpTo(Duration::from_secs(3))),
            (&["Wait = \"4\"; foo=bar"], Wait::UpTo(Duration::from_secs(4))),
            (&["return=minimal", "wait=5, respond-async"], Wait::Async),
            (&["wait=soon"], Wait::UpTo(DEFAULT_WAIT)),
            (&["wait=99999999"], Wait::UpTo(LONGEST_WAIT)),
        ];
        for (values, expected) in cases {
            let mut headers = HeaderMap::new();
            for value in values {
                headers.append("prefer", value.parse().unwrap());
            }
            assert_eq!(wait(&headers), expected, "{values:?}");
        }
    }
}
