//! `[[webhooks]]`: whom to tell of what.

use std::path::{Path, PathBuf};

use serde::Deserialize;

use crate::domain::webhook::network::Network;
use crate::domain::webhook::{Target, Topic};

/// `[[webhooks]]` as written.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WebhookSpec {
    /// What the log and the audit call it.
    pub name: String,
    /// Where it leads: https only.
    pub url: String,
    /// What it is told of.
    pub events: Vec<String>,
    /// File with the secret of its signatures, mode 0600 or 0400.
    pub secret_file: PathBuf,
    /// PEM file with the CAs of the receiver; those of the system when absent.
    pub ca_file: Option<PathBuf>,
    /// Loopback, private and other special addresses that it may reach.
    #[serde(default)]
    pub allow_addresses: Vec<String>,
}

/// A webhook.
#[derive(Clone, Debug)]
pub struct WebhookConfig {
    /// What the log and the audit call it.
    pub name: String,
    /// Where it leads.
    pub target: Target,
    /// What it is told of, at least one.
    pub topics: Vec<Topic>,
    /// File with the secret of its signatures.
    pub secret_file: PathBuf,
    /// PEM file with the CAs of the receiver; those of the system when absent.
    pub ca_file: Option<PathBuf>,
    /// Addresses beyond the public ones that it may reach.
    pub allow_addresses: Vec<Network>,
}

impl WebhookConfig {
    /// Every webhook of a file.
    ///
    /// # Errors
    /// What is wrong, naming the field.
    pub fn all(specs: Vec<WebhookSpec>, base: &Path) -> Result<Vec<Self>, String> {
        let mut all: Vec<Self> = Vec::new();
        for spec in specs {
            if all.iter().any(|known| known.name == spec.name) {
                return Err(format!("`webhooks`: there are two with the name `{}`", spec.name));
            }
            all.push(Self::from_spec(spec, base)?);
        }
        Ok(all)
    }

    fn from_spec(spec: WebhookSpec, base: &Path) -> Result<Self, String> {
        let name = spec.name;
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_';
        if name.is_empty() || !name.bytes().all(plain) {
            return Err(format!("`webhooks.name`: `{name}` must be letters, digits, `-` and `_`"));
        }
        let wrong = |field: &str, reason: String| format!("`webhooks.{field}` of `{name}`: {reason}");
        if spec.events.is_empty() {
            return Err(wrong("events", "at least one is needed".to_owned()));
        }
        let topics = spec.events.iter().map(|event| event.parse()).collect::<Result<_, _>>();
        let allowed = spec.allow_addresses.iter().map(|network| network.parse()).collect::<Result<_, _>>();
        Ok(Self {
            target: spec.url.parse().map_err(|reason| wrong("url", reason))?,
            topics: topics.map_err(|reason| wrong("events", reason))?,
            secret_file: base.join(spec.secret_file),
            ca_file: spec.ca_file.map(|path| base.join(path)),
            allow_addresses: allowed.map_err(|reason| wrong("allow_addresses", reason))?,
            name,
        })
    }
}
