//! The Accept header (RFC 9110 section 12.5.1) for things that are shown as JSON, DER or PEM.

use axum::http::{HeaderMap, HeaderName, StatusCode, header};

use crate::http::error::Failure;

/// Told with every answer that Accept has chosen: a cache must not give it to who asks for another.
pub(super) const VARY: (HeaderName, &str) = (header::VARY, "accept");

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

/// A media type, and the form that it means.
pub(super) type Offer = (&'static str, Form);

/// The offer that the client wants most, by the narrowest range that names it; among equals the one
/// that the client names first, then the one that is offered first.
///
/// # Errors
/// 406 when the client wants none.
pub(super) fn wanted(headers: &HeaderMap, offers: &[Offer]) -> Result<Offer, Failure> {
    let mut ranges: Vec<Range> = headers
        .get_all(header::ACCEPT)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .map(Range::parse)
        .filter(|range| !range.media_type.is_empty())
        .collect();
    if ranges.is_empty() {
        ranges.push(Range::parse("*/*"));
    }
    let governing = |media_type: &str| {
        let breadths = ranges.iter().enumerate();
        let naming = breadths.filter_map(|(place, range)| Some((range.breadth(media_type)?, place, range)));
        naming.min_by_key(|(breadth, place, _)| (*breadth, *place)).map(|(_, place, range)| (range, place))
    };
    offers
        .iter()
        .filter_map(|offer| Some((offer, governing(offer.0)?)))
        .filter(|(_, (range, _))| range.quality > 0.0)
        .min_by(|(_, (a, place_a)), (_, (b, place_b))| {
            b.quality.total_cmp(&a.quality).then(place_a.cmp(place_b))
        })
        .map(|(offer, _)| *offer)
        .ok_or_else(|| {
            let offered = offers.iter().map(|(media_type, _)| *media_type).collect::<Vec<_>>().join(", ");
            let detail = format!("offered are {offered}");
            Failure::new(StatusCode::NOT_ACCEPTABLE, "accept.not-offered", detail)
        })
}

/// A media range with its quality; other parameters mean nothing here.
struct Range {
    media_type: String,
    quality: f32,
}

impl Range {
    fn parse(text: &str) -> Self {
        let mut parts = text.split(';').map(str::trim);
        let media_type = parts.next().unwrap_or_default().to_ascii_lowercase();
        let quality = parts
            .filter_map(|part| part.split_once('='))
            .find(|(name, _)| name.eq_ignore_ascii_case("q"))
            .and_then(|(_, value)| value.parse().ok())
            .filter(|quality| (0.0..=1.0).contains(quality));
        Self { media_type, quality: quality.unwrap_or(1.0) }
    }

    /// How broadly it names a media type: 0 itself, 1 as `type/*`, 2 as `*/*`.
    fn breadth(&self, media_type: &str) -> Option<u8> {
        if self.media_type == media_type {
            return Some(0);
        }
        if self.media_type == "*/*" {
            return Some(2);
        }
        let (named, _) = media_type.split_once('/')?;
        (self.media_type.strip_suffix("/*")? == named).then_some(1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const OFFERS: &[Offer] = &[
        ("application/json", Form::Json),
        ("application/pkcs10", Form::Der),
        ("application/octet-stream", Form::Der),
        ("application/x-pem-file", Form::Pem),
        ("text/plain", Form::Pem),
    ];

    #[test]
    fn the_answer_is_what_the_client_wants_most() {
        let cases = [
            (None, Some("application/json")),
            (Some(""), Some("application/json")),
            (Some("*/*"), Some("application/json")),
            (Some("application/*"), Some("application/json")),
            (Some("text/*"), Some("text/plain")),
            (Some("application/pkcs10"), Some("application/pkcs10")),
            (Some("Application/Octet-Stream"), Some("application/octet-stream")),
            (Some("text/plain; charset=utf-8"), Some("text/plain")),
            (Some("text/plain, application/json"), Some("text/plain")),
            (Some("application/x-pem-file, application/json;q=0.5"), Some("application/x-pem-file")),
            (Some("application/json;q=0.1, application/pkcs10;q=0.9"), Some("application/pkcs10")),
            (Some("application/json; version=1; Q=0.1, text/*;q=0.2"), Some("text/plain")),
            (Some("application/json;q=0, */*"), Some("application/pkcs10")),
            (Some("*/*, application/*;q=0"), Some("text/plain")),
            (Some("*/*;q=0, text/plain;q=0.1"), Some("text/plain")),
            (Some("text/html, image/gif, *; q=.2, */*; q=.2"), Some("application/json")),
            (Some("application/pkix-cert"), None),
            (Some("application/json;q=0"), None),
            (Some("image/png, application/json;q=0.0"), None),
        ];
        for (accept, expected) in cases {
            let mut headers = HeaderMap::new();
            if let Some(accept) = accept {
                headers.insert(header::ACCEPT, accept.parse().unwrap());
            }
            let offer = wanted(&headers, OFFERS).ok();
            assert_eq!(offer.map(|(media_type, _)| media_type), expected, "{accept:?}");
        }
    }
}
