//! The accept loop. Our own, because `axum::serve` installs no timer, so that its header timeout
//! does nothing and slow clients hold connections for ever.

use std::future::ready;
use std::io;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use hyper::Request;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::{Service, service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::graceful::GracefulShutdown;
use hyper_util::service::TowerToHyperService;
use rustls::ServerConfig;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, UnixListener, UnixStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};

use super::handshake;
use super::peer::Peer;
use super::write_timeout::WriteTimeout;

/// Connections at once over TCP, with and without TLS; the next ones wait in the kernel's backlog. With
/// those of the Unix socket, the index and the workers they fit in 1024 file descriptors, a process's
/// usual limit.
const TCP_PLACES: usize = 512;
/// The same for the Unix socket, apart: the operator gets in when TCP is full.
const UNIX_PLACES: usize = 64;
/// A request's head must have arrived after so long; also ends idle connections.
const HEAD_TIMEOUT: Duration = Duration::from_secs(15);
/// A client that takes nothing of its answer for so long is given up.
pub(super) const WRITE_TIMEOUT: Duration = Duration::from_secs(15);
/// Bytes of a request's head; more is answered 431.
const HEAD_LIMIT: usize = 16 * 1024;
/// Header fields of a request; more is answered 431.
const MOST_HEADERS: usize = 64;
/// After a stop is asked for, requests that are being answered get so long.
const GRACE: Duration = Duration::from_secs(10);

/// Where connections come from.
pub struct Listeners {
    /// Plain HTTP.
    pub tcp: TcpListener,
    /// HTTPS.
    pub tls: Option<TlsListener>,
    /// Plain HTTP for this machine.
    pub unix: UnixListener,
}

/// Where HTTPS connections come from.
pub struct TlsListener {
    /// The socket.
    pub tcp: TcpListener,
    /// What new connections are shown and asked for; those that are open keep what they had.
    pub config: watch::Receiver<Arc<ServerConfig>>,
}

/// Serves `router` on all listeners until `stop` says true, then lets running requests end.
pub async fn serve(listeners: Listeners, router: Router, stop: watch::Receiver<bool>) {
    let graceful = GracefulShutdown::new();
    let tcp_places = Arc::new(Semaphore::new(TCP_PLACES));
    let unix_places = Arc::new(Semaphore::new(UNIX_PLACES));
    let over_tcp = async || {
        let (stream, address) = listeners.tcp.accept().await?;
        let _ = stream.set_nodelay(true);
        Ok(ready(Ok((WriteTimeout::new(stream, WRITE_TIMEOUT), Peer::Tcp { address }))))
    };
    let over_unix = async || {
        let (stream, _) = listeners.unix.accept().await?;
        Ok(ready(identified(stream)))
    };
    let over_tls = async {
        let Some(TlsListener { tcp, config }) = &listeners.tls else { return };
        let accept = async || {
            let (stream, address) = tcp.accept().await?;
            let _ = stream.set_nodelay(true);
            let config = Arc::clone(&config.borrow());
            Ok(handshake::accept(stream, address, config))
        };
        accept_all(accept, &tcp_places, &router, &graceful, stop.clone()).await;
    };
    tokio::join!(
        accept_all(over_tcp, &tcp_places, &router, &graceful, stop.clone()),
        over_tls,
        accept_all(over_unix, &unix_places, &router, &graceful, stop.clone()),
    );
    drop(listeners);
    if tokio::time::timeout(GRACE, graceful.shutdown()).await.is_err() {
        tracing::warn!("some requests did not end in time and were cut");
    }
}

/// Binds the Unix socket with mode 0660, over one that a killed service left behind.
///
/// # Errors
/// The directory cannot be written. That no other service uses the socket is the caller's to know.
pub fn bind_unix(path: &Path) -> io::Result<UnixListener> {
    use std::os::unix::fs::PermissionsExt;

    match std::fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let listener = UnixListener::bind(path)?;
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o660))?;
    Ok(listener)
}

/// `accept` gives what is still to do before requests come, such as a handshake: that is done off the
/// accept path, in the connection's own task and place.
async fn accept_all<O, S>(
    accept: impl AsyncFn() -> io::Result<O>,
    places: &Arc<Semaphore>,
    router: &Router,
    graceful: &GracefulShutdown,
    mut stop: watch::Receiver<bool>,
) where
    O: Future<Output = io::Result<(S, Peer)>> + Send + 'static,
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let stopped = stop.clone();
    loop {
        let next = async {
            let place = Arc::clone(places).acquire_owned().await.map_err(io::Error::other)?;
            io::Result::Ok((accept().await?, place))
        };
        tokio::select! {
            next = next => match next {
                Ok((opening, place)) => connection(opening, router, graceful, stopped.clone(), place),
                Err(error) => pause_after(&error).await,
            },
            _ = stop.wait_for(|stop| *stop) => return,
        }
    }
}

fn connection<O, S>(
    opening: O,
    router: &Router,
    graceful: &GracefulShutdown,
    mut stop: watch::Receiver<bool>,
    place: OwnedSemaphorePermit,
) where
    O: Future<Output = io::Result<(S, Peer)>> + Send + 'static,
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let router = TowerToHyperService::new(router.clone());
    let watcher = graceful.watcher();
    tokio::spawn(async move {
        let opened = tokio::select! {
            biased;
            opened = opening => opened,
            // A handshake brings no request that a stop would have to wait for.
            _ = stop.wait_for(|stop| *stop) => return,
        };
        let (stream, peer) = match opened {
            Ok(opened) => opened,
            Err(error) => return tracing::debug!(%error, "a connection was not opened"),
        };
        let service = service_fn(move |mut request: Request<Incoming>| {
            request.extensions_mut().insert(peer.clone());
            router.call(request)
        });
        let connection = http1::Builder::new()
            .timer(TokioTimer::new())
            .header_read_timeout(HEAD_TIMEOUT)
            .max_buf_size(HEAD_LIMIT)
            .max_headers(MOST_HEADERS)
            .serve_connection(TokioIo::new(stream), service);
        if let Err(error) = watcher.watch(connection).await {
            tracing::debug!(%error, "a connection ended badly");
        }
        drop(place);
    });
}

fn identified(stream: UnixStream) -> io::Result<(WriteTimeout<UnixStream>, Peer)> {
    let client = stream.peer_cred()?;
    // 0 stands for a process outside our PID namespace.
    let pid = client.pid().and_then(|pid| u32::try_from(pid).ok()).filter(|pid| *pid != 0);
    let peer = Peer::Unix { uid: client.uid(), gid: client.gid(), pid };
    Ok((WriteTimeout::new(stream, WRITE_TIMEOUT), peer))
}

/// Out of file descriptors, for one: accepting again at once would spin.
async fn pause_after(error: &io::Error) {
    tracing::error!(%error, "cannot accept a connection");
    tokio::time::sleep(Duration::from_millis(100)).await;
}

#[cfg(test)]
mod tests;
