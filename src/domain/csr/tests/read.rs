//! A CSR from elsewhere, read as a specification.

use super::*;
use crate::domain::extensions::SubjectKeyIdentifier;

fn p256() -> &'static SoftwareKey {
    KEYS.iter().find(|key| key.kind.name() == "ec-p256").unwrap()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn what_a_csr_asks_for_is_read_as_it_was_written(
        (key, scheme) in key_and_scheme(),
        subject in any_name(),
        sans in prop::collection::vec(any_san(), 0..4),
        extensions in any_extensions(),
    ) {
        let spec = CsrSpec { subject, sans, extensions, ..CsrSpec::default() };
        prop_assume!(spec.validate().is_ok());
        prop_assume!(spec.extensions.other.iter().all(|other| !other.critical));
        // A value that is no text, which nobody but we would encode so, is refused.
        prop_assume!(Name::from_elsewhere(spec.subject.as_x509()).is_ok_and(|name| name == spec.subject));
        let Ok(read) = read(&key.csr(&spec, scheme)) else {
            return Err(TestCaseError::reject("an alternative name with a value that is no text"));
        };
        let mut expected = spec.extensions.clone();
        if expected.subject_key_identifier == Some(SubjectKeyIdentifier::Sha1) {
            let identifier = key_identifier(&key.spki).unwrap();
            expected.subject_key_identifier = Some(SubjectKeyIdentifier::Given(identifier));
        }
        (expected.microsoft_template, expected.microsoft_template_name) = (None, None);
        expected.other.clear();
        let sorted = |mut bits: Vec<KeyUsageBit>| {
            bits.sort_by_key(|bit| *bit as u8);
            bits
        };
        expected.key_usage = sorted(expected.key_usage);
        prop_assert_eq!(sorted(read.spec.extensions.key_usage.clone()), expected.key_usage.clone());
        let found = Extensions { key_usage: expected.key_usage.clone(), ..read.spec.extensions };
        prop_assert_eq!(found, expected);
        prop_assert_eq!(&read.spec.subject, &spec.subject);
        prop_assert_eq!(&read.spec.sans, &spec.sans);
        prop_assert_eq!((read.kind, read.scheme, &read.spki), (key.kind, scheme, &key.spki));
    }

    #[test]
    fn no_bytes_make_it_panic(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        let _ = read(&bytes);
    }

    #[test]
    fn a_changed_csr_is_refused(at in any::<prop::sample::Index>(), flip in 1u8..) {
        let spec = CsrSpec { subject: "CN=a".parse().unwrap(), ..CsrSpec::default() };
        let mut der = p256().csr(&spec, p256().kind.default_scheme());
        let at = at.index(der.len());
        der[at] ^= flip;
        prop_assert!(read(&der).is_err());
    }
}

#[test]
fn a_subject_in_other_string_types_is_read_by_its_text() {
    let text = |tag, value: &str| Any::new(tag, value.as_bytes()).unwrap();
    let rdn = |oid, value| {
        let attribute = x509_cert::attr::AttributeTypeAndValue { oid, value };
        x509_cert::name::RelativeDistinguishedName::from(SetOfVec::try_from([attribute]).unwrap())
    };
    let rdns = vec![
        rdn(const_oid::db::rfc4519::COUNTRY_NAME, text(Tag::Utf8String, "NL")),
        rdn(const_oid::db::rfc4519::ORGANIZATION_NAME, text(Tag::PrintableString, "Voorbeeld")),
    ];
    let der = x509_cert::name::RdnSequence::from(rdns).to_der().unwrap();
    let name = x509_cert::name::Name::from_der(&der).unwrap();
    assert_eq!(Name::from_elsewhere(&name).unwrap(), "O=Voorbeeld,C=NL".parse().unwrap());
}

#[test]
fn an_extension_that_is_critical_and_not_understood_is_refused() {
    let mut spec = CsrSpec { subject: "CN=a".parse().unwrap(), ..CsrSpec::default() };
    let other = json!({ "oid": "1.3.6.1.4.1.32473.9", "critical": true, "value": "0500" });
    spec.extensions.other = vec![serde_json::from_value(other).unwrap()];
    let scheme = p256().kind.default_scheme();
    let refused = read(&p256().csr(&spec, scheme)).unwrap_err();
    assert!(refused[0].reason.contains("1.3.6.1.4.1.32473.9 is critical"), "{refused:?}");
    spec.extensions.other[0].critical = false;
    assert_eq!(read(&p256().csr(&spec, scheme)).unwrap().spec.extensions, Extensions::default());
}
