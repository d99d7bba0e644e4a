//! Subject alternative names (RFC 5280 section 4.2.1.6) and the rules for them.

mod email;
pub(super) mod host;
mod idna2008;
mod other_name;
#[cfg(test)]
pub(super) mod tests;
pub(super) mod uri;

use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;

use const_oid::ObjectIdentifier;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::invalid::Invalid;
use super::name::Name;
use super::text::hidden_problem;
pub use other_name::{OtherName, SMTP_UTF8_MAILBOX, USER_PRINCIPAL_NAME};

/// How many alternative names a CSR may have.
pub const MAX_SANS: usize = 100;

/// The path of the list in a CSR specification, for errors.
const FIELD: &str = "sans";

/// A subject alternative name. Written, and serialised, as `DNS:www.example.com`, `IP:192.0.2.1`,
/// `email:a@example.com`, `URI:https://example.com/`, `UPN:a@example.com`, `RID:1.2.3`,
/// `dirName:CN=a,C=nl` or `otherName:1.2.3;UTF8:text`; the prefix is read in any case. A domain may
/// be written in any script, and is given back in ASCII.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum San {
    /// dNSName
    Dns(DnsName),
    /// iPAddress
    Ip(IpAddr),
    /// rfc822Name, or the otherName SmtpUTF8Mailbox
    Email(EmailAddress),
    /// uniformResourceIdentifier
    Uri(Uri),
    /// The otherName of Microsoft's directory
    UserPrincipalName(UserPrincipalName),
    /// registeredID
    RegisteredId(ObjectIdentifier),
    /// directoryName
    DirectoryName(Name),
    /// Any other otherName
    OtherName(OtherName),
}

/// The kind of an alternative name: what stands before the colon.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
pub enum SanKind {
    /// [`San::Dns`]
    #[serde(rename = "DNS")]
    Dns,
    /// [`San::Ip`]
    #[serde(rename = "IP")]
    Ip,
    /// [`San::Email`]
    #[serde(rename = "email")]
    Email,
    /// [`San::Uri`]
    #[serde(rename = "URI")]
    Uri,
    /// [`San::UserPrincipalName`]
    #[serde(rename = "UPN")]
    UserPrincipalName,
    /// [`San::RegisteredId`]
    #[serde(rename = "RID")]
    RegisteredId,
    /// [`San::DirectoryName`]
    #[serde(rename = "dirName")]
    DirectoryName,
    /// [`San::OtherName`]
    #[serde(rename = "otherName")]
    OtherName,
}

impl fmt::Display for SanKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.serialize(f)
    }
}

/// A host name in the preferred syntax of RFC 1034 section 3.5, in lower case; its left-most label
/// may be `*` (RFC 9525 section 6.3).
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct DnsName(String);

/// A mailbox: a dot-atom before the `@` and a host name behind it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct EmailAddress(String);

/// A name in Microsoft's directory: `user@suffix`.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct UserPrincipalName(String);

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
            Self::UserPrincipalName(name) => name.as_str().to_owned(),
            Self::RegisteredId(oid) => oid.to_string(),
            Self::DirectoryName(name) => name.to_string(),
            Self::OtherName(name) => name.to_string(),
        }
    }

    /// The same with its domain in U-labels, for people; `None` when that makes no difference.
    pub fn in_unicode(&self) -> Option<String> {
        Some(format!("{}:{}", self.kind(), self.value_in_unicode()?))
    }

    /// [`San::value`] with its domain in U-labels; `None` when that makes no difference.
    pub fn value_in_unicode(&self) -> Option<String> {
        match self {
            Self::Dns(name) => host::in_unicode(name.as_str()),
            Self::Email(address) => {
                let domain = host::in_unicode(address.domain())?;
                Some(format!("{}@{domain}", address.local_part()))
            }
            _ => None,
        }
    }

    /// The rule that a name breaks which was taken nevertheless when it was read: a specification of
    /// the time before this rule has to be read, but not made again.
    pub fn problem(&self) -> Option<String> {
        match self {
            Self::Dns(name) => false_a_label(name.as_str()),
            Self::Email(address) => {
                hidden_problem(address.local_part()).or_else(|| false_a_label(address.domain()))
            }
            Self::UserPrincipalName(name) => hidden_problem(name.as_str()),
            Self::OtherName(name) => name.value().as_utf8_string().and_then(hidden_problem),
            Self::DirectoryName(name) => name.problem(),
            Self::Ip(_) | Self::Uri(_) | Self::RegisteredId(_) => None,
        }
    }

    /// What kind of name it is.
    pub fn kind(&self) -> SanKind {
        match self {
            Self::Dns(_) => SanKind::Dns,
            Self::Ip(_) => SanKind::Ip,
            Self::Email(_) => SanKind::Email,
            Self::Uri(_) => SanKind::Uri,
            Self::UserPrincipalName(_) => SanKind::UserPrincipalName,
            Self::RegisteredId(_) => SanKind::RegisteredId,
            Self::DirectoryName(_) => SanKind::DirectoryName,
            Self::OtherName(_) => SanKind::OtherName,
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
            "upn" => value.parse().map(Self::UserPrincipalName),
            "rid" => registered_id(value).map(Self::RegisteredId),
            "dirname" => directory_name(value).map(Self::DirectoryName),
            "othername" => value.parse().and_then(from_other_name),
            _ => return Err(unknown_prefix()),
        };
        parsed.map_err(|invalid| shifted(invalid, prefix.len() + 1))
    }
}

fn false_a_label(host: &str) -> Option<String> {
    let label = host::false_a_label(host)?;
    Some(format!("`{label}` begins with xn--, but is no A-label (IDNA 2008, UTS 46)"))
}

fn unknown_prefix() -> Invalid {
    refused(0, "an alternative name begins with DNS:, IP:, email:, URI:, UPN:, RID:, dirName: or otherName:")
}

fn ip_address(text: &str) -> Result<IpAddr, Invalid> {
    text.parse().map_err(|_| {
        refused(0, "is no IP address, such as 192.0.2.1 or 2001:db8::1, without prefix length or zone")
    })
}

fn registered_id(text: &str) -> Result<ObjectIdentifier, Invalid> {
    ObjectIdentifier::new(text).map_err(|_| refused(0, "a registered ID is a dotted OID, such as 1.2.3.4"))
}

pub(super) fn directory_name(text: &str) -> Result<Name, Invalid> {
    let name: Name = text.parse().map_err(|invalid| Invalid { field: FIELD.into(), ..invalid })?;
    if name.is_empty() {
        return Err(refused(0, "the name is empty"));
    }
    Ok(name)
}

/// The types that have a form of their own get it: a name has one way to be written.
fn from_other_name(name: OtherName) -> Result<San, Invalid> {
    let of_text = match name.type_id() {
        USER_PRINCIPAL_NAME => |text: &str| text.parse().map(San::UserPrincipalName),
        SMTP_UTF8_MAILBOX => smtp_utf8_mailbox,
        _ => return Ok(San::OtherName(name)),
    };
    let text = name.value().as_utf8_string();
    let text = text.ok_or_else(|| refused(0, "the value of this otherName is a UTF8String"))?;
    of_text(text).map_err(|invalid| Invalid { position: Some(0), ..invalid })
}

fn smtp_utf8_mailbox(text: &str) -> Result<San, Invalid> {
    let address: EmailAddress = text.parse()?;
    if address.local_part().is_ascii() {
        return Err(refused(0, "is ASCII before the `@`: write it as email: (RFC 9598 section 3)"));
    }
    Ok(San::Email(address))
}

impl fmt::Display for San {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.kind(), self.value())
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

checked_text!(DnsName, host::dns_name);
checked_text!(EmailAddress, email::email_address);
checked_text!(Uri, uri::uri);
checked_text!(UserPrincipalName, other_name::user_principal_name);

impl EmailAddress {
    /// What stands before the `@`. When it is not ASCII, the address is a SmtpUTF8Mailbox.
    pub fn local_part(&self) -> &str {
        self.parts().0
    }

    /// What stands behind the `@`.
    pub fn domain(&self) -> &str {
        self.parts().1
    }

    fn parts(&self) -> (&str, &str) {
        self.0.rsplit_once('@').unwrap_or((&self.0, ""))
    }
}

/// A refusal at an offset of the text that is being looked at.
fn refused(position: usize, reason: impl Into<String>) -> Invalid {
    Invalid::at(FIELD, position, reason)
}

/// The same refusal in a longer text, in which the one that was looked at begins at `offset`.
fn shifted(invalid: Invalid, offset: usize) -> Invalid {
    Invalid { position: invalid.position.map(|position| position + offset), ..invalid }
}

/// A place in the ASCII form is no place in a text of another script.
fn of_ascii_form(invalid: Invalid, text: &str) -> Invalid {
    if text.is_ascii() { invalid } else { Invalid { position: Some(0), ..invalid } }
}

fn within(text: &str, max: usize, what: &str) -> Result<(), Invalid> {
    if text.len() > max {
        let reason = format!("{what} has at most {max} bytes; this has {}", text.len());
        return Err(refused(text.floor_char_boundary(max), reason));
    }
    Ok(())
}
