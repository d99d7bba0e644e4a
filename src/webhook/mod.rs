//! Webhooks: what happened is told to those whom the configuration names, at least once each.
//!
//! The index holds what is to be told (`store::notices`), written in the transaction of what
//! happened. Each webhook has a task that takes what is due, sends it and records how that ended.
//!
//! - `client`: one HTTPS request, to addresses that may be called
//! - `signature`: how a receiver knows who sends

mod client;
mod signature;

use std::io::Read;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use serde_json::json;
use tokio::task::JoinSet;
use zeroize::Zeroizing;

use crate::domain::audit::{Actor, Event};
use crate::domain::clock::Clock;
use crate::domain::webhook::network::Network;
use crate::domain::webhook::{Target, Topic, is_given_up, pause_after};
use crate::store::{self, Delivery, Store};
use client::Client;

/// Between two looks at what is due.
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// Taken from the index at a time.
const BATCH: usize = 32;
/// The shortest secret: HMAC-SHA-256 with less is weaker than its hash (RFC 2104 section 3).
const SHORTEST_SECRET: usize = 32;
/// The longest file read, so that a wrong path is told as such.
const LONGEST_FILE: u64 = 1024 * 1024;

/// A webhook, as configured.
#[derive(Clone, Debug)]
pub struct WebhookSpec {
    /// What the log, the audit and the index call it: a URL may hold a secret.
    pub name: String,
    /// Where it leads.
    pub target: Target,
    /// What it is told of.
    pub topics: Vec<Topic>,
    /// File with the secret that its messages are signed with, mode 0600 or 0400.
    pub secret_file: PathBuf,
    /// PEM file with the CAs of the receiver; those of the system when absent.
    pub ca_file: Option<PathBuf>,
    /// Addresses beyond the public ones that it may reach.
    pub allow_addresses: Vec<Network>,
}

/// Reads the files of webhooks and does nothing with them.
///
/// # Errors
/// A file cannot be used.
pub fn check(specs: &[WebhookSpec]) -> Result<(), Error> {
    specs.iter().try_for_each(|spec| Webhook::open(spec).map(drop))
}

/// Every configured webhook, ready to be run.
pub struct Webhooks {
    store: Store,
    clock: Arc<dyn Clock>,
    webhooks: Vec<Webhook>,
}

struct Webhook {
    name: String,
    secret: Zeroizing<Vec<u8>>,
    client: Client,
}

impl Webhooks {
    /// Reads the files of the webhooks, and tells the index who is to be told of what from now on. What
    /// still waits for a webhook that is gone is dropped.
    ///
    /// # Errors
    /// A file cannot be used, or the index cannot be written.
    pub async fn open(specs: Vec<WebhookSpec>, store: Store, clock: Arc<dyn Clock>) -> Result<Self, Error> {
        let webhooks = specs.iter().map(Webhook::open).collect::<Result<_, _>>()?;
        let subscriptions: Vec<_> = specs.into_iter().map(|spec| (spec.name, spec.topics)).collect();
        let subscribed: Result<(), store::Error> =
            store.write(move |tx| tx.set_webhook_subscriptions(&subscriptions)).await;
        subscribed?;
        Ok(Self { store, clock, webhooks })
    }

    /// Delivers until dropped.
    pub async fn run(self) {
        let mut tasks = JoinSet::new();
        for webhook in self.webhooks {
            let (store, clock) = (self.store.clone(), Arc::clone(&self.clock));
            tasks.spawn(async move { webhook.run(&store, clock.as_ref()).await });
        }
        while tasks.join_next().await.is_some() {}
    }
}

impl Webhook {
    fn open(spec: &WebhookSpec) -> Result<Self, Error> {
        let name = &spec.name;
        let secret = secret(&spec.secret_file).map_err(|what| Error::file(name, &spec.secret_file, what))?;
        let roots = match &spec.ca_file {
            Some(path) => {
                let pem = read(path).map_err(|what| Error::file(name, path, what))?;
                client::roots_of(&pem).map_err(|what| Error::file(name, path, what))?
            }
            None => client::roots_of_the_system(),
        };
        let client = Client::new(spec.target.clone(), spec.allow_addresses.clone(), roots)
            .map_err(|what| Error::Webhook { name: name.clone(), what })?;
        Ok(Self { name: name.clone(), secret, client })
    }

    async fn run(&self, store: &Store, clock: &dyn Clock) {
        loop {
            match self.deliver_due(store, clock).await {
                // There may be more.
                Ok(BATCH..) => {}
                Ok(_) => tokio::time::sleep(LOOK_EVERY).await,
                Err(error) => {
                    tracing::warn!(webhook = self.name, %error, "cannot look for what is to be told");
                    tokio::time::sleep(LOOK_EVERY).await;
                }
            }
        }
    }

    async fn deliver_due(&self, store: &Store, clock: &dyn Clock) -> Result<usize, store::Error> {
        let (name, now) = (self.name.clone(), clock.now());
        let due: Vec<Delivery> = store.read(move |view| view.due_deliveries(&name, now, BATCH)).await?;
        for delivery in &due {
            self.deliver(delivery, store, clock).await?;
        }
        Ok(due.len())
    }

    async fn deliver(
        &self,
        delivery: &Delivery,
        store: &Store,
        clock: &dyn Clock,
    ) -> Result<(), store::Error> {
        let body = delivery.notice.body(delivery.tenant.as_deref());
        let signature = signature::of(&self.secret, clock.now(), &body);
        let sent = self.client.post(&delivery.notice.id.to_string(), signature, body).await;
        let (name, id, now) = (self.name.clone(), delivery.notice.id, clock.now());
        let failure = match sent {
            // Only when that is on record it is not sent again.
            Ok(()) => return store.write(move |tx| tx.delivered(&name, id)).await,
            Err(failure) => failure,
        };
        let attempts = delivery.attempts.saturating_add(1);
        tracing::warn!(webhook = self.name, notice = %id, attempts, %failure, "not delivered");
        if !is_given_up(delivery.notice.at, now, attempts) {
            let next = now.plus_millis(pause_after(attempts));
            return store.write(move |tx| tx.postpone_delivery(&name, id, attempts, next)).await;
        }
        let event = Event {
            action: "webhook.given-up",
            subject: name.clone(),
            detail: json!({
                "notice": id, "event": delivery.notice.topic.as_str(), "about": delivery.notice.subject,
                "attempts": attempts, "failure": failure.to_string(),
            }),
        };
        store
            .write(move |tx| {
                tx.append_audit(&Actor::System, now, &event)?;
                tx.delivered(&name, id)
            })
            .await
    }
}

fn secret(path: &Path) -> Result<Zeroizing<Vec<u8>>, String> {
    let mode = std::fs::metadata(path).map_err(|error| error.to_string())?.mode();
    if mode & 0o077 != 0 {
        return Err("others can read it; run `chmod 600` on it".to_owned());
    }
    let bytes = read(path)?;
    let secret = Zeroizing::new(bytes.trim_ascii().to_vec());
    if secret.len() < SHORTEST_SECRET {
        return Err(format!("holds less than {SHORTEST_SECRET} bytes; make one with `openssl rand -hex 32`"));
    }
    Ok(secret)
}

fn read(path: &Path) -> Result<Zeroizing<Vec<u8>>, String> {
    let mut bytes = Zeroizing::new(Vec::new());
    let file = std::fs::File::open(path).map_err(|error| error.to_string())?;
    file.take(LONGEST_FILE).read_to_end(&mut bytes).map_err(|error| error.to_string())?;
    Ok(bytes)
}

/// Why webhooks cannot be run.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A file of a webhook.
    #[error("webhook `{name}`: {}: {what}", path.display())]
    File {
        /// The webhook.
        name: String,
        /// The file.
        path: PathBuf,
        /// What is wrong.
        what: String,
    },
    /// The webhook itself.
    #[error("webhook `{name}`: {what}")]
    Webhook {
        /// The webhook.
        name: String,
        /// What is wrong.
        what: String,
    },
    /// The index.
    #[error(transparent)]
    Store(#[from] store::Error),
}

impl Error {
    fn file(name: &str, path: &Path, what: String) -> Self {
        Self::File { name: name.to_owned(), path: path.to_owned(), what }
    }
}
