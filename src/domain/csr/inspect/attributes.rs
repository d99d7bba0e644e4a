//! The attributes of a CSR, extensionRequest among them.

use std::collections::BTreeSet;

use const_oid::ObjectIdentifier;
use serde::Serialize;
use x509_parser::asn1_rs::Tag;

use super::ber::{self, Unreadable, Value};
use super::extensions::{self, RequestedExtension};
use super::finding::Findings;
use super::oids::{Identified, oid};

/// An attribute.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct RequestAttribute {
    /// Its type.
    #[serde(flatten)]
    pub kind: Identified,
    /// What it says.
    pub content: AttributeContent,
}

/// What an attribute says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum AttributeContent {
    /// An extensionRequest with that many extensions, which are told by themselves.
    Extensions(usize),
    /// It is a secret: that it is there is all that is told.
    NotShown,
    /// The strings and numbers in it, from left to right.
    Values(Vec<String>),
    /// Its values in hexadecimal, of a type that is not explained or cannot be read.
    Der(Vec<String>),
}

const EXTENSION_REQUEST: ObjectIdentifier = oid("1.2.840.113549.1.9.14");
/// Microsoft's extensionRequest of before PKCS #9 had one.
const MICROSOFT_EXTENSIONS: ObjectIdentifier = oid("1.3.6.1.4.1.311.2.1.14");
const CHALLENGE_PASSWORD: ObjectIdentifier = oid("1.2.840.113549.1.9.7");

/// Attributes that are made of strings and numbers: RFC 2985 section 5.4.3, [MS-WCCE] section 2.2.2.7.
const EXPLAINED: [ObjectIdentifier; 7] = [
    oid("1.2.840.113549.1.9.2"),
    oid("1.2.840.113549.1.9.8"),
    oid("1.2.840.113549.1.9.20"),
    oid("1.3.6.1.4.1.311.13.2.1"),
    oid("1.3.6.1.4.1.311.13.2.2"),
    oid("1.3.6.1.4.1.311.13.2.3"),
    oid("1.3.6.1.4.1.311.21.20"),
];

/// How deep strings are looked for in an attribute.
const MAX_DEPTH: usize = 4;

const RULE: &str = "RFC 2986 section 4.1";

#[derive(Default)]
pub(super) struct Attributes {
    pub(super) attributes: Vec<RequestAttribute>,
    /// Those of every extensionRequest.
    pub(super) extensions: Vec<RequestedExtension>,
}

pub(super) fn inspect(field: Option<&Value<'_>>, findings: &mut Findings) -> Attributes {
    let mut read = Attributes::default();
    let Some(field) = field else {
        let problem = "the field `attributes` is missing; without attributes it is there, but empty";
        findings.warning("attributes", problem, RULE, "encode `a0 00`: strict readers refuse the CSR");
        return read;
    };
    match field.inside() {
        Ok(values) => {
            if !ber::is_sorted(&values) {
                let problem = "the attributes are not in the order of a SET OF";
                findings.warning("attributes", problem, ber::SET_ORDER, "encode it as DER");
            }
            inspect_all(&values, &mut read, findings);
        }
        Err(reason) => unreadable("attributes", reason, findings),
    }
    read
}

fn inspect_all(values: &[Value<'_>], read: &mut Attributes, findings: &mut Findings) {
    let mut kinds = BTreeSet::new();
    for (at, value) in values.iter().enumerate() {
        let place = format!("attributes[{at}]");
        let Ok((kind, set)) = parts(value) else {
            unreadable(&place, "it is not a type and a SET of values", findings);
            continue;
        };
        let named = Identified::new(kind);
        if !kinds.insert(kind) {
            let problem = format!("{} is there twice", named.label());
            findings.error(&*place, problem, RULE, "leave one out");
        }
        let content = content(&place, kind, &named, &set, read, findings);
        read.attributes.push(RequestAttribute { kind: named, content });
    }
    let requests = [EXTENSION_REQUEST, MICROSOFT_EXTENSIONS];
    if requests.iter().all(|request| kinds.contains(request)) {
        let problem = "extensions are asked for by two attributes, extensionRequest and Microsoft's";
        findings.warning("attributes", problem, RULE, "use extensionRequest: CAs differ in which they read");
    }
}

fn parts<'a>(attribute: &Value<'a>) -> Result<(ObjectIdentifier, Vec<Value<'a>>), Unreadable> {
    let fields = attribute.sequence()?;
    let [kind, values] = fields.as_slice() else { return Err("it is not a type and a SET of values") };
    Ok((kind.oid()?, values.set()?))
}

fn unreadable(place: &str, reason: Unreadable, findings: &mut Findings) {
    findings.error(place, format!("cannot be read: {reason}"), RULE, "make the CSR anew");
}

fn content(
    place: &str,
    kind: ObjectIdentifier,
    named: &Identified,
    values: &[Value<'_>],
    read: &mut Attributes,
    findings: &mut Findings,
) -> AttributeContent {
    let is_single = [EXTENSION_REQUEST, MICROSOFT_EXTENSIONS, CHALLENGE_PASSWORD].contains(&kind);
    if values.is_empty() || is_single && values.len() > 1 {
        let problem = format!("{} has {} values", named.label(), values.len());
        findings.error(place, problem, "RFC 2985 section 5.4, RFC 2986 section 4.1", "give it one value");
    }
    match kind {
        EXTENSION_REQUEST | MICROSOFT_EXTENSIONS => {
            let before = read.extensions.len();
            for value in values {
                extend(place, value, read, findings);
            }
            AttributeContent::Extensions(read.extensions.len() - before)
        }
        CHALLENGE_PASSWORD => {
            let problem = "has a challengePassword, which everybody who sees the CSR can read";
            let rule = "RFC 2985 section 5.4.1";
            findings.note(place, problem, rule, "leave it out where the CA does not ask for it");
            AttributeContent::NotShown
        }
        _ => {
            let mut found = Vec::new();
            let explained = EXPLAINED.contains(&kind)
                && values.iter().try_for_each(|value| strings(value, MAX_DEPTH, &mut found)).is_ok();
            if explained && !found.is_empty() {
                return AttributeContent::Values(found);
            }
            AttributeContent::Der(values.iter().map(|value| hex::encode(value.raw())).collect())
        }
    }
}

fn extend(place: &str, request: &Value<'_>, read: &mut Attributes, findings: &mut Findings) {
    if request.sequence().is_ok_and(|extensions| extensions.is_empty()) {
        let rule = "RFC 5280 section 4.1: Extensions has SIZE (1..MAX)";
        findings.error(place, "asks for an empty list of extensions", rule, "leave the attribute out");
    }
    match extensions::inspect(request, read.extensions.len(), findings) {
        Ok(extensions) => read.extensions.extend(extensions),
        Err(reason) => unreadable(place, reason, findings),
    }
}

/// Bit strings, such as the signature of a provider, and flags say nothing to people.
fn strings(value: &Value<'_>, depth: usize, found: &mut Vec<String>) -> Result<(), Unreadable> {
    if let Some(text) = value.text() {
        found.push(text);
    } else if value.is(Tag::Integer) {
        found.push(value.number()?.to_string());
    } else if value.is_constructed() {
        let depth = depth.checked_sub(1).ok_or("it is nested too deep")?;
        return value.inside()?.iter().try_for_each(|inner| strings(inner, depth, found));
    }
    Ok(())
}
