//! Finds the CSR in a file: DER, or PEM with any text around it; else says what the file is.

use x509_parser::asn1_rs::Tag;

use super::super::super::pem;
use super::ber::{self, Value};
use super::finding::Findings;
use super::{Form, MAX_BYTES, NotACsr};

/// A CSR as it was found.
#[derive(Debug)]
pub(super) struct Found {
    pub(super) form: Form,
    /// From its first byte on; there may be more behind its end.
    pub(super) ber: Vec<u8>,
}

/// What a DER value looks like from the outside.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Looks {
    Csr,
    PrivateKey,
    Other(&'static str),
}

const PRIVATE_KEY: &str = "this is a PRIVATE KEY, not a CSR; nothing of it is shown. A private key belongs in no file that \
                           is passed around: if anybody else may have seen it, consider it compromised and replace it";

pub(super) fn find(bytes: &[u8], findings: &mut Findings) -> Result<Found, NotACsr> {
    if bytes.len() > MAX_BYTES {
        return Err(NotACsr(format!("it has more than {MAX_BYTES} bytes; no CSR is that large")));
    }
    if bytes.trim_ascii().is_empty() {
        return Err(NotACsr("it is empty".into()));
    }
    if bytes.starts_with(&[0xff, 0xfe]) || bytes.starts_with(&[0xfe, 0xff]) {
        let hint =
            "it is a text in UTF-16; write it as UTF-8 or ASCII (PowerShell: Set-Content -Encoding ascii)";
        return Err(NotACsr(hint.into()));
    }
    // Text around the blocks may be in any encoding.
    let text = String::from_utf8_lossy(bytes);
    let blocks = pem::blocks(&text).map_err(|error| {
        if text.contains("PRIVATE KEY-----") {
            return NotACsr(PRIVATE_KEY.into());
        }
        NotACsr(format!("its PEM is broken at byte {}: {}", error.position, error.reason))
    })?;
    if blocks.is_empty() { from_der(bytes) } else { from_pem(&blocks, findings) }
}

fn from_der(bytes: &[u8]) -> Result<Found, NotACsr> {
    match looks_of(bytes) {
        Looks::Csr => Ok(Found { form: Form::Der, ber: bytes.to_vec() }),
        Looks::PrivateKey => Err(NotACsr(PRIVATE_KEY.into())),
        Looks::Other(what) => Err(NotACsr(format!("it is {what}"))),
    }
}

fn from_pem(blocks: &[pem::Block<'_>], findings: &mut Findings) -> Result<Found, NotACsr> {
    let mut first = None;
    let (mut others, mut private_keys) = (Vec::new(), 0_usize);
    for block in blocks {
        let label: String = block.label.chars().take(40).collect();
        if label.ends_with("PRIVATE KEY") {
            private_keys += 1;
            continue;
        }
        let is_csr = matches!(block.label, "CERTIFICATE REQUEST" | "NEW CERTIFICATE REQUEST");
        if !is_csr || first.is_some() {
            others.push(label);
            continue;
        }
        first = Some((label, block));
    }
    let Some((label, block)) = first else {
        return Err(NotACsr(instead_of_csr(&others, private_keys)));
    };
    let ber = block.der().map_err(|error| {
        NotACsr(format!("its PEM is broken at byte {}: {}", error.position, error.reason))
    })?;
    match looks_of(&ber) {
        Looks::Csr => {}
        Looks::PrivateKey => return Err(NotACsr(PRIVATE_KEY.into())),
        Looks::Other(what) => return Err(NotACsr(format!("its block `{label}` is {what}"))),
    }
    if private_keys > 0 {
        findings.error(
            "file",
            "a PRIVATE KEY stands beside the CSR",
            "a private key is its owner's only",
            "do not send this file to anybody; if somebody else may have seen it, replace the key",
        );
    }
    if !others.is_empty() {
        findings.warning(
            "file",
            format!("{} other PEM block(s) are passed over: {}", others.len(), others.join(", ")),
            "RFC 7468 section 2: readers differ in which block they take",
            "put the CSR into a file of its own",
        );
    }
    Ok(Found { form: Form::Pem { label }, ber })
}

fn instead_of_csr(labels: &[String], private_keys: usize) -> String {
    match labels.first() {
        _ if private_keys > 0 => PRIVATE_KEY.into(),
        Some(label) if label.ends_with("CERTIFICATE") => {
            "this is a certificate, not the CSR that it was made from".into()
        }
        Some(label) => format!("its PEM block is `{label}`, not CERTIFICATE REQUEST"),
        None => "it has no PEM block".into(),
    }
}

fn looks_of(bytes: &[u8]) -> Looks {
    const NEITHER: Looks =
        Looks::Other("neither DER nor PEM with a line -----BEGIN CERTIFICATE REQUEST-----");
    let Ok((outer, _)) = ber::first(bytes) else { return NEITHER };
    let Ok(fields) = outer.sequence() else { return NEITHER };
    let tags = |value: &Value<'_>| -> Vec<Option<Tag>> {
        let tag = |inner: &Value<'_>| TAGS.into_iter().find(|tag| inner.is(*tag));
        value.inside().map(|inside| inside.iter().map(tag).collect()).unwrap_or_default()
    };
    let inner: Vec<Option<Tag>> = fields.first().map(&tags).unwrap_or_default();
    let outer = tags(&outer);
    let [integer, octets, oid, sequence, bits] = TAGS.map(Some);
    // A certificate has its algorithm behind its serial number, and a version `[0]` before that.
    match (outer.as_slice(), inner.as_slice()) {
        ([first, second, ..], _) if *first == integer && (*second == integer || *second == octets) => {
            Looks::PrivateKey
        }
        ([first, second, third, ..], _) if (first, second, third) == (&integer, &sequence, &octets) => {
            Looks::PrivateKey
        }
        ([first, second], [kind, ..]) if (first, second, kind) == (&sequence, &octets, &oid) => {
            Looks::PrivateKey
        }
        ([first, second, ..], _) if (first, second) == (&integer, &sequence) => {
            Looks::Other("a PKCS #12 file, which most likely has a private key in it; nothing of it is shown")
        }
        ([first, ..], _) if *first == oid => Looks::Other("a PKCS #7 or CMS message, not a CSR"),
        ([first, second], [kind, ..]) if (first, second, kind) == (&sequence, &bits, &oid) => {
            Looks::Other("a public key, not a CSR")
        }
        ([_, _, third], _) if *third == bits && fields.first().is_some_and(is_csr_info) => Looks::Csr,
        ([_, _, third], _) if *third == bits => {
            Looks::Other("a certificate, or another signed structure than a CSR")
        }
        _ => NEITHER,
    }
}

const TAGS: [Tag; 5] = [Tag::Integer, Tag::OctetString, Tag::Oid, Tag::Sequence, Tag::BitString];

/// version, subject, subjectPKInfo and nothing but attributes: a CRL or a certificate has more.
fn is_csr_info(info: &Value<'_>) -> bool {
    let Ok(fields) = info.sequence() else { return false };
    let is = |at: usize, tag| fields.get(at).is_some_and(|field: &Value<'_>| field.is(tag));
    let required = is(0, Tag::Integer) && is(1, Tag::Sequence) && is(2, Tag::Sequence);
    required && fields.get(3).is_none_or(|field| field.context() == Some(0)) && fields.len() <= 4
}
