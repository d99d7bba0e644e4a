//! `POST /Enrollment/CSR`: the step after Generate. strongroom hands nothing to a CA: it notes that somebody does,
//! and gives the certificate out once it was married to the key.

use axum::Json;
use axum::extract::State;
use axum::http::HeaderMap;
use serde_json::json;

use super::convert::{self, Form};
use super::entry::{self, Body, Enrolls};
use super::error::{EveryCall, WithBody};
use super::{Keyfactor, wire};
use crate::app::{App, Certificate, Error};
use crate::domain::invalid::Invalid;
use crate::domain::signing_request::{SigningRequest, State as RequestState};
use crate::http::error::Failure;
use crate::http::uninterrupted::uninterrupted;

/// Chooses how the certificates are written.
const FORMAT: &str = "x-certificateformat";
/// Names this surface in what is kept.
const SURFACE: &str = "keyfactor";

/// Note that a CSR is handed to a CA; ask for its certificate.
#[utoipa::path(
    post, path = "/Enrollment/CSR", tag = "Enrollment", operation_id = "EnrollmentPostCSREnroll",
    params(
        ("x-keyfactor-requested-with" = String, Header, description = "`APIClient` or `XMLHttpRequest`"),
        ("x-keyfactor-api-version" = Option<String>, Header, description = "`1` or `1.0`"),
        ("x-certificateformat" = Option<String>, Header, description = "`DER` (base64 of it) when absent, or `PEM`"),
    ),
    request_body = wire::Enroll,
    responses(
        (status = 200, description = "Noted; the certificate, if it has come back", body = wire::Enrolled),
        (status = 409, description = "The CSR was deleted", body = wire::Problem),
        EveryCall,
        WithBody,
    )
)]
pub(super) async fn enroll(
    State(keyfactor): State<Keyfactor>,
    headers: HeaderMap,
    body: Body<Enrolls>,
) -> Result<Json<wire::Enrolled>, Failure> {
    let form = form(&headers)?;
    let mut asked: wire::Enroll = wire::document(entry::json(&body)?)?;
    let csr = asked.csr.take().unwrap_or_default();
    if csr.trim().is_empty() {
        return Err(Invalid::new("CSR", "is required").into());
    }
    uninterrupted(async move {
        let (app, caller) = (&keyfactor.context.app, &body.permit.caller);
        let found = app.signing_request_of_csr(caller, &csr).await;
        let request = found.map_err(convert::csr_in_vendor_words)?;
        must_be_its_own(asked.sans.take().unwrap_or_default(), &request)?;
        let document = json!({
            "CertificateAuthority": asked.certificate_authority,
            "Template": asked.template,
            "EnrollmentPatternId": asked.enrollment_pattern_id,
            "Metadata": asked.metadata,
        });
        app.enroll(caller, &request, SURFACE, document.to_string()).await?;
        let certificate = certificate_of(app, &request).await?;
        let with_chain = asked.include_chain.unwrap_or_default();
        let married = certificate.as_ref().map(|certificate| (certificate, form, with_chain));
        Ok(Json(wire::Enrolled {
            certificate_information: convert::information(request.number, married),
            metadata: asked.metadata.unwrap_or_default(),
        }))
    })
    .await
}

fn form(headers: &HeaderMap) -> Result<Form, Invalid> {
    let given =
        headers.get(FORMAT).map(|value| value.to_str().unwrap_or_default().trim().to_ascii_uppercase());
    match given.as_deref() {
        None | Some("" | "DER") => Ok(Form::Base64),
        Some("PEM") => Ok(Form::Pem),
        Some(_) => Err(Invalid::new(FORMAT, "must be DER or PEM")),
    }
}

/// The vendor's CA takes other names than those of the CSR; this CSR is signed as it is.
fn must_be_its_own(sans: wire::Sans, request: &SigningRequest) -> Result<(), Failure> {
    let sans = convert::sans(sans).map_err(Error::invalid)?;
    let own = &request.spec.sans;
    let same = sans.len() == own.len() && sans.iter().all(|san| own.contains(san));
    if sans.is_empty() || same {
        return Ok(());
    }
    Err(Invalid::new("SANs", "are not those of the CSR, which cannot be changed; leave them out").into())
}

async fn certificate_of(app: &App, request: &SigningRequest) -> Result<Option<Certificate>, Failure> {
    match request.state {
        RequestState::Issued | RequestState::Retired => Ok(Some(app.certificate_of(request).await?)),
        _ => Ok(None),
    }
}
