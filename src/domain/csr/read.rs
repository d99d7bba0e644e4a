//! Reads a CSR that somebody else made, as a specification of what it asks for.
//!
//! Unlike [`super::inspect`], which explains whatever it meets, this takes only what a certificate can be
//! made from: DER, a key kind of the table, a signature that verifies.

mod extensions;

use aws_lc_rs::signature::{self as verifiers, UnparsedPublicKey};
use const_oid::ObjectIdentifier;
use const_oid::db::rfc5912::{ECDSA_WITH_SHA_256, ECDSA_WITH_SHA_384, ID_EXTENSION_REQ};
use der::asn1::{AnyRef, BitStringRef};
use der::{Decode, Encode, Sequence};
use spki::AlgorithmIdentifierOwned;
use x509_cert::ext::Extension;
use x509_cert::request::CertReqInfo;

use super::super::algorithm::{KeyKind, Scheme};
use super::super::invalid::Invalid;
use super::super::name::Name;
use super::super::{key_quality, pem};
use super::{CsrSpec, kind_of};
pub(in crate::domain) use extensions::{ReadExtensions, read_extensions};

/// How many bytes are read at most: the limit of an HTTP body.
const MAX_BYTES: usize = 64 * 1024;

const FIELD: &str = "csr";

/// A CSR whose signature verifies with the key that it carries.
#[derive(Clone, Debug, PartialEq)]
pub struct ReadCsr {
    /// Its DER.
    pub der: Vec<u8>,
    /// What it asks for; not validated. Attributes other than extensionRequest, and extensions that are
    /// not understood and not critical, are not in it.
    pub spec: CsrSpec,
    /// DER of its SubjectPublicKeyInfo.
    pub spki: Vec<u8>,
    /// The kind of its key.
    pub kind: KeyKind,
    /// How it is signed; the default of the kind where it is signed with another digest, which proves as much.
    pub scheme: Scheme,
}

/// Reads a CSR in DER, or in PEM with any text around it, and verifies its proof of possession
/// (RFC 2986 section 4.2).
///
/// # Errors
/// Every rule that it breaks; the fields are those of a CSR specification, or `csr`.
pub fn read(bytes: &[u8]) -> Result<ReadCsr, Vec<Invalid>> {
    let refused = |reason: String| vec![Invalid::new(FIELD, reason)];
    if bytes.len() > MAX_BYTES {
        return Err(refused(format!("is {} bytes long; at most {MAX_BYTES} are taken", bytes.len())));
    }
    let der = der_of(bytes).map_err(|invalid| vec![invalid])?;
    let malformed = |error| refused(format!("is no CSR in DER: {error}"));
    let outer = Outer::from_der(&der).map_err(malformed)?;
    let signed = outer.info.to_der().map_err(malformed)?;
    let info = CertReqInfo::from_der(&signed).map_err(malformed)?;
    let spki = info.public_key.to_der().map_err(malformed)?;
    let Some(kind) = kind_of(&spki) else {
        let known = KeyKind::all().map(KeyKind::name).collect::<Vec<_>>().join(", ");
        return Err(refused(format!("its key is of no kind that is taken; these are: {known}")));
    };
    key_quality::check(&spki, kind).map_err(|error| refused(format!("its key is weak: {error}")))?;
    let (scheme, verifier) = verifier_of(kind, &outer.algorithm).ok_or_else(|| {
        let known = kind.schemes().map(Scheme::name).collect::<Vec<_>>().join(", ");
        refused(format!("is not signed as {kind} keys sign; these are: {known}"))
    })?;
    UnparsedPublicKey::new(verifier, info.public_key.subject_public_key.raw_bytes())
        .verify(&signed, outer.signature.raw_bytes())
        .map_err(|_| refused("its signature does not verify with its key: no proof of possession".into()))?;
    let asked = asked_extensions(&info).map_err(malformed)?;
    let mut problems = Vec::new();
    let subject = Name::from_elsewhere(&info.subject).map_err(|invalid| problems.push(invalid)).ok();
    let ReadExtensions { sans, extensions } = match read_extensions(&asked) {
        Ok(read) => read,
        Err(wrong) => {
            problems.extend(wrong);
            return Err(problems);
        }
    };
    let Some(subject) = subject else { return Err(problems) };
    let spec = CsrSpec { subject, sans, extensions, ..CsrSpec::default() };
    Ok(ReadCsr { der, spec, spki, kind, scheme })
}

/// A CertificationRequest, its signed part as it stands there.
#[derive(Sequence)]
struct Outer<'a> {
    info: AnyRef<'a>,
    algorithm: AlgorithmIdentifierOwned,
    signature: BitStringRef<'a>,
}

fn der_of(bytes: &[u8]) -> Result<Vec<u8>, Invalid> {
    let text = String::from_utf8_lossy(bytes);
    let unreadable = |error: pem::Unreadable| Invalid::at(FIELD, error.position, error.reason);
    let blocks = pem::blocks(&text).map_err(unreadable)?;
    match blocks.as_slice() {
        [] => Ok(bytes.to_vec()),
        [block] if matches!(block.label, "CERTIFICATE REQUEST" | "NEW CERTIFICATE REQUEST") => {
            block.der().map_err(unreadable)
        }
        blocks if blocks.iter().any(|block| block.label.ends_with("PRIVATE KEY")) => {
            let reason = "has a private key in it. A private key must never be sent: consider it compromised, \
                          and replace it";
            Err(Invalid::new(FIELD, reason))
        }
        _ => Err(Invalid::new(FIELD, "must be one CERTIFICATE REQUEST, and nothing else")),
    }
}

/// Curve and digest that no key signs with here, but others' do: vcert takes SHA-256 whatever the curve. To prove
/// possession of a key, any of SHA-2 will do.
const ELSEWHERE: [(&str, ObjectIdentifier, Verifier); 4] = [
    ("ec-p256", ECDSA_WITH_SHA_384, &verifiers::ECDSA_P256_SHA384_ASN1),
    ("ec-p384", ECDSA_WITH_SHA_256, &verifiers::ECDSA_P384_SHA256_ASN1),
    ("ec-p521", ECDSA_WITH_SHA_256, &verifiers::ECDSA_P521_SHA256_ASN1),
    ("ec-p521", ECDSA_WITH_SHA_384, &verifiers::ECDSA_P521_SHA384_ASN1),
];

type Verifier = &'static dyn verifiers::VerificationAlgorithm;

/// The scheme, and what verifies a signature of it.
fn verifier_of(kind: KeyKind, algorithm: &AlgorithmIdentifierOwned) -> Option<(Scheme, Verifier)> {
    if let Some(scheme) = scheme_of(kind, algorithm) {
        return Some((scheme, scheme.verifier()));
    }
    let is_it = |(name, oid, _): &&(&str, ObjectIdentifier, Verifier)| {
        *name == kind.name() && *oid == algorithm.oid && algorithm.parameters.is_none()
    };
    let (_, _, verifier) = ELSEWHERE.iter().find(is_it)?;
    Some((kind.default_scheme(), *verifier))
}

fn scheme_of(kind: KeyKind, algorithm: &AlgorithmIdentifierOwned) -> Option<Scheme> {
    let parameters = match &algorithm.parameters {
        Some(parameters) => parameters.to_der().ok()?,
        None => Vec::new(),
    };
    kind.schemes().find(|scheme| scheme.oid() == algorithm.oid && scheme.parameters() == parameters)
}

fn asked_extensions(info: &CertReqInfo) -> der::Result<Vec<Extension>> {
    let mut extensions = Vec::new();
    let requests = info.attributes.iter().filter(|attribute| attribute.oid == ID_EXTENSION_REQ);
    for value in requests.flat_map(|attribute| attribute.values.iter()) {
        extensions.extend(Vec::<Extension>::from_der(&value.to_der()?)?);
    }
    Ok(extensions)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `openssl req -new -newkey ec -pkeyopt ec_paramgen_curve:P-384 -sha256`
    const P384_WITH_SHA256: &str = "\
-----BEGIN CERTIFICATE REQUEST-----
MIIBDDCBkwIBADAUMRIwEAYDVQQDDAlhLmV4YW1wbGUwdjAQBgcqhkjOPQIBBgUr
gQQAIgNiAAQorRpTePuN7DZ6L/KEw/AUbccoSlHD/1HLFhHyQ8yWzMpzwE3JkLiA
PYlz5g1VlSSn0lmDQN5zF2YgWlTPQb9MQ8uQRJvkUX2Ne/jkeXLOq43+g17NK2jG
A1fKLPjZCL2gADAKBggqhkjOPQQDAgNoADBlAjEA5pRFt7O6jQqbsyI9ATMEoPQE
7kFWuBcxEQzdIO5QiiOuJUf9I1LgJsqD0PyEFJz5AjAHKWem9Gr1coHWEaZwM/2p
fP5yjneV8ocnpwDzyBJhbhEGZBXWgFTL1kfJKjvaI78=
-----END CERTIFICATE REQUEST-----";

    #[test]
    fn a_curve_with_another_digest_of_sha2_proves_possession() {
        let read_csr = read(P384_WITH_SHA256.as_bytes()).unwrap();
        assert_eq!((read_csr.kind.name(), read_csr.scheme.name()), ("ec-p384", "ecdsa-sha384"));
        let mut tampered = read_csr.der.clone();
        *tampered.last_mut().unwrap() ^= 1;
        let refused = read(&tampered).unwrap_err();
        assert!(refused[0].reason.contains("no proof of possession"), "{refused:?}");
    }
}
