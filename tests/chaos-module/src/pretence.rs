//! Attributes that the module pretends an object has: of a key that a rule let be weakened, or of a copy
//! that was never made.

use std::slice;
use std::sync::{Mutex, PoisonError};

use cryptoki_sys::{
    CK_ATTRIBUTE, CK_ATTRIBUTE_TYPE, CK_OBJECT_HANDLE, CK_RV, CKR_OBJECT_HANDLE_INVALID, CKR_OK,
};

/// Set in the handle of a copy that was never made: the real module has no such handle.
const COPY: CK_OBJECT_HANDLE = 1 << 40;

static PRETENDED: Mutex<Vec<(CK_OBJECT_HANDLE, CK_ATTRIBUTE_TYPE, Vec<u8>)>> = Mutex::new(Vec::new());

/// The handle of a copy of an object.
pub fn copy_of(object: CK_OBJECT_HANDLE) -> CK_OBJECT_HANDLE {
    object | COPY
}

/// Takes every attribute of a template for what the object has.
///
/// # Safety
/// The template is that of a caller of C_SetAttributeValue or C_CopyObject.
pub unsafe fn remember(object: CK_OBJECT_HANDLE, template: &[CK_ATTRIBUTE]) {
    let mut pretended = PRETENDED.lock().unwrap_or_else(PoisonError::into_inner);
    for attribute in template.iter().filter(|attribute| !attribute.pValue.is_null()) {
        // SAFETY: the caller's own value, as long as he says.
        let value =
            unsafe { slice::from_raw_parts(attribute.pValue.cast::<u8>(), attribute.ulValueLen as usize) };
        pretended.push((object, attribute.type_, value.to_vec()));
    }
}

/// Puts what is pretended into the answer of C_GetAttributeValue.
///
/// # Safety
/// The template is that of a call that has just returned `rv`.
pub unsafe fn apply(object: CK_OBJECT_HANDLE, template: &mut [CK_ATTRIBUTE], rv: &mut CK_RV) {
    let pretended = PRETENDED.lock().unwrap_or_else(PoisonError::into_inner);
    for (_, kind, value) in pretended.iter().filter(|(of, ..)| *of == object) {
        for attribute in template.iter_mut().filter(|attribute| attribute.type_ == *kind) {
            if attribute.pValue.is_null() || attribute.ulValueLen as usize != value.len() {
                continue;
            }
            // SAFETY: the caller has room for so many bytes.
            unsafe { slice::from_raw_parts_mut(attribute.pValue.cast::<u8>(), value.len()) }
                .copy_from_slice(value);
            if *rv == CKR_OBJECT_HANDLE_INVALID {
                *rv = CKR_OK;
            }
        }
    }
}
