//! Certificate signing requests (PKCS #10, RFC 2986): what one shall say, how it is made, and how
//! it is checked before it leaves.
//!
//! `build` and `check` share no code: the one encodes with `x509-cert`, the other reads the result
//! with `x509-parser` and compares it with the specification.

pub(super) mod build;
mod challenge_password;
pub(super) mod check;
mod identify;
pub mod inspect;
mod public_key;
mod read;
#[cfg(test)]
mod tests;

use serde::{Deserialize, Deserializer, Serialize};

use super::algorithm::KeyKind;
use super::extensions::{Extensions, duplicates, text_problem};
use super::invalid::Invalid;
use super::name::Name;
use super::pem;
use super::san::{MAX_SANS, San};
pub use build::{assemble, to_be_signed};
pub use challenge_password::ChallengePassword;
pub use check::check;
pub use identify::{IdentifiedCsr, identify};
pub use public_key::{PublicKey, key_identifier, kind_of, spki_sha256, verify_signature};
pub use read::{ReadCsr, read};
pub(super) use read::{ReadExtensions, read_extensions};

/// What a CSR shall say.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct CsrSpec {
    /// The subject; empty only when there are alternative names.
    pub subject: Name,
    /// Alternative names, in the order in which they are encoded.
    #[serde(deserialize_with = "sans")]
    pub sans: Vec<San>,
    /// Other extensions.
    pub extensions: Extensions,
    /// Attribute challengePassword.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub challenge_password: Option<ChallengePassword>,
    /// Attribute unstructuredName.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub unstructured_name: Option<String>,
}

/// RFC 2985 Appendix A: pkcs-9-ub-challengePassword and pkcs-9-ub-unstructuredName.
const MAX_ATTRIBUTE: usize = 255;

impl CsrSpec {
    /// Checks what the fields do not check themselves.
    ///
    /// # Errors
    /// Every rule that is broken.
    pub fn validate(&self) -> Result<(), Vec<Invalid>> {
        let mut problems = Vec::new();
        if self.subject.is_empty() && self.sans.is_empty() {
            let reason = "is empty, and so is sans: a certificate has to name something";
            problems.push(Invalid::new("subject", reason));
        }
        problems.extend(self.subject.problem().map(|reason| Invalid::new("subject", reason)));
        if self.sans.len() > MAX_SANS {
            let reason = format!("has {} names; at most {MAX_SANS} are taken", self.sans.len());
            problems.push(Invalid::new("sans", reason));
        } else {
            problems.extend(duplicates("sans", &self.sans));
        }
        problems.extend(
            self.sans.iter().enumerate().filter_map(|(at, san)| {
                san.problem().map(|reason| Invalid::new(format!("sans[{at}]"), reason))
            }),
        );
        problems.extend(self.extensions.problems());
        let password = self.challenge_password.as_ref().map(ChallengePassword::expose);
        for (field, value) in
            [("challenge_password", password), ("unstructured_name", self.unstructured_name.as_deref())]
        {
            let reason = value.and_then(|value| text_problem(value, MAX_ATTRIBUTE));
            problems.extend(reason.map(|reason| Invalid::new(field, reason)));
        }
        if problems.is_empty() { Ok(()) } else { Err(problems) }
    }

    /// Checks that a key of that kind can do what is asked for.
    ///
    /// # Errors
    /// Every rule that is broken.
    pub fn validate_for(&self, kind: KeyKind) -> Result<(), Vec<Invalid>> {
        let problems = self.extensions.problems_with(kind.material().into());
        if problems.is_empty() { Ok(()) } else { Err(problems) }
    }

    /// The names that a request is found by: common names and SAN values, without their kind; those
    /// of international domains in either form.
    pub fn index_names(&self) -> Vec<String> {
        let sans = self.sans.iter().flat_map(|san| [Some(san.value()), san.value_in_unicode()]).flatten();
        self.subject.common_names().map(str::to_owned).chain(sans).collect()
    }
}

/// Reads the list as a whole, so that a refusal names the place in it.
fn sans<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<San>, D::Error> {
    let texts = Vec::<String>::deserialize(deserializer)?;
    San::parse_list(&texts).map_err(|refused| {
        let refused: Vec<String> = refused.iter().map(ToString::to_string).collect();
        serde::de::Error::custom(refused.join("; "))
    })
}

/// Why a CSR, certificate or CRL could not be made, or must not leave.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// DER could not be written, or what was given to be wrapped is not DER.
    #[error("it cannot be encoded")]
    Encoding(#[from] der::Error),
    /// The second parser cannot read what was made.
    #[error("{part} cannot be read back")]
    Unreadable {
        /// What it was reading.
        part: Part,
    },
    /// There are bytes behind the end of the CSR or of the public key.
    #[error("there are bytes behind the end of {part}")]
    TrailingBytes {
        /// What they follow.
        part: Part,
    },
    /// The CSR does not say what it should.
    #[error("{part} is not as intended")]
    Mismatch {
        /// Where it differs.
        part: Part,
    },
    /// The signature does not verify with the public key.
    #[error("the signature does not verify with the public key")]
    BadSignature,
    /// The public key is not one that this kind of key may have.
    #[error("the public key is not a good {kind} key: {fault}")]
    BadPublicKey {
        /// What kind of key it should be.
        kind: KeyKind,
        /// What is wrong with it.
        fault: KeyFault,
    },
}

/// A part of a CSR, certificate or CRL, for errors.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Part {
    /// The CSR as a whole.
    #[error("the CSR")]
    Csr,
    /// version
    #[error("the version")]
    Version,
    /// subject
    #[error("the subject")]
    Subject,
    /// subjectPKInfo
    #[error("the public key")]
    PublicKey,
    /// attributes
    #[error("the list of attributes")]
    Attributes,
    /// The set of extensions in extensionRequest, and whether they are critical.
    #[error("the list of extensions")]
    Extensions,
    /// SubjectAltName
    #[error("the subject alternative name extension")]
    SubjectAltName,
    /// KeyUsage
    #[error("the key usage extension")]
    KeyUsage,
    /// ExtendedKeyUsage
    #[error("the extended key usage extension")]
    ExtendedKeyUsage,
    /// BasicConstraints
    #[error("the basic constraints extension")]
    BasicConstraints,
    /// CertificatePolicies
    #[error("the certificate policies extension")]
    CertificatePolicies,
    /// NameConstraints
    #[error("the name constraints extension")]
    NameConstraints,
    /// SubjectKeyIdentifier
    #[error("the subject key identifier extension")]
    SubjectKeyIdentifier,
    /// TLS feature
    #[error("the TLS feature extension")]
    TlsFeatures,
    /// Microsoft's certificate template name or information
    #[error("the certificate template extension")]
    MicrosoftTemplate,
    /// An extension that was given as DER
    #[error("an extension of another type")]
    OtherExtension,
    /// The certificate as a whole
    #[error("the certificate")]
    Certificate,
    /// AuthorityKeyIdentifier, CRLDistributionPoints or AuthorityInfoAccess
    #[error("an extension about the issuer")]
    IssuerExtension,
    /// tbsCertificate: serial number, issuer, validity and all the rest
    #[error("what the certificate says")]
    TbsCertificate,
    /// The CRL as a whole
    #[error("the CRL")]
    Crl,
    /// tbsCertList
    #[error("what the CRL says")]
    TbsCertList,
    /// signatureAlgorithm
    #[error("the signature algorithm")]
    SignatureAlgorithm,
}

/// What is wrong with a public key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum KeyFault {
    /// Its BIT STRING does not hold what its algorithm asks for.
    #[error("it is malformed")]
    Malformed,
    /// Another algorithm, or wrong parameters for it.
    #[error("its algorithm identifier is another one")]
    Algorithm,
    /// Another named curve.
    #[error("it is on another curve")]
    Curve,
    /// Not 0x04 and two coordinates (RFC 5480 section 2.2), or not the length of an Edwards key.
    #[error("its point is not in the form of its curve")]
    PointForm,
    /// The verifier does not take the key: the point is not on the curve, or the modulus is unfit.
    #[error("the verifier refuses it")]
    Refused,
    /// The modulus has not exactly the bits of the kind.
    #[error("its modulus has another length")]
    ModulusLength,
    /// The modulus is even.
    #[error("its modulus is even")]
    EvenModulus,
    /// The public exponent is not 65537.
    #[error("its public exponent is not 65537")]
    Exponent,
}

/// The CSR as PEM (RFC 7468 section 7), in lines of 64 columns.
pub fn pem(csr_der: &[u8]) -> String {
    pem::encode("CERTIFICATE REQUEST", csr_der)
}

/// A SubjectPublicKeyInfo as PEM (RFC 7468 section 13).
pub fn public_key_pem(spki_der: &[u8]) -> String {
    pem::encode("PUBLIC KEY", spki_der)
}
