//! Subject alternative names (RFC 5280 section 4.2.1.6) and the rules for them.

use std::fmt;
use std::net::{IpAddr, Ipv6Addr};
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::invalid::Invalid;

/// How many alternative names a CSR may have.
pub const MAX_SANS: usize = 100;

/// A subject alternative name. Written, and serialised, as `DNS:www.example.com`, `IP:192.0.2.1`,
/// `email:a@example.com` or `URI:https://example.com/`; the prefix is read in any case.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum San {
    /// dNSName
    Dns(DnsName),
    /// iPAddress
    Ip(IpAddr),
    /// rfc822Name
    Email(EmailAddress),
    /// uniformResourceIdentifier
    Uri(Uri),
}

/// A host name in the preferred syntax of RFC 1034 section 3.5, in lower case; its left-most label
/// may be `*` (RFC 9525 section 6.3).
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct DnsName(String);

/// A mailbox as RFC 5280 section 4.2.1.6 asks for it: ASCII, a dot-atom before the `@`.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct EmailAddress(String);

/// An absolute URI (RFC 3986); one with an authority names its host.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Uri(String);

impl San {
    /// The value without its kind, as text.
    pub fn value(&self) -> String {
        match self {
            Self::Dns(name) => name.as_str().to_owned(),
            Self::Ip(address) => address.to_string(),
            Self::Email(address) => address.as_str().to_owned(),
            Self::Uri(uri) => uri.as_str().to_owned(),
        }
    }

    /// A list of alternative names; a refusal names the place in the list, as `sans[2]`.
    ///
    /// # Errors
    /// Every text that is not an alternative name.
    pub fn parse_list<T: AsRef<str>>(texts: &[T]) -> Result<Vec<Self>, Vec<Invalid>> {
        let mut sans = Vec::with_capacity(texts.len());
        let mut refused = Vec::new();
        for (at, text) in texts.iter().enumerate() {
            match text.as_ref().parse::<Self>() {
                Ok(san) => sans.push(san),
                Err(invalid) => refused.push(Invalid { field: format!("sans[{at}]"), ..invalid }),
            }
        }
        if refused.is_empty() { Ok(sans) } else { Err(refused) }
    }
}

impl FromStr for San {
    type Err = Invalid;

    fn from_str(text: &str) -> Result<Self, Invalid> {
        let Some((prefix, value)) = text.split_once(':') else {
            return Err(unknown_prefix());
        };
        let parsed = match prefix.to_ascii_lowercase().as_str() {
            "dns" => value.parse().map(Self::Dns),
            "ip" => ip_address(value).map(Self::Ip),
            "email" => value.parse().map(Self::Email),
            "uri" => value.parse().map(Self::Uri),
            _ => return Err(unknown_prefix()),
        };
        parsed.map_err(|invalid| shifted(invalid, prefix.len() + 1))
    }
}

fn unknown_prefix() -> Invalid {
    refused(0, "an alternative name begins with DNS:, IP:, email: or URI:")
}

impl fmt::Display for San {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Dns(DnsName(name)) => write!(f, "DNS:{name}"),
            Self::Ip(address) => write!(f, "IP:{address}"),
            Self::Email(EmailAddress(address)) => write!(f, "email:{address}"),
            Self::Uri(Uri(uri)) => write!(f, "URI:{uri}"),
        }
    }
}

impl Serialize for San {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for San {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<str>::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

/// The text is the identity of these values: read by `FromStr`, given back by `as_str`.
macro_rules! checked_text {
    ($type:ty, $check:path) => {
        impl $type {
            /// The value as it is encoded.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl FromStr for $type {
            type Err = Invalid;

            fn from_str(text: &str) -> Result<Self, Invalid> {
                $check(text).map(Self)
            }
        }
    };
}

checked_text!(DnsName, dns_name);
checked_text!(EmailAddress, email_address);
checked_text!(Uri, uri);

fn dns_name(text: &str) -> Result<String, Invalid> {
    if text.parse::<IpAddr>().is_ok() {
        return Err(refused(0, "is an IP address; write it as IP:"));
    }
    match text.strip_prefix("*.") {
        Some(parent) => {
            host_name(parent).map_err(|invalid| shifted(invalid, 2))?;
            if !parent.contains('.') {
                return Err(refused(0, "a wildcard needs at least two labels after it: *.example.com"));
            }
        }
        None => host_name(text)?,
    }
    // The limit is for the whole name, so the wildcard counts.
    within(text, 253, "a host name")?;
    Ok(text.to_ascii_lowercase())
}

fn host_name(text: &str) -> Result<(), Invalid> {
    if text.is_empty() {
        return Err(refused(0, "the host name is empty"));
    }
    within(text, 253, "a host name")?;
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

fn ip_address(text: &str) -> Result<IpAddr, Invalid> {
    text.parse().map_err(|_| {
        refused(0, "is no IP address, such as 192.0.2.1 or 2001:db8::1, without prefix length or zone")
    })
}

fn email_address(text: &str) -> Result<String, Invalid> {
    // RFC 5321 section 4.5.3.1.3: a path has 256 octets, two of which are angle brackets.
    within(text, 254, "an e-mail address")?;
    let Some((local, domain)) = text.rsplit_once('@') else {
        return Err(refused(0, "an e-mail address has an `@`"));
    };
    // RFC 5322 section 3.2.3, atext.
    let allowed = |c: char| c.is_ascii_alphanumeric() || "!#$%&'*+-/=?^_`{|}~.".contains(c);
    if let Some((at, c)) = local.char_indices().find(|(_, c)| !allowed(*c)) {
        let reason =
            format!("`{}` is not allowed before the `@`; quotes are not supported", c.escape_debug());
        return Err(refused(at, reason));
    }
    if local.split('.').any(str::is_empty) {
        return Err(refused(0, "before the `@`: no dot at the beginning or the end, nor two in a row"));
    }
    within(local, 64, "the part before the `@`")?;
    host_name(domain).map_err(|invalid| shifted(invalid, local.len() + 1))?;
    Ok(format!("{local}@{}", domain.to_ascii_lowercase()))
}

fn uri(text: &str) -> Result<String, Invalid> {
    within(text, 2048, "a URI")?;
    check_uri_characters(text)?;
    let scheme_end = text.find(|c: char| !c.is_ascii_alphanumeric() && !"+-.".contains(c));
    let (scheme, rest) = match scheme_end.and_then(|end| text.split_at_checked(end)) {
        Some((scheme, rest)) if scheme.starts_with(|c: char| c.is_ascii_alphabetic()) => (scheme, rest),
        _ => return Err(refused(0, "a URI begins with a scheme, such as https:")),
    };
    let Some(rest) = rest.strip_prefix(':') else {
        return Err(refused(0, "a URI begins with a scheme, such as https:"));
    };
    if rest.is_empty() {
        return Err(refused(text.len(), "nothing follows the scheme"));
    }
    if let Some(after) = rest.strip_prefix("//") {
        let authority = after.split(['/', '?', '#']).next().unwrap_or(after);
        check_authority(authority).map_err(|invalid| shifted(invalid, scheme.len() + 3))?;
    }
    Ok(text.to_owned())
}

/// RFC 3986 section 2: unreserved, reserved, and `%` with two hexadecimal digits.
fn check_uri_characters(text: &str) -> Result<(), Invalid> {
    let allowed = |c: char| c.is_ascii_alphanumeric() || "-._~:/?#[]@!$&'()*+,;=%".contains(c);
    for (at, c) in text.char_indices() {
        if !allowed(c) {
            let reason = format!("`{}` is not allowed in a URI; percent-encode it", c.escape_debug());
            return Err(refused(at, reason));
        }
        let digits = text.get(at + 1..at + 3).unwrap_or_default();
        if c == '%' && !(digits.len() == 2 && digits.bytes().all(|b| b.is_ascii_hexdigit())) {
            return Err(refused(at, "`%` is followed by two hexadecimal digits"));
        }
    }
    Ok(())
}

/// RFC 5280 section 4.2.1.6: a URI with an authority has a domain name or an IP address as its host.
/// One label is enough: a SPIFFE trust domain is often not more.
fn check_authority(authority: &str) -> Result<(), Invalid> {
    let host_at = authority.rfind('@').map_or(0, |at| at + 1);
    let host_and_port = authority.get(host_at..).unwrap_or_default();
    let (host, port) = match host_and_port.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
        Some((address, port)) => {
            if address.parse::<Ipv6Addr>().is_err() {
                return Err(refused(host_at, "the host in brackets is no IPv6 address"));
            }
            (None, port)
        }
        None => {
            let end = host_and_port.find(':').unwrap_or(host_and_port.len());
            let (host, port) = host_and_port.split_at(end);
            (Some(host), port)
        }
    };
    if let Some(host) = host.filter(|host| host.parse::<IpAddr>().is_err()) {
        host_name(host).map_err(|invalid| shifted(invalid, host_at))?;
    }
    let port_is_good =
        port.is_empty() || port.strip_prefix(':').is_some_and(|digits| digits.parse::<u16>().is_ok());
    if !port_is_good {
        let port_at = authority.len() - port.len();
        return Err(refused(port_at, "only `:` and a port number may follow the host"));
    }
    Ok(())
}

/// A refusal at an offset of the text that is being looked at.
fn refused(position: usize, reason: impl Into<String>) -> Invalid {
    Invalid::at("sans", position, reason)
}

/// The same refusal in a longer text, in which the one that was looked at begins at `offset`.
fn shifted(invalid: Invalid, offset: usize) -> Invalid {
    Invalid { position: invalid.position.map(|position| position + offset), ..invalid }
}

fn within(text: &str, max: usize, what: &str) -> Result<(), Invalid> {
    if text.len() > max {
        return Err(refused(max, format!("{what} has at most {max} characters; this has {}", text.len())));
    }
    Ok(())
}

#[cfg(test)]
pub(super) mod tests;
