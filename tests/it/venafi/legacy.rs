//! The client of the documented flow.

use serde_json::json;

use super::{LEGACY, hire, run, switched_on};
use crate::openssl;

#[test]
fn the_legacy_client_lives_the_whole_life_of_its_requests() {
    let appliance = switched_on();
    let service = appliance.start_ready();
    let people = hire(&appliance, &service);
    let told = run(LEGACY, include_str!("legacy.py"), &appliance, &people, &json!({}));
    for name in ["first", "renewed", "same key"] {
        let one = &told["issued"][name];
        openssl::verify_chain(one["chain"][0].as_str().unwrap(), one["cert"].as_str().unwrap());
    }
    for (name, class, text) in [
        ("no key", "VenafiConnectionError", "Server status: 401"),
        ("a zone that is not there", "VenafiConnectionError", "Server status: 404"),
        ("another tenant's zone", "VenafiConnectionError", "Server status: 404"),
        ("another tenant's request", "VenafiConnectionError", "Server status: 404"),
        ("a name that is not allowed", "VenafiConnectionError", "Server status: 400"),
        ("a reader who asks", "VenafiConnectionError", "Server status: 403"),
    ] {
        let [raised, said] = [0, 1].map(|at| told["refusals"][name][at].as_str().unwrap().to_owned());
        assert!(raised == class && said.contains(text), "{name}: {raised}: {said}");
    }
    assert_eq!(told["refusals"].as_object().unwrap().len(), 6);
}
