//! Signing requests, one by one. Pages of them are in `request_pages`.

use rusqlite::{Row, named_params};

use crate::domain::access::TenantId;
use crate::domain::id::Handle;
use crate::domain::signing_request::{SigningRequest, State, Submission, TemplateUse};

use super::columns::Json;
use super::error::Error;
use super::view::{Tx, View};

impl View {
    /// The signing request with that handle.
    pub fn signing_request(&self, handle: Handle) -> Result<Option<SigningRequest>, Error> {
        self.optional("SELECT * FROM signing_requests WHERE handle = ?1", [handle], signing_request)
    }

    /// The signing requests on a token whose CSR is still being made, oldest first.
    pub fn unfinished_signing_requests(&self, token: &str) -> Result<Vec<SigningRequest>, Error> {
        let mut unfinished = Vec::new();
        for state in State::ALL.into_iter().filter(|state| state.is_unfinished()) {
            unfinished.extend(self.all(UNFINISHED, (state, token), signing_request)?);
        }
        unfinished.sort_by_key(|request| request.handle);
        Ok(unfinished)
    }

    /// Every signing request that uses the key, with its state, oldest first.
    pub fn requests_of_key(&self, key: Handle) -> Result<Vec<(Handle, State)>, Error> {
        self.all(OF_KEY, [key], |row| Ok((row.get("handle")?, row.get("state")?)))
    }

    /// The renewals of a signing request, oldest first.
    pub fn renewals_of(&self, request: Handle) -> Result<Vec<Handle>, Error> {
        self.all(RENEWALS, [request], |row| row.get("handle"))
    }

    /// The signing requests that an authority is to issue for and did not yet, oldest first.
    pub fn signing_requests_to_be_issued(&self, authority: Handle) -> Result<Vec<SigningRequest>, Error> {
        self.all(TO_BE_ISSUED, [authority], signing_request)
    }

    /// Whether a client brought a CSR for this key before, to this tenant.
    pub fn knows_client_key(&self, tenant: TenantId, spki_sha256: [u8; 32]) -> Result<bool, Error> {
        let found = self.optional(CLIENT_KEY, (tenant, spki_sha256), |_| Ok(()))?;
        Ok(found.is_some())
    }

    /// The newest signing request with a client's CSR for that key, in a state.
    pub fn signing_request_of_client_key(
        &self,
        tenant: TenantId,
        spki_sha256: [u8; 32],
        state: State,
    ) -> Result<Option<Handle>, Error> {
        let sql = "SELECT handle FROM signing_requests
                   WHERE tenant = ?1 AND client_spki_sha256 = ?2 AND state = ?3 ORDER BY handle DESC LIMIT 1";
        self.optional(sql, (tenant, spki_sha256, state), |row| row.get("handle"))
    }

    /// The signing requests of a tenant for a public key, a key of ours or a client's; oldest first.
    pub fn requests_of_public_key(
        &self,
        tenant: TenantId,
        spki_sha256: [u8; 32],
    ) -> Result<Vec<SigningRequest>, Error> {
        self.all(OF_PUBLIC_KEY, (tenant, spki_sha256), signing_request)
    }

    /// The first of the requests that a signing request renews, directly or not, and the newest of those that
    /// renew that one; both may be the request itself.
    pub fn lineage_of(&self, request: Handle) -> Result<(Handle, Handle), Error> {
        let handle = |row: &Row<'_>| row.get("handle");
        let first = self.optional(FIRST_OF_LINEAGE, [request], handle)?.unwrap_or(request);
        let newest = self.optional(NEWEST_OF_LINEAGE, [first], handle)?.unwrap_or(first);
        Ok((first, newest))
    }

    /// The signing requests that still need the key, so that it must not be destroyed; oldest first.
    pub fn live_requests_of_key(&self, key: Handle) -> Result<Vec<Handle>, Error> {
        let all = self.requests_of_key(key)?;
        Ok(all.into_iter().filter(|(_, state)| state.is_live()).map(|(handle, _)| handle).collect())
    }
}

// By state, not by token: few are unfinished at any time, on whatever token. The index begins with
// the tenant: all of them are named.
const UNFINISHED: &str = "SELECT * FROM signing_requests
     WHERE tenant IN (SELECT id FROM tenants) AND state = ?1 AND token = ?2";
const RENEWALS: &str = "SELECT handle FROM signing_requests WHERE renews = ?1 ORDER BY handle";
const OF_KEY: &str = "SELECT handle, state FROM signing_requests WHERE key = ?1 ORDER BY handle";

const OF_PUBLIC_KEY: &str = "SELECT * FROM signing_requests WHERE tenant = ?1 AND client_spki_sha256 = ?2
     UNION ALL
     SELECT r.* FROM keys k JOIN signing_requests r ON r.key = k.handle WHERE k.spki_sha256 = ?2 AND r.tenant = ?1
     ORDER BY handle";

const FIRST_OF_LINEAGE: &str = "WITH RECURSIVE earlier (handle, renews) AS (
         SELECT handle, renews FROM signing_requests WHERE handle = ?1
         UNION ALL
         SELECT r.handle, r.renews FROM earlier e JOIN signing_requests r ON r.handle = e.renews
     )
     SELECT handle FROM earlier WHERE renews IS NULL";
const NEWEST_OF_LINEAGE: &str = "WITH RECURSIVE later (handle) AS (
         VALUES (?1)
         UNION ALL
         SELECT r.handle FROM later l JOIN signing_requests r ON r.renews = l.handle
     )
     SELECT handle FROM later ORDER BY handle DESC LIMIT 1";

const TO_BE_ISSUED: &str =
    "SELECT * FROM signing_requests WHERE authority = ?1 AND state = 'pending' ORDER BY handle";
const CLIENT_KEY: &str =
    "SELECT 1 FROM signing_requests WHERE tenant = ?1 AND client_spki_sha256 = ?2 LIMIT 1";

impl Tx {
    /// Lets a client's CSR be found by its key.
    pub fn note_client_key(&self, request: Handle, spki_sha256: [u8; 32]) -> Result<(), Error> {
        let sql = "UPDATE signing_requests SET client_spki_sha256 = ?2 WHERE handle = ?1";
        self.change_row(sql, (request, spki_sha256), "signing request")
    }

    /// Enters a signing request, to be found by `names`: its common name and SAN values.
    ///
    /// # Errors
    /// `Conflict` when the handle is there already.
    pub fn insert_signing_request(&self, request: &SigningRequest, names: &[String]) -> Result<(), Error> {
        self.execute(
            "INSERT INTO signing_requests (handle, tenant, number, principal, token, kind, scheme, spec, key_source,
                                           renews, template, template_sha256, authority, validity_days, surface,
                                           name, submitted, continues, state, key, csr, failure, created_at,
                                           updated_at)
             VALUES (:handle, :tenant, :number, :principal, :token, :kind, :scheme, :spec, :key_source,
                     :renews, :template, :template_sha256, :authority, :validity_days, :surface,
                     :name, :submitted, :continues, :state, :key, :csr, :failure, :created_at,
                     :updated_at)",
            named_params! {
                ":handle": request.handle,
                ":tenant": request.tenant,
                ":number": request.number,
                ":principal": request.principal,
                ":token": request.token,
                ":kind": request.kind,
                ":scheme": request.scheme,
                ":spec": Json(&request.spec),
                ":key_source": request.key_source,
                ":renews": request.renews,
                ":template": request.template.as_ref().map(|template| &template.name),
                ":template_sha256": request.template.as_ref().map(|template| &template.sha256),
                ":authority": request.authority,
                ":validity_days": request.validity_days,
                ":surface": request.submission.as_ref().map(|submission| &submission.surface),
                ":name": request.submission.as_ref().and_then(|submission| submission.name.as_ref()),
                ":submitted": request.submission.as_ref().map(|submission| &submission.document),
                ":continues": request.continues,
                ":state": request.state,
                ":key": request.key,
                ":csr": request.csr,
                ":failure": request.failure,
                ":created_at": request.created_at,
                ":updated_at": request.updated_at,
            },
        )?;
        names.iter().try_for_each(|name| self.insert_request_name(request.tenant, request.handle, name))
    }

    /// Writes what may change in a signing request that is there: `continues`, state, key, CSR,
    /// failure and the time of the change. The rest of `request` is not looked at.
    pub fn update_signing_request(&self, request: &SigningRequest) -> Result<(), Error> {
        self.change_row(
            "UPDATE signing_requests
             SET continues = :continues, state = :state, key = :key, csr = :csr, failure = :failure,
                 updated_at = :updated_at
             WHERE handle = :handle",
            named_params! {
                ":handle": request.handle,
                ":continues": request.continues,
                ":state": request.state,
                ":key": request.key,
                ":csr": request.csr,
                ":failure": request.failure,
                ":updated_at": request.updated_at,
            },
            "signing request",
        )
    }
}

pub(super) fn signing_request(row: &Row<'_>) -> rusqlite::Result<SigningRequest> {
    let Json(spec) = row.get("spec")?;
    let surface: Option<String> = row.get("surface")?;
    let submission = match surface {
        Some(surface) => {
            Some(Submission { surface, name: row.get("name")?, document: row.get("submitted")? })
        }
        None => None,
    };
    let template: (Option<String>, Option<String>) = (row.get("template")?, row.get("template_sha256")?);
    Ok(SigningRequest {
        handle: row.get("handle")?,
        tenant: row.get("tenant")?,
        number: row.get("number")?,
        principal: row.get("principal")?,
        token: row.get("token")?,
        kind: row.get("kind")?,
        scheme: row.get("scheme")?,
        spec,
        key_source: row.get("key_source")?,
        renews: row.get("renews")?,
        template: template.0.zip(template.1).map(|(name, sha256)| TemplateUse { name, sha256 }),
        authority: row.get("authority")?,
        validity_days: row.get("validity_days")?,
        submission,
        continues: row.get("continues")?,
        state: row.get("state")?,
        key: row.get("key")?,
        csr: row.get("csr")?,
        failure: row.get("failure")?,
        created_at: row.get("created_at")?,
        updated_at: row.get("updated_at")?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::signing_request::Command;
    use crate::store::testing::{TestStore, at, conflict, handle, key, principal, request};
    use crate::store::{Kind, Unique};

    #[tokio::test]
    async fn a_signing_request_comes_back_as_it_went_in_through_its_whole_life() {
        let store = TestStore::new();
        store
            .write(|tx| {
                tx.insert_principal(&principal(1))?;
                tx.insert_key(&key(50))?;
                tx.insert_signing_request(&request(1), &[])
            })
            .await
            .unwrap();
        let life = [
            Command::Generated { key: key(50).handle },
            Command::Signed { csr: vec![0x30, 0x00] },
            Command::Married { fingerprint: "00".into() },
            Command::Retire,
        ];
        let mut expected = request(1);
        for (n, command) in (10..).zip(life) {
            assert_eq!(
                store.read(|view| view.signing_request(handle(1))).await.unwrap(),
                Some(expected.clone())
            );
            expected = expected.apply(command, at(n)).unwrap().0;
            let changed = expected.clone();
            store.write(move |tx| tx.update_signing_request(&changed)).await.unwrap();
        }
        assert_eq!(store.read(|view| view.signing_request(handle(1))).await.unwrap(), Some(expected));
    }

    #[tokio::test]
    async fn a_handle_is_used_once_and_an_unknown_one_is_not_updated() {
        let store = TestStore::with_principal();
        store.write(|tx| tx.insert_signing_request(&request(1), &[])).await.unwrap();
        let again = SigningRequest { number: 2, ..request(1) };
        let error = store.write(move |tx| tx.insert_signing_request(&again, &[])).await.unwrap_err();
        assert_eq!(conflict(&error), Unique::Handle);
        let error = store.write(|tx| tx.update_signing_request(&request(2))).await.unwrap_err();
        assert_eq!(error.kind(), Kind::Bug);
    }

    #[tokio::test]
    async fn a_signing_request_needs_its_principal_and_its_key() {
        let store = TestStore::with_principal();
        let stranger = SigningRequest { principal: handle(99), ..request(1) };
        let keyless = SigningRequest { key: Some(handle(99)), ..request(1) };
        for orphan in [stranger, keyless] {
            let error = store.write(move |tx| tx.insert_signing_request(&orphan, &[])).await.unwrap_err();
            assert_eq!(error.kind(), Kind::Bug);
        }
    }

    #[tokio::test]
    async fn unfinished_ones_are_those_of_the_token_whose_csr_is_not_made() {
        let store = TestStore::with_principal();
        store
            .write(|tx| {
                for (n, state) in (1..).zip(State::ALL) {
                    tx.insert_signing_request(&SigningRequest { state, ..request(n) }, &[])?;
                    let elsewhere = SigningRequest { token: "another".into(), state, ..request(n + 100) };
                    tx.insert_signing_request(&elsewhere, &[])?;
                }
                Ok(())
            })
            .await
            .unwrap();
        let unfinished = store.read(|view| view.unfinished_signing_requests("token")).await.unwrap();
        let states: Vec<_> = unfinished.iter().map(|request| (request.handle, request.state)).collect();
        assert_eq!(states, [(handle(2), State::Intent), (handle(3), State::Generated)]);
    }

    #[tokio::test]
    async fn a_key_has_live_and_other_requests() {
        let store = TestStore::with_principal();
        store
            .write(|tx| {
                tx.insert_key(&key(50))?;
                for (n, state) in (1..).zip([State::Retired, State::Issued, State::Pending]) {
                    let renewal = SigningRequest { state, key: Some(key(50).handle), ..request(n) };
                    tx.insert_signing_request(&renewal, &[])?;
                }
                tx.insert_signing_request(&request(9), &[])
            })
            .await
            .unwrap();
        let (all, live) = store
            .read(|view| Ok((view.requests_of_key(handle(50))?, view.live_requests_of_key(handle(50))?)))
            .await
            .unwrap();
        assert_eq!(
            all,
            [(handle(1), State::Retired), (handle(2), State::Issued), (handle(3), State::Pending)]
        );
        assert_eq!(live, [handle(2), handle(3)]);
    }

    #[test]
    fn what_start_and_destruction_ask_for_is_indexed() {
        let store = TestStore::new();
        // Any of the two indexes that begin with tenant and state will do.
        let unfinished = store.plan(UNFINISHED);
        assert!(unfinished[0].ends_with("(tenant=? AND state=?)"), "{unfinished:?}");
        assert_eq!(
            store.plan(OF_KEY),
            ["SEARCH signing_requests USING INDEX signing_requests_by_key (key=?)"]
        );
    }
}
