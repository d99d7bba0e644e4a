//! One worker process: its start, the socket pair to it, and its end.

use std::collections::BTreeMap;
use std::os::fd::OwnedFd;
use std::path::Path;
use std::process::Stdio;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::UnixStream;
use tokio::net::unix::{OwnedReadHalf, OwnedWriteHalf};
use tokio::process::{Child, Command};
use zeroize::Zeroizing;

use crate::hsm::error::{Error, Kind};
use crate::hsm::protocol::{self, Frames, FromWorker, Hello, ToWorker};

/// The only argument of the executable when it is a worker.
pub const WORKER: &str = "worker";

/// Variables that a worker inherits beside those of its token: modules look for configuration
/// below HOME and for helpers in PATH.
const INHERITED: &[&str] = &["PATH", "HOME", "LANG"];

/// A running worker.
pub(super) struct Worker {
    child: Child,
    /// What comes from it.
    pub(super) incoming: Incoming,
    /// Where messages to it are written.
    pub(super) outgoing: OwnedWriteHalf,
}

impl Worker {
    /// Starts a worker and greets it. Its environment has `env`, and of this process what is
    /// `handed_on`.
    ///
    /// # Errors
    /// The executable cannot be started.
    pub(super) async fn start(
        executable: &Path,
        env: &BTreeMap<String, String>,
        handed_on: &[String],
        hello: Hello,
    ) -> Result<Self, Error> {
        let failed = |cause: std::io::Error| {
            let path = executable.display();
            Error::new(Kind::Unavailable, format!("cannot start the token's worker process {path}"))
                .because(cause)
        };
        let (ours, theirs) = std::os::unix::net::UnixStream::pair().map_err(failed)?;
        ours.set_nonblocking(true).map_err(failed)?;
        let inherited = INHERITED.iter().copied().chain(handed_on.iter().map(String::as_str));
        let child = Command::new(executable)
            .arg(WORKER)
            .env_clear()
            .envs(inherited.filter_map(|name| Some((name, std::env::var_os(name)?))))
            .envs(env)
            .stdin(Stdio::from(OwnedFd::from(theirs)))
            // Vendor modules print to it.
            .stdout(Stdio::null())
            .kill_on_drop(true)
            // Ctrl-C on the service's terminal is for the service, which ends its workers in order.
            .process_group(0)
            .spawn()
            .map_err(failed)?;
        let (read, write) = UnixStream::from_std(ours).map_err(failed)?.into_split();
        let incoming = Incoming { socket: read, frames: Frames::default() };
        let mut worker = Self { child, incoming, outgoing: write };
        worker.greet(hello).await?;
        Ok(worker)
    }

    async fn greet(&mut self, hello: Hello) -> Result<(), Error> {
        let mut frame = Zeroizing::new(Vec::new());
        protocol::encode(&ToWorker::Hello(Box::new(hello)), &mut frame)?;
        // It fails only when the worker has died; reading tells.
        let _ = self.outgoing.write_all(&frame).await;
        Ok(())
    }

    /// Kills the process and waits for its end: from then on its lock is free and nothing more is
    /// written to the socket.
    pub(super) async fn kill(&mut self) {
        // It fails only when the process has ended already.
        let _ = self.child.kill().await;
    }
}

/// Messages from a worker.
pub(super) struct Incoming {
    socket: OwnedReadHalf,
    frames: Frames,
}

impl Incoming {
    /// The next message; `None` when the worker has died. May be dropped and called again without
    /// losing one.
    ///
    /// # Errors
    /// Bytes that are no message.
    pub(super) async fn next(&mut self) -> Result<Option<FromWorker>, Error> {
        loop {
            if let Some(message) = self.frames.next()? {
                return Ok(Some(message));
            }
            match self.socket.read_buf(self.frames.buffer()).await {
                // A reset is an end as well: the worker died with unread messages.
                Ok(0) | Err(_) => return Ok(None),
                Ok(_) => {}
            }
        }
    }
}
