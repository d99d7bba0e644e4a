//! What other surfaces made, as it is shown here, and certificates that come back for an account.

use serde_json::{Value, json};

use super::{ACCOUNT, body, call, hire, refused, switch_on};
use crate::certificates::Ca;
use crate::harness::{Appliance, p256};

const CSRS: &str = "/accounts/023e105f4ecef8ad9ca31a8372d0c353/custom_csrs";
const CERTIFICATES: &str = "/accounts/023e105f4ecef8ad9ca31a8372d0c353/custom_certificates";

#[test]
fn native_requests_are_shown_and_counted_where_the_vendor_has_words_for_them() {
    let appliance = Appliance::new();
    switch_on(&appliance, "");
    let service = appliance.start_ready();
    let people = hire(&appliance, &service);
    let bearer = format!("Bearer {}", people.requester);
    let native = |method: &str, path: &str, body: Option<&Value>| {
        let headers = [
            ("authorization", bearer.as_str()),
            ("content-type", "application/json"),
            ("strongroom-tenant", "lab"),
        ];
        let body = body.map(ToString::to_string);
        service.request(method, path, &headers, body.as_deref().map(str::as_bytes))
    };
    let mut asked = p256("a.lab.internal");
    asked["subject"] = json!("C=NL, ST=Utrecht, O=Lab B.V., OU=Gateways, CN=a.lab.internal");
    asked["sans"] = json!(["DNS:a.lab.internal", "IP:192.0.2.1"]);
    let made = native("POST", "/csrs", Some(&asked)).expect(201).json();
    let mut strange = p256("b.lab.internal");
    strange["key"]["kind"] = json!("ec-p384");
    let hidden = native("POST", "/csrs", Some(&strange)).expect(201).json();
    let mut bare = p256("c.lab.internal");
    bare["subject"] = json!("");
    native("POST", "/csrs", Some(&bare)).expect(201);
    let cancelled = native("POST", "/csrs", Some(&p256("d.lab.internal"))).expect(201).json();
    let path = format!("/csrs/{}", cancelled["handle"].as_str().unwrap());
    native("DELETE", &path, None).expect(200);
    // Of the tenant `default`.
    service.create("e.lab.internal");

    let listed = call(&service, &people.requester, "GET", CSRS, &[], None).expect(200).json();
    assert_eq!(
        listed["result_info"],
        json!({ "page": 1, "per_page": 20, "count": 2, "total_count": 2, "total_pages": 1 })
    );
    let first = &listed["result"][0];
    assert_eq!(
        first,
        &json!({
            "id": made["handle"], "created_at": made["created_at"], "key_type": "p256v1", "account_tag": ACCOUNT,
            "csr": made["csr"], "common_name": "a.lab.internal", "country": "NL", "state": "Utrecht",
            "organization": "Lab B.V.", "organizational_unit": "Gateways", "sans": ["a.lab.internal", "192.0.2.1"],
        })
    );
    assert_eq!(listed["result"][1].get("common_name"), None);
    for gone in [&hidden, &cancelled] {
        let path = format!("{CSRS}/{}", gone["handle"].as_str().unwrap());
        assert_eq!(refused(call(&service, &people.requester, "GET", &path, &[], None), 404), [1419]);
        assert_eq!(refused(call(&service, &people.requester, "DELETE", &path, &[], None), 404), [1419]);
    }
}

#[test]
fn a_certificate_comes_back_for_an_account_and_only_for_its_own_csr() {
    let appliance = Appliance::new();
    switch_on(&appliance, "");
    let service = appliance.start_ready();
    let people = hire(&appliance, &service);
    let ca = Ca::new("Lab CA");
    let create = |name: &str| {
        call(&service, &people.requester, "POST", CSRS, &[], Some(&body(name))).expect(201).json()
    };
    let (one, other) = (create("a.lab.internal"), create("b.lab.internal"));
    let id = one["result"]["id"].clone();
    let certificate = ca.issue(one["result"]["csr"].as_str().unwrap()).pem();
    let upload = |csr: &Value, certificate: &str| {
        let body = json!({ "certificate": certificate, "custom_csr_id": csr, "bundle_method": "ubiquitous" });
        call(&service, &people.requester, "POST", CERTIFICATES, &[], Some(&body))
    };
    let wrong_key = upload(&other["result"]["id"], &certificate);
    assert_eq!(wrong_key.json()["errors"][0]["source"]["pointer"], "/certificate");
    assert_eq!(refused(wrong_key, 400), [1400]);
    assert_eq!(refused(upload(&json!("019aa5b2-5c3e-7c61-9d3f-0a4a6f2f8e11"), &certificate), 404), [1419]);
    let uploaded = upload(&id, &certificate).expect(200).json();
    let result = &uploaded["result"];
    assert_eq!((&result["account_id"], result.get("zone_id")), (&json!(ACCOUNT), None), "{uploaded:#}");
    assert_eq!((&result["custom_csr_id"], &result["status"]), (&id, &json!("active")));
    let again = ca.issue(one["result"]["csr"].as_str().unwrap()).pem();
    let conflict = upload(&id, &again);
    assert_eq!(conflict.header("x-should-retry"), Some("false"));
    assert_eq!(refused(conflict, 409), [1420]);
    let shown =
        call(&service, &people.reader, "GET", &format!("{CERTIFICATES}/{}", id.as_str().unwrap()), &[], None);
    assert_eq!(shown.expect(200).json(), uploaded);
    let none = format!("{CERTIFICATES}/{}", other["result"]["id"].as_str().unwrap());
    assert_eq!(refused(call(&service, &people.reader, "GET", &none, &[], None), 404), [1419]);
    let listed = call(&service, &people.reader, "GET", CERTIFICATES, &[], None).expect(200).json();
    assert_eq!((&listed["result"], &listed["result_info"]["total_count"]), (&json!([result]), &json!(1)));
}
