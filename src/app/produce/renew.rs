//! A CSR for a key that is there. The token only signs, which leaves nothing behind: sign first,
//! then one transaction.

use serde_json::json;

use super::{Wish, insert_request};
use crate::app::idempotency::IdempotencyKey;
use crate::app::{App, Error, Kind};
use crate::domain::audit::{Actor, Event};
use crate::domain::csr;
use crate::domain::id::Handle;
use crate::domain::key::{Key, KeyState, Purpose};
use crate::domain::signing_request::{Command, KeySource, SigningRequest, State};

/// Code of the error that a token's wrong signature is answered with.
pub(super) const WRONG_SIGNATURE: &str = "hsm.wrong-signature";

impl App {
    pub(super) async fn renew(
        &self,
        principal: Handle,
        wish: Wish,
        key: Handle,
        idempotency: Option<IdempotencyKey>,
    ) -> Result<SigningRequest, Error> {
        let key = self.usable_key(key).await?;
        let scheme = key.kind.scheme_with(wish.digest, wish.padding)?;
        let token = self.token(&key.token)?;
        self.usable(&token).await?;

        let to_be_signed = csr::to_be_signed(&wish.spec, &key.spki).map_err(builder_failed)?;
        let signature = token.sign(key.id, scheme, to_be_signed.clone()).await?;
        let signed = csr::assemble(&to_be_signed, scheme, &signature).map_err(builder_failed)?;
        if let Err(error) = csr::check(&signed, &wish.spec, &key.spki, scheme) {
            self.report_wrong_signature(&key, &error.to_string()).await?;
            return Err(wrong_signature(error));
        }

        let now = self.now();
        let request = SigningRequest {
            handle: self.new_handle()?,
            principal,
            token: key.token.clone(),
            kind: key.kind,
            scheme,
            spec: wish.spec,
            key_source: KeySource::Existing,
            continues: false,
            state: State::Intent,
            key: None,
            csr: None,
            failure: None,
            created_at: now,
            updated_at: now,
        };
        self.0
            .store
            .write(move |tx| {
                // Again, inside the transaction: the key may be on its way out by now.
                let key = tx.key(key.handle)?.ok_or_else(|| Error::not_found("key", key.handle))?;
                must_be_present(&key)?;
                let actor = Actor::Principal(principal);
                tx.append_audit(&actor, now, &request.intent_event())?;
                let (request, generated) = request.apply(Command::Generated { key: key.handle }, now)?;
                tx.append_audit(&actor, now, &generated)?;
                let (request, pending) = request.apply(Command::Signed { csr: signed }, now)?;
                tx.append_audit(&actor, now, &pending)?;
                insert_request(tx, &request, idempotency.as_ref())?;
                Ok(request)
            })
            .await
    }

    async fn usable_key(&self, handle: Handle) -> Result<Key, Error> {
        let key = self.key(handle).await?;
        if key.purpose == Purpose::Sentinel {
            return Err(Error::new(
                Kind::Refused,
                "key.sentinel",
                format!("key {handle} is the sentinel of token `{}` and signs no CSRs", key.token),
            ));
        }
        must_be_present(&key)?;
        Ok(key)
    }

    /// The token signed and the signature is not of that key over those bytes.
    pub(super) async fn report_wrong_signature(&self, key: &Key, what: &str) -> Result<(), Error> {
        tracing::error!(token = key.token, key = %key.handle, what, "the token gave a wrong signature");
        let event = Event {
            action: "token.wrong-signature",
            subject: key.token.clone(),
            detail: json!({ "key": key.handle, "what": what }),
        };
        let now = self.now();
        self.0.store.write(move |tx| tx.append_audit(&Actor::System, now, &event).map_err(Error::from)).await
    }
}

fn must_be_present(key: &Key) -> Result<(), Error> {
    match key.state {
        KeyState::Present | KeyState::Recovered => Ok(()),
        KeyState::Missing | KeyState::Destroying | KeyState::Destroyed => Err(Error::new(
            Kind::Conflict,
            "key.state",
            format!("key {} is {} and cannot sign", key.handle, key.state),
        )),
    }
}

pub(super) fn builder_failed(error: csr::Error) -> Error {
    Error::bug(format!("the CSR cannot be built: {error}")).caused_by(error)
}

pub(super) fn wrong_signature(error: csr::Error) -> Error {
    let message = "the token's signature does not verify; nothing was released, and the operator has to look at the token";
    Error::new(Kind::HsmRefused, WRONG_SIGNATURE, message).caused_by(error)
}
