//! Extensions that a CSR asks for: what each of them says.

use const_oid::ObjectIdentifier;
use serde::Serialize;
use x509_parser::asn1_rs::Tag;

use super::super::super::extensions::{KeyUsageBit, TlsFeature};
use super::ber::{self, Unreadable, Value};
use super::encoding;
use super::finding::Findings;
use super::general_name::{self, AlternativeName};
use super::oids::{Identified, oid};

/// An extension that is asked for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct RequestedExtension {
    /// Its type.
    #[serde(flatten)]
    pub kind: Identified,
    /// critical
    pub critical: bool,
    /// What it says.
    pub content: Content,
}

/// What an extension says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Content {
    /// SubjectAltName
    SubjectAltName(Vec<AlternativeName>),
    /// KeyUsage
    KeyUsage(Vec<KeyUsageBit>),
    /// ExtendedKeyUsage
    ExtendedKeyUsage(Vec<Identified>),
    /// BasicConstraints
    BasicConstraints {
        /// cA
        ca: bool,
        /// pathLenConstraint
        #[serde(skip_serializing_if = "Option::is_none")]
        path_length: Option<u64>,
    },
    /// CertificatePolicies
    CertificatePolicies(Vec<Policy>),
    /// NameConstraints
    NameConstraints {
        /// permittedSubtrees, written as SANs are.
        permitted: Vec<String>,
        /// excludedSubtrees
        excluded: Vec<String>,
    },
    /// SubjectKeyIdentifier, in hexadecimal
    SubjectKeyIdentifier(String),
    /// The TLS extensions of a TLS feature extension
    TlsFeature(Vec<TlsFeature>),
    /// The name of a Microsoft template of version 1
    MicrosoftTemplateName(String),
    /// A Microsoft template of a later version
    MicrosoftTemplate {
        /// templateID
        oid: String,
        /// templateMajorVersion
        #[serde(skip_serializing_if = "Option::is_none")]
        major: Option<u64>,
        /// templateMinorVersion
        #[serde(skip_serializing_if = "Option::is_none")]
        minor: Option<u64>,
    },
    /// Microsoft's application policies
    MicrosoftApplicationPolicies(Vec<Policy>),
    /// What extnValue holds, in hexadecimal, of a type that is not explained or cannot be read.
    Der(String),
}

/// A certificate policy.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Policy {
    /// policyIdentifier
    #[serde(flatten)]
    pub kind: Identified,
    /// Where the certification practice statements are.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub cps: Vec<String>,
    /// The texts of its user notices.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub notices: Vec<String>,
    /// Other qualifiers.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub other: Vec<Identified>,
}

const KEY_USAGE: ObjectIdentifier = oid("2.5.29.15");
const BASIC_CONSTRAINTS: ObjectIdentifier = oid("2.5.29.19");
const CPS: ObjectIdentifier = oid("1.3.6.1.5.5.7.2.1");
const USER_NOTICE: ObjectIdentifier = oid("1.3.6.1.5.5.7.2.2");

/// The extensions of an extensionRequest; `before` others stand in an earlier one.
pub(super) fn inspect(
    request: &Value<'_>,
    before: usize,
    findings: &mut Findings,
) -> Result<Vec<RequestedExtension>, Unreadable> {
    let mut extensions = Vec::new();
    for (at, extension) in request.sequence()?.iter().enumerate() {
        extensions.push(inspect_one(before + at, extension, findings)?);
    }
    Ok(extensions)
}

fn inspect_one(
    at: usize,
    extension: &Value<'_>,
    findings: &mut Findings,
) -> Result<RequestedExtension, Unreadable> {
    let place = format!("extensions[{at}]");
    let fields = extension.sequence()?;
    let (kind, critical, value) = match fields.as_slice() {
        [kind, value] => (kind, None, value),
        [kind, critical, value] => (kind, Some(critical.boolean()?), value),
        _ => return Err("an extension is not a type and a value"),
    };
    let (kind, der) = (kind.oid()?, value.octets()?);
    let named = Identified::new(kind);
    if critical == Some(false) {
        let problem = format!("{}: the default critical = FALSE is written out", named.label());
        findings.warning(&*place, problem, "X.690 section 11.5", "encode it as DER");
    }
    if let Ok(value) = ber::only(der) {
        encoding(&place, &value, findings);
        if let Some(problem) = longer_than_der(kind, &value) {
            findings.warning(
                &*place,
                format!("{}: {problem}", named.label()),
                "X.690 section 11",
                "encode it as DER",
            );
        }
    }
    let content = match content(kind, der, findings) {
        Ok(content) => content,
        Err(reason) => {
            let problem = format!("{} cannot be read: {reason}", named.label());
            findings.error(place, problem, "RFC 5280 section 4.2", "encode the value as its type asks for");
            Content::Der(hex::encode(der))
        }
    };
    Ok(RequestedExtension { kind: named, critical: critical.unwrap_or(false), content })
}

/// What DER leaves out, and only the type of the value can tell.
fn longer_than_der(kind: ObjectIdentifier, value: &Value<'_>) -> Option<&'static str> {
    match kind {
        KEY_USAGE => {
            let (bytes, unused) = value.bits().ok()?;
            let ends = bytes.last().is_none_or(|last| last.trailing_zeros() == u32::from(unused));
            (!ends).then_some("bits that are 0 stand at its end")
        }
        BASIC_CONSTRAINTS => {
            let written = value.sequence().ok()?.iter().any(|field| field.boolean() == Ok(false));
            written.then_some("the default cA = FALSE is written out")
        }
        _ => None,
    }
}

fn content(kind: ObjectIdentifier, der: &[u8], findings: &mut Findings) -> Result<Content, Unreadable> {
    let value = || ber::only(der);
    Ok(match kind.to_string().as_str() {
        "2.5.29.17" => {
            let names = general_name::inspect_all(&value()?, findings)?;
            if names.is_empty() {
                return Err("it has no name");
            }
            Content::SubjectAltName(names)
        }
        "2.5.29.15" => Content::KeyUsage(key_usage(&value()?)?),
        "2.5.29.37" => Content::ExtendedKeyUsage(purposes(&value()?)?),
        "2.5.29.19" => basic_constraints(&value()?)?,
        "2.5.29.32" => Content::CertificatePolicies(policies(&value()?)?),
        "2.5.29.30" => name_constraints(&value()?)?,
        "2.5.29.14" => Content::SubjectKeyIdentifier(hex::encode(value()?.octets()?)),
        "1.3.6.1.5.5.7.1.24" => Content::TlsFeature(tls_features(&value()?)?),
        "1.3.6.1.4.1.311.20.2" => Content::MicrosoftTemplateName(value()?.text().ok_or("it is no string")?),
        "1.3.6.1.4.1.311.21.7" => microsoft_template(&value()?)?,
        "1.3.6.1.4.1.311.21.10" => Content::MicrosoftApplicationPolicies(policies(&value()?)?),
        _ => Content::Der(hex::encode(der)),
    })
}

/// In the order of their numbers.
const KEY_USAGES: [KeyUsageBit; 9] = [
    KeyUsageBit::DigitalSignature,
    KeyUsageBit::NonRepudiation,
    KeyUsageBit::KeyEncipherment,
    KeyUsageBit::DataEncipherment,
    KeyUsageBit::KeyAgreement,
    KeyUsageBit::KeyCertSign,
    KeyUsageBit::CrlSign,
    KeyUsageBit::EncipherOnly,
    KeyUsageBit::DecipherOnly,
];

fn key_usage(value: &Value<'_>) -> Result<Vec<KeyUsageBit>, Unreadable> {
    let (bytes, _) = value.bits()?;
    let is_set = |at: usize| bytes.get(at / 8).is_some_and(|byte| byte & (0x80 >> (at % 8)) != 0);
    let set: Vec<_> =
        KEY_USAGES.into_iter().enumerate().filter(|(at, _)| is_set(*at)).map(|(_, bit)| bit).collect();
    if set.is_empty() { Err("it has no bit") } else { Ok(set) }
}

fn purposes(value: &Value<'_>) -> Result<Vec<Identified>, Unreadable> {
    let purposes: Result<Vec<_>, _> =
        value.sequence()?.iter().map(|purpose| purpose.oid().map(Identified::new)).collect();
    purposes.and_then(|purposes| if purposes.is_empty() { Err("it has no purpose") } else { Ok(purposes) })
}

fn basic_constraints(value: &Value<'_>) -> Result<Content, Unreadable> {
    let fields = value.sequence()?;
    let (ca, path_length) = match fields.as_slice() {
        [] => (false, None),
        [only] if only.is(Tag::Boolean) => (only.boolean()?, None),
        [only] => (false, Some(only.number()?)),
        [ca, path_length] => (ca.boolean()?, Some(path_length.number()?)),
        _ => return Err("it has more than two values"),
    };
    Ok(Content::BasicConstraints { ca, path_length })
}

fn policies(value: &Value<'_>) -> Result<Vec<Policy>, Unreadable> {
    let policies: Result<Vec<_>, _> = value.sequence()?.iter().map(policy).collect();
    policies.and_then(|policies| if policies.is_empty() { Err("it has no policy") } else { Ok(policies) })
}

fn policy(value: &Value<'_>) -> Result<Policy, Unreadable> {
    let fields = value.sequence()?;
    let kind = fields.first().ok_or("a policy has no identifier")?.oid()?;
    let mut policy =
        Policy { kind: Identified::new(kind), cps: Vec::new(), notices: Vec::new(), other: Vec::new() };
    let Some(qualifiers) = fields.get(1) else { return Ok(policy) };
    for qualifier in qualifiers.sequence()? {
        let fields = qualifier.sequence()?;
        let [kind, value] = fields.as_slice() else { return Err("a qualifier is not a type and a value") };
        match kind.oid()? {
            CPS => policy.cps.push(value.text().ok_or("the URI of a CPS is no IA5String")?),
            USER_NOTICE => {
                let parts = value.sequence()?;
                // A noticeRef is a SEQUENCE, and no text.
                policy.notices.extend(parts.iter().filter_map(Value::text));
            }
            other => policy.other.push(Identified::new(other)),
        }
    }
    Ok(policy)
}

fn name_constraints(value: &Value<'_>) -> Result<Content, Unreadable> {
    let (mut permitted, mut excluded) = (Vec::new(), Vec::new());
    for list in value.sequence()? {
        let subtrees = match list.context() {
            Some(0) => &mut permitted,
            Some(1) => &mut excluded,
            _ => return Err("a list of subtrees is neither permitted nor excluded"),
        };
        for subtree in list.inside()? {
            let fields = subtree.sequence()?;
            let base = fields.first().ok_or("a subtree has no base")?;
            subtrees.push(general_name::read(base)?.text());
        }
    }
    Ok(Content::NameConstraints { permitted, excluded })
}

fn tls_features(value: &Value<'_>) -> Result<Vec<TlsFeature>, Unreadable> {
    let feature =
        |value: &Value<'_>| value.number()?.to_string().parse().map_err(|_| "a feature is above 65535");
    value.sequence()?.iter().map(feature).collect()
}

fn microsoft_template(value: &Value<'_>) -> Result<Content, Unreadable> {
    let fields = value.sequence()?;
    let oid = fields.first().ok_or("it has no template")?.oid()?.to_string();
    let version = |at: usize| fields.get(at).map(Value::number).transpose();
    Ok(Content::MicrosoftTemplate { oid, major: version(1)?, minor: version(2)? })
}
