//! `strongroom proposal`, and operations that may become one.

use hyper::{Method, StatusCode};
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::api;
use crate::cli::args::{Proposal, Target};
use crate::cli::client::{Call, Client, escape};
use crate::cli::report::{Failure, Report, say, table};

pub fn run(target: &Target, proposal: Proposal, report: &Report) -> Result<(), Failure> {
    let client = Client::new(target)?;
    match proposal {
        Proposal::List => {
            let (_, proposals): (_, api::Proposals) = client.json(Call::new(Method::GET, "/proposals"))?;
            report.print(&proposals, |proposals| rows(&proposals.items))
        }
        Proposal::Approve { handle, hash } => {
            decide(&client, &handle, "approve", &api::Approve { hash }, report)
        }
        Proposal::Reject { handle, reason } => {
            decide(&client, &handle, "reject", &api::Reject { reason }, report)
        }
    }
}

/// Does something that somebody else may have to approve first, and tells which it was.
pub(super) fn undertake<T: DeserializeOwned + Serialize>(
    client: &Client,
    call: Call,
    report: &Report,
    told: impl FnOnce(&T) -> String,
) -> Result<(), Failure> {
    let (status, bytes) = client.bytes(call)?;
    if status == StatusCode::ACCEPTED {
        let proposal: api::Proposal = serde_json::from_slice(&bytes).map_err(Failure::broken)?;
        say("it waits for somebody else, who has the same right");
        return report.print(&proposal, |proposal| format!("proposed {}\n", proposal.handle));
    }
    // 204 has no body.
    let document = if bytes.is_empty() { b"null".as_slice() } else { &bytes };
    let done: T = serde_json::from_slice(document).map_err(Failure::broken)?;
    report.print(&done, told)
}

fn decide(
    client: &Client,
    handle: &str,
    decision: &str,
    body: &impl Serialize,
    report: &Report,
) -> Result<(), Failure> {
    let body = serde_json::to_vec(body).map_err(Failure::broken)?;
    let path = format!("/proposals/{}/{decision}", escape(handle));
    let call = Call { body: Some(("application/json", body)), ..Call::new(Method::POST, path) };
    let (_, proposal): (_, api::Proposal) = client.json(call)?;
    report.print(&proposal, |proposal| format!("{} {}\n", proposal.status, proposal.handle))
}

fn rows(proposals: &[api::Proposal]) -> String {
    table(
        ["HANDLE", "STATUS", "PROPOSED BY", "UNTIL", "OPERATION"],
        proposals.iter().map(|proposal| {
            [
                proposal.handle.clone(),
                proposal.status.clone(),
                proposal.proposed_by.clone(),
                proposal.expires_at.clone(),
                proposal.operation.to_string(),
            ]
        }),
    )
}
