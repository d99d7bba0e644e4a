//! Certificates and revocation lists, made with software keys of every kind, and checked; those that say
//! something else are refused.

use super::*;
use crate::domain::certificate::{self, CertificateSpec, IssuerUrls, Period, Serial};
use crate::domain::clock::Timestamp;
use crate::domain::crl::{self, CrlSpec, Reason, Revoked};

const NOW: Timestamp = Timestamp::from_millis(1_795_253_400_000);

fn issuer() -> Vec<u8> {
    "CN=ca,O=b,C=nl".parse::<Name>().unwrap().as_x509().to_der().unwrap()
}

fn spec(content: CsrSpec, spki: &[u8]) -> CertificateSpec {
    CertificateSpec {
        serial: Serial::new([7; 20]),
        issuer: issuer(),
        period: Period { not_before: NOW, not_after: NOW.plus_millis(1000 * 86_400_000) },
        content,
        spki: spki.to_vec(),
        authority_key_id: vec![3; 20],
        urls: IssuerUrls { crl: Some("http://a/x.crl".into()), certificate: Some("http://a/x.cer".into()) },
    }
}

fn certificate(spec: &CertificateSpec, key: &SoftwareKey, scheme: Scheme) -> Vec<u8> {
    let tbs = certificate::to_be_signed(spec, scheme).unwrap();
    assemble(&tbs, scheme, &key.sign(scheme, &tbs)).unwrap()
}

fn list() -> CrlSpec {
    let revoked = |n: u8, reason| Revoked { serial: Serial::new([n; 20]), at: NOW, reason };
    CrlSpec {
        issuer: issuer(),
        authority_key_id: vec![3; 20],
        number: 0x80,
        this_update: NOW,
        next_update: NOW.plus_millis(1000),
        revoked: vec![revoked(1, Reason::KeyCompromise), revoked(2, Reason::Unspecified)],
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn every_certificate_that_is_made_passes_the_check(
        (key, scheme) in key_and_scheme(),
        subject in any_name(),
        sans in prop::collection::vec(any_san(), 0..4),
        extensions in any_extensions(),
        urls in any::<(bool, bool)>(),
        seconds in 0i64..4_000_000_000,
    ) {
        let content = CsrSpec { subject, sans, extensions, ..CsrSpec::default() };
        prop_assume!(content.validate().is_ok());
        let mut spec = spec(content, &key.spki);
        spec.period.not_after = Timestamp::from_millis(seconds * 1000);
        spec.urls.crl = spec.urls.crl.filter(|_| urls.0);
        spec.urls.certificate = spec.urls.certificate.filter(|_| urls.1);
        let der = certificate(&spec, key, scheme);
        certificate::check(&der, &spec, scheme, &key.spki).unwrap();
    }

    #[test]
    fn no_byte_of_a_certificate_or_list_can_be_changed(at in any::<prop::sample::Index>(), flip in 1u8..) {
        let key = KEYS.iter().find(|key| key.kind.name() == "ec-p256").unwrap();
        let scheme = key.kind.default_scheme();
        let spec = spec(CsrSpec { subject: "CN=a".parse().unwrap(), ..CsrSpec::default() }, &key.spki);
        let mut der = certificate(&spec, key, scheme);
        let place = at.index(der.len());
        der[place] ^= flip;
        prop_assert!(certificate::check(&der, &spec, scheme, &key.spki).is_err());
        let tbs = crl::to_be_signed(&list(), scheme).unwrap();
        let mut der = assemble(&tbs, scheme, &key.sign(scheme, &tbs)).unwrap();
        crl::check(&der, &list(), scheme, &key.spki).unwrap();
        let place = at.index(der.len());
        der[place] ^= flip;
        prop_assert!(crl::check(&der, &list(), scheme, &key.spki).is_err());
    }
}

#[test]
fn a_certificate_that_says_something_else_is_refused() {
    let key = KEYS.iter().find(|key| key.kind.name() == "ed25519").unwrap();
    let scheme = key.kind.default_scheme();
    let content = CsrSpec { subject: "CN=a".parse().unwrap(), ..CsrSpec::default() };
    let wanted = spec(content.clone(), &key.spki);
    let later = |at: Timestamp| at.plus_millis(1000);
    let others: [CertificateSpec; 8] = [
        CertificateSpec { serial: Serial::new([8; 20]), ..wanted.clone() },
        CertificateSpec {
            issuer: "CN=cb".parse::<Name>().unwrap().as_x509().to_der().unwrap(),
            ..wanted.clone()
        },
        CertificateSpec { period: Period { not_before: later(NOW), ..wanted.period }, ..wanted.clone() },
        CertificateSpec { period: Period { not_after: later(NOW), ..wanted.period }, ..wanted.clone() },
        CertificateSpec { authority_key_id: vec![4; 20], ..wanted.clone() },
        CertificateSpec { urls: IssuerUrls { crl: None, ..wanted.urls.clone() }, ..wanted.clone() },
        CertificateSpec { urls: IssuerUrls { certificate: None, ..wanted.urls.clone() }, ..wanted.clone() },
        CertificateSpec {
            content: CsrSpec { subject: "CN=b".parse().unwrap(), ..content },
            ..wanted.clone()
        },
    ];
    for other in others {
        let der = certificate(&other, key, scheme);
        certificate::check(&der, &other, scheme, &key.spki).unwrap();
        assert!(certificate::check(&der, &wanted, scheme, &key.spki).is_err(), "{other:?}");
    }
    let der = certificate(&wanted, key, scheme);
    let stranger = SoftwareKey::generate(key.kind);
    let refused = certificate::check(&der, &wanted, scheme, &stranger.spki).unwrap_err();
    assert!(matches!(refused, Error::BadSignature), "{refused}");
}

#[test]
fn a_list_that_says_something_else_is_refused() {
    let key = KEYS.iter().find(|key| key.kind.name() == "ed25519").unwrap();
    let scheme = key.kind.default_scheme();
    let wanted = list();
    let mut another_reason = list();
    another_reason.revoked[0].reason = Reason::Superseded;
    let mut another_order = list();
    another_order.revoked.reverse();
    let others = [
        CrlSpec { number: 0x81, ..list() },
        CrlSpec { next_update: NOW, ..list() },
        CrlSpec { revoked: Vec::new(), ..list() },
        CrlSpec { authority_key_id: vec![4; 20], ..list() },
        another_reason,
        another_order,
    ];
    for other in others {
        let tbs = crl::to_be_signed(&other, scheme).unwrap();
        let der = assemble(&tbs, scheme, &key.sign(scheme, &tbs)).unwrap();
        crl::check(&der, &other, scheme, &key.spki).unwrap();
        assert!(crl::check(&der, &wanted, scheme, &key.spki).is_err(), "{other:?}");
    }
}
