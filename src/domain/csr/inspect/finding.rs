//! What looks wrong in a CSR.

use serde::Serialize;

/// How bad it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Severity {
    /// Against a rule of the formats, or not safe: no CA should take it.
    Error,
    /// Many CAs refuse or change it.
    Warning,
    /// Worth knowing.
    Note,
}

/// One thing that looks wrong.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// How bad it is.
    pub severity: Severity,
    /// Path of the place in the result, such as `subject[1][0]` or `sans[2]`; `file` or `csr` for the
    /// whole.
    pub place: String,
    /// What is wrong.
    pub problem: String,
    /// Where it is ruled so.
    pub rule: &'static str,
    /// What to do.
    pub remedy: String,
}

/// Collects findings.
#[derive(Default)]
pub(super) struct Findings(Vec<Finding>);

impl Findings {
    pub(super) fn error(
        &mut self,
        place: impl Into<String>,
        problem: impl Into<String>,
        rule: &'static str,
        remedy: impl Into<String>,
    ) {
        self.add(Severity::Error, place, problem, rule, remedy);
    }

    pub(super) fn warning(
        &mut self,
        place: impl Into<String>,
        problem: impl Into<String>,
        rule: &'static str,
        remedy: impl Into<String>,
    ) {
        self.add(Severity::Warning, place, problem, rule, remedy);
    }

    pub(super) fn note(
        &mut self,
        place: impl Into<String>,
        problem: impl Into<String>,
        rule: &'static str,
        remedy: impl Into<String>,
    ) {
        self.add(Severity::Note, place, problem, rule, remedy);
    }

    pub(super) fn add(
        &mut self,
        severity: Severity,
        place: impl Into<String>,
        problem: impl Into<String>,
        rule: &'static str,
        remedy: impl Into<String>,
    ) {
        let (place, problem, remedy) = (place.into(), problem.into(), remedy.into());
        self.0.push(Finding { severity, place, problem, rule, remedy });
    }

    /// The worst first; those of one severity in the order in which they were found.
    pub(super) fn sorted(mut self) -> Vec<Finding> {
        self.0.sort_by_key(|finding| finding.severity);
        self.0
    }
}
