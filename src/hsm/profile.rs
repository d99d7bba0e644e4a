//! HSM profiles: what one vendor's module needs, from `hsm-profiles/*.toml`.
//!
//! `ProfileSpec` is the file as written, [`Profile`] what the program uses. Every field is read
//! by code; an unknown one is refused with its line.

use std::num::NonZeroU32;
use std::path::PathBuf;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::domain::algorithm::KeyKind;

/// The only schema there is.
const SCHEMA: u32 = 1;

/// More sessions than this help no token: Thales measured about 30 threads as the best per HSM.
const MOST_SESSIONS: usize = 64;

/// The profiles that come with the program: name and text.
const SHIPPED: &[(&str, &str)] = &[
    ("nss-softokn", include_str!("../../hsm-profiles/nss-softokn.toml")),
    ("opencryptoki", include_str!("../../hsm-profiles/opencryptoki.toml")),
    ("p11-kit", include_str!("../../hsm-profiles/p11-kit.toml")),
    ("softhsm2", include_str!("../../hsm-profiles/softhsm2.toml")),
];

/// What one vendor's module needs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Profile {
    /// The profile's own name.
    pub name: String,
    /// Where the module may be, tried in order.
    pub module_paths: Vec<PathBuf>,
    /// String that the module reads from pReserved of C_Initialize.
    pub init_args: Option<String>,
    /// Environment variables handed on from the service to the worker, where set.
    pub env: Vec<String>,
    /// Sessions that sign and read in parallel; at least 1.
    pub sessions: usize,
    /// Wrong PINs in a row with which the token locks; `None` where it never does.
    pub lockout: Option<NonZeroU32>,
    /// Whether the module may be called from several threads at once. If not, every call goes
    /// through one lane.
    pub concurrent_calls: bool,
    /// How long a call may stay in the module.
    pub deadlines: Deadlines,
    /// The key kinds it may make, if C_GetMechanismList agrees.
    pub keys: Vec<KeyKind>,
    /// Who computes the digest under an RSA signature with PKCS #1 v1.5 padding.
    pub rsa_hashed_by: HashedBy,
    /// Who computes the digest under an RSA-PSS signature.
    pub rsa_pss_hashed_by: HashedBy,
    /// Who computes the digest under an ECDSA signature.
    pub ecdsa_hashed_by: HashedBy,
    /// Departures from the templates that every token gets.
    pub quirks: Vec<Quirk>,
}

/// How long a call may stay in the module before the worker is killed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Deadlines {
    /// From the start of the worker to "logged in".
    pub start: Duration,
    /// C_SignInit and C_Sign.
    pub sign: Duration,
    /// C_GenerateKeyPair of an EC or Edwards key.
    pub generate_ec: Duration,
    /// C_GenerateKeyPair of an RSA key.
    pub generate_rsa: Duration,
    /// Every other call.
    pub other: Duration,
}

/// Who computes the digest under a signature.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum HashedBy {
    /// The token: CKM_SHA256_RSA_PKCS, CKM_SHA256_RSA_PKCS_PSS, CKM_ECDSA_SHA256 and their siblings.
    Token,
    /// The worker: CKM_RSA_PKCS over a DigestInfo, CKM_RSA_PKCS_PSS and CKM_ECDSA over the digest.
    Worker,
}

/// A departure from the templates that every token gets: an attribute that the module refuses in
/// them. It is read back all the same, and a value other than ours is an error then.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Quirk {
    /// CKA_COPYABLE, new in PKCS#11 v2.40.
    OmitCopyable,
    /// CKA_MODIFIABLE.
    OmitModifiable,
    /// CKA_SIGN_RECOVER and CKA_VERIFY_RECOVER.
    OmitRecover,
    /// CKA_UNWRAP and CKA_WRAP.
    OmitWrap,
    /// CKA_DERIVE.
    OmitDerive,
}

impl Profile {
    /// A profile that comes with the program.
    ///
    /// # Errors
    /// No such profile; the message lists those there are.
    pub fn shipped(name: &str) -> Result<Self, ProfileError> {
        match SHIPPED.iter().find(|(known, _)| *known == name) {
            Some((_, text)) => Self::from_toml(text),
            None => Err(ProfileError::Unknown {
                given: name.to_owned(),
                known: SHIPPED.iter().map(|(known, _)| *known).collect::<Vec<_>>().join(", "),
            }),
        }
    }

    /// A profile from the text of its file.
    ///
    /// # Errors
    /// Text that is not TOML, an unknown or missing field (with its line), another schema, or a
    /// value that cannot work.
    pub fn from_toml(text: &str) -> Result<Self, ProfileError> {
        // The schema first: of another one, unknown fields are no news.
        let SchemaSpec { schema } = toml::from_str(text)?;
        if schema != SCHEMA {
            return Err(ProfileError::Schema(schema));
        }
        let spec: ProfileSpec = toml::from_str(text)?;
        spec.try_into()
    }

    /// Whether the profile names the quirk.
    pub(super) fn has(&self, quirk: Quirk) -> bool {
        self.quirks.contains(&quirk)
    }
}

/// Why a profile cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ProfileError {
    /// There is no shipped profile of that name.
    #[error("no HSM profile `{given}` comes with strongroom; there are: {known}")]
    Unknown {
        /// The name asked for.
        given: String,
        /// The names there are.
        known: String,
    },
    /// The text is not TOML, or not a profile.
    #[error("{0}")]
    Syntax(#[from] toml::de::Error),
    /// A schema that this version does not read.
    #[error("schema = {0}: this version of strongroom reads schema = {SCHEMA}")]
    Schema(u32),
    /// A value that cannot work.
    #[error("{field}: {rule}")]
    Value {
        /// The field, as `table.key`.
        field: &'static str,
        /// What is asked of it.
        rule: String,
    },
}

#[derive(Deserialize)]
struct SchemaSpec {
    schema: u32,
}

/// A profile as written.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ProfileSpec {
    #[serde(rename = "schema")]
    _schema: u32,
    name: String,
    module: ModuleSpec,
    #[serde(default)]
    login: LoginSpec,
    sessions: SessionsSpec,
    deadlines: DeadlinesSpec,
    algorithms: AlgorithmsSpec,
    #[serde(default)]
    quirks: Vec<Quirk>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ModuleSpec {
    paths: Vec<PathBuf>,
    init_args: Option<String>,
    #[serde(default)]
    env: Vec<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, default)]
struct LoginSpec {
    lockout_tries: u32,
}

impl Default for LoginSpec {
    fn default() -> Self {
        // As a TPM and openCryptoki do: the least of the tokens that were measured.
        Self { lockout_tries: 3 }
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct SessionsSpec {
    count: usize,
    concurrent_calls: bool,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct DeadlinesSpec {
    start_ms: u64,
    sign_ms: u64,
    generate_ec_ms: u64,
    generate_rsa_ms: u64,
    other_ms: u64,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct AlgorithmsSpec {
    keys: Vec<KeyKind>,
    rsa_hashed_by: HashedBy,
    rsa_pss_hashed_by: HashedBy,
    ecdsa_hashed_by: HashedBy,
}

impl TryFrom<ProfileSpec> for Profile {
    type Error = ProfileError;

    fn try_from(spec: ProfileSpec) -> Result<Self, ProfileError> {
        if !(1..=MOST_SESSIONS).contains(&spec.sessions.count) {
            let rule = format!("must be from 1 to {MOST_SESSIONS}");
            return Err(ProfileError::Value { field: "sessions.count", rule });
        }
        if spec.algorithms.keys.is_empty() {
            let rule = "must name at least one key kind".to_owned();
            return Err(ProfileError::Value { field: "algorithms.keys", rule });
        }
        Ok(Self {
            name: spec.name,
            module_paths: spec.module.paths,
            init_args: spec.module.init_args,
            env: spec.module.env,
            lockout: NonZeroU32::new(spec.login.lockout_tries),
            sessions: spec.sessions.count,
            concurrent_calls: spec.sessions.concurrent_calls,
            deadlines: Deadlines {
                start: millis("deadlines.start_ms", spec.deadlines.start_ms)?,
                sign: millis("deadlines.sign_ms", spec.deadlines.sign_ms)?,
                generate_ec: millis("deadlines.generate_ec_ms", spec.deadlines.generate_ec_ms)?,
                generate_rsa: millis("deadlines.generate_rsa_ms", spec.deadlines.generate_rsa_ms)?,
                other: millis("deadlines.other_ms", spec.deadlines.other_ms)?,
            },
            keys: spec.algorithms.keys,
            rsa_hashed_by: spec.algorithms.rsa_hashed_by,
            rsa_pss_hashed_by: spec.algorithms.rsa_pss_hashed_by,
            ecdsa_hashed_by: spec.algorithms.ecdsa_hashed_by,
            quirks: spec.quirks,
        })
    }
}

fn millis(field: &'static str, value: u64) -> Result<Duration, ProfileError> {
    if value == 0 {
        return Err(ProfileError::Value { field, rule: "must be at least 1 (milliseconds)".to_owned() });
    }
    Ok(Duration::from_millis(value))
}

#[cfg(test)]
mod tests {
    use super::*;

    const SOFTHSM2: &str = include_str!("../../hsm-profiles/softhsm2.toml");
    const KEYS: &str =
        r#"keys = ["rsa-2048", "rsa-3072", "rsa-4096", "ec-p256", "ec-p384", "ec-p521", "ed25519"]"#;

    #[test]
    fn every_shipped_profile_is_one_and_has_its_name() {
        for (name, _) in SHIPPED {
            assert_eq!(&Profile::shipped(name).unwrap().name, name);
        }
    }

    #[test]
    fn an_unknown_name_lists_the_known() {
        let error = Profile::shipped("luna").unwrap_err();
        assert_eq!(
            error.to_string(),
            "no HSM profile `luna` comes with strongroom; there are: nss-softokn, opencryptoki, p11-kit, \
             softhsm2"
        );
    }

    #[test]
    fn an_unknown_field_is_refused_with_its_line() {
        let text = SOFTHSM2.replace("sign_ms = 5000", "sing_ms = 5000");
        let line = 1 + text.lines().position(|line| line.starts_with("sing_ms")).unwrap();
        let error = Profile::from_toml(&text).unwrap_err().to_string();
        assert!(error.contains(&format!("line {line}")), "{error}");
        assert!(error.contains("unknown field `sing_ms`"), "{error}");
    }

    #[test]
    fn another_schema_is_named_even_with_unknown_fields() {
        let error = Profile::from_toml("schema = 2\nfuture = true").unwrap_err();
        assert_eq!(error.to_string(), "schema = 2: this version of strongroom reads schema = 1");
    }

    #[test]
    fn values_that_cannot_work_are_refused() {
        for (from, to, field) in [
            ("count = 4", "count = 0", "sessions.count"),
            ("sign_ms = 5000", "sign_ms = 0", "deadlines.sign_ms"),
            (KEYS, "keys = []", "algorithms.keys"),
        ] {
            let error = Profile::from_toml(&SOFTHSM2.replace(from, to)).unwrap_err().to_string();
            assert!(error.starts_with(field), "{error}");
        }
    }

    #[test]
    fn quirks_are_a_closed_list() {
        let text = SOFTHSM2.replace("quirks = []", r#"quirks = ["omit-copyable"]"#);
        assert!(Profile::from_toml(&text).unwrap().has(Quirk::OmitCopyable));
        let text = SOFTHSM2.replace("quirks = []", r#"quirks = ["omit-everything"]"#);
        assert!(Profile::from_toml(&text).is_err());
    }
}
