//! `strongroom restore`: puts the index of a backup into the data directory, while no service runs.

use std::fs::{self, File};
use std::io;
use std::os::unix::fs::{MetadataExt, chown};
use std::path::{Path, PathBuf};

use serde::Serialize;
use serde_json::json;

use super::backup::{self, Manifest, new_private_file};
use crate::app::SystemClock;
use crate::app::restored::{Settled, settle};
use crate::cli::args::Restore;
use crate::cli::report::{Failure, Report, facts, say};
use crate::config::Config;
use crate::domain::audit::{Actor, Event};
use crate::domain::clock::Clock;
use crate::domain::id::{Handle, InstallationId};
use crate::serve;
use crate::store::{self, ForEver, Store};

#[derive(Serialize)]
struct Restored {
    database: PathBuf,
    /// Where the index is that was there before.
    replaced: Option<PathBuf>,
    /// Retired keys that are not destroyed by themselves any more.
    held_keys: Vec<String>,
    /// What was decided for ever since the backup, and still is; absent where nothing tells.
    since_backup: Option<SinceBackup>,
    backup: Manifest,
}

#[derive(Serialize)]
struct SinceBackup {
    revoked_credentials: Vec<String>,
    compromised_keys: Vec<String>,
}

pub fn run(config: &Path, restore: &Restore, report: &Report) -> Result<(), Failure> {
    let config = super::config(config)?;
    serve::make_private_dir(&config.data_dir).map_err(Failure::broken)?;
    let lock = config.lock_file();
    let _lock = serve::lock(&lock).map_err(|error| match error {
        serve::Error::Running { .. } => Failure::Refused(format!(
            "a service runs with {}, and would go on with the old index; stop it, then restore",
            config.data_dir.display()
        )),
        other => Failure::broken(other),
    })?;
    let manifest = backup::verified(&restore.dir)?;
    let database = config.database();
    if database.exists() && !restore.replace {
        return Err(Failure::Refused(format!(
            "{} is there already; --replace puts the backup in its place and keeps it under another name",
            database.display()
        )));
    }
    let failed =
        |error: io::Error| Failure::Broken(format!("cannot restore {}: {error}", database.display()));
    let ready = beside(&database, "-restoring");
    copied(&restore.dir.join(backup::DATABASE), &ready, &manifest)?;
    let since = decided_since(&database);
    let is_known = since.is_some();
    let settled = record(&ready, &manifest, since.unwrap_or_default())?;
    for file in [&ready, &lock] {
        belongs_with(file, &config.data_dir).map_err(failed)?;
    }
    let replaced = put_in_place(&ready, &config).map_err(failed)?;
    let texts = |handles: Vec<Handle>| handles.iter().map(Handle::to_string).collect();
    let since_backup = is_known.then(|| SinceBackup {
        revoked_credentials: texts(settled.revoked),
        compromised_keys: texts(settled.compromised),
    });
    let held_keys = texts(settled.held);
    let restored = Restored { database, replaced, held_keys, since_backup, backup: manifest };
    report.print(&restored, |restored| {
        let replaced = restored.replaced.as_ref();
        let replaced = replaced.map(|path| format!("the index that was there is {}\n", path.display()));
        let (database, text) = (restored.database.display(), backup::text(&restored.backup));
        format!("restored {database}\n{}{text}{}", replaced.unwrap_or_default(), settled_text(restored))
    })?;
    advise(&restored);
    Ok(())
}

fn settled_text(restored: &Restored) -> String {
    let list = |handles: &Vec<String>| (!handles.is_empty()).then(|| handles.join(", "));
    let since = restored.since_backup.as_ref();
    facts([
        ("not destroyed by themselves", list(&restored.held_keys)),
        ("revoked again", since.and_then(|since| list(&since.revoked_credentials))),
        ("compromised again", since.and_then(|since| list(&since.compromised_keys))),
    ])
}

fn advise(restored: &Restored) {
    if !restored.held_keys.is_empty() {
        say(
            "keys that were to be destroyed by themselves are kept, since they may be in use again: `strongroom \
             key destroy` those that are not",
        );
    }
    if restored.since_backup.is_none() {
        say(
            "nothing tells which credentials were revoked since the backup, or which keys compromised: those count \
             again; look at `strongroom credential list` before clients can reach the service",
        );
    }
    say("grants and principals are as the backup has them: look at `strongroom principal list`");
    say("start the service: it compares the index with the token, and newer keys come back as `recovered`");
}

/// What the index that is replaced says for ever. `None` where there is none, or it cannot be read: that may be
/// why there is a restore.
fn decided_since(database: &Path) -> Option<ForEver> {
    if !database.exists() {
        return None;
    }
    store::decided_for_ever(database)
        .inspect_err(|error| say(format_args!("the index that is there is not looked at: {error}")))
        .ok()
}

/// A copy that is known to be that of the manifest, whatever happened to the backup since it was verified.
fn copied(from: &Path, to: &Path, manifest: &Manifest) -> Result<(), Failure> {
    let copy = || {
        // Of a restore that was interrupted.
        for file in [to.to_owned(), beside(to, "-wal"), beside(to, "-shm")] {
            remove(&file)?;
        }
        let mut copy = new_private_file(to)?;
        io::copy(&mut File::open(from)?, &mut copy)?;
        copy.sync_all()?;
        store::digest(&mut File::open(to)?)
    };
    let (_, sha256) =
        copy().map_err(|error| Failure::Broken(format!("cannot copy {}: {error}", from.display())))?;
    if hex::encode(sha256) != manifest.sha256 {
        let from = from.display();
        return Err(Failure::Refused(format!("{from} changed while it was read; verify the backup")));
    }
    Ok(())
}

/// Says in the audit log that there was a restore: what follows the backup's end is not what followed it
/// before; and settles what the backup cannot know. Also brings an older schema to the one of this program.
fn record(index: &Path, manifest: &Manifest, since: ForEver) -> Result<Settled, Failure> {
    let actor = Actor::Uid(rustix::process::getuid().as_raw());
    let detail = json!({ "made_at": manifest.made_at, "sha256": manifest.sha256 });
    let event = Event { action: "index.restored", subject: "index".to_owned(), detail };
    let now = SystemClock.now();
    let runtime =
        tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(Failure::broken)?;
    let settled = runtime.block_on(async {
        // The backup has an installation and an instance key; these are for new databases.
        let store = Store::open(index, InstallationId([0; 4]), [0; 32]).map_err(Failure::broken)?;
        let settled: Result<Settled, store::Error> = store
            .write(move |tx| {
                tx.append_audit(&actor, now, &event)?;
                settle(tx, &actor, now, since)
            })
            .await;
        settled.map_err(Failure::broken)
    })?;
    // The last connection is closed: all is in the one file.
    if beside(index, "-wal").exists() {
        return Err(Failure::Broken(format!("{} is still in use; try again", index.display())));
    }
    Ok(settled)
}

/// The service may be another user than the one who restores.
fn belongs_with(file: &Path, dir: &Path) -> io::Result<()> {
    let owner = fs::metadata(dir)?;
    let now = fs::metadata(file)?;
    if (now.uid(), now.gid()) == (owner.uid(), owner.gid()) {
        return Ok(());
    }
    chown(file, Some(owner.uid()), Some(owner.gid()))
}

/// Answers where the index is that was there before. At no moment is there none, for a service that
/// finds none makes a new one.
fn put_in_place(ready: &Path, config: &Config) -> io::Result<Option<PathBuf>> {
    let database = config.database();
    let mut replaced = None;
    if database.exists() {
        let aside = beside(&database, &format!("-replaced-{}", SystemClock.now().as_millis()));
        // A log that is applied to another database than its own damages it: it goes first.
        for suffix in ["-wal", "-shm"] {
            let file = beside(&database, suffix);
            if file.exists() {
                fs::rename(file, beside(&aside, suffix))?;
            }
        }
        fs::hard_link(&database, &aside)?;
        replaced = Some(aside);
    }
    fs::rename(ready, &database)?;
    File::open(&config.data_dir)?.sync_all()?;
    Ok(replaced)
}

fn beside(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    name.into()
}

fn remove(path: &Path) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}
