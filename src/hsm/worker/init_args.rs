//! The arguments of C_Initialize: threads, and the string that some modules are configured by. The
//! only `unsafe` of the crate (docs/adr/0015).

use std::ffi::CString;
use std::ptr::NonNull;

use cryptoki::context::{CInitializeArgs, CInitializeFlags};

use crate::hsm::error::{Error, Kind};

/// NSS refuses empty flags, openCryptoki the prohibition of threads (both measured).
const FLAGS: CInitializeFlags = CInitializeFlags::OS_LOCKING_OK;

/// The arguments of C_Initialize, with `text` as pReserved (PKCS#11 v2.40 section 5.4 reserves it; NSS,
/// kryoptic, YubiHSM and kmsp11 read a string there).
///
/// # Errors
/// [`Kind::Misconfigured`] for a text with a zero byte.
pub(super) fn init_args(text: Option<&str>) -> Result<CInitializeArgs, Error> {
    let Some(text) = text else { return Ok(CInitializeArgs::new(FLAGS)) };
    let text = CString::new(text).map_err(|cause| {
        Error::new(Kind::Misconfigured, "`init_args` has a zero byte, which no module can read")
            .because(cause)
    })?;
    // Never freed: a module may keep the pointer for as long as it is loaded.
    let Some(pointer) = NonNull::new(text.into_raw()) else {
        return Err(Error::new(Kind::Bug, "a string without an address; please report it"));
    };
    Ok(with_reserved(pointer.cast()))
}

#[expect(unsafe_code, reason = "cryptoki has no safe way to pass pReserved; docs/adr/0015")]
fn with_reserved(text: NonNull<std::ffi::c_void>) -> CInitializeArgs {
    // SAFETY: the pointer comes from `CString::into_raw` above: a string that ends with a zero byte and
    // lives until the process ends. What a module that takes another structure there would make of it
    // is for the profile and the operator, who name the module, as is loading it at all.
    unsafe { CInitializeArgs::new_with_reserved(FLAGS, text) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_zero_byte_is_refused() {
        assert!(init_args(None).is_ok());
        assert!(init_args(Some("configdir='sql:/x'")).is_ok());
        assert_eq!(init_args(Some("a\0b")).err().unwrap().kind(), Kind::Misconfigured);
    }
}
