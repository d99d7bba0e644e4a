//! Which template judges a request, what it says, and how templates are replaced.

use serde_json::{Value, json};

use super::{ASKED, FREE, appliance_with, under, write_template};
use crate::access::Office;
use crate::harness::{Appliance, Service, p256, signal};
use crate::ledger::audit_of;

const STRICT: &str = "version = 1\nname = \"strict\"\nkeys.kinds = [\"ec-p256\"]\n[subject]\n\
                      CN = { patterns = ['.*\\.shop\\.example'] }\nO = { fixed = \"Shop\" }\n[sans.DNS]\nmax = 1\n";

fn rules(problem: &Value) -> Vec<&str> {
    problem["errors"].as_array().unwrap().iter().map(|error| error["rule"].as_str().unwrap()).collect()
}

#[test]
fn a_request_gets_what_its_template_gives_or_is_told_every_rule_it_breaks() {
    let appliance = appliance_with(&[("strict", STRICT), ("free", FREE)], "");
    let service = appliance.start_ready();
    let mut good = p256("www.shop.example");
    good["template"] = json!("strict");
    good["validity_days"] = json!(30);
    let made = service.post("/csrs", &good).expect(201).json();
    assert_eq!(made["subject"], "CN=www.shop.example,O=Shop", "{made:#}");
    assert_eq!((&made["template"]["name"], &made["validity_days"]), (&json!("strict"), &json!(30)));
    let file = std::fs::read(appliance.path("templates/strict.toml")).unwrap();
    use sha2::Digest;
    assert_eq!(made["template"]["sha256"], hex::encode(sha2::Sha256::digest(file)), "that of the file");

    let mut bad = p256("www.example.com");
    bad["template"] = json!("strict");
    bad["subject"] = json!("CN=www.example.com,O=Else,OU=Sales");
    bad["key"]["kind"] = json!("rsa-2048");
    let problem = service.post("/csrs", &bad).problem(422, "policy.refused");
    assert_eq!(rules(&problem), ["subject.cn.pattern", "subject.o.fixed", "subject.ou.refused", "key.kind"]);
    assert_eq!(problem["errors"][3]["field"], "key.kind", "{problem:#}");
    assert!(problem["detail"].as_str().unwrap().contains("subject.o.fixed: "), "{problem:#}");

    // A renewal is judged by the same one, which refuses the same key.
    let renew = format!("/csrs/{}/renew", made["handle"].as_str().unwrap());
    let problem = service.post(&renew, &json!({})).problem(422, "policy.refused");
    assert_eq!(rules(&problem), ["key.reuse"]);
    let renewed = service.post(&renew, &json!({ "key": "new" })).expect(201).json();
    assert_eq!((&renewed["template"], &renewed["validity_days"]), (&made["template"], &json!(30)));
}

#[test]
fn a_template_that_is_unknown_or_anothers_is_refused_with_the_names_there_are() {
    let theirs = FREE.replace("name = \"free\"", "name = \"theirs\"\ntenant = \"pki\"");
    let appliance = appliance_with(&[("theirs", &theirs), ("free", FREE)], "");
    let service = appliance.start_ready();
    for name in ["theirs", "nowhere"] {
        let problem = service.post("/csrs", &under(name)).problem(422, "template.unknown");
        let told = problem["errors"][0]["reason"].as_str().unwrap();
        assert!(
            told.ends_with("there are free") && problem["errors"][0]["field"] == "template",
            "{problem:#}"
        );
        service.get(&format!("/templates/{name}")).problem(404, "not-found");
    }
    let office = Office::open(&appliance, &service);
    office.manage("POST", "/tenants", Some(&json!({ "name": "pki" }))).expect(201);
    let bob = office.hire("bob", &[("requester", Some("pki"))]);
    office.call(&bob, "POST", "/csrs", Some(&under("theirs"))).expect(201);
    let listed = office.call(&bob, "GET", "/templates", None).expect(200).json();
    let names: Vec<_> = listed["items"].as_array().unwrap().iter().map(|item| &item["name"]).collect();
    assert_eq!(names, ["free", "theirs"]);
}

#[test]
fn a_tenant_has_a_default_and_every_request_needs_one_where_it_is_said() {
    let more = "require_template = true\n[templates.default_template]\ndefault = \"free\"\n";
    let appliance = appliance_with(&[("free", FREE)], more);
    let service = appliance.start_ready();
    assert_eq!(service.create("a.example")["template"]["name"], "free");
    let office = Office::open(&appliance, &service);
    office.manage("POST", "/tenants", Some(&json!({ "name": "pki" }))).expect(201);
    let bob = office.hire("bob", &[("requester", Some("pki"))]);
    let problem = office.call(&bob, "POST", "/csrs", Some(&p256("a.example")));
    let problem = problem.problem(422, "template.required");
    assert!(problem["detail"].as_str().unwrap().ends_with("there are free"), "{problem:#}");
    office.call(&bob, "POST", "/csrs", Some(&under("free"))).expect(201);
}

#[test]
fn a_default_that_is_no_template_is_told_before_the_start() {
    let appliance = appliance_with(&[("free", FREE)], "[templates.default_template]\ndefault = \"fre\"\n");
    for command in ["check-config", "serve"] {
        let output = appliance.cli(&[command]);
        assert_eq!(output.status.code(), Some(2), "{output:?}");
        let told = String::from_utf8(output.stderr).unwrap();
        assert!(told.contains("tenant `default` may use no template `fre`"), "{told}");
    }
}

/// SIGHUP, and waits until the log says that.
#[track_caller]
fn hang_up(appliance: &Appliance, service: &Service<'_>, told: &str) {
    let before = appliance.log().matches(told).count();
    signal(service.pid(), "HUP");
    service.await_that(told, || appliance.log().matches(told).count() > before);
}

#[test]
fn templates_are_replaced_all_or_none_while_the_service_runs() {
    let appliance = appliance_with(&[("strict", STRICT), ("free", FREE)], "");
    let service = appliance.start_ready();
    let ask = |template: &str| service.post("/csrs", &under(template));
    ask("free").expect(201);
    ask("strict").problem(422, "policy.refused");

    let none = FREE.replace("[sans.DNS]\n", "");
    write_template(&appliance, "free", &none);
    hang_up(&appliance, &service, "the issuing templates are as their files");
    assert_eq!(rules(&ask("free").problem(422, "policy.refused")), ["san.dns.refused"]);

    // One is good and another is broken: neither counts.
    write_template(&appliance, "free", FREE);
    write_template(&appliance, "strict", "version = 1\nname = \"strict\"\nkeys.kinds = [\"dsa\"]\n");
    hang_up(&appliance, &service, "the issuing templates stay as they were");
    assert!(appliance.log().contains("strict.toml"), "the log names the file");
    ask("free").problem(422, "policy.refused");
    ask("strict").problem(422, "policy.refused");
    let ready = service.get("//readyz").expect(200).json();
    assert_eq!(ready["templates"], "new-files-refused", "{ready:#}");

    write_template(&appliance, "strict", STRICT);
    hang_up(&appliance, &service, "the issuing templates are as their files");
    ask("free").expect(201);
    let ready = service.get("//readyz").expect(200).json();
    assert!(ready.get("templates").is_none(), "{ready:#}");
    drop(service);
    let told = audit_of(&appliance);
    let count = |action: &str| told.iter().filter(|record| record.action == action).count();
    assert_eq!((count("templates.reloaded"), count("templates.refused")), (2, 1));
}

#[test]
fn a_template_that_changed_since_makes_an_approval_void() {
    let appliance = appliance_with(&[("asked", ASKED)], "");
    let service = appliance.start_ready();
    let staff = super::Staff::of(&appliance, &service);
    let handle = staff.ask("asked");
    write_template(&appliance, "asked", &ASKED.replace("CN = {}", "CN = {}\nO = {}"));
    hang_up(&appliance, &service, "the issuing templates are as their files");
    staff.decide(&staff.carol, &handle, "approve", &json!({})).problem(409, "approval.changed");
    staff.decide(&staff.carol, &handle, "reject", &json!({ "reason": "ask again" })).expect(200);
    let again = staff.ask("asked");
    staff.decide(&staff.carol, &again, "approve", &json!({})).expect(202);
}

#[test]
fn without_its_template_a_request_is_neither_approved_nor_renewed_unless_another_is_named() {
    let appliance = appliance_with(&[("asked", ASKED), ("free", FREE)], "");
    let service = appliance.start_ready();
    let staff = super::Staff::of(&appliance, &service);
    let (made, waits) = (staff.ask("asked"), staff.ask("asked"));
    staff.decide(&staff.carol, &made, "approve", &json!({})).expect(202);
    staff.await_status(&made, "pending");
    std::fs::remove_file(appliance.path("templates/asked.toml")).unwrap();
    hang_up(&appliance, &service, "the issuing templates are as their files");

    staff.decide(&staff.carol, &waits, "approve", &json!({})).problem(409, "approval.changed");
    let renew =
        |body: Value| staff.office.call(&staff.bob, "POST", &format!("/csrs/{made}/renew"), Some(&body));
    renew(json!({ "key": "new" })).problem(422, "template.unknown");
    let renewed = renew(json!({ "key": "new", "template": "free" })).expect(201).json();
    assert_eq!(renewed["template"]["name"], "free", "{renewed:#}");
}
