//! CertificatePolicies (RFC 5280 section 4.2.1.4).

use const_oid::ObjectIdentifier;
use serde::{Deserialize, Serialize};

use super::super::invalid::Invalid;
use super::super::san::Uri;
use super::{oid_text, text_problem};

const FIELD: &str = "extensions.certificate_policies";

/// RFC 5280 section 4.2.1.4: DisplayText has at most 200 characters.
const MAX_NOTICE: usize = 200;

/// A policy, and what is told about it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CertificatePolicy {
    /// policyIdentifier
    #[serde(with = "oid_text")]
    pub oid: ObjectIdentifier,
    /// Qualifiers id-qt-cps: where the certification practice statement is.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub cps: Vec<String>,
    /// Qualifier id-qt-unotice: the explicitText. A noticeRef is not offered: RFC 5280 advises
    /// against it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub notice: Option<String>,
}

pub(super) fn problems(policies: &[CertificatePolicy]) -> Vec<Invalid> {
    let mut problems = Vec::new();
    for (at, policy) in policies.iter().enumerate() {
        let field = format!("{FIELD}[{at}]");
        if policies.iter().take(at).any(|earlier| earlier.oid == policy.oid) {
            problems.push(Invalid::new(format!("{field}.oid"), format!("{} is there twice", policy.oid)));
        }
        for (nth, cps) in policy.cps.iter().enumerate() {
            if let Err(invalid) = cps.parse::<Uri>() {
                problems.push(Invalid { field: format!("{field}.cps[{nth}]"), ..invalid });
            }
        }
        let notice = policy.notice.as_deref().and_then(|notice| text_problem(notice, MAX_NOTICE));
        problems.extend(notice.map(|reason| Invalid::new(format!("{field}.notice"), reason)));
    }
    problems
}
