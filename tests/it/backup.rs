//! Backup and restore: the whole drill, and what is refused.

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use serde_json::{Value, json};

use crate::access::Office;
use crate::certificate_objects::certificate_path;
use crate::certificates::Ca;
use crate::harness::{Appliance, signal, stop};
use crate::openssl;

#[test]
fn after_a_restore_older_requests_go_on_and_newer_keys_are_recovered() {
    let appliance = Appliance::new();
    let mut service = appliance.start_ready();
    let kept = service.create("kept.example.com");
    let dir = backup(&appliance, "one");
    let manifest: Value = serde_json::from_slice(&fs::read(dir.join("manifest.json")).unwrap()).unwrap();
    let lost = service.create("lost.example.com");
    service.stop();

    let refused = restore(&appliance, &dir, &[]);
    assert_eq!(refused.status.code(), Some(1), "{refused:?}");
    assert!(stderr(&refused).contains("--replace"), "{refused:?}");
    let restored: Value = json_of(&restore(&appliance, &dir, &["--replace", "--json"]));
    assert_eq!(restored["backup"]["sha256"], manifest["sha256"]);
    let aside = Path::new(restored["replaced"].as_str().unwrap());
    assert!(aside.exists(), "the index that was there is kept");
    assert_eq!(mode(&appliance.data("strongroom.db")), 0o600);

    let service = appliance.start_ready();
    let (kept_handle, lost_handle) = (kept["handle"].as_str().unwrap(), lost["handle"].as_str().unwrap());
    assert_eq!(service.get(&format!("/csrs/{kept_handle}")).expect(200).json()["status"], "pending");
    service.get(&format!("/csrs/{lost_handle}")).problem(404, "not-found");
    let lost_key = lost["key"]["handle"].as_str().unwrap();
    let recovered = service.get(&format!("/keys/{lost_key}")).expect(200).json();
    assert_eq!(recovered["state"], "recovered");
    let kept_key = kept["key"]["handle"].as_str().unwrap();
    assert_eq!(service.get(&format!("/keys/{kept_key}")).expect(200).json()["state"], "present");
    let body = serde_json::json!({ "subject": "CN=again", "key": { "handle": lost_key } });
    let again = service.post("/csrs", &body).expect(201).json();
    openssl::verified_text(again["csr"].as_str().unwrap());

    // The log goes on where the backup ended, and says that there was a restore.
    let after = backup(&appliance, "two");
    let actions = actions(&after);
    let at = |action: &str| actions.iter().position(|known| known == action);
    assert!(at("index.backed-up").unwrap() < at("index.restored").unwrap(), "{actions:?}");
}

#[test]
fn a_restore_undoes_no_revocation_and_destroys_no_key_that_came_into_use_again() {
    let appliance = Appliance::new();
    let text = format!("{}\n[keys]\ndestroy_retired_after_days = 1\n", appliance.config_text());
    appliance.write_private("strongroom.toml", &text);
    let mut service = appliance.start_ready();
    let office = Office::open(&appliance, &service);
    let stolen = office.hire("robot", &[("reader", None)]);
    let (used, lost) = (service.create("used.example.com"), service.create("lost.example.com"));
    let ca = Ca::new("Example CA");
    for csr in [&used, &lost] {
        let certificate = ca.issue(csr["csr"].as_str().unwrap());
        service.put(&certificate_path(csr), "application/pkix-cert", certificate.der()).expect(200);
    }
    let path = |csr: &Value| format!("/csrs/{}", csr["handle"].as_str().unwrap());
    let key = |csr: &Value| format!("/keys/{}", csr["key"]["handle"].as_str().unwrap());
    service.post(&format!("{}/retire", path(&used)), &json!({})).expect(200);
    let dir = backup(&appliance, "one");

    // Since then: the key is in use again, another is compromised, a credential revoked.
    service.post(&format!("{}/unretire", key(&used)), &json!({})).expect(200);
    service.post(&format!("{}/compromise", key(&lost)), &json!({ "reason": "stolen" })).expect(200);
    let credential = office.key_of("robot");
    office.manage("DELETE", &format!("/credentials/{credential}"), None).expect(200);
    drop(office);
    service.stop();
    // Its day comes while the service is down: by the backup, the key is long due.
    let copy = rusqlite::Connection::open(dir.join("strongroom.db")).unwrap();
    copy.execute_batch("UPDATE keys SET destroy_after = 1, destroy_after_lived = 0 WHERE retired_at > 0")
        .unwrap();
    drop(copy);
    sign_again(&dir);

    let restored = json_of(&restore(&appliance, &dir, &["--replace", "--json"]));
    assert_eq!(restored["held_keys"], json!([used["key"]["handle"]]));
    assert_eq!(restored["since_backup"]["revoked_credentials"], json!([credential]));
    assert_eq!(restored["since_backup"]["compromised_keys"], json!([lost["key"]["handle"]]));
    let service = appliance.start_ready();
    service.post("/tokens/main/reconcile", &json!({})).expect(200);
    let shown = service.get(&key(&used)).expect(200).json();
    assert_eq!((&shown["state"], &shown["life"]["destroy_after"]), (&json!("present"), &Value::Null));
    assert!(shown["life"]["retired_at"].is_string(), "it signs nothing until somebody says so: {shown}");
    assert_eq!(service.get(&key(&lost)).json()["life"]["compromise"], "stolen");
    let bearer = format!("Bearer {stolen}");
    service.request("GET", "/csrs", &[("authorization", &bearer)], None).problem(401, "auth.unauthenticated");
    let actions = actions(&backup(&appliance, "two"));
    for action in ["index.restored", "key.destruction-held", "credential.revoked", "key.compromised"] {
        assert!(actions.iter().rev().take(12).any(|known| known == action), "{action}: {actions:?}");
    }
}

#[test]
fn a_csr_that_was_answered_after_the_backup_keeps_its_key() {
    let appliance = Appliance::with_chaos();
    let mut service = appliance.start_ready();
    appliance.chaos_rules("C_GenerateKeyPair nth=1 sleep-ms=3000");
    let made = std::thread::scope(|scope| {
        let making = scope.spawn(|| service.create("slow.example.com"));
        service.await_that("the token is at it", || !appliance.chaos_log().is_empty());
        backup(&appliance, "one");
        making.join().unwrap()
    });
    service.stop();
    drop(service);
    json_of(&restore(&appliance, &appliance.path("one"), &["--replace", "--json"]));
    let service = appliance.start_ready();
    let path = format!("/csrs/{}", made["handle"].as_str().unwrap());
    service.await_that("it is taken up", || service.get(&path).expect(200).json()["status"] == "pending");
    assert_eq!(service.get(&path).json()["key"], made["key"]);
}

#[test]
fn a_restore_that_nothing_tells_what_came_since_says_so() {
    let appliance = Appliance::new();
    let mut service = appliance.start_ready();
    let dir = backup(&appliance, "one");
    service.stop();
    fs::write(appliance.data("strongroom.db"), "damaged").unwrap();
    let restored = restore(&appliance, &dir, &["--replace"]);
    assert_eq!(restored.status.code(), Some(0), "{restored:?}");
    assert!(stderr(&restored).contains("credential list"), "{restored:?}");
    appliance.start_ready();
}

#[test]
fn the_log_of_a_killed_service_is_not_applied_to_what_is_restored() {
    let appliance = Appliance::new();
    let mut service = appliance.start_ready();
    let kept = service.create("kept.example.com");
    let dir = backup(&appliance, "one");
    let lost = service.create("lost.example.com");
    service.kill();
    drop(service);
    assert!(appliance.data("strongroom.db-wal").exists());
    let restored = json_of(&restore(&appliance, &dir, &["--replace", "--json"]));
    assert!(!appliance.data("strongroom.db-wal").exists());
    let aside = restored["replaced"].as_str().unwrap();
    let aside = rusqlite::Connection::open(aside).unwrap();
    let requests: i64 =
        aside.query_row("SELECT count(*) FROM signing_requests", [], |row| row.get(0)).unwrap();
    assert_eq!(requests, 2, "what is put aside is whole");
    let service = appliance.start_ready();
    service.get(&format!("/csrs/{}", kept["handle"].as_str().unwrap())).expect(200);
    service.get(&format!("/csrs/{}", lost["handle"].as_str().unwrap())).problem(404, "not-found");
}

#[test]
fn a_backup_that_was_changed_on_its_way_is_not_kept() {
    let appliance = Appliance::new();
    appliance.start_ready().stop();
    let listener = UnixListener::bind(appliance.data("strongroom.sock")).unwrap();
    let index = fs::read(appliance.data("strongroom.db")).unwrap();
    let answering = std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        let mut asked = BufReader::new(stream.try_clone().unwrap()).lines();
        while !asked.next().unwrap().unwrap().is_empty() {}
        let head = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n", index.len());
        let digest = "Repr-Digest: sha-256=:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=:\r\n\r\n";
        stream.write_all(&[head.as_bytes(), digest.as_bytes(), &index].concat()).unwrap();
    });
    let refused = appliance.cli(&["backup", "--out", text(&appliance.path("one"))]);
    assert_eq!(refused.status.code(), Some(3), "{refused:?}");
    assert!(stderr(&refused).contains("was changed on its way"), "{refused:?}");
    assert!(!appliance.path("one").exists());
    answering.join().unwrap();
}

#[test]
fn a_backup_is_private_whole_and_says_what_it_has_not() {
    let appliance = Appliance::new();
    let service = appliance.start_ready();
    service.create("a.example.com");
    let dir = backup(&appliance, "one");
    assert_eq!(mode(&dir), 0o700);
    let mut names: Vec<_> =
        fs::read_dir(&dir).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    assert_eq!(names, ["manifest.json", "strongroom.db"]);
    for name in names {
        assert_eq!(mode(&dir.join(name)), 0o600);
    }
    let verified = json_of(&appliance.cli(&["backup", "verify", text(&dir), "--json"]));
    assert!(verified["audit_records"].as_u64().unwrap() > 2, "{verified}");
    assert!(verified["does_not_contain"].to_string().contains("PINs"), "{verified}");
    // The service keeps nothing of it.
    let left = fs::read_dir(appliance.path("data")).unwrap();
    let left: Vec<_> = left.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    assert!(!left.iter().any(|name| name.contains("copy")), "{left:?}");
}

#[test]
fn a_backup_into_a_directory_that_is_not_empty_is_refused() {
    let appliance = Appliance::new();
    let _service = appliance.start_ready();
    let dir = appliance.path("full");
    fs::create_dir(&dir).unwrap();
    fs::write(dir.join("notes.txt"), "mine").unwrap();
    let refused = appliance.cli(&["backup", "--out", text(&dir)]);
    assert_eq!(refused.status.code(), Some(1), "{refused:?}");
    assert!(stderr(&refused).contains("is not empty"), "{refused:?}");
    assert_eq!(fs::read_dir(&dir).unwrap().count(), 1);
}

#[test]
fn a_backup_without_a_service_leaves_nothing_behind() {
    let appliance = Appliance::new();
    appliance.start().stop();
    let refused = appliance.cli(&["backup", "--out", text(&appliance.path("one"))]);
    assert_eq!(refused.status.code(), Some(3), "{refused:?}");
    assert!(!appliance.path("one").exists());
}

#[test]
fn a_restore_over_a_running_service_is_refused() {
    let appliance = Appliance::new();
    let service = appliance.start_ready();
    let dir = backup(&appliance, "one");
    let before = service.create("later.example.com");
    let refused = restore(&appliance, &dir, &["--replace"]);
    assert_eq!(refused.status.code(), Some(1), "{refused:?}");
    assert!(stderr(&refused).contains("a service runs"), "{refused:?}");
    service.get(&format!("/csrs/{}", before["handle"].as_str().unwrap())).expect(200);
    // Not even while it hangs.
    stop(service.pid());
    assert_eq!(restore(&appliance, &dir, &["--replace"]).status.code(), Some(1));
    signal(service.pid(), "CONT");
}

#[test]
fn a_damaged_backup_is_refused_and_nothing_is_replaced() {
    let appliance = Appliance::new();
    let mut service = appliance.start_ready();
    let dir = backup(&appliance, "one");
    service.stop();
    let database = fs::read(dir.join("strongroom.db")).unwrap();
    let manifest = fs::read_to_string(dir.join("manifest.json")).unwrap();
    let index = fs::read(appliance.data("strongroom.db")).unwrap();

    let mut flipped = database.clone();
    flipped[5000] ^= 1;
    let other = manifest.replace("\"audit_records\": ", "\"audit_records\": 1");
    for (database, manifest, why) in [
        (&flipped, &manifest, "its database is not the one of its manifest"),
        (&database[..8192].to_vec(), &manifest, "its database is not the one of its manifest"),
        (&database, &other, "its manifest tells of another database"),
        (&database, &"{}".to_owned(), "manifest.json"),
    ] {
        fs::write(dir.join("strongroom.db"), database).unwrap();
        fs::write(dir.join("manifest.json"), manifest).unwrap();
        for refused in
            [restore(&appliance, &dir, &["--replace"]), appliance.cli(&["backup", "verify", text(&dir)])]
        {
            assert_eq!(refused.status.code(), Some(1), "{refused:?}");
            assert!(stderr(&refused).contains(why), "{why}: {refused:?}");
        }
    }
    fs::remove_file(dir.join("manifest.json")).unwrap();
    let unfinished = restore(&appliance, &dir, &["--replace"]);
    assert!(stderr(&unfinished).contains("is it finished?"), "{unfinished:?}");
    assert_eq!(fs::read(appliance.data("strongroom.db")).unwrap(), index);
}

#[test]
fn a_backup_of_a_later_schema_is_refused() {
    let appliance = Appliance::new();
    let mut service = appliance.start_ready();
    let dir = backup(&appliance, "one");
    service.stop();
    // The schema version is in the file's header: `user version number`, 4 bytes at 60
    // (https://sqlite.org/fileformat2.html, section 1.3).
    let mut database = fs::read(dir.join("strongroom.db")).unwrap();
    database[60..64].copy_from_slice(&9999_u32.to_be_bytes());
    fs::write(dir.join("strongroom.db"), &database).unwrap();
    sign_again(&dir);
    let refused = restore(&appliance, &dir, &["--replace"]);
    assert_eq!(refused.status.code(), Some(1), "{refused:?}");
    assert!(stderr(&refused).contains("schema version 9999"), "{refused:?}");
}

fn backup(appliance: &Appliance, name: &str) -> PathBuf {
    let dir = appliance.path(name);
    let made = appliance.cli(&["backup", "--out", text(&dir)]);
    assert_eq!(made.status.code(), Some(0), "{made:?}");
    dir
}

fn restore(appliance: &Appliance, dir: &Path, more: &[&str]) -> Output {
    appliance.cli(&[&["restore", text(dir)], more].concat())
}

/// Makes the manifest that of its database.
fn sign_again(backup: &Path) {
    let mut manifest: Value =
        serde_json::from_slice(&fs::read(backup.join("manifest.json")).unwrap()).unwrap();
    manifest["sha256"] = sha256(&backup.join("strongroom.db")).into();
    fs::write(backup.join("manifest.json"), manifest.to_string()).unwrap();
}

/// What the audit log of a backup tells of, in its order; read by Python, which is not ours.
fn actions(backup: &Path) -> Vec<String> {
    let script = "import sqlite3, sys\n\
                  c = sqlite3.connect(f'file:{sys.argv[1]}?mode=ro', uri=True)\n\
                  [print(a) for a, in c.execute('SELECT action FROM audit ORDER BY seq')]";
    let output = Command::new("python3").args(["-c", script]).arg(backup.join("strongroom.db")).output();
    let output = output.expect("python3: apt-get install python3");
    assert!(output.status.success(), "{output:?}");
    String::from_utf8(output.stdout).unwrap().lines().map(str::to_owned).collect()
}

fn sha256(file: &Path) -> String {
    let output = Command::new("sha256sum").arg(file).output().unwrap();
    String::from_utf8(output.stdout).unwrap()[..64].to_owned()
}

fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap().permissions().mode() & 0o777
}

fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

fn stderr(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

#[track_caller]
fn json_of(output: &Output) -> Value {
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    serde_json::from_slice(&output.stdout).unwrap()
}
