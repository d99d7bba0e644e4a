//! Access tokens: for an hour they stand for a credential, which is looked up with each of them, so that its
//! revocation counts at once. JSON Web Tokens (RFC 7519) of one form only: HS256 under a key of this installation,
//! for one audience.

use std::path::Path;

use jsonwebtoken::errors::ErrorKind;
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header, Validation};
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use super::{Error, private_file};
use crate::domain::clock::Timestamp;
use crate::domain::id::Handle;

/// Seconds for which a token is good.
pub const LIFETIME: i64 = 3600;

/// For whom they are: no other token under the same key would be taken.
const AUDIENCE: &str = "strongroom";

/// A longer text is no token of ours, and is not looked at.
const LONGEST: usize = 2048;

/// Makes and reads access tokens.
pub struct AccessTokens {
    encoding: EncodingKey,
    decoding: DecodingKey,
    validation: Validation,
}

#[derive(Serialize, Deserialize)]
struct Claims {
    /// Handle of the credential.
    sub: Handle,
    aud: String,
    /// Seconds since 1970.
    iat: i64,
    /// Seconds since 1970.
    exp: i64,
}

/// Why a token is not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NotTaken {
    /// It was good once.
    Expired,
    /// It is signed in another way than ours are, or not at all.
    Algorithm,
    /// It is signed with another key.
    Signature,
    /// It is no such token.
    Malformed,
}

impl AccessTokens {
    /// Reads the key of the signatures, or makes one where there is none.
    ///
    /// # Errors
    /// The file does not hold 32 bytes, is open to others, or cannot be read or made.
    pub fn open(path: &Path) -> Result<Self, Error> {
        let key = match private_file::read(path)? {
            Some(key) if key.len() == 32 => key,
            Some(_) => return Err(Error::NotAKey { path: path.to_owned() }),
            None => {
                let mut key = Zeroizing::new(vec![0; 32]);
                getrandom::fill(&mut key).map_err(|error| Error::Random(error.to_string()))?;
                private_file::make(path, &key)?;
                key
            }
        };
        Ok(Self::new(&key))
    }

    fn new(key: &[u8]) -> Self {
        let mut validation = Validation::new(Algorithm::HS256);
        validation.leeway = 0;
        validation.set_audience(&[AUDIENCE]);
        validation.set_required_spec_claims(&["exp", "aud", "sub"]);
        Self { encoding: EncodingKey::from_secret(key), decoding: DecodingKey::from_secret(key), validation }
    }

    /// A token that stands for a credential from now on.
    ///
    /// # Errors
    /// It cannot be signed, which would be a bug.
    pub fn issue(&self, credential: Handle, now: Timestamp) -> Result<Zeroizing<String>, Error> {
        let iat = now.as_millis().div_euclid(1000);
        let claims = Claims { sub: credential, aud: AUDIENCE.to_owned(), iat, exp: iat + LIFETIME };
        let token = jsonwebtoken::encode(&Header::new(Algorithm::HS256), &claims, &self.encoding);
        token.map(Zeroizing::new).map_err(|error| Error::Token(error.to_string()))
    }

    /// The credential that a token stands for. Whether it is still in force has to be looked up.
    ///
    /// # Errors
    /// Why it is not taken.
    pub fn read(&self, token: &str) -> Result<Handle, NotTaken> {
        if token.len() > LONGEST {
            return Err(NotTaken::Malformed);
        }
        let read = jsonwebtoken::decode::<Claims>(token, &self.decoding, &self.validation);
        read.map(|token| token.claims.sub).map_err(|error| match error.kind() {
            ErrorKind::ExpiredSignature => NotTaken::Expired,
            ErrorKind::InvalidSignature => NotTaken::Signature,
            ErrorKind::InvalidAlgorithm | ErrorKind::InvalidAlgorithmName => NotTaken::Algorithm,
            // `none` is no algorithm to the library: the header cannot be read.
            _ if names_another_algorithm(token) => NotTaken::Algorithm,
            _ => NotTaken::Malformed,
        })
    }
}

fn names_another_algorithm(token: &str) -> bool {
    use base64::Engine as _;
    use base64::prelude::BASE64_URL_SAFE_NO_PAD;
    #[derive(Deserialize)]
    struct Named {
        alg: String,
    }
    let header = token.split('.').next().unwrap_or_default();
    let header = BASE64_URL_SAFE_NO_PAD.decode(header).unwrap_or_default();
    serde_json::from_slice::<Named>(&header).is_ok_and(|header| header.alg != "HS256")
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::MetadataExt;
    use std::time::{SystemTime, UNIX_EPOCH};

    use base64::Engine as _;
    use base64::prelude::BASE64_URL_SAFE_NO_PAD;
    use serde_json::{Value, json};

    use super::*;

    const KEY: [u8; 32] = [7; 32];

    fn credential() -> Handle {
        Handle::new(Timestamp::from_millis(1), [3; 10])
    }

    fn now() -> Timestamp {
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
        Timestamp::from_millis(i64::try_from(since.as_millis()).unwrap())
    }

    fn signed(header: Algorithm, claims: &Value, key: &[u8]) -> String {
        jsonwebtoken::encode(&Header::new(header), claims, &EncodingKey::from_secret(key)).unwrap()
    }

    fn claims() -> Value {
        let now = now().as_millis() / 1000;
        json!({ "sub": credential(), "aud": AUDIENCE, "iat": now, "exp": now + 60 })
    }

    fn without(name: &str) -> Value {
        let mut claims = claims();
        claims.as_object_mut().unwrap().remove(name);
        claims
    }

    #[test]
    fn a_token_stands_for_its_credential_for_an_hour() {
        let tokens = AccessTokens::new(&KEY);
        let at = |moved: i64| tokens.issue(credential(), now().plus_millis(moved * 1000)).unwrap();
        assert_eq!(tokens.read(&at(0)), Ok(credential()));
        assert_eq!(tokens.read(&at(-LIFETIME + 30)), Ok(credential()));
        assert_eq!(tokens.read(&at(-LIFETIME - 1)), Err(NotTaken::Expired));
    }

    #[test]
    fn only_our_own_form_is_taken() {
        let tokens = AccessTokens::new(&KEY);
        let good = signed(Algorithm::HS256, &claims(), &KEY);
        assert_eq!(tokens.read(&good), Ok(credential()));
        assert_eq!(tokens.read(&signed(Algorithm::HS256, &claims(), &[8; 32])), Err(NotTaken::Signature));
        assert_eq!(tokens.read(&signed(Algorithm::HS512, &claims(), &KEY)), Err(NotTaken::Algorithm));
        let other = json!({ "sub": credential(), "aud": "others", "iat": 1, "exp": 9_999_999_999_i64 });
        assert_eq!(tokens.read(&signed(Algorithm::HS256, &other, &KEY)), Err(NotTaken::Malformed));
        for missing in ["sub", "aud", "exp", "iat"] {
            let token = signed(Algorithm::HS256, &without(missing), &KEY);
            assert_eq!(tokens.read(&token), Err(NotTaken::Malformed), "{missing}");
        }
        let none = |name: &str| {
            let part = |value: &Value| BASE64_URL_SAFE_NO_PAD.encode(value.to_string());
            format!("{}.{}.", part(&json!({ "alg": name, "typ": "JWT" })), part(&claims()))
        };
        for name in ["none", "None", "NONE"] {
            assert_eq!(tokens.read(&none(name)), Err(NotTaken::Algorithm), "{name}");
        }
        for text in ["", "a.b.c", "srk_x", "..", &"x".repeat(LONGEST + 1)] {
            assert_eq!(tokens.read(text), Err(NotTaken::Malformed), "{text:.20}");
        }
    }

    #[test]
    fn the_key_is_in_a_file_that_only_its_owner_reads() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("access-token-key");
        let token = AccessTokens::open(&path).unwrap().issue(credential(), now()).unwrap();
        assert_eq!(std::fs::metadata(&path).unwrap().mode() & 0o777, 0o600);
        assert_eq!(AccessTokens::open(&path).unwrap().read(&token), Ok(credential()));
        std::fs::write(&path, "short").unwrap();
        assert!(matches!(AccessTokens::open(&path), Err(Error::NotAKey { .. })));
    }
}
