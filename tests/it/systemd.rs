//! What a service manager sees: the notifications of a service that runs under one, and the unit file.

use std::os::unix::net::UnixDatagram;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use crate::harness::{Appliance, LONG, signal};

/// The worst exposure that the unit may have, on the scale of systemd-analyze: 0 is best, 10 worst.
const MOST_EXPOSED: f64 = 1.5;

#[test]
fn the_service_manager_hears_of_ready_reload_life_and_stop() {
    let mut appliance = Appliance::new();
    let mut manager = Manager::of(&mut appliance);
    let mut service = appliance.start();
    manager.await_all(&["READY=1", "STATUS=1 of 1 tokens ready"]);
    manager.await_message("WATCHDOG=1");
    manager.await_message("WATCHDOG=1");

    signal(service.pid(), "HUP");
    let reloading = manager.await_message("RELOADING=1");
    assert!(reloading.contains("\nMONOTONIC_USEC="), "{reloading}");
    manager.await_message("READY=1");

    signal(service.pid(), "TERM");
    manager.await_message("STOPPING=1");
    assert!(service.await_exit().success());
}

#[test]
fn a_token_that_is_down_does_not_keep_the_service_from_having_started() {
    let mut appliance = Appliance::without_token();
    let mut manager = Manager::of(&mut appliance);
    let service = appliance.start();
    manager.await_all(&["READY=1", "STATUS=0 of 1 tokens ready; waiting for main"]);
    assert_eq!(service.get("//readyz").status, 503);
}

#[test]
fn a_watchdog_that_is_another_processs_is_not_fed() {
    let mut appliance = Appliance::new();
    let mut manager = Manager::of(&mut appliance);
    appliance.env("WATCHDOG_PID", "1");
    let mut service = appliance.start();
    manager.await_message("READY=1");
    service.stop();
    manager.await_message("STOPPING=1");
    assert!(!manager.heard.iter().any(|heard| heard.contains("WATCHDOG")), "{:?}", manager.heard);
}

#[test]
fn the_watchdog_goes_hungry_while_the_index_does_not_answer() {
    let mut appliance = Appliance::new();
    let mut manager = Manager::of(&mut appliance);
    let service = appliance.start_ready();
    manager.await_message("WATCHDOG=1");
    let other = rusqlite::Connection::open(appliance.data("strongroom.db")).unwrap();
    other.execute_batch("BEGIN IMMEDIATE").unwrap();
    // The limit is 3 s, so that it is fed within each 2 s.
    manager.hear_for(Duration::from_secs(2));
    manager.heard.clear();
    manager.hear_for(Duration::from_secs(3));
    assert!(!manager.heard.iter().any(|heard| heard.contains("WATCHDOG")), "{:?}", manager.heard);
    other.execute_batch("ROLLBACK").unwrap();
    manager.await_message("WATCHDOG=1");
    service.get("//livez").expect(200);
}

/// `ExecReload` runs what every system has: /bin/kill is of a package that a small one does without.
#[test]
fn the_unit_needs_no_program_but_the_shell_and_ours() {
    let unit = include_str!("../../scripts/systemd/strongroom.service");
    let runs = unit.lines().filter_map(|line| line.strip_prefix("Exec")?.split_once('='));
    let programs: Vec<_> = runs.map(|(_, line)| line.split(' ').next().unwrap()).collect();
    assert_eq!(programs, ["/usr/local/bin/strongroom", "/bin/sh"]);
}

#[test]
fn the_unit_file_is_hardened() {
    let unit = Path::new(env!("CARGO_MANIFEST_DIR")).join("scripts/systemd/strongroom.service");
    let analysed = Command::new("systemd-analyze")
        .args(["security", "--offline=true", "--no-pager"])
        .arg(&unit)
        .output()
        .expect("systemd-analyze: apt-get install systemd");
    let said = String::from_utf8_lossy(&analysed.stdout);
    let verdict = said.lines().find(|line| line.contains("Overall exposure level")).unwrap_or_else(|| {
        panic!("systemd-analyze gave no verdict: {analysed:?}");
    });
    let exposure = verdict.split_whitespace().find_map(|word| word.parse::<f64>().ok()).unwrap();
    assert!(exposure <= MOST_EXPOSED, "{said}");
}

/// What systemd would be to the service.
struct Manager {
    socket: UnixDatagram,
    heard: Vec<String>,
}

impl Manager {
    /// Asks for the watchdog to be fed within 3 s.
    fn of(appliance: &mut Appliance) -> Self {
        let path = appliance.path("notify");
        let socket = UnixDatagram::bind(&path).unwrap();
        socket.set_read_timeout(Some(Duration::from_secs(1))).unwrap();
        appliance.env("NOTIFY_SOCKET", path.to_str().unwrap());
        appliance.env("WATCHDOG_USEC", "3000000");
        Self { socket, heard: Vec::new() }
    }

    /// Waits until each line was heard, in any order.
    #[track_caller]
    fn await_all(&mut self, lines: &[&str]) {
        for line in lines {
            if !self.heard.iter().flat_map(|message| message.lines()).any(|heard| heard == *line) {
                self.await_message(line);
            }
        }
    }

    fn hear_for(&mut self, time: Duration) {
        let end = Instant::now() + time;
        while Instant::now() < end {
            let mut buffer = [0; 4096];
            let Ok(length) = self.socket.recv(&mut buffer) else { continue };
            self.heard.push(String::from_utf8(buffer[..length].to_vec()).unwrap());
        }
    }

    /// Waits for a message with this line, other than those that were heard.
    #[track_caller]
    fn await_message(&mut self, line: &str) -> String {
        let give_up = Instant::now() + LONG;
        while Instant::now() < give_up {
            let mut buffer = [0; 4096];
            let Ok(length) = self.socket.recv(&mut buffer) else { continue };
            let message = String::from_utf8(buffer[..length].to_vec()).unwrap();
            self.heard.push(message.clone());
            if message.lines().any(|heard| heard == line) {
                return message;
            }
        }
        panic!("no {line} in {:?}", self.heard);
    }
}
