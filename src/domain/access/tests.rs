use super::*;

const EVERY: [Permission; 20] = [
    Permission::CsrCreate,
    Permission::CsrRead,
    Permission::CsrApprove,
    Permission::CsrCancel,
    Permission::CertificateMarry,
    Permission::CertificateRead,
    Permission::CertificateIssue,
    Permission::CertificateRevoke,
    Permission::AuthorityRead,
    Permission::AuthorityManage,
    Permission::KeyRead,
    Permission::KeyDestroy,
    Permission::TokenRead,
    Permission::TokenOperate,
    Permission::TemplateRead,
    Permission::AuditRead,
    Permission::AccessRead,
    Permission::AccessManage,
    Permission::SystemRead,
    Permission::SystemOperate,
];

const PKI: TenantId = TenantId(2);
const LAB: TenantId = TenantId(3);

fn grants(of: &[(Option<TenantId>, Role)]) -> Grants {
    Grants(of.iter().map(|(tenant, role)| Grant { tenant: *tenant, role: *role }).collect())
}

/// The table of docs/security.md, drawn from the code.
fn table() -> String {
    let mut text = format!("| Permission | {} |\n", Role::ALL.map(Role::as_str).join(" | "));
    text += &format!("|---|{}\n", "---|".repeat(Role::ALL.len()));
    for permission in EVERY {
        let marks = Role::ALL.map(|role| if role.permissions().contains(&permission) { "x" } else { "" });
        let scope = if permission.scope() == Scope::Appliance { " *" } else { "" };
        text += &format!("| `{permission}`{scope} | {} |\n", marks.join(" | "));
    }
    text
}

#[test]
fn the_documented_table_is_the_one_in_force() {
    let documented = include_str!("../../../docs/security.md");
    assert!(documented.contains(&table()), "docs/security.md needs this table:\n{}", table());
}

#[test]
fn duties_are_kept_apart() {
    let changes = |permission: &Permission| !permission.as_str().ends_with(":read");
    assert!(!Role::Auditor.permissions().iter().any(changes), "the auditor changes nothing");
    assert!(!Role::Reader.permissions().iter().any(changes), "the reader changes nothing");
    let about_access = |permission: &Permission| permission.as_str().starts_with("access:");
    assert!(Role::Admin.permissions().iter().all(about_access), "the admin manages access only");
    for role in Role::ALL {
        let may = |permission| role.permissions().contains(&permission);
        assert!(!(may(Permission::CsrCreate) && may(Permission::CsrApprove)), "{role}");
        assert!(!(may(Permission::AuditRead) && may(Permission::AccessManage)), "{role}");
    }
}

#[test]
fn a_grant_holds_where_it_was_given() {
    let in_pki = grants(&[(Some(PKI), Role::Operator)]);
    assert!(in_pki.allow(Permission::KeyDestroy, PKI));
    assert!(!in_pki.allow(Permission::KeyDestroy, LAB), "another tenant's");
    assert!(!in_pki.allow(Permission::TokenOperate, PKI), "tokens are of the appliance");
    assert!(!in_pki.allow(Permission::CsrCreate, PKI), "not in the role");
    let everywhere = grants(&[(None, Role::Operator)]);
    for tenant in [PKI, LAB, TenantId::DEFAULT] {
        assert!(everywhere.allow(Permission::KeyDestroy, tenant));
        assert!(everywhere.allow(Permission::TokenOperate, tenant));
    }
    let none = Grants::default();
    assert!(EVERY.iter().all(|permission| !none.allow(*permission, TenantId::DEFAULT)));
}

#[test]
fn without_a_name_the_usual_tenant_is_meant() {
    let default = TenantId::DEFAULT;
    for (of, usual) in [
        (grants(&[]), None),
        (grants(&[(Some(PKI), Role::Reader)]), Some(PKI)),
        (grants(&[(Some(PKI), Role::Reader), (Some(PKI), Role::Approver)]), Some(PKI)),
        (grants(&[(Some(PKI), Role::Reader), (Some(LAB), Role::Reader)]), None),
        (grants(&[(Some(PKI), Role::Reader), (Some(default), Role::Reader)]), Some(default)),
        (grants(&[(None, Role::Reader)]), Some(default)),
        (grants(&[(Some(PKI), Role::Reader), (None, Role::Auditor)]), Some(default)),
    ] {
        assert_eq!(of.usual_tenant(), usual, "{of:?}");
    }
}

#[test]
fn names_are_plain() {
    for good in ["a", "PKI-1_x", &"x".repeat(64)] {
        assert!(check_tenant_name(good).is_ok(), "{good}");
        assert!(check_principal_name(good).is_ok(), "{good}");
    }
    for bad in ["", "a b", "a/b", "ä", "a:b", "a\n", &"x".repeat(65)] {
        assert!(check_tenant_name(bad).is_err(), "{bad}");
        assert!(check_principal_name(bad).is_err(), "{bad}");
    }
    assert!(check_principal_name(FILE_PRINCIPAL).is_err());
    assert!(check_tenant_name("ops@example.com").is_err());
    assert!(check_principal_name("ops@example.com").is_ok());
    assert!(check_principal_name("019aa5b2-5c3e-7c61-9d3f-0a4a6f2f8e11").is_err());
}
