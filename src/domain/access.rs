//! Who may do what: permissions, the roles that bundle them, and grants of a role to a principal in
//! a tenant or in the whole appliance.
//!
//! Duties are kept apart: whoever manages access cannot approve, audit or ask for CSRs; whoever
//! audits changes nothing; whoever runs the tokens makes no CSRs.

pub mod secret;

use serde::{Deserialize, Serialize};

use super::invalid::Invalid;
use super::named::named;

/// What a principal may be allowed to do. The unit of access: a route needs one of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Permission {
    /// Make CSRs, with a new key or for one that is there.
    CsrCreate,
    /// See signing requests and their CSRs.
    CsrRead,
    /// Approve or reject what others ask for.
    CsrApprove,
    /// Call signing requests off, and retire them.
    CsrCancel,
    /// Marry certificates to signing requests.
    CertificateMarry,
    /// See certificates.
    CertificateRead,
    /// Have an authority issue certificates, under the issuing templates that name it.
    CertificateIssue,
    /// Revoke certificates of authorities.
    CertificateRevoke,
    /// See authorities, what they issued, and their revocation lists.
    AuthorityRead,
    /// Make, certify, renew, disable and delete authorities, and issue without a template.
    AuthorityManage,
    /// See keys.
    KeyRead,
    /// Destroy keys.
    KeyDestroy,
    /// See tokens and slots, and the keys that belong to no tenant.
    TokenRead,
    /// Reconcile and probe tokens, override a probe, reset a PIN breaker.
    TokenOperate,
    /// See issuing templates.
    TemplateRead,
    /// Read the audit log.
    AuditRead,
    /// See principals, grants, credentials and tenants.
    AccessRead,
    /// Change them.
    AccessManage,
    /// See metrics.
    SystemRead,
    /// Back up.
    SystemOperate,
}

named!(Permission {
    CsrCreate = "csr:create",
    CsrRead = "csr:read",
    CsrApprove = "csr:approve",
    CsrCancel = "csr:cancel",
    CertificateMarry = "certificate:marry",
    CertificateRead = "certificate:read",
    CertificateIssue = "certificate:issue",
    CertificateRevoke = "certificate:revoke",
    AuthorityRead = "authority:read",
    AuthorityManage = "authority:manage",
    KeyRead = "key:read",
    KeyDestroy = "key:destroy",
    TokenRead = "token:read",
    TokenOperate = "token:operate",
    TemplateRead = "template:read",
    AuditRead = "audit:read",
    AccessRead = "access:read",
    AccessManage = "access:manage",
    SystemRead = "system:read",
    SystemOperate = "system:operate",
});

/// What a permission is about, and so which grants can give it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scope {
    /// Things of one tenant: a grant in that tenant or in the whole appliance.
    Tenant,
    /// Things that tenants share: only a grant in the whole appliance.
    Appliance,
}

impl Permission {
    /// What it is about.
    pub fn scope(self) -> Scope {
        match self {
            Self::CsrCreate
            | Self::CsrRead
            | Self::CsrApprove
            | Self::CsrCancel
            | Self::CertificateMarry
            | Self::CertificateRead
            | Self::CertificateIssue
            | Self::CertificateRevoke
            | Self::AuthorityRead
            | Self::AuthorityManage
            | Self::KeyRead
            | Self::KeyDestroy
            | Self::TemplateRead => Scope::Tenant,
            Self::TokenRead
            | Self::TokenOperate
            | Self::AuditRead
            | Self::AccessRead
            | Self::AccessManage
            | Self::SystemRead
            | Self::SystemOperate => Scope::Appliance,
        }
    }
}

/// A set of permissions that is granted as one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Role {
    /// Looks.
    Reader,
    /// Asks for CSRs and brings the certificates.
    Requester,
    /// Approves what others ask for.
    Approver,
    /// Runs tokens and keys.
    Operator,
    /// Looks at everything, the audit log included; changes nothing.
    Auditor,
    /// Manages who may do what; nothing else.
    Admin,
}

named!(Role {
    Reader = "reader",
    Requester = "requester",
    Approver = "approver",
    Operator = "operator",
    Auditor = "auditor",
    Admin = "admin",
});

impl Role {
    /// Every role.
    pub const ALL: [Self; 6] =
        [Self::Reader, Self::Requester, Self::Approver, Self::Operator, Self::Auditor, Self::Admin];

    /// What it allows.
    pub fn permissions(self) -> &'static [Permission] {
        use Permission as P;
        match self {
            Self::Reader => &[
                P::CsrRead,
                P::CertificateRead,
                P::AuthorityRead,
                P::KeyRead,
                P::TokenRead,
                P::TemplateRead,
                P::SystemRead,
            ],
            Self::Requester => &[
                P::CsrCreate,
                P::CsrRead,
                P::CsrCancel,
                P::CertificateMarry,
                P::CertificateRead,
                P::CertificateIssue,
                P::AuthorityRead,
                P::KeyRead,
                P::TemplateRead,
            ],
            Self::Approver => &[
                P::CsrRead,
                P::CsrApprove,
                P::CertificateRead,
                P::AuthorityRead,
                P::KeyRead,
                P::TemplateRead,
            ],
            Self::Operator => &[
                P::CsrRead,
                P::CsrCancel,
                P::CertificateRead,
                P::CertificateIssue,
                P::CertificateRevoke,
                P::AuthorityRead,
                P::AuthorityManage,
                P::KeyRead,
                P::KeyDestroy,
                P::TokenRead,
                P::TokenOperate,
                P::TemplateRead,
                P::SystemRead,
                P::SystemOperate,
            ],
            Self::Auditor => &[
                P::CsrRead,
                P::CertificateRead,
                P::AuthorityRead,
                P::KeyRead,
                P::TokenRead,
                P::TemplateRead,
                P::AuditRead,
                P::AccessRead,
                P::SystemRead,
            ],
            Self::Admin => &[P::AccessRead, P::AccessManage],
        }
    }
}

/// A tenant, inside the program: a small number, since every index of a tenant's things begins with
/// it. Users know a tenant by its name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct TenantId(pub i64);

impl TenantId {
    /// The tenant that every installation has: `default`.
    pub const DEFAULT: Self = Self(1);
}

/// A role, given to a principal in a tenant; `None`: in the whole appliance.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Grant {
    /// Where it holds.
    pub tenant: Option<TenantId>,
    /// What it allows.
    pub role: Role,
}

/// All grants of one principal.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Grants(pub Vec<Grant>);

impl Grants {
    /// Whether they give a permission for the things of `tenant`; for what tenants share, it does not
    /// matter which.
    pub fn allow(&self, permission: Permission, tenant: TenantId) -> bool {
        self.0.iter().any(|grant| {
            let holds = match (permission.scope(), grant.tenant) {
                (_, None) => true,
                (Scope::Tenant, Some(granted)) => granted == tenant,
                (Scope::Appliance, Some(_)) => false,
            };
            holds && grant.role.permissions().contains(&permission)
        })
    }

    /// Whether any of them holds in that tenant.
    pub fn reach(&self, tenant: TenantId) -> bool {
        self.0.iter().any(|grant| grant.tenant.is_none_or(|granted| granted == tenant))
    }

    /// The tenant that is meant when none is named: the only one with a grant, else the default one
    /// if there is a grant for it. `None`: it has to be named.
    pub fn usual_tenant(&self) -> Option<TenantId> {
        if let [first, rest @ ..] = self.0.as_slice()
            && let Some(only) = first.tenant
            && rest.iter().all(|grant| grant.tenant == Some(only))
        {
            return Some(only);
        }
        self.reach(TenantId::DEFAULT).then_some(TenantId::DEFAULT)
    }
}

/// What a principal is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PrincipalKind {
    /// A human being.
    Person,
    /// A program.
    Service,
}

named!(PrincipalKind { Person = "person", Service = "service" });

/// What a credential is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CredentialKind {
    /// A bearer secret.
    ApiKey,
    /// A generated password, with the principal's name as user name (RFC 7617).
    Basic,
    /// A TLS client certificate, by the SHA-256 of its DER.
    ClientCertificate,
    /// A user of the machine, as the Unix socket tells.
    Uid,
}

named!(CredentialKind {
    ApiKey = "api-key",
    Basic = "basic",
    ClientCertificate = "client-certificate",
    Uid = "uid",
});

/// Longest name of a tenant or principal, in characters.
const LONGEST_NAME: usize = 64;

/// The principal of the API key beside the database. No other may have its name.
pub const FILE_PRINCIPAL: &str = "operator";

/// Checks a tenant's name: 1 to 64 letters, digits, `-` and `_`, since it is a header's value.
///
/// # Errors
/// The rule, naming the field `name`.
pub fn check_tenant_name(name: &str) -> Result<(), Invalid> {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_';
    if (1..=LONGEST_NAME).contains(&name.len()) && name.bytes().all(plain) {
        return Ok(());
    }
    Err(Invalid::new("name", format!("must be 1 to {LONGEST_NAME} letters, digits, `-` and `_`")))
}

/// Checks a principal's name: 1 to 64 letters, digits, `-`, `_`, `.` and `@`. No colon: it is the
/// user name of Basic authentication (RFC 7617 section 2). Not shaped like a handle: a path takes
/// either.
///
/// # Errors
/// The rule, naming the field `name`.
pub fn check_principal_name(name: &str) -> Result<(), Invalid> {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.@".contains(&byte);
    if name == FILE_PRINCIPAL {
        let reason = format!("`{FILE_PRINCIPAL}` is the principal of the API key beside the database");
        return Err(Invalid::new("name", reason));
    }
    let is_handle = name.parse::<super::id::Handle>().is_ok();
    if (1..=LONGEST_NAME).contains(&name.len()) && name.bytes().all(plain) && !is_handle {
        return Ok(());
    }
    let reason = format!("must be 1 to {LONGEST_NAME} letters, digits, `-`, `_`, `.` and `@`, and no handle");
    Err(Invalid::new("name", reason))
}

#[cfg(test)]
mod tests;
