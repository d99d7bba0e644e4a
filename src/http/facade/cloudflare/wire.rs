//! Cloudflare's JSON, as its API reference and the models of its SDKs have it
//! (<https://developers.cloudflare.com/api/resources/custom_csrs/>).

use serde::{Deserialize, Deserializer, Serialize};
use utoipa::ToSchema;

/// The envelope of a result.
#[derive(Serialize, ToSchema)]
pub(super) struct Envelope<T> {
    /// Always true
    pub(super) success: bool,
    /// Always empty
    pub(super) errors: Vec<Problem>,
    /// Always empty
    pub(super) messages: Vec<Message>,
    pub(super) result: T,
}

/// The envelope of a page of results.
#[derive(Serialize, ToSchema)]
pub(super) struct PageEnvelope<T> {
    /// Always true
    pub(super) success: bool,
    /// Always empty
    pub(super) errors: Vec<Problem>,
    /// Always empty
    pub(super) messages: Vec<Message>,
    pub(super) result: Vec<T>,
    pub(super) result_info: ResultInfo,
}

/// The envelope of a refusal.
#[derive(Serialize, ToSchema)]
pub(super) struct Refusal {
    /// Always false
    pub(super) success: bool,
    /// What is wrong, each with the field where that can be told
    pub(super) errors: Vec<Problem>,
    /// Always empty
    pub(super) messages: Vec<Message>,
    /// Always null
    pub(super) result: Option<String>,
}

/// What is wrong.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub(super) struct Problem {
    /// The vendor's number for it
    #[schema(minimum = 1000)]
    pub(super) code: u16,
    /// For people
    pub(super) message: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub(super) source: Option<Source>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schema(required = false)]
    pub(super) error_chain: Vec<Cause>,
}

/// Where it is wrong.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub(super) struct Source {
    /// JSON pointer (RFC 6901) into the body; of a query parameter, `/` and its name
    pub(super) pointer: String,
}

/// A finer reason.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub(super) struct Cause {
    pub(super) code: u16,
    pub(super) message: String,
}

/// Advice; there is none.
#[derive(Serialize, ToSchema)]
pub(super) struct Message {
    code: u16,
    message: String,
}

/// Where a page is in its list.
#[derive(Serialize, ToSchema)]
pub(super) struct ResultInfo {
    /// Number of the page, from 1 on
    pub(super) page: u64,
    /// Most results on a page
    pub(super) per_page: u64,
    /// Results on this page
    pub(super) count: u64,
    /// Results on all pages
    pub(super) total_count: u64,
    /// How many pages there are
    pub(super) total_pages: u64,
}

/// A custom CSR.
#[derive(Serialize, ToSchema)]
pub(super) struct CustomCsr {
    /// Identifier
    #[schema(max_length = 36)]
    pub(super) id: String,
    #[schema(format = DateTime)]
    pub(super) created_at: String,
    pub(super) key_type: KeyType,
    /// The account, where the CSR is an account's
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub(super) account_tag: Option<String>,
    /// PEM
    pub(super) csr: String,
    #[serde(flatten)]
    pub(super) submitted: Submitted,
}

/// The fields that a client submits, to be shown as they came: declarative clients compare. `Some(None)` is null.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub(super) struct Submitted {
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub(super) common_name: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub(super) country: Option<String>,
    #[serde(default, deserialize_with = "present", skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    pub(super) description: Option<Option<String>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub(super) locality: Option<String>,
    #[serde(default, deserialize_with = "present", skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    pub(super) name: Option<Option<String>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub(super) organization: Option<String>,
    #[serde(default, deserialize_with = "present", skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    pub(super) organizational_unit: Option<Option<String>>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(super) sans: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub(super) state: Option<String>,
}

/// The body of a create, for the document: it is read leniently, and unknown fields are passed over.
#[derive(ToSchema)]
#[expect(dead_code, reason = "read by the derive macro")]
pub(super) struct CreateCustomCsr {
    #[schema(min_length = 1, max_length = 64)]
    common_name: String,
    /// ISO 3166-1 alpha-2
    #[schema(pattern = "^[A-Za-z]{2}$")]
    country: String,
    description: Option<String>,
    /// `rsa2048` when absent
    key_type: Option<KeyType>,
    #[schema(min_length = 1, max_length = 128)]
    locality: String,
    name: Option<String>,
    #[schema(min_length = 1, max_length = 64)]
    organization: String,
    #[schema(max_length = 64)]
    organizational_unit: Option<String>,
    /// Host names, the first label of which may be `*`
    #[schema(min_items = 1, max_items = 100)]
    sans: Vec<String>,
    #[schema(min_length = 1, max_length = 128)]
    state: String,
}

/// The kinds of keys that the vendor has.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub(super) enum KeyType {
    Rsa2048,
    P256v1,
}

/// What is left of a deleted thing.
#[derive(Serialize, ToSchema)]
pub(super) struct Deleted {
    pub(super) id: String,
}

/// The body of an upload, for the document: it is read leniently, and unknown fields are passed over.
#[derive(ToSchema)]
#[expect(dead_code, reason = "read by the derive macro")]
pub(super) struct CreateCustomCertificate {
    /// PEM: the certificate, and its chain in any order
    certificate: String,
    /// The custom CSR that it was made from
    custom_csr_id: String,
    /// Taken and passed over: the chain is kept as it came
    bundle_method: Option<String>,
    /// Taken and passed over
    r#type: Option<String>,
}

/// A certificate that came back for a custom CSR, under the same identifier.
#[derive(Serialize, ToSchema)]
pub(super) struct CustomCertificate {
    pub(super) id: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub(super) zone_id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub(super) account_id: Option<String>,
    /// Always `force`: the chain is checked and kept as it came
    pub(super) bundle_method: &'static str,
    pub(super) custom_csr_id: String,
    #[schema(format = DateTime)]
    pub(super) expires_on: String,
    pub(super) hosts: Vec<String>,
    pub(super) issuer: String,
    #[schema(format = DateTime)]
    pub(super) modified_on: String,
    pub(super) priority: u8,
    /// Such as `SHA256WithRSA`
    pub(super) signature: String,
    /// `active` or `expired`
    pub(super) status: &'static str,
    #[schema(format = DateTime)]
    pub(super) uploaded_on: String,
}

impl<T> Envelope<T> {
    pub(super) fn of(result: T) -> Self {
        Self { success: true, errors: Vec::new(), messages: Vec::new(), result }
    }
}

impl<T> PageEnvelope<T> {
    /// A page of so many, of a list of so many.
    pub(super) fn of(result: Vec<T>, page: u64, per_page: u64, total_count: u64) -> Self {
        let count = u64::try_from(result.len()).unwrap_or(u64::MAX);
        let total_pages = total_count.div_ceil(per_page.max(1));
        let result_info = ResultInfo { page, per_page, count, total_count, total_pages };
        Self { success: true, errors: Vec::new(), messages: Vec::new(), result, result_info }
    }
}

impl Refusal {
    pub(super) fn of(errors: Vec<Problem>) -> Self {
        Self { success: false, errors, messages: Vec::new(), result: None }
    }
}

impl Problem {
    pub(super) fn new(code: u16, message: impl Into<String>) -> Self {
        Self { code, message: message.into(), source: None, error_chain: Vec::new() }
    }

    pub(super) fn at(code: u16, pointer: impl Into<String>, message: impl Into<String>) -> Self {
        let source = Some(Source { pointer: pointer.into() });
        Self { source, ..Self::new(code, message) }
    }
}

fn present<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Option<String>>, D::Error> {
    Option::deserialize(deserializer).map(Some)
}
