//! Makes a text the same in every run, for snapshots: what differs is replaced by as many characters,
//! so that columns stay where they are.

use crate::harness::Appliance;

/// Replaces handles, times, digests, ids, serial numbers, PEM blocks and the appliance's directory.
pub fn redacted(text: &str, appliance: &Appliance) -> String {
    let text = text.replace(appliance.path("").to_str().unwrap(), "<appliance>/");
    let mut result = String::new();
    let mut in_pem = false;
    for line in text.split_inclusive('\n') {
        if line.starts_with("-----END ") {
            in_pem = false;
            result.push_str("...\n");
        }
        if !in_pem {
            result.push_str(&redacted_words(line));
        }
        in_pem |= line.starts_with("-----BEGIN ");
    }
    result
}

fn redacted_words(line: &str) -> String {
    line.split_inclusive(|c: char| !is_of_a_word(c))
        .map(|piece| {
            let word = piece.trim_end_matches(|c: char| !is_of_a_word(c));
            let rest = &piece[word.len()..];
            match name_of(word) {
                Some(name) => format!("{name:_<width$}{rest}", width = word.len()),
                None => piece.to_owned(),
            }
        })
        .collect()
}

fn is_of_a_word(c: char) -> bool {
    c.is_ascii_alphanumeric() || "-:.%".contains(c)
}

fn name_of(word: &str) -> Option<&'static str> {
    let is_hex = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_hexdigit());
    match word.len() {
        36 if word.split('-').map(str::len).eq([8, 4, 4, 4, 12]) && word.split('-').all(is_hex) => {
            Some("HANDLE")
        }
        24 if word.ends_with('Z') && word.as_bytes()[10] == b'T' => Some("TIME"),
        64 if is_hex(word) => Some("SHA256"),
        48 if word.split('%').skip(1).all(is_hex) => Some("PERCENT-ID"),
        32 if is_hex(word) => Some("ID"),
        16 if is_hex(word) => Some("SERIAL"),
        _ => None,
    }
}
