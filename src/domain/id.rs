//! Identifiers: the public handle, the installation, and the CKA_ID that we choose for a key.

use std::fmt;
use std::str::FromStr;

use aws_lc_rs::digest;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::clock::Timestamp;

/// The opaque public id of a signing request, key or principal: a UUIDv7 (RFC 9562 section 5.7),
/// 36 characters, no prefix. Handles sort by the time they were made.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Handle(Uuid);

impl Handle {
    /// A handle made at `now` from 80 random bits.
    pub fn new(now: Timestamp, random: [u8; 10]) -> Self {
        let millis = u64::try_from(now.as_millis()).unwrap_or(0);
        Self(uuid::Builder::from_unix_timestamp_millis(millis, &random).into_uuid())
    }

    /// The 16 bytes of the UUID, in network order: sorts like the handle.
    pub fn as_bytes(&self) -> &[u8; 16] {
        self.0.as_bytes()
    }

    /// From the 16 bytes of the UUID.
    pub fn from_bytes(bytes: [u8; 16]) -> Self {
        Self(Uuid::from_bytes(bytes))
    }
}

impl fmt::Display for Handle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.as_hyphenated().fmt(f)
    }
}

/// The text is not a handle.
#[derive(Debug, thiserror::Error)]
#[error("a handle is a UUID of 36 characters, such as 019aa5b2-5c3e-7c61-9d3f-0a4a6f2f8e11")]
pub struct NotAHandle;

impl FromStr for Handle {
    type Err = NotAHandle;

    fn from_str(text: &str) -> Result<Self, NotAHandle> {
        if text.len() != 36 {
            return Err(NotAHandle);
        }
        Uuid::try_parse(text).map(Self).map_err(|_| NotAHandle)
    }
}

/// Names one installation of strongroom, that is one database: the first 4 bytes of every CKA_ID
/// that it chooses. So an object can be told from one of another installation on a shared token.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct InstallationId(pub [u8; 4]);

impl fmt::Display for InstallationId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex::encode(self.0))
    }
}

/// An id that follows from a name, so that no index has to keep it: a UUIDv5 (RFC 9562 section 5.5), another one in
/// each installation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct NamedId(Uuid);

/// Names the namespace of [`NamedId`]; drawn once.
const NAMESPACE: Uuid = Uuid::from_u128(0x9d4f_0c5e_7a31_4c86_b2d7_61e8_3f5a_c904);

impl NamedId {
    /// The id of what `path` leads to, such as a tenant's name and that of something in it.
    pub fn new(installation: InstallationId, path: &[&str]) -> Self {
        let mut context = digest::Context::new(&digest::SHA1_FOR_LEGACY_USE_ONLY);
        context.update(NAMESPACE.as_bytes());
        context.update(&installation.0);
        for part in path {
            // No name has a NUL in it, so no two paths are the same bytes.
            context.update(&[0]);
            context.update(part.as_bytes());
        }
        let mut bytes = [0; 16];
        bytes.iter_mut().zip(context.finish().as_ref()).for_each(|(byte, hashed)| *byte = *hashed);
        Self(uuid::Builder::from_sha1_bytes(bytes).into_uuid())
    }
}

impl fmt::Display for NamedId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.as_hyphenated().fmt(f)
    }
}

/// A CKA_ID that we chose: 4 bytes of the installation's id and 12 random bytes. It is known, and
/// journalled, before the key exists.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct KeyId([u8; 16]);

impl KeyId {
    /// A new id for a key of `installation`.
    pub fn new(installation: InstallationId, random: [u8; 12]) -> Self {
        let mut bytes = [0; 16];
        bytes[..4].copy_from_slice(&installation.0);
        bytes[4..].copy_from_slice(&random);
        Self(bytes)
    }

    /// An id that is a constant: of no installation.
    pub const fn fixed(bytes: [u8; 16]) -> Self {
        Self(bytes)
    }

    /// The id as the token stores it; `None` when it has not the length of ours.
    pub fn from_slice(bytes: &[u8]) -> Option<Self> {
        bytes.try_into().ok().map(Self)
    }

    /// The value of CKA_ID.
    pub fn as_bytes(&self) -> &[u8; 16] {
        &self.0
    }

    /// Whose key it is.
    pub fn installation(&self) -> InstallationId {
        let [a, b, c, d, ..] = self.0;
        InstallationId([a, b, c, d])
    }
}

impl fmt::Display for KeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex::encode(self.0))
    }
}

impl fmt::Debug for KeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "KeyId({self})")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_handle_is_a_uuid_of_version_7_and_sorts_by_time() {
        let early = Handle::new(Timestamp::from_millis(1_000), [0xff; 10]);
        let late = Handle::new(Timestamp::from_millis(1_001), [0; 10]);
        assert!(early < late);
        assert_eq!(early.to_string().len(), 36);
        assert_eq!(early.to_string().parse::<Handle>().unwrap(), early);
        assert_eq!(&early.to_string()[14..15], "7");
    }

    #[test]
    fn a_handle_in_another_spelling_is_refused() {
        for text in ["", "x", "019aa5b25c3e7c619d3f0a4a6f2f8e11", "{019aa5b2-5c3e-7c61-9d3f-0a4a6f2f8e1}"] {
            assert!(text.parse::<Handle>().is_err(), "{text}");
        }
    }

    #[test]
    fn a_named_id_follows_from_installation_and_path() {
        let ours = InstallationId([1, 2, 3, 4]);
        let id = NamedId::new(ours, &["lab", "web"]);
        assert_eq!(id, NamedId::new(ours, &["lab", "web"]));
        assert_eq!(&id.to_string()[14..15], "5");
        for other in [
            NamedId::new(ours, &["labweb"]),
            NamedId::new(ours, &["web", "lab"]),
            NamedId::new(InstallationId([1, 2, 3, 5]), &["lab", "web"]),
        ] {
            assert_ne!(id, other);
        }
    }

    #[test]
    fn a_key_id_names_its_installation() {
        let id = KeyId::new(InstallationId([1, 2, 3, 4]), [9; 12]);
        assert_eq!(id.installation(), InstallationId([1, 2, 3, 4]));
        assert_eq!(KeyId::from_slice(id.as_bytes()), Some(id));
        assert_eq!(KeyId::from_slice(b"short"), None);
    }
}
