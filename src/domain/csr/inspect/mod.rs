//! Any CSR explained: what it says, and what looks wrong with it.
//!
//! Unlike [`super::check()`], which refuses what is not exactly as intended, this reads as much as can be
//! read of CSRs from elsewhere, also where their encoding is not DER.

mod attributes;
mod ber;
mod extensions;
mod finding;
mod general_name;
mod input;
mod key;
mod oids;
mod rules;
mod signature;
mod subject;

use std::collections::BTreeMap;

use serde::Serialize;
use sha2::{Digest as _, Sha256};

pub use attributes::{AttributeContent, RequestAttribute};
pub use extensions::{Content, Policy, RequestedExtension};
pub use finding::{Finding, Severity};
pub use general_name::AlternativeName;
pub use key::Key;
pub use oids::Identified;
pub use signature::{PssParameters, Signature, Verdict};
pub use subject::{Subject, SubjectAttribute};

use attributes::Attributes;
use ber::Value;
use finding::Findings;

/// How many bytes are read at most: a CSR with the longest post-quantum signature has a quarter of it.
pub const MAX_BYTES: usize = 256 * 1024;

/// What a CSR says, and what looks wrong with it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Inspection {
    /// How it was written.
    pub form: Form,
    /// SHA-256 of the DER, in hexadecimal.
    pub sha256: String,
    /// The version as it is encoded: 0 is PKCS #10's only one. None when it is no small number.
    pub version: Option<u64>,
    /// The subject.
    pub subject: Subject,
    /// The subject alternative names.
    pub sans: Vec<AlternativeName>,
    /// The extensions that are asked for, in their order.
    pub extensions: Vec<RequestedExtension>,
    /// The attributes, in their order.
    pub attributes: Vec<RequestAttribute>,
    /// The public key.
    pub key: Key,
    /// The signature.
    pub signature: Signature,
    /// What looks wrong, the worst first.
    pub findings: Vec<Finding>,
}

/// How a CSR was written.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case", tag = "format")]
pub enum Form {
    /// PEM
    Pem {
        /// The label of its block.
        label: String,
    },
    /// DER, or BER that is not DER: the findings tell.
    Der,
}

/// Why the bytes are no CSR.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct NotACsr(String);

impl Inspection {
    /// How many findings are errors.
    pub fn errors(&self) -> usize {
        self.findings.iter().filter(|finding| finding.severity == Severity::Error).count()
    }
}

/// Explains a CSR in DER, or in PEM with any text around it.
///
/// # Errors
/// What the bytes are instead. Nothing of a private key is told.
pub fn inspect(bytes: &[u8]) -> Result<Inspection, NotACsr> {
    let mut findings = Findings::default();
    let found = input::find(bytes, &mut findings)?;
    let broken = |reason| NotACsr(format!("its CSR is broken: {reason}"));
    let (csr, rest) = ber::first(&found.ber).map_err(broken)?;
    if !rest.is_empty() {
        let problem = format!("there are {} byte(s) behind the end of the CSR", rest.len());
        findings.error("csr", problem, "RFC 2986 section 4.2", "cut them off");
    }
    encoding("csr", &csr, &mut findings);
    let fields = csr.sequence().map_err(broken)?;
    let [info, algorithm, signature] = fields.as_slice() else {
        return Err(broken("it does not have three parts"));
    };
    let parts = info.sequence().map_err(broken)?;
    let [version, subject, spki, attributes @ ..] = parts.as_slice() else {
        return Err(broken("its first part is too short"));
    };
    let Attributes { attributes, extensions } = attributes::inspect(attributes.first(), &mut findings);
    let key = key::inspect(spki, &mut findings);
    let signed = signature::Signed { info, algorithm, signature };
    let mut inspection = Inspection {
        form: found.form,
        sha256: hex::encode(Sha256::digest(csr.raw())),
        version: version_of(version, &mut findings),
        subject: subject::inspect(subject, &mut findings),
        sans: sans_of(&extensions),
        extensions,
        attributes,
        signature: signature::inspect(&signed, &key, &mut findings),
        key,
        findings: Vec::new(),
    };
    rules::check(&inspection, &mut findings);
    inspection.findings = findings.sorted();
    Ok(inspection)
}

fn version_of(value: &Value<'_>, findings: &mut Findings) -> Option<u64> {
    let version = value.number().ok();
    if version != Some(0) {
        let problem = "the version is not 0, the only one that there is";
        findings.error("version", problem, "RFC 2986 section 4.1", "make the CSR anew");
    }
    version
}

/// One finding for each kind of fault: an encoder makes the same one everywhere.
fn encoding(place: &str, value: &Value<'_>, findings: &mut Findings) {
    let mut kinds: BTreeMap<&str, (usize, usize)> = BTreeMap::new();
    for fault in ber::not_der(value) {
        kinds.entry(fault.problem).or_insert((fault.offset, 0)).1 += 1;
    }
    for (problem, (offset, count)) in kinds {
        let others = if count > 1 { format!(", and at {} other place(s)", count - 1) } else { String::new() };
        let problem = format!("is not DER: {problem}, at byte {offset}{others}");
        findings.error(place, problem, "RFC 2986 section 4.1, X.690 sections 10 and 11", "encode it as DER");
    }
}

fn sans_of(extensions: &[RequestedExtension]) -> Vec<AlternativeName> {
    let names = extensions.iter().filter_map(|extension| match &extension.content {
        Content::SubjectAltName(names) => Some(names),
        _ => None,
    });
    names.flatten().cloned().collect()
}
