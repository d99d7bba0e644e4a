//! KeyType, KeyLength and Curve.

use crate::domain::algorithm::{KeyKind, KeyMaterial, KeyType};
use crate::domain::invalid::Invalid;

/// The vendor's lengths of Edwards keys: 255 and 448, the latter of a kind that is not offered.
const EDWARDS_LENGTH: u32 = 255;
/// The vendor's first default curve, P-256, when neither length nor curve is given.
const ECC_LENGTH: u32 = 256;
/// Shorter keys of RSA are listed by the vendor and refused everywhere today.
const SHORTEST_RSA: i32 = 2048;

/// The kind of key that is meant.
///
/// # Errors
/// Every field that is missing, unknown, or contradicts another one.
pub(super) fn kind(
    key_type: Option<String>,
    length: Option<i32>,
    curve: Option<String>,
) -> Result<KeyKind, Vec<Invalid>> {
    let name = key_type.unwrap_or_default().trim().to_ascii_uppercase();
    let family = match name.as_str() {
        "RSA" => KeyType::Rsa,
        "ECC" => KeyType::Ec,
        "ED25519" => KeyType::Edwards,
        "" => return Err(vec![Invalid::new("KeyType", "is required: RSA, ECC or ED25519")]),
        "ED448" | "ML-DSA-44" | "ML-DSA-65" | "ML-DSA-87" => {
            let reason = format!("{name} is not offered here; RSA, ECC and ED25519 are");
            return Err(vec![Invalid::new("KeyType", reason)]);
        }
        _ => return Err(vec![Invalid::new("KeyType", "must be RSA, ECC or ED25519")]),
    };
    let kind = match (family, length, &curve) {
        (KeyType::Rsa, None, _) => {
            return Err(vec![Invalid::new("KeyLength", format!("is required for RSA: {}", lengths(family)))]);
        }
        (KeyType::Rsa, Some(length), _) if length < SHORTEST_RSA => {
            return Err(vec![Invalid::new("KeyLength", format!("must be at least {SHORTEST_RSA} for RSA"))]);
        }
        (KeyType::Edwards, None, _) => of_length(family, EDWARDS_LENGTH),
        (KeyType::Ec, None, None) => of_length(family, ECC_LENGTH),
        (KeyType::Ec, None, Some(curve)) => return of_curve(family, curve).map_err(|wrong| vec![wrong]),
        (_, Some(length), _) => u32::try_from(length).ok().and_then(|length| of_length(family, length)),
    };
    let Some(kind) = kind else {
        return Err(vec![Invalid::new(
            "KeyLength",
            format!("must be one of {} for {name}", lengths(family)),
        )]);
    };
    match curve {
        Some(_) if family == KeyType::Rsa => {
            Err(vec![Invalid::new("Curve", "RSA keys have none; leave it out")])
        }
        Some(curve) if of_curve(family, &curve).map_err(|wrong| vec![wrong])? != kind => {
            Err(vec![Invalid::new(
                "Curve",
                format!("contradicts KeyLength, which is {}", self::length(kind)),
            )])
        }
        _ => Ok(kind),
    }
}

/// The length of a key in bits, as the vendor counts.
pub(super) fn length(kind: KeyKind) -> u32 {
    match kind.material() {
        KeyMaterial::Rsa { bits } => bits,
        KeyMaterial::Ec { field_bytes, .. } => match field_bytes {
            // The only field whose length is no multiple of 8 bits: 2^521 - 1 (SEC 2 section 2.6.1).
            66 => 521,
            bytes => u32::try_from(bytes * 8).unwrap_or_default(),
        },
        KeyMaterial::Edwards { .. } => EDWARDS_LENGTH,
    }
}

fn of_length(family: KeyType, bits: u32) -> Option<KeyKind> {
    of_family(family).find(|kind| length(*kind) == bits)
}

fn of_curve(family: KeyType, oid: &str) -> Result<KeyKind, Invalid> {
    of_family(family).find(|kind| curve(*kind).is_some_and(|curve| curve == oid)).ok_or_else(|| {
        let known: Vec<_> = of_family(family).filter_map(curve).collect();
        Invalid::new("Curve", format!("must be the OID of a curve that is offered: {}", known.join(", ")))
    })
}

fn of_family(family: KeyType) -> impl Iterator<Item = KeyKind> {
    KeyKind::all().filter(move |kind| kind.key_type() == family)
}

fn curve(kind: KeyKind) -> Option<String> {
    match kind.material() {
        KeyMaterial::Rsa { .. } => None,
        KeyMaterial::Ec { curve, .. } | KeyMaterial::Edwards { curve, .. } => Some(curve.to_string()),
    }
}

fn lengths(family: KeyType) -> String {
    of_family(family).map(|kind| length(kind).to_string()).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    const P256: &str = "1.2.840.10045.3.1.7";
    const P384: &str = "1.3.132.0.34";
    const P521: &str = "1.3.132.0.35";

    #[test]
    fn length_and_curve_are_derived_from_each_other_or_refused_by_name() {
        let cases: &[(&str, i32, &str, Result<&str, &str>)] = &[
            ("RSA", 2048, "", Ok("rsa-2048")),
            ("rsa", 8192, "", Ok("rsa-8192")),
            ("RSA", 0, "", Err("KeyLength: is required for RSA: 2048, 3072, 4096, 6144, 8192")),
            ("RSA", 1024, "", Err("KeyLength: must be at least 2048 for RSA")),
            ("RSA", -1, "", Err("KeyLength: must be at least 2048 for RSA")),
            ("RSA", 2049, "", Err("KeyLength: must be one of 2048, 3072, 4096, 6144, 8192 for RSA")),
            ("RSA", 2048, P256, Err("Curve: RSA keys have none; leave it out")),
            ("ECC", 256, "", Ok("ec-p256")),
            ("Ecc", 384, "", Ok("ec-p384")),
            ("ECC", 521, "", Ok("ec-p521")),
            ("ECC", 0, "", Ok("ec-p256")),
            ("ECC", 0, P256, Ok("ec-p256")),
            ("ECC", 0, P384, Ok("ec-p384")),
            ("ECC", 521, P521, Ok("ec-p521")),
            ("ECC", 256, P384, Err("Curve: contradicts KeyLength, which is 256")),
            ("ECC", 512, "", Err("KeyLength: must be one of 256, 384, 521 for ECC")),
            (
                "ECC",
                0,
                "1.3.132.0.10",
                Err(
                    "Curve: must be the OID of a curve that is offered: 1.2.840.10045.3.1.7, 1.3.132.0.34, 1.3.132.0.35",
                ),
            ),
            ("ED25519", 0, "", Ok("ed25519")),
            ("Ed25519", 255, "1.3.101.112", Ok("ed25519")),
            ("ED25519", 256, "", Err("KeyLength: must be one of 255 for ED25519")),
            ("ED25519", 255, P256, Err("Curve: must be the OID of a curve that is offered: 1.3.101.112")),
            ("ED448", 448, "", Err("KeyType: ED448 is not offered here; RSA, ECC and ED25519 are")),
            ("ml-dsa-65", 0, "", Err("KeyType: ML-DSA-65 is not offered here; RSA, ECC and ED25519 are")),
            ("DSA", 2048, "", Err("KeyType: must be RSA, ECC or ED25519")),
            ("", 2048, "", Err("KeyType: is required: RSA, ECC or ED25519")),
        ];
        for (key_type, length, curve, expected) in cases {
            let length = Some(*length).filter(|length| *length != 0);
            let curve = Some((*curve).to_owned()).filter(|curve| !curve.is_empty());
            let told = kind(Some((*key_type).to_owned()), length, curve.clone());
            let told =
                told.map_err(|wrong| wrong.iter().map(ToString::to_string).collect::<Vec<_>>().join("; "));
            let told = told.as_ref().map(|kind| kind.name()).map_err(String::as_str);
            assert_eq!(&told, expected, "{key_type} {length:?} {curve:?}");
        }
    }
}
