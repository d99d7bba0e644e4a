//! The index: what strongroom knows of signing requests, keys, attempts and certificates, in one
//! SQLite database. The only place with SQL.
//!
//! A use case hands a closure to [`Store::write`] or [`Store::read`] and calls the methods of [`Tx`]
//! and [`View`] in it. All that one closure writes is one atomic change: state and audit record
//! are never apart.
//!
//! - `connection`, `migrations`: opening the file and bringing it to the known schema
//! - `jobs`, `writer`, `reader`: the threads that own the connections
//! - `view`: what a closure sees; `columns`, `page`: how values and pages are read
//! - `copy`, `restored`: backups and what they do not know; `counts`: what monitoring counts
//! - a module per group of tables

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use crate::domain::audit::Broken;
use crate::domain::id::InstallationId;

mod approvals;
mod attempts;
mod audit;
mod authorities;
mod certificate_objects;
mod certificate_pages;
mod certificates;
mod columns;
mod connection;
mod copy;
mod counts;
mod credentials;
mod crls;
mod error;
mod idempotency;
mod issued;
mod jobs;
mod key_lives;
mod keys;
mod meta;
mod migrations;
mod notices;
mod numbered_pages;
mod page;
mod principals;
mod proposals;
mod reader;
mod request_pages;
mod restored;
mod signing_requests;
mod tenants;
#[cfg(test)]
mod testing;
#[cfg(test)]
mod tests;
mod token_reports;
mod token_verdicts;
mod view;
mod writer;

pub use approvals::Approval;
pub use attempts::{Attempt, Closed, Outcome};
pub use audit::AuditFilter;
pub use authorities::AuthorityCertificate;
pub use certificate_objects::{CertificateBrief, CertificateIntent};
pub use certificate_pages::{CertificateFilter, Expiring};
pub use certificates::Certificate;
pub use copy::{Examined, Snapshot, digest, examine};
pub use counts::{Counts, QueueLengths};
pub use credentials::Credential;
pub use crls::CrlFacts;
pub use error::{Error, Kind, Unique};
pub use idempotency::{Answer, IdempotencyEntry, IdempotencyKey};
pub use issued::Intended;
pub use key_lives::{Deadline, Decided};
pub use keys::KeyBrief;
pub use notices::Delivery;
pub use numbered_pages::{NumberedFilter, NumberedPage, Sorting};
pub use page::{Order, Page};
pub use principals::Principal;
pub use request_pages::RequestFilter;
pub use restored::{ForEver, decided_for_ever};
pub use tenants::Tenant;
pub use token_reports::TokenReport;
pub use view::{Tx, View};

use jobs::Queue;

/// Reads are short and mostly served from memory: more threads would only cost memory.
const READERS: usize = 3;

/// The open index; clones are the same one. Dropping the last clone finishes the work that was
/// handed in and closes the database.
#[derive(Clone)]
pub struct Store(Arc<Open>);

struct Open {
    path: PathBuf,
    /// Held while a copy is made.
    copying: Mutex<()>,
    installation: InstallationId,
    instance_key: [u8; 32],
    audit_damage: audit::KnownDamage,
    // Dropped in this order: the last connection to close is one that can clear the log away.
    readers: Queue<View>,
    writer: Queue<Tx>,
}

impl Store {
    /// Opens the database at `path`, and creates it with mode 0600 where there is none. Only a new
    /// database takes `new_installation` and `instance_key` (the HMAC key for idempotency bodies);
    /// an existing one keeps its own. Blocks: call it before serving.
    ///
    /// # Errors
    /// `NewerSchema`, `NotOurs`, `Permissions`, `Corrupt`, or what keeps the file from being opened.
    pub fn open(
        path: &Path,
        new_installation: InstallationId,
        instance_key: [u8; 32],
    ) -> Result<Self, Error> {
        let connection = connection::open_writer(path)?;
        let meta = meta::read_or_init(&connection, new_installation, instance_key)?;
        let readers = (0..READERS)
            .map(|_| connection::open_reader(path).map(View::new))
            .collect::<Result<Vec<_>, _>>()?;
        let tx = Tx::new(connection);
        let audit_damage = tx.known_damage.clone();
        audit_damage.set(tx.audit_damage_at_end()?);
        Ok(Self(Arc::new(Open {
            path: path.to_owned(),
            copying: Mutex::default(),
            installation: meta.installation,
            instance_key: meta.instance_key,
            audit_damage,
            readers: Queue::start("index-reader", readers, reader::serve)?,
            writer: Queue::start("index-writer", vec![tx], writer::serve)?,
        })))
    }

    /// Whose index it is: the first bytes of every CKA_ID that it chooses.
    pub fn installation(&self) -> InstallationId {
        self.0.installation
    }

    /// The HMAC key for idempotency bodies.
    pub fn instance_key(&self) -> &[u8; 32] {
        &self.0.instance_key
    }

    /// What is known to be wrong with the audit log: found when it was opened, or since.
    pub fn audit_damage(&self) -> Option<Broken> {
        self.0.audit_damage.get()
    }

    /// Says what was found to be wrong with the audit log, or that it was started anew. From then on
    /// nothing is added to it, or all again.
    pub fn set_audit_damage(&self, damage: Option<Broken>) {
        self.0.audit_damage.set(damage);
    }

    /// How many closures wait for the threads of the index.
    pub fn queue_lengths(&self) -> QueueLengths {
        QueueLengths { writer: self.0.writer.waiting(), readers: self.0.readers.waiting() }
    }

    /// Runs `work` in a transaction. When this answers `Ok`, its changes are on the disk; when it
    /// answers an error, none of them is kept. Work is run in the order in which it came; once
    /// accepted it is run even if the caller stops waiting. It must not block.
    ///
    /// # Errors
    /// Those of `work`; `Busy` when too much is waiting; `Unavailable` when the commit failed;
    /// `Bug` when `work` panicked.
    pub async fn write<T, E, F>(&self, work: F) -> Result<T, E>
    where
        F: FnOnce(&Tx) -> Result<T, E> + Send + 'static,
        T: Send + 'static,
        E: From<Error> + Send + 'static,
    {
        self.0.writer.submit(work).await
    }

    /// Runs `work` on one consistent state of the index, which includes every write answered before.
    ///
    /// # Errors
    /// Those of `work`; `Busy` when too much is waiting; `Bug` when `work` panicked.
    pub async fn read<T, E, F>(&self, work: F) -> Result<T, E>
    where
        F: FnOnce(&View) -> Result<T, E> + Send + 'static,
        T: Send + 'static,
        E: From<Error> + Send + 'static,
    {
        self.0.readers.submit(work).await
    }
}
