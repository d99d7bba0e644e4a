//! What an authority's certificate lets it issue.

use der::Decode;
use x509_cert::ext::Extension;
use x509_parser::certificate::X509Certificate;
use x509_parser::extensions::ParsedExtension;
use x509_parser::prelude::FromDer;
use x509_parser::x509::X509Version;

use super::super::certificate::{MarriedChain, ReadCertificate, is_self_signed};
use super::super::clock::Timestamp;
use super::super::csr::{self, ReadExtensions, read_extensions};
use super::super::extensions::NameConstraints;
use super::super::invalid::Invalid;
use super::super::name::Name;
use super::super::san::San;
use super::constraints;

/// The certificate that an authority issues with, and what follows from it and from those above it.
#[derive(Clone, Debug, PartialEq)]
pub struct Issuer {
    /// DER of its subject, as it stands in the certificate: the issuer of what it issues.
    pub name: Vec<u8>,
    /// DER of its SubjectPublicKeyInfo.
    pub spki: Vec<u8>,
    /// Its SubjectKeyIdentifier: AuthorityKeyIdentifier of what it issues.
    pub key_id: Vec<u8>,
    /// notBefore
    pub not_before: Timestamp,
    /// notAfter: nothing that it issues is valid longer.
    pub not_after: Timestamp,
    /// How many CAs may stand below it, by its path length and by those of the CAs above.
    pub path_length: Option<u8>,
    /// The name constraints on what it issues: its own and those of the CAs above.
    pub constraints: Vec<NameConstraints>,
}

/// Why a certificate is not one that an authority can issue with.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotAnIssuer {
    /// It is not a CA's: RFC 5280 sections 4.2.1.3 and 4.2.1.9.
    #[error("the certificate of `{subject}` is not one of a CA that signs certificates and CRLs: {missing}")]
    NotACa {
        /// Its subject, as RFC 4514.
        subject: String,
        /// What it lacks.
        missing: &'static str,
    },
    /// A CA above it does not allow it: RFC 5280 section 6.1.4 (l).
    #[error("the path length of a CA above does not allow the certificate of `{subject}`")]
    PathLength {
        /// Its subject, as RFC 4514.
        subject: String,
    },
    /// The topmost certificate names itself as its issuer and did not sign itself.
    #[error(
        "the certificate of `{subject}` says that it is its own issuer, and its signature is another one's"
    )]
    FalseRoot {
        /// Its subject, as RFC 4514.
        subject: String,
    },
    /// Something that matters cannot be read.
    #[error("the certificate of `{subject}` cannot be used: {reason}")]
    NotUnderstood {
        /// Its subject, as RFC 4514.
        subject: String,
        /// What and why.
        reason: String,
    },
}

impl Issuer {
    /// From a certificate and those above it, as [`marry`](super::super::certificate::marry) has put them in
    /// order and verified their signatures.
    ///
    /// # Errors
    /// See [`NotAnIssuer`].
    pub fn of(chain: &MarriedChain) -> Result<Self, NotAnIssuer> {
        let from_the_top = chain.chain.iter().rev().chain([&chain.leaf]);
        let mut path_length: Option<u8> = None;
        let mut constraints = Vec::new();
        for (depth, certificate) in from_the_top.enumerate() {
            let self_issued = certificate.subject == certificate.issuer;
            if depth == 0 && self_issued && !is_self_signed(certificate) {
                return Err(NotAnIssuer::FalseRoot { subject: certificate.subject.clone() });
            }
            if depth > 0 && !self_issued {
                let used = |left: u8| {
                    let subject = certificate.subject.clone();
                    left.checked_sub(1).ok_or(NotAnIssuer::PathLength { subject })
                };
                path_length = path_length.map(used).transpose()?;
            }
            let ca = ReadCa::of(certificate)?;
            path_length = path_length.into_iter().chain(ca.path_length).min();
            constraints.extend(ca.constraints);
        }
        let leaf = &chain.leaf;
        let ca = ReadCa::of(leaf)?;
        if !ca.signs_crls {
            let missing = "keyUsage does not say cRLSign";
            return Err(NotAnIssuer::NotACa { subject: leaf.subject.clone(), missing });
        }
        Ok(Self {
            name: ca.name,
            spki: leaf.spki.clone(),
            key_id: ca.key_id,
            not_before: leaf.not_before,
            not_after: leaf.not_after,
            path_length,
            constraints,
        })
    }

    /// Every name that the constraints do not allow; the fields are `subject` and `sans[n]`.
    pub fn violations(&self, subject: &Name, sans: &[San]) -> Vec<Invalid> {
        self.constraints.iter().flat_map(|one| constraints::violations(one, subject, sans)).collect()
    }
}

/// What a CA's certificate says of what it may issue.
struct ReadCa {
    signs_crls: bool,
    name: Vec<u8>,
    key_id: Vec<u8>,
    path_length: Option<u8>,
    constraints: Option<NameConstraints>,
}

impl ReadCa {
    fn of(certificate: &ReadCertificate) -> Result<Self, NotAnIssuer> {
        let subject = || certificate.subject.clone();
        let not_understood = |reason: String| NotAnIssuer::NotUnderstood { subject: subject(), reason };
        let not_a_ca = |missing| NotAnIssuer::NotACa { subject: subject(), missing };
        let (_, parsed) =
            X509Certificate::from_der(&certificate.der).map_err(|error| not_understood(error.to_string()))?;
        let name = parsed.subject().as_raw().to_vec();
        if parsed.version() == X509Version::V1 {
            // Some old roots: taken as a CA that stands above, where nothing else can be asked of it.
            let key_id = csr::key_identifier(&certificate.spki).unwrap_or_default();
            return Ok(Self { signs_crls: true, name, key_id, path_length: None, constraints: None });
        }
        let constraints = parsed.basic_constraints().ok().flatten();
        let constraints = constraints
            .filter(|constraints| constraints.value.ca)
            .ok_or_else(|| not_a_ca("basicConstraints does not say cA"))?;
        let usage = parsed.key_usage().ok().flatten();
        let signs_crls = usage.as_ref().is_none_or(|usage| usage.value.crl_sign());
        if usage.is_some_and(|usage| !usage.value.key_cert_sign()) {
            return Err(not_a_ca("keyUsage does not say keyCertSign"));
        }
        let path_length = constraints.value.path_len_constraint;
        let path_length = path_length.map(|length| u8::try_from(length).unwrap_or(u8::MAX));
        let key_id = parsed.extensions().iter().find_map(|extension| match extension.parsed_extension() {
            ParsedExtension::SubjectKeyIdentifier(identifier) => Some(identifier.0.to_vec()),
            _ => None,
        });
        let key_id = match key_id {
            Some(key_id) => key_id,
            None => {
                csr::key_identifier(&certificate.spki).map_err(|error| not_understood(error.to_string()))?
            }
        };
        let constraints = name_constraints(&certificate.der).map_err(not_understood)?;
        Ok(Self { signs_crls, name, key_id, path_length, constraints })
    }
}

/// The name constraints alone: what else the certificate of a CA says does not bind what it issues.
fn name_constraints(certificate_der: &[u8]) -> Result<Option<NameConstraints>, String> {
    let certificate = x509_cert::Certificate::from_der(certificate_der).map_err(|error| error.to_string())?;
    let extensions = certificate.tbs_certificate().extensions();
    let of_names =
        |extension: &&Extension| extension.extn_id == const_oid::db::rfc5280::ID_CE_NAME_CONSTRAINTS;
    let found: Vec<Extension> = extensions.into_iter().flatten().filter(of_names).cloned().collect();
    let told = |problems: Vec<Invalid>| problems.first().map(ToString::to_string).unwrap_or_default();
    let ReadExtensions { extensions, .. } = read_extensions(&found).map_err(told)?;
    Ok(extensions.name_constraints)
}
