//! Who may do what: every operation of the document, by every role, in another tenant, and by nobody.

use serde_json::json;
use strongroom::domain::access::{Permission, Role};

use super::{call, hire, refused, switched_on};
use crate::access::Office;

const ANY_HANDLE: &str = "019aa5b2-5c3e-7c61-9d3f-0a4a6f2f8e11";
const METHODS: [&str; 3] = ["get", "post", "put"];

/// Operation of the document, and what it needs.
const OPERATIONS: &[(&str, Permission)] = &[
    ("userAccounts", Permission::TemplateRead),
    ("usersById", Permission::TemplateRead),
    ("usersByName", Permission::TemplateRead),
    ("teams", Permission::TemplateRead),
    ("certificateAuthorityAccounts", Permission::TemplateRead),
    ("certificateAuthorityAccount", Permission::TemplateRead),
    ("zonesByTag", Permission::TemplateRead),
    ("certificateIssuingTemplatesById", Permission::TemplateRead),
    ("certificateRequests", Permission::CsrCreate),
    ("certificateRequestsById", Permission::CsrRead),
    ("certificateRequestsCertificate", Permission::CertificateRead),
    ("managedCertificatesById", Permission::CertificateRead),
    ("certificateSearch", Permission::CertificateRead),
    ("edgeEncryptionKeysGet", Permission::CertificateRead),
    ("applicationsGet", Permission::TemplateRead),
    ("applicationsByName", Permission::TemplateRead),
    ("applicationsIssuingTemplate", Permission::TemplateRead),
    ("certificateRequestsCreate", Permission::CsrCreate),
    ("certificateRequestsGet", Permission::CsrRead),
    ("certificatesImport", Permission::CertificateMarry),
    ("certificatesGet", Permission::CertificateRead),
    ("certificatesContents", Permission::CertificateRead),
    ("certificatesKeystore", Permission::CertificateRead),
    ("certificatesRetirement", Permission::CsrCancel),
    ("certificatesSearch", Permission::CertificateRead),
    ("graphql", Permission::CertificateRead),
];

/// Refused to everybody who may ask.
const REFUSED: [&str; 2] = ["edgeEncryptionKeysGet", "certificatesKeystore"];

#[test]
fn every_role_may_call_of_venafi_what_the_matrix_says_and_nothing_else() {
    let appliance = switched_on();
    let service = appliance.start_ready();
    let people = hire(&appliance, &service);
    let office = Office { service: &service, admin: people.admin.clone() };
    let mut staff = Vec::new();
    for role in Role::ALL {
        for tenant in ["lab", "other"] {
            let name = role.as_str();
            staff.push((role, office.hire(&format!("{name}-in-{tenant}"), &[(name, Some(tenant))])));
        }
    }
    office.manage("POST", "/tenants", Some(&json!({ "name": "unserved" }))).expect(201);
    let outsider = office.hire("outsider", &[("requester", Some("unserved"))]);
    let idle = office.hire("idle", &[]);
    let path = "/outagedetection/v1/openapi.json";
    let document = call(&service, &people.reader, "GET", path, None).expect(200).json();
    let mut seen = Vec::new();
    for (route, item) in document["paths"].as_object().unwrap() {
        let path = ["{id}", "{hash}", "{account}"]
            .iter()
            .fold(route.clone(), |path, name| path.replace(name, ANY_HANDLE));
        let path = ["{tag}", "{name}", "{alias}", "{application}", "{authority}"]
            .iter()
            .fold(path, |path, name| path.replace(name, "nothing"));
        assert!(!path.contains('{'), "{route}: a parameter that this test does not know");
        for method in METHODS.iter().filter(|method| item.get(**method).is_some()) {
            let operation = item[method]["operationId"].as_str().unwrap();
            let (_, needed) = OPERATIONS.iter().find(|(known, _)| *known == operation).expect(operation);
            let method = method.to_uppercase();
            let body = json!({});
            let body = (method == "POST").then_some(&body);
            for wrong in ["srk_wrong", ""] {
                refused(call(&service, wrong, &method, &path, body), 401);
            }
            for nobody in [&outsider, &idle] {
                refused(call(&service, nobody, &method, &path, body), 403);
            }
            for (role, key) in &staff {
                let reply = call(&service, key, &method, &path, body);
                let may = role.permissions().contains(needed) && !REFUSED.contains(&operation);
                assert_eq!(reply.status != 403, may, "{operation} by {role}: {reply:?}");
                assert!(reply.status < 500, "{reply:?}");
            }
            seen.push(operation.to_owned());
        }
    }
    assert_eq!(seen.len(), OPERATIONS.len(), "{seen:?}");
}

#[test]
fn whoever_has_grants_in_two_tenants_that_are_served_is_told_to_say_which() {
    let appliance = switched_on();
    let service = appliance.start_ready();
    let people = hire(&appliance, &service);
    let office = Office { service: &service, admin: people.admin.clone() };
    let both = office.hire("both", &[("reader", Some("lab")), ("reader", Some("other"))]);
    let told = refused(call(&service, &both, "GET", "/v1/useraccounts", None), 400);
    assert!(told[0].1.contains("say which tenant"), "{told:?}");
    let headers = [("tppl-api-key", both.as_str()), ("authorization", ""), ("strongroom-tenant", "other")];
    let reply = service.request("GET", "//v1/useraccounts", &headers, None).expect(200).json();
    assert_eq!(reply["company"]["name"], "other");
}

#[test]
fn bodies_that_are_none_are_refused_in_the_vendors_words() {
    let appliance = switched_on();
    let service = appliance.start_ready();
    let people = hire(&appliance, &service);
    let headers =
        |kind| [("tppl-api-key", people.requester.as_str()), ("authorization", ""), ("content-type", kind)];
    for path in ["//v1/certificaterequests", "//outagedetection/v1/certificaterequests", "//graphql"] {
        let send = |kind, body: &[u8]| service.request("POST", path, &headers(kind), Some(body));
        refused(send("application/json", b"{"), 400);
        refused(send("application/json", b"[]"), 400);
        refused(send("text/plain", b"{}"), 415);
        refused(send("application/json", &[b' '; 70_000]), 413);
    }
    for (path, field) in
        [("/v1/certificaterequests", "zone"), ("/outagedetection/v1/certificaterequests", "application")]
    {
        let told = refused(call(&service, &people.requester, "POST", path, Some(&json!({}))), 404);
        assert!(told[0].0 == 10_051 && told[0].1.contains(field), "{told:?}");
    }
    refused(call(&service, &people.requester, "GET", "/v1/nothing", None), 404);
    refused(call(&service, &people.requester, "PUT", "/v1/useraccounts", None), 405);
}
