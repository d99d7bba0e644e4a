//! A SoftHSM token of one test's own, the chaos module in front of it, and clients that use it, each in
//! a process of its own: the module reads its environment and may kill its process.

pub mod client;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use tempfile::TempDir;

const SOFTHSM: &str = "/usr/lib/softhsm/libsofthsm2.so";

/// Longer than any client needs on a busy machine: past it the test has failed.
const PATIENCE: Duration = Duration::from_secs(30);

/// A directory with a token, rules and log.
pub struct Bench {
    directory: TempDir,
}

impl Bench {
    /// An initialised token without objects, and no rules.
    pub fn new() -> Self {
        assert!(Path::new(SOFTHSM).exists(), "{SOFTHSM} is missing: install the package softhsm2");
        let bench = Self { directory: tempfile::tempdir().unwrap() };
        fs::create_dir(bench.path("tokens")).unwrap();
        let config =
            format!("directories.tokendir = {}\nlog.level = ERROR\n", bench.path("tokens").display());
        fs::write(bench.path("softhsm2.conf"), config).unwrap();
        assert_eq!(bench.run("initialize make-token"), ["initialize: ok", "make-token: ok"]);
        bench
    }

    /// Puts rules in force.
    pub fn rules(self, rules: &str) -> Self {
        fs::write(self.path("rules"), rules).unwrap();
        self
    }

    /// Rules that the client's step `arm` puts in force.
    pub fn rules_to_arm(self, rules: &str) -> Self {
        fs::write(self.path(client::RULES_TO_ARM), rules).unwrap();
        self
    }

    /// Runs a client to its end and answers what its steps said.
    pub fn run(&self, steps: &str) -> Vec<String> {
        let status = self.client(steps).finish();
        assert!(status.success(), "the client ended with {status}: {:?}", self.transcript());
        self.transcript()
    }

    /// The same with the counters of rules in a file.
    pub fn run_counting_in_file(&self, steps: &str) -> Vec<String> {
        self.spawn(self.command(steps).env("CHAOS_MODULE_STATE", self.path("counters"))).finish();
        self.transcript()
    }

    /// Starts a client.
    pub fn client(&self, steps: &str) -> Client {
        self.spawn(&mut self.command(steps))
    }

    /// What the steps of the last client have said so far.
    pub fn transcript(&self) -> Vec<String> {
        self.lines("transcript")
    }

    /// The faults injected so far.
    pub fn log(&self) -> Vec<String> {
        self.lines("log")
    }

    /// Waits until the log has a line.
    pub fn await_fault(&self, line: &str) {
        let start = Instant::now();
        while !self.log().iter().any(|logged| logged == line) {
            assert!(start.elapsed() < PATIENCE, "no `{line}` in {:?}", self.log());
            thread::sleep(Duration::from_millis(5));
        }
    }

    /// The command of a client, which the caller may change.
    pub fn command(&self, steps: &str) -> Command {
        let mut command = Command::new(std::env::current_exe().unwrap());
        command
            .args(["--exact", "client", "--ignored"])
            .env("SOFTHSM2_CONF", self.path("softhsm2.conf"))
            .env("CHAOS_MODULE_TARGET", SOFTHSM)
            .env("CHAOS_MODULE_RULES", self.path("rules"))
            .env("CHAOS_MODULE_LOG", self.path("log"))
            .env(client::STEPS, steps)
            .env(client::DIRECTORY, self.directory.path())
            .stdout(Stdio::null());
        command
    }

    /// Starts a client that a test has changed.
    pub fn spawn(&self, command: &mut Command) -> Client {
        fs::write(self.path("transcript"), "").unwrap();
        Client(command.spawn().unwrap())
    }

    fn lines(&self, file: &str) -> Vec<String> {
        let text = fs::read_to_string(self.path(file)).unwrap_or_default();
        text.lines().map(str::to_owned).collect()
    }

    fn path(&self, file: &str) -> PathBuf {
        self.directory.path().join(file)
    }
}

/// A running client; killed when the test is over.
pub struct Client(Child);

impl Client {
    /// Waits for its end.
    pub fn finish(mut self) -> ExitStatus {
        let start = Instant::now();
        loop {
            if let Some(status) = self.0.try_wait().unwrap() {
                return status;
            }
            assert!(start.elapsed() < PATIENCE, "the client hangs");
            thread::sleep(Duration::from_millis(5));
        }
    }

    /// Whether it has not ended.
    pub fn is_running(&mut self) -> bool {
        self.0.try_wait().unwrap().is_none()
    }
}

impl Drop for Client {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}
