//! Host names: the preferred syntax of RFC 1034, and names in other scripts by way of UTS 46 and by the
//! rules of IDNA 2008.
//!
//! What a certificate carries is ASCII: a U-label such as `bücher` is written as its A-label
//! `xn--bcher-kva`.

use std::net::IpAddr;

use idna::uts46::{AsciiDenyList, DnsLength, Hyphens, Uts46};

use super::super::invalid::Invalid;
use super::{idna2008, of_ascii_form, refused, shifted, within};

/// RFC 1035 section 2.3.4: 255 octets, with a length before each label and one behind the last.
const MAX_CHARACTERS: usize = 253;

/// A host name, whose left-most label may be `*`, as a certificate carries it.
pub(super) fn dns_name(text: &str) -> Result<String, Invalid> {
    if text.parse::<IpAddr>().is_ok() {
        return Err(refused(0, "is an IP address; write it as IP:"));
    }
    let name = match text.strip_prefix("*.") {
        Some(parent) => {
            let parent = host_name(parent).map_err(|invalid| shifted(invalid, 2))?;
            if !parent.contains('.') {
                return Err(refused(0, "a wildcard needs at least two labels after it: *.example.com"));
            }
            format!("*.{parent}")
        }
        None => host_name(text)?,
    };
    // The limit is for the whole name, so the wildcard counts.
    within(&name, MAX_CHARACTERS, "a host name").map_err(|invalid| of_ascii_form(invalid, text))?;
    Ok(name)
}

/// A host name as a certificate carries it: A-labels, in lower case.
pub(in crate::domain) fn host_name(text: &str) -> Result<String, Invalid> {
    if text.is_ascii() {
        ascii_host_name(text)?;
        return Ok(text.to_ascii_lowercase());
    }
    // No longer text becomes a name that may be in a certificate.
    within(text, 4 * MAX_CHARACTERS, "a host name in another script than ASCII")?;
    let Some(ascii) = to_ascii(text) else {
        return Err(refused(first_wrong_label(text), "is no international domain name (IDNA 2008, UTS 46)"));
    };
    // UTS 46 maps more to ASCII than letters: full-width digits and dots become plain ones. Where in
    // the text that was, nobody can tell.
    ascii_host_name(&ascii)
        .map_err(|invalid| refused(0, format!("is `{ascii}` in ASCII, where {}", invalid.reason)))?;
    Ok(ascii)
}

/// The name in the scripts of its U-labels; `None` when it has none.
pub(super) fn in_unicode(name: &str) -> Option<String> {
    let (wildcard, host) = split_wildcard(name);
    let unicode = to_unicode(host)?;
    (unicode != host).then(|| format!("{wildcard}{unicode}"))
}

/// The first label that begins with `xn--` and is no A-label; when only the name as a whole breaks a
/// rule, as that for names in both directions of writing, its first A-label.
pub(super) fn false_a_label(name: &str) -> Option<&str> {
    let (_, host) = split_wildcard(name);
    let is_good = |text: &str| to_ascii(text).as_deref() == Some(text);
    let mut a_labels = host.split('.').filter(|label| label.starts_with("xn--")).peekable();
    let first = *a_labels.peek()?;
    if is_good(host) { None } else { a_labels.find(|label| !is_good(label)).or(Some(first)) }
}

fn split_wildcard(name: &str) -> (&'static str, &str) {
    name.strip_prefix("*.").map_or(("", name), |parent| ("*.", parent))
}

fn to_ascii(text: &str) -> Option<String> {
    let ascii = Uts46::new()
        .to_ascii(text.as_bytes(), AsciiDenyList::STD3, Hyphens::CheckFirstLast, DnsLength::Ignore)
        .ok()?;
    to_unicode(&ascii)?;
    Some(ascii.into_owned())
}

/// The U-labels; `None` when one of them is none of IDNA 2008.
fn to_unicode(text: &str) -> Option<String> {
    let (unicode, valid) =
        Uts46::new().to_unicode(text.as_bytes(), AsciiDenyList::STD3, Hyphens::CheckFirstLast);
    (valid.is_ok() && unicode.split('.').all(idna2008::is_label)).then(|| unicode.into_owned())
}

/// Where the first label begins that is wrong by itself; 0 when only the whole is.
fn first_wrong_label(text: &str) -> usize {
    let mut start = 0;
    for label in text.split('.') {
        if !label.is_empty() && to_ascii(label).is_none() {
            return start;
        }
        start += label.len() + 1;
    }
    0
}

/// The preferred syntax of RFC 1034 section 3.5.
pub(super) fn ascii_host_name(text: &str) -> Result<(), Invalid> {
    if text.is_empty() {
        return Err(refused(0, "the host name is empty"));
    }
    within(text, MAX_CHARACTERS, "a host name")?;
    let mut start = 0;
    for label in text.split('.') {
        check_label(label).map_err(|invalid| shifted(invalid, start))?;
        start += label.len() + 1;
    }
    let top = text.rsplit('.').next().unwrap_or(text);
    if top.bytes().all(|b| b.is_ascii_digit()) {
        let reason = "the last label has digits only, as no top-level domain does (RFC 3696 section 2)";
        return Err(refused(text.len() - top.len(), reason));
    }
    Ok(())
}

fn check_label(label: &str) -> Result<(), Invalid> {
    if label.is_empty() {
        return Err(refused(0, "a label is empty: no dot at the beginning or the end, nor two in a row"));
    }
    let wrong = label.char_indices().find(|(_, c)| !c.is_ascii_alphanumeric() && *c != '-');
    if let Some((at, c)) = wrong {
        let reason = match c {
            '_' => "`_` is not allowed in a host name (RFC 1034 section 3.5)".to_owned(),
            '*' => "`*` is allowed as the whole left-most label only".to_owned(),
            c if c.is_ascii() => {
                format!("`{}` is not allowed: letters, digits and `-` only", c.escape_default())
            }
            c => format!("`{c}` is not ASCII; write the label in its A-label form, which begins with xn--"),
        };
        return Err(refused(at, reason));
    }
    if label.len() > 63 {
        return Err(refused(0, format!("a label has {} characters; at most 63 are allowed", label.len())));
    }
    if label.starts_with('-') || label.ends_with('-') {
        return Err(refused(0, "a label may not begin or end with `-`"));
    }
    Ok(())
}
