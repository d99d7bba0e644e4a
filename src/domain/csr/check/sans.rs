//! Compares alternative names as x509-parser reads them with those of the specification.

use std::net::IpAddr;

use x509_parser::asn1_rs::Oid;
use x509_parser::extensions::GeneralName;

use super::super::super::san::San;
use super::der::{self, UTF8_STRING, context_constructed, tlv};

/// 1.3.6.1.5.5.7.8.9
const SMTP_UTF8_MAILBOX: &[u8] = &[0x2b, 6, 1, 5, 5, 7, 8, 9];
/// 1.3.6.1.4.1.311.20.2.3
const USER_PRINCIPAL_NAME: &[u8] = &[0x2b, 6, 1, 4, 1, 0x82, 0x37, 20, 2, 3];

pub(super) fn match_all(found: &[GeneralName<'_>], wanted: &[San]) -> bool {
    found.len() == wanted.len() && found.iter().zip(wanted).all(|(found, wanted)| matches(found, wanted))
}

fn matches(found: &GeneralName<'_>, wanted: &San) -> bool {
    match (wanted, found) {
        (San::Dns(wanted), GeneralName::DNSName(found)) => wanted.as_str() == *found,
        (San::Email(wanted), GeneralName::RFC822Name(found)) => {
            wanted.as_str().is_ascii() && wanted.as_str() == *found
        }
        (San::Email(wanted), GeneralName::OtherName(kind, found)) => {
            !wanted.as_str().is_ascii() && is_text(kind, found, SMTP_UTF8_MAILBOX, wanted.as_str())
        }
        (San::Uri(wanted), GeneralName::URI(found)) => wanted.as_str() == *found,
        (San::Ip(IpAddr::V4(wanted)), GeneralName::IPAddress(found)) => wanted.octets() == *found,
        (San::Ip(IpAddr::V6(wanted)), GeneralName::IPAddress(found)) => wanted.octets() == *found,
        (San::UserPrincipalName(wanted), GeneralName::OtherName(kind, found)) => {
            is_text(kind, found, USER_PRINCIPAL_NAME, wanted.as_str())
        }
        (San::RegisteredId(wanted), GeneralName::RegisteredID(found)) => {
            wanted.as_bytes() == found.as_bytes()
        }
        (San::DirectoryName(wanted), GeneralName::DirectoryName(found)) => {
            der::name(wanted) == found.as_raw()
        }
        (San::OtherName(wanted), GeneralName::OtherName(kind, found)) => {
            wanted.type_id().as_bytes() == kind.as_bytes()
                && tlv(context_constructed(0), wanted.value().as_bytes()) == *found
        }
        _ => false,
    }
}

/// Whether an otherName is of that type and holds that text as a UTF8String.
fn is_text(kind: &Oid<'_>, found: &[u8], wanted_kind: &[u8], wanted: &str) -> bool {
    let value = tlv(UTF8_STRING, wanted.as_bytes());
    kind.as_bytes() == wanted_kind && found == tlv(context_constructed(0), &value)
}
