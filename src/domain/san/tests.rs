//! Alternative names: tables of good and bad texts, and round trips.

use proptest::prelude::*;

use super::super::name::tests::any_name;
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
        ("DNS:bücher.example", "DNS:xn--bcher-kva.example"),
        ("DNS:*.BÜCHER.example", "DNS:*.xn--bcher-kva.example"),
        // UTS 46 without the transitional rules: ß is a letter of its own, as in IDNA 2008.
        ("DNS:straße.example", "DNS:xn--strae-oqa.example"),
        ("DNS:例え。テスト", "DNS:xn--r8jz45g.xn--zckzah"),
        ("DNS:col·lecció.example", "DNS:xn--collecci-ioa91d.example"),
        ("DNS:ｗｗｗ.example.com", "DNS:www.example.com"),
        ("email:ops@bücher.example", "email:ops@xn--bcher-kva.example"),
        ("email:jörg@bücher.example", "email:jörg@xn--bcher-kva.example"),
        ("otherName:1.3.6.1.5.5.7.8.9;UTF8:用户@Example.com", "email:用户@example.com"),
        ("UPN:Jörg@corp.local", "UPN:Jörg@corp.local"),
        ("otherName:1.3.6.1.4.1.311.20.2.3;UTF8:a@b", "UPN:a@b"),
        ("rid:1.2.3.4", "RID:1.2.3.4"),
        ("dirname:/C=nl/O=b+CN=a", "dirName:CN=a+O=b,C=nl"),
        ("othername:1.2.3;utf8:a;b: c", "otherName:1.2.3;UTF8:a;b: c"),
        ("otherName:1.2.3;DER:0C:01:61", "otherName:1.2.3;UTF8:a"),
        ("otherName:1.2.3;DER:0c0107", "otherName:1.2.3;DER:0c0107"),
        ("otherName:1.2.3;DER:3003020101", "otherName:1.2.3;DER:3003020101"),
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
    // 104 bytes as it is written, 254 as A-labels.
    let long_unicode_wildcard = format!("DNS:*.{}cccc.example", "ü.".repeat(30));
    let long_unicode_local = format!("email:a{}@example.com", "é".repeat(32));
    for (text, position, reason) in [
        ("", 0, "an alternative name begins with DNS:, IP:, email:, URI:, UPN:"),
        ("www.example.com", 0, "an alternative name begins with"),
        ("x400:1.2.3", 0, "an alternative name begins with"),
        (" DNS:a", 0, "an alternative name begins with"),
        ("DNS:", 4, "the host name is empty"),
        ("DNS:a_b.example.com", 5, "`_` is not allowed in a host name"),
        ("DNS:a.ü_b.example", 6, "is no international domain name"),
        ("DNS:ü..example", 4, "is `xn--tda..example` in ASCII, where a label is empty"),
        ("DNS:１９２.0.2.1", 4, "is `192.0.2.1` in ASCII, where the last label has digits only"),
        ("DNS:＊.example.com", 4, "is no international domain name"),
        ("DNS:*.ü", 4, "a wildcard needs at least two labels after it"),
        // A name with both directions of writing (RFC 5893), and a joiner that joins nothing.
        ("DNS:אa.example", 4, "is no international domain name"),
        ("DNS:a\u{200d}b.example", 4, "is no international domain name"),
        // UTS 46 takes symbols, IDNA 2008 does not; nor hyphens where those of an A-label are.
        ("DNS:a.☃.example", 6, "is no international domain name"),
        ("DNS:i♥ny.example", 4, "is no international domain name"),
        ("DNS:ab--ü.example", 4, "is no international domain name"),
        ("DNS:a·b.example", 4, "is no international domain name"),
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
        (&long_name, 257, "a host name has at most 253 bytes; this has 255"),
        (&long_wildcard, 257, "a host name has at most 253 bytes; this has 254"),
        ("IP:192.0.2.256", 3, "is no IP address"),
        ("IP:192.0.2.0/24", 3, "is no IP address"),
        ("IP:fe80::1%eth0", 3, "is no IP address"),
        ("email:a.example.com", 6, "an e-mail address has an `@`"),
        ("email:@example.com", 6, "before the `@`: no dot"),
        ("email:a..b@example.com", 6, "before the `@`: no dot"),
        ("email:\"a b\"@example.com", 6, "`\\\"` is not allowed before the `@`"),
        ("email:jö\u{feff}@example.com", 9, "`\\u{feff}` is not allowed before the `@`"),
        ("email:jö\u{a0}@example.com", 9, "`\\u{a0}` is not allowed before the `@`"),
        ("email:ö@b_c.example", 10, "`_` is not allowed in a host name"),
        ("UPN:", 4, "the value is empty"),
        ("UPN:a", 4, "a user principal name is user@suffix"),
        ("UPN:a@b@c", 4, "a user principal name is user@suffix"),
        ("UPN:a b@c", 5, "` ` is not allowed in a user principal name"),
        ("UPN:a\n@c", 5, "the value has the control character U+000A"),
        ("RID:1.", 4, "a registered ID is a dotted OID"),
        ("RID:", 4, "a registered ID is a dotted OID"),
        ("dirName:", 8, "the name is empty"),
        ("dirName:CN", 10, "`=` is missing after the attribute type CN"),
        ("otherName:1.2.3", 10, "an otherName is OID;UTF8:text or OID;DER:hex"),
        ("otherName:x;UTF8:a", 10, "an otherName is OID;UTF8:text or OID;DER:hex"),
        ("otherName:1.2.3;IA5:a", 16, "an otherName is OID;UTF8:text or OID;DER:hex"),
        ("otherName:1.2.3;UTF8:", 21, "the value is empty"),
        ("otherName:1.2.3;UTF8:a\0", 22, "the value has the control character U+0000"),
        ("otherName:1.2.3;DER:05", 20, "must be one DER value in hexadecimal"),
        ("otherName:1.3.6.1.4.1.311.20.2.3;DER:130161", 10, "the value of this otherName is a UTF8String"),
        ("otherName:1.3.6.1.4.1.311.20.2.3;UTF8:a", 10, "a user principal name is user@suffix"),
        ("otherName:1.3.6.1.5.5.7.8.9;UTF8:a@b.example", 10, "is ASCII before the `@`"),
        ("email:a@b_c.example", 9, "`_` is not allowed in a host name"),
        ("email:a@", 8, "the host name is empty"),
        (&long_local, 70, "the part before the `@` has at most 64 bytes; this has 65"),
        // Byte 64 is the second one of a character.
        (&long_unicode_wildcard, 4, "a host name has at most 253 bytes; this has 254"),
        (&long_unicode_local, 69, "the part before the `@` has at most 64 bytes; this has 65"),
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
            "sans[2]: at position 0: an alternative name begins with DNS:, IP:, email:, URI:, UPN:, RID:, \
             dirName: or otherName:",
        ]
    );
    assert_eq!(San::parse_list(&["DNS:a", "IP:::1"]).unwrap().len(), 2);
}

#[test]
fn international_domains_are_shown_in_both_forms() {
    for (text, value, unicode) in [
        ("DNS:*.xn--bcher-kva.example", "*.xn--bcher-kva.example", Some("DNS:*.bücher.example")),
        ("email:a@bücher.example", "a@xn--bcher-kva.example", Some("email:a@bücher.example")),
        ("email:ö@b.example", "ö@b.example", None),
        ("DNS:www.example.com", "www.example.com", None),
        ("UPN:ö@b", "ö@b", None),
    ] {
        let san: San = text.parse().unwrap();
        assert_eq!((san.value().as_str(), san.in_unicode().as_deref()), (value, unicode));
    }
}

#[test]
fn a_false_a_label_is_read_but_has_a_problem() {
    for (text, problem) in [
        ("DNS:xn--bcher-kva.example", None),
        ("DNS:a.xn--a.example", Some("`xn--a` begins with xn--, but is no A-label (IDNA 2008, UTS 46)")),
        ("DNS:*.xn--a-ecp.ru", Some("`xn--a-ecp` begins with xn--, but is no A-label (IDNA 2008, UTS 46)")),
        ("email:a@xn--0.example", Some("`xn--0` begins with xn--, but is no A-label (IDNA 2008, UTS 46)")),
        ("DNS:xn--n3h.example", Some("`xn--n3h` begins with xn--, but is no A-label (IDNA 2008, UTS 46)")),
        // Hyphens in the third and fourth place, as content networks have them, and no A-label.
        ("DNS:r3---sn-4g5e6nzz.example.com", None),
    ] {
        assert_eq!(text.parse::<San>().unwrap().problem().as_deref(), problem, "{text}");
    }
}

#[test]
fn a_name_with_hidden_characters_is_read_but_has_a_problem() {
    for text in [
        "email:é\u{202e}@example.com",
        "email:a\u{200b}é@example.com",
        "UPN:a\u{202e}@example.com",
        "otherName:1.2.3;UTF8:a\u{2066}b",
        "dirName:CN=a\u{202e}b",
    ] {
        let problem = text.parse::<San>().unwrap().problem().unwrap();
        assert!(problem.contains("which is invisible or changes the direction"), "{problem}");
    }
    assert!("dirName:C=#0c024e4c".parse::<San>().unwrap().problem().is_some());
}

/// Alternative names of every kind.
pub(in crate::domain) fn any_san() -> impl Strategy<Value = San> {
    let host = "([a-z0-9]([a-z0-9-]{0,8}[a-z0-9])?\\.){0,3}[a-z]{2,5}";
    prop_oneof![
        host.prop_map(|host| format!("DNS:{host}")),
        host.prop_map(|host| format!("DNS:*.x.{host}")),
        any::<IpAddr>().prop_map(|address| format!("IP:{address}")),
        ("[a-zA-Z0-9+_-]{1,9}", host).prop_map(|(local, host)| format!("email:{local}@{host}")),
        ("[a-zéß日]{1,9}ü", host).prop_map(|(label, host)| format!("DNS:{label}.{host}")),
        ("[a-zé用]{1,9}ü", host).prop_map(|(local, host)| format!("email:{local}@{host}")),
        "UPN:[a-zé]{1,9}@[a-z.]{1,9}",
        "RID:1\\.3(\\.[1-9][0-9]{0,4}){1,6}",
        any_name()
            .prop_filter("not empty", |name| !name.is_empty())
            .prop_map(|name| format!("dirName:{name}")),
        "otherName:1\\.3\\.9(\\.[1-9][0-9]{0,4}){1,6};UTF8:[^\\p{C}\\p{Zl}\\p{Zp}]{1,20}",
        "otherName:1\\.3\\.9(\\.[1-9][0-9]{0,4}){1,6};DER:(0500|3003020101|0c0107)",
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
    fn no_text_makes_it_panic(text in "(DNS:|IP:|email:|URI:|UPN:|RID:|dirName:|otherName:|otherName:1.2;DER:|DNS:xn--)?([a-z]{1,3}|[@:/.*%\\[\\]-]|\\PC){0,20}") {
        if let Ok(san) = text.parse::<San>() {
            prop_assert_eq!(san.to_string().parse::<San>().unwrap(), san);
        }
    }
}
