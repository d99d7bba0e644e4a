//! Extensions asked for in a CSR. (skeleton)
use serde::{Deserialize, Serialize};
/// Extensions.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Extensions {}
