//! A new authority: its key is made through the journal like every key, then its own certificate or its CSR is
//! signed.

use der::Encode;

use super::sign::{builder_failed, record_intent};
use super::{AuthorityView, transition};
use crate::app::keys::decide_destruction;
use crate::app::produce::{WRONG_SIGNATURE, default_kind, must_have_room};
use crate::app::watch::wait_until_admitted;
use crate::app::{App, Caller, Error, Kind, Token, failpoint};
use crate::domain::algorithm::{Digest, KeyKind, Padding};
use crate::domain::audit::Actor;
use crate::domain::authority::profile::{Lifetime, ca_spec, default_days, period};
use crate::domain::authority::{Authority, AuthorityKind, Command, State, check_name};
use crate::domain::certificate::{CertificateSpec, IssuedPurpose, IssuerUrls, Serial};
use crate::domain::csr;
use crate::domain::extensions::NameConstraints;
use crate::domain::invalid::Invalid;
use crate::domain::key::{Key, KeyState, Purpose};
use crate::domain::name::Name;
use crate::domain::signing_request::Submission;
use crate::hsm;
use crate::store::{Attempt, Intended, Outcome};

/// An authority that is wished for.
#[derive(Clone, Debug)]
pub struct NewAuthority {
    /// Its name, unique in the tenant.
    pub name: String,
    /// Who certifies it.
    pub kind: AuthorityKind,
    /// Its subject.
    pub subject: Name,
    /// How many CAs may stand below it.
    pub path_length: Option<u8>,
    /// The names that it may certify.
    pub constraints: Option<NameConstraints>,
    /// The kind of its key; EC P-256 when absent.
    pub key_kind: Option<KeyKind>,
    /// On which token; the default one when absent.
    pub token: Option<String>,
    /// The digest under its signatures.
    pub digest: Option<Digest>,
    /// The padding under signatures of an RSA key.
    pub padding: Option<Padding>,
    /// How long the certificate of a root is valid; ten years when absent.
    pub lifetime: Option<Lifetime>,
    /// What a surface was sent, for itself.
    pub submission: Option<Submission>,
}

impl App {
    /// Makes an authority: a root with its certificate, or an intermediate with its CSR.
    ///
    /// # Errors
    /// [`Kind::Invalid`] with every broken rule; [`Kind::Conflict`] when there is one of that name;
    /// [`Kind::Refused`] when the token lacks the key kind; [`Kind::Unavailable`] when the token cannot work now.
    pub async fn create_authority(&self, caller: &Caller, new: NewAuthority) -> Result<AuthorityView, Error> {
        let (authority, lifetime, token) = self.new_authority(caller, new)?;
        self.must_offer(&token, authority.key_kind).await?;
        let root_period = match authority.kind {
            AuthorityKind::Root => Some(period(None, lifetime, self.now())?),
            AuthorityKind::Intermediate => None,
        };
        let attempt = Attempt {
            authority: Some(authority.handle),
            ..self.new_attempt(&authority.token, authority.key_kind, None)?
        };
        // Before the commit: the reconciler must never see this attempt unclaimed.
        let claim = self.claimed(authority.handle)?;
        let (opened, recorded, actor) = (attempt.clone(), authority.clone(), caller.actor());
        let (by, capacity) = (actor.clone(), self.rules(&authority.token).capacity);
        failpoint::reached("authority-intent-before");
        let written: Result<(), Error> = self
            .0
            .store
            .write(move |tx| {
                if let Some(capacity) = capacity {
                    must_have_room(tx, &recorded.token, capacity)?;
                }
                tx.insert_authority(&recorded)?;
                tx.open_attempt(&opened)?;
                tx.append_audit(&by, recorded.created_at, &recorded.intent_event())?;
                Ok(())
            })
            .await;
        written?;
        failpoint::reached("authority-intent-after");
        let key = self.authority_key(&token, &authority, &attempt).await?;
        let own = match root_period {
            Some(period) => {
                let issuer = authority.spec.subject.as_x509().to_der().map_err(csr::Error::from);
                let spec = CertificateSpec {
                    serial: Serial::new(crate::app::system::random()?),
                    issuer: issuer.map_err(builder_failed)?,
                    period,
                    content: authority.spec.clone(),
                    spki: key.spki.clone(),
                    authority_key_id: csr::key_identifier(&key.spki).map_err(builder_failed)?,
                    urls: IssuerUrls::default(),
                };
                let (purpose, principal) = (IssuedPurpose::SelfSigned, caller.principal);
                Some(self.to_be_recorded(&authority, spec, purpose, None, None, principal)?)
            }
            None => None,
        };
        let own_claim = own.as_ref().map(|own| self.claimed(own.issued.handle)).transpose()?;
        self.record_authority_key(&actor, &authority, &attempt, &key, own.clone()).await?;
        failpoint::reached("authority-key-after");
        self.finish_authority(&actor, &token, &authority, &key, own).await?;
        drop((own_claim, claim));
        let made = self.authority(caller, authority.handle).await?;
        self.refresh_crl_soon(made.authority.handle).await;
        self.authority(caller, authority.handle).await
    }

    fn new_authority(
        &self,
        caller: &Caller,
        new: NewAuthority,
    ) -> Result<(Authority, Lifetime, Token), Error> {
        let key_kind = new.key_kind.map_or_else(default_kind, Ok)?;
        let mut problems = Vec::new();
        problems.extend(check_name(&new.name).err());
        if new.subject.is_empty() {
            problems.push(Invalid::new("subject", "is empty: a CA has a name (RFC 5280 section 4.1.2.6)"));
        }
        if new.kind == AuthorityKind::Intermediate && new.lifetime.is_some() {
            let reason = "is for whoever certifies an intermediate to say; leave it out";
            problems.push(Invalid::new("validity", reason));
        }
        let spec = ca_spec(new.subject, new.path_length, new.constraints);
        problems
            .extend(spec.validate().err().into_iter().flatten().filter(|problem| problem.field != "subject"));
        problems.extend(spec.subject.problem().map(|reason| Invalid::new("subject", reason)));
        if !problems.is_empty() {
            return Err(Error::invalid(problems));
        }
        let scheme = key_kind.scheme_with(new.digest, new.padding)?;
        let token = self.token_for(new.token)?;
        let now = self.now();
        let authority = Authority {
            handle: self.new_handle()?,
            tenant: caller.tenant,
            principal: caller.principal,
            name: new.name,
            kind: new.kind,
            token: token.name().to_owned(),
            key_kind,
            scheme,
            spec,
            state: State::Making,
            key: None,
            csr: None,
            version: None,
            parent: None,
            submission: new.submission,
            failure: None,
            created_at: now,
            updated_at: now,
        };
        Ok((authority, new.lifetime.unwrap_or(Lifetime::days(default_days::ROOT)), token))
    }

    /// A good key in this attempt; else the authority has failed, and its attempt is cleared now or later.
    async fn authority_key(
        &self,
        token: &Token,
        authority: &Authority,
        attempt: &Attempt,
    ) -> Result<Key, Error> {
        failpoint::reached("authority-generate-before");
        let made = token.generate(attempt.id, attempt.key.to_string(), attempt.kind).await;
        failpoint::reached("authority-generate-after");
        let made = match made {
            // The worker died in the act. The next one can see what is there.
            Err(error) if error.kind() == hsm::Kind::OutcomeUnknown => {
                token.read_back(attempt.id).await.map_err(|_| error)
            }
            made => made,
        };
        let judged = match made {
            Ok(made) => self.judge(token, attempt, Purpose::Authority, made),
            Err(error) => Err(error.into()),
        };
        let admitted = match judged {
            // A worker that came up meanwhile may have loaded another module, and made the key with it.
            Ok(key) => wait_until_admitted(&self.0.health, token).await.map(|()| key),
            Err(error) => Err(error),
        };
        match admitted {
            Ok(key) => Ok(Key { tenant: Some(authority.tenant), ..key }),
            Err(error) => {
                self.fail_authority(authority, &error.to_string()).await?;
                if let Err(cause) = self.close_cleared(token, attempt).await {
                    let authority = authority.handle;
                    tracing::warn!(%authority, %cause, "the attempt stays open until the token is reconciled");
                }
                Err(error)
            }
        }
    }

    /// The key, and of a root the intent of its certificate, in one transaction.
    async fn record_authority_key(
        &self,
        actor: &Actor,
        authority: &Authority,
        attempt: &Attempt,
        key: &Key,
        own: Option<Intended>,
    ) -> Result<(), Error> {
        let (actor, handle, id) = (actor.clone(), authority.handle, attempt.id);
        let (key, now) = (key.clone(), self.now());
        self.0
            .store
            .write(move |tx| {
                tx.insert_key(&key)?;
                tx.close_attempt(id, Outcome::Succeeded, now)?;
                transition(tx, &actor, handle, [Command::KeyMade { key: key.handle }], now)?;
                match &own {
                    Some(own) => record_intent(tx, &actor, own, now),
                    None => Ok(()),
                }
            })
            .await
    }

    /// Signs what an authority with a key lacks: the certificate of a root, the CSR of an intermediate. What the
    /// token cannot do now is done by the reconciliation; what it will never do ends the authority.
    pub(super) async fn finish_authority(
        &self,
        actor: &Actor,
        token: &Token,
        authority: &Authority,
        key: &Key,
        own: Option<Intended>,
    ) -> Result<(), Error> {
        let signed = match &own {
            Some(own) => match self.sign_intended(token, key, authority.scheme, own).await {
                Ok(der) => self.record_issued(actor, own, der).await.map(drop),
                Err(error) => Err(error),
            },
            None => self.request_certificate(actor, token, authority, key).await,
        };
        let Err(error) = signed else { return Ok(()) };
        match error.kind() {
            Kind::Unavailable | Kind::OutcomeUnknown => {}
            _ => {
                if let Some(own) = &own {
                    self.abandon_certificate(own, &error.to_string()).await;
                }
                self.fail_authority(authority, &error.to_string()).await?;
                self.drop_authority_key(key, &error).await?;
            }
        }
        Err(error)
    }

    async fn request_certificate(
        &self,
        actor: &Actor,
        token: &Token,
        authority: &Authority,
        key: &Key,
    ) -> Result<(), Error> {
        failpoint::reached("authority-csr-before");
        let csr = self.signed_csr(token, key, &authority.spec, authority.scheme).await?;
        failpoint::reached("authority-csr-after");
        let (actor, handle, now) = (actor.clone(), authority.handle, self.now());
        let requested: Result<Authority, Error> = self
            .0
            .store
            .write(move |tx| transition(tx, &actor, handle, [Command::Requested { csr }], now))
            .await;
        requested.map(drop)
    }

    pub(super) async fn fail_authority(&self, authority: &Authority, reason: &str) -> Result<(), Error> {
        let (handle, reason, now) = (authority.handle, reason.to_owned(), self.now());
        let failed: Result<Authority, Error> = self
            .0
            .store
            .write(move |tx| transition(tx, &Actor::System, handle, [Command::Fail { reason }], now))
            .await;
        failed.map(drop)
    }

    /// A key that gave a wrong signature is kept for whoever looks into it, another one destroyed.
    async fn drop_authority_key(&self, key: &Key, error: &Error) -> Result<(), Error> {
        let (key, now) = (key.clone(), self.now());
        let keep = error.code() == WRONG_SIGNATURE;
        let doomed: Result<Option<Key>, Error> = self
            .0
            .store
            .write(move |tx| {
                if keep {
                    tx.set_key_state(key.handle, KeyState::Quarantined, now)?;
                    return Ok(None);
                }
                decide_destruction(tx, &Actor::System, now, key).map(Some)
            })
            .await;
        match doomed? {
            Some(key) => self.finish_destruction(key).await.map(drop),
            None => Ok(()),
        }
    }
}
