//! Who may call what here: every operation of the document has a row, and every role is tried on it.

use std::collections::BTreeMap;

use serde_json::{Value, json};
use strongroom::domain::access::{Permission, Role};

use super::{ACCOUNT, OTHER_ACCOUNT, ZONE, call, hire, refused, switch_on};
use crate::access::Office;
use crate::harness::Appliance;

const METHODS: [&str; 7] = ["get", "put", "post", "delete", "options", "head", "patch"];
const ANY_ID: &str = "019aa5b2-5c3e-7c61-9d3f-0a4a6f2f8e11";

const ROUTES: &[(&str, &str, Permission)] = &[
    ("get", "/{scope}/{id}/custom_csrs", Permission::CsrRead),
    ("post", "/{scope}/{id}/custom_csrs", Permission::CsrCreate),
    ("get", "/{scope}/{id}/custom_csrs/{csr_id}", Permission::CsrRead),
    ("delete", "/{scope}/{id}/custom_csrs/{csr_id}", Permission::CsrCancel),
    ("get", "/{scope}/{id}/custom_certificates", Permission::CertificateRead),
    ("post", "/{scope}/{id}/custom_certificates", Permission::CertificateMarry),
    ("get", "/{scope}/{id}/custom_certificates/{certificate_id}", Permission::CertificateRead),
];

#[test]
fn every_role_may_call_what_the_matrix_says_in_its_tenant_and_nothing_else() {
    let appliance = Appliance::new();
    switch_on(&appliance, "");
    let service = appliance.start();
    let people = hire(&appliance, &service);
    let office = Office { service: &service, admin: people.admin.clone() };
    let staff: Vec<_> = Role::ALL
        .iter()
        .map(|role| (role, office.hire(&format!("{role}-in-lab"), &[(role.as_str(), Some("lab"))])))
        .collect();
    let idle = office.hire("idle", &[]);
    let document = call(&service, &idle, "GET", "/openapi.json", &[], None).expect(200).json();
    let mut matrix: BTreeMap<_, _> =
        ROUTES.iter().map(|(method, path, needs)| ((*method, (*path).to_owned()), *needs)).collect();
    for (route, item) in document["paths"].as_object().unwrap() {
        let route = route.strip_prefix("/client/v4").unwrap();
        for method in METHODS.iter().filter(|method| item.get(**method).is_some()) {
            let needs = matrix
                .remove(&(*method, route.to_owned()))
                .unwrap_or_else(|| panic!("{method} {route} has no entry in the matrix"));
            let path = |scope: &str, id: &str| {
                let path = route.replace("{scope}", scope).replace("{id}", id);
                let path = path.replace("{csr_id}", ANY_ID).replace("{certificate_id}", ANY_ID);
                assert!(!path.contains('{'), "{route}: a parameter that this test does not know");
                path
            };
            let method = method.to_uppercase();
            // Whoever is let in is told that something is missing, and changes nothing.
            let body = json!({});
            let body: Option<&Value> = (method == "POST").then_some(&body);
            let ours = path("accounts", ACCOUNT);
            assert_eq!(refused(call(&service, "srk_wrong", &method, &ours, &[], body), 401), [1003]);
            let anonymous = [("authorization", "")];
            let sent = body.map(ToString::to_string);
            let bytes = sent.as_deref().map(str::as_bytes);
            let reply = service.request(&method, &format!("//client/v4{ours}"), &anonymous, bytes);
            assert_eq!(refused(reply, 400), [1402]);
            for (role, key) in &staff {
                let reply = call(&service, key, &method, &ours, &[], body);
                let denied = reply.status == 403;
                assert_eq!(
                    !denied,
                    role.permissions().contains(&needs),
                    "{method} {route} by {role}: {reply:?}"
                );
                for elsewhere in [
                    path("accounts", OTHER_ACCOUNT),
                    path("zones", ZONE),
                    path("zones", ACCOUNT),
                    path("accounts", "x"),
                ] {
                    assert_eq!(refused(call(&service, key, &method, &elsewhere, &[], body), 403), [1404]);
                }
            }
            assert_eq!(refused(call(&service, &idle, &method, &ours, &[], body), 403), [1404]);
        }
    }
    assert!(matrix.is_empty(), "routes that are gone: {:?}", matrix.keys());
    for wrong in ["srk_wrong", ""] {
        let reply = call(&service, wrong, "GET", "/openapi.json", &[], None);
        assert!(matches!(reply.status, 400 | 401), "{reply:?}");
    }
}

#[test]
fn a_denied_caller_is_told_before_his_body_is_read() {
    let appliance = Appliance::new();
    switch_on(&appliance, "");
    let service = appliance.start();
    let people = hire(&appliance, &service);
    let large = json!({ "name": "x".repeat(100_000) });
    let path = format!("/accounts/{ACCOUNT}/custom_csrs");
    assert_eq!(refused(call(&service, &people.reader, "POST", &path, &[], Some(&large)), 403), [1404]);
}
