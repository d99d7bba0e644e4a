//! Work that a client cannot interrupt by hanging up.

use super::error::Failure;
use crate::app;

/// Runs `work` in a task of its own and waits for it. hyper drops a handler whose client is gone, at
/// whichever await it was: between the journal and its driver, or between the token and the journal.
///
/// # Errors
/// Those of `work`, or a bug when it panicked.
pub async fn uninterrupted<T: Send + 'static>(
    work: impl Future<Output = Result<T, Failure>> + Send + 'static,
) -> Result<T, Failure> {
    match tokio::spawn(work).await {
        Ok(outcome) => outcome,
        Err(error) => Err(app::Error::bug(format!("a handler ended early: {error}")).into()),
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tokio::sync::oneshot;

    use super::*;

    #[tokio::test]
    async fn it_goes_on_when_nobody_waits_for_it() {
        let (go_on, told) = oneshot::channel::<()>();
        let (done, ended) = oneshot::channel();
        let work = uninterrupted(async move {
            let _ = told.await;
            let _ = done.send(());
            Ok(())
        });
        assert!(tokio::time::timeout(Duration::from_millis(1), work).await.is_err());
        go_on.send(()).unwrap();
        ended.await.unwrap();
    }

    #[tokio::test]
    async fn a_panic_is_answered_as_a_bug() {
        let failure = uninterrupted::<()>(async { panic!("planned") }).await.unwrap_err();
        assert_eq!((failure.status().as_u16(), failure.code()), (500, "bug"));
    }
}
