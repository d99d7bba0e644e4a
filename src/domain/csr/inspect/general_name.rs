//! GeneralName (RFC 5280 section 4.2.1.6) as it stands in a CSR: shown in the form in which SANs are
//! written, and checked by the rules for those.

use std::collections::BTreeSet;
use std::net::IpAddr;

use const_oid::ObjectIdentifier;
use serde::Serialize;
use x509_parser::asn1_rs::Tag;

use super::super::super::san::{SMTP_UTF8_MAILBOX, San, USER_PRINCIPAL_NAME};
use super::ber::{Unreadable, Value, latin1};
use super::finding::Findings;
use super::subject;

/// A subject alternative name.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct AlternativeName {
    /// Its kind: `DNS`, `IP`, `email`, `URI`, `UPN`, `RID`, `dirName`, `otherName`, `x400Address` or
    /// `ediPartyName`.
    pub kind: &'static str,
    /// Its value as SANs are written; DER in hexadecimal where that cannot be.
    pub value: String,
    /// The value with its domain in U-labels, where that is another text.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub unicode: Option<String>,
}

impl AlternativeName {
    fn new(kind: &'static str, value: impl Into<String>) -> Self {
        Self { kind, value: value.into(), unicode: None }
    }

    /// Kind and value, as a SAN is written.
    pub fn text(&self) -> String {
        format!("{}:{}", self.kind, self.value)
    }
}

pub(super) fn inspect_all(
    value: &Value<'_>,
    findings: &mut Findings,
) -> Result<Vec<AlternativeName>, Unreadable> {
    let mut seen = BTreeSet::new();
    let mut names = Vec::new();
    for (at, value) in value.sequence()?.iter().enumerate() {
        let place = format!("sans[{at}]");
        let mut name = read(value)?;
        check(&place, value, &mut name, findings);
        // Hosts are compared without regard to case, which parsing takes away.
        let compared = name.text().parse::<San>().map_or_else(|_| name.text(), |san| san.to_string());
        if !seen.insert(compared) {
            findings.warning(place, format!("{} is there twice", name.text()), RULE, "leave one out");
        }
        names.push(name);
    }
    Ok(names)
}

/// The name as it stands; nothing is said about what is wrong with it.
pub(super) fn read(value: &Value<'_>) -> Result<AlternativeName, Unreadable> {
    let text = || latin1(value.contents());
    let utf8 = || String::from_utf8(value.contents().to_vec()).unwrap_or_else(|_| text());
    Ok(match value.context().ok_or("a name is not of a known kind")? {
        0 => other_name(value)?,
        1 => AlternativeName::new("email", utf8()),
        2 => AlternativeName::new("DNS", utf8()),
        3 => AlternativeName::new("x400Address", hex::encode(value.raw())),
        4 => AlternativeName::new("dirName", directory_name(value)?),
        5 => AlternativeName::new("ediPartyName", hex::encode(value.raw())),
        6 => AlternativeName::new("URI", utf8()),
        7 => AlternativeName::new("IP", address(value.contents())),
        8 => {
            let oid = ObjectIdentifier::from_bytes(value.contents());
            let oid = oid.map_err(|_| "the OBJECT IDENTIFIER of a name is malformed")?;
            AlternativeName::new("RID", oid.to_string())
        }
        _ => return Err("a name is not of a known kind"),
    })
}

fn directory_name(value: &Value<'_>) -> Result<String, Unreadable> {
    match value.inside()?.as_slice() {
        [name] => subject::text_of(name),
        _ => Err("a directoryName is not one name"),
    }
}

fn other_name(value: &Value<'_>) -> Result<AlternativeName, Unreadable> {
    let fields = value.inside()?;
    let [kind, explicit] = fields.as_slice() else { return Err("an otherName is not a type and a value") };
    let oid = kind.oid()?;
    let inner = explicit.inside()?;
    let [inner] = inner.as_slice() else { return Err("an otherName is not a type and a value") };
    let text = inner.text().filter(|_| inner.is(Tag::Utf8String));
    Ok(match (oid, text) {
        (USER_PRINCIPAL_NAME, Some(text)) => AlternativeName::new("UPN", text),
        (SMTP_UTF8_MAILBOX, Some(text)) => AlternativeName::new("email", text),
        (_, Some(text)) => AlternativeName::new("otherName", format!("{oid};UTF8:{text}")),
        (_, None) => AlternativeName::new("otherName", format!("{oid};DER:{}", hex::encode(inner.raw()))),
    })
}

/// An address, a network (with its mask behind it), or the bytes where it is neither.
fn address(bytes: &[u8]) -> String {
    let one = |bytes: &[u8]| -> Option<IpAddr> {
        let v4 = <[u8; 4]>::try_from(bytes).map(IpAddr::from);
        v4.or_else(|_| <[u8; 16]>::try_from(bytes).map(IpAddr::from)).ok()
    };
    let network = || {
        let (address, mask) = bytes.split_at(bytes.len() / 2);
        Some(format!("{}/{}", one(address)?, mask_text(mask, one(mask)?)))
    };
    one(bytes).map(|address| address.to_string()).or_else(network).unwrap_or_else(|| hex::encode(bytes))
}

/// How many bits a mask has; the mask itself when they are not its first ones.
fn mask_text(bytes: &[u8], mask: IpAddr) -> String {
    let bits = bytes.iter().flat_map(|byte| (0..8).map(move |bit| byte << bit & 0x80 != 0));
    let ones = bits.clone().take_while(|bit| *bit).count();
    if bits.skip(ones).any(|bit| bit) { mask.to_string() } else { ones.to_string() }
}

const RULE: &str = "RFC 5280 section 4.2.1.6";

fn check(place: &str, value: &Value<'_>, name: &mut AlternativeName, findings: &mut Findings) {
    let is_text = value.context().is_some_and(|number| matches!(number, 1 | 2 | 6));
    let parsed = name.text().parse::<San>();
    if is_text && !value.contents().is_ascii() {
        let problem = format!("{} is an IA5String, but has other characters than ASCII", name.kind);
        let remedy = match &parsed {
            Ok(san) if san.value().is_ascii() => format!("write it as {san}"),
            _ => "write it in ASCII; a mailbox that cannot be is a SmtpUTF8Mailbox (RFC 9598)".to_owned(),
        };
        findings.error(place, problem, "RFC 5280 section 4.2.1.6, for domains section 7.2", remedy);
        return;
    }
    match (name.kind, parsed) {
        ("IP", Err(_)) => {
            let length = value.contents().len();
            let problem = format!("an iPAddress has 4 or 16 bytes; this has {length}");
            findings.error(place, problem, RULE, "give the address alone, without mask or text");
        }
        ("DNS", Err(invalid)) => {
            let problem = format!("{}: {}", name.value, invalid.reason);
            let rule = "RFC 5280 section 4.2.1.6, RFC 1034 section 3.5, RFC 9525 section 6.3";
            findings.error(place, problem, rule, "ask for a host name that is one");
        }
        ("email" | "URI" | "UPN", Err(invalid)) => {
            let problem = format!("{}: {}", name.value, invalid.reason);
            findings.warning(place, problem, RULE, "correct the name");
        }
        (_, Ok(san)) => {
            name.unicode = san.value_in_unicode();
            if let Some(problem) = san.problem() {
                let rule = "RFC 5280 section 4.2.1.6, for A-labels RFC 5890 section 2.3.2.1";
                findings.warning(place, problem, rule, "correct the name");
            }
            check_public(place, &san, findings);
        }
        _ => {}
    }
}

/// Names that no CA of the Web PKI may certify.
fn check_public(place: &str, san: &San, findings: &mut Findings) {
    let internal = match san {
        San::Dns(name) => is_internal(name.as_str()),
        San::Ip(IpAddr::V4(v4)) => {
            v4.is_private() || v4.is_loopback() || v4.is_link_local() || v4.is_unspecified()
        }
        San::Ip(IpAddr::V6(v6)) => {
            v6.is_unique_local() || v6.is_loopback() || v6.is_unicast_link_local() || v6.is_unspecified()
        }
        _ => false,
    };
    if internal {
        let rule = "CA/Browser Forum TLS Baseline Requirements section 4.2.2";
        findings.note(place, format!("{san} is an internal name"), rule, "send it to a private CA only");
    }
}

/// RFC 6762 appendix G, RFC 6761, RFC 8375, and the label that ICANN keeps for this.
fn is_internal(host: &str) -> bool {
    const SUFFIXES: [&str; 11] = [
        "corp",
        "home",
        "internal",
        "intranet",
        "invalid",
        "lan",
        "local",
        "localdomain",
        "localhost",
        "private",
        "test",
    ];
    host.rsplit_once('.').is_none_or(|(_, top)| SUFFIXES.contains(&top)) || host.ends_with(".home.arpa")
}
