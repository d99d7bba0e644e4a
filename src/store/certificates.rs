//! Certificates that were married to their keys.

use aws_lc_rs::digest::{SHA1_FOR_LEGACY_USE_ONLY, digest};
use rusqlite::named_params;

use crate::domain::access::TenantId;
use crate::domain::clock::Timestamp;
use crate::domain::id::Handle;

use super::columns::saturated;
use super::error::Error;
use super::view::{Tx, View};

/// The certificate of a signing request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Certificate {
    /// The signing request.
    pub request: Handle,
    /// DER of the certificate.
    pub leaf: Vec<u8>,
    /// DER of the certificates above it, the issuer's first.
    pub chain: Vec<Vec<u8>>,
    /// SHA-256 of `leaf`.
    pub sha256: [u8; 32],
    /// When it begins to be valid.
    pub not_before: Timestamp,
    /// When it ceases to be valid.
    pub not_after: Timestamp,
    /// When it came back.
    pub married_at: Timestamp,
}

impl View {
    /// The certificate of a signing request.
    pub fn certificate(&self, request: Handle) -> Result<Option<Certificate>, Error> {
        let chain = self.all(
            "SELECT der FROM chain_certificates WHERE request = ?1 ORDER BY position",
            [request],
            |row| row.get("der"),
        )?;
        self.optional("SELECT * FROM certificates WHERE request = ?1", [request], |row| {
            Ok(Certificate {
                request: row.get("request")?,
                leaf: row.get("leaf")?,
                chain,
                sha256: row.get("sha256")?,
                not_before: row.get("not_before")?,
                not_after: row.get("not_after")?,
                married_at: row.get("married_at")?,
            })
        })
    }

    /// The signing requests of a tenant that have the certificate with that SHA-1, oldest first.
    pub fn requests_with_certificate(&self, tenant: TenantId, sha1: [u8; 20]) -> Result<Vec<Handle>, Error> {
        self.all(BY_SHA1, (tenant, sha1), |row| row.get("request"))
    }
}

const BY_SHA1: &str = "SELECT request FROM certificates WHERE tenant = ?1 AND sha1 = ?2 ORDER BY request";

/// What Venafi's clients know a certificate by; nothing is proved with it.
pub(super) fn sha1(certificate: &[u8]) -> [u8; 20] {
    let mut bytes = [0; 20];
    bytes.copy_from_slice(digest(&SHA1_FOR_LEGACY_USE_ONLY, certificate).as_ref());
    bytes
}

impl Tx {
    /// Enters the certificate of a signing request.
    ///
    /// # Errors
    /// `Conflict` when it has one already.
    pub fn insert_certificate(&self, certificate: &Certificate) -> Result<(), Error> {
        self.change_row(
            "INSERT INTO certificates (request, tenant, leaf, sha256, sha1, not_before, not_after, married_at)
             SELECT handle, tenant, :leaf, :sha256, :sha1, :not_before, :not_after, :married_at
             FROM signing_requests WHERE handle = :request",
            named_params! {
                ":request": certificate.request,
                ":leaf": certificate.leaf,
                ":sha256": certificate.sha256,
                ":sha1": sha1(&certificate.leaf),
                ":not_before": certificate.not_before,
                ":not_after": certificate.not_after,
                ":married_at": certificate.married_at,
            },
            "signing request",
        )?;
        for (position, der) in certificate.chain.iter().enumerate() {
            self.execute(
                "INSERT INTO chain_certificates (request, position, der) VALUES (?1, ?2, ?3)",
                (certificate.request, saturated(position), der),
            )?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::Unique;
    use crate::store::testing::{TestStore, at, conflict, handle, request};

    fn certificate(chain: Vec<Vec<u8>>) -> Certificate {
        Certificate {
            request: handle(1),
            leaf: vec![1, 2, 3],
            chain,
            sha256: [7; 32],
            not_before: at(-5),
            not_after: at(1_000),
            married_at: at(10),
        }
    }

    #[tokio::test]
    async fn a_certificate_comes_back_with_its_chain_in_order() {
        for chain in [vec![], vec![vec![9], vec![8], vec![7]]] {
            let store = TestStore::with_principal();
            let certificate = certificate(chain);
            let inserted = certificate.clone();
            store
                .write(move |tx| {
                    tx.insert_signing_request(&request(1), &[])?;
                    tx.insert_certificate(&inserted)
                })
                .await
                .unwrap();
            assert_eq!(store.read(|view| view.certificate(handle(1))).await.unwrap(), Some(certificate));
            assert_eq!(store.read(|view| view.certificate(handle(2))).await.unwrap(), None);
        }
    }

    #[tokio::test]
    async fn a_certificate_is_found_by_its_sha1_in_its_tenant() {
        let store = TestStore::with_principal();
        store
            .write(move |tx| {
                tx.insert_signing_request(&request(1), &[])?;
                tx.insert_certificate(&certificate(vec![]))
            })
            .await
            .unwrap();
        let known = sha1(&[1, 2, 3]);
        assert_eq!(hex::encode(known), "7037807198c22a7d2b0807371d763779a84fdfcf");
        for (tenant, sha1, found) in [
            (TenantId::DEFAULT, known, vec![handle(1)]),
            (TenantId::DEFAULT, [0; 20], vec![]),
            (TenantId(2), known, vec![]),
        ] {
            let read = store.read(move |view| view.requests_with_certificate(tenant, sha1)).await.unwrap();
            assert_eq!(read, found);
        }
    }

    #[tokio::test]
    async fn a_signing_request_has_one_certificate() {
        let store = TestStore::with_principal();
        store
            .write(|tx| {
                tx.insert_signing_request(&request(1), &[])?;
                tx.insert_certificate(&certificate(vec![]))
            })
            .await
            .unwrap();
        let error = store.write(|tx| tx.insert_certificate(&certificate(vec![]))).await.unwrap_err();
        assert_eq!(conflict(&error), Unique::Certificate);
    }
}
