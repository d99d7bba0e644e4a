//! What clients look up first.

use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;

use super::Product;

/// Who calls.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(in super::super) struct UserAccount {
    /// Who.
    pub(in super::super) user: User,
    /// For whom.
    pub(in super::super) company: Company,
    /// By what.
    pub(in super::super) api_key: ApiKey,
}

/// A principal.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(in super::super) struct User {
    /// Its handle.
    pub(in super::super) id: String,
    /// Its name.
    pub(in super::super) username: String,
    /// Its name.
    pub(in super::super) email_address: String,
    /// The tenant.
    pub(in super::super) company_id: String,
    /// Always the same.
    pub(in super::super) user_type: &'static str,
    /// `API` or `WEB_UI`
    pub(in super::super) user_account_type: &'static str,
    /// `ACTIVE`
    pub(in super::super) user_status: &'static str,
    /// Since when.
    pub(in super::super) creation_date: String,
}

/// Users that were found by name.
#[derive(Debug, Serialize, ToSchema)]
pub(in super::super) struct Users {
    /// One.
    pub(in super::super) users: Vec<User>,
}

/// There are none.
#[derive(Debug, Serialize, ToSchema)]
pub(in super::super) struct Teams {
    /// None.
    pub(in super::super) teams: Vec<String>,
}

/// A tenant.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(in super::super) struct Company {
    /// Its id.
    pub(in super::super) id: String,
    /// Its name.
    pub(in super::super) name: String,
    /// Always the same.
    pub(in super::super) company_type: &'static str,
    /// Always.
    pub(in super::super) active: bool,
}

/// A credential, without its secret.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(in super::super) struct ApiKey {
    /// Its handle.
    pub(in super::super) id: String,
    /// Whose.
    pub(in super::super) user_id: String,
    /// The tenant.
    pub(in super::super) company_id: String,
    /// `ACTIVE`
    pub(in super::super) api_key_status: &'static str,
}

/// A zone.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(in super::super) struct Zone {
    /// Its id.
    pub(in super::super) id: String,
    /// The tenant.
    pub(in super::super) company_id: String,
    /// What clients call it.
    pub(in super::super) tag: String,
    /// Its issuing template.
    pub(in super::super) certificate_issuing_template_id: String,
}

/// An application.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(in super::super) struct Application {
    /// Its id.
    pub(in super::super) id: String,
    /// The tenant.
    pub(in super::super) company_id: String,
    /// Its name.
    pub(in super::super) name: String,
    /// Whoever asks.
    pub(in super::super) owner_ids_and_types: Vec<Owner>,
    /// Alias to the id of an issuing template.
    pub(in super::super) certificate_issuing_template_alias_id_map: BTreeMap<String, String>,
}

/// An owner of an application.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(in super::super) struct Owner {
    /// Its handle.
    pub(in super::super) owner_id: String,
    /// Always the same.
    pub(in super::super) owner_type: &'static str,
}

/// An issuing template: what clients check before they ask. Regular expressions that other languages would read
/// otherwise are given as `.*`, and judged here.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(in super::super) struct IssuingTemplate {
    /// Its id.
    pub(in super::super) id: String,
    /// The tenant.
    pub(in super::super) company_id: String,
    /// Its name.
    pub(in super::super) name: String,
    /// Always the same.
    pub(in super::super) certificate_authority: &'static str,
    /// The account at the authority.
    pub(in super::super) certificate_authority_account_id: String,
    /// What the account offers.
    pub(in super::super) certificate_authority_product_option_id: String,
    /// What is issued.
    pub(in super::super) product: Product,
    /// CN
    #[serde(rename = "subjectCNRegexes")]
    pub(in super::super) subject_cn_regexes: Vec<String>,
    /// O
    #[serde(rename = "subjectORegexes")]
    pub(in super::super) subject_o_regexes: Vec<String>,
    /// OU
    #[serde(rename = "subjectOURegexes")]
    pub(in super::super) subject_ou_regexes: Vec<String>,
    /// ST
    #[serde(rename = "subjectSTRegexes")]
    pub(in super::super) subject_st_regexes: Vec<String>,
    /// L
    #[serde(rename = "subjectLRegexes")]
    pub(in super::super) subject_l_regexes: Vec<String>,
    /// C
    #[serde(rename = "subjectCValues")]
    pub(in super::super) subject_c_values: Vec<String>,
    /// DNS
    pub(in super::super) san_regexes: Vec<String>,
    /// email
    pub(in super::super) san_rfc822_name_regexes: Vec<String>,
    /// IP
    pub(in super::super) san_ip_address_regexes: Vec<String>,
    /// URI
    pub(in super::super) san_uniform_resource_identifier_regexes: Vec<String>,
    /// Which keys.
    pub(in super::super) key_types: Vec<KeyTypes>,
    /// Whether a key may be used again.
    pub(in super::super) key_reuse: bool,
    /// The longest, such as `P90D`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(in super::super) validity_period: Option<String>,
    /// Always.
    pub(in super::super) csr_upload_allowed: bool,
    /// Whether the token makes keys for it: yes.
    pub(in super::super) key_generated_by_venafi_allowed: bool,
    /// What is put in where nothing is said.
    pub(in super::super) recommended_settings: RecommendedSettings,
    /// Never.
    pub(in super::super) system_generated: bool,
    /// Not known: always the same.
    pub(in super::super) creation_date: &'static str,
}

/// Which keys of one type.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(in super::super) struct KeyTypes {
    /// `RSA` or `EC`
    pub(in super::super) key_type: &'static str,
    /// Of RSA.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(in super::super) key_lengths: Vec<u32>,
    /// Of EC.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(in super::super) key_curves: Vec<&'static str>,
}

/// What a template puts in.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(in super::super) struct RecommendedSettings {
    /// O
    #[serde(rename = "subjectOValue", skip_serializing_if = "Option::is_none")]
    pub(in super::super) subject_o_value: Option<String>,
    /// OU
    #[serde(rename = "subjectOUValue", skip_serializing_if = "Option::is_none")]
    pub(in super::super) subject_ou_value: Option<String>,
    /// L
    #[serde(rename = "subjectLValue", skip_serializing_if = "Option::is_none")]
    pub(in super::super) subject_l_value: Option<String>,
    /// ST
    #[serde(rename = "subjectSTValue", skip_serializing_if = "Option::is_none")]
    pub(in super::super) subject_st_value: Option<String>,
    /// C
    #[serde(rename = "subjectCValue", skip_serializing_if = "Option::is_none")]
    pub(in super::super) subject_c_value: Option<String>,
    /// The key.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(in super::super) key: Option<RecommendedKey>,
    /// Whether a key may be used again.
    pub(in super::super) key_reuse: bool,
}

/// The key that a template chooses.
#[derive(Debug, Serialize, ToSchema)]
pub(in super::super) struct RecommendedKey {
    /// `RSA` or `EC`
    #[serde(rename = "type")]
    pub(in super::super) kind: &'static str,
    /// Of RSA, in bits.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(in super::super) length: Option<u32>,
    /// Of EC.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(in super::super) curve: Option<&'static str>,
}

/// Accounts at an authority.
#[derive(Debug, Serialize, ToSchema)]
pub(in super::super) struct AuthorityAccounts {
    /// One for each authority that a template names, and one for certificates from elsewhere.
    pub(in super::super) accounts: Vec<AuthorityAccount>,
}

/// An account at an authority, and what it offers.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(in super::super) struct AuthorityAccount {
    /// It.
    pub(in super::super) account: Account,
    /// One.
    pub(in super::super) product_options: Vec<ProductOption>,
}

/// An account at an authority.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(in super::super) struct Account {
    /// Its id.
    pub(in super::super) id: String,
    /// The name of the authority.
    pub(in super::super) key: String,
    /// Always the same.
    pub(in super::super) certificate_authority: &'static str,
}

/// What an account offers.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(in super::super) struct ProductOption {
    /// Its id.
    pub(in super::super) id: String,
    /// Always the same.
    pub(in super::super) product_name: &'static str,
    /// Nothing.
    #[schema(value_type = Object)]
    pub(in super::super) product_details: Value,
}
