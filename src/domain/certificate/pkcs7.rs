//! The certificates in a PKCS #7 message, which is a CMS SignedData (RFC 5652 section 5) that most
//! often signs nothing. Who signed it does not matter: what binds a certificate is its key.
//!
//! Read as BER, of which DER is a part: some CAs write lengths in the indefinite form.

use x509_parser::asn1_rs::{Any, Class, FromBer, Tag};

/// id-signedData
const SIGNED_DATA: &str = "1.2.840.113549.1.7.2";

/// Whether it begins as a ContentInfo does, with an object identifier; a certificate begins with a
/// SEQUENCE.
pub(super) fn is_message(ber: &[u8]) -> bool {
    one(ber)
        .and_then(|(outer, _)| one(outer.data))
        .is_ok_and(|(first, _)| first.tag() == Tag::Oid && first.class() == Class::Universal)
}

/// The certificates, each as its own bytes.
///
/// # Errors
/// What was found instead.
pub(super) fn certificates(ber: &[u8]) -> Result<Vec<&[u8]>, String> {
    let (content_info, rest) = one(ber)?;
    if !rest.is_empty() {
        return Err(format!("has {} bytes behind the end of the PKCS #7 message", rest.len()));
    }
    let (kind, content) = one(content_info.data)?;
    if kind.oid().map(|oid| oid.to_id_string()).as_deref() != Ok(SIGNED_DATA) {
        return Err("is a PKCS #7 message of another kind; only SignedData has certificates".to_owned());
    }
    let (explicit, _) = one(content)?;
    let (signed_data, _) = one(explicit.data)?;
    let found = certificate_set(signed_data.data)?;
    if found.is_empty() { Err("has no certificates in its PKCS #7 message".to_owned()) } else { Ok(found) }
}

/// The field `certificates [0] IMPLICIT CertificateSet OPTIONAL`.
fn certificate_set(mut fields: &[u8]) -> Result<Vec<&[u8]>, String> {
    while !fields.is_empty() {
        let (field, rest) = one(fields)?;
        if field.class() == Class::ContextSpecific && field.tag() == Tag(0) {
            return split(field.data);
        }
        fields = rest;
    }
    Ok(Vec::new())
}

fn split(mut set: &[u8]) -> Result<Vec<&[u8]>, String> {
    let mut certificates = Vec::new();
    while !set.is_empty() {
        let (choice, rest) = one(set)?;
        // CertificateChoices: the others are attribute certificates and forms of the past.
        if choice.tag() != Tag::Sequence || choice.class() != Class::Universal {
            return Err("has something other than X.509 certificates in its PKCS #7 message".to_owned());
        }
        let (certificate, _) = set.split_at(set.len() - rest.len());
        certificates.push(certificate);
        set = rest;
    }
    Ok(certificates)
}

/// The first value, and what follows it.
fn one(ber: &[u8]) -> Result<(Any<'_>, &[u8]), String> {
    let (rest, value) = Any::from_ber(ber).map_err(|_| "has a broken PKCS #7 message".to_owned())?;
    Ok((value, rest))
}
