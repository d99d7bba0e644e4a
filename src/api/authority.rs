//! Certification authorities, and what they issue.

use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::{NameConstraints, Subject};

/// Body of `POST /authorities`.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct CreateAuthority {
    /// Unique in the tenant: 1 to 64 letters, digits, `-`, `_` and `.`. Issuing templates name it.
    #[schema(example = "issuing-1")]
    pub name: String,
    /// `root`: it certifies itself; `intermediate`: it has a CSR, and waits for its certificate.
    #[schema(example = "root")]
    pub kind: String,
    /// Its distinguished name; not empty.
    pub subject: Subject,
    /// How many CAs may stand below it; any number when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub path_length: Option<u8>,
    /// The names that it may certify.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name_constraints: Option<NameConstraints>,
    /// Kind of its key; `ec-p256` when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(example = "ec-p384")]
    pub key_kind: Option<String>,
    /// Configured name of the token for its key.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub token: Option<String>,
    /// `sha256`, `sha384` or `sha512` under its signatures; as the key kind says when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub digest: Option<String>,
    /// `pkcs1` or `pss` under signatures of an RSA key.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub padding: Option<String>,
    /// How many days the certificate of a root is valid; ten years when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(example = 90)]
    pub validity_days: Option<u32>,
    /// From when it is valid, RFC 3339; now when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub not_before: Option<String>,
    /// Until when it is valid, RFC 3339; not with `validity_days`. It is cut off at its issuer's end.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub not_after: Option<String>,
}

/// The authorities of the tenant.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct Authorities {
    /// Oldest first.
    pub items: Vec<Authority>,
}

/// An authority.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct Authority {
    /// The authority's handle.
    pub handle: String,
    /// Its name.
    pub name: String,
    /// `root` or `intermediate`.
    pub kind: String,
    /// `making`, `pending-certificate`, `active`, `disabled`, `failed` or `deleted`.
    #[schema(example = "active")]
    pub status: String,
    /// When it was asked for, RFC 3339.
    pub created_at: String,
    /// When it changed last, RFC 3339.
    pub updated_at: String,
    /// Its subject as RFC 4514 text.
    pub subject: String,
    /// The path length that was asked for.
    pub path_length: Option<u8>,
    /// Kind of its key.
    pub key_kind: String,
    /// How it signs.
    pub signature: String,
    /// Configured name of the token with its key.
    pub token: String,
    /// Handle of its key, once it is made.
    pub key: Option<String>,
    /// Handle of the authority of ours that issued its certificate, if one did.
    pub parent: Option<String>,
    /// Its certificates, oldest first; it issues with the last one.
    pub certificates: Vec<AuthorityCertificate>,
    /// Its newest revocation list.
    pub crl: Option<CrlFacts>,
    /// Where everybody fetches its revocation list, if the configuration says.
    pub crl_url: Option<String>,
    /// Why it failed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failure: Option<String>,
}

/// A certificate of an authority's own.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct AuthorityCertificate {
    /// Its number, from 1.
    pub version: u32,
    /// PEM.
    pub certificate: String,
    /// The certificates above it as PEM, the issuer's first.
    pub chain: Vec<String>,
    /// SHA-256 of the DER, in hexadecimal.
    pub sha256: String,
    /// RFC 3339.
    pub not_before: String,
    /// RFC 3339.
    pub not_after: String,
}

/// What is known of a revocation list.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct CrlFacts {
    /// CRLNumber
    pub number: u64,
    /// thisUpdate, RFC 3339.
    pub this_update: String,
    /// nextUpdate, RFC 3339.
    pub next_update: String,
    /// How many certificates are on it.
    pub entries: usize,
}

/// Body of `POST /authorities/{handle}/issue`: one of `csr` and `request`.
#[derive(Clone, Debug, Default, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct IssueCertificate {
    /// A client's CSR, as PEM.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub csr: Option<String>,
    /// Handle of a pending signing request; the certificate is married to it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub request: Option<String>,
    /// The issuing template; with `csr` only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub template: Option<String>,
    /// How many days it is valid; as the template says, or 90, when absent; with `csr` only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(example = 90)]
    pub validity_days: Option<u32>,
    /// From when it is valid, RFC 3339; now when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub not_before: Option<String>,
    /// Until when it is valid, RFC 3339; not with `validity_days`. It is cut off at its issuer's end.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub not_after: Option<String>,
}

/// Body of `POST /authorities/{handle}/intermediates`.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct SignIntermediate {
    /// The CSR of the CA below, as PEM.
    pub csr: String,
    /// How many CAs may stand below it; that of the CSR when absent, at most one less than this authority's own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub path_length: Option<u8>,
    /// The names that it may certify; those of the CSR when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name_constraints: Option<NameConstraints>,
    /// How many days it is valid; five years when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(example = 90)]
    pub validity_days: Option<u32>,
    /// From when it is valid, RFC 3339; now when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub not_before: Option<String>,
    /// Until when it is valid, RFC 3339; not with `validity_days`. It is cut off at its issuer's end.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub not_after: Option<String>,
}

/// Body of `POST /authorities/{handle}/renew`; may be absent.
#[derive(Clone, Debug, Default, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct RenewAuthority {
    /// How many days it is valid; as for a new authority of its kind when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(example = 90)]
    pub validity_days: Option<u32>,
    /// From when it is valid, RFC 3339; now when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub not_before: Option<String>,
    /// Until when it is valid, RFC 3339; not with `validity_days`. It is cut off at its issuer's end.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub not_after: Option<String>,
}

/// A page of certificates.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct IssuedPage {
    /// Newest first.
    pub items: Vec<IssuedCertificate>,
    /// Give it as `cursor` for the next page; absent on the last one.
    pub next_cursor: Option<String>,
}

/// Query of `GET /authorities/{handle}/certificates`.
#[derive(Clone, Debug, Default, Serialize, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct ListIssued {
    /// Items on a page: 1 to 200, 50 when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limit: Option<usize>,
    /// `next_cursor` of the page before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cursor: Option<String>,
}

/// A certificate that an authority issued.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct IssuedCertificate {
    /// The certificate's handle.
    pub handle: String,
    /// Handle of the authority.
    pub authority: String,
    /// Its serial number: 40 hexadecimal digits.
    pub serial: String,
    /// `intent`: about to be signed; `issued`; `abandoned`: never signed, or never seen; `revoked`.
    pub status: String,
    /// `end-entity`, `intermediate` or `self-signed`.
    pub purpose: String,
    /// Its subject as RFC 4514 text.
    pub subject: String,
    /// RFC 3339.
    pub not_before: String,
    /// RFC 3339.
    pub not_after: String,
    /// Handle of the signing request that it is married to.
    pub request: Option<String>,
    /// The issuing template that it was judged by.
    pub template: Option<String>,
    /// PEM, once it is issued.
    pub certificate: Option<String>,
    /// The certificates above it as PEM, its issuer's first; only when it is issued and in a single answer.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub chain: Vec<String>,
    /// SHA-256 of the DER, in hexadecimal, once it is issued.
    pub sha256: Option<String>,
    /// Since when it is revoked, RFC 3339.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub revoked_at: Option<String>,
    /// Why it is revoked, by the name in RFC 5280 section 5.3.1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// Why it was abandoned.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failure: Option<String>,
}

/// Body of a revocation; may be absent.
#[derive(Clone, Debug, Default, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct RevokeCertificate {
    /// Why: `keyCompromise`, `cACompromise`, `affiliationChanged`, `superseded`, `cessationOfOperation`,
    /// `privilegeWithdrawn`, `aACompromise`, or `unspecified`, which is meant when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

/// Body of `POST /csrs/submit`.
#[derive(Clone, Debug, Default, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct SubmitCsr {
    /// A client's CSR, as PEM. Its key stays with the client.
    pub csr: String,
    /// The issuing template; the tenant's default when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub template: Option<String>,
    /// How many days the certificate shall be valid.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub validity_days: Option<u32>,
    /// Handle of the signing request that it renews.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub renews: Option<String>,
}
