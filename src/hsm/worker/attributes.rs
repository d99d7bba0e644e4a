//! Templates of the keys we make, and what is read back of them.
//!
//! Every attribute is set, for the defaults differ: SoftHSM makes keys with SENSITIVE false,
//! openCryptoki and NSS with EXTRACTABLE true (measured). CKA_CLASS and CKA_KEY_TYPE follow from the
//! mechanism and are left out: openCryptoki answered CKR_TEMPLATE_INCONSISTENT to them.

use cryptoki::object::{Attribute, AttributeType, CertificateType, ObjectClass};
use der::Encode as _;

use crate::domain::algorithm::{KeyKind, KeyMaterial};
use crate::domain::id::KeyId;
use crate::domain::key::KeyAttributes;
use crate::hsm::error::{Error, Kind};
use crate::hsm::model::CertificateObject;
use crate::hsm::profile::{Profile, Quirk};

/// 65537, big endian.
const PUBLIC_EXPONENT: [u8; 3] = [1, 0, 1];

/// The template of a private key.
pub(super) fn private_template(profile: &Profile, id: KeyId, label: &str) -> Vec<Attribute> {
    let mut template = vec![
        Attribute::Token(true),
        Attribute::Private(true),
        Attribute::Sensitive(true),
        Attribute::Extractable(false),
        Attribute::Modifiable(false),
        Attribute::Copyable(false),
        Attribute::Sign(true),
        Attribute::SignRecover(false),
        Attribute::Decrypt(false),
        Attribute::Unwrap(false),
        Attribute::Derive(false),
        Attribute::Id(id.as_bytes().to_vec()),
        Attribute::Label(label.as_bytes().to_vec()),
    ];
    template.retain(|attribute| allowed(profile, attribute.attribute_type()));
    template
}

/// The template of a public key.
///
/// # Errors
/// The curve's identifier cannot be encoded, which the table of kinds rules out.
pub(super) fn public_template(
    profile: &Profile,
    kind: KeyKind,
    id: KeyId,
    label: &str,
) -> Result<Vec<Attribute>, Error> {
    let mut template = vec![
        Attribute::Token(true),
        Attribute::Private(false),
        Attribute::Modifiable(false),
        Attribute::Copyable(false),
        Attribute::Verify(true),
        Attribute::VerifyRecover(false),
        Attribute::Encrypt(false),
        Attribute::Wrap(false),
        Attribute::Derive(false),
        Attribute::Id(id.as_bytes().to_vec()),
        Attribute::Label(label.as_bytes().to_vec()),
    ];
    template.retain(|attribute| allowed(profile, attribute.attribute_type()));
    match kind.material() {
        KeyMaterial::Rsa { bits } => {
            template.push(Attribute::ModulusBits(u64::from(bits).into()));
            template.push(Attribute::PublicExponent(PUBLIC_EXPONENT.to_vec()));
        }
        // Of the two forms that PKCS#11 v3.0 has for an Edwards curve, the identifier is the one that
        // SoftHSM, kryoptic, openCryptoki and NSS take (measured); openCryptoki refuses the name.
        KeyMaterial::Ec { curve, .. } | KeyMaterial::Edwards { curve, .. } => {
            let parameters = curve.to_der().map_err(|cause| {
                Error::new(Kind::Bug, "the curve's identifier cannot be encoded").because(cause)
            })?;
            template.push(Attribute::EcParams(parameters));
        }
    }
    Ok(template)
}

/// The template of a certificate, which anybody may read, as its key's public half.
pub(super) fn certificate_template(
    profile: &Profile,
    id: KeyId,
    certificate: &CertificateObject,
) -> Vec<Attribute> {
    let mut template = vec![
        Attribute::Class(ObjectClass::CERTIFICATE),
        Attribute::CertificateType(CertificateType::X_509),
        Attribute::Token(true),
        Attribute::Private(false),
        Attribute::Modifiable(false),
        Attribute::Id(id.as_bytes().to_vec()),
        Attribute::Label(certificate.label.as_bytes().to_vec()),
        Attribute::Subject(certificate.subject.clone()),
        Attribute::Issuer(certificate.issuer.clone()),
        Attribute::SerialNumber(certificate.serial.clone()),
        Attribute::Value(certificate.der.clone()),
    ];
    template.retain(|attribute| allowed(profile, attribute.attribute_type()));
    template
}

fn allowed(profile: &Profile, attribute: AttributeType) -> bool {
    let quirk = match attribute {
        AttributeType::Copyable => Quirk::OmitCopyable,
        AttributeType::Modifiable => Quirk::OmitModifiable,
        AttributeType::SignRecover | AttributeType::VerifyRecover => Quirk::OmitRecover,
        AttributeType::Unwrap | AttributeType::Wrap => Quirk::OmitWrap,
        AttributeType::Derive => Quirk::OmitDerive,
        _ => return true,
    };
    !profile.has(quirk)
}

/// What is read back of a private key.
pub(super) const READ_BACK: [AttributeType; 14] = [
    AttributeType::Token,
    AttributeType::Private,
    AttributeType::Sensitive,
    AttributeType::Extractable,
    AttributeType::Modifiable,
    AttributeType::Copyable,
    AttributeType::Local,
    AttributeType::AlwaysSensitive,
    AttributeType::NeverExtractable,
    AttributeType::Sign,
    AttributeType::Decrypt,
    AttributeType::Unwrap,
    AttributeType::Derive,
    AttributeType::SignRecover,
];

/// The attributes as the token gave them. Those it did not give stay unknown.
pub(super) fn key_attributes(attributes: &[Attribute]) -> KeyAttributes {
    let mut key = KeyAttributes::default();
    for attribute in attributes {
        match *attribute {
            Attribute::Token(value) => key.token = Some(value),
            Attribute::Private(value) => key.private = Some(value),
            Attribute::Sensitive(value) => key.sensitive = Some(value),
            Attribute::Extractable(value) => key.extractable = Some(value),
            Attribute::Modifiable(value) => key.modifiable = Some(value),
            Attribute::Copyable(value) => key.copyable = Some(value),
            Attribute::Local(value) => key.local = Some(value),
            Attribute::AlwaysSensitive(value) => key.always_sensitive = Some(value),
            Attribute::NeverExtractable(value) => key.never_extractable = Some(value),
            Attribute::Sign(value) => key.sign = Some(value),
            Attribute::Decrypt(value) => key.decrypt = Some(value),
            Attribute::Unwrap(value) => key.unwrap = Some(value),
            Attribute::Derive(value) => key.derive = Some(value),
            Attribute::SignRecover(value) => key.sign_recover = Some(value),
            // Not asked for.
            _ => {}
        }
    }
    key
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::id::InstallationId;

    fn id() -> KeyId {
        KeyId::new(InstallationId([1, 2, 3, 4]), [5; 12])
    }

    #[test]
    fn every_attribute_read_back_is_set_unless_the_token_sets_it() {
        let profile = Profile::shipped("softhsm2").unwrap();
        let set: Vec<_> =
            private_template(&profile, id(), "x").iter().map(Attribute::attribute_type).collect();
        let by_token =
            [AttributeType::Local, AttributeType::AlwaysSensitive, AttributeType::NeverExtractable];
        for attribute in READ_BACK {
            assert!(set.contains(&attribute) != by_token.contains(&attribute), "{attribute}");
        }
    }

    #[test]
    fn a_template_as_asked_for_and_proven_has_no_violation() {
        let profile = Profile::shipped("softhsm2").unwrap();
        let mut read = private_template(&profile, id(), "x");
        read.extend([
            Attribute::Local(true),
            Attribute::AlwaysSensitive(true),
            Attribute::NeverExtractable(true),
        ]);
        assert_eq!(key_attributes(&read).violations(), Vec::<String>::new());
    }

    #[test]
    fn what_the_token_does_not_tell_stays_unknown() {
        assert_eq!(key_attributes(&[]), KeyAttributes::default());
    }

    #[test]
    fn a_quirk_leaves_its_attribute_out_of_both_templates() {
        let mut profile = Profile::shipped("softhsm2").unwrap();
        profile.quirks = vec![Quirk::OmitCopyable, Quirk::OmitDerive];
        let kind = "ec-p256".parse().unwrap();
        let public = public_template(&profile, kind, id(), "x").unwrap();
        for template in [private_template(&profile, id(), "x"), public] {
            assert!(!template.iter().any(|attribute| matches!(
                attribute.attribute_type(),
                AttributeType::Copyable | AttributeType::Derive
            )));
        }
    }
}
