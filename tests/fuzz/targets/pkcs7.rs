//! The certificates of a message are parts of it, in their order, and each is a certificate by itself.
//! Where another reader takes the message, it finds the same ones.
#![no_main]

use cms::cert::CertificateChoices;
use cms::content_info::ContentInfo;
use cms::signed_data::SignedData;
use der::{Decode, Encode};
use libfuzzer_sys::fuzz_target;
use strongroom::domain::certificate::read;
use x509_cert::Certificate;

const PEM: &[u8] = b"-----BEGIN ";

fuzz_target!(|bytes: &[u8]| {
    let Ok(certificates) = read(bytes) else { return };
    // In PEM, which may stand among other bytes, they are parts of what the base64 stands for; see the
    // target `certificate`.
    let pem = bytes.windows(PEM.len()).any(|part| part == PEM);
    if !pem {
        let mut rest = bytes;
        for certificate in &certificates {
            let at = rest.windows(certificate.der.len()).position(|part| part == certificate.der);
            rest = &rest[at.unwrap() + certificate.der.len()..];
        }
    }
    for certificate in &certificates {
        assert_eq!(read(&certificate.der).as_deref(), Ok(std::slice::from_ref(certificate)));
    }
    if let Some(mut others) = read_with_cms(bytes) {
        let encoded = |der: &Vec<u8>| Certificate::from_der(der).unwrap().to_der().unwrap();
        let mut ours: Vec<_> = certificates.iter().map(|certificate| encoded(&certificate.der)).collect();
        // Theirs is a set, and sorted.
        ours.sort();
        others.sort();
        assert_eq!(ours, others);
    }
});

fn read_with_cms(bytes: &[u8]) -> Option<Vec<Vec<u8>>> {
    let message = ContentInfo::from_der(bytes).ok()?;
    let signed: SignedData = message.content.decode_as().ok()?;
    let choices = signed.certificates?.0.into_vec().into_iter();
    choices
        .map(|choice| match choice {
            CertificateChoices::Certificate(certificate) => certificate.to_der().ok(),
            CertificateChoices::Other(_) => None,
        })
        .collect()
}
