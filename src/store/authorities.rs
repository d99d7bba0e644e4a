//! Authorities and their own certificates.

use rusqlite::{Row, named_params};
use sha2::{Digest as _, Sha256};

use crate::domain::access::TenantId;
use crate::domain::authority::{Authority, State};
use crate::domain::clock::Timestamp;
use crate::domain::id::Handle;
use crate::domain::signing_request::Submission;

use super::columns::{Json, saturated};
use super::error::Error;
use super::view::{Tx, View};

/// A certificate that an authority has, or had, of its own.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AuthorityCertificate {
    /// The authority.
    pub authority: Handle,
    /// Its number, from 1.
    pub version: u32,
    /// DER of the certificate.
    pub der: Vec<u8>,
    /// DER of the certificates above it, the issuer's first.
    pub chain: Vec<Vec<u8>>,
    /// When it begins to be valid.
    pub not_before: Timestamp,
    /// When it ceases to be valid.
    pub not_after: Timestamp,
    /// When it came.
    pub at: Timestamp,
}

impl View {
    /// The authority with that handle.
    pub fn authority(&self, handle: Handle) -> Result<Option<Authority>, Error> {
        self.optional("SELECT * FROM authorities WHERE handle = ?1", [handle], authority)
    }

    /// A tenant's authority of that name that did not fail and is not deleted.
    pub fn authority_by_name(&self, tenant: TenantId, name: &str) -> Result<Option<Authority>, Error> {
        self.optional(BY_NAME, (tenant, name), authority)
    }

    /// A tenant's authorities, oldest first. There are few.
    pub fn authorities(&self, tenant: TenantId) -> Result<Vec<Authority>, Error> {
        self.all("SELECT * FROM authorities WHERE tenant = ?1 ORDER BY handle", [tenant], authority)
    }

    /// The authorities whose key is, or is to be, on a token.
    pub fn authorities_on(&self, token: &str) -> Result<Vec<Authority>, Error> {
        self.all("SELECT * FROM authorities WHERE token = ?1 ORDER BY handle", [token], authority)
    }

    /// The authority that lives by that key.
    pub fn live_authority_of_key(&self, key: Handle) -> Result<Option<Authority>, Error> {
        let all = self.all("SELECT * FROM authorities WHERE key = ?1", [key], authority)?;
        Ok(all.into_iter().find(|authority| authority.state.is_live()))
    }

    /// One of an authority's own certificates.
    pub fn authority_certificate(
        &self,
        authority: Handle,
        version: u32,
    ) -> Result<Option<AuthorityCertificate>, Error> {
        let chain = self.all(
            "SELECT der FROM authority_chains WHERE authority = ?1 AND version = ?2 ORDER BY position",
            (authority, version),
            |row| row.get("der"),
        )?;
        let sql = "SELECT * FROM authority_certificates WHERE authority = ?1 AND version = ?2";
        self.optional(sql, (authority, version), |row| {
            Ok(AuthorityCertificate {
                authority: row.get("authority")?,
                version: row.get("version")?,
                der: row.get("der")?,
                chain,
                not_before: row.get("not_before")?,
                not_after: row.get("not_after")?,
                at: row.get("at")?,
            })
        })
    }

    /// The highest number of an authority's own certificates; 0 when it has none.
    pub fn newest_authority_version(&self, authority: Handle) -> Result<u32, Error> {
        let sql = "SELECT max(version) FROM authority_certificates WHERE authority = ?1";
        let newest: Option<Option<u32>> = self.optional(sql, [authority], |row| row.get(0))?;
        Ok(newest.flatten().unwrap_or_default())
    }

    /// How many of an authority's certificates were revoked so far.
    pub fn revocations(&self, authority: Handle) -> Result<i64, Error> {
        let sql = "SELECT revocations FROM authorities WHERE handle = ?1";
        Ok(self.optional(sql, [authority], |row| row.get(0))?.unwrap_or_default())
    }
}

// The states are written as in the index, which SQLite takes only for the same words.
const BY_NAME: &str = "SELECT * FROM authorities
     WHERE tenant = ?1 AND name = ?2 AND state NOT IN ('failed', 'deleted')";

impl Tx {
    /// Enters an authority.
    ///
    /// # Errors
    /// `Conflict` when the tenant has one of that name.
    pub fn insert_authority(&self, authority: &Authority) -> Result<(), Error> {
        self.execute(
            "INSERT INTO authorities (handle, tenant, principal, name, kind, token, key_kind, scheme, spec, state,
                                      key, csr, version, parent, surface, submitted, failure, created_at,
                                      updated_at)
             VALUES (:handle, :tenant, :principal, :name, :kind, :token, :key_kind, :scheme, :spec, :state,
                     :key, :csr, :version, :parent, :surface, :submitted, :failure, :created_at, :updated_at)",
            named_params! {
                ":handle": authority.handle,
                ":tenant": authority.tenant,
                ":principal": authority.principal,
                ":name": authority.name,
                ":kind": authority.kind,
                ":token": authority.token,
                ":key_kind": authority.key_kind,
                ":scheme": authority.scheme,
                ":spec": Json(&authority.spec),
                ":state": authority.state,
                ":key": authority.key,
                ":csr": authority.csr,
                ":version": authority.version,
                ":parent": authority.parent,
                ":surface": authority.submission.as_ref().map(|submission| &submission.surface),
                ":submitted": authority.submission.as_ref().map(|submission| &submission.document),
                ":failure": authority.failure,
                ":created_at": authority.created_at,
                ":updated_at": authority.updated_at,
            },
        )?;
        Ok(())
    }

    /// Writes what may change in an authority that is there. The rest of `authority` is not looked at.
    pub fn update_authority(&self, authority: &Authority) -> Result<(), Error> {
        self.change_row(
            "UPDATE authorities SET state = :state, key = :key, csr = :csr, version = :version, parent = :parent,
                 failure = :failure, updated_at = :updated_at
             WHERE handle = :handle",
            named_params! {
                ":handle": authority.handle,
                ":state": authority.state,
                ":key": authority.key,
                ":csr": authority.csr,
                ":version": authority.version,
                ":parent": authority.parent,
                ":failure": authority.failure,
                ":updated_at": authority.updated_at,
            },
            "authority",
        )
    }

    /// Enters a certificate of an authority's own.
    ///
    /// # Errors
    /// `Conflict` when it has one of that number.
    pub fn insert_authority_certificate(&self, certificate: &AuthorityCertificate) -> Result<(), Error> {
        let sha256: [u8; 32] = Sha256::digest(&certificate.der).into();
        self.execute(
            "INSERT INTO authority_certificates (authority, version, der, sha256, not_before, not_after, at)
             VALUES (:authority, :version, :der, :sha256, :not_before, :not_after, :at)",
            named_params! {
                ":authority": certificate.authority,
                ":version": certificate.version,
                ":der": certificate.der,
                ":sha256": sha256,
                ":not_before": certificate.not_before,
                ":not_after": certificate.not_after,
                ":at": certificate.at,
            },
        )?;
        for (position, der) in certificate.chain.iter().enumerate() {
            self.execute(
                "INSERT INTO authority_chains (authority, version, position, der) VALUES (?1, ?2, ?3, ?4)",
                (certificate.authority, certificate.version, saturated(position), der),
            )?;
        }
        Ok(())
    }

    /// Gives out the next number of an authority's revocation lists. Never the same twice.
    pub fn next_crl_number(&self, authority: Handle) -> Result<u64, Error> {
        let sql = "UPDATE authorities SET crl_number = crl_number + 1 WHERE handle = ?1";
        self.change_row(sql, [authority], "authority")?;
        let sql = "SELECT crl_number FROM authorities WHERE handle = ?1";
        let number: Option<i64> = self.optional(sql, [authority], |row| row.get(0))?;
        Ok(number.and_then(|number| u64::try_from(number).ok()).unwrap_or_default())
    }
}

fn authority(row: &Row<'_>) -> rusqlite::Result<Authority> {
    let Json(spec) = row.get("spec")?;
    let state: State = row.get("state")?;
    let submission = match row.get("surface")? {
        Some(surface) => Some(Submission { surface, name: None, document: row.get("submitted")? }),
        None => None,
    };
    Ok(Authority {
        handle: row.get("handle")?,
        tenant: row.get("tenant")?,
        principal: row.get("principal")?,
        name: row.get("name")?,
        kind: row.get("kind")?,
        token: row.get("token")?,
        key_kind: row.get("key_kind")?,
        scheme: row.get("scheme")?,
        spec,
        state,
        key: row.get("key")?,
        csr: row.get("csr")?,
        version: row.get("version")?,
        parent: row.get("parent")?,
        submission,
        failure: row.get("failure")?,
        created_at: row.get("created_at")?,
        updated_at: row.get("updated_at")?,
    })
}
