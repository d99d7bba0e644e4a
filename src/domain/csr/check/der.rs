//! Writes DER, once more and by hand: what is compared with it shares no code with the encoder.

use der::Tagged;

use super::super::super::clock::Timestamp;
use super::super::super::name::Name;

pub(in crate::domain) const BOOLEAN: u8 = 0x01;
pub(in crate::domain) const INTEGER: u8 = 0x02;
pub(in crate::domain) const BIT_STRING: u8 = 0x03;
pub(in crate::domain) const OCTET_STRING: u8 = 0x04;
pub(in crate::domain) const OBJECT_IDENTIFIER: u8 = 0x06;
pub(in crate::domain) const ENUMERATED: u8 = 0x0a;
pub(in crate::domain) const UTF8_STRING: u8 = 0x0c;
pub(in crate::domain) const PRINTABLE_STRING: u8 = 0x13;
pub(in crate::domain) const IA5_STRING: u8 = 0x16;
pub(in crate::domain) const UTC_TIME: u8 = 0x17;
pub(in crate::domain) const GENERALIZED_TIME: u8 = 0x18;
pub(in crate::domain) const BMP_STRING: u8 = 0x1e;
pub(in crate::domain) const SEQUENCE: u8 = 0x30;
pub(in crate::domain) const SET: u8 = 0x31;

/// The tag `[number]` of a value that is not constructed.
pub(in crate::domain) const fn context(number: u8) -> u8 {
    0x80 | number
}

/// The tag `[number]` of a constructed value.
pub(in crate::domain) const fn context_constructed(number: u8) -> u8 {
    0xa0 | number
}

/// Tag, length and value (X.690 section 10.1: the definite form of the length, in the fewest bytes).
pub(in crate::domain) fn tlv(tag: u8, value: &[u8]) -> Vec<u8> {
    let length = value.len().to_be_bytes();
    let length: Vec<u8> = length.iter().copied().skip_while(|byte| *byte == 0).collect();
    let header = match length.as_slice() {
        [] => vec![tag, 0],
        [length] if *length < 0x80 => vec![tag, *length],
        // At most 8 bytes of a usize.
        long => [&[tag, 0x80 | long.len() as u8], long].concat(),
    };
    [&header, value].concat()
}

/// A SEQUENCE of values that are encoded already.
pub(in crate::domain) fn sequence(values: &[Vec<u8>]) -> Vec<u8> {
    tlv(SEQUENCE, &values.concat())
}

/// An INTEGER that is not negative: in the fewest bytes, the first bit 0.
pub(in crate::domain) fn integer(number: u32) -> Vec<u8> {
    let bytes: Vec<u8> = number.to_be_bytes().into_iter().skip_while(|byte| *byte == 0).collect();
    let sign: &[u8] = if bytes.first().is_none_or(|byte| *byte >= 0x80) { &[0] } else { &[] };
    tlv(INTEGER, &[sign, &bytes].concat())
}

/// A Time of RFC 5280 section 4.1.2.5: UTCTime from 1950 up to 2049, GeneralizedTime otherwise.
pub(in crate::domain) fn time(at: Timestamp) -> Vec<u8> {
    let text = at.in_seconds();
    let is_short = ("1950".."2050").contains(&text.get(..4).unwrap_or_default());
    match text.get(2..).filter(|_| is_short) {
        Some(short) => tlv(UTC_TIME, short.as_bytes()),
        None => tlv(GENERALIZED_TIME, text.as_bytes()),
    }
}

/// An Extension whose value is encoded already.
pub(in crate::domain) fn extension(oid: &[u8], critical: bool, value: &[u8]) -> Vec<u8> {
    // DEFAULT FALSE is left out (X.690 section 11.5).
    let critical = if critical { tlv(BOOLEAN, &[0xff]) } else { Vec::new() };
    sequence(&[tlv(OBJECT_IDENTIFIER, oid), critical, tlv(OCTET_STRING, value)])
}

/// A Name.
pub(in crate::domain) fn name(name: &Name) -> Vec<u8> {
    let rdns = name.rdns().flat_map(|rdn| {
        let attributes = rdn.iter().flat_map(|attribute| {
            let kind = tlv(OBJECT_IDENTIFIER, attribute.oid.as_bytes());
            // Values of a Name are universal and primitive: the tag is its number.
            let tag = attribute.value.tag().number().value() as u8;
            sequence(&[kind, tlv(tag, attribute.value.value())])
        });
        tlv(SET, &attributes.collect::<Vec<u8>>())
    });
    tlv(SEQUENCE, &rdns.collect::<Vec<u8>>())
}
