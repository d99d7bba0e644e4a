//! What others are told of by webhook, and where a webhook may lead.

pub mod network;

use super::access::TenantId;
use super::clock::Timestamp;
use super::id::Handle;
use super::named::named;

/// What a webhook can be told of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Topic {
    /// A certificate ends soon.
    CertificateExpiring,
    /// A CSR was made.
    SigningRequestPending,
    /// A certificate was married to its request.
    SigningRequestIssued,
    /// A request could not be fulfilled.
    SigningRequestFailed,
    /// A request waits for somebody's approval.
    ApprovalWaiting,
    /// A token ceased to work.
    TokenDown,
    /// A token works: at the start of the service, and after an outage.
    TokenUp,
}

named!(Topic {
    CertificateExpiring = "certificate.expiring",
    SigningRequestPending = "signing-request.pending",
    SigningRequestIssued = "signing-request.issued",
    SigningRequestFailed = "signing-request.failed",
    ApprovalWaiting = "approval.waiting",
    TokenDown = "token.down",
    TokenUp = "token.up",
});

/// One thing to be told. Thin on purpose: who may know more asks the API for the subject.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Notice {
    /// Public id: the same in every attempt to deliver it.
    pub id: Handle,
    /// What it is about.
    pub topic: Topic,
    /// The handle or name of what it happened to.
    pub subject: String,
    /// Whose it is; `None`: of the appliance.
    pub tenant: Option<TenantId>,
    /// When it happened.
    pub at: Timestamp,
    /// More about it, as a JSON object; never a secret, no personal values.
    pub data: serde_json::Value,
}

impl Notice {
    /// The body of the HTTP request, as JSON. `tenant` is the name of the notice's tenant.
    pub fn body(&self, tenant: Option<&str>) -> String {
        serde_json::json!({
            "id": self.id, "event": self.topic.as_str(), "at": self.at, "subject": self.subject,
            "tenant": tenant, "data": self.data,
        })
        .to_string()
    }
}

/// Where a webhook leads: always https.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Target {
    /// A DNS name, or an address without brackets.
    pub host: String,
    /// 443 where the URL says none.
    pub port: u16,
    /// Path and query, beginning with `/`.
    pub path: String,
}

impl Target {
    /// `Host` of the HTTP request (RFC 9110 section 7.2).
    pub fn authority(&self) -> String {
        let host = if self.host.contains(':') { format!("[{}]", self.host) } else { self.host.clone() };
        if self.port == 443 { host } else { format!("{host}:{}", self.port) }
    }
}

impl std::str::FromStr for Target {
    type Err = String;

    fn from_str(url: &str) -> Result<Self, String> {
        let rest = url.strip_prefix("https://").ok_or("must begin with https://")?;
        if let Some(odd) = rest.chars().find(|char| !char.is_ascii_graphic()) {
            return Err(format!(
                "{odd:?} must be percent-encoded; a domain in another script, in its xn-- form"
            ));
        }
        if rest.contains('#') {
            return Err("a fragment is never sent; leave it out".to_owned());
        }
        let (authority, path) = rest.split_at(rest.find(['/', '?']).unwrap_or(rest.len()));
        if authority.contains('@') {
            return Err(
                "a user name or password in the URL ends in logs; the signature proves who sends".to_owned()
            );
        }
        let (host, port) = match authority.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
            Some((host, after)) => {
                host.parse::<std::net::Ipv6Addr>().map_err(|_| format!("[{host}] is no IPv6 address"))?;
                (host, after.strip_prefix(':'))
            }
            None => match authority.split_once(':') {
                Some((host, port)) => (host, Some(port)),
                None => (authority, None),
            },
        };
        if host.is_empty() {
            return Err("the host is missing".to_owned());
        }
        let port = match port {
            None => 443,
            Some(port) => match port.parse() {
                Ok(port) if port != 0 => port,
                _ => return Err(format!("`{port}` is no port")),
            },
        };
        let path = if path.starts_with('/') { path.to_owned() } else { format!("/{path}") };
        Ok(Self { host: host.to_owned(), port, path })
    }
}

/// Milliseconds from the `attempts`-th failure to the next attempt: 1 s, doubling, an hour at most.
pub fn pause_after(attempts: u32) -> i64 {
    // Twelve doublings are more than an hour.
    (1_000_i64 << attempts.saturating_sub(1).min(12)).min(LONGEST_PAUSE)
}

/// Milliseconds; see [`pause_after`].
pub const LONGEST_PAUSE: i64 = 3_600_000;
/// A notice is given up after a day, in milliseconds.
const PATIENCE: i64 = 24 * 3_600_000;
/// And not before so many attempts, which take over an hour: a clock that jumps a day ahead drops nothing.
const FEWEST_ATTEMPTS: u32 = 13;

/// Whether a notice that could not be delivered in so many attempts is given up.
pub fn is_given_up(since: Timestamp, now: Timestamp, attempts: u32) -> bool {
    attempts >= FEWEST_ATTEMPTS && now >= since.plus_millis(PATIENCE)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_is_taken_apart() {
        for (url, host, port, path, authority) in [
            ("https://hooks.example.com", "hooks.example.com", 443, "/", "hooks.example.com"),
            ("https://h:8443/a/b?c=d", "h", 8443, "/a/b?c=d", "h:8443"),
            ("https://h?c=d", "h", 443, "/?c=d", "h"),
            ("https://[::1]:8443/x", "::1", 8443, "/x", "[::1]:8443"),
        ] {
            let target: Target = url.parse().unwrap();
            assert_eq!((target.host.as_str(), target.port, target.path.as_str()), (host, port, path));
            assert_eq!(target.authority(), authority);
        }
    }

    #[test]
    fn a_url_that_leads_astray_is_refused() {
        for url in [
            "http://h/",
            "ftp://h/",
            "h/",
            "https://",
            "https:///x",
            "https://u:p@h/",
            "https://h:0/",
            "https://h:70000/",
            "https://h/ x",
            "https://h/#f",
            "https://[::g]/",
            "https://bücher.example/",
            "https://h/\r\nX: y",
        ] {
            assert!(url.parse::<Target>().is_err(), "{url}");
        }
    }

    #[test]
    fn pauses_double_up_to_an_hour_and_end_after_a_day() {
        let pauses: Vec<_> = (1..=5).map(pause_after).collect();
        assert_eq!(pauses, [1_000, 2_000, 4_000, 8_000, 16_000]);
        assert_eq!([pause_after(13), pause_after(64), pause_after(u32::MAX)], [LONGEST_PAUSE; 3]);
        let at = Timestamp::from_millis;
        let waited: i64 = (1..FEWEST_ATTEMPTS).map(pause_after).sum();
        assert!(waited >= LONGEST_PAUSE, "{waited}");
        assert!(!is_given_up(at(0), at(PATIENCE - 1), 1_000));
        assert!(!is_given_up(at(0), at(100 * PATIENCE), FEWEST_ATTEMPTS - 1), "the clock jumped");
        assert!(is_given_up(at(0), at(PATIENCE), FEWEST_ATTEMPTS));
    }
}
