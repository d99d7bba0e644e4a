//! The verdict on a token: what the negative probes found, for which module and token it holds, and
//! who let a token in all the same.

use std::collections::BTreeSet;
use std::fmt;

use serde::{Deserialize, Serialize};

use super::algorithm::{KeyKind, KeyType};
use super::clock::Timestamp;
use super::id::Handle;

/// What a verdict holds for. A change in any part calls for another probe.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Binding {
    /// SHA-256 of the module's file in hexadecimal.
    pub module_sha256: String,
    /// CK_INFO libraryVersion, `major.minor`.
    pub library_version: String,
    /// CK_TOKEN_INFO firmwareVersion, `major.minor`.
    pub firmware: String,
    /// CK_TOKEN_INFO serialNumber.
    pub serial: String,
    /// SHA-256 in hexadecimal of the string that the module is initialised with, if it gets one: NSS
    /// reads there which database it opens and in which mode.
    pub init_args_sha256: Option<String>,
    /// Types of keys that the token offers. Absent from what earlier builds kept, which is no verdict
    /// on any type.
    #[serde(default)]
    pub key_types: BTreeSet<KeyType>,
}

/// A way in which a throw-away key came out, or could have.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Leak {
    /// Kind of the throw-away key.
    pub kind: KeyKind,
    /// The call that did it: `C_WrapKey with CKM_AES_KEY_WRAP_PAD`.
    pub call: String,
    /// What it did: `returned the key (138 bytes)`.
    pub what: String,
}

impl fmt::Display for Leak {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {} of kind {}", self.call, self.what, self.kind)
    }
}

/// What the negative probes of a token found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verdict {
    /// When the probes ended.
    pub at: Timestamp,
    /// What it holds for.
    pub binding: Binding,
    /// Empty when the token passed.
    pub leaks: Vec<Leak>,
}

impl Verdict {
    /// Whether nothing came out.
    pub fn passed(&self) -> bool {
        self.leaks.is_empty()
    }

    /// What every answer about a key on the token says while nobody has accepted that it leaks.
    pub fn warning(&self) -> Option<String> {
        (!self.passed()).then(|| lets_keys_out(&self.leaks))
    }

    /// Every leak in one text.
    pub fn told(&self) -> String {
        self.leaks.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ")
    }
}

/// An operator's word that a token may be used although it leaks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Acceptance {
    /// Which principal.
    pub by: Handle,
    /// When.
    pub at: Timestamp,
    /// Why, in his words.
    pub reason: String,
    /// For which module and token.
    pub binding: Binding,
    /// What he knew of.
    pub leaks: Vec<Leak>,
}

impl Acceptance {
    /// Whether it is for this verdict: the same module and token, and no leak that he did not know of.
    pub fn covers(&self, verdict: &Verdict) -> bool {
        let known: BTreeSet<&str> = self.leaks.iter().map(|leak| leak.call.as_str()).collect();
        self.binding == verdict.binding && verdict.leaks.iter().all(|leak| known.contains(leak.call.as_str()))
    }

    /// What every answer about a key on the token says.
    pub fn warning(&self) -> String {
        format!(
            "{}; principal {} accepted that on {}: {}",
            lets_keys_out(&self.leaks),
            self.by,
            self.at,
            self.reason
        )
    }
}

fn lets_keys_out(leaks: &[Leak]) -> String {
    let calls: BTreeSet<&str> = leaks.iter().map(|leak| leak.call.as_str()).collect();
    format!("the token lets keys out ({})", Vec::from_iter(calls).join("; "))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn binding(module_sha256: &str) -> Binding {
        Binding {
            module_sha256: module_sha256.to_owned(),
            library_version: "2.6".to_owned(),
            firmware: "2.6".to_owned(),
            serial: "0".to_owned(),
            init_args_sha256: None,
            key_types: BTreeSet::from([KeyType::Ec]),
        }
    }

    fn leak(call: &str, what: &str) -> Leak {
        Leak { kind: "ec-p256".parse().unwrap(), call: call.to_owned(), what: what.to_owned() }
    }

    fn acceptance() -> Acceptance {
        Acceptance {
            by: Handle::from_bytes([1; 16]),
            at: Timestamp::from_millis(0),
            reason: "a laboratory".to_owned(),
            binding: binding("aa"),
            leaks: vec![leak("C_WrapKey", "returned the key (138 bytes)")],
        }
    }

    #[test]
    fn an_acceptance_is_for_one_module_and_for_the_leaks_that_were_known() {
        let verdict =
            |module, leaks| Verdict { at: Timestamp::from_millis(1), binding: binding(module), leaks };
        let known = leak("C_WrapKey", "returned the key (137 bytes)");
        assert!(acceptance().covers(&verdict("aa", vec![known.clone()])));
        assert!(!acceptance().covers(&verdict("bb", vec![known.clone()])), "another module");
        assert!(!acceptance().covers(&verdict("aa", vec![known, leak("C_CopyObject", "x")])), "another leak");
    }

    #[test]
    fn a_warning_says_what_who_when_and_why() {
        let warning = acceptance().warning();
        for part in ["C_WrapKey", "01010101-0101", "1970-01-01T00:00:00", "a laboratory"] {
            assert!(warning.contains(part), "{warning}");
        }
    }
}
