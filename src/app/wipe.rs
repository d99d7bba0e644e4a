//! What an operator does to a whole token: every key of ours destroyed, the PIN tried once more.

use serde_json::json;

use super::keys::decide_destruction;
use super::watch::wait_until_usable;
use super::{App, Caller, Error, Kind};
use crate::domain::audit::Event;
use crate::domain::key::{Key, KeyState, Purpose};
use crate::hsm;

impl App {
    /// Destroys every key of ours on a token, and its certificate with it; not the sentinel, without
    /// which nobody knew whether the token works. What is not ours is not touched. Decided in one
    /// transaction: what an outage interrupts is finished by the reconciliation. Answers how many keys.
    ///
    /// # Errors
    /// [`Kind::Conflict`] while live signing requests use keys there, unless `force`.
    pub(super) async fn wipe_token(&self, caller: &Caller, name: &str, force: bool) -> Result<usize, Error> {
        let token = self.0.hsm.token(name).ok_or_else(|| Error::not_found("token", name))?;
        wait_until_usable(&self.0.health, &token).await?;
        let (actor, now, name) = (caller.actor(), self.now(), name.to_owned());
        let doomed: Result<Vec<Key>, Error> = self
            .0
            .store
            .write(move |tx| {
                let mut doomed = Vec::new();
                let mut used = 0;
                for brief in tx.keys_on_token(&name)? {
                    let Some(key) = tx.key(brief.handle)? else { continue };
                    if key.purpose == Purpose::Sentinel || key.state == KeyState::Destroyed {
                        continue;
                    }
                    if let Some(authority) = tx.live_authority_of_key(key.handle)? {
                        let message = format!(
                            "authority `{}` lives by a key on token `{name}`; delete the authority first",
                            authority.name
                        );
                        return Err(Error::new(Kind::Conflict, "token.in-use", message));
                    }
                    used += usize::from(!tx.live_requests_of_key(key.handle)?.is_empty());
                    doomed.push(decide_destruction(tx, &actor, now, key)?);
                }
                if used > 0 && !force {
                    let message = format!(
                        "live signing requests use {used} key(s) on token `{name}`; cancel or retire them, or \
                         use force"
                    );
                    return Err(Error::new(Kind::Conflict, "token.in-use", message));
                }
                let detail = json!({ "keys": doomed.len(), "in_use": used, "force": force });
                tx.append_audit(&actor, now, &Event { action: "token.wiped", subject: name, detail })?;
                Ok(doomed)
            })
            .await;
        let doomed = doomed?;
        let count = doomed.len();
        for key in doomed {
            self.finish_destruction(key).await?;
        }
        Ok(count)
    }

    /// Lets the worker of a token try the PIN once more that was refused, or not answered. With a wrong
    /// PIN that costs one of the token's tries.
    ///
    /// # Errors
    /// [`Kind::Conflict`] when the PIN is not what keeps the token down.
    pub(super) async fn try_pin_again(&self, caller: &Caller, name: &str) -> Result<(), Error> {
        let token = self.0.hsm.token(name).ok_or_else(|| Error::not_found("token", name))?;
        match token.until_up().await {
            Err(error) if error.kind() == hsm::Kind::PinRefused => {}
            Err(error) => return Err(error.into()),
            Ok(_) => {
                let message = format!("the PIN of token `{name}` is not refused: there is nothing to reset");
                return Err(Error::new(Kind::Conflict, "token.pin-not-refused", message));
            }
        }
        let (actor, now) = (caller.actor(), self.now());
        let event = Event { action: "token.pin-breaker-reset", subject: name.to_owned(), detail: json!({}) };
        let recorded: Result<(), Error> =
            self.0.store.write(move |tx| Ok(tx.append_audit(&actor, now, &event)?)).await;
        recorded?;
        token.reset_pin_breaker();
        Ok(())
    }
}
