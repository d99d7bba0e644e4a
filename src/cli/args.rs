//! What can be written on the command line: data, nothing else.

mod access;
mod audit;
mod authority;
mod certificate;
mod extensions;
mod maintain;
mod target;
mod template;

use std::path::PathBuf;

use clap::{Args as ClapArgs, Parser, Subcommand};

pub use access::{ApiKey, Credential, Grant, NewCredential, Out, Principal, Tenant};
pub use audit::{Audit, ShowAudit, VerifyAudit};
pub use authority::{Ca, IssueFrom, NewCa};
pub use certificate::Certificate;
pub use extensions::Extensions;
pub use maintain::{Backup, BackupCommand, Completions, Man, Restore};
pub use target::Target;
pub use template::{Template, TryTemplate};

/// A certificate-signing-request appliance whose keys never leave the PKCS#11 token.
#[derive(Debug, Parser)]
#[command(name = "strongroom", version, propagate_version = true)]
#[command(after_help = "Exit codes: 0 done; 1 the request is refused as it is; 2 usage, configuration \
or an unexpected failure; 3 not available now, try again.")]
pub struct Args {
    /// Which service, and as whom.
    #[command(flatten)]
    pub target: Target,
    /// Print JSON instead of text, also of a failure.
    #[arg(long, global = true)]
    pub json: bool,
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// The commands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Run the service until SIGTERM or Ctrl-C.
    #[command(after_help = "Example:\n  strongroom serve --config strongroom.toml")]
    Serve,
    /// Check the configuration file, and the profiles and issuing templates that it names.
    #[command(after_help = "Example:\n  strongroom check-config --config strongroom.toml")]
    CheckConfig,
    /// Look at the slots of a module and make tokens.
    #[command(subcommand)]
    Slot(Slot),
    /// Look at tokens and try what they can do.
    #[command(subcommand)]
    Token(Token),
    /// Make, find and finish certificate signing requests.
    #[command(subcommand)]
    Csr(Csr),
    /// Look at keys, destroy them, and compare them with the token.
    #[command(subcommand)]
    Key(Key),
    /// Decide on operations that somebody else proposed.
    #[command(subcommand)]
    Proposal(Proposal),
    /// Find certificates, such as those that end soon.
    #[command(subcommand)]
    Certificate(Certificate),
    /// Make certification authorities, issue certificates and revoke them.
    #[command(subcommand)]
    Ca(Ca),
    /// Say who may do what.
    #[command(subcommand)]
    Principal(Principal),
    /// Issue and revoke API keys.
    #[command(subcommand)]
    ApiKey(ApiKey),
    /// Issue and revoke credentials of every kind.
    #[command(subcommand)]
    Credential(Credential),
    /// Keep the things of several owners apart.
    #[command(subcommand)]
    Tenant(Tenant),
    /// Look at the audit log, check it, and take it elsewhere.
    #[command(subcommand)]
    Audit(Audit),
    /// Look at issuing templates, check them, and see what a request would get.
    #[command(subcommand)]
    Template(Template),
    /// Copy the index while the service runs, and check copies.
    Backup(Backup),
    /// Put a backup of the index in place. Stop the service first.
    Restore(Restore),
    /// Look at everything that the appliance stands on, and say what to do. Works without a service, too.
    #[command(after_help = "Exit codes: 0 all is well; 1 warnings; 2 errors. No PIN is tried.\n\n\
                            Examples:\n  strongroom doctor\n  strongroom doctor --json")]
    Doctor,
    /// Print the completions for a shell.
    Completions(Completions),
    /// Write manual pages.
    Man(Man),
}

/// `slot`
#[derive(Debug, Subcommand)]
pub enum Slot {
    /// List the slots that a token's module shows.
    #[command(after_help = "Examples:\n  strongroom slot list\n  strongroom slot list --token main --json")]
    List {
        /// The token in the configuration; needed when there are several.
        #[arg(long)]
        token: Option<String>,
    },
    /// Show one slot.
    #[command(
        after_help = "Examples:\n  strongroom slot show strongroom\n  strongroom slot show 0 --token main"
    )]
    Show {
        /// Its number, or the label or serial number of the token in it.
        slot: String,
        /// The token in the configuration whose module is asked; needed when there are several.
        #[arg(long)]
        token: Option<String>,
    },
    /// Make the configured token in a free slot. Refused when a token with its label exists.
    #[command(after_help = "Examples:\n  strongroom slot init --so-pin-file so-pin\n  \
                            strongroom slot init --token main --pin-fd 3 --so-pin-fd 4 3<pin 4<so-pin")]
    Init {
        /// The token in the configuration; needed when there are several.
        #[arg(long)]
        token: Option<String>,
        /// Where its PINs come from.
        #[command(flatten)]
        pins: Pins,
    },
    /// Destroy every key of ours on a token, by the running service. Asks first; refused while live
    /// signing requests use keys there.
    #[command(after_help = "Example:\n  strongroom slot wipe --token lab")]
    Wipe {
        /// The token in the configuration; needed when there are several.
        #[arg(long)]
        token: Option<String>,
        /// Also keys that live signing requests use.
        #[arg(long)]
        force: bool,
        /// Do not ask.
        #[arg(long)]
        yes: bool,
    },
    /// Set the user PIN as the security officer, for a PIN that is locked or lost. Stop the service first.
    #[command(after_help = "Examples:\n  strongroom slot set-pin --so-pin-file so-pin\n  \
                            strongroom slot set-pin --pin-file new-pin --so-pin-fd 3 3<so-pin")]
    SetPin {
        /// The token in the configuration; needed when there are several.
        #[arg(long)]
        token: Option<String>,
        /// Where the new user PIN and that of the security officer come from.
        #[command(flatten)]
        pins: Pins,
    },
    /// Change the user PIN as the user. Stop the service first.
    #[command(
        after_help = "Examples:\n  strongroom slot change-pin --new-pin-file new-pin --write-pin-file\n  \
                            strongroom slot change-pin --pin-fd 3 --new-pin-fd 4 3<pin 4<new-pin"
    )]
    ChangePin {
        /// The token in the configuration; needed when there are several.
        #[arg(long)]
        token: Option<String>,
        /// Where the PINs come from.
        #[command(flatten)]
        pins: ChangedPins,
        /// Write the new PIN to the configured `pin_file`.
        #[arg(long)]
        write_pin_file: bool,
    },
}

/// Where PINs come from. Never an argument: arguments are seen by every process of the machine.
#[derive(Debug, ClapArgs)]
pub struct Pins {
    /// File with the user PIN; the configured `pin_file` when absent, a prompt when that is missing.
    #[arg(long, conflicts_with = "pin_fd")]
    pub pin_file: Option<PathBuf>,
    /// Open file descriptor to read the user PIN from.
    #[arg(long)]
    pub pin_fd: Option<u32>,
    /// File with the security officer's PIN; a prompt when absent.
    #[arg(long, conflicts_with = "so_pin_fd")]
    pub so_pin_file: Option<PathBuf>,
    /// Open file descriptor to read the security officer's PIN from.
    #[arg(long)]
    pub so_pin_fd: Option<u32>,
}

/// `token`
#[derive(Debug, Subcommand)]
pub enum Token {
    /// List the configured tokens: whether they are ready, and whether they leak.
    #[command(after_help = "Example:\n  strongroom token list")]
    List,
    /// Show a token.
    #[command(after_help = "Example:\n  strongroom token show main")]
    Show {
        /// Its name in the configuration.
        name: String,
    },
    /// Try what a token can do: make a throw-away key of each kind, sign, try to get it out, destroy it.
    #[command(
        after_help = "Exit code 2 when a key comes out. Without a running service it works by itself.\n\n\
                            Examples:\n  strongroom token probe\n  strongroom token probe --token main --kinds ec-p256,rsa-2048"
    )]
    Probe {
        /// The token in the configuration; needed when there are several.
        #[arg(long)]
        token: Option<String>,
        /// Only these key kinds, separated by commas.
        #[arg(long, value_delimiter = ',')]
        kinds: Vec<String>,
    },
    /// Have the PIN tried once more that the token refused or did not answer. A wrong one costs a try.
    #[command(after_help = "Example:\n  strongroom token reset-breaker lab")]
    ResetBreaker {
        /// Its name in the configuration.
        name: String,
    },
    /// Let a token in although it lets keys out, or take that back. Every answer then says so.
    #[command(
        after_help = "Examples:\n  strongroom token accept lab --reason 'a test bench without real names'\n  strongroom token accept lab --withdraw"
    )]
    Accept {
        /// Its name in the configuration.
        name: String,
        /// Why that is good enough.
        #[arg(long, required_unless_present = "withdraw", conflicts_with = "withdraw")]
        reason: Option<String>,
        /// Take it back.
        #[arg(long)]
        withdraw: bool,
    },
}

/// Where the PINs of a change come from.
#[derive(Debug, ClapArgs)]
pub struct ChangedPins {
    /// File with the present PIN; the configured `pin_file` when absent, a prompt when that is missing.
    #[arg(long, conflicts_with = "pin_fd")]
    pub pin_file: Option<PathBuf>,
    /// Open file descriptor to read the present PIN from.
    #[arg(long)]
    pub pin_fd: Option<u32>,
    /// File with the new PIN; a prompt when absent.
    #[arg(long, conflicts_with = "new_pin_fd")]
    pub new_pin_file: Option<PathBuf>,
    /// Open file descriptor to read the new PIN from.
    #[arg(long)]
    pub new_pin_fd: Option<u32>,
}

/// `csr`
#[derive(Debug, Subcommand)]
pub enum Csr {
    /// Make a CSR, with a new key on the token or for an existing key.
    #[command(
        after_help = "Examples:\n  strongroom csr new --subject CN=www.example.com --san DNS:www.example.com\n  \
                            strongroom csr new --subject CN=www.example.com --key 019aa5b2-5c3e-7c61-9d3f-0a4a6f2f8e11"
    )]
    New(Box<NewCsr>),
    /// List signing requests, newest first.
    #[command(
        after_help = "Examples:\n  strongroom csr list\n  strongroom csr list --status pending --name www.example.com"
    )]
    List {
        /// Only these statuses, separated by commas.
        #[arg(long)]
        status: Option<String>,
        /// Only requests with a CN or SAN value that starts so.
        #[arg(long)]
        name: Option<String>,
        /// Only this kind of key.
        #[arg(long)]
        kind: Option<String>,
        /// How many.
        #[arg(long, default_value_t = 50)]
        limit: usize,
        /// Where to go on, as the previous page said.
        #[arg(long)]
        cursor: Option<String>,
    },
    /// Show a signing request.
    #[command(
        after_help = "Examples:\n  strongroom csr show 019aa5b2-5c3e-7c61-9d3f-0a4a6f2f8e11\n  strongroom csr show 019aa5b2-5c3e-7c61-9d3f-0a4a6f2f8e11 --pem > www.csr"
    )]
    Show {
        /// Its handle.
        handle: String,
        /// Print only the CSR, as PEM.
        #[arg(long)]
        pem: bool,
    },
    /// Renew a signing request: another CSR that asks for the same, for the same key or a new one.
    #[command(
        after_help = "Examples:\n  strongroom csr renew 019aa5b2-5c3e-7c61-9d3f-0a4a6f2f8e11\n  strongroom csr renew 019aa5b2-5c3e-7c61-9d3f-0a4a6f2f8e11 --new-key"
    )]
    Renew {
        /// The handle of the earlier request: pending, issued or retired.
        handle: String,
        /// The issuing template to be judged by; that of the earlier request when absent.
        #[arg(long)]
        template: Option<String>,
        /// Make a new key, of the same kind and on the same token.
        #[arg(long)]
        new_key: bool,
        /// How it is asked for.
        #[command(flatten)]
        asking: Asking,
    },
    /// Approve a signing request that waits for it; its key is made then.
    #[command(after_help = "Example:\n  strongroom csr approve 019aa5b2-5c3e-7c61-9d3f-0a4a6f2f8e11")]
    Approve {
        /// Its handle.
        handle: String,
        /// The hash of what was looked at, from `csr show`; refused when it is another one.
        #[arg(long)]
        hash: Option<String>,
    },
    /// Reject a signing request that waits for an approval.
    #[command(
        after_help = "Example:\n  strongroom csr reject 019aa5b2-5c3e-7c61-9d3f-0a4a6f2f8e11 --reason 'not our domain'"
    )]
    Reject {
        /// Its handle.
        handle: String,
        /// Why, for whoever asked.
        #[arg(long)]
        reason: String,
    },
    /// Call a signing request off; says what becomes of its key.
    #[command(after_help = "Example:\n  strongroom csr cancel 019aa5b2-5c3e-7c61-9d3f-0a4a6f2f8e11")]
    Cancel {
        /// Its handle.
        handle: String,
    },
    /// Take an issued signing request out of use, and with it its key, unless a live one uses that.
    #[command(after_help = "Example:\n  strongroom csr retire 019aa5b2-5c3e-7c61-9d3f-0a4a6f2f8e11")]
    Retire {
        /// Its handle.
        handle: String,
    },
    /// Marry a certificate (PEM, DER or PKCS #7, its chain in any order) to a pending request.
    #[command(after_help = "Example:\n  strongroom csr marry 019aa5b2-5c3e-7c61-9d3f-0a4a6f2f8e11 www.pem")]
    Marry {
        /// The request's handle.
        handle: String,
        /// The certificate; `-` for standard input.
        file: PathBuf,
        /// Take it even when it, or one of its chain, has expired or is not valid yet.
        #[arg(long)]
        allow_expired: bool,
    },
    /// Explain any CSR, also of others: what it says, and what looks wrong. Needs no service.
    #[command(
        after_help = "Exits with 0 when the file is a CSR, whatever is found; with 1 when it is none.\n\n\
                            Examples:\n  strongroom csr inspect www.csr\n  strongroom csr inspect - --strict --json < www.csr"
    )]
    Inspect {
        /// The CSR, as PEM or DER; `-` for standard input.
        file: PathBuf,
        /// Exit with 1 when a finding is an error.
        #[arg(long)]
        strict: bool,
    },
}

/// `csr new`
#[derive(Debug, ClapArgs)]
pub struct NewCsr {
    /// The subject: `CN=www.example.com,O=Example` or `/O=Example/CN=www.example.com`.
    #[arg(long, default_value = "")]
    pub subject: String,
    /// A subject alternative name, such as `DNS:www.example.com` or `IP:192.0.2.1`; may be repeated.
    /// The kinds are DNS, IP, email, URI, UPN, RID, dirName and otherName.
    #[arg(long = "san")]
    pub sans: Vec<String>,
    /// The issuing template to be judged by; the tenant's default when absent.
    #[arg(long)]
    pub template: Option<String>,
    /// How many days the certificate shall be valid.
    #[arg(long)]
    pub days: Option<u32>,
    /// Kind of the new key, such as `ec-p256` or `rsa-3072`.
    #[arg(long)]
    pub kind: Option<String>,
    /// Token for the new key.
    #[arg(long)]
    pub token: Option<String>,
    /// Handle of an existing key: a renewal.
    #[arg(long, conflicts_with_all = ["kind", "token"])]
    pub key: Option<String>,
    /// Digest under the signature: sha256, sha384 or sha512.
    #[arg(long)]
    pub digest: Option<String>,
    /// Padding under an RSA signature: pkcs1 or pss.
    #[arg(long)]
    pub padding: Option<String>,
    /// Extensions to ask for.
    #[command(flatten)]
    pub extensions: Extensions,
    /// The attribute unstructuredName.
    #[arg(long)]
    pub unstructured_name: Option<String>,
    /// How it is asked for.
    #[command(flatten)]
    pub asking: Asking,
}

/// What a create and a renewal have in common.
#[derive(Debug, ClapArgs)]
pub struct Asking {
    /// File with the challengePassword; `-` for standard input. Never an argument: it is a secret.
    #[arg(long, value_name = "FILE")]
    pub challenge_password_file: Option<PathBuf>,
    /// Names this create: a repetition makes no second key.
    #[arg(long)]
    pub idempotency_key: Option<String>,
    /// Do not wait for a slow key; look later with `csr show`.
    #[arg(long)]
    pub no_wait: bool,
}

/// `proposal`
#[derive(Debug, Subcommand)]
pub enum Proposal {
    /// List the newest proposals that concern you.
    #[command(after_help = "Example:\n  strongroom proposal list")]
    List,
    /// Approve a proposal of somebody else: it is done at once.
    #[command(after_help = "Example:\n  strongroom proposal approve 019aa5b2-5c3e-7c61-9d3f-0a4a6f2f8e11")]
    Approve {
        /// Its handle.
        handle: String,
        /// The hash of what was looked at; refused when it is another one.
        #[arg(long)]
        hash: Option<String>,
    },
    /// Reject a proposal of somebody else.
    #[command(
        after_help = "Example:\n  strongroom proposal reject 019aa5b2-5c3e-7c61-9d3f-0a4a6f2f8e11 --reason 'the key is still in use'"
    )]
    Reject {
        /// Its handle.
        handle: String,
        /// Why.
        #[arg(long)]
        reason: String,
    },
}

/// `key`
#[derive(Debug, Subcommand)]
pub enum Key {
    /// List keys, newest first.
    #[command(after_help = "Examples:\n  strongroom key list\n  strongroom key list --limit 10 --json")]
    List {
        /// Only those in this state of their life: pre-active, active, suspended, deactivated, compromised or
        /// destroyed. A page may then be short and not the last.
        #[arg(long)]
        life: Option<String>,
        /// How many.
        #[arg(long, default_value_t = 50)]
        limit: usize,
        /// Where to go on, as the previous page said.
        #[arg(long)]
        cursor: Option<String>,
    },
    /// Show a key with its attributes and evidence.
    #[command(after_help = "Example:\n  strongroom key show 019aa5b2-5c3e-7c61-9d3f-0a4a6f2f8e11")]
    Show {
        /// Its handle.
        handle: String,
    },
    /// Retire a key that no live signing request uses: it signs nothing more and, where the configuration
    /// says so, is destroyed later.
    #[command(after_help = "Example:\n  strongroom key retire 019aa5b2-5c3e-7c61-9d3f-0a4a6f2f8e11")]
    Retire {
        /// Its handle.
        handle: String,
    },
    /// Take a key's retirement back, as long as it is not destroyed.
    #[command(after_help = "Example:\n  strongroom key unretire 019aa5b2-5c3e-7c61-9d3f-0a4a6f2f8e11")]
    Unretire {
        /// Its handle.
        handle: String,
    },
    /// Say that somebody else may have a key: it signs nothing more, for ever. Lists the signing requests
    /// whose certificates are to be revoked.
    #[command(
        after_help = "Example:\n  strongroom key compromise 019aa5b2-5c3e-7c61-9d3f-0a4a6f2f8e11 --reason 'the HSM was stolen'"
    )]
    Compromise {
        /// Its handle.
        handle: String,
        /// What happened, for the audit.
        #[arg(long)]
        reason: String,
    },
    /// Destroy a key on its token at once. Asks first; refused while a live signing request uses it.
    #[command(
        after_help = "Examples:\n  strongroom key destroy 019aa5b2-5c3e-7c61-9d3f-0a4a6f2f8e11\n  strongroom key destroy 019aa5b2-5c3e-7c61-9d3f-0a4a6f2f8e11 --yes"
    )]
    Destroy {
        /// Its handle.
        handle: String,
        /// Do not ask.
        #[arg(long)]
        yes: bool,
    },
    /// Compare the journal with a token now, and put in order what an interruption left.
    #[command(after_help = "Examples:\n  strongroom key reconcile\n  strongroom key reconcile --token main")]
    Reconcile {
        /// The token; the default one when absent.
        #[arg(long)]
        token: Option<String>,
    },
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    #[test]
    fn the_arguments_are_consistent() {
        super::Args::command().debug_assert();
    }

    #[test]
    fn every_command_has_an_example_and_takes_json() {
        let mut root = super::Args::command();
        root.build();
        let mut missing = Vec::new();
        look(&root, &mut missing);
        assert_eq!(missing, Vec::<String>::new());
    }

    /// Each command that does something by itself, from the root down.
    fn look(command: &clap::Command, missing: &mut Vec<String>) {
        let is_ours = |inner: &&clap::Command| !inner.is_hide_set() && inner.get_name() != "help";
        let inner: Vec<_> = command.get_subcommands().filter(is_ours).collect();
        let is_leaf = inner.is_empty() || command.get_arguments().any(clap::Arg::is_required_set);
        if is_leaf {
            let name = command.get_bin_name().unwrap_or_default();
            let help = command.get_after_help().map(ToString::to_string).unwrap_or_default();
            let example = help.lines().any(|line| line.trim_start().starts_with(name));
            if !help.contains("Example") || !example {
                missing.push(format!("{name}: no example"));
            }
            if !command.get_arguments().any(|arg| arg.get_id() == "json") {
                missing.push(format!("{name}: no --json"));
            }
        }
        inner.into_iter().for_each(|inner| look(inner, missing));
    }
}
