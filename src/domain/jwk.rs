//! Public keys as JSON Web Keys.

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use super::algorithm::KeyKind;
use super::csr::{Error, PublicKey};

/// The members of the JSON Web Key (RFC 7517) for a public key of that kind: `kty` and what RFC 7518
/// section 6 (RSA, EC) or RFC 8037 section 2 (Edwards curves) asks for besides.
///
/// # Errors
/// `spki_der` is no key of that kind.
pub fn members(spki_der: &[u8], kind: KeyKind) -> Result<BTreeMap<&'static str, String>, Error> {
    let (key_type, values) = match PublicKey::from_spki(spki_der, kind)? {
        PublicKey::Rsa { modulus, exponent } => ("RSA", vec![("n", modulus), ("e", exponent)]),
        PublicKey::Ec { x, y } => ("EC", vec![("x", x), ("y", y)]),
        PublicKey::Edwards { point } => ("OKP", vec![("x", point)]),
    };
    let values = values.into_iter().map(|(name, value)| (name, URL_SAFE_NO_PAD.encode(value)));
    let curve = kind.jose_curve().map(|curve| ("crv", curve.to_owned()));
    Ok(values.chain(curve).chain([("kty", key_type.to_owned())]).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn json(spki: &str, kind: &str) -> serde_json::Value {
        let spki = hex::decode(spki).unwrap();
        serde_json::to_value(members(&spki, kind.parse().unwrap()).unwrap()).unwrap()
    }

    #[test]
    fn the_keys_of_the_standards_come_out_as_printed_there() {
        // RFC 7517 appendix A.1.
        let p256 = "3059301306072a8648ce3d020106082a8648ce3d03010703420004\
                    30a0424cd21c2944838a2d75c92b37e76ea20d9f00893a3b4eee8a3c0aafec3e\
                    e04b65e92456d9888b52b379bdfbd51ee869ef1f0fc65b6659695b6cce081723";
        assert_eq!(
            json(p256, "ec-p256"),
            serde_json::json!({
                "kty": "EC",
                "crv": "P-256",
                "x": "MKBCTNIcKUSDii11ySs3526iDZ8AiTo7Tu6KPAqv7D4",
                "y": "4Etl6SRW2YiLUrN5vfvVHuhp7x8PxltmWWlbbM4IFyM",
            })
        );
        // RFC 8037 appendix A.2.
        let ed25519 = "302a300506032b6570032100\
                       d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a";
        assert_eq!(
            json(ed25519, "ed25519"),
            serde_json::json!({
                "kty": "OKP",
                "crv": "Ed25519",
                "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo",
            })
        );
    }

    #[test]
    fn an_rsa_key_has_its_numbers_without_leading_zeros() {
        let modulus = format!("c5{}", "11".repeat(255));
        let spki =
            format!("30820122300d06092a864886f70d01010105000382010f003082010a0282010100{modulus}0203010001");
        let encoded = URL_SAFE_NO_PAD.encode(hex::decode(&modulus).unwrap());
        assert_eq!(json(&spki, "rsa-2048"), serde_json::json!({ "kty": "RSA", "n": encoded, "e": "AQAB" }));
    }

    #[test]
    fn a_key_of_another_kind_is_refused() {
        assert!(members(b"", "ed25519".parse().unwrap()).is_err());
    }
}
