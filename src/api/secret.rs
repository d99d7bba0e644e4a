//! A secret on the wire: read and written like any text, never shown.

use std::fmt;

use serde::{Deserialize, Deserializer, Serialize};

/// A text that `Debug` does not show.
#[derive(Clone, Serialize)]
#[serde(transparent)]
pub struct Secret(pub String);

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[redacted]")
    }
}

impl<'de> Deserialize<'de> for Secret {
    /// By way of any value: serde's own complaint about one of another type would show it.
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        match serde_json::Value::deserialize(deserializer)? {
            serde_json::Value::String(text) => Ok(Self(text)),
            _ => Err(serde::de::Error::custom("a secret is a string")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Secret;

    #[test]
    fn is_never_shown() {
        let secret: Secret = serde_json::from_str("\"canary\"").unwrap();
        assert_eq!(format!("{secret:?} {:?}", Some(&secret)), "[redacted] Some([redacted])");
        for other in ["4711", "[\"4711\"]", "{\"4711\": 1}"] {
            let error = serde_json::from_str::<Secret>(other).unwrap_err().to_string();
            assert!(!error.contains("4711"), "{error}");
        }
    }
}
