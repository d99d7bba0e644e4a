//! A SoftHSM token of its own for each test, on tmpfs where there is one.

use std::collections::BTreeMap;
use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};
use strongroom::domain::algorithm::Scheme;
use strongroom::domain::id::{InstallationId, KeyId};
use strongroom::hsm::{
    Error, Hsm, Profile, Selector, StartOptions, Token, TokenInfo, TokenSpec, TokenStatus,
};
use tempfile::TempDir;

pub const SOFTHSM2: &str = "/usr/lib/softhsm/libsofthsm2.so";
pub const PKCS11_SPY: &str = "/usr/lib/x86_64-linux-gnu/pkcs11-spy.so";
pub const PIN: &str = "123456";

/// Long enough for a loaded machine, and for one back-off of 30 s.
const PATIENCE: Duration = Duration::from_secs(60);

/// A directory with a SoftHSM configuration, tokens, PIN and locks.
pub struct Rig {
    dir: PathBuf,
    /// Removes it; another process that uses the same rig does not.
    _owner: Option<TempDir>,
}

impl Rig {
    /// With a token of that label.
    pub fn with_token(label: &str) -> Self {
        let rig = Self::empty();
        rig.init_token(label);
        rig
    }

    /// Without a token.
    pub fn empty() -> Self {
        let tmpfs = Path::new("/dev/shm");
        let dir = if tmpfs.is_dir() { tempfile::tempdir_in(tmpfs) } else { tempfile::tempdir() }.unwrap();
        fs::create_dir(dir.path().join("tokens")).unwrap();
        fs::create_dir(dir.path().join("locks")).unwrap();
        let conf = format!(
            "directories.tokendir = {}\nobjectstore.backend = file\nlog.level = ERROR\n",
            dir.path().join("tokens").display()
        );
        fs::write(dir.path().join("softhsm2.conf"), conf).unwrap();
        let rig = Self { dir: dir.path().to_owned(), _owner: Some(dir) };
        rig.write_pin(PIN);
        rig
    }

    /// The rig of another process.
    pub fn at(dir: PathBuf) -> Self {
        Self { dir, _owner: None }
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.dir.join(name)
    }

    pub fn write_pin(&self, pin: &str) {
        let path = self.path("pin");
        fs::write(&path, format!("{pin}\n")).unwrap();
        fs::set_permissions(&path, Permissions::from_mode(0o600)).unwrap();
    }

    pub fn init_token(&self, label: &str) {
        self.run(
            "softhsm2-util",
            &["--init-token", "--free", "--label", label, "--pin", PIN, "--so-pin", "87654321"],
        );
    }

    /// Runs a tool against these tokens; panics unless it succeeds.
    pub fn run(&self, tool: &str, arguments: &[&str]) {
        let output = Command::new(tool)
            .args(arguments)
            .env("SOFTHSM2_CONF", self.path("softhsm2.conf"))
            .output()
            .unwrap_or_else(|error| panic!("install {tool} (softhsm2, opensc): {error}"));
        assert!(output.status.success(), "{tool}: {}", String::from_utf8_lossy(&output.stderr));
    }

    pub fn spec(&self, label: &str) -> TokenSpec {
        TokenSpec {
            init_args: None,
            name: "t".to_owned(),
            profile: Profile::shipped("softhsm2").unwrap(),
            module: Some(SOFTHSM2.into()),
            selector: Selector { label: Some(label.to_owned()), serial: None },
            pin_file: self.path("pin"),
            env: BTreeMap::from([(
                "SOFTHSM2_CONF".to_owned(),
                self.path("softhsm2.conf").to_str().unwrap().to_owned(),
            )]),
            declared_hardware: false,
            sessions: None,
        }
    }

    /// The same behind OpenSC's spy, which writes every call to `spy.log`.
    pub fn spied(&self, label: &str) -> TokenSpec {
        let mut spec = self.spec(label);
        spec.module = Some(PKCS11_SPY.into());
        spec.env.insert("PKCS11SPY".to_owned(), SOFTHSM2.to_owned());
        spec.env.insert("PKCS11SPY_OUTPUT".to_owned(), self.path("spy.log").to_str().unwrap().to_owned());
        spec
    }

    /// How often the spy saw that function called.
    pub fn spied_calls(&self, function: &str) -> usize {
        let log = fs::read(self.path("spy.log")).unwrap_or_default();
        String::from_utf8_lossy(&log).lines().filter(|line| line.ends_with(&format!(": {function}"))).count()
    }

    pub fn options(&self) -> StartOptions {
        StartOptions { worker_exe: env!("CARGO_BIN_EXE_strongroom").into(), lock_dir: self.path("locks") }
    }

    pub fn start(&self, spec: TokenSpec) -> (Hsm, Token) {
        let hsm = Hsm::start(vec![spec], self.options());
        let token = hsm.token("t").unwrap();
        (hsm, token)
    }
}

/// Waits until the token is up.
pub async fn up(token: &Token) -> Arc<TokenInfo> {
    until(token, |status| match status {
        TokenStatus::Up { info, .. } => Some(info.clone()),
        TokenStatus::Starting | TokenStatus::Down { .. } | TokenStatus::Stopped => None,
    })
    .await
}

/// Waits until the token is down, and tells why.
pub async fn down(token: &Token) -> Error {
    until(token, |status| match status {
        TokenStatus::Down { error, .. } => Some(error.clone()),
        TokenStatus::Starting | TokenStatus::Up { .. } | TokenStatus::Stopped => None,
    })
    .await
}

/// Has the worker replaced, which forgets every handle.
pub async fn renewed(token: &Token) {
    let old = up(token).await.worker_pid;
    token.restart("a test wants a new worker");
    until(token, |status| match status {
        TokenStatus::Up { info, .. } if info.worker_pid != old => Some(()),
        TokenStatus::Up { .. } | TokenStatus::Starting | TokenStatus::Down { .. } | TokenStatus::Stopped => {
            None
        }
    })
    .await;
}

async fn until<T>(token: &Token, wanted: impl Fn(&TokenStatus) -> Option<T>) -> T {
    let mut status = token.watch_status();
    let wait = async {
        loop {
            if let Some(found) = wanted(&status.borrow_and_update()) {
                return found;
            }
            status.changed().await.unwrap();
        }
    };
    let found = tokio::time::timeout(PATIENCE, wait).await;
    found.unwrap_or_else(|_| panic!("the token is {:?}", token.status()))
}

/// Polls what no event tells: a file or a process of somebody else.
pub async fn eventually(what: &str, holds: impl Fn() -> bool) {
    let wait = async {
        while !holds() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(PATIENCE, wait).await.unwrap_or_else(|_| panic!("never: {what}"));
}

pub fn signal(pid: u32, signal: Signal) {
    kill_process(Pid::from_raw(pid.try_into().unwrap()).unwrap(), signal).unwrap();
}

/// Whether a process runs. One that has ended and waits to be reaped does not.
pub fn runs(pid: u32) -> bool {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    stat.rsplit_once(") ").is_some_and(|(_, rest)| !rest.starts_with('Z'))
}

/// CPU time of a process, in ticks of 10 ms (proc(5), field utime).
pub fn cpu_ticks(pid: u32) -> u64 {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    let utime = stat.rsplit_once(") ").and_then(|(_, rest)| rest.split(' ').nth(11));
    utime.and_then(|ticks| ticks.parse().ok()).unwrap_or(0)
}

pub fn key_id(n: u8) -> KeyId {
    KeyId::new(InstallationId(*b"test"), [n; 12])
}

/// Whether a verifier that shares nothing with the token accepts the signature.
pub fn verifies(spki: &[u8], scheme: Scheme, message: &[u8], signature: &[u8]) -> bool {
    use x509_parser::prelude::FromDer as _;
    let (_, spki) = x509_parser::x509::SubjectPublicKeyInfo::from_der(spki).unwrap();
    let key = aws_lc_rs::signature::UnparsedPublicKey::new(scheme.verifier(), &spki.subject_public_key.data);
    key.verify(message, signature).is_ok()
}
