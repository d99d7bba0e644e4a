//! Distinguished names (RFC 5280 section 4.1.2.4): read from text, checked, encoded, printed.
//!
//! Two ways to write one are understood. Comma style is RFC 4514, which writes the encoding
//! backwards: `CN=a, O=b, C=nl` is encoded C, O, CN. Slash style is OpenSSL's, in the order of the
//! encoding: `/C=nl/O=b/CN=a` is the same name.

mod attribute;
mod attribute_kind;
mod parse;
mod print;
#[cfg(test)]
pub(super) mod tests;

use std::fmt;
use std::str::FromStr;

use const_oid::ObjectIdentifier;
use const_oid::db::rfc4519::COMMON_NAME;
use der::asn1::SetOfVec;
use der::{Decode, Encode};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use x509_cert::attr::AttributeTypeAndValue;
use x509_cert::name::{RdnSequence, RelativeDistinguishedName};

use super::invalid::Invalid;
pub use attribute_kind::AttributeKind;
use parse::Located;
use print::{Purpose, Rfc4514};

/// Longest text of a name, in bytes; also of its printed form, so that what was read and stored can
/// be read again.
pub const MAX_NAME_BYTES: usize = 4096;

/// The path of the name in a CSR specification, for errors.
const FIELD: &str = "subject";

/// A distinguished name whose every value has the string type and the length that its attribute
/// type asks for. Serialised as its RFC 4514 text.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Name(x509_cert::name::Name);

impl Name {
    /// A name from a structured list of relative distinguished names, in the order of the encoding;
    /// each is a list of attribute types (`CN` or a dotted OID) with their values, taken literally.
    ///
    /// # Errors
    /// The first attribute that breaks a rule; the field is `subject[rdn][attribute]`.
    pub fn from_rdns<T: AsRef<str>, V: AsRef<str>>(rdns: &[Vec<(T, V)>]) -> Result<Self, Invalid> {
        let bytes = rdns.iter().flatten().map(|(kind, value)| kind.as_ref().len() + value.as_ref().len());
        within_limit(bytes.sum())?;
        let rdns = rdns.iter().enumerate().map(|(at, rdn)| {
            if rdn.is_empty() {
                return Err(Invalid::new(format!("{FIELD}[{at}]"), "has no attribute"));
            }
            let attributes = rdn.iter().enumerate().map(|(nth, (kind, value))| {
                let attribute = attribute::type_of(kind.as_ref())
                    .and_then(|oid| attribute::with_text(oid, value.as_ref()));
                attribute.map_err(|reason| Invalid::new(format!("{FIELD}[{at}][{nth}]"), reason))
            });
            attributes.map(|attribute| Ok(Located { attribute: attribute?, position: None })).collect()
        });
        Self::from_located(rdns.collect::<Result<_, Invalid>>()?)
    }

    /// The same name as it is made here: the text of each attribute, in the string type that its attribute
    /// type asks for. Others write some of them in other types.
    ///
    /// # Errors
    /// An attribute that is no text, or breaks a rule.
    pub fn from_elsewhere(name: &x509_cert::name::Name) -> Result<Self, Invalid> {
        let mut rdns = Vec::new();
        for rdn in rdns_of(name) {
            let texts = rdn.iter().map(|attribute| {
                let text = attribute::readable_text(attribute).ok_or_else(|| {
                    let reason = format!("{} is no text", print::type_name(attribute));
                    Invalid::new(FIELD, reason)
                })?;
                Ok((attribute.oid.to_string(), text.into_owned()))
            });
            rdns.push(texts.collect::<Result<Vec<_>, Invalid>>()?);
        }
        Self::from_rdns(&rdns)
    }

    /// Whether it has no attribute at all; the SAN is critical then.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The rule that a name breaks which was taken nevertheless when it was read: names in certificates
    /// and in specifications of the time before this rule have to be read, but not made again.
    pub fn problem(&self) -> Option<String> {
        self.0.iter().find_map(|attribute| {
            let problem = attribute::problem(attribute)?;
            Some(format!("{}: {problem}", print::type_name(attribute)))
        })
    }

    /// Its common names, in the order of the encoding.
    pub fn common_names(&self) -> impl Iterator<Item = &str> {
        self.0.iter().filter(|attribute| attribute.oid == COMMON_NAME).filter_map(attribute::text_of)
    }

    /// The relative distinguished names in the order of the encoding; the attributes of one are a
    /// SET OF and stand in DER order (X.690 section 11.6).
    pub fn rdns(&self) -> impl Iterator<Item = &[AttributeTypeAndValue]> {
        rdns_of(&self.0)
    }

    /// Each relative distinguished name as text for people, the last of the encoding first, as RFC 4514 writes them.
    pub fn rdn_texts(&self) -> Vec<String> {
        let mut texts: Vec<_> = self.rdns().map(|rdn| readable_rdns(std::iter::once(rdn))).collect();
        texts.reverse();
        texts
    }

    /// Its attributes in the order of the encoding; the value where it is a string.
    pub fn attributes(&self) -> impl Iterator<Item = (AttributeKind, Option<&str>)> {
        self.0.iter().map(|attribute| (AttributeKind::of(attribute), attribute::text_of(attribute)))
    }

    /// The name with one more attribute, in a relative distinguished name of its own where names
    /// have it by convention: C, ST, L, O, OU, CN.
    ///
    /// # Errors
    /// The value is not one that the type may have, or the name becomes too long.
    pub fn with_attribute(&self, kind: AttributeKind, value: &str) -> Result<Self, Invalid> {
        let added = kind.with_text(value).map_err(|reason| Invalid::new(FIELD, reason))?;
        let behind = |rdn: &[AttributeTypeAndValue]| {
            rdn.first().is_some_and(|first| AttributeKind::of(first).place() > kind.place())
        };
        let at = self.rdns().position(behind).unwrap_or_else(|| self.rdns().count());
        let mut rdns: Vec<Vec<AttributeTypeAndValue>> = self.rdns().map(<[_]>::to_vec).collect();
        rdns.insert(at, vec![added]);
        let located = |attribute| Located { attribute, position: None };
        Self::from_located(rdns.into_iter().map(|rdn| rdn.into_iter().map(located).collect()).collect())
    }

    /// The name as the encoder takes it.
    pub fn as_x509(&self) -> &x509_cert::name::Name {
        &self.0
    }

    fn from_located(rdns: Vec<Vec<Located>>) -> Result<Self, Invalid> {
        let rdns = rdns.into_iter().map(set_of).collect::<Result<Vec<_>, Invalid>>()?;
        // x509-cert makes a Name of an RDNSequence only behind a feature called `hazmat`; by way of
        // the encoding it is checked once more instead.
        let name = RdnSequence::from(rdns)
            .to_der()
            .and_then(|der| x509_cert::name::Name::from_der(&der))
            .map_err(|error| Invalid::new(FIELD, format!("cannot be encoded: {error}")))?;
        let name = Self(name);
        within_limit(name.to_string().len())?;
        Ok(name)
    }
}

/// X.501 section 9.3: the attributes of one relative distinguished name are of different types.
fn set_of(rdn: Vec<Located>) -> Result<RelativeDistinguishedName, Invalid> {
    let mut attributes: Vec<AttributeTypeAndValue> = Vec::with_capacity(rdn.len());
    for Located { attribute, position } in rdn {
        if attributes.iter().any(|earlier| earlier.oid == attribute.oid) {
            let reason = format!(
                "{} stands twice in one relative distinguished name (joined by `+`)",
                print::type_name(&attribute)
            );
            return Err(Invalid { field: FIELD.into(), position, rule: None, reason });
        }
        attributes.push(attribute);
    }
    SetOfVec::try_from(attributes)
        .map(RelativeDistinguishedName::from)
        .map_err(|error| Invalid::new(FIELD, format!("cannot be encoded: {error}")))
}

fn within_limit(bytes: usize) -> Result<(), Invalid> {
    if bytes > MAX_NAME_BYTES {
        return Err(Invalid::new(
            FIELD,
            format!("is {bytes} bytes long; at most {MAX_NAME_BYTES} are taken"),
        ));
    }
    Ok(())
}

/// The text of a name that came from elsewhere, such as a certificate's, for people: as [`Name`]
/// prints its own, but without a promise that it can be read again.
pub(super) fn readable(name: &x509_cert::name::Name) -> String {
    readable_rdns(rdns_of(name))
}

/// As [`readable`], of relative distinguished names in the order of the encoding that need not make a
/// good name.
pub(super) fn readable_rdns<'a>(rdns: impl Iterator<Item = &'a [AttributeTypeAndValue]>) -> String {
    Rfc4514 { rdns: rdns.collect(), purpose: Purpose::Readable }.to_string()
}

/// The short name that is printed for an attribute type; none when it is not in the table.
pub(super) fn attribute_name(oid: ObjectIdentifier) -> Option<&'static str> {
    attribute::name_of(oid)
}

/// The rule of its type that an attribute from elsewhere breaks.
pub(super) fn attribute_problem(attribute: &AttributeTypeAndValue) -> Option<String> {
    attribute::check(attribute).err().or_else(|| attribute::problem(attribute))
}

fn rdns_of(name: &x509_cert::name::Name) -> impl Iterator<Item = &[AttributeTypeAndValue]> {
    name.iter_rdn().map(|rdn| rdn.as_ref().as_slice())
}

impl FromStr for Name {
    type Err = Invalid;

    /// Reads comma style or, when it begins with `/`, slash style. No text is the empty name.
    fn from_str(text: &str) -> Result<Self, Invalid> {
        within_limit(text.len())?;
        Self::from_located(parse::rdns(text)?)
    }
}

impl fmt::Display for Name {
    /// RFC 4514: the last relative distinguished name of the encoding first.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        Rfc4514 { rdns: self.rdns().collect(), purpose: Purpose::Exact }.fmt(f)
    }
}

impl Serialize for Name {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Name {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<str>::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}
