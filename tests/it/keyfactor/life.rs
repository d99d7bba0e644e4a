//! The whole life of a CSR on this surface.

use serde_json::{Value, json};

use super::{Client, appliance_with, refused};
use crate::certificates::Ca;
use crate::{openssl, python};

/// The calls of the vendor's generated Python client, which leaves out `sq.sortAscending` where it is 0.
const PYTHON: &str = r#"
import json, sys, urllib.request
told = json.loads(sys.argv[1])

def call(method, path, body=None):
    request = urllib.request.Request(told["url"] + path, method=method)
    request.add_header("Accept", "text/plain, application/json, text/json")
    request.add_header("User-Agent", "OpenAPI-Generator/1.0.0/python")
    request.add_header("x-keyfactor-requested-with", "APIClient")
    request.add_header("x-keyfactor-api-version", "1.0")
    request.add_header("Authorization", told["authorization"])
    data = None
    if body is not None:
        data = json.dumps(body).encode()
        request.add_header("Content-Type", "application/json-patch+json")
    with urllib.request.urlopen(request, data) as answer:
        text = answer.read()
        return answer.status, (json.loads(text) if text else None)

made = [call("POST", "/CSRGeneration/Generate", {
    "Subject": f"CN=p{n}.lab.example,O=Lab B.V.,C=NL", "KeyType": "ECC", "KeyLength": 384,
    "SANs": {"dns": [f"p{n}.lab.example"]}})[1]["CSR"] for n in range(4)]
_, listed = call("GET", "/CSRGeneration/Pending?sq.pageReturned=1&sq.returnLimit=2&sq.sortField=Id")
assert [item["CSR"] for item in listed] == made[:2], listed
_, newest = call("GET", "/CSRGeneration/Pending?sq.pageReturned=1&sq.returnLimit=2&sq.sortAscending=1")
assert [item["CSR"] for item in newest] == [made[3], made[2]], newest
_, shown = call("GET", f"/CSRGeneration/Pending/{listed[0]['Id']}")
assert shown == {"CSRFilePath": "p0.lab.example.csr", "CSRText": made[0]}, shown
assert call("DELETE", f"/CSRGeneration/Pending/{listed[0]['Id']}") == (204, None)
assert call("DELETE", "/CSRGeneration/Pending", [newest[0]["Id"], newest[1]["Id"]]) == (204, None)
_, left = call("GET", "/CSRGeneration/Pending")
print(json.dumps({"left": left, "csr": made[1]}))
"#;

#[test]
fn a_python_client_lives_through_it() {
    let appliance = appliance_with("");
    let service = appliance.start_ready();
    let client = Client::hired(&appliance, &service);
    let keys = appliance.private_keys();
    let told = json!({ "url": service.url("/KeyfactorApi"), "authorization": client.authorization });
    let printed: Value = serde_json::from_str(&python::run(PYTHON, &told.to_string())).unwrap();
    let left = printed["left"].as_array().unwrap();
    assert_eq!(left.len(), 1, "{left:?}");
    assert_eq!((&left[0]["Id"], &left[0]["CSR"]), (&json!(2), &printed["csr"]));
    let subject = json!([
        "CN=p1.lab.example",
        "O=Lab B.V.",
        "C=NL",
        "DNS Name=p1.lab.example",
        "Key Length: 384",
        "SHA-384"
    ]);
    assert_eq!(left[0]["Subject"], subject);
    let time: jiff::Timestamp = left[0]["RequestTime"].as_str().unwrap().parse().unwrap();
    assert!(left[0]["RequestTime"].as_str().unwrap().ends_with('Z'));
    assert!(jiff::Timestamp::now().duration_since(time).as_secs() < 600);
    openssl::verified_text(printed["csr"].as_str().unwrap());
    assert_eq!(appliance.private_keys(), keys + 1, "the keys of deleted CSRs are destroyed");
}

#[test]
fn a_married_request_leaves_the_list() {
    let appliance = appliance_with("");
    let service = appliance.start_ready();
    let client = Client::hired(&appliance, &service);
    let (first, second) = (client.generated("a.example"), client.generated("b.example"));
    let native = service.get("/csrs?order=oldest").json()["items"][0]["handle"].as_str().unwrap().to_owned();
    let certificate = Ca::new("CA").issue(&first).pem();
    let headers =
        [("authorization", client.authorization.as_str()), ("content-type", "application/x-pem-file")];
    let path = format!("/csrs/{native}/certificate");
    service.request("PUT", &path, &headers, Some(certificate.as_bytes())).expect(200);

    let left = client.pending("");
    assert_eq!(left.len(), 1);
    assert_eq!(left[0]["CSR"], second);
    for (method, path) in [("GET", "/CSRGeneration/Pending/1"), ("DELETE", "/CSRGeneration/Pending/1")] {
        let told = refused(client.call(method, path, None), 404, "0xA0FF0404");
        assert_eq!(told, "there is no pending CSR 1");
    }
    let told =
        refused(client.call("DELETE", "/CSRGeneration/Pending", Some(&json!([2, 1]))), 404, "0xA0FF0404");
    assert_eq!(told, "there is no pending CSR 1");
    assert_eq!(client.pending_ids(""), [2], "all or none");
}

#[test]
fn what_is_made_by_the_native_api_is_on_the_list_too() {
    let appliance = appliance_with("");
    let service = appliance.start_ready();
    let client = Client::hired(&appliance, &service);
    let native = service.create("native.example");
    client.generated("vendor.example");
    let list = client.pending("");
    assert_eq!((list.len(), &list[0]["CSR"]), (2, &native["csr"]));
    client.call("DELETE", "/CSRGeneration/Pending/1", None).expect(204);
    let handle = native["handle"].as_str().unwrap();
    assert_eq!(service.get(&format!("/csrs/{handle}")).json()["status"], "cancelled");
}

#[test]
fn paths_are_known_in_any_case() {
    let appliance = appliance_with("");
    let service = appliance.start_ready();
    let client = Client::hired(&appliance, &service);
    let go = super::GO;
    let call = |method: &str, path: &str, body: Option<&Value>| client.call_with(method, path, &go, body);
    let body = super::p256("a.example");
    call("POST", "/keyfactorapi/csrgeneration/GENERATE", Some(&body)).expect(200);
    call("POST", "/KEYFACTORAPI/CSRGENERATION/generate/", Some(&body)).expect(200);
    assert_eq!(call("GET", "/KeyfactorApi/CsrGeneration/pending/?SQ.RETURNLIMIT=1", None).json()[0]["Id"], 1);
    call("DELETE", "/keyfactorAPI/csrGeneration/pending/2", None).expect(204);
    let endpoints = call("GET", "/KeyfactorApi/status/endpoints", None).expect(200).json();
    assert!(endpoints.as_array().unwrap().contains(&json!("POST /CSRGeneration/Generate")), "{endpoints}");
    // Other surfaces stay as they are.
    service.request("GET", "//STRONGROOM/v1/csrs", &[], None).problem(404, "route.unknown");
    // The route is in the log and among the numbers as it is documented.
    let log = appliance.log();
    assert!(log.contains("\"route\":\"/KeyfactorAPI/CSRGeneration/Generate\""), "{log}");
    assert!(!log.contains("csrgeneration"), "{log}");
}
