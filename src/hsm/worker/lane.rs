//! A lane: one thread, one session, one call at a time.

use std::sync::Arc;

use crossbeam_channel::{Receiver, Sender};
use cryptoki::object::{Attribute, AttributeType, ObjectHandle};
use cryptoki::session::Session;
use cryptoki::slot::Slot;

use super::attributes::{self, READ_BACK, key_attributes};
use super::fault::{Fault, Remedy};
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

/// Something for a lane to do.
pub(super) enum Job {
    /// A call of the service.
    Call { id: u64, call: Call },
    /// The rest of a generation: reading back what was made.
    ReadNew { id: u64, pair: Pair },
}

impl Job {
    pub(super) fn is_mutation(&self) -> bool {
        match self {
            Self::Call { call, .. } => call.is_mutation(),
            Self::ReadNew { .. } => false,
        }
    }
}

/// One thread's work.
pub(super) struct Lane {
    context: Arc<Context>,
    session: LaneSession,
    handover: Option<Sender<Job>>,
    /// The service was told that the module is about to be entered with the present mutation.
    started: bool,
}

impl Lane {
    /// With `handover` the lane leaves the reading back of what it made to others.
    pub(super) fn new(context: Arc<Context>, access: Access, handover: Option<Sender<Job>>) -> Self {
        let session = LaneSession::new(context.clone(), access);
        Self { context, session, handover, started: false }
    }

    /// Works until the queue has ended.
    pub(super) fn run(mut self, jobs: &Receiver<Job>) {
        for job in jobs {
            self.started = false;
            match job {
                Job::Call { id, call: Call::Generate { id: key, label, kind } } => {
                    self.generate(id, key, &label, kind);
                }
                Job::Call { id, call: Call::ReadBack { id: key } } => {
                    let result = self.read_back(id, key).map(Answer::Key);
                    self.conclude(id, result);
                }
                Job::Call { id, call: Call::Sign { id: key, scheme, message } } => {
                    let result = self.sign(id, key, scheme, message).map(Answer::Signature);
                    self.conclude(id, result);
                }
                Job::Call { id, call: Call::Destroy { id: key } } => {
                    let result = self.destroy(id, key).map(Answer::Destroyed);
                    self.conclude(id, result);
                }
                Job::Call { id, call: Call::Inventory } => {
                    let result = self.inventory(id).map(Answer::Objects);
                    self.conclude(id, result);
                }
                Job::Call { id, call: Call::Slots } => {
                    let slots = {
                        let _stay = self.context.inside.enter(id, Class::Other);
                        self.context.module.slots()
                    };
                    self.conclude(id, slots.map(Answer::Slots).map_err(Failure::from));
                }
                Job::ReadNew { id, pair } => self.read_new(id, pair),
            }
        }
        self.session.close();
    }

    fn generate(&mut self, id: u64, key: KeyId, label: &str, kind: KeyKind) {
        match self.try_generate(id, key, label, kind) {
            Ok(pair) => match &self.handover {
                // It fails only when the process ends.
                Some(readers) => drop(readers.send(Job::ReadNew { id, pair })),
                None => self.read_new(id, pair),
            },
            // The session is healed by the next call. This one is not made again under its id.
            Err(Failure::Fault(Fault {
                remedy: Remedy::AbandonSession | Remedy::ReplaceSession,
                text,
                ..
            })) if self.started => self.answer(id, Err(interrupted().because(text))),
            Err(failure) => self.conclude(id, Err(failure)),
        }
    }

    fn try_generate(&mut self, id: u64, key: KeyId, label: &str, kind: KeyKind) -> Result<Pair, Failure> {
        let context = self.context.clone();
        let mechanism = context.mechanisms.generating(kind)?;
        let public = attributes::public_template(&context.profile, kind, key, label)?;
        let private = attributes::private_template(&context.profile, key, label);
        self.session.open(id)?;
        self.start(id);
        let generate = |session: &Session| session.generate_key_pair(&mechanism, &public, &private);
        let (public, private) = self.session.call(id, Class::of_generation(kind), generate)?;
        let pair = Pair { private, public };
        context.handles.insert(key, pair);
        Ok(pair)
    }

    fn read_new(&mut self, id: u64, pair: Pair) {
        self.started = true;
        match self.read_key(id, pair) {
            // There is a key by now, whatever went wrong.
            Err(Failure::Told(error)) => self.answer(id, Err(made_but_unread().because(error))),
            Err(Failure::Fault(Fault { remedy: Remedy::Tell(_) | Remedy::FindAgain, text, .. })) => {
                self.answer(id, Err(made_but_unread().because(text)));
            }
            result => self.conclude(id, result.map(Answer::Key)),
        }
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
            let objects = self.session.call_again(id, Class::Other, |session| {
                let read_class = |handle| {
                    let class = session.get_attributes(handle, &[AttributeType::Class]);
                    (handle, objects::class_of(&class.unwrap_or_default()))
                };
                Ok(objects::find_id(session, key)?.into_iter().map(read_class).collect::<Vec<_>>())
            })?;
            if objects.is_empty() {
                return Ok(destroyed);
            }
            if !self.started {
                self.start(id);
            }
            // Private keys first: half a pair without one is harmless.
            let (private, rest): (Vec<_>, Vec<_>) =
                objects.into_iter().partition(|(_, class)| *class == ObjectClass::Private);
            for (handle, class) in private.into_iter().chain(rest) {
                let done =
                    self.session.call_again(id, Class::Other, |session| session.destroy_object(handle));
                match (done, class) {
                    (Ok(()), ObjectClass::Private) => destroyed.private += 1,
                    (Ok(()), ObjectClass::Public) => destroyed.public += 1,
                    (Ok(()), ObjectClass::Other(_) | ObjectClass::Unknown) => destroyed.other += 1,
                    // The next round finds it again, or not.
                    (Err(failure), _) if failure.remedy() == Some(Remedy::FindAgain) => {}
                    (Err(failure), _) => return Err(failure),
                }
            }
        }
        let message =
            format!("objects with CKA_ID {key} are still on the token after {DESTROY_ROUNDS} tries");
        Err(Error::new(Kind::Refused, message).into())
    }

    fn inventory(&mut self, id: u64) -> Result<Vec<TokenObject>, Failure> {
        let handles = self.session.call_again(id, Class::Other, objects::find_all)?;
        let mut objects = Vec::with_capacity(handles.len());
        for handle in handles {
            objects.push((handle, self.list(id, handle)?));
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
    fn start(&mut self, id: u64) {
        self.started = true;
        self.context.outbox.send(&FromWorker::Started { id });
    }

    /// Answers a call. When the module has lost its HSM the process ends instead, and the service
    /// makes again what had no effect.
    fn conclude(&self, id: u64, result: Result<Answer, Failure>) {
        let fault = match result {
            Ok(answer) => return self.answer(id, Ok(answer)),
            Err(Failure::Told(error)) => return self.answer(id, Err(error)),
            Err(Failure::Fault(fault)) => fault,
        };
        match fault.remedy {
            Remedy::Tell(_) | Remedy::FindAgain | Remedy::Nothing => {
                self.answer(id, Err(fault.into_error()));
            }
            Remedy::AbandonSession | Remedy::ReplaceSession | Remedy::Restart => {
                if self.started {
                    let told = if fault.may_have_acted { outcome_unknown() } else { interrupted() };
                    self.answer(id, Err(told.because(&fault.text)));
                }
                self.context.outbox.send(&FromWorker::Ended(fault.into_error()));
                end_process();
            }
        }
    }

    fn answer(&self, id: u64, result: Result<Answer, Error>) {
        self.context.outbox.send(&FromWorker::Answer { id, result });
    }
}

fn interrupted() -> Error {
    Error::new(Kind::Interrupted, "the session with the HSM was lost before anything was done; try again")
}

fn outcome_unknown() -> Error {
    let message = "the connection to the HSM was lost while it was making or destroying a key; \
                   look on the token for what became of it";
    Error::new(Kind::OutcomeUnknown, message)
}

fn made_but_unread() -> Error {
    Error::new(Kind::OutcomeUnknown, "the token made the key, but it could not be read back")
}
