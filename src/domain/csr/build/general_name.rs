//! Encodes alternative names, and the subtrees of them that name constraints are made of.

use const_oid::ObjectIdentifier;
use der::Decode;
use der::asn1::{Any, Ia5String, OctetString};
use x509_cert::ext::pkix::name::{GeneralName, OtherName};

use super::super::super::der_value::DerValue;
use super::super::super::extensions::Subtree;
use super::super::super::san::{SMTP_UTF8_MAILBOX, San, USER_PRINCIPAL_NAME};

pub(super) fn general_name(san: &San) -> der::Result<GeneralName> {
    Ok(match san {
        San::Dns(name) => GeneralName::DnsName(Ia5String::new(name.as_str())?),
        San::Ip(address) => GeneralName::from(*address),
        San::Email(address) if address.local_part().is_ascii() => {
            GeneralName::Rfc822Name(Ia5String::new(address.as_str())?)
        }
        San::Email(address) => other_name(SMTP_UTF8_MAILBOX, &DerValue::utf8_string(address.as_str()))?,
        San::Uri(uri) => GeneralName::UniformResourceIdentifier(Ia5String::new(uri.as_str())?),
        San::UserPrincipalName(name) => {
            other_name(USER_PRINCIPAL_NAME, &DerValue::utf8_string(name.as_str()))?
        }
        San::RegisteredId(oid) => GeneralName::RegisteredId(*oid),
        San::DirectoryName(name) => GeneralName::DirectoryName(name.as_x509().clone()),
        San::OtherName(name) => other_name(name.type_id(), name.value())?,
    })
}

pub(super) fn subtree(subtree: &Subtree) -> der::Result<GeneralName> {
    Ok(match subtree {
        Subtree::Dns(host) => GeneralName::DnsName(Ia5String::new(host)?),
        Subtree::Ip(address, bits) => {
            GeneralName::IpAddress(OctetString::new(Subtree::network_octets(*address, *bits))?)
        }
        Subtree::Email(mailboxes) => GeneralName::Rfc822Name(Ia5String::new(mailboxes)?),
        Subtree::Uri(hosts) => GeneralName::UniformResourceIdentifier(Ia5String::new(hosts)?),
        Subtree::DirectoryName(name) => GeneralName::DirectoryName(name.as_x509().clone()),
    })
}

fn other_name(type_id: ObjectIdentifier, value: &DerValue) -> der::Result<GeneralName> {
    Ok(GeneralName::OtherName(OtherName { type_id, value: Any::from_der(value.as_bytes())? }))
}
