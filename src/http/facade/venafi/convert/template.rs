//! Issuing templates, as far as the vendor's clients check before they ask. They are judged here in any case.

use super::super::catalogue::Catalogue;
use super::super::wire;
use super::{AUTHORITY, key};
use crate::domain::algorithm::KeyKind;
use crate::domain::name::AttributeKind;
use crate::domain::san::SanKind;
use crate::domain::template::{AttributeRules, Domain, Permission, SanKindRules, Template};

/// Whether only RSA keys are told of: vcert 0.9.1 breaks on others.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in super::super) struct RsaOnly(pub(in super::super) bool);

/// Lengths that vcert knows; it breaks on others.
const RSA_LENGTHS: [u32; 4] = [2048, 3072, 4096, 8192];

/// Every value.
const ANY: &str = ".*";
/// No value.
const NONE: &str = "^$";
/// Every URI, in the form that vcert takes apart: what stands in the brackets it shows as protocols.
const ANY_URI: &str = "([a-z][a-z0-9+.-]*)://.*";
/// Templates have no date of their own, and vcert 0.9.1 wants one.
const NO_DATE: &str = "1970-01-01T00:00:00.000+0000";

/// A template of a tenant.
pub(in super::super) fn template(
    catalogue: &Catalogue,
    tenant: &str,
    template: &Template,
    rsa_only: RsaOnly,
) -> wire::IssuingTemplate {
    let authority = template.authority.as_deref();
    let longest = template.validity.max.or(template.validity.default).map(|days| format!("P{days}D"));
    let reuse = template.keys.reuse == Permission::Allowed;
    let subject = |kind: &str| attribute(template, kind);
    wire::IssuingTemplate {
        id: catalogue.template_id(tenant, &template.name),
        company_id: catalogue.company_id(tenant),
        name: template.name.clone(),
        certificate_authority: AUTHORITY,
        certificate_authority_account_id: catalogue.account_id(tenant, authority),
        certificate_authority_product_option_id: catalogue.product_id(tenant, authority),
        product: wire::Product {
            certificate_authority: AUTHORITY,
            certificate_type: template.name.clone(),
            validity_period: longest.clone(),
            hash_algorithm: None,
        },
        subject_cn_regexes: subject("CN"),
        subject_o_regexes: subject("O"),
        subject_ou_regexes: subject("OU"),
        subject_st_regexes: subject("ST"),
        subject_l_regexes: subject("L"),
        subject_c_values: subject("C"),
        san_regexes: sans(template, SanKind::Dns),
        san_rfc822_name_regexes: sans(template, SanKind::Email),
        san_ip_address_regexes: sans(template, SanKind::Ip),
        san_uniform_resource_identifier_regexes: match template.sans.kinds.contains_key(&SanKind::Uri) {
            true => vec![ANY_URI.to_owned()],
            false => Vec::new(),
        },
        key_types: key_types(&template.keys.kinds, rsa_only),
        key_reuse: reuse,
        validity_period: longest,
        csr_upload_allowed: true,
        key_generated_by_venafi_allowed: true,
        recommended_settings: wire::RecommendedSettings {
            subject_o_value: value(template, "O"),
            subject_ou_value: value(template, "OU"),
            subject_l_value: value(template, "L"),
            subject_st_value: value(template, "ST"),
            subject_c_value: value(template, "C"),
            key: recommended_key(template.keys.default),
            key_reuse: reuse,
        },
        system_generated: false,
        creation_date: NO_DATE,
    }
}

fn rules<'a>(template: &'a Template, kind: &str) -> Option<&'a AttributeRules> {
    template.subject.types.get(&kind.parse::<AttributeKind>().ok()?)
}

fn attribute(template: &Template, kind: &str) -> Vec<String> {
    match rules(template, kind) {
        None if template.subject.unlisted == Permission::Allowed => vec![ANY.to_owned()],
        None => vec![NONE.to_owned()],
        Some(AttributeRules { max: 0, .. }) => vec![NONE.to_owned()],
        Some(AttributeRules { fixed: Some(fixed), .. }) => vec![format!("^{}$", escaped(fixed))],
        Some(AttributeRules { patterns, .. }) if patterns.is_empty() => vec![ANY.to_owned()],
        Some(AttributeRules { patterns, .. }) => {
            patterns.iter().map(|pattern| portable(pattern.as_str())).collect()
        }
    }
}

/// What the template puts in where nothing is said.
fn value(template: &Template, kind: &str) -> Option<String> {
    let rules = rules(template, kind)?;
    rules.fixed.clone().or_else(|| rules.default.clone())
}

fn sans(template: &Template, kind: SanKind) -> Vec<String> {
    let Some(rules) = template.sans.kinds.get(&kind) else { return Vec::new() };
    let SanKindRules { patterns, domains, networks, .. } = rules;
    if patterns.is_empty() && domains.is_empty() && networks.is_empty() || !networks.is_empty() {
        return vec![ANY.to_owned()];
    }
    let patterns = patterns.iter().map(|pattern| portable(pattern.as_str()));
    let before = if kind == SanKind::Email { "[^@]+@" } else { "" };
    patterns.chain(domains.iter().map(|one| format!("^{before}{}$", domain(one)))).collect()
}

fn domain(rule: &Domain) -> String {
    let name = escaped(&rule.name);
    let below = r"(?:[A-Za-z0-9_-]+\.)";
    let forms = [
        (rule.exact, name.clone()),
        (rule.subdomains, format!("{below}+{name}")),
        (rule.wildcards, format!(r"\*\.{name}")),
        (rule.wildcards && rule.subdomains, format!(r"\*\.{below}+{name}")),
    ];
    let allowed: Vec<_> = forms.into_iter().filter(|(allowed, _)| *allowed).map(|(_, form)| form).collect();
    format!("(?:{})", allowed.join("|"))
}

fn escaped(text: &str) -> String {
    text.chars()
        .flat_map(|c| (c.is_ascii_punctuation() && !"_-".contains(c)).then_some('\\').into_iter().chain([c]))
        .collect()
}

/// A pattern for whole values, where every language reads it as we do; else one that matches all.
fn portable(pattern: &str) -> String {
    let mut rest = pattern;
    let mut in_class = false;
    while let Some(c) = rest.chars().next() {
        let tail = rest.split_at(c.len_utf8()).1;
        let next = tail.chars().next();
        let is_portable = match c {
            '\\' => next.is_some_and(|next| "dDwWsSbBtnr".contains(next) || next.is_ascii_punctuation()),
            // A group with flags or a name, or look-around.
            '(' if !in_class => next != Some('?') || tail.starts_with("?:"),
            // Sets within sets.
            '[' => !in_class,
            '&' | '~' | '-' if in_class => next != Some(c),
            _ => true,
        };
        if !is_portable {
            return ANY.to_owned();
        }
        in_class = (in_class || c == '[') && c != ']';
        rest = match (c, next) {
            ('\\', Some(next)) => tail.split_at(next.len_utf8()).1,
            _ => tail,
        };
    }
    format!("^(?:{pattern})$")
}

fn key_types(kinds: &[KeyKind], rsa_only: RsaOnly) -> Vec<wire::KeyTypes> {
    let known: Vec<_> = kinds.iter().filter_map(|kind| key(*kind)).map(|(key, _)| key).collect();
    let mut lengths: Vec<u32> = known.iter().filter_map(|key| key.key_length).collect();
    lengths.retain(|length| RSA_LENGTHS.contains(length));
    let curves: Vec<_> = known.iter().filter_map(|key| key.key_curve).filter(|_| !rsa_only.0).collect();
    let rsa = wire::KeyTypes { key_type: "RSA", key_lengths: lengths, key_curves: Vec::new() };
    let ec = wire::KeyTypes { key_type: "EC", key_lengths: Vec::new(), key_curves: curves };
    let is_there = |types: &wire::KeyTypes| !types.key_lengths.is_empty() || !types.key_curves.is_empty();
    [rsa, ec].into_iter().filter(is_there).collect()
}

fn recommended_key(kind: KeyKind) -> Option<wire::RecommendedKey> {
    let (key, _) = key(kind)?;
    if key.key_length.is_some_and(|length| !RSA_LENGTHS.contains(&length)) {
        return None;
    }
    Some(wire::RecommendedKey { kind: key.key_type, length: key.key_length, curve: key.key_curve })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pattern_that_other_languages_read_otherwise_is_not_given_out() {
        for same in [r"[a-z0-9-]+\.lab\.example", "a|b", "(?:a|b)+", r"\d{1,3}", r"[(?]", "Lab B.V."] {
            assert_eq!(portable(same), format!("^(?:{same})$"));
        }
        for other in [r"\p{L}+", "(?i)lab", r"[[:alpha:]]", r"[a-z&&[^b]]", r"\x{41}", "(?P<a>b)", r"\z"] {
            assert_eq!(portable(other), ANY, "{other}");
        }
    }

    #[test]
    fn a_domain_is_a_pattern() {
        let rule = |exact, subdomains, wildcards| {
            let rule = Domain { name: "lab.example".to_owned(), exact, subdomains, wildcards };
            let pattern = regex::Regex::new(&format!("^{}$", domain(&rule))).unwrap();
            [
                "lab.example",
                "a.lab.example",
                "a.b.lab.example",
                "*.lab.example",
                "*.a.lab.example",
                "labxexample",
            ]
            .map(|host| {
                assert_eq!(pattern.is_match(host), rule.has(host), "{host} {rule:?}");
            })
        };
        rule(true, false, false);
        rule(false, true, false);
        rule(true, true, true);
        rule(false, false, true);
    }

    #[test]
    fn keys_that_a_client_breaks_on_are_not_told_of() {
        let kinds = ["rsa-2048", "rsa-6144", "ec-p256", "ed25519"].map(|kind| kind.parse().unwrap());
        let rsa = wire::KeyTypes { key_type: "RSA", key_lengths: vec![2048], key_curves: Vec::new() };
        assert_eq!(key_types(&kinds, RsaOnly(true)), std::slice::from_ref(&rsa));
        let ec = wire::KeyTypes { key_type: "EC", key_lengths: vec![], key_curves: vec!["P256", "ED25519"] };
        assert_eq!(key_types(&kinds, RsaOnly(false)), [rsa, ec]);
        assert!(recommended_key("rsa-6144".parse().unwrap()).is_none());
    }
}
