//! The certificate comes back: it is married to the request whose key it certifies.

use sha2::{Digest, Sha256};

use super::transition::transition;
use super::{App, Error, Kind};
use crate::domain::audit::Actor;
use crate::domain::certificate::{self, MarriedChain, MarryError};
use crate::domain::id::Handle;
use crate::domain::signing_request::{Command, Conflict, SigningRequest};
use crate::store::Certificate;

impl App {
    /// Marries a certificate (PEM or DER, its chain in any order) to a pending request. Sent again,
    /// the same certificate changes nothing.
    ///
    /// # Errors
    /// [`Kind::Invalid`] when it cannot be read; [`Kind::Refused`] when no certificate in it is for
    /// the request's key; [`Kind::Conflict`] when the request is not pending or has another one.
    pub async fn marry(
        &self,
        principal: Handle,
        handle: Handle,
        bytes: Vec<u8>,
    ) -> Result<(SigningRequest, Certificate), Error> {
        let certificates = certificate::read(&bytes).map_err(Error::from)?;
        let request = self.signing_request(handle).await?;
        let Some(key) = request.key else {
            let verb = "married to a certificate without a key";
            return Err(Conflict { handle, state: request.state, verb }.into());
        };
        let key = self.key(key).await?;
        let chain = certificate::marry(certificates, &key.spki).map_err(|error| match error {
            MarryError::PublicKeyMismatch { .. } => {
                Error::new(Kind::Refused, "certificate.key-mismatch", error.to_string()).about(handle)
            }
            error @ (MarryError::SeveralForTheKey { .. } | MarryError::NotInChain { .. }) => {
                Error::invalid(vec![error.into()])
            }
        })?;
        let now = self.now();
        let certificate = stored(handle, &chain, now);
        self.0
            .store
            .write(move |tx| {
                // Only an issued or retired request has one.
                if let Some(present) = tx.certificate(handle)?
                    && present.sha256 == certificate.sha256
                {
                    return Ok((request, present));
                }
                let command = Command::Married { fingerprint: hex::encode(certificate.sha256) };
                let request = transition(tx, &Actor::Principal(principal), handle, command, now)?;
                tx.insert_certificate(&certificate)?;
                Ok((request, certificate))
            })
            .await
    }

    /// The certificate married to a request.
    ///
    /// # Errors
    /// [`Kind::NotFound`] when the request is unknown or has none yet.
    pub async fn certificate(&self, handle: Handle) -> Result<Certificate, Error> {
        let request = self.signing_request(handle).await?;
        let found: Result<_, Error> = self.0.store.read(move |view| Ok(view.certificate(handle)?)).await;
        found?.ok_or_else(|| {
            let message =
                format!("signing request {handle} is {}: no certificate is married to it yet", request.state);
            Error::new(Kind::NotFound, "certificate.none", message)
        })
    }
}

fn stored(request: Handle, chain: &MarriedChain, now: crate::domain::clock::Timestamp) -> Certificate {
    Certificate {
        request,
        leaf: chain.leaf.der.clone(),
        chain: chain.chain.iter().map(|certificate| certificate.der.clone()).collect(),
        sha256: Sha256::digest(&chain.leaf.der).into(),
        not_before: chain.leaf.not_before,
        not_after: chain.leaf.not_after,
        married_at: now,
    }
}
