//! A lane: one thread, one session, one call at a time.

mod certificates;
mod probe;

use std::sync::Arc;

use crossbeam_channel::Receiver;
use cryptoki::object::{Attribute, AttributeType, ObjectHandle};
use cryptoki::session::Session;
use cryptoki::slot::Slot;

use super::attributes::{self, READ_BACK, key_attributes};
use super::fault::Remedy;
use super::inside::InsideModule;
use super::link::{Outbox, end_process};
use super::mechanism::Mechanisms;
use super::module::Module;
use super::objects::{self, Handles, LISTED, Pair};
use super::public_key::{PUBLIC_KEY, spki};
use super::sessions::{Access, Failure, LaneSession, Login};
use crate::domain::algorithm::{KeyKind, Scheme};
use crate::domain::id::KeyId;
use crate::hsm::error::{Error, Kind};
use crate::hsm::model::{Destroyed, GeneratedKey, ObjectClass, TokenObject};
use crate::hsm::profile::Profile;
use crate::hsm::protocol::{Answer, Call, Class, FromWorker};

/// How often a destruction looks for what is left: handles may go stale under it once.
const DESTROY_ROUNDS: usize = 3;

/// What the lanes share.
pub(super) struct Context {
    pub(super) module: Module,
    pub(super) slot: Slot,
    pub(super) login: Login,
    pub(super) mechanisms: Mechanisms,
    pub(super) profile: Profile,
    pub(super) handles: Handles,
    pub(super) inside: Arc<InsideModule>,
    pub(super) outbox: Arc<Outbox>,
}

/// A call of the service.
pub(super) struct Job {
    pub(super) id: u64,
    pub(super) call: Call,
}

impl Job {
    /// Whether it waits its turn among the mutations: one of them, or an inventory, which would see
    /// what they have half made or half destroyed.
    pub(super) fn takes_turns(&self) -> bool {
        self.call.is_mutation() || matches!(self.call, Call::Inventory)
    }
}

/// One thread's work.
pub(super) struct Lane {
    context: Arc<Context>,
    session: LaneSession,
    effect: Effect,
}

/// What the present call has done to the token.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Effect {
    /// Nothing, and the service knows it.
    None,
    /// The service was told that the module is about to be entered with a mutation.
    Announced,
    /// Something.
    Done,
}

impl Lane {
    pub(super) fn new(context: Arc<Context>, access: Access) -> Self {
        let session = LaneSession::new(context.clone(), access);
        Self { context, session, effect: Effect::None }
    }

    /// Works until the queue has ended.
    pub(super) fn run(mut self, jobs: &Receiver<Job>) {
        for Job { id, call } in jobs {
            self.effect = Effect::None;
            let result = self.perform(id, call);
            self.conclude(id, result);
        }
        self.session.close();
    }

    fn perform(&mut self, id: u64, call: Call) -> Result<Answer, Failure> {
        Ok(match call {
            Call::Generate { id: key, label, kind } => {
                let pair = self.generate(id, key, &label, kind)?;
                // Here and not in another lane: with the switch of threads and the quarrel over the
                // module's locks SoftHSM made fewer keys in a second.
                Answer::Key(self.read_key(id, pair)?)
            }
            Call::ReadBack { id: key } => Answer::Key(self.read_back(id, key)?),
            Call::Sign { id: key, scheme, message } => {
                Answer::Signature(self.sign(id, key, scheme, message)?)
            }
            Call::Destroy { id: key } => Answer::Destroyed(self.destroy(id, key)?),
            Call::SetCertificate { id: key, wanted, obsolete } => {
                Answer::CertificateChange(self.set_certificate(id, key, wanted.as_ref(), &obsolete)?)
            }
            Call::Probe { kind, message } => self.probe(id, kind, &message)?,
            Call::Inventory => Answer::Objects(self.inventory(id)?),
            Call::Slots => {
                let _stay = self.context.inside.enter(id, Class::Other);
                Answer::Slots(self.context.module.slots()?)
            }
        })
    }

    fn generate(&mut self, id: u64, key: KeyId, label: &str, kind: KeyKind) -> Result<Pair, Failure> {
        let context = self.context.clone();
        let mechanism = context.mechanisms.generating(kind)?;
        let public = attributes::public_template(&context.profile, kind, key, label)?;
        let private = attributes::private_template(&context.profile, key, label);
        self.session.open(id)?;
        self.announce(id);
        let generate = |session: &Session| session.generate_key_pair(&mechanism, &public, &private);
        let made = self.session.call(id, Class::of_generation(kind), generate);
        let (public, private) = made.map_err(never_again)?;
        self.effect = Effect::Done;
        let pair = Pair { private, public };
        context.handles.insert(key, pair);
        Ok(pair)
    }

    fn read_back(&mut self, id: u64, key: KeyId) -> Result<GeneratedKey, Failure> {
        self.with_pair(id, key, |lane, pair| lane.read_key(id, pair))
    }

    fn read_key(&mut self, id: u64, pair: Pair) -> Result<GeneratedKey, Failure> {
        let (private, public) = self.session.call_again(id, Class::Other, |session| {
            let private = session.get_attributes(pair.private, &READ_BACK)?;
            Ok((private, session.get_attributes(pair.public, &PUBLIC_KEY)?))
        })?;
        Ok(GeneratedKey { spki: spki(&public)?, attributes: key_attributes(&private) })
    }

    fn sign(&mut self, id: u64, key: KeyId, scheme: Scheme, message: Vec<u8>) -> Result<Vec<u8>, Failure> {
        let signing = self.context.mechanisms.signing(scheme)?;
        let input = signing.input(message);
        // One-shot C_Sign only: tpm2-pkcs11 1.9.0 answers OK to a multi-part one, with a wrong
        // signature (measured).
        let signature = self.with_pair(id, key, |lane, pair| {
            lane.session
                .call_again(id, Class::Sign, |session| session.sign(&signing.mechanism, pair.private, &input))
        })?;
        Ok(signing.output(signature)?)
    }

    fn destroy(&mut self, id: u64, key: KeyId) -> Result<Destroyed, Failure> {
        self.context.handles.forget(key);
        let mut destroyed = Destroyed::default();
        for _ in 0..DESTROY_ROUNDS {
            let found =
                self.session.call_again(id, Class::Other, |session| objects::find_id(session, key))?;
            if found.is_empty() {
                self.confirm_token(id)?;
                return Ok(destroyed);
            }
            if self.destroy_found(id, found, &mut destroyed)? {
                return Ok(destroyed);
            }
        }
        let message =
            format!("objects with CKA_ID {key} are still on the token after {DESTROY_ROUNDS} tries");
        Err(Error::new(Kind::Refused, message).into())
    }

    /// Answers whether all of them are gone; if not, a handle went stale, and the objects have to be
    /// found again.
    fn destroy_found(
        &mut self,
        id: u64,
        found: Vec<ObjectHandle>,
        destroyed: &mut Destroyed,
    ) -> Result<bool, Failure> {
        let mut objects = Vec::with_capacity(found.len());
        for handle in found {
            let class = self.read_listed(id, handle, &[AttributeType::Class])?;
            objects.push((handle, objects::class_of(&class.unwrap_or_default())));
        }
        // Private keys first: half a pair without one is harmless.
        objects.sort_by_key(|(_, class)| *class != ObjectClass::Private);
        if self.effect == Effect::None {
            self.announce(id);
        }
        let mut all = true;
        for (handle, class) in objects {
            match self.session.call_again(id, Class::Other, |session| session.destroy_object(handle)) {
                Ok(()) => {
                    self.effect = Effect::Done;
                    destroyed.count(&class);
                }
                Err(failure) if failure.remedy() == Some(Remedy::FindAgain) => all = false,
                Err(failure) => return Err(failure),
            }
        }
        Ok(all)
    }

    fn inventory(&mut self, id: u64) -> Result<Vec<TokenObject>, Failure> {
        let handles = self.session.call_again(id, Class::Other, objects::find_all)?;
        let mut objects = Vec::with_capacity(handles.len());
        for handle in handles {
            let mut object = self.list(id, handle)?;
            // Of those only: reading every stranger's certificate costs a call each.
            if object.class == ObjectClass::Certificate && KeyId::from_slice(&object.id).is_some() {
                object.sha256 = self.certificate_digest(id, handle)?;
            }
            objects.push((handle, object));
        }
        self.confirm_token(id)?;
        self.context.handles.extend(objects::pairs(&objects));
        Ok(objects.into_iter().map(|(_, object)| object).collect())
    }

    /// Lists an object, by a call of its own so that no size of token outstays the deadline. What a
    /// killed C_GenerateKeyPair leaves behind may not give its attributes, or only some.
    fn list(&mut self, id: u64, handle: ObjectHandle) -> Result<TokenObject, Failure> {
        if let Some(attributes) = self.read_listed(id, handle, &LISTED)? {
            return Ok(objects::listed(attributes));
        }
        let mut attributes = Vec::new();
        for one in LISTED {
            attributes.extend(self.read_listed(id, handle, &[one])?.into_iter().flatten());
        }
        Ok(objects::listed(attributes))
    }

    /// The attributes; `None` when the module fails to read them from this object.
    fn read_listed(
        &mut self,
        id: u64,
        handle: ObjectHandle,
        types: &[AttributeType],
    ) -> Result<Option<Vec<Attribute>>, Failure> {
        let read = self.session.call_again(id, Class::Other, |session| session.get_attributes(handle, types));
        match read {
            Ok(attributes) => Ok(Some(attributes)),
            Err(failure) => match failure.remedy() {
                Some(Remedy::AbandonSession | Remedy::ReplaceSession) | None => Err(failure),
                // The token itself is confirmed when all is read.
                Some(Remedy::FindAgain | Remedy::Restart | Remedy::Nothing | Remedy::Tell(_)) => Ok(None),
            },
        }
    }

    /// Does something with a key pair, and once more with newly found handles if those known are
    /// stale.
    fn with_pair<T>(
        &mut self,
        id: u64,
        key: KeyId,
        f: impl Fn(&mut Self, Pair) -> Result<T, Failure>,
    ) -> Result<T, Failure> {
        let Some(known) = self.context.handles.get(key) else {
            let found = self.find(id, key)?;
            return f(self, found);
        };
        match f(self, known) {
            Err(failure) if failure.remedy() == Some(Remedy::FindAgain) => {
                self.context.handles.forget(key);
                let found = self.find(id, key)?;
                f(self, found)
            }
            done => done,
        }
    }

    fn find(&mut self, id: u64, key: KeyId) -> Result<Pair, Failure> {
        let (private, public) =
            self.session.call_again(id, Class::Other, |session| objects::find_keys(session, key))?;
        match objects::the_pair(key, &private, &public)? {
            Some(pair) => {
                self.context.handles.insert(key, pair);
                Ok(pair)
            }
            None => {
                self.confirm_token(id)?;
                let message = format!("the token has no key with CKA_ID {key}");
                Err(Error::new(Kind::KeyMissing, message).into())
            }
        }
    }

    /// "No objects" is not "no key": SoftHSM whose storage vanished answers OK to a search, and an
    /// error only here.
    fn confirm_token(&self, id: u64) -> Result<(), Failure> {
        let _stay = self.context.inside.enter(id, Class::Other);
        self.context.module.pkcs11.get_token_info(self.context.slot)?;
        Ok(())
    }

    /// Tells the service before the module is entered with a mutation.
    fn announce(&mut self, id: u64) {
        self.effect = Effect::Announced;
        self.context.outbox.send(&FromWorker::Started { id });
    }

    /// Answers a call, unless the next worker will. When the module has lost its HSM the process ends,
    /// and the service makes again what had no effect.
    fn conclude(&self, id: u64, result: Result<Answer, Failure>) {
        let failure = match result {
            Ok(answer) => return self.answer(id, Ok(answer)),
            Err(failure) => failure,
        };
        let lost = matches!(
            failure.remedy(),
            Some(Remedy::AbandonSession | Remedy::ReplaceSession | Remedy::Restart)
        );
        let told = match self.effect {
            // Left unanswered, for the next worker.
            Effect::None if lost => None,
            Effect::Done => Some(partly_done().because(&failure)),
            Effect::Announced if lost && failure.may_have_acted() => Some(cut_off().because(&failure)),
            Effect::Announced if lost => Some(interrupted().because(&failure)),
            Effect::Announced | Effect::None => Some(failure.clone().into_error()),
        };
        if let Some(error) = told {
            self.answer(id, Err(error));
        }
        if lost {
            self.context.outbox.send(&FromWorker::Ended(failure.into_error()));
            end_process();
        }
    }

    fn answer(&self, id: u64, result: Result<Answer, Error>) {
        self.context.outbox.send(&FromWorker::Answer { id, result });
    }
}

/// A generation whose session is lost is not made again under its CKA_ID; the next call heals the
/// session.
fn never_again(failure: Failure) -> Failure {
    match failure.remedy() {
        Some(Remedy::AbandonSession | Remedy::ReplaceSession) => interrupted().because(failure).into(),
        Some(Remedy::FindAgain | Remedy::Restart | Remedy::Nothing | Remedy::Tell(_)) | None => failure,
    }
}

fn interrupted() -> Error {
    Error::new(Kind::Interrupted, "the session with the HSM was lost before anything was done; try again")
}

fn cut_off() -> Error {
    let message = "the connection to the HSM was lost while it was being changed; \
                   look on the token for what became of it";
    Error::new(Kind::OutcomeUnknown, message)
}

fn partly_done() -> Error {
    let message = "the token was changed, and what remained to be done failed; \
                   look on the token for what became of it";
    Error::new(Kind::OutcomeUnknown, message)
}
