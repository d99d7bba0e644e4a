//! A CSR for a key that is there. The token only signs, which leaves nothing behind: sign first,
//! then one transaction.

use super::order::Order;
use super::{Made, insert_request};
use crate::app::idempotency::IdempotencyKey;
use crate::app::key_life::must_be_usable;
use crate::app::notices::tell_of_request;
use crate::app::{App, Caller, Error, Kind};
use crate::domain::algorithm::Scheme;
use crate::domain::csr::CsrSpec;
use crate::domain::id::Handle;
use crate::domain::key::{Key, KeyState, Purpose};
use crate::domain::signing_request::{Command, State};
use crate::store::View;

impl App {
    pub(super) async fn sign_with(
        &self,
        caller: &Caller,
        order: Order,
        key: Key,
        idempotency: Option<IdempotencyKey>,
    ) -> Result<Made, Error> {
        let signed = self.csr_for(&key, &order.spec, order.scheme).await?;
        let (now, request) = (self.now(), self.begun(caller, order, State::Intent).await?);
        let caller = caller.clone();
        let intended = self.intent_event(&request)?;
        self.0
            .store
            .write(move |tx| {
                // Again, inside the transaction: the key may be on its way out by now.
                let key = caller.key(tx, key.handle)?;
                must_be_able_to_sign(tx, &key)?;
                let actor = caller.actor();
                tx.append_audit(&actor, now, &intended)?;
                let (request, generated) = request.apply(Command::Generated { key: key.handle }, now)?;
                tx.append_audit(&actor, now, &generated)?;
                let (request, pending) = request.apply(Command::Signed { csr: signed }, now)?;
                tx.append_audit(&actor, now, &pending)?;
                insert_request(tx, &request, idempotency.as_ref())?;
                tell_of_request(tx, &request, now)?;
                Ok(Made { request, key: Some(key) })
            })
            .await
    }

    /// A CSR for a key that is there, signed by its token.
    pub(super) async fn csr_for(&self, key: &Key, spec: &CsrSpec, scheme: Scheme) -> Result<Vec<u8>, Error> {
        let token = self.token(&key.token)?;
        self.usable(&token).await?;
        self.signed_csr(&token, key, spec, scheme).await
    }

    pub(super) async fn usable_key(&self, caller: &Caller, handle: Handle) -> Result<Key, Error> {
        let caller = caller.clone();
        self.0
            .store
            .read(move |view| {
                let key = caller.key(view, handle)?;
                if key.purpose == Purpose::Sentinel {
                    return Err(Error::new(
                        Kind::Refused,
                        "key.sentinel",
                        format!("key {handle} is the sentinel of token `{}` and signs no CSRs", key.token),
                    ));
                }
                if key.purpose == Purpose::Authority {
                    let message =
                        format!("key {handle} is an authority's and signs no CSRs of signing requests");
                    return Err(Error::new(Kind::Refused, "key.authority", message));
                }
                must_be_able_to_sign(view, &key)?;
                Ok(key)
            })
            .await
    }
}

/// Refuses a key that is not on its token, retired or compromised.
pub(in crate::app) fn must_be_able_to_sign(view: &View, key: &Key) -> Result<(), Error> {
    match key.state {
        KeyState::Present | KeyState::Recovered => must_be_usable(view, key.handle),
        KeyState::Missing | KeyState::Quarantined | KeyState::Destroying | KeyState::Destroyed => {
            Err(Error::new(
                Kind::Conflict,
                "key.state",
                format!("key {} is {} and cannot sign", key.handle, key.state),
            ))
        }
    }
}
