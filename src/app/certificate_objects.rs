//! Certificates on tokens, beside their keys, where the configuration wants them: at most one per key,
//! so that whoever looks by CKA_ID finds the one in use.
//!
//! What the token shall have is journalled before it is asked, in the transaction that marries or
//! retires; asking it again changes nothing. So whatever interrupts the work is made good by the next
//! run, and the reconciler starts one for every token that is not as it shall be.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use serde_json::json;

use super::keys::key_event;
use super::{App, Caller, Error, Kind, Token, TokenStatus, failpoint};
use crate::domain::audit::Actor;
use crate::domain::certificate::object_fields;
use crate::domain::clock::Timestamp;
use crate::domain::id::{Handle, KeyId};
use crate::domain::key::{Key, KeyState};
use crate::domain::signing_request::State;
use crate::hsm::{CertificateChange, CertificateObject};
use crate::store::{CertificateBrief, CertificateIntent, Tx};

/// A marriage waits so long for the token; it stands without it.
const PATIENCE: Duration = Duration::from_secs(5);

/// A token that refused a certificate is asked again after so long, in milliseconds, or when an operator
/// reconciles: on a full disk each try costs SoftHSM 2.6.1 an object without a name, which nobody but the
/// operator may remove.
const RETRY_MILLIS: i64 = 60 * 60 * 1000;

/// Code of the error that a full token answers.
const FULL: &str = "hsm.full";
/// Code of the error for a token that is not asked now.
const REFUSED: &str = "certificate.refused";

/// Certificates found on a token, by the CKA_ID of their key: SHA-256 of each.
pub(super) type FoundCertificates = BTreeMap<KeyId, Vec<[u8; 32]>>;

/// Whether a certificate that is wanted on a token is known to be there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OnToken {
    /// It is.
    Written,
    /// It will be, when the token can.
    Pending,
}

/// What is to be done for one key.
struct Task {
    key: Key,
    wanted: Option<(Handle, CertificateObject)>,
    obsolete: Vec<[u8; 32]>,
}

impl App {
    /// Where the certificate of a signing request is; `None` when no token shall have it.
    ///
    /// # Errors
    /// [`Kind::NotFound`], or the index cannot be read.
    pub async fn certificate_on_token(
        &self,
        caller: &Caller,
        request: Handle,
    ) -> Result<Option<OnToken>, Error> {
        let caller = caller.clone();
        let intent: Result<Option<CertificateIntent>, Error> = self
            .0
            .store
            .read(move |view| {
                let key = caller.signing_request(view, request)?.key;
                Ok(key.map(|key| view.certificate_intent(key)).transpose()?.flatten())
            })
            .await;
        Ok(intent?.filter(|intent| intent.request == Some(request)).map(|intent| match intent.settled_at {
            Some(_) => OnToken::Written,
            None => OnToken::Pending,
        }))
    }

    /// Asks the token for what was journalled, and waits a little. A token that cannot be asked now
    /// has it done by its reconciliation.
    pub(super) async fn settle_certificate_soon(&self, key: Handle, token: &str) {
        let Some(token) = self.configured_token(token) else { return };
        let TokenStatus::Up { info, .. } = token.status() else { return };
        if !self.health(token.name()).is_ready(&info) {
            return;
        }
        let app = self.clone();
        // In a task of its own, so that what the token did is recorded even if it takes longer.
        let settling = tokio::spawn(async move {
            if let Err(error) = app.settle_certificate(&token, key).await {
                tracing::warn!(token = token.name(), %key, %error, "the certificate is not on the token yet");
            }
        });
        let _ = tokio::time::timeout(PATIENCE, settling).await;
    }

    /// Brings the certificates on a token to what they shall be. Answers how many keys are left for
    /// the next time: what the token refuses for one certificate is no reason to stop using its keys.
    ///
    /// # Errors
    /// The index cannot be used now.
    pub(super) async fn settle_certificates(
        &self,
        token: &Token,
        found: &FoundCertificates,
    ) -> Result<usize, Error> {
        let unsettled = self.unsettled_keys(token, found).await?;
        let mut pending = unsettled.len();
        for key in unsettled {
            let Err(error) = self.settle_certificate(token, key).await else {
                pending -= 1;
                continue;
            };
            if error.code().starts_with("store.") {
                return Err(error);
            }
            tracing::warn!(token = token.name(), %key, %error, "a certificate is not as it shall be");
            match error.kind() {
                // A module that dies of certificates would die again in each new worker.
                Kind::OutcomeUnknown => {
                    self.note_refusal(token, Some(self.now()));
                    break;
                }
                Kind::Unavailable if error.code() != FULL && error.code() != REFUSED => break,
                _ => {}
            }
        }
        Ok(pending)
    }

    /// The keys beside which the token has not what it shall have, or it is not known to.
    async fn unsettled_keys(&self, token: &Token, found: &FoundCertificates) -> Result<Vec<Handle>, Error> {
        let (name, write) = (token.name().to_owned(), self.rules(token.name()).write_certificates);
        let known: Result<_, Error> = self
            .0
            .store
            .read(move |view| {
                let intents = view.certificate_intents(&name)?;
                // Most installations never write any.
                if intents.is_empty() && !write {
                    return Ok((intents, Vec::new(), Vec::new()));
                }
                Ok((intents, view.certificates_on_token(&name)?, view.keys_on_token(&name)?))
            })
            .await;
        let (intents, briefs, keys) = known?;
        let intents: BTreeMap<Handle, CertificateIntent> =
            intents.into_iter().map(|intent| (intent.key, intent)).collect();
        let mut by_key: BTreeMap<Handle, Vec<CertificateBrief>> = BTreeMap::new();
        for brief in briefs {
            by_key.entry(brief.key).or_default().push(brief);
        }
        let none = Vec::new();
        let unsettled = keys.into_iter().filter(|key| is_there(key.state)).filter(|key| {
            let (intent, briefs) = (intents.get(&key.handle), by_key.get(&key.handle).unwrap_or(&none));
            let wanted = certificate_in_use(briefs, intent, write);
            if wanted.is_none() && intent.is_none() {
                return false;
            }
            let known: BTreeSet<_> = briefs.iter().map(|brief| brief.sha256).collect();
            let ours = found.get(&key.id).into_iter().flatten().filter(|sha256| known.contains(*sha256));
            let as_wanted = ours.eq(wanted.iter().map(|wanted| &wanted.sha256));
            let recorded = intent.is_some_and(|intent| {
                intent.settled_at.is_some() && intent.request == wanted.map(|wanted| wanted.request)
            });
            !(as_wanted && recorded)
        });
        Ok(unsettled.map(|key| key.handle).collect())
    }

    /// Brings the certificates beside one key to what they shall be.
    async fn settle_certificate(&self, token: &Token, key: Handle) -> Result<(), Error> {
        let write = self.rules(token.name()).write_certificates;
        loop {
            let task: Result<Option<Task>, Error> = self.0.store.write(move |tx| task(tx, key, write)).await;
            let Some(Task { key, wanted, obsolete }) = task? else { return Ok(()) };
            if wanted.is_some() {
                self.must_not_have_refused(token)?;
            }
            let (request, certificate) = wanted.unzip();
            failpoint::reached("certificate-before");
            let change = token.set_certificate(key.id, certificate, obsolete).await.map_err(Error::from);
            self.note_room(token, &change);
            let change = change?;
            failpoint::reached("certificate-after");
            let (handle, now) = (key.handle, self.now());
            let event = key_event(
                if request.is_some() { "key.certificate-written" } else { "key.certificate-removed" },
                handle,
                json!({
                    "token": key.token, "id": key.id.to_string(), "request": request,
                    "written": change.written, "removed": change.removed,
                }),
            );
            let settled: Result<bool, Error> = self
                .0
                .store
                .write(move |tx| {
                    let certificates = tx.certificates_of_key(handle)?;
                    let intent = tx.certificate_intent(handle)?;
                    let wanted = certificate_in_use(&certificates, intent.as_ref(), write);
                    if wanted.map(|wanted| wanted.request) != request {
                        // Another one came, or this one was retired, while the token was at it.
                        return Ok(false);
                    }
                    match request {
                        Some(_) => tx.put_certificate_intent(&CertificateIntent {
                            key: handle,
                            request,
                            settled_at: Some(now),
                        })?,
                        None => tx.forget_certificate_intent(handle)?,
                    }
                    tx.append_audit(&Actor::System, now, &event)?;
                    Ok(true)
                })
                .await;
            if settled? {
                return Ok(());
            }
        }
    }
}

impl App {
    fn must_not_have_refused(&self, token: &Token) -> Result<(), Error> {
        let since = self.now().plus_millis(-RETRY_MILLIS);
        match self.health(token.name()).certificate_refused_at {
            Some(at) if at > since => {
                let message = format!(
                    "token `{}` did not take a certificate at {at}; it is asked again an hour later, \
                     or by `strongroom key reconcile`",
                    token.name()
                );
                Err(Error::new(Kind::Unavailable, REFUSED, message))
            }
            _ => Ok(()),
        }
    }

    fn note_room(&self, token: &Token, change: &Result<CertificateChange, Error>) {
        let full = change.as_ref().is_err_and(|error| error.code() == FULL);
        if full || change.is_ok() {
            self.note_refusal(token, full.then(|| self.now()));
        }
    }

    fn note_refusal(&self, token: &Token, at: Option<Timestamp>) {
        self.0.health.update(token.name(), |health| health.certificate_refused_at = at);
    }
}

/// Journals what the token shall have beside a key, after a marriage or the end of a request. Answers
/// whether that is something else than before.
pub(super) fn intend_certificate(tx: &Tx, key: Handle, write: bool) -> Result<bool, Error> {
    let intent = tx.certificate_intent(key)?;
    let certificates = tx.certificates_of_key(key)?;
    let request = certificate_in_use(&certificates, intent.as_ref(), write).map(|wanted| wanted.request);
    let changes = match intent {
        Some(intent) => intent.request != request,
        None => request.is_some(),
    };
    if changes {
        tx.put_certificate_intent(&CertificateIntent { key, request, settled_at: None })?;
    }
    Ok(changes)
}

/// What is to be done for a key, journalled; `None` when nothing is, or the key is not there.
fn task(tx: &Tx, key: Handle, write: bool) -> Result<Option<Task>, Error> {
    let Some(key) = tx.key(key)?.filter(|key| is_there(key.state)) else { return Ok(None) };
    intend_certificate(tx, key.handle, write)?;
    let Some(intent) = tx.certificate_intent(key.handle)? else { return Ok(None) };
    tx.put_certificate_intent(&CertificateIntent { settled_at: None, ..intent })?;
    let certificates = tx.certificates_of_key(key.handle)?;
    let obsolete = certificates
        .iter()
        .filter(|certificate| Some(certificate.request) != intent.request)
        .map(|certificate| certificate.sha256)
        .collect();
    let wanted = match intent.request {
        Some(request) => {
            let certificate =
                tx.certificate(request)?.ok_or_else(|| Error::not_found("certificate of", request))?;
            Some((request, object_of(&key, certificate.leaf)?))
        }
        None => None,
    };
    Ok(Some(Task { key, wanted, obsolete }))
}

fn object_of(key: &Key, der: Vec<u8>) -> Result<CertificateObject, Error> {
    let fields = object_fields(&der).ok_or_else(|| {
        Error::new(Kind::Bug, "bug", format!("a certificate of key {} is none", key.handle))
    })?;
    Ok(CertificateObject {
        label: key.handle.to_string(),
        subject: fields.subject,
        issuer: fields.issuer,
        serial: fields.serial,
        der,
    })
}

/// Of the issued certificates of a key, the one whose validity begins last. Where nothing is to be
/// written, only what was written before and is still in use.
fn certificate_in_use<'a>(
    certificates: &'a [CertificateBrief],
    intent: Option<&CertificateIntent>,
    write: bool,
) -> Option<&'a CertificateBrief> {
    let issued = certificates.iter().filter(|certificate| certificate.state == State::Issued);
    issued
        .filter(|certificate| {
            write || intent.is_some_and(|intent| intent.request == Some(certificate.request))
        })
        .max_by_key(|certificate| (certificate.not_before, certificate.request))
}

/// Whether a certificate has its key beside it.
fn is_there(state: KeyState) -> bool {
    matches!(state, KeyState::Present | KeyState::Recovered)
}
