//! URIs (RFC 3986) as RFC 5280 section 4.2.1.6 takes them: absolute, ASCII.

use std::net::{IpAddr, Ipv6Addr};

use super::super::invalid::Invalid;
use super::host::ascii_host_name;
use super::{refused, shifted, within};

pub(in crate::domain) fn uri(text: &str) -> Result<String, Invalid> {
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
        ascii_host_name(host).map_err(|invalid| shifted(invalid, host_at))?;
    }
    let port_is_good =
        port.is_empty() || port.strip_prefix(':').is_some_and(|digits| digits.parse::<u16>().is_ok());
    if !port_is_good {
        let port_at = authority.len() - port.len();
        return Err(refused(port_at, "only `:` and a port number may follow the host"));
    }
    Ok(())
}
