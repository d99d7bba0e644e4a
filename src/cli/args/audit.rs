//! `audit`.

use std::path::PathBuf;

use clap::{Args as ClapArgs, Subcommand};

/// `audit`
#[derive(Debug, Subcommand)]
pub enum Audit {
    /// Show records, newest first.
    #[command(
        after_help = "Examples:\n  strongroom audit show --outcome refused --since 2026-11-22T00:00:00Z\n  \
                            strongroom audit show --action key. --actor alice\n  \
                            strongroom audit show --match www.example.com"
    )]
    Show(ShowAudit),
    /// Check the whole log, and that a record that you kept is in it; or check an export, without the
    /// service.
    #[command(after_help = "Examples:\n  strongroom audit verify\n  \
                            strongroom audit verify --checkpoint monday.txt\n  \
                            strongroom audit verify --file audit.jsonl --checkpoint monday.txt")]
    Verify(VerifyAudit),
    /// Check the whole log and print its newest record, to be kept where nobody of here can change it.
    #[command(after_help = "Example:\n  strongroom audit checkpoint > monday.txt")]
    Checkpoint,
    /// Write all records, whole, as JSON lines.
    #[command(after_help = "Example:\n  strongroom audit export --out audit.jsonl")]
    Export {
        /// A new file of mode 0600.
        #[arg(long, value_name = "FILE")]
        out: PathBuf,
    },
    /// Destroy the key of the pseudonyms: nobody can confirm any more whose names the records so far
    /// are about.
    #[command(after_help = "Example:\n  strongroom audit forget-key --yes")]
    ForgetKey {
        /// It cannot be taken back.
        #[arg(long, required = true)]
        yes: bool,
    },
    /// Start the chain anew behind a damaged one, so that changes are possible again.
    #[command(after_help = "Example:\n  strongroom audit restart-chain --reason 'disk repaired, ticket 17'")]
    RestartChain {
        /// What was found out about the damage; goes on record.
        #[arg(long)]
        reason: String,
    },
}

/// `audit show`
#[derive(Debug, ClapArgs)]
pub struct ShowAudit {
    /// Not before this time.
    #[arg(long, value_name = "TIME")]
    pub since: Option<String>,
    /// Not after this time.
    #[arg(long, value_name = "TIME")]
    pub until: Option<String>,
    /// A principal's name, or an actor as recorded: `system`, `unknown`, `principal:<handle>`.
    #[arg(long)]
    pub actor: Option<String>,
    /// The beginning of the action.
    #[arg(long)]
    pub action: Option<String>,
    /// The handle or name of what it was done to.
    #[arg(long)]
    pub subject: Option<String>,
    /// The tenant for which it was done.
    #[arg(long = "of-tenant", value_name = "TENANT")]
    pub tenant: Option<String>,
    /// `done` or `refused`.
    #[arg(long)]
    pub outcome: Option<String>,
    /// A common name or SAN value: signing requests with it, while the key of its pseudonym lives.
    #[arg(long = "match", value_name = "VALUE")]
    pub value: Option<String>,
    /// Most records.
    #[arg(long, default_value_t = 50)]
    pub limit: usize,
    /// Where to go on: from the page before.
    #[arg(long)]
    pub cursor: Option<u64>,
}

/// `audit verify`
#[derive(Debug, ClapArgs)]
pub struct VerifyAudit {
    /// A checkpoint that you kept.
    #[arg(long, value_name = "FILE", conflicts_with_all = ["seq", "hash"])]
    pub checkpoint: Option<PathBuf>,
    /// Number of a record that you kept.
    #[arg(long, requires = "hash")]
    pub seq: Option<u64>,
    /// Its hash, in hexadecimal.
    #[arg(long, requires = "seq")]
    pub hash: Option<String>,
    /// An export, to be checked here, without the service.
    #[arg(long, value_name = "EXPORT")]
    pub file: Option<PathBuf>,
}
