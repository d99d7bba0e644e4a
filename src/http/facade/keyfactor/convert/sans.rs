//! SANs by the vendor's kinds, which are the choices of GeneralName (RFC 5280 section 4.2.1.6) and two of Microsoft's.

use std::net::IpAddr;

use uuid::Uuid;

use crate::domain::invalid::Invalid;
use crate::domain::san::San;
use crate::http::facade::keyfactor::wire;

/// szOID_NTDS_REPLICATION: the GUID of a domain controller (MS-WCCE section 2.2.2.7.7.4 names it in requests).
const NTDS_REPLICATION: &str = "1.3.6.1.4.1.311.25.1";

/// How the values of a kind are read.
#[derive(Clone, Copy)]
enum Reading {
    /// As the core reads them behind this prefix.
    Core(&'static str),
    /// As an address of any version.
    Ip,
    /// As an address of version 4.
    Ip4,
    /// As an address of version 6.
    Ip6,
    /// As a GUID.
    Guid,
    /// Not at all: these forms have no reader or writer here, nor a CA that takes them.
    Refused,
}

/// Every documented kind.
const KINDS: [(&str, Reading); 13] = [
    ("other", Reading::Core("otherName:")),
    ("rfc822", Reading::Core("email:")),
    ("dns", Reading::Core("DNS:")),
    ("x400", Reading::Refused),
    ("directory", Reading::Core("dirName:")),
    ("ediparty", Reading::Refused),
    ("uri", Reading::Core("URI:")),
    ("ip", Reading::Ip),
    ("ip4", Reading::Ip4),
    ("ip6", Reading::Ip6),
    ("registeredid", Reading::Core("RID:")),
    ("ms_ntprincipalname", Reading::Core("UPN:")),
    ("ms_ntdsreplication", Reading::Guid),
];

/// The SANs, each with its path in the vendor's words, by kind in the order of the documentation.
///
/// # Errors
/// Every one that breaks a rule, and every kind that is unknown or cannot be expressed.
pub(super) fn named(sans: wire::Sans) -> Result<Vec<(String, San)>, Vec<Invalid>> {
    let (mut named, mut wrong) = (Vec::new(), Vec::new());
    let is_known = |given: &str| KINDS.iter().any(|(kind, _)| kind.eq_ignore_ascii_case(given));
    wrong.extend(sans.keys().filter(|given| !is_known(given)).map(|given| {
        let known: Vec<_> = KINDS.iter().map(|(kind, _)| *kind).collect();
        // In the reason and not in the path: refused paths go on record, and this is the client's word.
        let given: String = given.chars().take(40).collect();
        refused(format!("`{given}` is no kind of name; known are {}", known.join(", ")))
    }));
    for (kind, reading) in KINDS {
        let of_kind = sans.iter().filter(|(given, _)| kind.eq_ignore_ascii_case(given));
        let values = of_kind.flat_map(|(_, values)| values.iter().flatten());
        for (at, value) in values.enumerate() {
            let place = format!("SANs.{kind}[{at}]");
            match read(reading, value.trim()) {
                Ok(san) => named.push((place, san)),
                Err(invalid) => wrong.push(Invalid { field: place, ..invalid }),
            }
        }
    }
    if wrong.is_empty() { Ok(named) } else { Err(wrong) }
}

/// A name as Windows shows it in a certificate.
pub(super) fn display(san: &San) -> String {
    let label = match san {
        San::Dns(_) => "DNS Name",
        San::Ip(_) => "IP Address",
        San::Email(_) => "RFC822 Name",
        San::Uri(_) => "URL",
        San::UserPrincipalName(_) => "Principal Name",
        San::RegisteredId(_) => "Registered ID",
        San::DirectoryName(_) => "Directory Address",
        San::OtherName(name) if name.type_id().to_string() == NTDS_REPLICATION => "DS Object Guid",
        San::OtherName(_) => "Other Name",
    };
    format!("{label}={}", guid_of(san).unwrap_or_else(|| san.value()))
}

fn read(reading: Reading, value: &str) -> Result<San, Invalid> {
    let address = |is_version: fn(&IpAddr) -> bool, version| {
        let address: Option<IpAddr> = value.parse().ok().filter(is_version);
        address.map(San::Ip).ok_or_else(|| refused(format!("is no IP address{version}")))
    };
    match reading {
        Reading::Core(prefix) => behind(prefix, value),
        Reading::Ip => address(|_| true, ""),
        Reading::Ip4 => address(IpAddr::is_ipv4, " of version 4, such as 192.0.2.1"),
        Reading::Ip6 => address(IpAddr::is_ipv6, " of version 6, such as 2001:db8::1"),
        Reading::Guid => guid(value),
        Reading::Refused => Err(refused("names of this kind cannot be put into a CSR here; leave it out")),
    }
}

fn behind(prefix: &str, value: &str) -> Result<San, Invalid> {
    format!("{prefix}{value}").parse().map_err(|invalid: Invalid| {
        let position = invalid.position.and_then(|position| position.checked_sub(prefix.len()));
        Invalid { position, ..invalid }
    })
}

/// An OCTET STRING with the GUID as it lies in Windows' memory: its first three numbers little-endian.
fn guid(text: &str) -> Result<San, Invalid> {
    let guid = Uuid::parse_str(text)
        .map_err(|_| refused("is no GUID, such as 6ba7b810-9dad-11d1-80b4-00c04fd430c8"))?;
    format!("otherName:{NTDS_REPLICATION};DER:0410{}", hex::encode(guid.to_bytes_le())).parse()
}

fn guid_of(san: &San) -> Option<String> {
    let San::OtherName(name) = san else { return None };
    if name.type_id().to_string() != NTDS_REPLICATION {
        return None;
    }
    let bytes = name.value().as_bytes().strip_prefix(&[0x04, 0x10])?.try_into().ok()?;
    Some(Uuid::from_bytes_le(bytes).to_string())
}

fn refused(reason: impl Into<String>) -> Invalid {
    Invalid::new("SANs", reason)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read_all(pairs: &[(&str, &[&str])]) -> Result<Vec<String>, Vec<String>> {
        let list = |values: &[&str]| Some(values.iter().map(|value| (*value).to_owned()).collect());
        let sans = pairs.iter().map(|(kind, values)| ((*kind).to_owned(), list(values))).collect();
        let told = |wrong: Vec<Invalid>| wrong.iter().map(ToString::to_string).collect();
        named(sans)
            .map_err(told)
            .map(|named| named.iter().map(|(place, san)| format!("{place} {san} {}", display(san))).collect())
    }

    #[test]
    fn every_kind_that_x509_knows_and_we_write_is_read() {
        let guid = "6ba7b810-9dad-11d1-80b4-00c04fd430c8";
        let read = read_all(&[
            ("DNS", &["a.example", "*.b.example"]),
            ("other", &["1.2.3.4;UTF8:x"]),
            ("rfc822", &["a@b.example"]),
            ("directory", &["CN=a,C=NL"]),
            ("uri", &["https://a.example/"]),
            ("ip", &["192.0.2.1", "2001:db8::1"]),
            ("ip4", &["192.0.2.2"]),
            ("ip6", &["2001:db8::2"]),
            ("RegisteredID", &["1.2.3"]),
            ("ms_ntprincipalname", &["svc@b.example"]),
            ("ms_NTDSreplication", &[guid]),
            ("x400", &[]),
        ]);
        let der = "041010b8a76bad9dd11180b400c04fd430c8";
        let expected = [
            "SANs.other[0] otherName:1.2.3.4;UTF8:x Other Name=1.2.3.4;UTF8:x".to_owned(),
            "SANs.rfc822[0] email:a@b.example RFC822 Name=a@b.example".to_owned(),
            "SANs.dns[0] DNS:a.example DNS Name=a.example".to_owned(),
            "SANs.dns[1] DNS:*.b.example DNS Name=*.b.example".to_owned(),
            "SANs.directory[0] dirName:CN=a,C=NL Directory Address=CN=a,C=NL".to_owned(),
            "SANs.uri[0] URI:https://a.example/ URL=https://a.example/".to_owned(),
            "SANs.ip[0] IP:192.0.2.1 IP Address=192.0.2.1".to_owned(),
            "SANs.ip[1] IP:2001:db8::1 IP Address=2001:db8::1".to_owned(),
            "SANs.ip4[0] IP:192.0.2.2 IP Address=192.0.2.2".to_owned(),
            "SANs.ip6[0] IP:2001:db8::2 IP Address=2001:db8::2".to_owned(),
            "SANs.registeredid[0] RID:1.2.3 Registered ID=1.2.3".to_owned(),
            "SANs.ms_ntprincipalname[0] UPN:svc@b.example Principal Name=svc@b.example".to_owned(),
            format!(
                "SANs.ms_ntdsreplication[0] otherName:{NTDS_REPLICATION};DER:{der} DS Object Guid={guid}"
            ),
        ];
        assert_eq!(read.unwrap(), expected);
    }

    #[test]
    fn what_cannot_be_put_into_a_csr_is_refused_by_name() {
        for (kind, value, told) in [
            (
                "x400",
                "/C=NL/",
                "SANs.x400[0]: names of this kind cannot be put into a CSR here; leave it out",
            ),
            (
                "ediparty",
                "a",
                "SANs.ediparty[0]: names of this kind cannot be put into a CSR here; leave it out",
            ),
            ("ip4", "2001:db8::1", "SANs.ip4[0]: is no IP address of version 4, such as 192.0.2.1"),
            ("ip6", "192.0.2.1", "SANs.ip6[0]: is no IP address of version 6, such as 2001:db8::1"),
            ("ip", "192.0.2.0/24", "SANs.ip[0]: is no IP address"),
            (
                "ms_ntdsreplication",
                "6ba7",
                "SANs.ms_ntdsreplication[0]: is no GUID, such as 6ba7b810-9dad-11d1-80b4-00c04fd430c8",
            ),
            (
                "registeredid",
                "x",
                "SANs.registeredid[0]: at position 0: a registered ID is a dotted OID, such as 1.2.3.4",
            ),
        ] {
            assert_eq!(read_all(&[(kind, &[value])]).unwrap_err(), [told]);
        }
        let wrong = read_all(&[("dns", &["a.example", "a b"]), ("netbios", &["A"])]).unwrap_err();
        assert!(
            wrong[0].starts_with("SANs: `netbios` is no kind of name; known are other, rfc822"),
            "{wrong:?}"
        );
        assert!(wrong[1].starts_with("SANs.dns[1]: at position 1: "), "{wrong:?}");
    }
}
