//! The extensions under a template.

use super::super::extensions::{ExtensionName, Extensions};
use super::super::template::{ExtensionRules, Permission};
use super::{BrokenRule, listed};

/// What the template sets, and what is asked for and allowed.
pub(super) fn merged(rules: &ExtensionRules, asked: Extensions, broken: &mut Vec<BrokenRule>) -> Extensions {
    for name in asked.names() {
        if rules.set.has(name) {
            if !rules.set.covers(name, &asked) {
                let message = format!(
                    "the template sets {name}{}; ask for no more than that, or leave it out",
                    value(&rules.set, name)
                );
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

/// The value that is set, as in a body of the API; nothing for one without a field of its own.
fn value(set: &Extensions, name: ExtensionName) -> String {
    let set = serde_json::to_value(set).unwrap_or_default();
    set.get(name.to_string()).map(|value| format!(" to {value}")).unwrap_or_default()
}

fn field(name: ExtensionName) -> String {
    match name {
        ExtensionName::Other(_) => "extensions.other".to_owned(),
        name => format!("extensions.{name}"),
    }
}
