//! DER that somebody hands over, to be signed as it is: one value, well-formed all the way down.

use std::fmt;
use std::str::FromStr;

use der::asn1::{AnyRef, Utf8StringRef};
use der::{Decode, Encode, Reader, SliceReader, Tagged};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// How many values may be nested. Deeper than any real one, and no danger to the stack.
const MAX_DEPTH: usize = 32;

/// One DER value, tag and length included. Written in hexadecimal; colons are passed over.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct DerValue(Vec<u8>);

/// The text is not the hexadecimal form of one DER value.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("must be one DER value in hexadecimal, well-formed all the way down")]
pub struct NotDer;

impl DerValue {
    /// The text as a UTF8String.
    pub fn utf8_string(text: &str) -> Self {
        // Only a text of more than 256 MiB cannot be encoded.
        Self(Utf8StringRef::new(text).and_then(|text| text.to_der()).unwrap_or_default())
    }

    /// The text when it is a UTF8String.
    pub fn as_utf8_string(&self) -> Option<&str> {
        Utf8StringRef::from_der(&self.0).ok().map(|text| text.as_str())
    }

    /// The bytes.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}

impl FromStr for DerValue {
    type Err = NotDer;

    fn from_str(text: &str) -> Result<Self, NotDer> {
        let bytes = hex::decode(text.replace(':', "")).map_err(|_| NotDer)?;
        AnyRef::from_der(&bytes).and_then(|value| check(value, MAX_DEPTH)).map_err(|_| NotDer)?;
        Ok(Self(bytes))
    }
}

/// der takes the contents of a constructed value as they come.
fn check(value: AnyRef<'_>, depth: usize) -> der::Result<()> {
    if !value.tag().is_constructed() {
        return Ok(());
    }
    let depth = depth.checked_sub(1).ok_or(der::ErrorKind::Failed)?;
    let mut reader = SliceReader::new(value.value())?;
    while !reader.is_finished() {
        check(AnyRef::decode(&mut reader)?, depth)?;
    }
    Ok(())
}

impl fmt::Display for DerValue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex::encode(&self.0))
    }
}

impl Serialize for DerValue {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for DerValue {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<str>::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_one_well_formed_value_is_taken() {
        for good in ["0500", "0c0161", "0C:01:61", "3000", "300302010a", "a003020101", "bf8101020500"] {
            let value: DerValue = good.parse().unwrap_or_else(|error| panic!("{good}: {error}"));
            assert_eq!(value.to_string(), good.replace(':', "").to_lowercase());
        }
        let nested = |depth: u8| (0..depth).rev().map(|n| format!("30{:02x}", 2 * n)).collect::<String>();
        nested(32).parse::<DerValue>().unwrap();
        for bad in ["", "05", "050", "zz", "05000500", "3001", "3080", "30800000", "3003020201", "0c810161"] {
            assert_eq!(bad.parse::<DerValue>(), Err(NotDer), "{bad}");
        }
        assert_eq!(nested(33).parse::<DerValue>(), Err(NotDer));
    }

    #[test]
    fn a_utf8_string_is_read_back() {
        let value = DerValue::utf8_string("é");
        assert_eq!((value.to_string().as_str(), value.as_utf8_string()), ("0c02c3a9", Some("é")));
        assert_eq!("130161".parse::<DerValue>().unwrap().as_utf8_string(), None);
    }
}
