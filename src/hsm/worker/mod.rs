//! The child process: it alone loads the vendor's module and reads the PIN.
//!
//! ```text
//!   socket --> reader thread --calls--> mutation lane (generate and read back, destroy;
//!                   |                   one read-write session)
//!                   +----------calls--> N lanes (sign, read; a session each)
//! ```
//!
//! The process ends by SIGKILL to itself, always: modules crash in their exit handlers
//! (SoftHSMv2#413, #553, #635), and an orphan must not finish a generation behind the back of the
//! next start.

mod attributes;
mod breaker;
mod claim;
mod fault;
mod init_args;
mod inside;
mod lane;
mod link;
mod mechanism;
mod module;
mod objects;
mod pin;
mod pin_change;
mod public_key;
mod sessions;
mod wrapping;

use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;
use std::thread::JoinHandle;

use crossbeam_channel::{Receiver, unbounded};
use rustix::process::{DumpableBehavior, Resource, Rlimit, set_dumpable_behavior, setrlimit};

use self::breaker::Breaker;
use self::claim::Claim;
use self::fault::Fault;
use self::inside::InsideModule;
use self::lane::{Context, Job, Lane};
use self::link::{Outbox, Queues, end_process};
use self::mechanism::Mechanisms;
use self::module::Module;
use self::objects::Handles;
use self::sessions::{Access, Login};
use super::error::{Error, Kind};
use super::model::SlotInfo;
use super::protocol::{Answer, ChangePin, FileIdentity, FromWorker, Hello, PinChangedBy, Purpose, Serve};

/// Runs the worker on the socket that is standard input. Returns only when there is no service at
/// the other end: the subcommand is not for people.
pub fn run() -> ExitCode {
    end_process_on_panic();
    if keep_out_of_core_files().is_err() {
        return ExitCode::from(2);
    }
    let Ok((mut incoming, outbox)) = link::connect() else { return ExitCode::from(2) };
    let Some(hello) = incoming.hello() else { return ExitCode::from(2) };
    let outbox = Arc::new(outbox);
    let inside = Arc::new(InsideModule::default());
    let (queues, jobs) = queues(&hello.purpose);
    // From here on the end of the service is the end of this process.
    link::read_in_background(incoming, queues, inside.clone(), outbox.clone());
    let lanes = Lanes { jobs, inside, outbox: outbox.clone() };
    if let Err(error) = work(hello, lanes) {
        outbox.send(&FromWorker::Ended(error));
    }
    end_process()
}

/// What the lanes are made of, before there is a token.
struct Lanes {
    jobs: Jobs,
    inside: Arc<InsideModule>,
    outbox: Arc<Outbox>,
}

struct Jobs {
    mutations: Receiver<Job>,
    reads: Receiver<Job>,
}

/// Unbounded: the service bounds what it has on its way.
fn queues(purpose: &Purpose) -> (Queues, Jobs) {
    let (mutations, mutation_jobs) = unbounded();
    let (reads, read_jobs) = unbounded();
    let concurrent = matches!(purpose, Purpose::Serve(serve) if serve.profile.concurrent_calls);
    let queues = Queues::new(mutations, concurrent.then_some(reads));
    (queues, Jobs { mutations: mutation_jobs, reads: read_jobs })
}

fn work(hello: Hello, lanes: Lanes) -> Result<(), Error> {
    let Hello { executable, name, lock_dir, modules, init_args, purpose } = hello;
    check_executable(executable)?;
    let _lock = claim::by_name(&lock_dir, &name)?;
    let module = Module::load(&modules, init_args.as_deref())?;
    let answer = match purpose {
        Purpose::Serve(serve) => return self::serve(module, *serve, &lock_dir, lanes),
        Purpose::Slots => module.slots().map(Answer::Slots).map_err(Fault::into_error)?,
        Purpose::InitToken { label, pin, so_pin } => {
            Answer::Slot(module.init_token(&label, &pin.0, &so_pin.0)?)
        }
        Purpose::ChangePin(wanted) => Answer::Slot(change_pin(&module, *wanted, &lock_dir)?),
    };
    lanes.outbox.send(&FromWorker::Answer { id: 0, result: Ok(answer) });
    Ok(())
}

fn change_pin(module: &Module, wanted: ChangePin, lock_dir: &Path) -> Result<SlotInfo, Error> {
    let ChangePin { selector, pin_file, lockout, by, new } = wanted;
    let slot = module.select(&selector)?;
    let claim = Claim::of(module, slot, lock_dir)?;
    let breaker = Breaker::new(claim.pin_record.clone(), pin_file, lockout);
    match by {
        PinChangedBy::SecurityOfficer(so_pin) => pin_change::set(module, slot, &breaker, &so_pin.0, &new.0)?,
        PinChangedBy::User(present) => pin_change::change(module, slot, &breaker, &present, &new.0)?,
    }
    module.slot_info(slot).map_err(|fault| pin_change::changed_but(&fault.into_error()))
}

/// Logs in and takes calls until the service asks for the end.
fn serve(module: Module, serve: Serve, lock_dir: &Path, lanes: Lanes) -> Result<(), Error> {
    let Serve { selector, pin_file, profile, sessions, declared_hardware } = serve;
    let slot = module.select(&selector)?;
    let claim = Claim::of(&module, slot, lock_dir)?;
    let breaker = Breaker::new(claim.pin_record.clone(), pin_file, profile.lockout);
    let mechanisms = Mechanisms::read(&module.pkcs11, slot, &profile).map_err(Fault::into_error)?;
    let login = Login::new(module.pkcs11.clone(), slot, breaker);
    login.ensure().map_err(sessions::Failure::into_error)?;

    let readers = if profile.concurrent_calls { sessions.max(1) } else { 0 };
    let mut info = module.describe(slot, declared_hardware).map_err(Fault::into_error)?;
    info.algorithms = mechanisms.kinds().to_vec();
    info.sessions = readers.max(1);
    let Lanes { jobs, inside, outbox } = lanes;
    let handles = Handles::default();
    let context = Arc::new(Context { module, slot, login, mechanisms, profile, handles, inside, outbox });

    let mut threads = vec![spawn(&context, Access::ReadWrite, &jobs.mutations)];
    threads.extend((0..readers).map(|_| spawn(&context, Access::ReadOnly, &jobs.reads)));
    context.outbox.send(&FromWorker::Ready(Box::new(info)));
    for thread in threads {
        // A lane that panics has ended the process.
        let _ = thread.join();
    }
    // Some modules, such as YubiHSM's, keep a session of the device until they are finalised.
    let _ = context.module.pkcs11.clone().finalize();
    Ok(())
}

fn spawn(context: &Arc<Context>, access: Access, jobs: &Receiver<Job>) -> JoinHandle<()> {
    let lane = Lane::new(context.clone(), access);
    let jobs = jobs.clone();
    std::thread::spawn(move || lane.run(&jobs))
}

/// The service and its worker must be one build: the protocol has no versions.
fn check_executable(wanted: FileIdentity) -> Result<(), Error> {
    let own = FileIdentity::at(Path::new("/proc/self/exe"));
    if own.as_ref().ok() == Some(&wanted) {
        return Ok(());
    }
    let message = "the strongroom executable has changed since the service started; restart the service";
    Err(Error::new(Kind::Misconfigured, message))
}

/// The PIN passes through this process: no core file, and no debugger but root's.
fn keep_out_of_core_files() -> rustix::io::Result<()> {
    setrlimit(Resource::Core, Rlimit { current: Some(0), maximum: Some(0) })?;
    set_dumpable_behavior(DumpableBehavior::NotDumpable)
}

/// A lane that died alone would leave its calls unanswered until their deadline.
fn end_process_on_panic() {
    let report = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |panic| {
        report(panic);
        end_process();
    }));
}
