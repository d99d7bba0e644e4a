//! The signature: its algorithm, and whether the key in the CSR made it.

use aws_lc_rs::signature::{self as verifiers, ParsedPublicKey, VerificationAlgorithm};
use serde::Serialize;
use x509_parser::asn1_rs::Tag;

use super::super::super::algorithm::KeyFamily;
use super::ber::{Unreadable, Value};
use super::finding::Findings;
use super::key::Key;
use super::oids::{Identified, oid};

/// The signature of a CSR.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Signature {
    /// The algorithm.
    #[serde(flatten)]
    pub algorithm: Identified,
    /// The parameters of RSASSA-PSS.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pss: Option<PssParameters>,
    /// Whether it is the key's.
    #[serde(flatten)]
    pub verdict: Verdict,
}

/// RSASSA-PSS-params (RFC 4055 section 3.1), defaults filled in.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct PssParameters {
    /// hashAlgorithm
    pub hash: Identified,
    /// The hash of MGF1 in maskGenAlgorithm.
    pub mask_hash: Identified,
    /// saltLength, in bytes
    pub salt_length: u64,
    /// trailerField
    pub trailer: u64,
}

/// Whether a signature is the key's.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "status", rename_all = "snake_case")]
pub enum Verdict {
    /// It is.
    Good,
    /// It is not.
    Bad,
    /// Nobody here can tell.
    NotVerified {
        /// Why not.
        reason: String,
    },
}

/// The parts of a CSR around which a signature is made.
pub(super) struct Signed<'v, 'a> {
    /// certificationRequestInfo
    pub(super) info: &'v Value<'a>,
    pub(super) algorithm: &'v Value<'a>,
    pub(super) signature: &'v Value<'a>,
}

const SIGNATURE: &str = "RFC 2986 section 4.2";
const DIGESTS: &str = "CA/Browser Forum TLS Baseline Requirements section 7.1.3.2, RFC 6151, RFC 6194";
const AGAIN: &str = "sign the CSR anew";
const PSS: &str = "1.2.840.113549.1.1.10";

pub(super) fn inspect(signed: &Signed<'_, '_>, key: &Key, findings: &mut Findings) -> Signature {
    let unread = Identified { oid: String::new(), name: Some("unreadable") };
    let mut signature = Signature {
        algorithm: unread,
        pss: None,
        verdict: Verdict::NotVerified { reason: "the signature cannot be read".into() },
    };
    if let Err(reason) = read(signed, key, &mut signature, findings) {
        let problem = format!("the signature cannot be read: {reason}");
        findings.error("signature", problem, SIGNATURE, AGAIN);
        return signature;
    }
    if signature.verdict == Verdict::Bad {
        let problem = "the signature is not by the key in the CSR over what the CSR says";
        let remedy =
            "it was changed or damaged after it was signed, or signed with another key: make it anew";
        findings.error("signature", problem, SIGNATURE, remedy);
    }
    signature
}

fn read(
    signed: &Signed<'_, '_>,
    key: &Key,
    found: &mut Signature,
    findings: &mut Findings,
) -> Result<(), Unreadable> {
    let algorithm = signed.algorithm.sequence()?;
    let kind = algorithm.first().ok_or("its algorithm is missing")?;
    found.algorithm = Identified::new(kind.oid()?);
    let parameters = algorithm.get(1);
    if found.algorithm.oid == PSS {
        found.pss = Some(pss_parameters(parameters)?);
    }
    check_algorithm(found, parameters, key, findings);
    let (bytes, unused) = signed.signature.bits()?;
    if unused != 0 {
        return Err("its BIT STRING has unused bits");
    }
    found.verdict = match verifier(found, key) {
        Err(reason) => Verdict::NotVerified { reason },
        Ok(verifier) => verdict(verifier, key, signed.info.raw(), bytes),
    };
    Ok(())
}

fn verdict(verifier: &'static dyn VerificationAlgorithm, key: &Key, message: &[u8], bytes: &[u8]) -> Verdict {
    match ParsedPublicKey::new(verifier, &key.public_key) {
        Err(_) => Verdict::NotVerified { reason: "the verifier refuses the key".into() },
        Ok(public_key) if public_key.verify_sig(message, bytes).is_ok() => Verdict::Good,
        Ok(_) => Verdict::Bad,
    }
}

fn pss_parameters(parameters: Option<&Value<'_>>) -> Result<PssParameters, Unreadable> {
    let sha1 = || Identified::new(oid("1.3.14.3.2.26"));
    let mut read = PssParameters { hash: sha1(), mask_hash: sha1(), salt_length: 20, trailer: 1 };
    let Some(parameters) = parameters else { return Ok(read) };
    for field in parameters.sequence()? {
        let inside = field.inside()?;
        let [inner] = inside.as_slice() else { return Err("a parameter of RSASSA-PSS is not one value") };
        match field.context() {
            Some(0) => read.hash = algorithm_of(inner)?,
            Some(1) => {
                let mask = inner.sequence()?;
                read.mask_hash = algorithm_of(mask.get(1).ok_or("MGF1 has no hash")?)?;
            }
            Some(2) => read.salt_length = inner.number()?,
            Some(3) => read.trailer = inner.number()?,
            _ => return Err("RSASSA-PSS has an unknown parameter"),
        }
    }
    Ok(read)
}

fn algorithm_of(identifier: &Value<'_>) -> Result<Identified, Unreadable> {
    Ok(Identified::new(identifier.sequence()?.first().ok_or("an algorithm is missing")?.oid()?))
}

fn check_algorithm(found: &Signature, parameters: Option<&Value<'_>>, key: &Key, findings: &mut Findings) {
    let label = found.algorithm.label();
    let digests = [Some(label), found.pss.as_ref().map(|pss| pss.hash.label())];
    if let Some(weak) = digests.into_iter().flatten().find(|label| is_weak(label)) {
        let problem = format!("{weak} is no sound digest for a signature");
        findings.error("signature", problem, DIGESTS, "sign the CSR anew with SHA-256 or better");
    }
    if let Some(pss) = &found.pss {
        check_pss(pss, findings);
    }
    let is_pkcs1 = label.ends_with("WithRSAEncryption");
    if is_pkcs1 && parameters.is_none_or(|value| !value.is(Tag::Null)) {
        findings.warning(
            "signature",
            format!("the parameters of {label} are not NULL"),
            "RFC 4055 section 5",
            AGAIN,
        );
    }
    let wants_none = label.starts_with("ecdsa-with") || matches!(label, "Ed25519" | "Ed448");
    if wants_none && parameters.is_some() {
        let rule = "RFC 5758 section 3.2, RFC 8410 section 3";
        findings.warning("signature", format!("{label} has parameters, which are to be absent"), rule, AGAIN);
    }
    if !may_sign(label, key.family()) {
        let problem = format!("{label} is not an algorithm for the key, which is {}", key.algorithm.label());
        findings.error("signature", problem, SIGNATURE, AGAIN);
    }
}

fn check_pss(pss: &PssParameters, findings: &mut Findings) {
    if pss.hash != pss.mask_hash {
        let problem =
            format!("the mask's hash is {}, that of the message {}", pss.mask_hash.label(), pss.hash.label());
        findings.warning("signature", problem, "RFC 4055 section 3.1", "use one hash for both");
    }
    if digest_bytes(pss.hash.label()).is_some_and(|length| length != pss.salt_length) {
        let problem = format!("the salt has {} bytes, another length than the digest", pss.salt_length);
        let rule = "CA/Browser Forum TLS Baseline Requirements section 7.1.3.2.1, RFC 4055 section 3.1";
        findings.warning("signature", problem, rule, "use a salt as long as the digest");
    }
}

fn digest_bytes(hash: &str) -> Option<u64> {
    match hash {
        "SHA-1" => Some(20),
        "SHA-256" => Some(32),
        "SHA-384" => Some(48),
        "SHA-512" => Some(64),
        _ => None,
    }
}

fn is_weak(label: &str) -> bool {
    let label = label.to_ascii_lowercase();
    ["md2", "md4", "md5", "sha1", "sha-1"].iter().any(|weak| label.contains(weak))
}

/// Whether keys of the family sign with the algorithm; so they do when it is not known.
fn may_sign(label: &str, family: KeyFamily) -> bool {
    match label {
        "RSASSA-PSS" => matches!(family, KeyFamily::Rsa | KeyFamily::RsaPss),
        "Ed25519" | "Ed448" => family == KeyFamily::Edwards,
        _ if label.contains("WithRSA") => family == KeyFamily::Rsa,
        _ if label.starts_with("ecdsa-with") => family == KeyFamily::Ec,
        _ if label.starts_with("ML-DSA") || label.starts_with("SLH-DSA") => {
            family == KeyFamily::PostQuantumSignature
        }
        _ => true,
    }
}

/// A verifier, or why there is none. More than the table of key kinds has: what others sign with is
/// not what strongroom offers.
fn verifier(found: &Signature, key: &Key) -> Result<&'static dyn VerificationAlgorithm, String> {
    use verifiers as v;
    let label = found.algorithm.label();
    let curve = key.curve.as_ref().map_or("", Identified::label);
    let bits = key.bits.unwrap_or(0);
    if !may_sign(label, key.family()) {
        return Err(format!("{label} does not fit a key of {}", key.algorithm.label()));
    }
    if matches!(key.family(), KeyFamily::Rsa | KeyFamily::RsaPss) && !(1024..=8192).contains(&bits) {
        return Err(format!("there is no verifier here for RSA keys of {bits} bits"));
    }
    let verifier: Option<&'static dyn VerificationAlgorithm> = match (label, curve) {
        ("sha1WithRSAEncryption" | "sha1WithRSASignature", _) => {
            Some(&v::RSA_PKCS1_1024_8192_SHA1_FOR_LEGACY_USE_ONLY)
        }
        ("sha256WithRSAEncryption", _) => Some(&v::RSA_PKCS1_1024_8192_SHA256_FOR_LEGACY_USE_ONLY),
        ("sha512WithRSAEncryption", _) => Some(&v::RSA_PKCS1_1024_8192_SHA512_FOR_LEGACY_USE_ONLY),
        ("sha384WithRSAEncryption", _) if bits >= 2048 => Some(&v::RSA_PKCS1_2048_8192_SHA384),
        ("RSASSA-PSS", _) if bits >= 2048 => pss_verifier(found.pss.as_ref())?,
        ("ecdsa-with-SHA1", "P-256") => Some(&v::ECDSA_P256_SHA1_ASN1),
        ("ecdsa-with-SHA256", "P-256") => Some(&v::ECDSA_P256_SHA256_ASN1),
        ("ecdsa-with-SHA384", "P-256") => Some(&v::ECDSA_P256_SHA384_ASN1),
        ("ecdsa-with-SHA512", "P-256") => Some(&v::ECDSA_P256_SHA512_ASN1),
        ("ecdsa-with-SHA256", "P-384") => Some(&v::ECDSA_P384_SHA256_ASN1),
        ("ecdsa-with-SHA384", "P-384") => Some(&v::ECDSA_P384_SHA384_ASN1),
        ("ecdsa-with-SHA512", "P-384") => Some(&v::ECDSA_P384_SHA512_ASN1),
        ("ecdsa-with-SHA1", "P-521") => Some(&v::ECDSA_P521_SHA1_ASN1),
        ("ecdsa-with-SHA224", "P-521") => Some(&v::ECDSA_P521_SHA224_ASN1),
        ("ecdsa-with-SHA256", "P-521") => Some(&v::ECDSA_P521_SHA256_ASN1),
        ("ecdsa-with-SHA384", "P-521") => Some(&v::ECDSA_P521_SHA384_ASN1),
        ("ecdsa-with-SHA512", "P-521") => Some(&v::ECDSA_P521_SHA512_ASN1),
        ("ecdsa-with-SHA256", "secp256k1") => Some(&v::ECDSA_P256K1_SHA256_ASN1),
        ("Ed25519", _) => Some(&v::ED25519),
        _ => None,
    };
    verifier.ok_or_else(|| {
        let with = if curve.is_empty() { String::new() } else { format!(" on {curve}") };
        format!("there is no verifier here for {label}{with}")
    })
}

/// aws-lc-rs verifies with the mask's hash the same, and the salt as long as the digest.
fn pss_verifier(pss: Option<&PssParameters>) -> Result<Option<&'static dyn VerificationAlgorithm>, String> {
    let Some(pss) = pss else { return Ok(None) };
    if pss.hash != pss.mask_hash
        || digest_bytes(pss.hash.label()) != Some(pss.salt_length)
        || pss.trailer != 1
    {
        return Err("there is no verifier here for RSASSA-PSS with these parameters".into());
    }
    Ok(match pss.hash.label() {
        "SHA-256" => Some(&verifiers::RSA_PSS_2048_8192_SHA256),
        "SHA-384" => Some(&verifiers::RSA_PSS_2048_8192_SHA384),
        "SHA-512" => Some(&verifiers::RSA_PSS_2048_8192_SHA512),
        _ => None,
    })
}
