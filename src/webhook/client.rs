//! One HTTPS request to a webhook: to the addresses that may be called and to no other, without
//! following anybody anywhere.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use http_body_util::Full;
use hyper::body::Bytes;
use hyper::client::conn::http1;
use hyper::{Request, StatusCode, header};
use hyper_util::rt::TokioIo;
use rustls::crypto::aws_lc_rs;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use tokio::net::{TcpStream, lookup_host};
use tokio_rustls::TlsConnector;

use crate::domain::webhook::Target;
use crate::domain::webhook::network::{Network, may_call};

/// For all of one attempt, from the look-up of the name to the answer's head.
const TIMEOUT: Duration = Duration::from_secs(15);
/// For one of several addresses.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// Sends to one target.
pub struct Client {
    target: Target,
    allowed: Vec<Network>,
    name: ServerName<'static>,
    tls: TlsConnector,
}

/// Why a message is not known to have arrived.
#[derive(Debug, thiserror::Error)]
pub enum Failure {
    #[error("its name cannot be looked up: {0}")]
    Lookup(io::Error),
    #[error(
        "{0} is a loopback, private or other special address; if it is meant, list it in `allow_addresses`"
    )]
    NotAllowed(IpAddr),
    #[error("its name has no address")]
    NoAddress,
    #[error("cannot connect to {address}: {error}")]
    Connect { address: SocketAddr, error: io::Error },
    #[error("TLS with {address}: {error}")]
    Tls { address: SocketAddr, error: io::Error },
    #[error("HTTP: {0}")]
    Http(#[from] hyper::Error),
    #[error("cannot be written as an HTTP request: {0}")]
    Request(#[from] hyper::http::Error),
    #[error("answered {0}, which is a redirect; redirects are not followed, configure the URL it leads to")]
    Redirect(StatusCode),
    #[error("answered {0}")]
    Status(StatusCode),
    #[error("no answer within {} s", TIMEOUT.as_secs())]
    Timeout,
}

impl Client {
    /// To a target whose certificate one of `roots` vouches for.
    ///
    /// # Errors
    /// The host is no name that a certificate can have, or TLS cannot be set up.
    pub fn new(target: Target, allowed: Vec<Network>, roots: RootCertStore) -> Result<Self, String> {
        let name = ServerName::try_from(target.host.clone())
            .map_err(|_| format!("`{}` is no host name and no address", target.host))?;
        let config = ClientConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
            .with_protocol_versions(&[&rustls::version::TLS13, &rustls::version::TLS12])
            .map_err(|error| error.to_string())?
            .with_root_certificates(roots)
            .with_no_client_auth();
        Ok(Self { target, allowed, name, tls: TlsConnector::from(Arc::new(config)) })
    }

    /// Sends a JSON body; 2xx means that it arrived.
    ///
    /// # Errors
    /// It is not known to have arrived; it may have.
    pub async fn post(&self, id: &str, signature: String, body: String) -> Result<(), Failure> {
        let request = Request::post(&self.target.path)
            .header(header::HOST, self.target.authority())
            .header(header::CONTENT_TYPE, "application/json")
            .header(header::USER_AGENT, concat!("strongroom/", env!("CARGO_PKG_VERSION")))
            .header(header::CONNECTION, "close")
            .header("strongroom-event-id", id)
            .header("strongroom-signature", signature)
            .body(Full::new(Bytes::from(body)))?;
        match tokio::time::timeout(TIMEOUT, self.exchange(request)).await {
            Ok(Ok(status)) if status.is_success() => Ok(()),
            Ok(Ok(status)) if status.is_redirection() => Err(Failure::Redirect(status)),
            Ok(Ok(status)) => Err(Failure::Status(status)),
            Ok(Err(failure)) => Err(failure),
            Err(_) => Err(Failure::Timeout),
        }
    }

    async fn exchange(&self, request: Request<Full<Bytes>>) -> Result<StatusCode, Failure> {
        let (tcp, address) = self.connect().await?;
        let tls = self.tls.connect(self.name.clone(), tcp).await;
        let tls = tls.map_err(|error| Failure::Tls { address, error })?;
        let (mut sender, connection) = http1::handshake(TokioIo::new(tls)).await?;
        let exchange = sender.send_request(request);
        tokio::pin!(exchange, connection);
        tokio::select! {
            answer = &mut exchange => Ok(answer?.status()),
            // The receiver may close with its answer.
            ended = &mut connection => {
                ended?;
                Ok(exchange.await?.status())
            }
        }
    }

    /// The connection goes to the very address that was checked: a name that is looked up again may
    /// lead elsewhere by then (DNS rebinding).
    async fn connect(&self) -> Result<(TcpStream, SocketAddr), Failure> {
        let found = lookup_host((self.target.host.as_str(), self.target.port)).await;
        let mut failure = Failure::NoAddress;
        for address in found.map_err(Failure::Lookup)? {
            if !may_call(address.ip(), &self.allowed) {
                failure = Failure::NotAllowed(address.ip());
                continue;
            }
            let timed_out = || io::Error::from(io::ErrorKind::TimedOut);
            let connected = tokio::time::timeout(CONNECT_TIMEOUT, TcpStream::connect(address)).await;
            match connected.unwrap_or_else(|_| Err(timed_out())) {
                Ok(stream) => return Ok((stream, address)),
                Err(error) => failure = Failure::Connect { address, error },
            }
        }
        Err(failure)
    }
}

/// The CAs in a PEM file.
///
/// # Errors
/// There is none, or one cannot be read.
pub fn roots_of(pem: &[u8]) -> Result<RootCertStore, String> {
    let mut roots = RootCertStore::empty();
    for certificate in CertificateDer::pem_slice_iter(pem) {
        let certificate = certificate.map_err(|error| error.to_string())?;
        roots.add(certificate).map_err(|error| error.to_string())?;
    }
    if roots.is_empty() { Err("holds no certificate in PEM".to_owned()) } else { Ok(roots) }
}

/// The CAs that this machine trusts. One that cannot be read vouches for nobody.
pub fn roots_of_the_system() -> RootCertStore {
    let mut roots = RootCertStore::empty();
    roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    roots
}
