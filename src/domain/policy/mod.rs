//! What a request gets under an issuing template: a pure function from a template and a wish to what
//! is made, or to every rule that the wish breaks.
//!
//! First what the template gives is put in: fixed values and defaults of the subject, extensions that
//! are set, key kind, scheme, token, validity. Then the whole is checked. What comes out, wished for
//! again, comes out the same.

mod extensions;
mod key;
mod sans;
mod subject;
#[cfg(test)]
mod tests;

use std::fmt;

use super::algorithm::{Digest, KeyKind, Padding, Scheme};
use super::csr::CsrSpec;
use super::invalid::Invalid;
use super::template::{Approval, Presence, Template, Validity};

/// What is wished for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Wish {
    /// What the CSR shall say; not validated before, since the template may complete it.
    pub spec: CsrSpec,
    /// Whose key.
    pub key: KeyChoice,
    /// The digest under the signature.
    pub digest: Option<Digest>,
    /// The padding under an RSA signature.
    pub padding: Option<Padding>,
    /// How many days the certificate shall be valid.
    pub validity_days: Option<u32>,
}

/// Whose key a CSR is for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum KeyChoice {
    /// A key made for it.
    New {
        /// Of which kind; the template's default when absent.
        kind: Option<KeyKind>,
        /// On which token.
        token: Option<String>,
    },
    /// A key that is there: a renewal with the same key.
    Existing {
        /// Its kind.
        kind: KeyKind,
        /// The token that it is on.
        token: String,
    },
    /// A client's, who brings his CSR.
    Client {
        /// Its kind.
        kind: KeyKind,
        /// Whether he brought a CSR for it before.
        reused: bool,
    },
}

impl Default for KeyChoice {
    fn default() -> Self {
        Self::New { kind: None, token: None }
    }
}

/// What a wish gets.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Effective {
    /// What the CSR says; valid.
    pub spec: CsrSpec,
    /// Kind of the key.
    pub kind: KeyKind,
    /// How the CSR is signed.
    pub scheme: Scheme,
    /// The token; none: that of the configuration.
    pub token: Option<String>,
    /// How many days the certificate shall be valid, where wish or template say.
    pub validity_days: Option<u32>,
    /// Who has to approve it first.
    pub approval: Option<Approval>,
}

/// A rule of the template that the wish breaks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BrokenRule {
    /// Stable name, such as `subject.o.fixed` or `san.count`; docs/templates.md has them all.
    pub rule: String,
    /// Path of the field in the wish, as in [`Invalid`].
    pub field: String,
    /// What was asked for, what is allowed, and what to do.
    pub message: String,
}

impl BrokenRule {
    fn new(rule: impl Into<String>, field: impl Into<String>, message: impl Into<String>) -> Self {
        Self { rule: rule.into(), field: field.into(), message: message.into() }
    }
}

impl fmt::Display for BrokenRule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}: {}", self.rule, self.field, self.message)
    }
}

/// What the wish gets under the template.
///
/// # Errors
/// Every rule that it breaks.
pub fn evaluate(template: &Template, wish: Wish) -> Result<Effective, Vec<BrokenRule>> {
    let mut broken = Vec::new();
    let Wish { mut spec, key, digest, padding, validity_days } = wish;
    spec.subject = subject::completed(&template.subject, spec.subject, &mut broken);
    subject::check(&template.subject, &spec.subject, &spec.sans, &mut broken);
    sans::check(&template.sans, &spec.sans, &mut broken);
    spec.extensions = extensions::merged(&template.extensions, spec.extensions, &mut broken);
    attributes(template, &spec, &mut broken);
    let (kind, token) = key::chosen(template, key, &mut broken);
    let scheme = key::scheme(&template.keys, kind, digest, padding, &mut broken);
    let validity_days = validity(&template.validity, validity_days, &mut broken);
    // What no rule of the template spoke of, but no CSR may say.
    let mut invalid = spec.validate().err().unwrap_or_default();
    // Of a kind that is not allowed that is told, and no more.
    if template.keys.kinds.contains(&kind) {
        invalid.extend(spec.validate_for(kind).err().into_iter().flatten());
    }
    for Invalid { field, reason, .. } in invalid {
        broken.push(BrokenRule::new("csr.invalid", field, reason));
    }
    match scheme {
        Some(scheme) if broken.is_empty() => {
            let approval = template.approval.clone();
            Ok(Effective { spec, kind, scheme, token, validity_days, approval })
        }
        _ => Err(broken),
    }
}

/// The values are not told: one of them is a secret.
fn attributes(template: &Template, spec: &CsrSpec, broken: &mut Vec<BrokenRule>) {
    let rules = &template.attributes;
    for (rule, field, presence, is_there) in [
        (
            "challenge-password",
            "challenge_password",
            rules.challenge_password,
            spec.challenge_password.is_some(),
        ),
        ("unstructured-name", "unstructured_name", rules.unstructured_name, spec.unstructured_name.is_some()),
    ] {
        match (presence, is_there) {
            (Presence::Required, false) => {
                let message = "is missing, and the template requires it; give one";
                broken.push(BrokenRule::new(format!("{rule}.required"), field, message));
            }
            (Presence::Refused, true) => {
                let message = "is there, and the template refuses it; leave it out";
                broken.push(BrokenRule::new(format!("{rule}.refused"), field, message));
            }
            _ => {}
        }
    }
}

fn validity(rules: &Validity, asked: Option<u32>, broken: &mut Vec<BrokenRule>) -> Option<u32> {
    const FIELD: &str = "validity_days";
    let days = asked.or(rules.default)?;
    if days < rules.min {
        let message = format!("{days} days are asked for; at least {} are allowed", rules.min);
        broken.push(BrokenRule::new("validity.too-short", FIELD, message));
    }
    if let Some(max) = rules.max.filter(|max| days > *max) {
        let message = format!("{days} days are asked for; at most {max} are allowed");
        broken.push(BrokenRule::new("validity.too-long", FIELD, message));
    }
    Some(days)
}

/// A list for people; `none` when it is empty.
fn listed<T: fmt::Display>(items: impl IntoIterator<Item = T>) -> String {
    let items: Vec<String> = items.into_iter().map(|item| item.to_string()).collect();
    if items.is_empty() { "none".to_owned() } else { items.join(", ") }
}
