//! Which service is called, and as whom.

use std::path::PathBuf;

use clap::Args as ClapArgs;

/// Which service is called, and as whom.
#[derive(Debug, ClapArgs)]
pub struct Target {
    /// The configuration file.
    #[arg(long, global = true, env = "STRONGROOM_CONFIG", default_value = "/etc/strongroom/strongroom.toml")]
    pub config: PathBuf,
    /// The service on another machine, as `https://HOST:PORT`; the one of the configuration, over its Unix
    /// socket, when absent.
    #[arg(long, global = true, value_name = "URL", env = "STRONGROOM_SERVER")]
    pub server: Option<String>,
    /// PEM file with the CAs that may have issued the certificate of `--server`.
    #[arg(
        long,
        global = true,
        value_name = "FILE",
        env = "STRONGROOM_CA_FILE",
        default_value = "/etc/ssl/certs/ca-certificates.crt"
    )]
    pub ca_file: PathBuf,
    /// PEM file with the certificate to show to `--server`, and its chain.
    #[arg(long, global = true, value_name = "FILE", env = "STRONGROOM_CLIENT_CERT")]
    pub client_cert: Option<PathBuf>,
    /// PEM file with the key of `--client-cert`.
    #[arg(long, global = true, value_name = "FILE", env = "STRONGROOM_CLIENT_KEY")]
    pub client_key: Option<PathBuf>,
    /// File with the API key to show to the service; the one beside its database when absent, and
    /// where there is none, this user's uid.
    #[arg(long, global = true, value_name = "FILE", env = "STRONGROOM_API_KEY_FILE")]
    pub api_key_file: Option<PathBuf>,
    /// The tenant to work for; the usual one when absent.
    #[arg(long, global = true, env = "STRONGROOM_TENANT")]
    pub tenant: Option<String>,
}
