//! openCryptoki's soft token in namespaces of its own: pkcsslotd is one per IPC namespace, and its paths
//! are compiled in. No container, and no root: an unprivileged user namespace will do, in which the
//! group pkcs11 is the user's own. Files keep their paths and processes their ids, so that the harness
//! works with it as with any token.

use std::fs;
use std::io::Read as _;
use std::path::PathBuf;
use std::process::{Child, Command, Output, Stdio};
use std::time::Instant;

use crate::harness::{Appliance, LONG, Service};

/// PINs have 4 to 8 characters in release 3.8.1.
pub const PIN: &str = "1234-pin";
pub const WRONG: &str = "bad-pin1";
pub const WRONG_TOO: &str = "bad-pin2";
/// That of every new token.
pub const SO_PIN: &str = "87654321";
pub const LABEL: &str = "soft-token";
/// The only slot.
const SLOT: &str = "3";

/// Release 3.8.1 writes the time as `03:08:09`, where PKCS#11 has 16 digits, and cryptoki 0.12.1 then gives
/// nothing of CK_TOKEN_INFO.
const NO_CLOCK: &str = "C_GetTokenInfo every no-clock";

/// Release 3.8.1 knows PKCS#11 v2.20, which has no CKA_COPYABLE.
const QUIRKS: &str = r#"quirks = ["omit-copyable"]"#;

/// Runs in the new namespaces; `$1` is the directory of the appliance. pkcsslotd ends with the test.
const SET_UP: &str = r#"set -eu
ock=$1/ock
mkdir -p "$ock"/lib/swtok/TOK_OBJ "$ock"/etc "$ock"/run/lock/opencryptoki/swtok "$ock"/run/appliance
printf 'version opencryptoki-3.1\nslot 3\n{\nstdll = libpkcs11_sw.so\n}\n' >"$ock"/etc/opencryptoki.conf
printf 'root:x:0:\npkcs11:x:0:root\n' >"$ock"/group
mount --bind "$ock"/group /etc/group
mount --bind "$ock"/etc /etc/opencryptoki
mount --bind "$ock"/lib /var/lib/opencryptoki
mount --bind "$ock"/run /run
# Its shared memory is in /dev/shm, where the appliance may be, too.
mount --bind "$1" /run/appliance
mount -t tmpfs tmpfs /dev/shm
mkdir -p "$1"
mount --bind /run/appliance "$1"
exec setpriv --pdeathsig KILL pkcsslotd -f
"#;

const NEEDED: &str = "This test needs openCryptoki and user namespaces: apt-get install opencryptoki opensc \
                      util-linux, and where sysctl kernel.unprivileged_userns_clone or \
                      kernel.apparmor_restrict_unprivileged_userns forbids them, root";

/// A token with a user PIN, and the daemon that it needs.
pub struct SoftToken {
    daemon: Child,
}

/// What the token says of its user PIN (CK_TOKEN_INFO).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tries {
    All,
    CountLow,
    Last,
    Locked,
}

impl SoftToken {
    /// Starts the daemon for an appliance, which from then on runs beside it.
    pub fn start(appliance: &mut Appliance) -> Self {
        let mut daemon = Command::new("unshare")
            .args(["--user", "--map-root-user", "--ipc", "--mount", "sh", "-c", SET_UP, "sh"])
            .arg(appliance.path(""))
            .env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin")
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap_or_else(|error| panic!("unshare: {error}\n{NEEDED}"));
        let give_up = Instant::now() + LONG;
        while !appliance.path("ock/run/pkcsslotd.socket").exists() {
            if let Some(status) = daemon.try_wait().unwrap() {
                let mut said = String::new();
                daemon.stderr.take().unwrap().read_to_string(&mut said).unwrap();
                panic!("pkcsslotd does not start: {status}\n{said}\n{NEEDED}");
            }
            assert!(Instant::now() < give_up, "pkcsslotd does not start\n{NEEDED}");
            std::thread::sleep(std::time::Duration::from_millis(5));
        }
        let target = daemon.id().to_string();
        let enter = ["nsenter", "--target", &target, "--user", "--ipc", "--mount", "--preserve-credentials"];
        appliance.run_through(&enter.map(str::to_owned));
        Self { daemon }
    }

    /// Makes the token and its PIN, by a program that is not ours.
    pub fn init(&self, appliance: &Appliance) {
        for args in [
            ["--init-token", "--label", LABEL, "--so-pin", SO_PIN].as_slice(),
            &["--login", "--login-type", "so", "--so-pin", SO_PIN, "--init-pin", "--new-pin", PIN],
        ] {
            let output = self.tool(appliance, args);
            assert!(output.status.success(), "{output:?}");
        }
    }

    /// Runs pkcs11-tool on the token.
    pub fn tool(&self, appliance: &Appliance, args: &[&str]) -> Output {
        let mut command = appliance.beside("pkcs11-tool");
        command.args(["--module", module().to_str().unwrap(), "--slot", SLOT]).args(args);
        command.output().expect("pkcs11-tool: apt-get install opensc")
    }

    /// Whether a PIN opens the token, for a program that is not ours.
    pub fn opens_with(&self, appliance: &Appliance, pin: &str) -> bool {
        self.tool(appliance, &["--login", "--pin", pin, "--list-objects"]).status.success()
    }

    /// The token's own count.
    pub fn tries(&self, appliance: &Appliance) -> Tries {
        let shown = String::from_utf8(self.tool(appliance, &["--list-slots"]).stdout).unwrap();
        let flags =
            shown.lines().find(|line| line.contains("token flags")).unwrap_or_else(|| panic!("{shown}"));
        match flags {
            _ if flags.contains("user PIN locked") => Tries::Locked,
            _ if flags.contains("final user PIN try") => Tries::Last,
            _ if flags.contains("user PIN count low") => Tries::CountLow,
            _ => Tries::All,
        }
    }
}

impl Drop for SoftToken {
    fn drop(&mut self) {
        let _ = self.daemon.kill();
        let _ = self.daemon.wait();
    }
}

/// The module, where Debian puts it.
pub fn module() -> PathBuf {
    let path = format!("/usr/lib/{}-linux-gnu/pkcs11/libopencryptoki.so", std::env::consts::ARCH);
    assert!(fs::exists(&path).unwrap(), "{path} is missing\n{NEEDED}");
    path.into()
}

/// An appliance with a soft token behind the chaos module, which counts the logins.
pub struct Guarded {
    pub appliance: Appliance,
    pub soft: SoftToken,
}

impl Guarded {
    pub fn start() -> Self {
        let mut appliance = Appliance::without_token();
        let soft = SoftToken::start(&mut appliance);
        soft.init(&appliance);
        let chaos = std::env::current_exe().unwrap().with_file_name("libchaos_module.so");
        let path = |name| appliance.path(name).display().to_string();
        let config = format!(
            "version = 1\ndata_dir = \"data\"\n[http]\nlisten = \"127.0.0.1:0\"\n\
             [tokens.main]\nprofile = \"./profile.toml\"\nmodule = {chaos:?}\nlabel = {LABEL:?}\n\
             pin_file = \"pin\"\nhardware = true\n[tokens.main.env]\nCHAOS_MODULE_TARGET = {:?}\n\
             CHAOS_MODULE_RULES = {:?}\nCHAOS_MODULE_STATE = {:?}\nCHAOS_MODULE_LOG = {:?}\n",
            module(),
            path("chaos.rules"),
            path("chaos.state"),
            path("chaos.log"),
        );
        appliance.write_private("strongroom.toml", &config);
        let shipped = include_str!("../../../hsm-profiles/opencryptoki.toml");
        appliance.write_private("profile.toml", &shipped.replace("quirks = []", QUIRKS));
        let guarded = Self { appliance, soft };
        guarded.write_pin(PIN);
        guarded.count_logins("");
        guarded
    }

    /// Faults, and the two rules that are always there.
    pub fn count_logins(&self, faults: &str) {
        self.appliance.chaos_rules(&format!("{faults}\n{NO_CLOCK}\nC_Login every sleep-ms=1\n"));
    }

    pub fn write_pin(&self, pin: &str) {
        self.appliance.write_private("pin", pin);
    }

    pub fn tool(&self, args: &[&str]) -> Output {
        self.soft.tool(&self.appliance, args)
    }

    pub fn opens_with(&self, pin: &str) -> bool {
        self.soft.opens_with(&self.appliance, pin)
    }

    /// The right PIN still opens the token, and no try is missing afterwards.
    #[track_caller]
    pub fn assert_opens(&self) {
        assert!(self.opens_with(PIN), "the token is locked");
        assert_eq!(self.tries(), Tries::All);
    }

    pub fn tries(&self) -> Tries {
        self.soft.tries(&self.appliance)
    }

    /// How often the module's C_Login was called.
    pub fn logins(&self) -> usize {
        let log = self.appliance.chaos_log();
        log.iter().filter(|line| line.starts_with("C_Login ") && line.ends_with(" sleep-ms=1")).count()
    }

    /// So many logins so far, and so the token says.
    #[track_caller]
    pub fn assert_spent(&self, logins: usize, tries: Tries) {
        assert_eq!((self.logins(), self.tries()), (logins, tries), "{:?}", self.appliance.chaos_log());
    }

    /// How many workers have ended, over all runs of the service.
    pub fn worker_ends(&self) -> usize {
        self.appliance.log().matches("the token's worker ended").count()
    }

    /// Waits until the token is down because of this, and answers with the whole message.
    #[track_caller]
    pub fn await_problem(&self, service: &Service<'_>, wanted: &str) -> String {
        let mut problem = String::new();
        service.await_that(&format!("the problem is {wanted}"), || {
            problem = service.get("/tokens").json()["items"][0]["problem"].to_string();
            problem.contains(wanted)
        });
        problem
    }
}
