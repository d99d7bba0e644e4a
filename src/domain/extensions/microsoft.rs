//! The templates of Microsoft's CA ([MS-WCCE] sections 2.2.2.7.7.1 and 2.2.2.7.7.2): it issues by the
//! template that the CSR names.

use const_oid::ObjectIdentifier;
use serde::{Deserialize, Serialize};

use super::super::invalid::Invalid;
use super::{oid_text, text_problem};

/// The attribute cn of a template in the directory is no longer.
const MAX_NAME: usize = 64;

/// A template of version 2 or later.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MicrosoftTemplate {
    /// templateID
    #[serde(with = "oid_text")]
    pub oid: ObjectIdentifier,
    /// templateMajorVersion
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub major: Option<u32>,
    /// templateMinorVersion
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub minor: Option<u32>,
}

impl MicrosoftTemplate {
    pub(super) fn problem(&self) -> Option<Invalid> {
        // Both are an INTEGER without a tag of its own: alone, the second would be read as the first.
        (self.minor.is_some() && self.major.is_none())
            .then(|| Invalid::new("extensions.microsoft_template.minor", "needs a major version"))
    }
}

pub(super) fn name_problem(name: &str) -> Option<Invalid> {
    let outside_bmp = name.chars().find(|c| u32::from(*c) > 0xffff);
    let problem = text_problem(name, MAX_NAME)
        .or_else(|| outside_bmp.map(|c| format!("has `{c}`, which a BMPString cannot hold")));
    problem.map(|reason| Invalid::new("extensions.microsoft_template_name", reason))
}
