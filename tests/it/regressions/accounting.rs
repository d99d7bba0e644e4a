//! Objects on the token that bear our installation's id and are not as we left them.

use std::fs;

use serde_json::{Value, json};

use super::{import_pair, key_of, path_of, pkcs11_tool, renew};
use crate::harness::{Appliance, Service, signal};
use crate::ledger::{Ledger, inventory, pages};

/// What a lying token says of an imported key, so that it looks like one that was made there.
const LIES: &str = "C_GetAttributeValue every set-bool=CKA_LOCAL:true
C_GetAttributeValue every set-bool=CKA_SENSITIVE:true
C_GetAttributeValue every set-bool=CKA_ALWAYS_SENSITIVE:true
C_GetAttributeValue every set-bool=CKA_NEVER_EXTRACTABLE:true
C_GetAttributeValue every set-bool=CKA_EXTRACTABLE:false
C_GetAttributeValue every set-bool=CKA_MODIFIABLE:false
C_GetAttributeValue every set-bool=CKA_COPYABLE:false
C_GetAttributeValue every set-bool=CKA_DERIVE:false
C_GetAttributeValue every set-bool=CKA_DECRYPT:false
C_GetAttributeValue every set-bool=CKA_UNWRAP:false
C_GetAttributeValue every set-bool=CKA_SIGN_RECOVER:false";

#[test]
fn a_key_with_our_id_that_we_would_not_have_made_is_quarantined_and_signs_nothing() {
    let appliance = Appliance::new();
    let mut service = appliance.start_ready();
    let (imported, extractable) = (our_id(&service, 1), our_id(&service, 2));
    service.stop();
    let handles = ["019aa5b2-5c3e-7c61-9d3f-0a4a6f2f8e11", "019aa5b2-5c3e-7c61-9d3f-0a4a6f2f8e12"];
    import_pair(&appliance, &[&imported], handles[0]);
    let made = ["--keypairgen", "--key-type", "EC:prime256v1", "--usage-sign", "--sensitive"];
    let named = ["--extractable", "--id", &extractable, "--label", handles[1]];
    pkcs11_tool(&appliance, &[&made[..], &named].concat());

    let service = appliance.start_ready();
    assert_counts(&service, json!({ "objects": 6, "owned": 2, "recovered": 0, "quarantined": 4 }));
    let known = pages(&service, "/keys?limit=200");
    assert!(known.iter().all(|key| key["purpose"] == "sentinel"), "{known:?}");
    for handle in handles {
        renew(&service, &json!(handle)).problem(404, "not-found");
    }
    assert_eq!(appliance.objects().len(), 6, "nothing is destroyed");
}

#[test]
fn a_key_that_an_older_database_does_not_know_gets_its_old_handle_back() {
    let appliance = Appliance::new();
    appliance.start_ready().stop();
    let (database, backup) = (appliance.data("strongroom.db"), appliance.path("backup.db"));
    fs::copy(&database, &backup).unwrap();
    let mut service = appliance.start_ready();
    let before = key_of(&service, &service.create("forgotten.example"));
    service.stop();
    fs::copy(&backup, &database).unwrap();

    let service = appliance.start_ready();
    let handle = before["handle"].as_str().unwrap();
    let after = service.get(&format!("/keys/{handle}")).expect(200).json();
    assert_eq!((&after["state"], &after["id"]), (&json!("recovered"), &before["id"]));
    assert_eq!((&after["uri"], &after["public_key"]), (&before["uri"], &before["public_key"]));
    let uri = after["uri"].as_str().unwrap();
    let objects = appliance.objects();
    let labels: Vec<_> = objects.iter().filter(|object| after["id"] == object.id).collect();
    assert!(labels.len() == 2 && labels.iter().all(|object| object.label == handle), "{labels:?}");
    assert!(uri.contains(&format!(";object={handle};")), "{uri}");
}

#[test]
fn a_key_of_a_kind_that_we_do_not_know_keeps_nobody_from_working() {
    let appliance = Appliance::new();
    let mut service = appliance.start_ready();
    let id = our_id(&service, 1);
    service.stop();
    pkcs11_tool(
        &appliance,
        &["--keypairgen", "--key-type", "EC:secp256k1", "--id", &id, "--label", "strange"],
    );

    let service = appliance.start_ready();
    assert_counts(&service, json!({ "objects": 4, "owned": 2, "recovered": 0, "quarantined": 2 }));
    service.create("afterwards.example");
}

#[test]
fn a_public_key_under_two_ids_of_ours_keeps_nobody_from_working() {
    let appliance = Appliance::with_chaos();
    let mut service = appliance.start_ready();
    let ids = [our_id(&service, 1), our_id(&service, 2)];
    service.stop();
    import_pair(&appliance, &[&ids[0], &ids[1]], "twice");
    appliance.chaos_rules(LIES);

    let service = appliance.start_ready();
    assert_counts(&service, json!({ "objects": 6, "owned": 2, "recovered": 2, "quarantined": 2 }));
    let keys = pages(&service, "/keys?limit=200");
    let recovered: Vec<_> = keys.iter().filter(|key| key["state"] == "recovered").collect();
    assert_eq!(recovered.iter().map(|key| &key["id"]).collect::<Vec<_>>(), [&ids[0]]);
    service.create("afterwards.example");
}

#[test]
fn a_key_that_the_token_does_not_give_up_keeps_nobody_from_working() {
    let appliance = Appliance::with_chaos();
    let mut service = appliance.start_ready();
    let doomed = service.create("doomed.example");
    appliance.chaos_rules("C_DestroyObject every return-before=CKR_ACTION_PROHIBITED");
    let cancelled = service.delete(&path_of(&doomed)).expect(200).json();
    assert_eq!(cancelled["key_fate"], "will-be-destroyed");
    service.stop();

    let service = appliance.start_ready();
    assert_counts(&service, json!({ "objects": 4, "owned": 4, "quarantined": 0, "missing_keys": 0 }));
    assert_eq!(key_of(&service, &doomed)["state"], "destroying");
    service.create("afterwards.example");

    appliance.chaos_rules("");
    signal(service.worker_pid(), "KILL");
    service.await_that("the key is destroyed", || key_of(&service, &doomed)["state"] == "destroyed");
    Ledger::default().await_agreement(&appliance, &service);
}

/// A CKA_ID that this installation could have chosen.
fn our_id(service: &Service, n: u8) -> String {
    let sentinel = service.get("/keys").json()["items"][0]["id"].as_str().unwrap().to_owned();
    format!("{}{n:024x}", &sentinel[..8])
}

#[track_caller]
fn assert_counts(service: &Service, expected: Value) {
    let found = inventory(service);
    for (name, count) in expected.as_object().unwrap() {
        assert_eq!(&found[name], count, "{name} in {found}");
    }
}
