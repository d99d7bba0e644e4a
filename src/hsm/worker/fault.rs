//! A failed call into the module, and the one table that says what each return code asks for.

use cryptoki::context::Function;
use cryptoki::error::{Error as CryptokiError, RvError};

use crate::hsm::error::{Error, Kind};

/// A failed call into the module.
#[derive(Clone, Debug)]
pub(super) struct Fault {
    /// What to do about it.
    pub(super) remedy: Remedy,
    /// The call and its return code: `C_Sign: CKR_DEVICE_ERROR`.
    pub(super) text: String,
    /// The call may have had its effect all the same.
    pub(super) may_have_acted: bool,
    /// The code says that the token guards the key against what was asked.
    pub(super) guards_the_key: bool,
}

/// What a return code asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Remedy {
    /// The session is no longer one: open another, without closing this.
    AbandonSession,
    /// The session exists and cannot be used: close it, log in again, open another.
    ReplaceSession,
    /// The object handle is no longer one: find the object again.
    FindAgain,
    /// The module lost the HSM: only a new worker helps.
    Restart,
    /// Already as wanted.
    Nothing,
    /// Tell the caller.
    Tell(Kind),
}

impl From<CryptokiError> for Fault {
    fn from(error: CryptokiError) -> Self {
        match error {
            CryptokiError::Pkcs11(code, function) => Self {
                remedy: remedy(function, code),
                text: format!("C_{function:?}: {}", code_name(code)),
                may_have_acted: changes_the_token(function) && !refused_on_entry(code),
                guards_the_key: guards_the_key(code),
            },
            CryptokiError::NullFunctionPointer | CryptokiError::NotSupported => {
                Self::told(Kind::Unsupported, &error)
            }
            CryptokiError::LibraryLoading(_) | CryptokiError::MissingSymbol(_) => {
                Self::told(Kind::Misconfigured, &error)
            }
            CryptokiError::TryFromInt(_)
            | CryptokiError::TryFromSlice(_)
            | CryptokiError::ParseInt(_)
            | CryptokiError::Utf8(_)
            | CryptokiError::NulError(_)
            | CryptokiError::InvalidValue
            | CryptokiError::PinNotSet => Self::told(Kind::Bug, &error),
        }
    }
}

impl Fault {
    fn told(kind: Kind, error: &CryptokiError) -> Self {
        Self {
            remedy: Remedy::Tell(kind),
            text: error.to_string(),
            may_have_acted: false,
            guards_the_key: false,
        }
    }

    /// The return code alone.
    pub(super) fn code(&self) -> &str {
        self.text.rsplit(": ").next().unwrap_or_default()
    }

    /// As the caller of a call without side effects is told.
    pub(super) fn into_error(self) -> Error {
        let (kind, message) = match self.remedy {
            Remedy::AbandonSession | Remedy::ReplaceSession | Remedy::Restart => {
                (Kind::Unavailable, "the connection to the HSM was lost; it is being restored, try again")
            }
            Remedy::FindAgain => {
                (Kind::KeyMissing, "the token lists the key but does not accept its handle; see its log")
            }
            Remedy::Nothing => (Kind::Bug, "the module reports a state that it was not asked for"),
            Remedy::Tell(kind) => (kind, advice(kind)),
        };
        Error::new(kind, message).because(self.text)
    }
}

/// The table. A new return code of cryptoki does not compile until it has its line.
fn remedy(function: Function, code: RvError) -> Remedy {
    let acting = changes_the_token(function);
    match code {
        RvError::SessionHandleInvalid | RvError::SessionClosed => Remedy::AbandonSession,
        RvError::UserNotLoggedIn | RvError::OperationActive | RvError::OperationNotInitialized => {
            Remedy::ReplaceSession
        }

        RvError::ObjectHandleInvalid | RvError::KeyHandleInvalid => Remedy::FindAgain,

        RvError::DeviceError
        | RvError::DeviceRemoved
        | RvError::TokenNotPresent
        | RvError::TokenNotRecognized
        | RvError::SlotIdInvalid
        | RvError::CryptokiNotInitialized
        | RvError::FipsSelfTestFailed
        | RvError::LibraryLoadFailed
        | RvError::MutexBad
        | RvError::MutexNotLocked
        // SoftHSM 2.6.1 whose token directory vanished answers it until C_Finalize (measured).
        | RvError::GeneralError => Remedy::Restart,

        // SoftHSM 2.6.1 on a full disk, with no half pair left behind (measured).
        RvError::FunctionFailed if acting => Remedy::Tell(Kind::Capacity),
        // openCryptoki without its daemon (measured).
        RvError::FunctionFailed => Remedy::Restart,

        RvError::SessionCount | RvError::DeviceMemory | RvError::HostMemory => Remedy::Tell(Kind::Capacity),

        RvError::PinIncorrect
        | RvError::PinInvalid
        | RvError::PinLenRange
        | RvError::PinExpired
        | RvError::PinLocked
        | RvError::PinTooWeak
        | RvError::UserPinNotInitialized
        | RvError::NewPinMode
        | RvError::NextOtp => Remedy::Tell(Kind::PinRefused),

        RvError::UserAlreadyLoggedIn | RvError::CryptokiAlreadyInitialized => Remedy::Nothing,

        RvError::MechanismInvalid
        | RvError::MechanismParamInvalid
        | RvError::CurveNotSupported
        | RvError::DomainParamsInvalid
        | RvError::KeySizeRange
        | RvError::FunctionNotSupported => Remedy::Tell(Kind::Unsupported),

        RvError::Cancel
        | RvError::FunctionCanceled
        | RvError::FunctionRejected
        | RvError::VendorDefined(_)
        | RvError::UnknownErrorCode(_)
            if acting =>
        {
            Remedy::Tell(Kind::OutcomeUnknown)
        }

        RvError::Cancel
        | RvError::FunctionCanceled
        | RvError::FunctionRejected
        | RvError::VendorDefined(_)
        | RvError::UnknownErrorCode(_)
        | RvError::ArgumentsBad
        | RvError::ActionProhibited
        | RvError::AttributeReadOnly
        | RvError::AttributeSensitive
        | RvError::AttributeTypeInvalid
        | RvError::AttributeValueInvalid
        | RvError::DataInvalid
        | RvError::DataLenRange
        | RvError::KeyFunctionNotPermitted
        | RvError::KeyTypeInconsistent
        | RvError::KeyNotWrappable
        | RvError::KeyUnextractable
        | RvError::PublicKeyInvalid
        | RvError::TemplateIncomplete
        | RvError::TemplateInconsistent
        | RvError::TokenWriteProtected
        | RvError::SessionExists
        | RvError::SessionReadOnly
        | RvError::SessionReadOnlyExists
        | RvError::SessionReadWriteSoExists
        | RvError::SessionParallelNotSupported
        | RvError::UserTypeInvalid
        | RvError::UserAnotherAlreadyLoggedIn
        | RvError::UserTooManyTypes
        | RvError::InformationSensitive => Remedy::Tell(Kind::Refused),

        // C_Initialize with CKF_OS_LOCKING_OK only.
        RvError::NeedToCreateThreads | RvError::CantLock => Remedy::Tell(Kind::Misconfigured),

        // Codes of functions that only the probes call, which look at the code, or that nobody calls, or
        // that cryptoki handles itself.
        RvError::NoEvent
        | RvError::BufferTooSmall
        | RvError::EncryptedDataInvalid
        | RvError::EncryptedDataLenRange
        | RvError::FunctionNotParallel
        | RvError::KeyNotNeeded
        | RvError::KeyChanged
        | RvError::KeyNeeded
        | RvError::KeyIndigestible
        | RvError::SignatureInvalid
        | RvError::SignatureLenRange
        | RvError::UnwrappingKeyHandleInvalid
        | RvError::UnwrappingKeySizeRange
        | RvError::UnwrappingKeyTypeInconsistent
        | RvError::WrappedKeyInvalid
        | RvError::WrappedKeyLenRange
        | RvError::WrappingKeyHandleInvalid
        | RvError::WrappingKeySizeRange
        | RvError::WrappingKeyTypeInconsistent
        | RvError::RandomSeedNotSupported
        | RvError::RandomNoRng
        | RvError::SavedStateInvalid
        | RvError::StateUnsaveable
        | RvError::ExceededMaxIterations => Remedy::Tell(Kind::Bug),
    }
}

/// Codes that refuse to give a key out or to weaken it. Those that find fault with how it was asked are
/// none: asked better, the token might give.
fn guards_the_key(code: RvError) -> bool {
    matches!(
        code,
        RvError::ActionProhibited
            | RvError::AttributeReadOnly
            | RvError::AttributeSensitive
            | RvError::AttributeTypeInvalid
            | RvError::AttributeValueInvalid
            | RvError::FunctionNotSupported
            | RvError::FunctionRejected
            | RvError::InformationSensitive
            | RvError::KeyFunctionNotPermitted
            | RvError::KeyNotWrappable
            | RvError::KeyUnextractable
            | RvError::TemplateInconsistent
            | RvError::VendorDefined(_)
    )
}

fn changes_the_token(function: Function) -> bool {
    matches!(
        function,
        Function::GenerateKeyPair
            | Function::CreateObject
            | Function::DestroyObject
            | Function::InitPIN
            | Function::SetPIN
    )
}

/// Codes that PKCS#11 gives for the state on entry, before anything is done (PKCS#11 v3.0 base
/// specification, section 5.1).
fn refused_on_entry(code: RvError) -> bool {
    matches!(
        code,
        RvError::SessionHandleInvalid
            | RvError::UserNotLoggedIn
            | RvError::OperationActive
            | RvError::TokenNotPresent
            | RvError::TokenNotRecognized
            | RvError::SlotIdInvalid
            | RvError::CryptokiNotInitialized
    )
}

fn advice(kind: Kind) -> &'static str {
    match kind {
        Kind::Capacity => "the token has no room or no free session left; destroy unused keys or enlarge it",
        Kind::PinRefused => "the token refuses the PIN; correct the PIN file",
        Kind::Unsupported => "the token does not support the algorithm or the function; choose another",
        Kind::Refused => "the token refused the operation; check its policy and the profile in use",
        Kind::OutcomeUnknown => "the token gave no clear answer; look on the token for what became of it",
        Kind::Misconfigured => "the PKCS#11 module cannot be used; check its path and its configuration",
        Kind::Bug => "the PKCS#11 module gave an answer that the standard does not allow; please report it",
        Kind::Unavailable | Kind::Busy | Kind::Interrupted => "the token is not available; try again",
        Kind::KeyMissing => "the token does not have the key",
        Kind::Ambiguous => "more than one object matches",
        Kind::TokenNotFound => "no such token",
        Kind::LockHeld => "another process works with this token",
    }
}

/// `TemplateInconsistent` as `CKR_TEMPLATE_INCONSISTENT`; codes without a name in hexadecimal.
fn code_name(code: RvError) -> String {
    if let RvError::VendorDefined(value) | RvError::UnknownErrorCode(value) = code {
        return format!("{value:#010x}");
    }
    format!("{code:?}").chars().fold("CKR".to_owned(), |mut name, letter| {
        if letter.is_ascii_uppercase() {
            name.push('_');
        }
        name.push(letter.to_ascii_uppercase());
        name
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fault(function: Function, code: RvError) -> Fault {
        CryptokiError::Pkcs11(code, function).into()
    }

    #[test]
    fn each_class_of_codes_gets_its_remedy() {
        for (function, code, wanted) in [
            (Function::SignInit, RvError::SessionHandleInvalid, Remedy::AbandonSession),
            (Function::Sign, RvError::SessionClosed, Remedy::AbandonSession),
            (Function::SignInit, RvError::UserNotLoggedIn, Remedy::ReplaceSession),
            (Function::FindObjectsInit, RvError::OperationActive, Remedy::ReplaceSession),
            (Function::SignInit, RvError::ObjectHandleInvalid, Remedy::FindAgain),
            (Function::SignInit, RvError::KeyHandleInvalid, Remedy::FindAgain),
            (Function::Sign, RvError::DeviceError, Remedy::Restart),
            (Function::SignInit, RvError::GeneralError, Remedy::Restart),
            (Function::Initialize, RvError::FunctionFailed, Remedy::Restart),
            (Function::GenerateKeyPair, RvError::FunctionFailed, Remedy::Tell(Kind::Capacity)),
            (Function::GenerateKeyPair, RvError::DeviceMemory, Remedy::Tell(Kind::Capacity)),
            (Function::Login, RvError::PinIncorrect, Remedy::Tell(Kind::PinRefused)),
            (Function::Login, RvError::PinLocked, Remedy::Tell(Kind::PinRefused)),
            (Function::Login, RvError::UserAlreadyLoggedIn, Remedy::Nothing),
            (Function::GenerateKeyPair, RvError::MechanismInvalid, Remedy::Tell(Kind::Unsupported)),
            (Function::GenerateKeyPair, RvError::TemplateInconsistent, Remedy::Tell(Kind::Refused)),
            (Function::Sign, RvError::VendorDefined(0x8000_0001), Remedy::Tell(Kind::Refused)),
            (
                Function::GenerateKeyPair,
                RvError::VendorDefined(0x8000_0001),
                Remedy::Tell(Kind::OutcomeUnknown),
            ),
        ] {
            assert_eq!(fault(function, code).remedy, wanted, "{function:?} {code:?}");
        }
    }

    #[test]
    fn only_a_change_not_refused_on_entry_may_have_acted() {
        assert!(fault(Function::GenerateKeyPair, RvError::DeviceError).may_have_acted);
        assert!(fault(Function::DestroyObject, RvError::DeviceRemoved).may_have_acted);
        assert!(!fault(Function::GenerateKeyPair, RvError::UserNotLoggedIn).may_have_acted);
        assert!(!fault(Function::Sign, RvError::DeviceError).may_have_acted);
    }

    #[test]
    fn only_a_refusal_for_the_keys_sake_guards_it() {
        let unextractable = fault(Function::WrapKey, RvError::KeyUnextractable);
        assert!(unextractable.guards_the_key);
        assert_eq!(unextractable.code(), "CKR_KEY_UNEXTRACTABLE");
        assert!(!fault(Function::WrapKey, RvError::MechanismParamInvalid).guards_the_key);
        assert!(!fault(Function::CopyObject, RvError::ObjectHandleInvalid).guards_the_key);
    }

    #[test]
    fn a_fault_names_the_call_and_the_code() {
        assert_eq!(
            fault(Function::GenerateKeyPair, RvError::TemplateInconsistent).text,
            "C_GenerateKeyPair: CKR_TEMPLATE_INCONSISTENT"
        );
        assert_eq!(fault(Function::Sign, RvError::VendorDefined(0x8000_0042)).text, "C_Sign: 0x80000042");
    }
}
