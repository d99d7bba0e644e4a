//! The container image: what was made in it is there after a restart.

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use serde_json::Value;
use testcontainers::core::{Mount, WaitFor};
use testcontainers::runners::AsyncRunner as _;
use testcontainers::{ContainerAsync, GenericImage, ImageExt as _};

use crate::harness::{BINARY, LONG, PIN};
use crate::openssl;

const IMAGE: (&str, &str) = ("strongroom/test-appliance", "1");
/// Names the process that a container belongs to: scripts/test removes those of processes that ended.
const TEST_PROCESS: &str = "strongroom.test-process";
/// The user of the image.
const USER: u32 = 10001;
const DATA: &str = "/var/lib/strongroom";

#[tokio::test(flavor = "multi_thread")]
async fn a_request_and_its_key_outlive_a_restart_of_the_container() {
    build_image();
    let volume = Volume::new();
    let container = volume.run().await;
    volume.await_ready();
    let made = volume.json(&["csr", "new", "--subject", "CN=www.example.com"]);
    openssl::verified_text(made["csr"].as_str().unwrap());
    let owner = fs::metadata(volume.path("strongroom.db")).unwrap().uid();
    assert_eq!(owner, volume.user, "the service is not root");
    assert!(volume.shell(&container).is_err_and(|said| said.contains("no such file")), "there is no shell");

    container.stop().await.unwrap();
    container.start().await.unwrap();
    volume.await_ready();
    let handle = made["handle"].as_str().unwrap();
    assert_eq!(volume.json(&["csr", "show", handle]), made);
    let key = made["key"]["handle"].as_str().unwrap();
    assert_eq!(volume.json(&["key", "show", key])["state"], "present");
    let renewed = volume.json(&["csr", "renew", handle]);
    openssl::verified_text(renewed["csr"].as_str().unwrap());
}

fn build_image() {
    let (name, tag) = IMAGE;
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/scripts/image");
    let tag = format!("{name}:{tag}");
    let built = Command::new(script).args(["--softhsm", "--binary", BINARY, "--tag", &tag]).output().unwrap();
    assert!(built.status.success(), "{built:?}");
}

/// The data directory that outlives containers, with a SoftHSM token in it.
struct Volume {
    dir: tempfile::TempDir,
    user: u32,
}

impl Volume {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let data = dir.path().join("data");
        fs::create_dir_all(data.join("softhsm")).unwrap();
        let volume = Self { user: fs::metadata(&data).unwrap().uid(), dir };
        fs::write(volume.path("pin"), PIN).unwrap();
        fs::set_permissions(volume.path("pin"), fs::Permissions::from_mode(0o600)).unwrap();
        volume.init_token();
        fs::write(volume.path("softhsm2.conf"), format!("directories.tokendir = {DATA}/softhsm\n")).unwrap();
        volume.write_config("inside.toml", Path::new(DATA));
        volume.write_config("outside.toml", &data);
        // Who is not root cannot give files away: the container then runs as he.
        let user = if volume.user == 0 { USER } else { volume.user };
        if volume.user == 0 {
            give(&data, user);
        }
        Self { user, ..volume }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join("data").join(name)
    }

    fn init_token(&self) {
        let conf = self.dir.path().join("outside.conf");
        fs::write(&conf, format!("directories.tokendir = {}\n", self.path("softhsm").display())).unwrap();
        let output = Command::new("softhsm2-util")
            .args(["--init-token", "--free", "--label", "image", "--pin", PIN, "--so-pin", "so-pin-1234"])
            .env("SOFTHSM2_CONF", conf)
            .output()
            .expect("softhsm2-util: apt-get install softhsm2");
        assert!(output.status.success(), "{output:?}");
    }

    fn write_config(&self, name: &str, data: &Path) {
        let text = format!(
            "version = 1\ndata_dir = {data:?}\n[tokens.main]\nprofile = \"softhsm2\"\nlabel = \"image\"\n\
             pin_file = {:?}\n[tokens.main.env]\nSOFTHSM2_CONF = {:?}\n",
            data.join("pin"),
            data.join("softhsm2.conf"),
        );
        fs::write(self.path(name), text).unwrap();
    }

    async fn run(&self) -> ContainerAsync<GenericImage> {
        let (name, tag) = IMAGE;
        GenericImage::new(name, tag)
            .with_wait_for(WaitFor::message_on_stderr("serving"))
            .with_user(format!("{0}:{0}", self.user))
            .with_readonly_rootfs(true)
            .with_network("none")
            .with_label(TEST_PROCESS, std::process::id().to_string())
            .with_mount(Mount::bind_mount(self.path("").to_str().unwrap(), DATA))
            .with_cmd(["serve", "--config", &format!("{DATA}/inside.toml")])
            .start()
            .await
            .expect("scripts/image makes the image; is there a Docker daemon?")
    }

    fn shell(&self, container: &ContainerAsync<GenericImage>) -> Result<(), String> {
        let output = Command::new("docker").args(["exec", container.id(), "/bin/sh", "-c", "true"]).output();
        let output = output.unwrap();
        let said = [output.stdout, output.stderr].concat();
        if output.status.success() { Ok(()) } else { Err(String::from_utf8_lossy(&said).into_owned()) }
    }

    /// Over the socket in the volume.
    fn cli(&self, args: &[&str]) -> std::process::Output {
        let config = self.path("outside.toml");
        Command::new(BINARY).args(args).arg("--json").env("STRONGROOM_CONFIG", config).output().unwrap()
    }

    #[track_caller]
    fn json(&self, args: &[&str]) -> Value {
        let output = self.cli(args);
        assert_eq!(output.status.code(), Some(0), "{args:?}: {output:?}");
        serde_json::from_slice(&output.stdout).unwrap()
    }

    fn await_ready(&self) {
        let give_up = Instant::now() + LONG;
        let is_ready = || {
            let output = self.cli(&["token", "list"]);
            let tokens: Value = serde_json::from_slice(&output.stdout).unwrap_or_default();
            tokens["items"][0]["ready"] == true
        };
        while !is_ready() {
            assert!(
                Instant::now() < give_up,
                "the token in the container is not ready: {:?}",
                self.cli(&["token", "list"])
            );
            std::thread::sleep(Duration::from_millis(100));
        }
    }
}

fn give(path: &Path, user: u32) {
    chown(path, Some(user), Some(user)).unwrap();
    if path.is_dir() {
        fs::read_dir(path).unwrap().for_each(|entry| give(&entry.unwrap().path(), user));
    }
}
