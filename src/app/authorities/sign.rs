//! One certificate: recorded, signed by the token, read again by other code, recorded as issued.
//!
//! The intent is committed before C_Sign. After that nothing is signed that is not on record; what is signed and
//! not recorded has left nobody's hands, and is signed again or abandoned by the reconciliation.

use serde_json::json;
use sha2::{Digest as _, Sha256};

use super::{Claim, State, transition};
use crate::app::produce::must_be_able_to_sign;
use crate::app::{App, Error, Kind, Token, failpoint};
use crate::domain::algorithm::Scheme;
use crate::domain::audit::{Actor, Event};
use crate::domain::authority::profile::{Lifetime, period};
use crate::domain::authority::{Authority, Command, Issuer};
use crate::domain::certificate::{
    self, CertificateSpec, Issued, IssuedPurpose, IssuedState, MarriedChain, Serial,
};
use crate::domain::clock::Timestamp;
use crate::domain::csr::{self, CsrSpec};
use crate::domain::id::Handle;
use crate::domain::key::Key;
use crate::store::{AuthorityCertificate, Intended, Tx, View};

/// An authority that can issue, with all that it needs.
#[derive(Clone)]
pub(super) struct Issuing {
    pub(super) authority: Authority,
    pub(super) key: Key,
    pub(super) issuer: Issuer,
    /// Its certificate and those above it, in DER.
    pub(super) chain: Vec<Vec<u8>>,
}

/// What is to be issued.
pub(super) struct Plan {
    pub(super) purpose: IssuedPurpose,
    pub(super) content: CsrSpec,
    pub(super) spki: Vec<u8>,
    pub(super) lifetime: Lifetime,
    pub(super) request: Option<Handle>,
    pub(super) template: Option<String>,
    pub(super) principal: Handle,
}

impl App {
    /// The authority with its key and its certificate, if it may issue now.
    pub(super) async fn issuing(&self, authority: Handle) -> Result<Issuing, Error> {
        let now = self.now();
        let issuing = self.0.store.read(move |view| issuing(view, authority)).await?;
        if issuing.authority.state != State::Active {
            let (name, state) = (&issuing.authority.name, issuing.authority.state);
            let message = format!("authority `{name}` is {state} and issues nothing");
            return Err(Error::new(Kind::Conflict, "authority.state", message));
        }
        if issuing.issuer.not_after <= now {
            let message = format!(
                "the certificate of authority `{}` ended at {}; renew it first",
                issuing.authority.name, issuing.issuer.not_after
            );
            return Err(Error::new(Kind::Conflict, "authority.expired", message));
        }
        Ok(issuing)
    }

    /// Issues a certificate: intent, signature, check, record.
    pub(super) async fn issue_planned(
        &self,
        actor: &Actor,
        issuing: &Issuing,
        plan: Plan,
    ) -> Result<Issued, Error> {
        let token = self.token(&issuing.key.token)?;
        let intended = self.intended(issuing, plan)?;
        let claim = self.claimed(intended.issued.handle)?;
        let (recorded, by, now) = (intended.clone(), actor.clone(), self.now());
        failpoint::reached("certificate-intent-before");
        self.0.store.write(move |tx| record_intent(tx, &by, &recorded, now)).await?;
        failpoint::reached("certificate-intent-after");
        let signed = self.sign_intended(&token, &issuing.key, issuing.authority.scheme, &intended).await;
        let error = match signed {
            Ok(der) => match self.record_issued(actor, &intended, der).await {
                Ok(issued) => return Ok(issued),
                Err(error) => error,
            },
            Err(error) => error,
        };
        self.abandon_certificate(&intended, &error.to_string()).await;
        drop(claim);
        Err(error)
    }

    fn intended(&self, issuing: &Issuing, plan: Plan) -> Result<Intended, Error> {
        let issuer = &issuing.issuer;
        let own = plan.purpose == IssuedPurpose::SelfSigned;
        let period = period((!own).then_some(issuer), plan.lifetime, self.now())?;
        let spec = CertificateSpec {
            serial: Serial::new(super::super::system::random()?),
            issuer: issuer.name.clone(),
            period,
            content: plan.content,
            spki: plan.spki,
            authority_key_id: issuer.key_id.clone(),
            urls: if own { Default::default() } else { self.urls_of(issuing.authority.handle) },
        };
        self.to_be_recorded(
            &issuing.authority,
            spec,
            plan.purpose,
            plan.request,
            plan.template,
            plan.principal,
        )
    }

    pub(super) fn to_be_recorded(
        &self,
        authority: &Authority,
        spec: CertificateSpec,
        purpose: IssuedPurpose,
        request: Option<Handle>,
        template: Option<String>,
        principal: Handle,
    ) -> Result<Intended, Error> {
        spec.content.validate().map_err(Error::invalid)?;
        let tbs = certificate::to_be_signed(&spec, authority.scheme).map_err(builder_failed)?;
        let issued = Issued {
            handle: self.new_handle()?,
            authority: authority.handle,
            serial: spec.serial,
            state: IssuedState::Intent,
            purpose,
            subject: spec.content.subject.to_string(),
            tbs_sha256: Sha256::digest(&tbs).into(),
            request,
            template,
            principal,
            der: None,
            period: spec.period,
            created_at: self.now(),
            revoked: None,
            failure: None,
        };
        Ok(Intended { issued, spec, tbs })
    }

    pub(super) fn claimed(&self, handle: Handle) -> Result<Claim<'_>, Error> {
        self.0.work.claim(handle).ok_or_else(|| Error::bug(format!("{handle} is being worked on already")))
    }

    /// The certificate that was recorded, signed and read again by other code.
    pub(super) async fn sign_intended(
        &self,
        token: &Token,
        key: &Key,
        scheme: Scheme,
        intended: &Intended,
    ) -> Result<Vec<u8>, Error> {
        failpoint::reached("certificate-sign-before");
        let signature = token.sign(key.id, scheme, intended.tbs.clone()).await?;
        failpoint::reached("certificate-sign-after");
        let der = csr::assemble(&intended.tbs, scheme, &signature).map_err(builder_failed)?;
        let checked = certificate::check(&der, &intended.spec, scheme, &key.spki);
        self.released(key, checked).await.map(|()| der)
    }

    /// Nothing leaves whose check failed; a wrong signature is on record.
    pub(super) async fn released(&self, key: &Key, checked: Result<(), csr::Error>) -> Result<(), Error> {
        match checked {
            Ok(()) => Ok(()),
            Err(error @ csr::Error::BadSignature) => Err(self.wrong_signature(key, error).await),
            Err(error) => Err(builder_failed(error)),
        }
    }

    /// Records that the certificate is signed, and what follows: an authority has it, or a signing request is
    /// married to it.
    pub(super) async fn record_issued(
        &self,
        actor: &Actor,
        intended: &Intended,
        der: Vec<u8>,
    ) -> Result<Issued, Error> {
        failpoint::reached("certificate-record-before");
        let (app, actor, intended, now) = (self.clone(), actor.clone(), intended.clone(), self.now());
        let recorded: Result<_, Error> = self
            .0
            .store
            .write(move |tx| {
                let issued = enter_issued(tx, &actor, &intended, &der, now)?;
                let married = match issued.request {
                    Some(request) => {
                        let chain = issuing(tx, issued.authority)?.chain;
                        app.marry_issued(tx, &actor, request, &issued, chain, now)?
                    }
                    None => None,
                };
                Ok((issued, married))
            })
            .await;
        failpoint::reached("certificate-record-after");
        let (issued, to_be_written) = recorded?;
        if let Some((key, token)) = to_be_written {
            self.settle_certificate_soon(key, &token).await;
        }
        Ok(issued)
    }

    /// Nobody has seen it, nobody will. When that cannot be recorded now, the reconciliation does it.
    pub(super) async fn abandon_certificate(&self, intended: &Intended, reason: &str) {
        let (handle, reason, now) = (intended.issued.handle, reason.to_owned(), self.now());
        let event = certificate_event("certificate.abandoned", &intended.issued, json!({ "reason": reason }));
        let recorded: Result<(), Error> = self
            .0
            .store
            .write(move |tx| {
                tx.abandon_issued(handle, &reason)?;
                tx.append_audit(&Actor::System, now, &event)?;
                Ok(())
            })
            .await;
        if let Err(error) = recorded {
            tracing::warn!(certificate = %handle, %error, "a certificate stays open until its token is reconciled");
        }
    }
}

/// Enters the intent; in the same transaction it is certain that the authority may still issue.
pub(super) fn record_intent(
    tx: &Tx,
    actor: &Actor,
    intended: &Intended,
    now: Timestamp,
) -> Result<(), Error> {
    let issued = &intended.issued;
    let authority =
        tx.authority(issued.authority)?.ok_or_else(|| Error::not_found("authority", issued.authority))?;
    let own = issued.purpose == IssuedPurpose::SelfSigned;
    if authority.state != State::Active && !(own && authority.state == State::Making) {
        let message = format!("authority `{}` is {} and issues nothing", authority.name, authority.state);
        return Err(Error::new(Kind::Conflict, "authority.state", message));
    }
    tx.insert_intended(intended)?;
    let detail = json!({
        "purpose": issued.purpose.as_str(),
        "tbs_sha256": hex::encode(issued.tbs_sha256),
        "request": issued.request,
        "template": issued.template,
        "not_after": issued.period.not_after,
    });
    tx.append_audit(actor, now, &certificate_event("certificate.intended", issued, detail))?;
    Ok(())
}

fn enter_issued(
    tx: &Tx,
    actor: &Actor,
    intended: &Intended,
    der: &[u8],
    now: Timestamp,
) -> Result<Issued, Error> {
    let issued = &intended.issued;
    let fingerprint = hex::encode(Sha256::digest(der));
    tx.set_issued(issued.handle, der)?;
    let detail = json!({ "certificate_sha256": fingerprint });
    tx.append_audit(actor, now, &certificate_event("certificate.issued", issued, detail))?;
    if issued.purpose == IssuedPurpose::SelfSigned {
        let version = tx.newest_authority_version(issued.authority)? + 1;
        tx.insert_authority_certificate(&AuthorityCertificate {
            authority: issued.authority,
            version,
            der: der.to_vec(),
            chain: Vec::new(),
            not_before: issued.period.not_before,
            not_after: issued.period.not_after,
            at: now,
        })?;
        let command = Command::Certified { version, fingerprint, parent: None };
        transition(tx, actor, issued.authority, [command], now)?;
    }
    Ok(Issued { state: IssuedState::Issued, der: Some(der.to_vec()), ..issued.clone() })
}

/// An event about a certificate of an authority, without names of persons or hosts.
pub(super) fn certificate_event(
    action: &'static str,
    issued: &Issued,
    mut detail: serde_json::Value,
) -> Event {
    detail["authority"] = json!(issued.authority);
    detail["serial"] = json!(issued.serial.to_string());
    Event { action, subject: issued.handle.to_string(), detail }
}

/// An authority with its key and certificate, whatever its state.
pub(super) fn issuing(view: &View, handle: Handle) -> Result<Issuing, Error> {
    let authority = view.authority(handle)?.ok_or_else(|| Error::not_found("authority", handle))?;
    let certificate = match authority.version {
        Some(version) => view.authority_certificate(handle, version)?,
        None => None,
    };
    let (Some(certificate), Some(key)) = (certificate, authority.key) else {
        let message = format!("authority `{}` is {} and has no certificate", authority.name, authority.state);
        return Err(Error::new(Kind::Conflict, "authority.state", message));
    };
    let key = view.key(key)?.ok_or_else(|| Error::not_found("key", key))?;
    must_be_able_to_sign(view, &key)?;
    let issuer = issuer_of(&certificate)?;
    let chain = std::iter::once(certificate.der).chain(certificate.chain).collect();
    Ok(Issuing { authority, key, issuer, chain })
}

/// What a recorded certificate lets its authority issue. Its chain was verified when it came.
pub(super) fn issuer_of(certificate: &AuthorityCertificate) -> Result<Issuer, Error> {
    let broken = |error: &dyn std::fmt::Display| {
        Error::bug(format!("a certificate of authority {} cannot be read: {error}", certificate.authority))
    };
    let leaf = certificate::read_one(&certificate.der).map_err(|error| broken(&error))?;
    let above = certificate.chain.iter().map(|der| certificate::read_one(der));
    let chain = above.collect::<Result<Vec<_>, _>>().map_err(|error| broken(&error))?;
    Issuer::of(&MarriedChain { leaf, chain }).map_err(|error| broken(&error))
}

pub(super) fn builder_failed(error: csr::Error) -> Error {
    Error::bug(format!("what an authority signs is not as intended: {error}")).caused_by(error)
}
