//! The module in front of SoftHSM: that it forwards, and that each fault is what the rules say.

mod support;

use std::os::unix::process::ExitStatusExt;

use support::Bench;

const SIGKILL: i32 = 9;

#[test]
#[ignore = "the client that the other tests start"]
fn client() {
    support::client::main();
}

/// Runs steps under rules, after `initialize login generate` without any.
fn with_key(rules: &str, steps: &str) -> (Vec<String>, Vec<String>) {
    let bench = Bench::new().rules_to_arm(rules);
    let transcript = bench.run(&format!("initialize login generate arm {steps}"));
    assert_eq!(transcript[..4], ["initialize: ok", "login: ok", "generate: ok", "arm: ok"]);
    (transcript[4..].to_vec(), bench.log())
}

#[test]
fn without_rules_every_call_is_forwarded() {
    let (transcript, log) =
        with_key("", "slots rsa-generation objects attributes sign set-label destroy objects finalize");
    assert_eq!(
        transcript,
        [
            "slots: 2",
            "rsa-generation: true",
            "objects: 2",
            "attributes: Extractable(false) Local(true) Sensitive(true)",
            "sign: good",
            "set-label: ok",
            "destroy: ok",
            "objects: 1",
            "finalize: ok",
        ]
    );
    assert!(log.is_empty(), "{log:?}");
}

#[test]
fn an_error_before_the_effect_leaves_no_key_and_one_after_it_leaves_a_pair() {
    let steps = "initialize login generate objects generate objects";
    let bench = Bench::new().rules("C_GenerateKeyPair nth=1 return-before=CKR_DEVICE_ERROR");
    assert_eq!(
        bench.run(steps)[2..],
        ["generate: GenerateKeyPair DeviceError", "objects: 0", "generate: ok", "objects: 2"]
    );
    assert_eq!(bench.log(), ["C_GenerateKeyPair 1 return-before=CKR_DEVICE_ERROR"]);

    let bench = Bench::new().rules("C_GenerateKeyPair nth=1 return-after=CKR_SESSION_HANDLE_INVALID");
    assert_eq!(
        bench.run(steps)[2..],
        ["generate: GenerateKeyPair SessionHandleInvalid", "objects: 2", "generate: ok", "objects: 4"]
    );
}

#[test]
fn every_covered_function_can_fail() {
    for (function, steps, failure) in [
        ("C_Initialize", "initialize", "initialize: Initialize FunctionFailed"),
        ("C_Finalize", "initialize finalize", "finalize: Finalize FunctionFailed"),
        ("C_GetSlotList", "initialize slots", "slots: GetSlotList FunctionFailed"),
        ("C_GetTokenInfo", "initialize login", "login: GetTokenInfo FunctionFailed"),
        (
            "C_GetMechanismList",
            "initialize rsa-generation",
            "rsa-generation: GetMechanismList FunctionFailed",
        ),
        ("C_OpenSession", "initialize login", "login: OpenSession FunctionFailed"),
        ("C_Login", "initialize login", "login: Login FunctionFailed"),
    ] {
        let rule = format!("{function} nth=1 return-before=CKR_FUNCTION_FAILED");
        let bench = Bench::new().rules(&rule);
        let transcript = bench.run(steps);
        assert_eq!(transcript.last().unwrap(), failure);
        assert_eq!(bench.log(), [format!("{function} 1 return-before=CKR_FUNCTION_FAILED")]);
    }
    for (function, step, failure) in [
        ("C_FindObjectsInit", "objects", "objects: FindObjectsInit FunctionFailed"),
        ("C_FindObjects", "objects", "objects: FindObjects FunctionFailed"),
        ("C_GetAttributeValue", "attributes", "attributes: GetAttributeValue FunctionFailed"),
        ("C_SetAttributeValue", "set-label", "set-label: SetAttributeValue FunctionFailed"),
        ("C_DestroyObject", "destroy", "destroy: DestroyObject FunctionFailed"),
        ("C_GenerateKeyPair", "generate", "generate: GenerateKeyPair FunctionFailed"),
        ("C_SignInit", "sign", "sign: SignInit FunctionFailed"),
        ("C_Sign", "sign", "sign: Sign FunctionFailed"),
        // cryptoki drops the errors of these two.
        ("C_FindObjectsFinal", "objects", "objects: 2"),
        ("C_CloseSession", "finalize", "finalize: ok"),
    ] {
        let rule = format!("{function} nth=1 return-after=CKR_FUNCTION_FAILED");
        let (transcript, log) = with_key(&rule, step);
        assert_eq!(transcript, [failure]);
        assert_eq!(log, [format!("{function} 1 return-after=CKR_FUNCTION_FAILED")]);
    }
}

#[test]
fn answers_can_lie() {
    for (rule, step, lie) in [
        ("C_GetSlotList every none", "slots", "slots: 0"),
        ("C_FindObjects every none", "objects", "objects: 0"),
        (
            "C_GetMechanismList every hide=CKM_RSA_PKCS_KEY_PAIR_GEN",
            "rsa-generation",
            "rsa-generation: false",
        ),
        (
            "C_GetAttributeValue every set-bool=CKA_EXTRACTABLE:true",
            "attributes",
            "attributes: Extractable(true) Local(true) Sensitive(true)",
        ),
        (
            "C_GetAttributeValue every drop=CKA_LOCAL",
            "attributes",
            "attributes: Extractable(false) Sensitive(true)",
        ),
    ] {
        let (transcript, log) = with_key(rule, step);
        assert_eq!(transcript, [lie], "{rule}");
        let (function, action) = (rule.split(' ').next().unwrap(), rule.split(' ').next_back().unwrap());
        assert_eq!(log, [format!("{function} 1 {action}")]);
    }
}

#[test]
fn only_the_named_call_is_struck_and_a_length_query_is_not_a_call() {
    let (transcript, log) = with_key("C_Sign nth=2 flip-bit\nC_SignInit every sleep-ms=0", "sign sign sign");
    assert_eq!(transcript, ["sign: good", "sign: bad", "sign: good"]);
    assert_eq!(
        log,
        [
            "C_SignInit 1 sleep-ms=0",
            "C_SignInit 2 sleep-ms=0",
            "C_Sign 2 flip-bit",
            "C_SignInit 3 sleep-ms=0"
        ]
    );
}

#[test]
fn a_call_can_take_longer() {
    let (transcript, _) = with_key("C_Sign nth=2 sleep-ms=300", "sign timed-sign");
    assert_eq!(transcript, ["sign: good", "timed-sign: good, late"]);
}

#[test]
fn a_call_can_hang_before_and_after_its_effect() {
    for (action, objects) in [("hang", "objects: 0"), ("hang-after", "objects: 2")] {
        let bench = Bench::new().rules(&format!("C_GenerateKeyPair every {action}"));
        let mut client = bench.client("initialize login generate");
        bench.await_fault(&format!("C_GenerateKeyPair 1 {action}"));
        assert!(client.is_running());
        drop(client);
        assert_eq!(bench.transcript(), ["initialize: ok", "login: ok"]);
        assert_eq!(bench.run("initialize login objects")[2], objects);
    }
}

#[test]
fn the_process_can_be_killed_before_and_after_the_effect() {
    for (action, objects) in [("kill-before", "objects: 0"), ("kill-after", "objects: 2")] {
        let bench = Bench::new().rules(&format!("C_GenerateKeyPair nth=1 {action}"));
        let status = bench.client("initialize login generate").finish();
        assert_eq!(status.signal(), Some(SIGKILL));
        assert_eq!(bench.transcript(), ["initialize: ok", "login: ok"]);
        assert_eq!(bench.log(), [format!("C_GenerateKeyPair 1 {action}")]);
        assert_eq!(bench.run("initialize login objects")[2], objects);
    }
}

#[test]
fn with_a_state_file_calls_are_counted_across_processes() {
    let bench = Bench::new();
    bench.run("initialize login generate");
    let bench = bench.rules("C_Sign nth=2 flip-bit");
    let in_file = |_| bench.run_counting_in_file("initialize login sign")[2].clone();
    assert_eq!([1, 2, 3].map(in_file), ["sign: good", "sign: bad", "sign: good"]);
    let in_process = |_| bench.run("initialize login sign")[2].clone();
    assert_eq!([1, 2, 3].map(in_process), ["sign: good", "sign: good", "sign: good"]);
}

#[test]
fn with_a_state_file_a_kill_strikes_once_and_not_each_new_worker() {
    let bench = Bench::new().rules("C_GenerateKeyPair nth=1 kill-before");
    assert_eq!(bench.run_counting_in_file("initialize login generate"), ["initialize: ok", "login: ok"]);
    assert_eq!(bench.run_counting_in_file("initialize login generate")[2], "generate: ok");
    assert_eq!(bench.log(), ["C_GenerateKeyPair 1 kill-before"]);
}

#[test]
fn a_bad_rule_stops_c_initialize_and_the_log_says_why() {
    let bench = Bench::new().rules("C_Sign every hang\nC_Sing every hang\n");
    assert_eq!(bench.run("initialize"), ["initialize: Initialize ArgumentsBad"]);
    let [complaint] = &bench.log()[..] else { panic!("one complaint expected, not {:?}", bench.log()) };
    assert!(complaint.contains("rules: line 2: `C_Sing` is not covered"), "{complaint}");
}

#[test]
fn a_module_without_a_target_does_not_load() {
    let bench = Bench::new();
    bench.spawn(bench.command("initialize").env("CHAOS_MODULE_TARGET", "/nonexistent.so")).finish();
    assert_eq!(bench.transcript(), ["load: GetFunctionList GeneralError"]);
    assert!(bench.log()[0].starts_with("error: CHAOS_MODULE_TARGET: /nonexistent.so"), "{:?}", bench.log());
}
