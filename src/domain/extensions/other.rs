//! Extensions that strongroom does not know: signed as they are given.

use const_oid::ObjectIdentifier;
use const_oid::db::rfc5280;
use serde::{Deserialize, Serialize};

use super::super::der_value::DerValue;
use super::super::invalid::Invalid;
use super::oid_text;

const FIELD: &str = "extensions.other";

/// Extensions that are asked for in a way of their own. Given here as well, one could stand in the
/// CSR twice, or unchecked.
const OWN_FIELD: [(ObjectIdentifier, &str); 10] = [
    (rfc5280::ID_CE_SUBJECT_ALT_NAME, "sans"),
    (rfc5280::ID_CE_KEY_USAGE, "extensions.key_usage"),
    (rfc5280::ID_CE_EXT_KEY_USAGE, "extensions.extended_key_usage"),
    (rfc5280::ID_CE_BASIC_CONSTRAINTS, "extensions.basic_constraints"),
    (rfc5280::ID_CE_CERTIFICATE_POLICIES, "extensions.certificate_policies"),
    (rfc5280::ID_CE_NAME_CONSTRAINTS, "extensions.name_constraints"),
    (rfc5280::ID_CE_SUBJECT_KEY_IDENTIFIER, "extensions.subject_key_identifier"),
    (ObjectIdentifier::new_unwrap("1.3.6.1.5.5.7.1.24"), "extensions.tls_features"),
    (ObjectIdentifier::new_unwrap("1.3.6.1.4.1.311.20.2"), "extensions.microsoft_template_name"),
    (ObjectIdentifier::new_unwrap("1.3.6.1.4.1.311.21.7"), "extensions.microsoft_template"),
];

/// An extension of any type.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OtherExtension {
    /// extnID
    #[serde(with = "oid_text")]
    pub oid: ObjectIdentifier,
    /// critical
    #[serde(default)]
    pub critical: bool,
    /// What extnValue holds.
    pub value: DerValue,
}

/// The field of a CSR specification that asks for the extension, where it has one of its own.
pub(in crate::domain) fn own_field(oid: ObjectIdentifier) -> Option<&'static str> {
    OWN_FIELD.iter().find(|(own, _)| *own == oid).map(|(_, field)| *field)
}

pub(super) fn problems(extensions: &[OtherExtension]) -> Vec<Invalid> {
    let mut problems = Vec::new();
    for (at, extension) in extensions.iter().enumerate() {
        let oid = extension.oid;
        let reason = match own_field(oid) {
            Some(field) => format!("{oid} is asked for by `{field}`"),
            None if extensions.iter().take(at).any(|earlier| earlier.oid == oid) => {
                format!("{oid} is there twice")
            }
            None => continue,
        };
        problems.push(Invalid::new(format!("{FIELD}[{at}].oid"), reason));
    }
    problems
}
