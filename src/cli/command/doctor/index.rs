//! The index: whole, known, with room to grow, and not from the future.

use std::fs;
use std::path::Path;

use super::Findings;
use crate::app::SystemClock;
use crate::config::Config;
use crate::domain::clock::{Clock, Timestamp};
use crate::store::{self, Kind};

/// SQLite begins the log anew at some 4 MB, unless a reader keeps it from that.
const LONG_LOG: u64 = 64 * 1024 * 1024;
/// A commit needs some pages; what is short of this is short soon.
const LITTLE_ROOM: u64 = 64 * 1024 * 1024;
/// Time to look for more.
const SOME_ROOM: u64 = 512 * 1024 * 1024;
/// Clocks that are kept by NTP differ by less.
const CLOCK_SLACK_MILLIS: i64 = 5_000;

pub(super) fn look(config: &Config, findings: &mut Findings) {
    let database = config.database();
    if !database.exists() {
        let advice = "the first start makes it; if there was one, `strongroom restore`";
        findings.warning("index", format!("{} is not there", database.display()), advice);
        look_at_room(&config.data_dir, findings);
        return;
    }
    match store::examine(&database) {
        Ok(examined) => {
            let (version, records) = (examined.schema_version, examined.audit_records);
            findings.ok("index", format!("sound, schema {version}, {records} audit records in one chain"));
            look_at_clock(examined.newest_record_at, findings);
        }
        Err(error) => {
            let advice = match error.kind() {
                Kind::Corrupt | Kind::AuditDamaged => {
                    "stop the service, keep the files for whoever looks into it, restore a backup"
                }
                Kind::NewerSchema => "use the strongroom that wrote it, or restore an older backup",
                Kind::Busy => "try again",
                Kind::Permissions | Kind::Unavailable => "run doctor as the service's user, or root",
                Kind::NotOurs | Kind::Conflict(_) | Kind::Bug => "check data_dir in the configuration",
            };
            findings.error("index", error, advice);
        }
    }
    let log = fs::metadata(database.with_extension("db-wal")).map_or(0, |metadata| metadata.len());
    if log > LONG_LOG {
        let found = format!("its write-ahead log has {} MiB", log / 1024 / 1024);
        findings.warning("index", found, "restart the service; if it grows again, report it");
    }
    look_at_room(&config.data_dir, findings);
}

fn look_at_clock(newest: Option<Timestamp>, findings: &mut Findings) {
    let now = SystemClock.now();
    match newest {
        Some(newest) if newest > now.plus_millis(CLOCK_SLACK_MILLIS) => {
            let found = format!("{now}, which is before the newest audit record, {newest}");
            findings.error(
                "clock",
                found,
                "set the clock, or the time in the log was wrong: keep NTP running",
            );
        }
        _ => findings.ok("clock", format!("{now}, after all that is recorded")),
    }
}

fn look_at_room(dir: &Path, findings: &mut Findings) {
    let Ok(room) = rustix::fs::statvfs(dir) else { return };
    let free = room.f_bavail * room.f_frsize;
    let found = format!("{} MiB free in {}", free / 1024 / 1024, dir.display());
    let advice = "make room; when it is full, changes are refused, and reads go on";
    match free {
        0..LITTLE_ROOM => findings.error("disk", found, advice),
        LITTLE_ROOM..SOME_ROOM => findings.warning("disk", found, advice),
        _ => findings.ok("disk", found),
    }
}
