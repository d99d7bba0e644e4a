//! What is one tenant's is not there for another.

use serde_json::{Value, json};

use super::Office;
use crate::certificates::Ca;
use crate::harness::{Appliance, p256};

const NOBODYS: &str = "019aa5b2-5c3e-7c61-9d3f-0a4a6f2f8e11";

fn tenants(office: &Office<'_>) {
    for name in ["pki", "lab"] {
        office.manage("POST", "/tenants", Some(&json!({ "name": name }))).expect(201);
    }
}

#[test]
fn another_tenants_handle_is_answered_like_one_that_does_not_exist() {
    let appliance = Appliance::new();
    let service = appliance.start_ready();
    let office = Office::open(&appliance, &service);
    tenants(&office);
    let both = |tenant| [("requester", Some(tenant)), ("operator", Some(tenant))];
    let pki = office.hire("pki-user", &both("pki"));
    let lab = office.hire("lab-user", &both("lab"));
    let made = office.call(&pki, "POST", "/csrs", Some(&p256("www.example.com"))).expect(201).json();
    let (handle, key) = (made["handle"].as_str().unwrap(), made["key"]["handle"].as_str().unwrap());
    let certificate = Ca::new("CA").issue(made["csr"].as_str().unwrap()).pem();

    // The document, without the id of the HTTP request and the handle that was asked for.
    let refused = |method: &str, path: &str, handle: &str, body: Option<&Value>| {
        let path = path.replace("{}", handle);
        let reply = office.call(&lab, method, &path, body);
        let mut problem = reply.problem(404, "not-found");
        problem["request_id"] = Value::Null;
        problem.to_string().replace(handle, "HANDLE")
    };
    let renewal = |key: &str| json!({ "subject": "CN=a", "key": { "handle": key } });
    let again = json!({ "key": "new" });
    let routes: [(&str, &str, &str, Option<&Value>); 7] = [
        ("GET", "/csrs/{}", handle, None),
        ("DELETE", "/csrs/{}", handle, None),
        ("POST", "/csrs/{}/retire", handle, None),
        ("POST", "/csrs/{}/renew", handle, Some(&again)),
        ("GET", "/csrs/{}/certificate", handle, None),
        ("GET", "/keys/{}", key, None),
        ("DELETE", "/keys/{}", key, None),
    ];
    for (method, path, theirs, body) in routes {
        assert_eq!(
            refused(method, path, theirs, body),
            refused(method, path, NOBODYS, body),
            "{method} {path}"
        );
    }
    for key in [key, NOBODYS] {
        let answer = office.call(&lab, "POST", "/csrs", Some(&renewal(key))).problem(404, "not-found");
        assert_eq!(answer["detail"], format!("there is no key {key}"));
    }
    let bearer = format!("Bearer {lab}");
    let marry = |handle: &str| {
        let headers = [("authorization", bearer.as_str()), ("content-type", "application/x-pem-file")];
        let path = format!("/csrs/{handle}/certificate");
        service.request("PUT", &path, &headers, Some(certificate.as_bytes())).problem(404, "not-found")
    };
    assert_eq!(marry(handle)["detail"], format!("there is no signing request {handle}"));
    marry(NOBODYS);

    // Nothing of it happened, and its owner still works with it.
    let shown = office.call(&pki, "GET", &format!("/csrs/{handle}"), None).expect(200).json();
    assert_eq!(shown["status"], "pending");
    office.call(&pki, "POST", "/csrs", Some(&renewal(key))).expect(201);
    let renewed =
        office.call(&pki, "POST", &format!("/csrs/{handle}/renew"), Some(&again)).expect(201).json();
    for (whose, theirs) in [("csrs", &renewed["handle"]), ("keys", &renewed["key"]["handle"])] {
        let path = format!("/{whose}/{}", theirs.as_str().unwrap());
        office.call(&lab, "GET", &path, None).problem(404, "not-found");
        office.call(&pki, "GET", &path, None).expect(200);
    }
}

#[test]
fn lists_show_what_is_the_tenants() {
    let appliance = Appliance::new();
    let service = appliance.start_ready();
    let office = Office::open(&appliance, &service);
    tenants(&office);
    let pki = office.hire("pki-user", &[("requester", Some("pki"))]);
    let lab = office.hire("lab-user", &[("requester", Some("lab"))]);
    for (who, name) in [(&pki, "a.pki"), (&pki, "b.pki"), (&lab, "a.lab")] {
        office.call(who, "POST", "/csrs", Some(&p256(name))).expect(201);
    }
    let names = |key: &str, tenant, path: &str| -> Vec<String> {
        let page = office.call_in(key, tenant, "GET", path, None).expect(200).json();
        let items = page["items"].as_array().unwrap().clone();
        items.iter().map(|item| item["subject"].as_str().unwrap_or("key").to_owned()).collect()
    };
    assert_eq!(names(&pki, None, "/csrs"), ["CN=b.pki", "CN=a.pki"]);
    assert_eq!(names(&pki, None, "/csrs?name=a"), ["CN=a.pki"]);
    assert_eq!(names(&lab, None, "/csrs?status=pending&kind=ec-p256"), ["CN=a.lab"]);
    assert_eq!(names(&lab, None, "/keys").len(), 1, "no sentinel, and none of another tenant");
    // Whoever has a grant in the whole appliance works for each tenant, one at a time.
    let operator = service.api_key();
    assert_eq!(names(operator, None, "/csrs"), Vec::<String>::new());
    assert_eq!(names(operator, Some("pki"), "/csrs").len(), 2);
    assert_eq!(names(operator, Some("pki"), "/keys").len(), 3, "with the sentinel");

    let sentinels = service.get("/keys").json();
    let sentinel = sentinels["items"][0]["handle"].as_str().unwrap();
    office.call(&lab, "GET", &format!("/keys/{sentinel}"), None).problem(404, "not-found");
}

#[test]
fn a_request_works_for_one_tenant() {
    let appliance = Appliance::new();
    let service = appliance.start();
    let office = Office::open(&appliance, &service);
    tenants(&office);
    let both = office.hire("both", &[("reader", Some("pki")), ("reader", Some("lab"))]);
    let list = |key: &str, tenant| office.call_in(key, tenant, "GET", "/csrs", None);
    let unsaid = list(&both, None).problem(400, "input.invalid");
    assert_eq!(unsaid["errors"][0]["field"], "Strongroom-Tenant");
    list(&both, Some("pki")).expect(200);
    for foreign in ["default", "nowhere", "a b"] {
        let denied = list(&both, Some(foreign)).problem(403, "access.denied");
        let expected = "this needs the permission csr:read in the tenant that was named";
        assert!(denied["detail"].as_str().unwrap().starts_with(expected), "{denied}");
    }
    // A role of the appliance's things means nothing in a tenant.
    office.call(&both, "GET", "/tokens", None).problem(403, "access.denied");
    let nobody = office.hire("nobody", &[]);
    list(&nobody, None).problem(403, "access.denied");
}

#[test]
fn an_idempotency_key_is_of_one_principal_in_one_tenant() {
    let appliance = Appliance::new();
    let service = appliance.start_ready();
    let office = Office::open(&appliance, &service);
    tenants(&office);
    let roles = [("requester", Some("pki")), ("requester", Some("lab"))];
    let (ann, bob) = (office.hire("ann", &roles), office.hire("bob", &roles));
    let create = |key: &str, tenant: &str| {
        let bearer = format!("Bearer {key}");
        let headers =
            [("authorization", bearer.as_str()), ("strongroom-tenant", tenant), ("idempotency-key", "same")];
        service.post_with("/csrs", &headers, &p256("a")).expect(201).json()["handle"].to_string()
    };
    let made = [create(&ann, "pki"), create(&ann, "lab"), create(&bob, "pki"), create(&ann, "pki")];
    assert_eq!(made[0], made[3], "a replay");
    assert!(made[0] != made[1] && made[0] != made[2] && made[1] != made[2], "{made:?}");
}
