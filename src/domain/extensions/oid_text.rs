//! An object identifier as its dotted text, for `#[serde(with)]`.

use const_oid::ObjectIdentifier;
use serde::{Deserialize, Deserializer, Serializer};

pub(super) fn serialize<S: Serializer>(oid: &ObjectIdentifier, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(oid)
}

pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<ObjectIdentifier, D::Error> {
    let text = std::borrow::Cow::<str>::deserialize(deserializer)?;
    ObjectIdentifier::new(&text).map_err(serde::de::Error::custom)
}
