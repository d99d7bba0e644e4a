//! The extensions that a CSR asks for.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// Extensions that a CSR asks for.
#[derive(Clone, Debug, Default, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Extensions {
    /// Key usage bits (RFC 5280 section 4.2.1.3): `digitalSignature`, `keyEncipherment` ...
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub key_usage: Vec<String>,
    /// Extended key usages (section 4.2.1.12): `serverAuth`, `clientAuth` ..., or dotted OIDs.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub extended_key_usage: Vec<String>,
    /// Basic constraints (section 4.2.1.9).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub basic_constraints: Option<BasicConstraints>,
    /// Certificate policies (section 4.2.1.4).
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub certificate_policies: Vec<CertificatePolicy>,
    /// Name constraints (section 4.2.1.10); only for a CA's certificate.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name_constraints: Option<NameConstraints>,
    /// Subject key identifier (section 4.2.1.2): `true` for SHA-1 of the key, or bytes in hexadecimal.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub subject_key_identifier: Option<SubjectKeyIdentifier>,
    /// TLS features (RFC 7633): `status_request` (must-staple), `status_request_v2`, or numbers.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schema(example = json!(["status_request"]))]
    pub tls_features: Vec<String>,
    /// Name of a Microsoft certificate template of version 1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(example = "WebServer")]
    pub microsoft_template_name: Option<String>,
    /// A Microsoft certificate template of a later version.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub microsoft_template: Option<MicrosoftTemplate>,
    /// Any other, as DER.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub other: Vec<OtherExtension>,
}

/// Basic constraints.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct BasicConstraints {
    /// Whether the certificate is to be a CA's.
    pub ca: bool,
    /// How many CAs may follow below it; only with `ca`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub path_length: Option<u8>,
}

/// A certificate policy.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct CertificatePolicy {
    /// The policy's dotted OID.
    #[schema(example = "2.23.140.1.2.1")]
    pub oid: String,
    /// URIs of the certification practice statement.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schema(example = json!(["https://example.com/cps"]))]
    pub cps: Vec<String>,
    /// Text of a user notice, at most 200 characters.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub notice: Option<String>,
}

/// The names that a CA may certify.
#[derive(Clone, Debug, Default, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NameConstraints {
    /// Permitted subtrees: `DNS:example.com`, `IP:192.0.2.0/24`, `email:example.com`,
    /// `URI:.example.com`, `dirName:O=Example,C=NL`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schema(example = json!(["DNS:example.com", "IP:192.0.2.0/24"]))]
    pub permitted: Vec<String>,
    /// Excluded subtrees.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub excluded: Vec<String>,
}

/// A subject key identifier.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(untagged)]
pub enum SubjectKeyIdentifier {
    /// `true`: SHA-1 of the public key, method 1 of RFC 5280 section 4.2.1.2; `false`: none.
    OfKey(bool),
    /// Bytes in hexadecimal.
    Given(String),
}

/// A Microsoft certificate template.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct MicrosoftTemplate {
    /// The template's dotted OID.
    pub oid: String,
    /// Major version.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub major: Option<u32>,
    /// Minor version; only with a major one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub minor: Option<u32>,
}

/// An extension of any type.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct OtherExtension {
    /// Its dotted OID; not one that has a field of its own.
    pub oid: String,
    /// Whether it is critical.
    #[serde(default)]
    pub critical: bool,
    /// Its value: the DER, in hexadecimal.
    #[schema(example = "0500")]
    pub value: String,
}
