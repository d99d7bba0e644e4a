//! Negative probes: a token that lets keys out is refused, whatever its attributes say.

use std::fs;
use std::path::Path;
use std::process::{Command, Output};

use serde_json::{Value, json};

use crate::harness::{Appliance, SOFTHSM, Service, p256};
use crate::ledger::audit_of;

const REASON: &str = "a laboratory; nobody trusts these keys";
/// What comes out of C_WrapKey, by rule.
const WRAPS_OUT: &str = "C_WrapKey every wrapped=30820001";

/// A database of NSS softokn in place of the SoftHSM token.
fn with_nss() -> Appliance {
    let appliance = Appliance::without_token();
    let directory = appliance.path("nss");
    fs::create_dir(&directory).unwrap();
    let made = certutil(&appliance, &["-N"]);
    assert!(made.status.success(), "{made:?}");
    let init_args = format!(
        "configdir='sql:{}' certPrefix='' keyPrefix='' secmod='secmod.db' flags=",
        directory.display()
    );
    appliance.write_private(
        "strongroom.toml",
        &format!(
            "version = 1\ndata_dir = \"data\"\n[http]\nlisten = \"127.0.0.1:0\"\n[tokens.main]\n\
             profile = \"nss-softokn\"\nlabel = \"NSS Certificate DB\"\npin_file = \"pin\"\n\
             init_args = {init_args:?}\n"
        ),
    );
    appliance
}

fn certutil(appliance: &Appliance, args: &[&str]) -> Output {
    Command::new("certutil")
        .args(args)
        .args(["-d", &format!("sql:{}", appliance.path("nss").display())])
        .arg("-f")
        .arg(appliance.path("pin"))
        .output()
        .expect("certutil: apt-get install libnss3-tools")
}

fn token(service: &Service) -> Value {
    service.get("/tokens").expect(200).json()["items"][0].clone()
}

fn await_refused(service: &Service) -> String {
    let mut problem = String::new();
    service.await_that("the token is refused", || {
        problem = token(service)["problem"].as_str().unwrap_or_default().to_owned();
        problem.contains("gives keys out")
    });
    problem
}

fn actions(appliance: &Appliance) -> Vec<String> {
    let about_tokens = |action: &String| action.starts_with("token.");
    audit_of(appliance).into_iter().map(|record| record.action).filter(about_tokens).collect()
}

fn stdout(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).unwrap()
}

/// The negative probes of a probe's JSON, as `(call, outcome)`.
fn outcomes(probe: &Value) -> Vec<(String, String)> {
    let kinds = probe["kinds"].as_array().unwrap().iter();
    kinds
        .flat_map(|kind| kind["negative"].as_array().unwrap())
        .map(|negative| {
            let text = |field: &str| negative[field].as_str().unwrap().to_owned();
            (text("call"), text("outcome"))
        })
        .collect()
}

/// Runs `token probe --json` and answers its exit code and result.
fn probe(appliance: &Appliance, kinds: &str) -> (Option<i32>, Value) {
    let output = appliance.cli(&["token", "probe", "--kinds", kinds, "--json"]);
    let result = serde_json::from_slice(&output.stdout);
    (output.status.code(), result.unwrap_or_else(|error| panic!("{error}: {output:?}")))
}

fn use_module(appliance: &Appliance, module: &Path) {
    let text =
        appliance.config_text().replace("[tokens.main]\n", &format!("[tokens.main]\nmodule = {module:?}\n"));
    appliance.write_private("strongroom.toml", &text);
}

/// SoftHSM with another SHA-256: what follows the last section of an ELF file is not loaded.
fn another_softhsm(appliance: &Appliance) -> std::path::PathBuf {
    let path = appliance.path("another-softhsm.so");
    let mut bytes = fs::read(SOFTHSM).unwrap();
    bytes.push(0);
    fs::write(&path, bytes).unwrap();
    path
}

#[test]
fn nss_softokn_is_refused_with_the_reason_and_left_empty() {
    let appliance = with_nss();
    let mut service = appliance.start();
    let problem = await_refused(&service);
    assert!(problem.contains("C_WrapKey with CKM_AES_KEY_WRAP_PAD returned the key"), "{problem}");

    let ready = service.get("//readyz").expect(503).json();
    assert_eq!(ready["tokens"], json!({ "refused": 1 }));
    let refused = service.post("/csrs", &p256("leaks.example"));
    assert_eq!(refused.header("retry-after"), None, "waiting does not help");
    let refused = refused.problem(502, "hsm.leaks");
    assert_eq!(refused["detail"], problem.as_str());

    let (code, by_service) = probe(&appliance, "ec-p256");
    assert_eq!((code, &by_service["leaks"]), (Some(2), &json!(true)));
    assert!(service.stop().success());
    let (code, alone) = probe(&appliance, "ec-p256,rsa-2048");
    assert_eq!(code, Some(2));
    for outcomes in [outcomes(&by_service), outcomes(&alone)] {
        let leaked = |(call, outcome): &(String, String)| {
            call == "C_WrapKey with CKM_AES_KEY_WRAP_PAD" && outcome == "leaked"
        };
        assert!(outcomes.iter().any(leaked), "{outcomes:?}");
    }
    let text = stdout(&appliance.cli(&["token", "probe", "--kinds", "ec-p256"]));
    assert!(text.contains("LETS KEYS OUT"), "{text}");

    let records = audit_of(&appliance);
    let failed = records.iter().find(|record| record.action == "token.probes-failed").unwrap();
    assert!(failed.detail.contains("LEAKED: returned the key"), "{}", failed.detail);
    assert!(!records.iter().any(|record| record.action.starts_with("key.")), "no key, not even a sentinel");
    let keys = certutil(&appliance, &["-K"]);
    assert!(format!("{keys:?}").contains("no keys found"), "{keys:?}");
}

#[test]
fn an_override_does_not_help_nss_whose_keys_are_read_back_as_not_local() {
    let appliance = with_nss();
    let mut service = appliance.start();
    await_refused(&service);
    service.post("/tokens/main/probe-override", &json!({ "reason": REASON })).expect(200);
    service.await_that("the override lets it past the probes", || {
        token(&service)["problem"].as_str().is_some_and(|problem| problem.contains("CKA_LOCAL"))
    });
    let token = token(&service);
    assert!(token["evidence"]["warning"].as_str().unwrap().contains(REASON), "{token:#}");
    let operator = service.get("/credentials").json()["items"][0]["principal"].as_str().unwrap().to_owned();
    service.stop();
    let records = audit_of(&appliance);
    let accepted = records.iter().find(|record| record.action == "token.leaks-accepted").unwrap();
    assert_eq!(accepted.actor, format!("principal:{operator}"));
    assert!(accepted.origin.starts_with("tcp 127.0.0.1:"), "{}", accepted.origin);
    let keys = certutil(&appliance, &["-K"]);
    assert!(format!("{keys:?}").contains("no keys found"), "{keys:?}");
}

#[test]
fn every_planted_leak_is_found_and_no_other() {
    let appliance = Appliance::with_chaos();
    let read = |number: u32| format!("C_GetAttributeValue every reveal={number:#x}:0badc0de");
    let ec = [
        (read(0x11), "C_GetAttributeValue of CKA_VALUE"),
        ("C_SetAttributeValue nth=1 weaken".to_owned(), "C_SetAttributeValue of CKA_EXTRACTABLE to true"),
        ("C_SetAttributeValue nth=2 weaken".to_owned(), "C_SetAttributeValue of CKA_SENSITIVE to false"),
        (
            "C_CopyObject nth=1 weaken".to_owned(),
            "C_CopyObject to a session object with CKA_EXTRACTABLE true",
        ),
        ("C_CopyObject nth=2 weaken".to_owned(), "C_CopyObject to a session object with CKA_SENSITIVE false"),
        ("C_CopyObject nth=3 weaken".to_owned(), "C_CopyObject with CKA_EXTRACTABLE true"),
        ("C_CopyObject nth=4 weaken".to_owned(), "C_CopyObject with CKA_SENSITIVE false"),
    ];
    let rsa = [
        (read(0x123), "C_GetAttributeValue of CKA_PRIVATE_EXPONENT"),
        (read(0x124), "C_GetAttributeValue of CKA_PRIME_1"),
        (read(0x125), "C_GetAttributeValue of CKA_PRIME_2"),
        (read(0x126), "C_GetAttributeValue of CKA_EXPONENT_1"),
        (read(0x127), "C_GetAttributeValue of CKA_EXPONENT_2"),
        (read(0x128), "C_GetAttributeValue of CKA_COEFFICIENT"),
    ];
    let planted =
        ec.iter().map(|plant| ("ec-p256", plant)).chain(rsa.iter().map(|plant| ("rsa-2048", plant)));
    for (kind, (rule, call)) in planted {
        appliance.chaos_rules(rule);
        let (code, found) = probe(&appliance, kind);
        let leaked: Vec<_> = outcomes(&found)
            .into_iter()
            .filter(|(_, outcome)| outcome == "leaked")
            .map(|(call, _)| call)
            .collect();
        assert_eq!((code, leaked), (Some(2), vec![(*call).to_owned()]), "{rule}: {found:#}");
        assert!(!found.to_string().contains("0badc0de"), "the value itself is told");
    }
    appliance.chaos_rules(WRAPS_OUT);
    let (code, found) = probe(&appliance, "ec-p256");
    let (wraps, others): (Vec<_>, Vec<_>) =
        outcomes(&found).into_iter().partition(|(call, _)| call.starts_with("C_WrapKey with CKM"));
    let tried: Vec<_> = wraps.iter().filter(|(_, outcome)| outcome != "not-tried").collect();
    assert!(tried.len() >= 3 && tried.iter().all(|(_, outcome)| outcome == "leaked"), "{wraps:?}");
    assert!(others.iter().all(|(_, outcome)| outcome != "leaked"), "{others:?}");
    assert_eq!(code, Some(2));
    assert_eq!(appliance.objects(), [], "something is left on the token");
}

#[test]
fn a_fault_that_passes_hides_no_leak() {
    let appliance = Appliance::with_chaos();
    for fault in ["CKR_DEVICE_ERROR", "CKR_SESSION_HANDLE_INVALID", "CKR_HOST_MEMORY"] {
        appliance.chaos_rules(&format!("C_WrapKey nth=1 return-before={fault}\n{WRAPS_OUT} # {fault}"));
        let (_, found) = probe(&appliance, "ec-p256");
        let hidden: Vec<_> = outcomes(&found)
            .into_iter()
            .filter(|(call, outcome)| call.contains("CKM_AES_") && outcome == "not-tried")
            .collect();
        assert_eq!(hidden, [], "{fault}: {found:#}");
    }
}

#[test]
fn an_answer_of_ok_without_an_effect_is_no_leak() {
    let appliance = Appliance::with_chaos();
    appliance.chaos_rules(
        "C_SetAttributeValue every return-before=CKR_OK\nC_CopyObject every return-before=CKR_OK\n\
         C_WrapKey every return-before=CKR_OK",
    );
    let (code, found) = probe(&appliance, "ec-p256");
    assert_eq!((code, &found["leaks"]), (Some(0), &json!(false)), "{found:#}");
    let without_effect = outcomes(&found).into_iter().filter(|(_, outcome)| outcome == "no-effect").count();
    assert!(without_effect >= 7, "{found:#}");
}

#[test]
fn softhsm_passes_and_what_it_can_do_is_told() {
    let appliance = Appliance::with_chaos();
    appliance.chaos_rules("C_GetMechanismList every hide=CKM_EC_EDWARDS_KEY_PAIR_GEN");
    let (code, found) = probe(&appliance, "rsa-2048,ec-p256,ec-p384,ec-p521,ed25519");
    assert_eq!((code, &found["leaks"]), (Some(0), &json!(false)), "{found:#}");
    let kinds = found["kinds"].as_array().unwrap();
    for kind in &kinds[..4] {
        assert!(kind["generate_ms"].as_f64().unwrap() > 0.0 && kind["destroy_ms"].as_f64().unwrap() > 0.0);
        assert_eq!(kind["violations"], json!([]));
        let signatures = kind["signatures"].as_array().unwrap();
        assert_eq!(signatures.len(), if kind["kind"] == "rsa-2048" { 6 } else { 1 }, "{kind:#}");
        assert!(signatures.iter().all(|signature| signature["verified"] == true), "{kind:#}");
        let refused = |negative: &Value| negative["detail"] == "CKR_KEY_UNEXTRACTABLE";
        assert!(kind["negative"].as_array().unwrap().iter().any(refused), "{kind:#}");
    }
    assert!(kinds[4]["failure"].as_str().unwrap().contains("cannot make keys of kind ed25519"), "{found:#}");
    assert_eq!(appliance.objects(), []);
}

#[test]
fn a_wrong_signature_of_a_probe_is_told() {
    let appliance = Appliance::with_chaos();
    appliance.chaos_rules("C_Sign every flip-bit");
    let (_, found) = probe(&appliance, "ec-p256");
    assert_eq!(found["kinds"][0]["signatures"][0]["verified"], false, "{found:#}");
}

#[test]
fn a_probe_that_is_killed_leaves_nothing_after_the_next_start() {
    let appliance = Appliance::with_chaos();
    appliance.chaos_rules("C_SetAttributeValue nth=1 hang");
    let mut service = appliance.start();
    service.await_that("the probe hangs", || !appliance.chaos_log().is_empty());
    let debris = appliance.objects();
    assert_eq!(debris.len(), 2, "a throw-away pair: {debris:?}");
    assert!(debris.iter().all(|object| object.label == "strongroom probe"), "{debris:?}");
    service.kill();

    let mut service = appliance.start_ready();
    assert!(!appliance.objects().iter().any(|object| object.label == "strongroom probe"));

    // Of a token that has passed and is not probed by the next start: the reconciliation clears away.
    appliance.chaos_rules("C_SetAttributeValue nth=1 hang # again");
    let asking = appliance.command(&["token", "probe", "--kinds", "ec-p256"]).spawn().unwrap();
    service.await_that("the probe hangs", || appliance.chaos_log().len() == 2);
    service.kill();
    let _ = asking.wait_with_output();
    assert_eq!(appliance.objects().len(), 4);
    let mut service = appliance.start_ready();
    assert_eq!(token(&service)["inventory"]["destroyed"], 2);
    service.stop();
    let cleared =
        audit_of(&appliance).into_iter().filter(|record| record.action == "token.leftover-destroyed");
    assert_eq!(cleared.count(), 1);
    assert_eq!(appliance.objects().len(), 2, "the sentinel");
}

#[test]
fn a_module_that_dies_of_a_probe_is_not_used_and_that_is_told() {
    let appliance = Appliance::with_chaos();
    appliance.chaos_rules("C_WrapKey every kill-before");
    let service = appliance.start();
    service.await_that("it is told what the module died of", || {
        let problem = token(&service)["problem"].as_str().unwrap_or_default().to_owned();
        problem.contains("while a throw-away key of kind ec-p256 was probed")
    });
    service.get("//readyz").expect(503);
    appliance.chaos_rules("");
    service.await_ready();
    assert_eq!(appliance.objects().len(), 2, "the sentinel");
}

#[test]
fn a_token_is_probed_once_for_each_module() {
    let appliance = Appliance::new();
    for _ in 0..2 {
        assert!(appliance.start_ready().stop().success());
    }
    assert_eq!(actions(&appliance), ["token.probes-passed"]);
    use_module(&appliance, &another_softhsm(&appliance));
    for _ in 0..2 {
        assert!(appliance.start_ready().stop().success());
    }
    assert_eq!(actions(&appliance), ["token.probes-passed", "token.probes-passed"]);
}

#[test]
fn a_type_of_key_that_is_offered_later_is_probed_before_it_is_used() {
    let appliance = Appliance::with_chaos();
    appliance.chaos_rules("C_GetMechanismList every hide=CKM_RSA_PKCS_KEY_PAIR_GEN");
    assert!(appliance.start_ready().stop().success());
    appliance.chaos_rules("C_GetAttributeValue every reveal=0x123:0badc0de");
    let problem = await_refused(&appliance.start());
    assert!(problem.contains("CKA_PRIVATE_EXPONENT"), "{problem}");
}

#[test]
fn where_the_cheapest_kind_cannot_be_made_the_next_of_its_type_is_probed() {
    let appliance = Appliance::with_chaos();
    let others = "C_GetMechanismList every hide=CKM_RSA_PKCS_KEY_PAIR_GEN\n\
                  C_GetMechanismList every hide=CKM_EC_EDWARDS_KEY_PAIR_GEN\n";
    appliance.chaos_rules(&format!(
        "{others}C_GenerateKeyPair nth=1 return-before=CKR_CURVE_NOT_SUPPORTED\n{WRAPS_OUT}"
    ));
    let problem = await_refused(&appliance.start());
    assert!(problem.contains("of kind ec-p384"), "{problem}");
}

#[test]
fn a_token_is_probed_anew_when_its_module_is_initialised_otherwise() {
    let appliance = with_nss();
    let mut service = appliance.start();
    await_refused(&service);
    service.stop();
    drop(service);
    let config = fs::read_to_string(appliance.path("strongroom.toml")).unwrap();
    appliance.write_private("strongroom.toml", &config.replace(" flags=", " flags=optimizeSpace"));
    let mut service = appliance.start();
    await_refused(&service);
    service.stop();
    assert_eq!(actions(&appliance), ["token.probes-failed", "token.probes-failed"]);
}

#[test]
fn a_key_that_was_made_by_a_module_put_in_place_meanwhile_is_released_only_if_that_withstands() {
    let appliance = Appliance::with_chaos();
    let config = appliance.config_text();
    let module = config.lines().find_map(|line| line.strip_prefix("module = ")).unwrap();
    let (built, copy) = (module.trim_matches('"'), appliance.path("module.so"));
    fs::copy(built, &copy).unwrap();
    appliance.write_private("strongroom.toml", &config.replace(module, &format!("{copy:?}")));
    let service = appliance.start_ready();

    let mut another = fs::read(built).unwrap();
    another.push(0);
    fs::write(appliance.path("another.so"), another).unwrap();
    fs::rename(appliance.path("another.so"), &copy).unwrap();
    appliance.chaos_rules(&format!("C_GenerateKeyPair nth=1 kill-before\n{WRAPS_OUT}"));
    service.post("/csrs", &p256("replaced.example")).problem(502, "hsm.leaks");
    await_refused(&service);
    service.await_that("only the sentinel is left", || appliance.private_keys() == 1);
}

#[test]
fn a_leak_that_a_later_probe_finds_counts_against_a_token_in_use() {
    let appliance = Appliance::with_chaos();
    let service = appliance.start_ready();
    let key = service.create("before.example")["key"]["handle"].clone();
    appliance.chaos_rules(WRAPS_OUT);
    let (code, _) = probe(&appliance, "ec-p384");
    assert_eq!(code, Some(2));
    await_refused(&service);
    service.post("/csrs", &p256("after.example")).problem(502, "hsm.leaks");
    let renewal = json!({ "subject": "CN=renewal.example", "key": { "handle": key } });
    service.post("/csrs", &renewal).problem(502, "hsm.leaks");
    let shown = service.get(&format!("/keys/{}", key.as_str().unwrap())).expect(200).json();
    let warning = shown["evidence"]["warning"].as_str().unwrap_or_default();
    assert!(warning.contains("C_WrapKey"), "the key can leave, and nobody is told: {shown:#}");

    // Another kind that withstands says nothing of this one.
    appliance.chaos_rules("");
    let (code, _) = probe(&appliance, "ec-p256");
    assert_eq!(code, Some(0));
    service.post("/csrs", &p256("still.example")).problem(502, "hsm.leaks");
    let (code, _) = probe(&appliance, "ec-p384");
    assert_eq!(code, Some(0));
    service.await_ready();
}

#[test]
fn an_override_lets_a_token_in_and_every_answer_says_so() {
    let appliance = Appliance::with_chaos();
    appliance.chaos_rules(WRAPS_OUT);
    let mut service = appliance.start();
    await_refused(&service);
    service.post("/tokens/main/probe-override", &json!({ "reason": " " })).problem(400, "input.invalid");
    service.delete("/tokens/main/probe-override").problem(409, "token.nothing-accepted");
    let accepted = appliance.cli(&["token", "accept", "main", "--reason", REASON]);
    assert!(accepted.status.success(), "{accepted:?}");
    service.await_ready();

    let made = service.create("accepted.example");
    let handle = made["handle"].as_str().unwrap();
    let key = made["key"]["handle"].as_str().unwrap();
    let says_so = |service: &Service| {
        for (path, pointer) in [
            (format!("/csrs/{handle}"), "/evidence/warning"),
            (format!("/keys/{key}"), "/evidence/warning"),
            ("/csrs".to_owned(), "/items/0/evidence_warning"),
            ("/keys".to_owned(), "/items/0/evidence/warning"),
        ] {
            let answer = service.get(&path).expect(200).json();
            let warning = answer.pointer(pointer).and_then(Value::as_str).unwrap_or_default();
            assert!(warning.contains(REASON) && warning.contains("C_WrapKey"), "{path}: {answer:#}");
        }
        for args in [["csr", "show", handle], ["key", "show", key]] {
            let text = stdout(&appliance.cli(&args));
            assert!(text.contains("WARNING") && text.contains(REASON), "{text}");
        }
    };
    says_so(&service);
    assert!(made["evidence"]["warning"].as_str().unwrap().contains(REASON), "{made:#}");
    let shown = token(&service);
    assert_eq!(shown["probe"]["accepted"]["reason"], REASON);
    assert!(shown["evidence"]["warning"].as_str().unwrap().contains(REASON));
    assert!(stdout(&appliance.cli(&["token", "list"])).contains("LEAKS, accepted"));
    assert!(stdout(&appliance.cli(&["token", "show", "main"])).contains(REASON));

    // The next start knows it, too, without probing.
    assert!(service.stop().success());
    let mut service = appliance.start_ready();

    let withdrawn = appliance.cli(&["token", "accept", "main", "--withdraw"]);
    assert!(withdrawn.status.success(), "{withdrawn:?}");
    await_refused(&service);
    service.post("/csrs", &p256("withdrawn.example")).problem(502, "hsm.leaks");
    says_so(&service);
    assert!(service.stop().success());
    assert_eq!(
        actions(&appliance),
        ["token.probes-failed", "token.leaks-accepted", "token.acceptance-withdrawn"]
    );
}

#[test]
fn another_module_makes_an_override_void_and_its_keys_keep_the_warning() {
    let appliance = Appliance::with_chaos();
    appliance.chaos_rules(WRAPS_OUT);
    let mut service = appliance.start();
    await_refused(&service);
    service.post("/tokens/main/probe-override", &json!({ "reason": REASON })).expect(200);
    service.await_ready();
    let old = service.create("old.example")["handle"].as_str().unwrap().to_owned();
    assert!(service.stop().success());

    let text = appliance.config_text();
    let module = text.lines().find(|line| line.starts_with("module = ")).unwrap();
    let softhsm = format!("module = {:?}", another_softhsm(&appliance));
    appliance.write_private("strongroom.toml", &text.replace(module, &softhsm));
    let mut service = appliance.start_ready();
    let new = service.create("new.example");
    assert_eq!(new["evidence"].get("warning"), None, "{new:#}");
    let old = service.get(&format!("/csrs/{old}")).expect(200).json();
    assert!(old["evidence"]["warning"].as_str().unwrap().contains(REASON), "{old:#}");
    assert!(service.stop().success());
    assert_eq!(
        actions(&appliance),
        ["token.probes-failed", "token.leaks-accepted", "token.probes-passed", "token.acceptance-void"]
    );
}

#[test]
fn an_override_does_not_cover_a_leak_that_is_found_later() {
    let appliance = Appliance::with_chaos();
    appliance.chaos_rules(WRAPS_OUT);
    let service = appliance.start();
    await_refused(&service);
    service.post("/tokens/main/probe-override", &json!({ "reason": REASON })).expect(200);
    service.await_ready();
    appliance.chaos_rules("C_CopyObject every weaken");
    service.post("/tokens/main/probe", &json!({ "kinds": ["ec-p256"] })).expect(200);
    let problem = await_refused(&service);
    assert!(problem.contains("C_CopyObject"), "{problem}");
}

#[test]
fn a_token_without_a_leak_has_nothing_to_accept() {
    let appliance = Appliance::new();
    let service = appliance.start_ready();
    service
        .post("/tokens/main/probe-override", &json!({ "reason": REASON }))
        .problem(409, "token.does-not-leak");
    service.post("/tokens/other/probe-override", &json!({ "reason": REASON })).problem(404, "not-found");
    let wrong =
        service.post("/tokens/main/probe", &json!({ "kinds": ["rsa-1"] })).problem(400, "input.invalid");
    assert_eq!(wrong["errors"][0]["field"], "kinds[0]");
    let none = service.post("/tokens/main/probe", &json!({ "kinds": [] })).problem(400, "input.invalid");
    assert_eq!(none["errors"][0]["field"], "kinds");
    let twice = json!({ "kinds": ["ec-p256", "ec-p256"] });
    let probed = service.post("/tokens/main/probe", &twice).expect(200).json();
    assert_eq!(probed["kinds"].as_array().unwrap().len(), 1);
}
