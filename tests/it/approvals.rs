//! Issuing templates at work, and requests that wait for another pair of eyes.

#[cfg(feature = "failpoints")]
mod crash;
mod four_eyes;
mod templates;

use std::sync::Barrier;
use std::thread;

use serde_json::{Value, json};

use crate::access::Office;
use crate::harness::{Appliance, Reply, Service, p256};
use crate::ledger::audit_of;

const FREE: &str =
    "version = 1\nname = \"free\"\nkeys.kinds = [\"ec-p256\"]\n[subject]\nCN = {}\n[sans.DNS]\n";
const ASKED: &str = "version = 1\nname = \"asked\"\nkeys.kinds = [\"ec-p256\"]\nkeys.reuse = \"allowed\"\n\
                     [subject]\nCN = {}\n[sans.DNS]\n[approval]\nrequired = true\n";

/// An appliance with these files of templates, and more lines of configuration.
fn appliance_with(files: &[(&str, &str)], more: &str) -> Appliance {
    with_templates(Appliance::new(), files, more)
}

fn with_templates(appliance: Appliance, files: &[(&str, &str)], more: &str) -> Appliance {
    std::fs::create_dir(appliance.path("templates")).unwrap();
    for (name, text) in files {
        write_template(&appliance, name, text);
    }
    let settings = "\n[templates]\ndir = \"templates\"\nready_made = []\n";
    let text = format!("{}{settings}{more}", appliance.config_text());
    appliance.write_private("strongroom.toml", &text);
    appliance
}

fn write_template(appliance: &Appliance, name: &str, text: &str) {
    std::fs::write(appliance.path("templates").join(format!("{name}.toml")), text).unwrap();
}

/// Who asks, and who approves.
struct Staff<'a> {
    office: Office<'a>,
    bob: String,
    carol: String,
}

impl<'a> Staff<'a> {
    fn of(appliance: &Appliance, service: &'a Service<'a>) -> Self {
        let office = Office::open(appliance, service);
        let bob = office.hire("bob", &[("requester", None), ("approver", None)]);
        let carol = office.hire("carol", &[("approver", None)]);
        Self { office, bob, carol }
    }

    /// What bob asks for under a template; answers its handle.
    #[track_caller]
    fn ask(&self, template: &str) -> String {
        let reply = self.office.call(&self.bob, "POST", "/csrs", Some(&under(template))).expect(202);
        let waits = reply.json();
        assert_eq!(waits["status"], "awaiting_approval", "{waits:#}");
        assert!(reply.header("location").unwrap().ends_with(waits["handle"].as_str().unwrap()));
        waits["handle"].as_str().unwrap().to_owned()
    }

    /// A signing request of bob's, its key, and a renewal with this key, which waits.
    #[track_caller]
    fn ask_for_a_key_that_is_there(&self) -> [String; 3] {
        let text = |value: &Value| value.as_str().unwrap().to_owned();
        let first = self.office.call(&self.bob, "POST", "/csrs", Some(&under("free"))).expect(201).json();
        let (handle, key) = (text(&first["handle"]), text(&first["key"]["handle"]));
        let (path, renew) = (format!("/csrs/{handle}/renew"), json!({ "template": "asked" }));
        let waits = self.office.call(&self.bob, "POST", &path, Some(&renew)).expect(202).json();
        assert_eq!(waits["key"]["handle"], key, "{waits:#}");
        [handle, key, text(&waits["handle"])]
    }

    #[track_caller]
    fn decide(&self, key: &str, handle: &str, decision: &str, body: &Value) -> Reply {
        self.office.call(key, "POST", &format!("/csrs/{handle}/{decision}"), Some(body))
    }

    #[track_caller]
    fn show(&self, handle: &str) -> Value {
        self.office.call(&self.bob, "GET", &format!("/csrs/{handle}"), None).expect(200).json()
    }

    #[track_caller]
    fn await_status(&self, handle: &str, status: &str) {
        self.office.service.await_that(status, || self.show(handle)["status"] == status);
    }
}

fn under(template: &str) -> Value {
    let mut body = p256("www.example.com");
    body["template"] = json!(template);
    body
}

#[test]
fn nothing_is_made_until_somebody_else_has_approved() {
    let appliance = appliance_with(&[("asked", ASKED)], "");
    let service = appliance.start_ready();
    let staff = Staff::of(&appliance, &service);
    let keys = appliance.private_keys();
    let handle = staff.ask("asked");
    let listed =
        staff.office.call(&staff.carol, "GET", "/csrs?status=awaiting_approval", None).expect(200).json();
    assert_eq!(listed["items"][0]["handle"], handle.as_str(), "{listed:#}");
    assert_eq!(appliance.private_keys(), keys, "no key is made before");

    let asked = staff.show(&handle);
    assert_eq!(asked["template"]["name"], "asked");
    let hash = asked["approval"]["hash"].clone();
    staff.decide(&staff.bob, &handle, "approve", &json!({})).problem(403, "approval.own");
    staff.decide(&staff.bob, &handle, "reject", &json!({ "reason": "x" })).problem(403, "approval.own");
    let approved = staff.decide(&staff.carol, &handle, "approve", &json!({ "hash": hash })).expect(202);
    assert!(approved.header("location").unwrap().ends_with(&handle));
    staff.await_status(&handle, "pending");
    assert_eq!(appliance.private_keys(), keys + 1);
    let made = staff.show(&handle);
    let carol = staff.office.manage("GET", "/principals/carol", None).json();
    assert_eq!(made["approval"]["decided_by"], carol["handle"], "{made:#}");

    // Twice.
    let problem =
        staff.decide(&staff.carol, &handle, "approve", &json!({})).problem(409, "signing-request.state");
    assert_eq!(problem["state"], "pending");
    drop(service);
    let told = audit_of(&appliance);
    for action in ["signing-request.awaiting_approval", "signing-request.approved", "signing-request.pending"]
    {
        assert_eq!(told.iter().filter(|record| record.action == action).count(), 1, "{action}");
    }
}

#[test]
fn a_request_for_a_key_that_is_there_waits_too_and_keeps_its_key() {
    let appliance = appliance_with(&[("asked", ASKED), ("free", FREE)], "");
    let service = appliance.start_ready();
    let staff = Staff::of(&appliance, &service);
    let [handle, key, renewal] = staff.ask_for_a_key_that_is_there();
    staff.office.call(&staff.bob, "DELETE", &format!("/csrs/{handle}"), None).expect(200);
    service.delete(&format!("/keys/{key}")).problem(409, "key.in-use");
    let made = staff.decide(&staff.carol, &renewal, "approve", &json!({})).expect(200).json();
    assert_eq!(made["status"], "pending", "{made:#}");
    assert!(made["csr"].as_str().unwrap().contains("CERTIFICATE REQUEST"));
}

#[test]
fn a_key_that_was_compromised_meanwhile_signs_nothing_though_it_is_approved() {
    let appliance = appliance_with(&[("asked", ASKED), ("free", FREE)], "");
    let service = appliance.start_ready();
    let staff = Staff::of(&appliance, &service);
    let [_, key, renewal] = staff.ask_for_a_key_that_is_there();
    service.post(&format!("/keys/{key}/compromise"), &json!({ "reason": "lost" })).expect(200);
    staff.decide(&staff.carol, &renewal, "approve", &json!({})).problem(409, "key.state");
    assert_eq!(staff.show(&renewal)["status"], "awaiting_approval");
}

#[test]
fn what_is_rejected_or_comes_too_late_is_never_made() {
    let short = format!("{}expires_after = 1\n", ASKED.replace("asked", "short"));
    let appliance = appliance_with(&[("asked", ASKED), ("short", &short)], "");
    let service = appliance.start_ready();
    let staff = Staff::of(&appliance, &service);
    let keys = appliance.private_keys();

    let handle = staff.ask("asked");
    for body in [json!({}), json!({ "reason": " " })] {
        let refused = staff.decide(&staff.carol, &handle, "reject", &body).expect(400).json();
        assert!(refused["detail"].as_str().unwrap().contains("reason"), "{refused:#}");
    }
    let no_host = json!({ "reason": "no such host" });
    staff.decide(&staff.carol, &handle, "reject", &no_host).expect(200);
    assert_eq!(staff.show(&handle)["failure"], "no such host");
    staff.decide(&staff.carol, &handle, "approve", &json!({})).problem(409, "signing-request.state");

    let handle = staff.ask("short");
    staff.await_status(&handle, "rejected");
    assert_eq!(staff.show(&handle)["failure"], "expired");
    staff.decide(&staff.carol, &handle, "approve", &json!({})).problem(409, "signing-request.state");

    let handle = staff.ask("asked");
    staff.office.call(&staff.bob, "DELETE", &format!("/csrs/{handle}"), None).expect(200);
    staff.decide(&staff.carol, &handle, "approve", &json!({})).problem(409, "signing-request.state");
    assert_eq!(appliance.private_keys(), keys);
}

#[test]
fn an_approval_counts_only_for_what_was_asked_by_who_still_may() {
    let named = ASKED.replace("asked", "named") + "by = [\"dave\"]\n";
    let appliance = appliance_with(&[("asked", ASKED), ("named", &named)], "");
    let service = appliance.start_ready();
    let staff = Staff::of(&appliance, &service);
    let office = &staff.office;

    let handle = staff.ask("asked");
    let other = json!({ "hash": "00".repeat(32) });
    staff.decide(&staff.carol, &handle, "approve", &other).problem(409, "approval.changed");
    let no_hash = json!({ "hash": "xyz" });
    staff.decide(&staff.carol, &handle, "approve", &no_hash).problem(400, "input.invalid");

    // Another tenant's approver does not know of it.
    office.manage("POST", "/tenants", Some(&json!({ "name": "pki" }))).expect(201);
    let eve = office.hire("eve", &[("approver", Some("pki"))]);
    staff.decide(&eve, &handle, "approve", &json!({})).problem(404, "not-found");
    staff.decide(&eve, &handle, "reject", &json!({ "reason": "x" })).problem(404, "not-found");
    // Nor does the key beside the database count, whatever it was granted.
    office.manage("PUT", "/principals/operator/grants/approver", None).expect(200);
    let path = format!("/csrs/{handle}/approve");
    service.post(&path, &json!({})).problem(403, "approval.local");
    // Nor whoever shows no credential.
    let nobody = [("authorization", "")];
    service.request("POST", &path, &nobody, None).problem(401, "auth.unauthenticated");

    let of_dave = staff.ask("named");
    staff.decide(&staff.carol, &of_dave, "approve", &json!({})).problem(403, "approval.not-named");
    let dave = office.hire("dave", &[("approver", None)]);
    staff.decide(&dave, &of_dave, "approve", &json!({})).expect(202);

    let disable = |enabled: bool| {
        office.manage("PATCH", "/principals/bob", Some(&json!({ "enabled": enabled }))).expect(200);
    };
    disable(false);
    staff.decide(&staff.carol, &handle, "approve", &json!({})).problem(409, "approval.requester");
    disable(true);
    office.manage("DELETE", "/principals/bob/grants/requester", None).expect(200);
    staff.decide(&staff.carol, &handle, "approve", &json!({})).problem(409, "approval.requester");
    office.manage("PUT", "/principals/bob/grants/requester", None).expect(200);
    staff.decide(&staff.carol, &handle, "approve", &json!({})).expect(202);
}

#[test]
fn an_approval_does_not_count_for_what_the_index_was_made_to_say_since() {
    let appliance = appliance_with(&[("asked", ASKED)], "");
    let service = appliance.start_ready();
    let staff = Staff::of(&appliance, &service);
    let handle = staff.ask("asked");
    let index = rusqlite::Connection::open(appliance.data("strongroom.db")).unwrap();
    let edit = "UPDATE signing_requests SET spec = replace(spec, 'www.example.com', 'www.victim.example')
                WHERE state = 'awaiting_approval'";
    assert_eq!(index.execute(edit, []).unwrap(), 1);
    assert_eq!(staff.show(&handle)["subject"], "CN=www.victim.example");
    staff.decide(&staff.carol, &handle, "approve", &json!({})).problem(409, "approval.changed");
}

#[test]
fn of_two_decisions_at_the_same_time_one_counts() {
    let appliance = appliance_with(&[("asked", ASKED)], "");
    let service = appliance.start_ready();
    let staff = Staff::of(&appliance, &service);
    let dave = staff.office.hire("dave", &[("approver", None)]);
    let mut keys = appliance.private_keys();
    for decisions in [["approve", "approve"], ["approve", "reject"], ["reject", "reject"]] {
        let handle = staff.ask("asked");
        let start = Barrier::new(2);
        let decide = |who: &str, decision: &str| {
            let body = if decision == "reject" { json!({ "reason": "no" }) } else { json!({}) };
            start.wait();
            staff.decide(who, &handle, decision, &body).status
        };
        let statuses = thread::scope(|scope| {
            let first = scope.spawn(|| decide(&staff.carol, decisions[0]));
            let second = decide(&dave, decisions[1]);
            [first.join().unwrap(), second]
        });
        let counted: Vec<_> =
            decisions.into_iter().zip(statuses).filter(|(_, status)| *status != 409).collect();
        match counted.as_slice() {
            [("approve", 202)] => {
                staff.await_status(&handle, "pending");
                keys += 1;
            }
            [("reject", 200)] => assert_eq!(staff.show(&handle)["status"], "rejected"),
            _ => panic!("{decisions:?} were answered {statuses:?}"),
        }
        assert_eq!(appliance.private_keys(), keys);
    }
}

#[test]
fn whoever_loses_the_right_while_the_token_works_has_not_approved() {
    let appliance = with_templates(Appliance::with_chaos(), &[("asked", ASKED), ("free", FREE)], "");
    let service = appliance.start_ready();
    let staff = Staff::of(&appliance, &service);
    let [_, _, handle] = staff.ask_for_a_key_that_is_there();
    appliance.chaos_rules("C_Sign every sleep-ms=2000");
    let answer = thread::scope(|scope| {
        let deciding = scope.spawn(|| staff.decide(&staff.carol, &handle, "approve", &json!({})));
        service.await_that("the token signs", || !appliance.chaos_log().is_empty());
        staff.office.manage("DELETE", "/principals/carol/grants/approver", None).expect(200);
        deciding.join().unwrap()
    });
    answer.problem(403, "access.denied");
    assert_eq!(staff.show(&handle)["status"], "awaiting_approval");
}

#[test]
fn two_api_keys_of_one_principal_are_one_pair_of_eyes() {
    let appliance = appliance_with(&[("asked", ASKED)], "");
    let service = appliance.start_ready();
    let staff = Staff::of(&appliance, &service);
    let handle = staff.ask("asked");
    let wanted = json!({ "principal": "bob", "kind": "api-key" });
    let second = staff.office.manage("POST", "/credentials", Some(&wanted)).expect(201).json();
    let second = second["secret"].as_str().unwrap();
    staff.decide(second, &handle, "approve", &json!({})).problem(403, "approval.own");
}

#[test]
fn an_idempotency_key_of_a_request_that_waits_gets_the_same_answer() {
    let appliance = appliance_with(&[("asked", ASKED)], "");
    let service = appliance.start_ready();
    let staff = Staff::of(&appliance, &service);
    let bearer = format!("Bearer {}", staff.bob);
    let headers = [("authorization", bearer.as_str()), ("idempotency-key", "k")];
    let first = service.post_with("/csrs", &headers, &under("asked")).expect(202);
    let again = service.post_with("/csrs", &headers, &under("asked")).expect(202);
    assert_eq!((first.bytes, first.headers.get("location")), (again.bytes, again.headers.get("location")));
}

#[test]
fn the_command_line_asks_approves_and_rejects() {
    let appliance = appliance_with(&[("asked", ASKED)], "");
    let service = appliance.start_ready();
    let staff = Staff::of(&appliance, &service);
    for (name, key) in [("bob", &staff.bob), ("carol", &staff.carol)] {
        appliance.write_private(name, key);
    }
    let cli = |name: &str, args: &[&str]| {
        let file = appliance.path(name);
        let output = appliance.cli(&[args, &["--api-key-file", file.to_str().unwrap()]].concat());
        let told = String::from_utf8([output.stdout, output.stderr].concat()).unwrap();
        (output.status.code().unwrap(), told)
    };
    let ask = || {
        let asked = cli("bob", &["csr", "new", "--subject", "CN=a", "--template", "asked", "--days", "90"]);
        assert!(asked.0 == 0 && asked.1.contains("waits for an approval"), "{asked:?}");
        let handle = asked.1.lines().find_map(|line| line.strip_prefix("handle")).unwrap();
        handle.trim().to_owned()
    };
    let handle = ask();
    let own = cli("bob", &["csr", "approve", &handle]);
    assert!(own.0 == 1 && own.1.contains("approval.own"), "{own:?}");
    let hash = staff.show(&handle)["approval"]["hash"].as_str().unwrap().to_owned();
    let approved = cli("carol", &["csr", "approve", &handle, "--hash", &hash]);
    assert!(approved.0 == 0 && approved.1.starts_with("approved "), "{approved:?}");
    staff.await_status(&handle, "pending");
    let rejected = cli("carol", &["csr", "reject", &ask(), "--reason", "not now"]);
    assert!(rejected.0 == 0 && rejected.1.starts_with("rejected "), "{rejected:?}");
    let listed = cli("bob", &["template", "list"]);
    assert!(listed.0 == 0 && listed.1.contains("asked  ec-p256  yes"), "{listed:?}");
    let shown = cli("bob", &["template", "show", "asked"]);
    assert!(shown.0 == 0 && shown.1.contains("\"expires_after\": 86400"), "{shown:?}");
}
