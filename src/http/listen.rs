//! The accept loop. Our own, because `axum::serve` installs no timer, so that its header timeout
//! does nothing and slow clients hold connections for ever.

use std::io;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::graceful::GracefulShutdown;
use hyper_util::service::TowerToHyperService;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, UnixListener};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};

/// Connections at once, over all listeners; the next ones wait in the kernel's backlog.
const MOST_CONNECTIONS: usize = 1024;
/// A request's head must have arrived after so long; also ends idle connections.
const HEAD_TIMEOUT: Duration = Duration::from_secs(15);
/// Bytes of a request's head; more is answered 431.
const HEAD_LIMIT: usize = 16 * 1024;
/// Header fields of a request; more is answered 431.
const MOST_HEADERS: usize = 64;
/// After a stop is asked for, requests that are being answered get so long.
const GRACE: Duration = Duration::from_secs(10);

/// Serves `router` on both listeners until `stop` says true, then lets running requests end.
pub async fn serve(tcp: TcpListener, unix: UnixListener, router: Router, mut stop: watch::Receiver<bool>) {
    let places = Arc::new(Semaphore::new(MOST_CONNECTIONS));
    let graceful = GracefulShutdown::new();
    loop {
        let Ok(place) = Arc::clone(&places).acquire_owned().await else { break };
        tokio::select! {
            accepted = tcp.accept() => match accepted {
                Ok((stream, _)) => {
                    let _ = stream.set_nodelay(true);
                    connection(stream, &router, &graceful, place);
                }
                Err(error) => pause_after(&error).await,
            },
            accepted = unix.accept() => match accepted {
                Ok((stream, _)) => connection(stream, &router, &graceful, place),
                Err(error) => pause_after(&error).await,
            },
            _ = stop.wait_for(|stop| *stop) => break,
        }
    }
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

fn connection<S>(stream: S, router: &Router, graceful: &GracefulShutdown, place: OwnedSemaphorePermit)
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD_TIMEOUT)
        .max_buf_size(HEAD_LIMIT)
        .max_headers(MOST_HEADERS)
        .serve_connection(TokioIo::new(stream), TowerToHyperService::new(router.clone()));
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
