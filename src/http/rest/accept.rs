//! The Accept header (RFC 9110 section 12.5.1) for things that are shown as JSON, DER or PEM.

use axum::http::{HeaderMap, StatusCode, header};

use crate::http::error::Failure;

/// How a CSR or certificate is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Form {
    /// With all that is known of it.
    Json,
    /// The bytes.
    Der,
    /// The bytes as text.
    Pem,
}

impl Form {
    /// The first type in Accept that is offered, in the client's order of preference; JSON without
    /// the header. `der_type` is the media type of the DER form.
    ///
    /// # Errors
    /// 406 when none is offered.
    pub(super) fn wanted(headers: &HeaderMap, der_type: &str) -> Result<Self, Failure> {
        let mut ranges: Vec<(f32, String)> = headers
            .get_all(header::ACCEPT)
            .iter()
            .filter_map(|value| value.to_str().ok())
            .flat_map(|value| value.split(','))
            .map(range)
            .filter(|(quality, essence)| *quality > 0.0 && !essence.is_empty())
            .collect();
        if ranges.is_empty() {
            return Ok(Self::Json);
        }
        // Stable: among equals the client's first comes first.
        ranges.sort_by(|(a, _), (b, _)| b.total_cmp(a));
        let offered = ranges.iter().find_map(|(_, essence)| match essence.as_str() {
            "*/*" | "application/*" | "application/json" => Some(Self::Json),
            "application/octet-stream" => Some(Self::Der),
            "application/x-pem-file" | "application/pem-certificate-chain" | "text/plain" | "text/*" => {
                Some(Self::Pem)
            }
            other => (other == der_type).then_some(Self::Der),
        });
        offered.ok_or_else(|| {
            let detail = format!("offered are application/json, {der_type} (DER) and application/x-pem-file");
            Failure::new(StatusCode::NOT_ACCEPTABLE, "accept.not-offered", detail)
        })
    }
}

fn range(text: &str) -> (f32, String) {
    let mut parts = text.split(';').map(str::trim);
    let essence = parts.next().unwrap_or_default().to_ascii_lowercase();
    let quality = parts.find_map(|part| part.strip_prefix("q=")?.parse().ok());
    (quality.unwrap_or(1.0), essence)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_form_follows_accept() {
        let cases = [
            (None, Some(Form::Json)),
            (Some("*/*"), Some(Form::Json)),
            (Some("application/pkcs10"), Some(Form::Der)),
            (Some("text/plain"), Some(Form::Pem)),
            (Some("application/x-pem-file, application/json;q=0.5"), Some(Form::Pem)),
            (Some("application/json;q=0.1, application/pkcs10;q=0.9"), Some(Form::Der)),
            (Some("application/pkix-cert"), None),
            (Some("image/png, application/json;q=0"), None),
        ];
        for (accept, expected) in cases {
            let mut headers = HeaderMap::new();
            if let Some(accept) = accept {
                headers.insert(header::ACCEPT, accept.parse().unwrap());
            }
            assert_eq!(Form::wanted(&headers, "application/pkcs10").ok(), expected, "{accept:?}");
        }
    }
}
