//! Input that breaks a rule: the one shape in which the domain refuses it.

use std::fmt;

/// What was wrong, where, and what the rule is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Invalid {
    /// Path of the field as a JSON path without the root: `subject`, `sans[2]`, `key.algorithm`.
    pub field: String,
    /// Offset in the field's text, in bytes from 0, where that can be told.
    pub position: Option<usize>,
    /// The rule of the issuing template that is broken, where it is one of those.
    pub rule: Option<String>,
    /// What is wrong and what would be right, without the field's name.
    pub reason: String,
}

impl Invalid {
    /// A refusal of the whole field.
    pub fn new(field: impl Into<String>, reason: impl Into<String>) -> Self {
        Self { field: field.into(), position: None, rule: None, reason: reason.into() }
    }

    /// The same at an offset of the field's text.
    pub fn at(field: impl Into<String>, position: usize, reason: impl Into<String>) -> Self {
        Self { field: field.into(), position: Some(position), rule: None, reason: reason.into() }
    }
}

impl fmt::Display for Invalid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.position {
            Some(position) => write!(f, "{}: at position {position}: {}", self.field, self.reason),
            None => write!(f, "{}: {}", self.field, self.reason),
        }
    }
}

impl std::error::Error for Invalid {}
