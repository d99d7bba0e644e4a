//! What the routes have in common: requests looked up, shown and asked for.

use std::time::Duration;

use axum::http::StatusCode;

use super::catalogue::Place;
use super::convert::{self, Found};
use super::{Venafi, wire};
use crate::app::produce::{ClientCsr, Produced, Renewal, RenewalKey, Wait, Wish};
use crate::app::{App, Caller, Certificate, Error, Kind};
use crate::domain::id::Handle;
use crate::domain::invalid::Invalid;
use crate::domain::signing_request::{KeySource, SigningRequest, State};
use crate::http::error::Failure;

/// How long a client waits for its key at most: half of what vcert waits for an answer. What takes longer is
/// PENDING until then.
const PATIENCE: Duration = Duration::from_secs(90);

/// Who calls, and for the tenant of which name.
pub(super) struct Visit<'a> {
    pub(super) caller: &'a Caller,
    pub(super) tenant: &'a str,
}

/// A certificate with its request, in the vendor's words and as it is kept.
pub(super) struct Shown {
    pub(super) request: SigningRequest,
    pub(super) own: Certificate,
    pub(super) wire: wire::Certificate,
}

/// What is asked for, whichever way.
pub(super) struct Order {
    /// Where.
    pub(super) place: Place,
    /// Name of the issuing template.
    pub(super) template: String,
    /// The client's CSR.
    pub(super) csr: Option<String>,
    /// What a CSR is to say whose key is made here.
    pub(super) wish: Option<Wish>,
    /// What it renews.
    pub(super) renews: Option<SigningRequest>,
    /// Whether it is renewed with the same key.
    pub(super) reuse: bool,
    /// How long.
    pub(super) validity_days: Option<u32>,
}

impl Venafi {
    fn app(&self) -> &App {
        &self.context.app
    }

    /// The signing request with that id, if it is of the caller's tenant and can be shown.
    pub(super) async fn request(&self, visit: &Visit<'_>, id: &str) -> Result<SigningRequest, Failure> {
        let none = || Failure::from(Error::not_found("certificate request", id));
        let handle: Handle = id.parse().map_err(|_| none())?;
        let request = self
            .app()
            .signing_request(visit.caller, handle)
            .await
            .map_err(|error| if error.kind() == Kind::NotFound { none() } else { error.into() })?;
        let is_shown =
            convert::key(request.kind).is_some() && self.catalogue.places(visit.tenant, &request).is_some();
        if is_shown { Ok(request) } else { Err(none()) }
    }

    /// A request in the vendor's words.
    pub(super) async fn shown(
        &self,
        visit: &Visit<'_>,
        request: &SigningRequest,
    ) -> Result<wire::CertificateRequest, Failure> {
        let found = self.found(visit, request).await?;
        convert::request(&self.catalogue, &found).ok_or_else(|| not_shown(request))
    }

    /// The certificate of a request.
    ///
    /// # Errors
    /// 409 while there is none.
    pub(super) async fn certificate(
        &self,
        visit: &Visit<'_>,
        request: SigningRequest,
    ) -> Result<Shown, Failure> {
        if !matches!(request.state, State::Issued | State::Retired) {
            let detail = format!("certificate request {} has no certificate yet", request.handle);
            return Err(Failure::new(StatusCode::CONFLICT, "certificate.none", detail));
        }
        let own = self.app().certificate_of(&request).await?;
        let found = self.found(visit, &request).await?;
        let wire = convert::certificate(&self.catalogue, &found, &own).ok_or_else(|| not_shown(&request))?;
        Ok(Shown { request, own, wire })
    }

    /// The certificates with that SHA-1: several where one was married to more than one request.
    pub(super) async fn certificates_with(
        &self,
        visit: &Visit<'_>,
        sha1: [u8; 20],
    ) -> Result<Vec<Shown>, Failure> {
        let mut shown = Vec::new();
        for request in self.app().requests_with_certificate(visit.caller, sha1).await? {
            if self.catalogue.places(visit.tenant, &request).is_some() && convert::key(request.kind).is_some()
            {
                shown.push(self.certificate(visit, request).await?);
            }
        }
        Ok(shown)
    }

    async fn found<'a>(
        &'a self,
        visit: &'a Visit<'_>,
        request: &'a SigningRequest,
    ) -> Result<Found<'a>, Failure> {
        let lineage = self.app().lineage(visit.caller, request.handle).await?;
        let places = self.catalogue.places(visit.tenant, request).ok_or_else(|| not_shown(request))?;
        Ok(Found { request, places, lineage, tenant: visit.tenant })
    }

    /// Asks for a certificate.
    pub(super) async fn ask(&self, caller: &Caller, order: Order) -> Result<SigningRequest, Failure> {
        let submission = Some(order.place.submission());
        let (template, renews) = (Some(order.template), order.renews.as_ref().map(|earlier| earlier.handle));
        let own = |csr, renews| ClientCsr {
            csr,
            template: template.clone(),
            validity_days: order.validity_days,
            renews,
            submission: submission.clone(),
        };
        let patience = Wait::UpTo(PATIENCE);
        let produced = match (order.csr, order.wish, order.renews) {
            (Some(csr), None, _) => self.app().submit(caller, own(csr.into_bytes(), renews)).await?,
            (None, Some(wish), _) => {
                let validity_days = order.validity_days;
                let wish = Wish { template, submission, renews, validity_days, ..wish };
                self.app().produce(caller, wish, None, patience).await?
            }
            (None, None, Some(earlier)) if order.reuse => match earlier.csr {
                Some(csr) if earlier.key_source == KeySource::Client => {
                    self.app().submit(caller, own(csr, renews)).await?
                }
                _ => {
                    let renewal =
                        Renewal { key: RenewalKey::Same, challenge_password: None, template, submission };
                    self.app().renew(caller, earlier.handle, renewal, None, patience).await?
                }
            },
            (Some(_), Some(_), _) => {
                let reason = "a CSR of one's own and one that is made here exclude each other; send one";
                return Err(Invalid::new("certificateSigningRequest", reason).into());
            }
            (None, None, _) => {
                let reason = "is required, unless a renewal has `reuseCSR`";
                return Err(Invalid::new("certificateSigningRequest", reason).into());
            }
        };
        Ok(match produced {
            Produced::Done(made) => made.request,
            Produced::Accepted(request) => *request,
        })
    }
}

fn not_shown(request: &SigningRequest) -> Failure {
    Error::not_found("certificate request", request.handle).into()
}
