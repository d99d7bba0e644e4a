//! Backing up the index while it is in use.

use serde_json::json;

use super::{App, Caller, Error, Snapshot};
use crate::domain::audit::Event;

impl App {
    /// Copies the index. The record of it is in the copy, too: that a backup was made is known wherever
    /// it is restored.
    ///
    /// # Errors
    /// Another copy is being made, there is no room for one, or the index is not sound.
    pub async fn back_up(&self, caller: &Caller) -> Result<Snapshot, Error> {
        let (actor, now) = (caller.actor(), self.now());
        let event = Event { action: "index.backed-up", subject: "index".to_owned(), detail: json!({}) };
        let recorded: Result<(), Error> =
            self.0.store.write(move |tx| Ok(tx.append_audit(&actor, now, &event)?)).await;
        recorded?;
        Ok(self.0.store.snapshot().await?)
    }
}
