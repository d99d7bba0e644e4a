//! Rules of a template that no request could follow, or that contradict each other.

use super::super::algorithm::Scheme;
use super::super::extensions::{duplicates, text_problem};
use super::super::invalid::Invalid;
use super::super::name::AttributeKind;
use super::super::san::{MAX_SANS, SanKind};
use super::rules::{
    AttributeRules, ExtensionRules, KeyRules, Permission, SanKindRules, SanRules, SubjectRules, Validity,
};
use super::{Pattern, Template};

const MAX_NAME: usize = 64;
const MAX_DESCRIPTION: usize = 1000;

/// Every one; the field is as in the file.
pub(super) fn contradictions(template: &Template) -> Vec<Invalid> {
    let mut found = texts(template);
    found.extend(subject(&template.subject, &template.sans));
    found.extend(sans(&template.sans));
    found.extend(keys(&template.keys));
    found.extend(extensions(&template.extensions));
    found.extend(unfit_usages(&template.keys, &template.extensions));
    found.extend(validity(&template.validity));
    let refuses_every_subject = template.subject.unlisted == Permission::Refused
        && template.subject.types.values().all(|rules| rules.max == 0);
    if refuses_every_subject && !template.sans.allows_any() {
        let reason = "and `sans` allow no name at all, so every request would be refused";
        found.push(Invalid::new("subject", reason));
    }
    found
}

fn texts(template: &Template) -> Vec<Invalid> {
    let mut found = Vec::new();
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
    let starts_well = template.name.starts_with(|c: char| c.is_ascii_alphanumeric());
    if !starts_well || !template.name.chars().all(is_plain) || template.name.len() > MAX_NAME {
        let reason = format!(
            "`{}`: a template's name has letters, digits, `-`, `_` and `.`, begins with a letter or digit, and \
             has at most {MAX_NAME} characters",
            template.name
        );
        found.push(Invalid::new("name", reason));
    }
    for (field, text) in
        [("tenant", &template.tenant), ("token", &template.token), ("authority", &template.authority)]
    {
        let problem = text.as_deref().and_then(|text| text_problem(text, MAX_NAME));
        found.extend(problem.map(|problem| Invalid::new(field, problem)));
    }
    if template.description.chars().count() > MAX_DESCRIPTION {
        found.push(Invalid::new("description", format!("has more than {MAX_DESCRIPTION} characters")));
    }
    found
}

fn subject(subject: &SubjectRules, sans: &SanRules) -> Vec<Invalid> {
    subject.types.iter().flat_map(|(kind, rules)| attribute(*kind, rules, sans)).collect()
}

fn attribute(kind: AttributeKind, rules: &AttributeRules, sans: &SanRules) -> Vec<Invalid> {
    let mut found = Vec::new();
    let mut contradiction = |field: &str, reason: String| {
        found.push(Invalid::new(format!("subject.{kind}.{field}"), reason));
    };
    if rules.fixed.is_some() && rules.default.is_some() {
        contradiction("default", "is never used beside `fixed`; leave one of them out".to_owned());
    }
    let present = [
        ("required", rules.required),
        ("fixed", rules.fixed.is_some()),
        ("default", rules.default.is_some()),
    ];
    for (field, _) in present.iter().filter(|(_, given)| *given) {
        if rules.max == 0 {
            contradiction(field, "contradicts `max = 0`, which refuses every value".to_owned());
        }
    }
    for (field, value) in [("fixed", &rules.fixed), ("default", &rules.default)] {
        let Some(value) = value else { continue };
        if let Some(problem) = kind.problem_with(value) {
            contradiction(field, problem);
        }
        if !matches_one(&rules.patterns, value) {
            contradiction(field, format!("`{value}` matches none of `patterns`"));
        }
    }
    if rules.in_sans && !sans.allows_any() {
        contradiction("in_sans", "asks for a name in `sans`, which allow none".to_owned());
    }
    found
}

/// Whether the value matches a pattern, or there is none to match.
fn matches_one(patterns: &[Pattern], value: &str) -> bool {
    patterns.is_empty() || patterns.iter().any(|pattern| pattern.matches(value))
}

impl SanRules {
    /// Whether there can be any name.
    fn allows_any(&self) -> bool {
        self.max > 0 && self.kinds.values().any(|rules| rules.max != Some(0))
    }
}

fn sans(sans: &SanRules) -> Vec<Invalid> {
    let mut found: Vec<Invalid> =
        sans.kinds.iter().flat_map(|(kind, rules)| san_kind(*kind, rules)).collect();
    if sans.max > MAX_SANS {
        let reason = format!("is {}; a CSR has at most {MAX_SANS} alternative names", sans.max);
        found.push(Invalid::new("sans.max", reason));
    }
    if sans.min > sans.max {
        let reason = format!("is {}, more than `sans.max`, which is {}", sans.min, sans.max);
        found.push(Invalid::new("sans.min", reason));
    }
    let required = sans.kinds.values().filter(|rules| rules.required).count();
    if required > sans.max {
        let reason = format!("is {}, but {required} kinds are required", sans.max);
        found.push(Invalid::new("sans.max", reason));
    }
    let most = sans.kinds.values().map(|rules| rules.max.unwrap_or(sans.max)).fold(0, usize::saturating_add);
    if sans.min > most {
        let reason = format!("is {}, but the kinds allow {most} at most", sans.min);
        found.push(Invalid::new("sans.min", reason));
    }
    found
}

fn san_kind(kind: SanKind, rules: &SanKindRules) -> Vec<Invalid> {
    let mut found = Vec::new();
    let mut contradiction = |field: &str, reason: &str| {
        found.push(Invalid::new(format!("sans.{kind}.{field}"), reason));
    };
    if rules.required && rules.max == Some(0) {
        contradiction("required", "contradicts `max = 0`, which refuses every name of this kind");
    }
    if !rules.domains.is_empty() && !matches!(kind, SanKind::Dns | SanKind::Email) {
        contradiction("domains", "only DNS and email names are in a domain; use `patterns`");
    }
    if !rules.networks.is_empty() && kind != SanKind::Ip {
        contradiction("networks", "only IP addresses are in a network; use `patterns`");
    }
    for (at, domain) in rules.domains.iter().enumerate() {
        let field = format!("domains[{at}]");
        if domain.wildcards && kind == SanKind::Email {
            contradiction(&field, "an e-mail address has no wildcard; leave `wildcards` out");
        } else if !domain.exact && !domain.subdomains && !domain.wildcards {
            contradiction(&field, "allows no name: set `exact`, `subdomains` or `wildcards`");
        }
    }
    found
}

fn keys(keys: &KeyRules) -> Vec<Invalid> {
    let mut found = duplicates("keys.kinds", &keys.kinds);
    found.extend(duplicates("keys.schemes", &keys.schemes));
    if !keys.kinds.contains(&keys.default) {
        let reason = format!("`{}` is none of `keys.kinds`", keys.default);
        found.push(Invalid::new("keys.default", reason));
    }
    for kind in &keys.kinds {
        if !kind.schemes().any(|scheme| keys.schemes.contains(&scheme)) {
            let reason = format!("have none for {kind} keys, which `keys.kinds` allows");
            found.push(Invalid::new("keys.schemes", reason));
        }
    }
    let is_used = |scheme: &Scheme| keys.kinds.iter().any(|kind| kind.schemes().any(|of| of == *scheme));
    for scheme in keys.schemes.iter().filter(|scheme| !is_used(scheme)) {
        let reason = format!("`{scheme}` is of no key kind in `keys.kinds`");
        found.push(Invalid::new("keys.schemes", reason));
    }
    found
}

fn extensions(rules: &ExtensionRules) -> Vec<Invalid> {
    let mut found: Vec<Invalid> = rules
        .set
        .problems()
        .into_iter()
        .map(|problem| Invalid {
            field: problem.field.replacen("extensions.", "extensions.set.", 1),
            ..problem
        })
        .collect();
    found.extend(duplicates("extensions.allowed", &rules.allowed));
    found.extend(duplicates("extensions.refused", &rules.refused));
    for name in rules.set.names() {
        for (list, names) in [("refused", &rules.refused), ("allowed", &rules.allowed)] {
            if names.contains(&name) {
                let reason = format!("{name} is set, so that its value is not the request's to choose");
                found.push(Invalid::new(format!("extensions.{list}"), reason));
            }
        }
    }
    for name in rules.allowed.iter().filter(|name| rules.refused.contains(name)) {
        found.push(Invalid::new("extensions.refused", format!("{name} is allowed as well")));
    }
    found
}

/// A usage that is set stands in every CSR, whichever of the kinds its key is.
fn unfit_usages(keys: &KeyRules, rules: &ExtensionRules) -> Vec<Invalid> {
    let unfit = keys.kinds.iter().flat_map(|kind| {
        let problems = rules.set.problems_with(kind.material().into());
        problems.into_iter().map(move |problem| {
            let reason = format!("{kind} keys, which `keys.kinds` allows: {}", problem.reason);
            Invalid::new("extensions.set.key_usage", reason)
        })
    });
    unfit.collect()
}

fn validity(validity: &Validity) -> Vec<Invalid> {
    let mut found = Vec::new();
    let mut contradiction = |field: &str, reason: String| {
        found.push(Invalid::new(format!("validity.{field}"), reason));
    };
    if validity.min == 0 {
        contradiction("min", "must be at least 1 (days)".to_owned());
    }
    if let Some(max) = validity.max.filter(|max| *max < validity.min) {
        contradiction("min", format!("is {}, more than `validity.max`, which is {max}", validity.min));
    }
    if let Some(default) = validity.default.filter(|default| !validity.has(*default)) {
        contradiction("default", format!("{default} is not within `validity.min` and `validity.max`"));
    }
    found
}

impl Validity {
    fn has(&self, days: u32) -> bool {
        self.min <= days && self.max.is_none_or(|max| days <= max)
    }
}
