//! The native wire types: JSON bodies of `/strongroom/v1`, shared by the server and the CLI.
//!
//! Data only, no logic: what a client may send and gets back. Names, times and handles are texts
//! here; the server turns them into domain types and tells which field is wrong.

mod access;
mod approval;
mod audit;
mod authority;
mod extensions;
mod life;
mod probe;
mod secret;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

pub use access::*;
pub use approval::*;
pub use audit::*;
pub use authority::*;
pub use extensions::{
    BasicConstraints, CertificatePolicy, Extensions, MicrosoftTemplate, NameConstraints, OtherExtension,
    SubjectKeyIdentifier,
};
pub use life::*;
pub use probe::{
    AcceptLeaks, Acceptance, Leak, NegativeProbe, Probe, ProbeKinds, ProbedKind, ProbedSignature, Standing,
};
pub use secret::Secret;

/// Path prefix of the native API.
pub const PREFIX: &str = "/strongroom/v1";

/// Body of `POST /csrs`.
#[derive(Clone, Debug, Default, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct CreateCsr {
    /// The subject's distinguished name. May be empty when there are SANs.
    #[serde(default)]
    pub subject: Subject,
    /// Subject alternative names with their kind: `DNS:www.example.com`, `IP:192.0.2.1`,
    /// `email:ops@example.com`, `URI:https://example.com/`, `UPN:ops@example.com`, `RID:1.2.3.4`,
    /// `dirName:CN=Ops,O=Example`, `otherName:1.2.3.4;UTF8:text`, `otherName:1.2.3.4;DER:0c0161`. A
    /// domain may be in any script; the certificate gets its ASCII form (IDNA 2008, UTS 46).
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schema(example = json!(["DNS:www.example.com"]))]
    pub sans: Vec<String>,
    /// The issuing template to be judged by; the tenant's default, where there is one, when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(example = "tls-server")]
    pub template: Option<String>,
    /// How many days the certificate shall be valid. A CSR cannot say it; templates have rules for it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub validity_days: Option<u32>,
    /// Whose key: a new one (the default), or one that is there (a renewal).
    #[serde(default)]
    pub key: KeyChoice,
    /// Digest under the signature, `sha256`, `sha384` or `sha512`; the key kind's own when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub digest: Option<String>,
    /// Padding under an RSA signature, `pkcs1` (the default) or `pss`; not for other keys.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub padding: Option<String>,
    /// Extensions to ask the CA for.
    #[serde(default)]
    pub extensions: Extensions,
    /// The attribute challengePassword (RFC 2985 section 5.4.1), a secret between subject and CA. No
    /// answer shows it, but the CSR has it in clear.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, format = Password, write_only)]
    pub challenge_password: Option<Secret>,
    /// The attribute unstructuredName (RFC 2985 section 5.4.3).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unstructured_name: Option<String>,
}

/// Body of `POST /csrs/{handle}/renew`.
#[derive(Clone, Debug, Default, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct RenewCsr {
    /// Whose key: `same` (the default) or `new`.
    #[serde(default)]
    pub key: RenewalKey,
    /// The issuing template to be judged by; that of the earlier signing request when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub template: Option<String>,
    /// A challengePassword for the new CSR. That of the earlier one is not repeated.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, format = Password, write_only)]
    pub challenge_password: Option<Secret>,
}

/// Whose key a renewal is for.
#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum RenewalKey {
    /// That of the earlier signing request.
    #[default]
    Same,
    /// A new one of the same kind, on the same token.
    New,
}

/// A distinguished name.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(
    untagged,
    expecting = "a subject is a text such as CN=www.example.com, or a list of RDNs, each a list of \
                 {\"type\": \"CN\", \"value\": \"www.example.com\"}"
)]
pub enum Subject {
    /// As text: RFC 4514 (`CN=www.example.com,O=Example,C=NL`: the last one comes first in the
    /// certificate), or slash style in the order of the certificate (`/C=NL/O=Example/CN=...`).
    #[schema(example = "CN=www.example.com,O=Example,C=NL")]
    Text(String),
    /// As a list of RDNs in the order of the certificate, each a list of attributes.
    Rdns(Vec<Vec<NameAttribute>>),
}

impl Default for Subject {
    fn default() -> Self {
        Self::Text(String::new())
    }
}

/// One attribute of a distinguished name.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NameAttribute {
    /// Short name or dotted OID: `CN`, `2.5.4.10`.
    #[serde(rename = "type")]
    #[schema(example = "CN")]
    pub kind: String,
    /// The value, as plain text.
    pub value: String,
}

/// Whose key a CSR is for.
#[derive(Clone, Debug, Default, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct KeyChoice {
    /// Kind of a new key, such as `ec-p256` (the default, unless a template has another) or `rsa-3072`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(example = "ec-p256")]
    pub kind: Option<String>,
    /// Token for a new key, by its configured name; the default token when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub token: Option<String>,
    /// Handle of a key that is there; excludes the other two.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub handle: Option<String>,
}

/// A signing request.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct Csr {
    /// The signing request's handle.
    #[schema(example = "019aa5b2-5c3e-7c61-9d3f-0a4a6f2f8e11")]
    pub handle: String,
    /// `awaiting_approval`, `intent`, `generated`, `pending`, `issued`, `retired`, `rejected`,
    /// `cancelled`, `failed` or `quarantined`.
    #[schema(example = "pending")]
    pub status: String,
    /// `token`: its key is ours; `client`: somebody brought his CSR.
    pub origin: String,
    /// When it was asked for, RFC 3339.
    pub created_at: String,
    /// When its status changed last, RFC 3339.
    pub updated_at: String,
    /// The subject as RFC 4514 text.
    pub subject: String,
    /// Subject alternative names.
    pub sans: Vec<String>,
    /// Those of them with an international domain, in the script that people read.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    #[schema(example = json!({"DNS:xn--bcher-kva.example": "DNS:bücher.example"}))]
    pub sans_in_unicode: BTreeMap<String, String>,
    /// Extensions asked for.
    pub extensions: Extensions,
    /// The attribute unstructuredName.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unstructured_name: Option<String>,
    /// Whether it has a challengePassword.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub has_challenge_password: bool,
    /// Signature scheme, such as `ecdsa-sha256`.
    pub signature: String,
    /// Handle of the signing request that it renews.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub renews: Option<String>,
    /// Handles of its renewals, oldest first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub renewed_by: Vec<String>,
    /// The issuing template that it was judged by.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub template: Option<TemplateUse>,
    /// Handle of the authority that issues its certificate as soon as there is a CSR.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub authority: Option<String>,
    /// How many days its certificate shall be valid.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub validity_days: Option<u32>,
    /// That it has, or had, to be approved.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub approval: Option<Approval>,
    /// The key.
    pub key: KeyReference,
    /// The CSR as PEM, once it is made.
    pub csr: Option<String>,
    /// SHA-256 of the married certificate's DER in hexadecimal, once there is one.
    pub certificate_sha256: Option<String>,
    /// Why it failed, is quarantined or was rejected; `expired` when nobody approved it in time.
    pub failure: Option<String>,
    /// What the statement that the key cannot leave rests on.
    pub evidence: Evidence,
}

/// The key of a signing request.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct KeyReference {
    /// The key's handle, once it is made.
    pub handle: Option<String>,
    /// `new`: made for this request; `existing`: made for an earlier one; `client`: made elsewhere.
    pub source: String,
    /// Kind of key, such as `ec-p256`.
    pub kind: String,
    /// Configured name of the token; empty where the key is a client's.
    pub token: String,
    /// RFC 7512 URI of the private key, once it is made.
    pub uri: Option<String>,
}

/// What the statement "this key cannot leave" rests on.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct Evidence {
    /// `E0` software token or undeclared, `E1` declared hardware, `none` where the key is a client's.
    #[schema(example = "E0")]
    pub level: String,
    /// The level in a sentence.
    pub meaning: String,
    /// The token lets keys out, and an operator accepted that: by which calls, who, when and why. A key
    /// that was made then says so for ever.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub warning: Option<String>,
}

/// A page of signing requests.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct CsrPage {
    /// Newest first unless asked otherwise. Without the PEM, which `GET /csrs/{handle}` has.
    pub items: Vec<CsrSummary>,
    /// Give it as `cursor` for the next page; absent on the last one.
    pub next_cursor: Option<String>,
}

/// A signing request in a list.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct CsrSummary {
    /// The signing request's handle.
    pub handle: String,
    /// As in a single answer.
    pub status: String,
    /// When it was asked for, RFC 3339.
    pub created_at: String,
    /// The subject as RFC 4514 text.
    pub subject: String,
    /// Subject alternative names.
    pub sans: Vec<String>,
    /// `token`: its key is ours; `client`: somebody brought his CSR.
    pub origin: String,
    /// Kind of key.
    pub kind: String,
    /// Configured name of the token; empty where the key is a client's.
    pub token: String,
    /// Handle of the key, once it is made.
    pub key: Option<String>,
    /// Evidence level of the token: `E0`, `E1`.
    pub evidence: String,
    /// As `evidence.warning` in a single answer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub evidence_warning: Option<String>,
}

/// Query of `GET /csrs`.
#[derive(Clone, Debug, Default, Serialize, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct ListCsrs {
    /// Only these statuses, separated by commas.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status: Option<String>,
    /// Only requests with a CN or SAN value that starts so; case does not matter.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// Only this kind of key.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kind: Option<String>,
    /// `newest` first (the default) or `oldest` first.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub order: Option<String>,
    /// From a previous page's `next_cursor`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cursor: Option<String>,
    /// Items on a page, 1 to 200; 50 when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limit: Option<usize>,
}

/// Query of `GET /keys`.
#[derive(Clone, Debug, Default, Serialize, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct ListKeys {
    /// Only keys in this state of their life, such as `active`. A page may then have fewer items than asked
    /// for, and still be followed by another.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub life: Option<String>,
    /// From a previous page's `next_cursor`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cursor: Option<String>,
    /// Items on a page, 1 to 200; 50 when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limit: Option<usize>,
}

/// Answer of `DELETE /csrs/{handle}`.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct Cancelled {
    /// The signing request, cancelled.
    pub csr: Csr,
    /// What becomes of its key: `destroyed`; `will-be-destroyed` (decided and recorded, done when
    /// the token is back or the generation ends); `kept` (made for an earlier request, or a live
    /// one uses it); `no-key`.
    #[schema(example = "destroyed")]
    pub key_fate: String,
}

/// A key.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct Key {
    /// The key's handle; also CKA_LABEL on the token.
    pub handle: String,
    /// `present`, `missing`, `recovered`, `quarantined`, `destroying` or `destroyed`.
    pub state: String,
    /// `request`, or `sentinel`: the key that shows that the token works.
    pub purpose: String,
    /// Kind of key.
    pub kind: String,
    /// Configured name of the token.
    pub token: String,
    /// CKA_ID in hexadecimal.
    pub id: String,
    /// RFC 7512 URI of the private key; its token's label and serial number are only known while
    /// the token is up.
    pub uri: Option<String>,
    /// When it was made, RFC 3339.
    pub created_at: String,
    /// SubjectPublicKeyInfo as PEM.
    pub public_key: String,
    /// The public key as a JSON Web Key (RFC 7517).
    #[schema(example = json!({"kty": "OKP", "crv": "Ed25519", "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}))]
    pub jwk: std::collections::BTreeMap<String, String>,
    /// SHA-256 of the SubjectPublicKeyInfo in hexadecimal.
    pub spki_sha256: String,
    /// Attributes of the private key as read back when it was made; absent: the token did not say.
    #[schema(example = json!({"CKA_SENSITIVE": true, "CKA_EXTRACTABLE": false}))]
    pub attributes: BTreeMap<String, bool>,
    /// Where it is in its life.
    pub life: KeyLife,
    /// What the statement that it cannot leave rests on.
    pub evidence: Evidence,
}

/// A page of keys, newest first.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct KeyPage {
    /// The keys.
    pub items: Vec<Key>,
    /// Give it as `cursor` for the next page; absent on the last one.
    pub next_cursor: Option<String>,
}

/// Query of `PUT /csrs/{handle}/certificate`.
#[derive(Clone, Debug, Default, Serialize, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct MarryCertificate {
    /// Take a certificate that has expired or is not valid yet, or whose chain has one; `false` when absent.
    #[serde(default)]
    pub allow_expired: bool,
}

/// A certificate married to a signing request.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct Certificate {
    /// The signing request's handle.
    pub handle: String,
    /// The certificate as PEM.
    pub certificate: String,
    /// Its chain as PEM, each certificate certified by the next.
    pub chain: Vec<String>,
    /// SHA-256 of the certificate's DER in hexadecimal.
    pub sha256: String,
    /// Start of its validity, RFC 3339.
    pub not_before: String,
    /// End of its validity, RFC 3339.
    pub not_after: String,
    /// When it was married, RFC 3339.
    pub married_at: String,
    /// Where the token has it beside its key, `written`, or shall have it, `pending`; absent where it
    /// is not to be there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub on_token: Option<String>,
    /// What the statement that its key cannot leave rests on.
    pub evidence: Evidence,
}

/// Every configured token.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct Tokens {
    /// The tokens, by name.
    pub items: Vec<Token>,
}

/// A token.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct Token {
    /// The configured name.
    pub name: String,
    /// `starting`, `up`, `down` or `stopped`.
    pub status: String,
    /// Whether it may be used: up, probed, its sentinel signed, the journal reconciled.
    pub ready: bool,
    /// Why it is down or not ready.
    pub problem: Option<String>,
    /// Facts that the module tells, while it is up.
    pub info: Option<TokenInfo>,
    /// What the sentinel last said.
    pub sentinel: Sentinel,
    /// What the last reconciliation found.
    pub inventory: Option<Inventory>,
    /// Keys that take room on it, the sentinel and those being made included.
    pub used: usize,
    /// Keys that it may have, where the configuration says so; then further creates are answered 503
    /// `hsm.full`.
    pub capacity: Option<usize>,
    /// What the negative probes found, once it was probed.
    pub probe: Option<Standing>,
    /// What the statement that its keys cannot leave rests on.
    pub evidence: Evidence,
}

/// Facts that the module tells of a token.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct TokenInfo {
    /// CK_TOKEN_INFO.label
    pub label: String,
    /// CK_TOKEN_INFO.serialNumber
    pub serial: String,
    /// CK_TOKEN_INFO.manufacturerID
    pub manufacturer: String,
    /// CK_TOKEN_INFO.model
    pub model: String,
    /// CK_TOKEN_INFO.firmwareVersion
    pub firmware: String,
    /// CK_INFO.libraryDescription and version
    pub library: String,
    /// Path of the module.
    pub module: String,
    /// SHA-256 of the module's file in hexadecimal.
    pub module_sha256: String,
    /// Key kinds that it offers here.
    pub kinds: Vec<String>,
    /// Parallel sessions.
    pub sessions: usize,
    /// Process id of the worker.
    pub worker_pid: u32,
}

/// What the sentinel key of a token last said.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct Sentinel {
    /// Whether it signed a fresh challenge.
    pub signed: bool,
    /// When it was asked, RFC 3339.
    pub checked_at: Option<String>,
}

/// What the last reconciliation of a token found. Every object is in one of the counts.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct Inventory {
    /// When, RFC 3339.
    pub at: String,
    /// Objects on the token, public and private.
    pub objects: usize,
    /// Objects of keys that the index knows.
    pub owned: usize,
    /// Objects of attempts that were being worked on.
    pub in_progress: usize,
    /// Objects left by a crash, destroyed.
    pub destroyed: usize,
    /// Objects of whole keys that no row explained; now in the index as `recovered`.
    pub recovered: usize,
    /// Objects with this installation's id that are no whole key and that no row explains.
    pub quarantined: usize,
    /// Objects without id and label, as a module leaves them when it is killed.
    pub nameless: usize,
    /// Objects of somebody else.
    pub foreign: usize,
    /// Keys of the index that are not on the token.
    pub missing_keys: usize,
    /// Certificates that could not be written to the token, or removed from it, yet.
    pub pending_certificates: usize,
}

/// The slots that a module shows.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct Slots {
    /// The slots.
    pub items: Vec<Slot>,
}

/// A slot.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct Slot {
    /// The slot's number, which may change when the module is next loaded.
    pub number: u64,
    /// CK_SLOT_INFO.slotDescription
    pub description: String,
    /// Label of its token, if it has an initialised one.
    pub label: Option<String>,
    /// Serial number of its token.
    pub serial: Option<String>,
    /// Whether it has an initialised token.
    pub initialized: bool,
}

/// RFC 9457 problem document.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct Problem {
    /// URI of the kind of problem: `urn:strongroom:` and the code.
    #[serde(rename = "type")]
    pub kind: String,
    /// The HTTP status in words.
    pub title: String,
    /// The HTTP status.
    pub status: u16,
    /// What was wrong, where, and what to do.
    pub detail: String,
    /// Stable code for programs, such as `hsm.unavailable`.
    pub code: String,
    /// Names this HTTP request in the log.
    pub request_id: String,
    /// Every broken rule.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub errors: Vec<FieldProblem>,
    /// The state that stood in the way.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub state: Option<String>,
    /// The signing request that it is about.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub csr: Option<String>,
}

/// One broken rule.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct FieldProblem {
    /// The rule of the issuing template that is broken, where it is one of those; docs/templates.md
    /// has them all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(example = "san.dns.pattern")]
    pub rule: Option<String>,
    /// Path of the field, such as `sans[2]`.
    pub field: String,
    /// Offset in the field's text in bytes, where that can be told.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub position: Option<usize>,
    /// What is wrong and what would be right.
    pub reason: String,
}
