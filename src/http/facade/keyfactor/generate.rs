//! `POST /CSRGeneration/Generate`

use std::time::Duration;

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;

use super::entry::{self, Body, Generates};
use super::error::{EveryCall, WithBody};
use super::{Keyfactor, convert, wire};
use crate::app::Error;
use crate::app::produce::{Produced, Wait};
use crate::domain::csr;
use crate::http::error::Failure;
use crate::http::uninterrupted::uninterrupted;

/// How long the client waits for its key at most: less than the 100 s after which .NET's HttpClient gives up.
const PATIENCE: Duration = Duration::from_secs(90);

/// Generate a key on the token, and a CSR for it.
#[utoipa::path(
    post, path = "/CSRGeneration/Generate", tag = "CSRGeneration", operation_id = "CSRGenerationGenerate",
    params(
        ("x-keyfactor-requested-with" = String, Header, description = "`APIClient` or `XMLHttpRequest`"),
        ("x-keyfactor-api-version" = Option<String>, Header, description = "`1` or `1.0`"),
    ),
    request_body = wire::GenerateCsr,
    responses(
        (status = 200, description = "The CSR", body = wire::GeneratedCsr),
        (status = 502, description = "The token refused or answered wrongly", body = wire::Problem),
        (status = 504, description = "The key is not made yet, or the token was lost in the act", body = wire::Problem),
        EveryCall,
        WithBody,
    )
)]
pub(super) async fn generate(
    State(keyfactor): State<Keyfactor>,
    body: Body<Generates>,
) -> Result<Json<wire::GeneratedCsr>, Failure> {
    let asked = wire::document(entry::json(&body)?)?;
    let convert::Wanted { wish, places } =
        convert::wanted(asked, &keyfactor.settings).map_err(Error::invalid)?;
    uninterrupted(async move {
        let caller = &body.permit.caller;
        let produced = keyfactor.context.app.produce(caller, wish, None, Wait::UpTo(PATIENCE)).await;
        match produced.map_err(|error| convert::in_vendor_words(error, &places))? {
            Produced::Done(made) => {
                let der = made.request.csr.ok_or_else(|| Error::bug("a CSR that is made is not there"))?;
                Ok(Json(wire::GeneratedCsr { csr: csr::pem(&der) }))
            }
            Produced::Accepted(request) => {
                let detail = format!(
                    "the token is still making the key; once made, the CSR is on the list of pending ones as {}",
                    request.number
                );
                Err(Failure::new(StatusCode::GATEWAY_TIMEOUT, "csr.not-yet", detail))
            }
        }
    })
    .await
}
