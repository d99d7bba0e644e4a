//! Logins and access tokens.

use std::os::unix::fs::MetadataExt;

use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use hmac::{Hmac, KeyInit, Mac};
use serde_json::{Value, json};
use sha2::Sha256;

use super::{Identity, call, hire, login, refused, switch_on, token};
use crate::access::Office;
use crate::harness::{Appliance, Service};

const LIST: &str = "/v1/cert-manager/ca/internal";

fn list(service: &Service<'_>, token: &str) -> crate::harness::Reply {
    call(service, Some(token), "GET", LIST, None)
}

/// The three parts of a token, the first two as JSON.
fn parts(token: &str) -> (Value, Value) {
    let mut parts = token.split('.').map(|part| BASE64_URL_SAFE_NO_PAD.decode(part).unwrap());
    let mut json = || serde_json::from_slice(&parts.next().unwrap()).unwrap();
    (json(), json())
}

fn signed(header: &Value, claims: &Value, key: &[u8]) -> String {
    let part = |value: &Value| BASE64_URL_SAFE_NO_PAD.encode(value.to_string());
    let signed = format!("{}.{}", part(header), part(claims));
    let mut mac = Hmac::<Sha256>::new_from_slice(key).unwrap();
    mac.update(signed.as_bytes());
    format!("{signed}.{}", BASE64_URL_SAFE_NO_PAD.encode(mac.finalize().into_bytes()))
}

#[test]
fn a_login_by_name_or_handle_as_json_or_as_a_form_is_answered_with_a_jwt() {
    let appliance = Appliance::new();
    switch_on(&appliance, "");
    let service = appliance.start_ready();
    let Identity { id, secret, credential } = hire(&appliance, &service).operator;
    let form = |id: &str, secret: &str| {
        let body = format!("clientId={id}&clientSecret={secret}");
        let headers = [("content-type", "application/x-www-form-urlencoded")];
        let path = "//api/v1/auth/universal-auth/login";
        service.request("POST", path, &headers, Some(body.as_bytes()))
    };
    for reply in [
        login(&service, &id, &secret),
        login(&service, &credential, &secret),
        form(&id, &secret),
        form(&credential, &secret),
    ] {
        let reply = reply.expect(200);
        assert_eq!(reply.header("cache-control"), Some("no-store"));
        let granted = reply.json();
        let token = granted["accessToken"].as_str().unwrap();
        let rest = json!({ "accessToken": token, "expiresIn": 3600, "accessTokenMaxTTL": 3600, "tokenType": "Bearer" });
        assert_eq!(granted, rest);
        let (header, claims) = parts(token);
        assert_eq!(header, json!({ "alg": "HS256", "typ": "JWT" }));
        assert_eq!(claims["exp"].as_i64().unwrap() - claims["iat"].as_i64().unwrap(), 3600);
        assert_eq!(claims["sub"], credential);
        assert!(!token.contains(&secret));
        list(&service, token).expect(200);
    }
    for reply in [login(&service, &id, "srb_x"), form(&id, ""), form("", &secret), login(&service, "", "")] {
        assert!(matches!(reply.status, 401 | 422), "{reply:?}");
    }
    let status = call(&service, None, "GET", "/status", None).expect(200).json();
    assert_eq!(status["message"], "Ok");
    let key = appliance.data("access-token-key");
    assert_eq!(std::fs::metadata(&key).unwrap().mode() & 0o777, 0o600);
}

#[test]
fn a_token_that_is_not_of_our_form_is_no_token() {
    let appliance = Appliance::new();
    switch_on(&appliance, "");
    let service = appliance.start_ready();
    let people = hire(&appliance, &service);
    let good = token(&service, &people.operator);
    let key = std::fs::read(appliance.data("access-token-key")).unwrap();
    let (header, claims) = parts(&good);
    let with = |field: &str, value: Value| {
        let mut claims = claims.clone();
        claims[field] = value;
        claims
    };
    list(&service, &signed(&header, &claims, &key)).expect(200);
    let expired = with("exp", json!(claims["iat"].as_i64().unwrap() - 1));
    let none = |name: &str| {
        let token = signed(&json!({ "alg": name, "typ": "JWT" }), &claims, &key);
        format!("{}.", token.rsplit_once('.').unwrap().0)
    };
    let long = "x".repeat(5000);
    for (token, message) in [
        (signed(&header, &expired, &key), "Your token has expired. Please re-authenticate."),
        (signed(&header, &claims, &[0; 32]), "invalid signature"),
        (signed(&header, &with("aud", json!("others")), &key), "malformed"),
        (signed(&json!({ "alg": "HS384" }), &claims, &key), "invalid algorithm"),
        (signed(&json!({ "alg": "RS256" }), &claims, &key), "invalid algorithm"),
        (none("none"), "invalid algorithm"),
        (none("nOnE"), "invalid algorithm"),
        (good[..good.len() - 2].to_owned(), "malformed"),
        ("abc".to_owned(), "malformed"),
        (long, "malformed"),
    ] {
        let (error, told) = refused(list(&service, &token), 403);
        assert_eq!(error, "TokenError");
        assert!(told.as_str().unwrap().contains(message), "{token:.80}: {told}");
    }
    // It stands for a credential, and for one of a machine identity only.
    for sub in [json!("019aa5b2-5c3e-7c61-9d3f-0a4a6f2f8e11"), json!("nobody")] {
        let status = list(&service, &signed(&header, &with("sub", sub), &key)).status;
        assert!(matches!(status, 401 | 403), "{status}");
    }
    list(&service, &people.admin).expect(403);
}

#[test]
fn a_revocation_and_a_disabled_principal_count_with_the_next_call() {
    let appliance = Appliance::new();
    switch_on(&appliance, "");
    let service = appliance.start_ready();
    let people = hire(&appliance, &service);
    let office = Office { service: &service, admin: people.admin.clone() };
    let gone = "Failed to authorize revoked access token, access token is revoked";
    let granted = token(&service, &people.operator);
    list(&service, &granted).expect(200);
    office.manage("DELETE", &format!("/credentials/{}", people.operator.credential), None).expect(200);
    let told = refused(list(&service, &granted), 401);
    assert_eq!(told, ("UnauthorizedError".to_owned(), json!(gone)));
    login(&service, &people.operator.id, &people.operator.secret).expect(401);
    let granted = token(&service, &people.reader);
    list(&service, &granted).expect(200);
    office
        .manage("PATCH", &format!("/principals/{}", people.reader.id), Some(&json!({ "enabled": false })))
        .expect(200);
    assert_eq!(refused(list(&service, &granted), 401).1, json!(gone));
}

#[test]
fn logins_that_fail_are_counted_by_address_and_go_on_record_without_their_secrets() {
    let appliance = Appliance::new();
    switch_on(&appliance, "");
    let text = std::fs::read_to_string(appliance.path("strongroom.toml")).unwrap();
    let text = text.replace("failed_logins_per_minute = 100000", "failed_logins_per_minute = 5");
    appliance.write_private("strongroom.toml", &text);
    let service = appliance.start_ready();
    let people = hire(&appliance, &service);
    let (id, secret) = (&people.operator.id, &people.operator.secret);
    for _ in 0..5 {
        login(&service, id, "srb_not-the-secret").expect(401);
    }
    let reply = login(&service, id, secret);
    assert!(reply.header("retry-after").is_some());
    assert_eq!(refused(reply, 429).0, "RateLimitExceeded");
    let log = appliance.log();
    assert!(!log.contains("not-the-secret") && !log.contains(secret.as_str()));
}

#[test]
fn a_key_file_of_another_length_or_open_to_others_keeps_the_service_from_starting() {
    use std::os::unix::fs::PermissionsExt;
    for (bytes, mode, reason) in
        [(31, 0o600, "does not hold 32 bytes"), (32, 0o640, "open to group or others")]
    {
        let appliance = Appliance::new();
        switch_on(&appliance, "");
        let path = appliance.data("access-token-key");
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, vec![7; bytes]).unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).unwrap();
        let output = appliance.cli(&["serve"]);
        assert!(!output.status.success());
        let told = String::from_utf8_lossy(&output.stderr);
        assert!(told.contains(reason), "{told}");
    }
}
