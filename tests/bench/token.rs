//! A SoftHSM token of its own on tmpfs: what is measured is the token's arithmetic, not the disk.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use tempfile::TempDir;

pub const LABEL: &str = "bench-token";
pub const PIN: &str = "bench-user-pin";

pub struct Token(TempDir);

impl Token {
    pub fn new() -> Self {
        let shm = Path::new("/dev/shm");
        assert!(shm.is_dir(), "the token has to be on tmpfs, and there is no /dev/shm");
        let token = Self(TempDir::with_prefix_in("strongroom-bench-", shm).unwrap());
        fs::create_dir(token.0.path().join("objects")).unwrap();
        let objects = token.0.path().join("objects");
        let settings = format!("directories.tokendir = {}\nobjectstore.backend = file\n", objects.display());
        fs::write(token.configuration(), settings).unwrap();
        let output = Command::new("softhsm2-util")
            .args(["--init-token", "--free", "--label", LABEL, "--pin", PIN, "--so-pin", "bench-so-pin"])
            .env("SOFTHSM2_CONF", token.configuration())
            .output()
            .expect("softhsm2-util: apt-get install softhsm2");
        assert!(output.status.success(), "{output:?}");
        token
    }

    /// For SOFTHSM2_CONF.
    pub fn configuration(&self) -> PathBuf {
        self.0.path().join("softhsm2.conf")
    }
}
