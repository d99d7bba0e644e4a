//! What a template may say, part by part. The fields are those of its file.

use std::collections::BTreeMap;
use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::super::algorithm::{KeyKind, Scheme};
use super::super::extensions::{ExtensionName, Extensions, Subtree};
use super::super::invalid::Invalid;
use super::super::name::AttributeKind;
use super::super::san::{DnsName, SanKind};
use super::Pattern;

/// Whether something may be asked for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Permission {
    /// It may.
    Allowed,
    /// It may not.
    #[default]
    Refused,
}

/// Whether something may be, or has to be, there.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Presence {
    /// It has to be there.
    Required,
    /// It may be there.
    Allowed,
    /// It may not be there.
    #[default]
    Refused,
}

/// A request waits for somebody else than the one who made it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Approval {
    /// Names of the principals who may approve; empty: everyone with the permission to approve.
    pub by: Vec<String>,
    /// Seconds after which a request that was not approved is rejected.
    pub expires_after: u32,
}

/// The rules for the subject.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct SubjectRules {
    /// Whether attribute types may be there that have no rules.
    pub unlisted: Permission,
    /// The rules for an attribute type.
    #[serde(flatten)]
    pub types: BTreeMap<AttributeKind, AttributeRules>,
}

/// The rules for the values of one attribute type of the subject.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct AttributeRules {
    /// There has to be one.
    pub required: bool,
    /// The only value; put in when there is none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fixed: Option<String>,
    /// Put in when there is none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub default: Option<String>,
    /// Each value matches one of them; empty: every value will do.
    pub patterns: Vec<Pattern>,
    /// How many values there may be; 0 refuses the type.
    pub max: usize,
    /// Each value is one of the alternative names as well (CA/Browser Forum's TLS Baseline
    /// Requirements, section 7.1.4.3, of the common name).
    pub in_sans: bool,
}

impl Default for AttributeRules {
    /// One value, any.
    fn default() -> Self {
        Self { required: false, fixed: None, default: None, patterns: Vec::new(), max: 1, in_sans: false }
    }
}

/// The rules for the alternative names.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct SanRules {
    /// How many there have to be, of all kinds together.
    pub min: usize,
    /// How many there may be, of all kinds together.
    pub max: usize,
    /// The kinds that are allowed.
    #[serde(flatten)]
    pub kinds: BTreeMap<SanKind, SanKindRules>,
}

/// The rules for alternative names of one kind. A name matches one of `patterns`, `domains` or
/// `networks`; when all are empty, every name will do.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct SanKindRules {
    /// There has to be one.
    pub required: bool,
    /// How many there may be; as many as there may be in all when absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max: Option<usize>,
    /// What the value without its kind may be, as [`San::value`](super::super::san::San::value)
    /// gives it.
    pub patterns: Vec<Pattern>,
    /// DNS and email: the domains that the name may be in.
    pub domains: Vec<Domain>,
    /// IP: the networks that the address may be in.
    pub networks: Vec<Network>,
}

/// Host names that are allowed, without a pattern.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Domain {
    /// The domain, in any script; in ASCII once read.
    #[serde(deserialize_with = "domain_name")]
    pub name: String,
    /// The domain itself.
    #[serde(default = "yes")]
    pub exact: bool,
    /// Every name below it.
    #[serde(default)]
    pub subdomains: bool,
    /// A wildcard in place of what is allowed: of `name`, and below it where `subdomains` is true.
    #[serde(default)]
    pub wildcards: bool,
}

impl Domain {
    /// Whether a host name, in ASCII and lower case, is allowed.
    pub fn has(&self, host: &str) -> bool {
        let (is_wildcard, parent) = host.strip_prefix("*.").map_or((false, host), |parent| (true, parent));
        let is_below = || parent.strip_suffix(&self.name).is_some_and(|labels| labels.ends_with('.'));
        match (is_wildcard, parent == self.name) {
            (false, true) => self.exact,
            (false, false) => self.subdomains && is_below(),
            (true, true) => self.wildcards,
            (true, false) => self.wildcards && self.subdomains && is_below(),
        }
    }
}

impl fmt::Display for Domain {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let forms = [
            (self.exact, self.name.clone()),
            (self.subdomains, format!("names below {}", self.name)),
            (self.wildcards, format!("*.{}", self.name)),
        ];
        let allowed: Vec<String> =
            forms.into_iter().filter(|(allowed, _)| *allowed).map(|(_, form)| form).collect();
        f.write_str(&allowed.join(", "))
    }
}

fn yes() -> bool {
    true
}

fn domain_name<'de, D: Deserializer<'de>>(deserializer: D) -> Result<String, D::Error> {
    let text = String::deserialize(deserializer)?;
    let name: DnsName = text.parse().map_err(|invalid: Invalid| {
        serde::de::Error::custom(format!("`{text}` is no domain: {}", invalid.reason))
    })?;
    if name.as_str().starts_with("*.") {
        let reason = format!("`{text}`: write the domain without `*.`, and `wildcards = true`");
        return Err(serde::de::Error::custom(reason));
    }
    Ok(name.as_str().to_owned())
}

/// Addresses with the same first bits. Written, and serialised, as `192.0.2.0/24`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Network(Subtree);

impl Network {
    /// Whether the address is in it.
    pub fn has(&self, address: IpAddr) -> bool {
        self.0.has_address(address)
    }
}

impl FromStr for Network {
    type Err = Invalid;

    fn from_str(text: &str) -> Result<Self, Invalid> {
        format!("IP:{text}").parse().map(Self)
    }
}

impl fmt::Display for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0.to_string().trim_start_matches("IP:"))
    }
}

impl Serialize for Network {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Network {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse()
            .map_err(|invalid: Invalid| serde::de::Error::custom(format!("`{text}` {}", invalid.reason)))
    }
}

/// The rules for the key.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct KeyRules {
    /// The kinds that are allowed, at least one.
    pub kinds: Vec<KeyKind>,
    /// The kind of a key when the request names none.
    pub default: KeyKind,
    /// The schemes that are allowed, at least one for each kind; the first that fits is the default.
    pub schemes: Vec<Scheme>,
    /// Whether a CSR may be for a key that is there: a renewal with the same key.
    pub reuse: Permission,
}

/// The rules for the extensions besides the alternative names. What is neither set nor allowed is
/// refused.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ExtensionRules {
    /// Those that the request may have as it likes.
    pub allowed: Vec<ExtensionName>,
    /// Those that it may not have although `unlisted` are allowed.
    pub refused: Vec<ExtensionName>,
    /// Whether it may have those that are not named here.
    pub unlisted: Permission,
    /// In every CSR, with this value.
    pub set: Extensions,
}

impl ExtensionRules {
    /// Whether a request may have the extension as it likes.
    pub fn allows(&self, name: ExtensionName) -> bool {
        self.allowed.contains(&name)
            || (self.unlisted == Permission::Allowed && !self.refused.contains(&name))
    }
}

/// The rules for the attributes of a CSR.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Attributes {
    /// challengePassword
    pub challenge_password: Presence,
    /// unstructuredName
    pub unstructured_name: Presence,
}

/// How many days a certificate shall be valid. A CSR cannot say it; a built-in authority and the
/// windows of renewal go by it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Validity {
    /// When the request says nothing; none leaves it to the authority.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub default: Option<u32>,
    /// At least so many.
    pub min: u32,
    /// At most so many.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max: Option<u32>,
}

impl Default for Validity {
    /// Whatever the request or the authority says.
    fn default() -> Self {
        Self { default: None, min: 1, max: None }
    }
}
