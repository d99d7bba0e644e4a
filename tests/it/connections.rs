//! Clients that hang up, stall, or are too many: what was asked for is done all the same, and the
//! service stays in its operator's hands.

use std::fs;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use crate::harness::{Appliance, Service, p256};

/// What a stop may take: the grace for requests in progress, the workers' end, and a slow machine.
const STOP: Duration = Duration::from_secs(20);

#[test]
fn a_create_whose_client_hangs_up_is_finished() {
    let appliance = Appliance::new();
    let service = appliance.start_ready();
    let keys = appliance.private_keys();
    let body = p256("a.example.com").to_string();
    let headers = "Content-Type: application/json\r\nIdempotency-Key: order\r\n";

    // The intent waits for the index, which is ours for the moment.
    let index = rusqlite::Connection::open(appliance.data("strongroom.db")).unwrap();
    index.execute_batch("BEGIN IMMEDIATE").unwrap();
    let stream = send(&service, "POST", "/csrs", headers, &body);
    await_read(&service, &stream);
    service.await_that("the create is in flight", || {
        // Of a type that is refused, so that it can never be the create itself.
        let other = [("content-type", "text/plain"), ("idempotency-key", "order")];
        service.request("POST", "/csrs", &other, Some(body.as_bytes())).status == 409
    });
    hang_up(&service, stream);
    index.execute_batch("ROLLBACK").unwrap();

    service.await_that("the CSR is made", || service.get("/csrs").json()["items"][0]["status"] == "pending");
    let mut answer = None;
    service.await_that("the answer is kept", || {
        let json = [("idempotency-key", "order")];
        let reply = service.post_with("/csrs", &json, &p256("a.example.com"));
        let made = reply.status == 201;
        answer = Some(reply);
        made
    });
    let requests = service.get("/csrs").json()["items"].clone();
    assert_eq!(requests.as_array().unwrap().len(), 1, "{requests}");
    assert_eq!(answer.unwrap().json()["handle"], requests[0]["handle"]);
    assert_eq!(appliance.private_keys(), keys + 1);
}

#[test]
fn a_cancellation_whose_client_hangs_up_is_finished() {
    let appliance = Appliance::with_chaos();
    let service = appliance.start_ready();
    let csr = service.create("a.example.com");
    let key = format!("/keys/{}", csr["key"]["handle"].as_str().unwrap());
    appliance.chaos_rules("C_DestroyObject nth=1 sleep-ms=2000");
    let path = format!("/csrs/{}", csr["handle"].as_str().unwrap());
    let stream = send(&service, "DELETE", &path, "", "");
    service.await_that("the token destroys", || !appliance.chaos_log().is_empty());
    hang_up(&service, stream);
    service.await_that("the key is destroyed", || service.get(&key).json()["state"] == "destroyed");
}

#[test]
fn with_every_place_taken_the_operators_socket_answers_and_a_stop_is_heeded() {
    let appliance = Appliance::new();
    let mut service = appliance.start_ready();
    let places = 512;
    let _taken: Vec<TcpStream> = (0..places + 50)
        .map(|_| {
            let mut stream = TcpStream::connect(service.address()).unwrap();
            stream.write_all(b"GET /strongroom/v1/csrs HTTP/1.1\r\nHost").unwrap();
            stream
        })
        .collect();
    service.await_that("every place is taken", || {
        sockets(&service).iter().filter(|socket| socket.client_port != 0 && socket.unread == 0).count()
            >= places
    });
    let asked = Instant::now();
    let listed = appliance.cli(&["csr", "list"]);
    assert!(listed.status.success(), "{listed:?}");
    assert!(asked.elapsed() < Duration::from_secs(10), "it waited until a place was given up");

    let stopped = Instant::now();
    assert!(service.stop().success());
    assert!(stopped.elapsed() < STOP, "the stop took {:?}", stopped.elapsed());
}

/// Sends a request with a good API key, and does not wait for the answer.
fn send(service: &Service<'_>, method: &str, path: &str, headers: &str, body: &str) -> TcpStream {
    let mut stream = TcpStream::connect(service.address()).unwrap();
    let request = format!(
        "{method} /strongroom/v1{path} HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer {}\r\n{headers}\
         Content-Length: {}\r\n\r\n{body}",
        service.api_key(),
        body.len()
    );
    stream.write_all(request.as_bytes()).unwrap();
    stream
}

/// Waits until the service has taken what was sent from its socket.
fn await_read(service: &Service<'_>, stream: &TcpStream) {
    service.await_that("the request is read", || !is_unread(service, stream));
}

/// Ends a connection without an answer, and waits until the service has noticed.
fn hang_up(service: &Service<'_>, mut stream: TcpStream) {
    stream.set_nonblocking(true).unwrap();
    let answered = stream.read(&mut [0]);
    assert!(answered.is_err(), "it was answered before it was hung up");
    let address = stream.local_addr().unwrap();
    drop(stream);
    service.await_that("the service closes the connection", || {
        !sockets(service).iter().any(|socket| socket.client_port == address.port())
    });
}

fn is_unread(service: &Service<'_>, stream: &TcpStream) -> bool {
    let port = stream.local_addr().unwrap().port();
    sockets(service).iter().any(|socket| socket.client_port == port && socket.unread > 0)
}

/// The service's side of a connection.
struct Socket {
    client_port: u16,
    unread: u64,
}

fn sockets(service: &Service<'_>) -> Vec<Socket> {
    let port = service.address().rsplit(':').next().unwrap().parse::<u16>().unwrap();
    let table = fs::read_to_string(format!("/proc/{}/net/tcp", service.pid())).unwrap();
    let hex_port = |address: &str| u16::from_str_radix(address.rsplit(':').next().unwrap(), 16).unwrap();
    table
        .lines()
        .skip(1)
        .map(|line| line.split_whitespace().collect::<Vec<_>>())
        .filter(|fields| hex_port(fields[1]) == port)
        .map(|fields| Socket {
            client_port: hex_port(fields[2]),
            unread: u64::from_str_radix(fields[4].rsplit(':').next().unwrap(), 16).unwrap(),
        })
        .collect()
}
