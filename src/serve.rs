//! The composition root: opens the index, starts the workers, puts the application between them,
//! and serves it until told to stop.

mod facades;
mod reload;
mod service_manager;

use std::fs::{DirBuilder, File, OpenOptions};
use std::io;
use std::net::SocketAddr;
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use rustix::fs::{FlockOperation, flock};
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;
use tokio::task::JoinSet;

use crate::app::audit::{AuditKey, KeyError};
use crate::app::authorities::AuthorityRules;
use crate::app::key_life::LifeRules;
use crate::app::proposals::FourEyes;
use crate::app::templates::TemplateRules;
use crate::app::tokens::TokenRules;
use crate::app::{self, App, Rules, SystemClock};
use crate::auth::{self, Authenticator};
use crate::config::{self, Config, TlsConfig, TokenConfig, WebhookConfig};
use crate::domain::id::InstallationId;
use crate::hsm::{Hsm, Selector, StartOptions, TokenSpec};
use crate::http::limits::Limits;
use crate::http::listen::{Listeners, TlsListener};
use crate::http::{self, Context, listen, tls};
use crate::store::{self, Store};
use crate::webhook::{self, WebhookSpec, Webhooks};
use reload::Tls;
use service_manager::ServiceManager;

/// Runs the service until SIGTERM or SIGINT.
///
/// # Errors
/// Whatever keeps it from starting. A token that does not work does not: the service is then not
/// ready, says why, and heals when the token does.
pub async fn run(config: Config) -> Result<(), Error> {
    make_private_dir(&config.data_dir)?;
    make_private_dir(&config.tokens_dir())?;
    let _lock = lock(&config.lock_file())?;

    let store = open_store(&config.database())?;
    let audit_key = AuditKey::open(&config.audit_key_file())?;
    if let Some(broken) = store.audit_damage() {
        tracing::error!(%broken, "the audit log is damaged: changes are refused until `strongroom audit verify`");
    }
    let clock = Arc::new(SystemClock);
    let registered = if config.use_api_key_file {
        auth::file::register(&store, &config.api_key_file(), clock.as_ref()).await
    } else {
        auth::file::revoke(&store, clock.as_ref()).await
    };
    match registered {
        // The way out is a command to the service, which therefore starts.
        Err(auth::Error::Store(error)) if error.kind() == store::Kind::AuditDamaged => {
            tracing::error!(%error, "the file with the API key is not followed");
        }
        registered => registered?,
    }
    let authenticator = Authenticator::new(store.clone(), clock.clone());
    let limits = Arc::new(Limits::new(config.requests_per_second, config.failed_logins_per_minute));
    let hangups = signal(SignalKind::hangup()).map_err(Error::Signals)?;
    let tls = match &config.tls {
        Some(tls) => Some(Tls::load(tls_files(tls), clock.clone())?),
        None => None,
    };
    let (tcp, address) = bind_tcp(config.listen).await?;
    let (tls_listener, tls_address) = match (&config.tls, &tls) {
        (Some(configured), Some(tls)) => {
            let (tcp, address) = bind_tcp(configured.listen).await?;
            (Some(TlsListener { tcp, config: tls.config() }), Some(address))
        }
        _ => (None, None),
    };
    let socket = config.socket();
    let unix = listen::bind_unix(&socket).map_err(|source| Error::io(&socket, source))?;

    let tokens = config.tokens.iter().map(|(name, token)| token_spec(name, token)).collect();
    let hsm = Hsm::start(tokens, StartOptions::new(config.tokens_dir()));
    let rules = rules(&config)?;
    let app =
        App::new(store.clone(), audit_key, hsm.clone(), clock.clone(), config.default_token.clone(), rules);
    app.end_interrupted_proposals().await?;
    let webhooks = Webhooks::open(webhook_specs(&config), store.clone(), clock.clone()).await?;
    app.watch_tokens();

    let router = http::router(
        Context { app: app.clone(), authenticator: authenticator.clone(), limits, metrics: Arc::default() },
        facades::facades(&config)?,
    );
    let tls_address = tls_address.map(tracing::field::display);
    tracing::info!(%address, tls = tls_address, socket = %socket.display(), "serving");
    if !address.ip().is_loopback() {
        tracing::warn!(%address, "plain HTTP is served beyond this machine: API keys travel in clear");
    }
    let manager = Arc::new(ServiceManager::default());
    let (stop, stopped) = watch::channel(false);
    // Ends with this function.
    let mut background = JoinSet::new();
    stop_on_signal(stop, Arc::clone(&manager), &mut background).map_err(Error::Signals)?;
    let reloading = Arc::clone(&manager);
    let reloaded = app.clone();
    background.spawn(async move { reload::run(hangups, tls, &config, &reloaded, &reloading).await });
    let attended = app.clone();
    background.spawn(async move { manager.attend(&attended, &store).await });
    background.spawn(webhooks.run());
    background.spawn(note_uses(authenticator.clone()));
    background.spawn(record_refusals(app.clone()));
    listen::serve(Listeners { tcp, tls: tls_listener, unix }, router, stopped).await;
    background.shutdown().await;
    note_uses_now(&authenticator).await;
    if let Err(error) = app.record_repeated_refusals(true).await {
        tracing::warn!(%error, "the last refusals are not on record");
    }
    let _ = std::fs::remove_file(socket);
    hsm.shutdown().await;
    tracing::info!("stopped");
    Ok(())
}

/// Between two notes of when credentials were used.
const NOTING: Duration = Duration::from_secs(60);

async fn note_uses(authenticator: Authenticator) {
    loop {
        tokio::time::sleep(NOTING).await;
        note_uses_now(&authenticator).await;
    }
}

async fn note_uses_now(authenticator: &Authenticator) {
    if let Err(error) = authenticator.note_uses().await {
        tracing::warn!(%error, "the last use of some credentials was not noted");
    }
}

/// Between two looks for refusals whose repetitions go on record.
const RECORDING: Duration = Duration::from_secs(10);

async fn record_refusals(app: App) {
    loop {
        tokio::time::sleep(RECORDING).await;
        if let Err(error) = app.record_repeated_refusals(false).await {
            tracing::warn!(%error, "repeated refusals are not on record yet");
        }
    }
}

/// The files of the HTTPS listener of a configuration.
pub fn tls_files(config: &TlsConfig) -> tls::Files {
    let clients = config.clients.as_ref();
    tls::Files {
        certificate: config.certificate.clone(),
        key: config.key.clone(),
        clients: clients.map(|clients| tls::Clients { ca: clients.ca.clone(), required: clients.required }),
    }
}

/// A token of the configuration, for the ring that talks to it.
pub fn token_spec(name: &str, token: &TokenConfig) -> TokenSpec {
    TokenSpec {
        name: name.to_owned(),
        profile: token.profile.clone(),
        module: token.module.clone(),
        init_args: token.init_args.clone(),
        selector: Selector { label: token.label.clone(), serial: token.serial.clone() },
        pin_file: token.pin_file.clone(),
        env: token.env.clone(),
        declared_hardware: token.hardware,
        sessions: token.sessions,
    }
}

fn rules(config: &Config) -> Result<Rules, Error> {
    Ok(Rules {
        tokens: config.tokens.iter().map(|(name, token)| (name.clone(), rules_of(token))).collect(),
        templates: config.load_templates()?,
        template_rules: TemplateRules {
            by_default: config.templates.by_default.clone(),
            required: config.templates.required,
        },
        four_eyes: FourEyes {
            destroy_key: config.four_eyes.destroy_key,
            wipe_slot: config.four_eyes.wipe_slot,
            reset_pin_breaker: config.four_eyes.reset_pin_breaker,
            override_probe: config.four_eyes.override_probe,
            expires_after: i64::from(config.four_eyes.expires_after) * 1000,
        },
        life: life_rules(config),
        authorities: AuthorityRules {
            public_url: config.authorities_public_url.clone(),
            crl_lifetime: i64::from(config.crl_lifetime_hours) * 3_600_000,
        },
        key_quotas: config.key_quotas.clone(),
    })
}

fn life_rules(config: &Config) -> LifeRules {
    const DAY: i64 = 24 * 3_600_000;
    LifeRules {
        destroy_retired_after: config.destroy_retired_after_days.map(|days| i64::from(days) * DAY),
        expiry_notice_days: config.expiry_notice_days.clone(),
    }
}

/// Reads the files of the webhooks of a configuration, as the start does.
///
/// # Errors
/// Which file cannot be used.
pub fn check_webhooks(config: &Config) -> Result<(), Error> {
    Ok(webhook::check(&webhook_specs(config))?)
}

fn webhook_specs(config: &Config) -> Vec<WebhookSpec> {
    config.webhooks.iter().map(webhook_spec).collect()
}

fn webhook_spec(config: &WebhookConfig) -> WebhookSpec {
    WebhookSpec {
        name: config.name.clone(),
        target: config.target.clone(),
        topics: config.topics.clone(),
        secret_file: config.secret_file.clone(),
        ca_file: config.ca_file.clone(),
        allow_addresses: config.allow_addresses.clone(),
    }
}

fn rules_of(token: &TokenConfig) -> TokenRules {
    TokenRules { write_certificates: token.write_certificates, capacity: token.capacity }
}

/// Makes a directory that only its owner enters, or sees to it that only he writes to an existing
/// one: the database and the API key are in it.
///
/// # Errors
/// It cannot be made, or others can write to it.
pub fn make_private_dir(path: &Path) -> Result<(), Error> {
    let made = DirBuilder::new().recursive(true).mode(0o700).create(path);
    made.map_err(|source| Error::io(path, source))?;
    let mode = std::fs::metadata(path).map_err(|source| Error::io(path, source))?.mode();
    if mode & 0o022 != 0 {
        return Err(Error::OpenDirectory { path: path.to_owned() });
    }
    Ok(())
}

/// One service per data directory: two would drive the same attempts.
///
/// # Errors
/// Another one has it, or the file cannot be opened.
pub fn lock(path: &Path) -> Result<File, Error> {
    let file = OpenOptions::new()
        .create(true)
        .truncate(false)
        .write(true)
        .mode(0o600)
        .open(path)
        .map_err(|source| Error::io(path, source))?;
    match flock(&file, FlockOperation::NonBlockingLockExclusive) {
        Ok(()) => Ok(file),
        Err(rustix::io::Errno::WOULDBLOCK) => Err(Error::Running { lock: path.to_owned() }),
        Err(source) => Err(Error::io(path, source.into())),
    }
}

fn open_store(path: &Path) -> Result<Store, Error> {
    let (mut installation, mut instance_key) = ([0; 4], [0; 32]);
    getrandom::fill(&mut installation)
        .and_then(|()| getrandom::fill(&mut instance_key))
        .map_err(|error| Error::Random(error.to_string()))?;
    Ok(Store::open(path, InstallationId(installation), instance_key)?)
}

async fn bind_tcp(address: SocketAddr) -> Result<(TcpListener, SocketAddr), Error> {
    let failed = |source| Error::Listen { address: address.to_string(), source };
    let listener = TcpListener::bind(address).await.map_err(failed)?;
    let bound = listener.local_addr().map_err(failed)?;
    Ok((listener, bound))
}

fn stop_on_signal(
    stop: watch::Sender<bool>,
    manager: Arc<ServiceManager>,
    background: &mut JoinSet<()>,
) -> io::Result<()> {
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    background.spawn(async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
        tracing::info!("stopping: requests that are being answered get a little time");
        manager.stopping();
        stop.send_replace(true);
    });
    Ok(())
}

/// Why the service does not start.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A file or directory.
    #[error("{}: {source}", path.display())]
    Io {
        /// Which.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// Others can write to the data directory.
    #[error("{} can be written by others than its owner; run `chmod go-w` on it", path.display())]
    OpenDirectory {
        /// Which.
        path: PathBuf,
    },
    /// Another service uses the data directory.
    #[error("another strongroom serves this data directory (it holds {}); stop it, or use another data_dir", lock.display())]
    Running {
        /// The lock file.
        lock: PathBuf,
    },
    /// The TCP listener.
    #[error("cannot listen on {address}: {source}")]
    Listen {
        /// The address.
        address: String,
        /// Why.
        source: io::Error,
    },
    /// The files of the HTTPS listener.
    #[error("`tls`: {0}")]
    Tls(#[from] tls::Error),
    /// The issuing templates.
    #[error(transparent)]
    Templates(#[from] config::Error),
    /// What was under way when the service was last ended.
    #[error(transparent)]
    App(#[from] app::Error),
    /// Signal handlers.
    #[error("cannot wait for signals: {0}")]
    Signals(io::Error),
    /// No random numbers.
    #[error("the operating system gives no random numbers: {0}")]
    Random(String),
    /// The index.
    #[error(transparent)]
    Store(#[from] store::Error),
    /// The key of the audit log's pseudonyms.
    #[error(transparent)]
    AuditKey(#[from] KeyError),
    /// Webhooks.
    #[error(transparent)]
    Webhook(#[from] webhook::Error),
    /// Credentials.
    #[error(transparent)]
    Auth(#[from] auth::Error),
}

impl Error {
    fn io(path: &Path, source: io::Error) -> Self {
        Self::Io { path: path.to_owned(), source }
    }
}
