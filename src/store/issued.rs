//! The certificates that authorities issue.

use rusqlite::{Row, named_params};
use sha2::{Digest as _, Sha256};

use crate::domain::certificate::{CertificateSpec, Issued, IssuedState, Period, Serial};
use crate::domain::clock::Timestamp;
use crate::domain::crl::{Reason, Revoked};
use crate::domain::id::Handle;

use super::columns::{Json, saturated};
use super::error::Error;
use super::page::{Order, Page};
use super::view::{Tx, View};

/// A certificate that is to be signed: what is recorded before the token is asked.
#[derive(Clone, Debug, PartialEq)]
pub struct Intended {
    /// The certificate, in state `intent`.
    pub issued: Issued,
    /// What it says.
    pub spec: CertificateSpec,
    /// DER of TBSCertificate: exactly what the token signs.
    pub tbs: Vec<u8>,
}

impl View {
    /// The certificate of an authority with that serial number.
    pub fn issued(&self, authority: Handle, serial: Serial) -> Result<Option<Issued>, Error> {
        let sql = "SELECT * FROM issued_certificates WHERE authority = ?1 AND serial = ?2";
        self.optional(sql, (authority, serial), issued)
    }

    /// The certificate with that handle.
    pub fn issued_by_handle(&self, handle: Handle) -> Result<Option<Issued>, Error> {
        self.optional("SELECT * FROM issued_certificates WHERE handle = ?1", [handle], issued)
    }

    /// The certificate of whichever authority with that DER.
    pub fn issued_by_der(&self, der: &[u8]) -> Result<Option<Issued>, Error> {
        let sha256: [u8; 32] = Sha256::digest(der).into();
        self.optional("SELECT * FROM issued_certificates WHERE sha256 = ?1", [sha256], issued)
    }

    /// A page of an authority's certificates, newest first.
    pub fn page_of_issued(
        &self,
        authority: Handle,
        after: Option<Handle>,
        limit: usize,
    ) -> Result<Page<Issued>, Error> {
        let after = after.unwrap_or(Order::NewestFirst.before_first());
        let found = self.all(PAGE, (authority, after, saturated(limit.saturating_add(1))), issued)?;
        Ok(Page::cut(found, limit, |issued| issued.handle))
    }

    /// The certificates of an authority that are recorded and not signed.
    pub fn intended(&self, authority: Handle) -> Result<Vec<Intended>, Error> {
        self.all(INTENDED, [authority], |row| {
            let Json(spec) = row.get("spec")?;
            Ok(Intended { issued: issued(row)?, spec, tbs: row.get("tbs")? })
        })
    }

    /// The revoked certificates of an authority that have to be on its list, in the order in which they were
    /// revoked: those that had not ended when the list before was made (RFC 5280 section 3.3).
    pub fn revoked(&self, authority: Handle, list_before: Option<Timestamp>) -> Result<Vec<Revoked>, Error> {
        let list_before = list_before.unwrap_or(Timestamp::from_millis(i64::MIN));
        self.all(REVOKED, (authority, list_before), |row| {
            let reason: Reason = row.get("reason")?;
            Ok(Revoked { serial: row.get("serial")?, at: row.get("revoked_at")?, reason })
        })
    }
}

const PAGE: &str = "SELECT * FROM issued_certificates
     WHERE authority = ?1 AND handle < ?2 ORDER BY handle DESC LIMIT ?3";
const INTENDED: &str =
    "SELECT * FROM issued_certificates WHERE authority = ?1 AND state = 'intent' ORDER BY handle";
const REVOKED: &str = "SELECT serial, revoked_at, reason FROM issued_certificates
     WHERE authority = ?1 AND revoked_at IS NOT NULL AND not_after >= ?2 ORDER BY revoked_at, serial";

impl Tx {
    /// Enters a certificate that is to be signed.
    ///
    /// # Errors
    /// `Conflict` when the authority used the serial number before.
    pub fn insert_intended(&self, intended: &Intended) -> Result<(), Error> {
        let Intended { issued, spec, tbs } = intended;
        self.execute(
            "INSERT INTO issued_certificates (handle, authority, serial, state, purpose, subject, tbs_sha256, tbs,
                                              spec, request, template, principal, not_before, not_after, created_at)
             VALUES (:handle, :authority, :serial, :state, :purpose, :subject, :tbs_sha256, :tbs,
                     :spec, :request, :template, :principal, :not_before, :not_after, :created_at)",
            named_params! {
                ":handle": issued.handle,
                ":authority": issued.authority,
                ":serial": issued.serial,
                ":state": IssuedState::Intent,
                ":purpose": issued.purpose,
                ":subject": issued.subject,
                ":tbs_sha256": issued.tbs_sha256,
                ":tbs": tbs,
                ":spec": Json(spec),
                ":request": issued.request,
                ":template": issued.template,
                ":principal": issued.principal,
                ":not_before": issued.period.not_before,
                ":not_after": issued.period.not_after,
                ":created_at": issued.created_at,
            },
        )?;
        Ok(())
    }

    /// Enters the certificate that was signed.
    pub fn set_issued(&self, handle: Handle, der: &[u8]) -> Result<(), Error> {
        let sha256: [u8; 32] = Sha256::digest(der).into();
        self.change_row(
            "UPDATE issued_certificates SET state = 'issued', der = ?2, sha256 = ?3, tbs = NULL, spec = NULL
             WHERE handle = ?1 AND state = 'intent'",
            (handle, der, sha256),
            "certificate to be signed",
        )
    }

    /// Enters that a certificate that was to be signed will never be seen.
    pub fn abandon_issued(&self, handle: Handle, reason: &str) -> Result<(), Error> {
        self.change_row(
            "UPDATE issued_certificates SET state = 'abandoned', failure = ?2, tbs = NULL, spec = NULL
             WHERE handle = ?1 AND state = 'intent'",
            (handle, reason),
            "certificate to be signed",
        )
    }

    /// Revokes a certificate that was issued.
    pub fn revoke_issued(&self, issued: &Issued, at: Timestamp, reason: Reason) -> Result<(), Error> {
        self.change_row(
            "UPDATE issued_certificates SET state = 'revoked', revoked_at = ?2, reason = ?3
             WHERE handle = ?1 AND state = 'issued'",
            (issued.handle, at, reason),
            "issued certificate",
        )?;
        let sql = "UPDATE authorities SET revocations = revocations + 1 WHERE handle = ?1";
        self.change_row(sql, [issued.authority], "authority")
    }
}

fn issued(row: &Row<'_>) -> rusqlite::Result<Issued> {
    let revoked: (Option<Timestamp>, Option<Reason>) = (row.get("revoked_at")?, row.get("reason")?);
    Ok(Issued {
        handle: row.get("handle")?,
        authority: row.get("authority")?,
        serial: row.get("serial")?,
        state: row.get("state")?,
        purpose: row.get("purpose")?,
        subject: row.get("subject")?,
        tbs_sha256: row.get("tbs_sha256")?,
        request: row.get("request")?,
        template: row.get("template")?,
        principal: row.get("principal")?,
        der: row.get("der")?,
        period: Period { not_before: row.get("not_before")?, not_after: row.get("not_after")? },
        created_at: row.get("created_at")?,
        revoked: revoked.0.zip(revoked.1),
        failure: row.get("failure")?,
    })
}
