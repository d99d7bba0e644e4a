//! The extensions under a template.

use super::super::extensions::{ExtensionName, Extensions};
use super::super::template::{ExtensionRules, Permission};
use super::{BrokenRule, listed};

/// What the template sets, and what is asked for and allowed.
pub(super) fn merged(rules: &ExtensionRules, asked: Extensions, broken: &mut Vec<BrokenRule>) -> Extensions {
    for name in asked.names() {
        if rules.set.has(name) {
            if !rules.set.covers(name, &asked) {
                let message =
                    format!("{name} is set by the template; ask for no more than it, or leave it out");
                broken.push(BrokenRule::new("extension.set", field(name), message));
            }
        } else if !rules.allows(name) {
            let message = format!("{name} is not allowed; {}", allowed(rules));
            broken.push(BrokenRule::new("extension.refused", field(name), message));
        }
    }
    rules.set.clone().or(asked)
}

fn allowed(rules: &ExtensionRules) -> String {
    match rules.unlisted {
        Permission::Refused => format!("allowed: {}", listed(&rules.allowed)),
        Permission::Allowed => format!("refused: {}", listed(&rules.refused)),
    }
}

fn field(name: ExtensionName) -> String {
    match name {
        ExtensionName::Other(_) => "extensions.other".to_owned(),
        name => format!("extensions.{name}"),
    }
}
