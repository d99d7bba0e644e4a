//! Prints a name as RFC 4514 section 2 has it.

use std::borrow::Cow;
use std::fmt::{self, Write};

use der::Encode;
use x509_cert::attr::AttributeTypeAndValue;

use super::attribute;

/// A name, printed as RFC 4514. A value that cannot be shown as text is shown as `#hex`.
pub(super) struct Rfc4514<'a> {
    /// The relative distinguished names in the order of the encoding.
    pub(super) rdns: Vec<&'a [AttributeTypeAndValue]>,
    pub(super) purpose: Purpose,
}

/// What the text is for.
#[derive(Clone, Copy, PartialEq)]
pub(super) enum Purpose {
    /// To be read again as the same name: a string of another type than its text would be given is
    /// shown as `#hex`.
    Exact,
    /// For people.
    Readable,
}

impl fmt::Display for Rfc4514<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (nth, rdn) in self.rdns.iter().rev().enumerate() {
            if nth > 0 {
                f.write_char(',')?;
            }
            for (nth, attribute) in rdn.iter().enumerate() {
                if nth > 0 {
                    f.write_char('+')?;
                }
                print_attribute(f, attribute, self.purpose)?;
            }
        }
        Ok(())
    }
}

/// The attribute's type: its short name or its dotted OID.
pub(super) fn type_name(attribute: &AttributeTypeAndValue) -> String {
    attribute::name_of(attribute.oid).map_or_else(|| attribute.oid.to_string(), str::to_owned)
}

fn print_attribute(
    f: &mut fmt::Formatter<'_>,
    attribute: &AttributeTypeAndValue,
    purpose: Purpose,
) -> fmt::Result {
    write!(f, "{}=", type_name(attribute))?;
    // RFC 4514 section 2.4: a type without a short name has its value as hex.
    let text = match purpose {
        Purpose::Exact if attribute::has_default_type(attribute) => {
            attribute::text_of(attribute).map(Cow::Borrowed)
        }
        Purpose::Readable if attribute::name_of(attribute.oid).is_some() => {
            attribute::readable_text(attribute)
        }
        Purpose::Exact | Purpose::Readable => None,
    };
    match text.filter(|text| !text.chars().any(char::is_control)) {
        Some(text) => print_escaped(f, &text),
        None => {
            let value = attribute.value.to_der().map_err(|_| fmt::Error)?;
            write!(f, "#{}", hex::encode(value))
        }
    }
}

fn print_escaped(f: &mut fmt::Formatter<'_>, text: &str) -> fmt::Result {
    let last = text.chars().count().saturating_sub(1);
    for (nth, c) in text.chars().enumerate() {
        let escaped = match c {
            '"' | '+' | ',' | ';' | '<' | '>' | '\\' => true,
            '#' => nth == 0,
            ' ' => nth == 0 || nth == last,
            _ => false,
        };
        if escaped {
            f.write_char('\\')?;
        }
        f.write_char(c)?;
    }
    Ok(())
}
