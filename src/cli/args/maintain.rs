//! What keeps an appliance going: `backup`, `restore`, `doctor`, `completions`, `man`.

use std::path::PathBuf;

use clap::{Args as ClapArgs, Subcommand};
use clap_complete::Shell;

/// `backup`
#[derive(Debug, ClapArgs)]
#[command(
    args_conflicts_with_subcommands = true,
    after_help = "Examples:\n  strongroom backup --out /backup/2026-11-22\n  \
                  strongroom backup verify /backup/2026-11-22\n\n\
                  In a backup are the index and its audit log. Not in it: the keys themselves (they are in the \
                  token), PINs, TLS keys, the file api-key, and the configuration."
)]
pub struct Backup {
    /// Where the backup goes: a directory that is empty or not there.
    #[arg(long, value_name = "DIR", required = true)]
    pub out: Option<PathBuf>,
    /// What else to do.
    #[command(subcommand)]
    pub command: Option<BackupCommand>,
}

/// `backup ...`
#[derive(Debug, Subcommand)]
pub enum BackupCommand {
    /// Check a backup from end to end: digest, database, audit chain. Needs no service.
    #[command(after_help = "Example:\n  strongroom backup verify /backup/2026-11-22")]
    Verify {
        /// The backup's directory.
        dir: PathBuf,
    },
}

/// `restore`
#[derive(Debug, ClapArgs)]
#[command(after_help = "Examples:\n  strongroom restore /backup/2026-11-22\n  \
                        strongroom restore /backup/2026-11-22 --replace\n\n\
                        Stop the service first. Keys that are newer than the backup come back as `recovered` \
                        when it starts; none is destroyed by itself. Credentials that were revoked since stay so \
                        where the replaced index tells; else they count again: look at them.")]
pub struct Restore {
    /// The backup's directory.
    pub dir: PathBuf,
    /// Replace the index that is there. It is kept under another name.
    #[arg(long)]
    pub replace: bool,
}

/// `completions`
#[derive(Debug, ClapArgs)]
#[command(
    after_help = "Examples:\n  strongroom completions bash > /usr/share/bash-completion/completions/strongroom\n  \
                        strongroom completions zsh > /usr/share/zsh/site-functions/_strongroom"
)]
pub struct Completions {
    /// For which shell.
    pub shell: Shell,
}

/// `man`
#[derive(Debug, ClapArgs)]
#[command(after_help = "Example:\n  strongroom man --out /usr/share/man/man1")]
pub struct Man {
    /// The directory for the pages, one per command.
    #[arg(long, value_name = "DIR")]
    pub out: PathBuf,
}
