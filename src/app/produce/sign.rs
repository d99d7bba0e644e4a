//! Building, signing and checking one CSR.

use serde_json::json;

use crate::app::{App, Error, Kind, failpoint};
use crate::domain::algorithm::Scheme;
use crate::domain::audit::{Actor, Event};
use crate::domain::csr::{self, CsrSpec};
use crate::domain::key::Key;
use crate::hsm::Token;

/// Code of the error that a token's wrong signature is answered with.
pub(in crate::app) const WRONG_SIGNATURE: &str = "hsm.wrong-signature";

impl App {
    /// A CSR that says what `spec` does, signed by the token and read again by other code.
    ///
    /// # Errors
    /// What the token answers; [`WRONG_SIGNATURE`] when its signature does not verify, which is on
    /// record then.
    pub(in crate::app) async fn signed_csr(
        &self,
        token: &Token,
        key: &Key,
        spec: &CsrSpec,
        scheme: Scheme,
    ) -> Result<Vec<u8>, Error> {
        let to_be_signed = csr::to_be_signed(spec, &key.spki).map_err(builder_failed)?;
        failpoint::reached("sign-before");
        let signature = token.sign(key.id, scheme, to_be_signed.clone()).await?;
        failpoint::reached("sign-after");
        let signed = csr::assemble(&to_be_signed, scheme, &signature).map_err(builder_failed)?;
        match csr::check(&signed, spec, &key.spki, scheme) {
            Ok(()) => Ok(signed),
            Err(error @ csr::Error::BadSignature) => Err(self.wrong_signature(key, error).await),
            Err(error) => Err(builder_failed(error)),
        }
    }

    /// The error for a signature of the token that does not verify, which is on record then.
    pub(in crate::app) async fn wrong_signature(&self, key: &Key, error: csr::Error) -> Error {
        self.report_wrong_signature(key).await;
        let message = "the token's signature does not verify; nothing was released, \
                       and the operator has to look at the token";
        Error::new(Kind::HsmRefused, WRONG_SIGNATURE, message).caused_by(error)
    }

    async fn report_wrong_signature(&self, key: &Key) {
        tracing::error!(token = key.token, key = %key.handle, "the token gave a wrong signature");
        let event = Event {
            action: "token.wrong-signature",
            subject: key.token.clone(),
            detail: json!({ "key": key.handle }),
        };
        let now = self.now();
        let recorded: Result<(), Error> = self
            .0
            .store
            .write(move |tx| tx.append_audit(&Actor::System, now, &event).map_err(Error::from))
            .await;
        if let Err(error) = recorded {
            tracing::error!(%error, "the wrong signature cannot be put on record");
        }
    }
}

fn builder_failed(error: csr::Error) -> Error {
    Error::bug(format!("the CSR is not as intended: {error}")).caused_by(error)
}
