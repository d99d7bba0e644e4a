//! Distinguished names. (skeleton)
use serde::{Deserialize, Serialize};
/// A distinguished name.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Name(String);
