//! Keys that cannot leave, files that others cannot open, secrets that are nowhere but in their files.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use cryptoki::context::{CInitializeArgs, CInitializeFlags, Pkcs11};
use cryptoki::error::{Error, RvError};
use cryptoki::mechanism::Mechanism;
use cryptoki::object::{Attribute, AttributeInfo, AttributeType, KeyType, ObjectClass};
use cryptoki::session::UserType;
use serde_json::json;

use crate::harness::{Appliance, PIN, SOFTHSM, p256, signal};

/// Tells the probe below that it was started by its test.
const PROBE: &str = "STRONGROOM_TEST_PROBE";

#[test]
fn a_private_key_is_on_the_token_and_cannot_leave_it() {
    let appliance = Appliance::new();
    let service = appliance.start_ready();
    for kind in ["ec-p256", "rsa-2048"] {
        let body = json!({ "subject": "CN=a", "key": { "kind": kind } });
        let csr = service.post("/csrs", &body).expect(201).json();
        let key =
            service.get(&format!("/keys/{}", csr["key"]["handle"].as_str().unwrap())).expect(200).json();

        let objects = appliance.objects();
        let pair: Vec<_> = objects.iter().filter(|object| object.id == key["id"]).collect();
        assert_eq!(pair.len(), 2, "{pair:?}");
        assert!(pair.iter().all(|object| object.label == key["handle"]), "{pair:?}");
        let private = pair.iter().find(|object| object.private).unwrap();
        assert_eq!(private.access, "sensitive, always sensitive, never extractable, local");
        assert_eq!(private.usage, "sign");
        for (name, value) in [
            ("CKA_SENSITIVE", true),
            ("CKA_ALWAYS_SENSITIVE", true),
            ("CKA_NEVER_EXTRACTABLE", true),
            ("CKA_LOCAL", true),
            ("CKA_EXTRACTABLE", false),
            ("CKA_MODIFIABLE", false),
            ("CKA_COPYABLE", false),
            ("CKA_DECRYPT", false),
            ("CKA_UNWRAP", false),
        ] {
            assert_eq!(key["attributes"][name], value, "{kind} {name}");
        }
    }

    // SoftHSM learns from the environment where its tokens are, so it needs a process of its own.
    let probe = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "security::probe_every_private_key", "--ignored", "--nocapture"])
        .env("SOFTHSM2_CONF", appliance.path("softhsm2.conf"))
        .env(PROBE, "yes")
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&probe.stdout);
    assert!(probe.status.success() && said.contains("probed 3 private keys"), "{probe:?}");
}

#[test]
#[ignore = "runs in a process of its own, by a_private_key_is_on_the_token_and_cannot_leave_it"]
fn probe_every_private_key() {
    // Run with all ignored tests, it has no token of its own.
    if std::env::var_os(PROBE).is_none() {
        return;
    }
    let module = Pkcs11::new(SOFTHSM).unwrap();
    module.initialize(CInitializeArgs::new(CInitializeFlags::OS_LOCKING_OK)).unwrap();
    let slot = module.get_slots_with_initialized_token().unwrap()[0];
    let session = module.open_rw_session(slot).unwrap();
    session.login(UserType::User, Some(&PIN.into())).unwrap();
    let wrapping = [Attribute::Token(false), Attribute::Wrap(true), Attribute::ValueLen(32.into())];
    let wrapping = session.generate_key(&Mechanism::AesKeyGen, &wrapping).unwrap();

    let keys = session.find_objects(&[Attribute::Class(ObjectClass::PRIVATE_KEY)]).unwrap();
    for key in &keys {
        let kind = session.get_attributes(*key, &[AttributeType::KeyType]).unwrap();
        let secret = match kind.as_slice() {
            [Attribute::KeyType(KeyType::RSA)] => AttributeType::PrivateExponent,
            _ => AttributeType::Value,
        };
        let info = session.get_attribute_info(*key, &[secret]).unwrap();
        assert!(matches!(info.as_slice(), [AttributeInfo::Sensitive]), "{info:?}");
        let wrapped = session.wrap_key(&Mechanism::AesKeyWrapPad, wrapping, *key);
        assert!(matches!(wrapped, Err(Error::Pkcs11(RvError::KeyUnextractable, _))), "{wrapped:?}");
        for weaker in [Attribute::Extractable(true), Attribute::Sensitive(false)] {
            assert!(session.update_attributes(*key, std::slice::from_ref(&weaker)).is_err(), "{weaker:?}");
            assert!(session.copy_object(*key, std::slice::from_ref(&weaker)).is_err(), "{weaker:?}");
        }
    }
    println!("probed {} private keys", keys.len());
}

#[test]
fn files_are_as_open_as_they_must_be() {
    let appliance = Appliance::new();
    let service = appliance.start_ready();
    service.create("a.example.com");
    let serial = service.get("/tokens").json()["items"][0]["info"]["serial"].as_str().unwrap().to_owned();
    let modes: BTreeMap<PathBuf, u32> = below(&appliance.path("data"))
        .into_iter()
        .map(|path| {
            let mode = fs::symlink_metadata(&path).unwrap().permissions().mode() & 0o777;
            let name = path.strip_prefix(appliance.path("data")).unwrap().to_str().unwrap();
            (PathBuf::from(name.replace(&serial, "SERIAL")), mode)
        })
        .collect();
    let expected = [
        ("", 0o700),
        ("api-key", 0o600),
        ("strongroom.db", 0o600),
        ("strongroom.db-shm", 0o600),
        ("strongroom.db-wal", 0o600),
        ("strongroom.lock", 0o600),
        ("strongroom.sock", 0o660),
        ("tokens", 0o700),
        ("tokens/main.lock", 0o600),
        ("tokens/test-token@SERIAL.lock", 0o600),
        ("tokens/test-token@SERIAL.pin", 0o600),
    ];
    assert_eq!(modes, BTreeMap::from(expected.map(|(name, mode)| (PathBuf::from(name), mode))));
}

#[test]
fn a_file_that_others_may_read_is_refused_with_the_remedy() {
    let appliance = Appliance::new();
    appliance.start_ready().stop();
    for name in ["data/api-key", "data/strongroom.db"] {
        let path = appliance.path(name);
        fs::set_permissions(&path, fs::Permissions::from_mode(0o640)).unwrap();
        let refused = appliance.cli(&["serve"]);
        let said = String::from_utf8_lossy(&refused.stderr).into_owned();
        assert_eq!(refused.status.code(), Some(2), "{said}");
        assert!(said.contains(path.to_str().unwrap()) && said.contains("chmod 600"), "{said}");
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
    }
}

#[test]
fn secrets_are_nowhere_but_in_their_files() {
    let mut appliance = Appliance::new();
    appliance.env("RUST_LOG", "trace");
    let mut service = appliance.start_ready();
    let api_key = service.api_key().to_owned();
    let made = appliance.cli(&["principal", "bootstrap", "alice"]);
    let admin = String::from_utf8(made.stdout).unwrap().trim().to_owned();
    let bearer = [("authorization", format!("Bearer {admin}"))];
    let bearer = bearer.each_ref().map(|(name, value)| (*name, value.as_str()));
    let issued = ["api-key", "basic"].map(|kind| {
        let wanted = json!({ "principal": "alice", "kind": kind });
        let issued = service.post_with("/credentials", &bearer, &wanted).expect(201).json();
        issued["secret"].as_str().unwrap().to_owned()
    });
    let basic = BASE64_STANDARD.encode(format!("alice:{}", issued[1]));
    let known = [("authorization", format!("Basic {basic}"))];
    let known = known.each_ref().map(|(name, value)| (*name, value.as_str()));
    service.request("GET", "/credentials", &known, None).expect(200);
    let secrets = [
        PIN,
        api_key.as_str(),
        &admin,
        &issued[0],
        &issued[1],
        &basic,
        "wrong-pin-canary",
        "srk_wrong-key-canary",
    ];

    service.post_with("/csrs", &[("idempotency-key", "x")], &p256("a.example.com")).expect(201);
    let wrong = [("authorization", "Bearer srk_wrong-key-canary")];
    service.request("GET", "/csrs", &wrong, None).expect(401);
    service.post("/csrs", &json!({ "subject": "CN=a,O" })).expect(400);

    let mut seen: Vec<(String, Vec<u8>)> = Vec::new();
    for pid in [service.pid(), service.worker_pid()] {
        for file in ["cmdline", "environ"] {
            let path = format!("/proc/{pid}/{file}");
            seen.push((path.clone(), fs::read(&path).unwrap()));
        }
    }
    for path in ["/credentials", "/principals"] {
        seen.push((path.to_owned(), service.request("GET", path, &bearer, None).expect(200).bytes));
    }
    for path in ["/tokens", "/keys", "/csrs", "//readyz", "/openapi.json"] {
        seen.push((path.to_owned(), service.get(path).expect(200).bytes));
    }

    // A refused PIN is talked about in the log, in answers and in the breaker's record.
    appliance.write_private("pin", "wrong-pin-canary");
    signal(service.worker_pid(), "KILL");
    service.await_that("the wrong PIN is refused", || {
        let tokens = service.get("/tokens").json().to_string();
        let refused = tokens.contains("refused the PIN");
        seen.push(("/tokens with a wrong PIN".to_owned(), tokens.into_bytes()));
        refused
    });
    let answer = service.post("/csrs", &p256("b.example.com")).expect(502);
    seen.push(("a create with a wrong PIN".to_owned(), answer.bytes));
    service.stop();

    let log = appliance.log();
    assert!(log.contains("\"TRACE\"") || log.contains("\"DEBUG\""), "the log was to be at its loudest");
    seen.push(("the log".to_owned(), log.into_bytes()));
    for path in below(&appliance.path("data")) {
        if path.is_file() && !path.ends_with("api-key") {
            seen.push((path.display().to_string(), fs::read(&path).unwrap()));
        }
    }
    for (place, bytes) in &seen {
        for secret in secrets {
            assert!(!contains(bytes, secret.as_bytes()), "`{secret}` is in {place}");
        }
    }
    let own = fs::read(appliance.data("api-key")).unwrap();
    assert!(contains(&own, api_key.as_bytes()), "the search finds what is there");
}

fn contains(bytes: &[u8], wanted: &[u8]) -> bool {
    bytes.windows(wanted.len()).any(|window| window == wanted)
}

/// The directory and everything in it.
fn below(directory: &Path) -> Vec<PathBuf> {
    let mut found = vec![directory.to_owned()];
    for entry in fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(below(&path));
        } else {
            found.push(path);
        }
    }
    found
}
