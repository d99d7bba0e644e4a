//! A PKCS#11 module for tests: it forwards every call to a real module and, as told by rules, breaks
//! calls of the functions that matter to a signing appliance.
//!
//! # Environment
//!
//! | Variable | Names |
//! |---|---|
//! | `CHAOS_MODULE_TARGET` | the real module; required |
//! | `CHAOS_MODULE_RULES` | the rule file; absent or empty means pure forwarding |
//! | `CHAOS_MODULE_STATE` | a file for the counters, so that they outlive the process |
//! | `CHAOS_MODULE_LOG` | a file to which every injected fault is appended |
//!
//! # Rules
//!
//! One rule per line, `<function> <when> <action>`; the rest of a line after `#` is a comment:
//!
//! ```text
//! C_Sign nth=3 return-before=CKR_DEVICE_ERROR   # not done
//! C_GenerateKeyPair nth=1 return-after=0x30     # done, but the caller does not learn it
//! C_GetSlotList every none                      # a network module whose server is down
//! ```
//!
//! `<function>` is one of C_Initialize, C_Finalize, C_GetSlotList, C_GetTokenInfo, C_GetMechanismList,
//! C_OpenSession, C_CloseSession, C_Login, C_SetPIN, C_FindObjectsInit, C_FindObjects, C_FindObjectsFinal,
//! C_GetAttributeValue, C_SetAttributeValue, C_CopyObject, C_CreateObject, C_DestroyObject,
//! C_GenerateKeyPair, C_WrapKey,
//! C_SignInit, C_Sign.
//!
//! `<when>` is `every` or `nth=<number>`, from 1. A rule counts the calls of its function from when its
//! line was first seen: by this process, or, with a state file, by any process with that file, so that
//! a fault with `nth=1` strikes once and not once in each restarted worker. A line is itself as long as
//! its text, comment included, is the same; another comment arms the same fault anew. The question for
//! a length (C_Sign, C_GetSlotList or C_GetMechanismList with a NULL buffer) is not a call: it is
//! forwarded as it is and not counted.
//!
//! | `<action>` | Effect |
//! |---|---|
//! | `return-before=<CKR>` | this answer; the real module is not called |
//! | `return-after=<CKR>` | this answer, after the real module has done its work |
//! | `hang`, `hang-after` | the call never ends; before or after the real module's work |
//! | `sleep-ms=<number>` | the call takes so much longer |
//! | `kill-before`, `kill-after` | SIGKILL to the own process |
//! | `none` | C_GetSlotList, C_FindObjects: OK, with nothing found |
//! | `hide=<CKM>` | C_GetMechanismList: without this mechanism |
//! | `set-bool=<CKA>:<true or false>` | C_GetAttributeValue: this value for the attribute |
//! | `set-bytes=<CKA>:<hexadecimal>` | C_GetAttributeValue: this value, where the attribute is as long |
//! | `drop=<CKA>` | C_GetAttributeValue: the token does not know the attribute |
//! | `reveal=<CKA>:<hexadecimal>` | C_GetAttributeValue: the private value comes out; only for callers that ask for the length first |
//! | `wrapped=<hexadecimal>` | C_WrapKey: OK, with these bytes |
//! | `weaken` | C_SetAttributeValue, C_CopyObject: OK, and the key, or a copy that is not there, is read with the attributes asked for |
//! | `flip-bit` | C_Sign: OK, with a wrong signature |
//! | `no-clock` | C_GetTokenInfo: without CKF_CLOCK_ON_TOKEN, so that nobody reads the time |
//!
//! Codes are names or hexadecimal numbers. Several rules may strike one call: first the `before` ones in
//! the order of the file, then the others in that order; the first `return` ends the call. After a
//! `return-before` on C_Sign the real module still has its signing operation open and answers
//! CKR_OPERATION_ACTIVE to the next C_SignInit of that session; `return-after` closes it.
//!
//! The file is read again when it has changed. Replace it with a rename, lest a call meets half of it.
//! While it has a bad line, every covered function, C_Initialize first of all, answers
//! CKR_ARGUMENTS_BAD, and the log and stderr say which line and why.
//!
//! # Log
//!
//! `<function> <number of the call> <action>`, written before a fault that does not return, so that a
//! test can wait for it. Alterations appear only when there was something to alter. Arguments never
//! appear: those of C_Login and C_SetPIN are PINs.

// The wrappers have the names of the functions they replace.
#![allow(non_snake_case)]

mod answer;
mod names;
mod pretence;
mod rules;
mod state;

use std::ptr;
use std::sync::LazyLock;
use std::thread;

use cryptoki_sys::{
    CK_ATTRIBUTE_PTR, CK_BBOOL, CK_BYTE_PTR, CK_FLAGS, CK_FUNCTION_LIST, CK_FUNCTION_LIST_PTR_PTR,
    CK_MECHANISM_PTR, CK_MECHANISM_TYPE_PTR, CK_NOTIFY, CK_OBJECT_HANDLE, CK_OBJECT_HANDLE_PTR, CK_RV,
    CK_SESSION_HANDLE, CK_SESSION_HANDLE_PTR, CK_SLOT_ID, CK_SLOT_ID_PTR, CK_TOKEN_INFO_PTR, CK_ULONG,
    CK_ULONG_PTR, CK_USER_TYPE, CK_UTF8CHAR_PTR, CK_VOID_PTR, CKR_ARGUMENTS_BAD, CKR_FUNCTION_NOT_SUPPORTED,
    CKR_GENERAL_ERROR, CKR_OK,
};

use answer::Answer;
use rules::{Action, Interruption};
use state::STATE;

/// The entry point of a PKCS#11 v2.40 module (section 5.4). C_GetInterface of v3.0 is not exported, so
/// that callers have no way around this list.
///
/// # Safety
/// `list` is null or valid for writing a pointer.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn C_GetFunctionList(list: CK_FUNCTION_LIST_PTR_PTR) -> CK_RV {
    if list.is_null() {
        return CKR_ARGUMENTS_BAD;
    }
    match &*MODULE {
        Ok(module) => {
            // SAFETY: not null, and the caller promises the rest. Nobody writes to a function list.
            unsafe { *list = (&raw const module.wrapped).cast_mut() };
            CKR_OK
        }
        Err(trouble) => {
            STATE.log_trouble(trouble);
            CKR_GENERAL_ERROR
        }
    }
}

/// The real module, loaded at the first call and never unloaded.
static MODULE: LazyLock<Result<Module, LoadError>> = LazyLock::new(Module::load);

struct Module {
    real: CK_FUNCTION_LIST,
    wrapped: CK_FUNCTION_LIST,
}

#[derive(Debug, thiserror::Error)]
enum LoadError {
    #[error("CHAOS_MODULE_TARGET is not set: name the real PKCS#11 module")]
    NoTarget,
    #[error("CHAOS_MODULE_TARGET: {0}")]
    NotAModule(String),
}

impl Module {
    fn load() -> Result<Self, LoadError> {
        let target = std::env::var_os("CHAOS_MODULE_TARGET").ok_or(LoadError::NoTarget)?;
        // SAFETY: loading runs the target's initialisers; the test that named it trusts it.
        let library = unsafe { cryptoki_sys::Pkcs11::new(target) }
            .map_err(|error| LoadError::NotAModule(error.to_string()))?;
        if let Err(error) = &library.C_GetFunctionList {
            return Err(LoadError::NotAModule(error.to_string()));
        }
        let mut list = ptr::null_mut();
        // SAFETY: the symbol was found, and `list` is a place for the answer.
        let rv = unsafe { library.C_GetFunctionList(&mut list) };
        if rv != CKR_OK {
            return Err(LoadError::NotAModule(format!("C_GetFunctionList answered {rv:#x}")));
        }
        // SAFETY: after CKR_OK it points to the module's list.
        let real = unsafe { *list };
        // Closing it would leave the list's pointers dangling.
        std::mem::forget(library);
        let mut wrapped = real;
        wrapped.C_GetFunctionList = Some(C_GetFunctionList);
        wrap(&mut wrapped);
        Ok(Self { real, wrapped })
    }
}

/// Makes a wrapper for each function, and the list of their names. After the arguments stand, where the
/// function has them: the answer that rules may alter, and when the call only asks for a length.
macro_rules! wrappers {
    ($( fn $name:ident($($argument:ident: $type:ty),*)
        $(answers $answer:expr)?
        $(, unless $length_query:expr)?; )*) => {
        /// The functions that rules may name.
        pub(crate) const COVERED: &[&str] = &[$(stringify!($name)),*];

        /// Replaces the covered functions of a list.
        fn wrap(list: &mut CK_FUNCTION_LIST) {
            $( list.$name = Some($name); )*
        }

        $(
            unsafe extern "C" fn $name($($argument: $type),*) -> CK_RV {
                let Some(real) = MODULE.as_ref().ok().and_then(|module| module.real.$name) else {
                    return CKR_FUNCTION_NOT_SUPPORTED;
                };
                // SAFETY: the caller's own arguments, passed on as they came.
                let forward = || unsafe { real($($argument),*) };
                $( if $length_query { return forward(); } )?
                with_faults(stringify!($name), alterable!($($answer)?), forward)
            }
        )*
    };
}

macro_rules! alterable {
    () => {
        Answer::Plain
    };
    ($answer:expr) => {
        $answer
    };
}

wrappers! {
    fn C_Initialize(args: CK_VOID_PTR);
    fn C_Finalize(reserved: CK_VOID_PTR);
    fn C_GetSlotList(present: CK_BBOOL, slots: CK_SLOT_ID_PTR, count: CK_ULONG_PTR)
        answers Answer::Count(count), unless slots.is_null();
    fn C_GetTokenInfo(slot: CK_SLOT_ID, info: CK_TOKEN_INFO_PTR) answers Answer::Token(info);
    fn C_GetMechanismList(slot: CK_SLOT_ID, list: CK_MECHANISM_TYPE_PTR, count: CK_ULONG_PTR)
        answers Answer::Mechanisms(list, count), unless list.is_null();
    fn C_OpenSession(slot: CK_SLOT_ID, flags: CK_FLAGS, application: CK_VOID_PTR, notify: CK_NOTIFY,
        session: CK_SESSION_HANDLE_PTR);
    fn C_CloseSession(session: CK_SESSION_HANDLE);
    fn C_Login(session: CK_SESSION_HANDLE, user: CK_USER_TYPE, pin: CK_UTF8CHAR_PTR, pin_length: CK_ULONG);
    fn C_SetPIN(session: CK_SESSION_HANDLE, old: CK_UTF8CHAR_PTR, old_length: CK_ULONG,
        new: CK_UTF8CHAR_PTR, new_length: CK_ULONG);
    fn C_FindObjectsInit(session: CK_SESSION_HANDLE, template: CK_ATTRIBUTE_PTR, attributes: CK_ULONG);
    fn C_FindObjects(session: CK_SESSION_HANDLE, objects: CK_OBJECT_HANDLE_PTR, room: CK_ULONG,
        count: CK_ULONG_PTR) answers Answer::Count(count);
    fn C_FindObjectsFinal(session: CK_SESSION_HANDLE);
    fn C_GetAttributeValue(session: CK_SESSION_HANDLE, object: CK_OBJECT_HANDLE, template: CK_ATTRIBUTE_PTR,
        attributes: CK_ULONG) answers Answer::Attributes(object, template, attributes);
    fn C_SetAttributeValue(session: CK_SESSION_HANDLE, object: CK_OBJECT_HANDLE, template: CK_ATTRIBUTE_PTR,
        attributes: CK_ULONG) answers Answer::Settings(object, template, attributes);
    fn C_CopyObject(session: CK_SESSION_HANDLE, object: CK_OBJECT_HANDLE, template: CK_ATTRIBUTE_PTR,
        attributes: CK_ULONG, copy: CK_OBJECT_HANDLE_PTR)
        answers Answer::Copy(object, template, attributes, copy);
    fn C_CreateObject(session: CK_SESSION_HANDLE, template: CK_ATTRIBUTE_PTR, attributes: CK_ULONG,
        object: CK_OBJECT_HANDLE_PTR);
    fn C_DestroyObject(session: CK_SESSION_HANDLE, object: CK_OBJECT_HANDLE);
    fn C_GenerateKeyPair(session: CK_SESSION_HANDLE, mechanism: CK_MECHANISM_PTR,
        public_template: CK_ATTRIBUTE_PTR, public_attributes: CK_ULONG,
        private_template: CK_ATTRIBUTE_PTR, private_attributes: CK_ULONG,
        public_key: CK_OBJECT_HANDLE_PTR, private_key: CK_OBJECT_HANDLE_PTR);
    fn C_WrapKey(session: CK_SESSION_HANDLE, mechanism: CK_MECHANISM_PTR, wrapping: CK_OBJECT_HANDLE,
        key: CK_OBJECT_HANDLE, blob: CK_BYTE_PTR, length: CK_ULONG_PTR) answers Answer::Wrapped(blob, length);
    fn C_SignInit(session: CK_SESSION_HANDLE, mechanism: CK_MECHANISM_PTR, key: CK_OBJECT_HANDLE);
    fn C_Sign(session: CK_SESSION_HANDLE, data: CK_BYTE_PTR, data_length: CK_ULONG, signature: CK_BYTE_PTR,
        signature_length: CK_ULONG_PTR)
        answers Answer::Signature(signature, signature_length), unless signature.is_null();
}

/// Calls the real module between the faults that are due.
fn with_faults(function: &str, answer: Answer, forward: impl FnOnce() -> CK_RV) -> CK_RV {
    let faults = match STATE.count(function) {
        Ok(faults) => faults,
        Err(trouble) => {
            STATE.log_trouble(&trouble);
            return CKR_ARGUMENTS_BAD;
        }
    };
    for fault in &faults {
        if let Action::Before(interruption) = &fault.rule.action {
            STATE.log_fault(fault);
            if let Some(rv) = interrupt(interruption) {
                return rv;
            }
        }
    }
    let mut rv = forward();
    for fault in &faults {
        match &fault.rule.action {
            Action::Before(_) => {}
            Action::After(interruption) => {
                STATE.log_fault(fault);
                if let Some(rv) = interrupt(interruption) {
                    return rv;
                }
            }
            Action::Alter(alteration) => {
                // SAFETY: `answer` are the output arguments of the call that has just returned.
                if unsafe { answer.alter(alteration, &mut rv) } {
                    STATE.log_fault(fault);
                }
            }
        }
    }
    // SAFETY: as before.
    unsafe { answer.keep_up(&mut rv) };
    rv
}

/// The value with which the call ends, or `None` when it goes on.
fn interrupt(interruption: &Interruption) -> Option<CK_RV> {
    match interruption {
        Interruption::Return(rv) => Some(*rv),
        Interruption::Hang => loop {
            thread::park();
        },
        Interruption::Sleep(duration) => {
            thread::sleep(*duration);
            None
        }
        Interruption::Kill => kill(),
    }
}

fn kill() -> ! {
    use rustix::process::{Signal, getpid, kill_process};

    // A process may always signal itself: should that fail, it must still not go on.
    let _ = kill_process(getpid(), Signal::KILL);
    std::process::abort()
}
