//! A CSR was handed to a CA by somebody who says so: kept until the certificate comes back.

use serde_json::json;
use sha2::{Digest, Sha256};

use super::{App, Caller, Error};
use crate::domain::audit::Event;
use crate::domain::csr;
use crate::domain::invalid::Invalid;
use crate::domain::signing_request::{Conflict, SigningRequest, State};
use crate::store::Enrollment;

impl App {
    /// The caller's signing request with exactly that CSR, in PEM or base64.
    ///
    /// # Errors
    /// [`Kind::Invalid`](super::Kind::Invalid) when it is no CSR; [`Kind::Refused`](super::Kind::Refused) when it is none of this tenant.
    pub async fn signing_request_of_csr(&self, caller: &Caller, text: &str) -> Result<SigningRequest, Error> {
        let csr = csr::identify(text)?;
        let tenant = caller.tenant;
        let found: Result<_, Error> = self
            .0
            .store
            .read(move |view| Ok(view.signing_request_of_csr(tenant, csr.spki_sha256, &csr.der)?))
            .await;
        found?.ok_or_else(|| {
            let reason = "was not made here, or not for this tenant";
            Error::refused("csr.unknown", vec![Invalid::new("csr", reason)])
        })
    }

    /// Records that a CSR was handed to a CA. `document` is what the client said of it, as JSON in the words of
    /// `surface`; said again unchanged, it is recorded once.
    ///
    /// # Errors
    /// [`Kind::Conflict`](super::Kind::Conflict) when the signing request was called off or never came to a CSR.
    pub async fn enroll(
        &self,
        caller: &Caller,
        request: &SigningRequest,
        surface: &'static str,
        document: String,
    ) -> Result<(), Error> {
        let (caller, handle, now) = (caller.clone(), request.handle, self.now());
        self.0
            .store
            .write(move |tx| {
                let request = caller.signing_request(tx, handle)?;
                if !matches!(request.state, State::Pending | State::Issued | State::Retired) {
                    return Err(Conflict { handle, state: request.state, verb: "enrolled" }.into());
                }
                let said_before = tx.enrollment(handle)?;
                if said_before.is_some_and(|before| before.surface == surface && before.document == document)
                {
                    return Ok(());
                }
                // The words are the client's and may be personal: the log has their hash.
                let detail = json!({
                    "surface": surface,
                    "document_sha256": hex::encode(Sha256::digest(&document)),
                });
                let action = "signing-request.enrolled";
                let event = Event { action, subject: handle.to_string(), detail };
                tx.append_audit(&caller.actor(), now, &event)?;
                let (principal, surface) = (caller.principal, surface.to_owned());
                Ok(tx.put_enrollment(&Enrollment {
                    request: handle,
                    principal,
                    surface,
                    document,
                    enrolled_at: now,
                })?)
            })
            .await
    }
}
