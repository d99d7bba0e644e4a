//! Who is known by what, for which tenant.

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use serde_json::json;

use super::{Client, GO, appliance_with, invalid, p256, refused, switched_on};
use crate::access::Office;
use crate::harness::Appliance;

fn basic(user: &str, secret: &str) -> String {
    format!("Basic {}", BASE64_STANDARD.encode(format!("{user}:{secret}")))
}

#[test]
fn basic_with_and_without_a_domain_and_bearer_are_known() {
    let appliance = appliance_with("");
    let service = appliance.start();
    let office = Office::open(&appliance, &service);
    let key = office.hire("bob", &[("requester", Some("default"))]);
    let wanted = json!({ "principal": "bob", "kind": "basic" });
    let issued = office.manage("POST", "/credentials", Some(&wanted)).expect(201).json();
    let secret = issued["secret"].as_str().unwrap();
    let probe = |authorization: &str| {
        let client = Client { service: &service, authorization: authorization.to_owned() };
        client.get("/Status/Endpoints")
    };
    for good in
        [basic("bob", secret), basic("LAB\\bob", secret), format!("Bearer {key}"), format!("bearer {key}")]
    {
        probe(&good).expect(200);
    }
    for wrong in [
        String::new(),
        "Basic".to_owned(),
        "Bearer srk_wrong".to_owned(),
        basic("LAB\\alice", secret),
        basic("bob", "wrong"),
        basic("LAB\\bob", &key),
        basic("bob\\LAB", secret),
        "Digest x".to_owned(),
    ] {
        let reply = probe(&wrong);
        let ways: Vec<_> = reply.headers.get_all("www-authenticate").iter().collect();
        assert_eq!(ways, ["Basic realm=\"strongroom\"", "Bearer realm=\"strongroom\""], "{wrong}");
        let told = refused(reply, 401, "0xA0FF0401");
        assert!(told.starts_with("known credentials are needed"), "{told}");
    }
}

#[test]
fn a_missing_right_is_told_by_the_vendors_name_of_it() {
    let appliance = appliance_with("");
    let service = appliance.start();
    let office = Office::open(&appliance, &service);
    let reader = Client::bearer(&service, &office.hire("reader", &[("reader", None)]));
    let approver = Client::bearer(&service, &office.hire("idle", &[]));
    reader.get("/CSRGeneration/Pending").expect(200);
    let told = refused(reader.generate(&p256("a.example")), 403, "0xA0FF0403");
    assert!(told.contains("/certificates/enrollment/csr_generation/ is missing"), "{told}");
    assert!(told.contains("csr:create"), "{told}");
    let told = refused(reader.call("DELETE", "/CSRGeneration/Pending/1", None), 403, "0xA0FF0403");
    assert!(told.contains("/certificates/requests/manage/") && told.contains("csr:cancel"), "{told}");
    let told = refused(reader.call("DELETE", "/CSRGeneration/Pending", Some(&json!([1]))), 403, "0xA0FF0403");
    assert!(told.contains("/certificates/requests/manage/"), "{told}");
    let told = refused(reader.call("POST", "/Enrollment/CSR", Some(&json!({}))), 403, "0xA0FF0403");
    assert!(told.contains("/certificates/enrollment/csr/ is missing"), "{told}");
    let told = refused(approver.get("/CSRGeneration/Pending"), 403, "0xA0FF0403");
    assert!(told.contains("/certificates/requests/manage/") && told.contains("csr:read"), "{told}");
}

#[test]
fn each_tenant_has_its_own_list_and_ids() {
    let appliance = switched_on(Appliance::new(), "[\"pki\", \"lab\"]", "");
    let service = appliance.start_ready();
    let office = Office::open(&appliance, &service);
    for name in ["pki", "lab"] {
        office.manage("POST", "/tenants", Some(&json!({ "name": name }))).expect(201);
    }
    let hire =
        |name: &str, roles: &[(&str, Option<&str>)]| Client::bearer(&service, &office.hire(name, roles));
    let pki = hire("pki-user", &[("requester", Some("pki"))]);
    let lab = hire("lab-user", &[("requester", Some("lab"))]);
    let csr = pki.generated("a.pki.example");
    pki.generated("b.pki.example");
    lab.generated("a.lab.example");
    assert_eq!((pki.pending_ids(""), lab.pending_ids("")), (vec![1, 2], vec![1]));

    for method in ["GET", "DELETE"] {
        let told = refused(lab.call(method, "/CSRGeneration/Pending/2", None), 404, "0xA0FF0404");
        assert_eq!(told, "there is no pending CSR 2", "as one that does not exist");
    }
    refused(lab.call("DELETE", "/CSRGeneration/Pending", Some(&json!([1, 2]))), 404, "0xA0FF0404");
    let told = invalid(lab.call("POST", "/Enrollment/CSR", Some(&json!({ "CSR": csr }))));
    assert_eq!(told, "CSR: was not made here, or not for this tenant");
    assert_eq!((pki.pending_ids(""), lab.pending_ids("")), (vec![1, 2], vec![1]));

    // A tenant that is not served is nobody's here; a grant in several has to be told apart.
    let other = hire("other", &[("requester", Some("default"))]);
    refused(other.get("/CSRGeneration/Pending"), 403, "0xA0FF0403");
    let both = hire("both", &[("requester", None)]);
    let told = invalid(both.get("/CSRGeneration/Pending"));
    assert!(told.starts_with("Strongroom-Tenant: say which tenant"), "{told}");
    let mut headers = GO.to_vec();
    headers.push(("strongroom-tenant", "lab"));
    let path = "/KeyfactorAPI/CSRGeneration/Pending";
    assert_eq!(both.call_with("GET", path, &headers, None).expect(200).json().as_array().unwrap().len(), 1);
    headers.pop();
    headers.push(("strongroom-tenant", "default"));
    refused(both.call_with("GET", path, &headers, None), 403, "0xA0FF0403");
}
