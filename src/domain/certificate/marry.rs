//! Finds the certificate for a key among those that came, and puts its issuers in order.

use x509_parser::certificate::X509Certificate;
use x509_parser::error::X509Error;
use x509_parser::extensions::ParsedExtension;
use x509_parser::prelude::FromDer;

use super::super::invalid::Invalid;
use super::ReadCertificate;

/// The certificate for a key, with the certificates above it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MarriedChain {
    /// The certificate that carries the key.
    pub leaf: ReadCertificate,
    /// Its issuer, the issuer's issuer and so on, as far as they came along.
    pub chain: Vec<ReadCertificate>,
}

/// Why the certificates do not fit the key or each other.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum MarryError {
    /// No certificate carries the key.
    #[error("no certificate is for the key of this signing request; those sent are for: {}", subjects.join("; "))]
    PublicKeyMismatch {
        /// Subjects of the certificates, as RFC 4514.
        subjects: Vec<String>,
    },
    /// Different certificates carry the key; which one is meant cannot be told.
    #[error("{count} different certificates are for the key of this signing request; send one of them")]
    SeveralForTheKey {
        /// How many.
        count: usize,
    },
    /// A certificate is neither the leaf nor above it.
    #[error("the certificate of `{subject}` is no part of the leaf's chain; leave it out")]
    NotInChain {
        /// Its subject, as RFC 4514.
        subject: String,
    },
}

impl From<MarryError> for Invalid {
    fn from(error: MarryError) -> Self {
        Self::new("certificate", error.to_string())
    }
}

/// Finds the certificate whose SubjectPublicKeyInfo is exactly `spki_der`, wherever it stands, and
/// orders the others from its issuer upwards. A certificate that came twice counts once.
///
/// # Errors
/// See [`MarryError`].
pub fn marry(certificates: Vec<ReadCertificate>, spki_der: &[u8]) -> Result<MarriedChain, MarryError> {
    let mut others: Vec<ReadCertificate> = Vec::with_capacity(certificates.len());
    for certificate in certificates {
        if !others.contains(&certificate) {
            others.push(certificate);
        }
    }
    let count = others.iter().filter(|certificate| certificate.spki == spki_der).count();
    if count > 1 {
        return Err(MarryError::SeveralForTheKey { count });
    }
    let Some(at) = others.iter().position(|certificate| certificate.spki == spki_der) else {
        let subjects = others.into_iter().map(|certificate| certificate.subject).collect();
        return Err(MarryError::PublicKeyMismatch { subjects });
    };
    let leaf = others.remove(at);
    let mut chain: Vec<ReadCertificate> = Vec::with_capacity(others.len());
    while let Some(at) = others.iter().position(|above| issued(above, chain.last().unwrap_or(&leaf))) {
        chain.push(others.remove(at));
    }
    match others.into_iter().next() {
        Some(stray) => Err(MarryError::NotInChain { subject: stray.subject }),
        None => Ok(MarriedChain { leaf, chain }),
    }
}

/// Whether `issuer` issued `subject`: by name, and by signature where `aws-lc-rs` has the algorithm.
/// Where it has not (P-521, ML-DSA ...), by the key identifiers of RFC 5280 sections 4.2.1.1 and
/// 4.2.1.2, which may not contradict each other.
fn issued(issuer: &ReadCertificate, subject: &ReadCertificate) -> bool {
    let (Ok((_, issuer)), Ok((_, subject))) =
        (X509Certificate::from_der(&issuer.der), X509Certificate::from_der(&subject.der))
    else {
        return false;
    };
    if issuer.subject().as_raw() != subject.issuer().as_raw() {
        return false;
    }
    match subject.verify_signature(Some(issuer.public_key())) {
        Ok(()) => true,
        Err(X509Error::SignatureUnsupportedAlgorithm) => {
            match (authority_key_id(&subject), subject_key_id(&issuer)) {
                (Some(authority), Some(identifier)) => authority == identifier,
                _ => true,
            }
        }
        Err(_) => false,
    }
}

fn authority_key_id<'a>(certificate: &'a X509Certificate<'_>) -> Option<&'a [u8]> {
    certificate.extensions().iter().find_map(|extension| match extension.parsed_extension() {
        ParsedExtension::AuthorityKeyIdentifier(identifier) => {
            identifier.key_identifier.as_ref().map(|identifier| identifier.0)
        }
        _ => None,
    })
}

fn subject_key_id<'a>(certificate: &'a X509Certificate<'_>) -> Option<&'a [u8]> {
    certificate.extensions().iter().find_map(|extension| match extension.parsed_extension() {
        ParsedExtension::SubjectKeyIdentifier(identifier) => Some(identifier.0),
        _ => None,
    })
}
