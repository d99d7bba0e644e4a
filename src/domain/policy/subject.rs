//! The subject under a template.

use super::super::name::{AttributeKind, Name};
use super::super::san::San;
use super::super::template::{AttributeRules, Permission, SubjectRules};
use super::{BrokenRule, listed};

const FIELD: &str = "subject";

/// The subject with what the template gives where nothing is asked for.
pub(super) fn completed(rules: &SubjectRules, subject: Name, broken: &mut Vec<BrokenRule>) -> Name {
    let mut subject = subject;
    for (kind, rules) in &rules.types {
        let Some(given) = rules.fixed.as_deref().or(rules.default.as_deref()) else { continue };
        if subject.attributes().any(|(present, _)| present == *kind) {
            continue;
        }
        match subject.with_attribute(*kind, given) {
            Ok(completed) => subject = completed,
            Err(invalid) => broken.push(BrokenRule::new("csr.invalid", FIELD, invalid.reason)),
        }
    }
    subject
}

pub(super) fn check(rules: &SubjectRules, subject: &Name, sans: &[San], broken: &mut Vec<BrokenRule>) {
    for (kind, rules) in &rules.types {
        let values: Vec<Option<&str>> =
            subject.attributes().filter(|(present, _)| present == kind).map(|(_, value)| value).collect();
        attribute(*kind, rules, &values, sans, broken);
    }
    if rules.unlisted == Permission::Allowed {
        return;
    }
    let mut unlisted: Vec<AttributeKind> =
        subject.attributes().map(|(kind, _)| kind).filter(|kind| !rules.types.contains_key(kind)).collect();
    unlisted.sort_unstable();
    unlisted.dedup();
    for kind in unlisted {
        let allowed = listed(rules.types.iter().filter(|(_, rules)| rules.max > 0).map(|(kind, _)| kind));
        broken.push(broken_rule(kind, "refused", format!("{kind} is not allowed; allowed: {allowed}")));
    }
}

/// `values` are those of the attribute type; none for what is no string.
fn attribute(
    kind: AttributeKind,
    rules: &AttributeRules,
    values: &[Option<&str>],
    sans: &[San],
    broken: &mut Vec<BrokenRule>,
) {
    let count = values.len();
    if rules.required && count == 0 {
        broken.push(broken_rule(kind, "required", format!("{kind} is missing; give one")));
    }
    if count > rules.max {
        broken.push(match rules.max {
            0 => broken_rule(kind, "refused", format!("{kind} is not allowed; leave it out")),
            max => broken_rule(kind, "max", format!("{kind} stands there {count} times; at most {max} may")),
        });
        if rules.max == 0 {
            return;
        }
    }
    for value in values {
        let shown = value.unwrap_or("a value that is no text");
        if let Some(fixed) = &rules.fixed
            && *value != Some(fixed)
        {
            let message =
                format!("{kind} is `{shown}`; it is always `{fixed}`: ask for that, or leave it out");
            broken.push(broken_rule(kind, "fixed", message));
            continue;
        }
        let matches = |value: &str| rules.patterns.iter().any(|pattern| pattern.matches(value));
        if !rules.patterns.is_empty() && !value.is_some_and(matches) {
            let patterns = listed(rules.patterns.iter().map(|pattern| format!("`{pattern}`")));
            let message = format!("{kind} is `{shown}`; the whole of it has to match {patterns}");
            broken.push(broken_rule(kind, "pattern", message));
        }
        if rules.in_sans && !value.is_some_and(|value| sans.iter().any(|san| names(san, value))) {
            let message =
                format!("{kind} is `{shown}`, which is none of the alternative names; add it to them");
            broken.push(broken_rule(kind, "in-sans", message));
        }
    }
}

/// Whether the alternative name says the same as the text; hosts are told apart without regard to case.
fn names(san: &San, text: &str) -> bool {
    san.value().eq_ignore_ascii_case(text) || san.value_in_unicode().is_some_and(|value| value == text)
}

fn broken_rule(kind: AttributeKind, rule: &str, message: String) -> BrokenRule {
    BrokenRule::new(format!("subject.{}.{rule}", kind.to_string().to_ascii_lowercase()), FIELD, message)
}
