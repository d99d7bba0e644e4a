//! `template` on the command line.

use clap::{Args as ClapArgs, Subcommand};

use super::Extensions;

/// `template`
#[derive(Debug, Subcommand)]
pub enum Template {
    /// List the templates that the tenant may use, as the service has them.
    #[command(after_help = "Example:\n  strongroom template list")]
    List,
    /// Show a template, as the service has it.
    #[command(after_help = "Example:\n  strongroom template show tls-server")]
    Show {
        /// Its name.
        name: String,
    },
    /// Check a template by itself. Against the tokens of the configuration: `check-config`.
    #[command(after_help = "Examples:\n  strongroom template check ./web.toml\n  \
                            strongroom template check tls-server --json")]
    Check {
        /// The template's file; without `/` and `.toml` the name of a ready-made one.
        file: String,
    },
    /// Show what a request would get under a template, or every rule that it breaks. Makes nothing.
    #[command(
        after_help = "Examples:\n  strongroom template try ./web.toml --subject CN=www.example.com --san DNS:www.example.com\n  \
                            strongroom template try s-mime --san email:a@example.com --kind rsa-4096 --days 365"
    )]
    Try(Box<TryTemplate>),
}

/// `template try`
#[derive(Debug, ClapArgs)]
pub struct TryTemplate {
    /// The template's file; without `/` and `.toml` the name of a ready-made one.
    pub file: String,
    /// The subject: `CN=www.example.com,O=Example` or `/O=Example/CN=www.example.com`.
    #[arg(long, default_value = "")]
    pub subject: String,
    /// A subject alternative name, such as `DNS:www.example.com`; may be repeated.
    #[arg(long = "san")]
    pub sans: Vec<String>,
    /// Kind of the key, such as `ec-p256` or `rsa-3072`.
    #[arg(long)]
    pub kind: Option<String>,
    /// Token of the key.
    #[arg(long)]
    pub token: Option<String>,
    /// As for a key that is there: a renewal with the same key.
    #[arg(long, requires = "kind", requires = "token")]
    pub reuse_key: bool,
    /// Digest under the signature: sha256, sha384 or sha512.
    #[arg(long)]
    pub digest: Option<String>,
    /// Padding under an RSA signature: pkcs1 or pss.
    #[arg(long)]
    pub padding: Option<String>,
    /// How many days the certificate shall be valid.
    #[arg(long)]
    pub days: Option<u32>,
    /// Extensions to ask for.
    #[command(flatten)]
    pub extensions: Extensions,
    /// As if a challengePassword were given.
    #[arg(long)]
    pub with_challenge_password: bool,
    /// The attribute unstructuredName.
    #[arg(long)]
    pub unstructured_name: Option<String>,
}
