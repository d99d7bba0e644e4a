//! What a token can do, found by trying, and whether it holds what it promises: a throw-away key of
//! each kind is made, signs, is attacked, and is destroyed.
//!
//! Attributes that are read back are the token's word. NSS softokn 3.87 reports a key as sensitive and
//! never extractable and wraps it out in clear (measured); only an attempt tells.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::error::{Error, Kind};
use super::model::GeneratedKey;
use super::protocol::{Answer, Call};
use super::{Token, mismatched};
use crate::domain::algorithm::{KeyKind, KeyMaterial, KeyType, Scheme};
use crate::domain::csr::verify_signature;
use crate::domain::id::KeyId;

/// CKA_ID of every throw-away key. Nothing else ever has it, so what is found under it was left by a
/// probe that was killed. It names no installation: who finds it may clear it away.
pub const PROBE_ID: KeyId = KeyId::fixed(*b"strongroom-probe");

/// CKA_LABEL of every throw-away key.
pub(super) const PROBE_LABEL: &str = "strongroom probe";

/// What is signed.
const MESSAGE: &[u8] = b"strongroom probes this token with a throw-away key";

/// What the probe of one key kind found.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct KindProbe {
    /// Which kind.
    pub kind: KeyKind,
    /// Why there is nothing more to tell: the token cannot make such a key.
    pub failure: Option<String>,
    /// How long C_GenerateKeyPair took.
    pub generated_in: Duration,
    /// A signature under each scheme of the kind.
    pub signatures: Vec<SignatureProbe>,
    /// What was read back otherwise than it was asked for.
    pub violations: Vec<String>,
    /// What was tried to get the key out.
    pub attacks: Vec<Attack>,
    /// How long it took to destroy the pair.
    pub destroyed_in: Duration,
}

/// A signature under one scheme.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SignatureProbe {
    /// Which scheme.
    pub scheme: Scheme,
    /// How long it took to sign.
    pub signed_in: Duration,
    /// Why there is none, or none that verifies.
    pub failure: Option<String>,
}

/// One attempt to get a key out, or to make it such that it can be got out.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Attack {
    /// The call: `C_WrapKey with CKM_AES_KEY_WRAP_PAD`.
    pub call: String,
    /// What came of it.
    pub outcome: Outcome,
}

/// What came of an attack.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Outcome {
    /// The token refused, with this return code.
    Refused(String),
    /// The token answered OK, and the key is as it was: how that was seen.
    NoEffect(String),
    /// The key came out, or can: what was seen, never the key.
    Leaked(String),
    /// It could not be tried, and says nothing: why.
    NotTried(String),
}

/// What a worker found, before the signatures are verified.
#[derive(Serialize, Deserialize)]
pub(super) struct Probed {
    pub(super) key: GeneratedKey,
    pub(super) generated_in: Duration,
    pub(super) signatures: Vec<Signed>,
    pub(super) attacks: Vec<Attack>,
    pub(super) destroyed_in: Duration,
}

/// A signature that is not verified yet, or why there is none.
#[derive(Serialize, Deserialize)]
pub(super) struct Signed {
    pub(super) scheme: Scheme,
    pub(super) signed_in: Duration,
    pub(super) signature: Result<Vec<u8>, String>,
}

impl Token {
    /// Probes one key kind.
    ///
    /// # Errors
    /// The probe could not be finished, which says nothing about the token. That it cannot make such a
    /// key is no error.
    pub async fn probe(&self, kind: KeyKind) -> Result<KindProbe, Error> {
        match self.call(Call::Probe { kind, message: MESSAGE.to_vec() }).await {
            Ok(Answer::Probed(probed)) => Ok(judged(kind, *probed)),
            Ok(Answer::NotMade(why)) => Ok(KindProbe::impossible(kind, why)),
            Ok(_) => Err(mismatched()),
            // Nobody has to look: the next probe clears away what is left of the key.
            Err(error) if error.kind() == Kind::OutcomeUnknown => {
                let message = format!(
                    "the module hung or died while a throw-away key of kind {kind} was probed; it is not used \
                     before it withstands the probes"
                );
                Err(Error::new(Kind::OutcomeUnknown, message).because_of(&error))
            }
            Err(error) => Err(error),
        }
    }
}

impl KindProbe {
    fn impossible(kind: KeyKind, why: String) -> Self {
        Self {
            kind,
            failure: Some(why),
            generated_in: Duration::ZERO,
            signatures: Vec::new(),
            violations: Vec::new(),
            attacks: Vec::new(),
            destroyed_in: Duration::ZERO,
        }
    }

    /// Every leak: the call, and what it did.
    pub fn leaks(&self) -> impl Iterator<Item = (&str, &str)> {
        self.attacks.iter().filter_map(|attack| match &attack.outcome {
            Outcome::Leaked(what) => Some((attack.call.as_str(), what.as_str())),
            Outcome::Refused(_) | Outcome::NoEffect(_) | Outcome::NotTried(_) => None,
        })
    }
}

/// The kinds offered, by type of key and the cheapest first: types differ in what their private part
/// consists of, and modules in how they guard it.
pub fn cheapest_first_by_type(offered: &[KeyKind]) -> impl Iterator<Item = Vec<KeyKind>> {
    let mut by_type: BTreeMap<KeyType, Vec<KeyKind>> = BTreeMap::new();
    for kind in offered {
        by_type.entry(kind.key_type()).or_default().push(*kind);
    }
    by_type.into_values().map(|mut kinds| {
        kinds.sort_by_key(|kind| cost(*kind));
        kinds
    })
}

fn cost(kind: KeyKind) -> usize {
    match kind.material() {
        KeyMaterial::Rsa { bits } => bits as usize,
        KeyMaterial::Ec { field_bytes, .. } => field_bytes,
        KeyMaterial::Edwards { key_bytes, .. } => key_bytes,
    }
}

/// The signatures are verified on this side: by code that shares nothing with the module.
fn judged(kind: KeyKind, probed: Probed) -> KindProbe {
    let Probed { key, generated_in, signatures, attacks, destroyed_in } = probed;
    let signatures = signatures.into_iter().map(|Signed { scheme, signed_in, signature }| SignatureProbe {
        scheme,
        signed_in,
        failure: match signature {
            Ok(signature) => verify_signature(&key.spki, scheme, MESSAGE, &signature)
                .err()
                .map(|error| format!("the signature is wrong: {error}")),
            Err(failure) => Some(failure),
        },
    });
    KindProbe {
        kind,
        failure: None,
        generated_in,
        signatures: signatures.collect(),
        violations: key.attributes.violations(),
        attacks,
        destroyed_in,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kinds(names: &[&str]) -> Vec<KeyKind> {
        names.iter().map(|name| name.parse().unwrap()).collect()
    }

    #[test]
    fn the_cheapest_kind_stands_for_its_type_before_the_others() {
        let offered = kinds(&["rsa-4096", "rsa-2048", "ec-p384", "ec-p256", "ed25519"]);
        assert_eq!(
            Vec::from_iter(cheapest_first_by_type(&offered)),
            [kinds(&["ec-p256", "ec-p384"]), kinds(&["ed25519"]), kinds(&["rsa-2048", "rsa-4096"])]
        );
        assert_eq!(cheapest_first_by_type(&[]).count(), 0);
    }

    #[test]
    fn only_a_leak_is_a_leak() {
        let attack = |outcome| Attack { call: "C_X".to_owned(), outcome };
        let probe = KindProbe {
            attacks: vec![
                attack(Outcome::Refused("CKR_KEY_UNEXTRACTABLE".to_owned())),
                attack(Outcome::NoEffect("answered OK".to_owned())),
                attack(Outcome::NotTried("no key".to_owned())),
                attack(Outcome::Leaked("returned the key".to_owned())),
            ],
            ..KindProbe::impossible("ec-p256".parse().unwrap(), String::new())
        };
        assert_eq!(probe.leaks().collect::<Vec<_>>(), [("C_X", "returned the key")]);
    }
}
