//! Requests and certificates as clients are answered.

use std::collections::BTreeMap;

use serde::Serialize;
use utoipa::ToSchema;

/// Answer to a create.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(in super::super) struct Asked {
    /// One.
    pub(in super::super) certificate_requests: Vec<CertificateRequest>,
}

/// A request for a certificate.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(in super::super) struct CertificateRequest {
    /// Its id.
    pub(in super::super) id: String,
    /// The tenant.
    pub(in super::super) company_id: String,
    /// Its application, where there is one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(in super::super) application_id: Option<String>,
    /// Its zone, where there is one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(in super::super) zone_id: Option<String>,
    /// Its issuing template.
    pub(in super::super) certificate_issuing_template_id: String,
    /// `REQUESTED`, `PENDING`, `ISSUED` or `FAILED`
    pub(in super::super) status: &'static str,
    /// Why it failed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(in super::super) error_information: Option<ErrorInformation>,
    /// Its subject.
    pub(in super::super) certificate_name: String,
    /// Its subject.
    #[serde(rename = "subjectDN")]
    pub(in super::super) subject_dn: String,
    /// Its common names; the first alternative name, or nothing, where it has none.
    #[serde(rename = "subjectCN")]
    pub(in super::super) subject_cn: Vec<String>,
    /// Who asked.
    pub(in super::super) certificate_owner_user_id: String,
    /// Its issuing template once more.
    pub(in super::super) certificate_policy_ids: BTreeMap<&'static str, Vec<String>>,
    /// The account at the authority.
    pub(in super::super) certificate_provider_id: String,
    /// What is issued.
    pub(in super::super) product: Product,
    /// Its certificate, once there is one.
    pub(in super::super) certificate_ids: Vec<String>,
    /// What it is a version of.
    pub(in super::super) managed_certificate_id: String,
    /// The certificate that it renews.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(in super::super) existing_certificate_id: Option<String>,
    /// The CSR, once there is one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(in super::super) certificate_signing_request: Option<String>,
    /// Whether the key is in the token.
    #[serde(rename = "isVaaSGenerated")]
    pub(in super::super) is_vaas_generated: bool,
    /// The key.
    #[serde(flatten)]
    pub(in super::super) key: RequestKey,
    /// When it was made.
    pub(in super::super) creation_date: String,
    /// When its status changed last.
    pub(in super::super) modification_date: String,
}

/// The key of a request.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(in super::super) struct RequestKey {
    /// `RSA` or `EC`
    pub(in super::super) key_type: &'static str,
    /// In bits, of RSA.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(in super::super) key_length: Option<u32>,
    /// `P256`, `P384`, `P521` or `ED25519`
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(in super::super) key_curve: Option<&'static str>,
}

/// Why a request failed.
#[derive(Debug, Serialize, ToSchema)]
pub(in super::super) struct ErrorInformation {
    /// The state that it is in here.
    #[serde(rename = "type")]
    pub(in super::super) kind: String,
    /// As in errors.
    pub(in super::super) code: u32,
    /// For people.
    pub(in super::super) message: String,
    /// Nothing.
    pub(in super::super) args: Vec<String>,
}

/// What is issued.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(in super::super) struct Product {
    /// Always the same.
    pub(in super::super) certificate_authority: &'static str,
    /// The name of the issuing template.
    pub(in super::super) certificate_type: String,
    /// Such as `P90D`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(in super::super) validity_period: Option<String>,
    /// Of the signature of a CSR that was made here; none of Ed25519.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(in super::super) hash_algorithm: Option<&'static str>,
}

/// A certificate.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(in super::super) struct Certificate {
    /// Its id, which is that of its request.
    pub(in super::super) id: String,
    /// The tenant.
    pub(in super::super) company_id: String,
    /// Its request.
    pub(in super::super) certificate_request_id: String,
    /// What it is a version of.
    pub(in super::super) managed_certificate_id: String,
    /// Its application, where there is one.
    pub(in super::super) application_ids: Vec<String>,
    /// `ACTIVE` or `RETIRED`
    pub(in super::super) certificate_status: &'static str,
    /// SHA-1 of its DER, in upper-case hexadecimal.
    pub(in super::super) fingerprint: String,
    /// In upper-case hexadecimal.
    pub(in super::super) serial_number: String,
    /// Common names; the first alternative name, or nothing, where it has none.
    #[serde(rename = "subjectCN")]
    pub(in super::super) subject_cn: Vec<String>,
    /// O
    #[serde(rename = "subjectO", skip_serializing_if = "Option::is_none")]
    pub(in super::super) subject_o: Option<String>,
    /// OU
    #[serde(rename = "subjectOU")]
    pub(in super::super) subject_ou: Vec<String>,
    /// L
    #[serde(rename = "subjectL", skip_serializing_if = "Option::is_none")]
    pub(in super::super) subject_l: Option<String>,
    /// ST
    #[serde(rename = "subjectST", skip_serializing_if = "Option::is_none")]
    pub(in super::super) subject_st: Option<String>,
    /// C
    #[serde(rename = "subjectC", skip_serializing_if = "Option::is_none")]
    pub(in super::super) subject_c: Option<String>,
    /// DNS
    pub(in super::super) subject_alternative_name_dns: Vec<String>,
    /// Every alternative name.
    pub(in super::super) subject_alternative_names_by_type: BTreeMap<&'static str, Vec<String>>,
    /// The issuer, as RFC 4514 writes it.
    #[serde(rename = "issuerDN")]
    pub(in super::super) issuer_dn: String,
    /// `RSA` or `EC`
    pub(in super::super) encryption_type: &'static str,
    /// In bits.
    pub(in super::super) key_strength: u32,
    /// Of EC.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(in super::super) key_curve: Option<&'static str>,
    /// From when.
    pub(in super::super) validity_start: String,
    /// Until when.
    pub(in super::super) validity_end: String,
    /// When it came here.
    pub(in super::super) creation_date: String,
}

/// Certificates that were found or retired.
#[derive(Debug, Serialize, ToSchema)]
pub(in super::super) struct Certificates {
    /// How many.
    pub(in super::super) count: usize,
    /// Them.
    pub(in super::super) certificates: Vec<Certificate>,
}

/// What the versions of a certificate have in common.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(in super::super) struct ManagedCertificate {
    /// Its id.
    pub(in super::super) id: String,
    /// The tenant.
    pub(in super::super) company_id: String,
    /// Its subject.
    pub(in super::super) certificate_name: String,
    /// The newest request that has a certificate; the newest of all where none has.
    pub(in super::super) latest_certificate_request_id: String,
    /// That certificate.
    pub(in super::super) certificates: Vec<Certificate>,
}

/// Answer to an import.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(in super::super) struct ImportedAll {
    /// One for each.
    pub(in super::super) certificate_informations: Vec<CertificateInformation>,
}

/// A certificate that was imported.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(in super::super) struct CertificateInformation {
    /// Its id.
    pub(in super::super) id: String,
    /// What it is a version of.
    pub(in super::super) managed_certificate_id: String,
    /// The tenant.
    pub(in super::super) company_id: String,
    /// SHA-1 of its DER, in upper-case hexadecimal.
    pub(in super::super) fingerprint: String,
    /// Always the same.
    pub(in super::super) certificate_source: &'static str,
    /// Who asked for it.
    pub(in super::super) owner_user_id: String,
    /// Its zone, where there is one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(in super::super) issuance_zone_id: Option<String>,
    /// From when.
    pub(in super::super) validity_start_date: String,
    /// Until when.
    pub(in super::super) validity_end_date: String,
}
