//! SubjectPublicKeyInfo from the attributes of a public key object.

use const_oid::db::{rfc5912, rfc8410};
use cryptoki::object::{Attribute, AttributeType};
use der::asn1::{AnyRef, BitString, Null, OctetStringRef, PrintableStringRef, UintRef};
use der::{Decode as _, Encode as _, referenced::RefToOwned as _};
use spki::{AlgorithmIdentifier, ObjectIdentifier, SubjectPublicKeyInfo};

use crate::domain::algorithm::{KeyKind, KeyMaterial};
use crate::hsm::error::{Error, Kind};

/// What is read of a public key. Each key type has two of them.
pub(super) const PUBLIC_KEY: [AttributeType; 4] =
    [AttributeType::Modulus, AttributeType::PublicExponent, AttributeType::EcParams, AttributeType::EcPoint];

/// DER of SubjectPublicKeyInfo: RFC 8017 appendix A.1 for RSA, RFC 5480 section 2 for EC, RFC 8410
/// section 4 for Edwards curves.
///
/// # Errors
/// [`Kind::Unsupported`] for a key that is neither, or on a curve that is not in the table;
/// [`Kind::Bug`] when the attributes are not those of a key.
pub(super) fn spki(attributes: &[Attribute]) -> Result<Vec<u8>, Error> {
    let (mut modulus, mut exponent, mut parameters, mut point) = (None, None, None, None);
    for attribute in attributes {
        match attribute {
            Attribute::Modulus(value) => modulus = present(value),
            Attribute::PublicExponent(value) => exponent = present(value),
            Attribute::EcParams(value) => parameters = present(value),
            Attribute::EcPoint(value) => point = present(value),
            // Not asked for.
            _ => {}
        }
    }
    match (modulus, exponent, parameters, point) {
        (Some(modulus), Some(exponent), None, None) => rsa(modulus, exponent),
        (None, None, Some(parameters), Some(point)) => ec(parameters, point),
        _ => Err(Error::new(Kind::Unsupported, "the public key on the token is neither RSA nor EC")),
    }
}

/// `SEQUENCE { INTEGER, INTEGER }` of two unsigned numbers, big endian: an RSAPublicKey, or an
/// Ecdsa-Sig-Value.
pub(super) fn two_integers(first: &[u8], second: &[u8]) -> Result<Vec<u8>, Error> {
    let encode = || vec![UintRef::new(first)?, UintRef::new(second)?].to_der();
    encode().map_err(|cause: der::Error| nonsense("two integers", cause))
}

/// A module that knows the attribute but has no value for it answers an empty one.
fn present(value: &[u8]) -> Option<&[u8]> {
    (!value.is_empty()).then_some(value)
}

fn rsa(modulus: &[u8], exponent: &[u8]) -> Result<Vec<u8>, Error> {
    encoded(rfc5912::RSA_ENCRYPTION, Some(Null.into()), &two_integers(modulus, exponent)?)
}

fn ec(parameters: &[u8], point: &[u8]) -> Result<Vec<u8>, Error> {
    let curve = named_curve(parameters)?;
    for kind in KeyKind::all() {
        match kind.material() {
            KeyMaterial::Ec { curve: known, field_bytes } if known == curve => {
                // 04 X Y: uncompressed.
                let form = |bytes: &[u8]| bytes.len() == 1 + 2 * field_bytes && bytes.first() == Some(&4);
                return encoded(rfc5912::ID_EC_PUBLIC_KEY, Some((&curve).into()), bare(point, form)?);
            }
            KeyMaterial::Edwards { curve: known, key_bytes } if known == curve => {
                return encoded(curve, None, bare(point, |bytes| bytes.len() == key_bytes)?);
            }
            KeyMaterial::Ec { .. } | KeyMaterial::Edwards { .. } | KeyMaterial::Rsa { .. } => {}
        }
    }
    let message = format!("the key on the token is on the curve {curve}, which strongroom does not use");
    Err(Error::new(Kind::Unsupported, message))
}

/// CKA_EC_PARAMS: an identifier, or for an Edwards curve its name, whichever the module prefers.
fn named_curve(parameters: &[u8]) -> Result<ObjectIdentifier, Error> {
    match PrintableStringRef::from_der(parameters) {
        Ok(name) if name.as_str() == "edwards25519" => Ok(rfc8410::ID_ED_25519),
        _ => ObjectIdentifier::from_der(parameters)
            .map_err(|cause| nonsense("CKA_EC_PARAMS is no named curve", cause)),
    }
}

/// CKA_EC_POINT without the OCTET STRING around it. The standard wants one; some modules leave it out
/// (opencryptoki#634, OpenSC#1285, kryoptic#115). The lengths tell them apart.
fn bare(point: &[u8], has_form: impl Fn(&[u8]) -> bool) -> Result<&[u8], Error> {
    if has_form(point) {
        return Ok(point);
    }
    match <&OctetStringRef>::from_der(point) {
        Ok(inner) if has_form(inner.as_bytes()) => Ok(inner.as_bytes()),
        Ok(_) => Err(nonsense("CKA_EC_POINT", "not a point of this curve in its usual form")),
        Err(cause) => Err(nonsense("CKA_EC_POINT", cause)),
    }
}

fn encoded(oid: ObjectIdentifier, parameters: Option<AnyRef<'_>>, key: &[u8]) -> Result<Vec<u8>, Error> {
    let encode = || {
        let parameters = parameters.map(|parameters| parameters.ref_to_owned());
        let algorithm = AlgorithmIdentifier { oid, parameters };
        let subject_public_key = BitString::from_bytes(key)?;
        SubjectPublicKeyInfo { algorithm, subject_public_key }.to_der()
    };
    encode().map_err(|cause: der::Error| nonsense("the public key", cause))
}

fn nonsense(what: &str, cause: impl std::fmt::Display) -> Error {
    Error::new(Kind::Bug, format!("the token's answer does not make sense: {what}")).because(cause)
}

#[cfg(test)]
mod tests {
    use super::*;
    use x509_parser::prelude::FromDer as _;
    use x509_parser::public_key::PublicKey;
    use x509_parser::x509::SubjectPublicKeyInfo as Parsed;

    fn p256_params() -> Attribute {
        Attribute::EcParams(rfc5912::SECP_256_R_1.to_der().unwrap())
    }

    fn point() -> Vec<u8> {
        [&[4][..], &[0x3f; 64]].concat()
    }

    #[test]
    fn an_rsa_key_with_the_high_bit_set_parses_as_the_same_key() {
        let modulus = [&[0xc5][..], &[0x11; 255]].concat();
        let der = spki(&[
            Attribute::Modulus(modulus.clone()),
            Attribute::PublicExponent(vec![1, 0, 1]),
            Attribute::EcPoint(Vec::new()),
        ])
        .unwrap();
        let (rest, parsed) = Parsed::from_der(&der).unwrap();
        assert!(rest.is_empty());
        let PublicKey::RSA(key) = parsed.parsed().unwrap() else { panic!("not RSA") };
        assert_eq!(key.modulus.strip_prefix(&[0]).unwrap(), modulus);
        assert_eq!(key.try_exponent().unwrap(), 65537);
    }

    #[test]
    fn a_point_is_taken_raw_or_in_an_octet_string() {
        let wrapped = [&[4, 65][..], &point()].concat();
        let raw = spki(&[p256_params(), Attribute::EcPoint(point())]).unwrap();
        assert_eq!(spki(&[p256_params(), Attribute::EcPoint(wrapped)]).unwrap(), raw);
        let (_, parsed) = Parsed::from_der(&raw).unwrap();
        assert!(matches!(parsed.parsed().unwrap(), PublicKey::EC(key) if key.data() == point()));
    }

    #[test]
    fn an_edwards_key_is_taken_in_every_form_that_modules_give_it() {
        let key = [0x5a; 32];
        let oid = Attribute::EcParams(rfc8410::ID_ED_25519.to_der().unwrap());
        let name = Attribute::EcParams([&[0x13, 12][..], b"edwards25519"].concat());
        // RFC 8410 section 10.1: the SubjectPublicKeyInfo up to the key.
        let expected = [&hex::decode("302a300506032b6570032100").unwrap()[..], &key].concat();
        for parameters in [oid, name] {
            for point in [key.to_vec(), [&[4, 32][..], &key].concat()] {
                let der = spki(&[parameters.clone(), Attribute::EcPoint(point)]).unwrap();
                assert_eq!(der, expected);
            }
            let error = spki(&[parameters, Attribute::EcPoint(vec![4, 31])]).unwrap_err();
            assert_eq!(error.kind(), Kind::Bug);
        }
    }

    #[test]
    fn what_is_no_point_or_no_known_curve_is_refused() {
        for bad in [vec![4, 1, 4], point()[..64].to_vec(), [&[2][..], &[0x3f; 64]].concat()] {
            assert_eq!(spki(&[p256_params(), Attribute::EcPoint(bad)]).unwrap_err().kind(), Kind::Bug);
        }
        let k1 = Attribute::EcParams(ObjectIdentifier::new_unwrap("1.3.132.0.10").to_der().unwrap());
        assert_eq!(spki(&[k1, Attribute::EcPoint(point())]).unwrap_err().kind(), Kind::Unsupported);
        assert_eq!(spki(&[]).unwrap_err().kind(), Kind::Unsupported);
    }
}
