//! A template as written.

use std::collections::BTreeMap;
use std::fmt;

use serde::de::{DeserializeSeed, Error as _, MapAccess, Visitor};
use serde::{Deserialize, Deserializer};
use sha2::{Digest as _, Sha256};

use super::super::algorithm::{KeyKind, Scheme};
use super::super::invalid::Invalid;
use super::super::name::AttributeKind;
use super::super::san::{MAX_SANS, SanKind};
use super::Template;
use super::contradictions::contradictions;
use super::rules::{
    Approval, AttributeRules, Attributes, ExtensionRules, KeyRules, Permission, SanKindRules, SanRules,
    SubjectRules, Validity,
};

/// Seconds in which a request is approved or rejected: whoever is asked today may look tomorrow.
const APPROVAL_EXPIRES_AFTER: u32 = 24 * 60 * 60;

/// The only version there is.
const VERSION: i64 = 1;

impl Template {
    /// A template from the text of its file.
    ///
    /// # Errors
    /// Text that is not TOML, another version, an unknown or missing field or a bad value (with its
    /// line), or rules that contradict each other (every one, with its field).
    pub fn from_toml(text: &str) -> Result<Self, TemplateError> {
        // The version first: of another one, unknown fields are no news.
        let VersionSpec { version } = toml::from_str(text)?;
        if version != VERSION {
            return Err(TemplateError::Version(version));
        }
        let spec: TemplateSpec = toml::from_str(text)?;
        let template = spec.resolved(Sha256::digest(text.as_bytes()).into())?;
        let found = contradictions(&template);
        if found.is_empty() { Ok(template) } else { Err(TemplateError::Contradictions(found)) }
    }
}

/// Why a template cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum TemplateError {
    /// The text is not TOML, or not a template.
    #[error("{0}")]
    Syntax(#[from] toml::de::Error),
    /// A version that this program does not read.
    #[error("version = {0}: this version of strongroom reads templates of version = {VERSION}")]
    Version(i64),
    /// Rules that no request could follow.
    #[error("{}", listed(.0))]
    Contradictions(Vec<Invalid>),
}

fn listed(contradictions: &[Invalid]) -> String {
    contradictions.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n")
}

#[derive(Deserialize)]
struct VersionSpec {
    version: i64,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct TemplateSpec {
    #[serde(rename = "version")]
    _version: i64,
    name: String,
    #[serde(default)]
    description: String,
    tenant: Option<String>,
    token: Option<String>,
    authority: Option<String>,
    #[serde(default)]
    approval: ApprovalSpec,
    #[serde(default)]
    subject: SubjectRules,
    #[serde(default)]
    sans: SansSpec,
    keys: KeysSpec,
    #[serde(default)]
    extensions: ExtensionRules,
    #[serde(default)]
    attributes: Attributes,
    #[serde(default)]
    validity: Validity,
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct ApprovalSpec {
    required: bool,
    by: Vec<String>,
    expires_after: Option<u32>,
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct SansSpec {
    min: usize,
    max: Option<usize>,
    #[serde(rename = "DNS")]
    dns: Option<SanKindRules>,
    #[serde(rename = "IP")]
    ip: Option<SanKindRules>,
    email: Option<SanKindRules>,
    #[serde(rename = "URI")]
    uri: Option<SanKindRules>,
    #[serde(rename = "UPN")]
    user_principal_name: Option<SanKindRules>,
    #[serde(rename = "RID")]
    registered_id: Option<SanKindRules>,
    #[serde(rename = "dirName")]
    directory_name: Option<SanKindRules>,
    #[serde(rename = "otherName")]
    other_name: Option<SanKindRules>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct KeysSpec {
    kinds: Vec<KeyKind>,
    default: Option<KeyKind>,
    schemes: Option<Vec<Scheme>>,
    #[serde(default)]
    reuse: Permission,
}

impl TemplateSpec {
    /// With the defaults filled in.
    fn resolved(self, sha256: [u8; 32]) -> Result<Template, TemplateError> {
        let contradiction = |invalid| TemplateError::Contradictions(vec![invalid]);
        Ok(Template {
            name: self.name,
            sha256,
            description: self.description,
            tenant: self.tenant,
            token: self.token,
            authority: self.authority,
            approval: self.approval.resolved().map_err(contradiction)?,
            subject: self.subject,
            sans: self.sans.resolved(),
            keys: self.keys.resolved().map_err(contradiction)?,
            extensions: self.extensions,
            attributes: self.attributes,
            validity: self.validity,
        })
    }
}

impl ApprovalSpec {
    fn resolved(self) -> Result<Option<Approval>, Invalid> {
        match self {
            Self { expires_after: Some(0), .. } => {
                Err(Invalid::new("approval.expires_after", "must be at least 1 second"))
            }
            Self { required: true, by, expires_after } => {
                Ok(Some(Approval { by, expires_after: expires_after.unwrap_or(APPROVAL_EXPIRES_AFTER) }))
            }
            Self { required: false, by, .. } if !by.is_empty() => {
                Err(Invalid::new("approval.by", "names who approves, but `required` is not true"))
            }
            Self { required: false, expires_after: Some(_), .. } => {
                let reason = "says how long an approval may take, but `required` is not true";
                Err(Invalid::new("approval.expires_after", reason))
            }
            Self { required: false, .. } => Ok(None),
        }
    }
}

impl SansSpec {
    fn resolved(self) -> SanRules {
        let kinds = [
            (SanKind::Dns, self.dns),
            (SanKind::Ip, self.ip),
            (SanKind::Email, self.email),
            (SanKind::Uri, self.uri),
            (SanKind::UserPrincipalName, self.user_principal_name),
            (SanKind::RegisteredId, self.registered_id),
            (SanKind::DirectoryName, self.directory_name),
            (SanKind::OtherName, self.other_name),
        ];
        SanRules {
            min: self.min,
            max: self.max.unwrap_or(MAX_SANS),
            kinds: kinds.into_iter().filter_map(|(kind, rules)| Some((kind, rules?))).collect(),
        }
    }
}

impl KeysSpec {
    fn resolved(self) -> Result<KeyRules, Invalid> {
        let Some(first) = self.kinds.first() else {
            return Err(Invalid::new("keys.kinds", "must name at least one key kind"));
        };
        let default = self.default.unwrap_or(*first);
        let schemes = self.schemes.unwrap_or_else(|| {
            let mut all: Vec<Scheme> = Vec::new();
            for scheme in self.kinds.iter().flat_map(|kind| kind.schemes()) {
                if !all.contains(&scheme) {
                    all.push(scheme);
                }
            }
            all
        });
        Ok(KeyRules { kinds: self.kinds, default, schemes, reuse: self.reuse })
    }
}

/// By hand: the field `unlisted` stands among the attribute types, a type has several names, of which
/// only one may be used, and what is wrong keeps its line.
impl<'de> Deserialize<'de> for SubjectRules {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(SubjectVisitor)
    }
}

struct SubjectVisitor;

impl<'de> Visitor<'de> for SubjectVisitor {
    type Value = SubjectRules;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("rules by attribute type")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<SubjectRules, A::Error> {
        let mut rules = SubjectRules::default();
        while let Some(key) = map.next_key_seed(SubjectKey { earlier: &rules.types })? {
            match key {
                None => rules.unlisted = map.next_value()?,
                Some(kind) => drop(rules.types.insert(kind, map.next_value()?)),
            }
        }
        Ok(rules)
    }
}

/// Reads an attribute type, or nothing for the field `unlisted`.
struct SubjectKey<'a> {
    earlier: &'a BTreeMap<AttributeKind, AttributeRules>,
}

impl<'de> DeserializeSeed<'de> for SubjectKey<'_> {
    type Value = Option<AttributeKind>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        let text = String::deserialize(deserializer)?;
        if text == "unlisted" {
            return Ok(None);
        }
        let kind: AttributeKind = text.parse().map_err(D::Error::custom)?;
        if self.earlier.contains_key(&kind) {
            return Err(D::Error::custom(format!("{kind} has rules under another of its names")));
        }
        Ok(Some(kind))
    }
}
