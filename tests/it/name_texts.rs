//! RFC 4514 as Python's cryptography reads and writes it: every escape, and that what one of us prints
//! is read by the other as the same name. Values as `#hex`, which it takes for text, are compared with
//! OpenSSL and GnuTLS in `differential`.

use der::Encode;
use serde_json::{Value, json};
use strongroom::domain::name::Name;

use crate::python;

const TEXTS: &[&str] = &[
    "CN=www.example.com,OU=PKI,O=Voorbeeld B.V.,L=De Bilt,ST=Utrecht,C=NL",
    "UID=jdv,DC=example,DC=com",
    "STREET=Plein 1+L=De Bilt+CN=a,O=b",
    "2.5.4.97=VATNL-1,1.3.6.1.4.1.311.60.2.1.2=Utrecht,2.5.4.65=jj",
    // RFC 4514 section 2.4: what must be escaped; section 3: what may be.
    r"CN=\,",
    r"CN=\+",
    r#"CN=\""#,
    r"CN=\\",
    r"CN=\<",
    r"CN=\>",
    r"CN=\;",
    r"CN=\=",
    r"CN=\#",
    r"CN=\ ",
    r"CN=\ a b\ ",
    r"CN=\#a#b",
    r"CN=a\=b=c",
    r#"CN=Doe\, \"John\" \<j@x\>"#,
    r"CN=\2C\2b\22\5C\3c\3E\3B\3d\23\20",
    r"CN=Lu\C4\8Di\C4\87,O=Ærøskøbing",
    r"CN=\E6\97\A5\E6\9C\AC\E8\AA\9E \F0\9F\94\91",
    r"OU=\ ,O=\ \ ,L=\#\ ",
    r"CN=James \5C\22Jim\5C\22 Smith\2C III,DC=example,DC=net",
];

#[test]
fn every_escape_is_read_and_printed_as_cryptography_does() {
    let names: Vec<Name> = TEXTS.iter().map(|text| text.parse().unwrap()).collect();
    let printed: Vec<String> = names.iter().map(Name::to_string).collect();
    let read = python::run(
        "import json, sys\n\
         from cryptography.x509 import Name, NameOID\n\
         known = {'organizationIdentifier': NameOID.ORGANIZATION_IDENTIFIER, 'pseudonym': NameOID.PSEUDONYM,\n\
         \x20   'jurisdictionStateOrProvinceName': NameOID.JURISDICTION_STATE_OR_PROVINCE_NAME}\n\
         read = lambda text: Name.from_rfc4514_string(text, known)\n\
         both = lambda text: [read(text).public_bytes().hex(), read(text).rfc4514_string()]\n\
         print(json.dumps([[both(text) for text in texts] for texts in json.loads(sys.argv[1])]))\n",
        &json!([TEXTS, printed]).to_string(),
    );
    let read: Value = serde_json::from_str(&read).unwrap();
    for (at, name) in names.iter().enumerate() {
        let der = hex::encode(name.as_x509().to_der().unwrap());
        assert_eq!(read[0][at][0], der, "{}", TEXTS[at]);
        assert_eq!(read[1][at][0], der, "{}", printed[at]);
        let theirs = read[0][at][1].as_str().unwrap();
        assert_eq!(theirs.parse::<Name>().as_ref(), Ok(name), "{theirs}");
    }
}
