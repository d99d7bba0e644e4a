//! What a backup says of itself, beside its database.

use std::fs::File;
use std::io::{self, Read, Write};
use std::path::Path;

use serde::{Deserialize, Serialize};

use super::new_private_file;
use crate::domain::clock::Timestamp;
use crate::store::Examined;

/// The database in a backup.
pub const DATABASE: &str = "strongroom.db";
/// The manifest in a backup. Written last: a backup without it is not finished.
pub(super) const FILE: &str = "manifest.json";
/// The version of the manifest.
const FORMAT: u32 = 1;
/// Longer than any manifest.
const LONGEST: u64 = 64 * 1024;

/// A manifest. Digests are in hex.
#[derive(Debug, Serialize, Deserialize)]
pub struct Manifest {
    /// The version of the manifest.
    pub format: u32,
    /// When the backup was made (RFC 3339).
    pub made_at: String,
    /// By which version of strongroom.
    pub program: String,
    /// Whose index it is: the first bytes of its CKA_IDs, in hex.
    pub installation: String,
    /// The version of the schema.
    pub schema_version: usize,
    /// SHA-256 of the database.
    pub sha256: String,
    /// Its length.
    pub bytes: u64,
    /// How many audit records are in it.
    pub audit_records: u64,
    /// The hash of the newest one: kept elsewhere, it shows whether the log was cut off later.
    pub audit_head: String,
    /// What has to be kept by other means.
    pub does_not_contain: Vec<String>,
}

impl Manifest {
    /// Of a database that was just copied.
    pub(super) fn of(examined: &Examined, bytes: u64, sha256: [u8; 32], now: Timestamp) -> Self {
        let missing =
            ["keys (they are in the token)", "PINs", "TLS keys", "the file api-key", "configuration"];
        Self {
            format: FORMAT,
            made_at: now.to_string(),
            program: env!("CARGO_PKG_VERSION").to_owned(),
            installation: hex::encode(examined.installation.0),
            schema_version: examined.schema_version,
            sha256: hex::encode(sha256),
            bytes,
            audit_records: examined.audit_records,
            audit_head: hex::encode(examined.audit_head),
            does_not_contain: missing.map(str::to_owned).to_vec(),
        }
    }

    /// Whether it is about that database.
    pub(super) fn tells_of(&self, examined: &Examined) -> bool {
        self.installation == hex::encode(examined.installation.0)
            && self.schema_version == examined.schema_version
            && self.audit_records == examined.audit_records
            && self.audit_head == hex::encode(examined.audit_head)
    }

    /// Reads the manifest of a backup.
    ///
    /// # Errors
    /// What is wrong with it, to be read after "the backup in DIR".
    pub(super) fn read(dir: &Path) -> Result<Self, String> {
        let mut text = String::new();
        let read = File::open(dir.join(FILE)).and_then(|file| file.take(LONGEST).read_to_string(&mut text));
        read.map_err(|error| format!("has no manifest that can be read ({FILE}: {error}); is it finished?"))?;
        let manifest: Self = serde_json::from_str(&text)
            .map_err(|error| format!("is damaged: {FILE}: {error}; use another"))?;
        if manifest.format != FORMAT {
            let format = manifest.format;
            return Err(format!(
                "has format {format}, this strongroom knows {FORMAT}; use a later strongroom"
            ));
        }
        Ok(manifest)
    }

    pub(super) fn write(&self, dir: &Path) -> io::Result<()> {
        let mut file = new_private_file(&dir.join(FILE))?;
        serde_json::to_writer_pretty(&mut file, self)?;
        file.write_all(b"\n")?;
        file.sync_all()
    }
}
