//! Templates and approvals, between the wire and the domain.

use crate::api;
use crate::app::proposals::Proposal;
use crate::app::{Approval, Error};
use crate::domain::invalid::Invalid;
use crate::domain::template::Template;

pub(in crate::http::rest) fn approval(approval: &Approval) -> api::Approval {
    api::Approval {
        hash: hex::encode(approval.asked_sha256),
        expires_at: approval.expires_at.to_string(),
        decided_by: approval.decided_by.map(|by| by.to_string()),
        decided_at: approval.decided_at.map(|at| at.to_string()),
    }
}

/// The hash that an approver has seen.
pub(in crate::http::rest) fn seen(body: &api::Approve) -> Result<Option<[u8; 32]>, Invalid> {
    let Some(text) = &body.hash else { return Ok(None) };
    let mut hash = [0; 32];
    let wrong = |_| Invalid::new("hash", "must be 64 hexadecimal digits, as the request shows it");
    hex::decode_to_slice(text, &mut hash).map_err(wrong)?;
    Ok(Some(hash))
}

pub(in crate::http::rest) fn template_summary(template: &Template) -> api::TemplateSummary {
    let default = template.keys.default;
    let others = template.keys.kinds.iter().filter(|kind| **kind != default);
    api::TemplateSummary {
        name: template.name.clone(),
        description: template.description.clone(),
        sha256: hex::encode(template.sha256),
        kinds: std::iter::once(&default).chain(others).map(ToString::to_string).collect(),
        needs_approval: template.approval.is_some(),
    }
}

pub(in crate::http::rest) fn template(template: &Template) -> Result<api::Template, Error> {
    let rules = serde_json::to_value(template)
        .map_err(|error| Error::bug(format!("a template cannot be written: {error}")))?;
    Ok(api::Template { sha256: hex::encode(template.sha256), rules })
}

pub(in crate::http::rest) fn proposal(proposal: &Proposal) -> api::Proposal {
    api::Proposal {
        handle: proposal.handle.to_string(),
        status: proposal.state.to_string(),
        operation: serde_json::json!(proposal.operation),
        hash: hex::encode(proposal.sha256),
        proposed_by: proposal.principal.to_string(),
        created_at: proposal.created_at.to_string(),
        expires_at: proposal.expires_at.to_string(),
        decided_by: proposal.decided_by.map(|by| by.to_string()),
        decided_at: proposal.decided_at.map(|at| at.to_string()),
        outcome: proposal.outcome.clone(),
    }
}
