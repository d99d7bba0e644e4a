//! Templates and wishes of all shapes.

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;
use proptest::strategy::ValueTree as _;
use proptest::test_runner::TestRunner;

use super::super::super::extensions::tests::any_extensions;
use super::super::super::name::Name;
use super::super::super::name::tests::any_name;
use super::super::super::san::tests::any_san;
use super::super::super::san::{MAX_SANS, San};
use super::super::super::template::Permission;
use super::*;

/// The same, wished for once more.
fn again(got: &Effective, key: &KeyChoice) -> Wish {
    let key = match key {
        KeyChoice::New { .. } => KeyChoice::New { kind: Some(got.kind), token: got.token.clone() },
        asked @ (KeyChoice::Existing { .. } | KeyChoice::Client { .. }) => asked.clone(),
    };
    Wish {
        spec: got.spec.clone(),
        key,
        digest: got.scheme.digest(),
        padding: got.scheme.padding(),
        validity_days: got.validity_days,
    }
}

/// Values, many of which the templates below allow.
fn any_value() -> impl Strategy<Value = String> {
    prop::sample::select(vec!["a", "b", "NL", "www.a.example", "c.example"]).prop_map(str::to_owned)
}

/// Templates of few rules each, over few names.
fn any_template() -> impl Strategy<Value = Template> {
    let attribute = prop::sample::select(vec![
        "{}",
        "{ required = true }",
        "{ fixed = \"NL\" }",
        "{ default = \"NL\" }",
        "{ patterns = ['[a-bN][a-zA-Z.]*'] }",
        "{ max = 2 }",
        "{ max = 0 }",
        "{ in_sans = true }",
    ]);
    let subject = prop::collection::btree_map(
        prop::sample::select(vec!["CN", "O", "OU", "C", "serialNumber"]),
        attribute,
        0..5,
    );
    let san = prop::sample::select(vec![
        "{}",
        "{ max = 1 }",
        "{ required = true }",
        "{ patterns = ['[a-z.:]*a[a-z.@]*'] }",
    ]);
    let sans = prop::collection::btree_map(prop::sample::select(vec!["DNS", "IP", "email"]), san, 0..4);
    let kinds = prop::sample::subsequence(vec!["\"ec-p256\"", "\"rsa-2048\"", "\"ed25519\""], 1..=3);
    let set = prop::sample::select(vec!["", "set.extended_key_usage = [\"serverAuth\"]\n"]);
    let permission = || prop::sample::select(vec!["allowed", "allowed", "refused"]);
    let presence = prop::sample::select(vec!["allowed", "allowed", "refused", "required"]);
    let validity = prop::sample::select(vec!["", "default = 9\n", "max = 10\n", "default = 5\nmin = 5\n"]);
    let token = prop::sample::select(vec!["", "token = \"main\"\n"]);
    (
        (subject, permission(), sans, 0..2_usize),
        (kinds, permission(), token),
        (set, permission(), presence, validity),
    )
        .prop_filter_map("no contradiction", |(names, key, rest)| {
            let (subject, unlisted, sans, min) = names;
            let (kinds, reuse, token) = key;
            let (set, more, presence, validity) = rest;
            let table = |rules: BTreeMap<&str, &str>| -> String {
                rules.iter().map(|(name, rules)| format!("{name} = {rules}\n")).collect()
            };
            let text = format!(
                "version = 1\nname = \"t\"\n{token}[subject]\nunlisted = \"{unlisted}\"\n{}[sans]\nmin = {min}\n{}\
                 [keys]\nkinds = [{}]\nreuse = \"{reuse}\"\n[extensions]\nunlisted = \"{more}\"\n{set}\
                 [attributes]\nchallenge_password = \"{presence}\"\n[validity]\n{validity}",
                table(subject),
                table(sans),
                kinds.join(", "),
            );
            Template::from_toml(&text).ok()
        })
}

fn any_wish() -> impl Strategy<Value = Wish> {
    let types = prop::sample::select(vec!["CN", "CN", "O", "OU", "serialNumber"]);
    let likely = prop::collection::vec((types, any_value()), 0..3).prop_map(|rdns| {
        Name::from_rdns(&rdns.into_iter().map(|one| vec![one]).collect::<Vec<_>>()).unwrap()
    });
    let names = prop_oneof![15 => likely, 1 => any_name()];
    let likely = prop::sample::subsequence(vec!["DNS:www.a.example", "DNS:c.example", "IP:192.0.2.1"], 0..=3);
    let likely = likely.prop_map(|texts| San::parse_list(&texts).unwrap());
    let sans = prop_oneof![15 => likely, 1 => prop::collection::vec(any_san(), 0..4)];
    let extensions = prop_oneof![15 => Just(Extensions::default()), 1 => any_extensions()];
    let kind = || {
        prop::sample::select(KeyKind::all().filter(|kind| !kind.name().contains("ec-p3")).collect::<Vec<_>>())
    };
    let key = prop_oneof![
        12 => Just(KeyChoice::default()),
        2 => (prop::option::of(kind()), prop::option::of("main|other"))
            .prop_map(|(kind, token)| KeyChoice::New { kind, token }),
        1 => (kind(), "main|other").prop_map(|(kind, token)| KeyChoice::Existing { kind, token }),
    ];
    let digest = prop::option::weighted(0.1, prop::sample::select(vec![Digest::Sha256, Digest::Sha384]));
    let padding = prop::option::weighted(0.1, prop::sample::select(vec![Padding::Pss, Padding::Pkcs1]));
    let days = prop::option::weighted(0.3, 1..12_u32);
    let password = prop::option::of(Just(ChallengePassword::new("secret".to_owned())));
    ((names, sans, extensions, password), key, digest, padding, days).prop_map(
        |((subject, sans, extensions, challenge_password), key, digest, padding, validity_days)| {
            let spec = CsrSpec { subject, sans, extensions, challenge_password, unstructured_name: None };
            Wish { spec, key, digest, padding, validity_days }
        },
    )
}

/// Whether what is made follows the template, said once more and otherwise.
fn follows(template: &Template, got: &Effective) -> bool {
    let subject: Vec<(String, String)> = (got.spec.subject.attributes())
        .map(|(kind, value)| (kind.to_string(), value.unwrap_or("\u{0}").to_owned()))
        .collect();
    let values: BTreeSet<String> = got.spec.sans.iter().map(San::value).collect();
    let of_type = |kind: &str| {
        subject.iter().filter(|(name, _)| name == kind).map(|(_, value)| value).collect::<Vec<_>>()
    };
    let subject_follows = template.subject.types.iter().all(|(kind, rules)| {
        let own = of_type(&kind.to_string());
        let gives = rules.required || rules.fixed.is_some() || rules.default.is_some();
        (usize::from(gives)..=rules.max).contains(&own.len())
            && own.iter().all(|value| {
                rules.fixed.as_ref().is_none_or(|fixed| fixed == *value)
                    && (!rules.in_sans
                        || values.contains(&value.to_ascii_lowercase())
                        || values.contains(*value))
                    && (rules.patterns.is_empty() || value.starts_with(['a', 'b', 'N']))
            })
    });
    let listed: Vec<String> = template.subject.types.keys().map(ToString::to_string).collect();
    let no_strangers = template.subject.unlisted == Permission::Allowed
        || subject.iter().all(|(name, _)| listed.contains(name));
    let sans_follow = (template.sans.min..=MAX_SANS).contains(&got.spec.sans.len())
        && got.spec.sans.iter().all(|san| {
            template
                .sans
                .kinds
                .get(&san.kind())
                .is_some_and(|rules| rules.patterns.is_empty() || san.value().contains('a'))
        })
        && template.sans.kinds.iter().all(|(kind, rules)| {
            let count = got.spec.sans.iter().filter(|san| san.kind() == *kind).count();
            (usize::from(rules.required)..=rules.max.unwrap_or(MAX_SANS)).contains(&count)
        });
    let asked = &got.spec.extensions;
    let set = &template.extensions.set;
    let extensions_follow = set.names().iter().all(|name| asked.has(*name) && set.covers(*name, asked))
        && (template.extensions.unlisted == Permission::Allowed || asked.names() == set.names());
    let days = got.validity_days.or(template.validity.default);
    subject_follows
        && no_strangers
        && sans_follow
        && extensions_follow
        && template.keys.kinds.contains(&got.kind)
        && got.kind.schemes().any(|scheme| scheme == got.scheme)
        && template.token.as_ref().is_none_or(|token| got.token.as_ref() == Some(token))
        && days.is_none_or(|days| {
            (template.validity.min..=template.validity.max.unwrap_or(u32::MAX)).contains(&days)
        })
        && match template.attributes.challenge_password {
            Presence::Required => got.spec.challenge_password.is_some(),
            Presence::Allowed => true,
            Presence::Refused => got.spec.challenge_password.is_none(),
        }
        && got.spec.validate().is_ok()
        && got.spec.validate_for(got.kind).is_ok()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 500, max_local_rejects: 1_000_000, ..ProptestConfig::default() })]

    #[test]
    fn what_is_got_follows_the_template_and_is_got_again(template in any_template(), wish in any_wish()) {
        let key = wish.key.clone();
        match evaluate(&template, wish) {
            Ok(got) => {
                prop_assert!(follows(&template, &got), "{:?}", got);
                prop_assert_eq!(evaluate(&template, again(&got, &key)), Ok(got));
            }
            Err(broken) => prop_assert!(!broken.is_empty()),
        }
    }
}

/// The property above would hold of a function that refuses everything.
#[test]
fn many_of_the_wishes_are_granted_and_many_refused() {
    let mut runner = TestRunner::deterministic();
    let drawn = (any_template(), any_wish());
    let granted = (0..500).filter(|_| {
        let (template, wish) = drawn.new_tree(&mut runner).unwrap().current();
        evaluate(&template, wish).is_ok()
    });
    let granted = granted.count();
    assert!((10..490).contains(&granted), "{granted} of 500");
}
