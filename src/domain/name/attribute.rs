//! The table of attribute types, and the rules for their values.
//!
//! Text becomes the string type that the table names; `#hex` gives the DER itself, for a renewal of
//! a name that was encoded differently. A type that is not in the table is written as a dotted OID:
//! its text becomes a UTF8String, and its `#hex` value may be any of a few primitive types. The next
//! type is one entry.

use std::borrow::Cow;

use const_oid::ObjectIdentifier;
use const_oid::db::{rfc3280, rfc4519};
use der::asn1::{Any, BitString, Ia5StringRef, OctetString, PrintableStringRef, Utf8StringRef};
use der::{Decode, Tag, Tagged};
use x509_cert::attr::AttributeTypeAndValue;

use super::super::text::hidden_problem;

struct AttributeType {
    /// Names in text, in any case; the first is printed.
    names: &'static [&'static str],
    oid: ObjectIdentifier,
    syntax: Syntax,
    /// Greatest length in characters.
    max: usize,
}

/// What the value of an attribute type may be.
#[derive(Clone, Copy)]
enum Syntax {
    /// PrintableString of exactly two letters: ISO 3166 (RFC 5280 Appendix A.1, X520countryName).
    Country,
    /// PrintableString
    Printable,
    /// IA5String
    Ia5,
    /// DirectoryString, which RFC 5280 section 4.1.2.4 wants as UTF8String.
    Directory,
}

/// RFC 5280 Appendix A.1: ub-name.
const UB_NAME: usize = 32_768;
const PSEUDONYM: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.5.4.65");
const ORGANIZATION_IDENTIFIER: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.5.4.97");
// CA/Browser Forum EV Guidelines, "Subject Jurisdiction of Incorporation or Registration Field".
const JURISDICTION_LOCALITY: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.6.1.4.1.311.60.2.1.1");
const JURISDICTION_STATE: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.6.1.4.1.311.60.2.1.2");
const JURISDICTION_COUNTRY: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.6.1.4.1.311.60.2.1.3");

/// The attribute types of RFC 5280 Appendix A.1 (with its upper bounds), of RFC 4514 section 3, and
/// of certificates for organisations (EV, ETSI EN 319 412-1).
const TABLE: &[AttributeType] = &[
    entry(&["CN", "commonName"], rfc4519::COMMON_NAME, Syntax::Directory, 64),
    entry(&["SN", "surname"], rfc4519::SN, Syntax::Directory, UB_NAME),
    entry(&["serialNumber"], rfc4519::SERIAL_NUMBER, Syntax::Printable, 64),
    entry(&["C", "countryName"], rfc4519::COUNTRY_NAME, Syntax::Country, 2),
    entry(&["L", "localityName"], rfc4519::LOCALITY_NAME, Syntax::Directory, 128),
    entry(&["ST", "S", "stateOrProvinceName"], rfc4519::ST, Syntax::Directory, 128),
    // RFC 5280 sets no bound; X.520 Annex C, ub-street-address.
    entry(&["STREET", "streetAddress"], rfc4519::STREET, Syntax::Directory, 128),
    entry(&["O", "organizationName"], rfc4519::ORGANIZATION_NAME, Syntax::Directory, 64),
    entry(&["OU", "organizationalUnitName"], rfc4519::ORGANIZATIONAL_UNIT_NAME, Syntax::Directory, 64),
    entry(&["title"], rfc4519::TITLE, Syntax::Directory, 64),
    entry(&["name"], rfc4519::NAME, Syntax::Directory, UB_NAME),
    entry(&["GN", "givenName"], rfc4519::GIVEN_NAME, Syntax::Directory, UB_NAME),
    entry(&["initials"], rfc4519::INITIALS, Syntax::Directory, UB_NAME),
    entry(&["generationQualifier"], rfc4519::GENERATION_QUALIFIER, Syntax::Directory, UB_NAME),
    // RFC 5280 sets no bound; the one of serialNumber, its sibling.
    entry(&["dnQualifier"], rfc4519::DN_QUALIFIER, Syntax::Printable, 64),
    entry(&["pseudonym"], PSEUDONYM, Syntax::Directory, 128),
    // One label of a domain name (RFC 4519 section 2.4).
    entry(&["DC", "domainComponent"], rfc4519::DOMAIN_COMPONENT, Syntax::Ia5, 63),
    entry(&["emailAddress", "E", "EMAIL"], rfc3280::EMAIL_ADDRESS, Syntax::Ia5, 255),
    // RFC 4519 section 2.39 sets no bound; RFC 1274 section 9.3.1, ub-user-identifier.
    entry(&["UID", "userId"], rfc4519::UID, Syntax::Directory, 256),
    // X.520 Annex C: ub-business-category, ub-postal-code.
    entry(&["businessCategory"], rfc4519::BUSINESS_CATEGORY, Syntax::Directory, 128),
    entry(&["postalCode"], rfc4519::POSTAL_CODE, Syntax::Directory, 40),
    // X.520 has a SEQUENCE of lines here. In certificates it is one string: OpenSSL and others write
    // no other form, and some cannot read one. The bound is six lines of 30 (X.520 Annex C).
    entry(&["postalAddress"], rfc4519::POSTAL_ADDRESS, Syntax::Directory, 180),
    // X.520 sets no bound; RFC 5280 Appendix A.1 has this one for names that have none of their own.
    entry(&["organizationIdentifier"], ORGANIZATION_IDENTIFIER, Syntax::Directory, UB_NAME),
    entry(
        &["jurisdictionCountryName", "jurisdictionC", "jurisdictionOfIncorporationCountryName"],
        JURISDICTION_COUNTRY,
        Syntax::Country,
        2,
    ),
    entry(
        &[
            "jurisdictionStateOrProvinceName",
            "jurisdictionST",
            "jurisdictionOfIncorporationStateOrProvinceName",
        ],
        JURISDICTION_STATE,
        Syntax::Directory,
        128,
    ),
    entry(
        &["jurisdictionLocalityName", "jurisdictionL", "jurisdictionOfIncorporationLocalityName"],
        JURISDICTION_LOCALITY,
        Syntax::Directory,
        128,
    ),
];

const fn entry(
    names: &'static [&'static str],
    oid: ObjectIdentifier,
    syntax: Syntax,
    max: usize,
) -> AttributeType {
    AttributeType { names, oid, syntax, max }
}

/// The attribute type of that name or dotted OID, which Java and .NET print with `OID.` before it (RFC 2253
/// section 4); otherwise the reason why there is none.
pub(super) fn type_of(text: &str) -> Result<ObjectIdentifier, String> {
    let named = |entry: &&AttributeType| entry.names.iter().any(|name| name.eq_ignore_ascii_case(text));
    if let Some(entry) = TABLE.iter().find(named) {
        return Ok(entry.oid);
    }
    let dotted = text.get(..4).filter(|prefix| prefix.eq_ignore_ascii_case("OID."));
    ObjectIdentifier::new(text.get(dotted.map_or(0, str::len)..).unwrap_or_default()).map_err(|_| {
        let given: String = text.chars().take(40).collect();
        let known: Vec<&str> = TABLE.iter().filter_map(|entry| entry.names.first().copied()).collect();
        let known = known.join(", ");
        format!(
            "`{given}` is no known attribute type; known are {known}, any other is written as a dotted OID"
        )
    })
}

/// The name that is printed for the type; none when it is not in the table.
pub(super) fn name_of(oid: ObjectIdentifier) -> Option<&'static str> {
    known(oid)?.names.first().copied()
}

/// The attribute with a value given as text; otherwise the rule that the text breaks.
pub(super) fn with_text(oid: ObjectIdentifier, text: &str) -> Result<AttributeTypeAndValue, String> {
    let syntax = known(oid).map_or(Syntax::Directory, |entry| entry.syntax);
    check_text(text, syntax, known(oid).map(|entry| entry.max))?;
    let value = Any::new(syntax.tag(), text.as_bytes()).map_err(|error| error.to_string())?;
    Ok(AttributeTypeAndValue { oid, value })
}

/// The attribute with a value given as DER; otherwise the rule that the value breaks.
pub(super) fn with_der(oid: ObjectIdentifier, der: &[u8]) -> Result<AttributeTypeAndValue, String> {
    let value = Any::from_der(der).map_err(|error| format!("the `#` value is not one DER value: {error}"))?;
    let attribute = AttributeTypeAndValue { oid, value };
    check(&attribute)?;
    Ok(attribute)
}

/// Checks a value of any string type; otherwise the rule that it breaks.
pub(super) fn check(attribute: &AttributeTypeAndValue) -> Result<(), String> {
    match (known(attribute.oid), text_of(attribute)) {
        (Some(entry), Some(text)) if entry.syntax.allows(attribute.value.tag()) => {
            check_text(text, entry.syntax, Some(entry.max))
        }
        (_, None) if is_text_tag(attribute.value.tag()) => {
            let tag = attribute.value.tag();
            Err(format!("the value is a malformed {tag}: it has bytes that a {tag} cannot have"))
        }
        (Some(entry), _) => Err(format!("the value must be a {}, as its type asks for", entry.syntax.tag())),
        (None, Some(text)) => check_text(text, Syntax::Directory, None),
        (None, None) => check_primitive(&attribute.value),
    }
}

/// The rule that a value breaks which is read nevertheless, see [`super::Name::problem`].
pub(super) fn problem(attribute: &AttributeTypeAndValue) -> Option<String> {
    let is_country = known(attribute.oid).is_some_and(|entry| matches!(entry.syntax, Syntax::Country));
    if is_country && attribute.value.tag() != Tag::PrintableString {
        return Some("a country is a PrintableString (RFC 5280 Appendix A.1); write it as text".to_owned());
    }
    hidden_problem(text_of(attribute)?).map(|problem| format!("the value {problem}"))
}

/// Whether the value has the string type that its text alone would be given.
pub(super) fn has_default_type(attribute: &AttributeTypeAndValue) -> bool {
    known(attribute.oid).is_some_and(|entry| entry.syntax.tag() == attribute.value.tag())
}

/// The value when it is a well-formed string of one of the types that we encode.
pub(super) fn text_of(attribute: &AttributeTypeAndValue) -> Option<&str> {
    let value = &attribute.value;
    match value.tag() {
        Tag::Utf8String => Utf8StringRef::try_from(value).ok().map(|text| text.as_str()),
        Tag::PrintableString => PrintableStringRef::try_from(value).ok().map(|text| text.as_str()),
        Tag::Ia5String => Ia5StringRef::try_from(value).ok().map(|text| text.as_str()),
        _ => None,
    }
}

/// The value for people, also of the string types that we do not encode and of malformed strings.
pub(super) fn readable_text(attribute: &AttributeTypeAndValue) -> Option<Cow<'_, str>> {
    let bytes = attribute.value.value();
    match attribute.value.tag() {
        Tag::PrintableString | Tag::Ia5String | Tag::VisibleString | Tag::NumericString => {
            bytes.is_ascii().then(|| String::from_utf8_lossy(bytes))
        }
        // Nearly always Latin-1 in fact.
        Tag::TeletexString => Some(bytes.iter().copied().map(char::from).collect()),
        Tag::BmpString if bytes.len().is_multiple_of(2) => {
            let units = bytes.chunks_exact(2).map(|pair| u16::from_be_bytes([pair[0], pair[1]]));
            String::from_utf16(&units.collect::<Vec<_>>()).ok().map(Cow::Owned)
        }
        _ => text_of(attribute).map(Cow::Borrowed),
    }
}

fn is_text_tag(tag: Tag) -> bool {
    matches!(tag, Tag::Utf8String | Tag::PrintableString | Tag::Ia5String)
}

fn known(oid: ObjectIdentifier) -> Option<&'static AttributeType> {
    TABLE.iter().find(|entry| entry.oid == oid)
}

impl Syntax {
    fn tag(self) -> Tag {
        match self {
            Self::Country | Self::Printable => Tag::PrintableString,
            Self::Ia5 => Tag::Ia5String,
            Self::Directory => Tag::Utf8String,
        }
    }

    fn allows(self, tag: Tag) -> bool {
        tag == self.tag()
            || match self {
                // RFC 5280 section 4.1.2.4 takes either for a DirectoryString.
                Self::Directory => tag == Tag::PrintableString,
                // Wrong, but there are certificates with such countries, and specifications from
                // before the jurisdiction's country was in the table.
                Self::Country => tag == Tag::Utf8String,
                Self::Printable | Self::Ia5 => false,
            }
    }

    /// The rule that a character breaks.
    fn broken_by(self, c: char) -> Option<&'static str> {
        let (allowed, rule) = match self {
            Self::Country => (c.is_ascii_alphabetic(), COUNTRY_RULE),
            // X.680 section 41.4.
            Self::Printable => (
                c.is_ascii_alphanumeric() || " '()+,-./:=?".contains(c),
                "a PrintableString has letters A-Z, digits, space and '()+,-./:=? only",
            ),
            Self::Ia5 => (c.is_ascii(), "an IA5String is ASCII only"),
            Self::Directory => return None,
        };
        (!allowed).then_some(rule)
    }
}

const COUNTRY_RULE: &str = "a country is two letters (ISO 3166)";

fn check_text(text: &str, syntax: Syntax, max: Option<usize>) -> Result<(), String> {
    let length = text.chars().count();
    if length == 0 {
        return Err("the value is empty".into());
    }
    if let Some(control) = text.chars().find(|c| c.is_control()) {
        return Err(format!("the value has the control character U+{:04X}", u32::from(control)));
    }
    if let Some((c, rule)) = text.chars().find_map(|c| syntax.broken_by(c).map(|rule| (c, rule))) {
        return Err(format!("the value has `{c}`, but {rule}"));
    }
    if matches!(syntax, Syntax::Country) && length != 2 {
        return Err(format!("the value has {length} characters, but {COUNTRY_RULE}"));
    }
    match max {
        Some(max) if length > max => {
            Err(format!("the value has {length} characters; at most {max} are allowed"))
        }
        _ => Ok(()),
    }
}

/// A short list, so that nothing malformed or deeply nested gets into a signed name: der takes the
/// contents of an `Any` as they come.
fn check_primitive(value: &Any) -> Result<(), String> {
    let checked = match value.tag() {
        Tag::OctetString => value.decode_as::<OctetString>().map(drop),
        Tag::BitString => value.decode_as::<BitString>().map(drop),
        tag => {
            return Err(format!(
                "the value is {tag}; it must be a UTF8String, PrintableString, IA5String, OCTET STRING \
                 or BIT STRING"
            ));
        }
    };
    checked.map_err(|error| format!("the value is malformed: {error}"))
}
