//! The alternative names under a template.

use super::super::san::{San, SanKind};
use super::super::template::{SanKindRules, SanRules};
use super::{BrokenRule, listed};

const FIELD: &str = "sans";

pub(super) fn check(rules: &SanRules, sans: &[San], broken: &mut Vec<BrokenRule>) {
    for (at, san) in sans.iter().enumerate() {
        let field = format!("{FIELD}[{at}]");
        let kind = san.kind();
        match rules.kinds.get(&kind).filter(|rules| rules.max != Some(0)) {
            None => {
                let allowed = rules.kinds.iter().filter(|(_, rules)| rules.max != Some(0));
                let allowed = listed(allowed.map(|(kind, _)| kind));
                let message = format!("{kind} names are not allowed; allowed: {allowed}");
                broken.push(broken_rule(kind, "refused", field, message));
            }
            Some(rules) if !allows(rules, san) => {
                let message = format!("`{}` is not allowed; {}", san.value(), allowed(rules));
                broken.push(broken_rule(kind, "pattern", field, message));
            }
            Some(_) => {}
        }
    }
    for (kind, rules) in &rules.kinds {
        count_of_kind(*kind, rules, sans, broken);
    }
    let count = sans.len();
    if count < rules.min || count > rules.max {
        let message = format!("there are {count} names; {} to {} are allowed", rules.min, rules.max);
        broken.push(BrokenRule::new("san.count", FIELD, message));
    }
}

fn count_of_kind(kind: SanKind, rules: &SanKindRules, sans: &[San], broken: &mut Vec<BrokenRule>) {
    let count = sans.iter().filter(|san| san.kind() == kind).count();
    if rules.required && count == 0 {
        let message = format!("there is no {kind} name; give one");
        broken.push(broken_rule(kind, "required", FIELD.to_owned(), message));
    }
    // That there may be none is told for each.
    if let Some(max) = rules.max.filter(|max| *max > 0 && count > *max) {
        let message = format!("there are {count} {kind} names; at most {max} are allowed");
        broken.push(broken_rule(kind, "max", FIELD.to_owned(), message));
    }
}

fn allows(rules: &SanKindRules, san: &San) -> bool {
    let is_free = rules.patterns.is_empty() && rules.domains.is_empty() && rules.networks.is_empty();
    let value = san.value();
    let in_domain = |host: &str| rules.domains.iter().any(|domain| domain.has(host));
    is_free
        || rules.patterns.iter().any(|pattern| pattern.matches(&value))
        || match san {
            San::Dns(name) => in_domain(name.as_str()),
            San::Email(address) => in_domain(address.domain()),
            San::Ip(address) => rules.networks.iter().any(|network| network.has(*address)),
            _ => false,
        }
}

fn allowed(rules: &SanKindRules) -> String {
    let patterns = rules.patterns.iter().map(|pattern| format!("what matches `{pattern}`"));
    let domains = rules.domains.iter().map(ToString::to_string);
    let networks = rules.networks.iter().map(ToString::to_string);
    format!("allowed: {}", listed(patterns.chain(domains).chain(networks)))
}

fn broken_rule(kind: SanKind, rule: &str, field: String, message: String) -> BrokenRule {
    BrokenRule::new(format!("san.{}.{rule}", kind.to_string().to_ascii_lowercase()), field, message)
}
