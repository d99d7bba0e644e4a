//! The vendor's JSON, as the routes of its server have it (`certificate-authority-router.ts`,
//! `internal-certificate-authority-router.ts`). What bodies may have in them is read by `asked`; the types here
//! describe it.
#![expect(dead_code, reason = "bodies are described for the OpenAPI document, and read by `asked`")]

use serde::Serialize;
use utoipa::{IntoParams, ToSchema};

use super::issues::Issue;

/// A refusal.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct Refusal {
    /// Names the HTTP request, also in the log
    pub(super) req_id: String,
    pub(super) status_code: u16,
    pub(super) message: Message,
    /// Name of the error
    pub(super) error: String,
    /// What there is to know besides
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub(super) details: Option<Vec<String>>,
}

/// For people; of a body, each issue.
#[derive(Serialize, ToSchema)]
#[serde(untagged)]
pub(super) enum Message {
    Text(String),
    Issues(Vec<Issue>),
}

/// Whether the service is there.
#[derive(Serialize, ToSchema)]
pub(super) struct Status {
    #[schema(format = DateTime, value_type = String)]
    pub(super) date: String,
    /// `Ok`
    pub(super) message: &'static str,
}

/// A login with universal auth.
#[derive(ToSchema)]
#[schema(rename_all = "camelCase")]
pub(super) struct Login {
    /// Name of a principal, or handle of a Basic credential of his
    client_id: String,
    /// The secret of that credential, `srb_...`
    client_secret: String,
}

/// An access token.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct Granted<'a> {
    /// JSON Web Token, HS256
    pub(super) access_token: &'a str,
    /// Seconds
    pub(super) expires_in: i64,
    /// Seconds
    #[serde(rename = "accessTokenMaxTTL")]
    pub(super) access_token_max_ttl: i64,
    /// `Bearer`
    pub(super) token_type: &'static str,
}

/// A CA that is wished for, by the older paths.
#[derive(ToSchema)]
#[schema(rename_all = "camelCase")]
pub(super) struct CreateCa {
    project_slug: String,
    #[schema(inline)]
    #[schema(value_type = Kind)]
    r#type: Kind,
    friendly_name: Option<String>,
    /// At least one field of the subject is given
    common_name: Option<String>,
    organization: Option<String>,
    ou: Option<String>,
    /// Two letters
    country: Option<String>,
    province: Option<String>,
    locality: Option<String>,
    /// Of a root
    not_before: Option<String>,
    /// Of a root; ten years from now when absent
    not_after: Option<String>,
    /// -1: no limit
    #[schema(minimum = -1, maximum = 255)]
    max_path_length: Option<i32>,
    /// `RSA_2048` when absent
    key_algorithm: Option<KeyAlgorithm>,
    /// `hsm`, where every key is
    key_source: Option<String>,
    /// Kept and shown
    hsm_connector_id: Option<String>,
    /// Kept and shown
    hsm_key_label: Option<String>,
}

/// Who certifies a CA.
#[derive(ToSchema)]
#[schema(rename_all = "lowercase")]
pub(super) enum Kind {
    Root,
    Intermediate,
}

/// Kinds of keys that may be had; the vendor knows others.
#[derive(ToSchema)]
pub(super) enum KeyAlgorithm {
    #[schema(rename = "RSA_2048")]
    Rsa2048,
    #[schema(rename = "RSA_3072")]
    Rsa3072,
    #[schema(rename = "RSA_4096")]
    Rsa4096,
    #[schema(rename = "EC_prime256v1")]
    P256,
    #[schema(rename = "EC_secp384r1")]
    P384,
    #[schema(rename = "EC_secp521r1")]
    P521,
}

/// A change.
#[derive(ToSchema)]
pub(super) struct UpdateCa {
    status: Option<NewStatus>,
}

/// What a CA can be set to.
#[derive(ToSchema)]
#[schema(rename_all = "lowercase")]
pub(super) enum NewStatus {
    Active,
    Disabled,
}

/// A CA in its envelope.
#[derive(Serialize, ToSchema)]
pub(super) struct CaEnvelope {
    pub(super) ca: Ca,
}

/// A CA, by the older paths.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct Ca {
    pub(super) id: String,
    #[schema(format = DateTime)]
    pub(super) created_at: String,
    #[schema(format = DateTime)]
    pub(super) updated_at: String,
    pub(super) project_id: String,
    pub(super) name: String,
    /// `pending-certificate`, `active` or `disabled`
    pub(super) status: &'static str,
    pub(super) enable_direct_issuance: bool,
    /// Number of the certificate that it issues with
    pub(super) active_ca_cert_version: Option<u32>,
    #[serde(flatten)]
    pub(super) configuration: Configuration,
}

/// A CA that is wished for, by the newer paths.
#[derive(ToSchema)]
#[schema(rename_all = "camelCase")]
pub(super) struct CreateInternal {
    /// Unique in the project: 1 to 64 letters, digits, `-`, `_` and `.`
    name: String,
    /// May be absent when the caller has a role in one project only
    project_id: Option<String>,
    /// `active` when absent; `disabled` is for a root
    status: Option<NewStatus>,
    enable_direct_issuance: Option<bool>,
    configuration: CreateConfiguration,
}

/// The configuration of a CA that is wished for.
#[derive(ToSchema)]
#[schema(rename_all = "camelCase")]
pub(super) struct CreateConfiguration {
    #[schema(value_type = Kind)]
    r#type: Kind,
    friendly_name: Option<String>,
    /// At least one field of the subject is given
    common_name: Option<String>,
    organization: Option<String>,
    ou: Option<String>,
    /// Two letters
    country: Option<String>,
    province: Option<String>,
    locality: Option<String>,
    /// Of a root
    not_before: Option<String>,
    /// Of a root; ten years from now when absent
    not_after: Option<String>,
    /// -1: no limit
    #[schema(minimum = -1, maximum = 255)]
    max_path_length: Option<i32>,
    /// `RSA_2048` when absent
    key_algorithm: Option<KeyAlgorithm>,
    /// `hsm`, where every key is
    key_source: Option<String>,
    /// Kept and shown
    hsm_connector_id: Option<String>,
    /// Kept and shown
    hsm_key_label: Option<String>,
}

/// A CA, by the newer paths.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct InternalCa {
    pub(super) id: String,
    pub(super) project_id: String,
    pub(super) name: String,
    /// `pending-certificate`, `active` or `disabled`
    pub(super) status: &'static str,
    /// `internal`
    pub(super) r#type: &'static str,
    pub(super) enable_direct_issuance: bool,
    #[schema(format = DateTime)]
    pub(super) created_at: String,
    #[schema(format = DateTime)]
    pub(super) updated_at: String,
    pub(super) configuration: Configuration,
}

/// What a CA is.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct Configuration {
    /// `root` or `intermediate`
    pub(super) r#type: &'static str,
    pub(super) friendly_name: String,
    pub(super) common_name: String,
    pub(super) organization: String,
    pub(super) ou: String,
    pub(super) country: String,
    pub(super) province: String,
    pub(super) locality: String,
    /// The subject as RFC 4514 text
    pub(super) dn: String,
    pub(super) key_algorithm: &'static str,
    /// -1: no limit
    pub(super) max_path_length: i32,
    /// The CA here that issued its certificate
    pub(super) parent_ca_id: Option<String>,
    pub(super) serial_number: Option<String>,
    #[schema(format = DateTime)]
    pub(super) not_before: Option<String>,
    #[schema(format = DateTime)]
    pub(super) not_after: Option<String>,
    /// The certificate that it issues with
    pub(super) active_ca_cert_id: Option<String>,
    /// `hsm`
    pub(super) key_source: &'static str,
    /// As it was given; else the configured name of the token with the key
    pub(super) hsm_connector_id: String,
    /// As it was given; else CKA_LABEL of the key
    pub(super) hsm_key_label: Option<String>,
}

/// Whose CAs.
#[derive(serde::Deserialize, IntoParams)]
#[serde(rename_all = "camelCase")]
#[into_params(parameter_in = Query)]
pub(super) struct ListQuery {
    /// The project; may be absent when the caller has a role in one only
    pub(super) project_id: Option<String>,
    /// The same by its slug
    pub(super) project_slug: Option<String>,
}

/// A CSR.
#[derive(Serialize, ToSchema)]
pub(super) struct Csr {
    /// PEM
    pub(super) csr: String,
}

/// The certificate of a CA.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct CaCertificate {
    /// PEM
    pub(super) certificate: String,
    /// The certificates above it as PEM, its issuer's first
    pub(super) certificate_chain: String,
    pub(super) serial_number: String,
    pub(super) cert_id: String,
    /// Its number, from 1
    pub(super) version: u32,
}

/// A certificate that comes back from whoever signed a CSR.
#[derive(ToSchema)]
#[schema(rename_all = "camelCase")]
pub(super) struct ImportCertificate {
    /// PEM
    certificate: String,
    /// The certificates above it as PEM
    certificate_chain: String,
}

/// It was taken.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct Imported {
    pub(super) message: &'static str,
    pub(super) ca_id: String,
}

/// A certificate for a CA: of a root by itself, of an intermediate by a CA of the project.
#[derive(ToSchema)]
#[schema(rename_all = "camelCase")]
pub(super) struct Certify {
    not_before: Option<String>,
    not_after: String,
    /// -1: no limit
    #[schema(minimum = -1, maximum = 255)]
    max_path_length: Option<i32>,
    /// Of an intermediate
    parent_ca_id: Option<String>,
}

/// A renewal.
#[derive(ToSchema)]
#[schema(rename_all = "camelCase")]
pub(super) struct Renew {
    /// `existing`: with the same key
    r#type: String,
    not_after: String,
}

/// A revocation list.
#[derive(Serialize, ToSchema)]
pub(super) struct Crl {
    pub(super) id: String,
    /// PEM
    pub(super) crl: String,
}

/// A CA below that is to be certified.
#[derive(ToSchema)]
#[schema(rename_all = "camelCase")]
pub(super) struct SignIntermediate {
    /// PEM
    csr: String,
    not_before: Option<String>,
    not_after: String,
    /// -1: as the CSR asks
    #[schema(minimum = -1, maximum = 255)]
    max_path_length: Option<i32>,
}

/// A certificate that is wished for, from a CSR.
#[derive(ToSchema)]
#[schema(rename_all = "camelCase")]
pub(super) struct SignCertificate {
    /// Not below a CA
    ca_id: Option<String>,
    /// Name of an issuing template
    certificate_template_id: Option<String>,
    /// PEM
    csr: String,
    friendly_name: Option<String>,
    pki_collection_id: Option<String>,
    /// That of the CSR, if it is given
    common_name: Option<String>,
    /// Those of the CSR, separated by commas, if they are given
    alt_names: Option<String>,
    /// How long it is valid, such as `90d` or `12h`; not with `notAfter`
    ttl: Option<String>,
    not_before: Option<String>,
    not_after: Option<String>,
}

/// A certificate that was issued.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct Signed {
    /// PEM
    pub(super) certificate: String,
    /// PEM
    pub(super) issuing_ca_certificate: String,
    /// The certificates above it as PEM, the issuing CA's first
    pub(super) certificate_chain: String,
    pub(super) serial_number: String,
}

/// A revocation.
#[derive(ToSchema)]
#[schema(rename_all = "camelCase")]
pub(super) struct Revoke {
    /// `UNSPECIFIED`, `KEY_COMPROMISE`, `CA_COMPROMISE`, `AFFILIATION_CHANGED`, `SUPERSEDED`,
    /// `CESSATION_OF_OPERATION`, `PRIVILEGE_WITHDRAWN` or `A_A_COMPROMISE`
    revocation_reason: String,
}

/// A certificate that was revoked.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct Revoked {
    pub(super) message: &'static str,
    pub(super) serial_number: String,
    #[schema(format = DateTime)]
    pub(super) revoked_at: String,
}
