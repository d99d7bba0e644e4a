//! A lean HTTP/1.1 client over one kept connection: a real one would take the processor time that
//! it is to measure.

use std::io::{BufRead as _, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;

use rustls::{ClientConfig, ClientConnection, StreamOwned};
use serde_json::Value;

pub struct Client(BufReader<Box<dyn Stream>>);

trait Stream: Read + Write + Send {}

impl<S: Read + Write + Send> Stream for S {}

pub struct Reply {
    pub status: u16,
    pub body: Vec<u8>,
    pub etag: Option<String>,
}

impl Reply {
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap()
    }
}

/// The bytes of a GET.
pub fn get(path: &str, api_key: &str) -> Vec<u8> {
    format!("GET {path} HTTP/1.1\r\nhost: bench\r\nauthorization: Bearer {api_key}\r\n\r\n").into_bytes()
}

/// The bytes of a GET of what is public, unless it is what the client has.
pub fn get_unless(path: &str, etag: &str) -> Vec<u8> {
    format!("GET {path} HTTP/1.1\r\nhost: bench\r\nif-none-match: {etag}\r\n\r\n").into_bytes()
}

/// The bytes of a POST of JSON, with more headers, a line each.
pub fn post(path: &str, api_key: &str, headers: &str, body: &str) -> Vec<u8> {
    format!(
        "POST {path} HTTP/1.1\r\nhost: bench\r\nauthorization: Bearer {api_key}\r\n\
         content-type: application/json\r\ncontent-length: {}\r\n{headers}\r\n{body}",
        body.len()
    )
    .into_bytes()
}

impl Client {
    pub fn connect(address: SocketAddr) -> Self {
        Self(BufReader::new(Box::new(tcp(address))))
    }

    /// The handshake is made with the first request.
    pub fn connect_tls(address: SocketAddr, config: &Arc<ClientConfig>) -> Self {
        let tls = ClientConnection::new(Arc::clone(config), address.ip().into()).unwrap();
        Self(BufReader::new(Box::new(StreamOwned::new(tls, tcp(address)))))
    }

    /// Sends a request and reads the answer, whose length its head must tell.
    pub fn send(&mut self, request: &[u8]) -> Reply {
        self.0.get_mut().write_all(request).unwrap();
        let status_line = self.line();
        let status = status_line.split(' ').nth(1).unwrap().parse().unwrap();
        let (mut length, mut etag) = (None, None);
        loop {
            let line = self.line();
            if line.is_empty() {
                break;
            }
            let (name, value) = line.split_once(':').unwrap();
            if name.eq_ignore_ascii_case("content-length") {
                length = value.trim().parse().ok();
            } else if name.eq_ignore_ascii_case("etag") {
                etag = Some(value.trim().to_owned());
            }
        }
        // 304 has none.
        let length = if status == 304 { 0 } else { length.expect("content-length") };
        let mut body = vec![0; length];
        self.0.read_exact(&mut body).unwrap();
        Reply { status, body, etag }
    }

    fn line(&mut self) -> String {
        let mut line = String::new();
        self.0.read_line(&mut line).unwrap();
        assert!(line.ends_with("\r\n"), "the service closed the connection");
        line.truncate(line.len() - 2);
        line
    }
}

fn tcp(address: SocketAddr) -> TcpStream {
    let stream = TcpStream::connect(address).unwrap();
    stream.set_nodelay(true).unwrap();
    stream
}
