//! A specification that is valid becomes a CSR which passes the check, and which two other readers
//! read and verify. It comes out of the journal as it went in.
#![no_main]

use der::{Decode, Encode};
use libfuzzer_sys::fuzz_target;
use strongroom::domain::csr::{CsrSpec, check};
use strongroom_fuzz::key;
use x509_cert::request::CertReq;
use x509_parser::certification_request::X509CertificationRequest;
use x509_parser::prelude::FromDer;

fuzz_target!(|json: &[u8]| {
    let Ok(spec) = serde_json::from_slice::<CsrSpec>(json) else { return };
    let stored = serde_json::to_string(&spec).unwrap();
    assert_eq!(serde_json::from_str::<CsrSpec>(&stored).unwrap(), spec);
    if spec.validate().is_err() {
        return;
    }
    let csr = key::csr(&spec);
    check(&csr, &spec, key::spki(), key::scheme()).unwrap();
    assert_eq!(CertReq::from_der(&csr).unwrap().to_der().unwrap(), csr);
    let (rest, read) = X509CertificationRequest::from_der(&csr).unwrap();
    assert!(rest.is_empty());
    read.verify_signature().unwrap();
});
