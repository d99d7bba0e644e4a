//! The key under a template: kind, token, scheme.

use super::super::algorithm::{Digest, KeyKind, Padding, Scheme};
use super::super::template::{KeyRules, Permission, Template};
use super::{BrokenRule, KeyChoice, listed};

/// Kind and token of the key.
pub(super) fn chosen(
    template: &Template,
    choice: KeyChoice,
    broken: &mut Vec<BrokenRule>,
) -> (KeyKind, Option<String>) {
    let rules = &template.keys;
    let (kind, token) = match choice {
        KeyChoice::New { kind, token } => {
            (kind.unwrap_or(rules.default), token.or_else(|| template.token.clone()))
        }
        KeyChoice::Existing { kind, token } => {
            if rules.reuse == Permission::Refused {
                let message = "a key that is there is not allowed; ask for a new one";
                broken.push(BrokenRule::new("key.reuse", "key.handle", message));
            }
            (kind, Some(token))
        }
        KeyChoice::Client { kind, reused } => {
            if reused && rules.reuse == Permission::Refused {
                let message = "there was a CSR for this key before; make one for a new key";
                broken.push(BrokenRule::new("key.reuse", "csr", message));
            }
            // It is on no token of ours.
            (kind, None)
        }
    };
    if !rules.kinds.contains(&kind) {
        let message = format!("{kind} is not allowed; allowed: {}", listed(&rules.kinds));
        broken.push(BrokenRule::new("key.kind", "key.kind", message));
    }
    if let (Some(asked), Some(only)) = (&token, &template.token)
        && asked != only
    {
        let message = format!("the key is to be on token `{asked}`; it has to be on `{only}`");
        broken.push(BrokenRule::new("key.token", "key.token", message));
    }
    (kind, token)
}

/// The first scheme that the template allows for keys of the kind with that digest and padding.
pub(super) fn scheme(
    rules: &KeyRules,
    kind: KeyKind,
    digest: Option<Digest>,
    padding: Option<Padding>,
    broken: &mut Vec<BrokenRule>,
) -> Option<Scheme> {
    // A kind that is not allowed has no schemes here; that it is not allowed has been told.
    if !rules.kinds.contains(&kind) {
        return None;
    }
    let asked = |scheme: &Scheme| {
        digest.is_none_or(|digest| scheme.digest() == Some(digest))
            && padding.is_none_or(|padding| scheme.padding() == Some(padding))
    };
    let allowed: Vec<Scheme> = (rules.schemes.iter().copied())
        .filter(|scheme| kind.schemes().any(|of_kind| of_kind == *scheme))
        .collect();
    let found = allowed.iter().copied().find(asked);
    if found.is_none() {
        let field = if digest.is_some() { "digest" } else { "padding" };
        let message = format!("no allowed scheme is so; allowed for {kind} keys: {}", listed(&allowed));
        broken.push(BrokenRule::new("key.scheme", field, message));
    }
    found
}
