//! A create that the vendor's client sends again makes one key.

use std::thread;

use serde_json::{Value, json};

use super::{ACCOUNT, ZONE, body, call, hire, switch_on};
use crate::harness::{Appliance, Service};
use crate::python;

const CSRS: &str = "/accounts/023e105f4ecef8ad9ca31a8372d0c353/custom_csrs";

fn create(service: &Service<'_>, key: &str, count: Option<&str>, body: &Value) -> String {
    let headers: Vec<_> = count.iter().map(|count| ("x-stainless-retry-count", *count)).collect();
    let made = call(service, key, "POST", CSRS, &headers, Some(body)).expect(201).json();
    made["result"]["id"].as_str().unwrap().to_owned()
}

#[test]
fn a_retry_leads_to_what_the_try_before_it_made_and_to_nothing_else() {
    let appliance = Appliance::new();
    switch_on(&appliance, "");
    let mut service = appliance.start_ready();
    let people = hire(&appliance, &service);
    let key = people.requester.as_str();
    let (one, other) = (body("a.lab.internal"), body("b.lab.internal"));
    let first = create(&service, key, Some("0"), &one);
    assert_eq!(create(&service, key, Some("1"), &one), first);
    assert_eq!(create(&service, key, Some("2"), &one), first, "the second retry is counted from the first");

    // Another first try, one that counts nothing, another body, another principal, another path.
    let second = create(&service, key, Some("0"), &one);
    assert_ne!(second, first);
    assert_eq!(create(&service, key, Some("1"), &one), second, "the newest");
    assert_ne!(create(&service, key, None, &one), second);
    assert_ne!(create(&service, key, Some("1"), &other), second);
    let zone = format!("/zones/{ZONE}/custom_csrs");
    let zoned = call(&service, key, "POST", &zone, &[("x-stainless-retry-count", "1")], Some(&one))
        .expect(201)
        .json();
    assert_ne!(zoned["result"]["id"], second);

    // Also after a crash; but not when the first was deleted meanwhile.
    service.kill();
    let service = appliance.start_ready();
    assert_eq!(create(&service, key, Some("1"), &one), second);
    call(&service, key, "DELETE", &format!("{CSRS}/{second}"), &[], None).expect(200);
    assert_ne!(create(&service, key, Some("2"), &one), second);
}

#[test]
fn a_client_that_loses_its_patience_gets_one_key() {
    let appliance = Appliance::with_chaos();
    switch_on(&appliance, "");
    let service = appliance.start_ready();
    let people = hire(&appliance, &service);
    let keys = appliance.private_keys();
    appliance.chaos_rules("C_GenerateKeyPair every sleep-ms=1500");
    let script = format!("{}\n{}", include_str!("lab.py"), include_str!("impatient.py"));
    let argument =
        json!({ "base_url": service.url("/client/v4"), "requester": people.requester, "account": ACCOUNT });
    let printed = python::run(&script, &argument.to_string());
    let printed: Value = serde_json::from_str(&printed).unwrap();
    assert!(printed["tries"].as_u64().unwrap() >= 2, "{printed}");
    let listed = call(&service, &people.requester, "GET", CSRS, &[], None).expect(200).json();
    assert_eq!(listed["result_info"]["total_count"], 1, "{listed:#}");
    assert_eq!(listed["result"][0]["id"], printed["id"]);
    assert_eq!(appliance.private_keys(), keys + 1);
}

#[test]
fn a_retry_that_overtakes_its_first_try_waits_for_it() {
    let appliance = Appliance::with_chaos();
    switch_on(&appliance, "");
    let service = appliance.start_ready();
    let people = hire(&appliance, &service);
    let keys = appliance.private_keys();
    appliance.chaos_rules("C_GenerateKeyPair every sleep-ms=1000");
    let asked = body("a.lab.internal");
    let ids: Vec<String> = thread::scope(|scope| {
        let first = scope.spawn(|| create(&service, &people.requester, Some("0"), &asked));
        service.await_that("the first is in flight", || {
            appliance.chaos_log().iter().any(|line| line.starts_with("C_GenerateKeyPair"))
        });
        let retries: Vec<_> = ["1", "2"]
            .map(|count| {
                scope.spawn({
                    let (service, key, asked) = (&service, &people.requester, &asked);
                    move || create(service, key, Some(count), asked)
                })
            })
            .into();
        std::iter::once(first).chain(retries).map(|each| each.join().unwrap()).collect()
    });
    assert!(ids.iter().all(|id| *id == ids[0]), "{ids:?}");
    assert_eq!(appliance.private_keys(), keys + 1);
}

#[test]
#[cfg(feature = "failpoints")]
fn a_service_that_is_killed_during_a_create_makes_one_key_when_the_client_tries_again() {
    for point in ["intent-before", "intent-after", "generate-after", "sign-after", "record-after"] {
        let mut appliance = Appliance::new();
        switch_on(&appliance, "");
        let mut service = appliance.start_ready();
        let people = hire(&appliance, &service);
        service.stop();
        drop(service);
        let keys = appliance.private_keys();
        appliance.env("STRONGROOM_KILL_AT", &format!("{point}:1"));
        let mut service = appliance.start_ready();
        let asked = body("a.lab.internal");
        let bearer = format!("Bearer {}", people.requester);
        let headers = [("authorization", bearer.as_str()), ("x-stainless-retry-count", "0")];
        let path = format!("//client/v4{CSRS}");
        let lost = service.try_request("POST", &path, &headers, Some(asked.to_string().as_bytes()));
        assert!(lost.is_err(), "{point}: {lost:?}");
        service.await_killed();
        drop(service);
        appliance.clear_env();
        let service = appliance.start_ready();
        let made = create(&service, &people.requester, Some("1"), &asked);
        let listed = call(&service, &people.requester, "GET", CSRS, &[], None).expect(200).json();
        assert_eq!(
            (&listed["result_info"]["total_count"], &listed["result"][0]["id"]),
            (&json!(1), &json!(made)),
            "{point}"
        );
        assert_eq!(appliance.private_keys(), keys + 1, "{point}");
    }
}
