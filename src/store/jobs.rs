//! Closures on their way from async callers to the threads that own the connections, and their
//! results on the way back.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::thread::{self, JoinHandle};

use crossbeam_channel::{Receiver, Sender, TrySendError, bounded};
use tokio::sync::oneshot;

use super::error::{Error, Kind};

/// How many closures may wait. At 64 to a commit and some milliseconds to a commit that is a wait
/// of a fraction of a second; beyond it the callers are better told.
pub(super) const QUEUE_LENGTH: usize = 1024;

/// A queue and the threads that serve it, each with a context `C` (a connection) of its own.
/// Dropping it finishes what is in the queue and waits for the threads.
pub(super) struct Queue<C> {
    // Dropped before the threads are waited for: that is what ends them.
    jobs: Sender<Work<C>>,
    _threads: Threads,
}

/// A closure of some caller, whatever its types are.
pub(super) type Work<C> = Box<dyn Job<C>>;

/// A closure as [`Work`], and where its result will arrive.
pub(super) fn work<C, T, E, F>(closure: F) -> (Work<C>, oneshot::Receiver<Result<T, E>>)
where
    F: FnOnce(&C) -> Result<T, E> + Send + 'static,
    T: Send + 'static,
    E: From<Error> + Send + 'static,
{
    let (caller, result) = oneshot::channel();
    (Box::new(Waiting { closure, caller }), result)
}

/// See [`Work`].
pub(super) trait Job<C>: Send {
    /// Runs the closure. The caller hears of it only from [`Ran::answer`].
    fn run(self: Box<Self>, context: &C) -> Ran;

    /// Tells the caller that the closure was not run.
    fn refuse(self: Box<Self>, error: Error);
}

/// A closure that was run.
pub(super) struct Ran {
    /// Whether the closure succeeded, so that its changes are to be kept.
    pub succeeded: bool,
    answer: Box<dyn FnOnce(Result<(), Error>)>,
}

impl Ran {
    /// Gives the caller the closure's own result, unless its success came to nothing since
    /// `kept` is an error.
    pub(super) fn answer(self, kept: Result<(), Error>) {
        (self.answer)(kept);
    }
}

impl<C: Send + 'static> Queue<C> {
    /// Starts a thread per context. A thread waits for work and then calls `serve` with it, with its
    /// context, and with the queue for more.
    pub(super) fn start(
        name: &str,
        contexts: Vec<C>,
        serve: fn(&C, Work<C>, &Receiver<Work<C>>),
    ) -> Result<Self, Error> {
        let (jobs, queue) = bounded::<Work<C>>(QUEUE_LENGTH);
        let mut threads = Threads(Vec::new());
        for context in contexts {
            let queue = queue.clone();
            let work = move || {
                while let Ok(first) = queue.recv() {
                    serve(&context, first, &queue);
                }
            };
            let thread = thread::Builder::new().name(name.to_owned()).spawn(work).map_err(|error| {
                Error::new(Kind::Unavailable, format!("the thread {name} cannot be started: check limits"))
                    .caused_by(error)
            })?;
            threads.0.push(thread);
        }
        Ok(Self { jobs, _threads: threads })
    }

    /// How many closures wait.
    pub(super) fn waiting(&self) -> usize {
        self.jobs.len()
    }

    /// Puts a closure into the queue and waits for its result. Once it is in the queue it is run,
    /// even if the caller stops waiting.
    ///
    /// # Errors
    /// The closure's own; `Busy` when the queue is full; what else kept it from its effect.
    pub(super) async fn submit<T, E, F>(&self, closure: F) -> Result<T, E>
    where
        F: FnOnce(&C) -> Result<T, E> + Send + 'static,
        T: Send + 'static,
        E: From<Error> + Send + 'static,
    {
        let (work, result) = work(closure);
        match self.jobs.try_send(work) {
            Ok(()) => result.await.unwrap_or_else(|_| Err(stopped().into())),
            Err(TrySendError::Full(_)) => {
                Err(Error::new(Kind::Busy, "too much is waiting for the index: try again shortly").into())
            }
            Err(TrySendError::Disconnected(_)) => Err(stopped().into()),
        }
    }
}

fn stopped() -> Error {
    Error::new(Kind::Unavailable, "the index is closed: strongroom is being stopped")
}

struct Waiting<F, T, E> {
    closure: F,
    caller: oneshot::Sender<Result<T, E>>,
}

impl<C, F, T, E> Job<C> for Waiting<F, T, E>
where
    F: FnOnce(&C) -> Result<T, E> + Send,
    T: Send + 'static,
    E: From<Error> + Send + 'static,
{
    fn run(self: Box<Self>, context: &C) -> Ran {
        let Self { closure, caller } = *self;
        // A panic is one caller's bug, not the end of the thread that serves them all. The context
        // stays sound: connections hold no invariant of ours, and the changes are rolled back.
        let result = catch_unwind(AssertUnwindSafe(|| closure(context))).unwrap_or_else(|_| {
            Err(Error::new(
                Kind::Bug,
                "the work on the index panicked: this is a bug of strongroom, report it",
            )
            .into())
        });
        Ran {
            succeeded: result.is_ok(),
            answer: Box::new(move |kept| {
                let result = result.and_then(|value| kept.map(|()| value).map_err(E::from));
                // A caller that stopped waiting does not want it.
                let _ = caller.send(result);
            }),
        }
    }

    fn refuse(self: Box<Self>, error: Error) {
        let _ = self.caller.send(Err(error.into()));
    }
}

struct Threads(Vec<JoinHandle<()>>);

impl Drop for Threads {
    fn drop(&mut self) {
        for thread in self.0.drain(..) {
            // A closure may own the last clone of the store; its thread cannot wait for itself.
            if thread.thread().id() != thread::current().id() {
                // Its panics are caught where they happen.
                let _ = thread.join();
            }
        }
    }
}
