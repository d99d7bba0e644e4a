//! Whom a certificate names.

use std::net::IpAddr;

use der::Decode;
use x509_parser::certificate::X509Certificate;
use x509_parser::extensions::GeneralName;
use x509_parser::prelude::FromDer;

use super::super::name::Name;

/// The names in a certificate, as far as they are text.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CertificateNames {
    /// The subject; empty where it breaks a rule for names that are made here.
    pub subject: Name,
    /// dNSName
    pub dns: Vec<String>,
    /// iPAddress
    pub ip: Vec<IpAddr>,
    /// rfc822Name
    pub email: Vec<String>,
    /// uniformResourceIdentifier
    pub uri: Vec<String>,
}

/// The names in a certificate; none in what is no certificate.
pub fn names(certificate_der: &[u8]) -> CertificateNames {
    let mut names = CertificateNames::default();
    let Ok((_, certificate)) = X509Certificate::from_der(certificate_der) else { return names };
    names.subject = x509_cert::name::Name::from_der(certificate.subject().as_raw())
        .ok()
        .and_then(|subject| Name::from_elsewhere(&subject).ok())
        .unwrap_or_default();
    let sans = certificate.subject_alternative_name().ok().flatten();
    for name in sans.iter().flat_map(|extension| &extension.value.general_names) {
        match name {
            GeneralName::DNSName(text) => names.dns.push((*text).to_owned()),
            GeneralName::RFC822Name(text) => names.email.push((*text).to_owned()),
            GeneralName::URI(text) => names.uri.push((*text).to_owned()),
            GeneralName::IPAddress(bytes) => names.ip.extend(address(bytes)),
            _ => {}
        }
    }
    names
}

/// RFC 5280 section 4.2.1.6: four octets or sixteen.
fn address(bytes: &[u8]) -> Option<IpAddr> {
    let v4 = <[u8; 4]>::try_from(bytes).map(IpAddr::from);
    v4.or_else(|_| <[u8; 16]>::try_from(bytes).map(IpAddr::from)).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_of_a_certificate_is_found() {
        let mut params = rcgen::CertificateParams::new(vec![
            "a.example".to_owned(),
            "10.1.2.3".to_owned(),
            "2001:db8::1".to_owned(),
        ])
        .unwrap();
        params.distinguished_name = rcgen::DistinguishedName::new();
        params.distinguished_name.push(rcgen::DnType::CommonName, "a.example");
        params.subject_alt_names.push(rcgen::SanType::Rfc822Name("a@b.example".try_into().unwrap()));
        params.subject_alt_names.push(rcgen::SanType::URI("https://a.example/".try_into().unwrap()));
        let key = rcgen::KeyPair::generate().unwrap();
        let found = names(params.self_signed(&key).unwrap().der());
        assert_eq!(found.subject.to_string(), "CN=a.example");
        assert_eq!((found.dns, found.email), (vec!["a.example".to_owned()], vec!["a@b.example".to_owned()]));
        assert_eq!(found.ip, ["10.1.2.3".parse::<IpAddr>().unwrap(), "2001:db8::1".parse().unwrap()]);
        assert_eq!(found.uri, ["https://a.example/"]);
        assert_eq!(names(b"0"), CertificateNames::default());
    }
}
