//! Extensions between the wire and the domain.

use const_oid::ObjectIdentifier;

use super::{keep, keep_all};
use crate::api;
use crate::domain::extensions::{
    BasicConstraints, CertificatePolicy, Extensions, MicrosoftTemplate, NameConstraints, OtherExtension,
    SubjectKeyIdentifier, Subtree,
};
use crate::domain::invalid::Invalid;

/// The extensions that are asked for; every wrong field at once.
pub(super) fn read(wire: &api::Extensions) -> Result<Extensions, Vec<Invalid>> {
    let mut wrong = Vec::new();
    let key_usage = keep_all(&mut wrong, parse_each("extensions.key_usage", &wire.key_usage));
    let extended_key_usage =
        keep_all(&mut wrong, parse_each("extensions.extended_key_usage", &wire.extended_key_usage));
    let policies = keep_all(&mut wrong, each(&wire.certificate_policies, policy));
    let name_constraints = keep_all(&mut wrong, name_constraints(wire.name_constraints.as_ref()));
    let identifier = keep(&mut wrong, subject_key_identifier(wire.subject_key_identifier.as_ref()));
    let tls_features = keep_all(&mut wrong, parse_each("extensions.tls_features", &wire.tls_features));
    let template = keep(&mut wrong, wire.microsoft_template.as_ref().map(template).transpose());
    let other = keep_all(&mut wrong, each(&wire.other, other));
    if !wrong.is_empty() {
        return Err(wrong);
    }
    Ok(Extensions {
        key_usage: key_usage.unwrap_or_default(),
        extended_key_usage: extended_key_usage.unwrap_or_default(),
        basic_constraints: wire
            .basic_constraints
            .as_ref()
            .map(|wire| BasicConstraints { ca: wire.ca, path_length: wire.path_length }),
        certificate_policies: policies.unwrap_or_default(),
        name_constraints: name_constraints.unwrap_or_default(),
        subject_key_identifier: identifier.unwrap_or_default(),
        tls_features: tls_features.unwrap_or_default(),
        microsoft_template_name: wire.microsoft_template_name.clone(),
        microsoft_template: template.unwrap_or_default(),
        other: other.unwrap_or_default(),
    })
}

/// As they were asked for.
pub(super) fn write(extensions: &Extensions) -> api::Extensions {
    api::Extensions {
        key_usage: texts(&extensions.key_usage),
        extended_key_usage: texts(&extensions.extended_key_usage),
        basic_constraints: extensions
            .basic_constraints
            .map(|basic| api::BasicConstraints { ca: basic.ca, path_length: basic.path_length }),
        certificate_policies: extensions
            .certificate_policies
            .iter()
            .map(|policy| api::CertificatePolicy {
                oid: policy.oid.to_string(),
                cps: policy.cps.clone(),
                notice: policy.notice.clone(),
            })
            .collect(),
        name_constraints: extensions.name_constraints.as_ref().map(|constraints| api::NameConstraints {
            permitted: texts(&constraints.permitted),
            excluded: texts(&constraints.excluded),
        }),
        subject_key_identifier: extensions.subject_key_identifier.as_ref().map(
            |identifier| match identifier {
                SubjectKeyIdentifier::Sha1 => api::SubjectKeyIdentifier::OfKey(true),
                SubjectKeyIdentifier::Given(bytes) => api::SubjectKeyIdentifier::Given(hex::encode(bytes)),
            },
        ),
        tls_features: texts(&extensions.tls_features),
        microsoft_template_name: extensions.microsoft_template_name.clone(),
        microsoft_template: extensions.microsoft_template.as_ref().map(|template| api::MicrosoftTemplate {
            oid: template.oid.to_string(),
            major: template.major,
            minor: template.minor,
        }),
        other: extensions
            .other
            .iter()
            .map(|other| api::OtherExtension {
                oid: other.oid.to_string(),
                critical: other.critical,
                value: other.value.to_string(),
            })
            .collect(),
    }
}

fn texts<T: ToString>(items: &[T]) -> Vec<String> {
    items.iter().map(ToString::to_string).collect()
}

/// Every item of a list, or every refusal.
fn each<W, T>(list: &[W], read: impl Fn(usize, &W) -> Result<T, Invalid>) -> Result<Vec<T>, Vec<Invalid>> {
    let mut wrong = Vec::new();
    let items = list.iter().enumerate().filter_map(|(at, item)| keep(&mut wrong, read(at, item))).collect();
    if wrong.is_empty() { Ok(items) } else { Err(wrong) }
}

fn parse_each<T>(field: &str, texts: &[String]) -> Result<Vec<T>, Vec<Invalid>>
where
    T: std::str::FromStr<Err: ToString>,
{
    each(texts, |at, text| {
        text.parse().map_err(|error: T::Err| Invalid::new(format!("{field}[{at}]"), error.to_string()))
    })
}

fn policy(at: usize, wire: &api::CertificatePolicy) -> Result<CertificatePolicy, Invalid> {
    let oid = oid(&format!("extensions.certificate_policies[{at}].oid"), &wire.oid)?;
    Ok(CertificatePolicy { oid, cps: wire.cps.clone(), notice: wire.notice.clone() })
}

pub(super) fn name_constraints(
    wire: Option<&api::NameConstraints>,
) -> Result<Option<NameConstraints>, Vec<Invalid>> {
    let Some(wire) = wire else { return Ok(None) };
    let mut wrong = Vec::new();
    let permitted = keep_all(&mut wrong, subtrees("permitted", &wire.permitted));
    let excluded = keep_all(&mut wrong, subtrees("excluded", &wire.excluded));
    match (permitted, excluded) {
        (Some(permitted), Some(excluded)) => Ok(Some(NameConstraints { permitted, excluded })),
        _ => Err(wrong),
    }
}

fn subtrees(list: &str, texts: &[String]) -> Result<Vec<Subtree>, Vec<Invalid>> {
    each(texts, |at, text| {
        let field = format!("extensions.name_constraints.{list}[{at}]");
        text.parse().map_err(|invalid| Invalid { field, ..invalid })
    })
}

fn subject_key_identifier(
    wire: Option<&api::SubjectKeyIdentifier>,
) -> Result<Option<SubjectKeyIdentifier>, Invalid> {
    match wire {
        None | Some(api::SubjectKeyIdentifier::OfKey(false)) => Ok(None),
        Some(api::SubjectKeyIdentifier::OfKey(true)) => Ok(Some(SubjectKeyIdentifier::Sha1)),
        Some(api::SubjectKeyIdentifier::Given(text)) => SubjectKeyIdentifier::from_hex(text).map(Some),
    }
}

fn template(wire: &api::MicrosoftTemplate) -> Result<MicrosoftTemplate, Invalid> {
    let oid = oid("extensions.microsoft_template.oid", &wire.oid)?;
    Ok(MicrosoftTemplate { oid, major: wire.major, minor: wire.minor })
}

fn other(at: usize, wire: &api::OtherExtension) -> Result<OtherExtension, Invalid> {
    let field = |name| format!("extensions.other[{at}].{name}");
    let oid = oid(&field("oid"), &wire.oid)?;
    let value = wire.value.parse().map_err(|error| Invalid::new(field("value"), format!("{error}")))?;
    Ok(OtherExtension { oid, critical: wire.critical, value })
}

fn oid(field: &str, text: &str) -> Result<ObjectIdentifier, Invalid> {
    ObjectIdentifier::new(text).map_err(|_| Invalid::new(field, "must be a dotted OID, such as 1.2.3.4"))
}
