//! The subject: what it says, and which rules its attributes break.

use std::collections::BTreeSet;

use const_oid::ObjectIdentifier;
use const_oid::db::rfc4519::COMMON_NAME;
use der::asn1::Any;
use der::{Decode, Tag};
use serde::Serialize;
use x509_cert::attr::AttributeTypeAndValue;

use super::super::super::name;
use super::ber::{self, Unreadable, Value};
use super::finding::{Findings, Severity};
use super::oids::{Identified, oid};

const EMAIL_ADDRESS: ObjectIdentifier = oid("1.2.840.113549.1.9.1");

/// A distinguished name.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Subject {
    /// As RFC 4514 writes it: the last relative distinguished name of the encoding first.
    pub text: String,
    /// The relative distinguished names in the order of the encoding.
    pub rdns: Vec<Vec<SubjectAttribute>>,
}

/// An attribute of a name.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct SubjectAttribute {
    /// Its type.
    #[serde(flatten)]
    pub kind: Identified,
    /// The ASN.1 type of its value, such as `UTF8String`.
    pub string_type: String,
    /// Its text; DER in hexadecimal when it is none.
    pub value: String,
}

impl Subject {
    /// The common names, in the order of the encoding.
    pub(super) fn common_names(&self) -> impl Iterator<Item = &str> {
        let wanted = COMMON_NAME.to_string();
        let attributes = self.rdns.iter().flatten().filter(move |attribute| attribute.kind.oid == wanted);
        attributes.map(|attribute| attribute.value.as_str())
    }
}

/// An attribute as it was read.
struct Read {
    shown: SubjectAttribute,
    oid: ObjectIdentifier,
    /// The value, where der has its type: UniversalString and strings in pieces it has not.
    value: Option<Any>,
    /// The attribute as it stands, for the order of a SET OF.
    raw: Vec<u8>,
}

impl Read {
    fn typed(&self) -> Option<AttributeTypeAndValue> {
        Some(AttributeTypeAndValue { oid: self.oid, value: self.value.clone()? })
    }

    /// Something that prints as the value reads.
    fn readable(&self) -> Option<AttributeTypeAndValue> {
        let as_text = || Any::new(Tag::Utf8String, self.shown.value.as_bytes()).ok();
        let value = self.value.clone().or_else(as_text)?;
        Some(AttributeTypeAndValue { oid: self.oid, value })
    }
}

/// The RFC 4514 text of a name that stands elsewhere, without looking for what is wrong with it.
pub(super) fn text_of(name: &Value<'_>) -> Result<String, Unreadable> {
    Ok(text(&read(name)?))
}

pub(super) fn inspect(value: &Value<'_>, findings: &mut Findings) -> Subject {
    match read(value) {
        Ok(rdns) => {
            check(&rdns, findings);
            let text = text(&rdns);
            let shown = rdns.into_iter().map(|rdn| rdn.into_iter().map(|read| read.shown).collect());
            Subject { text, rdns: shown.collect() }
        }
        Err(reason) => {
            let problem = format!("cannot be read: {reason}");
            findings.error("subject", problem, "RFC 5280 section 4.1.2.4", "make the CSR anew");
            Subject { text: format!("#{}", hex::encode(value.raw())), rdns: Vec::new() }
        }
    }
}

fn text(rdns: &[Vec<Read>]) -> String {
    let typed: Vec<Vec<AttributeTypeAndValue>> =
        rdns.iter().map(|rdn| rdn.iter().filter_map(Read::readable).collect()).collect();
    name::readable_rdns(typed.iter().map(Vec::as_slice))
}

fn read(value: &Value<'_>) -> Result<Vec<Vec<Read>>, Unreadable> {
    value.sequence()?.iter().map(|rdn| rdn.set()?.iter().map(read_attribute).collect()).collect()
}

fn read_attribute(attribute: &Value<'_>) -> Result<Read, Unreadable> {
    let fields = attribute.sequence()?;
    let [kind, value] = fields.as_slice() else { return Err("an attribute is not a type and a value") };
    let oid = kind.oid()?;
    let shown = SubjectAttribute {
        kind: Identified::new(oid),
        string_type: value.type_name(),
        value: value.text().unwrap_or_else(|| hex::encode(value.raw())),
    };
    Ok(Read { shown, oid, value: Any::from_der(value.raw()).ok(), raw: attribute.raw().to_vec() })
}

fn check(rdns: &[Vec<Read>], findings: &mut Findings) {
    for (at, rdn) in rdns.iter().enumerate() {
        if rdn.is_empty() {
            let rule = "X.501 section 9.3: a relative distinguished name has at least one attribute";
            findings.error(format!("subject[{at}]"), "is an empty SET", rule, "leave it out");
        }
        let mut types = BTreeSet::new();
        for (nth, read) in rdn.iter().enumerate() {
            let place = format!("subject[{at}][{nth}]");
            check_attribute(&place, read, findings);
            if !types.insert(read.oid) {
                let problem =
                    format!("{} stands twice in one relative distinguished name", read.shown.kind.label());
                findings.error(
                    place,
                    problem,
                    "X.501 section 9.3",
                    "give it a relative distinguished name of its own",
                );
            }
        }
        if !rdn.is_sorted_by_key(|read| &read.raw) {
            let problem = "the attributes are not in the order of a SET OF";
            findings.warning(format!("subject[{at}]"), problem, ber::SET_ORDER, "encode it as DER");
        }
    }
    let names = rdns.iter().flatten().filter(|read| read.oid == COMMON_NAME).count();
    if names > 1 {
        let rule = "CA/Browser Forum TLS Baseline Requirements section 7.1.4.1: at most one of each";
        findings.warning(
            "subject",
            format!("has {names} common names"),
            rule,
            "keep one; list all names as SANs",
        );
    }
}

fn check_attribute(place: &str, read: &Read, findings: &mut Findings) {
    let shown = &read.shown;
    let label = shown.kind.label();
    if ["TeletexString", "BMPString", "UniversalString", "GeneralString"].contains(&&*shown.string_type) {
        let problem = format!("{label} is a {}", shown.string_type);
        let rule = "RFC 5280 section 4.1.2.4: UTF8String or PrintableString in new names";
        findings.warning(place, problem, rule, "encode it as UTF8String");
        return;
    }
    let Some(typed) = &read.typed() else {
        let problem = format!("{label}: the value is no string in one piece");
        findings.error(place, problem, ATTRIBUTES, "encode it as UTF8String");
        return;
    };
    if let Some(problem) = name::attribute_problem(typed) {
        let is_known = name::attribute_name(typed.oid).is_some();
        let severity = if is_known { Severity::Error } else { Severity::Warning };
        findings.add(severity, place, format!("{label}: {problem}"), ATTRIBUTES, "change the value");
    }
    if typed.oid == EMAIL_ADDRESS {
        let rule = "RFC 5280 section 4.1.2.6: deprecated in new names";
        findings.note(place, "an e-mail address stands in the subject", rule, "ask for it as a SAN instead");
    }
}

const ATTRIBUTES: &str = "RFC 5280 Appendix A.1, X.520 for the types that it does not have";
