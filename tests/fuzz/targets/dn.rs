//! A text that is read as a name is printed, and the print is read as the same name; another reader
//! finds the same attributes in its encoding. What is wrong is wrong at a place in the text.
#![no_main]

use der::Encode;
use libfuzzer_sys::fuzz_target;
use strongroom::domain::name::Name;
use x509_parser::prelude::FromDer;
use x509_parser::x509::X509Name;

fuzz_target!(|text: &str| {
    let name = match text.parse::<Name>() {
        Ok(name) => name,
        Err(invalid) => {
            assert!(invalid.position.is_none_or(|at| text.is_char_boundary(at)), "{invalid}");
            return;
        }
    };
    let printed = name.to_string();
    let again: Name = printed.parse().unwrap_or_else(|error| panic!("{printed}: {error}"));
    assert_eq!(encoded(&again), encoded(&name), "{printed}");
    assert_eq!(again.to_string(), printed);
    assert_eq!(found(&encoded(&name)), expected(&name), "{printed}");
});

fn encoded(name: &Name) -> Vec<u8> {
    name.as_x509().to_der().unwrap()
}

/// The contents of the types and of the values.
type Rdns = Vec<Vec<(Vec<u8>, Vec<u8>)>>;

fn expected(name: &Name) -> Rdns {
    let rdns = name.rdns().map(|rdn| {
        rdn.iter()
            .map(|attribute| (attribute.oid.as_bytes().to_vec(), attribute.value.value().to_vec()))
            .collect()
    });
    rdns.collect()
}

fn found(der: &[u8]) -> Rdns {
    let (rest, name) = X509Name::from_der(der).unwrap();
    assert!(rest.is_empty());
    let rdns = name.iter_rdn().map(|rdn| {
        rdn.iter()
            .map(|attribute| {
                (attribute.attr_type().as_bytes().to_vec(), attribute.attr_value().data.to_vec())
            })
            .collect()
    });
    rdns.collect()
}
