//! `strongroom certificate`

use clap::Subcommand;

/// `certificate`
#[derive(Debug, Subcommand)]
pub enum Certificate {
    /// List certificates, those that end first first.
    #[command(after_help = "Examples:\n  \
        strongroom certificate list --status issued --expires-after +0d --expires-before +30d\n  \
        strongroom certificate list --name www. --json")]
    List {
        /// Only those that end before this: RFC 3339, or from now such as +30d or 12h.
        #[arg(long, value_name = "WHEN", allow_hyphen_values = true)]
        expires_before: Option<String>,
        /// Only those that end at this or later, in the same form.
        #[arg(long, value_name = "WHEN", allow_hyphen_values = true)]
        expires_after: Option<String>,
        /// Only of requests with a CN or SAN value that starts so.
        #[arg(long)]
        name: Option<String>,
        /// Only of requests with this status: issued or retired.
        #[arg(long)]
        status: Option<String>,
        /// How many.
        #[arg(long, default_value_t = 50)]
        limit: usize,
        /// Where to go on, as the previous page said.
        #[arg(long)]
        cursor: Option<String>,
    },
    /// Show the certificate of a signing request.
    #[command(
        after_help = "Example:\n  strongroom certificate show 019aa5b2-5c3e-7c61-9d3f-0a4a6f2f8e11 --pem"
    )]
    Show {
        /// The handle of the signing request.
        handle: String,
        /// Print only the certificate and its chain, as PEM.
        #[arg(long)]
        pem: bool,
    },
}
