//! The audit log: who did what and who was refused, without a name that is not needed; every edit found;
//! no change without a record.

mod by_itself;
mod damage;
mod edits;
mod operations;
mod outages;
mod privacy;

use std::process::{Command, Output};

use serde_json::Value;

use crate::harness::{Appliance, Reply, Service};

/// The newest records that fit, oldest first.
#[track_caller]
pub fn records(service: &Service, query: &str) -> Vec<Value> {
    let page = service.get(&format!("/audit?limit=200{query}")).expect(200).json();
    let mut items = page["items"].as_array().unwrap().clone();
    items.reverse();
    items
}

/// The records of what was answered so, of which there must be one at least; on a busy machine an answer may
/// be there before its record.
#[track_caller]
pub fn records_of(service: &Service, reply: &Reply) -> Vec<Value> {
    let mut found = Vec::new();
    service.await_that("it is on record", || {
        found = records_so_far(service, reply);
        !found.is_empty()
    });
    found
}

/// Those that there are now.
#[track_caller]
pub fn records_so_far(service: &Service, reply: &Reply) -> Vec<Value> {
    let id = reply.header("x-request-id").unwrap();
    records(service, "").into_iter().filter(|record| record["request_id"] == id).collect()
}

/// What a command of the CLI says, and its exit code.
pub fn says(appliance: &Appliance, args: &[&str]) -> (i32, String) {
    said(appliance.cli(args))
}

/// What the script that shares nothing with strongroom says of an index or an export.
pub fn script_says(args: &[&str]) -> (i32, String) {
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/scripts/verify-audit");
    said(Command::new("python3").arg(script).args(args).output().unwrap())
}

fn said(output: Output) -> (i32, String) {
    let text = [output.stdout, output.stderr].concat();
    (output.status.code().unwrap(), String::from_utf8(text).unwrap())
}
