//! `strongroom principal`

use hyper::Method;

use super::credential::{deliver, json_call};
use crate::api;
use crate::cli::args::{Grant, Principal, Target};
use crate::cli::client::{Call, Client, escape};
use crate::cli::report::{Failure, Report, facts, table};

pub fn run(target: &Target, command: Principal, report: &Report) -> Result<(), Failure> {
    let client = match &command {
        // Before there is an admin, the socket alone tells who calls.
        Principal::Bootstrap { .. } => Client::without_api_key(target)?,
        _ => Client::new(target)?,
    };
    match command {
        Principal::Bootstrap { name, out } => {
            let call = json_call(Method::POST, "/bootstrap", &api::Bootstrap { name })?;
            let made: (_, api::Bootstrapped) = client.json(call)?;
            deliver(&made.1.issued, &made.1, &out, report)
        }
        Principal::New { name, kind } => {
            let call = json_call(Method::POST, "/principals", &api::CreatePrincipal { name, kind })?;
            print(&client, call, report)
        }
        Principal::List => {
            let (_, all): (_, api::Principals) = client.json(Call::new(Method::GET, "/principals"))?;
            report.print(&all, |all| {
                table(
                    ["NAME", "KIND", "STATE", "GRANTS"],
                    all.items.iter().map(|principal| {
                        let state = if principal.enabled { "enabled" } else { "disabled" };
                        let (name, kind) = (principal.name.clone(), principal.kind.clone());
                        [name, kind, state.to_owned(), grants(principal)]
                    }),
                )
            })
        }
        Principal::Show { principal } => print(&client, Call::new(Method::GET, path(&principal)), report),
        Principal::Grant(grant) => print(&client, Call::new(Method::PUT, grant_path(&grant)), report),
        Principal::Revoke(grant) => print(&client, Call::new(Method::DELETE, grant_path(&grant)), report),
        Principal::Disable { principal } => print(&client, enable(&principal, false)?, report),
        Principal::Enable { principal } => print(&client, enable(&principal, true)?, report),
    }
}

fn print(client: &Client, call: Call<'_>, report: &Report) -> Result<(), Failure> {
    let (_, principal): (_, api::Principal) = client.json(call)?;
    report.print(&principal, |principal| {
        facts([
            ("name", Some(principal.name.clone())),
            ("handle", Some(principal.handle.clone())),
            ("kind", Some(principal.kind.clone())),
            ("state", Some(if principal.enabled { "enabled" } else { "disabled" }.to_owned())),
            ("created", Some(principal.created_at.clone())),
            ("grants", Some(grants(principal))),
        ])
    })
}

fn grants(principal: &api::Principal) -> String {
    let texts: Vec<_> = principal
        .grants
        .iter()
        .map(|grant| match &grant.tenant {
            Some(tenant) => format!("{} in {tenant}", grant.role),
            None => grant.role.clone(),
        })
        .collect();
    if texts.is_empty() { "none".to_owned() } else { texts.join(", ") }
}

fn enable(principal: &str, enabled: bool) -> Result<Call<'static>, Failure> {
    json_call(Method::PATCH, path(principal), &api::ChangePrincipal { enabled })
}

fn path(principal: &str) -> String {
    format!("/principals/{}", escape(principal))
}

fn grant_path(grant: &Grant) -> String {
    let query = super::csr::query_of(&[("tenant", grant.tenant.clone())]);
    format!("{}/grants/{}{query}", path(&grant.principal), escape(&grant.role))
}
