//! A whole appliance per test: its own directory (on tmpfs where there is one), SoftHSM token,
//! database, worker and port. The log is printed when a test fails.

use std::fs::{self, File};
use std::io::{self, BufRead, BufReader};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tempfile::TempDir;

pub const SOFTHSM: &str = "/usr/lib/softhsm/libsofthsm2.so";
pub const BINARY: &str = env!("CARGO_BIN_EXE_strongroom");
pub const PIN: &str = "1234-user-pin";
const LABEL: &str = "test-token";
/// Nothing here takes so long unless it hangs: a machine under load is slow, not stuck.
pub const LONG: Duration = Duration::from_secs(60);

/// The files of an appliance, before it runs and between runs.
pub struct Appliance {
    dir: TempDir,
    chaos: bool,
    extra_env: Vec<(String, String)>,
    profile: String,
    token_settings: String,
    /// A command that the service and the command line are run through, with its arguments.
    through: Vec<String>,
}

impl Appliance {
    /// With a fresh SoftHSM token.
    pub fn new() -> Self {
        let appliance = Self::without_token();
        appliance.init_token(LABEL);
        appliance
    }

    /// With a fresh token behind the chaos module.
    pub fn with_chaos() -> Self {
        let mut appliance = Self::new();
        appliance.chaos = true;
        appliance.write_config();
        appliance
    }

    /// With a module that has no token yet.
    pub fn without_token() -> Self {
        let shm = Path::new("/dev/shm");
        let dir = if shm.is_dir() { TempDir::new_in(shm) } else { TempDir::new() }.unwrap();
        fs::set_permissions(dir.path(), fs::Permissions::from_mode(0o700)).unwrap();
        fs::create_dir(dir.path().join("softhsm")).unwrap();
        let conf = format!(
            "directories.tokendir = {}\nobjectstore.backend = file\nlog.level = ERROR\nslots.removable = false\n",
            dir.path().join("softhsm").display()
        );
        fs::write(dir.path().join("softhsm2.conf"), conf).unwrap();
        let appliance = Self {
            dir,
            chaos: false,
            extra_env: Vec::new(),
            profile: "softhsm2".to_owned(),
            token_settings: String::new(),
            through: Vec::new(),
        };
        appliance.write_private("pin", PIN);
        appliance.write_config();
        appliance
    }

    /// Uses a profile with shorter deadlines (milliseconds), for faults that hang.
    pub fn with_deadlines(mut self, call: u64, generate: u64) -> Self {
        let shipped =
            fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/hsm-profiles/softhsm2.toml")).unwrap();
        let mut lines: Vec<String> = Vec::new();
        for line in shipped.lines() {
            let set = [
                ("sign_ms", call),
                ("other_ms", call),
                ("generate_ec_ms", generate),
                ("generate_rsa_ms", generate),
            ];
            match set.iter().find(|(name, _)| line.starts_with(name)) {
                Some((name, value)) => lines.push(format!("{name} = {value}")),
                None => lines.push(line.to_owned()),
            }
        }
        self.write_private("profile.toml", &lines.join("\n"));
        self.profile = "profile.toml".to_owned();
        self.write_config();
        self
    }

    /// More lines for the token's section of the configuration, in place of those before.
    pub fn token_settings(&mut self, lines: &str) {
        lines.clone_into(&mut self.token_settings);
        self.write_config();
    }

    /// Sets a variable of the service's environment (kill points).
    pub fn env(&mut self, name: &str, value: &str) {
        self.extra_env.retain(|(known, _)| known != name);
        self.extra_env.push((name.to_owned(), value.to_owned()));
    }

    pub fn clear_env(&mut self) {
        self.extra_env.clear();
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    pub fn data(&self, name: &str) -> PathBuf {
        self.dir.path().join("data").join(name)
    }

    pub fn write_private(&self, name: &str, text: &str) {
        let path = self.path(name);
        let _ = fs::remove_file(&path);
        let mut file = fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(path).unwrap();
        std::io::Write::write_all(&mut file, text.as_bytes()).unwrap();
    }

    pub fn init_token(&self, label: &str) {
        let output = Command::new("softhsm2-util")
            .args(["--init-token", "--free", "--label", label, "--pin", PIN, "--so-pin", "so-pin-1234"])
            .env("SOFTHSM2_CONF", self.path("softhsm2.conf"))
            .output()
            .expect("softhsm2-util: apt-get install softhsm2");
        assert!(output.status.success(), "{output:?}");
    }

    /// Replaces the rules of the chaos module; takes effect with the next call.
    pub fn chaos_rules(&self, rules: &str) {
        let new = self.path("chaos.rules.new");
        fs::write(&new, rules).unwrap();
        fs::rename(new, self.path("chaos.rules")).unwrap();
    }

    /// Faults that struck so far: `<function> <call> <action>`.
    pub fn chaos_log(&self) -> Vec<String> {
        let text = fs::read_to_string(self.path("chaos.log")).unwrap_or_default();
        text.lines().map(str::to_owned).collect()
    }

    pub fn config_text(&self) -> String {
        let mut env = format!("SOFTHSM2_CONF = {:?}\n", self.path("softhsm2.conf"));
        let mut module = String::new();
        if self.chaos {
            let built = std::env::current_exe().unwrap().with_file_name("libchaos_module.so");
            module = format!("module = {built:?}\n");
            env += &format!("CHAOS_MODULE_TARGET = {SOFTHSM:?}\n");
            for (name, file) in [("RULES", "chaos.rules"), ("STATE", "chaos.state"), ("LOG", "chaos.log")] {
                env += &format!("CHAOS_MODULE_{name} = {:?}\n", self.path(file));
            }
        }
        format!(
            "version = 1\ndata_dir = \"data\"\n[http]\nlisten = \"127.0.0.1:0\"\n\
             [tokens.main]\nprofile = {:?}\n{module}label = {LABEL:?}\npin_file = \"pin\"\n{}\n[tokens.main.env]\n{env}",
            self.profile, self.token_settings
        )
    }

    pub fn write_config(&self) {
        self.write_private("strongroom.toml", &self.config_text());
    }

    /// Has the service and the command line run through another command, such as one that enters
    /// namespaces and becomes them.
    pub fn run_through(&mut self, command: &[String]) {
        self.through = command.to_vec();
    }

    /// A program where the service runs.
    pub fn beside(&self, program: &str) -> Command {
        match self.through.split_first() {
            Some((first, rest)) => {
                let mut command = Command::new(first);
                command.args(rest).arg(program);
                command
            }
            None => Command::new(program),
        }
    }

    /// Runs a command of the CLI to its end.
    pub fn cli(&self, args: &[&str]) -> Output {
        self.command(args).output().unwrap()
    }

    /// A command of the CLI, with nothing on its standard input.
    pub fn command(&self, args: &[&str]) -> Command {
        let mut command = self.beside(BINARY);
        command
            .args(args)
            .env("STRONGROOM_CONFIG", self.path("strongroom.toml"))
            .env("RUST_LOG", "warn")
            .stdin(Stdio::null());
        command
    }

    /// What the service wrote to its log, over all runs.
    pub fn log(&self) -> String {
        fs::read_to_string(self.path("service.log")).unwrap()
    }

    /// Starts the service; answers when it listens, which may be before it is ready.
    pub fn start(&self) -> Service<'_> {
        let log = self.path("service.log");
        let seen = fs::metadata(&log).map_or(0, |metadata| metadata.len());
        let mut service = self.spawn();
        service.address = service.await_address(seen);
        service.api_key = fs::read_to_string(self.data("api-key")).unwrap().trim().to_owned();
        service
    }

    /// Starts the service where a failpoint kills it, and waits for that; it may not come as far as
    /// to listen.
    pub fn start_to_be_killed(&self) {
        self.spawn().await_killed();
    }

    /// Starts the service and waits for nothing.
    pub fn spawn(&self) -> Service<'_> {
        let file = File::options().create(true).append(true).open(self.path("service.log")).unwrap();
        let child = self
            .beside(BINARY)
            .arg("serve")
            .env("STRONGROOM_CONFIG", self.path("strongroom.toml"))
            .env("RUST_LOG", "info")
            .envs(self.extra_env.iter().map(|(name, value)| (name, value)))
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(file)
            .spawn()
            .unwrap();
        Service { appliance: self, child, address: String::new(), api_key: String::new() }
    }

    /// Starts the service and waits until it is ready.
    pub fn start_ready(&self) -> Service<'_> {
        let service = self.start();
        service.await_ready();
        service
    }

    /// What is on the token, by a program that is not ours.
    pub fn objects(&self) -> Vec<TokenObject> {
        let output = self.pkcs11_tool(&["--list-objects"]);
        assert!(output.status.success(), "{output:?}");
        parse_objects(&String::from_utf8(output.stdout).unwrap())
    }

    /// How many private keys are on the token.
    pub fn private_keys(&self) -> usize {
        self.objects().iter().filter(|object| object.private).count()
    }

    /// Runs pkcs11-tool, logged in to the token.
    pub fn pkcs11_tool(&self, args: &[&str]) -> Output {
        Command::new("pkcs11-tool")
            .args(["--module", SOFTHSM, "--token-label", LABEL, "--login", "--pin", PIN])
            .args(args)
            .env("SOFTHSM2_CONF", self.path("softhsm2.conf"))
            .output()
            .expect("pkcs11-tool: apt-get install opensc")
    }
}

/// An object on the token.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TokenObject {
    pub private: bool,
    pub certificate: bool,
    pub id: String,
    pub label: String,
    pub usage: String,
    /// As pkcs11-tool writes it: `sensitive, always sensitive, never extractable, local`.
    pub access: String,
}

fn parse_objects(text: &str) -> Vec<TokenObject> {
    let mut objects: Vec<TokenObject> = Vec::new();
    for line in text.lines() {
        // An object without a class is shown as `Data object 1`, its missing label as `<empty>`.
        if line.contains(" Object") || line.starts_with("Data object") {
            objects.push(TokenObject {
                private: line.starts_with("Private"),
                certificate: line.starts_with("Certificate"),
                ..TokenObject::default()
            });
        }
        let Some(object) = objects.last_mut() else { continue };
        if let Some((name, value)) = line.trim().split_once(':') {
            match name {
                "label" => object.label = value.trim().replace("<empty>", ""),
                "ID" => object.id = value.trim().to_owned(),
                "Usage" => object.usage = value.trim().to_owned(),
                "Access" => object.access = value.trim().to_owned(),
                _ => {}
            }
        }
    }
    objects
}

/// A running appliance. Killed when dropped.
pub struct Service<'a> {
    appliance: &'a Appliance,
    child: Child,
    address: String,
    api_key: String,
}

/// An answer, whatever its status.
#[derive(Debug)]
pub struct Reply {
    pub status: u16,
    pub headers: ureq::http::HeaderMap,
    pub bytes: Vec<u8>,
}

impl Reply {
    #[track_caller]
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.bytes).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }

    #[track_caller]
    pub fn expect(self, status: u16) -> Self {
        assert_eq!(self.status, status, "{}", String::from_utf8_lossy(&self.bytes));
        self
    }

    /// The problem document of a refusal, which must have this status and code.
    #[track_caller]
    pub fn problem(self, status: u16, code: &str) -> Value {
        let reply = self.expect(status);
        assert_eq!(reply.header("content-type"), Some("application/problem+json"), "{reply:?}");
        let problem = reply.json();
        assert_eq!(problem["code"], code, "{problem:#}");
        assert_eq!(problem["status"], status);
        assert_eq!(problem["type"], format!("urn:strongroom:{code}"));
        problem
    }

    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }
}

impl Service<'_> {
    pub fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    pub fn address(&self) -> &str {
        &self.address
    }

    pub fn api_key(&self) -> &str {
        &self.api_key
    }

    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Any request; the path is below the native prefix unless it starts with `//`.
    pub fn try_request(
        &self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: Option<&[u8]>,
    ) -> Result<Reply, ureq::Error> {
        let agent: ureq::Agent = ureq::Agent::config_builder()
            .http_status_as_error(false)
            .timeout_global(Some(Duration::from_secs(150)))
            .build()
            .into();
        let url = match path.strip_prefix('/') {
            Some(root) if root.starts_with('/') => self.url(root),
            _ => self.url(&format!("/strongroom/v1{path}")),
        };
        let mut request = ureq::http::Request::builder().method(method).uri(url);
        if !headers.iter().any(|(name, _)| name.eq_ignore_ascii_case("authorization")) {
            request = request.header("authorization", format!("Bearer {}", self.api_key));
        }
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let mut response = match body {
            Some(body) => agent.run(request.body(body.to_vec()).unwrap())?,
            None => agent.run(request.body(()).unwrap())?,
        };
        let bytes = response.body_mut().with_config().limit(64 << 20).read_to_vec()?;
        Ok(Reply { status: response.status().as_u16(), headers: response.headers().clone(), bytes })
    }

    #[track_caller]
    pub fn request(&self, method: &str, path: &str, headers: &[(&str, &str)], body: Option<&[u8]>) -> Reply {
        self.try_request(method, path, headers, body)
            .unwrap_or_else(|error| panic!("{method} {path}: {error}"))
    }

    #[track_caller]
    pub fn get(&self, path: &str) -> Reply {
        self.request("GET", path, &[], None)
    }

    #[track_caller]
    pub fn delete(&self, path: &str) -> Reply {
        self.request("DELETE", path, &[], None)
    }

    #[track_caller]
    pub fn post(&self, path: &str, body: &Value) -> Reply {
        self.post_with(path, &[], body)
    }

    #[track_caller]
    pub fn post_with(&self, path: &str, headers: &[(&str, &str)], body: &Value) -> Reply {
        let mut all = vec![("content-type", "application/json")];
        all.extend_from_slice(headers);
        self.request("POST", path, &all, Some(body.to_string().as_bytes()))
    }

    #[track_caller]
    pub fn put(&self, path: &str, content_type: &str, body: &[u8]) -> Reply {
        self.request("PUT", path, &[("content-type", content_type)], Some(body))
    }

    /// A P-256 request that must be made.
    #[track_caller]
    pub fn create(&self, common_name: &str) -> Value {
        self.post("/csrs", &p256(common_name)).expect(201).json()
    }

    #[track_caller]
    pub fn await_ready(&self) {
        self.await_that("the service is ready", || {
            self.try_request("GET", "//readyz", &[], None).is_ok_and(|reply| reply.status == 200)
        });
    }

    /// Polls for a condition that must come true.
    #[track_caller]
    pub fn await_that(&self, what: &str, mut condition: impl FnMut() -> bool) {
        let give_up = Instant::now() + LONG;
        while !condition() {
            assert!(Instant::now() < give_up, "waited {LONG:?} in vain until {what}");
            thread::sleep(Duration::from_millis(20));
        }
    }

    /// Process id of the worker of the token, once it is up.
    #[track_caller]
    pub fn worker_pid(&self) -> u32 {
        let mut pid = None;
        self.await_that("the worker is up", || {
            pid = self.get("/tokens").json()["items"][0]["info"]["worker_pid"].as_u64();
            pid.is_some()
        });
        u32::try_from(pid.unwrap()).unwrap()
    }

    /// SIGKILL to the service.
    pub fn kill(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }

    /// Waits until the service was ended by SIGKILL, as by a kill point.
    #[track_caller]
    pub fn await_killed(&mut self) {
        let status = self.await_exit();
        assert_eq!(status.signal(), Some(9), "{status}");
    }

    #[track_caller]
    pub fn await_exit(&mut self) -> std::process::ExitStatus {
        let give_up = Instant::now() + LONG;
        loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                return status;
            }
            assert!(Instant::now() < give_up, "the service does not end");
            thread::sleep(Duration::from_millis(10));
        }
    }

    /// SIGTERM, and waits for the end.
    #[track_caller]
    pub fn stop(&mut self) -> std::process::ExitStatus {
        signal(self.child.id(), "TERM");
        self.await_exit()
    }

    #[track_caller]
    fn await_address(&mut self, seen: u64) -> String {
        let give_up = Instant::now() + LONG;
        let log = self.appliance.path("service.log");
        loop {
            let mut file = File::open(&log).unwrap();
            std::io::Seek::seek(&mut file, std::io::SeekFrom::Start(seen)).unwrap();
            for line in BufReader::new(file).lines().map_while(Result::ok) {
                let Ok(entry) = serde_json::from_str::<Value>(&line) else { continue };
                if entry["fields"]["message"] == "serving" {
                    return entry["fields"]["address"].as_str().unwrap().to_owned();
                }
            }
            if let Some(status) = self.child.try_wait().unwrap() {
                panic!("the service ended at once: {status}");
            }
            assert!(Instant::now() < give_up, "the service does not listen");
            thread::sleep(Duration::from_millis(5));
        }
    }
}

impl Drop for Service<'_> {
    fn drop(&mut self) {
        self.kill();
        if thread::panicking() {
            let log = fs::read_to_string(self.appliance.path("service.log")).unwrap_or_default();
            eprintln!("--- log of the service ---\n{log}--- end of the log ---");
        }
    }
}

/// A body for a P-256 request.
pub fn p256(common_name: &str) -> Value {
    json!({
        "subject": format!("CN={common_name}"),
        "sans": [format!("DNS:{common_name}")],
        "key": { "kind": "ec-p256" },
    })
}

/// Sends a signal by name.
pub fn signal(pid: u32, name: &str) {
    let status = Command::new("kill").args([&format!("-{name}"), &pid.to_string()]).status().unwrap();
    assert!(status.success(), "kill -{name} {pid}: {status}");
}

/// Stops a process, and returns once every thread of it has stopped. Until then a thread that waits in a system
/// call can still be given what arrives there: the kernel looks for data before it looks for signals.
pub fn stop(pid: u32) {
    signal(pid, "STOP");
    let has_stopped = |task: io::Result<fs::DirEntry>| {
        let stat = fs::read_to_string(task.unwrap().path().join("stat")).unwrap_or_default();
        stat.rsplit_once(") ").is_some_and(|(_, rest)| rest.starts_with('T'))
    };
    let give_up = Instant::now() + Duration::from_secs(30);
    while !fs::read_dir(format!("/proc/{pid}/task")).unwrap().all(has_stopped) {
        assert!(Instant::now() < give_up, "process {pid} does not stop");
        thread::sleep(Duration::from_millis(1));
    }
}
