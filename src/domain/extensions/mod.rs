//! The certificate extensions that a CSR may ask for, besides the alternative names.

/// Types that are written, and stored, as the text of their `Display` and read by their `FromStr`.
macro_rules! serialised_as_text {
    ($type:ty) => {
        impl serde::Serialize for $type {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_str(self)
            }
        }

        impl<'de> serde::Deserialize<'de> for $type {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let text = <std::borrow::Cow<'_, str> as serde::Deserialize>::deserialize(deserializer)?;
                text.parse().map_err(serde::de::Error::custom)
            }
        }
    };
}

mod certificate_policies;
mod extended_key_usage;
mod key_usage;
mod microsoft;
mod name;
mod name_constraints;
mod oid_text;
mod other;
mod subject_key_identifier;
#[cfg(test)]
pub(super) mod tests;
mod tls_feature;

use std::fmt;

use serde::{Deserialize, Serialize};

use super::algorithm::KeyFamily;
use super::invalid::Invalid;
use super::text::hidden_problem;
pub use certificate_policies::CertificatePolicy;
pub use extended_key_usage::{ExtendedKeyUsage, NotAPurpose};
pub use key_usage::{KeyUsageBit, NotAKeyUsage, Unfit};
pub use microsoft::MicrosoftTemplate;
pub use name::ExtensionName;
pub use name_constraints::{NameConstraints, Subtree};
pub use other::OtherExtension;
pub use subject_key_identifier::SubjectKeyIdentifier;
pub use tls_feature::{NotATlsFeature, TlsFeature};

/// What the certificate shall allow and say. Empty means that nothing is asked for: then the CSR has
/// no such extension, and the CA decides.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Extensions {
    /// KeyUsage; critical.
    pub key_usage: Vec<KeyUsageBit>,
    /// ExtendedKeyUsage; not critical.
    pub extended_key_usage: Vec<ExtendedKeyUsage>,
    /// BasicConstraints (RFC 5280 section 4.2.1.9); critical.
    pub basic_constraints: Option<BasicConstraints>,
    /// CertificatePolicies; not critical.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub certificate_policies: Vec<CertificatePolicy>,
    /// NameConstraints; critical.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name_constraints: Option<NameConstraints>,
    /// SubjectKeyIdentifier; not critical.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub subject_key_identifier: Option<SubjectKeyIdentifier>,
    /// TLS feature; not critical.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub tls_features: Vec<TlsFeature>,
    /// Microsoft's certificate template name, for templates of version 1; not critical.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub microsoft_template_name: Option<String>,
    /// Microsoft's certificate template information, for later versions; not critical.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub microsoft_template: Option<MicrosoftTemplate>,
    /// Any other.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub other: Vec<OtherExtension>,
}

/// Whether the key may be a CA's.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BasicConstraints {
    /// cA
    pub ca: bool,
    /// pathLenConstraint: how many CAs may stand below this one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub path_length: Option<u8>,
}

impl Extensions {
    /// Every rule that is broken; none when the extensions are good.
    pub fn problems(&self) -> Vec<Invalid> {
        let mut problems = self.usage_problems();
        problems.extend(certificate_policies::problems(&self.certificate_policies));
        problems.extend(
            self.name_constraints
                .as_ref()
                .into_iter()
                .flat_map(|constraints| constraints.problems(self.is_ca())),
        );
        problems.extend(self.subject_key_identifier.as_ref().and_then(SubjectKeyIdentifier::problem));
        problems.extend(duplicates("extensions.tls_features", &self.tls_features));
        problems.extend(self.microsoft_template_name.as_deref().and_then(microsoft::name_problem));
        problems.extend(self.microsoft_template.as_ref().and_then(MicrosoftTemplate::problem));
        problems.extend(other::problems(&self.other));
        problems
    }

    /// Every usage that no key of the family can have; none when the key fits.
    pub fn problems_with(&self, family: KeyFamily) -> Vec<Invalid> {
        let unfit = self.key_usage.iter().enumerate().filter_map(|(at, bit)| {
            let Unfit { key, rule } = bit.unfit_for(family)?;
            let reason = format!("{key} cannot be used for {bit} ({rule}); leave it out");
            Some(Invalid::new(format!("extensions.key_usage[{at}]"), reason))
        });
        unfit.collect()
    }

    fn usage_problems(&self) -> Vec<Invalid> {
        let has = |bit| self.key_usage.contains(&bit);
        let mut problems = duplicates("extensions.key_usage", &self.key_usage);
        problems.extend(duplicates("extensions.extended_key_usage", &self.extended_key_usage));
        if has(KeyUsageBit::KeyCertSign) && !self.is_ca() {
            let reason = "keyCertSign needs basic_constraints with ca = true (RFC 5280 section 4.2.1.9)";
            problems.push(Invalid::new("extensions.key_usage", reason));
        }
        let only = has(KeyUsageBit::EncipherOnly) || has(KeyUsageBit::DecipherOnly);
        if only && !has(KeyUsageBit::KeyAgreement) {
            let reason = "encipherOnly and decipherOnly need keyAgreement (RFC 5280 section 4.2.1.3)";
            problems.push(Invalid::new("extensions.key_usage", reason));
        }
        if !self.is_ca()
            && self.basic_constraints.is_some_and(|constraints| constraints.path_length.is_some())
        {
            let reason = "a path length needs ca = true (RFC 5280 section 4.2.1.9)";
            problems.push(Invalid::new("extensions.basic_constraints.path_length", reason));
        }
        problems
    }

    fn is_ca(&self) -> bool {
        self.basic_constraints.is_some_and(|constraints| constraints.ca)
    }
}

/// One problem for each entry of the list that stands in it before.
pub(super) fn duplicates<T: PartialEq + fmt::Display>(field: &str, list: &[T]) -> Vec<Invalid> {
    let mut problems = Vec::new();
    for (at, item) in list.iter().enumerate() {
        if list.iter().take(at).any(|earlier| earlier == item) {
            problems.push(Invalid::new(format!("{field}[{at}]"), format!("{item} is there twice")));
        }
    }
    problems
}

/// The rule that a text of 1 to `max` characters breaks; the text itself is not told.
pub(super) fn text_problem(text: &str, max: usize) -> Option<String> {
    let length = text.chars().count();
    if length == 0 {
        return Some("is empty".into());
    }
    if let Some(control) = text.chars().find(|c| c.is_control()) {
        return Some(format!("has the control character U+{:04X}", u32::from(control)));
    }
    if length > max {
        return Some(format!("has {length} characters; at most {max} are allowed"));
    }
    hidden_problem(text)
}
