//! What monitoring counts.

use super::error::Error;
use super::view::View;
use crate::domain::clock::Timestamp;
use crate::domain::id::Handle;
use crate::domain::key::KeyState;
use crate::domain::signing_request::State;

/// How many closures wait for the threads of the index.
#[derive(Clone, Copy, Debug)]
pub struct QueueLengths {
    /// For the one that writes.
    pub writer: usize,
    /// For those that read.
    pub readers: usize,
}

/// How much there is of what.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Counts {
    /// Keys by state; states without any are left out.
    pub keys: Vec<(KeyState, i64)>,
    /// Signing requests by state; states without any are left out.
    pub requests: Vec<(State, i64)>,
    /// Pending signing requests made at or after each of the times that were asked for.
    pub pending_since: Vec<i64>,
    /// Messages that each webhook has still to be sent.
    pub webhook_backlog: Vec<(String, i64)>,
    /// Number and time of the newest audit record.
    pub newest_record: Option<(i64, Timestamp)>,
}

impl View {
    /// Counts; `since` are the times for [`Counts::pending_since`]. Reads every entry of an index, so ask
    /// now and then only: some milliseconds at 100,000 signing requests.
    pub fn counts(&self, since: &[Timestamp]) -> Result<Counts, Error> {
        let keys = self.all("SELECT state, count(*) FROM keys GROUP BY state", [], |row| {
            Ok((row.get(0)?, row.get(1)?))
        })?;
        let requests =
            self.all("SELECT state, count(*) FROM signing_requests GROUP BY state", [], |row| {
                Ok((row.get(0)?, row.get(1)?))
            })?;
        let mut pending_since = Vec::new();
        for time in since {
            // Handles are in the order of time: the index alone answers.
            let first = Handle::new(*time, [0; 10]);
            let sql = "SELECT count(*) FROM signing_requests WHERE state = ?1 AND handle >= ?2";
            let count = self.optional(sql, (State::Pending, first), |row| row.get(0))?;
            pending_since.push(count.unwrap_or_default());
        }
        let webhook_backlog = self.all(BACKLOG, [], |row| Ok((row.get(0)?, row.get(1)?)))?;
        let newest_record =
            self.optional("SELECT seq, at FROM audit ORDER BY seq DESC LIMIT 1", [], |row| {
                Ok((row.get(0)?, row.get(1)?))
            })?;
        Ok(Counts { keys, requests, pending_since, webhook_backlog, newest_record })
    }
}

const BACKLOG: &str =
    "SELECT webhook, (SELECT count(*) FROM webhook_deliveries d WHERE d.webhook = s.webhook)
                       FROM (SELECT DISTINCT webhook FROM webhook_subscriptions) s ORDER BY webhook";

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::signing_request::SigningRequest;
    use crate::store::testing::{TestStore, at, request};

    #[tokio::test]
    async fn pending_requests_are_counted_by_their_age() {
        let store = TestStore::with_principal();
        store
            .write(|tx| {
                (1..=5).try_for_each(|n| {
                    let state = if n == 5 { State::Failed } else { State::Pending };
                    tx.insert_signing_request(&SigningRequest { state, ..request(n) }, &[])
                })
            })
            .await
            .unwrap();
        let counts = store.read(|view| view.counts(&[at(4), at(2), at(0)])).await.unwrap();
        assert_eq!(counts.pending_since, [1, 3, 4]);
        assert_eq!(counts.requests, [(State::Failed, 1), (State::Pending, 4)]);
        assert_eq!((counts.keys, counts.newest_record), (vec![], None));
    }
}
