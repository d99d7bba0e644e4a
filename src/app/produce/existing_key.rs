//! A CSR for a key that is there. The token only signs, which leaves nothing behind: sign first,
//! then one transaction.

use super::{Made, Wish, insert_request};
use crate::app::idempotency::IdempotencyKey;
use crate::app::{App, Caller, Error, Kind};
use crate::domain::id::Handle;
use crate::domain::key::{Key, KeyState, Purpose};
use crate::domain::signing_request::{Command, KeySource, SigningRequest, State};

impl App {
    pub(super) async fn sign_with(
        &self,
        caller: &Caller,
        wish: Wish,
        key: Handle,
        idempotency: Option<IdempotencyKey>,
    ) -> Result<Made, Error> {
        let key = self.usable_key(caller, key).await?;
        wish.spec.validate_for(key.kind).map_err(Error::invalid)?;
        let scheme = key.kind.scheme_with(wish.digest, wish.padding)?;
        let token = self.token(&key.token)?;
        self.usable(&token).await?;

        let signed = self.signed_csr(&token, &key, &wish.spec, scheme).await?;

        let now = self.now();
        let request = SigningRequest {
            handle: self.new_handle()?,
            tenant: caller.tenant,
            principal: caller.principal,
            token: key.token.clone(),
            kind: key.kind,
            scheme,
            spec: wish.spec,
            key_source: KeySource::Existing,
            renews: wish.renews,
            continues: false,
            state: State::Intent,
            key: None,
            csr: None,
            failure: None,
            created_at: now,
            updated_at: now,
        };
        let caller = caller.clone();
        self.0
            .store
            .write(move |tx| {
                // Again, inside the transaction: the key may be on its way out by now.
                let key = caller.key(tx, key.handle)?;
                must_be_present(&key)?;
                let actor = caller.actor();
                tx.append_audit(&actor, now, &request.intent_event())?;
                let (request, generated) = request.apply(Command::Generated { key: key.handle }, now)?;
                tx.append_audit(&actor, now, &generated)?;
                let (request, pending) = request.apply(Command::Signed { csr: signed }, now)?;
                tx.append_audit(&actor, now, &pending)?;
                insert_request(tx, &request, idempotency.as_ref())?;
                Ok(Made { request, key })
            })
            .await
    }

    async fn usable_key(&self, caller: &Caller, handle: Handle) -> Result<Key, Error> {
        let key = self.key(caller, handle).await?;
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
}

fn must_be_present(key: &Key) -> Result<(), Error> {
    match key.state {
        KeyState::Present | KeyState::Recovered => Ok(()),
        KeyState::Missing | KeyState::Quarantined | KeyState::Destroying | KeyState::Destroyed => {
            Err(Error::new(
                Kind::Conflict,
                "key.state",
                format!("key {} is {} and cannot sign", key.handle, key.state),
            ))
        }
    }
}
