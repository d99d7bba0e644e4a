//! `strongroom ca`

use std::path::PathBuf;

use clap::{Args as ClapArgs, Subcommand};

/// `ca`
#[derive(Debug, Subcommand)]
pub enum Ca {
    /// Make a root, or with --intermediate a CA and its CSR. Its key is made in the token.
    #[command(after_help = "Examples:\n  \
        strongroom ca new root --subject 'CN=Example Root,O=Example,C=NL' --kind ec-p384 --days 3650\n  \
        strongroom ca new issuing --intermediate --subject 'CN=Example Issuing 1,O=Example,C=NL' --path-length 0")]
    New(Box<NewCa>),
    /// List authorities.
    #[command(after_help = "Example:\n  strongroom ca list")]
    List,
    /// Show an authority, with its certificate.
    #[command(
        after_help = "Examples:\n  strongroom ca show issuing\n  strongroom ca show issuing --pem > ca.pem"
    )]
    Show {
        /// Its name or handle.
        authority: String,
        /// Print only its certificate and those above it, as PEM.
        #[arg(long)]
        pem: bool,
    },
    /// Print the CSR of an intermediate, as PEM.
    #[command(after_help = "Example:\n  strongroom ca csr issuing > issuing.csr")]
    Csr {
        /// Its name or handle.
        authority: String,
    },
    /// Give an intermediate the certificate that somebody signed, with those above it.
    #[command(after_help = "Example:\n  strongroom ca import issuing chain.pem")]
    Import {
        /// Its name or handle.
        authority: String,
        /// The certificates: PEM, DER or PKCS #7, in any order; `-` is standard input.
        file: PathBuf,
    },
    /// Issue a certificate from a CSR, and print it with its chain; or marry one to a signing request.
    #[command(after_help = "Examples:\n  strongroom ca issue issuing www.csr --template web > www.pem\n  \
        strongroom ca issue issuing --request 019aa5b2-5c3e-7c61-9d3f-0a4a6f2f8e11\n  \
        strongroom ca issue root sub.csr --intermediate --path-length 0 > sub.pem")]
    Issue(IssueFrom),
    /// List what an authority issued, newest first.
    #[command(after_help = "Example:\n  strongroom ca issued issuing")]
    Issued {
        /// Its name or handle.
        authority: String,
        /// How many.
        #[arg(long, default_value_t = 50)]
        limit: usize,
        /// Where to go on, as the previous page said.
        #[arg(long)]
        cursor: Option<String>,
    },
    /// Revoke a certificate. It cannot be taken back.
    #[command(after_help = "Example:\n  strongroom ca revoke issuing 4f0c...e1 --reason keyCompromise")]
    Revoke {
        /// Name or handle of the authority.
        authority: String,
        /// Serial number: 40 hexadecimal digits, colons are passed over.
        serial: String,
        /// Why, by the name in RFC 5280, such as keyCompromise, superseded or cessationOfOperation.
        #[arg(long)]
        reason: Option<String>,
    },
    /// Print the newest revocation list of an authority, as DER.
    #[command(after_help = "Example:\n  strongroom ca crl issuing | openssl crl -inform DER -noout -text")]
    Crl {
        /// Its name or handle.
        authority: String,
    },
    /// Give an authority a new certificate with the same key.
    #[command(after_help = "Example:\n  strongroom ca renew root --days 3650")]
    Renew {
        /// Its name or handle.
        authority: String,
        /// Days that the new certificate is valid.
        #[arg(long)]
        days: Option<u32>,
    },
    /// Have an authority issue nothing until it is enabled again.
    #[command(after_help = "Example:\n  strongroom ca disable issuing")]
    Disable {
        /// Its name or handle.
        authority: String,
    },
    /// Have a disabled authority issue again.
    #[command(after_help = "Example:\n  strongroom ca enable issuing")]
    Enable {
        /// Its name or handle.
        authority: String,
    },
    /// Delete an authority: it issues nothing more, and its key may be destroyed.
    #[command(after_help = "Example:\n  strongroom ca delete issuing --yes")]
    Delete {
        /// Its name or handle.
        authority: String,
        /// Do not ask.
        #[arg(long)]
        yes: bool,
    },
}

/// `ca new`
#[derive(Debug, ClapArgs)]
pub struct NewCa {
    /// Its name: letters, digits, `-`, `_` and `.`. Issuing templates name it.
    pub name: String,
    /// Its distinguished name.
    #[arg(long)]
    pub subject: String,
    /// Somebody else certifies it, from its CSR.
    #[arg(long)]
    pub intermediate: bool,
    /// How many CAs may stand below it.
    #[arg(long)]
    pub path_length: Option<u8>,
    /// Kind of its key, such as ec-p384 or rsa-4096; ec-p256 when absent.
    #[arg(long)]
    pub kind: Option<String>,
    /// The token for its key; needed when there are several.
    #[arg(long)]
    pub token: Option<String>,
    /// Digest under its signatures: sha256, sha384 or sha512.
    #[arg(long)]
    pub digest: Option<String>,
    /// Padding under signatures of an RSA key: pkcs1 or pss.
    #[arg(long)]
    pub padding: Option<String>,
    /// Days that the certificate of a root is valid; ten years when absent.
    #[arg(long, conflicts_with = "intermediate")]
    pub days: Option<u32>,
    /// Names that it may certify: DNS:example.com, IP:192.0.2.0/24 ...; may be repeated.
    #[arg(long)]
    pub permit: Vec<String>,
    /// Names that it may not; may be repeated.
    #[arg(long)]
    pub exclude: Vec<String>,
}

/// `ca issue`
#[derive(Debug, ClapArgs)]
pub struct IssueFrom {
    /// Name or handle of the authority.
    pub authority: String,
    /// The CSR, as PEM; `-` is standard input.
    #[arg(required_unless_present = "request", conflicts_with = "request")]
    pub file: Option<PathBuf>,
    /// A pending signing request in place of a CSR: the certificate is married to it.
    #[arg(long)]
    pub request: Option<String>,
    /// The issuing template.
    #[arg(long, conflicts_with_all = ["request", "intermediate"])]
    pub template: Option<String>,
    /// Days that the certificate is valid.
    #[arg(long, conflicts_with = "request")]
    pub days: Option<u32>,
    /// The CSR is that of a CA below.
    #[arg(long, conflicts_with = "request")]
    pub intermediate: bool,
    /// How many CAs may stand below that one.
    #[arg(long, requires = "intermediate")]
    pub path_length: Option<u8>,
}
