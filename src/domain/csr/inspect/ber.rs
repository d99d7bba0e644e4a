//! Reads ASN.1 values as BER (X.690), of which DER is a part, and tells where they are not DER.

use const_oid::ObjectIdentifier;
use x509_parser::asn1_rs::{Any, Class, FromBer, Tag, ToDer};

/// The rule that [`is_sorted`] tells.
pub(super) const SET_ORDER: &str = "X.690 section 11.6: a SET OF is in the order of its encodings";

/// How many values may be nested. Deeper than any real CSR, and no danger to the stack.
const MAX_DEPTH: usize = 32;

/// A value, and the bytes that it was read from.
#[derive(Clone)]
pub(super) struct Value<'a> {
    any: Any<'a>,
    raw: &'a [u8],
}

/// The bytes are not what they should be; the reason fits behind "cannot be read: ".
pub(super) type Unreadable = &'static str;

/// The first value, and what follows it.
pub(super) fn first(bytes: &[u8]) -> Result<(Value<'_>, &[u8]), Unreadable> {
    let (rest, any) = Any::from_ber(bytes).map_err(|_| "it is no ASN.1 value")?;
    let (raw, _) = bytes.split_at(bytes.len() - rest.len());
    Ok((Value { any, raw }, rest))
}

/// The only value.
pub(super) fn only(bytes: &[u8]) -> Result<Value<'_>, Unreadable> {
    match first(bytes)? {
        (value, []) => Ok(value),
        _ => Err("there are bytes behind its end"),
    }
}

impl<'a> Value<'a> {
    /// Tag, length and contents, as they stand.
    pub(super) fn raw(&self) -> &'a [u8] {
        self.raw
    }

    pub(super) fn contents(&self) -> &'a [u8] {
        self.any.data
    }

    pub(super) fn is(&self, tag: Tag) -> bool {
        self.any.class() == Class::Universal && self.any.tag() == tag
    }

    /// The number of a tag `[number]`.
    pub(super) fn context(&self) -> Option<u32> {
        (self.any.class() == Class::ContextSpecific).then_some(self.any.tag().0)
    }

    pub(super) fn is_constructed(&self) -> bool {
        self.any.header.is_constructed()
    }

    /// The values inside.
    pub(super) fn inside(&self) -> Result<Vec<Value<'a>>, Unreadable> {
        if !self.is_constructed() {
            return Err("it is not made of other values");
        }
        let mut values = Vec::new();
        let mut rest = self.contents();
        while !rest.is_empty() {
            let (value, after) = first(rest)?;
            values.push(value);
            rest = after;
        }
        Ok(values)
    }

    /// The values inside of a SEQUENCE.
    pub(super) fn sequence(&self) -> Result<Vec<Value<'a>>, Unreadable> {
        if self.is(Tag::Sequence) { self.inside() } else { Err("it is no SEQUENCE") }
    }

    /// The values inside of a SET.
    pub(super) fn set(&self) -> Result<Vec<Value<'a>>, Unreadable> {
        if self.is(Tag::Set) { self.inside() } else { Err("it is no SET") }
    }

    pub(super) fn oid(&self) -> Result<ObjectIdentifier, Unreadable> {
        if !self.is(Tag::Oid) {
            return Err("it is no OBJECT IDENTIFIER");
        }
        ObjectIdentifier::from_bytes(self.contents()).map_err(|_| "its OBJECT IDENTIFIER is malformed")
    }

    /// The bytes of an INTEGER that is not negative, without leading zeros.
    pub(super) fn unsigned(&self) -> Result<&'a [u8], Unreadable> {
        match self.contents() {
            _ if !self.is(Tag::Integer) => Err("it is no INTEGER"),
            [] => Err("its INTEGER has no bytes"),
            [first, ..] if *first >= 0x80 => Err("its INTEGER is negative"),
            bytes => {
                let zeros = bytes.iter().take_while(|byte| **byte == 0).count();
                Ok(bytes.get(zeros..).unwrap_or_default())
            }
        }
    }

    pub(super) fn number(&self) -> Result<u64, Unreadable> {
        let bytes = self.unsigned()?;
        if bytes.len() > 8 {
            return Err("its INTEGER is too large");
        }
        Ok(bytes.iter().fold(0, |number, byte| number << 8 | u64::from(*byte)))
    }

    pub(super) fn boolean(&self) -> Result<bool, Unreadable> {
        match self.contents() {
            [byte] if self.is(Tag::Boolean) => Ok(*byte != 0),
            _ => Err("it is no BOOLEAN"),
        }
    }

    pub(super) fn octets(&self) -> Result<&'a [u8], Unreadable> {
        let primitive = self.is(Tag::OctetString) && !self.is_constructed();
        if primitive { Ok(self.contents()) } else { Err("it is no OCTET STRING in one piece") }
    }

    /// The bytes of a BIT STRING, and how many bits of the last are unused.
    pub(super) fn bits(&self) -> Result<(&'a [u8], u8), Unreadable> {
        match self.contents() {
            [unused @ 0..=7, bytes @ ..] if self.is(Tag::BitString) && !self.is_constructed() => {
                Ok((bytes, *unused))
            }
            _ => Err("it is no BIT STRING in one piece"),
        }
    }

    /// The text of a string of any type; none when it is another value, or malformed.
    pub(super) fn text(&self) -> Option<String> {
        let bytes = self.contents();
        if self.any.class() != Class::Universal || self.is_constructed() {
            return None;
        }
        match self.any.tag() {
            Tag::Utf8String => String::from_utf8(bytes.to_vec()).ok(),
            Tag::PrintableString
            | Tag::Ia5String
            | Tag::VisibleString
            | Tag::NumericString
            | Tag::GeneralString => bytes.is_ascii().then(|| latin1(bytes)),
            // Nearly always Latin-1 in fact, and RFC 5280 does not want it in either form.
            Tag::T61String => Some(latin1(bytes)),
            Tag::BmpString => {
                let units = bytes.chunks_exact(2).map(|pair| u16::from_be_bytes([pair[0], pair[1]]));
                String::from_utf16(&units.collect::<Vec<_>>()).ok().filter(|_| bytes.len().is_multiple_of(2))
            }
            Tag::UniversalString if bytes.len().is_multiple_of(4) => {
                let units = bytes.chunks_exact(4).map(|unit| [unit[0], unit[1], unit[2], unit[3]]);
                units.map(|unit| char::from_u32(u32::from_be_bytes(unit))).collect()
            }
            _ => None,
        }
    }

    /// The name of its tag in X.680, such as `UTF8String` or `[0]`.
    pub(super) fn type_name(&self) -> String {
        let number = self.any.tag().0;
        match (self.any.class(), self.any.tag()) {
            (Class::ContextSpecific, _) => format!("[{number}]"),
            (Class::Universal, Tag::Utf8String) => "UTF8String".into(),
            (Class::Universal, Tag::PrintableString) => "PrintableString".into(),
            (Class::Universal, Tag::Ia5String) => "IA5String".into(),
            (Class::Universal, Tag::T61String) => "TeletexString".into(),
            (Class::Universal, Tag::BmpString) => "BMPString".into(),
            (Class::Universal, Tag::UniversalString) => "UniversalString".into(),
            (Class::Universal, Tag::VisibleString) => "VisibleString".into(),
            (Class::Universal, Tag::NumericString) => "NumericString".into(),
            (Class::Universal, Tag::OctetString) => "OCTET STRING".into(),
            (Class::Universal, Tag::BitString) => "BIT STRING".into(),
            (Class::Universal, Tag::Sequence) => "SEQUENCE".into(),
            (Class::Universal, _) => format!("[UNIVERSAL {number}]"),
            (Class::Application, _) => format!("[APPLICATION {number}]"),
            (Class::Private, _) => format!("[PRIVATE {number}]"),
        }
    }
}

pub(super) fn latin1(bytes: &[u8]) -> String {
    bytes.iter().copied().map(char::from).collect()
}

/// Where an encoding is not DER (X.690 sections 10 and 11).
#[derive(Debug, PartialEq, Eq)]
pub(super) struct NotDer {
    /// Offset in the bytes that were looked at.
    pub(super) offset: usize,
    pub(super) problem: &'static str,
}

/// Every place below `value` that is not DER, but for the order of a SET OF, which is told by
/// [`is_sorted`]: what is a SET OF, only its type knows.
pub(super) fn not_der(value: &Value<'_>) -> Vec<NotDer> {
    let mut found = Vec::new();
    collect(value, 0, MAX_DEPTH, &mut found);
    found
}

/// Whether values stand in the order of a SET OF (X.690 section 11.6).
pub(super) fn is_sorted(values: &[Value<'_>]) -> bool {
    values.is_sorted_by_key(Value::raw)
}

fn collect(value: &Value<'_>, offset: usize, depth: usize, found: &mut Vec<NotDer>) {
    let header = &value.any.header;
    let problem = own_problem(value);
    found.extend(problem.map(|problem| NotDer { offset, problem }));
    if !header.is_constructed() {
        return;
    }
    let Some(depth) = depth.checked_sub(1) else {
        found.push(NotDer { offset, problem: "values are nested too deep to be looked at" });
        return;
    };
    let end = if header.length().is_definite() { 0 } else { END_OF_CONTENTS };
    let mut at = offset + value.raw.len() - value.contents().len() - end;
    match value.inside() {
        Ok(inside) => {
            for inner in inside {
                collect(&inner, at, depth, found);
                at += inner.raw.len();
            }
        }
        Err(problem) => found.push(NotDer { offset, problem }),
    }
}

/// Two bytes 0 end a value of indefinite length.
const END_OF_CONTENTS: usize = 2;

fn own_problem(value: &Value<'_>) -> Option<&'static str> {
    let header = &value.any.header;
    if !header.length().is_definite() {
        return Some("a length has the indefinite form");
    }
    let written = value.raw.len() - value.contents().len();
    if header.to_der_len().is_ok_and(|shortest| shortest < written) {
        return Some("a tag or a length is longer than it needs to be");
    }
    if value.any.class() != Class::Universal {
        return None;
    }
    let is_string = !matches!(value.any.tag(), Tag::Sequence | Tag::Set);
    match (value.any.tag(), value.contents()) {
        _ if header.is_constructed() && is_string => Some("a string is in pieces"),
        _ if !header.is_constructed() && !is_string => Some("a SEQUENCE or SET is marked as primitive"),
        (Tag::Boolean, bytes) if !matches!(bytes, [0 | 0xff]) => Some("a BOOLEAN is neither 00 nor FF"),
        (Tag::Integer, []) => Some("an INTEGER has no bytes"),
        (Tag::Integer, [0, second, ..]) if *second < 0x80 => Some("an INTEGER has leading zeros"),
        (Tag::Integer, [0xff, second, ..]) if *second >= 0x80 => Some("an INTEGER has leading ones"),
        (Tag::BitString, [unused, .., last]) if last.trailing_zeros() < u32::from(*unused) => {
            Some("unused bits of a BIT STRING are not 0")
        }
        _ => None,
    }
}
