//! The wire types of probes: what a token can do, by trying, and whether it lets keys out.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// Body of `POST /tokens/{name}/probe`. May be left out.
#[derive(Clone, Debug, Default, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ProbeKinds {
    /// Only these key kinds; every kind of the profile when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(example = json!(["ec-p256"]))]
    pub kinds: Option<Vec<String>>,
}

/// What a probe of a token found.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct Probe {
    /// Configured name of the token.
    pub token: String,
    /// SHA-256 of the module's file in hexadecimal.
    pub module_sha256: String,
    /// CK_INFO.libraryVersion
    pub library_version: String,
    /// CK_TOKEN_INFO.firmwareVersion
    pub firmware: String,
    /// CK_TOKEN_INFO.serialNumber
    pub serial: String,
    /// Whether a throw-away key came out, or could have.
    pub leaks: bool,
    /// Each key kind, with what was done to a key of it.
    pub kinds: Vec<ProbedKind>,
}

/// What was done to a throw-away key of one kind.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct ProbedKind {
    /// The key kind.
    #[schema(example = "ec-p256")]
    pub kind: String,
    /// Why the token cannot make such a key; absent when it can.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failure: Option<String>,
    /// How long it took to make the key, in milliseconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub generate_ms: Option<f64>,
    /// A signature under each scheme.
    pub signatures: Vec<ProbedSignature>,
    /// Attributes that were read back otherwise than asked for: strongroom would not take such a key.
    pub violations: Vec<String>,
    /// What was tried to get the key out.
    pub negative: Vec<NegativeProbe>,
    /// How long it took to destroy the key, in milliseconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub destroy_ms: Option<f64>,
}

/// A signature of a throw-away key.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct ProbedSignature {
    /// Signature scheme.
    #[schema(example = "ecdsa-sha256")]
    pub scheme: String,
    /// Whether the token signed, and the signature was verified by software that is not the token's.
    pub verified: bool,
    /// How long it took to sign, in milliseconds.
    pub sign_ms: f64,
    /// Why it is not verified.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failure: Option<String>,
}

/// One attempt to get a throw-away key out.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct NegativeProbe {
    /// The call.
    #[schema(example = "C_WrapKey with CKM_AES_KEY_WRAP_PAD")]
    pub call: String,
    /// `refused`; `no-effect` (answered OK, and the key is as it was); `leaked`; `not-tried`.
    #[schema(example = "refused")]
    pub outcome: String,
    /// The return code, what was seen, or why it was not tried. Never the key.
    #[schema(example = "CKR_KEY_UNEXTRACTABLE")]
    pub detail: String,
}

/// Whether a token lets keys out, as last found.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct Standing {
    /// When it was probed, RFC 3339.
    pub at: String,
    /// SHA-256 of the module that it was probed with, in hexadecimal.
    pub module_sha256: String,
    /// Whether nothing came out.
    pub passed: bool,
    /// What came out, and how.
    pub leaks: Vec<Leak>,
    /// Who let it in all the same.
    pub accepted: Option<Acceptance>,
}

/// A way in which a throw-away key came out, or could have.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct Leak {
    /// Kind of the key.
    pub kind: String,
    /// The call.
    pub call: String,
    /// What it did.
    pub what: String,
}

/// Body of `POST /tokens/{name}/probe-override`.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct AcceptLeaks {
    /// Why a token that lets keys out is good enough; every answer about its keys says it.
    #[schema(example = "a laboratory; none of these keys is trusted by anybody")]
    pub reason: String,
}

/// Who let a token in although it leaks.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct Acceptance {
    /// Handle of the principal.
    pub by: String,
    /// When, RFC 3339.
    pub at: String,
    /// Why.
    pub reason: String,
}
