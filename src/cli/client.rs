//! The client of the native API over the service's Unix socket.

use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use http_body_util::{BodyExt, Full};
use hyper::body::Bytes;
use hyper::{Method, Request, StatusCode, header};
use hyper_util::rt::TokioIo;
use serde::de::DeserializeOwned;
use tokio::net::UnixStream;
use zeroize::Zeroizing;

use super::args::Target;
use super::command::config;
use super::report::Failure;
use crate::api;
use crate::config::Config;

/// A service that runs takes a connection at once.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// The service answers everything but probes within 120 s, the longest wait of a create.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(150);

/// Talks to the service of one configuration.
pub struct Client {
    runtime: tokio::runtime::Runtime,
    socket: PathBuf,
    /// `None`: the socket tells whose process this is.
    api_key: Option<Zeroizing<String>>,
    tenant: Option<String>,
}

/// One call: the path is below the native prefix.
pub struct Call<'a> {
    /// The method.
    pub method: Method,
    /// Path and query.
    pub path: String,
    /// Body with its content type.
    pub body: Option<(&'a str, Vec<u8>)>,
    /// More header fields.
    pub headers: Vec<(&'static str, String)>,
    /// How long the answer may take.
    pub patience: Duration,
}

impl<'a> Call<'a> {
    /// A call without a body.
    pub fn new(method: Method, path: impl Into<String>) -> Self {
        Self { method, path: path.into(), body: None, headers: Vec::new(), patience: ANSWER_TIMEOUT }
    }
}

impl Client {
    /// For the service of the configuration; connects with each call.
    ///
    /// # Errors
    /// The configuration or the API key file cannot be read.
    pub fn new(target: &Target) -> Result<Self, Failure> {
        let config = config(&target.config)?;
        let api_key = match &target.api_key_file {
            Some(path) => Some(api_key(path, "it was given with --api-key-file")?),
            None => {
                let path = config.api_key_file();
                // Where the file is switched off or another user's, the uid may do.
                let known_by_uid = !config.use_api_key_file || is_another_users(&path);
                let hint = "the service makes it when it starts; is it this data directory, and this user's?";
                if known_by_uid { None } else { Some(api_key(&path, hint)?) }
            }
        };
        Self::with(&config, target, api_key)
    }

    /// The same, showing no API key.
    ///
    /// # Errors
    /// The configuration cannot be read.
    pub fn without_api_key(target: &Target) -> Result<Self, Failure> {
        Self::with(&config(&target.config)?, target, None)
    }

    fn with(config: &Config, target: &Target, api_key: Option<Zeroizing<String>>) -> Result<Self, Failure> {
        let runtime =
            tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(Failure::broken)?;
        Ok(Self { runtime, socket: config.socket(), api_key, tenant: target.tenant.clone() })
    }

    /// A call that answers JSON.
    ///
    /// # Errors
    /// The service cannot be reached or does not answer in time, or refuses: its problem document.
    pub fn json<T: DeserializeOwned>(&self, call: Call<'_>) -> Result<(StatusCode, T), Failure> {
        let (status, bytes) = self.bytes(call)?;
        let value = serde_json::from_slice(&bytes)
            .map_err(|error| Failure::Broken(format!("the service's answer is not understood: {error}")))?;
        Ok((status, value))
    }

    /// A call that answers bytes.
    ///
    /// # Errors
    /// As for [`Client::json`].
    pub fn bytes(&self, call: Call<'_>) -> Result<(StatusCode, Bytes), Failure> {
        let patience = call.patience;
        let answer =
            self.runtime.block_on(async { tokio::time::timeout(patience, self.exchange(call)).await });
        let (status, bytes) = answer.map_err(|_| {
            let (socket, seconds) = (self.socket.display(), patience.as_secs());
            Failure::Unavailable(format!("the service at {socket} did not answer within {seconds} s"))
        })??;
        if status.is_success() { Ok((status, bytes)) } else { Err(refusal(status, &bytes)) }
    }

    async fn exchange(&self, call: Call<'_>) -> Result<(StatusCode, Bytes), Failure> {
        let lost = |error: &dyn std::fmt::Display| {
            Failure::Unavailable(format!("the service at {}: {error}", self.socket.display()))
        };
        let connected = tokio::time::timeout(CONNECT_TIMEOUT, UnixStream::connect(&self.socket)).await;
        let stream = connected.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into())).map_err(|error| {
            let hint = "hint: is `strongroom serve` running with this configuration?";
            Failure::Unavailable(format!(
                "cannot reach the service at {}: {error}\n{hint}",
                self.socket.display()
            ))
        })?;
        let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream))
            .await
            .map_err(|error| lost(&error))?;
        tokio::spawn(connection);
        let mut request = Request::builder()
            .method(call.method)
            .uri(format!("{}{}", api::PREFIX, call.path))
            .header(header::HOST, "strongroom");
        if let Some(api_key) = &self.api_key {
            request = request.header(header::AUTHORIZATION, format!("Bearer {}", api_key.as_str()));
        }
        if let Some(tenant) = &self.tenant {
            request = request.header("strongroom-tenant", tenant);
        }
        for (name, value) in call.headers {
            request = request.header(name, value);
        }
        let body = match call.body {
            Some((content_type, body)) => {
                request = request.header(header::CONTENT_TYPE, content_type);
                Bytes::from(body)
            }
            None => Bytes::new(),
        };
        let request = request
            .body(Full::new(body))
            .map_err(|error| Failure::Refused(format!("that cannot be sent: {error}")))?;
        let response = sender.send_request(request).await.map_err(|error| lost(&error))?;
        let status = response.status();
        let bytes = response.into_body().collect().await.map_err(|error| lost(&error))?.to_bytes();
        Ok((status, bytes))
    }
}

/// What is wrong with it besides is told when it is read.
fn is_another_users(path: &Path) -> bool {
    matches!(std::fs::File::open(path), Err(error) if error.kind() == io::ErrorKind::PermissionDenied)
}

fn api_key(path: &Path, hint: &str) -> Result<Zeroizing<String>, Failure> {
    let text = std::fs::read_to_string(path).map(Zeroizing::new).map_err(|error| {
        let path = path.display();
        Failure::Unavailable(format!("cannot read the API key file {path}: {error}\nhint: {hint}"))
    })?;
    Ok(Zeroizing::new(text.trim().to_owned()))
}

fn refusal(status: StatusCode, bytes: &[u8]) -> Failure {
    match serde_json::from_slice(bytes) {
        Ok(problem) => Failure::Problem(Box::new(problem)),
        // hyper's own refusals of a head have no document.
        Err(_) if status.is_client_error() => Failure::Refused(format!("the service answered {status}")),
        Err(_) => Failure::Broken(format!("the service answered {status}")),
    }
}

/// Escapes a value for a path or query (RFC 3986 section 2.1): what is not unreserved.
pub fn escape(text: &str) -> String {
    text.bytes()
        .map(|byte| match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => {
                char::from(byte).to_string()
            }
            other => format!("%{other:02X}"),
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_service_that_does_not_answer_is_given_up() {
        let dir = tempfile::tempdir().unwrap();
        let socket = dir.path().join("silent.sock");
        let _silent = std::os::unix::net::UnixListener::bind(&socket).unwrap();
        let runtime =
            tokio::runtime::Builder::new_current_thread().enable_all().start_paused(true).build().unwrap();
        let client = Client { runtime, socket, api_key: None, tenant: None };
        let failure = client.bytes(Call::new(Method::GET, "/csrs")).unwrap_err();
        assert!(matches!(&failure, Failure::Unavailable(text) if text.contains("within 150 s")), "{failure}");
    }
}
