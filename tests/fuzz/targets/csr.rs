//! Of all bytes only the CSR of a specification passes its check. In any other CSR the public key is the
//! one that another reader finds, and a signature is good only where another verifier says so.
#![no_main]

use std::sync::LazyLock;

use der::{Decode, Encode};
use libfuzzer_sys::fuzz_target;
use strongroom::domain::csr::{CsrSpec, check, kind_of, verify_signature};
use strongroom_fuzz::key;
use x509_cert::request::CertReq;
use x509_parser::certification_request::X509CertificationRequest;
use x509_parser::error::X509Error;
use x509_parser::prelude::FromDer;

/// The specification of `corpus/csr/made.der`.
static SPEC: LazyLock<CsrSpec> =
    LazyLock::new(|| serde_json::from_str(include_str!("../corpus/csr_spec/everything.json")).unwrap());
static MADE: LazyLock<Vec<u8>> = LazyLock::new(|| key::csr(&SPEC));

fuzz_target!(|der: &[u8]| {
    let passes = check(der, &SPEC, key::spki(), key::scheme()).is_ok();
    assert_eq!(passes, der == *MADE);

    // x509-parser passes over the class of a tag.
    let Ok(other) = CertReq::from_der(der) else { return };
    let Ok((_, csr)) = X509CertificationRequest::from_der(der) else { return };
    let info = &csr.certification_request_info;
    let Some(kind) = kind_of(info.subject_pki.raw) else { return };
    assert_eq!(other.info.public_key.to_der().unwrap(), info.subject_pki.raw);

    let named = csr.signature_algorithm.algorithm.as_bytes();
    let verified = kind.schemes().filter(|scheme| scheme.oid().as_bytes() == named).any(|scheme| {
        verify_signature(info.subject_pki.raw, scheme, info.raw, &csr.signature_value.data).is_ok()
    });
    if verified {
        assert!(matches!(csr.verify_signature(), Ok(()) | Err(X509Error::SignatureUnsupportedAlgorithm)));
    }
});
