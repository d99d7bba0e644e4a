//! PEM (RFC 7468): written strictly, read with text around the blocks.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

/// A block of PEM text.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Block<'a> {
    /// What stands between `-----BEGIN ` and `-----`.
    pub(super) label: &'a str,
    /// Offset of the first line in the text, in bytes.
    pub(super) position: usize,
    /// The lines between the first and the last.
    body: &'a str,
}

/// Why a text has no readable blocks, and where, in bytes.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Unreadable {
    pub(super) position: usize,
    pub(super) reason: &'static str,
}

const BEGIN: &str = "-----BEGIN ";
const DASHES: &str = "-----";

/// One block with lines of 64 columns, each ended by a line feed.
pub(super) fn encode(label: &str, der: &[u8]) -> String {
    let mut text = format!("-----BEGIN {label}-----\n");
    for (nth, c) in STANDARD.encode(der).chars().enumerate() {
        if nth > 0 && nth % 64 == 0 {
            text.push('\n');
        }
        text.push(c);
    }
    text + &format!("\n-----END {label}-----\n")
}

/// The blocks of the text, in their order; what stands around them is passed over (RFC 7468
/// section 2 allows explanatory text).
pub(super) fn blocks(text: &str) -> Result<Vec<Block<'_>>, Unreadable> {
    let mut blocks = Vec::new();
    let mut at = 0;
    while let Some(begin) = text.get(at..).and_then(|rest| rest.find(BEGIN)).map(|offset| at + offset) {
        let unreadable = |reason| Unreadable { position: begin, reason };
        let rest = text.get(begin + BEGIN.len()..).unwrap_or_default();
        let (label, rest) = rest
            .split_once(DASHES)
            .filter(|(label, _)| !label.contains('\n'))
            .ok_or_else(|| unreadable("the BEGIN line does not end with five dashes"))?;
        let (body, after) = rest
            .split_once(&format!("-----END {label}-----"))
            .filter(|(body, _)| !body.contains(DASHES))
            .ok_or_else(|| unreadable("the block has no END line with the label of its BEGIN line"))?;
        blocks.push(Block { label, position: begin, body });
        at = text.len() - after.len();
    }
    Ok(blocks)
}

impl Block<'_> {
    /// The bytes of the block.
    pub(super) fn der(&self) -> Result<Vec<u8>, Unreadable> {
        let base64: String = self.body.split_ascii_whitespace().collect();
        STANDARD
            .decode(base64)
            .map_err(|_| Unreadable { position: self.position, reason: "the block is not base64" })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn what_is_written_is_read_again(der in proptest::collection::vec(any::<u8>(), 1..500)) {
            let text = encode("X", &der);
            prop_assert!(text.lines().all(|line| line.len() <= 64));
            let text = format!("before\r\n{}after", text.replace('\n', "\r\n"));
            let blocks = blocks(&text).unwrap();
            prop_assert_eq!(blocks.len(), 1);
            prop_assert_eq!((blocks[0].label, blocks[0].position), ("X", 8));
            prop_assert_eq!(blocks[0].der().unwrap(), der);
        }

        #[test]
        fn no_text_makes_it_panic(text in "(-----(BEGIN|END) ?[A-Zé]*(-----)?\\s?|\\PC){0,20}") {
            for block in blocks(&text).unwrap_or_default() {
                drop(block.der());
            }
        }
    }

    #[test]
    fn what_is_wrong_with_a_block_is_told() {
        for (text, position, reason) in [
            ("x -----BEGIN A", 2, "the BEGIN line does not end with five dashes"),
            ("-----BEGIN A\n-----", 0, "the BEGIN line does not end with five dashes"),
            ("-----BEGIN A-----\n", 0, "the block has no END line with the label of its BEGIN line"),
            (
                "-----BEGIN A-----\n-----END B-----\n-----END A-----",
                0,
                "the block has no END line with the label of its BEGIN line",
            ),
        ] {
            assert_eq!(blocks(text), Err(Unreadable { position, reason }), "{text}");
        }
        let text = "-----BEGIN A-----\n?\n-----END A-----\n";
        let unreadable = blocks(text).unwrap()[0].der().unwrap_err();
        assert_eq!(unreadable, Unreadable { position: 0, reason: "the block is not base64" });
    }
}
