//! Keys to wrap another key with, for the negative probes: one for each mechanism that a token wraps
//! with. All of them are session objects.

use cryptoki::context::Pkcs11;
use cryptoki::error::Result;
use cryptoki::mechanism::aead::GcmParams;
use cryptoki::mechanism::rsa::{PkcsMgfType, PkcsOaepParams, PkcsOaepSource};
use cryptoki::mechanism::{Mechanism, MechanismType};
use cryptoki::object::{Attribute, KeyType, ObjectClass, ObjectHandle};
use cryptoki::session::Session;
use cryptoki::slot::Slot;

/// Length of an AES key in bytes.
const AES_KEY: u64 = 32;

/// An RSA modulus of 2048 bits whose private key was thrown away: what it may wrap is a throw-away key.
const MODULUS: &str = "d948586fbeee1883b685b9a56e57f11da8d82326258d1f810192493bc3ea470da70f93aa988d884e40842e53485ae6c0\
     bbccc18ac7116b736687cac109c36d9e4d50b2a40756a265be6c8adbd4548c3f7536d9866dec09a9ed7693e0568c2b31\
     4f68cec96a923a50b1b0cecb3635665685a9b13c55c16c128faff72c8e8a45c28443ebf02287c166328fd1d4bb3cf3bf\
     33a9f6625815a5f07c766bd09733f5455975dba3ed36127bd0ad497cba509b6f7eff05456e6e89cfaa1eeb696ed9e428\
     3396038db894fe7012161335c8469940538efa9d1fe52c7de1ae58cdcb56d92663c0965e0feaa5284e2e6f4344f5e389\
     c56fec2ed1dcf682268cd335aa650521";

/// 65537, big endian.
const PUBLIC_EXPONENT: [u8; 3] = [1, 0, 1];

/// The key that a mechanism wraps with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum WrappingKey {
    Aes,
    Des,
    Des3,
    /// A public one, which is brought along: making a pair takes a token long.
    Rsa,
}

/// The mechanisms with CKF_WRAP that a token lists, as far as cryptoki knows them: it leaves the others
/// out of the list.
pub(super) fn wrapping_mechanisms(pkcs11: &Pkcs11, slot: Slot) -> Result<Vec<MechanismType>> {
    let mut wrapping = Vec::new();
    for mechanism in pkcs11.get_mechanism_list(slot)? {
        if pkcs11.get_mechanism_info(slot, mechanism)?.wrap() {
            wrapping.push(mechanism);
        }
    }
    Ok(wrapping)
}

/// Whether [`wrap`] has parameters and a key for the mechanism.
pub(super) fn is_known(mechanism: MechanismType) -> bool {
    key_for(mechanism).is_some()
}

/// Makes a wrapping key for a mechanism that is known.
pub(super) fn make_key(session: &Session, mechanism: MechanismType) -> Result<ObjectHandle> {
    let mut template = vec![Attribute::Token(false), Attribute::Wrap(true), Attribute::Encrypt(true)];
    match key_for(mechanism) {
        Some(WrappingKey::Aes) | None => {
            template.push(Attribute::ValueLen(AES_KEY.into()));
            session.generate_key(&Mechanism::AesKeyGen, &template)
        }
        Some(WrappingKey::Des) => session.generate_key(&Mechanism::DesKeyGen, &template),
        Some(WrappingKey::Des3) => session.generate_key(&Mechanism::Des3KeyGen, &template),
        Some(WrappingKey::Rsa) => {
            template.extend([
                Attribute::Class(ObjectClass::PUBLIC_KEY),
                Attribute::KeyType(KeyType::RSA),
                Attribute::Private(false),
                Attribute::Modulus(hex::decode(MODULUS).unwrap_or_default()),
                Attribute::PublicExponent(PUBLIC_EXPONENT.to_vec()),
            ]);
            session.create_object(&template)
        }
    }
}

/// Wraps a key under a mechanism that is known. Answers how many bytes came out; none if all are zero.
pub(super) fn wrap(
    session: &Session,
    mechanism: MechanismType,
    wrapping: ObjectHandle,
    key: ObjectHandle,
) -> Result<usize> {
    let mut nonce = [0; 12];
    let mechanism = match mechanism {
        MechanismType::AES_KEY_WRAP => Mechanism::AesKeyWrap,
        MechanismType::AES_CBC => Mechanism::AesCbc([0; 16]),
        MechanismType::AES_CBC_PAD => Mechanism::AesCbcPad([0; 16]),
        MechanismType::AES_ECB => Mechanism::AesEcb,
        MechanismType::AES_GCM => Mechanism::AesGcm(GcmParams::new(&mut nonce, &[], 128.into())?),
        MechanismType::DES_CBC => Mechanism::DesCbc([0; 8]),
        MechanismType::DES_CBC_PAD => Mechanism::DesCbcPad([0; 8]),
        MechanismType::DES_ECB => Mechanism::DesEcb,
        MechanismType::DES3_CBC => Mechanism::Des3Cbc([0; 8]),
        MechanismType::DES3_CBC_PAD => Mechanism::Des3CbcPad([0; 8]),
        MechanismType::DES3_ECB => Mechanism::Des3Ecb,
        MechanismType::RSA_PKCS => Mechanism::RsaPkcs,
        MechanismType::RSA_X_509 => Mechanism::RsaX509,
        MechanismType::RSA_PKCS_OAEP => {
            // SHA-1: the only parameters that SoftHSM 2.6.1 takes.
            let source = PkcsOaepSource::empty();
            Mechanism::RsaPkcsOaep(PkcsOaepParams::new(MechanismType::SHA1, PkcsMgfType::MGF1_SHA1, source))
        }
        _ => Mechanism::AesKeyWrapPad,
    };
    let blob = zeroize::Zeroizing::new(session.wrap_key(&mechanism, wrapping, key)?);
    Ok(if blob.iter().any(|byte| *byte != 0) { blob.len() } else { 0 })
}

fn key_for(mechanism: MechanismType) -> Option<WrappingKey> {
    match mechanism {
        MechanismType::AES_KEY_WRAP
        | MechanismType::AES_KEY_WRAP_PAD
        | MechanismType::AES_CBC
        | MechanismType::AES_CBC_PAD
        | MechanismType::AES_ECB
        | MechanismType::AES_GCM => Some(WrappingKey::Aes),
        MechanismType::DES_CBC | MechanismType::DES_CBC_PAD | MechanismType::DES_ECB => {
            Some(WrappingKey::Des)
        }
        MechanismType::DES3_CBC | MechanismType::DES3_CBC_PAD | MechanismType::DES3_ECB => {
            Some(WrappingKey::Des3)
        }
        MechanismType::RSA_PKCS | MechanismType::RSA_X_509 | MechanismType::RSA_PKCS_OAEP => {
            Some(WrappingKey::Rsa)
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_modulus_is_one() {
        let modulus = hex::decode(MODULUS).unwrap();
        assert_eq!(modulus.len(), 256);
        assert!(modulus[0] & 0x80 != 0 && modulus[255] & 1 == 1);
    }

    #[test]
    fn what_does_not_wrap_here_is_not_known() {
        assert!(is_known(MechanismType::AES_KEY_WRAP_PAD));
        assert!(!is_known(MechanismType::AES_CTR));
    }
}
