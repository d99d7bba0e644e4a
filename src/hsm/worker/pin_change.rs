//! Setting and changing the user PIN. Every PIN is tried once per command, and never where a wrong one
//! would lock the token. Once the token may have the new PIN, every error is
//! [`Kind::OutcomeUnknown`]: whoever keeps the PIN must not throw it away.

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
    breaker.forget().map_err(|error| changed_but(&error))
}

/// The user changes the own PIN: C_Login and C_SetPIN (PKCS#11 v3.0, 5.5.8). C_SetPIN alone is allowed,
/// but openCryptoki 3.8.1, which then has not read the key under which it keeps private objects, writes
/// nothing in its place: every private key is lost (measured).
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
    let flags = PinFlags::of(&module.pkcs11.get_token_info(slot).map_err(into_error)?);
    let session = module.pkcs11.open_rw_session(slot).map_err(into_error)?;
    match present {
        PresentPin::File => {
            let (present, attempt) = breaker.attempt(flags)?;
            conclude(session.login_with_raw(UserType::User, &present.pin), attempt)?;
            set_pin(&session, &utf8(&present.pin)?, new)?;
        }
        // Entered by an operator for this command.
        PresentPin::Given(Pin(present)) => {
            breaker.may_try_given(flags)?;
            session
                .login(UserType::User, Some(present))
                .map_err(|error| explain(error, "the token refused the present PIN; it was tried once"))?;
            set_pin(&session, present, new)?;
        }
    }
    breaker.forget().map_err(|error| changed_but(&error))
}

/// What went wrong after the token took the new PIN.
pub(super) fn changed_but(error: &Error) -> Error {
    Error::new(Kind::OutcomeUnknown, "the token has the new PIN, but something failed after it")
        .because_of(error)
}

fn conclude(login: cryptoki::error::Result<()>, attempt: Attempt<'_>) -> Result<(), Error> {
    let Err(error) = login else { return attempt.right() };
    let locked = matches!(error, CryptokiError::Pkcs11(RvError::PinLocked, _));
    let error = into_error(error);
    match error.kind() {
        Kind::PinRefused if locked => Err(attempt.locked().because_of(&error)),
        Kind::PinRefused => Err(attempt.wrong().because_of(&error)),
        _ => {
            attempt.lost()?;
            Err(error)
        }
    }
}

fn set_pin(session: &Session, present: &SecretString, new: &SecretString) -> Result<(), Error> {
    session.set_pin(present, new).map_err(new_pin_refused)
}

/// Whether the security officer's PIN may be tried.
///
/// # Errors
/// [`Kind::PinRefused`]: it is locked, or a wrong one would lock it, which often cannot be undone.
fn may_try_so_pin(module: &Module, slot: Slot) -> Result<(), Error> {
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

fn utf8(pin: &RawAuthPin) -> Result<SecretString, Error> {
    let text = std::str::from_utf8(pin.expose_secret());
    text.map(SecretString::from)
        .map_err(|_| Error::new(Kind::Misconfigured, "the present PIN is not UTF-8, as PKCS#11 asks"))
}

fn new_pin_refused(error: CryptokiError) -> Error {
    match error {
        CryptokiError::Pkcs11(RvError::PinLenRange | RvError::PinInvalid | RvError::PinTooWeak, _) => {
            explain(error, "the token refused the new PIN: too short, too long or too weak for it")
        }
        error => match into_error(error) {
            error if matches!(error.kind(), Kind::Refused | Kind::Unsupported) => error,
            error => Error::new(Kind::OutcomeUnknown, "the token may have the new PIN or not; try which")
                .because_of(&error),
        },
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
