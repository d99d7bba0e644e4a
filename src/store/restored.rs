//! An index that was put back knows less than was known: what it would do by itself and nobody could
//! undo is held, and what was decided for ever since then is found in the index that it replaces.

use std::path::Path;

use crate::domain::clock::Timestamp;
use crate::domain::id::Handle;
use crate::domain::key_life::Compromise;

use super::credentials::{Credential, credential};
use super::error::Error;
use super::view::{Tx, View};
use super::{connection, migrations};

/// What an index says that no later decision takes back.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ForEver {
    /// Credentials that do not count any more, and since when.
    pub revoked: Vec<(Credential, Timestamp)>,
    /// Keys that somebody else may have.
    pub compromised: Vec<(Handle, Compromise)>,
}

/// Reads what an index says for ever, and changes nothing.
///
/// # Errors
/// `NotOurs`, `NewerSchema`, `Corrupt`, or what keeps it from being read: an older schema, too.
pub fn decided_for_ever(index: &Path) -> Result<ForEver, Error> {
    let read = || {
        let connection = connection::open_reader(index)?;
        migrations::check(&connection)?;
        View::new(connection).for_ever()
    };
    read().map_err(|error: Error| error.at(index))
}

impl View {
    fn for_ever(&self) -> Result<ForEver, Error> {
        let revoked = self.all("SELECT * FROM credentials WHERE revoked_at IS NOT NULL", [], |row| {
            Ok((credential(row)?, row.get("revoked_at")?))
        })?;
        let compromised = self.all(
            "SELECT handle, compromised_at, compromise FROM keys WHERE compromised_at IS NOT NULL",
            [],
            |row| Ok((row.get(0)?, Compromise { at: row.get(1)?, reason: row.get(2)? })),
        )?;
        Ok(ForEver { revoked, compromised })
    }
}

impl Tx {
    /// Takes the time of their destruction from retired keys, which stay retired; answers whose.
    pub fn hold_destructions(&self) -> Result<Vec<Handle>, Error> {
        let scheduled = "destroy_after IS NOT NULL AND state NOT IN ('destroying', 'destroyed')";
        let sql = format!("SELECT handle FROM keys WHERE {scheduled} ORDER BY handle");
        let held = self.all(&sql, [], |row| row.get(0))?;
        let sql =
            format!("UPDATE keys SET destroy_after = NULL, destroy_after_lived = NULL WHERE {scheduled}");
        self.execute(&sql, [])?;
        Ok(held)
    }

    /// Has unfinished signing requests continued and not undone: what became of them is not known here,
    /// and the CSR may have been answered.
    pub fn continue_unfinished_signing_requests(&self) -> Result<(), Error> {
        let sql = "UPDATE signing_requests SET continues = 1 WHERE state IN ('intent', 'generated')";
        self.execute(sql, []).map(drop)
    }
}

#[cfg(test)]
mod tests {
    use crate::domain::key::KeyState;
    use crate::domain::signing_request::{SigningRequest, State};
    use crate::store::Deadline;
    use crate::store::testing::{TestStore, at, handle, key, request};

    #[tokio::test]
    async fn no_key_has_a_time_of_destruction_any_more_and_a_decided_one_goes_on() {
        let store = TestStore::new();
        let held = store.write(|tx| {
            for n in 1..=3 {
                tx.insert_key(&key(n))?;
                let deadline = Deadline { after: at(100), after_lived: 50 };
                tx.retire_key(handle(n), at(1), (n != 2).then_some(deadline))?;
            }
            tx.set_key_state(handle(3), KeyState::Destroying, at(2))?;
            tx.hold_destructions()
        });
        assert_eq!(held.await.unwrap(), [handle(1)]);
        let left = store.read(|view| view.life_of_key(handle(1))).await.unwrap().unwrap();
        assert_eq!((left.retired_at, left.destroy_after), (Some(at(1)), None));
        assert_eq!(store.read(|view| view.keys_due("token", at(1000), 1000)).await.unwrap(), []);
    }

    #[tokio::test]
    async fn only_what_is_unfinished_is_continued() {
        let store = TestStore::with_principal();
        let states = [State::Intent, State::Generated, State::Pending];
        store
            .write(move |tx| {
                for (n, state) in (1..).zip(states) {
                    let request = SigningRequest { state, continues: false, ..request(n) };
                    tx.insert_signing_request(&request, &[])?;
                }
                tx.continue_unfinished_signing_requests()
            })
            .await
            .unwrap();
        for (n, continues) in [(1, true), (2, true), (3, false)] {
            let request = store.read(move |view| view.signing_request(handle(n))).await.unwrap().unwrap();
            assert_eq!(request.continues, continues, "{}", request.state);
        }
    }
}
