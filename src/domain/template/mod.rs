//! Issuing templates: what a signing request may ask for, what it gets without asking, and whether
//! somebody has to approve it.
//!
//! A template is a TOML file, read by [`Template::from_toml`]: a rule that cannot be followed, or that
//! contradicts another, is refused there, so that [`evaluate`](super::policy::evaluate) meets none.
//! Every list of what is allowed is complete: what it does not name is refused.

mod collection;
mod contradictions;
mod pattern;
mod rules;
mod spec;
#[cfg(test)]
pub(super) mod tests;

use serde::Serialize;

pub use collection::Templates;
pub use pattern::{MAX_PATTERN_BYTES, Pattern};
pub use rules::{
    Approval, AttributeRules, Attributes, Domain, ExtensionRules, KeyRules, Network, Permission, Presence,
    SanKindRules, SanRules, SubjectRules, Validity,
};
pub use spec::TemplateError;

/// An issuing template, free of contradictions.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Template {
    /// What requests call it: letters, digits, `-`, `_` and `.`, up to 64.
    pub name: String,
    /// SHA-256 of the text of its file.
    #[serde(skip)]
    pub sha256: [u8; 32],
    /// What it is for, for people.
    pub description: String,
    /// The tenant that it belongs to; every tenant may use one that has none.
    pub tenant: Option<String>,
    /// The token on which keys are made; none leaves the choice to the request.
    pub token: Option<String>,
    /// The authority that is to issue.
    pub authority: Option<String>,
    /// Who has to approve a request before a key is made; none: nobody.
    pub approval: Option<Approval>,
    /// The subject.
    pub subject: SubjectRules,
    /// The alternative names.
    pub sans: SanRules,
    /// The key.
    pub keys: KeyRules,
    /// The other extensions.
    pub extensions: ExtensionRules,
    /// Attributes of the CSR.
    pub attributes: Attributes,
    /// How long a certificate shall be valid.
    pub validity: Validity,
}
