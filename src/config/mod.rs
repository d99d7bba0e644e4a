//! The configuration file: TOML, versioned, unknown fields refused with their line.
//!
//! Read in two steps: the version first, then the structure, so that a typo is told with its line
//! and a file of a newer version is told as such. [`ConfigSpec`] is the file as written; [`Config`]
//! is what the program uses: defaults filled in, paths made absolute, profiles loaded.

mod facades;
mod spec;
pub mod templates;
mod webhooks;

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use spec::{ClientCertificatesSpec, TlsSpec};
pub use spec::{ConfigSpec, FourEyesSpec, defaults};

use crate::hsm::profile::Profile;
pub use facades::{
    CloudflareConfig, FacadesConfig, InfisicalConfig, KeyfactorConfig, VenafiApplication, VenafiConfig,
    VenafiZone,
};
use templates::TemplateSources;
pub use webhooks::WebhookConfig;

/// The configuration as the program uses it.
#[derive(Clone, Debug)]
pub struct Config {
    /// Holds the database, the socket, the API key and the lock files; made 0700 when missing.
    pub data_dir: PathBuf,
    /// The TCP listener.
    pub listen: SocketAddr,
    /// The HTTPS listener, where there is one.
    pub tls: Option<TlsConfig>,
    /// Whether the API key beside the database counts.
    pub use_api_key_file: bool,
    /// What needs another pair of eyes.
    pub four_eyes: FourEyesSpec,
    /// Requests that one principal may make in a second.
    pub requests_per_second: u32,
    /// Logins that may fail from one address in a minute.
    pub failed_logins_per_minute: u32,
    /// Tokens by the name that users write, at least one.
    pub tokens: BTreeMap<String, TokenConfig>,
    /// The token used when a request names none: the only one, or the one configured.
    pub default_token: Option<String>,
    /// A retired key is destroyed after so many days; `None`: never by itself.
    pub destroy_retired_after_days: Option<u32>,
    /// By tenant: how many keys it may have.
    pub key_quotas: BTreeMap<String, usize>,
    /// The APIs of other products that are served.
    pub facades: FacadesConfig,
    /// Days before its end at which webhooks are told of a certificate, ascending.
    pub expiry_notice_days: Vec<u32>,
    /// Base of the URLs of revocation lists and of certificates of authorities, without a slash at the end.
    pub authorities_public_url: Option<String>,
    /// Hours from a revocation list to the next one at the latest.
    pub crl_lifetime_hours: u32,
    /// Whom to tell of what.
    pub webhooks: Vec<WebhookConfig>,
    /// Where issuing templates come from; [`Config::load_templates`] reads them.
    pub templates: TemplateSources,
}

/// The HTTPS listener.
#[derive(Clone, Debug)]
pub struct TlsConfig {
    /// Its address.
    pub listen: SocketAddr,
    /// PEM file: the certificate and its chain, leaf first.
    pub certificate: PathBuf,
    /// PEM file: the key of the certificate.
    pub key: PathBuf,
    /// Where clients are asked for a certificate.
    pub clients: Option<ClientCertificates>,
}

/// How clients are asked for a certificate.
#[derive(Clone, Debug)]
pub struct ClientCertificates {
    /// PEM file: the CAs whose certificates are accepted.
    pub ca: PathBuf,
    /// Whether a client without one is turned away.
    pub required: bool,
}

/// One token.
#[derive(Clone, Debug)]
pub struct TokenConfig {
    /// What its module needs, with the key kinds of the configuration.
    pub profile: Profile,
    /// The module, when it is not where the profile says.
    pub module: Option<PathBuf>,
    /// String for C_Initialize, when not as the profile says.
    pub init_args: Option<String>,
    /// CK_TOKEN_INFO.label, without padding.
    pub label: Option<String>,
    /// CK_TOKEN_INFO.serialNumber, without padding.
    pub serial: Option<String>,
    /// File that holds the user PIN; read by the worker only.
    pub pin_file: PathBuf,
    /// Environment of the worker, such as SOFTHSM2_CONF.
    pub env: BTreeMap<String, String>,
    /// The operator declares that this token is hardware (evidence level E1).
    pub hardware: bool,
    /// Parallel sessions, when not as the profile says.
    pub sessions: Option<usize>,
    /// Married certificates are written to the token, beside their keys.
    pub write_certificates: bool,
    /// Keys that it may hold; as many as it takes when absent.
    pub capacity: Option<usize>,
}

impl Config {
    /// Where the CLI finds the service.
    pub fn socket(&self) -> PathBuf {
        self.data_dir.join("strongroom.sock")
    }

    /// The bearer API key of this installation, mode 0600.
    pub fn api_key_file(&self) -> PathBuf {
        self.data_dir.join("api-key")
    }

    /// The key under which the audit log's personal values are HMACed, mode 0600.
    pub fn audit_key_file(&self) -> PathBuf {
        self.data_dir.join("audit-key")
    }

    /// The key that signs access tokens, mode 0600.
    pub fn access_token_key_file(&self) -> PathBuf {
        self.data_dir.join("access-token-key")
    }

    /// The SQLite index.
    pub fn database(&self) -> PathBuf {
        self.data_dir.join("strongroom.db")
    }

    /// Locks and PIN breakers, a pair of files per token.
    pub fn tokens_dir(&self) -> PathBuf {
        self.data_dir.join("tokens")
    }

    /// Held while the service runs: one service per data directory.
    pub fn lock_file(&self) -> PathBuf {
        self.data_dir.join("strongroom.lock")
    }

    /// Reads and checks a configuration file. Relative paths in it are relative to its directory.
    ///
    /// # Errors
    /// The file cannot be read, is not TOML, has an unknown version or field, or breaks a rule; the
    /// message carries the file's name and, where there is one, the line.
    pub fn load(path: &Path) -> Result<Self, Error> {
        let text =
            std::fs::read_to_string(path).map_err(|source| Error::Read { path: path.to_owned(), source })?;
        let fail = |message: String| Error::Content { path: path.to_owned(), message };
        let spec = ConfigSpec::parse(&text).map_err(fail)?;
        let absolute =
            std::path::absolute(path).map_err(|source| Error::Read { path: path.to_owned(), source })?;
        let base = absolute.parent().unwrap_or(Path::new("/"));
        Self::from_spec(spec, base).map_err(fail)
    }

    fn from_spec(spec: ConfigSpec, base: &Path) -> Result<Self, String> {
        if spec.tokens.is_empty() {
            return Err("`tokens`: at least one token is needed, as [tokens.main]".to_owned());
        }
        if !spec.http.listen.ip().is_loopback() && !spec.http.allow_non_loopback {
            return Err(format!(
                "`http.listen`: {} is not a loopback address, and plain HTTP sends API keys in clear; \
                 use [tls], or set `http.allow_non_loopback = true` where the network is trusted",
                spec.http.listen
            ));
        }
        let mut tokens = BTreeMap::new();
        for (name, token) in spec.tokens {
            let token = TokenConfig::from_spec(&name, token, base)?;
            tokens.insert(name, token);
        }
        let default_token = match spec.default_token {
            Some(name) if !tokens.contains_key(&name) => {
                return Err(format!("`default_token`: there is no [tokens.{name}]"));
            }
            Some(name) => Some(name),
            None if tokens.len() == 1 => tokens.keys().next().cloned(),
            None => None,
        };
        let limits = spec.limits;
        for (name, value) in [
            ("requests_per_second", limits.requests_per_second),
            ("failed_logins_per_minute", limits.failed_logins_per_minute),
        ] {
            if value == 0 {
                return Err(format!("`limits.{name}`: must be at least 1"));
            }
        }
        if spec.keys.destroy_retired_after_days == Some(0) {
            return Err(
                "`keys.destroy_retired_after_days`: must be at least 1; leave it out and no retired \
                        key is destroyed by itself"
                    .to_owned(),
            );
        }
        let mut expiry_notice_days = spec.certificates.expiry_notice_days;
        if expiry_notice_days.contains(&0) {
            return Err("`certificates.expiry_notice_days`: each must be at least 1".to_owned());
        }
        expiry_notice_days.sort_unstable();
        expiry_notice_days.dedup();
        let tls = TlsConfig::from_spec(spec.tls, base)?;
        let authorities_public_url = spec.authorities.public_url.map(public_url).transpose()?;
        let crl_lifetime_hours = spec.authorities.crl_lifetime_hours;
        if crl_lifetime_hours == 0 || crl_lifetime_hours > MOST_CRL_LIFETIME_HOURS {
            return Err(format!(
                "`authorities.crl_lifetime_hours`: must be 1 to {MOST_CRL_LIFETIME_HOURS}, a year"
            ));
        }
        Ok(Self {
            authorities_public_url,
            crl_lifetime_hours,
            destroy_retired_after_days: spec.keys.destroy_retired_after_days,
            key_quotas: spec.keys.quotas,
            facades: FacadesConfig::from_spec(spec.facades)?,
            expiry_notice_days,
            webhooks: WebhookConfig::all(spec.webhooks, base)?,
            data_dir: base.join(spec.data_dir),
            listen: spec.http.listen,
            tls,
            use_api_key_file: spec.access.api_key_file,
            four_eyes: spec.four_eyes,
            requests_per_second: limits.requests_per_second,
            failed_logins_per_minute: limits.failed_logins_per_minute,
            tokens,
            default_token,
            templates: TemplateSources::from_spec(spec.templates, base)?,
        })
    }
}

/// The CA/Browser Forum's Baseline Requirements, section 4.9.7, allow no more for any list.
const MOST_CRL_LIFETIME_HOURS: u32 = 366 * 24;

/// Plain HTTP: whoever fetches a list over HTTPS needs a list first (RFC 5280 section 8).
fn public_url(url: String) -> Result<String, String> {
    let wrong = || format!("`authorities.public_url`: `{url}` is not of the form http://host[:port][/path]");
    let rest = url.strip_prefix("http://").ok_or_else(wrong)?;
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~:/[]%".contains(&byte);
    if rest.is_empty() || rest.starts_with('/') || !rest.bytes().all(plain) {
        return Err(wrong());
    }
    Ok(url.trim_end_matches('/').to_owned())
}

impl TlsConfig {
    fn from_spec(spec: TlsSpec, base: &Path) -> Result<Option<Self>, String> {
        let Some(listen) = spec.listen else { return Ok(None) };
        let file = |field: &str, path: Option<PathBuf>| {
            let path = path.ok_or_else(|| format!("`tls.{field}`: needed with `tls.listen`, as a PEM file"));
            path.map(|path| base.join(path))
        };
        let clients = match (spec.client_certificates, spec.client_ca) {
            (ClientCertificatesSpec::Off, None) => None,
            (ClientCertificatesSpec::Off, Some(_)) => {
                return Err("`tls.client_ca`: has no effect while `tls.client_certificates` is \"off\"; \
                            make that \"optional\" or \"required\""
                    .to_owned());
            }
            (asked, ca) => Some(ClientCertificates {
                ca: ca.map(|ca| base.join(ca)).ok_or(
                    "`tls.client_ca`: needed to check client certificates, as a PEM file of their CAs",
                )?,
                required: asked == ClientCertificatesSpec::Required,
            }),
        };
        let certificate = file("certificate", spec.certificate)?;
        let key = file("key", spec.key)?;
        Ok(Some(Self { listen, certificate, key, clients }))
    }
}

impl TemplateSources {
    fn from_spec(spec: spec::TemplatesSpec, base: &Path) -> Result<Self, String> {
        let ready_made: Vec<String> = match (spec.ready_made, &spec.dir) {
            (Some(named), _) => named,
            // They would let through what the operator's own refuse.
            (None, Some(_)) => Vec::new(),
            (None, None) => templates::ready_made_names().map(str::to_owned).collect(),
        };
        for name in &ready_made {
            templates::ready_made_text(name).map_err(|e| format!("`templates.ready_made`: `{name}`: {e}"))?;
        }
        Ok(Self {
            dir: spec.dir.map(|dir| base.join(dir)),
            ready_made,
            by_default: spec.default_template,
            required: spec.require_template,
        })
    }
}

impl TokenConfig {
    fn from_spec(name: &str, spec: spec::TokenSpec, base: &Path) -> Result<Self, String> {
        let plain =
            !name.is_empty() && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_');
        if !plain {
            return Err(format!(
                "`tokens.{name}`: a token's name has only letters, digits, `-` and `_`, since it names files"
            ));
        }
        if spec.label.is_none() && spec.serial.is_none() {
            return Err(format!(
                "`tokens.{name}`: needs `label` or `serial`; slot numbers are not stable and not used"
            ));
        }
        let mut profile =
            load_profile(&spec.profile, base).map_err(|e| format!("`tokens.{name}.profile`: {e}"))?;
        if let Some(sessions) = spec.sessions
            && !(1..=64).contains(&sessions)
        {
            return Err(format!("`tokens.{name}.sessions`: must be 1 to 64, is {sessions}"));
        }
        if spec.capacity.is_some_and(|capacity| capacity < 2) {
            return Err(format!(
                "`tokens.{name}.capacity`: must be at least 2, since one key is strongroom's own sentinel"
            ));
        }
        if let Some(keys) = spec.keys {
            if keys.is_empty() {
                return Err(format!("`tokens.{name}.keys`: must name at least one key kind"));
            }
            profile.keys = keys;
        }
        Ok(Self {
            profile,
            module: spec.module.map(|path| base.join(path)),
            init_args: spec.init_args,
            label: spec.label,
            serial: spec.serial,
            pin_file: base.join(spec.pin_file),
            env: spec.env,
            hardware: spec.hardware,
            sessions: spec.sessions,
            write_certificates: spec.write_certificates,
            capacity: spec.capacity,
        })
    }
}

/// `softhsm2` is a shipped profile; with a `/` or `.toml` it is a file.
fn load_profile(reference: &str, base: &Path) -> Result<Profile, String> {
    if !reference.contains('/') && !reference.ends_with(".toml") {
        return Profile::shipped(reference).map_err(|error| error.to_string());
    }
    let path = base.join(reference);
    let text = std::fs::read_to_string(&path).map_err(|error| format!("{}: {error}", path.display()))?;
    Profile::from_toml(&text).map_err(|error| format!("{}: {error}", path.display()))
}

/// Why a configuration is refused.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The file cannot be read.
    #[error("cannot read {}: {source}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// The file can be read and is wrong.
    #[error("{}: {message}", path.display())]
    Content {
        /// The file.
        path: PathBuf,
        /// What is wrong, with the line where there is one.
        message: String,
    },
}

#[cfg(test)]
mod tests {
    use super::*;

    const SMALLEST: &str =
        "version = 1\n[tokens.main]\nprofile = \"softhsm2\"\nlabel = \"strongroom\"\npin_file = \"pin\"\n";

    fn load(text: &str) -> Result<Config, String> {
        Config::from_spec(ConfigSpec::parse(text)?, Path::new("/etc/strongroom"))
    }

    #[test]
    fn the_smallest_file_gets_the_defaults() {
        let config = load(SMALLEST).unwrap();
        assert_eq!(config.listen.to_string(), defaults::LISTEN);
        assert_eq!(config.data_dir, Path::new(defaults::DATA_DIR));
        assert_eq!(config.default_token.as_deref(), Some("main"));
        assert_eq!(config.tokens["main"].pin_file, Path::new("/etc/strongroom/pin"));
    }

    #[test]
    fn the_shipped_example_equals_the_defaults() {
        let example = ConfigSpec::parse(include_str!("example.toml")).unwrap();
        let smallest = ConfigSpec::parse(SMALLEST).unwrap();
        assert_eq!(example.data_dir, smallest.data_dir);
        assert_eq!(example.http, smallest.http);
        assert_eq!(example.tls, smallest.tls);
        assert_eq!(example.templates, smallest.templates);
        let ready_made: Vec<_> = templates::ready_made_names().collect();
        assert_eq!(example.access, smallest.access);
        assert_eq!(example.limits, smallest.limits);
        assert_eq!(example.authorities, smallest.authorities);
        assert_eq!(example.four_eyes, smallest.four_eyes);
        assert_eq!(example.facades, smallest.facades);
        assert_eq!(example.tokens["main"].hardware, smallest.tokens["main"].hardware);
        assert_eq!(example.tokens["main"].sessions, smallest.tokens["main"].sessions);
        assert_eq!(example.tokens["main"].write_certificates, smallest.tokens["main"].write_certificates);
        assert_eq!(example.tokens["main"].capacity, smallest.tokens["main"].capacity);
        // Every default that the example shows as a comment is shown at its value.
        for line in [
            format!("# listen = \"{}\"", defaults::LISTEN),
            format!("# data_dir = \"{}\"", defaults::DATA_DIR),
            format!("# allow_non_loopback = {}", smallest.http.allow_non_loopback),
            format!("# client_certificates = \"{:?}\"", defaults::CLIENT_CERTIFICATES).to_lowercase(),
            format!("# ready_made = {ready_made:?}"),
            format!("# require_template = {}", smallest.templates.require_template),
            format!("# expiry_notice_days = {:?}", defaults::EXPIRY_NOTICE_DAYS),
            format!("# api_key_file = {}", defaults::API_KEY_FILE),
            format!("# crl_lifetime_hours = {}", defaults::CRL_LIFETIME_HOURS),
            format!("# enabled = {}", smallest.facades.keyfactor.enabled),
            format!("# expires_after = {}", defaults::PROPOSAL_EXPIRES_AFTER),
            format!("# requests_per_second = {}", defaults::REQUESTS_PER_SECOND),
            format!("# failed_logins_per_minute = {}", defaults::FAILED_LOGINS_PER_MINUTE),
            format!("# enabled = {}", smallest.facades.cloudflare.enabled),
            format!("# public_suffix_rules = {}", smallest.facades.cloudflare.public_suffix_rules),
        ] {
            assert!(include_str!("example.toml").contains(&line), "{line}");
        }
    }

    #[test]
    fn without_a_listener_there_is_no_tls() {
        assert!(load(SMALLEST).unwrap().tls.is_none());
        let files = "[tls]\ncertificate = \"c\"\nkey = \"k\"\n";
        assert!(load(&format!("{SMALLEST}{files}")).unwrap().tls.is_none());
        let tls = load(&format!("{SMALLEST}{files}listen = \"[::]:8751\"\n")).unwrap().tls.unwrap();
        assert_eq!(tls.key, Path::new("/etc/strongroom/k"));
        assert!(tls.clients.is_none(), "{tls:?}");
    }

    #[test]
    fn plain_http_leaves_the_machine_where_the_file_insists() {
        let open = "[http]\nlisten = \"0.0.0.0:80\"\nallow_non_loopback = true\n[tokens";
        assert_eq!(load(&SMALLEST.replace("[tokens", open)).unwrap().listen.port(), 80);
    }

    #[test]
    fn key_kinds_of_the_file_take_the_place_of_those_of_the_profile() {
        let config = load(&format!("{SMALLEST}keys = [\"rsa-8192\"]\n")).unwrap();
        assert_eq!(config.tokens["main"].profile.keys, ["rsa-8192".parse().unwrap()]);
    }

    #[test]
    fn a_typo_is_told_with_its_line() {
        let error = load(&SMALLEST.replace("label", "lable")).unwrap_err();
        assert!(error.contains("line 4") && error.contains("lable"), "{error}");
    }

    #[test]
    fn wrong_files_are_told_what_is_wrong() {
        let tls = |line: &str| format!("{SMALLEST}[tls]\nlisten = \"0.0.0.0:8751\"\n{line}\n");
        let cases = [
            ("version = 2\n", "version 2"),
            (&format!("{SMALLEST}[authorities]\npublic_url = \"https://x\"\n"), "http://host"),
            (&format!("{SMALLEST}[authorities]\npublic_url = \"http://\"\n"), "http://host"),
            (&format!("{SMALLEST}[authorities]\ncrl_lifetime_hours = 0\n"), "must be 1 to"),
            ("data_dir = \"x\"\n", "version"),
            ("version = 1\n", "at least one token"),
            (&SMALLEST.replace("label = \"strongroom\"\n", ""), "`label` or `serial`"),
            (&SMALLEST.replace("softhsm2", "softhsm3"), "softhsm3"),
            (&SMALLEST.replace("tokens.main", "tokens.\"a/b\""), "letters, digits"),
            (&SMALLEST.replace("[tokens", "[http]\nlisten = \"0.0.0.0:80\"\n[tokens"), "loopback"),
            (&tls("key = \"k\""), "`tls.certificate`: needed"),
            (&tls("certificate = \"c\""), "`tls.key`: needed"),
            (&tls("client_certificates = \"required\""), "`tls.client_ca`: needed"),
            (&tls("client_ca = \"a\""), "`tls.client_ca`: has no effect"),
            (&tls("client_certificates = \"maybe\""), "unknown variant `maybe`"),
            (&SMALLEST.replace("version = 1", "version = 1\ndefault_token = \"other\""), "[tokens.other]"),
            (&format!("{SMALLEST}sessions = 0\n"), "1 to 64"),
            (&format!("{SMALLEST}capacity = 1\n"), "at least 2"),
            (&format!("{SMALLEST}keys = []\n"), "at least one key kind"),
            (&format!("{SMALLEST}keys = [\"rsa-1024\"]\n"), "`rsa-1024` is not a known key kind"),
        ];
        for (text, expected) in cases {
            let error = load(text).unwrap_err();
            assert!(error.contains(expected), "{text}\n{error}");
        }
    }
}
