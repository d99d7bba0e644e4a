//! Certificates: those that come back from a CA are read, and married to the key they were made for; those
//! that an authority of ours issues are made from a [`CertificateSpec`], and checked before they leave.
//!
//! Whether a certificate is to be trusted is not decided here; only whether it carries our key, and
//! which certificate issued which. `build` and `check` share no code, as with CSRs.

pub(super) mod build;
pub(super) mod check;
mod issued;
mod marry;
mod names;
mod object;
mod pkcs7;
mod read;
mod spec;
#[cfg(test)]
mod tests;

pub use build::to_be_signed;
pub use check::check;
pub use issued::{Issued, IssuedPurpose, IssuedState};
pub use marry::{MarriedChain, MarryError, is_self_signed, marry};
pub use names::{CertificateNames, names};
pub use object::{ObjectFields, object_fields};
pub use read::{MAX_BYTES, MAX_CERTIFICATES, read, read_one};
pub use spec::{CertificateSpec, IssuerUrls, Period, Serial};

use super::clock::Timestamp;
use super::pem;

/// A certificate, and what the index keeps of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReadCertificate {
    /// The certificate's DER, as it came.
    pub der: Vec<u8>,
    /// The subject, printed as RFC 4514.
    pub subject: String,
    /// The issuer, printed as RFC 4514.
    pub issuer: String,
    /// The serial number in lower-case hexadecimal, two digits a byte.
    pub serial: String,
    /// notBefore
    pub not_before: Timestamp,
    /// notAfter
    pub not_after: Timestamp,
    /// SHA-256 of the DER, in lower-case hexadecimal.
    pub fingerprint: String,
    /// DER of the SubjectPublicKeyInfo.
    pub spki: Vec<u8>,
}

/// A certificate as PEM (RFC 7468 section 5).
pub fn pem(certificate_der: &[u8]) -> String {
    pem::encode("CERTIFICATE", certificate_der)
}
