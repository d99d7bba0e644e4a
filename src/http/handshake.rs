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
    handshake.unwrap_or_else(|_| Err(io::Error::new(io::ErrorKind::TimedOut, "the handshake took too long")))
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
