//! What is read as certificates is read as such by another reader, which finds the same in them; and
//! again from what is kept of them, as DER and as PEM.
#![no_main]

use der::{Decode, Encode};
use libfuzzer_sys::fuzz_target;
use strongroom::domain::certificate::{MAX_CERTIFICATES, pem, read};
use x509_cert::Certificate;

fuzz_target!(|bytes: &[u8]| {
    let Ok(certificates) = read(bytes) else { return };
    assert!((1..=MAX_CERTIFICATES).contains(&certificates.len()));
    for certificate in &certificates {
        assert_eq!(read(&certificate.der).as_deref(), Ok(std::slice::from_ref(certificate)));
        let other = Certificate::from_der(&certificate.der).unwrap();
        let other = other.tbs_certificate();
        assert_eq!(other.subject_public_key_info().to_der().unwrap(), certificate.spki);
        let seconds = |time: &x509_cert::time::Time| time.to_unix_duration().as_secs();
        let millis = |at: strongroom::domain::clock::Timestamp| at.as_millis() as u64;
        assert_eq!(seconds(&other.validity().not_before) * 1000, millis(certificate.not_before));
        assert_eq!(seconds(&other.validity().not_after) * 1000, millis(certificate.not_after));
    }
    let text: String = certificates.iter().map(|certificate| pem(&certificate.der)).collect();
    if text.len() <= strongroom::domain::certificate::MAX_BYTES {
        assert_eq!(read(text.as_bytes()).as_deref(), Ok(certificates.as_slice()));
    }
});
