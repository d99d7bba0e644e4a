//! What the vendor asks of alternative names: host names in ASCII, and, as a switch, those that a public CA would
//! certify.

use std::net::IpAddr;

use super::codes;
use crate::domain::san::San;

/// RFC 6761 section 6.
const RESERVED: [&str; 4] = ["test", "example", "invalid", "localhost"];
/// RFC 6761 section 6.5.
const EXAMPLE_DOMAINS: [&str; 3] = ["example.com", "example.net", "example.org"];
/// As the vendor's table says.
const TOO_LONG: usize = 256;

/// A submitted name as an alternative name; else the vendor's number and the reason.
pub(super) fn san(text: &str, public_suffix_rules: bool) -> Result<San, (u16, String)> {
    if !text.is_ascii() {
        let reason = "is not ASCII; write an international domain in its ASCII form (xn--...)";
        return Err((codes::SAN_NOT_ASCII, reason.to_owned()));
    }
    if text.len() >= TOO_LONG {
        return Err((codes::SAN, format!("has {} characters; {} are taken", text.len(), TOO_LONG - 1)));
    }
    if text.parse::<IpAddr>().is_ok() {
        return Err((codes::SAN, "is an IP address; a host name is expected".to_owned()));
    }
    let san = text.parse().map(San::Dns).map_err(|invalid| (codes::SAN, invalid.reason))?;
    if let Some(problem) = san.problem() {
        return Err((codes::SAN, problem));
    }
    if public_suffix_rules {
        must_be_public(&text.to_ascii_lowercase())?;
    }
    Ok(san)
}

fn must_be_public(host: &str) -> Result<(), (u16, String)> {
    let host = host.strip_prefix("*.").unwrap_or(host);
    let top = host.rsplit('.').next().unwrap_or(host);
    if RESERVED.contains(&top) {
        return Err((
            codes::SAN_RESERVED,
            format!("is under `{top}`, a reserved top-level domain (RFC 6761)"),
        ));
    }
    let is_within = |domain: &&&str| {
        host.strip_suffix(**domain).is_some_and(|rest| rest.is_empty() || rest.ends_with('.'))
    };
    if let Some(domain) = EXAMPLE_DOMAINS.iter().find(is_within) {
        return Err((codes::SAN_EXAMPLE, format!("is under {domain}, which nobody can register (RFC 6761)")));
    }
    let is_registrable = psl::domain(host.as_bytes()).is_some_and(|domain| domain.suffix().is_known());
    if is_registrable {
        return Ok(());
    }
    let reason = "has no registrable domain: it needs a label before a suffix of the Public Suffix List";
    Err((codes::SAN_NOT_REGISTRABLE, reason.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn code(text: &str, public_suffix_rules: bool) -> u16 {
        san(text, public_suffix_rules).map_or_else(|(code, _)| code, |_| 0)
    }

    #[test]
    fn names_are_host_names_in_ascii() {
        let longest = format!("{}.{}", "a".repeat(63), "b.".repeat(95)).trim_end_matches('.').to_owned();
        assert_eq!(longest.len(), 253);
        for (text, expected) in [
            ("gw.lab.internal", 0),
            ("*.lab.internal", 0),
            ("GW.Lab.Internal", 0),
            ("xn--bcher-kva.example", 0),
            ("single", 0),
            (&longest, 0),
            ("bücher.example", 1413),
            ("192.0.2.1", 1412),
            ("2001:db8::1", 1412),
            ("a b.example", 1412),
            ("a_b.example", 1412),
            ("user@lab.example", 1412),
            ("https://lab.example/", 1412),
            ("", 1412),
            ("*", 1412),
            ("a.*.example", 1412),
            ("-a.example", 1412),
            ("xn--a.example", 1412),
            (&"a.".repeat(128), 1412),
            (&"a".repeat(300), 1412),
        ] {
            assert_eq!(code(text, false), expected, "{text}");
        }
    }

    #[test]
    fn by_a_switch_names_are_those_of_public_domains() {
        for (text, expected) in [
            ("www.cloudflare.com", 0),
            ("*.cloudflare.co.uk", 0),
            ("a.github.io", 0),
            ("gw.lab.test", 1414),
            ("example", 1414),
            ("a.b.LOCALHOST", 1414),
            ("x.invalid", 1414),
            ("www.example.com", 1416),
            ("EXAMPLE.org", 1416),
            ("*.example.net", 1416),
            ("notexample.com", 0),
            ("com", 1415),
            ("*.co.uk", 1415),
            ("gw.lab.internal", 1415),
            ("single", 1415),
        ] {
            assert_eq!(code(text, true), expected, "{text}");
        }
    }
}
