//! Starts, watches, kills and restarts the worker process of one token.
//!
//! One task per token owns the process, the socket to it and the calls on their way, so nothing
//! here is locked. The calls arrive over a channel that is bounded by the permits they carry.

mod backoff;
mod life;
mod outstanding;
mod process;

use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use tokio::io::AsyncWriteExt as _;
use tokio::sync::{mpsc, watch};
use tokio::time::MissedTickBehavior;

use self::backoff::Backoff;
use self::life::{Death, Life, News};
pub(super) use self::outstanding::Request;
use self::outstanding::unavailable;
pub use self::process::WORKER;
use self::process::Worker;
use super::error::{Error, Kind};
use super::model::TokenStatus;
use super::protocol::{Answer, FileIdentity, FromWorker, Hello, Purpose, Serve};
use super::{StartOptions, TokenSpec};

/// How often a worker with calls on their way is asked which of them are inside the module.
const PING_EVERY: Duration = Duration::from_millis(100);

/// A worker asked to end in good order may finish its calls so long.
const GRACE: Duration = Duration::from_secs(5);

/// What a dead worker wrote is read this long: a process that its module forked may keep the
/// socket open.
const LEGACY: Duration = Duration::from_secs(1);

/// Calls put on their way in one go, so that they share a write.
const BATCH: usize = 64;

/// What the service may ask of a supervisor.
pub(super) enum Control {
    /// End the worker and start another, because of this.
    Restart(String),
    /// Forget what became of the PIN, and try it once more.
    ResetPinBreaker,
    /// End the worker for good.
    Shutdown,
}

/// Serves one token until [`Control::Shutdown`], or until nobody can send calls any more.
pub(super) struct Supervisor {
    spec: TokenSpec,
    options: Arc<StartOptions>,
    calls: mpsc::UnboundedReceiver<Request>,
    control: mpsc::UnboundedReceiver<Control>,
    status: watch::Sender<TokenStatus>,
    /// Calls that wait for the worker that is starting.
    waiting: Vec<Request>,
    /// The next worker forgets the attempts with the PIN.
    forget_pin_attempts: bool,
}

/// How a worker's life ended.
enum End {
    Died { error: Error, uptime: Option<Duration> },
    Shutdown,
}

impl Supervisor {
    pub(super) fn new(
        spec: TokenSpec,
        options: Arc<StartOptions>,
        calls: mpsc::UnboundedReceiver<Request>,
        control: mpsc::UnboundedReceiver<Control>,
        status: watch::Sender<TokenStatus>,
    ) -> Self {
        Self { spec, options, calls, control, status, waiting: Vec::new(), forget_pin_attempts: false }
    }

    /// The task.
    pub(super) async fn run(mut self) {
        let mut backoff = Backoff::default();
        while let End::Died { error, uptime } = self.run_worker().await {
            let delay = backoff.delay(uptime, Instant::now(), random_byte());
            let cause = std::error::Error::source(&error).map(ToString::to_string);
            tracing::warn!(token = self.spec.name, %error, cause, ?delay, "the token's worker ended");
            if !delay.is_zero()
                && let End::Shutdown = self.stay_down(error, delay).await
            {
                break;
            }
        }
        let stopped = Error::new(Kind::Unavailable, "strongroom is shutting down");
        self.waiting.drain(..).for_each(|request| request.answer(Err(stopped.clone())));
        self.status.send_replace(TokenStatus::Stopped);
    }

    /// One worker, from its start to its end.
    async fn run_worker(&mut self) -> End {
        self.status.send_replace(TokenStatus::Starting);
        let serve = Purpose::Serve(Box::new(Serve {
            selector: self.spec.selector.clone(),
            pin_file: self.spec.pin_file.clone(),
            profile: self.spec.profile.clone(),
            sessions: self.spec.sessions.unwrap_or(self.spec.profile.sessions),
            declared_hardware: self.spec.declared_hardware,
            forget_pin_attempts: std::mem::take(&mut self.forget_pin_attempts),
        }));
        let mut worker = match start(&self.spec, &self.options, serve).await {
            Ok(worker) => worker,
            Err(error) => return End::Died { error, uptime: None },
        };
        let mut life = Life::new(self.spec.profile.deadlines);
        let death = self.attend(&mut worker, &mut life).await;
        let uptime = life.uptime();
        match death {
            Some(Death { error, overdue }) => {
                worker.kill().await;
                self.bury(&mut worker, life, overdue, &error).await;
                End::Died { error, uptime }
            }
            None => {
                let stopped = Error::new(Kind::Unavailable, "strongroom is shutting down");
                // Past it, or when the worker cannot be asked, it is killed.
                let _ = tokio::time::timeout(GRACE, end_in_good_order(&mut worker, &mut life)).await;
                worker.kill().await;
                self.bury(&mut worker, life, None, &stopped).await;
                End::Shutdown
            }
        }
    }

    /// Carries calls to the worker and answers back, until one of them has to go: `None` is the
    /// service.
    async fn attend(&mut self, worker: &mut Worker, life: &mut Life) -> Option<Death> {
        let mut tick = tokio::time::interval(PING_EVERY);
        tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                message = worker.incoming.next() => match life.hear(message) {
                    News::Routine => {}
                    News::Up(info) => {
                        tracing::info!(
                            token = self.spec.name, pid = info.worker_pid, serial = info.serial, "the token is up"
                        );
                        let since = SystemTime::now();
                        self.status.send_replace(TokenStatus::Up { info: Arc::new(*info), since });
                        self.waiting.drain(..).for_each(|request| life.send(request));
                    }
                    News::Fatal(death) => return Some(death),
                },
                written = worker.outgoing.write(&life.unwritten), if !life.unwritten.is_empty() => match written {
                    Ok(written) => drop(life.unwritten.drain(..written)),
                    // The worker died; reading tells why.
                    Err(_) => life.unwritten.clear(),
                },
                request = self.calls.recv() => {
                    self.take(request?, life);
                    for _ in 0..BATCH {
                        let Ok(request) = self.calls.try_recv() else { break };
                        self.take(request, life);
                    }
                }
                control = self.control.recv() => match control? {
                    Control::Shutdown => return None,
                    Control::ResetPinBreaker => self.forget_pin_attempts = !life.is_up(),
                    Control::Restart(_) if !life.is_up() => {}
                    Control::Restart(reason) => {
                        let message = format!("the token's worker was ended: {reason}");
                        return Some(Error::new(Kind::Unavailable, message).into());
                    }
                },
                _ = tick.tick(), if life.needs_watching() => {
                    if let Err(error) = life.watch() {
                        return Some(error.into());
                    }
                    if !life.is_up() && !life.is_patient() {
                        self.waiting.drain(..).for_each(|request| request.answer(Err(still_starting())));
                    }
                }
            }
        }
    }

    fn take(&mut self, request: Request, life: &mut Life) {
        if life.is_up() {
            life.send(request);
        } else if life.is_patient() {
            self.waiting.push(request);
        } else {
            request.answer(Err(still_starting()));
        }
    }

    /// Reads what a dead worker still wrote: an answer, or the word that it entered the module.
    /// Only then can be told what becomes of the calls that it had.
    async fn bury(&mut self, worker: &mut Worker, mut life: Life, overdue: Option<u64>, cause: &Error) {
        let read_all = async {
            while let Ok(Some(message)) = worker.incoming.next().await {
                life.hear(Ok(Some(message)));
            }
        };
        if tokio::time::timeout(LEGACY, read_all).await.is_err() {
            life.outstanding.assume_started();
        }
        let mut again = life.outstanding.after_death(overdue, cause);
        again.append(&mut self.waiting);
        self.waiting = again;
    }

    /// Answers calls until it is time for the next worker.
    async fn stay_down(&mut self, error: Error, delay: Duration) -> End {
        let until = tokio::time::Instant::now() + delay;
        let retry_at = SystemTime::now() + delay;
        let refusal = || error.clone().retry_in(until.saturating_duration_since(tokio::time::Instant::now()));
        self.waiting.drain(..).for_each(|request| request.answer(Err(refusal())));
        self.status.send_replace(TokenStatus::Down { error: error.clone(), retry_at });
        loop {
            tokio::select! {
                () = tokio::time::sleep_until(until) => return End::Died { error, uptime: None },
                request = self.calls.recv() => match request {
                    Some(request) => request.answer(Err(refusal())),
                    None => return End::Shutdown,
                },
                control = self.control.recv() => match control {
                    Some(Control::Restart(_)) => {}
                    Some(Control::ResetPinBreaker) => {
                        self.forget_pin_attempts = true;
                        return End::Died { error, uptime: None };
                    }
                    Some(Control::Shutdown) | None => return End::Shutdown,
                }
            }
        }
    }
}

/// Starts a worker for one purpose other than serving, and waits for its only answer.
///
/// # Errors
/// What the worker says, or that it did not answer within the profile's time for a start.
pub(super) async fn run_once(
    spec: &TokenSpec,
    options: &StartOptions,
    purpose: Purpose,
) -> Result<Answer, Error> {
    let mut worker = start(spec, options, purpose).await?;
    let deadline = spec.profile.deadlines.start;
    let answer = tokio::time::timeout(deadline, worker.incoming.next()).await;
    worker.kill().await;
    match answer {
        Ok(Ok(Some(FromWorker::Answer { result, .. }))) => result,
        Ok(Ok(Some(FromWorker::Ended(error))) | Err(error)) => Err(error),
        Ok(Ok(_)) => Err(Error::new(Kind::Unavailable, "the worker process died; see standard error")),
        Err(_) => {
            Err(Error::new(Kind::Unavailable, format!("the module did not answer within {deadline:?}")))
        }
    }
}

async fn start(spec: &TokenSpec, options: &StartOptions, purpose: Purpose) -> Result<Worker, Error> {
    let executable = FileIdentity::at(&options.worker_exe).map_err(|cause| {
        let path = options.worker_exe.display();
        Error::new(Kind::Misconfigured, format!("the worker's executable {path} cannot be read"))
            .because(cause)
    })?;
    let modules = match &spec.module {
        Some(path) => vec![path.clone()],
        None => spec.profile.module_paths.clone(),
    };
    let hello = Hello {
        executable,
        name: spec.name.clone(),
        lock_dir: options.lock_dir.clone(),
        modules,
        init_args: spec.init_args.clone().or_else(|| spec.profile.init_args.clone()),
        purpose,
    };
    Worker::start(&options.worker_exe, &spec.env, &spec.profile.env, hello).await
}

async fn end_in_good_order(worker: &mut Worker, life: &mut Life) -> Result<(), Error> {
    life.ask_to_end()?;
    // It fails only when the worker has died; reading tells.
    let _ = worker.outgoing.write_all(&life.unwritten).await;
    while let Some(message) = worker.incoming.next().await? {
        life.hear(Ok(Some(message)));
    }
    Ok(())
}

fn still_starting() -> Error {
    let starting = Error::new(Kind::Unavailable, "its worker is still starting");
    unavailable(&starting).retry_in(Duration::from_secs(1))
}

/// Without randomness the delays of many tokens coincide, which is no harm for a few.
fn random_byte() -> u8 {
    let mut byte = [0];
    let _ = getrandom::fill(&mut byte);
    byte[0]
}
