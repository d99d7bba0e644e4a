//! Text that people read in a certificate and trust.

/// The rule that a text breaks in which a reader does not see all that is there, or sees it in another
/// order: RFC 4518 sections 2.2 and 2.4 map such characters to nothing before names are compared, or
/// prohibit them. The joiners U+200C and U+200D stay allowed: Persian and Indic scripts need them.
pub(super) fn hidden_problem(text: &str) -> Option<String> {
    let hidden = text.chars().find(|c| is_hidden(*c))?;
    Some(format!(
        "has the character U+{:04X}, which is invisible or changes the direction of the text \
         (RFC 4518 section 2)",
        u32::from(hidden)
    ))
}

/// Soft hyphen, zero-width space, marks, embeddings, overrides and isolates of direction, separators
/// of lines and paragraphs, invisible operators, the byte order mark, and tags.
pub(super) fn is_hidden(c: char) -> bool {
    matches!(c,
        '\u{ad}'
        | '\u{61c}'
        | '\u{180e}'
        | '\u{200b}'
        | '\u{200e}'..='\u{200f}'
        | '\u{2028}'..='\u{202e}'
        | '\u{2060}'..='\u{206f}'
        | '\u{feff}'
        | '\u{fff9}'..='\u{fffb}'
        | '\u{e0000}'..='\u{e007f}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_cannot_be_seen_is_told() {
        for good in ["", "a b", "é日", "שלום", "می\u{200c}خواهم", "क्\u{200d}ष"] {
            assert_eq!(hidden_problem(good), None, "{good}");
        }
        for (bad, told) in [("a\u{202e}b", "U+202E"), ("a\u{200b}", "U+200B"), ("\u{feff}a", "U+FEFF")] {
            assert!(hidden_problem(bad).unwrap().contains(told));
        }
    }
}
