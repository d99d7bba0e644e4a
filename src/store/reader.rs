//! The threads that read.

use crossbeam_channel::Receiver;
use rusqlite::{Transaction, TransactionBehavior};

use super::jobs::Work;
use super::view::View;

/// Runs one closure. Its transaction makes all that it reads one state of the index.
pub(super) fn serve(view: &View, work: Work<View>, _queue: &Receiver<Work<View>>) {
    match Transaction::new_unchecked(view.connection(), TransactionBehavior::Deferred) {
        Ok(snapshot) => {
            let ran = work.run(view);
            // Released before the answer: an old snapshot keeps the log from being cleared.
            drop(snapshot);
            ran.answer(Ok(()));
        }
        Err(error) => work.refuse(error.into()),
    }
}
