//! Every route of this surface, by every role, in another tenant, and by nobody. A route without an entry here fails.

use std::collections::BTreeMap;

use serde_json::{Value, json};
use strongroom::domain::access::{Permission, Role};

use super::{Client, GO, refused, switched_on};
use crate::access::Office;
use crate::harness::Appliance;

const COMMITTED: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/openapi/keyfactor.json");

/// What a route needs; `None`: to be known.
const ROUTES: [(&str, &str, Option<Permission>); 8] = [
    ("post", "/CSRGeneration/Generate", Some(Permission::CsrCreate)),
    ("get", "/CSRGeneration/Pending", Some(Permission::CsrRead)),
    ("delete", "/CSRGeneration/Pending", Some(Permission::CsrCancel)),
    ("get", "/CSRGeneration/Pending/{id}", Some(Permission::CsrRead)),
    ("delete", "/CSRGeneration/Pending/{id}", Some(Permission::CsrCancel)),
    ("post", "/Enrollment/CSR", Some(Permission::CsrCreate)),
    ("get", "/Status/Endpoints", None),
    ("post", "/Certificates/Recover", None),
];

#[test]
fn every_role_may_call_what_the_matrix_says_and_nothing_else() {
    let appliance = switched_on(Appliance::new(), "[\"pki\"]", "[limits]\nfailed_logins_per_minute = 1000\n");
    let service = appliance.start();
    let office = Office::open(&appliance, &service);
    for name in ["pki", "lab"] {
        office.manage("POST", "/tenants", Some(&json!({ "name": name }))).expect(201);
    }
    let mut staff = Vec::new();
    for role in Role::ALL {
        for tenant in ["pki", "lab"] {
            let key = office.hire(&format!("{role}-in-{tenant}"), &[(role.as_str(), Some(tenant))]);
            staff.push((role, tenant == "pki", Client::bearer(&service, &key)));
        }
    }
    // No route takes this body: whoever is let in is told so, and changes nothing.
    let wrong = json!("no such body");
    let nobody = Client::bearer(&service, "srk_wrong");
    let document = staff[0].2.get("/openapi.json").expect(200).json();
    let mut matrix: BTreeMap<_, _> =
        ROUTES.iter().map(|(method, path, needs)| ((*method, path.to_string()), *needs)).collect();
    for (route, item) in document["paths"].as_object().unwrap() {
        let route = route.strip_prefix("/KeyfactorAPI").unwrap();
        for method in item.as_object().unwrap().keys() {
            let needs = matrix.remove(&(method.as_str(), route.to_owned()));
            let needs = needs.unwrap_or_else(|| panic!("{method} {route} has no entry in the matrix"));
            let (method, path) = (method.to_uppercase(), route.replace("{id}", "99"));
            let body = Some(&wrong).filter(|_| method == "POST" || path.ends_with("/Pending"));
            refused(nobody.call(&method, &path, body), 401, "0xA0FF0401");
            // Whoever is not known learns nothing of what else is wrong.
            refused(nobody.call_with(&method, &format!("/KeyfactorAPI{path}"), &[], body), 401, "0xA0FF0401");
            for (role, served, client) in &staff {
                let reply = client.call(&method, &path, body);
                let allowed = needs.is_none_or(|needs| *served && role.permissions().contains(&needs));
                let recovery = path == "/Certificates/Recover";
                assert_eq!(reply.status != 403, allowed && !recovery, "{method} {path} by {role}: {reply:?}");
                assert!(reply.status < 500, "{reply:?}");
                declared(item, &method, &reply.status.to_string());
                if allowed && !recovery {
                    let path = format!("/KeyfactorAPI{path}");
                    let mut without_mark = GO.to_vec();
                    without_mark.pop();
                    let told = super::invalid(client.call_with(&method, &path, &without_mark, body));
                    assert!(told.starts_with("x-keyfactor-requested-with: "), "{told}");
                }
            }
        }
    }
    assert!(matrix.is_empty(), "routes that are gone: {:?}", matrix.keys());
    refused(nobody.get("/openapi.json"), 401, "0xA0FF0401");
}

fn declared(item: &Value, method: &str, status: &str) {
    let responses = &item[method.to_lowercase()]["responses"];
    assert!(responses.get(status).is_some(), "{method} may be answered {status}: {responses}");
}

#[test]
fn the_document_that_is_served_is_the_committed_one() {
    let appliance = super::appliance_with("");
    let service = appliance.start();
    let served = Client::hired(&appliance, &service).get("/openapi.json").expect(200).json();
    let text = format!("{served:#}\n");
    if std::env::var_os("UPDATE_OPENAPI").is_some() {
        return std::fs::write(COMMITTED, text).unwrap();
    }
    let committed = std::fs::read_to_string(COMMITTED).unwrap_or_default();
    let differs = text.lines().zip(committed.lines()).position(|(served, committed)| served != committed);
    assert!(
        text == committed,
        "docs/openapi/keyfactor.json is not what the program serves (first difference at line {differs:?}); if the \
         change is meant: UPDATE_OPENAPI=1 cargo test --test it keyfactor"
    );
}
