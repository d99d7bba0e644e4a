//! The Prefer header (RFC 7240): `respond-async` and `wait`.

use std::time::Duration;

use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode};

use crate::app::produce::Wait;

/// Says which preferences were honoured (RFC 7240 section 3).
pub(super) const PREFERENCE_APPLIED: HeaderName = HeaderName::from_static("preference-applied");

/// What a client waits for when it does not say.
const DEFAULT_WAIT: Duration = Duration::from_secs(10);
/// No client holds a connection longer than this.
const LONGEST_WAIT: Duration = Duration::from_secs(120);

/// What a client prefers when a CSR is slow.
#[derive(Clone, Copy, Debug)]
pub(super) struct Preferences {
    respond_async: bool,
    wait: Option<Duration>,
}

impl Preferences {
    /// Only the first of a name counts; what is malformed or unknown is ignored, as section 2 asks.
    pub(super) fn of(headers: &HeaderMap) -> Self {
        let preferences: Vec<(String, &str)> = headers
            .get_all("prefer")
            .iter()
            .filter_map(|value| value.to_str().ok())
            .flat_map(|value| value.split(','))
            .map(preference)
            .collect();
        let first =
            |wanted: &str| preferences.iter().find(|(name, _)| name == wanted).map(|(_, value)| *value);
        let seconds = first("wait").and_then(|value| value.parse().ok());
        Self {
            respond_async: first("respond-async").is_some_and(str::is_empty),
            wait: seconds.map(|seconds| Duration::from_secs(seconds).min(LONGEST_WAIT)),
        }
    }

    /// How long the client wants to wait: with both preferences, asynchronously after that time
    /// (section 4.3).
    pub(super) fn wait(self) -> Wait {
        if self.respond_async && self.wait.is_none() {
            return Wait::Async;
        }
        Wait::UpTo(self.wait.unwrap_or(DEFAULT_WAIT))
    }

    /// What an answer of that status has honoured, if anything.
    pub(super) fn applied(self, status: StatusCode) -> Option<HeaderValue> {
        let respond_async = self.respond_async && status == StatusCode::ACCEPTED;
        let applied = [
            respond_async.then(|| "respond-async".to_owned()),
            self.wait.map(|wait| format!("wait={}", wait.as_secs())),
        ];
        let applied = applied.into_iter().flatten().collect::<Vec<_>>().join(", ");
        HeaderValue::try_from(applied).ok().filter(|value| !value.is_empty())
    }
}

/// Name, in lower case, and value of a preference; its parameters mean nothing here.
fn preference(text: &str) -> (String, &str) {
    let text = text.split(';').next().unwrap_or_default();
    let (name, value) = text.split_once('=').unwrap_or((text, ""));
    (name.trim().to_ascii_lowercase(), value.trim().trim_matches('"'))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn preferences(values: &[&str]) -> Preferences {
        let mut headers = HeaderMap::new();
        for value in values {
            headers.append("prefer", value.parse().unwrap());
        }
        Preferences::of(&headers)
    }

    #[test]
    fn preferences_are_read_as_rfc_7240_writes_them() {
        let up_to = |seconds| Wait::UpTo(Duration::from_secs(seconds));
        let cases: [(&[&str], Wait); 10] = [
            (&[], Wait::UpTo(DEFAULT_WAIT)),
            (&["Respond-Async"], Wait::Async),
            (&["wait=3"], up_to(3)),
            (&["Wait = \"4\"; foo=bar"], up_to(4)),
            (&["return=minimal", "wait=5, respond-async"], up_to(5)),
            (&["respond-async, wait=soon"], Wait::Async),
            (&["wait=soon"], Wait::UpTo(DEFAULT_WAIT)),
            (&["wait=1, wait=2", "wait=3"], up_to(1)),
            (&["wait=soon, wait=2"], Wait::UpTo(DEFAULT_WAIT)),
            (&["wait=99999999"], Wait::UpTo(LONGEST_WAIT)),
        ];
        for (values, expected) in cases {
            assert_eq!(preferences(values).wait(), expected, "{values:?}");
        }
    }

    #[test]
    fn what_was_honoured_is_told() {
        let cases: [(&[&str], StatusCode, Option<&str>); 7] = [
            (&[], StatusCode::ACCEPTED, None),
            (&["return=minimal"], StatusCode::CREATED, None),
            (&["respond-async"], StatusCode::ACCEPTED, Some("respond-async")),
            (&["respond-async"], StatusCode::CREATED, None),
            (&["wait=7, respond-async"], StatusCode::ACCEPTED, Some("respond-async, wait=7")),
            (&["wait=7, respond-async"], StatusCode::CREATED, Some("wait=7")),
            (&["wait=600"], StatusCode::CREATED, Some("wait=120")),
        ];
        for (values, status, expected) in cases {
            let applied = preferences(values).applied(status);
            assert_eq!(
                applied.as_ref().map(|value| value.to_str().unwrap()),
                expected,
                "{values:?} {status}"
            );
        }
    }
}
