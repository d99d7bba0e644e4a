//! What the operating system says.

use std::fs::{self, File};
use std::io::Write as _;
use std::path::Path;
use std::time::{Duration, Instant};

use crate::median;

/// Proportional set size in KiB: what a process shares counts in part (proc_pid_smaps_rollup(5)).
pub fn pss(pid: u32) -> u64 {
    let rollup = fs::read_to_string(format!("/proc/{pid}/smaps_rollup")).unwrap();
    let line = rollup.lines().find_map(|line| line.strip_prefix("Pss:")).unwrap();
    line.trim().trim_end_matches(" kB").parse().unwrap()
}

/// Processes that wanted to run in the last minute: what else the machine is doing.
pub fn load_average() -> f64 {
    let averages = fs::read_to_string("/proc/loadavg").unwrap();
    averages.split(' ').next().unwrap().parse().unwrap()
}

/// How long it takes until a write to a file in that directory is on the disk: what every commit
/// waits for.
pub fn sync_time(dir: &Path) -> Duration {
    let path = dir.join("sync-time");
    let mut file = File::create(&path).unwrap();
    let times: Vec<_> = (0..100)
        .map(|_| {
            let started = Instant::now();
            file.write_all(&[7; 4096]).unwrap();
            file.sync_data().unwrap();
            started.elapsed()
        })
        .collect();
    fs::remove_file(path).unwrap();
    median(&times)
}
