//! The OpenAPI document of this surface: as committed, and as the service answers.

use std::fs;
use std::path::Path;

use super::{call, hire, switch_on, token};
use crate::harness::Appliance;
use crate::schemathesis::{answers_as_declared, committed, quiet};

const COMMITTED: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/openapi/infisical.json");

#[test]
fn the_infisical_openapi_document_that_is_served_is_the_committed_one() {
    let appliance = Appliance::new();
    switch_on(&appliance, "");
    let service = appliance.start_ready();
    let people = hire(&appliance, &service);
    let token = token(&service, &people.reader);
    let served = call(&service, Some(&token), "GET", "/openapi.json", None).expect(200).json();
    let text = format!("{served:#}\n");
    if std::env::var_os("UPDATE_OPENAPI").is_some() {
        fs::create_dir_all(Path::new(COMMITTED).parent().unwrap()).unwrap();
        return fs::write(COMMITTED, text).unwrap();
    }
    let committed = fs::read_to_string(COMMITTED).unwrap_or_default();
    let differs = text.lines().zip(committed.lines()).position(|(served, committed)| served != committed);
    assert!(
        text == committed,
        "docs/openapi/infisical.json is not what the program serves (first at line {:?}); if the change is meant: \
         UPDATE_OPENAPI=1 cargo test --test it openapi",
        differs.map(|line| line + 1)
    );
}

#[test]
fn the_infisical_surface_answers_as_its_document_says() {
    let appliance = quiet(Appliance::new());
    switch_on(&appliance, "");
    let service = appliance.start_ready();
    let people = hire(&appliance, &service);
    let bearer = format!("Bearer {}", token(&service, &people.operator));
    let document = committed("openapi/infisical.json");
    answers_as_declared(&appliance, &service, &document, &[("Authorization", bearer)]);
}
