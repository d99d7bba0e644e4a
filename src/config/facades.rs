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
    /// Venafi, both generations.
    pub venafi: VenafiSpec,
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

/// `[facades.venafi]`
#[derive(Debug, Default, Deserialize, PartialEq)]
#[serde(deny_unknown_fields, default)]
pub struct VenafiSpec {
    /// Whether it is served.
    pub enabled: bool,
    /// What `application\alias` leads to.
    pub applications: Vec<VenafiApplication>,
    /// What a zone's tag leads to, for the older clients.
    pub zones: Vec<VenafiZone>,
}

/// An application of the vendor's.
#[derive(Clone, Debug, Deserialize, PartialEq)]
#[serde(deny_unknown_fields)]
pub struct VenafiApplication {
    /// Its name.
    pub name: String,
    /// Name of the tenant whose requests are its own.
    pub tenant: String,
    /// Alias to the name of an issuing template.
    pub templates: BTreeMap<String, String>,
}

/// A zone of the vendor's older product.
#[derive(Clone, Debug, Deserialize, PartialEq)]
#[serde(deny_unknown_fields)]
pub struct VenafiZone {
    /// What clients call it.
    pub tag: String,
    /// Name of the tenant whose requests are its own.
    pub tenant: String,
    /// Name of its issuing template.
    pub template: String,
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
    /// Venafi, both generations.
    pub venafi: Option<VenafiConfig>,
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

/// Venafi, both generations.
#[derive(Clone, Debug)]
pub struct VenafiConfig {
    /// What `application\alias` leads to.
    pub applications: Vec<VenafiApplication>,
    /// What a zone's tag leads to.
    pub zones: Vec<VenafiZone>,
}

impl FacadesConfig {
    pub(super) fn from_spec(spec: FacadesSpec) -> Result<Self, String> {
        Ok(Self {
            cloudflare: CloudflareConfig::from_spec(spec.cloudflare)?,
            infisical: InfisicalConfig::from_spec(spec.infisical)?,
            keyfactor: KeyfactorConfig::from_spec(spec.keyfactor)?,
            venafi: VenafiConfig::from_spec(spec.venafi)?,
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
        let mut tenants = BTreeSet::new();
        if let Some(twice) = spec.tenants.iter().find(|tenant| !tenants.insert(*tenant)) {
            return Err(format!("`facades.keyfactor.tenants`: `{twice}` stands there twice"));
        }
        let mut enrollment_patterns = BTreeMap::new();
        for (id, template) in spec.enrollment_patterns {
            // Generated clients send 0 for an id that was not set.
            let number = id.parse().ok().filter(|number| *number > 0);
            let number = number.ok_or_else(|| {
                format!(
                    "`facades.keyfactor.enrollment_patterns`: `{id}` is not a number from 1 to {}",
                    i32::MAX
                )
            })?;
            if enrollment_patterns.insert(number, template).is_some() {
                return Err(format!("`facades.keyfactor.enrollment_patterns`: {number} stands there twice"));
            }
        }
        Ok(Some(Self { tenants: spec.tenants, templates: spec.templates, enrollment_patterns }))
    }
}

impl VenafiConfig {
    fn from_spec(spec: VenafiSpec) -> Result<Option<Self>, String> {
        if !spec.enabled {
            return Ok(None);
        }
        if spec.applications.is_empty() && spec.zones.is_empty() {
            return Err("`facades.venafi`: needs an entry in `applications` or `zones`, such as \
                        applications = [{ name = \"Shop\", tenant = \"default\", templates = { Default = \"web-server\" } }]"
                .to_owned());
        }
        let mut known = BTreeSet::new();
        for VenafiApplication { name, tenant, templates } in &spec.applications {
            must_fit_a_path("applications", name)?;
            if !known.insert((tenant, name)) {
                return Err(format!(
                    "`facades.venafi.applications`: `{name}` stands there twice for tenant `{tenant}`"
                ));
            }
            if templates.is_empty() {
                return Err(format!(
                    "`facades.venafi.applications`: `{name}` needs `templates`, such as {{ Default = \"web-server\" }}"
                ));
            }
            templates.keys().try_for_each(|alias| must_fit_a_path("applications.templates", alias))?;
        }
        known.clear();
        for VenafiZone { tag, tenant, .. } in &spec.zones {
            must_fit_a_path("zones", tag)?;
            if !known.insert((tenant, tag)) {
                return Err(format!(
                    "`facades.venafi.zones`: `{tag}` stands there twice for tenant `{tenant}`"
                ));
            }
        }
        let VenafiSpec { enabled: _, applications, zones } = spec;
        Ok(Some(Self { applications, zones }))
    }
}

/// Clients put it into paths, with `/` as it is, and split `application\alias`.
fn must_fit_a_path(field: &str, name: &str) -> Result<(), String> {
    if name.is_empty() || name.chars().any(|c| "/\\".contains(c) || c.is_control()) {
        return Err(format!(
            "`facades.venafi.{field}`: `{name}` must have at least a character, and no / or \\"
        ));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cloudflare(text: &str) -> Result<Option<CloudflareConfig>, String> {
        CloudflareConfig::from_spec(toml::from_str(text).map_err(|error| error.to_string())?)
    }

    #[test]
    fn cloudflare_is_off_unless_it_is_switched_on() {
        assert!(cloudflare("").unwrap().is_none());
        assert!(cloudflare("accounts = { a = \"lab\" }").unwrap().is_none());
        let on = cloudflare("enabled = true\naccounts = { a1 = \"lab\" }\nzones = { b-2 = \"other\" }")
            .unwrap()
            .unwrap();
        assert_eq!((on.accounts["a1"].as_str(), on.zones["b-2"].as_str()), ("lab", "other"));
        assert!(!on.public_suffix_rules);
    }

    #[test]
    fn wrong_sections_for_cloudflare_are_told_what_is_wrong() {
        for (text, expected) in [
            ("enabled = true", "needs an entry in `accounts` or `zones`"),
            ("enabled = true\naccounts = { \"a/b\" = \"lab\" }", "`a/b` is not an identifier"),
            ("enabled = true\naccounts = { \"\" = \"lab\" }", "`` is not an identifier"),
            ("enabled = true\nzones = { 0123456789012345678901234567890123456 = \"lab\" }", "1 to 36"),
            ("enabled = true\naccounts = { a = \"lab\" }\nzones = { b = \"lab\" }", "`lab` is given to two"),
            ("enabledd = true", "unknown field `enabledd`"),
        ] {
            let error = cloudflare(text).unwrap_err();
            assert!(error.contains(expected), "{text}\n{error}");
        }
    }

    fn keyfactor(text: &str) -> Result<Option<KeyfactorConfig>, String> {
        let spec: FacadesSpec = toml::from_str(text).map_err(|error| error.to_string())?;
        FacadesConfig::from_spec(spec).map(|config| config.keyfactor)
    }

    #[test]
    fn keyfactor_is_off_unless_it_is_switched_on() {
        assert!(keyfactor("").unwrap().is_none());
        assert!(keyfactor("[keyfactor]\ntenants = [\"a\"]").unwrap().is_none());
        let on = "[keyfactor]\nenabled = true\ntenants = [\"a\", \"b\"]\n[keyfactor.templates]\n\"Web Server\" = \"web\"\n\
                  [keyfactor.enrollment_patterns]\n7 = \"web\"\n";
        let config = keyfactor(on).unwrap().unwrap();
        assert_eq!(config.tenants, ["a", "b"]);
        assert_eq!(
            (config.templates["Web Server"].as_str(), config.enrollment_patterns[&7].as_str()),
            ("web", "web")
        );
    }

    #[test]
    fn what_is_wrong_with_keyfactor_is_told() {
        let on = "[keyfactor]\nenabled = true\ntenants = [\"a\"]\n";
        for (text, told) in [
            ("[keyfactor]\nenabled = true\n".to_owned(), "needs `tenants`"),
            (on.replace("[\"a\"]", "[\"a\", \"a\"]"), "`a` stands there twice"),
            (format!("{on}[keyfactor.enrollment_patterns]\nx = \"web\"\n"), "`x` is not a number from 1"),
            (format!("{on}[keyfactor.enrollment_patterns]\n0 = \"web\"\n"), "`0` is not a number from 1"),
            (format!("{on}[keyfactor.enrollment_patterns]\n7 = \"a\"\n07 = \"b\"\n"), "7 stands there twice"),
            (format!("{on}template = 1\n"), "unknown field `template`"),
        ] {
            let error = keyfactor(&text).unwrap_err();
            assert!(error.contains(told), "{text}: {error}");
        }
    }
}

#[cfg(test)]
mod venafi_tests {
    use super::*;

    const ON: &str = "[venafi]\nenabled = true\n";
    const SHOP: &str = "{ name = \"Shop\", tenant = \"lab\", templates = { Default = \"web\" } }";
    const ZONE: &str = "{ tag = \"web\", tenant = \"lab\", template = \"web\" }";

    fn venafi(text: &str) -> Result<Option<VenafiConfig>, String> {
        let spec: FacadesSpec = toml::from_str(text).map_err(|error| error.to_string())?;
        FacadesConfig::from_spec(spec).map(|config| config.venafi)
    }

    #[test]
    fn venafi_is_off_unless_it_is_switched_on() {
        assert!(venafi("").unwrap().is_none());
        assert!(venafi(&format!("[venafi]\nzones = [{ZONE}]")).unwrap().is_none());
        let config = venafi(&format!("{ON}applications = [{SHOP}]\nzones = [{ZONE}]\n")).unwrap().unwrap();
        assert_eq!(config.applications[0].templates["Default"], "web");
        assert_eq!(config.zones[0].tag, "web");
    }

    #[test]
    fn what_is_wrong_with_venafi_is_told() {
        for (text, told) in [
            (ON.to_owned(), "needs an entry in `applications` or `zones`"),
            (format!("{ON}applications = [{SHOP}, {SHOP}]"), "`Shop` stands there twice for tenant `lab`"),
            (format!("{ON}zones = [{ZONE}, {ZONE}]"), "`web` stands there twice for tenant `lab`"),
            (
                format!("{ON}applications = [{}]", SHOP.replace("Default = \"web\"", "")),
                "`Shop` needs `templates`",
            ),
            (format!("{ON}applications = [{}]", SHOP.replace("Shop", "a/b")), "`a/b` must have"),
            (format!("{ON}applications = [{}]", SHOP.replace("Default", "\"\"")), "`` must have"),
            (format!("{ON}zones = [{}]", ZONE.replace("tag", "name")), "unknown field `name`"),
        ] {
            let error = venafi(&text).unwrap_err();
            assert!(error.contains(told), "{text}: {error}");
        }
    }
}
