//! Finds the certificate for a key among those that came, and puts its issuers in order.

use x509_parser::certificate::X509Certificate;
use x509_parser::error::X509Error;
use x509_parser::extensions::ParsedExtension;
use x509_parser::prelude::FromDer;
use x509_parser::x509::X509Version;

use super::super::algorithm::KeyKind;
use super::super::clock::Timestamp;
use super::super::csr;
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
    /// A certificate issued another one and is not one of a CA.
    #[error("the certificate of `{subject}` signed another one, but is not the certificate of a CA")]
    NotOfACa {
        /// Its subject, as RFC 4514.
        subject: String,
    },
    /// A CA's certificate came in several editions, of which only one fits into a chain.
    #[error("there is more than one certificate of `{subject}` with the same key; send one of them")]
    SeveralOfOneCa {
        /// Its subject, as RFC 4514.
        subject: String,
    },
    /// A certificate is past its end.
    #[error("the certificate of `{subject}` has expired: it was valid until {not_after}")]
    Expired {
        /// Its subject, as RFC 4514.
        subject: String,
        /// The end of its validity.
        not_after: Timestamp,
    },
    /// A certificate is before its start.
    #[error("the certificate of `{subject}` is not valid yet: it will be from {not_before}")]
    NotYetValid {
        /// Its subject, as RFC 4514.
        subject: String,
        /// The start of its validity.
        not_before: Timestamp,
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

/// A CA's clock may be ahead of ours by this.
const CLOCK_SKEW_MILLIS: i64 = 5 * 60 * 1000;

impl MarriedChain {
    /// Checks that `now` is within the validity of every certificate: clients refuse a chain by its
    /// weakest link.
    ///
    /// # Errors
    /// [`MarryError::Expired`] or [`MarryError::NotYetValid`].
    pub fn check_validity(&self, now: Timestamp) -> Result<(), MarryError> {
        for ReadCertificate { subject, not_before, not_after, .. } in
            [&self.leaf].into_iter().chain(&self.chain)
        {
            let subject = subject.clone();
            if *not_after < now {
                return Err(MarryError::Expired { subject, not_after: *not_after });
            }
            if now.plus_millis(CLOCK_SKEW_MILLIS) < *not_before {
                return Err(MarryError::NotYetValid { subject, not_before: *not_before });
            }
        }
        Ok(())
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
    if let Some(subject) = several_of_one_ca(&others) {
        return Err(MarryError::SeveralOfOneCa { subject });
    }
    let mut chain: Vec<ReadCertificate> = Vec::with_capacity(others.len());
    while let Some(at) = others.iter().position(|above| issued(above, chain.last().unwrap_or(&leaf))) {
        let issuer = others.remove(at);
        if !may_issue(&issuer) {
            return Err(MarryError::NotOfACa { subject: issuer.subject });
        }
        chain.push(issuer);
    }
    match others.into_iter().next() {
        Some(stray) => Err(MarryError::NotInChain { subject: stray.subject }),
        None => Ok(MarriedChain { leaf, chain }),
    }
}

/// A root that also has a cross-certificate, or a CA certificate beside its renewal: which of them goes
/// into the chain would depend on the order in which they came.
fn several_of_one_ca(certificates: &[ReadCertificate]) -> Option<String> {
    let same = |a: &ReadCertificate, b: &ReadCertificate| a.subject == b.subject && a.spki == b.spki;
    let twice = certificates
        .iter()
        .enumerate()
        .find(|(at, certificate)| certificates.iter().take(*at).any(|earlier| same(earlier, certificate)));
    twice.map(|(_, certificate)| certificate.subject.clone())
}

/// Whether the certificate is a CA's: RFC 5280 section 6.1.4 (k) and (n). A certificate of version 1,
/// as some old roots are, has no way to say so.
fn may_issue(certificate: &ReadCertificate) -> bool {
    let Ok((_, certificate)) = X509Certificate::from_der(&certificate.der) else { return false };
    let usage = certificate.key_usage().ok().flatten();
    certificate.version() == X509Version::V1
        || certificate.is_ca() && usage.is_none_or(|usage| usage.value.key_cert_sign())
}

/// Whether the certificate is its own issuer, by name and by signature.
pub fn is_self_signed(certificate: &ReadCertificate) -> bool {
    issued(certificate, certificate)
}

/// Whether `issuer` issued `subject`: by name, and by signature where `aws-lc-rs` has the algorithm.
/// Where it has not (Ed448, brainpool, ML-DSA ...), by the key identifiers of RFC 5280 sections 4.2.1.1
/// and 4.2.1.2, which may not contradict each other.
fn issued(issuer: &ReadCertificate, subject: &ReadCertificate) -> bool {
    let (Ok((_, issuer)), Ok((_, subject))) =
        (X509Certificate::from_der(&issuer.der), X509Certificate::from_der(&subject.der))
    else {
        return false;
    };
    if issuer.subject().as_raw() != subject.issuer().as_raw() {
        return false;
    }
    match verify(&subject, &issuer) {
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

/// x509-parser passes by P-521, which the table of key kinds has a verifier for.
fn verify(subject: &X509Certificate<'_>, issuer: &X509Certificate<'_>) -> Result<(), X509Error> {
    let spki = issuer.public_key();
    let verified = subject.verify_signature(Some(spki));
    if verified != Err(X509Error::SignatureUnsupportedAlgorithm) {
        return verified;
    }
    let named = subject.signature_algorithm.algorithm.as_bytes();
    let mut schemes = csr::kind_of(spki.raw).into_iter().flat_map(KeyKind::schemes);
    let scheme = schemes.find(|scheme| scheme.oid().as_bytes() == named);
    let scheme = scheme.ok_or(X509Error::SignatureUnsupportedAlgorithm)?;
    let signature = &subject.signature_value.data;
    csr::verify_signature(spki.raw, scheme, subject.tbs_certificate.as_ref(), signature)
        .map_err(|_| X509Error::SignatureVerificationError)
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
