//! The worker's end of the socket.

use std::io::{self, Read as _, Write as _};
use std::os::fd::AsFd as _;
use std::os::unix::net::UnixStream;
use std::sync::{Arc, Mutex, PoisonError};

use crossbeam_channel::Sender;
use rustix::process::{Signal, getpid, kill_process};

use super::inside::InsideModule;
use super::lane::Job;
use crate::hsm::protocol::{self, Frames, FromWorker, Hello, ROOM, ToWorker};

/// The two directions of the socket that is standard input.
pub(super) fn connect() -> io::Result<(Incoming, Outbox)> {
    let socket = UnixStream::from(io::stdin().as_fd().try_clone_to_owned()?);
    // Fails unless it is a socket.
    socket.peer_addr()?;
    let incoming = Incoming { socket: socket.try_clone()?, frames: Frames::default(), chunk: vec![0; ROOM] };
    Ok((incoming, Outbox { socket: Mutex::new(socket) }))
}

/// Messages from the service.
pub(super) struct Incoming {
    socket: UnixStream,
    frames: Frames,
    chunk: Vec<u8>,
}

impl Incoming {
    /// The greeting; `None` when something else comes, or nothing.
    pub(super) fn hello(&mut self) -> Option<Hello> {
        match self.next()? {
            ToWorker::Hello(hello) => Some(*hello),
            ToWorker::Call { .. } | ToWorker::Ping | ToWorker::Shutdown => None,
        }
    }

    /// The next message; `None` when the service is gone or does not make sense.
    fn next(&mut self) -> Option<ToWorker<'static>> {
        loop {
            if let Some(message) = self.frames.next().ok()? {
                return Some(message);
            }
            match self.socket.read(&mut self.chunk) {
                Ok(0) => return None,
                Ok(length) => self.frames.buffer().extend_from_slice(self.chunk.get(..length)?),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(_) => return None,
            }
        }
    }
}

/// Messages to the service, from any thread.
pub(super) struct Outbox {
    socket: Mutex<UnixStream>,
}

impl Outbox {
    /// Sends a message, in one write. Without a service to read it the process ends.
    pub(super) fn send(&self, message: &FromWorker) {
        let mut frame = Vec::new();
        let sent = protocol::encode(message, &mut frame).is_ok() && {
            let mut socket = self.socket.lock().unwrap_or_else(PoisonError::into_inner);
            socket.write_all(&frame).is_ok()
        };
        if !sent {
            end_process();
        }
    }
}

/// Where the reader puts calls.
pub(super) struct Queues {
    mutations: Sender<Job>,
    /// `None`: every call goes where the mutations go.
    reads: Option<Sender<Job>>,
}

impl Queues {
    pub(super) fn new(mutations: Sender<Job>, reads: Option<Sender<Job>>) -> Self {
        Self { mutations, reads }
    }

    fn put(&self, job: Job) {
        let queue = match &self.reads {
            Some(reads) if !job.takes_turns() => reads,
            Some(_) | None => &self.mutations,
        };
        // It fails only when the lanes have ended, and then so does the process.
        let _ = queue.send(job);
    }
}

/// Starts the thread that reads messages, and ends the process when the service is gone.
pub(super) fn read_in_background(
    mut incoming: Incoming,
    queues: Queues,
    inside: Arc<InsideModule>,
    outbox: Arc<Outbox>,
) {
    std::thread::spawn(move || {
        let mut queues = Some(queues);
        while let Some(message) = incoming.next() {
            match message {
                ToWorker::Call { id, call } => {
                    if let Some(queues) = &queues {
                        queues.put(Job { id, call: call.into_owned() });
                    }
                }
                ToWorker::Ping => outbox.send(&FromWorker::Pong(inside.now())),
                // Without senders the lanes run dry and end.
                ToWorker::Shutdown => queues = None,
                ToWorker::Hello(_) => break,
            }
        }
        end_process();
    });
}

/// Ends this process at once, without exit handlers and without a core file.
pub(super) fn end_process() -> ! {
    // Nobody may forbid a process to kill itself.
    let _ = kill_process(getpid(), Signal::KILL);
    std::process::exit(2)
}
