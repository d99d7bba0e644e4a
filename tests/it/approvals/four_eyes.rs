//! Operations that one principal proposes and another one approves.

use serde_json::{Value, json};

use crate::access::Office;
use crate::harness::{Appliance, SOFTHSM, Service};
use crate::ledger::audit_of;

/// Refused by the token, at first.
const WRONG: &str = "4321-wrong";

fn appliance_with(settings: &str) -> Appliance {
    let appliance = Appliance::new();
    configure(&appliance, settings);
    appliance
}

fn configure(appliance: &Appliance, settings: &str) {
    let text = format!("{}\n[four_eyes]\n{settings}", appliance.config_text());
    appliance.write_private("strongroom.toml", &text);
}

/// Two who run tokens, with one who only looks.
struct Operators<'a> {
    office: Office<'a>,
    olga: String,
    otto: String,
    rita: String,
}

impl<'a> Operators<'a> {
    fn of(appliance: &Appliance, service: &'a Service<'a>) -> Self {
        let office = Office::open(appliance, service);
        let [olga, otto] = ["olga", "otto"].map(|name| office.hire(name, &[("operator", None)]));
        let rita = office.hire("rita", &[("reader", None)]);
        Self { office, olga, otto, rita }
    }

    /// A key that nothing needs; answers its handle.
    #[track_caller]
    fn unused_key(&self) -> String {
        let service = self.office.service;
        let made = service.create("a.example");
        let key = made["key"]["handle"].as_str().unwrap().to_owned();
        let renewed = service.post(&format!("/csrs/{}/renew", made["handle"].as_str().unwrap()), &json!({}));
        let renewal = renewed.expect(201).json();
        // The last one to be cancelled has not made the key, which is kept.
        service.delete(&format!("/csrs/{}", made["handle"].as_str().unwrap())).expect(200);
        service.delete(&format!("/csrs/{}", renewal["handle"].as_str().unwrap())).expect(200);
        assert_eq!(service.get(&format!("/keys/{key}")).json()["state"], "present");
        key
    }

    #[track_caller]
    fn proposed(&self, method: &str, path: &str, body: Option<&Value>) -> Value {
        let reply = self.office.call(&self.olga, method, path, body).expect(202);
        let proposal = reply.json();
        assert!(reply.header("location").unwrap().ends_with(proposal["handle"].as_str().unwrap()));
        assert_eq!(proposal["status"], "proposed");
        proposal
    }

    #[track_caller]
    fn decide(&self, who: &str, proposal: &Value, decision: &str, body: &Value) -> crate::harness::Reply {
        let path = format!("/proposals/{}/{decision}", proposal["handle"].as_str().unwrap());
        self.office.call(who, "POST", &path, Some(body))
    }
}

#[test]
fn a_key_is_destroyed_when_a_second_operator_approves_and_only_once() {
    let appliance = appliance_with("destroy_key = true\n");
    let service = appliance.start_ready();
    let staff = Operators::of(&appliance, &service);
    let key = staff.unused_key();
    let path = format!("/keys/{key}");
    let proposal = staff.proposed("DELETE", &path, None);
    assert_eq!(proposal["operation"], json!({ "operation": "destroy_key", "key": key }));
    assert_eq!(service.get(&path).json()["state"], "present");

    staff.decide(&staff.olga, &proposal, "approve", &json!({})).problem(403, "approval.own");
    staff.decide(&staff.rita, &proposal, "approve", &json!({})).problem(404, "not-found");
    service
        .post(&format!("/proposals/{}/approve", proposal["handle"].as_str().unwrap()), &json!({}))
        .problem(403, "approval.local");
    let other = json!({ "hash": "00".repeat(32) });
    staff.decide(&staff.otto, &proposal, "approve", &other).problem(409, "approval.changed");
    let listed = staff.office.call(&staff.otto, "GET", "/proposals", None).expect(200).json();
    assert_eq!(listed["items"][0]["handle"], proposal["handle"]);
    let nothing = staff.office.call(&staff.rita, "GET", "/proposals", None).expect(200).json();
    assert_eq!(nothing["items"], json!([]));

    let seen = json!({ "hash": proposal["hash"] });
    let done = staff.decide(&staff.otto, &proposal, "approve", &seen).expect(200).json();
    assert_eq!(done["status"], "executed", "{done:#}");
    assert_eq!(service.get(&path).json()["state"], "destroyed");
    staff.decide(&staff.otto, &proposal, "approve", &seen).problem(409, "proposal.state");
    drop(service);
    let told = audit_of(&appliance);
    for action in ["proposal.proposed", "proposal.approved", "key.destroying", "proposal.executed"] {
        assert_eq!(told.iter().filter(|record| record.action == action).count(), 1, "{action}");
    }
}

#[test]
fn a_proposal_that_is_rejected_late_or_of_somebody_who_left_is_not_done() {
    let appliance = appliance_with("destroy_key = true\nexpires_after = 2\n");
    let service = appliance.start_ready();
    let staff = Operators::of(&appliance, &service);
    let key = staff.unused_key();
    let path = format!("/keys/{key}");
    let proposal = staff.proposed("DELETE", &path, None);
    staff.decide(&staff.otto, &proposal, "reject", &json!({ "reason": "" })).problem(400, "input.invalid");
    let rejected = staff.decide(&staff.otto, &proposal, "reject", &json!({ "reason": "needed" })).expect(200);
    assert_eq!(rejected.json()["outcome"], "needed");
    staff.decide(&staff.otto, &proposal, "approve", &json!({})).problem(409, "proposal.state");

    let proposal = staff.proposed("DELETE", &path, None);
    service.await_that("the proposal has expired", || {
        let listed = staff.office.call(&staff.otto, "GET", "/proposals", None).expect(200).json();
        listed["items"][0]["outcome"] == "expired"
    });
    staff.decide(&staff.otto, &proposal, "approve", &json!({})).problem(409, "proposal.state");

    let proposal = staff.proposed("DELETE", &path, None);
    staff.office.manage("DELETE", "/principals/olga/grants/operator", None).expect(200);
    let refused = staff.decide(&staff.otto, &proposal, "approve", &json!({}));
    refused.problem(409, "approval.requester");
    assert_eq!(service.get(&path).json()["state"], "present");
}

#[test]
fn another_tenant_does_not_know_of_a_proposal_about_a_key_and_shares_those_about_a_token() {
    let appliance = appliance_with("destroy_key = true\nwipe_slot = true\n");
    let service = appliance.start_ready();
    let staff = Operators::of(&appliance, &service);
    let about_a_key = staff.proposed("DELETE", &format!("/keys/{}", staff.unused_key()), None);
    staff.office.manage("POST", "/tenants", Some(&json!({ "name": "pki" }))).expect(201);
    let piet = staff.office.hire("piet", &[("operator", Some("pki"))]);
    let seen = |key: &str, tenant: &str| {
        let listed = staff.office.call_in(key, Some(tenant), "GET", "/proposals", None).expect(200).json();
        listed["items"].as_array().unwrap().len()
    };
    assert_eq!((seen(&piet, "pki"), seen(&staff.otto, "pki"), seen(&staff.otto, "default")), (0, 0, 1));
    staff.decide(&piet, &about_a_key, "approve", &json!({})).problem(404, "not-found");
    staff.decide(&piet, &about_a_key, "reject", &json!({ "reason": "x" })).problem(404, "not-found");

    staff.proposed("POST", "/tokens/main/wipe", Some(&json!({ "force": false })));
    assert_eq!((seen(&piet, "pki"), seen(&staff.otto, "pki"), seen(&staff.otto, "default")), (0, 1, 2));
}

#[test]
fn a_token_is_wiped_of_what_is_ours_unless_it_is_needed() {
    let appliance = appliance_with("wipe_slot = true\n");
    let service = appliance.start_ready();
    let staff = Operators::of(&appliance, &service);
    let live = service.create("b.example");
    let foreign =
        appliance.pkcs11_tool(&["--keypairgen", "--key-type", "EC:prime256v1", "--label", "theirs"]);
    assert!(foreign.status.success(), "{foreign:?}");

    let wipe = |force: bool| staff.proposed("POST", "/tokens/main/wipe", Some(&json!({ "force": force })));
    let refused = staff.decide(&staff.otto, &wipe(false), "approve", &json!({}));
    refused.problem(409, "token.in-use");
    let listed = staff.office.call(&staff.otto, "GET", "/proposals", None).expect(200).json();
    assert_eq!(listed["items"][0]["status"], "failed", "{listed:#}");
    assert_eq!(appliance.private_keys(), 3, "the sentinel, theirs, and the live one");

    staff.decide(&staff.otto, &wipe(true), "approve", &json!({})).expect(200);
    let key = format!("/keys/{}", live["key"]["handle"].as_str().unwrap());
    assert_eq!(service.get(&key).json()["state"], "destroyed");
    assert_eq!(appliance.private_keys(), 2, "the sentinel and theirs");
    service.create("c.example");
}

#[test]
fn without_four_eyes_the_command_line_wipes_at_once() {
    let appliance = Appliance::new();
    let service = appliance.start_ready();
    service.create("a.example");
    let asked = appliance.cli(&["slot", "wipe", "--force"]);
    assert_eq!(asked.status.code(), Some(1), "{asked:?}");
    let wiped = appliance.cli(&["slot", "wipe", "--force", "--yes"]);
    assert_eq!(wiped.status.code(), Some(0), "{wiped:?}");
    assert_eq!(String::from_utf8(wiped.stdout).unwrap(), "destroyed 1 key(s) on token main\n");
    assert_eq!(appliance.private_keys(), 1);
    let records = service.get("/audit?action=token.wiped").expect(200).json();
    assert_eq!(records["items"].as_array().unwrap().len(), 1, "{records}");
}

#[test]
fn the_pin_is_tried_once_more_when_a_second_operator_agrees() {
    let appliance = appliance_with("reset_pin_breaker = true\n");
    appliance.write_private("pin", WRONG);
    let service = appliance.start();
    let staff = Operators::of(&appliance, &service);
    let problem = || service.get("/tokens").json()["items"][0]["problem"].clone();
    service.await_that("the PIN is refused", || problem().to_string().contains("refused the PIN"));
    // The PIN of the file becomes the token's, of which the breaker cannot know.
    let set = std::process::Command::new("pkcs11-tool")
        .args(["--module", SOFTHSM, "--token-label", "test-token", "--login", "--login-type", "so"])
        .args(["--so-pin", "so-pin-1234", "--init-pin", "--new-pin", WRONG])
        .env("SOFTHSM2_CONF", appliance.path("softhsm2.conf"))
        .output()
        .unwrap();
    assert!(set.status.success(), "{set:?}");

    staff.office.call(&staff.olga, "POST", "/tokens/nowhere/breaker/reset", None).problem(404, "not-found");
    let path = "/tokens/main/breaker/reset";
    let proposal = staff.proposed("POST", path, None);
    assert!(problem().to_string().contains("refused the PIN"), "it is not tried by itself");
    staff.decide(&staff.otto, &proposal, "approve", &json!({})).expect(200);
    service.await_ready();
    let proposal = staff.proposed("POST", path, None);
    staff.decide(&staff.otto, &proposal, "approve", &json!({})).problem(409, "token.pin-not-refused");
}

#[test]
fn an_override_counts_for_the_leaks_that_its_proposer_saw() {
    let appliance = Appliance::with_chaos();
    configure(&appliance, "override_probe = true\n");
    appliance.chaos_rules("C_WrapKey every wrapped=30820001");
    let service = appliance.start();
    let staff = Operators::of(&appliance, &service);
    let leaks = |call: &str| {
        service.await_that(call, || {
            let problem = service.get("/tokens").json()["items"][0]["problem"].to_string();
            problem.contains("gives keys out") && problem.contains(call)
        });
    };
    let propose =
        || staff.proposed("POST", "/tokens/main/probe-override", Some(&json!({ "reason": "a laboratory" })));
    leaks("C_WrapKey");
    let first = propose();
    appliance.chaos_rules("C_CopyObject every weaken");
    service.post("/tokens/main/probe", &json!({ "kinds": ["ec-p256"] })).expect(200);
    leaks("C_CopyObject");
    staff.decide(&staff.otto, &first, "approve", &json!({})).problem(409, "approval.changed");
    staff.decide(&staff.otto, &propose(), "approve", &json!({})).expect(200);
    service.await_ready();
}

#[test]
fn the_command_line_proposes_and_approves() {
    let appliance = appliance_with("destroy_key = true\n");
    let service = appliance.start_ready();
    let staff = Operators::of(&appliance, &service);
    for (name, key) in [("olga", &staff.olga), ("otto", &staff.otto)] {
        appliance.write_private(name, key);
    }
    let cli = |name: &str, args: &[&str]| {
        let file = appliance.path(name);
        let output = appliance.cli(&[args, &["--api-key-file", file.to_str().unwrap()]].concat());
        assert_eq!(output.status.code(), Some(0), "{args:?}: {output:?}");
        String::from_utf8(output.stdout).unwrap()
    };
    let key = staff.unused_key();
    let propose = || {
        let told = cli("olga", &["key", "destroy", &key, "--yes"]);
        told.strip_prefix("proposed ").unwrap().trim().to_owned()
    };
    let first = propose();
    assert!(cli("otto", &["proposal", "list"]).contains("destroy_key"));
    assert!(cli("otto", &["proposal", "reject", &first, "--reason", "later"]).starts_with("rejected "));
    assert!(cli("otto", &["proposal", "approve", &propose()]).starts_with("executed "));
    assert_eq!(service.get(&format!("/keys/{key}")).json()["state"], "destroyed");
}
