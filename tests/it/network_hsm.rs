//! A network HSM: a SoftHSM token in a container, served by p11-kit over a socket in a directory that
//! the container shares with the appliance. It goes away, comes back and hangs as a real one does.

use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::process::Command;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use testcontainers::core::{ExecCommand, Mount, WaitFor};
use testcontainers::runners::AsyncRunner as _;
use testcontainers::{ContainerAsync, GenericImage, ImageExt as _};

use crate::harness::{Appliance, PIN, Service, p256};
use crate::openssl;

/// What scripts/test-images builds.
const IMAGE: (&str, &str) = ("strongroom/test-hsm", "1");
/// Names the process that a container belongs to: scripts/test removes those of processes that ended.
const TEST_PROCESS: &str = "strongroom.test-process";
const LABEL: &str = "network-hsm";
/// The directory that appliance and container share; under this name in both.
const SHARED: &str = "hsm";
const SOCKET: &str = "hsm/socket";

/// The deadline of a signature in the profile, the longest wait for a worker that cannot start, and
/// room for a machine under load.
const UNAVAILABLE_WITHIN: Duration = Duration::from_secs(5 + 5 + 10);

#[tokio::test(flavor = "multi_thread")]
async fn keys_are_made_in_a_network_hsm_and_their_csrs_verify() {
    let appliance = appliance();
    let hsm = NetworkHsm::start(&appliance).await;
    let service = appliance.start_ready();

    let serial = hsm.serial().await;
    for kind in ["ec-p256", "rsa-2048"] {
        let made = service.post("/csrs", &new_key(kind)).expect(201).json();
        openssl::verified_text(pem(&made));
        let uri = made["key"]["uri"].as_str().unwrap();
        assert!(uri.contains(&format!("token={LABEL};")) && uri.contains(&serial), "{uri}, not {serial}");
        // Declared to be hardware; but the token behind the network says what it is.
        assert_eq!(made["evidence"]["level"], "E0");
    }
    assert_eq!(private_keys(&appliance), 3, "the two and the sentinel");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_accepted_before_an_outage_of_the_network_hsm_is_made_after_it() {
    let appliance = appliance();
    let hsm = NetworkHsm::start(&appliance).await;
    let service = appliance.start_ready();
    let made_before = service.create("before.example");
    let accepted: Vec<_> = (0..2).map(|_| accept(&service, &new_key("rsa-4096"))).collect();

    hsm.kill().await;
    // Not only lost: a new connection has found nothing there.
    service.await_that("the token is down", || token(&service)["status"] == "down");
    await_unready(&service);
    let refused = service.post("/csrs", &p256("refused.example")).expect(503);
    assert!(refused.header("retry-after").is_some(), "{refused:?}");
    assert_ne!(status(&service, &accepted[1]), "pending", "it was made before the outage: it shows nothing");

    hsm.start_again().await;
    // No restart of the service, and no longer than 60 s.
    service.await_ready();
    for handle in &accepted {
        service.await_that("what was accepted is made", || status(&service, handle) == "pending");
        openssl::verified_text(pem(&service.get(&format!("/csrs/{handle}")).json()));
    }
    assert_renews(&service, &made_before);
    assert_eq!(private_keys(&appliance), 4, "one for each request that was not refused, and the sentinel");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_call_to_a_network_hsm_that_hangs_ends_and_the_service_heals() {
    let appliance = appliance();
    let hsm = NetworkHsm::start(&appliance).await;
    let service = appliance.start_ready();
    let made_before = service.create("before.example");

    hsm.pause().await;
    let asked = Instant::now();
    let refused = service.post("/csrs", &renewal_of(&made_before)).expect(503);
    let waited = asked.elapsed();
    assert!(waited < UNAVAILABLE_WITHIN, "{waited:?}");
    assert!(refused.header("retry-after").is_some(), "{refused:?}");
    await_unready(&service);

    hsm.unpause().await;
    service.await_ready();
    assert_renews(&service, &made_before);
    openssl::verified_text(pem(&service.create("after.example")));
}

/// An HSM with one token that can be reached over the network. Its container is removed when dropped.
struct NetworkHsm {
    container: ContainerAsync<GenericImage>,
}

impl NetworkHsm {
    async fn start(appliance: &Appliance) -> Self {
        // The token is made by the first start only: it outlives the others.
        let serve = format!(
            "if ! [ -e $SOFTHSM2_CONF ]; then
                mkdir /tmp/tokens
                echo directories.tokendir = /tmp/tokens >$SOFTHSM2_CONF
                softhsm2-util --init-token --free --label {LABEL} --pin {PIN} --so-pin so-pin-1234
             fi
             rm -f /{SOCKET}
             exec p11-kit server -f -n /{SOCKET} --provider /usr/lib/softhsm/libsofthsm2.so pkcs11:"
        );
        let (name, tag) = IMAGE;
        let owner = fs::metadata(appliance.path(SHARED)).unwrap();
        let started = GenericImage::new(name, tag)
            .with_wait_for(WaitFor::message_on_stdout("P11_KIT_SERVER_PID="))
            .with_env_var("SOFTHSM2_CONF", "/tmp/softhsm2.conf")
            .with_cmd(["sh", "-euc", &serve])
            // The server lets nobody else connect, and the test has to remove the socket.
            .with_user(format!("{}:{}", owner.uid(), owner.gid()))
            .with_mount(Mount::bind_mount(
                appliance.path(SHARED).to_string_lossy().into_owned(),
                format!("/{SHARED}"),
            ))
            .with_network("none")
            .with_label(TEST_PROCESS, std::process::id().to_string())
            .start()
            .await;
        let container = started.unwrap_or_else(|error| {
            panic!("{error}\nThis test needs Docker and an image: apt-get install docker.io, then scripts/test-images")
        });
        Self { container }
    }

    /// SIGKILL to the server and to its process for each connection.
    async fn kill(&self) {
        self.container.stop_with_timeout(Some(0)).await.unwrap();
    }

    async fn start_again(&self) {
        self.container.start().await.unwrap();
    }

    /// Calls on their way and new ones stay unanswered.
    async fn pause(&self) {
        self.container.pause().await.unwrap();
    }

    async fn unpause(&self) {
        self.container.unpause().await.unwrap();
    }

    /// The serial number of the token, as a tool in the container tells it.
    async fn serial(&self) -> String {
        let mut shown =
            self.container.exec(ExecCommand::new(["softhsm2-util", "--show-slots"])).await.unwrap();
        let text = String::from_utf8(shown.stdout_to_vec().await.unwrap()).unwrap();
        let serials = text.lines().filter_map(|line| line.trim().strip_prefix("Serial number:"));
        // Last comes the slot that is still free.
        serials
            .map(str::trim)
            .find(|serial| !serial.is_empty())
            .unwrap_or_else(|| panic!("{text}"))
            .to_owned()
    }
}

/// An appliance whose only token is the network HSM's.
fn appliance() -> Appliance {
    let appliance = Appliance::without_token();
    fs::create_dir(appliance.path(SHARED)).unwrap();
    let config = format!(
        "version = 1\ndata_dir = \"data\"\n[http]\nlisten = \"127.0.0.1:0\"\n\
         [tokens.main]\nprofile = \"p11-kit\"\nlabel = {LABEL:?}\npin_file = \"pin\"\nhardware = true\n\
         [tokens.main.env]\nP11_KIT_SERVER_ADDRESS = {:?}\n",
        server_address(&appliance)
    );
    appliance.write_private("strongroom.toml", &config);
    appliance
}

fn server_address(appliance: &Appliance) -> String {
    format!("unix:path={}", appliance.path(SOCKET).display())
}

fn new_key(kind: &str) -> Value {
    json!({ "subject": format!("CN={kind}.example"), "key": { "kind": kind } })
}

fn renewal_of(csr: &Value) -> Value {
    json!({ "subject": csr["subject"], "key": { "handle": csr["key"]["handle"] } })
}

/// Answers the handle of a request that the service promises to fulfil.
#[track_caller]
fn accept(service: &Service<'_>, body: &Value) -> String {
    let accepted = service.post_with("/csrs", &[("prefer", "respond-async")], body).expect(202).json();
    accepted["handle"].as_str().unwrap().to_owned()
}

#[track_caller]
fn status(service: &Service<'_>, handle: &str) -> String {
    let csr = service.get(&format!("/csrs/{handle}")).expect(200).json();
    assert_ne!(csr["status"], "failed", "{csr}");
    csr["status"].as_str().unwrap().to_owned()
}

#[track_caller]
fn token(service: &Service<'_>) -> Value {
    service.get("/tokens").expect(200).json()["items"][0].take()
}

#[track_caller]
fn await_unready(service: &Service<'_>) {
    service.await_that("the service is not ready", || service.get("//readyz").status == 503);
}

#[track_caller]
fn pem(csr: &Value) -> &str {
    csr["csr"].as_str().unwrap_or_else(|| panic!("no CSR: {csr}"))
}

/// The key that was made before signs again.
#[track_caller]
fn assert_renews(service: &Service<'_>, made_before: &Value) {
    let renewed = service.post("/csrs", &renewal_of(made_before)).expect(201).json();
    openssl::verified_text(pem(&renewed));
    assert_eq!(openssl::public_key(pem(&renewed)), openssl::public_key(pem(made_before)));
}

/// How many there are on the token, by a client that is not ours.
#[track_caller]
fn private_keys(appliance: &Appliance) -> usize {
    let client = format!("/usr/lib/{}-linux-gnu/pkcs11/p11-kit-client.so", std::env::consts::ARCH);
    let listed = Command::new("pkcs11-tool")
        .args(["--module", &client, "--token-label", LABEL, "--login", "--pin", PIN, "--list-objects"])
        .env("P11_KIT_SERVER_ADDRESS", server_address(appliance))
        .output()
        .expect("pkcs11-tool: apt-get install opensc");
    assert!(listed.status.success(), "{listed:?}");
    let text = String::from_utf8(listed.stdout).unwrap();
    text.lines().filter(|line| line.starts_with("Private Key Object")).count()
}
