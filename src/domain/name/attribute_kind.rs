//! Attribute types of names as others than names speak of them.

use std::fmt;
use std::str::FromStr;

use const_oid::ObjectIdentifier;
use const_oid::db::{rfc3280, rfc4519};
use serde::{Serialize, Serializer};
use x509_cert::attr::AttributeTypeAndValue;

use super::attribute;

/// An attribute type of a name. Written, and serialised, as its short name (read in any case), or as
/// a dotted OID where it has none.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct AttributeKind(ObjectIdentifier);

/// The conventional order of the encoding, from the widest to the narrowest. Types that are not
/// listed stand before the common name.
const FROM_WIDEST: [ObjectIdentifier; 8] = [
    rfc4519::DOMAIN_COMPONENT,
    rfc4519::COUNTRY_NAME,
    rfc4519::ST,
    rfc4519::LOCALITY_NAME,
    rfc4519::POSTAL_CODE,
    rfc4519::STREET,
    rfc4519::ORGANIZATION_NAME,
    rfc4519::ORGANIZATIONAL_UNIT_NAME,
];
const NARROWEST: [ObjectIdentifier; 3] = [rfc4519::COMMON_NAME, rfc4519::UID, rfc3280::EMAIL_ADDRESS];

impl AttributeKind {
    pub(super) fn of(attribute: &AttributeTypeAndValue) -> Self {
        Self(attribute.oid)
    }

    /// The rule that a value of this type would break.
    pub fn problem_with(self, value: &str) -> Option<String> {
        self.with_text(value).err()
    }

    pub(super) fn with_text(self, value: &str) -> Result<AttributeTypeAndValue, String> {
        attribute::with_text(self.0, value)
    }

    /// Where it stands in a name: those of a lower number come first.
    pub(super) fn place(self) -> usize {
        let position = |list: &[ObjectIdentifier]| list.iter().position(|oid| *oid == self.0);
        match (position(&FROM_WIDEST), position(&NARROWEST)) {
            (Some(place), _) => place,
            (None, Some(place)) => FROM_WIDEST.len() + 1 + place,
            (None, None) => FROM_WIDEST.len(),
        }
    }
}

impl FromStr for AttributeKind {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        attribute::type_of(text).map(Self)
    }
}

impl fmt::Display for AttributeKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match attribute::name_of(self.0) {
            Some(name) => f.write_str(name),
            None => self.0.fmt(f),
        }
    }
}

impl Serialize for AttributeKind {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}
