//! Certificates that come back are married to the request whose key they certify.

use rcgen::{
    BasicConstraints, Certificate, CertificateParams, CertificateSigningRequestParams, DnType, IsCa, Issuer,
    KeyPair,
};
use serde_json::Value;

use crate::harness::{Appliance, Reply, Service};

const PEM: &str = "application/x-pem-file";
const DER: &str = "application/pkix-cert";

#[test]
fn a_certificate_is_married_as_pem_and_as_der() {
    let appliance = Appliance::new();
    let service = appliance.start_ready();
    let ca = Ca::new("Example CA");
    for as_der in [false, true] {
        let csr = service.create("a.example.com");
        let certificate = ca.issue(text(&csr["csr"]));
        let married = if as_der {
            marry(&service, &csr, DER, certificate.der())
        } else {
            marry(&service, &csr, PEM, certificate.pem().as_bytes())
        };
        let married = married.expect(200).json();
        assert_eq!(married["handle"], csr["handle"]);
        assert_eq!(married["certificate"], normal(&certificate));
        assert_eq!(married["chain"].as_array().unwrap().len(), 0);
        assert_eq!(married["not_after"], "2040-01-01T00:00:00.000Z");

        let issued = service.get(&format!("/csrs/{}", text(&csr["handle"]))).expect(200).json();
        assert_eq!(issued["status"], "issued");
        assert_eq!(issued["certificate_sha256"], married["sha256"]);
    }
}

#[test]
fn a_chain_is_put_in_order_whatever_order_it_comes_in() {
    let appliance = Appliance::new();
    let service = appliance.start_ready();
    let root = Ca::new("Root CA");
    let intermediate = root.subordinate("Issuing CA");
    let key = service.create("a.example.com");
    let certificate = intermediate.issue(text(&key["csr"]));
    let [leaf, middle, top] =
        [&certificate, &intermediate.certificate, &root.certificate].map(Certificate::pem);
    let bundles = [
        format!("{leaf}{middle}{top}"),
        format!("{top}{middle}{leaf}").replace('\n', "\r\n"),
        format!("Bag Attributes\n  friendlyName: x\n{middle}\nsubject=CN=a\n{top}{leaf}{middle}"),
    ];
    for bundle in bundles {
        let body = serde_json::json!({ "subject": "CN=a", "key": { "handle": key["key"]["handle"] } });
        let csr = service.post("/csrs", &body).expect(201).json();
        let married = marry(&service, &csr, PEM, bundle.as_bytes()).expect(200).json();
        assert_eq!(married["certificate"], normal(&certificate));
        let chain = [normal(&intermediate.certificate), normal(&root.certificate)];
        assert_eq!(married["chain"], serde_json::json!(chain));
    }
}

#[test]
fn a_married_certificate_is_shown_as_json_der_and_pem() {
    let appliance = Appliance::new();
    let service = appliance.start_ready();
    let ca = Ca::new("Example CA");
    let csr = service.create("a.example.com");
    let path = certificate_path(&csr);
    service.get(&path).problem(404, "certificate.none");

    let certificate = ca.issue(text(&csr["csr"]));
    let bundle = format!("{}{}", ca.certificate.pem(), certificate.pem());
    let married = marry(&service, &csr, PEM, bundle.as_bytes()).expect(200).json();
    assert_eq!(service.get(&path).expect(200).json(), married);
    let show = |accept: &str| service.request("GET", &path, &[("accept", accept)], None);
    let der = show("application/pkix-cert").expect(200);
    assert_eq!(der.header("content-type"), Some("application/pkix-cert"));
    assert_eq!(der.bytes, certificate.der().as_ref());
    for accept in ["application/pem-certificate-chain", "application/x-pem-file", "text/plain"] {
        let pem = show(accept).expect(200);
        assert_eq!(pem.header("content-type"), Some("application/pem-certificate-chain"), "{accept}");
        let expected = format!("{}{}", normal(&certificate), normal(&ca.certificate));
        assert_eq!(String::from_utf8(pem.bytes).unwrap(), expected, "{accept}");
    }
    show("application/pkcs10").problem(406, "accept.not-offered");
}

#[test]
fn the_same_certificate_again_changes_nothing_and_another_is_refused() {
    let appliance = Appliance::new();
    let service = appliance.start_ready();
    let ca = Ca::new("Example CA");
    let csr = service.create("a.example.com");
    let (first, second) = (ca.issue(text(&csr["csr"])), ca.issue(text(&csr["csr"])));
    assert_ne!(first.der(), second.der());

    let married = marry(&service, &csr, DER, first.der()).expect(200).json();
    assert_eq!(marry(&service, &csr, PEM, first.pem().as_bytes()).expect(200).json(), married);
    let problem = marry(&service, &csr, DER, second.der()).problem(409, "signing-request.state");
    assert_eq!(problem["state"], "issued");
    assert_eq!(service.get(&certificate_path(&csr)).json(), married);

    let both = format!("{}{}", first.pem(), second.pem());
    let problem = marry(&service, &csr, PEM, both.as_bytes()).problem(400, "input.invalid");
    assert!(text(&problem["detail"]).contains("2 different certificates are for the key"), "{problem}");
}

#[test]
fn a_certificate_for_another_key_is_refused() {
    let appliance = Appliance::new();
    let service = appliance.start_ready();
    let ca = Ca::new("Example CA");
    let (csr, other) = (service.create("a.example.com"), service.create("b.example.com"));
    let certificate = ca.issue(text(&other["csr"]));
    let problem = marry(&service, &csr, DER, certificate.der()).problem(422, "certificate.key-mismatch");
    let detail = text(&problem["detail"]);
    assert!(detail.contains("those sent are for: CN=b.example.com"), "{detail}");
    assert_eq!(service.get(&format!("/csrs/{}", text(&csr["handle"]))).json()["status"], "pending");
}

#[test]
fn a_certificate_that_is_no_part_of_the_chain_is_refused() {
    let appliance = Appliance::new();
    let service = appliance.start_ready();
    let (ca, stranger) = (Ca::new("Example CA"), Ca::new("Stranger"));
    let csr = service.create("a.example.com");
    let bundle = format!("{}{}", ca.issue(text(&csr["csr"])).pem(), stranger.certificate.pem());
    let problem = marry(&service, &csr, PEM, bundle.as_bytes()).problem(400, "input.invalid");
    assert!(text(&problem["detail"]).contains("`CN=Stranger` is no part of the leaf's chain"), "{problem}");
}

#[test]
fn what_is_no_certificate_is_named_for_what_it_is() {
    let appliance = Appliance::new();
    let service = appliance.start_ready();
    let csr = service.create("a.example.com");
    let private = KeyPair::generate().unwrap().serialize_pem();
    let certificate = Ca::new("Example CA").issue(text(&csr["csr"]));
    let mut cut = certificate.pem();
    cut.truncate(200);
    let trailing = [certificate.der().as_ref(), b"more"].concat();
    let cases: [(&[u8], Option<usize>, &str); 8] = [
        (b"", None, "is not a certificate"),
        (b"garbage", None, "is not a certificate"),
        (&[0x30, 0x03, 0x02, 0x01, 0x01], None, "is not a certificate"),
        (&trailing, None, "4 bytes behind the end"),
        (cut.as_bytes(), Some(0), "no END line"),
        (private.as_bytes(), Some(0), "this is a private key"),
        (text(&csr["csr"]).as_bytes(), Some(0), "this is a CSR"),
        (b"-----BEGIN PKCS7-----\nMAA=\n-----END PKCS7-----\n", Some(0), "openssl pkcs7 -print_certs"),
    ];
    for (body, position, reason) in cases {
        let problem = marry(&service, &csr, PEM, body).problem(400, "input.invalid");
        let wrong = &problem["errors"][0];
        assert_eq!(wrong["field"], "certificate", "{problem}");
        assert_eq!(wrong["position"], position.map_or(Value::Null, Value::from), "{problem}");
        assert!(text(&wrong["reason"]).contains(reason), "no `{reason}` in {problem}");
    }
    let secret = private.lines().nth(1).unwrap();
    let problem = marry(&service, &csr, PEM, private.as_bytes()).problem(400, "input.invalid");
    assert!(!problem.to_string().contains(secret), "a private key is not repeated");
    marry(&service, &csr, PEM, certificate.pem().as_bytes()).expect(200);
}

#[test]
fn of_two_certificates_at_once_one_is_married() {
    let appliance = Appliance::new();
    let service = appliance.start_ready();
    let ca = Ca::new("Example CA");
    let csr = service.create("a.example.com");
    let certificates = [ca.issue(text(&csr["csr"])), ca.issue(text(&csr["csr"]))];
    let mut statuses = std::thread::scope(|scope| {
        let marrying = certificates
            .each_ref()
            .map(|certificate| scope.spawn(|| marry(&service, &csr, DER, certificate.der()).status));
        marrying.map(|thread| thread.join().unwrap())
    });
    statuses.sort_unstable();
    assert_eq!(statuses, [200, 409]);
}

#[test]
fn a_cancelled_request_takes_no_certificate() {
    let appliance = Appliance::new();
    let service = appliance.start_ready();
    let csr = service.create("a.example.com");
    let certificate = Ca::new("Example CA").issue(text(&csr["csr"]));
    service.delete(&format!("/csrs/{}", text(&csr["handle"]))).expect(200);
    let problem = marry(&service, &csr, DER, certificate.der()).problem(409, "signing-request.state");
    assert_eq!(problem["state"], "cancelled");
}

/// A CA for tests.
pub struct Ca {
    pub certificate: Certificate,
    issuer: Issuer<'static, KeyPair>,
}

impl Ca {
    pub fn new(name: &str) -> Self {
        let (params, key) = (Self::params(name), KeyPair::generate().unwrap());
        Self { certificate: params.self_signed(&key).unwrap(), issuer: Issuer::new(params, key) }
    }

    /// A CA below this one.
    pub fn subordinate(&self, name: &str) -> Self {
        let (params, key) = (Self::params(name), KeyPair::generate().unwrap());
        Self { certificate: params.signed_by(&key, &self.issuer).unwrap(), issuer: Issuer::new(params, key) }
    }

    /// The certificate for a CSR.
    pub fn issue(&self, csr: &str) -> Certificate {
        let mut request = CertificateSigningRequestParams::from_pem(csr).unwrap();
        request.params.not_after = rcgen::date_time_ymd(2040, 1, 1);
        request.params.serial_number = Some(rcgen::SerialNumber::from_slice(&random_serial()));
        request.signed_by(&self.issuer).unwrap()
    }

    fn params(name: &str) -> CertificateParams {
        let mut params = CertificateParams::default();
        params.distinguished_name.remove(DnType::CommonName);
        params.distinguished_name.push(DnType::CommonName, name);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params
    }
}

fn random_serial() -> [u8; 8] {
    let mut serial = [0; 8];
    getrandom::fill(&mut serial).unwrap();
    // Positive and of full length, as DER wants it.
    serial[0] = serial[0] & 0x3f | 0x40;
    serial
}

/// The certificate as our PEM, which ends its lines as RFC 7468 writes them.
fn normal(certificate: &Certificate) -> String {
    certificate.pem().replace("\r\n", "\n")
}

#[track_caller]
fn marry(service: &Service<'_>, csr: &Value, content_type: &str, body: &[u8]) -> Reply {
    service.put(&certificate_path(csr), content_type, body)
}

fn certificate_path(csr: &Value) -> String {
    format!("/csrs/{}/certificate", text(&csr["handle"]))
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap()
}
