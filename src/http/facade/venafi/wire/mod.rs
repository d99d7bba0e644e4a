//! The vendor's JSON: lenient with what comes in, complete in what goes out.

mod answered;
mod asked;
mod found;

use serde::Serialize;
use utoipa::ToSchema;

pub(super) use answered::*;
pub(super) use asked::*;
pub(super) use found::*;

/// Every failure.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Problems {
    /// Each of them.
    pub(super) errors: Vec<Problem>,
}

/// What is wrong.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Problem {
    /// 10051: there is no such application, zone or template; else 90000 and the status.
    pub(super) code: u32,
    /// For people, naming rule and field.
    pub(super) message: String,
    /// Field and rule.
    pub(super) args: Vec<String>,
}
