//! Generated secrets: 256 random bits behind a prefix by which secret scanners find a lost one. Only
//! their SHA-256 is kept; a guess is hopeless, so that no slow hash is needed.

use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use sha2::{Digest, Sha256};
use zeroize::Zeroizing;

use super::CredentialKind;

/// Characters of a secret that are kept and shown: enough to tell one from another.
const HINT_LENGTH: usize = 10;

/// What a generated secret begins with; `None` for the kinds that are not generated.
pub fn prefix(kind: CredentialKind) -> Option<&'static str> {
    match kind {
        CredentialKind::ApiKey => Some("srk_"),
        CredentialKind::Basic => Some("srb_"),
        CredentialKind::ClientCertificate | CredentialKind::Uid => None,
    }
}

/// The secret of those random bytes: the prefix and 43 characters of base64url.
pub fn text(prefix: &str, random: &[u8; 32]) -> Zeroizing<String> {
    let body = Zeroizing::new(BASE64_URL_SAFE_NO_PAD.encode(random));
    Zeroizing::new(format!("{prefix}{}", body.as_str()))
}

/// Whether a text has the shape of an API key.
pub fn is_api_key(text: &str) -> bool {
    let body = text.strip_prefix("srk_").and_then(|body| BASE64_URL_SAFE_NO_PAD.decode(body).ok());
    body.is_some_and(|bytes| Zeroizing::new(bytes).len() == 32)
}

/// Whether a text begins as a generated secret does: it may be one, cut short or with more behind it.
pub fn may_be_one(text: &str) -> bool {
    let kinds = [CredentialKind::ApiKey, CredentialKind::Basic];
    kinds.into_iter().filter_map(prefix).any(|prefix| text.starts_with(prefix))
}

/// What a secret is recognised by.
pub fn verifier(secret: &str) -> [u8; 32] {
    Sha256::digest(secret.as_bytes()).into()
}

/// What of a secret may be shown.
pub fn hint(secret: &str) -> String {
    secret.chars().take(HINT_LENGTH).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_has_its_prefix_and_256_bits() {
        let secret = text("srk_", &[7; 32]);
        assert_eq!(secret.len(), 4 + 43);
        assert!(is_api_key(&secret));
        assert_eq!(hint(&secret), &secret[..10]);
        assert!(may_be_one(&secret) && may_be_one("srb_x") && !may_be_one("sr") && !may_be_one("alice"));
        for other in ["srk_short", "srb_BwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwc", &secret[4..], ""] {
            assert!(!is_api_key(other), "{other}");
        }
        assert_ne!(verifier(&secret), verifier(&text("srk_", &[8; 32])));
    }
}
