//! Issuing: from a client's CSR, for a signing request, for a CA below.

use sha2::{Digest as _, Sha256};

use super::authority_of;
use super::sign::{Issuing, Plan};
use crate::app::marry::marry_in;
use crate::app::templates::refused_by;
use crate::app::{App, Caller, Error, Kind};
use crate::domain::access::Permission;
use crate::domain::audit::Actor;
use crate::domain::authority::profile::{self, Lifetime, Until, default_days};
use crate::domain::certificate::{Issued, IssuedPurpose};
use crate::domain::clock::Timestamp;
use crate::domain::csr::{self, ReadCsr};
use crate::domain::extensions::NameConstraints;
use crate::domain::id::Handle;
use crate::domain::invalid::Invalid;
use crate::domain::policy::{self, KeyChoice};
use crate::domain::signing_request::{Conflict, KeySource, SigningRequest, State};
use crate::domain::template::Template;
use crate::store::{Certificate, Tx};

/// A client's CSR that is to be issued at once.
#[derive(Clone, Debug)]
pub struct FromCsr {
    /// PEM or DER.
    pub csr: Vec<u8>,
    /// Under which rules.
    pub under: IssueUnder,
    /// How long; the template's default, or 90 days, when absent.
    pub lifetime: Option<Lifetime>,
}

/// Under which rules a certificate is issued.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum IssueUnder {
    /// The issuing template of that name.
    Template(String),
    /// The tenant's default template, where it has one; else only the rules for every certificate, for
    /// those who may manage authorities.
    Default,
}

/// A CA below that is to be certified.
#[derive(Clone, Debug)]
pub struct IntermediateWish {
    /// PEM or DER.
    pub csr: Vec<u8>,
    /// Its path length; that of the CSR when absent, at most one less than the authority's.
    pub path_length: Option<u8>,
    /// Its name constraints; those of the CSR when absent.
    pub constraints: Option<NameConstraints>,
    /// How long; five years when absent.
    pub lifetime: Option<Lifetime>,
}

/// A certificate that was issued, and those above it.
#[derive(Clone, Debug)]
pub struct IssuedChain {
    /// The certificate.
    pub issued: Issued,
    /// DER of the certificates above it, its issuer's first.
    pub chain: Vec<Vec<u8>>,
}

impl App {
    /// Issues a certificate from a client's CSR.
    ///
    /// # Errors
    /// [`Kind::Invalid`] when it is no good CSR; [`Kind::Refused`] with every rule of the template, or of the
    /// authority, that is broken; [`Kind::Denied`] without a template, for those who may not manage authorities;
    /// [`Kind::Conflict`] when the authority issues nothing now; [`Kind::Unavailable`] when its token cannot work.
    pub async fn issue_from_csr(
        &self,
        caller: &Caller,
        authority: Handle,
        wish: FromCsr,
    ) -> Result<IssuedChain, Error> {
        let tenant = caller.tenant;
        let found = self.0.store.read(move |view| authority_of(view, tenant, authority)).await?;
        let read = csr::read(&wish.csr).map_err(Error::invalid)?;
        let named = match &wish.under {
            IssueUnder::Template(name) => Some(name.as_str()),
            IssueUnder::Default => None,
        };
        let template = self.template_for(caller, named).await?;
        let manages = caller.may(Permission::AuthorityManage);
        match &template {
            Some(template) => must_name(template, &found.name, manages)?,
            None if manages => {}
            None => {
                let message =
                    "without an issuing template only those issue who may manage authorities; name one";
                return Err(Error::new(Kind::Denied, "access.denied", message));
            }
        }
        let default_days = template.as_ref().map_or(Some(default_days::LEAF), |_| None);
        let (asked, days) = match &template {
            Some(template) => {
                let days = asked_days(wish.lifetime, self.now());
                let judged = self.judged_csr(caller, template, &read, days).await?;
                if judged.approval.is_some() {
                    let reason = "needs an approval: submit the CSR as a signing request, which somebody else approves";
                    return Err(Error::refused("template.approval", vec![Invalid::new("template", reason)]));
                }
                (judged.spec, judged.validity_days)
            }
            None => {
                read.spec.validate().map_err(Error::invalid)?;
                read.spec.validate_for(read.kind).map_err(Error::invalid)?;
                (without_what_only_templates_allow(read.spec.clone()), default_days)
            }
        };
        let issuing = self.ready_to_issue(authority).await?;
        let content = profile::leaf(&issuing.issuer, asked, template.is_none()).map_err(refused)?;
        let lifetime = wish.lifetime.unwrap_or(Lifetime::days(days.unwrap_or(default_days::LEAF)));
        let plan = Plan {
            purpose: IssuedPurpose::EndEntity,
            content,
            spki: read.spki,
            lifetime,
            request: None,
            template: template.map(|template| template.name.clone()),
            principal: caller.principal,
        };
        let issued = self.issue_planned(&caller.actor(), &issuing, plan).await?;
        Ok(IssuedChain { issued, chain: issuing.chain })
    }

    /// Certifies a CA below.
    ///
    /// # Errors
    /// As for [`App::issue_from_csr`]; [`Kind::Refused`] also when the authority's path length allows no such CA.
    pub async fn sign_intermediate(
        &self,
        caller: &Caller,
        authority: Handle,
        wish: IntermediateWish,
    ) -> Result<IssuedChain, Error> {
        let tenant = caller.tenant;
        self.0.store.read(move |view| authority_of(view, tenant, authority)).await?;
        let read = csr::read(&wish.csr).map_err(Error::invalid)?;
        let issuing = self.ready_to_issue(authority).await?;
        let content = profile::intermediate(&issuing.issuer, read.spec, wish.path_length, wish.constraints)
            .map_err(refused)?;
        content.validate().map_err(Error::invalid)?;
        let plan = Plan {
            purpose: IssuedPurpose::Intermediate,
            content,
            spki: read.spki,
            lifetime: wish.lifetime.unwrap_or(Lifetime::days(default_days::INTERMEDIATE)),
            request: None,
            template: None,
            principal: caller.principal,
        };
        let issued = self.issue_planned(&caller.actor(), &issuing, plan).await?;
        Ok(IssuedChain { issued, chain: issuing.chain })
    }

    /// Issues the certificate of a pending signing request by an authority, and marries it.
    ///
    /// # Errors
    /// As for [`App::issue_from_csr`]; [`Kind::Conflict`] when the request is not pending.
    pub async fn issue_for(
        &self,
        caller: &Caller,
        authority: Handle,
        request: Handle,
    ) -> Result<IssuedChain, Error> {
        let tenant = caller.tenant;
        let found = self.0.store.read(move |view| authority_of(view, tenant, authority)).await?;
        let request = self.signing_request(caller, request).await?;
        let manages = caller.may(Permission::AuthorityManage);
        if request.authority != Some(authority) && !manages {
            let message = format!("signing request {} is not for authority `{}`", request.handle, found.name);
            return Err(Error::new(Kind::Denied, "access.denied", message));
        }
        let issuing = self.ready_to_issue(authority).await?;
        let issued = self.issue_request(&caller.actor(), &issuing, request).await?;
        Ok(IssuedChain { issued, chain: issuing.chain })
    }

    /// Issues for a request that names an authority, as soon as its CSR is there. What cannot be issued now stays
    /// pending: the reconciliation tries again, and somebody may marry a certificate to it.
    pub(in crate::app) async fn issued_at_once(
        &self,
        actor: &Actor,
        request: SigningRequest,
    ) -> SigningRequest {
        let Some(authority) = request.authority.filter(|_| request.state == State::Pending) else {
            return request;
        };
        let handle = request.handle;
        let issued = match self.ready_to_issue(authority).await {
            Ok(issuing) => self.issue_request(actor, &issuing, request.clone()).await.map(drop),
            Err(error) => Err(error),
        };
        if let Err(error) = issued {
            tracing::warn!(request = %handle, %error, "no certificate could be issued; the request stays pending");
        }
        self.any_signing_request(handle).await.unwrap_or(request)
    }

    /// Issues for everything that waited for an authority, in a task of its own.
    pub(super) fn issue_waiting_soon(&self, authority: Handle) {
        let app = self.clone();
        tokio::spawn(async move {
            if let Err(error) = app.issue_waiting(authority).await {
                tracing::warn!(%authority, %error, "what waits for the authority cannot be issued now");
            }
        });
    }

    pub(super) async fn issue_waiting(&self, authority: Handle) -> Result<(), Error> {
        let waiting: Result<Vec<SigningRequest>, Error> =
            self.0.store.read(move |view| Ok(view.signing_requests_to_be_issued(authority)?)).await;
        let waiting = waiting?;
        if waiting.is_empty() {
            return Ok(());
        }
        let issuing = self.issuing(authority).await?;
        for request in waiting {
            let handle = request.handle;
            if let Err(error) = self.issue_request(&Actor::System, &issuing, request).await {
                tracing::warn!(request = %handle, %error, "no certificate could be issued; the request stays pending");
            }
        }
        Ok(())
    }

    async fn issue_request(
        &self,
        actor: &Actor,
        issuing: &Issuing,
        request: SigningRequest,
    ) -> Result<Issued, Error> {
        let handle = request.handle;
        if request.state != State::Pending {
            return Err(Conflict { handle, state: request.state, verb: "issued" }.into());
        }
        // Held while it is issued: it has one certificate.
        let Some(_claim) = self.0.work.claim(handle) else {
            return Err(Conflict { handle, state: request.state, verb: "issued twice" }.into());
        };
        let spki = self.spki_of(&request).await?;
        let is_ca = request.spec.extensions.basic_constraints.is_some_and(|constraints| constraints.ca);
        let (purpose, content, days) = if is_ca {
            let content = profile::intermediate(&issuing.issuer, request.spec.clone(), None, None);
            (IssuedPurpose::Intermediate, content, default_days::INTERMEDIATE)
        } else {
            let content = profile::leaf(&issuing.issuer, request.spec.clone(), request.template.is_none());
            (IssuedPurpose::EndEntity, content, default_days::LEAF)
        };
        let plan = Plan {
            purpose,
            content: content.map_err(refused)?,
            spki,
            lifetime: Lifetime::days(request.validity_days.unwrap_or(days)),
            request: Some(handle),
            template: request.template.as_ref().map(|template| template.name.clone()),
            principal: request.principal,
        };
        self.issue_planned(actor, issuing, plan).await
    }

    /// The SubjectPublicKeyInfo that the certificate of a request is for.
    pub(in crate::app) async fn spki_of(&self, request: &SigningRequest) -> Result<Vec<u8>, Error> {
        if let Some(key) = self.key_of(request).await? {
            return Ok(key.spki);
        }
        match request.csr.as_ref().filter(|_| request.key_source == KeySource::Client) {
            Some(csr) => csr::read(csr).map(|read| read.spki).map_err(Error::invalid),
            None => {
                let verb = "married to a certificate without a key";
                Err(Conflict { handle: request.handle, state: request.state, verb }.into())
            }
        }
    }

    async fn ready_to_issue(&self, authority: Handle) -> Result<Issuing, Error> {
        let issuing = self.issuing(authority).await?;
        self.usable(&self.token(&issuing.key.token)?).await?;
        Ok(issuing)
    }

    /// What a client's CSR gets under a template.
    pub(in crate::app) async fn judged_csr(
        &self,
        caller: &Caller,
        template: &Template,
        read: &ReadCsr,
        validity_days: Option<u32>,
    ) -> Result<policy::Effective, Error> {
        let (tenant, spki) = (caller.tenant, csr::spki_sha256(&read.spki));
        let known: Result<bool, Error> =
            self.0.store.read(move |view| Ok(view.knows_client_key(tenant, spki)?)).await;
        let wish = policy::Wish {
            spec: without_what_every_certificate_has(read.spec.clone()),
            key: KeyChoice::Client { kind: read.kind, reused: known? },
            digest: read.scheme.digest(),
            padding: read.scheme.padding(),
            validity_days,
        };
        policy::evaluate(template, wish).map_err(|broken| refused_by(template, broken))
    }

    /// Marries a certificate of ours in the transaction that records it. Answers the key whose token has to get
    /// it, and that token.
    pub(super) fn marry_issued(
        &self,
        tx: &Tx,
        actor: &Actor,
        request: Handle,
        issued: &Issued,
        chain: Vec<Vec<u8>>,
        now: Timestamp,
    ) -> Result<Option<(Handle, String)>, Error> {
        let found =
            tx.signing_request(request)?.ok_or_else(|| Error::not_found("signing request", request))?;
        let leaf = issued.der.clone().unwrap_or_default();
        let certificate = Certificate {
            request,
            sha256: Sha256::digest(&leaf).into(),
            leaf,
            chain,
            not_before: issued.period.not_before,
            not_after: issued.period.not_after,
            married_at: now,
        };
        let write = self.rules(&found.token).write_certificates;
        let (request, to_be_written) = marry_in(tx, actor, &certificate, write, now)?;
        Ok(request.key.filter(|_| to_be_written).map(|key| (key, request.token)))
    }
}

/// A template that names no authority, or another one, is no leave to have this one issue.
fn must_name(template: &Template, authority: &str, manages: bool) -> Result<(), Error> {
    match template.authority.as_deref() {
        Some(named) if named == authority => Ok(()),
        None if manages => Ok(()),
        named => {
            let named = named.map_or("none".to_owned(), |named| format!("`{named}`"));
            let reason =
                format!("template `{}` is for another authority than this one: {named}", template.name);
            Err(Error::refused("template.authority", vec![Invalid::new("template", reason)]))
        }
    }
}

/// Days, for the rules of a template; a day that has begun counts.
fn asked_days(lifetime: Option<Lifetime>, now: Timestamp) -> Option<u32> {
    const DAY: i64 = 24 * 3_600_000;
    let lifetime = lifetime?;
    match lifetime.until {
        Until::Days(days) => Some(days),
        Until::At(until) => {
            let millis = until.as_millis().saturating_sub(lifetime.from.unwrap_or(now).as_millis());
            Some(u32::try_from(millis.saturating_add(DAY - 1).div_euclid(DAY)).unwrap_or_default())
        }
    }
}

/// CA:FALSE and the name of the key say nothing that the certificate would not say anyway: no template has to
/// allow them.
fn without_what_every_certificate_has(mut spec: csr::CsrSpec) -> csr::CsrSpec {
    spec.extensions.subject_key_identifier = None;
    spec.extensions.basic_constraints =
        spec.extensions.basic_constraints.filter(|constraints| constraints.ca);
    spec
}

/// Policies and name constraints are for the authority to say, or for a template.
fn without_what_only_templates_allow(spec: csr::CsrSpec) -> csr::CsrSpec {
    let mut spec = without_what_every_certificate_has(spec);
    spec.extensions.certificate_policies.clear();
    spec.extensions.name_constraints = None;
    spec
}

fn refused(broken: Vec<Invalid>) -> Error {
    Error::refused("authority.refused", broken)
}
