//! Between the vendor's words and those of the use cases. Pure.

mod key;
mod sans;

use aws_lc_rs::digest::{SHA1_FOR_LEGACY_USE_ONLY, digest};
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;

use super::{Settings, wire};
use crate::app::produce::{KeyWish, Wish};
use crate::app::{self, Certificate};
use crate::domain::certificate;
use crate::domain::csr::{self, CsrSpec};
use crate::domain::invalid::Invalid;
use crate::domain::name::Name;
use crate::domain::san::San;
use crate::domain::signing_request::SigningRequest;
use crate::http::error::Failure;

/// What is asked for, and where it stood in the vendor's words.
#[derive(Debug)]
pub(super) struct Wanted {
    /// What is asked for.
    pub(super) wish: Wish,
    /// Where.
    pub(super) places: Places,
}

/// Paths in the vendor's words, for what the use cases refuse.
#[derive(Debug)]
pub(super) struct Places {
    /// Of each SAN.
    sans: Vec<String>,
    /// Of the template.
    template: &'static str,
}

/// What a body asks for.
///
/// # Errors
/// Every field that breaks a rule.
pub(super) fn wanted(body: wire::GenerateCsr, settings: &Settings) -> Result<Wanted, Vec<Invalid>> {
    let mut wrong = Vec::new();
    let subject = kept(subject(body.subject), &mut wrong);
    let kind = kept_all(key::kind(body.key_type, body.key_length, given(body.curve)), &mut wrong);
    let hybrid = [
        ("AlternativeKeyType", given(body.alternative_key_type).is_some()),
        ("AlternativeKeyLength", body.alternative_key_length.is_some()),
        ("AlternativeCurve", given(body.alternative_curve).is_some()),
    ];
    wrong.extend(
        hybrid
            .into_iter()
            .filter(|(_, asked)| *asked)
            .map(|(field, _)| Invalid::new(field, "a CSR has one key here; leave it out")),
    );
    let named = kept_all(sans::named(body.sans.unwrap_or_default()), &mut wrong);
    let template = kept(template(given(body.template), body.enrollment_pattern_id, settings), &mut wrong);
    let (Some(subject), Some(kind), Some(named), Some((field, template))) = (subject, kind, named, template)
    else {
        return Err(wrong);
    };
    if !wrong.is_empty() {
        return Err(wrong);
    }
    let (places, sans) = named.into_iter().unzip();
    let wish = Wish {
        spec: CsrSpec { subject, sans, ..CsrSpec::default() },
        key: KeyWish::New { kind: Some(kind), token: None },
        digest: None,
        padding: None,
        renews: None,
        template,
        validity_days: None,
        submission: None,
        at_once: true,
    };
    Ok(Wanted { wish, places: Places { sans: places, template: field } })
}

/// The SANs of a body.
///
/// # Errors
/// Every one that breaks a rule.
pub(super) fn sans(sans: wire::Sans) -> Result<Vec<San>, Vec<Invalid>> {
    Ok(sans::named(sans)?.into_iter().map(|(_, san)| san).collect())
}

/// What a use case refused, with the vendor's names for its fields.
pub(super) fn in_vendor_words(error: app::Error, places: &Places) -> Failure {
    if error.code() == "key.kind-not-offered" {
        return app::Error::refused(error.code(), vec![Invalid::new("KeyType", error.to_string())]).into();
    }
    if error.invalid_fields().is_empty() {
        return error.into();
    }
    let renamed = error.invalid_fields().iter().cloned().map(|invalid| {
        let field = places.of(&invalid.field);
        Invalid { field, ..invalid }
    });
    app::Error::refused(error.code(), renamed.collect()).into()
}

/// The same for a CSR that was sent.
pub(super) fn csr_in_vendor_words(error: app::Error) -> Failure {
    in_vendor_words(error, &Places { sans: Vec::new(), template: "Template" })
}

impl Places {
    fn of(&self, field: &str) -> String {
        let nth = field.strip_prefix("sans[").and_then(|rest| rest.strip_suffix(']')?.parse::<usize>().ok());
        match (nth.and_then(|nth| self.sans.get(nth)), field) {
            (Some(place), _) => place.clone(),
            (None, "subject") => "Subject".to_owned(),
            (None, "csr") => "CSR".to_owned(),
            (None, "sans") => "SANs".to_owned(),
            (None, "template") => self.template.to_owned(),
            (None, "key.kind" | "key") => "KeyType".to_owned(),
            (None, other) => other.to_owned(),
        }
    }
}

/// An item of the pending list; `None` when there is no CSR, which a pending request has.
pub(super) fn pending(request: &SigningRequest) -> Option<wire::PendingCsr> {
    Some(wire::PendingCsr {
        id: request.number,
        csr: csr::pem(request.csr.as_ref()?),
        request_time: request.created_at.to_string(),
        subject: display(request),
    })
}

/// A CSR with a name for its file.
pub(super) fn file(request: &SigningRequest) -> Option<wire::PendingCsrFile> {
    let name = request.spec.subject.common_names().last().map(str::to_owned);
    let name = name.unwrap_or_else(|| request.number.to_string());
    let plain = |c: char| if c.is_ascii_alphanumeric() || "-_.".contains(c) { c } else { '_' };
    let name: String = name.chars().map(plain).collect();
    Some(wire::PendingCsrFile { path: format!("{name}.csr"), text: csr::pem(request.csr.as_ref()?) })
}

/// The vendor documents what is in it: subject, SANs, key length, hash. The lines are those of Windows' own display of
/// certificates, which the vendor's console shows.
fn display(request: &SigningRequest) -> Vec<String> {
    let mut lines = request.spec.subject.rdn_texts();
    lines.extend(request.spec.sans.iter().map(sans::display));
    lines.push(format!("Key Length: {}", key::length(request.kind)));
    let hash = request.scheme.digest().map(|digest| digest.to_string().replace("sha", "SHA-"));
    lines.extend(hash);
    lines
}

/// How the certificates in an answer are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Form {
    /// Base64 of DER.
    Base64,
    /// PEM
    Pem,
}

/// What is known of the certificate of a request: nothing yet, or all of it.
pub(super) fn information(
    number: u32,
    married: Option<(&Certificate, Form, bool)>,
) -> wire::CertificateInformation {
    let Some((certificate, form, with_chain)) = married else {
        return wire::CertificateInformation {
            keyfactor_request_id: number,
            request_disposition: "PENDING",
            disposition_message: "the CSR is with the CA; the certificate has not come back yet".to_owned(),
            ..wire::CertificateInformation::default()
        };
    };
    let read = certificate::read(&certificate.leaf).unwrap_or_default().into_iter().next();
    let chain = certificate.chain.iter().filter(|_| with_chain);
    let written = |der: &Vec<u8>| match form {
        Form::Base64 => BASE64_STANDARD.encode(der),
        Form::Pem => certificate::pem(der),
    };
    let thumbprint = digest(&SHA1_FOR_LEGACY_USE_ONLY, &certificate.leaf);
    wire::CertificateInformation {
        serial_number: read.as_ref().map(|read| read.serial.to_uppercase()),
        issuer_dn: read.map(|read| read.issuer),
        thumbprint: Some(hex::encode_upper(thumbprint)),
        keyfactor_id: number,
        certificates: std::iter::once(&certificate.leaf).chain(chain).map(written).collect(),
        keyfactor_request_id: number,
        request_disposition: "ISSUED",
        disposition_message: "the certificate has come back".to_owned(),
        enrollment_context: None,
    }
}

fn subject(text: Option<String>) -> Result<Name, Invalid> {
    let text =
        given(text).ok_or_else(|| Invalid::new("Subject", "is required, such as CN=www.example.com"))?;
    text.parse().map_err(|invalid| Invalid { field: "Subject".to_owned(), ..invalid })
}

/// The issuing template, and the field that names it. The pattern wins, as the vendor documents.
fn template(
    name: Option<String>,
    pattern: Option<i32>,
    settings: &Settings,
) -> Result<(&'static str, Option<String>), Invalid> {
    if let Some(id) = pattern {
        let field = "EnrollmentPatternId";
        let found = settings.enrollment_patterns.get(&id).cloned();
        return found.map(|template| (field, Some(template))).ok_or_else(|| {
            Invalid::new(field, format!("there is no pattern {id}; the configuration maps them to templates"))
        });
    }
    let field = "Template";
    match name {
        // Without a map, clients name our own templates.
        Some(name) if !settings.templates.is_empty() => {
            let found = settings.templates.get(&name).cloned();
            found.map(|template| (field, Some(template))).ok_or_else(|| {
                let known: Vec<_> = settings.templates.keys().map(String::as_str).collect();
                Invalid::new(field, format!("is not known; known are {}", known.join(", ")))
            })
        }
        name => Ok((field, name)),
    }
}

/// Generated clients send an empty text for what was not set.
fn given(text: Option<String>) -> Option<String> {
    text.map(|text| text.trim().to_owned()).filter(|text| !text.is_empty())
}

fn kept<T>(read: Result<T, Invalid>, wrong: &mut Vec<Invalid>) -> Option<T> {
    read.map_err(|invalid| wrong.push(invalid)).ok()
}

fn kept_all<T>(read: Result<T, Vec<Invalid>>, wrong: &mut Vec<Invalid>) -> Option<T> {
    read.map_err(|invalid| wrong.extend(invalid)).ok()
}

#[cfg(test)]
mod tests;
