//! A certificate that an authority of ours issues: intended, signed, perhaps revoked.

use super::super::clock::Timestamp;
use super::super::crl::Reason;
use super::super::id::Handle;
use super::super::named::named;
use super::{Period, Serial};

/// A certificate of one of our authorities. It is recorded before the token signs it.
#[derive(Clone, Debug, PartialEq)]
pub struct Issued {
    /// Public id.
    pub handle: Handle,
    /// Who issues it.
    pub authority: Handle,
    /// Its serial number; unique in the authority.
    pub serial: Serial,
    /// Where it is in its life.
    pub state: IssuedState,
    /// Whose it is.
    pub purpose: IssuedPurpose,
    /// Its subject, printed as RFC 4514.
    pub subject: String,
    /// SHA-256 of what is signed.
    pub tbs_sha256: [u8; 32],
    /// The signing request that it is married to.
    pub request: Option<Handle>,
    /// The issuing template that it was judged by.
    pub template: Option<String>,
    /// Who asked for it.
    pub principal: Handle,
    /// DER of the certificate, once it is signed.
    pub der: Option<Vec<u8>>,
    /// From when until when it is valid.
    pub period: Period,
    /// When it was recorded.
    pub created_at: Timestamp,
    /// Since when it is revoked, and why.
    pub revoked: Option<(Timestamp, Reason)>,
    /// Why it was abandoned.
    pub failure: Option<String>,
}

/// Where a certificate is in its life.
///
/// ```text
///   intent -> issued | abandoned
///   issued -> revoked
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum IssuedState {
    /// Recorded; the token may have signed it, and nobody has seen it.
    Intent,
    /// Signed, verified and recorded: it may be seen.
    Issued,
    /// Nobody has seen it, nobody will.
    Abandoned,
    /// On the revocation list.
    Revoked,
}

named!(IssuedState { Intent = "intent", Issued = "issued", Abandoned = "abandoned", Revoked = "revoked" });

/// Whose certificate it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum IssuedPurpose {
    /// Of an end entity.
    EndEntity,
    /// Of a CA below.
    Intermediate,
    /// The authority's own.
    SelfSigned,
}

named!(IssuedPurpose {
    EndEntity = "end-entity",
    Intermediate = "intermediate",
    SelfSigned = "self-signed",
});
