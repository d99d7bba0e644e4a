//! A whole appliance: its token on tmpfs, its database on a disk, its service and worker processes.

use std::fs::{self, File};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use rustls::ClientConfig;
use serde_json::Value;
use tempfile::TempDir;

use crate::client::{self, Client};
use crate::token::{LABEL, PIN, Token};

/// Nothing here takes so long unless it hangs.
const LONG: Duration = Duration::from_secs(60);

/// Between two looks at something that is waited for: a fraction of what is measured so.
const LOOK_EVERY: Duration = Duration::from_millis(2);

pub struct Appliance {
    token: Token,
    dir: TempDir,
}

impl Appliance {
    /// With its database below `data`.
    pub fn new(data: &Path) -> Self {
        Self::with(data, "")
    }

    /// With more in its configuration.
    pub fn with(data: &Path, more: &str) -> Self {
        fs::create_dir_all(data).unwrap();
        let data = fs::canonicalize(data).unwrap();
        let appliance = Self { token: Token::new(), dir: TempDir::with_prefix_in("bench-", data).unwrap() };
        appliance.write_private("pin", PIN);
        let config = format!(
            "version = 1\ndata_dir = \"data\"\n[http]\nlisten = \"127.0.0.1:0\"\n\
             [tokens.main]\nprofile = \"softhsm2\"\nlabel = {LABEL:?}\npin_file = \"pin\"\n\
             [tokens.main.env]\nSOFTHSM2_CONF = {:?}\n{more}",
            appliance.token.configuration()
        );
        appliance.write_private("strongroom.toml", &config);
        appliance
    }

    /// Where its database is, or will be.
    pub fn database(&self) -> PathBuf {
        let data = self.dir.path().join("data");
        fs::create_dir_all(&data).unwrap();
        data.join("strongroom.db")
    }

    /// Writes an issuing template.
    pub fn write_template(&self, name: &str, text: &str) {
        let dir = self.dir.path().join("templates");
        fs::create_dir_all(&dir).unwrap();
        fs::write(dir.join(format!("{name}.toml")), text).unwrap();
    }

    /// Starts the service and waits until it is ready.
    pub fn start(&self) -> Service {
        let log = self.dir.path().join("service.log");
        let started = Instant::now();
        let child = Command::new(env!("CARGO_BIN_EXE_strongroom"))
            .arg("serve")
            .env("STRONGROOM_CONFIG", self.dir.path().join("strongroom.toml"))
            .env("RUST_LOG", "info")
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(File::create(&log).unwrap())
            .spawn()
            .unwrap();
        let (address, tls_address) = await_some("the service listens", &log, || addresses_in(&log));
        let mut connection = Client::connect(address);
        let probe = client::get("/readyz", "");
        await_some("the service is ready", &log, || (connection.send(&probe).status == 200).then_some(()));
        let ready_after = started.elapsed();
        let api_key = fs::read_to_string(self.dir.path().join("data/api-key")).unwrap().trim().to_owned();
        Service { child, address, tls_address, api_key, ready_after }
    }

    /// Writes a file beside the configuration.
    pub fn write_private(&self, name: &str, text: &str) {
        use std::os::unix::fs::PermissionsExt as _;
        let path = self.dir.path().join(name);
        fs::write(&path, text).unwrap();
        fs::set_permissions(path, fs::Permissions::from_mode(0o600)).unwrap();
    }
}

/// A running appliance.
pub struct Service {
    child: Child,
    address: SocketAddr,
    tls_address: Option<SocketAddr>,
    api_key: String,
    /// From exec to the first 200 of /readyz.
    pub ready_after: Duration,
}

impl Service {
    pub fn connect(&self) -> Client {
        Client::connect(self.address)
    }

    pub fn connect_tls(&self, config: &Arc<ClientConfig>) -> Client {
        Client::connect_tls(self.tls_address.expect("[tls]"), config)
    }

    /// A request for a page or document below the native prefix.
    pub fn get(&self, path: &str) -> Vec<u8> {
        client::get(&format!("/strongroom/v1{path}"), &self.api_key)
    }

    /// A request for a CSR.
    pub fn post_csr(&self, body: &Value) -> Vec<u8> {
        self.post("/csrs", body)
    }

    /// A POST below the native prefix.
    pub fn post(&self, path: &str, body: &Value) -> Vec<u8> {
        client::post(&format!("/strongroom/v1{path}"), &self.api_key, "", &body.to_string())
    }

    /// A request for a page of another product's API.
    pub fn get_elsewhere(&self, path: &str) -> Vec<u8> {
        client::get(path, &self.api_key)
    }

    /// A POST to another product's API, with a header that it asks for.
    pub fn post_elsewhere(&self, path: &str, header: &str, body: &Value) -> Vec<u8> {
        client::post(path, &self.api_key, &format!("{header}\r\n"), &body.to_string())
    }

    /// Service and worker.
    pub fn processes(&self) -> [u32; 2] {
        let tokens = self.connect().send(&self.get("/tokens")).json();
        let worker = tokens["items"][0]["info"]["worker_pid"].as_u64().unwrap();
        [self.child.id(), u32::try_from(worker).unwrap()]
    }

    /// Ends it in good order.
    pub fn stop(mut self) {
        let pid = Pid::from_child(&self.child);
        kill_process(pid, Signal::TERM).unwrap();
        self.child.wait().unwrap();
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        // It fails only when the process has ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Of plain HTTP, and of HTTPS where it is served.
fn addresses_in(log: &Path) -> Option<(SocketAddr, Option<SocketAddr>)> {
    let text = fs::read_to_string(log).unwrap();
    let entries = text.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
    let mut serving = entries.filter(|entry| entry["fields"]["message"] == "serving");
    let fields = serving.next()?["fields"].take();
    let address = |name: &str| fields[name].as_str()?.parse().ok();
    Some((address("address")?, address("tls")))
}

fn await_some<T>(what: &str, log: &Path, mut look: impl FnMut() -> Option<T>) -> T {
    let give_up = Instant::now() + LONG;
    loop {
        if let Some(seen) = look() {
            return seen;
        }
        if Instant::now() > give_up {
            panic!("waited in vain until {what}; its log:\n{}", fs::read_to_string(log).unwrap());
        }
        thread::sleep(LOOK_EVERY);
    }
}
