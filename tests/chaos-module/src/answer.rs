//! Lies in the answers of the real module.

use std::{mem, slice};

use cryptoki_sys::{
    CK_ATTRIBUTE, CK_ATTRIBUTE_PTR, CK_ATTRIBUTE_TYPE, CK_BBOOL, CK_BYTE_PTR, CK_MECHANISM_TYPE_PTR,
    CK_OBJECT_HANDLE, CK_OBJECT_HANDLE_PTR, CK_RV, CK_TOKEN_INFO_PTR, CK_ULONG, CK_ULONG_PTR,
    CK_UNAVAILABLE_INFORMATION, CKF_CLOCK_ON_TOKEN, CKR_ATTRIBUTE_SENSITIVE, CKR_ATTRIBUTE_TYPE_INVALID,
    CKR_BUFFER_TOO_SMALL, CKR_OK,
};

use crate::pretence;
use crate::rules::Alteration;

/// Where the real module has put its answer: the output arguments of a call.
#[derive(Clone, Copy)]
pub enum Answer {
    /// Nothing that a rule can alter.
    Plain,
    /// The number of slots or objects found.
    Count(CK_ULONG_PTR),
    /// Mechanisms and their number.
    Mechanisms(CK_MECHANISM_TYPE_PTR, CK_ULONG_PTR),
    /// An object, a template and the number of its attributes.
    Attributes(CK_OBJECT_HANDLE, CK_ATTRIBUTE_PTR, CK_ULONG),
    /// An object and the attributes that it shall have.
    Settings(CK_OBJECT_HANDLE, CK_ATTRIBUTE_PTR, CK_ULONG),
    /// The same, of a copy, and the copy's handle.
    Copy(CK_OBJECT_HANDLE, CK_ATTRIBUTE_PTR, CK_ULONG, CK_OBJECT_HANDLE_PTR),
    /// A wrapped key and its length in bytes.
    Wrapped(CK_BYTE_PTR, CK_ULONG_PTR),
    /// A signature and its length in bytes.
    Signature(CK_BYTE_PTR, CK_ULONG_PTR),
    /// What a token says of itself.
    Token(CK_TOKEN_INFO_PTR),
}

impl Answer {
    /// Alters the answer and, where the lie needs it, the return value. Says whether anything is other
    /// than before: an error, or an answer without the attribute or mechanism, has nothing to alter.
    ///
    /// # Safety
    /// The pointers are those of a call that has just returned `rv`.
    pub unsafe fn alter(self, alteration: &Alteration, rv: &mut CK_RV) -> bool {
        if !self.is_written(*rv) {
            return false;
        }
        // SAFETY: the real module has answered: so the caller's pointers were good for what it wrote,
        // and these are the lengths that it wrote (PKCS#11 v2.40 section 5.2).
        unsafe {
            match (self, alteration) {
                (Self::Count(count), Alteration::None) => mem::replace(&mut *count, 0) != 0,
                (Self::Mechanisms(list, count), Alteration::Hide(hidden)) => {
                    let kept = move_to_front(outputs(list, *count), |mechanism| mechanism != hidden);
                    mem::replace(&mut *count, kept) != kept
                }
                (Self::Attributes(_, template, count), Alteration::SetBool(wanted, value)) => {
                    alter_each(outputs(template, count), *wanted, |attribute| set_bool(attribute, *value))
                }
                (Self::Attributes(_, template, count), Alteration::SetBytes(wanted, value)) => {
                    alter_each(outputs(template, count), *wanted, |attribute| set_bytes(attribute, value))
                }
                (Self::Attributes(_, template, count), Alteration::Drop(wanted)) => {
                    let changed = alter_each(outputs(template, count), *wanted, drop_value);
                    if changed && *rv == CKR_OK {
                        *rv = CKR_ATTRIBUTE_TYPE_INVALID;
                    }
                    changed
                }
                (Self::Attributes(_, template, count), Alteration::Reveal(wanted, value)) => {
                    let changed =
                        alter_each(outputs(template, count), *wanted, |attribute| reveal(attribute, value));
                    if changed {
                        *rv = CKR_OK;
                    }
                    changed
                }
                (Self::Wrapped(blob, length), Alteration::Wrapped(value)) => {
                    *rv = CKR_OK;
                    let room = mem::replace(&mut *length, value.len() as CK_ULONG);
                    for (place, byte) in outputs(blob, room).iter_mut().zip(value) {
                        *place = *byte;
                    }
                    true
                }
                (Self::Settings(object, template, count), Alteration::Weaken) => {
                    pretence::remember(object, outputs(template, count));
                    *rv = CKR_OK;
                    true
                }
                (Self::Copy(object, template, count, copy), Alteration::Weaken) => {
                    *copy = pretence::copy_of(object);
                    pretence::remember(*copy, outputs(template, count));
                    *rv = CKR_OK;
                    true
                }
                (Self::Signature(signature, length), Alteration::FlipBit) => {
                    flip_bit(outputs(signature, *length))
                }
                (Self::Token(info), Alteration::NoClock) => {
                    let had = (*info).flags & CKF_CLOCK_ON_TOKEN != 0;
                    (*info).flags &= !CKF_CLOCK_ON_TOKEN;
                    had
                }
                // The rule parser lets no other pair through.
                _ => false,
            }
        }
    }

    /// Keeps up earlier lies about the object.
    ///
    /// # Safety
    /// The pointers are those of a call that has just returned `rv`.
    pub unsafe fn keep_up(self, rv: &mut CK_RV) {
        if let Self::Attributes(object, template, count) = self {
            // SAFETY: the caller's own template.
            unsafe { pretence::apply(object, outputs(template, count), rv) };
        }
    }

    /// Whether a call that returned `rv` has put an answer here.
    fn is_written(self, rv: CK_RV) -> bool {
        match self {
            // These lies are told to whom the real module refuses.
            Self::Settings(..) | Self::Copy(..) | Self::Wrapped(..) => true,
            Self::Plain | Self::Count(..) | Self::Mechanisms(..) | Self::Signature(..) | Self::Token(..) => {
                rv == CKR_OK
            }
            // With these errors too the attributes that could be answered are (PKCS#11 v2.40 section 5.7).
            Self::Attributes(..) => matches!(
                rv,
                CKR_OK | CKR_ATTRIBUTE_SENSITIVE | CKR_ATTRIBUTE_TYPE_INVALID | CKR_BUFFER_TOO_SMALL
            ),
        }
    }
}

/// What a module wrote to a caller's array.
///
/// # Safety
/// `array` is null or valid for reading and writing `count` elements while `'a` lasts.
unsafe fn outputs<'a, T>(array: *mut T, count: CK_ULONG) -> &'a mut [T] {
    if array.is_null() {
        return &mut [];
    }
    // SAFETY: the caller's promise; a length that was allocated fits in usize.
    unsafe { slice::from_raw_parts_mut(array, count as usize) }
}

/// Moves the elements to keep to the front and answers their number.
fn move_to_front<T: Copy>(list: &mut [T], keep: impl Fn(&T) -> bool) -> CK_ULONG {
    let kept: Vec<T> = list.iter().copied().filter(keep).collect();
    for (place, element) in list.iter_mut().zip(&kept) {
        *place = *element;
    }
    kept.len() as CK_ULONG
}

/// The lowest bit of the last byte: of `s` in ECDSA, of the whole in RSA.
fn flip_bit(signature: &mut [u8]) -> bool {
    signature.last_mut().map(|last| *last ^= 1).is_some()
}

/// Changes every attribute of the wanted type, and says whether one is other than before.
fn alter_each(
    template: &mut [CK_ATTRIBUTE],
    wanted: CK_ATTRIBUTE_TYPE,
    change: impl Fn(&mut CK_ATTRIBUTE) -> bool,
) -> bool {
    let attributes = template.iter_mut().filter(|attribute| attribute.type_ == wanted);
    attributes.map(change).filter(|changed| *changed).count() > 0
}

/// # Safety
/// C_GetAttributeValue has answered the attribute.
unsafe fn set_bool(attribute: &mut CK_ATTRIBUTE, value: bool) -> bool {
    if attribute.pValue.is_null() || attribute.ulValueLen != size_of::<CK_BBOOL>() as CK_ULONG {
        return false;
    }
    let value = CK_BBOOL::from(value);
    // SAFETY: the module wrote one CK_BBOOL there.
    unsafe { attribute.pValue.cast::<CK_BBOOL>().replace(value) != value }
}

/// # Safety
/// C_GetAttributeValue has answered the attribute.
unsafe fn set_bytes(attribute: &mut CK_ATTRIBUTE, value: &[u8]) -> bool {
    if attribute.pValue.is_null() || attribute.ulValueLen != value.len() as CK_ULONG {
        return false;
    }
    // SAFETY: the module wrote so many bytes there.
    let present = unsafe { slice::from_raw_parts_mut(attribute.pValue.cast::<u8>(), value.len()) };
    let changed = present != value;
    present.copy_from_slice(value);
    changed
}

/// # Safety
/// The caller has asked for the length before, and has room for so many bytes.
unsafe fn reveal(attribute: &mut CK_ATTRIBUTE, value: &[u8]) -> bool {
    if !attribute.pValue.is_null() {
        // SAFETY: the caller's room, as promised above.
        unsafe { slice::from_raw_parts_mut(attribute.pValue.cast::<u8>(), value.len()) }
            .copy_from_slice(value);
    }
    mem::replace(&mut attribute.ulValueLen, value.len() as CK_ULONG) == CK_UNAVAILABLE_INFORMATION
}

fn drop_value(attribute: &mut CK_ATTRIBUTE) -> bool {
    mem::replace(&mut attribute.ulValueLen, CK_UNAVAILABLE_INFORMATION) != CK_UNAVAILABLE_INFORMATION
}

#[cfg(test)]
mod tests {
    use cryptoki_sys::{CKA_LOCAL, CKA_TOKEN, CKM_ECDSA, CKM_RSA_PKCS, CKR_DEVICE_ERROR};

    use super::*;

    fn local_and_token(value: &mut CK_BBOOL) -> [CK_ATTRIBUTE; 2] {
        let pointer: *mut CK_BBOOL = value;
        [CKA_LOCAL, CKA_TOKEN].map(|type_| CK_ATTRIBUTE { type_, pValue: pointer.cast(), ulValueLen: 1 })
    }

    #[test]
    fn a_dropped_attribute_is_one_that_the_token_does_not_know() {
        let mut value = 1;
        let mut template = local_and_token(&mut value);
        let answer = Answer::Attributes(7, template.as_mut_ptr(), 2);
        let mut rv = CKR_OK;
        // SAFETY: the template is that of an answered call.
        assert!(unsafe { answer.alter(&Alteration::Drop(CKA_LOCAL), &mut rv) });
        assert_eq!(rv, CKR_ATTRIBUTE_TYPE_INVALID);
        assert_eq!(template.map(|attribute| attribute.ulValueLen), [CK_UNAVAILABLE_INFORMATION, 1]);
        // SAFETY: as before.
        assert!(!unsafe { answer.alter(&Alteration::Drop(CKA_LOCAL), &mut rv) }, "dropped twice");
    }

    #[test]
    fn a_hidden_mechanism_closes_the_gap() {
        let (mut list, mut count, mut rv) = ([CKM_RSA_PKCS, CKM_ECDSA], 2, CKR_OK);
        let answer = Answer::Mechanisms(list.as_mut_ptr(), &mut count);
        // SAFETY: list and count are those of an answered call.
        assert!(unsafe { answer.alter(&Alteration::Hide(CKM_RSA_PKCS), &mut rv) });
        assert_eq!((list[0], count), (CKM_ECDSA, 1));
    }

    #[test]
    fn bytes_take_the_place_of_a_value_of_their_length() {
        let mut value = 1;
        let mut template = local_and_token(&mut value);
        let answer = Answer::Attributes(7, template.as_mut_ptr(), 2);
        let mut rv = CKR_OK;
        // SAFETY: the template is that of an answered call.
        assert!(!unsafe { answer.alter(&Alteration::SetBytes(CKA_LOCAL, vec![7, 7]), &mut rv) });
        // SAFETY: as before.
        assert!(unsafe { answer.alter(&Alteration::SetBytes(CKA_LOCAL, vec![7]), &mut rv) });
        assert_eq!((rv, value), (CKR_OK, 7));
    }

    #[test]
    fn an_error_is_not_altered() {
        let mut value = 0;
        let mut template = local_and_token(&mut value);
        let answer = Answer::Attributes(7, template.as_mut_ptr(), 2);
        let mut rv = CKR_DEVICE_ERROR;
        // SAFETY: the template outlives the call.
        assert!(!unsafe { answer.alter(&Alteration::SetBool(CKA_LOCAL, true), &mut rv) });
        assert_eq!((rv, value), (CKR_DEVICE_ERROR, 0));
    }
}
