//! Principals, their grants and credentials, and tenants.

use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::Secret;

/// Body of `POST /principals`.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct CreatePrincipal {
    /// 1 to 64 letters, digits, `-`, `_`, `.` and `@`; unique.
    #[schema(example = "alice")]
    pub name: String,
    /// `person` or `service`.
    #[schema(example = "person")]
    pub kind: String,
}

/// Body of `PATCH /principals/{principal}`.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ChangePrincipal {
    /// Whether its credentials count.
    pub enabled: bool,
}

/// A person or a service.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct Principal {
    /// Public id.
    pub handle: String,
    /// Unique name.
    pub name: String,
    /// `person` or `service`.
    pub kind: String,
    /// Whether its credentials count.
    pub enabled: bool,
    /// When it was entered.
    pub created_at: String,
    /// What it may do, and where.
    pub grants: Vec<Grant>,
}

/// Principals, by name.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct Principals {
    /// All of them.
    pub items: Vec<Principal>,
}

/// A role in a place.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Grant {
    /// `reader`, `requester`, `approver`, `operator`, `auditor` or `admin`.
    pub role: String,
    /// The tenant where it holds; absent: in the whole appliance.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tenant: Option<String>,
}

/// Where a role is granted.
#[derive(Clone, Debug, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct InTenant {
    /// The tenant; the whole appliance when absent.
    pub tenant: Option<String>,
}

/// Body of `POST /credentials`: who gets which kind, and for the kinds that are not generated, what
/// it is recognised by.
#[derive(Clone, Debug, Default, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct CreateCredential {
    /// Handle or name of the principal.
    #[schema(example = "alice")]
    pub principal: String,
    /// `api-key`, `basic`, `client-certificate` or `uid`.
    #[schema(example = "api-key")]
    pub kind: String,
    /// When it ceases to count (RFC 3339).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(example = "2027-11-22T00:00:00Z")]
    pub expires_at: Option<String>,
    /// SHA-256 of the DER of a client certificate, in hex; colons are allowed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub certificate_sha256: Option<String>,
    /// A user of the machine, for the Unix socket.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub uid: Option<u32>,
}

/// What a principal is known by.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct Credential {
    /// Public id.
    pub handle: String,
    /// Handle of the principal.
    pub principal: String,
    /// `api-key`, `basic`, `client-certificate` or `uid`.
    pub kind: String,
    /// The beginning of a secret; no answer but the first has more.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hint: Option<String>,
    /// Of a client certificate.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub certificate_sha256: Option<String>,
    /// Of a user of the machine.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub uid: Option<u32>,
    /// When it was issued.
    pub created_at: String,
    /// When it ceases to count.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires_at: Option<String>,
    /// When it was revoked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub revoked_at: Option<String>,
    /// When it was used last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_used_at: Option<String>,
}

/// Credentials, oldest first.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct Credentials {
    /// Those that were asked for.
    pub items: Vec<Credential>,
}

/// Which credentials to list.
#[derive(Clone, Debug, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct ListCredentials {
    /// Handle or name of a principal; all that the caller may see when absent.
    pub principal: Option<String>,
}

/// A credential that was just issued.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct IssuedCredential {
    /// As it will be shown later.
    pub credential: Credential,
    /// The API key or password, shown this once.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, format = Password)]
    pub secret: Option<Secret>,
}

/// Body of `POST /bootstrap`.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Bootstrap {
    /// Name of the first admin.
    #[schema(example = "alice")]
    pub name: String,
}

/// The first admin.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct Bootstrapped {
    /// Who.
    pub principal: Principal,
    /// The API key.
    pub issued: IssuedCredential,
}

/// Body of `POST /tenants`.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct CreateTenant {
    /// 1 to 64 letters, digits, `-` and `_`; unique.
    #[schema(example = "pki")]
    pub name: String,
}

/// Who owns signing requests and keys.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct Tenant {
    /// Unique name, for the header `Strongroom-Tenant`.
    pub name: String,
    /// When it was entered; 1970 for the one that every installation has.
    pub created_at: String,
}

/// Tenants, by name.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct Tenants {
    /// All of them.
    pub items: Vec<Tenant>,
}
