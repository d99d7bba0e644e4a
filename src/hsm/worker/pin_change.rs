//! Setting and changing the user PIN. Every PIN is tried once per command, and never where a wrong one
//! would lock the token.

use cryptoki::error::{Error as CryptokiError, RvError};
use cryptoki::session::{Session, UserType};
use cryptoki::slot::Slot;
use cryptoki::types::RawAuthPin;
use secrecy::{ExposeSecret as _, SecretString};

use super::breaker::{Attempt, Breaker, PinFlags};
use super::fault::Fault;
use super::module::Module;
use crate::hsm::error::{Error, Kind};
use crate::hsm::protocol::{Pin, PresentPin};

/// The security officer sets the user PIN: C_Login as CKU_SO and C_InitPIN (PKCS#11 v3.0, 5.5.7).
///
/// # Errors
/// [`Kind::PinRefused`]: either PIN is refused, or the security officer's is not tried.
pub(super) fn set(
    module: &Module,
    slot: Slot,
    breaker: &Breaker,
    so_pin: &SecretString,
    new: &SecretString,
) -> Result<(), Error> {
    may_try_so_pin(module, slot)?;
    let session = module.pkcs11.open_rw_session(slot).map_err(into_error)?;
    session
        .login(UserType::So, Some(so_pin))
        .map_err(|error| explain(error, "the token refused the security officer's PIN; it was tried once"))?;
    session.init_pin(new).map_err(new_pin_refused)?;
    // The user PIN is another one now, whatever became of the last.
    breaker.forget()
}

/// The user changes the own PIN: C_SetPIN in a session without login (PKCS#11 v3.0, 5.5.8).
///
/// # Errors
/// [`Kind::PinRefused`]: either PIN is refused, or the present one is not tried.
pub(super) fn change(
    module: &Module,
    slot: Slot,
    breaker: &Breaker,
    present: &PresentPin,
    new: &SecretString,
) -> Result<(), Error> {
    let token = module.pkcs11.get_token_info(slot).map_err(into_error)?;
    let flags = PinFlags::of(&token);
    let session = module.pkcs11.open_rw_session(slot).map_err(into_error)?;
    match present {
        PresentPin::File => {
            let (present, attempt) = breaker.attempt(flags)?;
            let changed = utf8(&present.pin).and_then(|present| set_pin(&session, &present, new));
            conclude(changed, attempt)?;
        }
        // Entered by an operator for this command.
        PresentPin::Given(Pin(present)) => {
            breaker.may_try_given(flags)?;
            set_pin(&session, present, new).map_err(NotChanged::into_error)?;
        }
    }
    breaker.forget()
}

/// Whether the security officer's PIN may be tried.
///
/// # Errors
/// [`Kind::PinRefused`]: it is locked, or a wrong one would lock it, which often cannot be undone.
pub(super) fn may_try_so_pin(module: &Module, slot: Slot) -> Result<(), Error> {
    let token = module.pkcs11.get_token_info(slot).map_err(into_error)?;
    let refusal = if token.so_pin_locked() {
        "the token has locked the security officer's PIN; ask its vendor"
    } else if token.so_pin_final_try() {
        "one more wrong PIN would lock the security officer out, so it is not tried; \
         log in once with the tools of the token's vendor"
    } else {
        return Ok(());
    };
    Err(Error::new(Kind::PinRefused, refusal))
}

/// Why C_SetPIN changed nothing.
enum NotChanged {
    /// The present PIN is wrong or expired.
    Wrong(Error),
    /// The present PIN is locked.
    Locked(Error),
    /// The present PIN was not looked at, or the new one is not to the token's liking.
    Unjudged(Error),
    /// Anything else, which says nothing about a PIN.
    Other(Error),
}

impl NotChanged {
    fn into_error(self) -> Error {
        match self {
            Self::Wrong(error) | Self::Locked(error) | Self::Unjudged(error) | Self::Other(error) => error,
        }
    }
}

fn set_pin(session: &Session, present: &SecretString, new: &SecretString) -> Result<(), NotChanged> {
    session.set_pin(present, new).map_err(|error| match error {
        CryptokiError::Pkcs11(RvError::PinIncorrect | RvError::PinExpired, _) => {
            NotChanged::Wrong(explain(error, "the token refused the present PIN; it was tried once"))
        }
        CryptokiError::Pkcs11(RvError::PinLocked, _) => {
            NotChanged::Locked(explain(error, "the token has locked the user PIN; nothing was changed"))
        }
        error => match new_pin_refused(error) {
            error if error.kind() == Kind::PinRefused => NotChanged::Unjudged(error),
            error => NotChanged::Other(error),
        },
    })
}

fn conclude(changed: Result<(), NotChanged>, attempt: Attempt<'_>) -> Result<(), Error> {
    match changed {
        Ok(()) => attempt.right(),
        Err(NotChanged::Wrong(error)) => Err(attempt.wrong().because_of(&error)),
        Err(NotChanged::Locked(error)) => Err(attempt.locked().because_of(&error)),
        Err(NotChanged::Unjudged(error)) => {
            attempt.unjudged()?;
            Err(error)
        }
        Err(NotChanged::Other(error)) => {
            attempt.lost()?;
            Err(error)
        }
    }
}

fn utf8(pin: &RawAuthPin) -> Result<SecretString, NotChanged> {
    let text = std::str::from_utf8(pin.expose_secret());
    text.map(SecretString::from).map_err(|_| {
        NotChanged::Unjudged(Error::new(Kind::Misconfigured, "the present PIN is not UTF-8, as PKCS#11 asks"))
    })
}

fn new_pin_refused(error: CryptokiError) -> Error {
    match error {
        CryptokiError::Pkcs11(RvError::PinLenRange | RvError::PinInvalid | RvError::PinTooWeak, _) => {
            explain(error, "the token refused the new PIN: too short, too long or too weak for it")
        }
        error => into_error(error),
    }
}

/// With a message for operators, if the PIN was the matter.
fn explain(error: CryptokiError, message: &str) -> Error {
    let fault = Fault::from(error);
    let text = fault.text.clone();
    match fault.into_error() {
        error if error.kind() == Kind::PinRefused => {
            Error::new(Kind::PinRefused, format!("{message} ({text})"))
        }
        error => error,
    }
}

fn into_error(error: CryptokiError) -> Error {
    Fault::from(error).into_error()
}
