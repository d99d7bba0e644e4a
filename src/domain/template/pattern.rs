//! Regular expressions that a whole value has to match.

use std::fmt;
use std::str::FromStr;

use regex::{Regex, RegexBuilder};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// Longest pattern, in bytes. More than any that a person can check.
pub const MAX_PATTERN_BYTES: usize = 1000;

/// Largest compiled pattern, in bytes: `\p{L}{1,64}` fits, `.{0,65535}` and nested repetitions do not.
const MAX_COMPILED_BYTES: usize = 4 << 20;

/// How deep groups may be nested. Deeper than any that a person can check.
const MAX_DEPTH: u32 = 30;

/// A regular expression in the syntax of the crate `regex`, which takes time linear in the length of
/// the text: no backtracking, no look-around, no back-references. It matches whole values only:
/// `example\.com` does not match `www.example.com`.
#[derive(Clone)]
pub struct Pattern {
    written: String,
    whole: Regex,
}

impl Pattern {
    /// Whether the whole of the value matches.
    pub fn matches(&self, value: &str) -> bool {
        self.whole.is_match(value)
    }

    /// As it was written, without anchors.
    pub fn as_str(&self) -> &str {
        &self.written
    }
}

impl FromStr for Pattern {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if text.len() > MAX_PATTERN_BYTES {
            return Err(format!(
                "a pattern has at most {MAX_PATTERN_BYTES} bytes; this one has {}",
                text.len()
            ));
        }
        // By itself first: `a)|(b` would close the group around it and match parts of values.
        compiled(text)?;
        Ok(Self { written: text.to_owned(), whole: compiled(&format!(r"\A(?:{text})\z"))? })
    }
}

fn compiled(text: &str) -> Result<Regex, String> {
    RegexBuilder::new(text).size_limit(MAX_COMPILED_BYTES).nest_limit(MAX_DEPTH).build().map_err(|error| {
        match error {
            regex::Error::CompiledTooBig(_) => {
                "the pattern is too large when compiled; repeat less, or narrower classes".to_owned()
            }
            error => error.to_string(),
        }
    })
}

impl fmt::Debug for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Pattern({:?})", self.written)
    }
}

impl fmt::Display for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.written)
    }
}

impl PartialEq for Pattern {
    fn eq(&self, other: &Self) -> bool {
        self.written == other.written
    }
}

impl Serialize for Pattern {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.written)
    }
}

impl<'de> Deserialize<'de> for Pattern {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn matches(pattern: &str, value: &str) -> bool {
        pattern.parse::<Pattern>().unwrap().matches(value)
    }

    #[test]
    fn a_whole_value_matches_or_none_of_it() {
        assert!(matches("example", "example"));
        for value in ["an example", "example ", "example\n", "examples", ""] {
            assert!(!matches("example", value), "{value:?}");
        }
        // Alternatives, and anchors of one's own, change nothing.
        assert!(!matches("a|b", "ab") && !matches("a|b", "xb") && matches("a|b", "b"));
        assert!(matches("^a$", "a") && !matches("(?m)^a$", "b\na"));
        // The shortest alternative does not win over the one that is whole.
        assert!(matches("a|ab", "ab"));
    }

    #[test]
    fn a_pattern_that_would_escape_its_anchors_is_refused() {
        for text in ["a)|(b", "a)(?:b|.*", "(?x)a # )"] {
            assert!(text.parse::<Pattern>().is_err(), "{text}");
        }
    }

    #[test]
    fn a_pattern_that_is_too_large_is_refused() {
        for text in
            ["(a{1000}){1000}", &"(".repeat(40), &"a".repeat(MAX_PATTERN_BYTES + 1), r"(\w{100}){100}"]
        {
            assert!(text.parse::<Pattern>().is_err(), "{text}");
        }
        assert!(r"\p{L}{1,64}".parse::<Pattern>().is_ok());
        let deep = format!("{}a{}", "(".repeat(40), ")".repeat(40));
        assert!(deep.parse::<Pattern>().is_err());
    }

    #[test]
    fn a_hostile_value_takes_linear_time() {
        // With backtracking this would not end before the sun does.
        assert!(!matches("(a*)*b", &"a".repeat(4096)));
    }
}
