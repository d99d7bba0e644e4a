//! Names: tables of good and bad texts, round trips, and a comparison with `openssl req`.

use std::process::{Command, Stdio};

use der::asn1::Any;
use der::{Encode, Tag};
use proptest::prelude::*;
use x509_parser::certification_request::X509CertificationRequest;
use x509_parser::prelude::FromDer;

use super::*;

fn der(name: &Name) -> String {
    hex::encode(name.as_x509().to_der().unwrap())
}

#[test]
fn comma_style_slash_style_and_lists_are_the_same_name() {
    let comma: Name = "CN=a, O=b,  C=nl".parse().unwrap();
    let slash: Name = "/C=nl/O=b/CN=a".parse().unwrap();
    let list = Name::from_rdns(&[vec![("c", "nl")], vec![("o", "b")], vec![("2.5.4.3", "a")]]).unwrap();
    assert_eq!(comma, slash);
    assert_eq!(comma, list);
    // C as PrintableString, then O and CN as UTF8String: RFC 4514 writes it backwards.
    assert_eq!(der(&comma), "3025310b3009060355040613026e6c310a3008060355040a0c0162310a300806035504030c0161");
    assert_eq!(comma.to_string(), "CN=a,O=b,C=nl");
}

#[test]
fn good_texts_and_how_they_are_printed() {
    for (text, printed) in [
        ("", ""),
        ("   ", ""),
        ("/", ""),
        ("cn=www.example.com", "CN=www.example.com"),
        ("commonName = a , organizationName = b", "CN=a,O=b"),
        ("CN=a b  ", "CN=a b"),
        (r"CN=a\ ", r"CN=a\ "),
        (r"CN=a\20\20", r"CN=a \ "),
        (r"CN=\ a", r"CN=\ a"),
        (r"CN=\#a", r"CN=\#a"),
        ("CN=a#b=c", "CN=a#b=c"),
        (r#"CN=\,\+\"\\\<\>\;\=\/"#, r#"CN=\,\+\"\\\<\>\;=/"#),
        (r"CN=Lu\C4\8Di\C4\87", "CN=Lučić"),
        ("CN=日本", "CN=日本"),
        (r#"CN="a, b + \"c\"" , O=d"#, r#"CN=a\, b \+ \"c\",O=d"#),
        ("CN=\" a \"", r"CN=\ a\ "),
        ("CN=#0c0161", "CN=a"),
        ("2.5.4.3=a", "CN=a"),
        // An example of RFC 4514 section 4; the value is an OCTET STRING.
        ("1.3.6.1.4.1.1466.0=#04024869", "1.3.6.1.4.1.1466.0=#04024869"),
        ("1.2.3.4=a", "1.2.3.4=#0c0161"),
        ("OU=b+CN=a", "CN=a+OU=b"),
        ("/OU=b+CN=a/C=nl", "C=nl,CN=a+OU=b"),
        (r"/CN=a\/b\+c,d", r"CN=a/b\+c\,d"),
        ("/CN= a \"#", "CN=\\ a \\\"#"),
        ("E=a@example.com,DC=example,DC=com", "emailAddress=a@example.com,DC=example,DC=com"),
        ("S=Utrecht,STREET=x,GN=g,SN=s,UID=u", "ST=Utrecht,STREET=x,GN=g,SN=s,UID=u"),
        // A PrintableString, kept as such: a renewal may have to repeat the name byte by byte.
        ("CN=#130161", "CN=#130161"),
        ("O=#0c0161,C=#13026e6c", "O=a,C=nl"),
        ("1.3.6.1.4.1.311.60.2.1.3=#0c026e6c", "jurisdictionCountryName=#0c026e6c"),
        (
            "jurisdictionC=NL,jurisdictionST=Utrecht,jurisdictionOfIncorporationLocalityName=De Bilt",
            "jurisdictionCountryName=NL,jurisdictionStateOrProvinceName=Utrecht,jurisdictionLocalityName=De Bilt",
        ),
        (
            "2.5.4.97=VATNL-1,businesscategory=Private Organization",
            "organizationIdentifier=VATNL-1,businessCategory=Private Organization",
        ),
        (
            "postalCode=3731 AA,postalAddress=Plein 1$De Bilt",
            "postalCode=3731 AA,postalAddress=Plein 1$De Bilt",
        ),
    ] {
        let name: Name = text.parse().unwrap_or_else(|error| panic!("{text}: {error}"));
        assert_eq!(name.to_string(), printed, "{text}");
        assert_eq!(printed.parse::<Name>().unwrap(), name, "{text}");
    }
}

#[test]
fn bad_texts_are_refused_with_the_place_and_the_rule() {
    for (text, position, reason) in [
        ("CN", 2, "`=` is missing after the attribute type CN"),
        ("=a", 0, "an attribute type such as CN is expected"),
        ("CN=a,", 5, "an attribute type such as CN is expected"),
        ("CN=a,,O=b", 5, "an attribute type such as CN is expected"),
        ("CN=Doe, John, Inc.", 8, "`John` is no known attribute type; known are CN, SN"),
        (
            "/CN=http://x",
            10,
            "an attribute type such as CN is expected; a slash inside a value is written `\\/`",
        ),
        ("/CN=a/", 6, "an attribute type such as CN is expected"),
        ("XX=a", 0, "`XX` is no known attribute type"),
        ("1.2.=a", 0, "`1.2.` is no known attribute type"),
        ("9.9=a", 0, "`9.9` is no known attribute type"),
        ("CN=", 3, "the value is empty"),
        ("CN=\"\"", 3, "the value is empty"),
        ("O=b,CN= ", 8, "the value is empty"),
        ("CN=a\0b", 3, "the value has the control character U+0000"),
        (r"CN=a\0Ab", 3, "the value has the control character U+000A"),
        ("CN=a\u{85}", 3, "the value has the control character U+0085"),
        (r"CN=\ff", 3, "the escaped bytes of the value are not UTF-8"),
        (r"CN=a\q", 4, "`\\` is followed by one of"),
        ("CN=a\\", 4, "`\\` is followed by one of"),
        (r"CN=a\4", 4, "`\\` is followed by one of"),
        ("CN=a;O=b", 4, "`;` inside a value is written `\\;`"),
        ("CN=a<b>", 4, "`<` inside a value is written `\\<`"),
        ("CN=a\"b\"", 4, "`\"` inside a value is written `\\\"`"),
        ("CN=\"a", 3, "the closing quote is missing"),
        ("CN=\"a\"b", 6, "`b` is not expected after the value"),
        ("1.2.3=#", 6, "the `#` value is not one DER value"),
        ("1.2.3=#0c01", 6, "the `#` value is not one DER value"),
        ("1.2.3=#0c016", 6, "`#` is followed by an even number of hexadecimal digits"),
        ("1.2.3=#0c01610c", 6, "the `#` value is not one DER value"),
        ("1.2.3=#0c01zz", 11, "`z` is not expected after the value"),
        ("1.2.3=#0c01ff", 6, "the value is a malformed UTF8String"),
        ("1.2.3=#0c0100", 6, "the value has the control character U+0000"),
        ("1.2.3=#0500", 6, "the value is NULL; it must be a UTF8String"),
        ("1.2.3=#3003020101", 6, "the value is SEQUENCE; it must be a UTF8String"),
        ("1.2.3=#030109", 6, "the value is malformed"),
        ("CN=#160161", 3, "the value must be a UTF8String, as its type asks for"),
        ("CN=#1300", 3, "the value is empty"),
        ("C=#0c016e", 2, "the value has 1 characters, but a country is two letters"),
        ("serialNumber=#0c0131", 13, "the value must be a PrintableString, as its type asks for"),
        ("jurisdictionC=NLD", 14, "the value has 3 characters, but a country is two letters"),
        ("C=n", 2, "the value has 1 characters, but a country is two letters"),
        ("C=nld", 2, "the value has 3 characters, but a country is two letters"),
        ("C=n1", 2, "the value has `1`, but a country is two letters"),
        ("serialNumber=a_b", 13, "the value has `_`, but a PrintableString has letters"),
        ("dnQualifier=é", 12, "the value has `é`, but a PrintableString has letters"),
        ("DC=münchen", 3, "the value has `ü`, but an IA5String is ASCII only"),
        ("emailAddress=ü@example.com", 13, "the value has `ü`, but an IA5String is ASCII only"),
        ("CN=a+O=b+CN=c", 9, "CN stands twice in one relative distinguished name"),
    ] {
        let error = text.parse::<Name>().expect_err(text);
        assert_eq!((error.field.as_str(), error.position), ("subject", Some(position)), "{text}: {error}");
        assert!(error.reason.starts_with(reason), "{text}: {error}");
    }
}

#[test]
fn lengths_are_counted_in_characters() {
    for (kind, max) in [
        ("CN", 64),
        ("O", 64),
        ("OU", 64),
        ("L", 128),
        ("ST", 128),
        ("serialNumber", 64),
        ("title", 64),
        ("pseudonym", 128),
        ("emailAddress", 255),
        ("UID", 256),
        ("businessCategory", 128),
        ("postalCode", 40),
        ("postalAddress", 180),
        ("jurisdictionST", 128),
        ("jurisdictionL", 128),
    ] {
        let c = if matches!(kind, "serialNumber" | "emailAddress") { "a" } else { "é" };
        format!("{kind}={}", c.repeat(max)).parse::<Name>().unwrap();
        let error = format!("{kind}={}", c.repeat(max + 1)).parse::<Name>().unwrap_err();
        assert!(error.reason.contains(&format!("at most {max} are allowed")), "{error}");
    }
}

#[test]
fn a_name_is_bounded_as_read_and_as_printed() {
    let error = format!("GN={}", "a".repeat(4094)).parse::<Name>().unwrap_err();
    assert_eq!(error.to_string(), "subject: is 4097 bytes long; at most 4096 are taken");
    // Fits as text, but not as the hex in which it is printed, and stored.
    let error = format!("1.2.3={}", "a".repeat(3000)).parse::<Name>().unwrap_err();
    assert_eq!(error.to_string(), "subject: is 6015 bytes long; at most 4096 are taken");
    let value = "a".repeat(5000);
    assert!(Name::from_rdns(&[vec![("GN", value.as_str())]]).is_err());
}

#[test]
fn lists_are_taken_literally_and_refused_by_place() {
    let name = Name::from_rdns(&[vec![("O", "a, \"b\" + c")], vec![("CN", "#0c0161")]]).unwrap();
    assert_eq!(name.to_string(), r#"CN=\#0c0161,O=a\, \"b\" \+ c"#);
    let error = Name::from_rdns(&[vec![("C", "nl")], vec![("O", "a"), ("CN", "")]]).unwrap_err();
    assert_eq!(error.to_string(), "subject[1][1]: the value is empty");
    let error = Name::from_rdns(&[vec![("C", "nl")], vec![]]).unwrap_err();
    assert_eq!(error.to_string(), "subject[1]: has no attribute");
}

#[test]
fn some_names_are_read_but_have_a_problem() {
    for (text, problem) in [
        ("C=NL,CN=é\u{200c}", None),
        ("C=#0c024e4c", Some("C: a country is a PrintableString (RFC 5280 Appendix A.1)")),
        ("jurisdictionC=#0c024e4c,CN=a", Some("jurisdictionCountryName: a country is a PrintableString")),
        ("CN=a\u{202e}b", Some("CN: the value has the character U+202E, which is invisible or changes")),
        ("CN=a,1.2.3=x\u{200b}", Some("1.2.3: the value has the character U+200B")),
    ] {
        let found = text.parse::<Name>().unwrap().problem();
        assert_eq!(found.is_some(), problem.is_some(), "{text}: {found:?}");
        assert!(found.unwrap_or_default().starts_with(problem.unwrap_or_default()), "{text}");
    }
}

#[test]
fn a_type_may_be_written_as_java_and_dot_net_do() {
    let plain: Name = "2.5.4.97=a,1.2.3=b".parse().unwrap();
    assert_eq!("OID.2.5.4.97=a,oid.1.2.3=b".parse(), Ok(plain));
}

#[test]
fn string_types_that_we_do_not_write_are_shown_as_text_to_people() {
    for (tag, value, shown) in [
        (Tag::TeletexString, b"M\xfcller".as_slice(), "CN=Müller"),
        (Tag::BmpString, b"\x00M\x00\xfc", "CN=Mü"),
        (Tag::BmpString, b"\x00M\x00", "CN=#1e03004d00"),
        (Tag::PrintableString, b"*.a_b", "CN=*.a_b"),
        (Tag::PrintableString, b"\xff", "CN=#1301ff"),
        (Tag::TeletexString, b"a\0b", "CN=#1403610062"),
    ] {
        let attribute = AttributeTypeAndValue { oid: COMMON_NAME, value: Any::new(tag, value).unwrap() };
        assert_eq!(readable_rdns([[attribute].as_slice()].into_iter()), shown);
    }
}

#[test]
fn common_names_are_found_wherever_they_stand() {
    let name: Name = "/CN=a/OU=x+CN=b/O=c".parse().unwrap();
    assert_eq!(name.common_names().collect::<Vec<_>>(), ["a", "b"]);
    assert_eq!("O=c".parse::<Name>().unwrap().common_names().next(), None);
}

#[test]
fn is_serialised_as_its_text() {
    let name: Name = "/C=nl/CN=a".parse().unwrap();
    let json = serde_json::to_string(&name).unwrap();
    assert_eq!(json, r#""CN=a,C=nl""#);
    assert_eq!(serde_json::from_str::<Name>(&json).unwrap(), name);
    let error = serde_json::from_str::<Name>(r#""CN""#).unwrap_err();
    assert!(error.to_string().contains("subject: at position 2: `=` is missing"), "{error}");
}

/// Types of the table and two that are not in it, with values that each type takes.
fn attribute() -> impl Strategy<Value = (String, String)> {
    let directory = [
        "CN",
        "O",
        "OU",
        "ST",
        "L",
        "title",
        "SN",
        "GN",
        "UID",
        "businessCategory",
        "jurisdictionL",
        "1.2.3.4",
    ];
    let text = "[^\\p{C}\\p{Zl}\\p{Zp}]{1,12}";
    prop_oneof![
        (prop::sample::select(directory.to_vec()), text),
        (prop::sample::select(vec!["C", "jurisdictionC"]), "[a-zA-Z]{2}"),
        (prop::sample::select(vec!["serialNumber", "dnQualifier"]), "[A-Za-z0-9 '()+,./:=?-]{1,12}"),
        (prop::sample::select(vec!["DC", "emailAddress"]), "[ -~]{1,12}"),
    ]
    .prop_map(|(kind, value)| (kind.to_owned(), value))
}

/// Names of all shapes; some have relative distinguished names with several attributes.
pub(in crate::domain) fn any_name() -> impl Strategy<Value = Name> {
    let rdn = prop::collection::vec(attribute(), 1..4).prop_filter("a type once in an RDN", |rdn| {
        (1..rdn.len()).all(|n| rdn[n..].iter().all(|a| a.0 != rdn[n - 1].0))
    });
    prop::collection::vec(rdn, 0..6).prop_map(|rdns| Name::from_rdns(&rdns).unwrap())
}

proptest! {
    #[test]
    fn what_is_printed_is_read_again(name in any_name()) {
        let printed = name.to_string();
        prop_assert_eq!(printed.parse::<Name>().unwrap(), name);
    }

    #[test]
    fn no_text_makes_it_panic(text in "(CN|c|[0-9.]{1,9}|[,+/=#\"\\\\ ]|\\PC|[0-9a-f]{2}){0,30}") {
        if let Ok(name) = text.parse::<Name>() {
            prop_assert_eq!(name.to_string().parse::<Name>().unwrap(), name);
        }
    }

    #[test]
    fn no_list_makes_it_panic(kind in "\\PC{0,9}|CN|C|1.2.3", value in ".{0,70}") {
        drop(Name::from_rdns(&[vec![(kind, value)]]));
    }
}

/// The subject in the CSR that `openssl req` makes for a `-subj`.
fn openssl_subject(subject: &str) -> String {
    let output = Command::new("openssl")
        .args(["req", "-new", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"])
        .args(["-keyout", "/dev/null", "-outform", "DER", "-utf8", "-subj", subject])
        .stderr(Stdio::piped())
        .output()
        .expect("openssl is needed for this test: apt-get install openssl");
    assert!(output.status.success(), "{subject}: {}", String::from_utf8_lossy(&output.stderr));
    let (_, csr) = X509CertificationRequest::from_der(&output.stdout).unwrap();
    hex::encode(csr.certification_request_info.subject.as_raw())
}

#[test]
fn encodes_as_openssl_does() {
    for subject in [
        "/",
        "/CN=www.example.com",
        "/C=nl/O=b/CN=a",
        "/C=NL/ST=Utrecht/L=De Bilt/O=Voorbeeld B.V./OU=PKI/CN=host.example.nl",
        "/CN=a+OU=bbbb",
        "/OU=zz+CN=aaaaaaaaaa",
        "/O=a/CN=x+serialNumber=12+UID=u/OU=b",
        "/UID=u+DC=d+CN=c",
        "/DC=com/DC=example/CN=a",
        "/emailAddress=a@example.com/CN=a",
        "/SN=de Vries/GN=Jan/initials=J/generationQualifier=III/title=Dr/name=n",
        "/pseudonym=z/dnQualifier=q/serialNumber=1",
        "/street=Straat 1/CN=a",
        "/CN=Lučić/O=Ærøskøbing",
        "/CN=日本語",
        r"/CN=a\/b",
        r"/CN=a\+b",
        "/CN=a, b; \"c\" <d> #e=f",
        "/CN= a ",
        "/O=x/O=x/CN=y/CN=z",
        "/jurisdictionC=NL/jurisdictionST=Utrecht/jurisdictionL=De Bilt",
        "/businessCategory=Private Organization/organizationIdentifier=VATNL-1/postalCode=3731 AA",
        "/postalAddress=Plein 1$De Bilt/CN=a",
        // A type that OpenSSL knows and our table does not; one that it does not know it leaves out.
        "/2.5.4.18=Postbus 1/CN=a",
        &format!("/CN={}/O={}", "a".repeat(64), "b".repeat(64)),
    ] {
        let ours: Name = subject.parse().unwrap_or_else(|error| panic!("{subject}: {error}"));
        assert_eq!(der(&ours), openssl_subject(subject), "{subject}");
    }
}

#[test]
fn each_part_of_a_name_is_text_for_people() {
    let name: Name = "CN=a\\, b+UID=x,O=Lab B.V.,1.2.3=#0c0161,C=NL".parse().unwrap();
    let texts = name.rdn_texts();
    assert_eq!(texts.len(), 4);
    assert_eq!([&texts[1], &texts[3]], ["O=Lab B.V.", "C=NL"]);
    assert_eq!(texts.join(","), name.to_string());
    assert!(Name::default().rdn_texts().is_empty());
}
