//! Signing requests found by what a certificate says of them: its fingerprint, its public key, its issuer.

use super::marry::Validity;
use super::{App, Caller, Error, Kind};
use crate::domain::certificate::{self, Issued};
use crate::domain::crl::Reason;
use crate::domain::csr;
use crate::domain::id::Handle;
use crate::domain::invalid::Invalid;
use crate::domain::signing_request::{Conflict, SigningRequest, State};
use crate::store::Certificate;

/// A signing request among those that renew each other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Lineage {
    /// The one that renews no other.
    pub first: Handle,
    /// The one that was made last.
    pub newest: Handle,
}

impl App {
    /// The caller's signing requests that have the certificate with that SHA-1, oldest first.
    ///
    /// # Errors
    /// The index cannot be read.
    pub async fn requests_with_certificate(
        &self,
        caller: &Caller,
        sha1: [u8; 20],
    ) -> Result<Vec<SigningRequest>, Error> {
        let caller = caller.clone();
        self.0
            .store
            .read(move |view| {
                let found = view.requests_with_certificate(caller.tenant, sha1)?;
                found.into_iter().map(|handle| caller.signing_request(view, handle)).collect()
            })
            .await
    }

    /// The first and the newest of the signing requests that renew each other, of which the given one is one.
    ///
    /// # Errors
    /// [`Kind::NotFound`], or the index cannot be read.
    pub async fn lineage(&self, caller: &Caller, handle: Handle) -> Result<Lineage, Error> {
        let caller = caller.clone();
        self.0
            .store
            .read(move |view| {
                caller.signing_request(view, handle)?;
                let (first, newest) = view.lineage_of(handle)?;
                Ok(Lineage { first, newest })
            })
            .await
    }

    /// Marries certificates (DER) to the newest pending request whose key one of them is for. Sent again, they
    /// change nothing.
    ///
    /// # Errors
    /// As for [`App::marry`]; [`Kind::Refused`] when no request of the tenant has the key of any of them.
    pub async fn marry_by_key(
        &self,
        caller: &Caller,
        certificates: &[Vec<u8>],
        validity: Validity,
    ) -> Result<(SigningRequest, Certificate), Error> {
        let pem: String = certificates.iter().map(|der| certificate::pem(der)).collect();
        let read = certificate::read(pem.as_bytes())?;
        let mut candidates = Vec::new();
        for certificate in &read {
            let (tenant, spki) = (caller.tenant, csr::spki_sha256(&certificate.spki));
            let found: Result<Vec<_>, Error> =
                self.0.store.read(move |view| Ok(view.requests_of_public_key(tenant, spki)?)).await;
            candidates.extend(found?);
        }
        let mut waiting = None;
        let newest = candidates.last().map(|request| (request.handle, request.state));
        for request in candidates.into_iter().rev() {
            let has_it = match request.state {
                State::Issued | State::Retired => {
                    let own = self.certificate_of(&request).await?;
                    read.iter().any(|certificate| certificate.der == own.leaf)
                }
                _ => false,
            };
            if has_it {
                waiting = Some(request.handle);
                break;
            }
            if request.state == State::Pending && waiting.is_none() {
                waiting = Some(request.handle);
            }
        }
        if let Some(handle) = waiting {
            return self.marry(caller, handle, pem.into_bytes(), validity).await;
        }
        Err(match newest {
            Some((handle, state)) => Conflict { handle, state, verb: "married to a certificate" }.into(),
            None => {
                let reason = "is for the key of no signing request of this tenant";
                Error::refused("certificate.key-unknown", vec![Invalid::new("certificate", reason)])
            }
        })
    }

    /// Revokes the certificate of a signing request, where an authority of ours issued it.
    ///
    /// # Errors
    /// As for [`App::revoke_certificate`]; [`Kind::NotFound`] when the request has no certificate;
    /// [`Kind::Refused`] when it was issued elsewhere.
    pub async fn revoke_certificate_of(
        &self,
        caller: &Caller,
        request: Handle,
        reason: Reason,
    ) -> Result<Issued, Error> {
        let leaf = self.certificate(caller, request).await?.leaf;
        let issued: Result<_, Error> = self.0.store.read(move |view| Ok(view.issued_by_der(&leaf)?)).await;
        let Some(issued) = issued? else {
            let message =
                "no authority of this appliance issued this certificate; ask its issuer to revoke it";
            return Err(Error::new(Kind::Refused, "certificate.issued-elsewhere", message));
        };
        self.revoke_certificate(caller, issued.authority, issued.serial, reason).await
    }
}
