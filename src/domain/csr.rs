//! Certificate signing requests. (skeleton)
use super::{extensions::Extensions, name::Name, san::San};
use serde::{Deserialize, Serialize};
/// What a CSR shall say.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct CsrSpec {
    /// The subject.
    pub subject: Name,
    /// Alternative names.
    #[serde(default)]
    pub sans: Vec<San>,
    /// Extensions.
    #[serde(default)]
    pub extensions: Extensions,
}
