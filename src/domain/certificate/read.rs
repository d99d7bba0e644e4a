//! Reads certificates from PEM, DER or PKCS #7.

use der::Decode;
use sha2::{Digest, Sha256};
use x509_parser::certificate::X509Certificate;
use x509_parser::prelude::FromDer;
use x509_parser::time::ASN1Time;
use x509_parser::x509::X509Name;

use super::super::clock::Timestamp;
use super::super::invalid::Invalid;
use super::super::{name, pem};
use super::{ReadCertificate, pkcs7};

/// How many certificates are read at most: a leaf and its chain.
pub const MAX_CERTIFICATES: usize = 10;

/// How many bytes are read at most: the limit of an HTTP body.
pub const MAX_BYTES: usize = 64 * 1024;

const FIELD: &str = "certificate";

/// Reads a certificate or a PKCS #7 message in DER, or one or more of them in PEM with any text around
/// them.
///
/// # Errors
/// What was found instead, without repeating it.
pub fn read(bytes: &[u8]) -> Result<Vec<ReadCertificate>, Invalid> {
    if bytes.len() > MAX_BYTES {
        let reason = format!("is {} bytes long; at most {MAX_BYTES} are taken", bytes.len());
        return Err(Invalid::new(FIELD, reason));
    }
    // Text around the blocks may be in any encoding.
    let text = String::from_utf8_lossy(bytes);
    let blocks = pem::blocks(&text).map_err(unreadable)?;
    let certificates = if blocks.is_empty() {
        read_der(bytes).map_err(|reason| Invalid::new(FIELD, reason))?
    } else {
        read_pem(&blocks)?
    };
    if certificates.len() > MAX_CERTIFICATES {
        let reason = format!("has {} certificates; at most {MAX_CERTIFICATES} are taken", certificates.len());
        return Err(Invalid::new(FIELD, reason));
    }
    Ok(certificates)
}

fn read_pem(blocks: &[pem::Block<'_>]) -> Result<Vec<ReadCertificate>, Invalid> {
    for block in blocks {
        refuse_other_labels(block.label).map_err(|reason| Invalid::at(FIELD, block.position, reason))?;
    }
    let mut certificates = Vec::new();
    for block in blocks {
        let der = block.der().map_err(unreadable)?;
        let read = read_der(&der).map_err(|reason| Invalid::at(FIELD, block.position, reason))?;
        certificates.extend(read);
    }
    Ok(certificates)
}

fn unreadable(error: pem::Unreadable) -> Invalid {
    Invalid::at(FIELD, error.position, error.reason)
}

/// Labels are those of RFC 7468 sections 4 and 8 and of OpenSSL. Which of those taken it is does not
/// matter: some CAs label PKCS #7 as CERTIFICATE.
fn refuse_other_labels(label: &str) -> Result<(), String> {
    match label {
        "CERTIFICATE" | "PKCS7" | "PKCS #7 SIGNED DATA" | "CMS" => Ok(()),
        _ if label.ends_with("PRIVATE KEY") => {
            Err("this is a private key. A private key must never be sent: \
             consider it compromised, and replace it"
                .into())
        }
        "CERTIFICATE REQUEST" | "NEW CERTIFICATE REQUEST" => {
            Err("this is a CSR; send the certificate that the CA made from it".into())
        }
        other => {
            let label: String = other.chars().take(40).collect();
            Err(format!("this is `{label}`; only CERTIFICATE and PKCS7 are taken"))
        }
    }
}

fn read_der(der: &[u8]) -> Result<Vec<ReadCertificate>, String> {
    if pkcs7::is_message(der) {
        return pkcs7::certificates(der)?.into_iter().map(read_certificate).collect();
    }
    Ok(vec![read_certificate(der)?])
}

/// Reads one certificate in DER.
///
/// # Errors
/// What was found instead, without repeating it.
pub fn read_one(der: &[u8]) -> Result<ReadCertificate, Invalid> {
    read_certificate(der).map_err(|reason| Invalid::new(FIELD, reason))
}

fn read_certificate(der: &[u8]) -> Result<ReadCertificate, String> {
    let (rest, certificate) = X509Certificate::from_der(der).map_err(|_| {
        "is not a certificate: neither DER nor PEM with a line -----BEGIN CERTIFICATE-----".to_owned()
    })?;
    if !rest.is_empty() {
        return Err(format!("has {} bytes behind the end of the certificate", rest.len()));
    }
    // x509-parser passes over the class of a tag; a certificate that only it can read is of no use.
    x509_cert::Certificate::from_der(der)
        .map_err(|error| format!("is a certificate that is not DER: {error}"))?;
    let validity = certificate.validity();
    Ok(ReadCertificate {
        der: der.to_vec(),
        subject: readable(certificate.subject())?,
        issuer: readable(certificate.issuer())?,
        serial: hex::encode(certificate.raw_serial()),
        not_before: timestamp(validity.not_before),
        not_after: timestamp(validity.not_after),
        fingerprint: hex::encode(Sha256::digest(der)),
        spki: certificate.public_key().raw.to_vec(),
    })
}

fn readable(found: &X509Name<'_>) -> Result<String, String> {
    x509_cert::name::Name::from_der(found.as_raw())
        .map(|decoded| name::readable(&decoded))
        .map_err(|error| format!("has a name that is not DER: {error}"))
}

fn timestamp(time: ASN1Time) -> Timestamp {
    Timestamp::from_millis(time.timestamp().saturating_mul(1000))
}
