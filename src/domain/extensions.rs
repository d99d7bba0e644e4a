//! The certificate extensions that a CSR may ask for, besides the alternative names.

use std::fmt;
use std::str::FromStr;

use const_oid::ObjectIdentifier;
use const_oid::db::rfc5280;
use serde::de::IntoDeserializer as _;
use serde::de::value::{self, StrDeserializer};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::invalid::Invalid;

/// What the certificate shall allow. Empty means that nothing is asked for: then the CSR has no
/// such extension, and the CA decides.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Extensions {
    /// KeyUsage (RFC 5280 section 4.2.1.3); critical.
    pub key_usage: Vec<KeyUsageBit>,
    /// ExtendedKeyUsage (RFC 5280 section 4.2.1.12); not critical.
    pub extended_key_usage: Vec<ExtendedKeyUsage>,
    /// BasicConstraints (RFC 5280 section 4.2.1.9); critical.
    pub basic_constraints: Option<BasicConstraints>,
}

/// A bit of KeyUsage, by its name in RFC 5280.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum KeyUsageBit {
    /// Bit 0
    DigitalSignature,
    /// Bit 1; recent editions of X.509 call it contentCommitment.
    #[serde(alias = "contentCommitment")]
    NonRepudiation,
    /// Bit 2
    KeyEncipherment,
    /// Bit 3
    DataEncipherment,
    /// Bit 4
    KeyAgreement,
    /// Bit 5
    KeyCertSign,
    /// Bit 6
    #[serde(rename = "cRLSign")]
    CrlSign,
    /// Bit 7; only means something beside keyAgreement.
    EncipherOnly,
    /// Bit 8; only means something beside keyAgreement.
    DecipherOnly,
}

/// A purpose of ExtendedKeyUsage (KeyPurposeId): written by its name in RFC 5280, such as
/// `serverAuth`, or as a dotted OID.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct ExtendedKeyUsage(ObjectIdentifier);

/// Whether the key may be a CA's.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BasicConstraints {
    /// cA
    pub ca: bool,
    /// pathLenConstraint: how many CAs may stand below this one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub path_length: Option<u8>,
}

impl Extensions {
    /// From names as written, such as `digitalSignature` and `serverAuth`.
    ///
    /// # Errors
    /// Every name that is unknown, with its place.
    pub fn from_names(
        key_usage: &[String],
        extended_key_usage: &[String],
        basic_constraints: Option<BasicConstraints>,
    ) -> Result<Self, Vec<Invalid>> {
        let (mut extensions, mut problems) = (Self { basic_constraints, ..Self::default() }, Vec::new());
        for (at, name) in key_usage.iter().enumerate() {
            match name.parse() {
                Ok(bit) => extensions.key_usage.push(bit),
                Err(NotAKeyUsage) => problems
                    .push(Invalid::new(format!("extensions.key_usage[{at}]"), NotAKeyUsage.to_string())),
            }
        }
        for (at, name) in extended_key_usage.iter().enumerate() {
            match name.parse() {
                Ok(purpose) => extensions.extended_key_usage.push(purpose),
                Err(NotAPurpose) => problems.push(Invalid::new(
                    format!("extensions.extended_key_usage[{at}]"),
                    NotAPurpose.to_string(),
                )),
            }
        }
        if problems.is_empty() { Ok(extensions) } else { Err(problems) }
    }

    /// Every rule of RFC 5280 that is broken; none when the extensions are good.
    pub fn problems(&self) -> Vec<Invalid> {
        let is_ca = self.basic_constraints.is_some_and(|constraints| constraints.ca);
        let has = |bit| self.key_usage.contains(&bit);
        let mut problems = duplicates("extensions.key_usage", &self.key_usage);
        problems.extend(duplicates("extensions.extended_key_usage", &self.extended_key_usage));
        if has(KeyUsageBit::KeyCertSign) && !is_ca {
            let reason = "keyCertSign needs basic_constraints with ca = true (RFC 5280 section 4.2.1.9)";
            problems.push(Invalid::new("extensions.key_usage", reason));
        }
        let only = has(KeyUsageBit::EncipherOnly) || has(KeyUsageBit::DecipherOnly);
        if only && !has(KeyUsageBit::KeyAgreement) {
            let reason = "encipherOnly and decipherOnly need keyAgreement (RFC 5280 section 4.2.1.3)";
            problems.push(Invalid::new("extensions.key_usage", reason));
        }
        if !is_ca && self.basic_constraints.is_some_and(|constraints| constraints.path_length.is_some()) {
            let reason = "a path length needs ca = true (RFC 5280 section 4.2.1.9)";
            problems.push(Invalid::new("extensions.basic_constraints.path_length", reason));
        }
        problems
    }
}

/// One problem for each entry of the list that stands in it before.
pub(super) fn duplicates<T: PartialEq + fmt::Display>(field: &str, list: &[T]) -> Vec<Invalid> {
    let mut problems = Vec::new();
    for (at, item) in list.iter().enumerate() {
        if list.iter().take(at).any(|earlier| earlier == item) {
            problems.push(Invalid::new(format!("{field}[{at}]"), format!("{item} is there twice")));
        }
    }
    problems
}

impl fmt::Display for KeyUsageBit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.serialize(f)
    }
}

/// The text is not a bit of KeyUsage.
#[derive(Debug, thiserror::Error)]
#[error(
    "a key usage is one of digitalSignature, nonRepudiation, keyEncipherment, dataEncipherment, keyAgreement, \
     keyCertSign, cRLSign, encipherOnly, decipherOnly"
)]
pub struct NotAKeyUsage;

impl FromStr for KeyUsageBit {
    type Err = NotAKeyUsage;

    fn from_str(text: &str) -> Result<Self, NotAKeyUsage> {
        let text: StrDeserializer<'_, value::Error> = text.into_deserializer();
        Self::deserialize(text).map_err(|_| NotAKeyUsage)
    }
}

/// The purposes that have a name: RFC 5280 section 4.2.1.12.
const PURPOSES: [(&str, ObjectIdentifier); 6] = [
    ("serverAuth", rfc5280::ID_KP_SERVER_AUTH),
    ("clientAuth", rfc5280::ID_KP_CLIENT_AUTH),
    ("codeSigning", rfc5280::ID_KP_CODE_SIGNING),
    ("emailProtection", rfc5280::ID_KP_EMAIL_PROTECTION),
    ("timeStamping", rfc5280::ID_KP_TIME_STAMPING),
    ("OCSPSigning", rfc5280::ID_KP_OCSP_SIGNING),
];

impl ExtendedKeyUsage {
    /// The purpose's object identifier.
    pub fn oid(self) -> ObjectIdentifier {
        self.0
    }
}

/// The text is neither a purpose of RFC 5280 nor a dotted OID.
#[derive(Debug, thiserror::Error)]
#[error(
    "an extended key usage is one of serverAuth, clientAuth, codeSigning, emailProtection, timeStamping, \
     OCSPSigning, or a dotted OID"
)]
pub struct NotAPurpose;

impl FromStr for ExtendedKeyUsage {
    type Err = NotAPurpose;

    fn from_str(text: &str) -> Result<Self, NotAPurpose> {
        match PURPOSES.iter().find(|(name, _)| *name == text) {
            Some((_, oid)) => Ok(Self(*oid)),
            None => ObjectIdentifier::new(text).map(Self).map_err(|_| NotAPurpose),
        }
    }
}

impl fmt::Display for ExtendedKeyUsage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match PURPOSES.iter().find(|(_, oid)| *oid == self.0) {
            Some((name, _)) => f.write_str(name),
            None => self.0.fmt(f),
        }
    }
}

impl Serialize for ExtendedKeyUsage {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for ExtendedKeyUsage {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<str>::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(json: serde_json::Value) -> Result<Extensions, serde_json::Error> {
        serde_json::from_value(json)
    }

    #[test]
    fn reads_and_writes_the_names_of_rfc_5280() {
        let json = serde_json::json!({
            "key_usage": ["digitalSignature", "nonRepudiation", "keyEncipherment", "dataEncipherment",
                "keyAgreement", "keyCertSign", "cRLSign", "encipherOnly", "decipherOnly"],
            "extended_key_usage": ["serverAuth", "clientAuth", "codeSigning", "emailProtection",
                "timeStamping", "OCSPSigning", "1.3.6.1.4.1.311.20.2.2"],
            "basic_constraints": { "ca": true, "path_length": 0 },
        });
        let extensions = read(json.clone()).unwrap();
        assert_eq!(extensions.problems(), []);
        assert_eq!(serde_json::to_value(&extensions).unwrap(), json);
    }

    #[test]
    fn other_spellings_mean_the_same() {
        let extensions = read(serde_json::json!({
            "key_usage": ["contentCommitment"],
            "extended_key_usage": ["1.3.6.1.5.5.7.3.1"],
        }))
        .unwrap();
        assert_eq!(extensions.key_usage, [KeyUsageBit::NonRepudiation]);
        assert_eq!(extensions.extended_key_usage[0].to_string(), "serverAuth");
    }

    #[test]
    fn unknown_names_and_fields_are_refused() {
        for json in [
            serde_json::json!({ "key_usage": ["DigitalSignature"] }),
            serde_json::json!({ "extended_key_usage": ["serverauth"] }),
            serde_json::json!({ "extended_key_usage": ["1.3."] }),
            serde_json::json!({ "keyUsage": [] }),
            serde_json::json!({ "basic_constraints": { "ca": true, "pathLength": 1 } }),
            serde_json::json!({ "basic_constraints": {} }),
        ] {
            assert!(read(json.clone()).is_err(), "{json}");
        }
    }

    #[test]
    fn every_broken_rule_is_told() {
        let extensions = read(serde_json::json!({
            "key_usage": ["keyCertSign", "encipherOnly", "keyCertSign"],
            "extended_key_usage": ["serverAuth", "1.3.6.1.5.5.7.3.1"],
            "basic_constraints": { "ca": false, "path_length": 1 },
        }))
        .unwrap();
        let problems: Vec<String> = extensions.problems().iter().map(ToString::to_string).collect();
        assert_eq!(
            problems,
            [
                "extensions.key_usage[2]: keyCertSign is there twice",
                "extensions.extended_key_usage[1]: serverAuth is there twice",
                "extensions.key_usage: keyCertSign needs basic_constraints with ca = true (RFC 5280 section \
                 4.2.1.9)",
                "extensions.key_usage: encipherOnly and decipherOnly need keyAgreement (RFC 5280 section \
                 4.2.1.3)",
                "extensions.basic_constraints.path_length: a path length needs ca = true (RFC 5280 section \
                 4.2.1.9)",
            ]
        );
    }
}
