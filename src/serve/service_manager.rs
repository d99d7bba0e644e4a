//! What systemd is told (sd_notify(3)): that the service is ready, how its tokens are, that it reloads
//! or stops, and, as a watchdog, that it lives. Nothing where no service manager asked.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use sd_notify::NotifyState;
use tokio::time::{Instant, timeout};

use crate::app::{App, TokenStatus};
use crate::store::{self, Store};

/// How often the tokens are looked at for the status line.
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// The watchdog is fed so many times within its limit; sd_watchdog_enabled(3) advises two at least.
const FED_PER_LIMIT: u32 = 3;

/// The service manager.
#[derive(Default)]
pub(super) struct ServiceManager {
    told_ready: AtomicBool,
}

impl ServiceManager {
    /// Keeps it informed. It hears that the service is ready when a token is, or when none will be soon:
    /// an outage of the HSM must not keep the service from having started.
    pub(super) async fn attend(&self, app: &App, store: &Store) {
        if std::env::var_os("NOTIFY_SOCKET").is_none() {
            return;
        }
        let feed_every = sd_notify::watchdog_enabled().map(|limit| limit / FED_PER_LIMIT);
        let look_every = feed_every.map_or(LOOK_EVERY, |feed_every| feed_every.min(LOOK_EVERY));
        let mut fed: Option<Instant> = None;
        let mut told = String::new();
        loop {
            let tokens = Tokens::of(app);
            if tokens.settled && !self.told_ready.swap(true, Ordering::Relaxed) {
                notify(&[NotifyState::Ready]);
            }
            if tokens.status != told {
                notify(&[NotifyState::Status(&tokens.status)]);
                told = tokens.status;
            }
            if let Some(feed_every) = feed_every
                && fed.is_none_or(|fed| fed.elapsed() + look_every > feed_every)
                && answers(store, feed_every).await
            {
                notify(&[NotifyState::Watchdog]);
                fed = Some(Instant::now());
            }
            tokio::time::sleep(look_every).await;
        }
    }

    /// A reload begins.
    pub(super) fn reloading(&self) {
        if self.told_ready.load(Ordering::Relaxed)
            && let Ok(now) = NotifyState::monotonic_usec_now()
        {
            notify(&[NotifyState::Reloading, now]);
        }
    }

    /// A reload has ended.
    pub(super) fn reloaded(&self) {
        if self.told_ready.load(Ordering::Relaxed) {
            notify(&[NotifyState::Ready]);
        }
    }

    /// The service stops.
    pub(super) fn stopping(&self) {
        notify(&[NotifyState::Stopping, NotifyState::Status("stopping")]);
    }
}

/// How the tokens are.
struct Tokens {
    /// One is ready, or every one is known not to be.
    settled: bool,
    status: String,
}

impl Tokens {
    fn of(app: &App) -> Self {
        let (_, tokens) = app.readiness();
        let mut waiting = Vec::new();
        let mut unknown = 0;
        for (name, health) in &tokens {
            let status = app.configured_token(name).map(|token| token.status());
            if let Some(TokenStatus::Up { info, .. }) = &status
                && health.is_ready(info)
            {
                continue;
            }
            waiting.push(name.as_str());
            let down = matches!(status, Some(TokenStatus::Down { .. })) || health.failure.is_some();
            unknown += usize::from(!down);
        }
        let ready = tokens.len() - waiting.len();
        let mut status = format!("{ready} of {} tokens ready", tokens.len());
        if !waiting.is_empty() {
            status += &format!("; waiting for {}", waiting.join(", "));
        }
        if app.templates_refused().is_some() {
            status += "; new files of templates refused, see the log";
        }
        Self { settled: ready > 0 || unknown == 0, status }
    }
}

/// Whether the thread that writes the index answers; this task shows that the runtime does. A full
/// disk is an answer, too: a new process would find the same disk.
async fn answers(store: &Store, within: Duration) -> bool {
    match timeout(within, store.write(|_| Ok::<_, store::Error>(()))).await {
        Ok(Ok(())) => true,
        // Its queue is full, so that it was not the thread that answered; or another process holds the
        // index, which the limit of the watchdog has to outlast.
        Ok(Err(error)) => error.kind() != store::Kind::Busy,
        Err(_) => false,
    }
}

fn notify(state: &[NotifyState<'_>]) {
    if let Err(error) = sd_notify::notify(state) {
        tracing::warn!(%error, "the service manager cannot be told");
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

    use super::*;
    use crate::domain::id::InstallationId;

    #[tokio::test]
    async fn the_watchdog_is_fed_only_while_the_index_answers() {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::open(&dir.path().join("index.db"), InstallationId([0; 4]), [0; 32]).unwrap();
        assert!(answers(&store, Duration::from_secs(60)).await);

        let (go_on, stuck) = mpsc::channel::<()>();
        let writer = store.clone();
        let blocked = tokio::spawn(async move {
            writer.write(move |_| stuck.recv().map_or(Ok(()), Ok::<_, store::Error>)).await
        });
        tokio::task::yield_now().await;
        assert!(!answers(&store, Duration::from_millis(200)).await, "the writer is stuck");

        drop(go_on);
        blocked.await.unwrap().unwrap();
        assert!(answers(&store, Duration::from_secs(60)).await);
    }
}
