//! Every route of this surface's OpenAPI document, by nobody, by who may, and by who may not. A route without a row
//! here fails.

use serde_json::json;

use super::{Identity, ca, call, hire, made, refused, switch_on, token};
use crate::harness::Appliance;

/// Who is let in: everybody; who looks, too; who has certificates issued, too; who runs CAs; who revokes.
#[derive(Clone, Copy, PartialEq)]
enum To {
    Everybody,
    Reader,
    Requester,
    Operator,
}

use To::{Everybody, Operator, Reader, Requester};

const SHARED: &[(&str, &str, To)] = &[
    ("get", "", Reader),
    ("post", "", Operator),
    ("get", "/{caId}", Reader),
    ("patch", "/{caId}", Operator),
    ("delete", "/{caId}", Operator),
    ("get", "/{caId}/csr", Reader),
    ("post", "/{caId}/import-certificate", Operator),
    ("get", "/{caId}/certificate", Reader),
    ("post", "/{caId}/certificate", Operator),
    ("get", "/{caId}/ca-certificates", Reader),
    ("get", "/{caId}/certificates/{certId}/der", Reader),
    ("post", "/{caId}/renew", Operator),
    ("get", "/{caId}/crls", Reader),
    ("post", "/{caId}/sign-intermediate", Operator),
    ("post", "/{caId}/sign-certificate", Requester),
    ("post", "/{caId}/issue-certificate", Requester),
];

const OTHERS: &[(&str, &str, To)] = &[
    ("get", "/api/status", Everybody),
    ("post", "/api/v1/auth/universal-auth/login", Everybody),
    ("post", "/api/v1/pki/certificates/sign-certificate", Requester),
    ("post", "/api/v1/pki/certificates/issue-certificate", Requester),
    ("post", "/api/v1/pki/certificates/{serialNumber}/revoke", Operator),
];

fn rows() -> Vec<(String, String, To)> {
    let mut rows: Vec<_> =
        OTHERS.iter().map(|(method, path, to)| ((*method).to_owned(), (*path).to_owned(), *to)).collect();
    for prefix in ["/api/v1/pki/ca", "/api/v1/cert-manager/ca/internal"] {
        let row =
            |(method, path, to): &(&str, &str, To)| ((*method).to_owned(), format!("{prefix}{path}"), *to);
        rows.extend(SHARED.iter().map(row));
    }
    rows.sort_by(|a, b| (&a.1, &a.0).cmp(&(&b.1, &b.0)));
    rows
}

#[test]
fn every_route_lets_in_whom_its_row_says_and_nobody_without_a_credential() {
    let appliance = Appliance::new();
    switch_on(&appliance, "");
    let service = appliance.start_ready();
    let people = hire(&appliance, &service);
    let tokens = |identity: &Identity| token(&service, identity);
    let (reader, requester) = (tokens(&people.reader), tokens(&people.requester));
    let (operator, stranger) = (tokens(&people.operator), tokens(&people.stranger));
    let document = call(&service, Some(&reader), "GET", "/openapi.json", None).expect(200).json();
    call(&service, None, "GET", "/openapi.json", None).expect(401);
    let mut described = Vec::new();
    for (path, item) in document["paths"].as_object().unwrap() {
        let methods = item.as_object().unwrap().keys().filter(|key| *key != "parameters");
        described.extend(methods.map(|method| (path.clone(), method.clone())));
    }
    described.sort();
    let rows = rows();
    assert_eq!(described, rows.iter().map(|row| (row.1.clone(), row.0.clone())).collect::<Vec<_>>());
    let ids =
        document["paths"].as_object().unwrap().values().flat_map(|item| item.as_object().unwrap().values());
    let mut ids: Vec<_> = ids.filter_map(|operation| operation["operationId"].as_str()).collect();
    let all = ids.len();
    ids.sort_unstable();
    ids.dedup();
    assert_eq!(ids.len(), all, "each operation has an id of its own");

    for (method, path, to) in rows {
        let root = made(&service, &operator, &ca("root", "Lab Root"));
        let id = root["id"].as_str().unwrap();
        let below = path.strip_prefix("/api").unwrap();
        let below =
            below.replace("{caId}", id).replace("{certId}", "x").replace("{serialNumber}", &"0".repeat(40));
        let method = method.to_uppercase();
        let body = (method != "GET" && method != "DELETE").then(|| json!({}));
        let as_who = |token: Option<&str>| call(&service, token, &method, &below, body.as_ref());
        let place = format!("{method} {path}");
        if to == Everybody {
            let status = as_who(None).status;
            assert!(matches!(status, 200 | 422), "{place}: {status}");
            continue;
        }
        assert_eq!(refused(as_who(None), 401).1, "Token missing", "{place}");
        // A refusal in substance, or success, but not for want of a right.
        let is_let_in = |token: &str| {
            let reply = as_who(Some(token));
            reply.status != 401 && (reply.status != 403 || reply.json()["error"] == "ForbiddenError")
        };
        assert_eq!(is_let_in(&reader), to == Reader, "{place}, reader");
        let requests = matches!(to, Reader | Requester);
        assert_eq!(is_let_in(&requester), requests, "{place}, requester");
        if path.contains("{caId}") {
            let (error, message) = refused(as_who(Some(&stranger)), 404);
            assert_eq!(
                (error.as_str(), message),
                ("NotFound", json!(format!("CA with ID '{id}' not found")))
            );
        }
        assert!(is_let_in(&operator), "{place}, operator");
    }
}
