//! Reads a CSR that somebody sends back, to find out whose it is.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use x509_parser::certification_request::X509CertificationRequest;
use x509_parser::prelude::FromDer;

use super::super::invalid::Invalid;
use super::super::pem;
use super::spki_sha256;

const FIELD: &str = "csr";

/// A CSR as it came, and what its key is known by.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IdentifiedCsr {
    /// The DER.
    pub der: Vec<u8>,
    /// SHA-256 of its SubjectPublicKeyInfo.
    pub spki_sha256: [u8; 32],
}

/// Reads one CSR in PEM, or the base64 of its DER without the lines around it. Its signature is not verified.
///
/// # Errors
/// What it is instead, without repeating it.
pub fn identify(text: &str) -> Result<IdentifiedCsr, Invalid> {
    let blocks = pem::blocks(text).map_err(|error| Invalid::at(FIELD, error.position, error.reason))?;
    let der = match blocks.as_slice() {
        [] => {
            let base64: String = text.split_ascii_whitespace().collect();
            STANDARD.decode(base64).map_err(|_| Invalid::new(FIELD, "is neither PEM nor base64"))?
        }
        [block] if matches!(block.label, "CERTIFICATE REQUEST" | "NEW CERTIFICATE REQUEST") => {
            block.der().map_err(|error| Invalid::at(FIELD, error.position, error.reason))?
        }
        [_] => return Err(Invalid::new(FIELD, "its PEM block is no CERTIFICATE REQUEST")),
        [_, _, ..] => return Err(Invalid::new(FIELD, "has several PEM blocks; one is expected")),
    };
    let spki_sha256 = match X509CertificationRequest::from_der(&der) {
        Ok(([], request)) => spki_sha256(request.certification_request_info.subject_pki.raw),
        _ => return Err(Invalid::new(FIELD, "is no CSR (PKCS #10) in DER")),
    };
    Ok(IdentifiedCsr { der, spki_sha256 })
}

#[cfg(test)]
mod tests {
    use super::*;

    const CSR: &str = include_str!("../../../tests/it/inspect/ed448.pem");

    #[test]
    fn a_csr_is_read_with_and_without_the_lines_around_it() {
        let read_as = |text: &str| identify(text).map_err(|invalid| invalid.to_string());
        let whole = read_as(CSR).unwrap();
        let bare: String = CSR.lines().filter(|line| !line.starts_with('-')).collect();
        for text in [bare, CSR.replace('\n', "\r\n"), CSR.replace("CERTIFICATE", "NEW CERTIFICATE")] {
            assert_eq!(read_as(&text).unwrap(), whole);
        }
        for (text, reason) in [
            ("", "csr: is no CSR (PKCS #10) in DER"),
            ("%", "csr: is neither PEM nor base64"),
            ("AAAA", "csr: is no CSR (PKCS #10) in DER"),
            ("-----BEGIN X", "csr: at position 0: the BEGIN line does not end with five dashes"),
            ("-----BEGIN X-----\nAAAA\n-----END X-----", "csr: its PEM block is no CERTIFICATE REQUEST"),
            (&CSR.repeat(2), "csr: has several PEM blocks; one is expected"),
        ] {
            assert_eq!(read_as(text).unwrap_err(), reason);
        }
    }
}
