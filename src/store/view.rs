//! What a closure sees of the index: [`View`] to read, [`Tx`] to read and write. Their methods are
//! in the modules of the tables.

use std::cell::Cell;
use std::ops::Deref;

use rusqlite::{Connection, OptionalExtension as _, Params, Row};

use super::audit::{ChainHead, KnownDamage};
use super::error::{Error, Kind};

/// A consistent state of the index, to read.
pub struct View {
    connection: Connection,
}

impl View {
    pub(super) fn new(connection: Connection) -> Self {
        Self { connection }
    }

    pub(super) fn connection(&self) -> &Connection {
        &self.connection
    }

    pub(super) fn optional<T>(
        &self,
        sql: &str,
        params: impl Params,
        read: impl FnOnce(&Row<'_>) -> rusqlite::Result<T>,
    ) -> Result<Option<T>, Error> {
        let mut statement = self.connection.prepare_cached(sql)?;
        Ok(statement.query_row(params, read).optional()?)
    }

    pub(super) fn all<T>(
        &self,
        sql: &str,
        params: impl Params,
        read: impl FnMut(&Row<'_>) -> rusqlite::Result<T>,
    ) -> Result<Vec<T>, Error> {
        let mut statement = self.connection.prepare_cached(sql)?;
        let rows = statement.query_map(params, read)?;
        Ok(rows.collect::<rusqlite::Result<_>>()?)
    }
}

/// The index inside a transaction: all that a [`View`] can read, with its own changes, and the
/// methods that write.
pub struct Tx {
    view: View,
    /// The end of the audit chain as this transaction sees it; `None` when it has to be read.
    pub(super) chain_head: Cell<Option<ChainHead>>,
    pub(super) known_damage: KnownDamage,
}

impl Tx {
    pub(super) fn new(connection: Connection) -> Self {
        Self {
            view: View::new(connection),
            chain_head: Cell::new(None),
            known_damage: KnownDamage::default(),
        }
    }

    /// Runs a statement; answers how many rows it changed.
    pub(super) fn execute(&self, sql: &str, params: impl Params) -> Result<usize, Error> {
        Ok(self.connection.prepare_cached(sql)?.execute(params)?)
    }

    /// Runs a statement that must change the one row it names.
    pub(super) fn change_row(&self, sql: &str, params: impl Params, row: &str) -> Result<(), Error> {
        if self.execute(sql, params)? == 1 {
            return Ok(());
        }
        Err(Error::new(
            Kind::Bug,
            format!("the index has no {row} to change: this is a bug of strongroom, report it"),
        ))
    }
}

impl Deref for Tx {
    type Target = View;

    fn deref(&self) -> &View {
        &self.view
    }
}
