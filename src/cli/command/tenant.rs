//! `strongroom tenant`

use hyper::Method;

use super::credential::json_call;
use crate::api;
use crate::cli::args::{Target, Tenant};
use crate::cli::client::{Call, Client};
use crate::cli::report::{Failure, Report, facts, table};

pub fn run(target: &Target, command: Tenant, report: &Report) -> Result<(), Failure> {
    let client = Client::new(target)?;
    match command {
        Tenant::New { name } => {
            let call = json_call(Method::POST, "/tenants", &api::CreateTenant { name })?;
            let (_, tenant): (_, api::Tenant) = client.json(call)?;
            report.print(&tenant, |tenant| {
                facts([("name", Some(tenant.name.clone())), ("created", Some(tenant.created_at.clone()))])
            })
        }
        Tenant::List => {
            let (_, all): (_, api::Tenants) = client.json(Call::new(Method::GET, "/tenants"))?;
            report.print(&all, |all| {
                let rows = all.items.iter().map(|tenant| [tenant.name.clone(), tenant.created_at.clone()]);
                table(["NAME", "CREATED"], rows)
            })
        }
    }
}
