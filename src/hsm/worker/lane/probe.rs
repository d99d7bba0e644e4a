//! The probe of one key kind: a throw-away key is made, signs, is attacked and destroyed, all in one
//! call of the mutation lane, so that nobody else sees the key.

use std::time::Instant;

use cryptoki::mechanism::MechanismType;
use cryptoki::object::{Attribute, AttributeInfo, AttributeType, ObjectHandle};
use cryptoki::session::Session;

use super::{Effect, Lane};
use crate::domain::algorithm::{KeyKind, KeyMaterial, Scheme};
use crate::hsm::error::Kind;
use crate::hsm::probe::{Attack, Outcome, PROBE_ID, PROBE_LABEL, Probed, Signed};
use crate::hsm::protocol::{Answer, Class};
use crate::hsm::worker::fault::Remedy;
use crate::hsm::worker::objects::Pair;
use crate::hsm::worker::sessions::Failure;
use crate::hsm::worker::wrapping;

/// What must not change on a key: its name, the attribute, the value that would let it out.
const GUARDS: [(&str, AttributeType, bool); 2] = [
    ("CKA_EXTRACTABLE", AttributeType::Extractable, true),
    ("CKA_SENSITIVE", AttributeType::Sensitive, false),
];

impl Lane {
    pub(super) fn probe(&mut self, id: u64, kind: KeyKind, message: &[u8]) -> Result<Answer, Failure> {
        let probed = self.probe_from_clean(id, kind, message);
        // It may be made again at any time, as it begins by clearing away.
        self.effect = Effect::None;
        probed
    }

    fn probe_from_clean(&mut self, id: u64, kind: KeyKind, message: &[u8]) -> Result<Answer, Failure> {
        self.destroy(id, PROBE_ID)?;
        let started = Instant::now();
        let made = self.generate(id, PROBE_ID, PROBE_LABEL, kind);
        let generated_in = started.elapsed();
        let made = made.and_then(|pair| Ok((pair, self.read_key(id, pair)?)));
        let (pair, key) = match made {
            Ok(made) => made,
            Err(failure) if is_incapable(&failure) => {
                self.destroy(id, PROBE_ID)?;
                return Ok(Answer::NotMade(told(failure)));
            }
            Err(failure) => return Err(failure),
        };
        let mut signatures = Vec::new();
        for scheme in kind.schemes() {
            signatures.push(self.probe_signature(id, scheme, message)?);
        }
        let attacks = self.attack(id, kind, pair)?;
        let started = Instant::now();
        self.destroy(id, PROBE_ID)?;
        let destroyed_in = started.elapsed();
        let probed = Probed { key, generated_in, signatures, attacks, destroyed_in };
        Ok(Answer::Probed(Box::new(probed)))
    }

    fn probe_signature(&mut self, id: u64, scheme: Scheme, message: &[u8]) -> Result<Signed, Failure> {
        let started = Instant::now();
        let signature = self.sign(id, PROBE_ID, scheme, message.to_vec());
        let signed_in = started.elapsed();
        let signature = match signature {
            Ok(signature) => Ok(signature),
            Err(failure) if is_incapable(&failure) => {
                // NSS 3.110 leaves the session busy after CKR_ARGUMENTS_BAD (measured).
                self.session.close();
                Err(told(failure))
            }
            Err(failure) => return Err(failure),
        };
        Ok(Signed { scheme, signed_in, signature })
    }

    fn attack(&mut self, id: u64, kind: KeyKind, pair: Pair) -> Result<Vec<Attack>, Failure> {
        let key = pair.private;
        let mut attacks = Vec::new();
        for (name, attribute) in private_parts(kind) {
            let outcome = self.insist(|lane| lane.try_reading(id, key, *attribute))?;
            attacks.push(Attack { call: format!("C_GetAttributeValue of {name}"), outcome });
        }
        for (name, attribute, weak) in GUARDS {
            let outcome = self.insist(|lane| lane.try_setting(id, key, name, attribute, weak))?;
            attacks.push(Attack { call: format!("C_SetAttributeValue of {name} to {weak}"), outcome });
        }
        for (name, attribute, weak) in GUARDS {
            let outcome = self.insist(|lane| {
                lane.try_copying(id, key, name, attribute, weak, Some(Attribute::Token(false)))
            })?;
            let call = format!("C_CopyObject to a session object with {name} {weak}");
            attacks.push(Attack { call, outcome });
        }
        let context = self.context.clone();
        let listed = self.session.call(id, Class::Other, |_| {
            wrapping::wrapping_mechanisms(&context.module.pkcs11, context.slot)
        })?;
        for mechanism in listed {
            let outcome = self.insist(|lane| lane.try_wrapping(id, key, mechanism))?;
            attacks.push(Attack { call: format!("C_WrapKey with {mechanism}"), outcome });
        }
        attacks.push(Attack {
            call: "C_WrapKey with other mechanisms".to_owned(),
            outcome: Outcome::NotTried(
                "strongroom sees only the mechanisms that its PKCS#11 library knows by name; \
                 CKM_AES_KEY_WRAP_KWP is not among them"
                    .to_owned(),
            ),
        });
        // A key that was gone meanwhile has withstood nothing.
        self.session
            .call(id, Class::Other, |session| session.get_attributes(key, &[AttributeType::Class]))?;
        // Last, since NSS 3.87 replaces a key by its copy (measured).
        for (name, attribute, weak) in GUARDS {
            let tried = self.insist(|lane| lane.try_copying(id, key, name, attribute, weak, None));
            let outcome = match tried {
                Err(failure) if failure.remedy() == Some(Remedy::FindAgain) => {
                    Outcome::NotTried("the key is gone: an earlier copy took its place".to_owned())
                }
                tried => tried?,
            };
            attacks.push(Attack { call: format!("C_CopyObject with {name} {weak}"), outcome });
        }
        Ok(attacks)
    }

    /// Once more where a fault was in the way: one that passes must not hide a leak for as long as the
    /// verdict holds.
    fn insist(&mut self, attack: impl Fn(&mut Self) -> Result<Outcome, Failure>) -> Result<Outcome, Failure> {
        match attack(self)? {
            Outcome::NotTried(_) => attack(self),
            outcome => Ok(outcome),
        }
    }

    fn try_reading(
        &mut self,
        id: u64,
        key: ObjectHandle,
        attribute: AttributeType,
    ) -> Result<Outcome, Failure> {
        let read = self.attempt(id, |session| session.get_attributes(key, &[attribute]))?;
        let values = match read {
            Ok(values) => values,
            Err(outcome) => return Ok(outcome),
        };
        if let Some(value) = values.first() {
            let bytes = significant_bytes(value);
            return Ok(match bytes {
                0 => Outcome::NoEffect("answered with nothing but zeros".to_owned()),
                bytes => Outcome::Leaked(format!("returned the private value ({bytes} bytes)")),
            });
        }
        // The values came without their return code; the question for lengths has one.
        let asked = self.attempt(id, |session| session.get_attribute_info(key, &[attribute]))?;
        Ok(match asked {
            Ok(answer) => match answer.first() {
                Some(AttributeInfo::Sensitive) => Outcome::Refused("CKR_ATTRIBUTE_SENSITIVE".to_owned()),
                Some(AttributeInfo::TypeInvalid) => Outcome::Refused("CKR_ATTRIBUTE_TYPE_INVALID".to_owned()),
                Some(AttributeInfo::Unavailable | AttributeInfo::Available(_)) | None => {
                    Outcome::NoEffect("answered CKR_OK and no value".to_owned())
                }
            },
            Err(outcome) => outcome,
        })
    }

    fn try_setting(
        &mut self,
        id: u64,
        key: ObjectHandle,
        name: &str,
        attribute: AttributeType,
        weak: bool,
    ) -> Result<Outcome, Failure> {
        if self.has_value(id, key, attribute, weak)? {
            return Ok(Outcome::NotTried(format!("{name} is {weak} already")));
        }
        let template = [weakened(attribute, weak)];
        let set = self.attempt(id, |session| session.update_attributes(key, &template))?;
        // Whatever it answered, it matters what the key is now.
        let is_weak = self.has_value(id, key, attribute, weak)?;
        Ok(match (is_weak, set) {
            (true, _) => Outcome::Leaked(format!("made the key one with {name} {weak}")),
            (false, Ok(())) => Outcome::NoEffect(format!("answered CKR_OK; {name} is still {}", !weak)),
            (false, Err(outcome)) => outcome,
        })
    }

    fn try_copying(
        &mut self,
        id: u64,
        key: ObjectHandle,
        name: &str,
        attribute: AttributeType,
        weak: bool,
        place: Option<Attribute>,
    ) -> Result<Outcome, Failure> {
        if self.has_value(id, key, attribute, weak)? {
            return Ok(Outcome::NotTried(format!("{name} is {weak} already")));
        }
        let template: Vec<_> = place.into_iter().chain([weakened(attribute, weak)]).collect();
        let copy = match self.attempt(id, |session| session.copy_object(key, &template))? {
            Ok(copy) => copy,
            Err(outcome) => return Ok(outcome),
        };
        let outcome = match self.has_value(id, copy, attribute, weak) {
            Ok(true) => Outcome::Leaked(format!("made a copy of the key with {name} {weak}")),
            Ok(false) => Outcome::NoEffect(format!("made a copy; its {name} is still {}", !weak)),
            Err(failure) if failure.remedy() == Some(Remedy::FindAgain) => {
                return Ok(Outcome::NoEffect("answered CKR_OK and made no object".to_owned()));
            }
            Err(failure) => return Err(failure),
        };
        match self.session.call(id, Class::Other, |session| session.destroy_object(copy)) {
            Err(failure) if failure.remedy() != Some(Remedy::FindAgain) => Err(failure),
            Ok(()) | Err(_) => Ok(outcome),
        }
    }

    fn try_wrapping(
        &mut self,
        id: u64,
        key: ObjectHandle,
        mechanism: MechanismType,
    ) -> Result<Outcome, Failure> {
        if !wrapping::is_known(mechanism) {
            return Ok(Outcome::NotTried("strongroom has no parameters for the mechanism".to_owned()));
        }
        let wrapping = match self.attempt(id, |session| wrapping::make_key(session, mechanism))? {
            Ok(wrapping) => wrapping,
            Err(Outcome::Refused(code) | Outcome::NotTried(code)) => {
                return Ok(Outcome::NotTried(format!("no key to wrap with: {code}")));
            }
            Err(outcome) => return Ok(outcome),
        };
        let wrapped = self.attempt(id, |session| wrapping::wrap(session, mechanism, wrapping, key))?;
        // A session object: gone with the session if that is lost, or if the token keeps it.
        drop(self.attempt(id, |session| session.destroy_object(wrapping))?);
        Ok(match wrapped {
            Ok(0) => Outcome::NoEffect("answered CKR_OK and no bytes".to_owned()),
            Ok(bytes) => Outcome::Leaked(format!("returned the key ({bytes} bytes)")),
            Err(outcome) => outcome,
        })
    }

    fn has_value(
        &mut self,
        id: u64,
        key: ObjectHandle,
        attribute: AttributeType,
        value: bool,
    ) -> Result<bool, Failure> {
        let read =
            self.session.call(id, Class::Other, |session| session.get_attributes(key, &[attribute]))?;
        Ok(read.contains(&weakened(attribute, value)))
    }

    /// A call that ought to be refused. The outer error is one that keeps the probe from going on.
    fn attempt<T>(
        &mut self,
        id: u64,
        f: impl FnOnce(&Session) -> cryptoki::error::Result<T>,
    ) -> Result<Result<T, Outcome>, Failure> {
        let fault = match self.session.call(id, Class::Other, f) {
            Ok(done) => return Ok(Ok(done)),
            Err(Failure::Fault(fault)) => fault,
            Err(failure) => return Err(failure),
        };
        if fault.guards_the_key {
            return Ok(Err(Outcome::Refused(fault.code().to_owned())));
        }
        if fault.remedy == Remedy::Restart {
            // Some modules answer so to what they do not know; if the token is lost, this tells.
            self.session.close();
            self.confirm_token(id)?;
        }
        Ok(Err(Outcome::NotTried(fault.code().to_owned())))
    }
}

/// Whether the token cannot do it at all, rather than not now.
fn is_incapable(failure: &Failure) -> bool {
    let kind = match failure {
        Failure::Told(error) => error.kind(),
        Failure::Fault(fault) => match fault.remedy {
            Remedy::Tell(kind) => kind,
            Remedy::AbandonSession
            | Remedy::ReplaceSession
            | Remedy::FindAgain
            | Remedy::Restart
            | Remedy::Nothing => return false,
        },
    };
    matches!(kind, Kind::Unsupported | Kind::Refused | Kind::Bug)
}

fn told(failure: Failure) -> String {
    match failure {
        Failure::Fault(fault) => fault.text,
        Failure::Told(error) => error.to_string(),
    }
}

/// What makes up the private part of a key (PKCS#11 v3.0 current mechanisms, sections 2.1.3 and 2.3.4).
fn private_parts(kind: KeyKind) -> &'static [(&'static str, AttributeType)] {
    match kind.material() {
        KeyMaterial::Rsa { .. } => &[
            ("CKA_PRIVATE_EXPONENT", AttributeType::PrivateExponent),
            ("CKA_PRIME_1", AttributeType::Prime1),
            ("CKA_PRIME_2", AttributeType::Prime2),
            ("CKA_EXPONENT_1", AttributeType::Exponent1),
            ("CKA_EXPONENT_2", AttributeType::Exponent2),
            ("CKA_COEFFICIENT", AttributeType::Coefficient),
        ],
        KeyMaterial::Ec { .. } | KeyMaterial::Edwards { .. } => &[("CKA_VALUE", AttributeType::Value)],
    }
}

fn weakened(attribute: AttributeType, value: bool) -> Attribute {
    if attribute == AttributeType::Sensitive {
        Attribute::Sensitive(value)
    } else {
        Attribute::Extractable(value)
    }
}

/// How long a private part is; 0 if it is all zeros. The value itself goes no further.
fn significant_bytes(attribute: &Attribute) -> usize {
    match attribute {
        Attribute::Value(bytes)
        | Attribute::PrivateExponent(bytes)
        | Attribute::Prime1(bytes)
        | Attribute::Prime2(bytes)
        | Attribute::Exponent1(bytes)
        | Attribute::Exponent2(bytes)
        | Attribute::Coefficient(bytes)
            if bytes.iter().any(|byte| *byte != 0) =>
        {
            bytes.len()
        }
        _ => 0,
    }
}
