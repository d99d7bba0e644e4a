//! From a connection to the HTTPS port to a stream of requests: the TLS handshake, its deadline, and a
//! word to those who do not speak TLS.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use rustls::ServerConfig;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

use super::listen::WRITE_TIMEOUT;
use super::peer::{ClientCertificate, Peer};
use super::write_timeout::WriteTimeout;

/// A handshake must be done after so long.
const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(10);
/// A client that was turned away may take so long to read why.
const LINGER: Duration = Duration::from_secs(2);
/// What it sends meanwhile is thrown away, up to so many bytes.
const LINGER_BYTES: u64 = 64 * 1024;
/// For those who leave the `s` out of `https`.
const SPEAKS_HTTPS: &str = "HTTP/1.1 400 Bad Request\r\n\
    content-type: text/plain; charset=utf-8\r\n\
    connection: close\r\n\r\n\
    this port speaks HTTPS: use https:// in the URL\n";

/// Shakes hands with a client.
///
/// # Errors
/// Why that did not come to an end; the client was told as far as its protocol can tell it.
pub(super) async fn accept(
    stream: TcpStream,
    address: SocketAddr,
    config: Arc<ServerConfig>,
) -> io::Result<(TlsStream<WriteTimeout<TcpStream>>, Peer)> {
    let handshake = timeout(HANDSHAKE_TIMEOUT, shake_hands(stream, address, config)).await;
    let handshake = handshake.unwrap_or_else(|_| Err(io::Error::other("the handshake took too long")));
    handshake.map_err(|error| io::Error::new(error.kind(), format!("{address}: {error}")))
}

async fn shake_hands(
    mut stream: TcpStream,
    address: SocketAddr,
    config: Arc<ServerConfig>,
) -> io::Result<(TlsStream<WriteTimeout<TcpStream>>, Peer)> {
    if speaks_http(&stream).await? {
        stream.write_all(SPEAKS_HTTPS.as_bytes()).await?;
        linger(stream).await;
        return Err(io::Error::other("plain HTTP to the HTTPS port"));
    }
    let stream = WriteTimeout::new(stream, WRITE_TIMEOUT);
    match TlsAcceptor::from(config).accept(stream).into_fallible().await {
        Ok(stream) => {
            let leaf = stream.get_ref().1.peer_certificates().and_then(<[_]>::first);
            let certificate = leaf.map(|leaf| ClientCertificate::read(leaf)).transpose();
            let certificate = certificate.map_err(io::Error::other)?;
            Ok((stream, Peer::Tls { address, certificate }))
        }
        Err((error, stream)) => {
            linger(stream).await;
            Err(error)
        }
    }
}

/// A method begins with a letter (RFC 9110 section 9.1); a TLS record with a number below 25 (RFC 8446
/// section 5.1).
async fn speaks_http(stream: &TcpStream) -> io::Result<bool> {
    let mut first = [0];
    Ok(stream.peek(&mut first).await? == 1 && first[0].is_ascii_alphabetic())
}

/// Closes a connection so that the client can read what it was told: with unread bytes on our side the
/// kernel would send a reset, which overtakes the answer (RFC 9112 section 9.6).
async fn linger(mut stream: impl AsyncRead + AsyncWrite + Unpin) {
    let _ = stream.shutdown().await;
    let mut rest = stream.take(LINGER_BYTES);
    let _ = timeout(LINGER, tokio::io::copy(&mut rest, &mut tokio::io::sink())).await;
}

#[cfg(test)]
mod tests {
    use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair};
    use rustls::pki_types::{PrivateKeyDer, ServerName};
    use rustls::{ClientConfig, RootCertStore};
    use tokio::net::TcpListener;
    use tokio_rustls::TlsConnector;

    use super::*;
    use crate::http::tls::{Clients, Files};

    #[tokio::test]
    async fn who_showed_a_certificate_is_known_by_it_and_others_by_none() {
        let dir = tempfile::tempdir().unwrap();
        let ca_key = KeyPair::generate().unwrap();
        let mut ca = CertificateParams::default();
        ca.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let root = ca.self_signed(&ca_key).unwrap();
        let issuer = Issuer::new(ca, ca_key);
        let (server_key, client_key) = (KeyPair::generate().unwrap(), KeyPair::generate().unwrap());
        let server = CertificateParams::new(vec!["localhost".to_owned()]).unwrap();
        let server = server.signed_by(&server_key, &issuer).unwrap();
        let mut client = CertificateParams::default();
        client.distinguished_name.push(DnType::CommonName, "robot");
        let client = client.signed_by(&client_key, &issuer).unwrap();

        let write = |name: &str, pem: String| {
            use std::os::unix::fs::PermissionsExt;
            let path = dir.path().join(name);
            std::fs::write(&path, pem).unwrap();
            std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600)).unwrap();
            path
        };
        let files = Files {
            certificate: write("certificate", server.pem()),
            key: write("key", server_key.serialize_pem()),
            clients: Some(Clients { ca: write("ca", root.pem()), required: false }),
        };
        let config = files.load().unwrap().config;

        let mut roots = RootCertStore::empty();
        roots.add(root.der().clone()).unwrap();
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let builder = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
        let builder = builder.unwrap().with_root_certificates(roots);
        let key = PrivateKeyDer::try_from(client_key.serialize_der()).unwrap();
        let with = builder.clone().with_client_auth_cert(vec![client.der().clone()], key).unwrap();
        let without = builder.with_no_client_auth();

        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap();
        for (client_config, shown) in [(with, Some(client.der())), (without, None)] {
            let stream = TcpStream::connect(port).await.unwrap();
            let (accepted, address) = listener.accept().await.unwrap();
            let name = ServerName::try_from("localhost").unwrap();
            let connector = TlsConnector::from(Arc::new(client_config));
            let (ours, theirs) =
                tokio::join!(accept(accepted, address, Arc::clone(&config)), connector.connect(name, stream));
            theirs.unwrap();
            let certificate = shown.map(|der| ClientCertificate::read(der).unwrap());
            assert_eq!(ours.unwrap().1, Peer::Tls { address, certificate });
        }
    }
}
