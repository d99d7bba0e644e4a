//! Who may do what: principals, credentials, grants, tenants, limits.

mod credentials;
mod matrix;
mod people;
mod tenants;

use serde_json::{Value, json};

use crate::harness::{Appliance, Reply, Service};

/// An appliance with its first admin, and people that the admin entered.
pub struct Office<'a> {
    pub service: &'a Service<'a>,
    pub admin: String,
}

impl<'a> Office<'a> {
    pub fn open(appliance: &Appliance, service: &'a Service<'a>) -> Self {
        let made = appliance.cli(&["principal", "bootstrap", "alice"]);
        assert_eq!(made.status.code(), Some(0), "{made:?}");
        let admin = String::from_utf8(made.stdout).unwrap().trim().to_owned();
        assert!(admin.starts_with("srk_") && admin.len() == 47, "the key alone is on stdout: {admin:?}");
        Self { service, admin }
    }

    /// A call of whoever has the key.
    #[track_caller]
    pub fn call(&self, key: &str, method: &str, path: &str, body: Option<&Value>) -> Reply {
        self.call_in(key, None, method, path, body)
    }

    /// The same for a tenant.
    #[track_caller]
    pub fn call_in(
        &self,
        key: &str,
        tenant: Option<&str>,
        method: &str,
        path: &str,
        body: Option<&Value>,
    ) -> Reply {
        let bearer = format!("Bearer {key}");
        let mut headers = vec![("authorization", bearer.as_str()), ("content-type", "application/json")];
        headers.extend(tenant.map(|tenant| ("strongroom-tenant", tenant)));
        let body = body.map(ToString::to_string);
        self.service.request(method, path, &headers, body.as_deref().map(str::as_bytes))
    }

    /// What the admin does.
    #[track_caller]
    pub fn manage(&self, method: &str, path: &str, body: Option<&Value>) -> Reply {
        self.call(&self.admin, method, path, body)
    }

    /// A new principal with these roles, each in a tenant or everywhere; answers its API key.
    #[track_caller]
    pub fn hire(&self, name: &str, roles: &[(&str, Option<&str>)]) -> String {
        self.manage("POST", "/principals", Some(&json!({ "name": name, "kind": "person" }))).expect(201);
        for (role, tenant) in roles {
            let query = tenant.map(|tenant| format!("?tenant={tenant}")).unwrap_or_default();
            self.manage("PUT", &format!("/principals/{name}/grants/{role}{query}"), None).expect(200);
        }
        let wanted = json!({ "principal": name, "kind": "api-key" });
        let issued = self.manage("POST", "/credentials", Some(&wanted)).expect(201);
        assert_eq!(issued.header("cache-control"), Some("no-store"));
        issued.json()["secret"].as_str().unwrap().to_owned()
    }

    /// The one API key of a principal, by handle.
    #[track_caller]
    pub fn key_of(&self, name: &str) -> String {
        let all = self.manage("GET", &format!("/credentials?principal={name}"), None).expect(200).json();
        all["items"][0]["handle"].as_str().unwrap().to_owned()
    }
}
