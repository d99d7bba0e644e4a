//! Every route of the OpenAPI document, by every role, in another tenant, and by nobody. A route
//! without an entry here fails.

use std::collections::BTreeMap;

use serde_json::json;
use strongroom::domain::access::{Permission, Role, Scope};

use super::Office;
use crate::harness::Appliance;

const METHODS: [&str; 7] = ["get", "put", "post", "delete", "options", "head", "patch"];
const ANY_HANDLE: &str = "019aa5b2-5c3e-7c61-9d3f-0a4a6f2f8e11";

/// What a route needs.
#[derive(Clone, Copy)]
enum Needs {
    /// A permission.
    This(Permission),
    /// To be known; the use case looks further, and other tests with it.
    AnyPrincipal,
    /// To be at the Unix socket.
    LocalUser,
}

use Needs::{AnyPrincipal, LocalUser, This};

/// The matrix: with the roles of each permission, in docs/security.md, it says who may call what.
const ROUTES: &[(&str, &str, Needs)] = &[
    ("get", "/audit", This(Permission::AuditRead)),
    ("post", "/audit/forget-key", This(Permission::SystemOperate)),
    ("post", "/audit/restart-chain", This(Permission::SystemOperate)),
    ("get", "/audit/verify", This(Permission::AuditRead)),
    ("get", "/authorities", This(Permission::AuthorityRead)),
    ("post", "/authorities", This(Permission::AuthorityManage)),
    ("get", "/authorities/{handle}", This(Permission::AuthorityRead)),
    ("delete", "/authorities/{handle}", This(Permission::AuthorityManage)),
    ("get", "/authorities/{handle}/certificate", This(Permission::AuthorityRead)),
    ("put", "/authorities/{handle}/certificate", This(Permission::AuthorityManage)),
    ("get", "/authorities/{handle}/certificates", This(Permission::AuthorityRead)),
    ("get", "/authorities/{handle}/certificates/{serial}", This(Permission::AuthorityRead)),
    ("post", "/authorities/{handle}/certificates/{serial}/revoke", This(Permission::CertificateRevoke)),
    ("get", "/authorities/{handle}/crl", This(Permission::AuthorityRead)),
    ("get", "/authorities/{handle}/csr", This(Permission::AuthorityRead)),
    ("post", "/authorities/{handle}/disable", This(Permission::AuthorityManage)),
    ("post", "/authorities/{handle}/enable", This(Permission::AuthorityManage)),
    ("post", "/authorities/{handle}/intermediates", This(Permission::AuthorityManage)),
    ("post", "/authorities/{handle}/issue", This(Permission::CertificateIssue)),
    ("post", "/authorities/{handle}/renew", This(Permission::AuthorityManage)),
    ("post", "/backup", This(Permission::SystemOperate)),
    ("post", "/bootstrap", LocalUser),
    ("get", "/credentials", AnyPrincipal),
    ("post", "/credentials", AnyPrincipal),
    ("delete", "/credentials/{handle}", AnyPrincipal),
    ("get", "/certificates", This(Permission::CertificateRead)),
    ("get", "/csrs", This(Permission::CsrRead)),
    ("post", "/csrs", This(Permission::CsrCreate)),
    ("post", "/csrs/submit", This(Permission::CsrCreate)),
    ("get", "/csrs/{handle}", This(Permission::CsrRead)),
    ("delete", "/csrs/{handle}", This(Permission::CsrCancel)),
    ("get", "/csrs/{handle}/certificate", This(Permission::CertificateRead)),
    ("put", "/csrs/{handle}/certificate", This(Permission::CertificateMarry)),
    ("post", "/csrs/{handle}/approve", This(Permission::CsrApprove)),
    ("post", "/csrs/{handle}/reject", This(Permission::CsrApprove)),
    ("post", "/csrs/{handle}/renew", This(Permission::CsrCreate)),
    ("post", "/csrs/{handle}/retire", This(Permission::CsrCancel)),
    ("get", "/keys", This(Permission::KeyRead)),
    ("get", "/keys/{handle}", This(Permission::KeyRead)),
    ("delete", "/keys/{handle}", This(Permission::KeyDestroy)),
    ("post", "/keys/{handle}/compromise", This(Permission::KeyDestroy)),
    ("post", "/keys/{handle}/retire", This(Permission::KeyDestroy)),
    ("post", "/keys/{handle}/unretire", This(Permission::KeyDestroy)),
    ("get", "/principals", This(Permission::AccessRead)),
    ("post", "/principals", This(Permission::AccessManage)),
    ("get", "/principals/{principal}", This(Permission::AccessRead)),
    ("patch", "/principals/{principal}", This(Permission::AccessManage)),
    ("put", "/principals/{principal}/grants/{role}", This(Permission::AccessManage)),
    ("delete", "/principals/{principal}/grants/{role}", This(Permission::AccessManage)),
    ("get", "/proposals", AnyPrincipal),
    ("post", "/proposals/{handle}/approve", AnyPrincipal),
    ("post", "/proposals/{handle}/reject", AnyPrincipal),
    ("get", "/templates", This(Permission::TemplateRead)),
    ("get", "/templates/{name}", This(Permission::TemplateRead)),
    ("get", "/tenants", This(Permission::AccessRead)),
    ("post", "/tenants", This(Permission::AccessManage)),
    ("get", "/tokens", This(Permission::TokenRead)),
    ("post", "/tokens/{name}/breaker/reset", This(Permission::TokenOperate)),
    ("post", "/tokens/{name}/wipe", This(Permission::TokenOperate)),
    ("post", "/tokens/{name}/probe", This(Permission::TokenOperate)),
    ("post", "/tokens/{name}/probe-override", This(Permission::TokenOperate)),
    ("delete", "/tokens/{name}/probe-override", This(Permission::TokenOperate)),
    ("post", "/tokens/{name}/reconcile", This(Permission::TokenOperate)),
    ("get", "/tokens/{name}/slots", This(Permission::TokenRead)),
];

#[test]
fn every_role_may_call_what_the_matrix_says_and_nothing_else() {
    let appliance = Appliance::new();
    let text = format!("{}\n[limits]\nfailed_logins_per_minute = 1000\n", appliance.config_text());
    appliance.write_private("strongroom.toml", &text);
    let service = appliance.start();
    let office = Office::open(&appliance, &service);
    office.manage("POST", "/tenants", Some(&json!({ "name": "pki" }))).expect(201);
    office.manage("POST", "/tenants", Some(&json!({ "name": "lab" }))).expect(201);
    let mut staff = Vec::new();
    for role in Role::ALL {
        let name = role.as_str();
        staff.push((role, false, office.hire(&format!("{name}-everywhere"), &[(name, None)])));
        staff.push((role, true, office.hire(&format!("{name}-in-pki"), &[(name, Some("pki"))])));
    }
    let idle = office.hire("idle", &[]);

    let document = service.get("/openapi.json").expect(200).json();
    let mut matrix: BTreeMap<_, _> =
        ROUTES.iter().map(|(method, path, needs)| ((*method, path.to_string()), *needs)).collect();
    let mut calls = 0;
    for (route, item) in document["paths"].as_object().unwrap() {
        let route = route.strip_prefix("/strongroom/v1").unwrap();
        for method in METHODS.iter().filter(|method| item.get(**method).is_some()) {
            let needs = matrix
                .remove(&(*method, route.to_owned()))
                .unwrap_or_else(|| panic!("{method} {route} has no entry in the matrix"));
            let path = route
                .replace("{handle}", ANY_HANDLE)
                .replace("{serial}", &"a".repeat(40))
                .replace("{name}", "nowhere")
                .replace("{principal}", "nobody-there")
                .replace("{role}", "reader");
            assert!(!path.contains('{'), "{route}: a parameter that this test does not know");
            let method = method.to_uppercase();
            // No route takes this body: whoever is let in is told so, and changes nothing.
            let body = json!({ "no such field": true });
            let body = matches!(method.as_str(), "POST" | "PUT" | "PATCH").then_some(&body);
            for wrong in ["srk_wrong", ""] {
                office.call(wrong, &method, &path, body).problem(401, "auth.unauthenticated");
            }
            for (role, in_pki, key) in &staff {
                for tenant in ["pki", "lab"] {
                    let reply = office.call_in(key, Some(tenant), &method, &path, body);
                    let expected = match needs {
                        AnyPrincipal => true,
                        LocalUser => {
                            reply.problem(401, "auth.unauthenticated");
                            continue;
                        }
                        This(permission) => {
                            let here = match permission.scope() {
                                Scope::Tenant => !in_pki || tenant == "pki",
                                Scope::Appliance => !in_pki,
                            };
                            here && role.permissions().contains(&permission)
                        }
                    };
                    let denied = reply.status == 403;
                    assert_eq!(
                        !denied, expected,
                        "{method} {route} by {role} ({in_pki}) for {tenant}: {reply:?}"
                    );
                    if denied {
                        reply.problem(403, "access.denied");
                    } else {
                        assert!(
                            reply.status != 401 && reply.status < 500 || reply.status == 503,
                            "{reply:?}"
                        );
                    }
                    calls += 1;
                }
            }
            if let This(_) = needs {
                office.call(&idle, &method, &path, body).problem(403, "access.denied");
            }
        }
    }
    assert!(matrix.is_empty(), "routes that are gone: {:?}", matrix.keys());
    assert_eq!(calls, (ROUTES.len() - 1) * staff.len() * 2);
    assert_eq!(office.call(&idle, "GET", "/openapi.json", None).status, 200);
}

#[test]
fn a_denied_caller_is_told_before_his_body_is_read() {
    let appliance = Appliance::new();
    let service = appliance.start();
    let office = Office::open(&appliance, &service);
    let large = "x".repeat(100_000);
    let bearer = format!("Bearer {}", office.admin);
    let headers = [("authorization", bearer.as_str()), ("content-type", "application/json")];
    service.request("POST", "/csrs", &headers, Some(large.as_bytes())).problem(403, "access.denied");
}
