//! `strongroom backup`: the service copies its index while it is in use; what arrives is examined here,
//! from end to end.

mod manifest;

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Seek};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::Path;
use std::time::Duration;

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use hyper::Method;

use crate::app::SystemClock;
use crate::cli::args::{Backup, BackupCommand, Target};
use crate::cli::client::{Call, Client};
use crate::cli::report::{Failure, Report, facts};
use crate::domain::clock::Clock;
use crate::store::{self, Examined};
pub(super) use manifest::{DATABASE, Manifest};

/// The service copies and checks the whole index before it answers: minutes for tens of gigabytes.
const PATIENCE: Duration = Duration::from_secs(30 * 60);

pub fn run(target: &Target, backup: Backup, report: &Report) -> Result<(), Failure> {
    let (dir, manifest) = match (backup.command, backup.out) {
        (Some(BackupCommand::Verify { dir }), _) => {
            let manifest = verified(&dir)?;
            (dir, manifest)
        }
        (None, Some(out)) => {
            let manifest = back_up(target, &out)?;
            (out, manifest)
        }
        (None, None) => return Err(Failure::Broken("say where with --out DIR".to_owned())),
    };
    report.print(&manifest, |manifest| format!("{} is whole\n{}", dir.display(), text(manifest)))
}

/// For people.
pub(super) fn text(manifest: &Manifest) -> String {
    facts([
        ("made", Some(manifest.made_at.clone())),
        ("by", Some(format!("strongroom {}", manifest.program))),
        ("installation", Some(manifest.installation.clone())),
        ("schema version", Some(manifest.schema_version.to_string())),
        ("database", Some(format!("{} bytes, SHA-256 {}", manifest.bytes, manifest.sha256))),
        ("audit records", Some(manifest.audit_records.to_string())),
        ("audit head", Some(manifest.audit_head.clone())),
        ("not in it", Some(manifest.does_not_contain.join(", "))),
    ])
}

/// The manifest of a backup whose database is the one that it tells of, and sound.
///
/// # Errors
/// What is wrong with it.
pub(super) fn verified(dir: &Path) -> Result<Manifest, Failure> {
    let refused = |why: String| Failure::Refused(format!("the backup in {} {why}", dir.display()));
    let manifest = Manifest::read(dir).map_err(&refused)?;
    let path = dir.join(DATABASE);
    let read = File::open(&path).and_then(|mut file| store::digest(&mut file));
    let (bytes, sha256) = read.map_err(|error| refused(format!("cannot be read: {error}")))?;
    if (bytes, hex::encode(sha256)) != (manifest.bytes, manifest.sha256.clone()) {
        return Err(refused(
            "is damaged: its database is not the one of its manifest; use another".to_owned(),
        ));
    }
    let examined = store::examine(&path).map_err(|error| refused(format!("is of no use: {error}")))?;
    if !manifest.tells_of(&examined) {
        return Err(refused("is damaged: its manifest tells of another database; use another".to_owned()));
    }
    Ok(manifest)
}

fn back_up(target: &Target, dir: &Path) -> Result<Manifest, Failure> {
    let client = Client::new(target)?;
    let made_dir = empty_dir(dir)?;
    let made = fetch(&client, dir);
    if made.is_err() {
        // Half a backup looks like one; what is not removed is refused by `verify`, for want of a manifest.
        let _ = fs::remove_file(dir.join(DATABASE));
        let _ = fs::remove_file(dir.join(manifest::FILE));
        if made_dir {
            let _ = fs::remove_dir(dir);
        }
    }
    made
}

/// Whether it was made.
fn empty_dir(dir: &Path) -> Result<bool, Failure> {
    let failed = |error| Failure::Refused(format!("cannot use {}: {error}", dir.display()));
    match DirBuilder::new().mode(0o700).create(dir) {
        Ok(()) => return Ok(true),
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
        Err(error) => return Err(failed(error)),
    }
    if fs::read_dir(dir).map_err(failed)?.next().is_some() {
        let dir = dir.display();
        return Err(Failure::Refused(format!("{dir} is not empty; a backup needs a directory of its own")));
    }
    Ok(false)
}

fn fetch(client: &Client, dir: &Path) -> Result<Manifest, Failure> {
    let path = dir.join(DATABASE);
    let failed = |error: io::Error| Failure::Refused(format!("cannot write {}: {error}", path.display()));
    let mut file = new_private_file(&path).map_err(failed)?;
    let call = Call { patience: PATIENCE, ..Call::new(Method::POST, "/backup") };
    let announced = client.download(call, &mut file)?;
    file.sync_all().and_then(|()| file.rewind()).map_err(failed)?;
    let (bytes, sha256) = store::digest(&mut file).map_err(failed)?;
    let arrived = format!("sha-256=:{}:", BASE64_STANDARD.encode(sha256));
    if announced.as_deref() != Some(arrived.as_str()) {
        return Err(Failure::Unavailable("the backup was changed on its way here; try again".to_owned()));
    }
    let examined: Examined = store::examine(&path).map_err(Failure::broken)?;
    let manifest = Manifest::of(&examined, bytes, sha256, SystemClock.now());
    manifest.write(dir).map_err(failed)?;
    File::open(dir).and_then(|dir| dir.sync_all()).map_err(failed)?;
    Ok(manifest)
}

/// For its owner only.
pub(super) fn new_private_file(path: &Path) -> io::Result<File> {
    OpenOptions::new().read(true).write(true).create_new(true).mode(0o600).open(path)
}
