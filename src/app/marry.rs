//! The certificate comes back: it is married to the request whose key it certifies.

use sha2::{Digest, Sha256};

use super::certificate_objects::intend_certificate;
use super::transition::transition;
use super::{App, Caller, Error, Kind};
use crate::domain::access::TenantId;
use crate::domain::audit::Actor;
use crate::domain::certificate::{self, MarriedChain, MarryError};
use crate::domain::clock::{Moment, Timestamp};
use crate::domain::id::Handle;
use crate::domain::signing_request::{Command, SigningRequest};
use crate::store::{Certificate, CertificateFilter, Page, Tx};

/// When a certificate that is married has to be valid.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Validity {
    /// At this time.
    Now,
    /// At any: whoever sends it knows what he does.
    Any,
}

/// Which certificates are wanted on a list.
#[derive(Clone, Debug)]
pub struct WantedCertificates {
    /// Whose.
    pub tenant: TenantId,
    /// Of retired requests only, of issued ones only, or of both.
    pub retired: Option<bool>,
    /// That end before this.
    pub expires_before: Option<Moment>,
    /// That end at this or later.
    pub expires_after: Option<Moment>,
    /// Of requests with a name that begins so.
    pub name_prefix: Option<String>,
}

impl App {
    /// Marries a certificate (PEM, DER or PKCS #7, its chain in any order) to a pending request. Sent
    /// again, the same certificate changes nothing. Where the configuration wants it on the token, the
    /// marriage does not wait long for that: it stands, and the token gets it later.
    ///
    /// # Errors
    /// [`Kind::Invalid`] when it cannot be read; [`Kind::Refused`] when no certificate in it is for
    /// the request's key, or it or one of its chain has expired or is not valid yet and `validity` asks
    /// for more; [`Kind::Conflict`] when the request is not pending or has another one.
    pub async fn marry(
        &self,
        caller: &Caller,
        handle: Handle,
        bytes: Vec<u8>,
        validity: Validity,
    ) -> Result<(SigningRequest, Certificate), Error> {
        let certificates = certificate::read(&bytes).map_err(Error::from)?;
        let request = self.signing_request(caller, handle).await?;
        let spki = self.spki_of(&request).await?;
        let refused = |error| refusal(error).about(handle);
        let chain = certificate::marry(certificates, &spki).map_err(refused)?;
        let now = self.now();
        let valid = match validity {
            Validity::Now => chain.check_validity(now).map_err(refused),
            Validity::Any => Ok(()),
        };
        let certificate = stored(handle, &chain, now);
        let actor = caller.actor();
        let write = self.rules(&request.token).write_certificates;
        let married: Result<_, Error> = self
            .0
            .store
            .write(move |tx| {
                // Only an issued or retired request has one.
                if let Some(present) = tx.certificate(handle)?
                    && present.sha256 == certificate.sha256
                {
                    return Ok((request, present, false));
                }
                valid?;
                let (request, to_be_written) = marry_in(tx, &actor, &certificate, write, now)?;
                Ok((request, certificate, to_be_written))
            })
            .await;
        super::failpoint::reached("marry-after");
        let (request, certificate, to_be_written) = married?;
        if let Some(key) = request.key.filter(|_| to_be_written) {
            self.settle_certificate_soon(key, &request.token).await;
        }
        Ok((request, certificate))
    }

    /// A page of certificates with their requests; those that end first come first.
    ///
    /// # Errors
    /// The index cannot be read.
    pub async fn certificates(
        &self,
        wanted: WantedCertificates,
        after: Option<Handle>,
        limit: usize,
    ) -> Result<Page<(SigningRequest, Certificate)>, Error> {
        let now = self.now();
        let filter = CertificateFilter {
            tenant: wanted.tenant,
            retired: wanted.retired,
            expires_before: wanted.expires_before.map(|moment| moment.at(now)),
            expires_after: wanted.expires_after.map(|moment| moment.at(now)),
            name_prefix: wanted.name_prefix,
        };
        self.0.store.read(move |view| Ok(view.page_of_certificates(&filter, after, limit)?)).await
    }

    /// The certificate married to a request.
    ///
    /// # Errors
    /// [`Kind::NotFound`] when the request is unknown or has none yet.
    pub async fn certificate(&self, caller: &Caller, handle: Handle) -> Result<Certificate, Error> {
        self.certificate_of(&self.signing_request(caller, handle).await?).await
    }

    /// The certificate married to a request that was looked up.
    ///
    /// # Errors
    /// [`Kind::NotFound`] when it has none yet.
    pub async fn certificate_of(&self, request: &SigningRequest) -> Result<Certificate, Error> {
        let handle = request.handle;
        let found: Result<_, Error> = self.0.store.read(move |view| Ok(view.certificate(handle)?)).await;
        found?.ok_or_else(|| {
            let message =
                format!("signing request {handle} is {}: no certificate is married to it yet", request.state);
            Error::new(Kind::NotFound, "certificate.none", message)
        })
    }
}

/// Marries a certificate in the transaction of the caller. Answers the request, and whether its token has to get
/// the certificate.
pub(super) fn marry_in(
    tx: &Tx,
    actor: &Actor,
    certificate: &Certificate,
    write: bool,
    now: Timestamp,
) -> Result<(SigningRequest, bool), Error> {
    let command = Command::Married { fingerprint: hex::encode(certificate.sha256) };
    let request = transition(tx, actor, certificate.request, [command], now)?;
    tx.insert_certificate(certificate)?;
    let to_be_written = match request.key {
        Some(key) => intend_certificate(tx, key, write)?,
        None => false,
    };
    Ok((request, to_be_written))
}

fn refusal(error: MarryError) -> Error {
    let code = match error {
        MarryError::PublicKeyMismatch { .. } => "certificate.key-mismatch",
        MarryError::Expired { .. } => "certificate.expired",
        MarryError::NotYetValid { .. } => "certificate.not-yet-valid",
        MarryError::SeveralForTheKey { .. }
        | MarryError::SeveralOfOneCa { .. }
        | MarryError::NotOfACa { .. }
        | MarryError::NotInChain { .. } => return Error::invalid(vec![error.into()]),
    };
    Error::new(Kind::Refused, code, error.to_string())
}

fn stored(request: Handle, chain: &MarriedChain, now: Timestamp) -> Certificate {
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
