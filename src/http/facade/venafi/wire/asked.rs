//! What clients send: lenient.

use serde::Deserialize;
use serde_json::Value;
use utoipa::ToSchema;

/// A request for a certificate, in the words of `/outagedetection/v1`.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(in super::super) struct Ask {
    /// The application.
    pub(in super::super) application_id: Option<String>,
    /// One of its issuing templates.
    pub(in super::super) certificate_issuing_template_id: Option<String>,
    /// The client's own CSR, in PEM.
    pub(in super::super) certificate_signing_request: Option<String>,
    /// The key is to be made here, in the token.
    #[serde(rename = "isVaaSGenerated")]
    pub(in super::super) is_vaas_generated: Option<bool>,
    /// What the CSR for such a key is to say.
    pub(in super::super) csr_attributes: Option<CsrAttributes>,
    /// The certificate that is renewed.
    pub(in super::super) existing_certificate_id: Option<String>,
    /// It is renewed with the same key.
    #[serde(rename = "reuseCSR")]
    pub(in super::super) reuse_csr: Option<bool>,
    /// How long the certificate shall be valid (ISO 8601), such as `P90D` or `PT48H`.
    pub(in super::super) validity_period: Option<String>,
}

/// A request for a certificate, in the words of `/v1`.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(in super::super) struct LegacyAsk {
    /// The zone.
    pub(in super::super) zone_id: Option<String>,
    /// The client's own CSR, in PEM.
    pub(in super::super) certificate_signing_request: Option<String>,
    /// What is renewed.
    pub(in super::super) existing_managed_certificate_id: Option<String>,
    /// It is renewed with the same key.
    #[serde(rename = "reuseCSR")]
    pub(in super::super) reuse_csr: Option<bool>,
}

/// What a CSR is to say.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(in super::super) struct CsrAttributes {
    /// CN
    pub(in super::super) common_name: Option<String>,
    /// O
    pub(in super::super) organization: Option<String>,
    /// OU
    pub(in super::super) organizational_units: Option<Vec<String>>,
    /// L
    pub(in super::super) locality: Option<String>,
    /// ST
    pub(in super::super) state: Option<String>,
    /// C
    pub(in super::super) country: Option<String>,
    /// Alternative names.
    pub(in super::super) subject_alternative_names_by_type: Option<SansByType>,
    /// The key; the template's default when absent.
    pub(in super::super) key_type_parameters: Option<KeyTypeParameters>,
}

/// Alternative names.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(in super::super) struct SansByType {
    /// DNS
    pub(in super::super) dns_names: Option<Vec<String>>,
    /// IP
    pub(in super::super) ip_addresses: Option<Vec<String>>,
    /// email
    pub(in super::super) rfc822_names: Option<Vec<String>>,
    /// URI
    pub(in super::super) uniform_resource_identifiers: Option<Vec<String>>,
}

/// Which key.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(in super::super) struct KeyTypeParameters {
    /// `RSA` or `EC`
    pub(in super::super) key_type: Option<String>,
    /// In bits; 2048 when absent.
    pub(in super::super) key_length: Option<u32>,
    /// `P256` (when absent), `P384`, `P521` or `ED25519`
    pub(in super::super) key_curve: Option<String>,
}

/// Which certificates are searched for.
#[derive(Debug, Default, Deserialize, ToSchema)]
pub(in super::super) struct Search {
    /// What they have to match.
    pub(in super::super) expression: Option<Expression>,
}

/// What certificates have to match.
#[derive(Debug, Default, Deserialize, ToSchema)]
pub(in super::super) struct Expression {
    /// One, which is for the fingerprint.
    pub(in super::super) operands: Option<Vec<Operand>>,
}

/// A field and its value.
#[derive(Debug, Default, Deserialize, ToSchema)]
pub(in super::super) struct Operand {
    /// `fingerprint`
    pub(in super::super) field: Option<String>,
    /// `MATCH` or `EQ`
    pub(in super::super) operator: Option<String>,
    /// SHA-1 of the certificate's DER, in hexadecimal.
    pub(in super::super) value: Option<Value>,
}

/// Certificates that are to be retired.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(in super::super) struct Retire {
    /// Their ids, at most 1,000.
    pub(in super::super) certificate_ids: Option<Vec<String>>,
}

/// Certificates that came back.
#[derive(Debug, Default, Deserialize, ToSchema)]
pub(in super::super) struct Import {
    /// Each with those above it.
    pub(in super::super) certificates: Option<Vec<Imported>>,
}

/// A certificate that came back.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(in super::super) struct Imported {
    /// Base64 of its DER.
    pub(in super::super) certificate: Option<String>,
    /// Base64 of the DER of those above it.
    pub(in super::super) issuer_certificates: Option<Vec<String>>,
    /// Applications that it belongs to: each has to be there.
    pub(in super::super) application_ids: Option<Vec<String>>,
}

/// A GraphQL request. Of the query only which operation it names is looked at; the answer has every field of the
/// vendor's clients.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(in super::super) struct GraphQl {
    /// Names `revokeCertificate` or `certificateAuthorityAccounts`.
    pub(in super::super) query: Option<String>,
    /// For `revokeCertificate`.
    pub(in super::super) variables: Option<Revocation>,
}

/// Which certificate is revoked, and why.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(in super::super) struct Revocation {
    /// SHA-1 of its DER, in hexadecimal.
    pub(in super::super) fingerprint: Option<String>,
    /// The account that it came from, where it has to be that one.
    pub(in super::super) certificate_authority_account_id: Option<String>,
    /// Such as `KEY_COMPROMISE`.
    pub(in super::super) revocation_reason: Option<String>,
}
