//! A text that is read as an alternative name is printed, and the print is read as the same name with
//! the same encoding. What is wrong is wrong at a place in the text.
#![no_main]

use libfuzzer_sys::fuzz_target;
use strongroom::domain::csr::{CsrSpec, to_be_signed};
use strongroom::domain::san::San;
use strongroom_fuzz::key;

fuzz_target!(|text: &str| {
    let san = match text.parse::<San>() {
        Ok(san) => san,
        Err(invalid) => {
            assert!(invalid.position.is_none_or(|at| text.is_char_boundary(at)), "{invalid}");
            return;
        }
    };
    let printed = san.to_string();
    let again: San = printed.parse().unwrap_or_else(|error| panic!("{printed}: {error}"));
    assert_eq!(again, san);
    assert_eq!(again.to_string(), printed);
    if let Some(unicode) = san.in_unicode() {
        assert_eq!(unicode.parse::<San>().as_ref(), Ok(&san), "{unicode}");
    }
    assert_eq!(encoded(again), encoded(san));
});

fn encoded(san: San) -> Vec<u8> {
    let spec = CsrSpec { sans: vec![san], ..CsrSpec::default() };
    to_be_signed(&spec, key::spki()).unwrap()
}
