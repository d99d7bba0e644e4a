use axum::Extension;
use axum::routing::get;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::*;

fn tcp_peer() -> Peer {
    Peer::Tcp { address: ([127, 0, 0, 1], 1).into() }
}

#[tokio::test(start_paused = true)]
async fn a_client_that_does_not_read_loses_its_place() {
    let places = Arc::new(Semaphore::new(1));
    let place = Arc::clone(&places).acquire_owned().await.unwrap();
    let router = Router::new().route("/", get(async || "x".repeat(100_000)));
    let (ours, mut client) = tokio::io::duplex(1024);
    let (_stop, stopped) = watch::channel(false);
    let graceful = GracefulShutdown::new();
    let opened = ready(Ok((WriteTimeout::new(ours, WRITE_TIMEOUT), tcp_peer())));
    connection(opened, &router, &graceful, stopped, place);
    client.write_all(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n").await.unwrap();
    let given_back = tokio::time::timeout(WRITE_TIMEOUT * 2, places.acquire()).await;
    assert!(given_back.is_ok(), "the place is held");
}

#[tokio::test]
async fn a_stop_is_heeded_while_every_place_is_taken() {
    let (stop, stopped) = watch::channel(false);
    let accept = async || Ok(ready(Ok((tokio::io::duplex(1).0, tcp_peer()))));
    let (router, graceful, places) = (Router::new(), GracefulShutdown::new(), Arc::new(Semaphore::new(0)));
    let accepting = accept_all(accept, &places, &router, &graceful, stopped);
    stop.send_replace(true);
    let ended = tokio::time::timeout(Duration::from_secs(60), accepting).await;
    assert!(ended.is_ok(), "it waits for a place");
}

#[tokio::test]
async fn a_stop_does_not_wait_for_a_handshake() {
    let (stop, stopped) = watch::channel(false);
    let places = Arc::new(Semaphore::new(1));
    let place = Arc::clone(&places).acquire_owned().await.unwrap();
    let never = std::future::pending::<io::Result<(tokio::io::DuplexStream, Peer)>>();
    let graceful = GracefulShutdown::new();
    connection(never, &Router::new(), &graceful, stopped, place);
    stop.send_replace(true);
    tokio::time::timeout(Duration::from_secs(60), graceful.shutdown()).await.unwrap();
}

#[tokio::test]
async fn a_request_over_the_unix_socket_says_whose_process_asks() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("socket");
    let listener = bind_unix(&path).unwrap();
    let router = Router::new().route("/", get(async |Extension(peer): Extension<Peer>| format!("{peer:?}")));
    let (_stop, stopped) = watch::channel(false);
    let place = Arc::new(Semaphore::new(1)).acquire_owned().await.unwrap();
    let mut client = UnixStream::connect(&path).await.unwrap();
    let (accepted, _) = listener.accept().await.unwrap();
    let graceful = GracefulShutdown::new();
    connection(ready(identified(accepted)), &router, &graceful, stopped, place);
    client.write_all(b"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n").await.unwrap();
    let mut answer = String::new();
    client.read_to_string(&mut answer).await.unwrap();
    let (uid, gid) = (rustix::process::getuid().as_raw(), rustix::process::getgid().as_raw());
    let us = Peer::Unix { uid, gid, pid: Some(std::process::id()) };
    assert!(answer.ends_with(&format!("{us:?}")), "{answer}");
}
