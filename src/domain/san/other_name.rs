//! otherName (RFC 5280 section 4.2.1.6): a type and a value of any shape. Written as OpenSSL does,
//! `1.2.3.4;UTF8:text`, or with the DER of the value as `1.2.3.4;DER:0c0161`.

use std::fmt;
use std::str::FromStr;

use const_oid::ObjectIdentifier;

use super::super::der_value::DerValue;
use super::super::invalid::Invalid;
use super::{refused, shifted, within};

/// id-on-SmtpUTF8Mailbox (RFC 9598 section 3).
pub const SMTP_UTF8_MAILBOX: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.6.1.5.5.7.8.9");
/// szOID_NT_PRINCIPAL_NAME: userPrincipalName in Microsoft's directory.
pub const USER_PRINCIPAL_NAME: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.6.1.4.1.311.20.2.3");

/// Longest text of an otherName, in bytes.
const MAX_BYTES: usize = 4096;
/// rangeUpper of the attribute userPrincipalName.
const MAX_PRINCIPAL_NAME: usize = 1024;

/// A name of a type that has no form of its own.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct OtherName {
    type_id: ObjectIdentifier,
    value: DerValue,
}

impl OtherName {
    /// type-id
    pub fn type_id(&self) -> ObjectIdentifier {
        self.type_id
    }

    /// The value, without the tag `[0]` around it.
    pub fn value(&self) -> &DerValue {
        &self.value
    }
}

impl FromStr for OtherName {
    type Err = Invalid;

    fn from_str(text: &str) -> Result<Self, Invalid> {
        const SHAPE: &str = "an otherName is OID;UTF8:text or OID;DER:hex, such as 1.2.3.4;UTF8:abc";
        within(text, MAX_BYTES, "an otherName")?;
        let (oid, typed) = text.split_once(';').ok_or_else(|| refused(0, SHAPE))?;
        let type_id = ObjectIdentifier::new(oid).map_err(|_| refused(0, SHAPE))?;
        let at = oid.len() + 1;
        let (form, value) = typed.split_once(':').ok_or_else(|| refused(at, SHAPE))?;
        let value_at = at + form.len() + 1;
        let value = match form.to_ascii_uppercase().as_str() {
            "UTF8" => visible(value).map(|()| DerValue::utf8_string(value)),
            "DER" => value.parse().map_err(|error| refused(0, format!("{error}"))),
            _ => return Err(refused(at, SHAPE)),
        };
        Ok(Self { type_id, value: value.map_err(|invalid| shifted(invalid, value_at))? })
    }
}

impl fmt::Display for OtherName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.value.as_utf8_string().filter(|text| visible(text).is_ok()) {
            Some(text) => write!(f, "{};UTF8:{text}", self.type_id),
            None => write!(f, "{};DER:{}", self.type_id, self.value),
        }
    }
}

/// A name of a person or machine in Microsoft's directory: `user@suffix`.
pub(super) fn user_principal_name(text: &str) -> Result<String, Invalid> {
    within(text, MAX_PRINCIPAL_NAME, "a user principal name")?;
    visible(text)?;
    if let Some((at, c)) = text.char_indices().find(|(_, c)| c.is_whitespace()) {
        return Err(refused(at, format!("`{}` is not allowed in a user principal name", c.escape_debug())));
    }
    match text.split_once('@') {
        Some((user, suffix)) if !user.is_empty() && !suffix.is_empty() && !suffix.contains('@') => {
            Ok(text.to_owned())
        }
        _ => Err(refused(0, "a user principal name is user@suffix")),
    }
}

fn visible(text: &str) -> Result<(), Invalid> {
    if text.is_empty() {
        return Err(refused(0, "the value is empty"));
    }
    match text.char_indices().find(|(_, c)| c.is_control()) {
        Some((at, c)) => {
            Err(refused(at, format!("the value has the control character U+{:04X}", u32::from(c))))
        }
        None => Ok(()),
    }
}
