//! Name constraints, applied to what is to be issued (RFC 5280 section 4.2.1.10): whatever verifies the chain
//! would refuse the certificate, so it is not made.

use super::super::extensions::{NameConstraints, Subtree};
use super::super::invalid::Invalid;
use super::super::name::Name;
use super::super::san::San;

/// A name that constraints are about.
enum Constrained<'a> {
    Dns(&'a str),
    Ip(std::net::IpAddr),
    /// Mailbox and host.
    Email(&'a str, &'a str),
    /// The host; none: the URI has no authority with a host name.
    Uri(Option<String>),
    DirectoryName(&'a Name),
}

pub(super) fn violations(constraints: &NameConstraints, subject: &Name, sans: &[San]) -> Vec<Invalid> {
    let mut broken = Vec::new();
    let mut check = |field: String, name: Constrained<'_>| {
        if let Some(reason) = violation(constraints, &name) {
            broken.push(Invalid::new(field, reason));
        }
    };
    if !subject.is_empty() {
        check("subject".to_owned(), Constrained::DirectoryName(subject));
    }
    // RFC 5280: where there is no rfc822Name, constraints on them bind emailAddress in the subject.
    for (kind, value) in subject.attributes() {
        if kind.to_string() == "emailAddress"
            && let Some((_, host)) = value.and_then(|value| value.rsplit_once('@'))
        {
            check("subject".to_owned(), Constrained::Email(value.unwrap_or_default(), host));
        }
    }
    for (at, san) in sans.iter().enumerate() {
        let name = match san {
            San::Dns(name) => Constrained::Dns(name.as_str()),
            San::Ip(address) => Constrained::Ip(*address),
            San::Email(address) => Constrained::Email(address.as_str(), address.domain()),
            San::Uri(uri) => Constrained::Uri(host_of(uri.as_str())),
            San::DirectoryName(name) => Constrained::DirectoryName(name),
            San::UserPrincipalName(_) | San::RegisteredId(_) | San::OtherName(_) => continue,
        };
        check(format!("sans[{at}]"), name);
    }
    broken
}

fn violation(constraints: &NameConstraints, name: &Constrained<'_>) -> Option<String> {
    if let Some(excluded) = constraints.excluded.iter().find(|subtree| matches(subtree, name) == Some(true)) {
        return Some(format!("is excluded by the name constraints of the authority: {excluded}"));
    }
    let permitted: Vec<bool> =
        constraints.permitted.iter().filter_map(|subtree| matches(subtree, name)).collect();
    let outside = !permitted.is_empty() && !permitted.contains(&true);
    outside.then(|| {
        let all: Vec<_> = constraints.permitted.iter().map(ToString::to_string).collect();
        format!("is not permitted by the name constraints of the authority; permitted: {}", all.join(", "))
    })
}

/// Whether the name is in the subtree; `None`: the subtree is about other kinds of names.
fn matches(subtree: &Subtree, name: &Constrained<'_>) -> Option<bool> {
    match (subtree, name) {
        (Subtree::Dns(host), Constrained::Dns(name)) => {
            // A wildcard stands for names below; it is in what its parent is in.
            let name = name.strip_prefix("*.").unwrap_or(name);
            Some(host.is_empty() || equal(name, host) || is_below(name, host))
        }
        (Subtree::Ip(..), Constrained::Ip(address)) => Some(subtree.has_address(*address)),
        (Subtree::Email(wanted), Constrained::Email(mailbox, host)) => Some(match wanted.strip_prefix('.') {
            Some(parent) => is_below(host, parent),
            None if wanted.contains('@') => same_mailbox(mailbox, wanted),
            None => equal(host, wanted),
        }),
        (Subtree::Uri(wanted), Constrained::Uri(host)) => {
            let Some(host) = host else { return Some(false) };
            Some(match wanted.strip_prefix('.') {
                Some(parent) => is_below(host, parent),
                None => equal(host, wanted),
            })
        }
        (Subtree::DirectoryName(base), Constrained::DirectoryName(name)) => Some(begins_with(name, base)),
        _ => None,
    }
}

fn equal(host: &str, other: &str) -> bool {
    host.eq_ignore_ascii_case(other)
}

fn is_below(host: &str, parent: &str) -> bool {
    let start = host.len().checked_sub(parent.len() + 1);
    start
        .and_then(|start| host.get(start..))
        .is_some_and(|end| end.starts_with('.') && end.get(1..).is_some_and(|end| equal(end, parent)))
}

/// The part before the `@` is compared as it stands (RFC 5280 section 7.5).
fn same_mailbox(mailbox: &str, other: &str) -> bool {
    match (mailbox.rsplit_once('@'), other.rsplit_once('@')) {
        (Some((local, host)), Some((other_local, other_host))) => {
            local == other_local && equal(host, other_host)
        }
        _ => false,
    }
}

fn host_of(uri: &str) -> Option<String> {
    let (_, rest) = uri.split_once("://")?;
    let authority = rest.split(['/', '?', '#']).next()?;
    let host = authority.rsplit('@').next()?;
    let host = if host.starts_with('[') { return None } else { host.split(':').next()? };
    let is_address = host.parse::<std::net::Ipv4Addr>().is_ok();
    (!host.is_empty() && !is_address).then(|| host.to_owned())
}

/// By the rules for comparing in RFC 5280 section 7.1, without Unicode's normal forms: case and runs of
/// blanks make no difference.
fn begins_with(name: &Name, base: &Name) -> bool {
    let names: Vec<_> = name.rdns().collect();
    let bases: Vec<_> = base.rdns().collect();
    bases.len() <= names.len()
        && bases.iter().zip(&names).all(|(base, rdn)| {
            base.len() == rdn.len()
                && base.iter().all(|wanted| {
                    rdn.iter().any(|found| {
                        found.oid == wanted.oid && folded(found.value.value()) == folded(wanted.value.value())
                    })
                })
        })
}

fn folded(value: &[u8]) -> String {
    let text = String::from_utf8_lossy(value).to_lowercase();
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn constraints(permitted: &[&str], excluded: &[&str]) -> NameConstraints {
        let list = |texts: &[&str]| texts.iter().map(|text| text.parse().unwrap()).collect();
        NameConstraints { permitted: list(permitted), excluded: list(excluded) }
    }

    #[track_caller]
    fn fields(constraints: &NameConstraints, subject: &str, sans: &[&str]) -> Vec<String> {
        let sans = San::parse_list(sans).unwrap();
        let broken = violations(constraints, &subject.parse().unwrap(), &sans);
        broken.into_iter().map(|invalid| invalid.field).collect()
    }

    #[test]
    fn only_names_of_the_same_kind_are_bound() {
        let dns = constraints(&["DNS:example.com"], &[]);
        let good = ["DNS:example.com", "DNS:a.example.com", "DNS:*.example.com", "IP:192.0.2.1"];
        assert!(fields(&dns, "CN=anything", &good).is_empty());
        let wrong = ["DNS:example.org", "DNS:badexample.com", "DNS:*.example.org"];
        assert_eq!(fields(&dns, "", &wrong), ["sans[0]", "sans[1]", "sans[2]"]);
    }

    #[test]
    fn what_is_excluded_is_so_although_it_is_permitted() {
        let both = constraints(&["DNS:example.com", "IP:192.0.2.0/24"], &["DNS:secret.example.com"]);
        let sans = ["DNS:www.example.com", "DNS:a.SECRET.example.com", "IP:192.0.2.9", "IP:192.0.3.9"];
        assert_eq!(fields(&both, "", &sans), ["sans[1]", "sans[3]"]);
    }

    #[test]
    fn mail_and_uris_are_bound_by_their_hosts() {
        let mail = constraints(&["email:example.com", "email:a@b.example", "email:.dept.example"], &[]);
        let sans = [
            "email:x@example.com",
            "email:x@sub.example.com",
            "email:a@b.example",
            "email:c@b.example",
            "email:x@y.dept.example",
            "email:x@dept.example",
        ];
        assert_eq!(fields(&mail, "", &sans), ["sans[1]", "sans[3]", "sans[5]"]);
        assert_eq!(fields(&mail, "emailAddress=x@other.example", &[]), ["subject"]);
        let uri = constraints(&["URI:.example.com"], &[]);
        let sans = ["URI:https://a.example.com:8443/x", "URI:https://example.com/", "URI:https://192.0.2.1/"];
        assert_eq!(fields(&uri, "", &sans), ["sans[1]", "sans[2]"]);
    }

    #[test]
    fn a_subject_begins_as_it_is_permitted() {
        let names = constraints(&["dirName:O=Voorbeeld B.V.,C=NL"], &[]);
        assert!(fields(&names, "CN=x,O=voorbeeld  b.v.,C=NL", &[]).is_empty());
        assert_eq!(fields(&names, "CN=x,O=Voorbeeld,C=NL", &[]), ["subject"]);
        assert_eq!(fields(&names, "O=Voorbeeld B.V.,C=NL,CN=x", &["dirName:C=NL"]), ["subject", "sans[0]"]);
    }
}
