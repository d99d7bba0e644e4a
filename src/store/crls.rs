//! The newest revocation list of each authority.

use rusqlite::named_params;
use sha2::{Digest as _, Sha256};

use crate::domain::clock::Timestamp;
use crate::domain::id::Handle;

use super::columns::saturated;
use super::error::Error;
use super::view::{Tx, View};

/// What is known of a revocation list without reading it: a long one has megabytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CrlFacts {
    /// Whose it is.
    pub authority: Handle,
    /// Its number.
    pub number: u64,
    /// When it was made.
    pub this_update: Timestamp,
    /// When there will be a newer one at the latest.
    pub next_update: Timestamp,
    /// How many certificates are on it.
    pub entries: usize,
    /// How many certificates had been revoked when it was made.
    pub revocations: i64,
    /// SHA-256 of its DER.
    pub sha256: [u8; 32],
}

impl View {
    /// The newest list of an authority.
    pub fn crl_facts(&self, authority: Handle) -> Result<Option<CrlFacts>, Error> {
        let sql = "SELECT authority, number, this_update, next_update, entries, revocations, sha256
                   FROM crls WHERE authority = ?1";
        self.optional(sql, [authority], |row| {
            let (number, entries): (i64, i64) = (row.get("number")?, row.get("entries")?);
            Ok(CrlFacts {
                authority: row.get("authority")?,
                number: u64::try_from(number).unwrap_or_default(),
                this_update: row.get("this_update")?,
                next_update: row.get("next_update")?,
                entries: usize::try_from(entries).unwrap_or_default(),
                revocations: row.get("revocations")?,
                sha256: row.get("sha256")?,
            })
        })
    }

    /// The DER of the newest list of an authority.
    pub fn crl(&self, authority: Handle) -> Result<Option<Vec<u8>>, Error> {
        self.optional("SELECT der FROM crls WHERE authority = ?1", [authority], |row| row.get("der"))
    }
}

impl Tx {
    /// Puts a list in the place of the one before, unless that is newer. Answers whether it did; the
    /// SHA-256 of `facts` is not looked at.
    pub fn put_crl(&self, facts: &CrlFacts, der: &[u8]) -> Result<bool, Error> {
        let sha256: [u8; 32] = Sha256::digest(der).into();
        let changed = self.execute(
            "INSERT INTO crls (authority, number, this_update, next_update, entries, revocations, sha256, der)
             VALUES (:authority, :number, :this_update, :next_update, :entries, :revocations, :sha256, :der)
             ON CONFLICT (authority) DO UPDATE SET
                 number = excluded.number, this_update = excluded.this_update,
                 next_update = excluded.next_update, entries = excluded.entries,
                 revocations = excluded.revocations, sha256 = excluded.sha256, der = excluded.der
             WHERE excluded.number > crls.number",
            named_params! {
                ":authority": facts.authority,
                ":number": saturated(facts.number),
                ":this_update": facts.this_update,
                ":next_update": facts.next_update,
                ":entries": saturated(facts.entries),
                ":revocations": facts.revocations,
                ":sha256": sha256,
                ":der": der,
            },
        )?;
        Ok(changed == 1)
    }
}
