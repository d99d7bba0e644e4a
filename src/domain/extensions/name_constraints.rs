//! NameConstraints (RFC 5280 section 4.2.1.10): the names that a CA may certify.

use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::super::invalid::Invalid;
use super::super::name::Name;
use super::super::san::host::host_name;
use super::super::san::{self, EmailAddress};
use super::duplicates;

const FIELD: &str = "extensions.name_constraints";

/// Which names are permitted and which are not, though they are permitted.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct NameConstraints {
    /// permittedSubtrees
    pub permitted: Vec<Subtree>,
    /// excludedSubtrees
    pub excluded: Vec<Subtree>,
}

/// Names of one kind. Written, and serialised, as `DNS:example.com`, `IP:192.0.2.0/24`,
/// `email:example.com`, `URI:.example.com` or `dirName:O=Example`.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Subtree {
    /// The host and all below it; every host when empty.
    Dns(String),
    /// The addresses with these first bits.
    Ip(IpAddr, u8),
    /// A mailbox, all mailboxes at a host, or, with a dot in front, at all hosts below it.
    Email(String),
    /// A host in URIs, or, with a dot in front, all hosts below it.
    Uri(String),
    /// Names that begin so.
    DirectoryName(Name),
}

impl NameConstraints {
    pub(super) fn problems(&self, is_ca: bool) -> Vec<Invalid> {
        let mut problems = duplicates(&format!("{FIELD}.permitted"), &self.permitted);
        problems.extend(duplicates(&format!("{FIELD}.excluded"), &self.excluded));
        for (list, subtrees) in [("permitted", &self.permitted), ("excluded", &self.excluded)] {
            for (at, subtree) in subtrees.iter().enumerate() {
                let Subtree::DirectoryName(name) = subtree else { continue };
                let field = format!("{FIELD}.{list}[{at}]");
                problems.extend(name.problem().map(|reason| Invalid::new(field, reason)));
            }
        }
        if !is_ca {
            let reason = "need basic_constraints with ca = true (RFC 5280 section 4.2.1.10)";
            problems.push(Invalid::new(FIELD, reason));
        }
        if self.permitted.is_empty() && self.excluded.is_empty() {
            problems.push(Invalid::new(FIELD, "permit and exclude nothing"));
        }
        problems
    }
}

impl FromStr for Subtree {
    type Err = Invalid;

    fn from_str(text: &str) -> Result<Self, Invalid> {
        let (prefix, value) = text.split_once(':').ok_or_else(unknown_prefix)?;
        let parsed = match prefix.to_ascii_lowercase().as_str() {
            "dns" => dns(value).map(Self::Dns),
            "ip" => network(value),
            "email" if value.contains('@') => mailbox(value).map(Self::Email),
            "email" => domain(value).map(Self::Email),
            "uri" => domain(value).map(Self::Uri),
            "dirname" => san::directory_name(value).map(Self::DirectoryName),
            _ => return Err(unknown_prefix()),
        };
        let offset = prefix.len() + 1;
        parsed.map_err(|invalid| Invalid {
            field: FIELD.into(),
            position: invalid.position.map(|position| position + offset),
            ..invalid
        })
    }
}

fn unknown_prefix() -> Invalid {
    Invalid::at(FIELD, 0, "a subtree begins with DNS:, IP:, email:, URI: or dirName:")
}

fn dns(text: &str) -> Result<String, Invalid> {
    if text.starts_with('.') {
        return Err(Invalid::at(FIELD, 0, "without the dot: example.com has all hosts below it in it"));
    }
    if text.is_empty() { Ok(String::new()) } else { host_name(text) }
}

fn domain(text: &str) -> Result<String, Invalid> {
    match text.strip_prefix('.') {
        Some(parent) => host_name(parent).map(|parent| format!(".{parent}")),
        None => host_name(text),
    }
}

fn mailbox(text: &str) -> Result<String, Invalid> {
    let address: EmailAddress = text.parse()?;
    if !address.local_part().is_ascii() {
        // It constrains rfc822Name, which has no such mailboxes (RFC 9598 section 6).
        return Err(Invalid::at(FIELD, 0, "only ASCII may stand before the `@` of a constraint"));
    }
    Ok(address.as_str().to_owned())
}

fn network(text: &str) -> Result<Subtree, Invalid> {
    let parsed = text
        .split_once('/')
        .and_then(|(address, bits)| Some((address.parse::<IpAddr>().ok()?, bits.parse::<u8>().ok()?)))
        .filter(|(address, bits)| *bits <= address_bits(*address));
    let Some((address, bits)) = parsed else {
        return Err(Invalid::at(FIELD, 0, "is no network, such as 192.0.2.0/24 or 2001:db8::/32"));
    };
    if masked(address, bits) != address {
        return Err(Invalid::at(FIELD, 0, format!("has bits behind the first {bits}")));
    }
    Ok(Subtree::Ip(address, bits))
}

fn address_bits(address: IpAddr) -> u8 {
    if address.is_ipv4() { 32 } else { 128 }
}

fn masked(address: IpAddr, bits: u8) -> IpAddr {
    match address {
        IpAddr::V4(v4) => (v4 & std::net::Ipv4Addr::from(high_bits_32(bits))).into(),
        IpAddr::V6(v6) => (v6 & std::net::Ipv6Addr::from(high_bits_128(bits))).into(),
    }
}

fn high_bits_32(bits: u8) -> u32 {
    u32::MAX.checked_shl(32 - u32::from(bits.min(32))).unwrap_or(0)
}

fn high_bits_128(bits: u8) -> u128 {
    u128::MAX.checked_shl(128 - u32::from(bits.min(128))).unwrap_or(0)
}

impl Subtree {
    /// Whether it is a network that the address is in.
    pub fn has_address(&self, address: IpAddr) -> bool {
        match self {
            Self::Ip(network, bits) => {
                network.is_ipv4() == address.is_ipv4() && masked(address, *bits) == *network
            }
            _ => false,
        }
    }

    /// The address and the mask of a network, one behind the other, as RFC 5280 encodes it.
    pub fn network_octets(address: IpAddr, bits: u8) -> Vec<u8> {
        match address {
            IpAddr::V4(v4) => [v4.octets(), high_bits_32(bits).to_be_bytes()].concat(),
            IpAddr::V6(v6) => [v6.octets(), high_bits_128(bits).to_be_bytes()].concat(),
        }
    }
}

impl fmt::Display for Subtree {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Dns(host) => write!(f, "DNS:{host}"),
            Self::Ip(address, bits) => write!(f, "IP:{address}/{bits}"),
            Self::Email(mailboxes) => write!(f, "email:{mailboxes}"),
            Self::Uri(hosts) => write!(f, "URI:{hosts}"),
            Self::DirectoryName(name) => write!(f, "dirName:{name}"),
        }
    }
}

serialised_as_text!(Subtree);
