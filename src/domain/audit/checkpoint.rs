//! What somebody keeps elsewhere to see later that nothing before it was changed or cut off.

use std::fmt;
use std::str::FromStr;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;

use crate::domain::clock::Timestamp;

/// First line of a checkpoint.
const ORIGIN: &str = "strongroom audit";

/// A place in the chain. As text it has the lines of a C2SP tlog-checkpoint (origin, number of
/// records, hash in base64, one line of our own: the time), so that its tools can sign it; the hash is
/// the chain's, not a tree's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Checkpoint {
    /// The record's number.
    pub seq: u64,
    /// Its hash.
    pub hash: [u8; 32],
    /// When it was written.
    pub at: Timestamp,
}

impl fmt::Display for Checkpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{ORIGIN}\n{}\n{}\n{}", self.seq, BASE64_STANDARD.encode(self.hash), self.at)
    }
}

impl FromStr for Checkpoint {
    type Err = String;

    /// Signatures behind an empty line are left to whoever made them.
    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = |what: &str| format!("this is no checkpoint: {what}");
        let mut lines = text.lines();
        if lines.next() != Some(ORIGIN) {
            return Err(wrong("its first line is not `strongroom audit`"));
        }
        let seq = lines.next().and_then(|line| line.parse().ok());
        let hash = lines.next().and_then(|line| BASE64_STANDARD.decode(line).ok()?.try_into().ok());
        let at = lines.next().and_then(|line| line.parse().ok());
        Ok(Self {
            seq: seq.ok_or_else(|| wrong("its second line is no number"))?,
            hash: hash.ok_or_else(|| wrong("its third line is not 32 bytes in base64"))?,
            at: at.ok_or_else(|| wrong("its fourth line is no time"))?,
        })
    }
}
