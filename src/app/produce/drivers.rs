//! Which signing requests are being worked on in this process, and who waits for them. One request
//! has at most one driver: the client's task, a resumed one and the reconciler never meet.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::watch;

use super::Made;
use crate::app::{Error, Kind};
use crate::domain::id::Handle;

/// What came out: shared by everyone who waits.
pub type Outcome = Result<Made, Error>;

/// More than this many at once is overload, not load. Fewer than a token's queue of mutations takes:
/// what is accepted must find a place in it.
const MOST: usize = 192;

/// The drivers of this process, by signing request.
#[derive(Clone, Default)]
pub struct Drivers(Arc<Mutex<Running>>);

type Running = HashMap<Handle, watch::Receiver<Option<Outcome>>>;

/// The right to work on one signing request. Given up when dropped.
pub struct Driver {
    handle: Handle,
    outcome: watch::Sender<Option<Outcome>>,
    drivers: Drivers,
}

impl Drivers {
    /// Claims a signing request.
    ///
    /// # Errors
    /// [`Kind::Conflict`] when it has a driver; [`Kind::Unavailable`] when there are too many.
    pub fn enlist(&self, handle: Handle) -> Result<Driver, Error> {
        let mut running = self.running();
        if running.contains_key(&handle) {
            let message = format!("signing request {handle} is being worked on");
            return Err(Error::new(Kind::Conflict, "signing-request.busy", message).about(handle));
        }
        if running.len() >= MOST {
            let message = format!("{MOST} keys are being made already; try again later");
            return Err(Error::new(Kind::Unavailable, "overload", message));
        }
        let (outcome, receiver) = watch::channel(None);
        running.insert(handle, receiver);
        Ok(Driver { handle, outcome, drivers: self.clone() })
    }

    /// Waits for the outcome of a request's driver. `None`: it has no driver, or is not finished in
    /// time; the index knows more.
    pub async fn outcome_within(&self, handle: Handle, patience: Duration) -> Option<Outcome> {
        let mut receiver = self.running().get(&handle)?.clone();
        let outcome = tokio::time::timeout(patience, receiver.wait_for(Option::is_some)).await.ok()?.ok()?;
        outcome.clone()
    }

    /// How many requests have a driver.
    pub fn count(&self) -> usize {
        self.running().len()
    }

    /// Whether a request has a driver.
    pub fn has(&self, handle: Handle) -> bool {
        self.running().contains_key(&handle)
    }

    fn running(&self) -> MutexGuard<'_, Running> {
        // The map is whole after any single operation, so a panic elsewhere does not spoil it.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Driver {
    /// Tells everyone who waits; the log, when nobody does.
    pub fn finish(self, outcome: Outcome) {
        // One receiver is the map's own.
        if let Err(error) = &outcome
            && self.outcome.receiver_count() <= 1
        {
            tracing::warn!(request = %self.handle, %error, code = error.code(), "nobody waits for this outcome");
        }
        self.outcome.send_replace(Some(outcome));
    }
}

impl Drop for Driver {
    fn drop(&mut self) {
        self.drivers.running().remove(&self.handle);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::clock::Timestamp;

    fn handle(n: u8) -> Handle {
        Handle::new(Timestamp::from_millis(1), [n; 10])
    }

    #[tokio::test]
    async fn a_request_has_one_driver_and_many_who_wait() {
        let drivers = Drivers::default();
        let driver = drivers.enlist(handle(1)).unwrap();
        assert_eq!(drivers.enlist(handle(1)).err().map(|e| e.kind()), Some(Kind::Conflict));

        let waiting: Vec<_> = (0..3)
            .map(|_| {
                let drivers = drivers.clone();
                tokio::spawn(async move { drivers.outcome_within(handle(1), Duration::from_secs(5)).await })
            })
            .collect();
        tokio::task::yield_now().await;
        driver.finish(Err(Error::bug("planned")));
        for one in waiting {
            assert_eq!(one.await.unwrap().unwrap().unwrap_err().kind(), Kind::Bug);
        }
        assert!(!drivers.has(handle(1)));
    }

    #[tokio::test]
    async fn a_driver_that_dies_leaves_nobody_waiting() {
        let drivers = Drivers::default();
        let driver = drivers.enlist(handle(1)).unwrap();
        let waiting = drivers.outcome_within(handle(1), Duration::from_secs(60));
        drop(driver);
        assert!(waiting.await.is_none());
        assert!(drivers.enlist(handle(1)).is_ok());
    }
}
