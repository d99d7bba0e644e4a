//! Issuing templates, and what waits for another pair of eyes.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// The issuing template that a signing request was judged by.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct TemplateUse {
    /// Its name.
    pub name: String,
    /// SHA-256 of its file then, in hexadecimal.
    pub sha256: String,
}

/// That a signing request has, or had, to be approved.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct Approval {
    /// SHA-256 of what was asked for, in hexadecimal: what an approval is bound to.
    pub hash: String,
    /// When it is rejected if nobody has approved it, RFC 3339.
    pub expires_at: String,
    /// Handle of who approved or rejected it.
    pub decided_by: Option<String>,
    /// When that was, or when it was too late, RFC 3339.
    pub decided_at: Option<String>,
}

/// Body of an approval; may be absent.
#[derive(Clone, Debug, Default, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Approve {
    /// The hash of what was looked at: another one is answered 409.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hash: Option<String>,
}

/// Body of a rejection.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Reject {
    /// Why, for whoever asked.
    pub reason: String,
}

/// The issuing templates that the tenant may use.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct Templates {
    /// By name.
    pub items: Vec<TemplateSummary>,
}

/// An issuing template in a list.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct TemplateSummary {
    /// Its name.
    #[schema(example = "tls-server")]
    pub name: String,
    /// What it is for.
    pub description: String,
    /// SHA-256 of its file, in hexadecimal.
    pub sha256: String,
    /// Key kinds that it allows, the default one first.
    pub kinds: Vec<String>,
    /// Whether somebody else has to approve a request before a key is made.
    pub needs_approval: bool,
}

/// An issuing template.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct Template {
    /// SHA-256 of its file, in hexadecimal.
    pub sha256: String,
    /// Its rules with every default filled in, by the names of its file.
    #[schema(value_type = Object)]
    pub rules: serde_json::Value,
}

/// Operations under four eyes.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct Proposals {
    /// Newest first.
    pub items: Vec<Proposal>,
}

/// An operation that one principal proposed and another one has to approve.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct Proposal {
    /// The proposal's handle.
    pub handle: String,
    /// `proposed`, `approved`, `executed`, `failed` or `rejected`.
    pub status: String,
    /// What exactly: `operation` is `destroy_key`, `wipe_slot`, `reset_pin_breaker` or `override_probe`,
    /// beside what it concerns.
    #[schema(value_type = Object)]
    pub operation: serde_json::Value,
    /// SHA-256 of exactly that, in hexadecimal: what an approval is bound to.
    pub hash: String,
    /// Handle of who proposed it.
    pub proposed_by: String,
    /// When, RFC 3339.
    pub created_at: String,
    /// When it is rejected if nobody has approved it, RFC 3339.
    pub expires_at: String,
    /// Handle of who approved or rejected it.
    pub decided_by: Option<String>,
    /// When that was, or when it was too late, RFC 3339.
    pub decided_at: Option<String>,
    /// Why it was rejected, or failed.
    pub outcome: Option<String>,
}

/// Body of a wipe; may be absent.
#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Wipe {
    /// Destroy also keys that live signing requests use.
    #[serde(default)]
    pub force: bool,
}

/// What a wipe did.
#[derive(Clone, Copy, Debug, Serialize, Deserialize, ToSchema)]
pub struct Wiped {
    /// Keys that are destroyed.
    pub keys: usize,
}
