//! What clients say of the CSRs that they handed to a CA.

use rusqlite::Row;

use crate::domain::access::TenantId;
use crate::domain::clock::Timestamp;
use crate::domain::id::Handle;
use crate::domain::signing_request::SigningRequest;

use super::error::Error;
use super::signing_requests::signing_request;
use super::view::{Tx, View};

/// That a CSR was handed to a CA.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Enrollment {
    /// The signing request.
    pub request: Handle,
    /// Who said so.
    pub principal: Handle,
    /// By which surface, such as `keyfactor`.
    pub surface: String,
    /// What he said, as JSON in the words of that surface.
    pub document: String,
    /// When.
    pub enrolled_at: Timestamp,
}

impl View {
    /// The last enrolment of a signing request.
    pub fn enrollment(&self, request: Handle) -> Result<Option<Enrollment>, Error> {
        self.optional("SELECT * FROM enrollments WHERE request = ?1", [request], enrollment)
    }

    /// The signing request of a tenant with exactly that CSR, whose public key has that SHA-256.
    pub fn signing_request_of_csr(
        &self,
        tenant: TenantId,
        spki_sha256: [u8; 32],
        csr: &[u8],
    ) -> Result<Option<SigningRequest>, Error> {
        self.optional(OF_CSR, (tenant, spki_sha256, csr), signing_request)
    }
}

// By the key, which has few requests: the CSRs themselves are in no index.
const OF_CSR: &str = "SELECT r.* FROM keys k JOIN signing_requests r ON r.key = k.handle
     WHERE k.spki_sha256 = ?2 AND r.tenant = ?1 AND r.csr = ?3";

impl Tx {
    /// Enters an enrolment in the place of an earlier one.
    pub fn put_enrollment(&self, enrollment: &Enrollment) -> Result<(), Error> {
        self.execute(
            "INSERT OR REPLACE INTO enrollments (request, principal, surface, document, enrolled_at)
             VALUES (?1, ?2, ?3, ?4, ?5)",
            (
                enrollment.request,
                enrollment.principal,
                &enrollment.surface,
                &enrollment.document,
                enrollment.enrolled_at,
            ),
        )?;
        Ok(())
    }
}

fn enrollment(row: &Row<'_>) -> rusqlite::Result<Enrollment> {
    Ok(Enrollment {
        request: row.get("request")?,
        principal: row.get("principal")?,
        surface: row.get("surface")?,
        document: row.get("document")?,
        enrolled_at: row.get("enrolled_at")?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::testing::{TestStore, at, handle, key, request};

    #[tokio::test]
    async fn a_signing_request_is_found_by_its_csr_and_keeps_its_last_enrolment() {
        use sha2::Digest;
        let store = TestStore::with_principal();
        let made = SigningRequest { key: Some(key(1).handle), csr: Some(vec![1, 2, 3]), ..request(7) };
        let (entered, spki) = (made.clone(), key(1).spki);
        let enrolled = |document: &str, millis| Enrollment {
            request: made.handle,
            principal: made.principal,
            surface: "keyfactor".to_owned(),
            document: document.to_owned(),
            enrolled_at: at(millis),
        };
        let both = [enrolled("{}", 1), enrolled("{\"a\":1}", 2)];
        let last = both[1].clone();
        let entered = store.write(move |tx| {
            tx.insert_key(&key(1))?;
            tx.insert_signing_request(&entered, &[])?;
            both.iter().try_for_each(|enrollment| tx.put_enrollment(enrollment))
        });
        entered.await.unwrap();
        let digest: [u8; 32] = sha2::Sha256::digest(&spki).into();
        let (tenant, sought) = (made.tenant, made.handle);
        store
            .read(move |view| {
                let found = |digest, csr: &[u8]| view.signing_request_of_csr(tenant, digest, csr);
                assert_eq!(found(digest, &[1, 2, 3])?.unwrap().handle, sought);
                assert!(found(digest, &[1, 2])?.is_none() && found([0; 32], &[1, 2, 3])?.is_none());
                assert!(view.signing_request_of_csr(TenantId(77), digest, &[1, 2, 3])?.is_none());
                assert_eq!(view.enrollment(sought)?, Some(last));
                assert_eq!(view.enrollment(handle(99))?, None);
                Ok(())
            })
            .await
            .unwrap();
    }
}
