//! The accept loop. Our own, because `axum::serve` installs no timer, so that its header timeout
//! does nothing and slow clients hold connections for ever.

use std::io;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use axum::{Extension, Router};
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::graceful::GracefulShutdown;
use hyper_util::service::TowerToHyperService;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, UnixListener};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};

use super::peer::Peer;
use super::write_timeout::WriteTimeout;

/// Connections at once over TCP; the next ones wait in the kernel's backlog. With those of the Unix
/// socket, the index and the workers they fit in 1024 file descriptors, a process's usual limit.
const TCP_PLACES: usize = 512;
/// The same for the Unix socket, apart: the operator gets in when TCP is full.
const UNIX_PLACES: usize = 64;
/// A request's head must have arrived after so long; also ends idle connections.
const HEAD_TIMEOUT: Duration = Duration::from_secs(15);
/// A client that takes nothing of its answer for so long is given up.
const WRITE_TIMEOUT: Duration = Duration::from_secs(15);
/// Bytes of a request's head; more is answered 431.
const HEAD_LIMIT: usize = 16 * 1024;
/// Header fields of a request; more is answered 431.
const MOST_HEADERS: usize = 64;
/// After a stop is asked for, requests that are being answered get so long.
const GRACE: Duration = Duration::from_secs(10);

/// Serves `router` on both listeners until `stop` says true, then lets running requests end.
pub async fn serve(tcp: TcpListener, unix: UnixListener, router: Router, stop: watch::Receiver<bool>) {
    let graceful = GracefulShutdown::new();
    let over_tcp = async || {
        let (stream, address) = tcp.accept().await?;
        let _ = stream.set_nodelay(true);
        Ok((stream, Peer::Tcp { address }))
    };
    let over_unix = async || {
        let stream = unix.accept().await?.0;
        let credentials = stream.peer_cred()?;
        let pid = credentials.pid().and_then(|pid| u32::try_from(pid).ok());
        Ok((stream, Peer::Unix { uid: credentials.uid(), gid: credentials.gid(), pid }))
    };
    tokio::join!(
        accept_all(over_tcp, TCP_PLACES, &router, &graceful, stop.clone()),
        accept_all(over_unix, UNIX_PLACES, &router, &graceful, stop),
    );
    drop((tcp, unix));
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

async fn accept_all<S>(
    accept: impl AsyncFn() -> io::Result<(S, Peer)>,
    places: usize,
    router: &Router,
    graceful: &GracefulShutdown,
    mut stop: watch::Receiver<bool>,
) where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let places = Arc::new(Semaphore::new(places));
    loop {
        let next = async {
            let place = Arc::clone(&places).acquire_owned().await.map_err(io::Error::other)?;
            io::Result::Ok((accept().await?, place))
        };
        tokio::select! {
            next = next => match next {
                Ok(((stream, peer), place)) => connection(stream, peer, router, graceful, place),
                Err(error) => pause_after(&error).await,
            },
            _ = stop.wait_for(|stop| *stop) => return,
        }
    }
}

fn connection<S>(
    stream: S,
    peer: Peer,
    router: &Router,
    graceful: &GracefulShutdown,
    place: OwnedSemaphorePermit,
) where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let stream = WriteTimeout::new(stream, WRITE_TIMEOUT);
    let router = router.clone().layer(Extension(peer));
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD_TIMEOUT)
        .max_buf_size(HEAD_LIMIT)
        .max_headers(MOST_HEADERS)
        .serve_connection(TokioIo::new(stream), TowerToHyperService::new(router));
    let connection = graceful.watch(connection);
    tokio::spawn(async move {
        if let Err(error) = connection.await {
            tracing::debug!(%error, "a connection ended badly");
        }
        drop(place);
    });
}

/// Out of file descriptors, for one: accepting again at once would spin.
async fn pause_after(error: &io::Error) {
    tracing::error!(%error, "cannot accept a connection");
    tokio::time::sleep(Duration::from_millis(100)).await;
}

#[cfg(test)]
mod tests {
    use axum::routing::get;
    use tokio::io::AsyncWriteExt;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_client_that_does_not_read_loses_its_place() {
        let places = Arc::new(Semaphore::new(1));
        let place = Arc::clone(&places).acquire_owned().await.unwrap();
        let router = Router::new().route("/", get(async || "x".repeat(100_000)));
        let (ours, mut client) = tokio::io::duplex(1024);
        let graceful = GracefulShutdown::new();
        connection(ours, Peer::Unix { uid: 0, gid: 0, pid: None }, &router, &graceful, place);
        client.write_all(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n").await.unwrap();
        let given_back = tokio::time::timeout(WRITE_TIMEOUT * 2, places.acquire()).await;
        assert!(given_back.is_ok(), "the place is held");
    }

    #[tokio::test]
    async fn a_stop_is_heeded_while_every_place_is_taken() {
        let (stop, stopped) = watch::channel(false);
        let accept = async || Ok((tokio::io::duplex(1).0, Peer::Unix { uid: 0, gid: 0, pid: None }));
        let (router, graceful) = (Router::new(), GracefulShutdown::new());
        let accepting = accept_all(accept, 0, &router, &graceful, stopped);
        stop.send_replace(true);
        let ended = tokio::time::timeout(Duration::from_secs(60), accepting).await;
        assert!(ended.is_ok(), "it waits for a place");
    }
}
