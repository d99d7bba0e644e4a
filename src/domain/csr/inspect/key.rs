//! The public key: what it is, and whether it is a sound one.

use serde::Serialize;
use x509_parser::asn1_rs::Tag;

use super::super::super::algorithm::{KeyFamily, KeyKind, KeyMaterial};
use super::super::super::key_quality::{self, Weakness};
use super::super::{Error, KeyFault, PublicKey, kind_of, spki_sha256};
use super::ber::{self, Unreadable, Value};
use super::encoding;
use super::finding::Findings;
use super::oids::Identified;

/// A public key.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Key {
    /// The algorithm.
    #[serde(flatten)]
    pub algorithm: Identified,
    /// The curve of an EC key, where it is a named one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub curve: Option<Identified>,
    /// Length of an RSA modulus, or of the order of a known curve, in bits.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub bits: Option<u64>,
    /// RSA's public exponent: decimal, or hexadecimal behind `0x` when it has more than 64 bits.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub exponent: Option<String>,
    /// The kind of key that strongroom would make for it, such as `ec-p256`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub kind: Option<&'static str>,
    /// SHA-256 of the SubjectPublicKeyInfo, in hexadecimal.
    pub spki_sha256: String,
    /// What the BIT STRING holds.
    #[serde(skip)]
    pub(super) public_key: Vec<u8>,
}

const RSA: &str = "1.2.840.113549.1.1.1";
const RSA_PSS: &str = "1.2.840.113549.1.1.10";
const EC: &str = "1.2.840.10045.2.1";
const ED25519: &str = "1.3.101.112";

/// NIST SP 800-57 part 1 table 2; the Baseline Requirements have no others.
const WEB_CURVES: [(&str, u64); 3] =
    [("1.2.840.10045.3.1.7", 256), ("1.3.132.0.34", 384), ("1.3.132.0.35", 521)];
const OTHER_CURVES: [(&str, u64); 6] = [
    ("1.2.840.10045.3.1.1", 192),
    ("1.3.132.0.33", 224),
    ("1.3.132.0.10", 256),
    ("1.3.36.3.3.2.8.1.1.7", 256),
    ("1.3.36.3.3.2.8.1.1.11", 384),
    ("1.3.36.3.3.2.8.1.1.13", 512),
];

const SIZES: &str = "CA/Browser Forum TLS Baseline Requirements section 6.1.5, NIST SP 800-131A";
const EXPONENTS: &str = "FIPS 186-5 Appendix A.1.1, CA/Browser Forum TLS Baseline Requirements section 6.1.6";
const NEW_KEY: &str = "make a new key, and the CSR anew";

impl Key {
    pub(super) fn family(&self) -> KeyFamily {
        match self.algorithm.oid.as_str() {
            RSA => KeyFamily::Rsa,
            RSA_PSS => KeyFamily::RsaPss,
            EC => KeyFamily::Ec,
            ED25519 | "1.3.101.113" => KeyFamily::Edwards,
            "1.3.101.110" | "1.3.101.111" => KeyFamily::KeyAgreement,
            other if other.starts_with("2.16.840.1.101.3.4.3.") => KeyFamily::PostQuantumSignature,
            _ => KeyFamily::Other,
        }
    }

    fn unread(spki: &Value<'_>) -> Self {
        let algorithm = Identified { oid: String::new(), name: Some("unreadable") };
        let spki_sha256 = hex::encode(spki_sha256(spki.raw()));
        Self {
            algorithm,
            curve: None,
            bits: None,
            exponent: None,
            kind: None,
            spki_sha256,
            public_key: Vec::new(),
        }
    }
}

pub(super) fn inspect(spki: &Value<'_>, findings: &mut Findings) -> Key {
    let mut key = Key::unread(spki);
    if let Err(reason) = read(spki, &mut key, findings) {
        let problem = format!("the public key cannot be read: {reason}");
        findings.error("key", problem, "RFC 5280 section 4.1.2.7, RFC 3279 section 2.3", NEW_KEY);
    }
    key
}

fn read(spki: &Value<'_>, key: &mut Key, findings: &mut Findings) -> Result<(), Unreadable> {
    let fields = spki.sequence()?;
    let [algorithm, public_key] = fields.as_slice() else { return Err("it is not an algorithm and a key") };
    let algorithm = algorithm.sequence()?;
    key.algorithm = Identified::new(algorithm.first().ok_or("its algorithm is missing")?.oid()?);
    let (bytes, unused) = public_key.bits()?;
    if unused != 0 {
        return Err("its BIT STRING has unused bits");
    }
    key.public_key = bytes.to_vec();
    let kind = kind_of(spki.raw());
    key.kind = kind.map(KeyKind::name);
    match key.family() {
        KeyFamily::Rsa | KeyFamily::RsaPss => rsa(bytes, algorithm.get(1), key, findings)?,
        KeyFamily::Ec => ec(spki, algorithm.get(1), key, findings)?,
        KeyFamily::Edwards => edwards(bytes, key, findings),
        KeyFamily::KeyAgreement => {
            let rule = "RFC 2986 section 4.2: the subject signs with its key";
            findings.error("key", "a key that only agrees on keys cannot sign a CSR", rule, NEW_KEY);
        }
        KeyFamily::PostQuantumSignature => {
            let rule = "CA/Browser Forum TLS Baseline Requirements section 6.1.5";
            findings.note(
                "key",
                "CAs of the Web PKI take no such keys yet",
                rule,
                "send it to a private CA only",
            );
        }
        KeyFamily::Other => {
            let problem = format!("keys of the kind {} are taken by few CAs", key.algorithm.label());
            findings.warning("key", problem, SIZES, "use RSA or EC where the CA does not ask for this one");
        }
    }
    Ok(())
}

fn rsa(
    bytes: &[u8],
    parameters: Option<&Value<'_>>,
    key: &mut Key,
    findings: &mut Findings,
) -> Result<(), Unreadable> {
    let numbers = ber::only(bytes)?;
    encoding("key", &numbers, findings);
    let numbers = numbers.sequence()?;
    let [modulus, exponent] = numbers.as_slice() else { return Err("it is not a modulus and an exponent") };
    let (modulus, exponent) = (modulus.unsigned()?, exponent.unsigned()?);
    let (Some(first), Some(last)) = (modulus.first(), exponent.last()) else {
        return Err("its modulus or its exponent is 0");
    };
    let bits = modulus.len() as u64 * 8 - u64::from(first.leading_zeros());
    key.bits = Some(bits);
    key.exponent = Some(decimal(exponent));
    if key.algorithm.oid == RSA && parameters.is_none_or(|value| !value.is(Tag::Null)) {
        let problem = "the parameters of rsaEncryption are not NULL";
        findings.warning("key", problem, "RFC 3279 section 2.3.1", "encode NULL");
    }
    if bits < 2048 {
        findings.error(
            "key",
            format!("RSA with {bits} bits can be broken"),
            SIZES,
            "make a key of 3072 bits",
        );
    } else if !bits.is_multiple_of(8) {
        findings.warning("key", format!("{bits} bits are not a whole number of bytes"), SIZES, NEW_KEY);
    }
    if last % 2 == 0 || exponent == [1] {
        findings.error("key", "no RSA key has this public exponent", EXPONENTS, NEW_KEY);
    } else if exponent.len() < 3 || exponent.len() > 32 {
        let problem = "the public exponent is not between 2^16 and 2^256";
        findings.warning("key", problem, EXPONENTS, "use 65537");
    }
    // The tests are slow for numbers that no key has.
    if bits <= 16_384 {
        let values = PublicKey::Rsa { modulus: modulus.to_vec(), exponent: exponent.to_vec() };
        quality(key_quality::check_values(&values), findings);
    }
    Ok(())
}

fn decimal(bytes: &[u8]) -> String {
    if bytes.len() > 8 {
        return format!("0x{}", hex::encode(bytes));
    }
    bytes.iter().fold(0_u64, |number, byte| number << 8 | u64::from(*byte)).to_string()
}

fn ec(
    spki: &Value<'_>,
    parameters: Option<&Value<'_>>,
    key: &mut Key,
    findings: &mut Findings,
) -> Result<(), Unreadable> {
    let Some(curve) = parameters.filter(|value| value.is(Tag::Oid)) else {
        let problem = "the curve is not named, but described by parameters or left out";
        findings.error("key", problem, "RFC 5480 section 2.1.1", "make a key on a named curve");
        return Ok(());
    };
    let curve = curve.oid()?;
    let dotted = curve.to_string();
    key.curve = Some(Identified::new(curve));
    let known = |curves: &[(&str, u64)]| curves.iter().find(|(oid, _)| *oid == dotted).map(|(_, bits)| *bits);
    key.bits = known(&WEB_CURVES).or_else(|| known(&OTHER_CURVES));
    if known(&WEB_CURVES).is_none() {
        let problem = "this curve is none of P-256, P-384 and P-521";
        findings.warning("key", problem, SIZES, "use P-256 where the CA does not ask for this one");
        return Ok(());
    }
    let of_curve =
        |kind: &KeyKind| matches!(kind.material(), KeyMaterial::Ec { curve: known, .. } if known == curve);
    match (key.public_key.first(), KeyKind::all().find(of_curve)) {
        (Some(0x02 | 0x03), _) => {
            let problem = "the point is compressed, which many programs cannot read";
            findings.warning("key", problem, "RFC 5480 section 2.2", "encode it uncompressed");
        }
        (_, Some(kind)) => quality(key_quality::check(spki.raw(), kind), findings),
        (_, None) => {}
    }
    Ok(())
}

fn edwards(bytes: &[u8], key: &mut Key, findings: &mut Findings) {
    let (length, bits) = if key.algorithm.oid == ED25519 { (32, 256) } else { (57, 456) };
    key.bits = Some(bits);
    if bytes.len() != length {
        let problem = format!("the key has {} bytes; its curve wants {length}", bytes.len());
        findings.error("key", problem, "RFC 8032 sections 5.1.5 and 5.2.5", NEW_KEY);
    } else if key.algorithm.oid == ED25519 {
        quality(key_quality::check_values(&PublicKey::Edwards { point: bytes.to_vec() }), findings);
    }
    let rule = "CA/Browser Forum TLS Baseline Requirements section 6.1.5";
    findings.note("key", "CAs of the Web PKI take no Edwards keys", rule, "ask the CA before you send it");
}

fn quality(checked: Result<(), Weakness>, findings: &mut Findings) {
    let Err(weakness) = checked else { return };
    let problem = match &weakness {
        Weakness::NotOfItsKind(Error::BadPublicKey { fault: KeyFault::Refused, .. }) => {
            "the point is not on its curve".to_owned()
        }
        Weakness::NotOfItsKind(Error::BadPublicKey { fault, .. }) => format!("the key is bad: {fault}"),
        other => format!("the key is weak: {other}"),
    };
    let rule = match weakness {
        Weakness::SmallFactor { .. } => "NIST SP 800-89 section 5.3.3",
        Weakness::ClosePrimes => "CVE-2022-26320",
        Weakness::Roca => "CVE-2017-15361",
        Weakness::NotOfItsKind(_) | Weakness::OffCurve | Weakness::SmallOrder => {
            "NIST SP 800-56A section 5.6.2.3, RFC 8032 section 5.1.3"
        }
    };
    findings.error("key", problem, rule, "do not use this key; make a new one with a sound generator");
}
