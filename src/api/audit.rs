//! The audit log.

use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

/// A record, whole: what its hash covers and the hash. A text that does not apply is empty.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct AuditRecord {
    /// Place in the chain: 1, 2, 3 ... without a gap.
    pub seq: u64,
    /// When, in UTC with milliseconds.
    #[schema(example = "2026-11-22T09:30:00.123Z")]
    pub at: String,
    /// Which fields there are and how they are hashed: 1 or 2.
    pub version: i64,
    /// `principal:<handle>`, `uid:<number>` (the first admin is made), `unknown` or `system`.
    pub actor: String,
    /// The principal's name at that time.
    pub name: String,
    /// From where: `tcp 192.0.2.1:5000`, `tls ...` or `unix uid 1000`.
    pub origin: String,
    /// The tenant for which it was done.
    pub tenant: String,
    /// What; of a refusal, method and route.
    #[schema(example = "key.destroyed")]
    pub action: String,
    /// `done` or `refused`.
    pub outcome: String,
    /// The handle or name of what it was done to.
    pub subject: String,
    /// Why: code and message of a refusal, the comment of a person, the cause of a failure.
    pub reason: String,
    /// Id of the HTTP request.
    pub request_id: String,
    /// More, as the text of a JSON object.
    pub detail: String,
    /// Hash of the record before it, in hexadecimal.
    pub previous: String,
    /// Hash of this record, in hexadecimal.
    pub hash: String,
}

/// A page of records.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct AuditPage {
    /// In the order asked for.
    pub items: Vec<AuditRecord>,
    /// Give it as `cursor` for the next page; absent on the last one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next_cursor: Option<u64>,
}

/// Query of `GET /audit`. All that is given has to hold.
#[derive(Clone, Debug, Default, Serialize, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct ListAudit {
    /// Not before this time.
    pub since: Option<String>,
    /// Not after this time.
    pub until: Option<String>,
    /// The actor as recorded, or a principal's name at that time.
    pub actor: Option<String>,
    /// The beginning of the action: `key.`, `DELETE `.
    pub action: Option<String>,
    /// To what it was done.
    pub subject: Option<String>,
    /// The tenant.
    pub tenant: Option<String>,
    /// `done` or `refused`.
    pub outcome: Option<String>,
    /// A common name or SAN value: only signing requests with it, while the key of its pseudonym lives.
    #[serde(rename = "match")]
    pub value: Option<String>,
    /// `newest` first (the default) or `oldest` first.
    pub order: Option<String>,
    /// From a previous page's `next_cursor`.
    pub cursor: Option<u64>,
    /// Records on a page, 1 to 200; 50 when absent.
    pub limit: Option<usize>,
}

/// Query of `GET /audit/verify`: a record that was kept elsewhere; both or neither.
#[derive(Clone, Debug, Default, Serialize, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct VerifyAudit {
    /// Its number.
    pub seq: Option<u64>,
    /// Its hash, in hexadecimal.
    pub hash: Option<String>,
}

/// What a whole log turned out to be.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct AuditVerdict {
    /// Whether nothing is wrong that was not acknowledged by a new start of the chain.
    pub sound: bool,
    /// How many records there are.
    pub records: u64,
    /// The newest record as text to keep elsewhere (as C2SP tlog-checkpoint); absent of a damaged log.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub checkpoint: Option<String>,
    /// Everything wrong, oldest first.
    pub damage: Vec<AuditDamage>,
}

/// The first thing wrong in one run of the chain.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct AuditDamage {
    /// Where the record stands, or should stand.
    pub seq: u64,
    /// What is wrong with it.
    pub what: String,
    /// The record with which somebody started the chain anew behind it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub acknowledged_by: Option<u64>,
}

/// Body of `POST /audit/restart-chain`.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct RestartAuditChain {
    /// What was found out about the damage; goes on record.
    #[schema(example = "disk repaired on 2026-11-22, see ticket 17")]
    pub reason: String,
}

/// Body of `POST /audit/forget-key`.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ForgetAuditKey {
    /// `true`: it cannot be taken back.
    pub yes: bool,
}
