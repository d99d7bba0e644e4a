//! Writes DER, once more and by hand: what is compared with it shares no code with the encoder.

use der::Tagged;

use super::super::super::name::Name;

pub(super) const INTEGER: u8 = 0x02;
pub(super) const BIT_STRING: u8 = 0x03;
pub(super) const OCTET_STRING: u8 = 0x04;
pub(super) const OBJECT_IDENTIFIER: u8 = 0x06;
pub(super) const UTF8_STRING: u8 = 0x0c;
pub(super) const PRINTABLE_STRING: u8 = 0x13;
pub(super) const IA5_STRING: u8 = 0x16;
pub(super) const BMP_STRING: u8 = 0x1e;
pub(super) const SEQUENCE: u8 = 0x30;
pub(super) const SET: u8 = 0x31;

/// The tag `[number]` of a value that is not constructed.
pub(super) const fn context(number: u8) -> u8 {
    0x80 | number
}

/// The tag `[number]` of a constructed value.
pub(super) const fn context_constructed(number: u8) -> u8 {
    0xa0 | number
}

/// Tag, length and value (X.690 section 10.1: the definite form of the length, in the fewest bytes).
pub(super) fn tlv(tag: u8, value: &[u8]) -> Vec<u8> {
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
pub(super) fn sequence(values: &[Vec<u8>]) -> Vec<u8> {
    tlv(SEQUENCE, &values.concat())
}

/// An INTEGER that is not negative: in the fewest bytes, the first bit 0.
pub(super) fn integer(number: u32) -> Vec<u8> {
    let bytes: Vec<u8> = number.to_be_bytes().into_iter().skip_while(|byte| *byte == 0).collect();
    let sign: &[u8] = if bytes.first().is_none_or(|byte| *byte >= 0x80) { &[0] } else { &[] };
    tlv(INTEGER, &[sign, &bytes].concat())
}

/// A Name.
pub(super) fn name(name: &Name) -> Vec<u8> {
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
