//! `strongroom csr inspect`

use std::path::Path;

use crate::cli::report::{Failure, Report, facts, visible};
use crate::domain::csr::inspect::{
    self, AttributeContent, Content, Finding, Form, Inspection, Key, Policy, Severity, Signature,
    SubjectAttribute, Verdict,
};

pub fn run(file: &Path, strict: bool, report: &Report) -> Result<(), Failure> {
    let bytes = super::bytes_of(file)?;
    let inspection = inspect::inspect(&bytes)
        .map_err(|error| Failure::Refused(format!("{} is no CSR: {error}", file.display())))?;
    report.print(&inspection, text)?;
    match inspection.errors() {
        errors if strict && errors > 0 => {
            Err(Failure::Refused(format!("{} has {errors} error(s)", file.display())))
        }
        _ => Ok(()),
    }
}

fn text(csr: &Inspection) -> String {
    let form = match &csr.form {
        Form::Pem { label } => format!("PEM, {label}"),
        Form::Der => "DER".to_owned(),
    };
    let version = csr.version.map_or_else(|| "unreadable".to_owned(), |version| version.to_string());
    let subject = if csr.subject.text.is_empty() { "(empty)" } else { &csr.subject.text };
    let mut pairs = vec![
        ("form", form),
        ("sha256", csr.sha256.clone()),
        ("version", version),
        ("subject", subject.to_owned()),
    ];
    pairs.extend(csr.subject.rdns.iter().map(|rdn| ("", joined(rdn, " + ", attribute))));
    pairs.extend(csr.sans.iter().map(|san| {
        let unicode = san.unicode.as_ref().map(|unicode| format!(" ({unicode})"));
        ("san", san.text() + &unicode.unwrap_or_default())
    }));
    pairs.extend(csr.extensions.iter().map(|extension| {
        let critical = if extension.critical { " (critical)" } else { "" };
        let label = extension.kind.label();
        ("extension", format!("{label}{critical}: {}", content(&extension.content)))
    }));
    pairs.extend(csr.attributes.iter().map(|attribute| {
        let value = match &attribute.content {
            AttributeContent::Extensions(count) => format!("{count} extension(s)"),
            AttributeContent::NotShown => "not shown".to_owned(),
            AttributeContent::Values(values) => values.join(", "),
            AttributeContent::Der(values) => format!("DER {}", values.join(", ")),
        };
        ("attribute", format!("{}: {value}", attribute.kind.label()))
    }));
    pairs.extend([
        ("key", key(&csr.key)),
        ("spki sha256", csr.key.spki_sha256.clone()),
        ("signature", signature(&csr.signature)),
    ]);
    let pairs = facts(pairs.into_iter().map(|(name, value)| (name, Some(value))));
    let findings: String = csr.findings.iter().map(finding).collect();
    if findings.is_empty() {
        format!("{pairs}\nnothing looks wrong\n")
    } else {
        format!("{pairs}\n{findings}")
    }
}

fn attribute(attribute: &SubjectAttribute) -> String {
    format!("{} = {} ({})", attribute.kind.label(), attribute.value, attribute.string_type)
}

fn content(content: &Content) -> String {
    match content {
        Content::SubjectAltName(names) => format!("{} name(s)", names.len()),
        Content::KeyUsage(bits) => joined(bits, ", ", ToString::to_string),
        Content::ExtendedKeyUsage(purposes) => joined(purposes, ", ", |purpose| purpose.label().to_owned()),
        Content::BasicConstraints { ca, path_length } => {
            let length = path_length.map(|length| format!(", path length {length}"));
            format!("CA {ca}{}", length.unwrap_or_default())
        }
        Content::CertificatePolicies(policies) | Content::MicrosoftApplicationPolicies(policies) => {
            joined(policies, "; ", policy)
        }
        Content::NameConstraints { permitted, excluded } => {
            let permitted = permitted.iter().map(|subtree| format!("permitted {subtree}"));
            let excluded = excluded.iter().map(|subtree| format!("excluded {subtree}"));
            permitted.chain(excluded).collect::<Vec<_>>().join(", ")
        }
        Content::SubjectKeyIdentifier(identifier) => identifier.clone(),
        Content::TlsFeature(features) => joined(features, ", ", ToString::to_string),
        Content::MicrosoftTemplateName(name) => name.clone(),
        Content::MicrosoftTemplate { oid, major, minor } => {
            let version = |name, number: &Option<u64>| number.map(|number| format!(", {name} {number}"));
            let (major, minor) = (version("major", major), version("minor", minor));
            format!("{oid}{}{}", major.unwrap_or_default(), minor.unwrap_or_default())
        }
        Content::Der(hex) => format!("DER {hex}"),
    }
}

fn policy(policy: &Policy) -> String {
    let cps = policy.cps.iter().map(|cps| format!(", CPS {cps}"));
    let notices = policy.notices.iter().map(|notice| format!(", notice \"{notice}\""));
    let other = policy.other.iter().map(|other| format!(", qualifier {}", other.label()));
    policy.kind.label().to_owned() + &cps.chain(notices).chain(other).collect::<String>()
}

fn key(key: &Key) -> String {
    let kind = key.kind.map(|kind| format!(" ({kind})"));
    let curve = key.curve.as_ref().map(|curve| format!(" on {}", curve.label()));
    let bits = key.bits.map(|bits| format!(", {bits} bits"));
    let exponent = key.exponent.as_ref().map(|exponent| format!(", exponent {exponent}"));
    let more: String = [curve, bits, exponent, kind].into_iter().flatten().collect();
    key.algorithm.label().to_owned() + &more
}

fn signature(signature: &Signature) -> String {
    let pss = signature.pss.as_ref().map(|pss| {
        let (hash, mask) = (pss.hash.label(), pss.mask_hash.label());
        format!(" with {hash}, MGF1 with {mask}, salt of {} bytes", pss.salt_length)
    });
    let verdict = match &signature.verdict {
        Verdict::Good => "good".to_owned(),
        Verdict::Bad => "BAD".to_owned(),
        Verdict::NotVerified { reason } => format!("cannot be verified: {reason}"),
    };
    format!("{}{}: {verdict}", signature.algorithm.label(), pss.unwrap_or_default())
}

fn finding(finding: &Finding) -> String {
    let severity = match finding.severity {
        Severity::Error => "error",
        Severity::Warning => "warning",
        Severity::Note => "note",
    };
    let Finding { place, problem, rule, remedy, .. } = finding;
    let [place, problem, remedy] = [place, problem, remedy].map(|text| visible(text));
    format!("{severity}: {place}: {problem}\n    rule: {rule}\n    do:   {remedy}\n")
}

fn joined<T>(items: &[T], separator: &str, text: impl Fn(&T) -> String) -> String {
    items.iter().map(text).collect::<Vec<_>>().join(separator)
}
