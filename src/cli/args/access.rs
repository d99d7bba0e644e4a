//! `principal`, `api-key`, `credential` and `tenant`.

use std::path::PathBuf;

use clap::{Args as ClapArgs, Subcommand};

/// `principal`
#[derive(Debug, Subcommand)]
pub enum Principal {
    /// Make the first admin: as root or the service's own user, while there is none. Prints his API
    /// key.
    #[command(after_help = "Example:\n  strongroom principal bootstrap alice --out alice.key")]
    Bootstrap {
        /// His name.
        name: String,
        /// Where his API key goes.
        #[command(flatten)]
        out: Out,
    },
    /// Enter a person or a service. It may do nothing until it is granted a role.
    #[command(after_help = "Examples:\n  strongroom principal new bob\n  \
                            strongroom principal new ci --kind service")]
    New {
        /// Its name.
        name: String,
        /// `person` or `service`.
        #[arg(long, default_value = "person")]
        kind: String,
    },
    /// List principals with their grants.
    #[command(after_help = "Example:\n  strongroom principal list")]
    List,
    /// Show a principal.
    #[command(after_help = "Example:\n  strongroom principal show bob")]
    Show {
        /// Its name or handle.
        principal: String,
    },
    /// Grant a role: reader, requester, approver, operator, auditor or admin.
    #[command(after_help = "Examples:\n  strongroom principal grant bob requester --in pki\n  \
                            strongroom principal grant carol auditor")]
    Grant(Grant),
    /// Take a role back.
    #[command(after_help = "Example:\n  strongroom principal revoke bob requester --in pki")]
    Revoke(Grant),
    /// Let no credential of a principal count.
    #[command(after_help = "Example:\n  strongroom principal disable bob")]
    Disable {
        /// Its name or handle.
        principal: String,
    },
    /// Let them count again.
    #[command(after_help = "Example:\n  strongroom principal enable bob")]
    Enable {
        /// Its name or handle.
        principal: String,
    },
}

/// A role in a place.
#[derive(Debug, ClapArgs)]
pub struct Grant {
    /// Name or handle of the principal.
    pub principal: String,
    /// The role.
    pub role: String,
    /// The tenant where it holds; the whole appliance when absent.
    #[arg(long = "in", value_name = "TENANT")]
    pub tenant: Option<String>,
}

/// Where a secret goes. It is shown this once.
#[derive(Debug, ClapArgs)]
pub struct Out {
    /// Write it to a new file of mode 0600, and not to standard output.
    #[arg(long, value_name = "FILE")]
    pub out: Option<PathBuf>,
}

/// `api-key`
#[derive(Debug, Subcommand)]
pub enum ApiKey {
    /// Issue an API key and print it, alone: it is shown this once.
    #[command(
        after_help = "Examples:\n  strongroom api-key new ci --expires-at 2027-11-22T00:00:00Z --out ci.key\n  \
                            strongroom api-key new ci | vault kv put secret/strongroom key=-"
    )]
    New {
        /// Name or handle of the principal.
        principal: String,
        /// When it ceases to count.
        #[arg(long, value_name = "TIME")]
        expires_at: Option<String>,
        /// Where it goes.
        #[command(flatten)]
        out: Out,
    },
    /// List API keys, those revoked included.
    #[command(after_help = "Examples:\n  strongroom api-key list\n  strongroom api-key list bob")]
    List {
        /// Only those of a principal.
        principal: Option<String>,
    },
    /// Revoke an API key, at once.
    #[command(after_help = "Example:\n  strongroom api-key revoke 019aa5b2-5c3e-7c61-9d3f-0a4a6f2f8e11")]
    Revoke {
        /// Its handle.
        handle: String,
    },
}

/// `credential`
#[derive(Debug, Subcommand)]
pub enum Credential {
    /// Give a principal another way to be known than an API key.
    #[command(after_help = "Examples:\n  strongroom credential new bob --uid 1000\n  \
                            strongroom credential new ci --certificate ci.pem\n  \
                            strongroom credential new legacy --basic --out legacy.password")]
    New(NewCredential),
    /// List credentials of every kind, those revoked included.
    #[command(after_help = "Examples:\n  strongroom credential list\n  strongroom credential list bob")]
    List {
        /// Only those of a principal.
        principal: Option<String>,
    },
    /// Revoke a credential of any kind, at once.
    #[command(after_help = "Example:\n  strongroom credential revoke 019aa5b2-5c3e-7c61-9d3f-0a4a6f2f8e11")]
    Revoke {
        /// Its handle.
        handle: String,
    },
}

/// `credential new`
#[derive(Debug, ClapArgs)]
pub struct NewCredential {
    /// Name or handle of the principal.
    pub principal: String,
    /// Which kind.
    #[command(flatten)]
    pub kind: Kind,
    /// When it ceases to count.
    #[arg(long, value_name = "TIME")]
    pub expires_at: Option<String>,
    /// Where a password goes.
    #[command(flatten)]
    pub out: Out,
}

/// One of them.
#[derive(Debug, ClapArgs)]
#[group(required = true, multiple = false)]
pub struct Kind {
    /// A user of this machine, over the Unix socket.
    #[arg(long)]
    pub uid: Option<u32>,
    /// A TLS client certificate: a file with its PEM or DER.
    #[arg(long, value_name = "FILE")]
    pub certificate: Option<PathBuf>,
    /// A generated password; the user name is the principal's.
    #[arg(long)]
    pub basic: bool,
}

/// `tenant`
#[derive(Debug, Subcommand)]
pub enum Tenant {
    /// Enter a tenant.
    #[command(after_help = "Example:\n  strongroom tenant new pki")]
    New {
        /// Its name: letters, digits, `-` and `_`.
        name: String,
    },
    /// List tenants.
    #[command(after_help = "Example:\n  strongroom tenant list")]
    List,
}
