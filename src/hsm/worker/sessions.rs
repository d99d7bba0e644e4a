//! Sessions and the login: the first rung of recovery.
//!
//! Sessions here are never closed by dropping them. One that the module no longer knows is
//! abandoned: its number may be another lane's new session by now.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use cryptoki::context::Pkcs11;
use cryptoki::error::{Error as CryptokiError, RvError};
use cryptoki::session::{Session, SessionState, UserType};
use cryptoki::slot::Slot;

use super::breaker::{Breaker, PinFlags};
use super::fault::{Fault, Remedy};
use super::lane::Context;
use crate::hsm::error::{Error, Kind};
use crate::hsm::protocol::Class;

/// Why something on the token could not be done.
#[derive(Clone, Debug)]
pub(super) enum Failure {
    /// A call into the module failed.
    Fault(Fault),
    /// Anything else.
    Told(Error),
}

impl From<Fault> for Failure {
    fn from(fault: Fault) -> Self {
        Self::Fault(fault)
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Self::Told(error)
    }
}

impl From<cryptoki::error::Error> for Failure {
    fn from(error: cryptoki::error::Error) -> Self {
        Self::Fault(error.into())
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Fault(fault) => f.write_str(&fault.text),
            Self::Told(error) => error.fmt(f),
        }
    }
}

impl Failure {
    /// What to do about it, if a call into the module failed.
    pub(super) fn remedy(&self) -> Option<Remedy> {
        match self {
            Self::Fault(fault) => Some(fault.remedy),
            Self::Told(_) => None,
        }
    }

    /// Whether the call may have changed the token all the same.
    pub(super) fn may_have_acted(&self) -> bool {
        match self {
            Self::Fault(fault) => fault.may_have_acted,
            Self::Told(_) => false,
        }
    }

    pub(super) fn into_error(self) -> Error {
        match self {
            Self::Fault(fault) => fault.into_error(),
            Self::Told(error) => error,
        }
    }
}

/// The login, which all sessions share. An idle session holds it: when the last session closes, the
/// token logs out. C_Logout is never called: it would end the login of every lane.
pub(super) struct Login {
    pkcs11: Pkcs11,
    slot: Slot,
    breaker: Breaker,
    keeper: Mutex<Option<Session>>,
}

impl Login {
    pub(super) fn new(pkcs11: Pkcs11, slot: Slot, breaker: Breaker) -> Self {
        Self { pkcs11, slot, breaker, keeper: Mutex::new(None) }
    }

    /// Logs in unless that is so. Answers whether it had to: private objects may have got new handles.
    pub(super) fn ensure(&self) -> Result<bool, Failure> {
        let mut keeper = self.keeper.lock().unwrap_or_else(PoisonError::into_inner);
        let state = match keeper.as_ref().map(Session::get_session_info) {
            Some(Ok(info)) => Some(info.session_state()),
            Some(Err(error)) => match Fault::from(error) {
                fault if fault.remedy == Remedy::AbandonSession => None,
                fault => return Err(fault.into()),
            },
            None => None,
        };
        match state {
            Some(SessionState::RoUser | SessionState::RwUser) => return Ok(false),
            Some(SessionState::RoPublic | SessionState::RwPublic | SessionState::RwSecurityOfficer) => {}
            None => *keeper = Some(self.pkcs11.open_ro_session_no_drop(self.slot)?),
        }
        if let Some(session) = keeper.as_ref() {
            self.log_in(session)?;
        }
        Ok(true)
    }

    fn log_in(&self, session: &Session) -> Result<(), Failure> {
        let token = self.pkcs11.get_token_info(self.slot)?;
        let (pin, attempt) = self.breaker.attempt(PinFlags::of(&token))?;
        let Err(error) = session.login_with_raw(UserType::User, &pin.pin) else {
            return Ok(attempt.right()?);
        };
        let locked = matches!(error, CryptokiError::Pkcs11(RvError::PinLocked, _));
        let fault = Fault::from(error);
        match fault.remedy {
            // Success, but it proves nothing: SoftHSM says so even to a wrong PIN (measured).
            Remedy::Nothing => Ok(attempt.unjudged()?),
            Remedy::Tell(Kind::PinRefused) if locked => Err(attempt.locked().because(fault.text).into()),
            Remedy::Tell(Kind::PinRefused) => Err(attempt.wrong().because(fault.text).into()),
            Remedy::AbandonSession
            | Remedy::ReplaceSession
            | Remedy::FindAgain
            | Remedy::Restart
            | Remedy::Tell(_) => {
                attempt.lost()?;
                Err(fault.into())
            }
        }
    }
}

/// What a lane's session may do.
#[derive(Clone, Copy)]
pub(super) enum Access {
    /// Sign and read.
    ReadOnly,
    /// Make and destroy objects, too.
    ReadWrite,
}

/// The session of one lane, opened when it is needed and again when it is lost.
pub(super) struct LaneSession {
    context: Arc<Context>,
    access: Access,
    session: Option<Session>,
}

impl LaneSession {
    pub(super) fn new(context: Arc<Context>, access: Access) -> Self {
        Self { context, access, session: None }
    }

    /// Makes sure that there is a session, logged in.
    pub(super) fn open(&mut self, id: u64) -> Result<&Session, Failure> {
        let session = match self.session.take() {
            Some(session) => session,
            None => {
                let context = &self.context;
                let _stay = context.inside.enter(id, Class::Other);
                if context.login.ensure()? {
                    context.handles.clear();
                }
                match self.access {
                    Access::ReadOnly => context.module.pkcs11.open_ro_session_no_drop(context.slot)?,
                    Access::ReadWrite => context.module.pkcs11.open_rw_session_no_drop(context.slot)?,
                }
            }
        };
        Ok(self.session.insert(session))
    }

    /// One call into the module. A session that turns out to be lost is given up, so that the next
    /// call opens another.
    pub(super) fn call<T>(
        &mut self,
        id: u64,
        class: Class,
        f: impl FnOnce(&Session) -> cryptoki::error::Result<T>,
    ) -> Result<T, Failure> {
        self.open(id)?;
        let Some(session) = self.session.as_ref() else {
            return Err(Error::new(Kind::Bug, "a lane lost its session; please report it").into());
        };
        let result = {
            let _stay = self.context.inside.enter(id, class);
            f(session).map_err(Fault::from)
        };
        match &result {
            Err(fault) if fault.remedy == Remedy::AbandonSession => self.session = None,
            Err(fault) if fault.remedy == Remedy::ReplaceSession => self.close(),
            Ok(_) | Err(_) => {}
        }
        Ok(result?)
    }

    /// The same, made once more in a new session if the first is lost. For calls that do no harm
    /// when they are made twice.
    pub(super) fn call_again<T>(
        &mut self,
        id: u64,
        class: Class,
        f: impl Fn(&Session) -> cryptoki::error::Result<T>,
    ) -> Result<T, Failure> {
        match self.call(id, class, &f) {
            Err(failure) => match failure.remedy() {
                Some(Remedy::AbandonSession | Remedy::ReplaceSession) => self.call(id, class, f),
                _ => Err(failure),
            },
            done => done,
        }
    }

    /// Closes the session that there is.
    pub(super) fn close(&mut self) {
        if let Some(session) = self.session.take() {
            // A session that cannot be closed is abandoned.
            let _ = session.close();
        }
    }
}
