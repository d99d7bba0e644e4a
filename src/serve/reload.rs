//! What is read again while the service runs: the files of the HTTPS listener, on SIGHUP and when they
//! change; those of issuing templates, on SIGHUP.

use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use rustls::ServerConfig;
use tokio::signal::unix::Signal;
use tokio::sync::watch;

use super::service_manager::ServiceManager;
use crate::app::App;
use crate::config::Config;
use crate::domain::clock::Clock;
use crate::http::tls::{self, Files, Identity};

/// How often the files are looked at. An ACME client renews weeks ahead; an operator who waits for the
/// new certificate should not think that nothing happens.
const LOOK_EVERY: Duration = Duration::from_secs(10);

/// What the HTTPS listener shows and asks for, kept as the files are.
pub(super) struct Tls {
    files: Files,
    config: watch::Sender<Arc<ServerConfig>>,
    seen: Vec<Option<Stamp>>,
    clock: Arc<dyn Clock>,
}

/// What differs between two versions of a file: inode, length, time of change.
type Stamp = (u64, u64, i64, i64);

impl Tls {
    /// Reads the files for the first time.
    ///
    /// # Errors
    /// They are wrong; there is no older certificate to go on with.
    pub(super) fn load(files: Files, clock: Arc<dyn Clock>) -> Result<Self, tls::Error> {
        // Before reading: a change while we read is then seen with the next look.
        let seen = stamps(&files);
        let identity = files.load()?;
        let tls = Self { config: watch::Sender::new(Arc::clone(&identity.config)), files, seen, clock };
        tls.tell(&identity);
        Ok(tls)
    }

    /// What new connections are shown, now and after each reload.
    pub(super) fn config(&self) -> watch::Receiver<Arc<ServerConfig>> {
        self.config.subscribe()
    }

    fn has_changed(&self) -> bool {
        self.seen != stamps(&self.files)
    }

    fn reload(&mut self) {
        self.seen = stamps(&self.files);
        match self.files.load() {
            Ok(identity) => {
                self.config.send_replace(Arc::clone(&identity.config));
                self.tell(&identity);
            }
            Err(error) => {
                tracing::error!(%error, "the HTTPS listener keeps its certificate: the new files are of no use");
            }
        }
    }

    fn tell(&self, identity: &Identity) {
        let (serial, not_after) = (&identity.certificate.serial, identity.certificate.not_after);
        tracing::info!(serial, %not_after, "the HTTPS listener shows this certificate");
        if let Some(warning) = identity.warning(self.clock.now()) {
            tracing::warn!("{warning}");
        }
    }
}

/// Reloads for ever.
pub(super) async fn run(
    mut hangups: Signal,
    mut tls: Option<Tls>,
    config: &Config,
    app: &App,
    manager: &ServiceManager,
) {
    let mut look = tokio::time::interval(LOOK_EVERY);
    loop {
        let asked = tokio::select! {
            _ = hangups.recv() => true,
            _ = look.tick() => false,
        };
        if asked {
            tracing::info!("reloading");
            manager.reloading();
        }
        if let Some(tls) = &mut tls
            && (asked || tls.has_changed())
        {
            tls.reload();
        }
        if asked {
            reload_templates(config, app).await;
            manager.reloaded();
        }
    }
}

/// All of them or none: a request is never judged by half of what was meant.
async fn reload_templates(config: &Config, app: &App) {
    let replaced = match config.load_templates() {
        Ok(templates) => app.replace_templates(templates).await.map_err(|error| error.to_string()),
        Err(error) => Err(error.to_string()),
    };
    let Err(error) = replaced else {
        tracing::info!("the issuing templates are as their files");
        return;
    };
    tracing::error!(error, "the issuing templates stay as they were: the new files are of no use");
    if let Err(error) = app.keep_templates(error).await {
        tracing::error!(%error, "that templates were refused cannot be put on record");
    }
}

fn stamps(files: &Files) -> Vec<Option<Stamp>> {
    files.paths().map(stamp).collect()
}

fn stamp(path: &Path) -> Option<Stamp> {
    let metadata = std::fs::metadata(path).ok()?;
    Some((metadata.ino(), metadata.len(), metadata.ctime(), metadata.ctime_nsec()))
}
