//! Between the vendor's JSON and the domain: pure, every wrong field told at once.

#[cfg(test)]
mod tests;

use std::collections::HashSet;

use serde_json::{Map, Value};
use x509_parser::certificate::X509Certificate;
use x509_parser::extensions::GeneralName;
use x509_parser::objects::{oid_registry, oid2sn};
use x509_parser::prelude::FromDer;

use super::wire::{CustomCertificate, CustomCsr, KeyType, Problem, Submitted};
use super::{codes, names};
use crate::app::Certificate;
use crate::app::produce::{KeyWish, Wish};
use crate::domain::algorithm::KeyKind;
use crate::domain::clock::Timestamp;
use crate::domain::csr::{self, CsrSpec};
use crate::domain::id::Handle;
use crate::domain::name::Name;
use crate::domain::san::{MAX_SANS, San};
use crate::domain::signing_request::{SigningRequest, Submission};

/// Names this surface among the submissions.
pub(super) const SURFACE: &str = "cloudflare";

/// X.520's upper bound of a common name, and the vendor's.
const LONGEST_COMMON_NAME: usize = 64;

/// Whose collection: what a path says before `custom_csrs`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Collection {
    Account(String),
    Zone(String),
}

/// An upload of a certificate.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Upload {
    pub(super) csr: Handle,
    pub(super) certificate: String,
}

/// The body as an object.
pub(super) fn object(body: &[u8]) -> Result<Map<String, Value>, Vec<Problem>> {
    match serde_json::from_slice(body) {
        Ok(Value::Object(object)) => Ok(object),
        Ok(_) => Err(vec![Problem::new(codes::UNDECODABLE, "the body must be a JSON object")]),
        Err(error) => Err(vec![Problem::new(codes::UNDECODABLE, format!("the body is not JSON: {error}"))]),
    }
}

/// The kinds of keys that the vendor has.
pub(super) fn kinds() -> Vec<KeyKind> {
    KeyKind::all().filter(|kind| key_type(*kind).is_some()).collect()
}

/// The vendor's word for a kind of key.
pub(super) fn key_type(kind: KeyKind) -> Option<KeyType> {
    match kind.name() {
        "rsa-2048" => Some(KeyType::Rsa2048),
        "ec-p256" => Some(KeyType::P256v1),
        _ => None,
    }
}

/// A create body as a wish, with what was submitted kept.
pub(super) fn wish(body: &[u8], public_suffix_rules: bool) -> Result<Wish, Vec<Problem>> {
    let mut fields = Fields { body: object(body)?, wrong: Vec::new() };
    let submitted = Submitted {
        country: fields.attribute("country", "C", codes::COUNTRY),
        state: fields.attribute("state", "ST", codes::STATE),
        locality: fields.attribute("locality", "L", codes::LOCALITY),
        organization: fields.attribute("organization", "O", codes::ORGANIZATION),
        organizational_unit: fields.optional("organizational_unit"),
        common_name: fields.common_name(),
        sans: fields.texts("sans"),
        name: fields.optional("name"),
        description: fields.optional("description"),
    };
    let unit = submitted.organizational_unit.clone().flatten().filter(|unit| !unit.is_empty());
    if let Some(unit) = &unit {
        fields.check("organizational_unit", "OU", codes::UNDECODABLE, unit);
    }
    let sans = fields.sans(&submitted.sans, public_suffix_rules);
    let kind = fields.key_kind();
    let text = |value: &Option<String>| value.clone().unwrap_or_default();
    let rdns: Vec<Vec<(&str, String)>> = [
        ("C", Some(text(&submitted.country))),
        ("ST", Some(text(&submitted.state))),
        ("L", Some(text(&submitted.locality))),
        ("O", Some(text(&submitted.organization))),
        ("OU", unit),
        ("CN", Some(text(&submitted.common_name))),
    ]
    .into_iter()
    .filter_map(|(kind, value)| Some(vec![(kind, value?)]))
    .collect();
    if !fields.wrong.is_empty() {
        return Err(fields.wrong);
    }
    let undecodable = |reason: String| vec![Problem::new(codes::UNDECODABLE, reason)];
    let subject = Name::from_rdns(&rdns).map_err(|invalid| undecodable(invalid.to_string()))?;
    let document = serde_json::to_string(&submitted).map_err(|error| undecodable(error.to_string()))?;
    Ok(Wish {
        spec: CsrSpec { subject, sans, ..CsrSpec::default() },
        key: KeyWish::New { kind, token: None },
        digest: None,
        padding: None,
        renews: None,
        template: None,
        validity_days: None,
        submission: Some(Submission {
            surface: SURFACE.to_owned(),
            name: submitted.name.clone().flatten(),
            document,
        }),
        at_once: true,
    })
}

/// The body of an upload.
pub(super) fn upload(body: &[u8]) -> Result<Upload, Vec<Problem>> {
    let mut fields = Fields { body: object(body)?, wrong: Vec::new() };
    if fields.body.get("private_key").is_some_and(|key| !key.is_null()) {
        let reason = "a private key must never be sent: consider it compromised, and replace it. The key of a custom \
                      CSR is in the HSM";
        fields.wrong(codes::UNDECODABLE, "/private_key", reason);
    }
    let certificate = fields.required("certificate", codes::UNDECODABLE);
    let csr = fields.required("custom_csr_id", codes::UNDECODABLE).and_then(|id| {
        let handle = id.parse::<Handle>();
        handle.map_err(|_| fields.wrong(codes::MALFORMED_ID, "/custom_csr_id", "is not an identifier")).ok()
    });
    match (certificate, csr) {
        (Some(certificate), Some(csr)) if fields.wrong.is_empty() => Ok(Upload { csr, certificate }),
        _ => Err(fields.wrong),
    }
}

/// A signing request as the vendor shows it; `None` where it has no words for the key or there is no CSR.
pub(super) fn custom_csr(request: &SigningRequest, collection: &Collection) -> Option<CustomCsr> {
    let submission = request.submission.as_ref().filter(|submission| submission.surface == SURFACE);
    let submitted = submission.and_then(|submission| serde_json::from_str(&submission.document).ok());
    Some(CustomCsr {
        id: request.handle.to_string(),
        created_at: request.created_at.to_string(),
        key_type: key_type(request.kind)?,
        account_tag: match collection {
            Collection::Account(id) => Some(id.clone()),
            Collection::Zone(_) => None,
        },
        csr: csr::pem(request.csr.as_deref()?),
        submitted: submitted.unwrap_or_else(|| native(&request.spec)),
    })
}

/// What the vendor's fields would be of a request that came by another surface.
fn native(spec: &CsrSpec) -> Submitted {
    let first = |name: &str| {
        let mut attributes = spec.subject.attributes();
        attributes.find(|(kind, _)| kind.to_string() == name).and_then(|(_, value)| value.map(str::to_owned))
    };
    Submitted {
        common_name: first("CN"),
        country: first("C"),
        locality: first("L"),
        organization: first("O"),
        organizational_unit: first("OU").map(Some),
        sans: spec.sans.iter().map(San::value).collect(),
        state: first("ST"),
        description: None,
        name: None,
    }
}

/// A married certificate as the vendor shows it; `None` when it is none.
pub(super) fn custom_certificate(
    certificate: &Certificate,
    collection: &Collection,
    now: Timestamp,
) -> Option<CustomCertificate> {
    let (_, read) = X509Certificate::from_der(&certificate.leaf).ok()?;
    let names = read.subject_alternative_name().ok().flatten();
    let names = names.iter().flat_map(|names| &names.value.general_names);
    let organization = read.issuer().iter_organization().next().and_then(|value| value.as_str().ok());
    let (zone_id, account_id) = match collection {
        Collection::Zone(id) => (Some(id.clone()), None),
        Collection::Account(id) => (None, Some(id.clone())),
    };
    Some(CustomCertificate {
        id: certificate.request.to_string(),
        zone_id,
        account_id,
        bundle_method: "force",
        custom_csr_id: certificate.request.to_string(),
        expires_on: certificate.not_after.to_string(),
        hosts: names
            .filter_map(
                |name| if let GeneralName::DNSName(name) = name { Some((*name).to_owned()) } else { None },
            )
            .collect(),
        issuer: organization.map_or_else(|| read.issuer().to_string(), str::to_owned),
        modified_on: certificate.married_at.to_string(),
        priority: 0,
        signature: signature(&read),
        status: if certificate.not_after < now { "expired" } else { "active" },
        uploaded_on: certificate.married_at.to_string(),
    })
}

/// As the vendor writes it: `SHA256WithRSA`, `ECDSAWithSHA256`.
fn signature(certificate: &X509Certificate<'_>) -> String {
    let oid = &certificate.signature_algorithm.algorithm;
    let name = oid2sn(oid, oid_registry()).map_or_else(|_| oid.to_id_string(), str::to_owned);
    match name.split_once("-with-") {
        Some(("ecdsa", hash)) => format!("ECDSAWith{}", hash.to_ascii_uppercase()),
        _ => match name.strip_suffix("WithRSAEncryption") {
            Some(hash) => format!("{}WithRSA", hash.to_ascii_uppercase()),
            None => name,
        },
    }
}

/// A body that is read field by field.
struct Fields {
    body: Map<String, Value>,
    wrong: Vec<Problem>,
}

impl Fields {
    fn wrong(&mut self, code: u16, pointer: impl Into<String>, reason: impl AsRef<str>) {
        let pointer = pointer.into();
        let message = format!("{}: {}", pointer.trim_start_matches('/'), reason.as_ref());
        self.wrong.push(Problem::at(code, pointer, message));
    }

    fn required(&mut self, field: &str, code: u16) -> Option<String> {
        let reason = match self.body.get(field) {
            Some(Value::String(text)) if !text.trim().is_empty() => return Some(text.clone()),
            None | Some(Value::Null) => "is missing",
            Some(Value::String(_)) => "is empty",
            Some(_) => "must be a string",
        };
        self.wrong(code, format!("/{field}"), reason);
        None
    }

    /// `Some(None)` where it is null.
    fn optional(&mut self, field: &str) -> Option<Option<String>> {
        match self.body.get(field)? {
            Value::Null => Some(None),
            Value::String(text) => Some(Some(text.clone())),
            _ => {
                self.wrong(codes::UNDECODABLE, format!("/{field}"), "must be a string");
                None
            }
        }
    }

    fn attribute(&mut self, field: &str, kind: &str, code: u16) -> Option<String> {
        let value = self.required(field, code)?;
        self.check(field, kind, code, &value);
        Some(value)
    }

    fn common_name(&mut self) -> Option<String> {
        let value = self.required("common_name", codes::COMMON_NAME)?;
        let length = value.chars().count();
        if length > LONGEST_COMMON_NAME {
            let reason = format!("has {length} characters; at most {LONGEST_COMMON_NAME} are taken");
            self.wrong(codes::COMMON_NAME_TOO_LONG, "/common_name", reason);
        } else {
            self.check("common_name", "CN", codes::COMMON_NAME, &value);
        }
        Some(value)
    }

    /// Whether a name can have the attribute.
    fn check(&mut self, field: &str, kind: &str, code: u16, value: &str) {
        let problem = match Name::from_rdns(&[vec![(kind, value)]]) {
            Ok(name) => name.problem(),
            Err(invalid) => Some(invalid.reason),
        };
        if let Some(reason) = problem {
            self.wrong(code, format!("/{field}"), reason);
        }
    }

    fn texts(&mut self, field: &str) -> Vec<String> {
        let values = match self.body.get(field) {
            Some(Value::Array(values)) => values.clone(),
            None | Some(Value::Null) => Vec::new(),
            Some(_) => {
                self.wrong(codes::NO_SAN, format!("/{field}"), "must be a list of strings");
                return Vec::new();
            }
        };
        if values.is_empty() {
            self.wrong(codes::NO_SAN, format!("/{field}"), "needs at least one name");
        }
        let mut texts = Vec::with_capacity(values.len());
        for (at, value) in values.into_iter().enumerate() {
            match value {
                Value::String(text) => texts.push(text),
                _ => self.wrong(codes::SAN, format!("/{field}/{at}"), "must be a string"),
            }
        }
        texts
    }

    /// Each name once, in the order in which they come: in a certificate case makes no difference.
    fn sans(&mut self, texts: &[String], public_suffix_rules: bool) -> Vec<San> {
        let (mut sans, mut seen) = (Vec::new(), HashSet::new());
        for (at, text) in texts.iter().enumerate() {
            match names::san(text, public_suffix_rules) {
                Ok(san) if seen.insert(san.clone()) => sans.push(san),
                Ok(_) => {}
                Err((code, reason)) => self.wrong(code, format!("/sans/{at}"), reason),
            }
        }
        if sans.len() > MAX_SANS {
            let reason = format!("has {} names; at most {MAX_SANS} are taken", sans.len());
            self.wrong(codes::SAN, "/sans", reason);
        }
        sans
    }

    /// RSA when absent.
    fn key_kind(&mut self) -> Option<KeyKind> {
        let wanted = match self.body.get("key_type") {
            None | Some(Value::Null) => KeyType::Rsa2048,
            Some(Value::String(text)) if text == "rsa2048" => KeyType::Rsa2048,
            Some(Value::String(text)) if text == "p256v1" => KeyType::P256v1,
            Some(_) => {
                self.wrong(codes::KEY_TYPE, "/key_type", "must be `rsa2048` or `p256v1`");
                return None;
            }
        };
        KeyKind::all().find(|kind| key_type(*kind) == Some(wanted))
    }
}

/// The vendor's number and pointer for a field of a CSR specification, or of a rule of an issuing template.
pub(super) fn place_of(field: &str, rule: Option<&str>) -> (u16, Option<String>) {
    let attribute = rule.and_then(|rule| rule.strip_prefix("subject.")?.split('.').next());
    let (code, pointer) = match (field, attribute) {
        ("subject", Some("c")) => (codes::COUNTRY, "/country"),
        ("subject", Some("st")) => (codes::STATE, "/state"),
        ("subject", Some("l")) => (codes::LOCALITY, "/locality"),
        ("subject", Some("o")) => (codes::ORGANIZATION, "/organization"),
        ("subject", Some("ou")) => (codes::UNDECODABLE, "/organizational_unit"),
        ("subject", Some("cn")) => (codes::COMMON_NAME, "/common_name"),
        ("sans", _) => (codes::SAN, "/sans"),
        ("key.kind", _) => (codes::KEY_TYPE, "/key_type"),
        ("certificate", _) => (codes::UNDECODABLE, "/certificate"),
        _ => {
            let at = field.strip_prefix("sans[").and_then(|rest| rest.strip_suffix(']'));
            return match at {
                Some(at) => (codes::SAN, Some(format!("/sans/{at}"))),
                None => (codes::UNDECODABLE, None),
            };
        }
    };
    (code, Some(pointer.to_owned()))
}

impl Collection {
    /// Its path below the prefix.
    pub(super) fn path(&self) -> String {
        match self {
            Self::Account(id) => format!("/accounts/{id}"),
            Self::Zone(id) => format!("/zones/{id}"),
        }
    }
}
