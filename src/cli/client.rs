//! The client of the native API: over the service's Unix socket, or from another machine over HTTPS.

mod endpoint;

use std::io;
use std::io::Write;
use std::path::Path;
use std::time::Duration;

use http_body_util::{BodyExt, Full};
use hyper::Response;
use hyper::body::Bytes;
use hyper::body::Incoming;
use hyper::{Method, Request, StatusCode, header};
use hyper_util::rt::TokioIo;
use serde::de::DeserializeOwned;
use zeroize::Zeroizing;

use super::args::Target;
use super::command::config;
use super::report::Failure;
use crate::api;
use endpoint::Endpoint;

/// The service answers everything but probes and backups within 120 s, the longest wait of a create.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(150);

/// Whether the service is well is known at once.
const LOOK_TIMEOUT: Duration = Duration::from_secs(10);
/// Between two pieces of a long answer.
const PIECE_TIMEOUT: Duration = Duration::from_secs(60);

/// Talks to one service.
pub struct Client {
    runtime: tokio::runtime::Runtime,
    endpoint: Endpoint,
    /// `None`: the socket tells whose process this is, or the client certificate does.
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
    /// For the service of `--server`, or else that of the configuration; connects with each call.
    ///
    /// # Errors
    /// The configuration, the API key file or a file of the TLS options cannot be used.
    pub fn new(target: &Target) -> Result<Self, Failure> {
        let given = target.api_key_file.as_deref();
        let given = given.map(|path| api_key(path, "it was given with --api-key-file")).transpose()?;
        if let Some(server) = &target.server {
            if given.is_none() && target.client_cert.is_none() {
                let needed = "--server needs --api-key-file, or --client-cert and --client-key";
                return Err(Failure::Broken(needed.to_owned()));
            }
            return Self::with(Endpoint::of_server(server, target)?, target, given);
        }
        let config = config(&target.config)?;
        let api_key = match given {
            Some(given) => Some(given),
            None => {
                let path = config.api_key_file();
                // Where the file is switched off or another user's, the uid may do.
                let known_by_uid = !config.use_api_key_file || is_another_users(&path);
                let hint = "the service makes it when it starts; is it this data directory, and this user's?";
                if known_by_uid { None } else { Some(api_key(&path, hint)?) }
            }
        };
        Self::with(Endpoint::Socket(config.socket()), target, api_key)
    }

    /// For the service of the configuration, which knows by the socket who calls.
    ///
    /// # Errors
    /// The configuration cannot be read, or another machine is meant.
    pub fn without_api_key(target: &Target) -> Result<Self, Failure> {
        if target.server.is_some() {
            let local =
                "this works over the Unix socket only; run it on the service's machine, without --server";
            return Err(Failure::Broken(local.to_owned()));
        }
        Self::with(Endpoint::Socket(config(&target.config)?.socket()), target, None)
    }

    fn with(
        endpoint: Endpoint,
        target: &Target,
        api_key: Option<Zeroizing<String>>,
    ) -> Result<Self, Failure> {
        let runtime =
            tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(Failure::broken)?;
        Ok(Self { runtime, endpoint, api_key, tenant: target.tenant.clone() })
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
        let (status, bytes) = answer.map_err(|_| self.too_slow(patience))??;
        if status.is_success() { Ok((status, bytes)) } else { Err(refusal(status, &bytes)) }
    }

    /// A call whose answer may be long: goes into `sink` as it comes. Answers the header `Repr-Digest`.
    ///
    /// # Errors
    /// As for [`Client::json`]; the answer breaks off, or `sink` takes no more.
    pub fn download(&self, call: Call<'_>, sink: &mut impl Write) -> Result<Option<String>, Failure> {
        let patience = call.patience;
        self.runtime.block_on(async {
            let response = tokio::time::timeout(patience, self.send(call)).await;
            let response = response.map_err(|_| self.too_slow(patience))??;
            let status = response.status();
            let digest = response.headers().get("repr-digest").and_then(|value| value.to_str().ok());
            let digest = digest.map(str::to_owned);
            let mut body = response.into_body();
            if !status.is_success() {
                let bytes = body.collect().await.map_err(|error| self.lost(&error))?.to_bytes();
                return Err(refusal(status, &bytes));
            }
            loop {
                let frame = tokio::time::timeout(PIECE_TIMEOUT, body.frame()).await;
                let Some(frame) = frame.map_err(|_| self.too_slow(PIECE_TIMEOUT))? else { return Ok(digest) };
                if let Ok(piece) = frame.map_err(|error| self.lost(&error))?.into_data() {
                    sink.write_all(&piece).map_err(Failure::broken)?;
                }
            }
        })
    }

    /// A GET whose answer is looked at whatever its status.
    ///
    /// # Errors
    /// The service cannot be reached or does not answer in time.
    pub fn look(&self, path: &str) -> Result<(StatusCode, Bytes), Failure> {
        let call = Call::new(Method::GET, path);
        let answer =
            self.runtime.block_on(async { tokio::time::timeout(LOOK_TIMEOUT, self.exchange(call)).await });
        answer.map_err(|_| self.too_slow(LOOK_TIMEOUT))?
    }

    async fn exchange(&self, call: Call<'_>) -> Result<(StatusCode, Bytes), Failure> {
        let response = self.send(call).await?;
        let status = response.status();
        let bytes = response.into_body().collect().await.map_err(|error| self.lost(&error))?.to_bytes();
        Ok((status, bytes))
    }

    async fn send(&self, call: Call<'_>) -> Result<Response<Incoming>, Failure> {
        let stream = self.endpoint.connect().await?;
        let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream))
            .await
            .map_err(|error| self.lost(&error))?;
        tokio::spawn(connection);
        let mut request = Request::builder()
            .method(call.method)
            .uri(format!("{}{}", api::PREFIX, call.path))
            .header(header::HOST, self.endpoint.authority());
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
        sender.send_request(request).await.map_err(|error| self.lost(&error))
    }

    fn lost(&self, error: &dyn std::fmt::Display) -> Failure {
        Failure::Unavailable(format!("the service at {}: {error}", self.endpoint))
    }

    fn too_slow(&self, limit: Duration) -> Failure {
        let (service, seconds) = (&self.endpoint, limit.as_secs());
        Failure::Unavailable(format!("the service at {service} did not answer within {seconds} s"))
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
        let endpoint = Endpoint::Socket(socket);
        let client = Client { runtime, endpoint, api_key: None, tenant: None };
        let failure = client.bytes(Call::new(Method::GET, "/csrs")).unwrap_err();
        assert!(matches!(&failure, Failure::Unavailable(text) if text.contains("within 150 s")), "{failure}");
    }
}
