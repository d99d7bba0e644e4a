//! The certificate of an intermediate comes back from whoever signed its CSR; and renewals, with the same key.

use super::sign::{Plan, issuing};
use super::{AuthorityView, authority_of, transition};
use crate::app::{App, Caller, Error, Kind, failpoint};
use crate::domain::authority::profile::{Lifetime, default_days};
use crate::domain::authority::{AuthorityKind, Command, Issuer, NotAnIssuer, State};
use crate::domain::certificate::{self, IssuedPurpose, MarriedChain, MarryError};
use crate::domain::csr;
use crate::domain::id::Handle;
use crate::domain::invalid::Invalid;
use crate::store::{AuthorityCertificate, Tx};

/// How long a renewed certificate is valid; as the authority's kind is by default when absent.
#[derive(Clone, Copy, Debug, Default)]
pub struct Renewal {
    /// From when until when.
    pub lifetime: Option<Lifetime>,
}

impl App {
    /// The CSR of an intermediate, in DER: signed once, when it was made.
    ///
    /// # Errors
    /// [`Kind::NotFound`]; [`Kind::Refused`] for a root; [`Kind::Conflict`] while there is none.
    pub async fn authority_csr(&self, caller: &Caller, handle: Handle) -> Result<Vec<u8>, Error> {
        let authority = self.authority(caller, handle).await?.authority;
        if authority.kind == AuthorityKind::Root {
            let message = format!("authority `{}` is a root: it has no CSR", authority.name);
            return Err(Error::new(Kind::Refused, "authority.root", message));
        }
        authority.csr.ok_or_else(|| {
            let message = format!("authority `{}` is {}: it has no CSR", authority.name, authority.state);
            Error::new(Kind::Conflict, "authority.state", message)
        })
    }

    /// Takes the certificate of an intermediate, with those above it in any order: PEM, DER or PKCS #7. Sent
    /// again, the same certificate changes nothing.
    ///
    /// # Errors
    /// [`Kind::Invalid`] when it cannot be read or the chain does not hold; [`Kind::Refused`] when no certificate
    /// in it is for the authority's key, it is not one of a CA, or one has expired or is not valid yet;
    /// [`Kind::Conflict`] when the authority is a root, or disabled.
    pub async fn import_authority_certificate(
        &self,
        caller: &Caller,
        handle: Handle,
        bytes: Vec<u8>,
    ) -> Result<AuthorityView, Error> {
        let authority = self.authority(caller, handle).await?.authority;
        if authority.kind == AuthorityKind::Root {
            let message = format!("authority `{}` is a root: its certificate is its own", authority.name);
            return Err(Error::new(Kind::Refused, "authority.root", message));
        }
        let Some(key) = authority.key else {
            let message = format!("authority `{}` is {}: it has no key yet", authority.name, authority.state);
            return Err(Error::new(Kind::Conflict, "authority.state", message));
        };
        let spki = self.any_key(key).await?.spki;
        let read = certificate::read(&bytes)?;
        let chain = certificate::marry(read, &spki).map_err(not_ours)?;
        chain.check_validity(self.now()).map_err(not_ours)?;
        Issuer::of(&chain).map_err(not_an_issuer)?;
        let (actor, now) = (caller.actor(), self.now());
        let imported: Result<(), Error> = self
            .0
            .store
            .write(move |tx| {
                let authority = authority_of(tx, authority.tenant, handle)?;
                let chain = with_known_issuers(tx, chain)?;
                let newest = tx.newest_authority_version(handle)?;
                if let Some(present) = tx.authority_certificate(handle, newest)?
                    && authority.version == Some(newest)
                    && present.der == chain.leaf.der
                {
                    return Ok(());
                }
                let issued = tx.issued_by_der(&chain.leaf.der)?.map(|issued| issued.authority);
                let fingerprint = chain.leaf.fingerprint.clone();
                tx.insert_authority_certificate(&stored(handle, newest + 1, chain, now))?;
                let command = Command::Certified { version: newest + 1, fingerprint, parent: issued };
                transition(tx, &actor, handle, [command], now)?;
                Ok(())
            })
            .await;
        failpoint::reached("authority-import-after");
        imported?;
        self.refresh_crl_soon(handle).await;
        self.issue_waiting_soon(handle);
        self.authority(caller, handle).await
    }

    /// Gives an authority a new certificate with the same key: a root by itself, an intermediate by the authority
    /// of ours that issued its present one.
    ///
    /// # Errors
    /// [`Kind::Conflict`] when it is not active, or another CA than ours issued its certificate: then that one has
    /// to sign its CSR once more.
    pub async fn renew_authority(
        &self,
        caller: &Caller,
        handle: Handle,
        renewal: Renewal,
    ) -> Result<AuthorityView, Error> {
        let authority = self.authority(caller, handle).await?.authority;
        if authority.state != State::Active {
            let message =
                format!("authority `{}` is {} and cannot be renewed", authority.name, authority.state);
            return Err(Error::new(Kind::Conflict, "authority.state", message));
        }
        let own = self.0.store.read(move |view| issuing(view, handle)).await?;
        match (authority.kind, authority.parent) {
            (AuthorityKind::Root, _) => {
                self.usable(&self.token(&own.key.token)?).await?;
                let plan = Plan {
                    purpose: IssuedPurpose::SelfSigned,
                    content: authority.spec.clone(),
                    spki: own.key.spki.clone(),
                    lifetime: renewal.lifetime.unwrap_or(Lifetime::days(default_days::ROOT)),
                    request: None,
                    template: None,
                    principal: caller.principal,
                };
                self.issue_planned(&caller.actor(), &own, plan).await?;
                self.authority(caller, handle).await
            }
            (AuthorityKind::Intermediate, Some(parent)) => {
                let csr = authority.csr.ok_or_else(|| Error::bug("an intermediate has no CSR"))?;
                let lifetime = renewal.lifetime.unwrap_or(Lifetime::days(default_days::INTERMEDIATE));
                let wish = super::IntermediateWish {
                    csr: csr::pem(&csr).into_bytes(),
                    path_length: None,
                    constraints: None,
                    lifetime: Some(lifetime),
                };
                let signed = self.sign_intermediate(caller, parent, wish).await?;
                let mut pem = certificate::pem(signed.issued.der.as_deref().unwrap_or_default());
                pem.extend(signed.chain.iter().map(|der| certificate::pem(der)));
                self.import_authority_certificate(caller, handle, pem.into_bytes()).await
            }
            (AuthorityKind::Intermediate, None) => {
                let message = format!(
                    "the certificate of authority `{}` is from a CA that is not in this token; have its CSR signed \
                     there once more, and import the certificate",
                    authority.name
                );
                Err(Error::new(Kind::Conflict, "authority.foreign-parent", message))
            }
        }
    }
}

/// A chain that ends below an authority of ours goes on with that one's own.
fn with_known_issuers(tx: &Tx, mut chain: MarriedChain) -> Result<MarriedChain, Error> {
    let top = chain.chain.last().unwrap_or(&chain.leaf);
    let Some(issued) = tx.issued_by_der(&top.der)?.filter(|_| top.subject != top.issuer) else {
        return Ok(chain);
    };
    let above = issuing(tx, issued.authority)?.chain;
    for der in above {
        chain.chain.push(certificate::read_one(&der)?);
    }
    Ok(chain)
}

fn stored(
    authority: Handle,
    version: u32,
    chain: MarriedChain,
    at: crate::domain::clock::Timestamp,
) -> AuthorityCertificate {
    AuthorityCertificate {
        authority,
        version,
        not_before: chain.leaf.not_before,
        not_after: chain.leaf.not_after,
        der: chain.leaf.der,
        chain: chain.chain.into_iter().map(|certificate| certificate.der).collect(),
        at,
    }
}

fn not_ours(error: MarryError) -> Error {
    let (code, message) = match &error {
        MarryError::PublicKeyMismatch { subjects } => (
            "certificate.key-mismatch",
            format!(
                "no certificate is for the key of this authority; those sent are for: {}",
                subjects.join("; ")
            ),
        ),
        MarryError::Expired { .. } => ("certificate.expired", error.to_string()),
        MarryError::NotYetValid { .. } => ("certificate.not-yet-valid", error.to_string()),
        MarryError::SeveralForTheKey { .. }
        | MarryError::SeveralOfOneCa { .. }
        | MarryError::NotOfACa { .. }
        | MarryError::NotInChain { .. } => {
            return Error::invalid(vec![Invalid::new("certificate", error.to_string())]);
        }
    };
    Error::new(Kind::Refused, code, message)
}

fn not_an_issuer(error: NotAnIssuer) -> Error {
    match &error {
        NotAnIssuer::NotACa { .. } => Error::new(Kind::Refused, "certificate.not-a-ca", error.to_string()),
        NotAnIssuer::PathLength { .. }
        | NotAnIssuer::FalseRoot { .. }
        | NotAnIssuer::NotUnderstood { .. } => {
            Error::invalid(vec![Invalid::new("certificate", error.to_string())])
        }
    }
}
