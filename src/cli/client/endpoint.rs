//! Where the service is: at the Unix socket of a configuration, or behind a URL.

use std::fmt;
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use hyper::Uri;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpStream, UnixStream};
use tokio_rustls::TlsConnector;

use crate::cli::args::Target;
use crate::cli::report::Failure;

/// A service that runs takes a connection at once.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// The service has 10 s for a handshake (http::handshake).
const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(10);

/// Where the service is.
pub(super) enum Endpoint {
    /// On this machine.
    Socket(PathBuf),
    /// Behind a URL.
    Network {
        /// As it is written in the header `Host`.
        authority: String,
        /// Name or address.
        host: String,
        /// Port.
        port: u16,
        /// `None`: plain HTTP, on this machine only.
        tls: Option<Tls>,
    },
}

/// Who has to be at the other end, and what is shown to him.
pub(super) struct Tls {
    name: ServerName<'static>,
    config: Arc<ClientConfig>,
}

/// A connection of either kind.
pub(super) trait Connection: AsyncRead + AsyncWrite + Send + Unpin {}

impl<T: AsyncRead + AsyncWrite + Send + Unpin> Connection for T {}

impl Endpoint {
    /// The service that `--server` names.
    ///
    /// # Errors
    /// It is no such URL, or would send credentials in clear over a network; a file of the TLS options
    /// is of no use.
    pub(super) fn of_server(server: &str, target: &Target) -> Result<Self, Failure> {
        let wrong =
            |why: &str| Failure::Broken(format!("--server {server}: {why}; it is written https://HOST:PORT"));
        let uri: Uri = server.parse().map_err(|_| wrong("is not a URL"))?;
        let authority = uri.authority().ok_or_else(|| wrong("names no host"))?;
        if !matches!(uri.path(), "" | "/") || uri.query().is_some() || authority.as_str().contains('@') {
            return Err(wrong("has more than a host and a port"));
        }
        let host = authority.host().trim_matches(['[', ']']).to_owned();
        let (default_port, tls) = match uri.scheme_str() {
            Some("https") => (443, Some(Tls::of(&host, target)?)),
            Some("http") if is_loopback(&host) => (80, None),
            Some("http") => return Err(wrong("plain HTTP would send the API key in clear")),
            _ => return Err(wrong("is not an HTTPS URL")),
        };
        let port = authority.port_u16().unwrap_or(default_port);
        Ok(Self::Network { authority: authority.to_string(), host, port, tls })
    }

    /// For the header `Host`.
    pub(super) fn authority(&self) -> &str {
        match self {
            Self::Socket(_) => "strongroom",
            Self::Network { authority, .. } => authority,
        }
    }

    /// Connects.
    ///
    /// # Errors
    /// Nobody answers, or somebody else does.
    pub(super) async fn connect(&self) -> Result<Box<dyn Connection>, Failure> {
        let unreachable = |error: io::Error| {
            let hint = match self {
                Self::Socket(_) => "is `strongroom serve` running with this configuration?",
                Self::Network { .. } => "is this its address, and does a firewall let it through?",
            };
            Failure::Unavailable(format!("cannot reach the service at {self}: {error}\nhint: {hint}"))
        };
        let (host, port, tls) = match self {
            Self::Socket(path) => {
                let stream = in_time(CONNECT_TIMEOUT, UnixStream::connect(path)).await;
                return Ok(Box::new(stream.map_err(unreachable)?));
            }
            Self::Network { host, port, tls, .. } => (host, port, tls),
        };
        let stream = in_time(CONNECT_TIMEOUT, TcpStream::connect((host.as_str(), *port))).await;
        let stream = stream.map_err(unreachable)?;
        let Some(tls) = tls else { return Ok(Box::new(stream)) };
        let connector = TlsConnector::from(Arc::clone(&tls.config));
        let stream = in_time(HANDSHAKE_TIMEOUT, connector.connect(tls.name.clone(), stream)).await;
        Ok(Box::new(stream.map_err(|error| self.no_handshake(&error))?))
    }

    /// A wrong certificate is not better in a minute.
    fn no_handshake(&self, error: &io::Error) -> Failure {
        let cause = error.get_ref().and_then(|cause| cause.downcast_ref::<rustls::Error>());
        match cause {
            Some(rustls::Error::InvalidCertificate(reason)) => Failure::Broken(format!(
                "the certificate of {self} is not to be trusted: {reason}\nhint: --ca-file names the CAs that \
                 may have issued it"
            )),
            Some(other) => Failure::Broken(format!("no TLS connection with {self}: {other}")),
            None => Failure::Unavailable(format!("no TLS connection with {self}: {error}")),
        }
    }
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Socket(path) => path.display().fmt(f),
            Self::Network { authority, tls: Some(_), .. } => write!(f, "https://{authority}"),
            Self::Network { authority, tls: None, .. } => write!(f, "http://{authority}"),
        }
    }
}

impl Tls {
    fn of(host: &str, target: &Target) -> Result<Self, Failure> {
        let name = ServerName::try_from(host.to_owned())
            .map_err(|_| Failure::Broken(format!("--server: `{host}` is no name of a host")))?;
        let mut roots = RootCertStore::empty();
        for root in certificates("--ca-file", &target.ca_file)? {
            // One that is not understood issued no certificate that we could verify.
            let _ = roots.add(root);
        }
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let builder = ClientConfig::builder_with_provider(provider)
            .with_protocol_versions(&[&rustls::version::TLS13, &rustls::version::TLS12])
            .map_err(Failure::broken)?
            .with_root_certificates(roots);
        let config = match (&target.client_cert, &target.client_key) {
            (None, None) => builder.with_no_client_auth(),
            (Some(certificate), Some(key)) => {
                let chain = certificates("--client-cert", certificate)?;
                builder.with_client_auth_cert(chain, private_key(key)?).map_err(|error| {
                    Failure::Broken(format!("--client-cert {}: {error}", certificate.display()))
                })?
            }
            _ => return Err(Failure::Broken("--client-cert and --client-key go together".to_owned())),
        };
        Ok(Self { name, config: Arc::new(config) })
    }
}

async fn in_time<T>(limit: Duration, work: impl Future<Output = io::Result<T>>) -> io::Result<T> {
    tokio::time::timeout(limit, work).await.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()))
}

fn is_loopback(host: &str) -> bool {
    host == "localhost" || host.parse::<std::net::IpAddr>().is_ok_and(|address| address.is_loopback())
}

fn certificates(option: &str, path: &Path) -> Result<Vec<CertificateDer<'static>>, Failure> {
    let wrong = |why: String| Failure::Broken(format!("{option} {}: {why}", path.display()));
    let all: Result<Vec<_>, _> =
        CertificateDer::pem_file_iter(path).and_then(|certificates| certificates.collect());
    match all {
        Ok(all) if all.is_empty() => Err(wrong("holds no certificate in PEM".to_owned())),
        Ok(all) => Ok(all),
        Err(error) => Err(wrong(error.to_string())),
    }
}

fn private_key(path: &Path) -> Result<PrivateKeyDer<'static>, Failure> {
    let wrong = |why: String| Failure::Broken(format!("--client-key {}: {why}", path.display()));
    let mode = std::fs::metadata(path).map_err(|error| wrong(error.to_string()))?.permissions().mode();
    if mode & 0o077 != 0 {
        return Err(wrong("can be read by others than its owner; run chmod 600 on it".to_owned()));
    }
    PrivateKeyDer::from_pem_file(path).map_err(|error| wrong(error.to_string()))
}
