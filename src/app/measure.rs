//! What monitoring is told of the appliance as a whole.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Mutex;
use tokio::time::Instant;

use super::{App, Error, Token};
use crate::domain::clock::Timestamp;
use crate::store::{Counts, QueueLengths};

/// The index is counted at most so often: a dashboard that is open twice should cost it nothing.
const COUNTED_FOR: Duration = Duration::from_secs(15);

const HOUR: i64 = 60 * 60 * 1000;
const DAY: i64 = 24 * HOUR;

/// How old a pending request may be, in milliseconds, and the name of that age.
pub const AGES: [(i64, &str); 4] = [(HOUR, "1h"), (DAY, "1d"), (7 * DAY, "7d"), (30 * DAY, "30d")];

/// What was counted last.
pub(super) type Counted = Mutex<Option<(Instant, Arc<Counts>)>>;

/// What monitoring is told.
pub struct Measurements {
    /// When.
    pub now: Timestamp,
    /// Every configured token.
    pub tokens: Vec<Token>,
    /// Closures that wait for the index.
    pub index_queues: QueueLengths,
    /// Keys that are being made.
    pub being_made: usize,
    /// What the index holds, as of up to 15 s ago; pending requests by [`AGES`].
    pub counts: Arc<Counts>,
}

impl App {
    /// Measures.
    ///
    /// # Errors
    /// The index cannot be read.
    pub async fn measure(&self) -> Result<Measurements, Error> {
        Ok(Measurements {
            now: self.now(),
            tokens: self.0.hsm.tokens().cloned().collect(),
            index_queues: self.0.store.queue_lengths(),
            being_made: self.0.drivers.count(),
            counts: self.counts().await?,
        })
    }

    async fn counts(&self) -> Result<Arc<Counts>, Error> {
        // Held while counting: whoever asks meanwhile waits for this count and takes it.
        let mut counted = self.0.counted.lock().await;
        if let Some((at, counts)) = &*counted
            && at.elapsed() < COUNTED_FOR
        {
            return Ok(Arc::clone(counts));
        }
        let since = AGES.map(|(age, _)| self.now().plus_millis(-age));
        let counts: Result<_, Error> = self.0.store.read(move |view| Ok(view.counts(&since)?)).await;
        let counts = Arc::new(counts?);
        *counted = Some((Instant::now(), Arc::clone(&counts)));
        Ok(counts)
    }
}
