//! What the appliance does by itself is on record, too.

use std::collections::BTreeSet;
use std::fs;
use std::path::PathBuf;

use serde_json::Value;

use super::records;
use crate::harness::{Appliance, Service};

#[test]
fn a_new_api_key_in_the_file_and_the_end_of_the_old_one_are_on_record() {
    let appliance = Appliance::new();
    let mut service = appliance.start_ready();
    assert_eq!(actions(&service, "api-key."), ["api-key.registered"]);
    service.stop();
    drop(service);
    fs::remove_file(appliance.data("api-key")).unwrap();
    let service = appliance.start_ready();
    let mut told = actions(&service, "api-key.");
    told.sort();
    assert_eq!(told, ["api-key.registered", "api-key.registered", "api-key.revoked"]);
}

#[test]
fn a_key_that_goes_and_comes_back_is_on_record_and_so_is_the_inventory() {
    let appliance = Appliance::new();
    let mut service = appliance.start_ready();
    let before = objects(&appliance);
    let csr = service.create("a.example.com");
    service.stop();
    drop(service);
    let made: Vec<_> = objects(&appliance).difference(&before).cloned().collect();
    assert!(!made.is_empty());
    let aside = |path: &PathBuf| appliance.path(path.file_name().unwrap().to_str().unwrap());
    made.iter().for_each(|path| fs::rename(path, aside(path)).unwrap());
    let mut service = appliance.start_ready();
    let gone = actions(&service, "token.inventory-changed").len();
    assert!(gone > 0);
    service.stop();
    drop(service);
    made.iter().for_each(|path| fs::rename(aside(path), path).unwrap());
    let service = appliance.start_ready();
    let of_key = format!("&subject={}", csr["key"]["handle"].as_str().unwrap());
    let told: Vec<_> = records(&service, &of_key).iter().map(action).collect();
    assert_eq!(told, ["key.missing", "key.back"]);
    assert_eq!(actions(&service, "token.inventory-changed").len(), gone + 1);
}

fn actions(service: &Service, beginning: &str) -> Vec<String> {
    records(service, &format!("&action={beginning}")).iter().map(action).collect()
}

fn action(record: &Value) -> String {
    record["action"].as_str().unwrap().to_owned()
}

/// SoftHSM's files of objects.
fn objects(appliance: &Appliance) -> BTreeSet<PathBuf> {
    let tokens = fs::read_dir(appliance.path("softhsm")).unwrap();
    let files = tokens.flat_map(|token| fs::read_dir(token.unwrap().path()).unwrap());
    let paths = files.map(|file| file.unwrap().path());
    paths.filter(|path| !path.file_name().unwrap().to_str().unwrap().starts_with("token.")).collect()
}
