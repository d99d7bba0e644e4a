//! The APIs of other products: which are served, and for which tenants. Each is off unless it is switched on.

use std::collections::{BTreeMap, BTreeSet};

use serde::Deserialize;

/// `[facades]`
#[derive(Debug, Default, Deserialize, PartialEq)]
#[serde(deny_unknown_fields, default)]
pub struct FacadesSpec {
    /// Cloudflare custom CSRs.
    pub cloudflare: CloudflareSpec,
    /// Infisical's internal CAs.
    pub infisical: InfisicalSpec,
    /// Keyfactor Command CSR generation.
    pub keyfactor: KeyfactorSpec,
}

/// `[facades.cloudflare]`
#[derive(Debug, Default, Deserialize, PartialEq)]
#[serde(deny_unknown_fields, default)]
pub struct CloudflareSpec {
    /// Whether it is served.
    pub enabled: bool,
    /// Account id to the name of the tenant whose requests are its collection.
    pub accounts: BTreeMap<String, String>,
    /// Zone id to the name of the tenant whose requests are its collection.
    pub zones: BTreeMap<String, String>,
    /// Whether names that no public CA would certify are refused, as the vendor does.
    pub public_suffix_rules: bool,
}

/// `[facades.infisical]`
#[derive(Debug, Default, Deserialize, PartialEq)]
#[serde(deny_unknown_fields, default)]
pub struct InfisicalSpec {
    /// Whether it is served.
    pub enabled: bool,
    /// Project id to the tenant whose authorities are the project's CAs.
    pub projects: BTreeMap<String, InfisicalProject>,
}

/// A project of `[facades.infisical]`.
#[derive(Clone, Debug, Deserialize, PartialEq)]
#[serde(deny_unknown_fields)]
pub struct InfisicalProject {
    /// Name of the tenant.
    pub tenant: String,
    /// What older clients name the project by.
    pub slug: String,
}

/// `[facades.keyfactor]`
#[derive(Debug, Default, Deserialize, PartialEq)]
#[serde(deny_unknown_fields, default)]
pub struct KeyfactorSpec {
    /// Whether it is served.
    pub enabled: bool,
    /// Names of the tenants that it serves. Its paths name none: a principal should have grants in one of them.
    pub tenants: Vec<String>,
    /// `Template` of the vendor's clients to the name of an issuing template.
    pub templates: BTreeMap<String, String>,
    /// `EnrollmentPatternId` of the vendor's clients to the name of an issuing template.
    pub enrollment_patterns: BTreeMap<String, String>,
}

/// The APIs of other products that are served.
#[derive(Clone, Debug, Default)]
pub struct FacadesConfig {
    /// Cloudflare custom CSRs.
    pub cloudflare: Option<CloudflareConfig>,
    /// Infisical's internal CAs.
    pub infisical: Option<InfisicalConfig>,
    /// Keyfactor Command CSR generation.
    pub keyfactor: Option<KeyfactorConfig>,
}

/// Cloudflare custom CSRs.
#[derive(Clone, Debug)]
pub struct CloudflareConfig {
    /// Account id to the name of a tenant.
    pub accounts: BTreeMap<String, String>,
    /// Zone id to the name of a tenant.
    pub zones: BTreeMap<String, String>,
    /// Whether names that no public CA would certify are refused.
    pub public_suffix_rules: bool,
}

/// Infisical's internal CAs.
#[derive(Clone, Debug)]
pub struct InfisicalConfig {
    /// Project id to its tenant and its slug.
    pub projects: BTreeMap<String, InfisicalProject>,
}

/// Keyfactor Command CSR generation.
#[derive(Clone, Debug)]
pub struct KeyfactorConfig {
    /// Names of the tenants that it serves.
    pub tenants: Vec<String>,
    /// `Template` to the name of an issuing template.
    pub templates: BTreeMap<String, String>,
    /// `EnrollmentPatternId` to the name of an issuing template.
    pub enrollment_patterns: BTreeMap<i32, String>,
}

impl FacadesConfig {
    pub(super) fn from_spec(spec: FacadesSpec) -> Result<Self, String> {
        Ok(Self {
            cloudflare: CloudflareConfig::from_spec(spec.cloudflare)?,
            infisical: InfisicalConfig::from_spec(spec.infisical)?,
            keyfactor: KeyfactorConfig::from_spec(spec.keyfactor)?,
        })
    }
}

impl CloudflareConfig {
    fn from_spec(spec: CloudflareSpec) -> Result<Option<Self>, String> {
        if !spec.enabled {
            return Ok(None);
        }
        if spec.accounts.is_empty() && spec.zones.is_empty() {
            return Err("`facades.cloudflare`: needs an entry in `accounts` or `zones`, such as \
                        accounts = { \"023e105f4ecef8ad9ca31a8372d0c353\" = \"default\" }"
                .to_owned());
        }
        let mut tenants = BTreeSet::new();
        for (id, tenant) in spec.accounts.iter().chain(&spec.zones) {
            if id.is_empty()
                || id.len() > 36
                || !id.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
            {
                return Err(format!(
                    "`facades.cloudflare`: `{id}` is not an identifier of 1 to 36 letters, digits and `-`"
                ));
            }
            if !tenants.insert(tenant) {
                return Err(format!(
                    "`facades.cloudflare`: tenant `{tenant}` is given to two identifiers; an account and its zones \
                     are collections of their own, so each needs a tenant of its own"
                ));
            }
        }
        let CloudflareSpec { enabled: _, accounts, zones, public_suffix_rules } = spec;
        Ok(Some(Self { accounts, zones, public_suffix_rules }))
    }
}

impl InfisicalConfig {
    fn from_spec(spec: InfisicalSpec) -> Result<Option<Self>, String> {
        if !spec.enabled {
            return Ok(None);
        }
        if spec.projects.is_empty() {
            return Err("`facades.infisical`: needs an entry in `projects`, such as \
                        \"7c1e0c9e-6f0b-4d3f-9a55-0f2f4c1f9b11\" = { tenant = \"default\", slug = \"pki\" }"
                .to_owned());
        }
        let plain = |text: &str| {
            (1..=64).contains(&text.len())
                && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte))
        };
        let (mut tenants, mut slugs) = (BTreeSet::new(), BTreeSet::new());
        for (id, project) in &spec.projects {
            for text in [id, &project.slug] {
                if !plain(text) {
                    return Err(format!(
                        "`facades.infisical.projects`: `{text}` is not 1 to 64 letters, digits, `-` and `_`"
                    ));
                }
            }
            if !tenants.insert(&project.tenant) {
                return Err(format!(
                    "`facades.infisical.projects`: tenant `{}` is given to two projects; each needs its own",
                    project.tenant
                ));
            }
            if !slugs.insert(&project.slug) {
                return Err(format!(
                    "`facades.infisical.projects`: two projects have the slug `{}`",
                    project.slug
                ));
            }
        }
        Ok(Some(Self { projects: spec.projects }))
    }
}

impl KeyfactorConfig {
    fn from_spec(spec: KeyfactorSpec) -> Result<Option<Self>, String> {
        if !spec.enabled {
            return Ok(None);
        }
        if spec.tenants.is_empty() {
            return Err("`facades.keyfactor`: needs `tenants`, such as tenants = [\"default\"]".to_owned());
        }
        let mut enrollment_patterns = BTreeMap::new();
        for (id, template) in spec.enrollment_patterns {
            let number = id.parse().map_err(|_| {
                format!("`facades.keyfactor.enrollment_patterns`: `{id}` is not a whole number of 32 bits")
            })?;
            enrollment_patterns.insert(number, template);
        }
        Ok(Some(Self { tenants: spec.tenants, templates: spec.templates, enrollment_patterns }))
    }
}
