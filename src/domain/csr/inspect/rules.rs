//! Rules about several parts of a CSR together.

use std::collections::BTreeSet;

use aws_lc_rs::digest;

use super::super::super::algorithm::KeyFamily;
use super::super::super::extensions::{BasicConstraints, Extensions, KeyUsageBit, Unfit};
use super::super::super::san::San;
use super::Inspection;
use super::extensions::Content;
use super::finding::Findings;

pub(super) fn check(csr: &Inspection, findings: &mut Findings) {
    names(csr, findings);
    for (at, extension) in csr.extensions.iter().enumerate() {
        let place = format!("extensions[{at}]");
        criticality(&place, csr, at, findings);
        match &extension.content {
            Content::KeyUsage(bits) => key_usage(&place, csr.key.family(), bits, findings),
            Content::SubjectKeyIdentifier(hex) => key_identifier(&place, csr, hex, findings),
            Content::BasicConstraints { ca: true, .. } => ca(&place, csr, findings),
            _ => {}
        }
    }
    duplicates(csr, findings);
    contradictions(csr, findings);
}

const SAN_RULE: &str = "RFC 9525 section 6.1, CA/Browser Forum TLS Baseline Requirements section 7.1.2.7.12";

fn names(csr: &Inspection, findings: &mut Findings) {
    let serves = csr.extensions.iter().any(|extension| match &extension.content {
        Content::ExtendedKeyUsage(purposes) => purposes.iter().any(|purpose| purpose.label() == "serverAuth"),
        _ => false,
    });
    let subject_is_empty = csr.subject.text.is_empty();
    if subject_is_empty && csr.sans.is_empty() {
        let rule = "RFC 5280 sections 4.1.2.6 and 4.2.1.6";
        findings.error(
            "subject",
            "is empty, and there is no SAN: the CSR names nobody",
            rule,
            "name a subject or SANs",
        );
    }
    let hosts: Vec<&str> = csr.subject.common_names().filter(|name| is_host(name)).collect();
    if csr.sans.is_empty() && !subject_is_empty && (serves || !hosts.is_empty()) {
        let problem = "there is no SAN; programs do not look for a host in the common name";
        findings.warning("sans", problem, SAN_RULE, "ask for each name as a SAN");
    }
    if csr.sans.is_empty() {
        return;
    }
    for name in hosts {
        if !csr.sans.iter().any(|san| san.value.eq_ignore_ascii_case(name)) {
            let rule = "CA/Browser Forum TLS Baseline Requirements section 7.1.4.3";
            let problem = format!("the common name {name} is not among the SANs");
            findings.warning("subject", problem, rule, "ask for it as a SAN, too, or leave it out");
        }
    }
}

/// A host name with a dot in it, or an IP address.
fn is_host(text: &str) -> bool {
    ["DNS", "IP"].iter().any(|kind| match format!("{kind}:{text}").parse() {
        Ok(San::Dns(name)) => name.as_str().contains('.'),
        parsed => parsed.is_ok(),
    })
}

fn criticality(place: &str, csr: &Inspection, at: usize, findings: &mut Findings) {
    let Some(extension) = csr.extensions.get(at) else { return };
    let (label, critical) = (extension.kind.label(), extension.critical);
    let subject_is_empty = csr.subject.text.is_empty();
    let should = |wanted: bool| if wanted { "should be critical" } else { "should not be critical" };
    let (wanted, rule) = match &extension.content {
        Content::SubjectAltName(_) if subject_is_empty && !critical => {
            let problem = "the subject is empty, so its SANs have to be critical";
            findings.warning(place, problem, "RFC 5280 section 4.2.1.6", "mark the extension as critical");
            return;
        }
        Content::SubjectAltName(_) => (subject_is_empty, "RFC 5280 section 4.2.1.6"),
        Content::KeyUsage(_) => (true, "RFC 5280 section 4.2.1.3"),
        Content::BasicConstraints { ca: true, .. } => (true, "RFC 5280 section 4.2.1.9"),
        Content::NameConstraints { .. } => (true, "RFC 5280 section 4.2.1.10"),
        Content::SubjectKeyIdentifier(_) => (false, "RFC 5280 section 4.2.1.2"),
        Content::TlsFeature(_) => (false, "RFC 7633 section 4.2.1"),
        Content::Der(_) if critical => {
            let problem =
                format!("{label} is critical: whoever does not know it has to refuse the certificate");
            findings.note(place, problem, "RFC 5280 section 4.2", "ask for it only if everybody knows it");
            return;
        }
        _ => return,
    };
    if wanted != critical {
        findings.note(place, format!("{label} {}", should(wanted)), rule, "the CA decides in the end");
    }
}

fn key_usage(place: &str, family: KeyFamily, bits: &[KeyUsageBit], findings: &mut Findings) {
    for bit in bits {
        if let Some(Unfit { key, rule }) = bit.unfit_for(family) {
            findings.error(place, format!("{key} cannot be used for {bit}"), rule, "leave the usage out");
        }
    }
}

/// Method 1 of RFC 5280 section 4.2.1.2, and the methods of RFC 7093 section 2.
fn key_identifier(place: &str, csr: &Inspection, found: &str, findings: &mut Findings) {
    let Some(spki) = Some(&csr.key.public_key).filter(|key| !key.is_empty()) else { return };
    let of = |algorithm| hex::encode(digest::digest(algorithm, spki));
    let long = [of(&digest::SHA256), of(&digest::SHA384), of(&digest::SHA512)];
    let known = found == of(&digest::SHA1_FOR_LEGACY_USE_ONLY)
        || long.iter().any(|digest| digest == found || digest.get(..40) == Some(found))
        || found == csr.key.spki_sha256;
    if !known {
        let problem = "the subject key identifier is no digest of this key";
        let rule = "RFC 5280 section 4.2.1.2, RFC 7093 section 2";
        findings.warning(
            place,
            problem,
            rule,
            "leave it out: the CA makes one, or make sure it is the right key",
        );
    }
}

fn ca(place: &str, csr: &Inspection, findings: &mut Findings) {
    let rule = "RFC 5280 section 4.2.1.9";
    findings.note(place, "asks for a CA certificate", rule, "make sure that this is meant");
    let signs = csr.extensions.iter().find_map(|extension| match &extension.content {
        Content::KeyUsage(bits) => Some(bits.contains(&KeyUsageBit::KeyCertSign)),
        _ => None,
    });
    if signs == Some(false) {
        let problem = "a CA is asked for without the key usage keyCertSign";
        findings.warning(place, problem, rule, "ask for keyCertSign, or for no CA");
    }
}

fn duplicates(csr: &Inspection, findings: &mut Findings) {
    let mut kinds = BTreeSet::new();
    for (at, extension) in csr.extensions.iter().enumerate() {
        if !kinds.insert(&extension.kind.oid) {
            let problem = format!("{} is there twice", extension.kind.label());
            findings.error(format!("extensions[{at}]"), problem, "RFC 5280 section 4.2", "leave one out");
        }
    }
}

/// The rules that strongroom's own CSRs are held to.
fn contradictions(csr: &Inspection, findings: &mut Findings) {
    let mut wanted = Extensions::default();
    for extension in &csr.extensions {
        match &extension.content {
            Content::KeyUsage(bits) => wanted.key_usage.clone_from(bits),
            Content::BasicConstraints { ca, path_length } => {
                // The number does not matter here, only that there is one.
                let path_length = path_length.map(|length| u8::try_from(length).unwrap_or(u8::MAX));
                wanted.basic_constraints = Some(BasicConstraints { ca: *ca, path_length });
            }
            Content::TlsFeature(features) => wanted.tls_features.clone_from(features),
            _ => {}
        }
    }
    for invalid in wanted.problems() {
        let rule = "RFC 5280 sections 4.2.1.3 and 4.2.1.9";
        findings.error("extensions", invalid.reason, rule, "ask for usages and constraints that go together");
    }
}
