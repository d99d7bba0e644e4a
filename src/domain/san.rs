//! Subject alternative names. (skeleton)
use serde::{Deserialize, Serialize};
/// A subject alternative name.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct San(String);
