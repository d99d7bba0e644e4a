//! A signing request with a client's own CSR: we have no key of it, and claim nothing of the one it has.

use super::{Made, Produced, insert_request};
use crate::app::notices::tell_of_request;
use crate::app::{App, Caller, Error};
use crate::domain::algorithm::{KeyKind, Scheme};
use crate::domain::approval::asked_sha256;
use crate::domain::csr::{self, CsrSpec, ReadCsr};
use crate::domain::id::Handle;
use crate::domain::signing_request::{KeySource, SigningRequest, State, Submission, TemplateUse};
use crate::store::Approval;

/// A CSR that a client brings.
#[derive(Clone, Debug)]
pub struct ClientCsr {
    /// PEM or DER.
    pub csr: Vec<u8>,
    /// The issuing template to be judged by; the tenant's default when absent.
    pub template: Option<String>,
    /// How many days the certificate shall be valid.
    pub validity_days: Option<u32>,
    /// The signing request that it renews.
    pub renews: Option<Handle>,
    /// What another surface than the native one was sent.
    pub submission: Option<Submission>,
}

impl App {
    /// Takes a client's CSR: pending, waiting for an approval, or issued at once, as its template says.
    ///
    /// # Errors
    /// [`Kind::Invalid`](crate::app::Kind::Invalid) when it is no CSR whose signature verifies, or breaks the rules
    /// for every CSR; [`Kind::Refused`](crate::app::Kind::Refused) with every rule of the template that is broken.
    pub async fn submit(&self, caller: &Caller, submission: ClientCsr) -> Result<Produced, Error> {
        let read = csr::read(&submission.csr).map_err(Error::invalid)?;
        if let Some(renews) = submission.renews {
            self.signing_request(caller, renews).await?;
        }
        let template = self.template_for(caller, submission.template.as_deref()).await?;
        let days = submission.validity_days;
        let (spec, days, authority, waits) = match &template {
            Some(template) => {
                let got = self.judged_csr(caller, template, &read, days).await?;
                let authority = self.authority_of_template(caller.tenant, template).await?;
                (got.spec, got.validity_days, authority, got.approval)
            }
            None => {
                read.spec.validate().map_err(Error::invalid)?;
                read.spec.validate_for(read.kind).map_err(Error::invalid)?;
                (read.spec.clone(), days, None, None)
            }
        };
        let template = template.map(|template| TemplateUse {
            name: template.name.clone(),
            sha256: hex::encode(template.sha256),
        });
        let facts = Facts {
            spec,
            template,
            authority,
            validity_days: days,
            renews: submission.renews,
            submission: submission.submission,
        };
        let state = if waits.is_some() { State::AwaitingApproval } else { State::Pending };
        let request = self.submitted(caller, &read, facts, state).await?;
        let approval = waits.map(|rules| Approval {
            request: request.handle,
            asked_sha256: asked_sha256(&request),
            expires_at: request.created_at.plus_millis(i64::from(rules.expires_after) * 1000),
            decided_by: None,
            decided_at: None,
        });
        let request = self.record_submitted(caller, request, approval, csr::spki_sha256(&read.spki)).await?;
        if request.state == State::AwaitingApproval {
            return Ok(Produced::Accepted(Box::new(request)));
        }
        let request = self.issued_at_once(&caller.actor(), request).await;
        Ok(Produced::done(Made { request, key: None }))
    }

    async fn record_submitted(
        &self,
        caller: &Caller,
        request: SigningRequest,
        approval: Option<Approval>,
        spki_sha256: [u8; 32],
    ) -> Result<SigningRequest, Error> {
        let (actor, intended) = (caller.actor(), self.intent_event(&request)?);
        self.0
            .store
            .write(move |tx| {
                insert_request(tx, &request, None)?;
                tx.note_client_key(request.handle, spki_sha256)?;
                if let Some(approval) = &approval {
                    tx.insert_approval(approval)?;
                }
                tell_of_request(tx, &request, request.created_at)?;
                tx.append_audit(&actor, request.created_at, &intended)?;
                Ok(request)
            })
            .await
    }

    async fn submitted(
        &self,
        caller: &Caller,
        read: &ReadCsr,
        facts: Facts,
        state: State,
    ) -> Result<SigningRequest, Error> {
        let (kind, scheme): (KeyKind, Scheme) = (read.kind, read.scheme);
        let place = self.next_place(caller.tenant).await?;
        Ok(SigningRequest {
            handle: place.handle,
            tenant: caller.tenant,
            number: place.number,
            principal: caller.principal,
            token: String::new(),
            kind,
            scheme,
            spec: facts.spec,
            key_source: KeySource::Client,
            renews: facts.renews,
            template: facts.template,
            authority: facts.authority,
            validity_days: facts.validity_days,
            submission: facts.submission,
            continues: true,
            state,
            key: None,
            csr: Some(read.der.clone()),
            failure: None,
            created_at: place.created_at,
            updated_at: place.created_at,
        })
    }
}

/// What a client's CSR gets.
struct Facts {
    spec: CsrSpec,
    template: Option<TemplateUse>,
    authority: Option<Handle>,
    validity_days: Option<u32>,
    renews: Option<Handle>,
    submission: Option<Submission>,
}
