//! The configuration file as written.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::PathBuf;

use serde::Deserialize;

use crate::domain::algorithm::KeyKind;

use super::facades::FacadesSpec;
use super::webhooks::WebhookSpec;

/// Every default, with its reason.
pub mod defaults {
    /// Loopback: plain HTTP leaves the machine only through something that adds TLS.
    pub const LISTEN: &str = "127.0.0.1:8750";
    /// Where the file hierarchy standard puts the state of a service.
    pub const DATA_DIR: &str = "/var/lib/strongroom";
    /// A client certificate is one more way in, so somebody has to open it.
    pub const CLIENT_CERTIFICATES: super::ClientCertificatesSpec = super::ClientCertificatesSpec::Off;
    /// On: an installation works before there are principals.
    pub const API_KEY_FILE: bool = true;
    /// Whoever is asked today may look tomorrow.
    pub const PROPOSAL_EXPIRES_AFTER: u32 = 24 * 60 * 60;
    /// More than a machine of a few cores can answer: holds back a loop gone wild, nobody else.
    pub const REQUESTS_PER_SECOND: u32 = 10_000;
    /// Time to plan, to ask, to hurry, and a last call.
    pub const EXPIRY_NOTICE_DAYS: &[u32] = &[30, 14, 7, 1];
    /// What the CA/Browser Forum's Baseline Requirements, section 4.9.7, allow at most for end entities: 7 days.
    pub const CRL_LIFETIME_HOURS: u32 = 7 * 24;
    /// A person mistypes a few; 256 random bits are not guessed at any rate, but the log stays readable.
    pub const FAILED_LOGINS_PER_MINUTE: u32 = 30;
}

/// The file, version 1.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ConfigSpec {
    #[serde(rename = "version")]
    _version: u32,
    /// Directory of the database, the socket and the locks.
    #[serde(default = "default_data_dir")]
    pub data_dir: PathBuf,
    /// Token for requests that name none; needed only with several tokens.
    pub default_token: Option<String>,
    /// The HTTP listener.
    #[serde(default)]
    pub http: HttpSpec,
    /// The HTTPS listener.
    #[serde(default)]
    pub tls: TlsSpec,
    /// Issuing templates.
    #[serde(default)]
    pub templates: TemplatesSpec,
    /// Who may come in.
    #[serde(default)]
    pub access: AccessSpec,
    /// What needs another pair of eyes.
    #[serde(default)]
    pub four_eyes: FourEyesSpec,
    /// How often.
    #[serde(default)]
    pub limits: LimitsSpec,
    /// The life of keys.
    #[serde(default)]
    pub keys: KeysSpec,
    /// The ends of certificates.
    #[serde(default)]
    pub certificates: CertificatesSpec,
    /// How authorities issue.
    #[serde(default)]
    pub authorities: AuthoritiesSpec,
    /// Whom to tell of what.
    #[serde(default)]
    pub webhooks: Vec<WebhookSpec>,
    /// The APIs of other products.
    #[serde(default)]
    pub facades: FacadesSpec,
    /// Tokens by name.
    #[serde(default)]
    pub tokens: BTreeMap<String, TokenSpec>,
}

/// `[http]`
#[derive(Debug, Deserialize, PartialEq)]
#[serde(deny_unknown_fields)]
pub struct HttpSpec {
    /// Address and port.
    #[serde(default = "default_listen")]
    pub listen: SocketAddr,
    /// True lets `listen` be another address than loopback, where API keys travel in clear.
    #[serde(default)]
    pub allow_non_loopback: bool,
}

/// `[tls]`
#[derive(Debug, Default, Deserialize, PartialEq)]
#[serde(deny_unknown_fields)]
pub struct TlsSpec {
    /// Address and port; without it there is no HTTPS listener.
    pub listen: Option<SocketAddr>,
    /// PEM file: the certificate and its chain, leaf first.
    pub certificate: Option<PathBuf>,
    /// PEM file: the key of the certificate, mode 0600 or 0400.
    pub key: Option<PathBuf>,
    /// PEM file: the CAs whose client certificates are accepted.
    pub client_ca: Option<PathBuf>,
    /// Whether clients are asked for a certificate.
    #[serde(default)]
    pub client_certificates: ClientCertificatesSpec,
}

/// Whether clients of the HTTPS listener are asked for a certificate.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "lowercase")]
pub enum ClientCertificatesSpec {
    /// Not asked for.
    Off,
    /// Asked for; a client without one comes in as well.
    Optional,
    /// A client without one is turned away.
    Required,
}

/// `[templates]`
#[derive(Debug, Default, Deserialize, PartialEq)]
#[serde(deny_unknown_fields)]
pub struct TemplatesSpec {
    /// Directory of the operator's own.
    pub dir: Option<PathBuf>,
    /// The ready-made ones that are offered; when absent all, or none where there is a `dir`.
    pub ready_made: Option<Vec<String>>,
    /// By tenant: the one that judges requests which name none.
    #[serde(default)]
    pub default_template: BTreeMap<String, String>,
    /// True refuses requests that have none by then.
    #[serde(default)]
    pub require_template: bool,
}

/// `[access]`
#[derive(Debug, Deserialize, PartialEq)]
#[serde(deny_unknown_fields)]
pub struct AccessSpec {
    /// Whether the API key beside the database counts.
    #[serde(default = "default_api_key_file")]
    pub api_key_file: bool,
}

/// `[four_eyes]`
#[derive(Clone, Debug, Deserialize, PartialEq)]
#[serde(deny_unknown_fields, default)]
pub struct FourEyesSpec {
    /// Destroying a key.
    pub destroy_key: bool,
    /// Destroying every key of ours on a token.
    pub wipe_slot: bool,
    /// Having a PIN tried once more.
    pub reset_pin_breaker: bool,
    /// Letting in a token that leaks.
    pub override_probe: bool,
    /// Seconds after which a proposal that nobody approved is rejected.
    pub expires_after: u32,
}

/// `[limits]`
#[derive(Debug, Deserialize, PartialEq)]
#[serde(deny_unknown_fields)]
pub struct LimitsSpec {
    /// Requests of one principal.
    #[serde(default = "default_requests_per_second")]
    pub requests_per_second: u32,
    /// Logins that fail from one address.
    #[serde(default = "default_failed_logins_per_minute")]
    pub failed_logins_per_minute: u32,
}

/// `[keys]`
#[derive(Debug, Default, Deserialize, PartialEq)]
#[serde(deny_unknown_fields)]
pub struct KeysSpec {
    /// A retired key is destroyed after so many days; never by itself when absent.
    pub destroy_retired_after_days: Option<u32>,
    /// By tenant: how many keys it may have; as many as the tokens take when absent.
    #[serde(default)]
    pub quotas: BTreeMap<String, usize>,
}

/// `[certificates]`
#[derive(Debug, Deserialize, PartialEq)]
#[serde(deny_unknown_fields)]
pub struct CertificatesSpec {
    /// Days before its end at which webhooks are told of a certificate.
    #[serde(default = "default_expiry_notice_days")]
    pub expiry_notice_days: Vec<u32>,
}

/// `[authorities]`
#[derive(Debug, Deserialize, PartialEq)]
#[serde(deny_unknown_fields, default)]
pub struct AuthoritiesSpec {
    /// Base of the URLs in certificates at which revocation lists and certificates of authorities are fetched;
    /// without it certificates have none.
    pub public_url: Option<String>,
    /// Hours from a revocation list to the next one at the latest.
    pub crl_lifetime_hours: u32,
}

/// `[tokens.NAME]`
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TokenSpec {
    /// Name of a shipped profile, or a file.
    pub profile: String,
    /// The module's path; overrides the profile.
    pub module: Option<PathBuf>,
    /// String for C_Initialize; overrides the profile.
    pub init_args: Option<String>,
    /// Label of the token.
    pub label: Option<String>,
    /// Serial number of the token.
    pub serial: Option<String>,
    /// File with the user PIN, mode 0600 or 0400.
    pub pin_file: PathBuf,
    /// Environment variables for the module.
    #[serde(default)]
    pub env: BTreeMap<String, String>,
    /// True declares that the token is hardware.
    #[serde(default)]
    pub hardware: bool,
    /// Parallel sessions; overrides the profile.
    pub sessions: Option<usize>,
    /// True writes married certificates to the token.
    #[serde(default)]
    pub write_certificates: bool,
    /// Keys that it may hold.
    pub capacity: Option<usize>,
    /// Key kinds; overrides the profile.
    pub keys: Option<Vec<KeyKind>>,
}

#[derive(Deserialize)]
struct VersionOnly {
    version: Option<toml::Spanned<toml::Value>>,
}

impl ConfigSpec {
    /// Parses a file: the version first, then the structure.
    ///
    /// # Errors
    /// What is wrong, with line and column.
    pub fn parse(text: &str) -> Result<Self, String> {
        let version: VersionOnly = toml::from_str(text).map_err(|error| error.to_string())?;
        match version.version.map(toml::Spanned::into_inner) {
            Some(toml::Value::Integer(1)) => {}
            Some(other) => {
                return Err(format!(
                    "this program reads version 1 of the file; the file says version {other}"
                ));
            }
            None => return Err("the first line must be `version = 1`".to_owned()),
        }
        toml::from_str(text).map_err(|error| error.to_string())
    }
}

impl Default for HttpSpec {
    fn default() -> Self {
        Self { listen: default_listen(), allow_non_loopback: false }
    }
}

impl Default for ClientCertificatesSpec {
    fn default() -> Self {
        defaults::CLIENT_CERTIFICATES
    }
}

impl Default for FourEyesSpec {
    /// Off: it takes two who may.
    fn default() -> Self {
        let expires_after = defaults::PROPOSAL_EXPIRES_AFTER;
        Self {
            destroy_key: false,
            wipe_slot: false,
            reset_pin_breaker: false,
            override_probe: false,
            expires_after,
        }
    }
}

impl Default for AccessSpec {
    fn default() -> Self {
        Self { api_key_file: default_api_key_file() }
    }
}

impl Default for AuthoritiesSpec {
    fn default() -> Self {
        Self { public_url: None, crl_lifetime_hours: defaults::CRL_LIFETIME_HOURS }
    }
}

impl Default for LimitsSpec {
    fn default() -> Self {
        Self {
            requests_per_second: default_requests_per_second(),
            failed_logins_per_minute: default_failed_logins_per_minute(),
        }
    }
}

impl Default for CertificatesSpec {
    fn default() -> Self {
        Self { expiry_notice_days: default_expiry_notice_days() }
    }
}

fn default_expiry_notice_days() -> Vec<u32> {
    defaults::EXPIRY_NOTICE_DAYS.to_vec()
}

fn default_api_key_file() -> bool {
    defaults::API_KEY_FILE
}

fn default_requests_per_second() -> u32 {
    defaults::REQUESTS_PER_SECOND
}

fn default_failed_logins_per_minute() -> u32 {
    defaults::FAILED_LOGINS_PER_MINUTE
}

fn default_data_dir() -> PathBuf {
    PathBuf::from(defaults::DATA_DIR)
}

fn default_listen() -> SocketAddr {
    SocketAddr::from(([127, 0, 0, 1], 8750))
}
