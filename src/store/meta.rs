//! What belongs to the database as a whole.

use rusqlite::Connection;

use crate::domain::id::InstallationId;

use super::error::Error;

pub(super) struct Meta {
    pub installation: InstallationId,
    pub instance_key: [u8; 32],
}

/// What the database says of itself; a new one takes what is given.
pub(super) fn read_or_init(
    connection: &Connection,
    new_installation: InstallationId,
    instance_key: [u8; 32],
) -> Result<Meta, Error> {
    connection.execute(
        "INSERT INTO meta (only_row, installation, instance_key) VALUES (1, ?1, ?2) ON CONFLICT DO NOTHING",
        (new_installation.0, instance_key),
    )?;
    Ok(connection.query_row("SELECT installation, instance_key FROM meta", [], |row| {
        Ok(Meta { installation: InstallationId(row.get(0)?), instance_key: row.get(1)? })
    })?)
}
