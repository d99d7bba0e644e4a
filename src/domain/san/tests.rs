//! Alternative names: tables of good and bad texts, and round trips.

use proptest::prelude::*;

use super::*;

#[test]
fn good_texts_and_how_they_are_printed() {
    let label = "a".repeat(63);
    let longest = format!("{label}.{label}.{label}.{}", "a".repeat(61));
    for (text, printed) in [
        ("DNS:www.example.com", "DNS:www.example.com"),
        ("dns:WWW.Example.COM", "DNS:www.example.com"),
        ("DNS:localhost", "DNS:localhost"),
        ("DNS:*.example.com", "DNS:*.example.com"),
        ("DNS:xn--bcher-kva.example", "DNS:xn--bcher-kva.example"),
        ("DNS:1.2.3.4a", "DNS:1.2.3.4a"),
        (&format!("DNS:{longest}"), &format!("DNS:{longest}")),
        ("ip:192.0.2.1", "IP:192.0.2.1"),
        ("IP:2001:DB8:0::1", "IP:2001:db8::1"),
        ("Email:John.O'Hara+x@Example.com", "email:John.O'Hara+x@example.com"),
        ("uri:https://example.com/a?b=c#d", "URI:https://example.com/a?b=c#d"),
        ("URI:spiffe://prod/ns/x", "URI:spiffe://prod/ns/x"),
        (
            "URI:urn:uuid:f81d4fae-7dec-11d0-a765-00a0c91e6bf6",
            "URI:urn:uuid:f81d4fae-7dec-11d0-a765-00a0c91e6bf6",
        ),
        ("URI:https://u:p@[2001:db8::1]:8443/", "URI:https://u:p@[2001:db8::1]:8443/"),
        ("URI:http://192.0.2.1:80", "URI:http://192.0.2.1:80"),
        ("URI:x:%C3%A9", "URI:x:%C3%A9"),
    ] {
        let san: San = text.parse().unwrap_or_else(|error| panic!("{text}: {error}"));
        assert_eq!(san.to_string(), printed);
        assert_eq!(printed.parse::<San>().unwrap(), san);
        assert_eq!(serde_json::to_value(&san).unwrap(), printed);
    }
}

#[test]
fn bad_texts_are_refused_with_the_place_and_the_rule() {
    let long_label = format!("DNS:x.{}.com", "a".repeat(64));
    let long_name = format!("DNS:{}com", "abc.".repeat(63));
    let long_wildcard = format!("DNS:*.{}info", "abc.".repeat(62));
    let long_local = format!("email:{}@example.com", "a".repeat(65));
    for (text, position, reason) in [
        ("", 0, "an alternative name begins with DNS:, IP:, email: or URI:"),
        ("www.example.com", 0, "an alternative name begins with"),
        ("RID:1.2.3", 0, "an alternative name begins with"),
        (" DNS:a", 0, "an alternative name begins with"),
        ("DNS:", 4, "the host name is empty"),
        ("DNS:a_b.example.com", 5, "`_` is not allowed in a host name"),
        ("DNS:bücher.example", 5, "`ü` is not ASCII; write the label in its A-label form"),
        ("DNS:a b", 5, "` ` is not allowed: letters, digits and `-` only"),
        ("DNS:a\0", 5, "`\\u{0}` is not allowed"),
        ("DNS:-a.example", 4, "a label may not begin or end with `-`"),
        ("DNS:x.a-.example", 6, "a label may not begin or end with `-`"),
        ("DNS:a..b", 6, "a label is empty"),
        ("DNS:.a", 4, "a label is empty"),
        ("DNS:example.com.", 16, "a label is empty"),
        ("DNS:192.0.2.1", 4, "is an IP address; write it as IP:"),
        ("DNS:2001:db8::1", 4, "is an IP address; write it as IP:"),
        ("DNS:example.123", 12, "the last label has digits only"),
        ("DNS:*", 4, "`*` is allowed as the whole left-most label only"),
        ("DNS:*.com", 4, "a wildcard needs at least two labels after it"),
        ("DNS:*a.example.com", 4, "`*` is allowed as the whole left-most label only"),
        ("DNS:a.*.example.com", 6, "`*` is allowed as the whole left-most label only"),
        ("DNS:*.*.example.com", 6, "`*` is allowed as the whole left-most label only"),
        (&long_label, 6, "a label has 64 characters; at most 63 are allowed"),
        (&long_name, 257, "a host name has at most 253 characters; this has 255"),
        (&long_wildcard, 257, "a host name has at most 253 characters; this has 254"),
        ("IP:192.0.2.256", 3, "is no IP address"),
        ("IP:192.0.2.0/24", 3, "is no IP address"),
        ("IP:fe80::1%eth0", 3, "is no IP address"),
        ("email:a.example.com", 6, "an e-mail address has an `@`"),
        ("email:@example.com", 6, "before the `@`: no dot"),
        ("email:a..b@example.com", 6, "before the `@`: no dot"),
        ("email:\"a b\"@example.com", 6, "`\\\"` is not allowed before the `@`"),
        ("email:jö@example.com", 7, "`ö` is not allowed before the `@`"),
        ("email:a@b_c.example", 9, "`_` is not allowed in a host name"),
        ("email:a@", 8, "the host name is empty"),
        (&long_local, 70, "the part before the `@` has at most 64 characters; this has 65"),
        ("URI:", 4, "a URI begins with a scheme"),
        ("URI:/a/b", 4, "a URI begins with a scheme"),
        ("URI://example.com", 4, "a URI begins with a scheme"),
        ("URI:1a:b", 4, "a URI begins with a scheme"),
        ("URI:https", 4, "a URI begins with a scheme"),
        ("URI:https:", 10, "nothing follows the scheme"),
        ("URI:https:///a", 12, "the host name is empty"),
        ("URI:https://a@/b", 14, "the host name is empty"),
        ("URI:https://a_b/", 13, "`_` is not allowed in a host name"),
        ("URI:https://[::g]/", 12, "the host in brackets is no IPv6 address"),
        ("URI:https://[::1]x", 17, "only `:` and a port number may follow the host"),
        ("URI:https://a:b", 13, "only `:` and a port number may follow the host"),
        ("URI:https://é/", 12, "`é` is not allowed in a URI; percent-encode it"),
        ("URI:https://a/b c", 15, "` ` is not allowed in a URI"),
        ("URI:https://a/%zz", 14, "`%` is followed by two hexadecimal digits"),
        ("URI:x:%+1", 6, "`%` is followed by two hexadecimal digits"),
    ] {
        let error = text.parse::<San>().expect_err(text);
        assert_eq!((error.field.as_str(), error.position), ("sans", Some(position)), "{text}: {error}");
        assert!(error.reason.starts_with(reason), "{text}: {error}");
    }
}

#[test]
fn a_list_names_every_place_that_is_wrong() {
    let refused = San::parse_list(&["DNS:a", "DNS:b_", "x", "IP:::1"]).unwrap_err();
    let refused: Vec<String> = refused.iter().map(ToString::to_string).collect();
    assert_eq!(
        refused,
        [
            "sans[1]: at position 5: `_` is not allowed in a host name (RFC 1034 section 3.5)",
            "sans[2]: at position 0: an alternative name begins with DNS:, IP:, email: or URI:",
        ]
    );
    assert_eq!(San::parse_list(&["DNS:a", "IP:::1"]).unwrap().len(), 2);
}

/// Alternative names of every kind.
pub(in crate::domain) fn any_san() -> impl Strategy<Value = San> {
    let host = "([a-z0-9]([a-z0-9-]{0,8}[a-z0-9])?\\.){0,3}[a-z]{2,5}";
    prop_oneof![
        host.prop_map(|host| format!("DNS:{host}")),
        host.prop_map(|host| format!("DNS:*.x.{host}")),
        any::<IpAddr>().prop_map(|address| format!("IP:{address}")),
        ("[a-zA-Z0-9+_-]{1,9}", host).prop_map(|(local, host)| format!("email:{local}@{host}")),
        ("[a-z][a-z0-9+.-]{0,5}", host, "(/[a-zA-Z0-9._~-]{0,5}){0,3}")
            .prop_map(|(scheme, host, path)| format!("URI:{scheme}://{host}{path}")),
    ]
    .prop_map(|text| text.parse().unwrap())
}

proptest! {
    #[test]
    fn what_is_printed_is_read_again(san in any_san()) {
        prop_assert_eq!(san.to_string().parse::<San>().unwrap(), san);
    }

    #[test]
    fn no_text_makes_it_panic(text in "(DNS:|IP:|email:|URI:)?([a-z]{1,3}|[@:/.*%\\[\\]-]|\\PC){0,20}") {
        if let Ok(san) = text.parse::<San>() {
            prop_assert_eq!(san.to_string().parse::<San>().unwrap(), san);
        }
    }
}
