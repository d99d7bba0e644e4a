//! How a receiver knows that a message is ours, whole and fresh.

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

use crate::domain::clock::Timestamp;

/// The value of `Strongroom-Signature`: `t=<seconds since 1970>,v1=<hex>`, where the hex is
/// HMAC-SHA-256 under the webhook's secret over the time as written, a dot, and the body. The time is
/// that of the attempt: a receiver refuses what is old, so that a copy is of no use later.
pub fn of(secret: &[u8], now: Timestamp, body: &str) -> String {
    let seconds = now.as_millis().div_euclid(1000);
    let mut mac = keyed(secret);
    mac.update(format!("{seconds}.{body}").as_bytes());
    format!("t={seconds},v1={}", hex::encode(mac.finalize().into_bytes()))
}

/// HMAC takes a key of any length (RFC 2104 section 2).
#[expect(clippy::expect_used, reason = "Hmac::new_from_slice has no length that it refuses")]
fn keyed(secret: &[u8]) -> Hmac<Sha256> {
    Hmac::new_from_slice(secret).expect("HMAC takes a key of any length")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_signature_is_what_openssl_says() {
        // printf '1795253400.{"a":1}' | openssl dgst -sha256 -hmac "$(printf 'k%.0s' {1..32})"
        let signature = of(&[b'k'; 32], Timestamp::from_millis(1_795_253_400_999), "{\"a\":1}");
        assert_eq!(
            signature,
            "t=1795253400,v1=cd6c8273f8194af44097960433c8b35295eadb8157be0277702db0b2fe1cfcb4"
        );
    }
}
