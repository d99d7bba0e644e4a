//! The life of keys and certificates.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::Key;

/// Where a key is in its life, in the states of NIST SP 800-57 part 1 revision 5, section 7.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct KeyLife {
    /// `pre-active`, `active` (a certificate of its is valid), `suspended` (it gave a wrong signature),
    /// `deactivated` (retired, or no certificate of its is valid any more), `compromised` or `destroyed`.
    #[schema(example = "active")]
    pub state: String,
    /// When it came to each state that it went through, RFC 3339.
    #[schema(example = json!({"pre-active": "2026-11-21T09:30:00.123Z", "active": "2026-11-22T00:00:00.000Z"}))]
    pub since: BTreeMap<String, String>,
    /// When it was retired, RFC 3339.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retired_at: Option<String>,
    /// When it is destroyed by itself, at the earliest, RFC 3339; absent: never by itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub destroy_after: Option<String>,
    /// Why it is said to be compromised.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub compromise: Option<String>,
}

/// Body of `POST /keys/{handle}/compromise`.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct CompromiseKey {
    /// What happened, for the audit and for whoever meets the key later; 1 to 500 characters.
    #[schema(example = "the backup of its token was stolen")]
    pub reason: String,
}

/// Answer of `POST /keys/{handle}/compromise`.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct CompromisedKey {
    /// The key; it signs nothing more.
    pub key: Key,
    /// Every signing request that uses it: their certificates are to be revoked at their CAs.
    pub csrs: Vec<UseOfKey>,
}

/// A signing request that uses a key.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct UseOfKey {
    /// The signing request's handle.
    pub handle: String,
    /// Its status.
    pub status: String,
}

/// Query of `GET /certificates`.
#[derive(Clone, Debug, Default, Serialize, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct ListCertificates {
    /// Only those that end before this: RFC 3339, or from now such as `+30d`, `12h` or `-1d`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires_before: Option<String>,
    /// Only those that end at this or later, in the same form: `+0d` leaves out what has expired.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires_after: Option<String>,
    /// Only of requests with a CN or SAN value that starts so; case does not matter.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// Only of requests with this status: `issued` or `retired`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status: Option<String>,
    /// From a previous page's `next_cursor`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cursor: Option<String>,
    /// Items on a page, 1 to 200; 50 when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limit: Option<usize>,
}

/// A page of certificates.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct CertificatePage {
    /// Those that end first come first. The PEM is at `GET /csrs/{handle}/certificate`.
    pub items: Vec<CertificateSummary>,
    /// Give it as `cursor` for the next page; absent on the last one.
    pub next_cursor: Option<String>,
}

/// A certificate in a list.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct CertificateSummary {
    /// The signing request's handle.
    pub handle: String,
    /// Its status: `issued` or `retired`.
    pub status: String,
    /// The subject that was asked for, as RFC 4514 text.
    pub subject: String,
    /// The subject alternative names that were asked for.
    pub sans: Vec<String>,
    /// SHA-256 of the certificate's DER in hexadecimal.
    pub sha256: String,
    /// Start of its validity, RFC 3339.
    pub not_before: String,
    /// End of its validity, RFC 3339.
    pub not_after: String,
    /// Handle of the key.
    pub key: Option<String>,
    /// Configured name of the token.
    pub token: String,
}
