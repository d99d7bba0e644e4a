//! Who is at the other end of a connection, as far as the connection itself tells. A request carries
//! it as an extension, so that a permit can be made of it.

use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use sha2::{Digest, Sha256};
use x509_parser::certificate::X509Certificate;
use x509_parser::extensions::GeneralName;
use x509_parser::prelude::FromDer;

use crate::domain::certificate;

/// The other end of a connection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Peer {
    /// Plain TCP.
    Tcp {
        /// Where it comes from.
        address: SocketAddr,
    },
    /// TLS.
    Tls {
        /// Where it comes from.
        address: SocketAddr,
        /// The certificate that the client proved to own the key of, issued by one of the CAs of the
        /// configuration.
        certificate: Option<ClientCertificate>,
    },
    /// The Unix socket; what the kernel said when the client connected (SO_PEERCRED, unix(7)).
    Unix {
        /// Effective user id.
        uid: u32,
        /// Effective group id.
        gid: u32,
        /// Process id, where the client is in sight of our PID namespace.
        pid: Option<u32>,
    },
}

impl Peer {
    /// The network address; the Unix socket has none.
    pub fn ip(&self) -> Option<IpAddr> {
        match self {
            Self::Tcp { address } | Self::Tls { address, .. } => Some(address.ip()),
            Self::Unix { .. } => None,
        }
    }

    /// SHA-256 of the verified client certificate, if there is one.
    pub fn certificate_sha256(&self) -> Option<&[u8; 32]> {
        match self {
            Self::Tls { certificate, .. } => certificate.as_ref().map(ClientCertificate::sha256),
            Self::Tcp { .. } | Self::Unix { .. } => None,
        }
    }
}

/// As the audit writes it: `tcp 127.0.0.1:5000`, `tls 192.0.2.1:5000`, `unix uid 1000`.
impl fmt::Display for Peer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tcp { address } => write!(f, "tcp {address}"),
            Self::Tls { address, .. } => write!(f, "tls {address}"),
            Self::Unix { uid, .. } => write!(f, "unix uid {uid}"),
        }
    }
}

/// A verified client certificate; clones share it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClientCertificate(Arc<Leaf>);

#[derive(Debug, PartialEq, Eq)]
struct Leaf {
    der: Vec<u8>,
    sha256: [u8; 32],
    subject: String,
    sans: Vec<String>,
}

impl ClientCertificate {
    /// Reads a certificate that the handshake has verified.
    ///
    /// # Errors
    /// Why it cannot be read.
    pub fn read(der: &[u8]) -> Result<Self, String> {
        let [read] = &certificate::read(der).map_err(|invalid| invalid.to_string())?[..] else {
            return Err("the client certificate is not one certificate".to_owned());
        };
        let (_, parsed) = X509Certificate::from_der(der).map_err(|error| error.to_string())?;
        let sans = parsed.subject_alternative_name().map_err(|error| error.to_string())?;
        let sans = sans.map_or(Vec::new(), |sans| sans.value.general_names.iter().filter_map(text).collect());
        let sha256 = Sha256::digest(der).into();
        Ok(Self(Arc::new(Leaf { der: der.to_vec(), sha256, subject: read.subject.clone(), sans })))
    }

    /// The certificate's DER.
    pub fn der(&self) -> &[u8] {
        &self.0.der
    }

    /// SHA-256 of the DER.
    pub fn sha256(&self) -> &[u8; 32] {
        &self.0.sha256
    }

    /// The subject, printed as RFC 4514.
    pub fn subject(&self) -> &str {
        &self.0.subject
    }

    /// The subject alternative names of the kinds `DNS:`, `IP:`, `email:` and `URI:`, in the order of
    /// the certificate and as it writes them.
    pub fn sans(&self) -> &[String] {
        &self.0.sans
    }
}

fn text(name: &GeneralName<'_>) -> Option<String> {
    match name {
        GeneralName::DNSName(name) => Some(format!("DNS:{name}")),
        GeneralName::RFC822Name(address) => Some(format!("email:{address}")),
        GeneralName::URI(uri) => Some(format!("URI:{uri}")),
        GeneralName::IPAddress(octets) => {
            let address = <[u8; 4]>::try_from(*octets).map(std::net::IpAddr::from);
            let address = address.or_else(|_| <[u8; 16]>::try_from(*octets).map(std::net::IpAddr::from));
            address.ok().map(|address| format!("IP:{address}"))
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use rcgen::{CertificateParams, DnType, KeyPair, SanType};

    use super::*;

    #[test]
    fn a_client_certificate_tells_its_names_and_its_fingerprint() {
        let mut params = CertificateParams::new(vec!["robot.example.com".to_owned()]).unwrap();
        params.distinguished_name = rcgen::DistinguishedName::new();
        params.distinguished_name.push(DnType::OrganizationName, "Example, Ltd");
        params.distinguished_name.push(DnType::CommonName, "robot");
        params.subject_alt_names.push(SanType::IpAddress([192, 0, 2, 1].into()));
        params.subject_alt_names.push(SanType::Rfc822Name("robot@example.com".try_into().unwrap()));
        params.subject_alt_names.push(SanType::URI("spiffe://example/robot".try_into().unwrap()));
        let made = params.self_signed(&KeyPair::generate().unwrap()).unwrap();
        let certificate = ClientCertificate::read(made.der()).unwrap();
        assert_eq!(certificate.subject(), "CN=robot,O=Example\\, Ltd");
        let sans = [
            "DNS:robot.example.com",
            "IP:192.0.2.1",
            "email:robot@example.com",
            "URI:spiffe://example/robot",
        ];
        assert_eq!(certificate.sans(), sans);
        assert_eq!(certificate.der(), &made.der()[..]);
        assert_eq!(certificate.sha256()[..], Sha256::digest(made.der())[..]);
    }

    #[test]
    fn what_is_no_certificate_is_refused() {
        assert!(ClientCertificate::read(b"\x30\x00").is_err());
    }
}
