//! Authorities between the wire and the domain.

use super::{extensions, handle, keep, keep_all, name};
use crate::api;
use crate::app::authorities::{
    AuthorityView, FromCsr, IntermediateWish, IssueUnder, IssuedChain, NewAuthority,
};
use crate::app::{AuthorityCertificate, CrlFacts};
use crate::domain::authority::profile::{Lifetime, Until};
use crate::domain::certificate::{self, Issued};
use crate::domain::clock::Timestamp;
use crate::domain::id::Handle;
use crate::domain::invalid::Invalid;

/// A new authority; every wrong field at once.
pub(in crate::http::rest) fn new_authority(wire: api::CreateAuthority) -> Result<NewAuthority, Vec<Invalid>> {
    let mut wrong = Vec::new();
    let text = |field: &'static str| move |reason: String| Invalid::new(field, reason);
    let kind = keep(&mut wrong, wire.kind.parse().map_err(text("kind")));
    let subject = keep(&mut wrong, name(wire.subject));
    let constraints = keep_all(&mut wrong, extensions::name_constraints(wire.name_constraints.as_ref()));
    let key_kind = wire.key_kind.as_deref().map(str::parse).transpose();
    let key_kind = keep(&mut wrong, key_kind.map_err(|error| Invalid::new("key_kind", format!("{error}"))));
    let digest = keep(&mut wrong, wire.digest.as_deref().map(super::digest).transpose());
    let padding = keep(&mut wrong, wire.padding.as_deref().map(super::padding).transpose());
    let lifetime = keep_all(
        &mut wrong,
        lifetime(wire.validity_days, wire.not_before.as_deref(), wire.not_after.as_deref()),
    );
    match (kind, subject, constraints, key_kind, digest, padding, lifetime) {
        (
            Some(kind),
            Some(subject),
            Some(constraints),
            Some(key_kind),
            Some(digest),
            Some(padding),
            Some(lifetime),
        ) => Ok(NewAuthority {
            name: wire.name,
            kind,
            subject,
            path_length: wire.path_length,
            constraints,
            key_kind,
            token: wire.token,
            digest,
            padding,
            lifetime,
            submission: None,
        }),
        _ => Err(wrong),
    }
}

/// What is to be issued: for a client's CSR, or for a signing request.
pub(in crate::http::rest) enum Issue {
    FromCsr(FromCsr),
    ForRequest(Handle),
}

pub(in crate::http::rest) fn issue(wire: api::IssueCertificate) -> Result<Issue, Vec<Invalid>> {
    let lifetime = lifetime(wire.validity_days, wire.not_before.as_deref(), wire.not_after.as_deref())?;
    match (wire.csr, wire.request) {
        (Some(csr), None) => {
            let under = wire.template.map_or(IssueUnder::Default, IssueUnder::Template);
            Ok(Issue::FromCsr(FromCsr { csr: csr.into_bytes(), under, lifetime }))
        }
        (None, Some(request)) => {
            if wire.template.is_some() || lifetime.is_some() {
                let reason = "goes without a template and a validity: the signing request has its own";
                return Err(vec![Invalid::new("request", reason)]);
            }
            handle("request", &request).map(Issue::ForRequest).map_err(|invalid| vec![invalid])
        }
        _ => Err(vec![Invalid::new("csr", "give either `csr` or `request`")]),
    }
}

pub(in crate::http::rest) fn intermediate(
    wire: api::SignIntermediate,
) -> Result<IntermediateWish, Vec<Invalid>> {
    Ok(IntermediateWish {
        csr: wire.csr.into_bytes(),
        path_length: wire.path_length,
        constraints: extensions::name_constraints(wire.name_constraints.as_ref())?,
        lifetime: lifetime(wire.validity_days, wire.not_before.as_deref(), wire.not_after.as_deref())?,
    })
}

/// A validity; none when nothing is said of its end.
pub(in crate::http::rest) fn lifetime(
    days: Option<u32>,
    from: Option<&str>,
    until: Option<&str>,
) -> Result<Option<Lifetime>, Vec<Invalid>> {
    let mut wrong = Vec::new();
    let mut time = |field: &'static str, text: Option<&str>| {
        let time = text.map(str::parse::<Timestamp>).transpose();
        time.unwrap_or_else(|_| {
            wrong.push(Invalid::new(field, "must be a time of RFC 3339, such as 2027-01-31T12:00:00Z"));
            None
        })
    };
    let (from, until) = (time("not_before", from), time("not_after", until));
    let until = match (days, until) {
        (Some(_), Some(_)) => {
            wrong.push(Invalid::new("not_after", "goes without `validity_days`"));
            None
        }
        (Some(0), None) => {
            wrong.push(Invalid::new("validity_days", "must be at least 1"));
            None
        }
        (Some(days), None) => Some(Until::Days(days)),
        (None, Some(at)) => Some(Until::At(at)),
        (None, None) => None,
    };
    if from.is_some() && until.is_none() && wrong.is_empty() {
        wrong.push(Invalid::new("not_before", "needs `validity_days` or `not_after` with it"));
    }
    if wrong.is_empty() { Ok(until.map(|until| Lifetime { from, until })) } else { Err(wrong) }
}

pub(in crate::http::rest) fn authority(view: &AuthorityView) -> api::Authority {
    let authority = &view.authority;
    let constraints = authority.spec.extensions.basic_constraints;
    api::Authority {
        handle: authority.handle.to_string(),
        name: authority.name.clone(),
        kind: authority.kind.to_string(),
        status: authority.state.to_string(),
        created_at: authority.created_at.to_string(),
        updated_at: authority.updated_at.to_string(),
        subject: authority.spec.subject.to_string(),
        path_length: constraints.and_then(|constraints| constraints.path_length),
        key_kind: authority.key_kind.to_string(),
        signature: authority.scheme.to_string(),
        token: authority.token.clone(),
        key: authority.key.map(|key| key.to_string()),
        parent: authority.parent.map(|parent| parent.to_string()),
        certificates: view.certificates.iter().map(own_certificate).collect(),
        crl: view.crl.as_ref().map(crl),
        crl_url: view.urls.crl.clone(),
        failure: authority.failure.clone(),
    }
}

pub(in crate::http::rest) fn own_certificate(own: &AuthorityCertificate) -> api::AuthorityCertificate {
    api::AuthorityCertificate {
        version: own.version,
        certificate: certificate::pem(&own.der),
        chain: own.chain.iter().map(|der| certificate::pem(der)).collect(),
        sha256: sha256(&own.der),
        not_before: own.not_before.to_string(),
        not_after: own.not_after.to_string(),
    }
}

fn crl(facts: &CrlFacts) -> api::CrlFacts {
    api::CrlFacts {
        number: facts.number,
        this_update: facts.this_update.to_string(),
        next_update: facts.next_update.to_string(),
        entries: facts.entries,
    }
}

pub(in crate::http::rest) fn issued_with(chain: &IssuedChain) -> api::IssuedCertificate {
    let chain_pem = chain.chain.iter().map(|der| certificate::pem(der)).collect();
    api::IssuedCertificate { chain: chain_pem, ..issued(&chain.issued) }
}

pub(in crate::http::rest) fn issued(issued: &Issued) -> api::IssuedCertificate {
    let der = issued.der.as_deref();
    api::IssuedCertificate {
        handle: issued.handle.to_string(),
        authority: issued.authority.to_string(),
        serial: issued.serial.to_string(),
        status: issued.state.to_string(),
        purpose: issued.purpose.to_string(),
        subject: issued.subject.clone(),
        not_before: issued.period.not_before.to_string(),
        not_after: issued.period.not_after.to_string(),
        request: issued.request.map(|request| request.to_string()),
        template: issued.template.clone(),
        certificate: der.map(certificate::pem),
        chain: Vec::new(),
        sha256: der.map(sha256),
        revoked_at: issued.revoked.map(|(at, _)| at.to_string()),
        reason: issued.revoked.map(|(_, reason)| reason.to_string()),
        failure: issued.failure.clone(),
    }
}

fn sha256(der: &[u8]) -> String {
    use sha2::Digest as _;
    hex::encode(sha2::Sha256::digest(der))
}
