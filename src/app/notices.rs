//! What others are told by webhook: written down in the transaction of what happened, sent later.
//!
//! Whoever has something to tell calls [`tell`]. That nobody listens costs one look at the index.

use std::time::Duration;

use serde_json::{Value, json};

use super::{App, Error, system};
use crate::domain::access::TenantId;
use crate::domain::clock::Timestamp;
use crate::domain::id::Handle;
use crate::domain::signing_request::{SigningRequest, State};
use crate::domain::webhook::{Notice, Topic};
use crate::store::{Expiring, Tx};

/// Milliseconds.
const DAY: i64 = 24 * 3_600_000;
/// Between two looks at certificates that end soon: they end in days.
const LOOK_EVERY: Duration = Duration::from_secs(60);
/// Certificates told of in one transaction.
const BATCH: usize = 200;

/// Has every webhook that wants to know told of `subject`, a handle or name. `data` is a JSON object
/// without secrets and personal values.
///
/// # Errors
/// The index, or the operating system gives no random numbers.
pub(super) fn tell(
    tx: &Tx,
    topic: Topic,
    subject: String,
    tenant: Option<TenantId>,
    now: Timestamp,
    data: Value,
) -> Result<(), Error> {
    let id = Handle::new(now, system::random()?);
    Ok(tx.tell(&Notice { id, topic, subject, tenant, at: now, data })?)
}

/// Tells what became of a signing request.
///
/// # Errors
/// As for [`tell`].
pub(super) fn tell_of_request(tx: &Tx, request: &SigningRequest, now: Timestamp) -> Result<(), Error> {
    let topic = match request.state {
        State::AwaitingApproval => Topic::ApprovalWaiting,
        State::Pending => Topic::SigningRequestPending,
        State::Issued => Topic::SigningRequestIssued,
        State::Failed => Topic::SigningRequestFailed,
        State::Intent
        | State::Generated
        | State::Retired
        | State::Rejected
        | State::Cancelled
        | State::Quarantined => return Ok(()),
    };
    let data = json!({ "kind": request.kind, "token": request.token, "renews": request.renews });
    tell(tx, topic, request.handle.to_string(), Some(request.tenant), now, data)
}

impl App {
    /// Tells that a token ceased to work, or that it works.
    pub(super) async fn tell_of_token(&self, token: &str, works: bool) {
        let (subject, now) = (token.to_owned(), self.now());
        let topic = if works { Topic::TokenUp } else { Topic::TokenDown };
        let told: Result<(), Error> =
            self.0.store.write(move |tx| tell(tx, topic, subject, None, now, json!({}))).await;
        if let Err(error) = told {
            tracing::warn!(token, %error, "a change of the token could not be told");
        }
    }

    /// Looks again and again for certificates that end soon.
    pub(super) async fn watch_certificates(&self) {
        loop {
            if let Err(error) = self.tell_of_expiring().await {
                tracing::warn!(%error, "it could not be told which certificates end soon");
            }
            tokio::time::sleep(LOOK_EVERY).await;
        }
    }

    /// Tells of certificates in use that end soon: of each once for every number of days that the
    /// configuration names. A number that passed while nobody looked is left out.
    ///
    /// # Errors
    /// The index; what was not told yet is told by the next run.
    async fn tell_of_expiring(&self) -> Result<(), Error> {
        let subscribed: Result<bool, Error> =
            self.0.store.read(|view| Ok(view.is_subscribed(Topic::CertificateExpiring)?)).await;
        if !subscribed? {
            return Ok(());
        }
        let mut nearer = 0;
        for &days in &self.0.life.expiry_notice_days {
            while self.tell_of_ending(nearer, days).await? == BATCH {}
            nearer = days;
        }
        Ok(())
    }

    async fn tell_of_ending(&self, nearer: u32, days: u32) -> Result<usize, Error> {
        let now = self.now();
        let ahead = |days: u32| now.plus_millis(i64::from(days) * DAY);
        let (from, until) = (ahead(nearer), ahead(days));
        self.0
            .store
            .write(move |tx| {
                let expiring = tx.expiring(from, until, days, BATCH)?;
                for certificate in &expiring {
                    tx.note_expiry_told(certificate.request, days)?;
                    tell_of_end(tx, certificate, days, now)?;
                }
                Ok(expiring.len())
            })
            .await
    }
}

fn tell_of_end(tx: &Tx, certificate: &Expiring, days: u32, now: Timestamp) -> Result<(), Error> {
    let data = json!({
        "not_after": certificate.not_after,
        "days": days,
        "sha256": hex::encode(certificate.sha256),
        "renewed_by": tx.renewals_of(certificate.request)?,
    });
    let subject = certificate.request.to_string();
    tell(tx, Topic::CertificateExpiring, subject, Some(certificate.tenant), now, data)
}
